"""Several starts in one call: each is the run that it would be alone, and the best comes back."""

import os
import signal
import subprocess
import sys
import threading
import time

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg import networks
from thalweg._recorder import Recorder
from thalweg._run import side_by_side
from thalweg._run.driver import Run
from thalweg._run.multistart import initial_points, recorders_of
from thalweg._run.side_by_side import integrate_side_by_side
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.solvers.base import HANDED_OVER

SIZES = (1, 4, 1)
X = np.linspace(-1.0, 1.0, 12)


def fit():
    """A fit of a small network, whose function no other shares."""
    return tw.LeastSquares(
        lambda layers, x, y: networks.apply(layers, x[None])[0] - y, data=(X, np.sin(3 * X))
    )


FIT = fit()
RELAY = tw.SecantEuler(then=tw.ImplicitGeodesic(), patience=5)
MEMORY_BUDGET = 2**30


def start(seed):
    """A small network's parameters."""
    return networks.init(SIZES, seed=seed)


def pole(start_at):
    """L = ½ (√a - 1)²: NaN where a start lies below 0; `start_at` is by seed."""
    problem = tw.LeastSquares(lambda p: jnp.sqrt(p) - 1)
    return problem, lambda seed: np.array([start_at[seed]])


def assert_same_run(found, alone):
    """Bit for bit, but for the clock."""
    assert found.outcome is alone.outcome
    assert found.loss == alone.loss
    assert found.work == alone.work
    assert found.detail == alone.detail
    for name in set(alone.history) - {"seconds"}:
        assert np.array_equal(found.history[name], alone.history[name], equal_nan=True), name
    for new, old in zip(found.params, alone.params, strict=True):
        assert np.array_equal(new["weights"], old["weights"])


@pytest.mark.parametrize(
    ("method", "stop"),
    [
        ("implicit-geodesic", tw.Stop(steps=20)),
        (RELAY, tw.Stop(steps=40)),
        ("exponential-krylov", tw.Stop(gradients=60)),
        ("adam", tw.Stop(steps=50)),
        ("l-bfgs", tw.Stop(gradients=30)),
    ],
    ids=["geodesic", "relay", "krylov", "optax", "scipy"],
)
def test_each_start_is_the_run_that_it_would_be_alone(method, stop):
    """Same history, work, end and parameters, whether methods are ours or SciPy's."""
    solution = tw.minimize(FIT, init=start, method=method, stop=stop, starts=3, seed=5)
    assert [each.seed for each in solution.starts] == [5, 6, 7]
    for each in solution.starts:
        assert_same_run(each, tw.minimize(FIT, start(each.seed), method, stop))


def test_the_solution_is_that_of_the_best_start():
    """Loss, parameters, history and outcome; all outcomes stay to be looked at."""
    solution = tw.minimize(FIT, init=start, method=RELAY, stop=tw.Stop(steps=40), starts=3)
    losses = [each.loss for each in solution.starts]
    best = solution.starts[int(np.argmin(losses))]
    assert len(set(losses)) == 3
    assert [each.index for each in solution.starts] == [0, 1, 2]
    assert solution.loss == best.loss
    assert solution.params is best.params
    assert solution.history is best.history
    assert (solution.work, solution.outcome) == (best.work, best.outcome)
    assert best.steps == len(best.history["loss"]) - 1 == 40


def test_a_single_run_has_no_starts_and_takes_a_function_too():
    """`init` is called with the seed alone."""
    by_function = tw.minimize(FIT, init=start, method=RELAY, stop=tw.Stop(steps=5), seed=3)
    assert by_function.starts == ()
    assert_same_run(by_function, tw.minimize(FIT, start(3), RELAY, tw.Stop(steps=5)))


