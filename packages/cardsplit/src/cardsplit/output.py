"""Results that are there as a whole or not at all.

What is written lies in a hidden folder or file beside its place until all of it is written; then
it is renamed. An interrupt or a full disk leaves what was there before.
"""

import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Self

from cardsplit.errors import OutputError

STANDARD_OUTPUT = "-"
_BUFFER = 1 << 20
_LONGEST = 200  # letters of a name that the name of a hidden folder takes over
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL


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
        if sys.stdout is None:  # what Python makes of a closed one
            raise OutputError("standard output is closed, but the result goes there; give `-o`.")
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


class Replacements:
    """Files that are replaced together.

    Use as a context manager; left with an exception, it leaves every file as it was.
    """

    def __init__(self, backup_suffix: str = "") -> None:
        """Start without files.

        Args:
            backup_suffix: What stands behind the name of a file's backup; `""` for no backups.
        """
        self._suffix = backup_suffix
        self._folders = contextlib.ExitStack()
        self._written: list[tuple[str, Path, Path]] = []  # name, place, and its new content

    @contextlib.contextmanager
    def new_file(self, name: str) -> Iterator[BinaryIO]:
        """Write the new content of a file, with its permissions, beside it."""
        path = Path(os.path.realpath(name))
        try:
            folder = self._folders.enter_context(
                tempfile.TemporaryDirectory(prefix=f".{path.name[:_LONGEST]}.", dir=path.parent)
            )
            written = Path(folder, "new")
            with written.open("wb", buffering=_BUFFER) as file:
                yield file
            shutil.copymode(path, written)
        except OSError as error:
            raise unwritable(name, error) from error
        self._written.append((name, path, written))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._folders:
            if kind is None:
                self._publish()

    def _publish(self) -> None:
        """Replace all files; where one cannot be, put those back that were."""
        with contextlib.ExitStack() as undoing, uninterrupted():
            for name, path, written in self._written:
                kept = Path(f"{name}{self._suffix}" if self._suffix else written.with_name("old"))
                try:
                    undoing.callback(_remove, kept)
                    shutil.copy2(path, kept)
                    written.replace(path)
                except OSError as error:
                    raise unwritable(kept if written.exists() else name, error) from error
                undoing.callback(shutil.copy2, kept, path)
            undoing.pop_all()


def _remove(path: Path) -> None:
    """Remove a file, if it is there and that can be done."""
    with contextlib.suppress(OSError):
        path.unlink()


class StagedFiles:
    """New files of a folder that appear together.

    Use as a context manager; left with an exception, it leaves nothing behind.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        """Prepare to write.

        Args:
            folder: Where the files go; made if it is missing.
            prefix: What the hidden folder is called in which they are written.
        """
        self._folder = folder
        self._prefix = prefix
        self._file = -1  # its descriptor, as a file object costs as much as a small part
        self._count = 0

    def __enter__(self) -> Self:
        try:
            self._new_folders = _missing(self._folder)
            self._folder.mkdir(parents=True, exist_ok=True)
            self._hidden = tempfile.mkdtemp(prefix=f".{self._prefix}.", dir=self._folder)
            self._at_folder = os.open(self._folder, os.O_RDONLY)
            self._at_hidden = os.open(self._hidden, os.O_RDONLY)
        except OSError as error:
            raise unwritable(self._folder, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        with contextlib.suppress(OSError):
            self._close()
        shutil.rmtree(self._hidden, ignore_errors=True)
        os.close(self._at_hidden)
        os.close(self._at_folder)
        if kind is not None:
            for folder in self._new_folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        if isinstance(error, OSError):
            raise unwritable(self._folder, error) from error

    def _close(self) -> None:
        """Finish the file that was started last."""
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)

    def begin(self) -> None:
        """Start the next file."""
        self._close()
        self._count += 1
        self._file = os.open(str(self._count), _NEW_FILE, 0o666, dir_fd=self._at_hidden)

    def write(self, data: memoryview) -> None:
        """Add to the file that was started last."""
        while data:
            data = data[os.write(self._file, data) :]

    def publish(self, name: Callable[[int], str], stale: Iterable[Path] = ()) -> None:
        """Put all files at their places, and remove others.

        Args:
            name: Gives the name of a file by its number, from 1.
            stale: Files to remove, unless they have been replaced.
        """
        self._close()
        with uninterrupted():
            for number in range(1, self._count + 1):
                os.rename(
                    str(number),
                    name(number),
                    src_dir_fd=self._at_hidden,
                    dst_dir_fd=self._at_folder,
                )
            for old in stale:
                number = int(old.name.rsplit(".", 2)[1])
                if not (1 <= number <= self._count and old.name == name(number)):
                    old.unlink()


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let signals that ask the program to stop wait, while files appear one after the other.

    Blocking them would not do: another thread, as of a progress bar, would take them.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python runs handlers in the main thread alone
        return
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda which, _: came.append(which))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        for number in came[:1]:
            signal.raise_signal(number)


def part_name(prefix: str, count: int) -> Callable[[int], str]:
    """How so many parts are called: `adr.001.vcf` and so on, with more digits where there are more.

    Returns:
        A function from the number of a part, from 1, to its name.
    """
    width = max(3, len(str(count)))
    return lambda number: f"{prefix}.{number:0{width}}.vcf"


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
