"""The contract of `minimize`: what comes back, what ends a run, what is compiled, what is seen."""

import math
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg import networks
from thalweg._recorder import Recorder
from thalweg.flow import build_flow
from thalweg.flow.compiled import overhead
from thalweg.flow.flatten import flatten
from thalweg.flow.programs import Program, forget_programs
from thalweg.solution import HISTORY_COLUMNS, Work
from thalweg.solvers import make

X = np.linspace(0.0, 1.0, 9)
Y = 2 * X - 1 + 0.1 * np.cos(9 * X)
LINE = tw.LeastSquares(lambda p, x, y: p["slope"] * x + p["rest"][0] - y, data=(X, Y))
START = {"slope": np.asarray(1.0), "rest": [np.array([1.0])]}
SLOW = "gradient-descent"  # compiles quickly and is never done


def loss_and_slope(params):
    """L and |∇L| of the line, in NumPy."""
    r = params["slope"] * X + params["rest"][0] - Y
    return 0.5 * np.mean(r**2), np.hypot(np.mean(r * X), np.mean(r))


@pytest.fixture(scope="module")
def solution():
    """A whole run by default, from `START`."""
    forget_programs()
    return tw.minimize(LINE, START)


def test_the_solution_is_that_of_least_squares(solution):
    """The parameters of `polyfit`, converged, with the loss that they have."""
    slope, rest = np.polyfit(X, Y, 1)
    assert solution.outcome is tw.Outcome.CONVERGED
    assert float(solution.params["slope"]) == pytest.approx(slope, rel=1e-8)
    assert solution.params["rest"][0] == pytest.approx([rest], rel=1e-8)
    assert solution.loss == pytest.approx(loss_and_slope(solution.params)[0], rel=1e-14)
    assert isinstance(solution.loss, float)


def test_the_history_tells_the_run_row_by_row(solution):
    """Columns of the contract at one length; steps count up, time adds up, work accumulates."""
    history = solution.history
    assert tuple(history) == HISTORY_COLUMNS
    count = len(history["loss"])
    assert {column.shape for column in history.values()} == {(count,)}
    assert history["step"].tolist() == list(range(count))
    assert (np.diff(history["seconds"]) >= 0).all()
    assert history["seconds"][0] == 0
    assert solution.seconds == history["seconds"][-1]
    assert history["t"] == pytest.approx(np.append(0, np.cumsum(history["h"][1:])))
    for name, total in solution.work._asdict().items():
        assert (np.diff(history[name]) >= 0).all()
        assert history[name][-1] == total
    assert history["rejected"].sum() == solution.work.rejected_steps
    assert solution.work.gradients > 0
    loss, slope = loss_and_slope(START | {"rest": START["rest"][0]})
    assert history["loss"][0] == pytest.approx(loss)
    assert history["grad_norm"][0] == pytest.approx(slope)
    assert history["grad_norm"][-1] < 1e-10


def test_work_has_the_counters_of_the_contract():
    """By these names, in this order; more may follow."""
    assert Work._fields[:7] == (
        "gradients",
        "hessian_products",
        "jacobians",
        "factorizations",
        "rejected_steps",
        "newton_failures",
        "linear_iterations",
    )


def test_parameters_come_back_as_they_were_passed():
    """The same pytree; NumPy arrays stay NumPy, JAX arrays JAX; float32 stays float32."""
    start = {"slope": jnp.ones((), jnp.float32), "rest": [np.ones(1, np.float32)]}
    found = tw.minimize(LINE, start, SLOW, tw.Stop(steps=2)).params
    assert jax.tree.structure(found) == jax.tree.structure(start)
    assert isinstance(found["slope"], jax.Array)
    assert isinstance(found["rest"][0], np.ndarray)
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype(np.float32)}
    assert start["rest"][0] == [1.0]


def test_a_second_run_compiles_nothing(solution):
    """Neither from the same start nor from another one; the first run says what it took."""
    again = tw.minimize(LINE, START)
    elsewhere = tw.minimize(LINE, {"slope": np.asarray(-30.0), "rest": [np.array([4.0])]})
    assert solution.compile_seconds > 0
    assert again.compile_seconds == 0.0
    assert elsewhere.compile_seconds == 0.0
    assert again.history["loss"].tolist() == solution.history["loss"].tolist()


