"""Files change under a running process: libraries that are rebuilt, and caches that are damaged."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from libufunc import Library, c_loops, ccall
from libufunc.plans import plans_for
from libufunc.prototypes import parse_prototype

PROTOTYPE = "double f(double)"


def built(shared_library, number: int) -> Path:
    """A library whose `f` gives a number."""
    return Path(shared_library(f"double f(double x) {{ return {number}; }}"))


def test_a_library_rebuilt_in_place_is_opened_again(shared_library, tmp_path: Path):
    """By `ccall` and by `Library`; what was made before goes on calling the old one."""
    place = tmp_path / "libf.so"
    kept = []
    for number in range(1, 5):
        shutil.copy(built(shared_library, number), tmp_path / "new.so")
        (tmp_path / "new.so").replace(place)  # as a linker does: another file of that name
        kept.append(ccall(PROTOTYPE, place))
        assert kept[-1](0.0) == number
        assert ccall(PROTOTYPE, place) is kept[-1]
        assert Library(place, header=f"{PROTOTYPE};").f(0.0) == number
    assert [f(0.0) for f in kept] == [1, 2, 3, 4]


def test_a_library_written_over_is_opened_again(shared_library, tmp_path: Path):
    """The linker takes it for the same file, so that a copy is opened.

    In a process of its own: what was loaded from a file that is written over may crash.
    """
    first, second = built(shared_library, 1), built(shared_library, 22)
    script = """if True:
        import os, shutil, sys
        from libufunc import ccall
        first, second, place = sys.argv[1:]
        shutil.copyfile(first, place)
        assert ccall("double f(double)", place)(0.0) == 1
        before = os.stat(place).st_ino
        shutil.copyfile(second, place)
        os.utime(place, ns=(1, 1))
        assert os.stat(place).st_ino == before
        print(ccall("double f(double)", place)(0.0), flush=True)
        os._exit(0)
    """
    done = subprocess.run(
        [sys.executable, "-c", script, first, second, tmp_path / "libf.so"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "22.0\n"


def test_a_relative_dependency_is_found_by_the_rebuilt_library_too(shared_library, tmp_path: Path):
    """`$ORIGIN` still means the library's folder."""
    part = Path(shared_library("double part(double x) { return x + 1; }", "-Wl,-soname,libpart.so"))
    shutil.copy(part, tmp_path / "libpart.so")
    for number in (1, 2):
        made = shared_library(
            f"double part(double); double whole(double x) {{ return {number} * part(x); }}",
            f"-L{tmp_path}",
            "-Wl,--no-as-needed",
            "-l:libpart.so",
            "-Wl,-rpath,$ORIGIN",
        )
        shutil.copy(made, tmp_path / "new.so")
        (tmp_path / "new.so").replace(tmp_path / "libwhole.so")
        assert ccall("double whole(double)", tmp_path / "libwhole.so")(2.0) == 3 * number


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of loops for one test, and no memory of what has been loaded."""
    if not c_loops.is_installed():
        pytest.skip("no C compiler on this machine")
    monkeypatch.setenv("LIBUFUNC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(c_loops, "_kept", {})
    return tmp_path / "cache"


PLAN = plans_for(parse_prototype("double f(double, double, double, double)"))[0]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "changed"])
def test_a_damaged_cache_is_made_again(damage: str, cache: Path, monkeypatch: pytest.MonkeyPatch):
    """Half a file, none, another one, and one bit: the loop is compiled once more, and kept."""
    assert c_loops.compile_loop(PLAN)
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    damaged = {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"no", "changed": changed}
    kept.unlink()  # the old file is in this process's memory
    kept.write_bytes(damaged[damage])
    monkeypatch.setattr(c_loops, "_kept", {})
    assert c_loops.compile_loop(PLAN)
    (again,) = (file for file in c_loops._kept_files(kept.name.partition("-")[0]))  # noqa: SLF001 - whole ones
    assert again.read_bytes() != damaged[damage]


@pytest.mark.parametrize("obstacle", ["a file", "a file above", "no right"])
def test_a_cache_that_cannot_be_written_is_done_without(
    obstacle: str, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    """The loop works, and nothing is left behind."""
    if obstacle == "no right":
        cache.mkdir(mode=0o500)
        if os.access(cache, os.W_OK):
            pytest.skip("this user may write everywhere")
    else:
        cache.write_text("no folder")
    if obstacle == "a file above":
        monkeypatch.setenv("LIBUFUNC_CACHE", str(cache / "below"))
    assert c_loops.compile_loop(PLAN)
    assert cache.is_dir() or cache.read_text() == "no folder"


def test_a_full_disk_leaves_no_half_file(cache: Path, monkeypatch: pytest.MonkeyPatch):
    """What could not be copied whole is removed, and the loop works all the same."""

    def full(source: Path, target: str) -> None:
        Path(target).write_bytes(Path(source).read_bytes()[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(c_loops.shutil, "copyfile", full)
    assert c_loops.compile_loop(PLAN)
    assert list(cache.iterdir()) == []


def test_loops_of_the_cache_compute(cache: Path, shared_library, monkeypatch: pytest.MonkeyPatch):
    """Loaded from the cache, a loop gives the numbers of the fresh one."""
    from libufunc import building

    monkeypatch.setattr(building, "_made", {})
    monkeypatch.setattr(building.llvm_loops, "is_installed", lambda: False)
    path = shared_library("double f(double a, double b, double c) { return a * b + c; }")
    text = "double f(double, double, double)"
    first = ccall(text, path)(np.arange(3.0), 2.0, 1.0)
    assert len(list(cache.iterdir())) == 1
    monkeypatch.setattr(c_loops, "_kept", {})
    monkeypatch.setattr(building, "_made", {})
    monkeypatch.setenv("CC", "false")
    monkeypatch.setattr(c_loops, "_compile", None)
    assert ccall(text, path)(np.arange(3.0), 2.0, 1.0).tolist() == first.tolist() == [1, 3, 5]


def test_where_loops_are_kept(monkeypatch: pytest.MonkeyPatch):
    """As the system has it, or as the user says."""
    assert c_loops.cache_folder() == Path(os.environ["LIBUFUNC_CACHE"])
    monkeypatch.delenv("LIBUFUNC_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "caches")
    assert c_loops.cache_folder() == Path("caches/libufunc")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert c_loops.cache_folder() == Path.home() / "Library/Caches/libufunc"
    monkeypatch.setattr(sys, "platform", "win32")
    assert c_loops.is_installed()
