"""Chooses the weight decay of a network, and then fits all rows with it.

An integrator minimises the loss as far as it goes, so on a small table it is the weight decay that
keeps a network from fitting the noise. The validation part chooses it: starting from 0.01, larger
and smaller values of a fixed grid are tried as long as the network at the end of its fit improves
on the held-out rows. The last fit starts from the chosen network and includes the validation rows.

In Bayesian terms λ = 1 / (N σ²), with σ² the prior variance of a weight. If a few validation rows
are all classified correctly, they favour no decay at all; so prior variances above `MOST_VARIANCE`
are not tried.

Source: MacKay, "A Practical Bayesian Framework for Backpropagation Networks" (1992).
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from thalweg.errors import DataError
from thalweg.solution import Outcome, Work

if TYPE_CHECKING:
    from thalweg.networks import Layers
    from thalweg.solvers.base import AbstractMethod
    from thalweg.supervised.fit import Examples, Fit

DECAYS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4, 1e-5)
FIRST = DECAYS.index(0.01)
MOST_VARIANCE = 10.0
SEARCH_SHARE = 0.7  # of the budget; the rest is for the last fit
FIT_SHARE = 0.25  # of the budget that one fit of the search may take


@dataclasses.dataclass(frozen=True)
class Found:
    """The fits, and the network that they led to.

    Attributes:
        layers: The network.
        tried: The fits of the search, in order.
        chosen: The chosen one among them.
        final: The last fit; None if the run was interrupted or out of time before it.
        was_interrupted: Whether Ctrl-C ended it.
    """

    layers: Layers
    tried: tuple[Fit, ...]
    chosen: Fit
    final: Fit | None
    was_interrupted: bool

    @property
    def fits(self) -> tuple[Fit, ...]:
        """All fits, in order."""
        return self.tried if self.final is None else (*self.tried, self.final)

    @property
    def seconds(self) -> float:
        """Wall time of all fits without compilation."""
        return sum(fit.solution.seconds for fit in self.fits)

    @property
    def work(self) -> Work:
        """The work of all fits together."""
        return Work(
            *(sum(counts) for counts in zip(*(fit.solution.work for fit in self.fits), strict=True))
        )

    @property
    def outcome(self) -> str:
        """How the training ended, in a sentence or two."""
        tried = f"weight decay {self.chosen.decay:g}, the best of {len(self.tried)} tried"
        if self.was_interrupted and self.final is None:
            return f"Interrupted; the network kept is the best so far, with {tried}."
        if self.final is None:
            return f"The budget ran out before the last fit; the network has {tried}."
        if self.was_interrupted:
            return f"Interrupted during the last fit; the network kept is the best so far, {tried}."
        if self.final.solution.outcome is Outcome.BUDGET_SPENT:
            return f"The budget ran out during the last fit; a larger one may help; {tried}."
        return f"Fitted until the loss no longer improved, with {tried}."


@dataclasses.dataclass(frozen=True)
class Tried:
    """The fits of a search.

    Attributes:
        fits: The fits in order, at least one.
        left: Seconds of the budget of all fits that are left.
        was_interrupted: Whether Ctrl-C ended the search.
    """

    fits: tuple[Fit, ...]
    left: float
    was_interrupted: bool

    @property
    def chosen(self) -> Fit:
        """The fit whose network did best on the validation part."""
        return min(self.fits, key=lambda fit: fit.last)


def search(
    examples: Examples,
    *,
    method: str | AbstractMethod,
    seconds: float,
    steps: int | None = None,
    progress: bool = False,
) -> Found:
    """Choose the weight decay by the validation part, and fit to all rows with it.

    Args:
        examples: What to fit to.
        method: What `minimize` takes.
        seconds: Budget of all fits together, compilation not counted.
        steps: Most steps of each fit; None for as many as the seconds allow.
        progress: Whether to show a live line for each fit on stderr.

    Raises:
        ConfigError: The method does not suit the problem.
        DataError: No network with a finite validation loss was found.
        KeyboardInterrupt: Ctrl-C before there was a network to keep.
    """
    common: Any = {"method": method, "steps": steps, "progress": progress}
    tried = try_decays(examples, seconds=seconds, **common)
    return finish(examples, tried, **common)


def try_decays(
    examples: Examples,
    *,
    method: str | AbstractMethod,
    seconds: float,
    share: float = SEARCH_SHARE,
    steps: int | None = None,
    progress: bool = False,
) -> Tried:
    """Fit with one weight decay after the other, as long as the validation loss falls.

    Args:
        examples: What to fit to.
        method: What `minimize` takes.
        seconds: Budget of all fits, the last one included.
        share: What the search may take of it.
        steps: Most steps of each fit.
        progress: Whether to show a live line for each fit.

    Raises:
        DataError: No network with a finite validation loss was found.
        KeyboardInterrupt: Ctrl-C before there was a network to keep.
    """
    fits: dict[int, Fit] = {}
    floor = 1 / (examples.count * MOST_VARIANCE)
    left = share * seconds
    was_interrupted = False

    def try_decay(index: int) -> None:
        nonlocal left, was_interrupted
        if index in fits or not 0 <= index < len(DECAYS) or left <= 0 or was_interrupted:
            return
        if index > FIRST and DECAYS[index] < floor:
            return
        budget = min(left, FIT_SHARE * seconds)
        fit = examples.fit(
            DECAYS[index], method=method, seconds=budget, steps=steps, progress=progress
        )
        left -= fit.solution.seconds
        was_interrupted = fit.solution.outcome is Outcome.INTERRUPTED
        if math.isfinite(fit.last):  # not so if the fit made no step
            fits[index] = fit

    try_decay(FIRST)
    while True:
        before = len(fits)
        best = min(fits, key=lambda index: fits[index].last, default=FIRST)
        try_decay(best - 1)
        try_decay(best + 1)
        if len(fits) == before:
            break
    if not fits:
        if was_interrupted:
            raise KeyboardInterrupt
        raise DataError(
            f"`{method}` made no step with a finite loss within the budget; give more "
            "seconds, or name another method"
        )
    # Negative if the first fits took too long.
    return Tried(tuple(fits.values()), left + (1 - share) * seconds, was_interrupted)


def finish(
    examples: Examples,
    tried: Tried,
    *,
    method: str | AbstractMethod,
    steps: int | None = None,
    progress: bool = False,
) -> Found:
    """Fit the chosen network to all rows, in the seconds that are left."""
    chosen, final, was_interrupted = tried.chosen, None, tried.was_interrupted
    if not was_interrupted and tried.left > 0:
        final = examples.fit(
            chosen.decay,
            method=method,
            seconds=tried.left,
            steps=steps,
            start=chosen.layers,
            all_rows=True,
            progress=progress,
        )
        was_interrupted = final.solution.outcome is Outcome.INTERRUPTED
    return Found(
        layers=chosen.layers if final is None else final.layers,
        tried=tried.fits,
        chosen=chosen,
        final=final,
        was_interrupted=was_interrupted,
    )