def test_what_a_call_takes_is_measured_once_and_is_no_run_time():
    """By the quickest of some calls, on the clock of compilation."""
    flow = build_flow(LINE, flatten(START)[1], memory_budget=2**20)
    recorder = Recorder(tw.Stop(steps=1))
    calls = []

    def program(_, at):
        calls.append(at)
        time.sleep(0.03 if len(calls) == 1 else 0.01)
        return at

    slow = Program(program, seconds=1.0)
    least = overhead(flow, slow, np.zeros(2), recorder=recorder)
    assert 0.01 <= least < 0.03
    assert recorder.compile_seconds >= len(calls) * least
    made = len(calls)
    assert overhead(flow, slow, np.zeros(2), recorder=recorder) == least
    assert len(calls) == made


def test_a_seed_changes_nothing_where_nothing_is_drawn(solution):
    """It is accepted by every call."""
    assert tw.minimize(LINE, START, seed=7).loss == solution.loss


@pytest.mark.parametrize(
    ("stop", "outcome"),
    [
        (tw.Stop(loss=0.1), tw.Outcome.TARGET_REACHED),
        (tw.Stop(grad_norm=0.05), tw.Outcome.CONVERGED),
        (tw.Stop(steps=3), tw.Outcome.BUDGET_SPENT),
        (tw.Stop(gradients=4), tw.Outcome.BUDGET_SPENT),
    ],
)
@pytest.mark.parametrize("method", ["auto", SLOW])
def test_each_criterion_ends_a_run_where_it_is_met_first(method, stop, outcome):
    """Every row before the last is outside, and the last one is inside."""
    found = tw.minimize(LINE, START, method, stop)
    history, last = found.history, len(found.history["loss"]) - 1
    assert found.outcome is outcome
    inside = np.zeros(last + 1, bool)
    inside |= history["loss"] <= (-1 if stop.loss is None else stop.loss)
    inside |= history["grad_norm"] <= (-1 if stop.grad_norm is None else stop.grad_norm)
    inside |= history["step"] >= (np.inf if stop.steps is None else stop.steps)
    inside |= history["gradients"] >= (np.inf if stop.gradients is None else stop.gradients)
    assert inside[last]
    assert not inside[:last].any()


@pytest.mark.parametrize(
    ("stop", "outcome"),
    [
        (tw.Stop(loss=10), tw.Outcome.TARGET_REACHED),
        (tw.Stop(grad_norm=10), tw.Outcome.CONVERGED),
        (tw.Stop(steps=0), tw.Outcome.BUDGET_SPENT),
        (tw.Stop(gradients=0), tw.Outcome.BUDGET_SPENT),
        (tw.Stop(seconds=0), tw.Outcome.BUDGET_SPENT),
    ],
)
def test_a_criterion_that_the_start_meets_takes_no_step(stop, outcome):
    """The start comes back, with its loss and its slope."""
    found = tw.minimize(LINE, START, stop=stop)
    loss, slope = loss_and_slope(START | {"rest": START["rest"][0]})
    assert found.outcome is outcome
    assert len(found.history["loss"]) == 1
    assert found.loss == pytest.approx(loss)
    assert found.history["grad_norm"] == pytest.approx([slope])
    assert found.params == START


def test_a_budget_of_time_is_kept():
    """To the length of a chunk of steps."""
    found = tw.minimize(LINE, START, SLOW, tw.Stop(seconds=0.2))
    assert found.outcome is tw.Outcome.BUDGET_SPENT
    assert 0.2 <= found.history["seconds"][-1] < 2
    assert len(found.history["loss"]) > 100


def test_a_target_that_rounds_in_float32_is_reached():
    """The loss stands exactly at 0.1 in float32, which is above 0.1 in float64."""
    problem = tw.Scalar(lambda p: jnp.asarray(0.1, p.dtype) + p**2)
    stop = tw.Stop(loss=0.1, seconds=20)
    found = tw.minimize(problem, np.float32([1])[0], SLOW, stop)
    assert found.outcome is tw.Outcome.TARGET_REACHED


