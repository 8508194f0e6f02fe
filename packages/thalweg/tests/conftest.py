"""What tests need and the library itself never sets: JAX's float64 flag, and a Ctrl-C that works."""

import signal

import jax

jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it

# A shell starts what it puts in the background with SIGINT ignored, and children inherit that;
# the tests of Ctrl-C must hold there too.
signal.signal(signal.SIGINT, signal.default_int_handler)
