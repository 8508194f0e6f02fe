"""One thread for BLAS while a jitted loop runs.

XLA computes on threads of its own, which wait for work by spinning. LAPACK's threads, started for a
factorisation in the middle of a step, then fight them for the same cores: on two cores a step with
a factorisation of order 500 took 1.7 times as long as with one BLAS thread. The setting is that of
the whole process, so it is only held while a run lasts, and put back after it.
"""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread within the block."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@functools.cache
def _controller() -> Any:
    """The libraries that are loaded. To look for them takes as long as many a fit, so: once."""
    import scipy.linalg  # noqa: F401 - its BLAS is the one XLA calls; it must be loaded to be held
    import threadpoolctl

    return threadpoolctl.ThreadpoolController()
