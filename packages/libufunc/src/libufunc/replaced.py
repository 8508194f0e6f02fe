"""By which name to open a library whose file has been replaced since it was opened.

The dynamic linker opens a path once: asked again, it gives the library that it has, whatever the
file is by then. It compares names before it looks at files. So another spelling of the path,
`folder/./libmine.so`, opens the new file; one that was written over in place, and still is the same
file for the linker, is copied first.

Source: glibc, `_dl_map_object` (elf/dl-load.c).
"""

import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Opened:
    """What a file was when it was opened, and by which name that was."""

    stamp: _Stamp
    name: str
    times: int


_opened: dict[str, _Opened] = {}
_copies: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends
_lock = threading.Lock()


def name_to_open(name: str) -> str:
    """The name that opens the file as it is now.

    Args:
        name: A path; a short name, such as `m`, is given back, as the linker looks it up.
    """
    path = Path(name)
    if path.name == name:
        return name
    try:
        stamp = _stamp(path)
    except OSError:
        return name  # the linker says what is wrong
    with _lock:
        before = _opened.get(name)
        if before is None:
            _opened[name] = _Opened(stamp, name, 0)
        elif before.stamp != stamp:
            times = before.times + 1
            same_file = before.stamp[:2] == stamp[:2]
            other = _copy(path) if same_file else _respelled(path, times)
            _opened[name] = _Opened(stamp, other, times)
        return _opened[name].name


def _stamp(path: Path) -> _Stamp:
    """Which file it is, and which state of it."""
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _respelled(path: Path, times: int) -> str:
    """The same path in another spelling; folders that it is relative to stay the same."""
    return f"{path.parent}{times * '/.'}/{path.name}"


def _copy(path: Path) -> str:
    folder = tempfile.TemporaryDirectory(prefix="libufunc-")
    _copies.append(folder)
    return str(shutil.copy2(path, folder.name))
