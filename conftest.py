"""Lets pytest run every Python example in the Markdown files, top to bottom, one namespace a file.

An example proves itself: it fails where it raises, so it states what it shows by `assert`.
"""

import collections
import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

CLEAN_UP = "_clean_up"

# What XLA compiles is kept for the other workers, for the commands that tests start, and for the
# next run; read by JAX when it is imported.
KEPT_PROGRAMS = {
    "JAX_COMPILATION_CACHE_DIR": str(Path(__file__).parent / "build" / "jax-cache"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
for variable, setting in KEPT_PROGRAMS.items():
    os.environ.setdefault(variable, setting)

# The tests that `make quick` leaves out, a line each; `make slow-tests` writes the file.
SLOW_TESTS = Path(__file__).parent / "tests" / "slow.txt"
MOMENT = 0.4  # seconds from which a test, all its parameters together, is slow

KEPT_BYTES = 2 * 2**30  # of all programs, several versions of them

# A shell starts what it puts in the background with SIGINT ignored, and children inherit that; the
# tests of Ctrl-C must hold there too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples every time, so that a failure is of the change at hand; searching on is for the
# long modes. An example that takes long on a busy machine is no failure.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def enter_scratch_folder(namespace: dict[str, Any]) -> None:
    """Give the examples of one document an empty folder to write to, and note JAX's float64 flag.

    Examples switch the flag on as a user would; the tests after them must not notice. JAX is not
    imported for documents that do without it.
    """
    clean_up = namespace[CLEAN_UP] = contextlib.ExitStack()
    before = "jax" in sys.modules and sys.modules["jax"].config.jax_enable_x64
    clean_up.callback(restore_float64_flag, before)
    folder = clean_up.enter_context(tempfile.TemporaryDirectory())
    clean_up.callback(os.chdir, Path.cwd())
    os.chdir(folder)


def restore_float64_flag(before: bool) -> None:  # noqa: FBT001 - a callback
    """Set JAX's flag as it was, where JAX has been imported."""
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", before)


def leave_scratch_folder(namespace: dict[str, Any]) -> None:
    """Undo `enter_scratch_folder`."""
    namespace[CLEAN_UP].close()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    pattern="*.md",
    setup=enter_scratch_folder,
    teardown=leave_scratch_folder,
).pytest()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Two options that the Makefile's targets have names for."""
    group = parser.getgroup("thalweg")
    group.addoption("--quick", action="store_true", help="leave out the tests of tests/slow.txt")
    group.addoption("--record-slow", action="store_true", help="write tests/slow.txt again")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--quick`, leave out what is known to be slow; a new test is quick until it is timed."""
    if config.getoption("quick"):
        slow = set(SLOW_TESTS.read_text("utf-8").splitlines())
        left_out = [item for item in items if test_of(item.nodeid) in slow]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if test_of(item.nodeid) not in slow]


def test_of(nodeid: str) -> str:
    """A test without its parameters; all examples of a document are one."""
    path, _, name = nodeid.partition("::")
    return path if path.endswith(".md") else f"{path}::{name.partition('[')[0]}"


class SlowTests:
    """Adds up what each test takes, and writes the names of the slow ones.

    Tests that did not run keep their place in the file, so that a part of them can be timed again.
    """

    def __init__(self) -> None:
        self.seconds: collections.Counter[str] = collections.Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note of a test, or of what sets it up or cleans up after it."""
        self.seconds[test_of(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        before = SLOW_TESTS.read_text("utf-8").splitlines() if SLOW_TESTS.exists() else []
        kept = {name for name in before if name not in self.seconds}
        slow = {name for name, seconds in self.seconds.items() if seconds >= MOMENT}
        SLOW_TESTS.write_text("".join(f"{name}\n" for name in sorted(kept | slow)), "utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Once, in the process that all reports come to: listen to them, and mend the cache.

    A run that was killed may have left entries that are cut short. JAX never replaces them, so each
    later run would compile these programs again.
    """
    if hasattr(config, "workerinput"):
        return
    if config.getoption("record_slow"):
        config.pluginmanager.register(SlowTests())
    programs = Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
    if programs.is_dir():
        from thalweg.compilation_cache import tidy

        tidy(programs, max_bytes=KEPT_BYTES)
