"""The demo with tiny budgets, made once for all tests that look at what it leaves behind."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from thalweg_lab.demo import DemoResult, run_demo

SECONDS = 0.3


@functools.cache
def small_demo() -> DemoResult:
    """The result of a demo that runs at the first call; its folder is gone after the last test."""
    above = Path(tempfile.mkdtemp(prefix="thalweg-demo-"))
    atexit.register(shutil.rmtree, above, ignore_errors=True)
    return run_demo(above / "new" / "folder", seconds=SECONDS)
