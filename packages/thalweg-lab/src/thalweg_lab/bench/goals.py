"""What thalweg aims for against its peers, and how far it is from that.

Ratios are times of the quickest peer divided by thalweg's, over all targets of all problems of a
kind. Where no peer reached a target, the budget replaces its time, and the ratio is a lower bound.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from thalweg_lab.bench.new_process import COLD, WARM
from thalweg_lab.bench.peers import PEERS
from thalweg_lab.bench.results import Raced, is_jax_peer
from thalweg_lab.bench.targets import (
    AT_LEAST,
    AT_MOST,
    MEASURED,
    geometric_mean,
    mean_reached,
    mean_with_bounds,
)

if TYPE_CHECKING:
    from collections.abc import Sequence, Sized

    from thalweg_lab.bench.new_process import NewProcess

LARGEST_SMALL = 3000  # weights of the first goal
NOTHING = "no such problem was run"
ADAM_THEN_LBFGS = PEERS["adam-l-bfgs"].label


@dataclasses.dataclass(frozen=True)
class Goal:
    """A goal and where thalweg stands.

    Attributes:
        name: The goal in a few words.
        unit: What is counted.
        wanted: The number to reach.
        found: The number reached; NaN where nothing was run.
        is_less_better: Whether `found` should be at most `wanted` instead of at least.
        detail: What the number is computed from.
    """

    name: str
    unit: str
    wanted: float
    found: float
    detail: str
    is_less_better: bool = False

    @property
    def is_met(self) -> bool:
        """Whether it is reached; False where nothing was run."""
        return self.found <= self.wanted if self.is_less_better else self.found >= self.wanted

    @property
    def standing(self) -> str:
        """`met`, how far away, or that it was not run."""
        if math.isnan(self.found):
            return "not run"
        if self.is_met:
            return "met"
        if self.unit == "decades":
            return f"missed by {self.wanted - self.found:.2g} decades"
        factor = self.found / self.wanted if self.is_less_better else self.wanted / self.found
        return f"missed by a factor of {factor:.2g}"


def goals(problems: Sequence[Raced], launched: Sequence[NewProcess] = ()) -> list[Goal]:
    """All goals, and where thalweg stands.

    Args:
        problems: The tables of the races.
        launched: What was measured in new processes.
    """

    def of_kind(kind: str) -> list[Raced]:
        return [problem for problem in problems if problem.kind == kind]

    small = [o for o in of_kind("least squares") if o.weights <= LARGEST_SMALL]
    return [
        _speed(f"Least squares up to {LARGEST_SMALL:,} weights", small, 10.0),
        _worst("Least squares: no target lost", small, 1.0),
        _speed("Physics-informed networks", of_kind("physics"), 10.0),
        _error(of_kind("physics")),
        _speed("Classification", of_kind("classification"), 1.0),
        _speed("10,000 to 100,000 weights", of_kind("large"), 2.0),
        _first_step(problems),
        _new_process("In a new process, compilation included", launched, COLD),
        _new_process("In a second process, compiled programs kept", launched, WARM),
    ]


def _speed(name: str, problems: Sequence[Raced], wanted: float) -> Goal:
    targets = [target for problem in problems for target in problem.targets]
    bounds = sum(target.bound == AT_LEAST for target in targets)
    return Goal(
        name=f"{name}: times the quickest peer",
        unit="times",
        wanted=wanted,
        found=mean_with_bounds(targets),
        detail=(
            f"geometric mean over {len(targets)} targets of {_count(problems)}; no peer reached "
            f"{bounds} of them, and the mean over the others is {_short(mean_reached(targets))}"
            if targets
            else NOTHING
        ),
    )


def _worst(name: str, problems: Sequence[Raced], wanted: float) -> Goal:
    # Where no peer arrived the bound may lie just below 1, since a run ends after its budget.
    targets = [
        (max(target.ratio, 1.0) if target.bound == AT_LEAST else target.ratio, o.problem, target)
        for o in problems
        for target in o.targets
    ]
    if not targets:
        return Goal(name, "times", wanted, math.nan, NOTHING)
    ratio, problem, target = min(targets, key=lambda found: found[0])
    lost = sum(target.is_lost for _, _, target in targets)
    return Goal(
        name=name,
        unit="times",
        wanted=wanted,
        found=ratio,
        detail=f"the worst is `{problem}` at {target.loss:.2g}, {target.winner or 'no peer'}; "
        f"{lost} of {len(targets)} targets are lost",
    )


def _error(problems: Sequence[Raced]) -> Goal:
    """Decades by which the final error is below that of Adam followed by L-BFGS."""
    gains: dict[str, float] = {}
    for problem in problems:
        theirs = problem.timing(ADAM_THEN_LBFGS)
        ours = problem.ours.measure
        if theirs is not None and theirs.measure > 0 and ours > 0:
            gains[problem.problem] = math.log10(theirs.measure / ours)
    least = min(gains, key=lambda name: gains[name], default="")
    return Goal(
        name=f"Physics: final error below that of {ADAM_THEN_LBFGS}",
        unit="decades",
        wanted=2.0,
        found=sum(gains.values()) / len(gains) if gains else math.nan,
        detail=(
            f"mean over {_count(gains)}, within the same budget; the least is `{least}` "
            f"with {gains[least]:.2g}"
            if gains
            else f"{ADAM_THEN_LBFGS} did not run on such a problem"
        ),
    )


def _first_step(problems: Sequence[Raced]) -> Goal:
    ratios: dict[str, float] = {}
    for problem in problems:
        theirs = [
            timing.first_step_seconds
            for timing in problem.timings
            if is_jax_peer(timing) and math.isfinite(timing.first_step_seconds)
        ]
        if theirs and math.isfinite(problem.ours.first_step_seconds):
            ratios[problem.problem] = problem.ours.first_step_seconds / min(theirs)
    worst = max(ratios, key=lambda name: ratios[name], default="")
    return Goal(
        name="Time to the first step, compilation included, by the quickest JAX peer's",
        unit="times",
        wanted=1.5,
        found=geometric_mean(ratios.values()),
        detail=(
            f"geometric mean over {_count(ratios)}; the worst is `{worst}` with {ratios[worst]:.2g}"
            if ratios
            else NOTHING
        ),
        is_less_better=True,
    )


def _new_process(name: str, launched: Sequence[NewProcess], cache: str) -> Goal:
    """The least ratio of all problems, as the goal holds for each of them."""
    targets = {one.problem: one.compared(cache) for one in launched}
    targets = {
        problem: target for problem, target in targets.items() if not math.isnan(target.ratio)
    }
    least = min(targets, key=lambda problem: targets[problem].ratio, default="")
    missed = [f"`{problem}`" for problem, target in targets.items() if target.bound == AT_MOST]
    measured = [target.ratio for target in targets.values() if target.bound == MEASURED]
    parts = [f"the least of {_count(targets)} is that of `{least}`"]
    if measured:
        parts.append(f"the geometric mean is {_short(geometric_mean(measured))}")
    if missed:
        parts.append(f"thalweg misses the target of {', '.join(missed)}, which the mean leaves out")
    return Goal(
        name=f"{name}: times the quickest peer at the middle target, the least of all problems",
        unit="times",
        wanted=1.0,
        found=targets[least].ratio if targets else math.nan,
        detail="; ".join(parts) if targets else NOTHING,
    )


def _count(problems: Sized) -> str:
    return f"{len(problems)} problem{'s' * (len(problems) != 1)}"


def _short(value: float) -> str:
    return "none" if math.isnan(value) else f"{value:.3g}"
