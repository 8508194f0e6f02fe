"""Files that are never half written: written beside, then renamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

READABLE = 0o644


def replace_file(path: Path, text: str) -> None:
    """Write a text file that all may read, as a whole or not at all.

    Raises:
        OSError: It cannot be written; what was there before still is.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.chmod(READABLE)
    beside.replace(path)
