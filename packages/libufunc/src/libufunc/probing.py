"""Tries a C function in a child process, so that a crash is an exception here.

The child loads the library and calls the function on ordinary numbers and on zeros, subnormals, the
greatest, infinities and NaN; on strings that are short, long, empty, or no number. Surviving proves
no prototype right: it only finds the wrong ones that crash, hang, leave the process, switch
subnormals off, or write beyond the room of an output.
"""

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from libufunc.errors import LibufuncError, ProbeError
from libufunc.prototypes import Prototype, parse_prototype

LIMIT_S = 30.0
_LOADING_S = 60.0  # beyond the limit: Python starts slowly on a busy machine
_LONG = 20  # bytes of a string in a message
# The child leaves at once: what the function may have broken must not count as its own crash.
_CHILD = """if True:
    import json, os, sys
    from libufunc.probing import try_out
    try_out(*json.loads(sys.argv[1]))
    os._exit(0)
"""
_ALARM = getattr(signal, "SIGALRM", 0)  # Windows has none
_REALS = (0.5, 0.0, -0.0, 1.0, -1.0, 1e10, 2.0**-1074, 1.7e308, np.inf, -np.inf, np.nan)
_INTEGERS = (1, 0, 2, 7, -1)
_STRINGS = (b"0.5", b"", b"12", b"a" * 5000, b" %s%n ", "\N{EURO SIGN}".encode())


def probe(prototype: Prototype, library: str, *, limit_s: float = LIMIT_S) -> None:
    """Try a function in a child process.

    Args:
        prototype: Of the function.
        library: Short name or path.
        limit_s: Seconds after which the function counts as hanging, from its first call.

    Raises:
        ProbeError: The child did not survive.

    Cost: about 0.3 s.
    """
    import subprocess

    task = json.dumps([str(prototype), library, limit_s])
    try:
        done = subprocess.run(  # noqa: S603 - Python itself, with code of our own
            [sys.executable, "-c", _CHILD, task],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=limit_s + _LOADING_S,
        )
        last, status = done.stdout.splitlines()[-1:], done.returncode
    except subprocess.TimeoutExpired as error:
        out = error.stdout or b""
        last, status = out.decode("utf-8", "replace").splitlines()[-1:], None
    words = last[0] if last else "loading the library"
    if words == "survived" and status == 0:
        return
    if words.startswith("refused: "):
        raise ProbeError(words.removeprefix("refused: "))
    raise ProbeError(
        f"`{prototype}` in `{library}` did not survive its trial: it {_ended(status, limit_s)} at "
        f"{words}; check the prototype."
    )


def _ended(status: int | None, limit_s: float) -> str:
    if status is None or (_ALARM and status == -_ALARM):
        return f"did not return within {limit_s:g} s"
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"left the process with status {status}"


def sample_points(inputs: str, strings: Sequence[int] = ()) -> Iterator[tuple[Any, ...]]:
    """Arguments to try.

    Args:
        inputs: NumPy's characters of the inputs.
        strings: Which of them are strings, counted from 0.
    """
    kinds = [
        _STRINGS if k in strings else _INTEGERS if np.dtype(char).kind in "iub" else _REALS
        for k, char in enumerate(inputs)
    ]
    for k in range(len(_REALS)):
        # Each operand is a step ahead of the one before it, so that odd numbers meet others.
        yield tuple(points[(k + j) % len(points)] for j, points in enumerate(kinds))


def _shown(value: float | bytes) -> str:
    """An argument in a message."""
    if isinstance(value, bytes):
        return repr(value if len(value) < _LONG else value[:_LONG] + b"...")
    return repr(float(value))


def try_out(text: str, library: str, limit_s: float = 0.0) -> None:
    """What the child does. Each line that it prints tells what comes next: it may be the last.

    Args:
        text: The prototype.
        library: Short name or path.
        limit_s: Seconds for all calls, after which the process is ended; 0 for no limit.
    """
    from libufunc.building import Recipe, build
    from libufunc.fpstate import flushes_subnormals
    from libufunc.overruns import can_be_seen, overrun
    from libufunc.symbols import open_library

    prototype = parse_prototype(text)
    try:
        ufunc = build(Recipe(prototype.name, library, (text,)), (prototype,))
    except LibufuncError as error:
        print(f"refused: {error}", flush=True)  # noqa: T201 - the parent reads it
        return
    library_opened, has_room = open_library(library), can_be_seen(prototype)
    if _ALARM:
        signal.setitimer(signal.ITIMER_REAL, limit_s)
    with np.errstate(all="ignore"):
        for point in sample_points(prototype.inputs, prototype.string_inputs):
            print(f"`{prototype.name}({', '.join(map(_shown, point))})`", flush=True)  # noqa: T201 - as above
            pairs = zip(point, prototype.inputs, strict=True)
            values = [x if isinstance(x, bytes) else np.array(x).astype(c) for x, c in pairs]
            problem = overrun(prototype, library_opened, values) if has_room else ""
            if problem:
                print(f"refused: {problem}", flush=True)  # noqa: T201 - as above
                return
            ufunc(*values)
    if flushes_subnormals():
        print(  # noqa: T201 - as above
            f"refused: `{prototype.name}` switches subnormal numbers off; it cannot be used.",
            flush=True,
        )
        return
    print("survived", flush=True)  # noqa: T201 - as above
