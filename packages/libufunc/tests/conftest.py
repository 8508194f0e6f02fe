"""Libraries that the tests compile, and a cache folder of their own."""

import os
import shutil
import subprocess
from collections.abc import Callable

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

Compile = Callable[..., str]


@pytest.fixture(scope="session", autouse=True)
def _loops_in_a_scratch_folder(tmp_path_factory: pytest.TempPathFactory):
    """Compiled loops are made anew for the tests, and leave nothing behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIBUFUNC_CACHE", str(tmp_path_factory.mktemp("loops")))
        yield


@pytest.fixture(scope="session")
def shared_library(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """Compiles C to a shared library, and gives its path; skips where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler on this machine")

    def make(text: str, *flags: str) -> str:
        folder = tmp_path_factory.mktemp("library")
        source, made = folder / "made.c", folder / "libmade.so"
        source.write_text(text)
        command = [compiler, "-O2", "-shared", "-fPIC", *flags, str(source), "-o", str(made), "-lm"]
        subprocess.run(command, check=True)
        return str(made)

    return make
