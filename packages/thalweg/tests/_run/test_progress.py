"""The progress line: seen on a terminal, silent elsewhere, and never in the way of the run."""

import os
import pty
import subprocess
import sys

from thalweg._run.progress import REDRAWS_PER_SECOND

SHOW_MANY = """
import math, sys
from thalweg._run.progress import progress_line
from thalweg._recorder import Snapshot
from thalweg.solution import Work
from thalweg.stop import Stop

with progress_line(Stop(seconds=5), label="a race", enabled={enabled}) as show:
    for step in range(2000):
        show(Snapshot(step=step, t=1.0, h=math.nan, seconds=2.0, loss=10.0 ** -(step % 9),
                      grad_norm=math.inf, rejected=step, work=Work(), theta=None))
print("done")
"""


def run_on_a_terminal(code: str) -> tuple[str, str]:
    """Run code with stderr on a pseudo-terminal; returns stdout and what the terminal got."""
    outer, inner = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=inner, env=environment
    ) as process:
        os.close(inner)
        seen = b""
        try:
            while part := os.read(outer, 65536):
                seen += part
        except OSError:  # how Linux says that the other side was closed
            pass
        os.close(outer)
        assert process.stdout is not None
        return process.stdout.read().decode(), seen.decode()


def test_a_terminal_sees_the_last_state():
    """Loss, |∇L|, h, rejected steps and time left stand in the last line drawn."""
    out, seen = run_on_a_terminal(SHOW_MANY.format(enabled=True))
    assert out == "done\n"
    assert "a race  compiling" in seen
    assert "loss 1.0e-01  |∇L| inf  h nan  rejected 1999  3.0 s left" in seen


def test_many_snapshots_are_drawn_rarely():
    """2,000 snapshots in well under a second redraw the line a few times, not 2,000 times."""
    _, seen = run_on_a_terminal(SHOW_MANY.format(enabled=True))
    assert 1 <= seen.count("rejected") <= 5 * REDRAWS_PER_SECOND


def test_nothing_is_drawn_when_it_is_not_wanted():
    """`enabled=False` leaves a terminal untouched."""
    assert run_on_a_terminal(SHOW_MANY.format(enabled=False)) == ("done\n", "")


def test_nothing_is_drawn_where_stderr_is_no_terminal():
    """A pipe gets no byte."""
    code = SHOW_MANY.format(enabled=True)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (result.stdout, result.stderr) == (b"done\n", b"")