def test_a_pytree_with_one_more_axis_holds_the_starts():
    """A row a start; what comes back has the shape of one, of NumPy as it went in."""
    problem = tw.LeastSquares(lambda p: p["a"] * p["b"] - 1)
    params = {"a": np.array([1.0, -2.0]), "b": np.array([[0.5, 2.0], [0.1, 0.2]])}
    solution = tw.minimize(problem, params, starts=2, stop=tw.Stop(steps=3))
    assert [each.seed for each in solution.starts] == [None, None]
    for k, each in enumerate(solution.starts):
        alone = tw.minimize(problem, {n: v[k] for n, v in params.items()}, stop=tw.Stop(steps=3))
        assert each.loss == alone.loss
        assert isinstance(each.params["b"], np.ndarray)
        assert each.params["b"].shape == (2,)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"init": start, "starts": 0}, "`starts` is 0, but a whole number of at least 1"),
        ({"init": start, "starts": 2.5}, "`starts` is 2.5"),
        ({"init": start, "starts": True}, "`starts` is True"),
        (
            {"params": {"a": np.ones((2, 3))}, "starts": 3},
            r"`params\['a'\]` has shape \(2, 3\).*length 3",
        ),
        ({"params": {"a": np.ones(())}, "starts": 3}, r"has shape \(\)"),
        (
            {"init": lambda seed: np.ones(1 + seed), "starts": 2},
            "start 1 has parameters of another layout",
        ),
        (
            {"init": start, "starts": 2, "checkpoint": "run"},
            "`starts` and `checkpoint` were both given",
        ),
        ({}, "neither `params` nor `init` was given"),
        ({"params": np.ones(2), "init": start}, "`params` and `init` were both given"),
        ({"params": start}, "`params` is a function.*pass .* as `init`"),
        ({"init": np.ones(2)}, "`init` is of type ndarray"),
    ],
)
def test_starts_that_cannot_be_run_are_refused(options, words):
    """With what was found, what was expected, and what to do."""
    with pytest.raises(tw.ThalwegError, match=words):
        tw.minimize(FIT, **options)


@pytest.mark.parametrize("method", ["implicit-geodesic", "l-bfgs"])
def test_a_start_that_is_not_finite_ends_alone(method):
    """The others go on, and the best of them comes back."""
    problem, params = pole([-1.0, 0.5, 2.0])
    solution = tw.minimize(problem, init=params, method=method, stop=tw.Stop(seconds=20), starts=3)
    assert solution.starts[0].outcome is tw.Outcome.DIVERGED
    assert not np.isfinite(solution.starts[0].loss)
    assert all(each.outcome.is_success for each in solution.starts[1:])
    assert solution.loss == min(each.loss for each in solution.starts[1:])
    assert float(solution.params[0]) == pytest.approx(1.0)


def test_starts_of_which_none_is_finite_are_refused_as_one_is():
    """The same error as that of a single start."""
    problem, params = pole([-1.0, -2.0])
    with pytest.raises(tw.ThalwegError, match="the loss at the start is nan") as single:
        tw.minimize(problem, params(0))
    with pytest.raises(tw.ThalwegError, match="the loss at the start is nan") as both:
        tw.minimize(problem, init=params, starts=2)
    assert str(both.value) == str(single.value)


@pytest.mark.parametrize("method", ["gradient-descent", "l-bfgs"])
def test_the_first_start_at_the_target_ends_the_others(method):
    """One is there at once; the others never would be: they are overtaken."""
    slow = tw.Scalar(lambda p: jnp.sum(jnp.log1p(jnp.exp(-p))))
    params = np.array([[50.0, 50.0], [0.0, 0.0], [1.0, 1.0]])
    solution = tw.minimize(slow, params, method, tw.Stop(loss=1e-12, seconds=60), starts=3)
    assert solution.outcome is tw.Outcome.TARGET_REACHED
    assert solution.loss <= 1e-12
    ends = [each.outcome for each in solution.starts]
    assert tw.Outcome.OVERTAKEN in ends
    assert "Another start" in tw.Outcome.OVERTAKEN.message
    assert not tw.Outcome.OVERTAKEN.is_success


