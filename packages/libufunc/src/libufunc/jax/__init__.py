"""Bessel functions for JAX: `j0`, `j1`, `y0` and `y1`, which JAX itself lacks.

They work under `jit`, `vmap` and `grad` of every order, in float32 and float64, and hold their
accuracy for large arguments; docs/libufunc-jax.md has the measured errors.

    import jax
    from libufunc.jax import j0

    jax.config.update("jax_enable_x64", True)
    jax.vmap(jax.grad(j0))(jax.numpy.linspace(0.0, 10.0, 5))

    bridge      any ufunc of a C function as a function of JAX
    orders      `jn`, `jv` and `erf`, by that bridge and by JAX
    bessel      dtypes, signs, derivatives
    kernels     the values, by pieces and by modulus and phase
    reduction   the angle of large arguments
    exact       sums and products that keep what rounding drops
    constants   the polynomials, from coefficients.json
"""

try:
    from libufunc.jax.bessel import j0, j1, y0, y1
    from libufunc.jax.bridge import jax_function
    from libufunc.jax.orders import erf, jn, jv
except ModuleNotFoundError as error:
    raise ImportError(
        f"`libufunc.jax` needs `{error.name}`, which is not installed: "
        "pip install 'libufunc[jax]'.",
        name=error.name,
    ) from error

__all__ = ["erf", "j0", "j1", "jax_function", "jn", "jv", "y0", "y1"]
