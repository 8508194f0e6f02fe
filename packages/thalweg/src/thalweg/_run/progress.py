"""One live line on stderr while a run goes on: loss, |∇L|, h, rejected steps, time left.

Nothing is printed where stderr is not a terminal, so that logs and pipes stay clean. The line is
drawn only when a method reports, from the thread that runs it, and at most `REDRAWS_PER_SECOND`
times a second, so that it costs no measurable time.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from typing import TYPE_CHECKING

from thalweg.stop import DEFAULT_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thalweg._recorder import Snapshot
    from thalweg.stop import Stop

REDRAWS_PER_SECOND = 10


@contextlib.contextmanager
def progress_line(stop: Stop, *, label: str, enabled: bool) -> Iterator[Callable[[Snapshot], None]]:
    """A context that draws one line on stderr and redraws it at every snapshot shown.

    The line says `compiling` until the first snapshot, and keeps the last one when the context
    is left.

    Args:
        stop: The criteria of the run; its budget in seconds gives the time left.
        label: What runs, in a few words, such as the name of the method.
        enabled: Whether a line is wanted at all. It is left out too where stderr is no terminal.

    Yields:
        `show(snapshot)`, which never raises on account of numbers that are not finite.
    """
    if not (enabled and sys.stderr.isatty()):
        yield _show_nothing
        return

    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    budget = DEFAULT_SECONDS if stop.is_open else stop.seconds
    drawn = time.monotonic() - 1 / REDRAWS_PER_SECOND
    last: Snapshot | None = None

    def line(snapshot: Snapshot | None) -> Text:
        words = "compiling" if snapshot is None else describe(snapshot, budget=budget)
        return Text(f"{label}  {words}", no_wrap=True, overflow="ellipsis")

    console = Console(stderr=True)
    with Live(line(None), console=console, auto_refresh=False, redirect_stderr=False) as live:

        def show(snapshot: Snapshot) -> None:
            nonlocal drawn, last
            last = snapshot
            now = time.monotonic()
            if now - drawn >= 1 / REDRAWS_PER_SECOND:
                drawn = now
                live.update(line(snapshot), refresh=True)

        try:
            yield show
        finally:
            if last is not None:
                live.update(line(last), refresh=True)


def describe(snapshot: Snapshot, *, budget: float | None) -> str:
    """A snapshot in one line of text.

    Args:
        snapshot: Where the run stands.
        budget: Seconds that the run may take, or None.

    Returns:
        For example `loss 1.2e-07  |∇L| 3.4e-05  h 1.0e+03  rejected 2  6.4 s left`, without |∇L|
        where it is not known.
    """
    gradient = "" if math.isnan(snapshot.grad_norm) else f"|∇L| {snapshot.grad_norm:.1e}  "
    rest = (
        f"{snapshot.seconds:.1f} s"
        if budget is None
        else f"{max(budget - snapshot.seconds, 0):.1f} s left"
    )
    return (
        f"loss {snapshot.loss:.1e}  {gradient}h {snapshot.h:.1e}  "
        f"rejected {snapshot.rejected}  {rest}"
    )


def _show_nothing(_: Snapshot) -> None:
    """Stands in for `show` where there is no terminal."""
