"""What XLA is asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg._util import xla


@pytest.fixture
def _asked_anew():
    xla.compiler_options.cache_clear()
    yield
    xla.compiler_options.cache_clear()


@pytest.mark.usefixtures("_asked_anew")
def test_an_option_that_xla_does_not_know_is_left_out(monkeypatch):
    """A later XLA may have dropped it; then programs are compiled as by default."""
    monkeypatch.setattr(xla, "QUICK", {"xla_no_such_option": True})
    assert xla.compiler_options() == {}
    assert xla.quick_jit(lambda x: x + 1)(1) == 2


@pytest.mark.usefixtures("_asked_anew")
def test_on_a_gpu_there_is_no_such_option(monkeypatch):
    """It belongs to the compiler for CPUs."""
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert xla.compiler_options() == {}


def test_the_option_is_known_and_changes_no_more_than_rounding():
    """Where this fails, XLA has dropped the option, and first runs have become slower."""
    assert xla.compiler_options() == xla.QUICK

    def loss(w):
        return jnp.sum(jnp.tanh(jnp.outer(w, w)) ** 2)

    w = np.linspace(-1, 1, 7, dtype=np.float32)
    quick, plain = xla.quick_jit(jax.grad(loss))(w), jax.jit(jax.grad(loss))(w)
    np.testing.assert_allclose(quick, plain, rtol=1e-5, atol=1e-6)
