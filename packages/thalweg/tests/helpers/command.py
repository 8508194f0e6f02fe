"""The command `thalweg` as a user runs it: with pipes, or on a terminal where Ctrl-C is pressed."""

import functools
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

HELPERS = Path(__file__).parent  # scripts that tests run in processes of their own
COMMAND = str(Path(sysconfig.get_path("scripts"), "thalweg"))
PATIENCE = 240  # seconds for a run on a busy machine


def _variables() -> dict[str, str]:
    """The environment, without what pytest notes there for each test."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@functools.cache
def _first_variables() -> dict[str, str]:
    """Those of the process that forks."""
    return _variables()


@functools.cache
def _forking() -> subprocess.Popen[str]:
    """The process whose forks run commands; it ends with this one, when its stdin is closed."""
    return subprocess.Popen(
        [sys.executable, str(HELPERS / "commands_here.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with files for stdout and stderr.

    Importing takes longer than most commands, so the process is a fork of one that has imported
    JAX, Polars and scikit-learn; where variables differ it is a new one.

    Args:
        *arguments: What follows `thalweg`.
        **environment: Variables beside those of this process.
    """
    if environment or _variables() != _first_variables():
        return run_anew(*arguments, **environment)
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        command = {"arguments": arguments, "folder": os.getcwd()}  # noqa: PTH109 - as text
        text = json.dumps({**command, "out": str(out), "err": str(err)})
        process = _forking()
        assert process.stdin is not None
        assert process.stdout is not None
        print(text, file=process.stdin, flush=True)
        status = int(process.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, out.read_text(), err.read_text())


def run_anew(
    *arguments: str, blocks: int | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would, with pipes for stdout and stderr.

    Args:
        *arguments: What follows `thalweg`.
        blocks: The largest file that the command may write, in blocks of 512 bytes: writing more
            fails as it does on a full disk.
        **environment: Variables beside those of this process.
    """
    limit = [] if blocks is None else ["sh", "-c", f'ulimit -f {blocks}; exec "$0" "$@"']
    return subprocess.run(
        [*limit, COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, **environment},
    )


def interrupt_when(
    seen_pattern: str, *arguments: str, by: signal.Signals = signal.SIGINT
) -> tuple[int, str, str]:
    """Run on a terminal, press Ctrl-C once stderr shows a pattern; status, stdout and stderr.

    Args:
        seen_pattern: What is waited for.
        *arguments: What follows `thalweg`.
        by: The signal that is sent.
    """
    outer, inner = pty.openpty()
    with subprocess.Popen(
        [COMMAND, *arguments],
        stdout=subprocess.PIPE,
        stderr=inner,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(inner)
        seen, is_interrupted = "", False
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if not select.select([outer], [], [], 1.0)[0]:
                continue
            try:
                part = os.read(outer, 65536)
            except OSError:  # how Linux says that the other side was closed
                break
            if not part:
                break
            seen += part.decode(errors="replace")
            if not is_interrupted and re.search(seen_pattern, seen):
                process.send_signal(by)
                is_interrupted = True
        os.close(outer)
        assert is_interrupted, seen
        assert process.stdout is not None
        out = process.stdout.read().decode()
        return process.wait(PATIENCE), out, seen
