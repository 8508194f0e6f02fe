"""Compiled programs kept on disk, so that the next process loads what this one compiled.

Compiling takes seconds where a run may take one. JAX can keep compiled programs in a folder, under
a key of the program, the compiler and its options. Here it gets a folder for each kind of
processor, and all of them together are kept below `MAX_BYTES`.

    ~/.cache/thalweg/compiled/PROCESSOR/PROGRAM-KEY-cache        what JAX keeps
    ~/.cache/thalweg/compiled/PROCESSOR/thalweg_KEY-program      what `flow.on_disk` keeps

JAX would bound the folder itself, by `jax_compilation_cache_max_size`. That needs filelock, locks
and writes at every access, so that a read-only folder is of no use, and reads a file for each entry
whenever one is added. Here the bound is kept when a process begins.

Decision: docs/decisions/0033-compiled-programs-on-disk.md.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import os
import platform
import time
import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTING = "THALWEG_COMPILATION_CACHE"  # the environment variable; `off` switches the cache off
ON, OFF = frozenset({"", "on", "1", "true", "yes"}), frozenset({"off", "0", "false", "no"})
MAX_BYTES = 256 * 2**20  # of all entries when a process begins; a problem leaves about 0.3 MiB
KEPT_SHARE = 0.75  # of the bound that is left where entries are removed
CHECKED = ".checked"  # its time says up to when entries were checked for damage
SETTLED_SECONDS = 60.0  # an entry younger than this may still be being written
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # what entries begin with where JAX finds a Zstandard library
# What JAX says where an entry cannot be read or written. It then compiles, as without a cache.
COMPLAINT = "Error (reading|writing) persistent compilation cache entry"


class CacheStatus(NamedTuple):
    """Where compiled programs are kept, if they are.

    Attributes:
        folder: The folder; empty where there is none.
        size: Bytes in it; 0 for a folder that was named to JAX.
        is_ours: Whether it is thalweg's, which is kept below `MAX_BYTES`.
        problem: Why programs are not kept; empty where they are.
    """

    folder: str
    size: int
    is_ours: bool
    problem: str = ""


def cache_compiled_programs() -> Path | None:
    """Keep compiled programs on disk, for this process and those after it.

    Call it once, before the first run. It sets JAX's configuration, so all that the process
    compiles is kept, thalweg's programs and others. Results are the same bit for bit. The folder is
    `thalweg/compiled` in `$XDG_CACHE_HOME` or `~/.cache`. Entries that were used least recently are
    removed when a process begins and finds more than 256 MiB.

    A folder that was named to JAX, as by `JAX_COMPILATION_CACHE_DIR`, is left as it is and used
    instead. The environment variable `THALWEG_COMPILATION_CACHE=off` switches the cache off.

    Returns:
        The folder, or None where programs are not kept: the cache is off, or the folder cannot be
        created.

    Raises:
        ConfigError: `THALWEG_COMPILATION_CACHE` is neither `on` nor `off`.
    """
    import jax

    status = cache_status()
    if status.problem:
        return None
    if status.is_ours:
        tidy(default_folder())
        # Where warnings are errors, a damaged entry would otherwise end the run.
        warnings.filterwarnings("ignore", COMPLAINT, UserWarning)
        jax.config.update("jax_compilation_cache_dir", status.folder)
        # By default JAX keeps only what took a second to compile.
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    return Path(status.folder)


def cache_status() -> CacheStatus:
    """What `cache_compiled_programs` does or would do; creates the folder where it is missing.

    Raises:
        ConfigError: `THALWEG_COMPILATION_CACHE` is neither `on` nor `off`.
    """
    import jax

    is_on = _is_on()
    own = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if not jax.config.jax_enable_compilation_cache:  # pyright: ignore[reportAttributeAccessIssue]
        return CacheStatus("", 0, is_ours=False, problem="JAX's compilation cache is switched off")
    try:
        root = default_folder()
        if own and Path(own).parent != root:
            return CacheStatus(own, 0, is_ours=False)
        if not is_on:
            return CacheStatus("", 0, is_ours=True, problem=f"switched off by `{SETTING}`")
        folder = root / processor_key()
        # Programs are loaded and run, so nobody else may write here.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home folder
        return CacheStatus("", 0, is_ours=True, problem=f"no folder can be created ({error})")
    return CacheStatus(str(folder), sum(entry.size for entry in _entries(root)), is_ours=True)


def own_folder() -> Path | None:
    """The folder that this process keeps programs in, if it keeps them and the folder is ours."""
    import jax

    if not jax.config.jax_enable_compilation_cache:  # pyright: ignore[reportAttributeAccessIssue]
        return None
    folder = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    return Path(folder) if folder and Path(folder).parent == default_folder() else None


def default_folder() -> Path:
    """`thalweg/compiled` in the user's cache folder, by the XDG Base Directory Specification."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    caches = Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()
    return caches / "thalweg" / "compiled"


