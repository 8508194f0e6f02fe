"""The tables of the benchmark, computed from its runs alone.

Work is counted in gradients over all data, so it does not depend on the machine:

    gradients + losses + 2 Hessian products + q Jacobians

with q residuals per example. A loss alone counts as one although it costs half a gradient. A
product is the derivative of a gradient along a vector. A Jacobian has q rows per example, each as
expensive as a gradient. Factorisations and vector operations are in the seconds only.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg._util.numbers import finite_median
from thalweg_lab.bench.peers import OURS, PEERS
from thalweg_lab.bench.plan import label_of
from thalweg_lab.bench.running import Race, runs_of
from thalweg_lab.bench.targets import (
    Target,
    compare,
    mean_reached,
    mean_with_bounds,
    medians,
    reach_by,
    reference_of,
    targets_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thalweg_lab.study.run import Run

PRODUCT = 2  # gradients that a Hessian product costs


@dataclasses.dataclass(frozen=True)
class Timing:
    """An entrant on a problem: medians over its starts.

    Attributes:
        label: The entrant.
        settings: Its method and settings.
        ran: The methods that ran; `auto` picks one.
        seconds: To each target, without compilation; infinite where half of the starts miss it.
        compiled_seconds: The same, plus the compilation that a new process pays first.
        work: The same in gradients.
        success: For each target, the share of the starts that reach it.
        loss: The final loss.
        measure: The problem's measure of the result.
        compile_seconds: Compilation of a first run with nothing compiled, the least of all; NaN
            where there is none.
        first_step_seconds: Time to the end of its first step, compilation included; also the least.
        runs: How many runs there are.
        failed: How many of them raised.
        error: What the first of them raised.
        run_ids: The ids of the runs.
        error_seconds: Seconds to each relative error of the problem, without compilation; infinite
            where half of the starts miss it.
    """

    label: str
    settings: str
    ran: str
    seconds: tuple[float, ...]
    compiled_seconds: tuple[float, ...]
    work: tuple[float, ...]
    success: tuple[float, ...]
    loss: float
    measure: float
    compile_seconds: float
    first_step_seconds: float
    runs: int
    failed: int
    error: str
    run_ids: tuple[str, ...]
    error_seconds: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Raced:
    """The results of all entrants on a problem.

    Attributes:
        problem: Its name.
        kind: Its kind.
        title: Its headline.
        network: The network in short.
        source: Where it comes from.
        weights: How many weights it has.
        starts: How many starts there are.
        budget: Seconds of each run.
        measure: What is measured apart from the loss.
        is_share: Whether more of it is better.
        reference: The loss that targets are counted from: 0, or the lowest that any run reached.
        targets: The targets, with seconds without compilation.
        compiled: The same targets, with seconds including it.
        timings: The entrants, thalweg first.
        tuning: The final loss of each setting of the peers' grids, from the tuning start.
        errors: The relative errors to which the time is read off.
    """

    problem: str
    kind: str
    title: str
    network: str
    source: str
    weights: int
    starts: int
    budget: float
    measure: str
    is_share: bool
    reference: float
    targets: tuple[Target, ...]
    compiled: tuple[Target, ...]
    timings: tuple[Timing, ...]
    tuning: Mapping[str, float]
    errors: tuple[float, ...] = ()

    def timing(self, label: str) -> Timing | None:
        """An entrant."""
        return next((timing for timing in self.timings if timing.label == label), None)

    @property
    def ours(self) -> Timing:
        """The entrant of thalweg."""
        return self.timings[0]

    @property
    def mean(self) -> float:
        """The geometric mean of the ratios, bounds among them."""
        return mean_with_bounds(self.targets)

    @property
    def mean_reached(self) -> float:
        """The geometric mean over the targets that some peer reached."""
        return mean_reached(self.targets)

    @property
    def worst(self) -> Target | None:
        """The target with the least ratio."""
        return min(self.targets, key=lambda target: target.ratio, default=None)

    @property
    def lost(self) -> tuple[Target, ...]:
        """The targets at which a peer was quicker."""
        return tuple(target for target in self.targets if target.is_lost)


def raced(race: Race) -> Raced:
    """The tables of one problem."""
    groups = {label: group for label in race.entrants if (group := runs_of(race, label))}
    reference = reference_of(groups, has_minimum=race.entry.floor is None)
    losses = targets_of(groups, reference=reference)
    timings = tuple(_timing(race, label, group, losses) for label, group in groups.items())
    sizes = [run.params.size for run in race.runs if run.params.size]
    return Raced(
        problem=race.entry.problem,
        kind=race.entry.kind,
        title=race.title,
        network=race.network,
        source=race.source,
        weights=max(sizes, default=0),
        starts=race.entry.starts,
        budget=race.entry.seconds,
        measure=race.measure,
        is_share=race.is_share,
        reference=reference,
        targets=_targets(losses, timings, "seconds", race.entry.seconds),
        compiled=_targets(losses, timings, "compiled_seconds", race.entry.seconds),
        timings=timings,
        tuning={run.spec.method: run.loss for run in race.tuning},
        errors=race.entry.errors,
    )


def _targets(
    losses: Sequence[float], timings: Sequence[Timing], column: str, budget: float
) -> tuple[Target, ...]:
    """The targets by a column of the timings."""
    by_label = {timing.label: timing for timing in timings}
    ours = by_label.pop(OURS, None)
    if ours is None:
        return ()
    starts = (0.0, 0.0)
    if column == "compiled_seconds":
        known = [t.compile_seconds for t in by_label.values() if t.compile_seconds >= 0]
        starts = (ours.compile_seconds, min(known, default=0.0))
    return tuple(
        compare(
            loss,
            getattr(ours, column)[k],
            {label: getattr(timing, column)[k] for label, timing in by_label.items()},
            missed=(budget + starts[0], budget + starts[1]),
        )
        for k, loss in enumerate(losses)
    )


def _timing(race: Race, label: str, runs: Sequence[Run], losses: Sequence[float]) -> Timing:
    times = [reach_by(run.history["loss"], run.history["seconds"], losses) for run in runs]
    works = [reach_by(run.history["loss"], work(run, race.entry.outputs), losses) for run in runs]
    seconds = medians(times)
    maker = race.entrants[label]
    first = [r for r in race.first if r.spec.maker["name"] == maker["name"] and not r.is_failed]
    compiling = min((run.compile_seconds for run in first), default=math.nan)
    raised = [run for run in runs if run.is_failed]
    return Timing(
        label=label,
        settings=label_of(maker),
        ran=", ".join(dict.fromkeys(run.ran for run in runs if run.ran)),
        seconds=tuple(seconds.tolist()),
        compiled_seconds=tuple((seconds + compiling).tolist()),
        work=tuple(medians(works).tolist()),
        success=tuple(np.mean(np.isfinite(np.stack(times)), axis=0).tolist()),
        loss=finite_median(run.loss for run in runs),
        measure=finite_median(run.measure for run in runs),
        compile_seconds=compiling,
        first_step_seconds=min(
            (run.compile_seconds + run.seconds for run in first), default=math.nan
        ),
        runs=len(runs),
        failed=len(raised),
        error=raised[0].error if raised else "",
        run_ids=tuple(run.id for run in runs),
        error_seconds=tuple(medians([_to_errors(run, race.entry.errors) for run in runs]).tolist()),
    )


def _to_errors(run: Run, errors: Sequence[float]) -> np.ndarray:
    """Seconds until the measure was first at or below each error, `(k,)`."""
    if "measure" not in run.history:
        return np.full(len(errors), math.inf)
    return reach_by(run.history["measure"], run.history["seconds"], errors)


def work(run: Run, outputs: int) -> np.ndarray:
    """Work spent by each row, in gradients, shape `(rows,)`."""
    column = {name: np.asarray(values, float) for name, values in run.history.items()}
    return (
        column["gradients"]
        + column["losses"]
        + PRODUCT * column["hessian_products"]
        + outputs * column["jacobians"]
    )


def is_jax_peer(timing: Timing) -> bool:
    """Whether an entrant is a peer whose loop JAX compiles."""
    peer = PEERS.get(timing.settings.split(" ")[0])
    return peer is not None and peer.is_jax


def as_json(problem: Raced) -> dict[str, Any]:
    """A problem's tables for another program; infinite and unknown numbers become null."""
    from thalweg._util.record import json_values

    values = dataclasses.asdict(problem)
    values |= {
        "geometric_mean_with_bounds": problem.mean,
        "geometric_mean_where_a_peer_arrived": problem.mean_reached,
    }
    return json_values(values)
