"""What tests with JAX need and the library never sets itself: float64."""

import jax

jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