def test_a_callback_sees_each_step_once_and_can_end_the_run():
    """With counters, slope and parameters; the run ends after the step whose result is true."""
    seen = []

    def callback(snapshot):
        seen.append((snapshot.step, snapshot.loss, np.array(snapshot.theta)))
        assert snapshot.grad_norm > 0
        assert snapshot.work.gradients > 0
        return snapshot.step == 4

    found = tw.minimize(LINE, START, callback=callback)
    assert found.outcome is tw.Outcome.STOPPED_BY_CALLBACK
    assert [step for step, *_ in seen] == [1, 2, 3, 4]
    assert [loss for _, loss, _ in seen] == found.history["loss"][1:].tolist()
    for _, loss, theta in seen:
        rest, slope = theta
        assert loss == pytest.approx(loss_and_slope({"slope": slope, "rest": [rest]})[0])


def test_time_in_a_callback_is_run_time():
    """It is spent between steps, so the budget counts it."""
    stop = tw.Stop(seconds=0.1)
    found = tw.minimize(LINE, START, SLOW, stop, callback=lambda _: time.sleep(0.03))
    assert found.outcome is tw.Outcome.BUDGET_SPENT
    assert len(found.history["loss"]) <= 6


def test_the_best_point_is_returned_where_a_method_climbs():
    """A rate much too large makes every step worse: the start comes back, named as diverged."""
    optax = pytest.importorskip("optax")
    climbing = tw.OptaxOptimizer(optax.sgd(1e3), learning_rate=1e3)
    found = tw.minimize(LINE, START, climbing, tw.Stop(seconds=20))
    assert found.outcome is tw.Outcome.DIVERGED
    assert found.loss == found.history["loss"][0]
    assert found.params == START


def test_the_message_is_the_outcome_in_words(solution):
    """With what is known beyond it."""
    assert solution.message.startswith(solution.outcome.message)
    assert "\n" not in solution.message


def pick(problem, params):
    """What `auto` takes for a problem, and why."""
    _, spec = flatten(params)
    return make("auto", build_flow(problem, spec))


def test_auto_says_which_method_it_picked_and_why(solution):
    """By structure and size; a method that was asked for needs no reason."""
    assert solution.method == "scaled-geodesic"
    assert "`scaled-geodesic`" in solution.reason
    assert "sum of squares" in solution.reason
    assert "n = 2" in solution.reason
    assert tw.minimize(LINE, START, SLOW, tw.Stop(steps=1)).reason == ""
    few = tw.LeastSquares(lambda p: p.ravel()[:3])
    many = tw.LeastSquares(lambda p: p)
    assert "m = 3 < n = 8" in pick(few, np.ones((2, 4)))[1]
    assert "Lanczos" in pick(many, np.ones(5000))[1]
    for problem in (
        tw.Scalar(lambda p: p @ p),
        tw.Composite(lambda p, x: p * x, lambda z, y: (z - y) @ (z - y), data=(X, X)),
    ):
        for size, first in ((2, "exponential-krylov"), (200, "secant-euler")):
            method, reason = pick(problem, np.ones(size))
            assert method.name == first
            assert "`exponential-krylov`" in reason
            assert "Hessian" in reason
    costly = tw.LeastSquares(lambda p: p - 1.0)
    method, reason = pick(costly, np.ones(300))
    assert method.name == "secant-euler"
    assert reason.startswith("`secant-euler` first")
    assert "then `implicit-geodesic`" in reason
    assert pick(costly, np.ones(100))[0].name == "implicit-geodesic"  # secants miss good minima
    x = np.linspace(0.0, 1.0, 400)
    points = tw.LeastSquares(lambda p, x, y: p[0] @ jnp.array([x, 1.0]) - y, data=(x, x))
    for size, first in ((400, "sampled"), (60, "implicit-geodesic")):
        few = tw.LeastSquares(points.blocks[0].function, data=(x[:size], x[:size]))
        method, reason = pick(few, np.ones((1, 2)))
        assert method.name == first
        assert "`implicit-geodesic` because the loss is a sum of squares" in reason


