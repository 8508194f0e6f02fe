"""Writes the files of `thalweg bench`, each completely or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg._util.files import whole_file
from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write files, and create their folders where they are missing.

    Raises:
        ConfigError: One of them cannot be written.
    """
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with whole_file(path) as new:
                new.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"`{path}` cannot be written ({error.strerror or error}); make room or name "
                "another path, and run the command again: finished runs are kept"
            ) from error
