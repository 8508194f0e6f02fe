"""Networks for fields. A network has `init(inputs, outputs, seed)` and `apply(params, z)`.

Its inputs z are coordinates scaled to [-1, 1], or sines and cosines of periodic ones; its outputs
are of size 1, and scaled by what is known of the solution. A module of Equinox or of Flax's linen
API is a network too.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.errors import ConfigError


def float64() -> Any:
    """A context in which JAX computes in float64, whatever its flag says."""
    return jax.enable_x64(True)  # noqa: FBT003 - JAX's own signature


class Network(Protocol):
    """What a field is made of."""

    def init(self, inputs: int, outputs: int, seed: int) -> Any:
        """Parameters: a pytree of float64 arrays."""
        ...

    def apply(self, params: Any, z: jax.Array) -> jax.Array:
        """Outputs `(outputs,)` for inputs `(inputs,)`."""
        ...


@dataclasses.dataclass(frozen=True)
class MLP:
    """A fully connected network.

    Attributes:
        width: Units of each hidden layer.
        depth: The number of hidden layers.
        activation: A name of `thalweg.networks.ACTIVATIONS`; smooth, as derivatives are taken.
        fourier: How many random Fourier features stand between the inputs and the first layer,
            each a sine and a cosine; 0 for none.
        fourier_scale: The standard deviation of their wave numbers, for inputs in [-1, 1].
        waves: Along a periodic coordinate, the number of harmonics among the inputs.

    Raises:
        ConfigError: A size is below 1, or the activation is unknown or not smooth.
    """

    width: int = 32
    depth: int = 2
    activation: str = "tanh"
    fourier: int = 0
    fourier_scale: float = 1.0
    waves: int = 1

    def __post_init__(self) -> None:
        if self.activation not in networks.ACTIVATIONS or self.activation == "relu":
            smooth = ", ".join(name for name in networks.ACTIVATIONS if name != "relu")
            raise ConfigError(
                f"`activation` is {self.activation!r}, but derivatives need a smooth one: {smooth}"
            )
        if min(self.width, self.depth, self.waves) < 1 or self.fourier < 0:
            raise ConfigError(f"{self} has a size below 1; `width`, `depth` and `waves` start at 1")

    def _features(self, z: jax.Array) -> jax.Array:
        """Random Fourier features of the inputs, or the inputs.

        Source: Tancik et al. 2020, "Fourier features let networks learn high frequency functions".
        """
        if not self.fourier:
            return z
        random = np.random.default_rng(self.fourier)  # part of the network, and never trained
        waves = self.fourier_scale * random.standard_normal((z.size, self.fourier))
        return jnp.concatenate([jnp.cos(z @ waves), jnp.sin(z @ waves)])

    def _sizes(self, inputs: int, outputs: int) -> list[int]:
        first = 2 * self.fourier or inputs
        return [first, *[self.width] * self.depth, outputs]

    def init(self, inputs: int, outputs: int, seed: int) -> Any:
        """Normal weights of variance 1 / fan-in; first biases spread over the inputs."""
        layers = networks.init(self._sizes(inputs, outputs), seed=seed)
        return [_spread(layers[0], seed), *layers[1:]]

    def apply(self, params: Any, z: jax.Array) -> jax.Array:
        """See `Network`."""
        return networks.apply(params, self._features(z), self.activation)


@dataclasses.dataclass(frozen=True)
class ModifiedMLP(MLP):
    """A network whose layers are gated by two encodings of the inputs.

    Source: Wang, Teng & Perdikaris 2021, "Understanding and mitigating gradient flow pathologies
    in physics-informed neural networks", section 2.6.
    """

    def init(self, inputs: int, outputs: int, seed: int) -> Any:
        """As those of `MLP`, and two encoders."""
        sizes = self._sizes(inputs, outputs)
        gates = [networks.init(sizes[:2], seed=seed + k)[0] for k in (10**6, 2 * 10**6)]
        layers = networks.init(sizes, seed=seed)
        return {
            "gates": [_spread(gate, seed + k) for k, gate in enumerate(gates, 1)],
            "layers": [_spread(layers[0], seed), *layers[1:]],
        }

    def apply(self, params: Any, z: jax.Array) -> jax.Array:
        """See `Network`."""
        act = networks.ACTIVATIONS[self.activation]
        z = self._features(z)
        first, second = (act(z @ gate["weights"] + gate["biases"]) for gate in params["gates"])
        *hidden, last = params["layers"]
        for layer in hidden:
            z = act(z @ layer["weights"] + layer["biases"])
            z = z * first + (1 - z) * second
        return z @ last["weights"] + last["biases"]


def _spread(layer: Any, seed: int) -> Any:
    """A first layer whose units turn at places spread over the inputs, not all at the middle."""
    weights = layer["weights"]
    at = np.random.default_rng(seed + 7).uniform(-1, 1, weights.shape)
    return {"weights": weights, "biases": -np.sum(weights * at, axis=0)}


@dataclasses.dataclass(frozen=True, eq=False)
class _Module:
    """A module of Equinox, which is a pytree that can be called."""

    module: Any

    def init(self, inputs: int, outputs: int, seed: int) -> Any:
        """The module's own parameters, in float64."""
        del inputs, outputs, seed
        is_array = lambda leaf: isinstance(leaf, (np.ndarray, jax.Array))  # noqa: E731
        return jax.tree.map(
            lambda leaf: np.asarray(leaf, np.float64) if is_array(leaf) else leaf, self.module
        )

    def apply(self, params: Any, z: jax.Array) -> jax.Array:
        """See `Network`."""
        return jnp.atleast_1d(params(z))


@dataclasses.dataclass(frozen=True, eq=False)
class _Linen:
    """A module of Flax's linen API."""

    module: Any

    def init(self, inputs: int, outputs: int, seed: int) -> Any:
        """The module's own initial parameters, in float64."""
        del outputs
        params = self.module.init(jax.random.key(seed), jnp.zeros(inputs))
        return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)

    def apply(self, params: Any, z: jax.Array) -> jax.Array:
        """See `Network`."""
        return jnp.atleast_1d(self.module.apply(params, z))


def as_network(network: Any) -> Network:
    """A network, or a module as one.

    Raises:
        ConfigError: It is neither.
    """
    if any(base.__module__.startswith("flax.linen") for base in type(network).__mro__):
        return _Linen(network)
    if hasattr(network, "init") and hasattr(network, "apply"):
        return network
    if callable(network) and not jax.tree_util.all_leaves([network]):
        return _Module(network)
    raise ConfigError(
        f"`network` is of type {type(network).__name__}, but `pde.MLP(...)`, a module of Equinox "
        "or Flax, or an object with `init(inputs, outputs, seed)` and `apply(params, z)` was "
        "expected"
    )
