"""Lets pytest run every Python example in the Markdown files, top to bottom, one namespace a file.

An example proves itself: it fails where it raises, so it states what it shows by `assert`.
"""

import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import hypothesis
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
