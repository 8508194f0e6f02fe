"""Anti-merging and undoing it: cards in memory, or files that are joined into one.

Files that are replaced where they are: `cardsplit.in_place`.
"""

from collections.abc import Iterable, Iterator, Mapping

from cardsplit.card_store import CardStore
from cardsplit.cards import Card
from cardsplit.marks import Mark
from cardsplit.naming import Changes, mark_card
from cardsplit.output import STANDARD_OUTPUT, new_file
from cardsplit.planning import plan
from cardsplit.reading import index_of, read_index
from cardsplit.recognising import Unmarking, recognise
from cardsplit.rewriting import (
    OnRead,
    Rewriting,
    check_joints,
    file_changes,
    notes_of_all,
    rewrite,
    stored,
)
from cardsplit.rules import Rule
from cardsplit.sources import check_inputs


def antimerge(
    cards: Iterable[bytes], key: Rule | str = Rule.DISPLAY, *, with_fn: bool = False
) -> list[Card]:
    r"""Mark cards that an address book would merge.

    Args:
        cards: Cards as `split` gives them, or as bytes of one card each.
        key: How the address book recognises a person.
        with_fn: Whether to mark FN as well as N. The rule `fn` always does.

    Returns:
        As many cards in the same order. Cards without a namesake are the same bytes as before, and
        so are cards of which there are only copies.

    Example:
        >>> peters = [
        ...     b"BEGIN:VCARD\nVERSION:3.0\nN:Miller;Peter\nORG:%b\nEND:VCARD\n" % company
        ...     for company in (b"ABC-Corp", b"XYZ-Corp")
        ... ]
        >>> [card.splitlines()[2] for card in antimerge(peters)]
        [b'N:Miller /ABC-Corp/;Peter', b'N:Miller /XYZ-Corp/;Peter']
        >>> undo(antimerge(peters)) == peters
        True
    """
    rule = Rule(key)
    taken = [card if isinstance(card, Card) else Card(card) for card in cards]
    with_fn = with_fn or rule is Rule.FN
    index = index_of(taken, rule)
    marks = plan(index, level=index.level + 1, with_fn=with_fn).marks
    changed = {
        number: mark_card(taken[number], mark, with_fn=with_fn) or taken[number]
        for number, mark in marks.items()
    }
    return [changed.get(number, card) for number, card in enumerate(taken)]


def undo(cards: Iterable[bytes]) -> list[Card]:
    """Take off the marks that `antimerge` has put on.

    Args:
        cards: All cards of a file.

    Returns:
        The cards as they were given to `antimerge`, byte for byte.
    """
    taken = [card if isinstance(card, Card) else Card(card) for card in cards]
    before = recognise(lambda rule: index_of(taken, rule), taken.__getitem__)
    return [before.get(n, card) for n, card in enumerate(taken)]


def antimerge_files(
    names: list[str],
    place: str = STANDARD_OUTPUT,
    *,
    rule: Rule = Rule.DISPLAY,
    with_fn: bool = False,
    replacing: bool = False,
    on_read: OnRead = lambda _: None,
) -> Rewriting:
    """Anti-merge files into one.

    Args:
        names: Paths, or `-` for standard input. Cards of different files are distinguished too.
        place: Where the result goes; `-` is standard output.
        rule: How the address book recognises a person.
        with_fn: Whether to mark FN as well as N. The rule `fn` always does.
        replacing: Whether `place` may exist.
        on_read: Called with how many more bytes have been read; all are read twice.

    Returns:
        What was done.

    Raises:
        CardsplitError: If an input cannot be read, holds no card or cannot be followed by the
            next, or the result cannot be written. Then nothing has been written.

    Memory: about 150 bytes for each name. Cost: about 10 ns a byte, and 150 µs a marked card.
    """
    check_inputs(names)
    with stored(names, on_read) as store:
        done, changed = planned(store, rule, with_fn=with_fn or rule is Rule.FN)
        _write_joined(store, changed, place, replacing=replacing, on_read=on_read)
    return done


