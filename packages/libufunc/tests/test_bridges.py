"""C functions under JAX's and numba's compilers, and on several threads."""

import numpy as np
import pytest
from scipy import special

from libufunc import Library, PrototypeError, c_function, ccall, threaded
from libufunc import threads as threads_module

M = Library("m")


def test_a_function_of_c_works_under_jit_vmap_and_grad():
    """With the derivative that is given, which may be derived again."""
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    with jax.enable_x64(True):  # noqa: FBT003 - JAX's own interface
        sine = M.sin.jax(derivative=jnp.cos)
        x = jnp.linspace(-2.0, 2.0, 7)
        for compute in (sine, jax.jit(sine), jax.vmap(sine), jax.jit(jax.vmap(sine))):
            assert np.array_equal(compute(x), M.sin(np.asarray(x)))
        assert np.allclose(jax.vmap(jax.grad(sine))(x), jnp.cos(x), rtol=1e-15)
        assert jax.grad(jax.grad(sine))(0.5) == pytest.approx(-np.sin(0.5))
        assert jax.jit(jax.grad(lambda v: sine(v).sum()))(x).shape == (7,)


def test_a_ufunc_offers_jax_where_numpy_lets_it():
    """`ccall(...).jax(derivative=...)`, as a function of a `Library` does."""
    jax = pytest.importorskip("jax")
    erf = ccall("double erf(double)", "m")
    if not hasattr(erf, "jax"):
        pytest.skip(f"ufuncs of NumPy {np.__version__} take no attributes")
    with jax.enable_x64(True):  # noqa: FBT003 - as above
        slope = jax.grad(erf.jax(derivative=lambda x: 2 / np.sqrt(np.pi) * jax.numpy.exp(-x * x)))
        x = np.linspace(-1, 1, 5)
        assert np.allclose(jax.jit(jax.vmap(slope))(x), 2 / np.sqrt(np.pi) * np.exp(-x * x))
    assert ccall("double j0(double)", "m").jax is not erf.jax


def test_each_input_has_its_derivative_and_types_are_kept():
    """Two inputs that broadcast; float32 stays; what has no derivative says so."""
    jax = pytest.importorskip("jax")
    from libufunc.jax import jax_function

    with jax.enable_x64(True):  # noqa: FBT003 - as above
        hypot = jax_function(
            ccall("double hypot(double, double)", "m"),
            derivative=(lambda x, y: x / hypot(x, y), lambda x, y: y / hypot(x, y)),
        )
        assert hypot(jax.numpy.array([3.0, 5.0]), 4.0)[0] == 5
        assert jax.grad(hypot, argnums=(0, 1))(3.0, 4.0) == pytest.approx((0.6, 0.8))
        erf = M.erf.jax()
        assert erf(np.float32(0.5)).dtype == np.float32
        with pytest.raises(TypeError, match="no derivative by argument 1"):
            jax.grad(erf)(0.5)
    with pytest.raises(ValueError, match="2 inputs, but 1"):
        M.hypot.jax(derivative=lambda x: x)
    with pytest.raises(ValueError, match="several outputs"):
        M.modf.jax()


def test_bessel_functions_of_any_order_are_those_of_scipy():
    """Values and derivatives, under the transformations."""
    jax = pytest.importorskip("jax")
    from libufunc.jax import erf, jn, jv

    with jax.enable_x64(True):  # noqa: FBT003 - as above
        x = np.linspace(0.1, 20, 40)
        for n in (0, 1, 2, 5):
            assert np.allclose(jax.jit(jn)(n, x), special.jn(n, x), atol=1e-14)
            slope = jax.vmap(jax.grad(jn, argnums=1), (None, 0))(n, x)
            assert np.allclose(slope, special.jvp(n, x), atol=1e-14)
            assert np.allclose(jv(n + 0.5, x), special.jv(n + 0.5, x), rtol=1e-15)
            slope = jax.vmap(jax.grad(jv, argnums=1), (None, 0))(n + 0.5, x)
            assert np.allclose(slope, special.jvp(n + 0.5, x), atol=1e-13)
        assert np.allclose(erf(x), special.erf(x), rtol=1e-14)
        with pytest.raises(TypeError, match="argument 1"):
            jax.grad(jv)(0.5, 1.0)


def test_derivatives_of_y0_and_y1_at_0_are_infinite():
    """Both functions fall to -∞ there: the slope is ∞, and not NaN."""
    jax = pytest.importorskip("jax")
    from libufunc.jax import y0, y1

    for dtype in (np.float32, np.float64):
        with jax.enable_x64(True):  # noqa: FBT003 - as above
            for function in (y0, y1):
                assert jax.grad(function)(dtype(0)) == np.inf
                assert np.isfinite(jax.grad(function)(dtype(1e-3)))


def test_numba_compiles_calls_of_a_c_function():
    """In `njit`, one number at a time."""
    numba = pytest.importorskip("numba")
    erf, jn = c_function(M.erf), c_function(ccall("double jn(int, double)", "m"))

    @numba.njit
    def total(x: np.ndarray) -> float:
        s = 0.0
        for k in range(x.size):
            s += erf(x[k]) * jn(2, x[k])
        return s

    x = np.linspace(0, 3, 100)
    assert total(x) == pytest.approx((special.erf(x) * special.jn(2, x)).sum(), rel=1e-12)
    assert c_function(M.erf[np.float32])(0.5) == pytest.approx(special.erf(0.5), rel=1e-6)
    for other in (np.sin, M.modf, M.csin, M.sinl):
        with pytest.raises(PrototypeError):
            c_function(other)


@pytest.mark.parametrize("shape", [(60, 7), (7, 60), (3, 40, 5), (200,), (2, 2)])
def test_threads_reduce_in_the_order_of_numpy(shape: tuple, monkeypatch: pytest.MonkeyPatch):
    """Bit for bit, for each axis, though `fdim` is not associative."""
    monkeypatch.setattr(threads_module, "SMALLEST", 1)
    x = np.random.default_rng(1).normal(size=shape)
    for function in (M.hypot, M.fdim):
        parts = threaded(function, threads=3)
        for axis in range(-x.ndim, x.ndim):
            assert np.array_equal(parts.reduce(x, axis), function.reduce(x, axis))
        assert np.array_equal(parts.reduce(x, keepdims=True), function.reduce(x, keepdims=True))
    with pytest.raises(ValueError, match="axis"):
        threaded(M.hypot, threads=3).reduce(x, 9)


@pytest.mark.parametrize("order", "CF")
def test_results_of_threads_lie_in_memory_as_numpys(order: str, monkeypatch: pytest.MonkeyPatch):
    """In the order of the input."""
    monkeypatch.setattr(threads_module, "SMALLEST", 1)
    x = np.asarray(np.random.default_rng(1).normal(size=(9, 5, 4)), order=order)
    for view in (x, x.transpose(1, 0, 2), x[::2]):
        found, expected = threaded(M.erf, threads=2)(view), M.erf(view)
        assert np.array_equal(found, expected)
        assert found.strides == expected.strides
