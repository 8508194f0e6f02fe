"""Compiled programs on disk: loaded by the next process, and never in the way of a run.

What is compiled and what is loaded is counted by JAX's own events, in processes of their own.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from command import COMMAND, HELPERS, PATIENCE
from thalweg import compilation_cache
from thalweg.compilation_cache import CHECKED, SETTLED_SECONDS, processor_key, tidy
from thalweg.errors import ConfigError

OLD = 10 * SETTLED_SECONDS


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """This process's environment with a cache folder of its own, and without that of the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    return {**kept, "XDG_CACHE_HOME": str(folder), **variables}


def start(
    folder: Path, *, method: str = "", blocks: int | None = None, **variables: str
) -> subprocess.Popen[str]:
    """Begin the run of `cached_run.py`, where warnings are errors.

    Args:
        folder: The user's folder of caches.
        method: `two` for a method with a successor; otherwise one that is compiled quickly.
        blocks: The largest file that the process may write, as on a full disk.
        **variables: Further variables of its environment.
    """
    limit = [] if blocks is None else ["sh", "-c", f'ulimit -f {blocks}; exec "$0" "$@"']
    return subprocess.Popen(
        [*limit, sys.executable, "-W", "error", str(HELPERS / "cached_run.py"), method],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder, **variables),
    )


def result(process: subprocess.Popen[str]) -> dict[str, Any]:
    """What it printed; nothing went to stderr."""
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    return json.loads(out)


def entries(folder: Path, kind: str = "cache") -> list[Path]:
    """The programs in the cache: what JAX keeps, or the `program`s that thalweg does."""
    return sorted((folder / "thalweg" / "compiled").rglob(f"*-{kind}"))


def test_a_second_process_compiles_nothing_and_finds_the_same(tmp_path: Path):
    """Nor lowers anything; the run is the same bit for bit, as it is without the cache.

    One of the programs calls LAPACK, which JAX looks up where it lowers such a call.
    """
    without = result(start(tmp_path, method="two", THALWEG_COMPILATION_CACHE="off"))
    assert (without["folder"], without["loaded"], entries(tmp_path)) == (None, 0, [])
    first, second = (result(start(tmp_path, method="two")) for _ in range(2))
    assert "took over" in first["outcome"]
    assert first["loaded"] == 0
    programs = entries(tmp_path, "program")
    assert first["lowered"] >= len(programs) > 1
    assert first["asked"] == len(entries(tmp_path)) + len(programs)  # each once
    assert second["lowered"] == first["lowered"] - len(programs)
    assert second["loaded"] == second["asked"]
    assert second["folder"] == str(entries(tmp_path)[0].parent)
    assert without["digest"] == first["digest"] == second["digest"]


def test_a_program_that_cannot_be_kept_by_us_is_kept_by_jax(tmp_path: Path):
    """Folders stand in the way here. Nor is one written that JAX has loaded: it would be broken."""
    first = result(start(tmp_path, method="two"))
    programs = entries(tmp_path, "program")
    for path in programs:
        path.unlink()
        path.mkdir()
    second, third = (result(start(tmp_path, method="two")) for _ in range(2))
    assert second["lowered"] == third["lowered"] == first["lowered"]
    assert second["asked"] - second["loaded"] == len(programs)
    assert third["loaded"] == third["asked"] == len(entries(tmp_path))
    for path in programs:
        path.rmdir()
    fourth, fifth = (result(start(tmp_path, method="two")) for _ in range(2))
    assert fourth["loaded"] == fifth["loaded"] == third["loaded"]
    assert entries(tmp_path, "program") == []
    found = (first, second, third, fourth, fifth)
    assert len({one["digest"] for one in found}) == 1


