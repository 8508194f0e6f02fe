"""The fit of a network to a table: how much weight decay, and then the last fit.

An integrator fits as hard as the loss allows, so that on a small table it is the weight decay that
keeps a network from learning the noise. It is chosen by the validation part: from 0.01 up and down
a ladder, as long as the network that stands at the end of its fit does better on the rows it has
not seen. The last fit starts from the chosen network and takes the validation rows in.

In a Bayesian reading λ = 1 / (N σ²), with σ² the variance of a weight before any row is seen. Where
a few validation rows are all told apart, they would ask for no decay at all; weights of a variance
above `MOST_VARIANCE` are not believed.

Source: MacKay, "A Practical Bayesian Framework for Backpropagation Networks" (1992).
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from thalweg.errors import DataError
from thalweg.solution import Outcome, Work

if TYPE_CHECKING:
    from thalweg.networks import Layers
    from thalweg.solvers.base import AbstractMethod
    from thalweg.tabular.fit import Examples, Fit

LADDER = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4, 1e-5)
FIRST = LADDER.index(0.01)
MOST_VARIANCE = 10.0
SEARCH_SHARE = 0.7  # of the budget; the rest is for the last fit
FIT_SHARE = 0.25  # of the budget that one fit of the search may take


@dataclasses.dataclass(frozen=True)
class Found:
    """The fits that were made, and the network they ended with.

    Attributes:
        layers: The network.
        tried: The fits of the search, in the order in which they were made.
        chosen: The one of them that was chosen.
        final: The last fit; None where the run was interrupted or out of time before.
        was_interrupted: Whether Ctrl-C cut it short.
    """

    layers: Layers
    tried: tuple[Fit, ...]
    chosen: Fit
    final: Fit | None
    was_interrupted: bool

    @property
    def fits(self) -> tuple[Fit, ...]:
        """All fits, in the order in which they were made."""
        return self.tried if self.final is None else (*self.tried, self.final)

    @property
    def seconds(self) -> float:
        """Wall time of all fits without compilation."""
        return sum(fit.solution.seconds for fit in self.fits)

    @property
    def work(self) -> Work:
        """What all fits together cost."""
        return Work(
            *(sum(counts) for counts in zip(*(fit.solution.work for fit in self.fits), strict=True))
        )

    @property
    def outcome(self) -> str:
        """How it ended, in a sentence or two."""
        tried = f"weight decay {self.chosen.decay:g}, the best of {len(self.tried)} tried"
        if self.was_interrupted and self.final is None:
            return f"Interrupted; the network kept is the best so far, with {tried}."
        if self.final is None:
            return f"The budget ran out before the last fit; the network has {tried}."
        if self.was_interrupted:
            return f"Interrupted during the last fit; the network kept is the best so far, {tried}."
        if self.final.solution.outcome is Outcome.BUDGET_SPENT:
            return f"The budget ran out during the last fit, which more may improve; {tried}."
        return f"Fitted until the loss stood still, with {tried}."


def search(
    examples: Examples, *, method: str | AbstractMethod, seconds: float, progress: bool = False
) -> Found:
    """Choose the weight decay by the validation part, and fit to all rows with it.

    Args:
        examples: What to fit to.
        method: What `minimize` takes.
        seconds: Budget of all fits together, compilation not counted.
        progress: Whether to show a live line a fit on stderr.

    Raises:
        ConfigError: The method does not suit the problem.
        DataError: No network with a finite validation loss was found.
        KeyboardInterrupt: Before there was any network to keep.
    """
    fits: dict[int, Fit] = {}
    floor = 1 / (examples.count * MOST_VARIANCE)
    left = SEARCH_SHARE * seconds
    was_interrupted = False

    def reach(rung: int) -> None:
        nonlocal left, was_interrupted
        if rung in fits or not 0 <= rung < len(LADDER) or left <= 0 or was_interrupted:
            return
        if rung > FIRST and LADDER[rung] < floor:
            return
        budget = min(left, FIT_SHARE * seconds)
        fit = examples.fit(LADDER[rung], method=method, seconds=budget, progress=progress)
        left -= fit.solution.seconds
        was_interrupted = fit.solution.outcome is Outcome.INTERRUPTED
        if math.isfinite(fit.last):  # a fit without any step has no network to show
            fits[rung] = fit

    reach(FIRST)
    while True:
        before = len(fits)
        at = min(fits, key=lambda rung: fits[rung].last, default=FIRST)
        reach(at - 1)
        reach(at + 1)
        if len(fits) == before:
            break
    if not fits:
        if was_interrupted:
            raise KeyboardInterrupt
        raise DataError(
            f"`{method}` made no step with a finite loss within the budget; give more by "
            "`--seconds`, or name another `--method`"
        )
    chosen = min(fits.values(), key=lambda fit: fit.last)
    final = None
    rest = left + (1 - SEARCH_SHARE) * seconds  # below 0 where the first fits took too long
    if not was_interrupted and rest > 0:
        final = examples.fit(
            chosen.decay,
            method=method,
            seconds=rest,
            start=chosen.layers,
            all_rows=True,
            progress=progress,
        )
        was_interrupted = final.solution.outcome is Outcome.INTERRUPTED
    return Found(
        layers=chosen.layers if final is None else final.layers,
        tried=tuple(fits.values()),
        chosen=chosen,
        final=final,
        was_interrupted=was_interrupted,
    )
