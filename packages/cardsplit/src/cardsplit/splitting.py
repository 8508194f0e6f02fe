"""Splitting files into parts that an address book takes, at constant memory.

Parts are runs of the input, so joined in their order they are the input again.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import maxsize
from typing import overload

from cardsplit.errors import OutputError, UsageError
from cardsplit.limits import DEFAULT_CARDS, Limit
from cardsplit.output import StagedFiles, earlier_parts, part_name
from cardsplit.pieces import Piece
from cardsplit.scan import Scanner
from cardsplit.sources import STANDARD_INPUT, check_inputs, no_card, notes_of, opened

LONGEST_HELD = 1 << 23  # bytes of a card that wait for its end before its part is chosen
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Part:
    """One part.

    Attributes:
        path: Where it is, or would be.
        cards: How many cards it holds.
        size: Its bytes.
    """

    path: Path
    cards: int
    size: int


class Parts(Sequence[Part]):
    """The parts of a splitting, in order.

    Memory: 16 bytes a part, as each is made when it is asked for.
    """

    def __init__(self, folder: Path, prefix: str, cards: "array[int]", sizes: "array[int]") -> None:
        self._folder = folder
        self._name = part_name(prefix, len(cards))
        self._cards = cards
        self._sizes = sizes

    def __len__(self) -> int:
        return len(self._cards)

    @overload
    def __getitem__(self, number: int) -> Part: ...
    @overload
    def __getitem__(self, number: slice) -> list[Part]: ...
    def __getitem__(self, number: int | slice) -> Part | list[Part]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        cards, size = self._cards[number], self._sizes[number]
        return Part(self._folder / self._name(range(1, len(self) + 1)[number]), cards, size)

    def rows(self) -> Iterator[tuple[str, int, int]]:
        """Yield path, cards and bytes of each part, which is quicker than making the parts."""
        folder = str(self._folder / "_")[:-1]
        for number, both in enumerate(zip(self._cards, self._sizes, strict=True), 1):
            yield folder + self._name(number), *both


@dataclass(frozen=True, slots=True)
class Splitting:
    """What splitting did, or would do.

    Attributes:
        parts: The parts, in order.
        notes: What was odd, one sentence each.
    """

    parts: Sequence[Part]
    notes: list[str]

    def rows(self) -> Iterator[tuple[str, int, int]]:
        """Yield path, cards and bytes of each part."""
        if isinstance(self.parts, Parts):
            return self.parts.rows()
        return ((str(part.path), part.cards, part.size) for part in self.parts)


class _Cutter:
    """Cuts a stream of cards into parts."""

    def __init__(
        self,
        limit: Limit,
        begin: Callable[[], object] = lambda: None,
        write: Callable[[memoryview], object] = lambda _: None,
    ) -> None:
        self.cards = array("Q")  # in each part
        self.sizes = array("Q")  # of each part
        self.total = 0
        self._limit = limit
        self._begin = begin
        self._write = write
        self._is_open = False  # whether there is a part that may get more
        self._in_card = False  # whether a card of this file has begun
        self._held = b""  # of a card whose part is chosen when all of it is there
        self._length = 0  # of the card begun last, so far
        self._too_long = 0
        self._is_streaming = False  # that card is so long that it is written as it comes
        self._encoding = ""
        self._has_marked_parts = False
        self._last = b""  # the last byte taken

    def start_file(self, data: bytes, encoding: str) -> None:
        """Take a new file into account; `data` is how it starts.

        Its cards follow those before in the same part, unless they would run into each other.
        """
        if self.sizes and (
            encoding or self._encoding or data.startswith(_MARKS) or self._last not in b"\r\n"
        ):
            self._is_open = False
        if self._is_open and self.cards[-1] == self._limit.cards:
            self._is_open = False
        self._encoding = encoding
        self._in_card = False
        self._length = 0

    def take(self, piece: Piece) -> None:
        """Take the next piece."""
        self._last = piece.data[-1:] or self._last
        if self._limit.card_bytes:
            self._weigh(piece.data, piece.starts)
        if self._limit.max_bytes:
            self._take_by_size(piece.data, piece.starts)
        else:
            self._take_by_count(piece)
        self.total += piece.count
        self._in_card = self._in_card or bool(piece.count)

    def finish_file(self) -> None:
        """All of a file has been taken."""
        self._weigh(b"", [0])
        if self._held:
            self._place([0, len(self._held)], self._held)
        self._held, self._is_streaming = b"", False

    def notes(self) -> list[str]:
        """What should be said of the parts."""
        limit, found = self._limit, []
        if self._has_marked_parts:
            found.append(
                "the input is UTF-16, and only its first part starts with a byte-order mark; some "
                "programs need one, so convert the input to UTF-8 if an import fails"
            )
        if limit.max_bytes and (over := sum(size > limit.max_bytes for size in self.sizes)):
            found.append(
                f"{over} part(s) hold one card that is longer than {limit.max_bytes:,} bytes alone"
            )
        if self._too_long:
            found.append(
                f"{self._too_long} card(s) are longer than {limit.card_bytes:,} bytes, which the "
                "service refuses; take photos out of them"
            )
        if limit.total_cards and self.total > limit.total_cards:
            found.append(
                f"there are {self.total:,} cards, but the service takes {limit.total_cards:,} in "
                "all"
            )
        return found

    def _put(self, data: memoryview, cards: int) -> None:
        """Add to the open part, or to a new one."""
        if not self._is_open:
            self._begin()
            self._has_marked_parts |= bool(self._encoding and self.cards)
            self.cards.append(0)
            self.sizes.append(0)
            self._is_open = True
        self.cards[-1] += cards
        self.sizes[-1] += len(data)
        self._write(data)

    def _take_by_count(self, piece: Piece) -> None:
        shown, most = memoryview(piece.data), self._limit.cards or maxsize
        at = number = 0
        while True:
            room = most - (self.cards[-1] if self._is_open else 0)
            if piece.count - number <= room:
                self._put(shown[at:], piece.count - number)
                return
            cut = piece.starts[number + room]
            if cut > at:
                self._put(shown[at:cut], room)
            self._is_open = False
            at, number = cut, number + room

    def _take_by_size(self, data: bytes, starts: list[int]) -> None:
        if self._is_streaming:
            cut = starts[0] if starts else len(data)
            self._put(memoryview(data)[:cut], 0)
            if not starts:
                return
            data, starts = data[cut:], [start - cut for start in starts]
            self._is_streaming = False
        block = self._held + data
        bounds = [start + len(self._held) for start in starts]
        if not bounds or bounds[0] > 0:
            if self._in_card or not bounds:
                bounds.insert(0, 0)  # the card that is held
            else:
                bounds[0] = 0  # a preamble goes with the first card
        self._place(bounds, block)
        self._held = block[bounds[-1] :]
        if len(self._held) > LONGEST_HELD:
            self._is_open = False
            self._put(memoryview(self._held), int(self._in_card or bool(starts)))
            self._held, self._is_streaming = b"", True

    def _place(self, bounds: list[int], block: bytes) -> None:
        """Put the cards between the bounds into as few parts as hold them in order."""
        shown, number = memoryview(block), 0
        limit, most = self._limit, self._limit.cards or maxsize
        while number < len(bounds) - 1:
            room = limit.max_bytes or 0
            room_cards = most
            if self._is_open:
                room -= self.sizes[-1]
                room_cards -= self.cards[-1]
            fits = bisect_right(bounds, bounds[number] + room) - 1
            fits = min(fits, number + room_cards, len(bounds) - 1)
            if fits <= number:
                if self._is_open:
                    self._is_open = False
                    continue
                fits = number + 1  # longer than a part may be: it gets one of its own
            self._put(shown[bounds[number] : bounds[fits]], fits - number)
            number = fits

    def _weigh(self, data: bytes, starts: list[int]) -> None:
        """Count the cards that are longer than the service takes."""
        most = self._limit.card_bytes or maxsize
        before = -self._length
        for start in starts:
            self._too_long += start - before > most
            before = start
        self._length = len(data) - before


def split_files(
    names: list[str],
    limit: Limit | None = None,
    *,
    folder: Path = Path(),
    prefix: str = "adr",
    replacing: bool = False,
    dry_run: bool = False,
    on_read: Callable[[int], object] = lambda _: None,
) -> Splitting:
    """Split files into one series of parts.

    Args:
        names: Paths, or `-` for standard input.
        limit: What a part may hold; 950 cards if left out.
        folder: Where the parts go; made if it is missing.
        prefix: What their names start with.
        replacing: Whether parts of an earlier series may be replaced and removed.
        dry_run: Whether to say only what would be done.
        on_read: Called with the number of further bytes read.

    Returns:
        The parts, and what was odd.

    Raises:
        CardsplitError: If an input cannot be read or holds no card, or a part cannot be written.
            Then no part has been written.

    Memory: below 60 MB with the interpreter, and 16 bytes a part. Cost: about 3 ns a byte, and
    15 µs a part.
    """
    limit = limit or Limit(cards=DEFAULT_CARDS)
    check_inputs(names)
    _check_prefix(prefix)
    if dry_run:
        cutter = _Cutter(limit)
        notes = _cut(names, cutter, on_read)
    else:
        stale = _earlier_parts(names, folder, prefix, replacing=replacing)
        with StagedFiles(folder, prefix) as files:
            cutter = _Cutter(limit, files.begin, files.write)
            notes = _cut(names, cutter, on_read)
            files.publish(part_name(prefix, len(cutter.cards)), stale)
    parts = Parts(folder, prefix, cutter.cards, cutter.sizes)
    return Splitting(parts, notes + cutter.notes())


def _check_prefix(prefix: str) -> None:
    if not prefix or prefix != Path(prefix).name:
        raise UsageError(f"`--prefix {prefix}` must be a plain name; give folders by `-o`.")


def _earlier_parts(names: list[str], folder: Path, prefix: str, *, replacing: bool) -> list[Path]:
    """The parts of an earlier splitting that will be replaced or removed.

    Raises:
        OutputError: If there are any and that is not wanted, or one of them is an input.
    """
    stale = earlier_parts(folder, prefix)
    if stale and not replacing:
        raise OutputError(
            f"`{stale[0]}` is there already, with {len(stale)} part(s) of the same name in all; "
            "choose another folder or `--prefix`, or give `--force`."
        )
    places = {path.resolve() for path in stale}
    for name in names:
        if name != STANDARD_INPUT and Path(name).resolve() in places:
            raise OutputError(
                f"`{name}` is itself among the parts that would be replaced; choose another folder "
                "or `--prefix`."
            )
    return stale


def _cut(names: list[str], cutter: _Cutter, on_read: Callable[[int], object]) -> list[str]:
    """Read all inputs and cut them; return what was odd in them."""
    notes = []
    for name in names:
        with opened(name, twice=False, on_read=on_read) as source:
            scanner = Scanner(source.read)
            before = cutter.total
            for number, piece in enumerate(scanner.pieces()):
                if number == 0:
                    cutter.start_file(piece.data, scanner.encoding)
                cutter.take(piece)
            cutter.finish_file()
            if cutter.total == before:
                raise no_card(name)
            notes += notes_of(source, scanner.oddities)
    return notes
