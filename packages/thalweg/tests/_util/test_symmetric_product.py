"""AᵀA in compiled programs is NumPy's, and XLA's where NumPy cannot be called."""

import ctypes
import time
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg._util import symmetric_product as module
from thalweg._util.symmetric_product import (
    INTERFACE,
    LEAST,
    TARGET,
    product_by_halves,
    symmetric_product,
)

RNG = np.random.default_rng(11)
LARGE = RNG.normal(size=(300, 70))
assert LARGE.shape[0] * LARGE.shape[1] ** 2 >= LEAST


def text_of(function, *arguments) -> str:
    """The compiled program."""
    return jax.jit(function).lower(*arguments).compile().as_text()


@pytest.mark.parametrize("n", [1, 7, 511, 512, 513, 1025])
@pytest.mark.parametrize("product", [symmetric_product, product_by_halves])
def test_it_is_the_plain_product(product, n):
    """Also for odd orders, and symmetric, as Cholesky reads one half only."""
    a = RNG.normal(size=(6, n))
    found = np.asarray(jax.jit(product)(jnp.asarray(a)))
    assert np.abs(found - a.T @ a).max() <= 1e-13 * (a * a).sum(axis=0).max()
    assert np.abs(found - found.T).max() <= 1e-13


@pytest.mark.parametrize("real", [np.float64, np.float32])
def test_a_large_product_is_that_of_numpy_to_the_last_bit(real):
    """The program calls it, in either precision."""
    a = LARGE.astype(real)
    assert TARGET in text_of(symmetric_product, a)
    found = np.asarray(jax.jit(symmetric_product)(a))
    assert found.dtype == real
    assert np.array_equal(found, a.T @ a)


@pytest.mark.parametrize("a", [LARGE[:5, :5], LARGE.astype(np.float16)], ids=["small", "half"])
def test_what_does_not_pay_or_cannot_be_called_is_left_to_xla(a):
    """A call takes longer than a small product; NumPy has no BLAS for half precision."""
    assert TARGET not in text_of(symmetric_product, a)
    assert np.allclose(jax.jit(symmetric_product)(a), a.T @ a, rtol=0.1, atol=0.1)


def test_rows_on_several_devices_are_left_to_xla():
    """A call would gather them all on each device."""

    def divided(a):
        return symmetric_product(a, is_divided=True)

    assert TARGET not in text_of(divided, LARGE)
    assert np.allclose(jax.jit(divided)(LARGE), LARGE.T @ LARGE, rtol=1e-12)


def test_many_at_once_are_each_on_its_own():
    """As several starts side by side are."""
    stack = RNG.normal(size=(3, 2, *LARGE.shape))
    found = jax.jit(jax.vmap(jax.vmap(symmetric_product)))(stack)
    assert TARGET in text_of(jax.vmap(jax.vmap(symmetric_product)), stack)
    assert np.array_equal(found, np.swapaxes(stack, -1, -2) @ stack)


def test_a_loop_calls_it_in_each_pass():
    """As a run does: the sum of the products of ten multiples."""

    def summed(a):
        return jax.lax.fori_loop(
            0, 10, lambda k, total: total + symmetric_product(k * a), jnp.zeros((70, 70))
        )

    found = jax.jit(summed)(LARGE)
    assert np.allclose(found, sum(k * k for k in range(10)) * LARGE.T @ LARGE, rtol=1e-13)


def test_where_xla_refuses_the_function_it_multiplies_itself(monkeypatch):
    """As a later version may that has another interface; nothing else is disturbed."""
    monkeypatch.setattr(module, "INTERFACE", (99, 0))
    monkeypatch.setattr(module, "TARGET", f"{TARGET}_refused")
    monkeypatch.setattr(module, "_known", [])
    assert not module.is_callable()

    def anew(a):  # traced for the first time
        return symmetric_product(a)

    assert "custom-call" not in text_of(anew, LARGE)
    assert np.allclose(jax.jit(anew)(LARGE), LARGE.T @ LARGE)


def test_the_interface_is_the_one_that_this_jax_has():
    """The version that is declared is one that it still takes; the sizes of its parts are XLA's."""
    assert INTERFACE[0] == 0
    assert module.is_callable()
    assert ctypes.sizeof(module._Buffer) == 6 * 8  # noqa: SLF001 - what is declared
    assert ctypes.sizeof(module._Buffers) == 5 * 8  # noqa: SLF001 - what is declared


def failing(error: BaseException, times: int) -> SimpleNamespace:
    """NumPy whose product raises at first."""
    left = [error] * times

    def matmul(*arguments, **options):
        if left:
            raise left.pop()
        return np.matmul(*arguments, **options)

    return SimpleNamespace(matmul=matmul, ctypeslib=np.ctypeslib, nan=np.nan)


def test_where_numpy_fails_the_product_is_nan(monkeypatch):
    """As where memory runs out: a step from it is never taken, and the process goes on."""
    monkeypatch.setattr(module, "np", failing(MemoryError(), 1))
    assert np.isnan(jax.jit(symmetric_product)(LARGE)).all()
    assert np.array_equal(jax.jit(symmetric_product)(LARGE), LARGE.T @ LARGE)


def test_ctrl_c_within_a_product_arrives_after_it(monkeypatch):
    """Python cannot raise through a compiled program; the product is right all the same."""
    monkeypatch.setattr(module, "np", failing(KeyboardInterrupt(), 1))
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it may come at any of these lines
        found = np.asarray(jax.jit(symmetric_product)(LARGE))
        assert np.array_equal(found, LARGE.T @ LARGE)
        time.sleep(30)
