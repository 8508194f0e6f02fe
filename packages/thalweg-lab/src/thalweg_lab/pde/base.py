"""What a script is: a problem, how it is solved, and the best published error."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from thalweg import pde

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclasses.dataclass(frozen=True)
class Published:
    """The lowest published error that could be read in its source.

    Attributes:
        error: Relative L2 error; None where none could be read.
        source: Where it was read.
        hardware: What it was computed on, as the source says; empty where it says nothing.
        same: Whether it is of the same equation, data and measure.
    """

    error: float | None
    source: str
    hardware: str = ""
    same: bool = True


NOT_READ = Published(None, "none read", "")


@dataclasses.dataclass(frozen=True)
class Script:
    """A differential equation, ready to be solved.

    Attributes:
        name: As a user types it.
        problem: Builds the problem; references are computed only then.
        options: Of `pde.solve`.
        published: What others reached.
        means: What helps besides the equation, in words: hard conditions, windows, symmetries.
        measure: The error of a result, where it is not that against `problem.reference`.
    """

    name: str
    problem: Callable[[], pde.Problem]
    options: Mapping[str, Any]
    published: Published
    means: str
    measure: Callable[[pde.Result], float] | None = None

    def error(self, result: pde.Result) -> float:
        """The relative L2 error of a result."""
        if self.measure is not None:
            return self.measure(result)
        if result.error is None:
            raise AssertionError("a script without `measure` has a reference")
        return result.error.relative_l2

    def solve(self, **changes: Any) -> pde.Result:
        """The solution, with the script's options where no others are given."""
        return pde.solve(self.problem(), **{**self.options, **changes})


def main(script: Script) -> None:
    """Solve, print what was found, and write the page to `NAME.html`."""
    result = script.solve(progress=True)
    print(result)
    result.page(f"{script.name}.html")
