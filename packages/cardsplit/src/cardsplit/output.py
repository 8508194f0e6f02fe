"""Results that are there as a whole or not at all.

What is written lies in a hidden folder or file beside its place until all of it is written; then
it is renamed. An interrupt or a full disk leaves what was there before.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Self

from cardsplit.errors import OutputError

STANDARD_OUTPUT = "-"
_BUFFER = 1 << 20


def unwritable(place: object, error: OSError) -> OutputError:
    """The error for a place that the system refuses."""
    return OutputError(
        f"`{place}` cannot be written: the system says: {error.strerror}; nothing was changed."
    )


@contextlib.contextmanager
def new_file(place: str, *, replacing: bool) -> Iterator[BinaryIO]:
    """Write one file, or standard output.

    Args:
        place: A path, or `-`.
        replacing: Whether a file may be there already; its permissions are kept.

    Yields:
        Where to write. The file appears at its place when the block is left without exception.

    Raises:
        OutputError: If a file is there that may not be replaced, or the system refuses.
    """
    if place == STANDARD_OUTPUT:
        try:
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise unwritable("standard output", error) from error
        return
    path = Path(os.path.realpath(place))
    if not replacing and path.exists():
        raise OutputError(f"`{place}` is there already; choose another name or give `--force`.")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            written = Path(folder, path.name)
            with written.open("wb", buffering=_BUFFER) as file:
                yield file
            if path.exists():
                shutil.copymode(path, written)
            written.replace(path)
    except OSError as error:
        raise unwritable(place, error) from error


class PartFiles:
    """A series of files `adr.001.vcf`, `adr.002.vcf`, … that appear together.

    Use as a context manager; left with an exception, it leaves nothing behind.
    """

    def __init__(self, folder: Path, prefix: str, *, replacing: bool) -> None:
        """Prepare to write.

        Args:
            folder: Where the files go; made if it is missing.
            prefix: What their names start with.
            replacing: Whether files of an earlier series may be there; all of them go.

        Raises:
            OutputError: If there are such files and they may not be replaced.
        """
        self._folder = folder
        self._prefix = prefix
        self._file: BinaryIO | None = None
        self._count = 0
        self.stale = earlier_parts(folder, prefix)
        if self.stale and not replacing:
            raise OutputError(
                f"`{self.stale[0]}` is there already, with {len(self.stale)} part(s) of the same "
                "name in all; choose another folder or `--prefix`, or give `--force`."
            )

    def __enter__(self) -> Self:
        try:
            self._new_folders = _missing(self._folder)
            self._folder.mkdir(parents=True, exist_ok=True)
            self._hidden = Path(tempfile.mkdtemp(prefix=f".{self._prefix}.", dir=self._folder))
        except OSError as error:
            raise unwritable(self._folder, error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._close()
        shutil.rmtree(self._hidden, ignore_errors=True)
        if kind is not None:
            for folder in self._new_folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def _close(self) -> None:
        """Finish the file that was started last."""
        if self._file:
            self._file.close()
            self._file = None

    def begin(self) -> None:
        """Start the next file."""
        self._close()
        self._count += 1
        self._file = (self._hidden / str(self._count)).open("wb", buffering=0)

    def write(self, data: memoryview) -> None:
        """Add to the file that was started last."""
        while data:
            data = data[self._file.write(data) :]  # type: ignore[union-attr]  # `begin` came first

    def names(self) -> list[Path]:
        """The places of the files so far, numbered so that they sort."""
        return part_paths(self._folder, self._prefix, self._count)

    def publish(self) -> list[Path]:
        """Put all files at their places, and remove those of an earlier series."""
        self._close()
        places = self.names()
        for number, place in enumerate(places, 1):
            (self._hidden / str(number)).replace(place)
        for old in set(self.stale) - set(places):
            old.unlink()
        return places


def part_paths(folder: Path, prefix: str, count: int) -> list[Path]:
    """Where so many parts go: `adr.001.vcf` and so on, with more digits where there are more."""
    width = max(3, len(str(count)))
    return [folder / f"{prefix}.{number:0{width}}.vcf" for number in range(1, count + 1)]


def earlier_parts(folder: Path, prefix: str) -> list[Path]:
    """Files that look like parts of an earlier series of the same name."""
    pattern = re.compile(re.escape(prefix) + r"\.\d{3,}\.vcf")
    try:
        return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise unwritable(folder, error) from error


def _missing(folder: Path) -> list[Path]:
    """The folders on the way to `folder` that are not there, innermost first."""
    return [place for place in (folder, *folder.parents) if not place.exists()]
