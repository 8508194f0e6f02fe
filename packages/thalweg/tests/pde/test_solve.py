"""Small problems with known solutions, solved from the definition to an error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import pde

SMALL = pde.MLP(width=8, depth=1)


def layer(u, x):
    """A boundary layer of width 0.1."""
    _, u_x, u_xx = pde.taylor(u, 2)(x)
    return -0.1 * u_xx + u_x - 1


def layer_exact(x):
    """Its solution with u = 0 at both ends."""
    return x - (jnp.exp((x - 1) / 0.1) - jnp.exp(-10.0)) / (1 - jnp.exp(-10.0))


@pytest.fixture(scope="module")
def solved() -> pde.Result:
    """The boundary layer, with soft conditions."""
    problem = pde.Problem(
        pde.Interval(0, 1), layer, [pde.Dirichlet(0.0)], reference=layer_exact, name="Layer"
    )
    return pde.solve(problem, seconds=60, steps=400, network=SMALL, points=60)


def test_a_boundary_layer_is_solved(solved: pde.Result):
    """The error is small by NumPy's own arithmetic, and the verdict says so."""
    x = np.linspace(0, 1, 301)
    gap = solved.u(x) - np.asarray(layer_exact(x))
    assert np.abs(gap).max() < 1e-5
    assert solved.error is not None
    assert solved.error.relative_l2 == pytest.approx(
        np.linalg.norm(gap) / np.linalg.norm(layer_exact(x)), rel=0.5
    )
    assert solved.has_converged
    assert solved.verdict.startswith("Solved. The relative L2 error is")
    assert np.abs(solved.residual(x)).max() < 1e-3
    assert solved.size == 25
    assert solved.points == {"equation": 60, "Dirichlet on edge": 2}
    assert solved.u(0.5).shape == ()


def steep(u, x):
    """A boundary layer of width 0.02."""
    _, u_x, u_xx = pde.taylor(u, 2)(x)
    return -0.02 * u_xx + u_x - 1


def test_points_that_stay_are_drawn_again_where_the_equation_holds_at_them_only():
    """24 points are few for 37 weights. Were they kept, the gap would be 4e4; enough stay."""
    problem = pde.Problem(pde.Interval(0, 1), steep, [pde.Dirichlet(0.0)])
    few, enough = (
        pde.solve(problem, seconds=60, steps=300, network=pde.MLP(12, 1), points=points, seed=seed)
        for points, seed in ((24, 2), (60, 0))
    )
    assert few.gap < 1000

    def changes_late(result: pde.Result) -> bool:
        """New points have another loss, and a method's own steps do not raise it."""
        return bool(np.any(np.diff(result.history["loss"][155:]) > 0))

    assert changes_late(few)
    assert not changes_late(enough)


def test_new_points_need_no_new_program(solved: pde.Result):
    """With more rounds there are other points and weights, and not one program more."""
    counts = {}
    for rounds in (2, 9):
        compiled = []

        def count(event: str, duration_secs: float, **kwargs: str | int) -> None:  # noqa: ARG001
            if event.endswith("backend_compile_duration"):
                compiled.append(event)  # noqa: B023 - used up in this turn

        jax.clear_caches()
        jax.monitoring.register_event_duration_secs_listener(count)
        result = pde.solve(
            solved.problem,
            seconds=60,
            steps=400,
            network=SMALL,
            points=60,
            rounds=rounds,
            seed=rounds,
        )
        jax.monitoring.unregister_event_duration_listener(count)
        counts[rounds] = len(compiled)
        jumps = np.diff(result.history["loss"])
        assert np.count_nonzero(jumps > 0) >= min(rounds, 3) - 1
    assert counts[2] == counts[9] > 0


def test_one_network_can_have_every_kind_of_condition():
    """The field sin x cos t: a start and its velocity, a Neumann and a Robin edge, an interface."""

    def robin(x, t):
        return (jnp.sin(x) + jnp.cos(x)) * jnp.cos(t)

    problem = pde.Problem(
        pde.Interval(0, 1),
        lambda u, x, t: pde.dt(u, 2)(x, t) - pde.laplacian(u)(x, t),
        [
            pde.Initial(jnp.sin),
            pde.Initial(0.0, order=1),
            pde.Neumann(lambda x, t: -jnp.cos(x) * jnp.cos(t), on="left"),
            pde.Robin(robin, a=1.0, b=1.0, on="right"),
            pde.Interface(
                lambda u, x, t, normal: normal * (pde.partial(u)(x, t) - jnp.cos(x) * jnp.cos(t)),
                inside=pde.Interval(0.2, 0.6),
            ),
            pde.Condition(lambda u, x, t: u(x, t) - jnp.sin(0.5) * jnp.cos(t), points=[[0.5, 1]]),
        ],
        time=(0, 1),
        reference=lambda x, t: jnp.sin(x) * jnp.cos(t),
    )
    result = pde.solve(problem, seconds=60, steps=60, network=pde.MLP(12, 1), points=150)
    assert result.error is not None
    assert result.error.relative_l2 < 1e-3
    assert set(result.weights) == {
        "equation", "Initial", "Initial velocity", "Neumann on left", "Robin on right",
        "Interface on edge", "Condition on points",
    }  # fmt: skip


