"""A module in JAX is the module: loss and gradient are those of PyTorch."""

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed; `make test-torch` runs this")

from torch_modules import CASES, difference


@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_are_those_of_pytorch(name):
    """To 1e-12 in float64, for the mean square of ten examples."""
    found = difference(CASES[name])
    assert found["loss"] < 1e-12
    assert found["gradient"] < 1e-12
