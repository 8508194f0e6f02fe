"""Small fully connected networks: the networks of the front ends.

    z₀ = x,   zₖ₊₁ = a(zₖ Wₖ + bₖ),   the last layer without the activation a, by default tanh

Weights start normal with variance 1 / fan-in and biases at 0 (LeCun et al., "Efficient BackProp",
1998, section 4.6), which keeps the size of the signal from layer to layer.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

Layers = list[dict[str, Any]]  # of "weights" (a, b) and "biases" (b,), first layer first

ACTIVATIONS = {
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "logistic": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "silu": jax.nn.silu,
    "relu": jax.nn.relu,
}


def init(sizes: Sequence[int], *, seed: int, dtype: Any = np.float64) -> Layers:
    """Starting parameters of a network.

    Args:
        sizes: Units a layer, input first and output last, such as `(2, 32, 1)`. At least two,
            all at least 1.
        seed: Equal seeds give equal parameters, whatever the version of JAX.
        dtype: float32 or float64.

    Returns:
        One dictionary a layer, holding NumPy arrays `weights` `(a, b)` and `biases` `(b,)`.

    Raises:
        ConfigError: `sizes` describes no network.

    Examples:
        >>> [layer["weights"].shape for layer in init((2, 32, 1), seed=0)]
        [(2, 32), (32, 1)]
    """
    if len(sizes) < 2 or min(sizes) < 1:  # noqa: PLR2004 - an input and an output
        raise ConfigError(
            f"`sizes` is {tuple(sizes)}, but at least two layers of at least one unit were expected"
        )
    random = np.random.default_rng(seed)
    return [
        {
            "weights": (random.standard_normal((a, b)) / np.sqrt(a)).astype(dtype),
            "biases": np.zeros(b, dtype),
        }
        for a, b in itertools.pairwise(sizes)
    ]


def count(sizes: Sequence[int]) -> int:
    """The number n of weights and biases.

    Examples:
        >>> count((2, 32, 1))
        129
    """
    return sum((a + 1) * b for a, b in itertools.pairwise(sizes))


def apply(layers: Layers, x: jax.Array, activation: str = "tanh") -> jax.Array:
    """The outputs of a network, shape `(..., outputs)`, for inputs `(..., inputs)`.

    Args:
        layers: The network.
        x: Its inputs.
        activation: A name of `ACTIVATIONS`.
    """
    *hidden, last = layers
    for layer in hidden:
        x = ACTIVATIONS[activation](x @ layer["weights"] + layer["biases"])
    return x @ last["weights"] + last["biases"]
