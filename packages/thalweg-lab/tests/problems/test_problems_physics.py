"""The solutions that networks are compared with are right, by calculations of another kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from thalweg import networks
from thalweg_lab import problems
from thalweg_lab.problems import allen_cahn, burgers, convection, franke, lotka_volterra, physics


def test_burgers_solution_agrees_with_gauss_hermite_quadrature():
    """The trapezoidal rule and 120 Gauss-Hermite nodes give the same u to 1e-9."""
    z, w = np.polynomial.hermite.hermgauss(120)
    random = np.random.default_rng(0)
    x, t = random.uniform(-1, 1, 200), random.uniform(0.02, 1, 200)
    at = np.pi * (x[:, None] - 2 * np.sqrt(burgers.VISCOSITY * t)[:, None] * z)
    f = w * np.exp(-np.cos(at) / (2 * np.pi * burgers.VISCOSITY))
    assert np.allclose(burgers.exact(x, t), -(np.sin(at) * f).sum(1) / f.sum(1), atol=1e-9)


def test_burgers_solution_agrees_with_a_fourier_method():
    """Followed in time with 1,023 sines, which resolve the shock, u differs by less than 1e-7."""
    k = np.pi * np.arange(513)

    def rate(_: float, u: np.ndarray) -> np.ndarray:
        derivative = np.fft.irfft(1j * k * np.fft.rfft(u))
        return -u * derivative + burgers.VISCOSITY * np.fft.irfft(-(k**2) * np.fft.rfft(u))

    x = np.arange(1024) / 512 - 1
    solution = solve_ivp(
        rate, (0, 1), -np.sin(np.pi * x), "RK45", t_eval=[0.25, 1.0], rtol=1e-9, atol=1e-9
    )
    for t, u in zip(solution.t, solution.y.T, strict=True):
        assert np.abs(burgers.exact(x, np.full_like(x, t)) - u).max() < 1e-7


def test_burgers_start_and_edges_are_those_of_the_equation():
    """U = -sin πx at t = 0 and 0 at x = ±1, as the training points say."""
    _, known, u = burgers.points()
    assert np.allclose(burgers.exact(*known.T), u, atol=1e-12)


def test_allen_cahn_solution_does_not_depend_on_the_number_of_points():
    """Twice as many cosines give the same u to 1e-10 from the first time that is compared."""
    times = allen_cahn.T[[1, 10, 20]]
    u = allen_cahn.reference(times)[1]
    fine = allen_cahn.reference(times, intervals=2 * allen_cahn.INTERVALS)[1]
    assert np.abs(u - fine[::2]).max() < 1e-10


def test_allen_cahn_solution_agrees_with_finite_differences():
    """Second differences on two grids, extrapolated to h = 0, and SciPy's BDF: closer than 1e-4."""
    ends = []
    for intervals in (500, 1000):
        x, h = np.linspace(0, 1, intervals + 1), 1 / intervals

        def rate(_: float, u: np.ndarray, h: float = h) -> np.ndarray:
            wide = np.concatenate([u[1:2], u, u[-2:-1]])  # even about both ends
            curvature = (wide[2:] - 2 * u + wide[:-2]) / h**2
            return allen_cahn.DIFFUSION * curvature + allen_cahn.REACTION * (u - u**3)

        solution = solve_ivp(
            rate, (0, 1), allen_cahn.start_value(x), "RK45", t_eval=[1.0], rtol=1e-8, atol=1e-9
        )
        ends.append(solution.y[:: intervals // 500, 0])
    extrapolated = (4 * ends[1] - ends[0]) / 3
    u = allen_cahn.reference(np.array([1.0]), intervals=1000)[1][::2, 0]
    assert np.abs(extrapolated - u).max() < 1e-4


def test_the_points_and_values_of_allen_cahn_belong_together():
    """At t = 0 each value is x² cos πx of its point, on both sides of 0."""
    points, u = allen_cahn.compared(), allen_cahn.solution()
    at_start = points[:, 1] == 0
    assert np.allclose(u[at_start], allen_cahn.start_value(points[at_start, 0]), atol=1e-12)
    assert {points[:, 0].min(), points[:, 0].max()} == {-1.0, 1.0}


def test_the_allen_cahn_network_is_periodic():
    """Values and derivatives in x agree at x = -1 and 1."""
    layers = networks.init(allen_cahn.SIZES, seed=0)
    left, right = (jnp.asarray([x, 0.3]) for x in (-1.0, 1.0))
    u = lambda at: allen_cahn.value(layers, at)  # noqa: E731 - it has no name of its own
    assert u(left) == pytest.approx(float(u(right)))
    derivatives = [float(physics.along(u, at, direction=(1.0, 0.0))) for at in (left, right)]
    assert derivatives[0] == pytest.approx(derivatives[1])


@pytest.mark.parametrize(
    ("defect", "sizes", "equation"),
    [
        (
            burgers.defect,
            burgers.SIZES,
            lambda u, ux, ut, uxx: ut + u * ux - 0.01 / np.pi * uxx,
        ),
        (
            lambda layers, at: convection.defect(layers, at, speed=30.0),
            convection.SIZES,
            lambda _, ux, ut, __: ut + 30 * ux,
        ),
        (
            allen_cahn.defect,
            allen_cahn.SIZES,
            lambda u, _, ut, uxx: ut - 1e-4 * uxx - 5 * (u - u**3),
        ),
    ],
    ids=["burgers", "convection", "allen-cahn"],
)
def test_a_defect_is_its_equation(defect, sizes, equation):
    """Directional derivatives give what whole gradients and Hessians give."""
    value = allen_cahn.value if sizes is allen_cahn.SIZES else physics.value
    layers = networks.init(sizes, seed=1)

    @jax.jit
    def both(point: jax.Array) -> tuple[jax.Array, jax.Array]:
        u = lambda at: value(layers, at)  # noqa: E731 - it has no name of its own
        (ux, ut), hessian = jax.grad(u)(point), jax.hessian(u)(point)
        return defect(layers, point), equation(u(point), ux, ut, hessian[0, 0])

    for point in np.random.default_rng(0).uniform(0.1, 0.9, size=(3, 2)):
        found, expected = both(jnp.asarray(point))
        assert float(found) == pytest.approx(float(expected))


def test_the_convected_wave_fulfils_what_is_trained_for():
    """sin(x - βt) moves at speed β, starts as sin x and is periodic, at β = 5 and 30."""
    x, t, eps = np.linspace(0, 6, 7), np.linspace(0, 1, 7), 1e-5
    for speed in (5.0, 30.0):
        moved = np.stack([x + speed * eps, t + eps], axis=1)
        here = convection.exact(np.stack([x, t], axis=1), speed=speed)
        assert np.allclose(convection.exact(moved, speed=speed), here)
        ends = [np.stack([np.full(7, end), t], axis=1) for end in (0.0, convection.LENGTH)]
        left, right = (convection.exact(end, speed=speed) for end in ends)
        assert np.allclose(left, right)
        assert np.allclose(convection.exact(np.stack([x, 0 * t], 1), speed=speed), np.sin(x))


def test_the_relative_error_of_a_network_that_is_zero_is_one():
    """|0 - u| / |u| = 1 for each differential equation."""
    for name in ("burgers", "allen-cahn", "convection-30"):
        task = problems.load(name)
        zero = jax.tree.map(np.zeros_like, task.start(0))
        assert task.measure.of(zero) == pytest.approx(1.0)


def test_boxes_of_equal_area_hold_one_sobol_point_each():
    """However 64 of them divide the square, with the points in the middle of 64 slices."""
    points = physics.sobol(64, (-1.0, 0.0), (1.0, 3.0))
    unit = (points - [-1, 0]) / [2, 3]
    assert np.allclose(unit * 64 % 1, 0.5)
    for rows in (1, 2, 4, 8, 16, 32, 64):
        boxes = {(int(x * rows), int(t * 64 / rows)) for x, t in unit}
        assert len(boxes) == 64


def test_the_points_of_burgers_equation_gather_at_the_shock():
    """On both sides of it, and a fifth of them within a hundredth."""
    inside, _, _ = burgers.points()
    near = np.abs(inside[:, 0]) < 0.01
    assert near.mean() == pytest.approx(0.01 ** (1 / 3), abs=0.01)
    assert inside[:, 0].mean() == pytest.approx(0, abs=1e-3)
    assert np.abs(inside[:, 0]).max() < 1


def test_frankes_function_has_its_known_values():
    """Its four terms written one by one at a corner, and the largest value on a fine grid."""
    corner = 0.75 * np.exp(-2) + 0.75 * np.exp(-1 / 49 - 1 / 10) + 0.5 * np.exp(-58 / 4)
    corner -= 0.2 * np.exp(-16 - 49)
    assert franke.exact(np.zeros(2)) == pytest.approx(corner)
    side = np.linspace(0, 1, 301)
    assert franke.exact(physics.grid(side, side)).max() == pytest.approx(1.22, abs=0.01)


def test_predator_and_prey_conserve_their_invariant():
    """0.8 x - 1.8 ln x + 0.9 y - 1.3 ln y is constant along every trajectory."""
    for start in (*lotka_volterra.STARTS, lotka_volterra.HELD_OUT):
        x, y = lotka_volterra.trajectory(start).T
        kept = 0.8 * x - 1.8 * np.log(x) + 0.9 * y - 1.3 * np.log(y)
        assert np.ptp(kept) < 1e-10


def test_the_model_of_predator_and_prey_solves_its_equation():
    """With fixed weights, Runge-Kutta and SciPy's DOP853 agree to 1e-5."""
    params = lotka_volterra.start(2)
    params["log_rates"] = np.array([0.2, -0.1])

    def rate(_: float, at: np.ndarray) -> np.ndarray:
        own = np.exp([0.2, -0.1]) * [1, -1] * at
        return own + np.asarray(networks.apply(params["layers"], jnp.asarray(at)))

    t = np.linspace(0, lotka_volterra.DURATION, lotka_volterra.POINTS)
    start = lotka_volterra.STARTS[1]
    solution = solve_ivp(rate, (0, t[-1]), start, "DOP853", t_eval=t, rtol=1e-8, atol=1e-8).y.T
    assert np.allclose(lotka_volterra.modelled(params, jnp.asarray(start)), solution, rtol=1e-5)
