"""Loops compiled by the machine's C compiler, through cffi.

The C compiler knows every type of its own, so all signatures work, complex numbers on every
processor included. A loop takes about a second to compile; it is kept in the cache folder
(`$LIBUFUNC_CACHE`, else `~/.cache/libufunc` or the system's own place for caches) and loaded in
about a millisecond ever after.
"""

import contextlib
import os
import shutil
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path
from typing import Any

from libufunc.c_source import HEAD, write_c
from libufunc.errors import NoLoopError
from libufunc.plans import Plan
from libufunc.preprocessing import c_compiler

# Runs in a process of its own: compilers print, and setuptools changes the folder.
_BUILD = """if True:
    import sys, cffi
    name, folder, declaration, ending = sys.argv[1:]
    builder = cffi.FFI()
    builder.cdef(declaration)
    libraries = ["stdc++"] if ending == ".cpp" else []
    builder.set_source(
        name,
        sys.stdin.read(),
        extra_compile_args=["-O2"],
        source_extension=ending,
        libraries=libraries,
    )
    print(builder.compile(tmpdir=folder))
"""
_kept: dict[str, tuple[Any, int]] = {}  # module and address by key of plan
_lock = threading.Lock()


def is_installed() -> bool:
    """Whether cffi, setuptools and a C compiler are here."""
    import importlib.util

    found = all(importlib.util.find_spec(name) for name in ("cffi", "setuptools"))
    return found and _compiler() is not None


def compile_loop(plan: Plan) -> int:
    """Compile a loop, once on a machine.

    Returns:
        Its address, valid for the rest of the process.

    Raises:
        NoLoopError: The compiler failed; the message has the reason.
    """
    with _lock:
        if plan.key not in _kept:
            _kept[plan.key] = _load(write_c(plan))
        return _kept[plan.key][1]


def cache_folder() -> Path:
    """Where compiled loops are kept."""
    if given := os.environ.get("LIBUFUNC_CACHE"):
        return Path(given)
    places = {
        "win32": os.environ.get("LOCALAPPDATA"),
        "darwin": str(Path.home() / "Library/Caches"),
    }
    default = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(places.get(sys.platform) or default) / "libufunc"


def _load(source: str) -> tuple[Any, int]:
    """The module with this loop, from the cache or fresh, and the loop's address."""
    import hashlib

    tag = sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag
    machine = sysconfig.get_platform()
    name = "loop_" + hashlib.sha256(f"{tag} {machine}\n{source}".encode()).hexdigest()[:24]
    for kept in _kept_files(name):
        with contextlib.suppress(ImportError, AttributeError):
            return _imported(name, kept)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        made = _compile(name, source, scratch)
        with contextlib.suppress(OSError):  # a cache that cannot be written is done without
            made = _keep(name, made)
        return _imported(name, made)


def _imported(name: str, file: Path) -> tuple[Any, int]:
    import importlib.util

    spec = importlib.util.spec_from_file_location(name, file)
    assert spec  # noqa: S101 - the ending is that of an extension module
    assert spec.loader  # noqa: S101 - as above
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, int(module.ffi.cast("uintptr_t", module.ffi.addressof(module.lib, "loop")))


def _kept_files(name: str) -> list[Path]:
    """What the cache has of a loop and is whole: loading half a file would end the process."""
    try:
        files = sorted(cache_folder().glob(f"{name}-*"))
        return [file for file in files if file.name.startswith(f"{name}-{_digest(file)}.")]
    except OSError:
        return []


def _keep(name: str, made: Path) -> Path:
    """Copy a compiled loop into the cache, whole or not at all; its name says what it holds."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"{name}-{_digest(made)}.{made.name.partition('.')[2]}"
    handle, part = tempfile.mkstemp(dir=folder)
    os.close(handle)
    try:
        shutil.copyfile(made, part)
        Path(part).chmod(0o700)
        return Path(part).replace(target)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise


def _digest(file: Path) -> str:
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()[:24]


def _compile(name: str, source: str, scratch: str) -> Path:
    """Compile in a folder of its own.

    Raises:
        NoLoopError: The compiler failed.
    """
    import subprocess

    done = subprocess.run(  # noqa: S603 - Python itself, with code of our own
        [sys.executable, "-c", _BUILD, name, scratch, f"{HEAD};", _ending(source)],
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr or done.stdout).strip()
        raise NoLoopError(
            f"the C compiler could not make a loop ({reason}); check that it works, or install "
            "`libufunc[numba]`."
        )
    return Path(done.stdout.splitlines()[-1])


def _ending(source: str) -> str:
    """How a file with a loop ends: loops that catch exceptions are in C++."""
    return ".cpp" if "catch (" in source else ".c"


def _compiler() -> str | None:
    """The C compiler that setuptools will call; on Windows it looks for one by itself."""
    return "cl" if sys.platform == "win32" else c_compiler()
