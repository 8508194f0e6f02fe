"""Errors within a called function: exceptions of C++, and what GSL reports.

GSL's default handler of errors prints and ends the process. Once a function of a library that has
GSL is made, a handler from here stands in its place, unless the program has set one of its own: it
keeps the message and sets a flag; GSL's function then returns what it does in such cases, NaN
mostly. Loops that are to raise look at that flag after each call. It is one flag for all threads,
so that where several call GSL at once, an error may be seen by another thread than the one it is
of.

Source: GSL manual, "Error Handling".
"""

import ctypes
import threading
from typing import Any

from libufunc.errors import CalledError

GSL_FLAG = ctypes.c_int(0)
_SETTER = "gsl_set_error_handler"
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int)
_last = threading.local()
_done: set[int] = set()


class _CalledError(CalledError):
    """Raised by its class alone; it takes up the message that was kept."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or getattr(_last, "message", ""))


_CalledError.__name__ = _CalledError.__qualname__ = "CalledError"


def called_error(message: bytes | None) -> type[CalledError]:
    """The class to raise for a message, which a loop gives to Python.

    Args:
        message: Of the exception; `None` stands for the last one of GSL's.

    Returns:
        A class that takes up the message when it is raised.
    """
    if message is not None:  # else GSL's handler has kept it
        _last.message = message.decode("utf-8", "replace")
    return _CalledError


@_HANDLER
def _keep(reason: bytes, file: bytes, line: int, code: int) -> None:
    """What GSL calls instead of ending the process."""
    words = (reason or b"").decode("utf-8", "replace")
    place = (file or b"").decode("utf-8", "replace")
    _last.message = f"GSL: {words} (error {code}, {place}:{line})"
    GSL_FLAG.value = 1


def keep_gsl_from_aborting(library: Any) -> None:
    """Put the handler in place, where a library has GSL and the program has set no handler."""
    if not library.has(_SETTER):
        return
    address = library.address(_SETTER)
    if address in _done:
        return
    _done.add(address)
    setter = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(address)
    before = setter(ctypes.cast(_keep, ctypes.c_void_p))
    if before:
        setter(before)
