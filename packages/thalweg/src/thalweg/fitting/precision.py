"""float64 within a block, whatever JAX's flag says; the flag of the caller stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


def float64() -> AbstractContextManager[None]:
    """Compute in float64 within the block, in this thread."""
    return jax.enable_x64(True)  # noqa: FBT003 - as JAX has it
