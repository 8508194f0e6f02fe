"""`scaled-geodesic`: plateaus that used to end a fit, units that do not matter, fair verdicts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg.errors import ConfigError
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.solvers.integrators import column_units
from thalweg.solvers.integrators.scaled import LARGEST, WAYS, ScaledGeodesic, Way

STOP = tw.Stop(seconds=30)


def squares(solution, examples):
    """Σ r², as tables of fits state it; a loss of data is half of their mean."""
    return 2 * examples * solution.loss


def saturating(b, x, y):
    """Biochemical oxygen demand."""
    return b[0] * (1 - jnp.exp(-b[1] * x)) - y


DEMAND = (np.array([1.0, 2, 3, 5, 7, 10]), np.array([109.0, 149, 149, 191, 213, 224]))


@pytest.mark.parametrize("start", [(1.0, 1.0), (100.0, 0.75), (1e3, 1e-3), (200.0, 30.0)])
def test_a_long_first_step_does_not_end_where_the_rate_no_longer_matters(start):
    """BoxBOD of NIST's collection: the plateau at large rates has squares of 9771."""
    solution = tw.minimize(tw.LeastSquares(saturating, data=DEMAND), np.array(start), stop=STOP)
    assert solution.method == "scaled-geodesic"
    assert solution.outcome is tw.Outcome.CONVERGED
    assert squares(solution, 6) == pytest.approx(1168.0088766, rel=1e-10)
    assert solution.params == pytest.approx([213.80940889, 0.54723748542], rel=1e-9)


def two_exponentials(b, x, y):
    """Osborne's first function, which is MGH17 of NIST's collection."""
    return b[0] + b[1] * jnp.exp(-x * b[3]) + b[2] * jnp.exp(-x * b[4]) - y


DECAY = (
    10.0 * np.arange(33),
    np.array(
        (
            (0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751),
            (0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490),
            (0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406),
        )
    ).ravel(),
)


@pytest.mark.parametrize("start", [(50, 150, -100, 1, 2), (0.5, 1.5, -1, 0.01, 0.02)])
def test_rates_a_hundred_times_too_large(start):
    """From the first start, gradient flow and long steps end at squares of 1.106."""
    start = np.array(start, float)
    solution = tw.minimize(tw.LeastSquares(two_exponentials, data=DECAY), start, stop=STOP)
    assert solution.outcome is tw.Outcome.CONVERGED
    assert squares(solution, 33) == pytest.approx(5.4648946975e-5, rel=1e-9)


def wave(b, x, y):
    """An amplitude and a frequency."""
    return b[0] * jnp.sin(b[1] * x) - y


@pytest.mark.parametrize("truth", [(2.0, 2.0), (1.5, 2.5)])
def test_a_local_minimum_that_explains_little_is_not_taken_for_the_fit(truth):
    """From (1, 1) descent leads to a frequency near 0.74, a minimum that explains a quarter."""
    x = np.linspace(0, 2 * np.pi, 1000)
    data = (x, truth[0] * np.sin(truth[1] * x))
    solution = tw.minimize(tw.LeastSquares(wave, data=data), np.ones(2), stop=STOP)
    assert solution.outcome is tw.Outcome.CONVERGED
    assert solution.loss < 1e-25
    assert "found this point" in solution.detail
    assert (solution.history["h"][1:] == 0).sum() > 0  # where a trial begins


@pytest.mark.parametrize("rate", [0.01, 0.005, 0.0])
def test_years_as_they_are(rate):
    """Growth over the years 2011 to 2015: two parameters are one, and x varies by a thousandth."""

    def growth(b, x, y):
        return b[0] * jnp.exp(b[1] * x + b[2]) - y

    years, sales = np.arange(2011.0, 2016), np.array([255.0, 349, 449, 554, 658])
    start = np.array([1.0, rate, 0.0])
    solution = tw.minimize(tw.LeastSquares(growth, data=(years, sales)), start, stop=STOP)
    # The same fit in two parameters and years since 2013, by another library.
    shifted, _ = scipy.optimize.curve_fit(
        lambda x, a, b: a * np.exp(b * x), years - 2013, sales, p0=[400, 0.1]
    )
    best = np.sum((shifted[0] * np.exp(shifted[1] * (years - 2013)) - sales) ** 2)
    assert squares(solution, 5) == pytest.approx(best, rel=1e-6)
    assert solution.params[1] == pytest.approx(0.2212, abs=1e-4)
    assert solution.outcome is tw.Outcome.CONVERGED  # as the model itself has one too many
    assert "undetermined" in solution.detail


