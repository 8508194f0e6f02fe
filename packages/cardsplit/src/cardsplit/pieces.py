"""What comes out of a scanner: pieces of a file that tell where cards begin, and oddities."""

from typing import NamedTuple

NO_END = "card without `END:VCARD`"
STRAY = "text outside of any card"
GLUED = "`END:VCARD` and the next `BEGIN:VCARD` on one line"


class Run(NamedTuple):
    """Plain cards that follow each other, from an offset in the view on."""

    start: int
    cards: int
    separator: bytes
    step: int  # from the start of a separator to the start of the card behind it

    def starts(self, shown: bytes, base: int) -> list[int]:
        """Where the cards begin, as offsets in the view; `shown` starts at `base`."""
        first = self.start - base
        cards = shown[first:].split(self.separator, self.cards - 1)
        lengths = [len(card) for card in cards[:-1]]
        # What is split off a card is its END and the BEGIN of the next, which belongs to that.
        lost = len(self.separator)
        found, at = [self.start], self.start + self.step
        for length in lengths:
            at += length
            found.append(at)
            at += lost
        return found


class Starts(NamedTuple):
    """Where plain cards begin that are written in more than one way, as offsets in the view."""

    found: list[int]

    def starts(self, _shown: bytes, _base: int) -> list[int]:
        """As `Run.starts`."""
        return self.found


class Piece:
    """A run of bytes of the file. All pieces joined are the file.

    Attributes:
        data: The bytes as they are.
        count: How many cards begin in them.
        is_plain: Whether cards follow each other here, without nested or oddly written ones.
    """

    __slots__ = ("_run", "_starts", "count", "data", "is_plain")

    def __init__(self, data: bytes, starts: list[int] | Run, *, is_plain: bool = False) -> None:
        self.data = data
        self._run = starts if isinstance(starts, Run) else None
        self._starts = None if isinstance(starts, Run) else starts
        self.count = len(starts) if isinstance(starts, list) else starts.cards
        self.is_plain = is_plain

    @property
    def starts(self) -> list[int]:
        """Where cards begin in `data`, ascending; a preamble lies before the first."""
        if self._starts is None:
            self._starts = self._run.starts(self.data, 0) if self._run else []
        return self._starts


class Oddity(NamedTuple):
    """Something in a file that a careful reader should know of.

    Attributes:
        what: A few words, such as `card without END`.
        offset: The byte of the file at which it starts.
    """

    what: str
    offset: int
