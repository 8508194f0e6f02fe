"""Networks of fields, written out once more in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import pde
from thalweg.errors import ConfigError
from thalweg.pde.networks import as_network

Z = np.array([0.3, -0.7])


def test_a_plain_network_is_its_layers():
    """First biases are such that each unit turns at a point of the box of inputs."""
    network = pde.MLP(5, 2, "sin")
    params = network.init(2, 3, seed=1)
    first, second, last = ((layer["weights"], layer["biases"]) for layer in params)
    hidden = np.sin(np.sin(Z @ first[0] + first[1]) @ second[0] + second[1])
    expected = hidden @ last[0] + last[1]
    np.testing.assert_allclose(network.apply(params, jnp.asarray(Z)), expected, rtol=1e-12)
    assert np.all(np.abs(first[1]) <= np.abs(first[0]).sum(axis=0))
    assert np.ptp(first[1]) > 0


def test_a_gated_network_mixes_two_encodings():
    """Each layer weighs the encodings U and V by its own output."""
    network = pde.ModifiedMLP(4, 2)
    params = network.init(2, 1, seed=1)
    u, v = (np.tanh(Z @ gate["weights"] + gate["biases"]) for gate in params["gates"])
    z = Z
    for layer in params["layers"][:-1]:
        z = np.tanh(z @ layer["weights"] + layer["biases"])
        z = z * u + (1 - z) * v
    expected = z @ params["layers"][-1]["weights"] + params["layers"][-1]["biases"]
    np.testing.assert_allclose(network.apply(params, jnp.asarray(Z)), expected, rtol=1e-12)
    assert not np.allclose(u, v)


def test_fourier_features_have_waves_of_the_scale_that_is_asked_for():
    """They are part of the network and not trained; sines and cosines of the same waves."""
    network = pde.MLP(6, 1, fourier=400, fourier_scale=3.0)
    params = network.init(2, 1, seed=0)
    assert params[0]["weights"].shape == (800, 6)
    features = network._features  # noqa: SLF001 - what the first layer sees
    slopes = jax.jacfwd(features)(jnp.zeros(2))[400:]  # of the sines at 0: the wave numbers
    assert np.std(slopes) == pytest.approx(3.0, rel=0.1)
    found = features(jnp.asarray(Z))
    np.testing.assert_allclose(found[:400] ** 2 + found[400:] ** 2, 1, rtol=1e-12)


def test_a_module_of_flax_is_a_network():
    """Those of the linen API."""
    linen = pytest.importorskip("flax.linen", reason="Flax is not installed")
    network = as_network(linen.Dense(2))
    params = network.init(3, 2, seed=0)
    assert network.apply(params, jnp.ones(3)).shape == (2,)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pde.MLP(activation="relu"), "derivatives need a smooth one"),
        (lambda: pde.MLP(width=0), "a size below 1"),
        (lambda: as_network(jnp.tanh), "`network` is of type"),
    ],
)
def test_what_is_no_network(make, words: str):
    """Refused in a sentence."""
    with pytest.raises(ConfigError, match=words):
        make()
