"""The cards of files by number: where each stands, and its bytes when asked for again."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from cardsplit.cards import Card
from cardsplit.errors import InputError
from cardsplit.scan import Scanner
from cardsplit.sources import Source, no_card

if TYPE_CHECKING:
    from cardsplit.pieces import Oddity

LONGEST_CARD = 1 << 25  # bytes; more than a hundred times what any address book takes


class Block(NamedTuple):
    """Some whole cards that follow each other in a file.

    Attributes:
        data: Their bytes. What stands between the last one and the next card may be missing.
        bounds: The offsets in `data` between which they lie, one more than there are cards.
        encoding: Of the file, as `Card` has it.
        is_plain: Whether each `BEGIN:VCARD` in `data` starts one of them.
    """

    data: bytes
    bounds: list[int]
    encoding: str
    is_plain: bool


class CardStore:
    """The cards of one or more files, by number.

    Attributes:
        sources: The files, in order; all of them can be read twice.
        oddities: What was found odd in each of them, once `blocks` is exhausted.
        first_numbers: The number of the first card of each of them, likewise.

    Memory: 8 bytes a card, and the longest card while reading.
    """

    def __init__(self, sources: list[Source]) -> None:
        self.sources = sources
        self.oddities: list[list[Oddity]] = []
        self._starts = array("Q")  # of each card, counted through all files
        self._bases = [0]  # where each file starts, counted so, and where the last one ends
        self._encodings: list[str] = []
        self.first_numbers: list[int] = []

    def __len__(self) -> int:
        return len(self._starts)

    def blocks(self) -> Iterator[Block]:
        """Read all files and note where their cards stand.

        Raises:
            InputError: If a file holds no card, or one that is too long.
        """
        self._starts, self._bases, self._encodings = array("Q"), [0], []
        self.oddities, self.first_numbers = [], []
        for source in self.sources:
            scanner = Scanner(source.rewound().read)
            before = len(self._starts)
            self.first_numbers.append(before)
            yield from self._blocks_of(scanner, source.name)
            if len(self._starts) == before:
                raise no_card(source.name)
            self._encodings.append(scanner.encoding)
            self.oddities.append(scanner.oddities)

    def _blocks_of(self, scanner: Scanner, name: str) -> Iterator[Block]:
        """Read one file."""
        begin = at = self._bases[-1]
        first = len(self._starts)
        kept: bytes | None = b""  # from the start of the last card on, unless its END has been seen
        for piece in scanner.pieces():
            data, starts = piece.data, piece.starts
            is_first = len(self._starts) == first
            self._starts.extend([at + start for start in starts])
            if is_first and starts:
                self._starts[first] = begin  # a preamble belongs to the first card
            at += len(data)
            _check_length(at - (self._starts[-1] if len(self._starts) > first else begin), name)
            if piece.is_plain or kept is None:
                if kept is not None and not is_first:
                    head = kept + data[: starts[0]]
                    yield Block(head, [0, len(head)], scanner.encoding, is_plain=False)
                kept = None
                if piece.is_plain:
                    yield Block(data, [*starts, len(data)], scanner.encoding, is_plain=True)
                    continue
                if not starts:  # pragma: no cover - plain cards leave their last to the next piece
                    continue
                kept, data = b"", data[starts[0] :]
                starts = [start - starts[0] for start in starts]
            elif starts:
                starts = [start + len(kept) for start in starts]
                starts = [0, *starts[is_first:]]
            data = kept + data
            if len(starts) > 1:
                yield Block(data, starts, scanner.encoding, is_plain=False)
            kept = data[starts[-1] :] if starts else data
        if kept is not None and len(self._starts) > first:
            yield Block(kept, [0, len(kept)], scanner.encoding, is_plain=False)
        self._bases.append(at)

    def place(self, number: int) -> tuple[int, int, int]:
        """Of a card: the number of its file, and from where to where it lies in that."""
        start = self._starts[number]
        file = bisect_right(self._bases, start) - 1
        base, stop = self._bases[file : file + 2]
        if number + 1 < len(self._starts):
            stop = min(stop, self._starts[number + 1])
        return file, start - base, stop - base

    def load(self, number: int) -> Card:
        """Read one card again. Cost: one system call."""
        file, start, stop = self.place(number)
        return Card(self.sources[file].read_at(start, stop - start), self._encodings[file])


def _check_length(size: int, name: str) -> None:
    """Refuse a card that would not fit in memory, given its size so far."""
    if size > LONGEST_CARD:
        raise InputError(
            f"`{name}` has over {LONGEST_CARD >> 20} MiB without the start of a card, but no "
            "address book takes such a card; check the file."
        )