def _is_on() -> bool:
    """Whether the environment leaves the cache on.

    Raises:
        ConfigError: It says something else.
    """
    value = os.environ.get(SETTING, "").strip().lower()
    if value not in ON | OFF:
        raise ConfigError(f"`{SETTING}` is `{value}`, but `on` or `off` was expected")
    return value in ON


def processor_key(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What tells kinds of processors apart: a home folder may be shared by several machines.

    Programs use the instructions of the processor that they were compiled on.
    """
    facts = [platform.system(), platform.machine(), platform.processor()]
    with contextlib.suppress(OSError):
        first, _, _ = cpuinfo.read_text(encoding="utf-8", errors="replace").partition("\n\n")
        named = ("model name", "flags", "Features", "CPU ")
        facts += [line for line in first.splitlines() if line.startswith(named)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


# -------------------------------------------------------------------------------- keeping it small


class _Entry(NamedTuple):
    """A file in the cache: its last use (as the file system knows it), its age and its size."""

    path: Path
    used: float
    written: float
    size: int


def _entries(root: Path) -> Iterator[_Entry]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(OSError):  # another process has removed it
                found = path.stat()
                used = max(found.st_atime, found.st_mtime)
                yield _Entry(path, used, found.st_mtime, found.st_size)


def tidy(root: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Remove damaged entries, and those used least recently where there are too many.

    Args:
        root: The folder. What cannot be read or removed is left.
        max_bytes: The most that may be in it.
    """
    with contextlib.suppress(OSError):
        entries = sorted(_entries(root), key=lambda entry: entry.used)
        stamp = root / CHECKED
        began = time.time()
        last = stamp.stat().st_mtime if stamp.exists() else 0.0
        stamp.touch()  # where the folder is read-only, nothing below would help
        os.utime(stamp, (began, began))
        for entry in entries:
            is_new = last - SETTLED_SECONDS < entry.written < began - SETTLED_SECONDS
            if is_new and _is_damaged(entry.path):
                entry.path.unlink(missing_ok=True)
        total = sum(entry.size for entry in entries)
        if total <= max_bytes:
            return
        for entry in entries:
            if total <= KEPT_SHARE * max_bytes:
                break
            entry.path.unlink(missing_ok=True)
            total -= entry.size


def _is_damaged(path: Path) -> bool:
    """Whether an entry cannot be decompressed; False for files of other kinds.

    JAX never replaces an entry: one that a full disk cut short would be compiled every time.
    """
    if not path.name.endswith("-cache"):
        return False
    try:
        data = path.read_bytes()
    except OSError:  # another process has removed it
        return False
    library: Any = _zstd() if data.startswith(ZSTD_MAGIC) else zlib
    if library is None:
        return False
    try:
        library.decompress(data)
    except (zlib.error, getattr(library, "ZstdError", zlib.error)):
        return True
    return False


def _zstd() -> Any:
    """The library by which JAX compresses where there is one; None where there is none."""
    for name in ("compression.zstd", "zstandard"):  # Python has it from 3.14 on
        with contextlib.suppress(ImportError):
            return importlib.import_module(name)
    return None
