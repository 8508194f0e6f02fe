"""Networks that are the same function: hidden units may change places, and signs.

tanh is odd, so negating all that goes into a hidden unit and all that comes out of it changes
nothing, and neither does exchanging two units. A network with hidden layers of p, q, ... units has
2ᵖ p! · 2^q q! · ... equal twins. Two ends of training are compared at the twin of one that lies
nearest to the other.

For the unit i of one network and j of the other, with u their weights in, bias and weights out,
`|uᵢ - s uⱼ|²` is least at the sign s of `uᵢ·uⱼ`; which j goes to which i is a linear assignment.
With one hidden layer that is exact. With more, the layers hang together, and each is assigned in
turn with the others held, until nothing changes: the distance found is then an upper bound.

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

MOST_SWEEPS = 100  # each lowers the distance, so that few are needed


def aligned(layers: Layers, *, to: Layers) -> Layers:
    """The twin of a network that lies nearest to another: the same function, other weights.

    Args:
        layers: A network with tanh between its layers, as `thalweg.networks.init` makes them.
        to: The network to come near, of the same sizes.

    Returns:
        `layers` with hidden units permuted and their signs chosen. Nearest for one hidden layer;
        for more, no single layer can be rearranged to come nearer.

    Raises:
        ShapeError: The networks differ in their sizes.

    Cost: O(p² (a + b) + p³) a hidden layer of p units between layers of a and b, and a sweep.
    """
    twin = [{name: np.array(leaf) for name, leaf in layer.items()} for layer in layers]
    target = [{name: np.asarray(leaf) for name, leaf in layer.items()} for layer in to]
    shapes = [layer["weights"].shape for layer in twin]
    if shapes != (wanted := [layer["weights"].shape for layer in target]):
        raise ShapeError(
            "layers",
            found=tuple(shapes),
            expected=f"the weights {wanted} of the other network",
            hint="Only networks of the same sizes can be compared weight by weight.",
        )
    for _ in range(MOST_SWEEPS):
        changes = [_rearrange(twin, target, layer) for layer in range(len(twin) - 1)]
        if not any(changes):
            break
    return twin


def weight_distance(layers: Layers, other: Layers) -> float:
    """The Euclidean distance of two networks' weights as they stand."""
    squares = (
        np.sum(np.square(np.asarray(a[name]) - np.asarray(b[name])))
        for a, b in zip(layers, other, strict=True)
        for name in a
    )
    return float(np.sqrt(sum(squares)))


def _rearrange(twin: Layers, target: Layers, layer: int) -> bool:
    """Bring the units after one layer to their nearest order and signs; whether any moved."""
    from scipy.optimize import linear_sum_assignment

    products = _units(target, layer) @ _units(twin, layer).T
    rows, order = linear_sum_assignment(-np.abs(products))
    signs = np.where(products[rows, order] < 0, -1.0, 1.0)
    gain = np.abs(products[rows, order]).sum() - np.trace(products)
    if gain <= np.finfo(float).eps * np.abs(products).sum():
        return False
    here, after = twin[layer], twin[layer + 1]
    here["weights"] = here["weights"][:, order] * signs
    here["biases"] = here["biases"][order] * signs
    after["weights"] = after["weights"][order] * signs[:, None]
    return True


def _units(layers: Layers, layer: int) -> np.ndarray:
    """A row for each unit after a layer: weights in, bias, weights out."""
    here, after = layers[layer], layers[layer + 1]
    return np.concatenate([here["weights"], here["biases"][None], after["weights"].T]).T