def undo_file(
    name: str,
    place: str = STANDARD_OUTPUT,
    *,
    replacing: bool = False,
    on_read: OnRead = lambda _: None,
) -> Rewriting:
    """Take off the marks of a file that was anti-merged; see `undo_files`."""
    return undo_files([name], place, replacing=replacing, on_read=on_read)


def undo_files(
    names: list[str],
    place: str = STANDARD_OUTPUT,
    *,
    replacing: bool = False,
    on_read: OnRead = lambda _: None,
) -> Rewriting:
    """Take off the marks of files that were anti-merged, and join them into one.

    Args:
        names: Paths, or `-` for standard input. Files that were anti-merged together are given
            together.
        place: Where the original goes; `-` is standard output.
        replacing: Whether `place` may exist.
        on_read: Called with how many more bytes have been read; all are read twice or more often.

    Returns:
        What was done.

    Raises:
        CardsplitError: See `antimerge_files`.
    """
    check_inputs(names)
    with stored(names, on_read) as store:
        done, before = unmarked(store)
        _write_joined(store, before, place, replacing=replacing, on_read=on_read)
    return done


def unmarked(store: CardStore) -> tuple[Rewriting, Mapping[int, Card]]:
    """The marked cards of a store as they were before, and what that changes."""
    before = recognise(lambda rule: read_index(store, rule), store.load)
    if not before.is_complete and len(store.sources) > 1:
        alone = _unmarked_alone(store)
        before = max(before, alone, key=len)
    files = file_changes(store, before)
    notes = notes_of_all(store)
    return Rewriting(len(store), len(before), notes=notes, files=files), before


def _unmarked_alone(store: CardStore) -> Unmarking:
    """The marked cards of files that seem to have been anti-merged one by one."""
    changes: dict[int, Changes] = {}
    for source, first in zip(store.sources, list(store.first_numbers), strict=True):
        one = CardStore([source])
        found = recognise(lambda rule, one=one: read_index(one, rule), one.load)
        changes |= {first + number: lines for number, lines in found.changes.items()}
    return Unmarking(store.load, changes, is_complete=False)


def _write_joined(
    store: CardStore,
    changed: Mapping[int, Card],
    place: str,
    *,
    replacing: bool,
    on_read: OnRead,
) -> None:
    """Write the files of a store into one, with some cards changed."""
    check_joints(store)
    with new_file(place, replacing=replacing) as sink:
        for file in range(len(store.sources)):
            rewrite(store, changed, file, sink, on_read)


class Marked(Mapping[int, Card]):
    """The marked cards by number, made when asked for, so that they need no memory."""

    def __init__(self, store: CardStore, marks: dict[int, Mark], *, with_fn: bool) -> None:
        self._stored = store
        self._marks = marks
        self._with_fn = with_fn

    def __getitem__(self, number: int) -> Card:
        mark, card = self._marks[number], self._stored.load(number)
        return mark_card(card, mark, with_fn=self._with_fn) or card

    def __iter__(self) -> Iterator[int]:
        return iter(self._marks)

    def __len__(self) -> int:
        return len(self._marks)


def planned(store: CardStore, rule: Rule, *, with_fn: bool) -> tuple[Rewriting, Marked]:
    """Read a store and plan its marks."""
    index = read_index(store, rule)
    made = plan(index, level=index.level + 1, with_fn=with_fn)
    changed = Marked(store, made.marks, with_fn=with_fn)
    notes = notes_of_all(store)
    if made.bare:
        notes.append(
            f"{_line_of(store, made.bare[0])}: {len(made.bare)} clashing card(s) from here on have "
            "no N or FN that could be marked"
        )
    files = file_changes(store, changed)
    done = Rewriting(
        len(store), len(made.marks), made.clashes, made.marks, made.copies, notes, files
    )
    return done, changed


def _line_of(store: CardStore, number: int) -> str:
    """Where a card starts, in words."""
    file, start, _ = store.place(number)
    source = store.sources[file]
    return f"`{source.name}`, line {source.lines_at([start])[0]}"