def test_hard_conditions_hold_exactly_whatever_the_weights():
    """Start, ends and period hold in a network that was never trained."""
    problem = pde.Problem(
        pde.Box((0, 0), (1, 2)),
        lambda u, x, t: pde.dt(u)(x, t),
        [
            pde.Dirichlet(lambda x, t: x[0] ** 2 * (1 + 0 * t), on=("left", "right"), hard=True),
            pde.Periodic(axis=1),
            pde.Initial(lambda x: x[0] ** 2, hard=True),
        ],
        time=(1, 2),
    )
    result = pde.solve(problem, seconds=60, steps=1, network=pde.MLP(4, 1), points=20)
    random = np.random.default_rng(0)
    y, t = random.uniform(0, 2, 20), random.uniform(1, 2, 20)
    for side in (0.0, 1.0):
        at = np.column_stack([np.full(20, side), y])
        assert result.u(at, t) == pytest.approx(np.full(20, side**2), abs=1e-14)
    x = np.column_stack([random.uniform(0, 1, 20), y])
    assert result.u(x, 1.0) == pytest.approx(x[:, 0] ** 2, abs=1e-14)
    low, high = x * [1, 0], x * [1, 0] + [0, 2]
    assert result.u(low, t) == pytest.approx(result.u(high, t), abs=1e-12)
    assert np.ptp(result.u(x, t) - x[:, 0] ** 2) > 0


def test_windows_in_time_join_smoothly():
    """A turning vector in three windows: each starts where the one before ended."""
    problem = pde.Problem(
        pde.Interval(0, 1),
        lambda u, x, t: (
            pde.dt(u)(x, t) - 6 * jnp.array([-u(x, t)[1], u(x, t)[0]]),
            pde.partial(u)(x, t),
        ),
        [pde.Initial(jnp.array([1.0, 0.0]))],
        time=(0, 3),
        outputs=2,
        reference=lambda x, t: jnp.array([jnp.cos(6 * t), jnp.sin(6 * t)]) + 0 * x,
    )
    result = pde.solve(
        problem, seconds=60, steps=150, network=pde.MLP(10, 1), points=120, windows=3, rounds=2
    )
    assert [stage.start for stage in result.stages] == [0, 1, 2]
    assert set(result.history["window"]) == {0, 1, 2}
    assert result.error is not None
    assert result.error.relative_l2 < 1e-2
    ends = result.u(np.full(2, 0.5), np.array([1 - 1e-9, 1 + 1e-9]))
    assert ends[0] == pytest.approx(ends[1], abs=1e-2)


def test_a_result_that_did_not_converge_says_so_first(solved: pde.Result):
    """Two steps solve nothing."""
    result = pde.solve(solved.problem, seconds=60, steps=2, network=SMALL, points=60)
    assert not result.has_converged
    assert repr(result).startswith("Not solved")


def test_too_few_points_are_seen_between_them():
    """With fewer points than weights the equation holds at the points only."""
    problem = pde.Problem(
        pde.Interval(0, 1),
        lambda u, x: pde.partial(u)(x) - 40 * jnp.cos(40 * x),
        [pde.Dirichlet(0.0, on="left")],
    )
    result = pde.solve(
        problem, seconds=60, steps=150, network=pde.MLP(30, 2), points=8, resample=False
    )
    assert result.gap > 10
    assert "at the points of training only" in result.verdict
    assert not result.has_converged


def test_a_module_of_equinox_is_a_network():
    """Its arrays are trained in float64."""
    eqx = pytest.importorskip("equinox", reason="Equinox is not installed")
    module = eqx.nn.MLP(1, 1, 8, 1, activation=jnp.tanh, key=jax.random.key(0))
    problem = pde.Problem(pde.Interval(0, 1), layer, [pde.Dirichlet(0.0)], reference=layer_exact)
    result = pde.solve(problem, seconds=60, steps=150, network=module, points=60)
    assert result.error is not None
    assert result.error.relative_l2 < 1e-3
    assert result.u(np.zeros(3)).dtype == np.float64


def test_the_field_may_be_transformed_and_points_lie_densely_where_asked():
    """An odd field is odd; the density moves points."""
    problem = pde.Problem(
        pde.Interval(-1, 1), lambda u, x: pde.partial(u)(x) - 1, [pde.Dirichlet(-1.0, on="left")]
    )
    result = pde.solve(
        problem,
        seconds=60,
        steps=3,
        network=SMALL,
        points=200,
        transform=lambda u: lambda x: (u(x) - u(-x)) / 2,
        density=lambda x: jnp.where(jnp.abs(x) < 0.1, 9.0, 1.0),
    )
    x = np.linspace(0, 1, 7)
    assert result.u(x) == pytest.approx(-result.u(-x), abs=1e-14)
