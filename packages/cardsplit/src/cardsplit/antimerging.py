"""Anti-merging and undoing it: cards in memory, or files in two passes.

The first pass over files notes the key of each card (`cardsplit.reading`), then marks are planned
(`cardsplit.planning`), and the second pass copies the files, with only the marked cards written
anew. Memory is bounded by the names, not by the files.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from cardsplit.card_store import CardStore
from cardsplit.cards import Card
from cardsplit.encodings import BYTE_ORDER_MARKS
from cardsplit.errors import InputError, OutputError
from cardsplit.marks import Mark
from cardsplit.naming import mark_card
from cardsplit.output import STANDARD_OUTPUT, new_file, unwritable
from cardsplit.planning import plan
from cardsplit.reading import index_of, read_index
from cardsplit.recognising import recognise
from cardsplit.rules import Rule
from cardsplit.sources import check_inputs, notes_of, opened

COPIED = 1 << 20  # bytes copied at a time
BACKUP_SUFFIX = ".bak"


@dataclass(slots=True)
class Rewriting:
    """What anti-merging or undoing did to its input.

    Attributes:
        cards: How many cards were read.
        changed: How many of them were written anew.
        clashes: How many groups of clashing cards there were; 0 for undoing.
        marks: The mark of each card that got one, by its number, counted from 0.
        copies: Groups of cards that are equal byte for byte, by their numbers.
        notes: What was odd, a clause each.
    """

    cards: int = 0
    changed: int = 0
    clashes: int = 0
    marks: dict[int, Mark] = field(default_factory=dict)
    copies: list[list[int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


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
    on_read: Callable[[int], object] = lambda _: None,
) -> Rewriting:
    """Anti-merge files into one.

    Args:
        names: Paths, or `-` for standard input. Their cards are told apart from each other too.
        place: Where the result goes; `-` is standard output.
        rule: How the address book recognises a person.
        with_fn: Whether to mark FN as well as N. The rule `fn` always does.
        replacing: Whether `place` may exist.
        on_read: Told how many more bytes have been read; all are read twice.

    Returns:
        What was done.

    Raises:
        CardsplitError: If an input cannot be read, holds no card or cannot be followed by the
            next, or the result cannot be written. Then nothing has been written.

    Memory: about 150 bytes for each name. Cost: about 10 ns a byte, and 150 µs a marked card.
    """
    check_inputs(names)
    with_fn = with_fn or rule is Rule.FN
    with _stored(names, on_read) as store:
        done, changed = _planned(store, rule, with_fn=with_fn)
        _check_joints(store)
        with new_file(place, replacing=replacing) as sink:
            _rewrite(store, changed, sink, on_read)
    return done


def antimerge_in_place(
    name: str,
    *,
    rule: Rule = Rule.DISPLAY,
    with_fn: bool = False,
    backup: bool = False,
    on_read: Callable[[int], object] = lambda _: None,
) -> Rewriting:
    """Anti-merge a file and put the result in its place, if it differs.

    Args:
        name: A path.
        rule: See `antimerge_files`.
        with_fn: See `antimerge_files`.
        backup: Whether to keep the file as it was, with `.bak` behind its name.
        on_read: See `antimerge_files`.

    Returns:
        What was done.

    Raises:
        CardsplitError: See `antimerge_files`; also if there is a backup already.
    """
    with_fn = with_fn or rule is Rule.FN
    with _stored([name], on_read) as store:
        done, changed = _planned(store, rule, with_fn=with_fn)
        if not done.changed:
            return done
        kept = f"{name}{BACKUP_SUFFIX}"
        if backup:
            if os.path.lexists(kept):
                raise OutputError(f"`{kept}` is there already; move it away first.")
            try:
                shutil.copy2(name, kept)
            except OSError as error:
                with contextlib.suppress(OSError):
                    os.unlink(kept)  # noqa: PTH108 - the name is kept as the user wrote it
                raise unwritable(kept, error) from error
        with new_file(name, replacing=True) as sink:
            _rewrite(store, changed, sink, on_read)
    return done


def undo_file(
    name: str,
    place: str = STANDARD_OUTPUT,
    *,
    replacing: bool = False,
    on_read: Callable[[int], object] = lambda _: None,
) -> Rewriting:
    """Take off the marks of a file that was anti-merged.

    Args:
        name: A path, or `-` for standard input.
        place: Where the original goes; `-` is standard output.
        replacing: Whether `place` may exist.
        on_read: Told how many more bytes have been read; all are read twice or more often.

    Returns:
        What was done.

    Raises:
        CardsplitError: See `antimerge_files`.
    """
    with _stored([name], on_read) as store:
        before = recognise(lambda rule: read_index(store, rule), store.load)
        done = Rewriting(cards=len(store), changed=len(before), notes=_notes(store))
        with new_file(place, replacing=replacing) as sink:
            _rewrite(store, before, sink, on_read)
    return done


@contextlib.contextmanager
def _stored(names: list[str], on_read: Callable[[int], object]) -> Iterator[CardStore]:
    """Open inputs that are read more than once."""
    with contextlib.ExitStack() as stack:
        yield CardStore(
            [stack.enter_context(opened(name, twice=True, on_read=on_read)) for name in names]
        )


class _Marked(Mapping[int, Card]):
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


def _planned(store: CardStore, rule: Rule, *, with_fn: bool) -> tuple[Rewriting, _Marked]:
    """Read a store and plan its marks."""
    index = read_index(store, rule)
    made = plan(index, level=index.level + 1, with_fn=with_fn)
    changed = _Marked(store, made.marks, with_fn=with_fn)
    notes = _notes(store)
    if made.bare:
        notes.append(
            f"{_line_of(store, made.bare[0])}: {len(made.bare)} clashing card(s) from here on have "
            "no N or FN that could be marked"
        )
    done = Rewriting(len(store), len(made.marks), made.clashes, made.marks, made.copies, notes)
    return done, changed


def _line_of(store: CardStore, number: int) -> str:
    """Where a card starts, in words."""
    file, start, _ = store.place(number)
    source = store.sources[file]
    return f"`{source.name}`, line {source.lines_at([start])[0]}"


def _notes(store: CardStore) -> list[str]:
    return [
        note
        for source, oddities in zip(store.sources, store.oddities, strict=True)
        for note in notes_of(source, oddities)
    ]


def _check_joints(store: CardStore) -> None:
    """Refuse files that would run into each other."""
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
                "between them, or their encodings differ; anti-merge them with `--in-place`."
            )


def _rewrite(
    store: CardStore, changed: Mapping[int, Card], sink: BinaryIO, on_read: Callable[[int], object]
) -> None:
    """Copy the files of a store, with some cards changed."""
    numbers = iter([*sorted(changed), -1])
    number = next(numbers)
    for index, source in enumerate(store.sources):
        done = 0
        while number >= 0 and store.place(number)[0] == index:
            _, start, stop = store.place(number)
            _copy(source.read_at, done, start, sink)
            sink.write(changed[number])
            on_read(stop - done)
            done, number = stop, next(numbers)
        _copy(source.read_at, done, source.size or 0, sink)
        on_read((source.size or 0) - done)


def _copy(read_at: Callable[[int, int], bytes], start: int, stop: int, sink: BinaryIO) -> None:
    """Copy the bytes between two offsets."""
    while start < stop:
        data = read_at(start, min(COPIED, stop - start))
        sink.write(data)
        start += len(data)
