"""How well the data determine what was unknown: error bars from the curvature at the end.

The residuals of each term are taken in units of their standard deviation: of measurements their
noise, of the equation and the conditions what is left of them after training, which is little. So
the equation acts nearly as a constraint. With J the Jacobian of all of them by all parameters, a
quantity with the gradient g has the variance gᵀ(JᵀJ)⁻¹g. Where g has a part in a direction that J
does not see, there is no variance to tell.

That is the variance of the minimum, and a run need not have arrived there. How far away it is for
a quantity is gᵀδ, with δ the Gauss-Newton step of the loss that was trained. The error stated is
the root of the sum of both squares.

Source: Seber & Wild 2003, *Nonlinear Regression*, chapter 2.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from thalweg._util.xla import quick_jit
from thalweg.flow import build_flow
from thalweg.flow.flatten import ParamSpec, flatten
from thalweg.pde.conditions import Data

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.pde.terms import Term

RANK = 1e-12  # singular value over the largest, below which a direction is not seen
BLIND = 1e-3  # share of a gradient in such directions, from which there is no error bar
FLOOR = 1e-12  # smallest deviation of a residual, relative to what it was untrained
MOVING = 0.71  # share of an error due to training, from which it is most of its square
SHARE = 0.1  # of the largest component, from which a constant is part of an undetermined direction


@dataclasses.dataclass(frozen=True)
class Unknown:
    """An unknown constant.

    Attributes:
        value: What was found.
        error: Its standard error, with what training has left; None where the data do not
            determine it.
        shift: What training has left: how far away the minimum of the loss is, by a Gauss-Newton
            step. NaN where the data do not determine the constant.
    """

    value: float
    error: float | None
    shift: float

    @property
    def spread(self) -> str:
        """What follows the value: the standard error, or why there is none."""
        if self.error is None:
            return ""
        is_moving = abs(self.shift) > MOVING * self.error
        rest = ", most of it because training is not at the minimum yet" if is_moving else ""
        return f" ± {self.error:.2g}{rest}"


@dataclasses.dataclass(frozen=True)
class Curvature:
    """(JᵀJ)⁻¹ as a factor, and the directions that J does not see.

    Attributes:
        factor: F with FFᵀ the inverse on what is seen, `(n, r)`.
        blind: Orthonormal rows, `(q, n)`.
        scale: Size of the columns of J that F and the rows are relative to, `(n,)`.
        step: The Gauss-Newton step to the minimum of the loss that was trained, `(n,)`.
        spec: The layout of the parameters.
    """

    factor: np.ndarray
    blind: np.ndarray
    scale: np.ndarray
    step: np.ndarray
    spec: ParamSpec

    def errors(self, gradients: np.ndarray) -> np.ndarray:
        """Errors of quantities with these gradients, `(p, n)`; NaN where there is none."""
        spread = np.linalg.norm(gradients / self.scale @ self.factor, axis=1)
        return np.hypot(spread, self.shifts(gradients))

    def shifts(self, gradients: np.ndarray) -> np.ndarray:
        """How far they are from the minimum of the loss, to first order, `(p,)`; NaN if unseen."""
        rows = gradients / self.scale
        unseen = np.linalg.norm(rows @ self.blind.T, axis=1)
        is_seen = unseen <= BLIND * np.linalg.norm(rows, axis=1)
        return np.where(is_seen, gradients @ self.step, np.nan)

    def unknowns(self, values: Sequence[float], gradients: np.ndarray) -> list[Unknown]:
        """Unknown constants with these values and gradients."""
        if not values:
            return []
        errors, shifts = self.errors(gradients), self.shifts(gradients)
        return [
            Unknown(value, None if np.isnan(error) else float(error), float(shift))
            for value, error, shift in zip(values, errors, shifts, strict=True)
        ]

    def undetermined(self, places: dict[str, int]) -> list[str]:
        """The directions of some parameters that are not seen, in words."""
        index = list(places.values())
        names = np.array(list(places))
        part = self.blind[:, index]
        _, sizes, rows = np.linalg.svd(part, full_matrices=False) if len(part) else (0, [], [])
        found = []
        for size, row in zip(sizes, rows, strict=True):
            if size > BLIND:
                taken = np.abs(row) > SHARE * np.abs(row).max()
                found.append(" and ".join(names[taken]))
        return found


def curvature(terms: Sequence[Term], params: Any, before: Any) -> Curvature:
    """The curvature at the end of training; changes the scales of the terms.

    Args:
        terms: All terms with their points.
        params: The parameters found.
        before: Those before training, which say how large each residual can be.
    """
    theta, spec = flatten(params)
    trained = _decomposed(terms, theta, spec)
    for term in terms:
        found = term.residuals(params)
        untrained = term.residuals(before)
        size = np.sqrt(np.mean(found**2, axis=0))
        floor = FLOOR * np.sqrt(np.mean(untrained**2, axis=0)) + np.finfo(float).tiny
        noise = term.condition.noise if isinstance(term.condition, Data) else None
        deviation = np.maximum(size if not noise else np.full_like(size, noise), floor)
        term.scale = np.sqrt(term.count) / deviation
    now = _decomposed(terms, theta, spec)
    return Curvature(now.factor, now.blind, now.scale, trained.step, spec)


class _Decomposed(NamedTuple):
    """J of a loss by its singular values, as `Curvature` has it; and the Gauss-Newton step."""

    factor: np.ndarray
    blind: np.ndarray
    scale: np.ndarray
    step: np.ndarray


def _decomposed(terms: Sequence[Term], theta: np.ndarray, spec: ParamSpec) -> _Decomposed:
    squares: Any = sum(term.squares() for term in terms)
    flow: Any = build_flow(squares, spec)
    residuals, rows = map(np.asarray, quick_jit(flow.jacobian)(flow.data, theta))
    scale = np.linalg.norm(rows, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    triangle = np.asarray(np.linalg.qr(np.column_stack([rows / scale, residuals]), mode="r"))
    left, values, right = np.linalg.svd(triangle[:, :-1])
    along = left.T[: len(right)] @ triangle[:, -1]  # the residuals along each singular direction
    values = np.pad(values, (0, len(right) - len(values)))
    along = np.pad(along, (0, len(right) - len(along)))
    seen = values > RANK * values.max()
    factor = (right[seen] / values[seen, None]).T
    return _Decomposed(factor, right[~seen], scale, -(factor @ along[seen]) / scale)


def places_of(spec: ParamSpec, names: Sequence[str]) -> dict[str, int]:
    """Where each unknown constant lies in θ."""
    found, start = {}, 0
    for shape, path in zip(spec.shapes, spec.names, strict=True):
        for name in names:
            if path == f"params['unknowns']['{name}']":
                found[name] = start
        start += int(np.prod(shape))
    return found