def test_auto_begins_small_networks_with_a_dense_secant_matrix():
    """Up to 200 weights, some of them a matrix, if a pass over all data is cheap."""
    for outputs, examples, first in ((8, 50, "self-scaled-bfgs"), (50, 50, "secant-euler")):
        data = np.ones((examples, 4)), np.zeros((examples, outputs))
        problem = tw.Composite(lambda p, x: x @ p["w"] + p["b"], lambda z, y: z @ z - y @ z, data)
        params = {"w": np.ones((4, outputs)), "b": np.ones(outputs)}
        method, reason = pick(problem, params)
        assert method.name == first
        assert [each.name for each in method.successors] == ["exponential-krylov"]
        assert "`exponential-krylov`" in reason
    data = np.ones((8000, 4)), np.zeros((8000, 36))
    problem = tw.Composite(lambda p, x: x @ p["w"] + p["b"], lambda z, y: z @ z - y @ z, data)
    assert pick(problem, {"w": np.ones((4, 36)), "b": np.ones(36)})[0].name == "secant-euler"


def test_auto_crosses_plateaus_of_least_squares_with_a_dense_secant_matrix():
    """Of networks with 129 to 1,000 weights; after samples, where a pass over all data is dear."""
    for width, examples, expected in (
        (20, 500, ["self-scaled-broyden", "implicit-geodesic"]),
        (20, 3000, ["secant-euler", "self-scaled-broyden", "implicit-geodesic"]),
        (40, 500, ["secant-euler", "implicit-geodesic"]),
    ):
        problem = tw.LeastSquares(
            lambda p, x, y: networks.apply(p, x)[0] - y,
            data=(np.ones((examples, 2)), np.ones(examples)),
        )
        method, reason = pick(problem, networks.init((2, width, width, 1), seed=0))
        assert [method.name, *(each.name for each in method.successors)] == expected
        assert all(f"`{name}`" in reason for name in expected)


def test_auto_begins_on_samples_where_a_pass_over_all_data_is_dear():
    """An eighth of the examples, where they are many beside the weights there are."""
    for examples in (8000, 4000):
        x = np.linspace(0.0, 1.0, examples)
        problem = tw.Composite(
            lambda p, x: p * x, lambda z, y: (z - y) @ (z - y), data=(x, np.zeros(examples))
        )
        method, reason = pick(problem, np.ones(200))
        assert isinstance(method, tw.SecantEuler)
        if examples == 4000:
            assert method.sample is None
            assert "samples" not in reason
        else:
            assert method.sample == pytest.approx(1000, rel=0.05)  # of all, filling included
            assert f"begin on samples of {method.sample} examples" in reason


def test_every_method_is_listed_and_can_be_asked_for_by_name():
    """`auto` first; each name makes the method that carries it."""
    flow = build_flow(LINE, flatten(START)[1])
    listed = tw.methods()
    assert listed[0].name == "auto"
    assert {"implicit-geodesic", "exponential-krylov"} <= {info.name for info in listed}
    for info in listed[1:]:
        assert make(info.name, flow)[0].name == info.name
        assert info.summary
        assert info.kind in ("own", "baseline")


@pytest.mark.parametrize("call", [1, 3])
def test_an_interrupt_returns_the_best_so_far(call):
    """KeyboardInterrupt is no loss of what was found: the best point and its row are there."""
    calls = iter(range(1, 99))

    def callback(_):
        if next(calls) == call:
            raise KeyboardInterrupt

    found = tw.minimize(LINE, START, callback=callback)
    assert found.outcome is tw.Outcome.INTERRUPTED
    assert len(found.history["loss"]) == call + 1
    assert found.loss == found.history["loss"].min()
    assert found.loss == pytest.approx(loss_and_slope(found.params)[0])


def test_an_interrupt_while_compiling_returns_the_start():
    """Nothing was run, so the history is empty, the loss unknown, and the start comes back."""
    armed = []

    def residual(p):
        if armed:
            raise KeyboardInterrupt
        return p - 1

    problem = tw.LeastSquares(residual)
    tw.minimize(problem, np.zeros(2), SLOW, tw.Stop(steps=1))
    armed.append(True)
    found = tw.minimize(problem, np.zeros(2), "implicit-geodesic")
    assert found.outcome is tw.Outcome.INTERRUPTED
    assert found.params.tolist() == [0, 0]
    assert {len(column) for column in found.history.values()} == {0}
    assert found.seconds == 0.0
    assert not math.isfinite(found.loss)
