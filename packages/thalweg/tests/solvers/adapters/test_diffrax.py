"""diffrax's methods make behind our call the steps that they make when called by hand."""

import functools
import re

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ode_suite import BASIS, CURVATURES, START, bent, ode_suite_for
from thalweg import DiffraxSolver, LeastSquares, Outcome, Stop, minimize
from thalweg.errors import ConfigError
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.solution import Work

TestKvaerno5 = ode_suite_for("kvaerno5", DiffraxSolver("kvaerno5"))
TestTsit5 = ode_suite_for("tsit5", DiffraxSolver("tsit5"), is_stiff=False)

STEPS = 30
CALLS = {"passes": 0}


@functools.cache
def watched_bent():
    """The flow of `bent`, which counts on the host how often its residuals are computed."""
    root = np.diag(np.sqrt(CURVATURES)) @ BASIS.T

    def count():
        CALLS["passes"] += 1

    def residuals(theta):
        jax.debug.callback(count)
        return jnp.asarray(root) @ theta + 0.3 * theta**3

    return LeastSquares(residuals)


@functools.cache
def by_hand(name):
    """`diffeqsolve` on `bent`: times and points of its first steps, and attempts thrown away."""
    root = jnp.asarray(np.diag(np.sqrt(CURVATURES)) @ BASIS.T)

    def loss(theta):
        return 0.5 * jnp.sum((root @ theta + 0.3 * theta**3) ** 2)

    term = diffrax.ODETerm(lambda _t, theta, _args: -jax.grad(loss)(theta))
    solver = getattr(diffrax, name.capitalize())()
    controller = diffrax.PIDController(rtol=1e-6, atol=1e-8)
    start = jnp.asarray(START)
    # `diffeqsolve` of diffrax 0.7 has no use for this rule: left to itself it begins with 0.01.
    first, _ = controller.init(
        term, 0.0, 1e20, start, None, None, solver.func, solver.error_order(term)
    )
    solution = diffrax.diffeqsolve(
        term,
        solver,
        t0=0.0,
        t1=1e20,
        dt0=first,
        y0=start,
        stepsize_controller=controller,
        saveat=diffrax.SaveAt(steps=True),
        max_steps=STEPS,
        throw=False,
    )
    taken = int(solution.stats["num_accepted_steps"])
    return np.asarray(solution.ts)[:taken], np.asarray(solution.ys)[:taken], STEPS - taken


@pytest.mark.parametrize("name", ["kvaerno3", "tsit5"])
def test_the_steps_are_those_of_diffeqsolve(name):
    """Times, points and rejected attempts agree with diffrax's own loop."""
    times, points, rejected = by_hand(name)
    seen = []
    solution = minimize(
        bent(),
        START,
        name,
        Stop(steps=len(times)),
        callback=lambda s: seen.append((s.t, np.array(s.theta))) and 0,
    )
    assert len(times) > 10
    np.testing.assert_allclose([t for t, _ in seen], times, rtol=1e-6)
    np.testing.assert_allclose([theta for _, theta in seen], points, rtol=1e-6, atol=1e-9)
    assert solution.work.rejected_steps == pytest.approx(rejected, abs=1)


@pytest.mark.parametrize("name", ["kvaerno5", "tsit5"])
def test_every_evaluation_is_counted(name):
    """Passes over the data are gradients and losses, and two more for each Jacobian."""
    theta, spec = flatten(START)
    flow = build_flow(watched_bent(), spec)
    method = DiffraxSolver(name)
    step = jax.jit(lambda *arguments: method.step(flow, *arguments)).lower(
        flow.data, theta, method.init(flow, jnp.asarray(theta))
    )
    step = step.compile()
    at, memory, works = theta, method.init(flow, jnp.asarray(theta)), []
    CALLS["passes"] = 0
    for _ in range(STEPS):
        result = step(flow.data, at, memory)
        at, memory = result.theta, result.solver_state
        works.append(result.work)
    jax.effects_barrier()
    work = Work(*(int(sum(counts)) for counts in zip(*works, strict=True)))
    assert CALLS["passes"] == work.gradients + work.losses + 2 * work.jacobians
    attempts = STEPS + work.rejected_steps
    if name == "tsit5":
        assert work.losses == STEPS
        assert work.rejected_steps > 0
        assert work.jacobians == work.newton_iterations == 0
    else:
        assert work.newton_failures > 0
        assert work.jacobians == work.factorizations == 2 * attempts
        assert work.newton_iterations >= 6 * 2 * STEPS  # at least two in each implicit stage
        assert work.gradients == 3 + STEPS + work.newton_iterations


def test_a_schedule_begins_loose_and_ends_tight():
    """With `loosest` the run takes fewer steps than at its final tolerance throughout."""
    target = Stop(loss=1e-3, steps=3000)
    tight = minimize(bent(), START, DiffraxSolver("tsit5", rtol=1e-8, atol=1e-10), target)
    method = DiffraxSolver("tsit5", rtol=1e-8, atol=1e-10, loosest=1e-2)
    both = minimize(bent(), START, method, target)
    assert both.outcome is Outcome.TARGET_REACHED
    assert both.history["step"][-1] < 0.8 * tight.history["step"][-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"solver": "dopri5"}, "`solver` is 'dopri5', but one of kvaerno5, kvaerno3, tsit5"),
        ({"rtol": -1.0}, "`rtol` is -1.0"),
        ({"atol": 0.0}, "`atol` is 0.0"),
        ({"loosest": 1e-9}, "`loosest` is 1e-09 and `rtol` 1e-06"),
    ],
)
def test_nonsense_is_refused(arguments, message):
    """A setting that cannot be run is answered in one sentence."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        DiffraxSolver(**arguments)


def test_matrices_that_do_not_fit_are_refused():
    """Dense matrices of 50,000 parameters are refused before anything is allocated."""
    big = LeastSquares(lambda theta: theta)
    with pytest.raises(ConfigError, match="GiB"):
        minimize(big, np.ones(50_000), "kvaerno5")
