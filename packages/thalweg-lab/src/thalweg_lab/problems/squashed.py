"""Networks with tanh on the outputs too, fitted by least squares, and goals given as MATLAB's mse.

    f(θ, x) = tanh(network(θ, x)),   L = ½ mean over examples of Σ over outputs of (f - y)²

MATLAB's `mse` is the mean of (f - y)² over examples *and* outputs, so with q outputs L = ½ q mse.

Source of the goals: "Choose a Multilayer Neural Network Training Function", a page of the
documentation of MATLAB's Deep Learning Toolbox, which trains these networks by nine methods.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg_lab.problems.base import Measure

SOURCE = "The benchmark networks in the documentation of MATLAB's Deep Learning Toolbox"


def loss_at(mse: float, *, outputs: int = 1) -> float:
    """The loss L at which MATLAB's `mse` has a value.

    Examples:
        >>> loss_at(0.012, outputs=2)
        0.012
    """
    return 0.5 * outputs * mse


def outputs(layers: networks.Layers, x: jax.Array) -> jax.Array:
    """The outputs of a network, from -1 to 1, shape `(..., q)`, for inputs `(..., a)`."""
    return jnp.tanh(networks.apply(layers, x))


def residual(layers: networks.Layers, x: jax.Array, y: jax.Array) -> jax.Array:
    """The outputs for one example minus the wanted ones."""
    return outputs(layers, x) - y


def share_right(name: str, x: np.ndarray, y: np.ndarray) -> Measure:
    """The share of examples whose largest output is at the correct class, such as `test accuracy`.

    Args:
        name: The measure in words.
        x: Inputs, shape `(N, a)`.
        y: Wanted outputs, shape `(N, q)`, the largest at the correct class.
    """

    def share(layers: networks.Layers) -> float:
        found = np.argmax(np.asarray(outputs(layers, jnp.asarray(x))), axis=-1)
        return float(np.mean(found == np.argmax(y, axis=-1)))

    return Measure(name, "accuracy", share, is_share=True)