def test_a_damaged_program_is_compiled_again_and_replaced(tmp_path: Path):
    """Loaded, it could crash the process."""
    first = result(start(tmp_path))
    whole = {path: path.read_bytes() for path in entries(tmp_path, "program")}
    for path, content in whole.items():
        path.write_bytes(content[: len(content) // 2])
    second, third = (result(start(tmp_path)) for _ in range(2))
    assert second["lowered"] == first["lowered"] > third["lowered"]
    assert all(len(path.read_bytes()) > len(content) / 2 for path, content in whole.items())
    assert first["digest"] == second["digest"] == third["digest"]


def test_two_processes_at_once_do_not_disturb_each_other(tmp_path: Path):
    """Both find the same, silently, and leave whole entries for a third."""
    both = [start(tmp_path) for _ in range(2)]
    found = [result(process) for process in both]
    third = result(start(tmp_path))
    assert found[0]["digest"] == found[1]["digest"] == third["digest"]
    assert third["loaded"] == third["asked"]


def test_a_home_that_cannot_be_written_to_means_no_cache(tmp_path: Path):
    """Silently: where a file stands in the way of the folder, programs are compiled."""
    (tmp_path / "thalweg").touch()
    found = result(start(tmp_path))
    assert (found["folder"], found["loaded"]) == (None, 0)


def test_entries_cut_short_by_a_full_disk_are_passed_over_and_later_replaced(tmp_path: Path):
    """Silently; JAX would compile such a program in every process, as it replaces no entry."""
    full = result(start(tmp_path, blocks=0))
    assert {path.stat().st_size for path in entries(tmp_path)} == {0}
    passed_over = result(start(tmp_path))
    assert passed_over["loaded"] == 0
    for path in entries(tmp_path):
        os.utime(path, (time.time() - OLD, time.time() - OLD))
    (tmp_path / "thalweg" / "compiled" / CHECKED).unlink(missing_ok=True)
    replaced, loaded = (result(start(tmp_path)) for _ in range(2))
    assert replaced["loaded"] == 0
    assert loaded["loaded"] == loaded["asked"]
    assert full["digest"] == passed_over["digest"] == loaded["digest"]


def test_a_folder_that_was_named_to_jax_is_left_as_it_is(tmp_path: Path):
    """By a variable of JAX: it is used, with JAX's own thresholds, and ours is not made."""
    found = result(start(tmp_path, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own")))
    assert found["folder"] == str(tmp_path / "own")
    assert entries(tmp_path) == []
    assert found["least_seconds"] == 1.0


def test_a_setting_that_is_neither_on_nor_off_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """By name; so that a slip does not leave the cache on."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("THALWEG_COMPILATION_CACHE", "of")
    with pytest.raises(ConfigError, match="`THALWEG_COMPILATION_CACHE` is `of`"):
        compilation_cache.cache_status()


@pytest.mark.parametrize("home", ["relative/caches", ""])
def test_the_folder_follows_the_xdg_specification(home: str, monkeypatch: pytest.MonkeyPatch):
    """A relative `XDG_CACHE_HOME` is ignored, as is an empty one."""
    monkeypatch.setenv("XDG_CACHE_HOME", home)
    monkeypatch.setenv("HOME", "/somewhere")
    assert compilation_cache.default_folder() == Path("/somewhere/.cache/thalweg/compiled")


def made(folder: Path, name: str, *, size: int, age: float) -> Path:
    """A file of a size that was written and used some seconds ago."""
    path = folder / name
    path.write_bytes(b"0" * size)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def test_the_least_recently_used_go_where_there_is_too_much(tmp_path: Path):
    """Down to three quarters of the bound, across the folders of all processors."""
    other = tmp_path / "other"
    other.mkdir()
    paths = [
        made(other if k % 2 else tmp_path, f"{k}", size=100, age=OLD * (10 - k)) for k in range(8)
    ]
    tidy(tmp_path, max_bytes=800)
    assert all(path.exists() for path in paths)
    os.utime(paths[0])  # it has been used since
    tidy(tmp_path, max_bytes=799)
    assert [path.exists() for path in paths] == [True, *[False] * 3, *[True] * 4]


def test_an_entry_that_may_still_be_being_written_is_left(tmp_path: Path):
    """A damaged one goes only when it has been at rest for a minute."""
    young = made(tmp_path, "young-cache", size=10, age=SETTLED_SECONDS / 2)
    old = made(tmp_path, "old-cache", size=10, age=OLD)
    tidy(tmp_path)
    assert (young.exists(), old.exists()) == (True, False)


def test_each_kind_of_processor_has_a_folder_of_its_own(tmp_path: Path):
    """Told apart by model and instructions, not by what changes from hour to hour."""

    def key(flags: str, megahertz: str) -> str:
        text = f"processor\t: 0\nmodel name\t: A\ncpu MHz\t: {megahertz}\nflags\t: {flags}\n\nmore"
        path = tmp_path / "cpuinfo"
        path.write_text(text)
        return processor_key(path)

    assert key("avx avx2", "2100") == key("avx avx2", "3300") != key("avx avx2 avx512f", "2100")


def test_what_a_command_sets_up_keeps_programs_and_the_doctor_says_where(tmp_path: Path):
    """Also for the processes that it starts; the doctor names the folder and how to leave it."""
    script = """if True:
        import subprocess, sys
        from thalweg.cli.common import set_up_jax
        set_up_jax()
        import jax
        jax.jit(lambda x: x * 1.5)(2.0)
        subprocess.run([sys.executable, "-c", "import jax; jax.jit(lambda x: x * 2.5)(2.0)"])
    """
    subprocess.run([sys.executable, "-c", script], check=True, env=environment(tmp_path))
    assert len(entries(tmp_path)) == 2
    (check,) = (c for c in doctor(tmp_path)["checks"] if c["name"] == "compilation cache")
    assert check["is_ok"]
    assert f"`{entries(tmp_path)[0].parent}`" in check["found"]
    assert "THALWEG_COMPILATION_CACHE=off" in check["found"]


def test_the_doctor_says_why_there_is_no_cache(tmp_path: Path):
    """It is no fault: switched off, or a home that cannot be written to."""
    off = doctor(tmp_path, THALWEG_COMPILATION_CACHE="off")
    (tmp_path / "thalweg").touch()
    unable = doctor(tmp_path)
    for diagnosis, reason in ((off, "switched off by"), (unable, "no folder can be created")):
        (check,) = (c for c in diagnosis["checks"] if c["name"] == "compilation cache")
        assert (diagnosis["is_sound"], check["is_ok"], check["is_needed"]) == (True, False, False)
        assert reason in check["found"]


def doctor(folder: Path, **variables: str) -> dict[str, Any]:
    """What the doctor finds with a folder of caches."""
    done = subprocess.run(
        [COMMAND, "doctor", "--json"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
        env=environment(folder, **variables),
    )
    return json.loads(done.stdout)