INPUTS = np.array([[0.0, 0], [0, 1], [1000, 0], [1, 1]])
TARGETS = np.array([0.0, 1000, 1, 0])


@pytest.mark.parametrize("activation", [jnp.tanh, jax.nn.sigmoid])
@pytest.mark.parametrize("seed", [1, 3])
def test_a_small_network_that_saturates_begins_again(activation, seed):
    """Long first steps make outputs equal: a loss of 83,333 or more that used to be `converged`."""
    rng = np.random.default_rng(seed)
    start = {
        "w": rng.normal(size=(2, 3)) / 2,
        "b": np.zeros(3),
        "out": rng.normal(size=3),
        "c": np.zeros(()),
    }
    problem = tw.LeastSquares(
        lambda p, x, y: activation(x @ p["w"] + p["b"]) @ p["out"] + p["c"] - y,
        data=(INPUTS, TARGETS),
    )
    solution = tw.minimize(problem, start, stop=STOP)
    assert solution.method == "implicit-geodesic"
    assert solution.outcome is tw.Outcome.CONVERGED
    assert solution.loss < 1e-18 * solution.history["loss"][0]


def bell(b, x, y):
    """A Gaussian."""
    return b[0] * jnp.exp(-((x - b[1]) ** 2) / (2 * b[2] ** 2)) - y


GRID = np.linspace(-3.0, 3.0, 50)
BELL = 2 * np.exp(-((GRID - 0.3) ** 2) / 1.28) + 0.05 * np.random.default_rng(1).normal(size=50)


@functools.cache
def fitted():
    """The fit in its own units, at the first call: not while tests are still being collected."""
    return tw.minimize(tw.LeastSquares(bell, data=(GRID, BELL)), np.array([1.0, 0, 1]), stop=STOP)


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.integers(-20, 20)] * 2))
def test_no_unit_matters(powers):
    """Of y and x, from 1e-20 to 1e20: the end has the same digits, after as many steps but two."""
    y_unit, x_unit = 10.0 ** powers[0], 10.0 ** powers[1]
    data = (GRID * x_unit, BELL * y_unit)
    start = np.array([y_unit, 0, x_unit])
    solution = tw.minimize(tw.LeastSquares(bell, data=data), start, stop=STOP)
    assert solution.outcome is fitted().outcome is tw.Outcome.CONVERGED
    in_units = solution.params / np.array([y_unit, x_unit, x_unit])
    np.testing.assert_allclose(in_units, fitted().params, rtol=1e-13)
    steps, expected = len(solution.history["step"]), len(fitted().history["step"])
    assert abs(steps - expected) <= max(2, 0.1 * expected)


def weighted_bell(b, x, y, unit):
    """Residuals in another unit than the parameters."""
    return unit * bell(b, x, y)


@pytest.mark.parametrize("power", [-14, -12, -11, -8, 0, 8, 15])
def test_the_unit_of_the_residuals_alone_does_not_matter(power):
    """It used to stall from 1e-8 down, and took 198,791 steps at 1e-12."""
    data = (GRID, BELL, np.full(50, 10.0**power))
    start = np.array([1.0, 0.5, 1.5])
    solution = tw.minimize(tw.LeastSquares(weighted_bell, data=data), start, stop=STOP)
    assert solution.outcome is tw.Outcome.CONVERGED
    np.testing.assert_allclose(solution.params, fitted().params, rtol=1e-12)
    assert len(solution.history["step"]) < 40


def impedance(b, omega, real, imaginary):
    """A resistor and a capacitor in parallel."""
    model = b[0] / (1 + 1j * omega * b[0] * b[1])
    return jnp.stack([model.real - real, model.imag - imaginary])


