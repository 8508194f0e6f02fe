"""Several starts of one problem: where they begin, and which of them is the best."""

from __future__ import annotations

import dataclasses
import functools
import operator
from typing import TYPE_CHECKING

import jax
import numpy as np

from thalweg._recorder import Recorder
from thalweg._rows import RowFeed
from thalweg.errors import ConfigError
from thalweg.flow.flatten import Params, ParamSpec, flatten, like
from thalweg.solution import End, Outcome, Start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thalweg._recorder import Snapshot
    from thalweg._rows import OnRows
    from thalweg.stop import Stop


@dataclasses.dataclass(frozen=True)
class InitialPoint:
    """Where one start begins.

    Attributes:
        seed: What its parameters were made from; None where they were given.
        params: Its parameters.
        theta: The same as one vector, shape `(n,)`.
    """

    seed: int | None
    params: Params
    theta: np.ndarray


def initial_points(
    params: Params | None,
    init: Callable[[int], Params] | None,
    *,
    starts: int | None,
    seed: int,
) -> tuple[list[InitialPoint], ParamSpec]:
    """Where each start begins, and the layout that they share.

    Args:
        params: A pytree; with `starts`, one whose leaves have a leading axis of that length.
        init: Or a function from a seed to a pytree.
        starts: How many starts; None for a single run.
        seed: Of the first start; the next ones count up from there.

    Raises:
        ConfigError: `starts` is no number from 1, or `params` and `init` do not fit it.
        DataError: A parameter is NaN or infinite.
    """
    count = 1 if starts is None else _checked(starts)
    _refuse_both(params, init)
    if init is not None:
        seeds = [seed + k for k in range(count)]
        trees = [init(each) for each in seeds]
    else:
        seeds = [None] * count
        trees = [params] if starts is None else _apart(params, count)
    flat = [flatten(tree) for tree in trees]
    spec = flat[0][1]
    for k, (_, other) in enumerate(flat):
        if other != spec:
            raise ConfigError(
                f"start {k} has parameters of another layout than start 0: {_layout(other)} in the "
                f"place of {_layout(spec)}; make `init` return the same shapes for every seed"
            )
    made = zip(seeds, trees, flat, strict=True)
    return [InitialPoint(each, tree, theta) for each, tree, (theta, _) in made], spec


def _refuse_both(params: object, init: object) -> None:
    """Refuse parameters that were given twice, not at all, or in the wrong argument.

    A module that can be called is a pytree with leaves; a function is a leaf itself.
    """
    if init is not None and params is not None:
        raise ConfigError("`params` and `init` were both given; leave one of them out")
    if init is None and params is None:
        raise ConfigError(
            "neither `params` nor `init` was given; pass a pytree of arrays, or a function from a "
            "seed to one as `init`"
        )
    if init is not None and not callable(init):
        raise ConfigError(
            f"`init` is of type {type(init).__name__}, but a function from a seed to parameters "
            "was expected"
        )
    if callable(params) and jax.tree_util.all_leaves([params]):
        raise ConfigError(
            "`params` is a function, but a pytree of arrays was expected; pass a function from a "
            "seed to parameters as `init`"
        )


def _checked(starts: object) -> int:
    try:
        count = operator.index(starts)  # pyright: ignore[reportArgumentType] - tried out here
    except TypeError:
        count = 0
    if count < 1 or isinstance(starts, bool):
        raise ConfigError(f"`starts` is {starts!r}, but a whole number of at least 1 was expected")
    return count


def _apart(params: Params, count: int) -> list[Params]:
    """The pytrees of all starts from one whose leaves hold them all."""
    with_paths, _ = jax.tree_util.tree_flatten_with_path(params)
    for path, leaf in with_paths:
        shape = np.shape(leaf)
        if not shape or shape[0] != count:
            raise ConfigError(
                f"`params{jax.tree_util.keystr(path)}` has shape {shape}, but with "
                f"`starts={count}` a first axis of length {count} was expected, one row a start; "
                "or pass a function from a seed to parameters as `init`"
            )
    return [jax.tree.map(lambda leaf: leaf[k], params) for k in range(count)]  # noqa: B023


