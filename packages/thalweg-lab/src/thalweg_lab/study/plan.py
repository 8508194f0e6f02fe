"""A study: grids of problem x method x start, and the runs that they define."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from thalweg_lab.study.spec import RunSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

QUICK_STARTS = 2  # of a grid without `quick`


@dataclasses.dataclass(frozen=True, kw_only=True)
class Grid:
    """Each problem, solved by each method from each start.

    Attributes:
        problems: Names that `thalweg_lab.problems.load` knows.
        methods: Label to the method's name and options, `{"name": ..., option: value}`. A label
            stands for the same method throughout a study, and so does its colour.
        starts: Seeds of the starting parameters; the same for all methods.
        stop: The fields of `thalweg.Stop` that are set. At least one of `seconds`, `steps` and
            `gradients` must be set, so that each run ends.
        watch: What is recorded along the trajectory, from `thalweg_lab.study.spec.WATCHES`.
        quick: What `--quick` uses instead of `problems`, `methods` (as labels), `starts` or
            `stop`. Where it is empty, `--quick` takes the first two starts; where it names no
            problem, `--quick` leaves the grid out.
    """

    problems: tuple[str, ...]
    methods: Mapping[str, Mapping[str, Any]]
    starts: tuple[int, ...]
    stop: Mapping[str, Any]
    watch: tuple[str, ...] = ()
    quick: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def quickened(self) -> Grid:
        """The grid that `--quick` runs."""
        changed = dict(self.quick) or {"starts": self.starts[:QUICK_STARTS]}
        if "methods" in changed:
            changed["methods"] = {label: self.methods[label] for label in changed["methods"]}
        return dataclasses.replace(self, **changed, quick={})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Study:
    """A study.

    Attributes:
        name: One word.
        title: A headline.
        grids: What is run.
        about: What it is for, in a sentence or a few.
        answers: The shipped study whose answers are computed from the runs; empty for none.
    """

    name: str
    title: str
    grids: tuple[Grid, ...]
    about: str = ""
    answers: str = ""

    def quickened(self) -> Study:
        """The study that `--quick` runs, a small version of this one."""
        return dataclasses.replace(
            self,
            title=f"{self.title} (quick)",
            grids=tuple(grid for grid in map(Grid.quickened, self.grids) if grid.problems),
        )

    def specs(self) -> list[RunSpec]:
        """The runs, each once, ordered by problem, then by start.

        This way an interrupted study has complete starts for comparing methods.
        """
        problems = list(dict.fromkeys(name for grid in self.grids for name in grid.problems))
        starts = sorted({start for grid in self.grids for start in grid.starts})
        specs = (
            RunSpec(
                problem=problem,
                method=label,
                maker=maker,
                start=start,
                stop=grid.stop,
                watch=grid.watch,
            )
            for problem in problems
            for start in starts
            for grid in self.grids
            if problem in grid.problems and start in grid.starts
            for label, maker in grid.methods.items()
        )
        return list(dict.fromkeys(specs))

    def methods(self) -> dict[str, Mapping[str, Any]]:
        """All methods by label, in the order of the grids."""
        return {label: maker for grid in self.grids for label, maker in grid.methods.items()}
