"""One live line while a run goes on: loss, |∇L|, h, rejected steps, time left.

In a notebook the line is below the cell. Elsewhere nothing is printed where stderr is not a
terminal, so that logs and pipes stay clean. The line is drawn only when a method reports, from the
thread that runs it, and at most `REDRAWS_PER_SECOND` times a second, so that it costs no measurable
time.
"""

from __future__ import annotations

import contextlib
import math
import sys
import time
from typing import TYPE_CHECKING, Any

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
        enabled: Whether a line is wanted at all. It is left out too where stderr is neither a
            terminal nor that of a notebook.

    Yields:
        `show(snapshot)`, which never raises on account of numbers that are not finite.
    """
    surface = _surface() if enabled else None
    if surface is None:
        yield _show_nothing
        return
    budget = DEFAULT_SECONDS if stop.is_open else stop.seconds
    drawn = time.monotonic() - 1 / REDRAWS_PER_SECOND
    last: Snapshot | None = None

    def line(snapshot: Snapshot | None) -> str:
        words = "compiling" if snapshot is None else describe(snapshot, budget=budget)
        return f"{label}  {words}"

    with surface(line(None)) as draw:

        def show(snapshot: Snapshot) -> None:
            nonlocal drawn, last
            last = snapshot
            now = time.monotonic()
            if now - drawn >= 1 / REDRAWS_PER_SECOND:
                drawn = now
                draw(line(snapshot))

        try:
            yield show
        finally:
            if last is not None:
                draw(line(last))


def _surface() -> Callable[[str], contextlib.AbstractContextManager[Callable[[str], None]]] | None:
    """Where a line can be drawn: below the cell of a notebook, or on a terminal."""
    if _in_notebook():
        return _notebook
    return _terminal if sys.stderr.isatty() else None


def _in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, whose stderr is no terminal."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


@contextlib.contextmanager
def _notebook(text: str) -> Iterator[Callable[[str], None]]:
    from IPython.display import display  # pyright: ignore[reportMissingImports]

    handle: Any = display({"text/plain": text}, raw=True, display_id=True)
    yield lambda text: handle.update({"text/plain": text}, raw=True)


@contextlib.contextmanager
def _terminal(text: str) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    def line(text: str) -> Text:
        return Text(text, no_wrap=True, overflow="ellipsis")

    console = Console(stderr=True)
    with Live(line(text), console=console, auto_refresh=False, redirect_stderr=False) as live:
        yield lambda text: live.update(line(text), refresh=True)


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
