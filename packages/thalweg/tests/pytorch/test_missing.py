"""Without PyTorch, `thalweg.torch` says how to install it."""

import importlib.util

import pytest

import thalweg.torch
from thalweg.errors import MissingExtraError


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed")
@pytest.mark.parametrize("call", [thalweg.torch.fit, thalweg.torch.to_jax])
def test_the_extra_is_named(call):
    """At the call, as the module itself can be imported."""
    with pytest.raises(MissingExtraError, match=r"thalweg\[torch\]"):
        call(None, ())
