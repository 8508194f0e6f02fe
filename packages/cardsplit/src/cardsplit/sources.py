"""Input files: opened, read, read again, and the numbers of their lines.

`-` is standard input. What cannot be read twice, such as a pipe, is copied to a temporary file
where that is needed, so every command takes a pipe.
"""

import contextlib
import io
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Self

from cardsplit.encodings import sniff, view
from cardsplit.errors import InputError, UsageError
from cardsplit.packed import is_compressed, unpack
from cardsplit.pieces import Oddity
from cardsplit.scan import CHUNK

STANDARD_INPUT = "-"
MOST_NOTES = 10  # oddities that are noted one by one


class Source:
    """An open input.

    Attributes:
        name: As the user gave it.
        size: Bytes, or `None` for a pipe that is not spooled.
    """

    def __init__(
        self, name: str, file: BinaryIO, on_read: Callable[[int], object] = lambda _: None
    ) -> None:
        self.name = name
        self._file = file
        self._on_read = on_read
        self.size = os.fstat(file.fileno()).st_size if _is_plain(file) else None

    def read(self, size: int) -> bytes:
        """The next bytes, up to `size`; `b""` at the end.

        Raises:
            InputError: If the system cannot read.
        """
        try:
            data = self._file.read(size)
        except OSError as error:
            raise _unreadable(self.name, error) from error
        self._on_read(len(data))
        return data

    def read_at(self, offset: int, size: int) -> bytes:
        """Bytes from anywhere in a file that has a size."""
        return os.pread(self._file.fileno(), size, offset)

    def rewound(self) -> Self:
        """The source, to be read from its start again."""
        self._file.seek(0)
        return self

    @property
    def encoding(self) -> str:
        """What `sniff` says of a file that has a size."""
        return sniff(self.read_at(0, 4))

    def lines_at(self, offsets: Iterable[int]) -> list[int]:
        """Numbers, from 1, of the lines that hold the bytes at some ascending offsets.

        Cost: one more reading of a file that has a size.
        """
        numbers: list[int] = []
        encoding = self.encoding
        done, line, after_cr = 0, 1, False
        for offset in offsets:
            while done < offset:
                data = view(self.read_at(done, min(CHUNK, offset - done)), encoding)
                done = min(done + CHUNK, offset)
                breaks = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
                line += breaks - (after_cr and data.startswith(b"\n"))
                after_cr = data.endswith(b"\r")
            numbers.append(line)
        return numbers


@contextlib.contextmanager
def opened(
    name: str, *, twice: bool, on_read: Callable[[int], object] = lambda _: None
) -> Iterator[Source]:
    """Open an input by its name.

    Args:
        name: A path, or `-` for standard input.
        twice: Whether it must have a size and be readable from anywhere, so that a pipe has to be
            copied to a temporary file first.
        on_read: Called with the number of further bytes read, after each reading in order.

    Yields:
        The source, closed afterwards.

    Raises:
        InputError: If there is no such file, or it cannot be read.
    """
    with contextlib.ExitStack() as stack:
        try:
            if name == STANDARD_INPUT:
                if sys.stdin is None:  # what Python makes of a closed one
                    raise InputError("standard input is closed, but `-` reads it; give a file.")
                file: BinaryIO = sys.stdin.buffer
                if isinstance(file, io.BufferedReader) and is_compressed(file):
                    copy = stack.enter_context(tempfile.NamedTemporaryFile())
                    shutil.copyfileobj(file, copy, CHUNK)
                    copy.flush()
                    file = stack.enter_context(tempfile.TemporaryFile(buffering=0))  # type: ignore[assignment]  # a raw file has all that is used of it
                    unpack(name, copy.name, file)
            else:
                file = stack.enter_context(open(name, "rb", buffering=0))  # noqa: PTH123 - `name` is kept as the user wrote it
                if is_compressed(file):
                    file = stack.enter_context(tempfile.TemporaryFile(buffering=0))  # type: ignore[assignment]  # a raw file has all that is used of it
                    unpack(name, name, file)
            if twice and not _is_plain(file):
                spool = stack.enter_context(tempfile.TemporaryFile(buffering=0))
                shutil.copyfileobj(file, spool, CHUNK)
                spool.seek(0)
                file = spool  # type: ignore[assignment]  # a raw file has all that is used of it
        except OSError as error:
            raise _unreadable(name, error) from error
        yield Source(name, file, on_read)


def check_inputs(names: list[str]) -> None:
    """Refuse an input that is given twice.

    Raises:
        UsageError: If two names lead to the same file, or `-` is there twice.
    """
    seen: dict[str, str] = {}
    for name in names:
        place = name if name == STANDARD_INPUT else os.path.realpath(name)
        if place in seen:
            raise UsageError(
                f"`{name}` is the same input as `{seen[place]}`, but each may be given once; "
                "leave one out."
            )
        seen[place] = name


def no_card(name: str) -> InputError:
    """The error for a file without a card."""
    return InputError(
        f"`{name}` holds no vCard: no line `BEGIN:VCARD` was found in it; give a vCard file."
    )


def notes_of(source: Source, oddities: list[Oddity]) -> list[str]:
    """Say what is odd in a file, a clause each, with numbers of lines.

    The numbers are missing for a pipe, which cannot be read again.
    """
    odd = sorted(oddities, key=lambda oddity: oddity.offset)
    shown = odd[:MOST_NOTES]
    if source.size is None:
        notes = [f"`{source.name}`: {oddity.what}" for oddity in shown]
    else:
        lines = source.lines_at(oddity.offset for oddity in shown)
        notes = [
            f"`{source.name}`, line {line}: {oddity.what}"
            for oddity, line in zip(shown, lines, strict=True)
        ]
    if len(odd) > MOST_NOTES:
        notes.append(f"`{source.name}`: {len(odd) - MOST_NOTES:,} more of this kind")
    return notes


def _is_plain(file: BinaryIO) -> bool:
    """Whether a file has a size, can be read from anywhere, and is at its start."""
    try:
        is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
    except io.UnsupportedOperation:
        return False  # standard input has been replaced, as by a test
    return is_regular and file.tell() == 0


def _unreadable(name: str, error: OSError) -> InputError:
    reason = {
        FileNotFoundError: "there is no such file; check the path",
        IsADirectoryError: "it is a directory; give the files in it",
        PermissionError: "it may not be read; check its permissions",
    }.get(type(error), f"the system says: {error.strerror}")
    return InputError(f"`{name}` cannot be read: {reason}.")
