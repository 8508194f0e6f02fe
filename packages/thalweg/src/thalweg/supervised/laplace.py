"""How certain the outputs of a fitted network are, by the Gauss-Newton (Laplace) approximation.

The network is taken as linear in its parameters around the fit, and the noise as normal with one
variance σ² for each output. With the Jacobian J of the outputs over the fitted rows, their weights
W (mean 1), N rows and weight decay λ on the weights D:

    A = Jᵀ W J + N λ D      cov θ = σ² A⁻¹      std² of a new observation = σ² (1 + jᵀ A⁻¹ j)
    σ² = Σ w r² / (N - γ)   γ = tr(A⁻¹ Jᵀ W J), the number of parameters that the data determine

For a linear model this is exact. Source: MacKay, "A Practical Bayesian Framework for
Backpropagation Networks" (1992).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import jax
import numpy as np
import scipy.linalg

from thalweg import networks
from thalweg.errors import ConfigError
from thalweg.flow.flatten import flatten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from thalweg.flow.flatten import ParamSpec
    from thalweg.networks import Layers

BATCH = 256  # rows whose Jacobians are held at a time
MOST_PARAMETERS = 8_000  # A then takes 512 MB
JITTER = 1e-12  # of the largest diagonal entry of A; keeps parameters apart that nothing determines


@dataclasses.dataclass(frozen=True)
class Laplace:
    """The posterior of a network's parameters, and what it says of its outputs.

    Attributes:
        layers: The network.
        activation: Its activation.
        factor: The lower Cholesky factor of A, shape `(n, n)`.
        noise: σ of each output, shape `(outputs,)`.
        effective: γ, the number of parameters that the data determine.
    """

    layers: Layers
    activation: str
    factor: np.ndarray
    noise: np.ndarray
    effective: float

    def std(self, inputs: np.ndarray) -> np.ndarray:
        """The standard deviation of new observations, shape `(rows, outputs)`."""
        spread = [
            (scipy.linalg.solve_triangular(self.factor, jacobian.T, lower=True) ** 2).sum(axis=0)
            for jacobian in _jacobians(self.layers, inputs, self.activation)
        ]
        relative = np.concatenate(spread).reshape(len(inputs), -1)
        return self.noise * np.sqrt(1 + relative)


def fit_laplace(
    layers: Layers,
    inputs: np.ndarray,
    errors: np.ndarray,
    *,
    weights: np.ndarray,
    count: int,
    decay: float,
    activation: str,
) -> Laplace:
    """The posterior around a fit.

    Args:
        layers: The fitted network.
        inputs: The fitted rows, shape `(rows, inputs)`.
        errors: Outputs minus targets there, shape `(rows, outputs)`.
        weights: The weight of each row, shape `(rows,)`; they add up to `count`.
        count: The number N of observations.
        decay: The weight decay λ.
        activation: A name of `thalweg.networks.ACTIVATIONS`.

    Raises:
        ConfigError: The network has too many parameters for a dense covariance.
    """
    is_decayed = np.concatenate(
        [np.full(layer[name].size, name == "weights") for layer in layers for name in sorted(layer)]
    )
    n, outputs = len(is_decayed), errors.shape[1]
    if n > MOST_PARAMETERS:
        raise ConfigError(
            f"the network has {n:,} parameters, but a standard deviation needs their covariance, "
            f"which is computed for at most {MOST_PARAMETERS:,}; use smaller layers"
        )
    curvature, place = np.zeros((n, n)), 0
    root = np.repeat(np.sqrt(weights), outputs)[:, None]
    for jacobian in _jacobians(layers, inputs, activation):
        scaled = root[place : place + len(jacobian)] * jacobian
        curvature += scaled.T @ scaled
        place += len(jacobian)
    precision = curvature + np.diag(count * decay * is_decayed)
    precision[np.diag_indices(n)] += JITTER * precision.diagonal().max()
    factor = scipy.linalg.cholesky(precision, lower=True)
    effective = float(np.trace(scipy.linalg.cho_solve((factor, True), curvature)))
    free = max(count - effective / outputs, 1.0)
    noise = np.sqrt(weights @ errors**2 / free)
    return Laplace(layers, activation, factor, noise, effective)


def _jacobians(layers: Layers, inputs: np.ndarray, activation: str) -> Iterator[np.ndarray]:
    """The Jacobians of the outputs of some rows at a time, each `(rows * outputs, n)`."""
    with jax.enable_x64():
        theta, spec = flatten(layers)
    for start in range(0, len(inputs), BATCH):
        rows = inputs[start : start + BATCH]
        filled = np.concatenate([rows, np.zeros((BATCH - len(rows), rows.shape[1]))])
        with jax.enable_x64():
            found = np.asarray(_jacobian(theta, filled, spec=spec, activation=activation))
        yield found[: len(rows)].reshape(-1, len(theta))


@functools.partial(jax.jit, static_argnames=("spec", "activation"))
def _jacobian(
    theta: jax.Array, inputs: jax.Array, *, spec: ParamSpec, activation: str
) -> jax.Array:
    """The Jacobian of each row's outputs, shape `(rows, outputs, n)`."""

    def outputs(at: jax.Array, row: jax.Array) -> jax.Array:
        return networks.apply(spec.unravel(at), row, activation)

    return jax.vmap(jax.jacrev(outputs), in_axes=(None, 0))(theta, inputs)
