"""float64 for all tests of thalweg, and asserts of shared suites in full."""

import pytest

import jax_in_tests  # noqa: F401 - it sets float64

# Asserts of shared suites are shown in full only where that is asked for before they are imported.
pytest.register_assert_rewrite("method_suite", "ode_suite")