@pytest.mark.parametrize("method", ["gradient-descent", "l-bfgs"])
def test_seconds_are_those_of_the_whole_call(method):
    """Three starts that are never done end by the budget of the call, each with its share."""
    slow = tw.Scalar(lambda p: jnp.sum(jnp.log1p(jnp.exp(-p))))
    params = np.linspace(0.0, 1.0, 6).reshape(3, 2)
    tw.minimize(slow, params, method, tw.Stop(steps=2), starts=3)  # compiles
    for budget in (0.3, 3.0, 30.0):  # a busy machine may give a start no turn in its share
        began = time.perf_counter()
        solution = tw.minimize(slow, params, method, tw.Stop(seconds=budget), starts=3)
        elapsed = time.perf_counter() - began
        if all(each.steps > 0 for each in solution.starts):
            break
    assert all(each.steps > 0 for each in solution.starts)
    assert elapsed < 10 * budget
    if method == "gradient-descent":
        assert {each.outcome for each in solution.starts} == {tw.Outcome.BUDGET_SPENT}
        # Three clocks that ran only during calls of their own start would end at a third.
        assert all(each.history["seconds"][-1] > 0.37 * budget for each in solution.starts)


def test_a_callback_sees_all_starts_and_ends_the_one_it_is_asked_to():
    """`snapshot.start` says which."""
    seen = {0: [], 1: []}

    def callback(snapshot):
        seen[snapshot.start].append(snapshot.step)
        return snapshot.start == 1 and snapshot.step == 3

    solution = tw.minimize(
        FIT,
        init=start,
        method="implicit-geodesic",
        stop=tw.Stop(steps=6),
        starts=2,
        callback=callback,
    )
    assert seen == {0: [1, 2, 3, 4, 5, 6], 1: [1, 2, 3]}
    ends = [each.outcome for each in solution.starts]
    assert ends == [tw.Outcome.BUDGET_SPENT, tw.Outcome.STOPPED_BY_CALLBACK]


def test_progress_shows_the_best_start_and_the_time_of_all():
    """A worse start moves only the clock of the line; a better one takes it over."""
    shown = []
    points, spec = initial_points({"a": np.zeros((2, 1))}, None, starts=2, seed=0)
    recorders = recorders_of(
        points, spec, tw.Stop(steps=9), callback=None, show=shown.append, on_rows=()
    )
    for start_index, loss in ((0, 5.0), (1, 7.0), (1, 3.0), (0, 4.0)):
        recorders[start_index].row(
            theta=np.zeros(1), loss=loss, grad_norm=1.0, work=tw.Work(), seconds=len(shown)
        )
    assert [(line.start, line.loss) for line in shown] == [(0, 5.0), (0, 5.0), (1, 3.0), (1, 3.0)]
    assert [line.seconds for line in shown] == [0, 1, 2, 3]


def test_ctrl_c_gives_back_the_best_so_far():
    """All starts end as interrupted, and each has what it had found."""
    slow = tw.Scalar(lambda p: jnp.sum(jnp.log1p(jnp.exp(-p))))
    params = np.linspace(0.0, 1.0, 6).reshape(3, 2)
    tw.minimize(slow, params, "gradient-descent", tw.Stop(steps=2), starts=3)  # compiles
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    solution = tw.minimize(slow, params, "gradient-descent", tw.Stop(seconds=60), starts=3)
    timer.join()
    assert {each.outcome for each in solution.starts} == {tw.Outcome.INTERRUPTED}
    assert solution.loss < 1.0
    assert all(each.steps > 0 for each in solution.starts)


def test_a_second_call_compiles_nothing():
    """Starts run by the program of a single run."""
    stop = tw.Stop(steps=3)
    tw.minimize(FIT, start(0), "bogacki-shampine", stop)
    assert (
        tw.minimize(FIT, init=start, method="bogacki-shampine", stop=stop, starts=4).compile_seconds
        == 0
    )


