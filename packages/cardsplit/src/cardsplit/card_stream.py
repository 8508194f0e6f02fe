"""Cards one after the other from files of any size, changed on the way to one output."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from cardsplit.cards import Card, cards_of
from cardsplit.output import STANDARD_OUTPUT, new_file
from cardsplit.scan import Scanner
from cardsplit.sources import check_inputs, no_card, notes_of, opened

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
OnRead = Callable[[int], object]


@dataclass(slots=True)
class Passed:
    """What was done to cards that passed through a command.

    Attributes:
        cards: How many cards were read.
        changed: How many of them were written otherwise, or not at all.
        notes: What was odd, a clause each.
    """

    cards: int = 0
    changed: int = 0
    notes: list[str] = field(default_factory=list)


class Clauses:
    """What is odd of cards or rows, each clause noted once with the first place and a count."""

    def __init__(self, kind: str = "card") -> None:
        self._kind = kind
        self._counts: Counter[str] = Counter()
        self._firsts: dict[str, tuple[str, int]] = {}

    def add(self, name: str, number: int, clauses: Iterable[str]) -> None:
        """Count what is odd of one card of a file."""
        for clause in clauses:
            self._counts[clause] += 1
            self._firsts.setdefault(clause, (name, number))

    def notes(self) -> list[str]:
        """All clauses, with where they were found first."""
        found = []
        for clause, count in self._counts.items():
            name, number = self._firsts[clause]
            more = f", and {count - 1:,} more" if count > 1 else ""
            found.append(f"`{name}`, {self._kind} {number}{more}: {clause}")
        return found


class Joiner:
    """Makes cards of several files fit into one."""

    def __init__(self) -> None:
        self._break = b"\r\n"  # how the lines of the card before end
        self._is_first = True
        self._ends = True  # whether the card before ends in a line break

    def mended(self, card: Card) -> bytes:
        """The next card, in UTF-8 if it is UTF-16, behind a line break if one is missing.

        A byte-order mark is left out of all cards but the first.
        """
        data = card.shown if card.encoding else bytes(card)
        if not self._is_first:
            data = data.removeprefix(BYTE_ORDER_MARK)
        start = b"" if self._ends else self._break
        self._is_first = False
        self._ends = data.endswith((b"\r", b"\n"))
        self._break = next((one for one in (b"\r\n", b"\n", b"\r") if one in data), self._break)
        return start + data


def pass_through(
    names: list[str],
    place: str = STANDARD_OUTPUT,
    change: Callable[[Card], tuple[bytes, Iterable[str]]] = lambda card: (card, ()),
    *,
    is_joined: bool = False,
    replacing: bool = False,
    on_read: OnRead = lambda _: None,
) -> Passed:
    """Write the cards of some files into one, each changed alone; several files are joined.

    Args:
        names: Paths, or `-` for standard input.
        place: Where the result goes; `-` is standard output.
        change: Gives what is written for a card, and clauses that are worth a note.
        is_joined: Whether `change` makes the cards of several files fit into one by itself.
        replacing: Whether `place` may exist.
        on_read: Called with how many more bytes have been read.

    Returns:
        What was done.

    Raises:
        CardsplitError: If an input cannot be read or holds no card, or the result cannot be
            written. Then nothing has been written.

    Memory: the longest card.
    """
    check_inputs(names)
    done = Passed()
    joiner = None if is_joined or len(names) == 1 else Joiner()
    clauses = Clauses()
    with new_file(place, replacing=replacing) as sink:
        for name, number, card in cards_in(names, done.notes, on_read):
            written, odd = change(card)
            done.cards += 1
            done.changed += written != card
            clauses.add(name, number, odd)
            if joiner:
                written = joiner.mended(written if isinstance(written, Card) else Card(written))
            sink.write(written)
    done.notes += clauses.notes()
    return done


def cards_in(
    names: list[str], notes: list[str], on_read: OnRead = lambda _: None
) -> Iterator[tuple[str, int, Card]]:
    """Yield each card of some files with the name of its file and its number in that, from 1.

    What is odd in the files is added to `notes`.

    Raises:
        InputError: If a file cannot be read or holds no card.
    """
    for name in names:
        with opened(name, twice=False, on_read=on_read) as source:
            scanner = Scanner(source.read)
            for number, card in enumerate(cards_of(scanner), 1):
                if scanner.cards:  # else there is none, which is an error below
                    yield name, number, card
            if not scanner.cards:
                raise no_card(name)
            notes += notes_of(source, scanner.oddities)
