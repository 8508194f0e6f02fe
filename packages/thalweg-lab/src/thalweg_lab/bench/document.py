"""All results of the benchmark together, as `results.json` and the page have them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from thalweg._util.record import json_values
from thalweg_lab.bench.goals import Goal, goals
from thalweg_lab.bench.peers import LEFT_OUT, PEERS
from thalweg_lab.bench.profiles import profiles
from thalweg_lab.bench.results import Raced, as_json, raced
from thalweg_lab.bench.running import Race, Unable, all_runs
from thalweg_lab.peers import METHODS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from thalweg_lab.bench.new_process import NewProcess

SCHEMA_VERSION = 2  # version 1 called the targets of a problem `rungs`


@dataclasses.dataclass(frozen=True)
class Results:
    """The benchmark's results.

    Attributes:
        suite: `quick` or `full`.
        problems: The problems that were raced.
        unable: Those that could not be run.
        goals: What thalweg aims for, and where it stands.
        profiles: Entrant to its performance profile `(τ, ρ)` over all targets.
        left_out: Peers that did not race, and why.
        began: When the first run began, as ISO 8601.
        ended: When the last run began.
        machines: The machines of the runs, one in the usual case.
        commits: The commits of thalweg that the runs were made by, one in the usual case.
        runs: How many runs there are.
        run_seconds: Their wall time together, without compilation.
        compile_seconds: The compilation of all.
        launched: What was measured in new processes.
    """

    suite: str
    problems: tuple[Raced, ...]
    unable: tuple[Unable, ...]
    goals: tuple[Goal, ...]
    profiles: Mapping[str, tuple[np.ndarray, np.ndarray]]
    left_out: Mapping[str, str]
    began: str
    ended: str
    machines: tuple[Mapping[str, Any], ...]
    commits: tuple[str, ...]
    runs: int
    run_seconds: float
    compile_seconds: float
    launched: tuple[NewProcess, ...] = ()

    @property
    def when(self) -> str:
        """The day of the runs, or the first and the last."""
        first, last = self.began[:10], self.ended[:10]
        return first if first == last else f"{first} to {last}"

    def with_new_processes(self, launched: tuple[NewProcess, ...]) -> Results:
        """The same with what was measured in new processes: goals, machines and commits too."""
        commits = [*self.commits, *(one.commit for one in launched if one.commit)]
        return dataclasses.replace(
            self,
            launched=launched,
            goals=tuple(goals(self.problems, launched)),
            machines=_unique([*self.machines, *(one.machine for one in launched)]),
            commits=tuple(dict.fromkeys(commits)),
        )

    def as_json(self) -> dict[str, Any]:
        """For another program; infinite and unknown numbers become null."""
        return json_values(
            {
                "schema_version": SCHEMA_VERSION,
                "suite": self.suite,
                "began": self.began,
                "ended": self.ended,
                "machines": list(self.machines),
                "commits": list(self.commits),
                "runs": self.runs,
                "run_seconds": self.run_seconds,
                "compile_seconds": self.compile_seconds,
                "goals": [
                    {**dataclasses.asdict(goal), "is_met": goal.is_met, "standing": goal.standing}
                    for goal in self.goals
                ],
                "grids": {
                    peer.label: {"tried": list(peer.grid), "defaults": peer.defaults}
                    for peer in PEERS.values()
                },
                "left_out": dict(self.left_out),
                "unable": {one.entry.problem: one.reason for one in self.unable},
                "problems": [as_json(problem) for problem in self.problems],
                "new_process": [one.as_json() for one in self.launched],
                "profiles": {
                    label: {"factor": list(across.tolist()), "share": list(up.tolist())}
                    for label, (across, up) in self.profiles.items()
                },
            }
        )


def results_of(suite: str, races: Sequence[Race], unable: Sequence[Unable] = ()) -> Results:
    """All tables from the runs.

    Args:
        suite: `quick` or `full`.
        races: The finished runs by problem.
        unable: The problems that could not be run.
    """
    problems = tuple(raced(race) for race in races if race.runs)
    runs = all_runs(races)
    began = sorted(run.began for run in runs)
    missing = {
        peer.label: f"this thalweg has no method `{name}`"
        for name, peer in PEERS.items()
        if name not in METHODS
    }
    return Results(
        suite=suite,
        problems=problems,
        unable=tuple(unable),
        goals=tuple(goals(problems)),
        profiles=profiles(cases_of(problems)),
        left_out={**LEFT_OUT, **missing},
        began=began[0] if began else "",
        ended=began[-1] if began else "",
        machines=_unique([run.machine for run in runs]),
        commits=tuple(dict.fromkeys(run.commit for run in runs if run.commit)),
        runs=len(runs),
        run_seconds=sum(run.seconds for run in runs),
        compile_seconds=sum(run.compile_seconds for run in runs),
    )


def cases_of(problems: Sequence[Raced]) -> list[dict[str, float]]:
    """For each target of each problem, the seconds of each entrant."""
    return [
        {timing.label: timing.seconds[place] for timing in problem.timings}
        for problem in problems
        for place in range(len(problem.targets))
    ]


def _unique(machines: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    return tuple({repr(machine): machine for machine in machines}.values())
