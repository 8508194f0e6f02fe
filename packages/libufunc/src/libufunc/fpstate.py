"""Keeps the processor's floating-point mode while a library is loaded.

A library linked with `-ffast-math` switches the thread that loads it to flush subnormals: from then
on `5e-324 * 1.0` is 0 in the whole thread, and in threads that it starts. C's `fegetenv` and
`fesetenv` save and restore that mode together with rounding and traps, so loading changes nothing.

Source: ISO C99, 7.6.4; Intel's Software Developer's Manual, volume 1, 10.2.3 (FTZ and DAZ).
"""

import contextlib
import ctypes
import struct
from collections.abc import Iterator
from functools import cache

from libufunc.platforms import load

# glibc's fenv_t has 32 bytes on x86-64 and 8 on AArch64; no platform comes near this.
_FENV_BYTES = 512
# Bits, since arithmetic could flush them: the least normal and the least subnormal double.
_LEAST_NORMAL, _LEAST = struct.unpack("<2d", struct.pack("<2Q", 1 << 52, 1))


def flushes_subnormals() -> bool:
    """Whether this thread takes subnormal numbers, or results, for zero."""
    # Read as bits too: in the mode looked for, comparing takes a subnormal for zero as well.
    return 0 in struct.unpack("<2Q", struct.pack("<2d", _LEAST_NORMAL * 0.5, _LEAST * 1.0))


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
