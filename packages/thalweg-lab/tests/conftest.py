"""float64 for all tests of thalweg-lab."""

import jax_in_tests  # noqa: F401 - it sets float64
