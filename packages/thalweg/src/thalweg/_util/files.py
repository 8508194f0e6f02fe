"""Files that are whole or not there: written beside, forced to the disk, then renamed."""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # pyright: ignore[reportAssignmentType]

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def reason_of(error: OSError) -> str:
    """The system's reason as part of a sentence, such as `no space left on device`."""
    reason = error.strerror or str(error)
    return f"{reason[:1].lower()}{reason[1:]}"


@contextlib.contextmanager
def whole_file(path: Path, *, writer: int = 0) -> Iterator[Path]:
    """A place beside a file to write it to; it takes the file's name where the block ends well.

    A process that is killed meanwhile leaves the old file as it was, and a hidden `.name.part`
    that the next attempt writes over. After a power cut the file is the old one or the new one.
    Several processes may write the same file: each has a place of its own, and the last one wins.

    Args:
        path: The file.
        writer: Which of several processes writes it, from 0; for file systems without locks.

    Raises:
        OSError: It cannot be written; then the file is as it was.
    """
    with _own_place(path, writer) as new:
        try:
            yield new
            with new.open("rb") as file:
                os.fsync(file.fileno())
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def _own_place(path: Path, writer: int) -> Iterator[Path]:
    """The first of `.name.part`, `.name.part1`, ... that no other process is writing to.

    The lock ends with the process, however it ends, so what a killed one left is taken over.
    """
    for number in itertools.count(writer):
        place = path.with_name(f".{path.name}.part{number or ''}")
        with place.open("ab") as file:
            if _is_ours(place, file.fileno()):
                yield place
                return


def _is_ours(place: Path, descriptor: int) -> bool:
    """Whether the lock was free and the open file still has its name, not moved meanwhile."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    try:
        return os.path.samestat(os.fstat(descriptor), place.stat())
    except FileNotFoundError:
        return False