@pytest.mark.parametrize("factor", [0.1, 0.01, 1e-6, 10])
def test_parameters_that_differ_by_twenty_one_powers_of_ten(factor):
    """R = 1e9 and C = 1e-12, from starts ten, a hundred and a million times off."""
    omega = np.logspace(1, 5, 40)
    exact = 1e9 / (1 + 1j * omega * 1e-3)
    problem = tw.LeastSquares(impedance, data=(omega, exact.real, exact.imag))
    solution = tw.minimize(problem, np.array([1e9, 1e-12]) * factor, stop=STOP)
    assert solution.outcome is tw.Outcome.CONVERGED
    assert solution.params == pytest.approx([1e9, 1e-12], rel=1e-12)


def test_a_plateau_is_called_one_and_names_the_parameter():
    """Box's function in three dimensions: at infinity the second rate has no effect."""
    t = 0.1 * np.arange(1, 11)

    def box(b, t):
        fit = jnp.exp(-t * b[0]) - jnp.exp(-t * b[1])
        return fit - b[2] * (jnp.exp(-t) - jnp.exp(-10 * t))

    problem = tw.LeastSquares(box, data=(t,))
    starts = [(100.0, 200.0), (100.0, 100.0), (150.0, 200.0), (200.0, 200.0), (100.0, 20.0)]
    found = [tw.minimize(problem, np.array([0.0, *start]), stop=STOP) for start in starts]
    assert not any(solution.outcome.is_success for solution in found)
    # Two trials may tie in the last digit of the loss: then rounding decides whose end it is.
    plateaus = [solution for solution in found if solution.outcome is tw.Outcome.PLATEAU]
    assert len(plateaus) >= len(starts) - 1
    assert all("`params[1]`" in solution.detail for solution in plateaus)


@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_a_circle_that_grows_without_end_has_not_converged(scale):
    """Points nearly on a line: ever larger circles have ever smaller gradients."""
    x = np.linspace(-1, 1, 9)
    points = np.stack([x, 0.3 + 1e-3 * np.cos(3 * x)], axis=1)

    def distance(p, at):
        return jnp.hypot(at[0] - p[0], at[1] - p[1]) - p[2]

    problem = tw.LeastSquares(distance, data=(points,))
    solution = tw.minimize(problem, scale * np.array([0.1, 1.0, 1.0]), stop=STOP)
    radius = abs(solution.params[2])
    assert radius < 1e5 or solution.outcome is not tw.Outcome.CONVERGED


def test_a_parameter_without_any_effect_is_a_plateau():
    """Where residuals are left, nothing shows what another value of it would do."""
    problem = tw.LeastSquares(lambda b: jnp.stack([b["a"] - 1, b["a"] + 1]))
    start = {"a": np.asarray(3.0), "unused": np.asarray(1.0)}
    solution = tw.minimize(problem, start, stop=STOP)
    assert solution.outcome is tw.Outcome.PLATEAU
    assert "`params['unused']`" in solution.detail
    assert float(solution.params["a"]) == pytest.approx(0, abs=1e-9)


def test_a_saddle_is_no_minimum():
    """By symmetry no step leaves the line b = 0, along which the loss is least at a = 0."""
    problem = tw.LeastSquares(lambda b: jnp.stack([b[0], b[1] ** 2 - 1]))
    solution = tw.minimize(problem, np.array([1.0, 0.0]), ScaledGeodesic(ways=WAYS[:1]), STOP)
    assert solution.outcome is tw.Outcome.PLATEAU


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_a_saddle_where_parameters_are_equal_is_left(scale: float):
    """Four numbers from the sums of their powers: where two meet, J is singular (POWERSUM)."""
    k = np.arange(1, 5)[:, None]
    truth = np.array([1.0, 2.0, 3.0, 2.0])
    problem = tw.LeastSquares(lambda x: jnp.sum(x**k, axis=1) - np.sum(truth**k, axis=1))
    solution = tw.minimize(problem, np.full(4, 2.0 * scale), stop=STOP)
    assert solution.outcome is tw.Outcome.CONVERGED
    assert 2 * solution.loss < 1e-16


