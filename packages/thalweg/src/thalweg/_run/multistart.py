"""Several starts of one problem: what they begin from, and which of them is the best."""

from __future__ import annotations

import dataclasses
import operator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg._recorder import Recorder
from thalweg.errors import ConfigError
from thalweg.flow.flatten import Params, ParamSpec, flatten
from thalweg.solution import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thalweg._recorder import Snapshot
    from thalweg.stop import Stop


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where one start begins.

    Attributes:
        seed: What its parameters were made from; None where they were given.
        params: Its parameters.
        theta: The same as one vector, shape `(n,)`.
    """

    seed: int | None
    params: Params
    theta: np.ndarray


def origins(params: Any, *, starts: int | None, seed: int) -> tuple[list[Origin], ParamSpec]:
    """Where each start begins, and the layout that they share.

    Args:
        params: A function from a seed to a pytree, or a pytree; with `starts` one whose leaves
            have an axis more in front, of that length.
        starts: How many starts; None for a single run.
        seed: Of the first start; the next ones count up from there.

    Raises:
        ConfigError: `starts` is no number from 1, or `params` do not fit it.
        DataError: A parameter is NaN or infinite.
    """
    count = 1 if starts is None else _checked(starts)
    if callable(params):
        seeds = [seed + k for k in range(count)]
        trees = [params(each) for each in seeds]
    else:
        seeds = [None] * count
        trees = [params] if starts is None else _apart(params, count)
    flat = [flatten(tree) for tree in trees]
    spec = flat[0][1]
    for k, (_, other) in enumerate(flat):
        if other != spec:
            raise ConfigError(
                f"start {k} has parameters of another layout than start 0: {_layout(other)} in the "
                f"place of {_layout(spec)}; make `params` return the same shapes for every seed"
            )
    made = zip(seeds, trees, flat, strict=True)
    return [Origin(each, tree, theta) for each, tree, (theta, _) in made], spec


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
                "or pass a function from a seed to parameters"
            )
    return [jax.tree.map(lambda leaf: leaf[k], params) for k in range(count)]  # noqa: B023


def _layout(spec: ParamSpec) -> str:
    leaves = zip(spec.names, spec.shapes, strict=True)
    return ", ".join(f"`{name}` {shape}" for name, shape in leaves) + f" {spec.dtype}"


def one_after_another(
    run: Callable[[int], tuple[Outcome, str]], recorders: Sequence[Recorder]
) -> list[tuple[Outcome, str]]:
    """Run the starts in turn, each with its share of the seconds that are left.

    Args:
        run: Runs the start of an index to its end; gives the outcome and a detail.
        recorders: One a start.

    Returns:
        The outcome and the detail of each. Once one has reached the loss aimed at, or Ctrl-C was
        pressed, the rest are not begun.
    """
    ends: list[tuple[Outcome, str]] = []
    left = recorders[0].stop.seconds
    for k, recorder in enumerate(recorders):
        if left is not None:
            share = max(left, 0.0) / (len(recorders) - k)
            recorder.stop = dataclasses.replace(recorder.stop, seconds=share)
        outcome, detail = run(k)
        ends.append((outcome, detail))
        if left is not None:
            left -= recorder.seconds
        skipped = {
            Outcome.TARGET_REACHED: Outcome.OVERTAKEN,
            Outcome.INTERRUPTED: Outcome.INTERRUPTED,
        }.get(outcome)
        if skipped is not None:
            return ends + [(skipped, "")] * (len(recorders) - k - 1)
    return ends


def recorders_of(
    count: int,
    stop: Stop,
    *,
    callback: Callable[[Snapshot], object] | None,
    show: Callable[[Snapshot], None] | None,
) -> list[Recorder]:
    """One recorder a start; what they show is always the best start so far.

    Args:
        count: How many.
        stop: The criteria of each.
        callback: Called with the snapshots of all.
        show: The progress line; None for none.
    """
    shown = None if show is None else _best_only(show)
    return [Recorder(stop, callback=callback, show=shown, start=k) for k in range(count)]


def _best_only(show: Callable[[Snapshot], None]) -> Callable[[Snapshot], None]:
    best: Snapshot | None = None

    def show_best(snapshot: Snapshot) -> None:
        nonlocal best
        if best is None or snapshot.start == best.start or snapshot.loss < best.loss:
            best = snapshot
        show(dataclasses.replace(best, seconds=snapshot.seconds))

    return show_best


def best_of(losses: Sequence[float], *, without: Sequence[bool]) -> int:
    """The index of the least loss, the first of equals.

    Args:
        losses: One a start; what is not finite comes last.
        without: Which starts are taken only where there is no other.
    """
    bad = [not np.isfinite(loss) for loss in losses]
    return min(range(len(losses)), key=lambda k: (without[k], bad[k], 0 if bad[k] else losses[k]))
