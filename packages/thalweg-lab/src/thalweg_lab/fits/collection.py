"""A collection of problems, each defined by a decorated function that gives its residuals."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.problem import LeastSquares
from thalweg_lab.fits.base import FitProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import jax

    Residuals = Callable[[jax.Array], jax.Array]

SCALES = (1, 10, 100)  # of the standard start, as Moré, Garbow and Hillstrom have them


class Collection:
    """Problems with one standard start each, from which two more are made.

    Args:
        name: What `FitProblem.collection` says.
        source: The publication; `{}` stands for what a problem adds to it.
    """

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = source
        self.problems: list[FitProblem] = []

    def add(
        self,
        name: str,
        start: Sequence[float] | np.ndarray,
        *,
        minimum: float,
        minimizer: Sequence[float] | np.ndarray | None = None,
        source: str = "",
    ) -> Callable[[Residuals], Residuals]:
        """Decorate the residuals of a problem, a function of its parameters alone.

        Args:
            name: As the collection writes it.
            start: The standard start, shape `(n,)`.
            minimum: The least sum of squares that is known.
            minimizer: Parameters that attain it, where they are known.
            source: What stands for `{}` in the collection's source.
        """

        def define(residuals: Residuals) -> Residuals:
            self.problems.append(
                FitProblem(
                    name=name,
                    collection=self.name,
                    source=self.source.format(source),
                    residuals=residuals,
                    problem=LeastSquares(residuals),
                    starts=_starts(np.asarray(start, float)),
                    minimum=minimum,
                    minimizer=None if minimizer is None else np.asarray(minimizer, float),
                )
            )
            return residuals

        return define


def _starts(standard: np.ndarray) -> dict[str, np.ndarray]:
    """The standard start once, ten and a hundred times.

    Where it is zero, 10 and 100 stand for the multiples, in each parameter: MINPACK's own driver
    of the tests does so.
    """
    ones = standard if standard.any() else np.ones_like(standard)
    return {str(scale): standard if scale == 1 else scale * ones for scale in SCALES}


def data(problem: str) -> dict[str, Any]:
    """The observations of a problem by name: NumPy arrays in float64."""
    return {name: np.asarray(values, float) for name, values in _all_data()[problem].items()}


@functools.cache
def _all_data() -> dict[str, Any]:
    text = resources.files("thalweg_lab.fits").joinpath("collections.json").read_text("utf-8")
    return json.loads(text)
