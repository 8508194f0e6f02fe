"""A progress bar on stderr for work of over a second, if a person is looking at it."""

import itertools
import os
import sys
import time
from types import TracebackType
from typing import Any, Self

PATIENCE = 1.0  # seconds of work that need no bar


class Progress:
    """Counts bytes and shows how far the work is. Use as a context manager, and call it.

    Attributes:
        total: Bytes that will be read in all, or `None` if some input is a pipe.
    """

    def __init__(self, names: list[str], passes: int = 1) -> None:
        """Prepare to count.

        Args:
            names: The inputs.
            passes: How often each of them is read.
        """
        sizes = [os.path.getsize(name) if os.path.isfile(name) else None for name in names]  # noqa: PTH113, PTH202 - `-` is no path
        known = [size for size in sizes if size is not None]
        self.total = sum(known) * passes if len(known) == len(sizes) else None
        self._done = 0
        self._show_from = time.monotonic() + PATIENCE if sys.stderr.isatty() else float("inf")
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, size: int) -> None:
        """Note that so many more bytes have been read."""
        self._done += size
        if self._bar is not None:
            self._bar.update(size)
        elif time.monotonic() > self._show_from:
            self._start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.render_finish()
            sys.stderr.write("\x1b[A\x1b[2K")  # up one line, which is emptied: the bar is gone

    def _start(self) -> None:
        import click

        # Of unknown length where it has only an iterator, which is never asked for anything.
        endless = itertools.repeat(None) if self.total is None else None
        self._bar = click.progressbar(
            endless,
            length=self.total,
            update_min_steps=1_000_000,
            file=sys.stderr,
            item_show_func=lambda _: f"{self._done / 1e6:,.1f} MB",
        )
        self._bar.render_progress()
        self._bar.update(self._done)