def _layout(spec: ParamSpec) -> str:
    leaves = zip(spec.names, spec.shapes, strict=True)
    return ", ".join(f"`{name}` {shape}" for name, shape in leaves) + f" {spec.dtype}"


def one_after_another(run: Callable[[int], End], recorders: Sequence[Recorder]) -> list[End]:
    """Run the starts in turn, each with its share of the seconds that are left.

    Args:
        run: Runs the start of an index to its end.
        recorders: One a start.

    Returns:
        How each ended. Once one has reached the target loss, or Ctrl-C was pressed, the rest are
        not begun.
    """
    ends: list[End] = []
    left = recorders[0].stop.seconds
    for k, recorder in enumerate(recorders):
        if left is not None:
            share = max(left, 0.0) / (len(recorders) - k)
            recorder.stop = dataclasses.replace(recorder.stop, seconds=share)
        end = run(k)
        ends.append(end)
        if left is not None:
            left -= recorder.seconds
        skipped = {
            Outcome.TARGET_REACHED: Outcome.OVERTAKEN,
            Outcome.INTERRUPTED: Outcome.INTERRUPTED,
        }.get(end.outcome)
        if skipped is not None:
            return ends + [End(skipped)] * (len(recorders) - k - 1)
    return ends


def recorders_of(
    points: Sequence[InitialPoint],
    spec: ParamSpec,
    stop: Stop,
    *,
    callback: Callable[[Snapshot], object] | None,
    show: Callable[[Snapshot], None] | None,
    on_rows: Sequence[OnRows],
) -> list[Recorder]:
    """One recorder a start; what they show is always the best start so far.

    Args:
        points: Where the starts begin.
        spec: The layout of their parameters.
        stop: The criteria of each.
        callback: Called with the snapshots of all.
        show: The progress line; None for none.
        on_rows: Called with the rows of all, in batches.
    """
    shown = show if show is None or len(points) == 1 else _best_only(show)

    def feed(k: int) -> RowFeed | None:
        params_of = functools.partial(like, points[k].params, spec)
        return RowFeed(on_rows, params_of, start=k) if on_rows else None

    return [
        Recorder(stop, callback=callback, show=shown, feed=feed(k), start=k)
        for k in range(len(points))
    ]


def _best_only(show: Callable[[Snapshot], None]) -> Callable[[Snapshot], None]:
    best: Snapshot | None = None

    def show_best(snapshot: Snapshot) -> None:
        nonlocal best
        if best is None or snapshot.start == best.start or snapshot.loss < best.loss:
            best = snapshot
        show(dataclasses.replace(best, seconds=snapshot.seconds))

    return show_best


@dataclasses.dataclass(frozen=True)
class Best:
    """The best of some starts.

    Attributes:
        index: Its place.
        has_failed: Whether it, and so every start, broke down at its first step.
    """

    index: int
    has_failed: bool


def best_of(ends: Sequence[End], recorders: Sequence[Recorder]) -> Best:
    """The start of the least loss, the first of equals; a failed one only if all have failed.

    Args:
        ends: How each start ended.
        recorders: One a start; a loss that is not finite comes last.
    """
    failed = [
        end.outcome is Outcome.DIVERGED and recorder.rows <= 2  # noqa: PLR2004 - start and first step
        for end, recorder in zip(ends, recorders, strict=True)
    ]
    losses = [recorder.best_loss for recorder in recorders]
    bad = [not np.isfinite(loss) for loss in losses]
    index = min(range(len(losses)), key=lambda k: (failed[k], bad[k], 0 if bad[k] else losses[k]))
    return Best(index, failed[index])


def start_of(
    index: int, point: InitialPoint, spec: ParamSpec, recorder: Recorder, end: End
) -> Start:
    """The result of one start; one without any row has the parameters that it began from."""
    theta = point.theta if recorder.best_theta is None else recorder.best_theta
    return Start(
        index=index,
        seed=point.seed,
        params=like(point.params, spec, theta),
        loss=float(recorder.best_loss),
        outcome=end.outcome,
        detail=end.detail,
        history=recorder.history(),
        work=recorder.work,
    )
