"""JAX's float64 flag, which tests need and the library itself never sets."""

import jax

jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
