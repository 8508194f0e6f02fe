"""A progress bar on stderr for work of over a second, if a person is looking at it."""

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
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __call__(self, size: int) -> None:
        """Note that so many more bytes have been read."""
        self._done += size
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)
        elif time.monotonic() > self._show_from:
            self._start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, TransferSpeedColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=self.total, completed=self._done)
        self._bar.start()
