"""Files that decide where a password is sent must not be writable by everybody.

Who can edit `url`, a recipe or a stored fingerprint gets the password. So can who may replace the
file, because a folder above it is writable by all: unless the folder is sticky, as `/tmp` is.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def why_not_trusted(path: Path) -> str | None:
    """Tell why everybody could change or replace a file; `None` if only its owner can.

    Args:
        path: The file. A missing one passes.
    """
    real, named = path.resolve(), path.absolute()
    # Folders of the link as well: who can replace the link chooses the file.
    for place in dict.fromkeys((real, *real.parents, *named.parents)):
        try:
            mode = place.stat().st_mode
        except OSError:
            continue
        sticky_folder = stat.S_ISDIR(mode) and mode & stat.S_ISVTX
        if mode & stat.S_IWOTH and not sticky_folder:
            return (
                "can be changed by everybody on this machine, who would then get the password: "
                f"`{place}` has mode {stat.S_IMODE(mode):o}; run: chmod o-w {place}"
            )
    return None
