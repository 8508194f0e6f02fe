"""Ctrl-C and SIGTERM end an attempt in order: it logs out first."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

from bootwatch.errors import Stopped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

SHELL_BASE = 128  # a shell reports the death by signal n as 128 + n


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Within this, the first signal raises `Stopped`, and a second one kills as usual."""

    def stop(number: int, _frame: FrameType | None) -> None:
        for one in before:
            signal.signal(one, signal.SIG_DFL)
        raise Stopped(number)

    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
