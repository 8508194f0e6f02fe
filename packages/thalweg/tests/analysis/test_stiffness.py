"""What is said of stiffness holds where the rates of decay are known."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

import thalweg as tw
from thalweg.analysis import minima, stiffness

RATES = np.array([0.1, 1.0, 1000.0])
FLOW = tw.Scalar(lambda p: 0.5 * jnp.sum(jnp.asarray(RATES) * p**2))


def land():
    """The flow at hand."""
    return minima.Landscape(FLOW, np.zeros(3))


@pytest.mark.parametrize("dense_up_to", [100, 0], ids=["dense", "lanczos"])
def test_rates_are_those_of_the_flow(dense_up_to):
    """Fastest and slowest; the change_rate is that of the one mode in which the solution moves."""
    slow = stiffness.rates_at(land(), np.array([0.0, 2.0, 0.0]), dense_up_to=dense_up_to)
    assert slow.radius == pytest.approx(1000)
    assert slow.slowest == pytest.approx(0.1)
    assert slow.change_rate == pytest.approx(1)
    assert slow.negative == 0
    fast = stiffness.rates_at(land(), np.array([0.0, 0.0, 2.0]), dense_up_to=dense_up_to)
    assert fast.change_rate == pytest.approx(1000)
    rest = stiffness.rates_at(land(), np.zeros(3), dense_up_to=dense_up_to)
    assert np.isnan(rest.change_rate)


def trajectory(t, radius, **named):
    """A path at given times, with rates of decay in fixed ratios."""
    t = np.asarray(t, float)
    radius = np.broadcast_to(np.asarray(radius, float), t.shape)
    values = {
        "h": np.diff(t, prepend=np.nan),
        "loss": np.exp(-t),
        "slowest": radius / 50,
        "change_rate": radius / 10,
        "steps": len(t) - 1,
    }
    return stiffness.Trajectory(t=t, radius=radius, **{**values, **named})


def test_explicit_steps_are_the_integral_of_the_radius():
    """Of a constant radius exactly, of a straight one too."""
    t = np.array([0.0, 0.5, 2.0, 10.0])
    assert trajectory(t, 33.0).explicit_steps == pytest.approx(100)
    assert trajectory(t, 33.0 * t).explicit_steps == pytest.approx(10 * 10**2 / 2)


@pytest.mark.parametrize(
    ("radius", "grade"), [(3.3, "not stiff"), (33.0, "mildly stiff"), (330.0, "stiff")]
)
def test_the_grade_goes_by_the_steps_of_both_kinds(radius, grade):
    """Unit steps at radius 3.3 are what an explicit method could take itself."""
    found = stiffness.classify_stiffness(trajectory(np.arange(11.0), radius))
    assert found.grade == grade
    assert found.work == pytest.approx(radius / 3.3)
    assert found.h_rho == found.most_h_rho == pytest.approx(radius)
    assert found.rho_over_change_rate == pytest.approx(10)
    assert found.stiffness_ratio == pytest.approx(50)
    assert found.share_beyond == (1.0 if radius > 3.3 else 0.0)


def test_stiffness_is_dated_by_the_loss_from_which_it_lasts():
    """A short step far ahead does not count; nothing counts where none lasts."""
    t = np.arange(9.0)
    radius = np.array([1, 100, 1, 1, 1, 100, 100, 1, 100], float)
    found = stiffness.classify_stiffness(trajectory(t, radius))
    assert found.first_loss_beyond == pytest.approx(np.exp(-1.0))
    quiet = np.array([1, 100, 1, 1, 1, 1, 1, 1, 100], float)
    assert stiffness.classify_stiffness(trajectory(t, quiet)).first_loss_beyond == pytest.approx(
        np.exp(-8.0)
    )
    assert np.isnan(stiffness.classify_stiffness(trajectory(t, 1.0)).first_loss_beyond)


def test_a_known_stiff_flow_is_called_stiff_and_its_explicit_steps_are_predicted():
    """Radau's path predicts within a third how many steps DOPRI5's formulas then take."""
    start, span = np.array([1.0, 1.0, 1e-3]), (0.0, 20.0)

    def negative_gradient(_, theta):
        return -RATES * theta

    implicit, explicit = (
        scipy.integrate.solve_ivp(negative_gradient, span, start, method=name, rtol=1e-4, atol=1e-6)
        for name in ("Radau", "RK45")
    )
    paths = []
    for solved in (implicit, explicit):
        rates = [stiffness.rates_at(land(), theta) for theta in solved.y.T]
        paths.append(
            trajectory(
                solved.t,
                [r.radius for r in rates],
                change_rate=np.array([r.change_rate for r in rates]),
                slowest=np.array([r.slowest for r in rates]),
            )
        )
    found = stiffness.classify_stiffness(paths[0])
    assert found.grade == "stiff"
    assert found.explicit_steps == pytest.approx(len(explicit.t) - 1, rel=0.33)
    assert found.stiffness_ratio == pytest.approx(1e4)
    assert stiffness.stability_limited_share(paths[1]) > 0.9
    assert stiffness.stability_limited_share(paths[0]) < 0.3


def test_the_middle_grade_of_several():
    """Of two, the milder."""
    grades = ("not stiff", "mildly stiff", "stiff")
    assert stiffness.median_grade(["stiff", "not stiff", "stiff"]) == "stiff"
    for low, high in itertools.combinations(grades, 2):
        assert stiffness.median_grade([high, low]) == low
