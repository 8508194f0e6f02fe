"""The rows of a fit: checked weights, equal rows merged, and a part held out.

Equal rows are merged and their weights added, and the merged rows are sorted. So a weight of 2 is
the same as a row that is there twice, a weight of 0 the same as no row, and the order of the rows
does not matter; nor is a row held out that is also fitted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_array

from thalweg.errors import DataError


class Rows(NamedTuple):
    """Distinct rows.

    Attributes:
        inputs: Shape `(rows, inputs)`.
        targets: Shape `(rows, outputs)`, of numbers or of indices of classes.
        weights: Shape `(rows,)`; they add up to `observations`.
        observations: The number of observations with a weight above 0.
    """

    inputs: np.ndarray
    targets: np.ndarray
    weights: np.ndarray
    observations: int


def checked_weights(sample_weight: Any, rows: int) -> np.ndarray:
    """Weights as float64 of shape `(rows,)`; ones for None.

    Raises:
        DataError: They are of another shape, negative, or all 0.
        ValueError: They are not finite numbers.
    """
    if sample_weight is None:
        return np.ones(rows)
    weights = check_array(
        sample_weight,
        ensure_2d=False,
        dtype=np.float64,  # pyright: ignore[reportArgumentType] - inferred from its default
        input_name="sample_weight",
    )
    if weights.shape != (rows,):
        raise DataError(
            f"`sample_weight` has shape {weights.shape}, but one weight for each of {rows} rows "
            "was expected"
        )
    if weights.min() < 0 or weights.max() == 0:
        raise DataError(
            "`sample_weight` holds negative numbers or only zeros, but weights of at least 0 were "
            "expected, some above 0"
        )
    return weights


def merged(inputs: np.ndarray, targets: np.ndarray, weights: np.ndarray) -> Rows:
    """The distinct rows among those with a weight above 0.

    Args:
        inputs: Shape `(rows, inputs)`.
        targets: Shape `(rows, outputs)`.
        weights: Shape `(rows,)`.
    """
    used = weights > 0
    both = np.column_stack([inputs, targets])[used]
    distinct, place = np.unique(both, axis=0, return_inverse=True)
    total = np.bincount(place.ravel(), weights[used], minlength=len(distinct))
    count = int(used.sum())
    cut = inputs.shape[1]
    return Rows(distinct[:, :cut], distinct[:, cut:], total * (count / total.sum()), count)


def hold_out(groups: np.ndarray, fraction: float, random: np.random.Generator) -> np.ndarray:
    """Which rows to hold out, bool of shape `(rows,)`: a fraction of each group.

    Args:
        groups: The group of each row, such as its class, int of shape `(rows,)`.
        fraction: The fraction, above 0 and below 1.
        random: What draws them.

    Returns:
        At least one row, and of each group all but one at most; none if every group is one row.
    """
    rows = len(groups)
    order = np.lexsort((random.random(rows), groups))
    ends = np.floor((np.arange(rows + 1) + random.random()) * fraction)
    held_out = np.empty(rows, bool)
    held_out[order] = np.diff(ends) > 0
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        if held_out[members].all():
            held_out[members[0]] = False
    if not held_out.any():
        sizes = np.bincount(groups)
        if sizes.max() > 1:
            held_out[np.flatnonzero(groups == sizes.argmax())[0]] = True
    return held_out
