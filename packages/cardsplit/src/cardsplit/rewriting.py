"""Reading files more than once, and writing them with some of their cards changed.

The first pass over files notes the key of each card (`cardsplit.reading`), then it is decided which
cards change, and the second pass copies the files, with only those cards written again. Memory is
bounded by the names, not by the files.
"""

import contextlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from cardsplit.card_store import CardStore
from cardsplit.cards import Card
from cardsplit.encodings import BYTE_ORDER_MARKS
from cardsplit.errors import InputError
from cardsplit.marks import Mark
from cardsplit.sources import notes_of, opened

COPIED = 1 << 20  # bytes copied at a time

OnRead = Callable[[int], object]  # called with how many more bytes have been read


@dataclass(frozen=True, slots=True)
class FileChanges:
    """What was done to one input.

    Attributes:
        name: The file, as the user gave it.
        first: The number of its first card, counted from 0 through all inputs.
        cards: How many cards it holds.
        changed: How many of them were written again.
    """

    name: str
    first: int
    cards: int
    changed: int


@dataclass(slots=True)
class Rewriting:
    """What anti-merging or undoing did to its input.

    Attributes:
        cards: How many cards were read.
        changed: How many of them were written again.
        clashes: How many groups of clashing cards there were; 0 for undoing.
        marks: The mark of each card that got one, by its number, counted from 0.
        copies: Groups of cards that are equal byte for byte, by their numbers.
        notes: What was odd, a clause each.
        files: What was done to each input, in order.
    """

    cards: int = 0
    changed: int = 0
    clashes: int = 0
    marks: dict[int, Mark] = field(default_factory=dict)
    copies: list[list[int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: list[FileChanges] = field(default_factory=list)


@contextlib.contextmanager
def stored(names: list[str], on_read: OnRead) -> Iterator[CardStore]:
    """Open inputs that are read more than once."""
    with contextlib.ExitStack() as stack:
        yield CardStore(
            [stack.enter_context(opened(name, twice=True, on_read=on_read)) for name in names]
        )


def notes_of_all(store: CardStore) -> list[str]:
    """What is odd in the files of a store that has been read."""
    return [
        note
        for source, oddities in zip(store.sources, store.oddities, strict=True)
        for note in notes_of(source, oddities)
    ]


def file_changes(store: CardStore, changed: Mapping[int, Card]) -> list[FileChanges]:
    """How many cards of each file are changed."""
    numbers = sorted(changed)
    bounds = [*store.first_numbers, len(store)]
    return [
        FileChanges(
            source.name,
            first,
            after - first,
            bisect_left(numbers, after) - bisect_left(numbers, first),
        )
        for source, first, after in zip(store.sources, bounds, bounds[1:], strict=False)
    ]


def check_joints(store: CardStore) -> None:
    """Refuse files that would run into each other in one file."""
    for before, after in zip(store.sources, store.sources[1:], strict=False):
        last = before.read_at((before.size or 1) - 1, 1)
        starts = after.read_at(0, 3)
        if (
            before.encoding
            or after.encoding
            or last not in {b"\r", b"\n"}
            or starts.startswith((*BYTE_ORDER_MARKS, b"\xef\xbb\xbf"))
        ):
            raise InputError(
                f"`{after.name}` cannot follow `{before.name}` in one file: no line break is "
                "between them, or their encodings differ; use `cardsplit join` first, or give "
                "`--in-place`."
            )


def rewrite(
    store: CardStore, changed: Mapping[int, Card], file: int, sink: BinaryIO, on_read: OnRead
) -> None:
    """Copy one file of a store, with some cards changed."""
    source, done = store.sources[file], 0
    bounds = [*store.first_numbers, len(store)]
    numbers = sorted(changed)
    for number in numbers[
        bisect_left(numbers, bounds[file]) : bisect_left(numbers, bounds[file + 1])
    ]:
        _, start, stop = store.place(number)
        _copy(source.read_at, done, start, sink)
        sink.write(changed[number])
        on_read(stop - done)
        done = stop
    _copy(source.read_at, done, source.size or 0, sink)
    on_read((source.size or 0) - done)


def _copy(read_at: Callable[[int, int], bytes], start: int, stop: int, sink: BinaryIO) -> None:
    """Copy the bytes between two offsets."""
    while start < stop:
        data = read_at(start, min(COPIED, stop - start))
        sink.write(data)
        start += len(data)
