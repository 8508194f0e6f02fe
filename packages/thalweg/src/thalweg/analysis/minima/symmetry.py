"""Networks that are the same function: permutations and sign changes of hidden units.

tanh is odd, so a hidden unit can change the sign of all its incoming and outgoing weights without
changing the function, and two units can be exchanged. A network with hidden layers of p, q, ...
units has 2ᵖ p! · 2^q q! · ... equivalents. Two end points of training are compared at the
equivalent of one that is nearest to the other.

For unit i of one network and unit j of the other, with u the incoming weights, the bias and the
outgoing weights, `|uᵢ - s uⱼ|²` is smallest for s the sign of `uᵢ·uⱼ`; which j belongs to which i
is a linear assignment. For one hidden layer the result is exact. Several layers are coupled: each
is assigned in turn with the others fixed, until nothing changes, and the distance found is an upper
bound.

Source: Chen, Lu & Hecht-Nielsen 1993, "On the geometry of feedforward neural network error
surfaces", Neural Computation 5 (the symmetries); Ainsworth, Hayase & Srinivasa 2023, "Git
Re-Basin", section 3.2 (assignment layer by layer).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg.errors import ShapeError

if TYPE_CHECKING:
    from thalweg.networks import Layers

MOST_SWEEPS = 100  # each lowers the distance, and few are needed


def aligned(layers: Layers, *, to: Layers) -> Layers:
    """The equivalent of a network that is nearest to another: the same function, other weights.

    Args:
        layers: A network with tanh between its layers, as `thalweg.networks.init` returns it.
        to: The network to approach, of the same sizes.

    Returns:
        `layers` with permuted hidden units and chosen signs. The nearest equivalent for one hidden
        layer; for more, no single layer can be rearranged to come closer.

    Raises:
        ShapeError: The networks differ in their sizes.

    Cost: O(p² (a + b) + p³) for each sweep and each hidden layer of p units between layers of a
    and b units.
    """
    equivalent = [{name: np.array(leaf) for name, leaf in layer.items()} for layer in layers]
    target = [{name: np.asarray(leaf) for name, leaf in layer.items()} for layer in to]
    shapes = [layer["weights"].shape for layer in equivalent]
    if shapes != (wanted := [layer["weights"].shape for layer in target]):
        raise ShapeError(
            "layers",
            found=tuple(shapes),
            expected=f"the weights {wanted} of the other network",
            hint="only networks of the same sizes can be compared weight by weight",
        )
    for _ in range(MOST_SWEEPS):
        changes = [_rearrange(equivalent, target, layer) for layer in range(len(equivalent) - 1)]
        if not any(changes):
            break
    return equivalent


def weight_distance(layers: Layers, other: Layers) -> float:
    """The Euclidean distance of two networks' weights, without using symmetries."""
    squares = (
        np.sum(np.square(np.asarray(a[name]) - np.asarray(b[name])))
        for a, b in zip(layers, other, strict=True)
        for name in a
    )
    return float(np.sqrt(sum(squares)))


def _rearrange(equivalent: Layers, target: Layers, layer: int) -> bool:
    """Permute the units after one layer and choose their signs; returns whether any changed."""
    from scipy.optimize import linear_sum_assignment

    products = _units(target, layer) @ _units(equivalent, layer).T
    rows, order = linear_sum_assignment(-np.abs(products))
    signs = np.where(products[rows, order] < 0, -1.0, 1.0)
    gain = np.abs(products[rows, order]).sum() - np.trace(products)
    if gain <= np.finfo(float).eps * np.abs(products).sum():
        return False
    here, after = equivalent[layer], equivalent[layer + 1]
    here["weights"] = here["weights"][:, order] * signs
    here["biases"] = here["biases"][order] * signs
    after["weights"] = after["weights"][order] * signs[:, None]
    return True


def _units(layers: Layers, layer: int) -> np.ndarray:
    """A row for each unit after a layer: incoming weights, bias, outgoing weights."""
    here, after = layers[layer], layers[layer + 1]
    return np.concatenate([here["weights"], here["biases"][None], after["weights"].T]).T