def test_float64_may_be_a_context_of_the_callers():
    """`jax.enable_x64` as a context holds for one thread; the starts run on others."""
    code = """
import jax, numpy as np, thalweg as tw
with jax.enable_x64(True):
    bowl = tw.LeastSquares(lambda p: p - 1)
    solution = tw.minimize(bowl, init=lambda seed: np.full(2, 3.0 + seed), starts=2)
assert solution.params.dtype == np.float64
assert solution.outcome is tw.Outcome.CONVERGED, solution.message
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def vectorised(method, stop, seeds, *, width):
    """The recorders and ends of runs of which one call serves `width`."""
    flow = build_flow(fit(), flatten(start(0))[1])  # with programs of its own
    thetas = [flatten(start(seed))[0] for seed in seeds]
    recorders = [Recorder(stop) for _ in seeds]
    ends = integrate_side_by_side(
        method, flow, thetas, recorders, memory_budget=MEMORY_BUDGET, width=width
    )
    return recorders, ends, flow


def test_vectorised_runs_are_single_runs_to_rounding():
    """Five in calls of four, so that one call is not full: as many steps, nearly the same losses.

    One stage hands over to the next, at a step of its own for each.
    """
    stop = tw.Stop(steps=18)
    recorders, ends, flow = vectorised(RELAY, stop, range(5), width=4)
    widths = {key[2] for key in flow.programs if key[0] == "loop"}
    assert widths == {4}  # no program of a single run
    details = []
    for seed, (recorder, (outcome, detail)) in enumerate(zip(recorders, ends, strict=True)):
        alone = tw.minimize(FIT, start(seed), RELAY, stop)
        history = recorder.history()
        assert (outcome, detail) == (alone.outcome, alone.detail)
        assert np.allclose(history["loss"], alone.history["loss"], rtol=1e-5)
        assert np.array_equal(history["gradients"], alone.history["gradients"])
        details.append(detail)
    assert all("took over" in detail for detail in details)
    assert len(set(details)) > 1


def test_a_vectorised_run_that_has_ended_stays_as_it_is_bit_for_bit():
    """Its neighbours' steps change nothing in it, and cost it no work."""
    method = tw.ImplicitGeodesic()
    _, ends, flow = vectorised(method, tw.Stop(steps=2), [0, 1], width=2)
    program = flow.programs["loop", method, 2]
    run = Run(method, flow, flatten(start(0))[0], Recorder(tw.Stop(steps=2)), width=2)
    call = next(run.calls())
    ended = call.loop._replace(code=np.int32(HANDED_OVER))
    frozen, moved = program(flow.data, ((ended, call.limits), (call.loop, call.limits)))
    assert [end[0] for end in ends] == [tw.Outcome.BUDGET_SPENT] * 2
    assert (int(frozen.filled), int(moved.filled)) == (0, int(call.limits.steps))
    assert not np.array_equal(moved.loop.theta, call.loop.theta)
    for new, old in zip(
        (frozen.loop.theta, frozen.loop.solver_state.columns, *frozen.loop.work),
        (ended.theta, ended.solver_state.columns, *ended.work),
        strict=True,
    ):
        assert np.array_equal(new, old)


@pytest.mark.parametrize(("memory", "most"), [(1, 1), (MEMORY_BUDGET, 2)])
def test_calls_under_way_keep_to_the_memory(memory, most, monkeypatch):
    """As many at a time as cores and memory allow; at least one."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    at_a_time, peak, lock = 0, 0, threading.Lock()
    make = side_by_side._Scheduler._make  # noqa: SLF001 - what runs at a time is seen nowhere else

    def counted(self, batch):
        nonlocal at_a_time, peak
        with lock:
            at_a_time += 1
            peak = max(peak, at_a_time)
        time.sleep(0.01)
        chunks = make(self, batch)
        with lock:
            at_a_time -= 1
        return chunks

    monkeypatch.setattr(side_by_side._Scheduler, "_make", counted)  # noqa: SLF001 - as above
    tw.minimize(
        FIT,
        init=start,
        method="implicit-geodesic",
        stop=tw.Stop(steps=8),
        starts=4,
        memory_budget=memory,
    )
    assert peak == most
