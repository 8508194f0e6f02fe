"""The command as a process: how it ends when a stream is full or closed, or a signal comes.

Whatever happens, a person reads one sentence on stderr and no traceback, and the exit status says
what it was.
"""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

import click

from cardsplit.errors import CardsplitError, UsageError

FAILED, WRONG_USAGE, ODD_INPUT = 1, 2, 3
SIGNALLED = 128  # plus the number of the signal, as shells have it: 130 after Ctrl-C
_SIGNALS = ("SIGTERM", "SIGHUP")  # what else asks a program to stop; Windows lacks the second


class Stopped(KeyboardInterrupt):
    """A signal other than that of Ctrl-C asks the program to stop.

    It is raised where the program is, as Ctrl-C is, so what is half written is removed.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def heed_signals() -> None:
    """Let the signals that ask a program to stop do so as Ctrl-C does, unless they are ignored."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Stopped(number)

    for number in filter(None, (getattr(signal, name, None) for name in _SIGNALS)):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)


def say(text: str) -> None:
    """Write a line on stderr; where that is full or closed, nobody reads it."""
    with contextlib.suppress(OSError):
        click.echo(f"cardsplit: {text}", err=True)


@contextlib.contextmanager
def failures_as_sentences() -> Iterator[None]:
    """Turn exceptions into a sentence on stderr and an exit status.

    Raises:
        click.exceptions.Exit: With the status.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name may have letters a terminal lacks
    try:
        yield
    except CardsplitError as error:
        say(str(error))
        status, cause = WRONG_USAGE if isinstance(error, UsageError) else FAILED, error
    except BrokenPipeError as error:  # whoever read stdout has seen enough
        status, cause = FAILED, error
    except OSError as error:
        place = f"`{error.filename}`" if error.filename else "standard output"
        say(f"{place} cannot be written: the system says: {error.strerror}")
        status, cause = FAILED, error
    except KeyboardInterrupt as error:
        number = error.number if isinstance(error, Stopped) else signal.SIGINT
        say(f"interrupted by {signal.Signals(number).name}; no file is half written")
        status, cause = SIGNALLED + number, error
    else:
        return
    _give_up_stdout()
    raise click.exceptions.Exit(status) from cause


def _give_up_stdout() -> None:
    """Keep the interpreter from writing again, when it ends, what stdout has refused."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (AttributeError, ValueError):
        pass  # there is no stdout, or it is closed
