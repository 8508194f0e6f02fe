"""Files that are whole or not there: written beside, forced to the disk, then renamed."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

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

    Args:
        path: The file.
        writer: Which of several processes writes it, from 0: each has a place of its own.

    Raises:
        OSError: It cannot be written; then the file is as it was.
    """
    new = path.with_name(f".{path.name}.part{writer or ''}")
    try:
        yield new
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
