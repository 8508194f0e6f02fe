"""What tests with JAX need and the library never sets itself: float64, and a working Ctrl-C."""

import signal

import jax

jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it

# A shell starts what it puts in the background with SIGINT ignored, and children inherit that;
# the tests of Ctrl-C must hold there too.
signal.signal(signal.SIGINT, signal.default_int_handler)
