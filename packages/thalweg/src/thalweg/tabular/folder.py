"""Folders and files that appear whole or not at all: written under another name, then renamed.

An existing folder is replaced only on request, and only if it is a model.
"""

from __future__ import annotations

import contextlib
import errno
import secrets
import shutil
from typing import TYPE_CHECKING

from thalweg._util.files import reason_of
from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MARK = "model.json"  # a folder that holds this is a model


def refuse_folder(folder: Path, *, force: bool) -> None:
    """Refuse, before any work is done, a folder that could not be written.

    Args:
        folder: The folder to write.
        force: Whether an existing model may be replaced.

    Raises:
        ConfigError: It exists, or its parent folder cannot be written to.
    """
    if folder.exists() or folder.is_symlink():
        if not force:
            raise _exists(folder)
        is_model = folder.is_dir() and not folder.is_symlink()
        if not is_model or (any(folder.iterdir()) and not (folder / MARK).is_file()):
            raise ConfigError(
                f"`{folder}` is not a model, so `--force` does not replace it; name another folder "
                "by `--out`"
            )
    with _beside(folder, refused(folder)) as trial:
        trial.mkdir()


def write_folder(folder: Path, write: Callable[[Path], object], *, force: bool) -> None:
    """Write a folder as a whole.

    Args:
        folder: The folder; missing parent folders are created.
        write: Writes all files into the folder that it is given.
        force: Whether an existing model may be replaced.

    Raises:
        ConfigError: It cannot be written; then nothing was written.
    """
    refuse_folder(folder, force=force)
    with _beside(folder, refused(folder)) as new:
        new.mkdir()
        write(new)
        old = None
        if force and folder.exists():
            old = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError as error:
            if old is not None:
                old.rename(folder)
            if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:  # made by another run meanwhile
                raise _exists(folder) from error
            raise
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)


def _exists(folder: Path) -> ConfigError:
    return ConfigError(
        f"`{folder}` exists already; name another folder by `--out`, or replace the model in it by "
        "`--force`"
    )


@contextlib.contextmanager
def output_file(path: Path) -> Iterator[Path]:
    """A temporary path for a file, renamed to the file when the block ends without an exception.

    Raises:
        ConfigError: It cannot be written; then the file is unchanged.
    """
    if path.is_dir():
        raise ConfigError(f"`{path}` is a folder, but a file to write to was expected")
    with _beside(path, refused(path)) as new:
        yield new
        new.replace(path)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """A temporary folder next to a path, removed when the block ends.

    Raises:
        ConfigError: It cannot be written to.
    """
    with _beside(path, refused(path)) as new:
        new.mkdir()
        yield new


@contextlib.contextmanager
def _beside(path: Path, refusal: Callable[[OSError], ConfigError]) -> Iterator[Path]:
    """A temporary path next to `path`, removed at the end; missing parent folders are created."""
    made = [above for above in path.absolute().parents if not above.exists()]
    new = path.absolute().with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        if new.parent.exists() and not new.parent.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"`{path.parent}` is not a folder")
        new.parent.mkdir(parents=True, exist_ok=True)
        yield new
    except OSError as error:
        raise refusal(error) from error
    finally:
        if new.is_dir():
            shutil.rmtree(new, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                new.unlink()
        for above in made:  # innermost first; those that are not empty stay
            with contextlib.suppress(OSError):
                above.rmdir()


def refused(path: Path) -> Callable[[OSError], ConfigError]:
    """The error to raise if the system refuses to write to a path."""

    def refusal(error: OSError) -> ConfigError:
        return ConfigError(
            f"`{path}` cannot be written ({reason_of(error)}); nothing was kept, so make room or "
            "name another place by `--out`"
        )

    return refusal
