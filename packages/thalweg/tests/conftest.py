"""What tests need and the library never sets itself: the float64 flag, and a working Ctrl-C."""

import signal

import jax
import pytest

# Asserts of shared suites are told in full only where that is asked for before they are imported.
pytest.register_assert_rewrite("method_suite", "ode_suite")

jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it

# A shell starts what it puts in the background with SIGINT ignored, and children inherit that;
# the tests of Ctrl-C must hold there too.
signal.signal(signal.SIGINT, signal.default_int_handler)
