"""Keeps the processor's floating-point mode while a library is loaded.

A library linked with `-ffast-math` switches the thread that loads it to flush subnormals: from then
on `5e-324 * 1.0` is 0 in the whole thread, and in threads that it starts. C's `fegetenv` and
`fesetenv` save and restore that mode together with rounding and traps, so loading changes nothing.

Source: ISO C99, 7.6.4; Intel's Software Developer's Manual, volume 1, 10.2.3 (FTZ and DAZ).
"""

import contextlib
import ctypes
from collections.abc import Iterator
from functools import cache

from libufunc.platforms import load

# glibc's fenv_t has 32 bytes on x86-64 and 8 on AArch64; no platform comes near this.
_FENV_BYTES = 512
_SMALLEST_NORMAL, _SMALLEST = 2.0**-1022, 2.0**-1074


def flushes_subnormals() -> bool:
    """Whether this thread takes subnormal numbers, or results, for zero."""
    halved = _SMALLEST_NORMAL * 0.5
    kept = _SMALLEST * 1.0
    # Compared as text: under the mode looked for, a comparison too takes a subnormal for zero.
    return "0.0" in {repr(halved), repr(kept)} or not _SMALLEST > 0


@contextlib.contextmanager
def kept_floating_point_mode() -> Iterator[None]:
    """Restore rounding, traps and the treatment of subnormals at the end, whatever happens."""
    maths = _maths()
    mode = ctypes.create_string_buffer(_FENV_BYTES)
    maths.fegetenv(mode)
    try:
        yield
    finally:
        maths.fesetenv(mode)


@cache
def _maths() -> ctypes.CDLL:
    return load("m")[0]