def test_a_singular_jacobian_at_a_true_minimum_is_convergence():
    """Jennrich and Sampson's function, of equal rates: rank 1, but the Hessian has no doubt."""
    i = np.arange(1.0, 11)

    def rates(b, i):
        return 2 + 2 * i - jnp.exp(i * b[0]) - jnp.exp(i * b[1])

    solution = tw.minimize(tw.LeastSquares(rates, data=(i,)), np.array([0.3, 0.4]), stop=STOP)
    assert squares(solution, 10) == pytest.approx(124.36218, rel=1e-7)
    assert solution.outcome is tw.Outcome.CONVERGED


def test_the_last_digits_come_from_polishing():
    """The loss alone leaves half of the digits; a root of the gradient in 40 digits says so."""
    solution = tw.minimize(
        tw.LeastSquares(saturating, data=DEMAND), np.array([100, 0.75]), stop=STOP
    )
    mpmath = pytest.importorskip("mpmath")
    x, y = ([mpmath.mpf(float(v)) for v in values] for values in DEMAND)
    with mpmath.workdps(40):

        def gradient(a, b):
            r = [a * (1 - mpmath.exp(-b * t)) - v for t, v in zip(x, y, strict=True)]
            return (
                sum(e * (1 - mpmath.exp(-b * t)) for e, t in zip(r, x, strict=True)),
                sum(e * a * t * mpmath.exp(-b * t) for e, t in zip(r, x, strict=True)),
            )

        exact = mpmath.findroot(gradient, (213.8, 0.547))
    np.testing.assert_allclose(solution.params, [float(v) for v in exact], rtol=1e-13)


@pytest.mark.parametrize("h", [1e-6, 1.0, 1e6])
def test_a_linearised_step_solves_the_damped_normal_equations(h):
    """The fast path by singular values against dense algebra in the plainest form."""
    theta = np.array([1.3, 0.2, 0.9])
    problem = tw.LeastSquares(bell, data=(GRID, BELL))
    flow = build_flow(problem, flatten(theta)[1])
    search = ScaledGeodesic().init(flow, jnp.asarray(theta)).search
    at = column_units.linearised(flow, flow.data, theta, search, metric=jnp.asarray(LARGEST))
    r, jacobian = (np.asarray(a) for a in flow.jacobian(flow.data, theta))
    metric = np.diag((jacobian**2).sum(axis=0))
    expected = np.linalg.solve(jacobian.T @ jacobian + metric / h, -jacobian.T @ r)
    np.testing.assert_allclose(at.system.at(h)(jnp.asarray(r)), expected, rtol=1e-10)
    assert float(at.system.loss) == pytest.approx(0.5 * r @ r)


def test_the_best_of_all_trials_is_returned():
    """Whatever the last one found; and the run ends with the loss of that point."""
    x = np.linspace(0, 2 * np.pi, 100)
    problem = tw.LeastSquares(wave, data=(x, 2 * np.sin(2 * x)))
    ways = (Way(LARGEST, 1e4), Way(LARGEST, 1e-2))
    one = tw.minimize(problem, np.ones(2), ScaledGeodesic(ways=ways[1:]), STOP)
    both = tw.minimize(problem, np.ones(2), ScaledGeodesic(ways=ways), STOP)
    assert one.loss > 0.1 > both.loss
    assert both.loss <= both.history["loss"].min() * (1 + 1e-12) + 1e-28


def test_what_it_refuses():
    """Another kind of loss, many parameters, no trial: a sentence each."""
    with pytest.raises(ConfigError, match="needs a LeastSquares problem"):
        tw.minimize(tw.Scalar(lambda b: b @ b), np.ones(2), "scaled-geodesic")
    with pytest.raises(ConfigError, match="up to 64 parameters"):
        tw.minimize(tw.LeastSquares(lambda b: b), np.ones(65), "scaled-geodesic")
    with pytest.raises(ConfigError, match="at least one way"):
        ScaledGeodesic(ways=())
