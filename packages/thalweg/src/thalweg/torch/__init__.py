"""Modules of PyTorch, fitted by thalweg's methods. Needs `thalweg[torch]`."""

from __future__ import annotations

from thalweg.torch.fit import fit
from thalweg.torch.module import JaxModule, to_jax

__all__ = ["JaxModule", "fit", "to_jax"]
