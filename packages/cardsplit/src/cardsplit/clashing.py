"""Who would be merged, by which rule, and what would be lost."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from cardsplit.card_store import CardStore
from cardsplit.cards import Card
from cardsplit.content import Property, one_line
from cardsplit.key_index import KeyIndex
from cardsplit.marks import clean
from cardsplit.reading import detail_indexes, read_indexes
from cardsplit.rules import Detail, Rule
from cardsplit.sources import check_inputs, notes_of, opened

# Of these a contact has one, so of two that differ a merge keeps one. Addresses and numbers add up.
SINGLE = ("N", "FN", "NICKNAME", "ORG", "TITLE", "ROLE", "BDAY", "ANNIVERSARY", "GENDER", "PHOTO",
          "LOGO", "SOUND", "NOTE", "URL", "UID", "REV")  # fmt: skip
SHOWN = 40  # characters of a value that are shown


@dataclass(frozen=True, slots=True)
class Member:
    """A card that would be merged.

    Attributes:
        file: Its file, as the user gave it.
        line: The line at which it starts, from 1.
        name: How it is displayed.
        company: The first component of its ORG, or `""`.
    """

    file: str
    line: int
    name: str
    company: str


@dataclass(frozen=True, slots=True)
class Clash:
    """Cards that would be merged.

    Attributes:
        key: What they have in common, in small letters.
        rules: The rules under which they would be merged, and the details that they share.
        members: The cards, in the order of the files.
        lost: Properties of which a contact has one and these cards have different ones, with the
            values that a merge would keep one of.
        is_copies: Whether they are equal byte for byte, so that nothing would be lost.
    """

    key: str
    rules: tuple[str, ...]
    members: tuple[Member, ...]
    lost: dict[str, tuple[str, ...]]
    is_copies: bool


def find_clashes(
    names: list[str],
    on_read: Callable[[int], object] = lambda _: None,
    by: Sequence[Rule | Detail] = (*Rule, *Detail),
) -> tuple[list[Clash], list[str]]:
    """Find who would be merged, or taken for duplicates, within each file and across them.

    Args:
        names: Paths, or `-` for standard input.
        by: The rules by which names are merged, and the details that count.
        on_read: Called with the number of further bytes read; all are read twice.

    Returns:
        The clashes, in the order in which they are found, and what was odd in the files.

    Raises:
        CardsplitError: If an input cannot be read or holds no card.

    Cost: about 15 ns a byte, 20 µs a card for details, and 50 µs a card that clashes.
    """
    check_inputs(names)
    with ExitStack() as stack:
        store = CardStore(
            [stack.enter_context(opened(name, twice=True, on_read=on_read)) for name in names]
        )
        merged: dict[tuple[int, ...], tuple[bytes, list[str]]] = {}
        notes: list[str] = []
        indexes = read_indexes(store, [rule for rule in by if isinstance(rule, Rule)])
        indexes += detail_indexes(store, [one for one in by if isinstance(one, Detail)])
        for index in indexes:
            for members in index.groups():
                found = merged.setdefault(tuple(members), (_shared_key(index, members), []))
                found[1].append(index.rule.value)
        for source, oddities in zip(store.sources, store.oddities, strict=True):
            notes += notes_of(source, oddities)
        lines = _lines(store, {number for members in merged for number in members})
        clashes = [
            _clash(store, members, lines, key, tuple(rules))
            for members, (key, rules) in merged.items()
        ]
    return clashes, notes


def _shared_key(index: KeyIndex, members: list[int]) -> bytes:
    """The first key of the first card that another one has too."""
    first, *others = (index.keys(number) for number in members)
    return next((key for key in first if any(key in keys for keys in others)), first[0])


def _lines(store: CardStore, numbers: set[int]) -> dict[int, int]:
    """The line at which each of these cards starts."""
    lines: dict[int, int] = {}
    by_file: dict[int, list[tuple[int, int]]] = {}
    for number in sorted(numbers):
        file, start, _ = store.place(number)
        by_file.setdefault(file, []).append((start, number))
    for file, places in by_file.items():
        found = store.sources[file].lines_at(start for start, _ in places)
        lines.update({number: line for (_, number), line in zip(places, found, strict=True)})
    return lines


def _clash(
    store: CardStore,
    members: Iterable[int],
    lines: dict[int, int],
    key: bytes,
    rules: tuple[str, ...],
) -> Clash:
    """Say what is known of one clash."""
    listed: list[Member] = []
    values: dict[str, dict[str, None]] = {}
    shown: dict[tuple[bytes, str], str] = {}  # what lines say, as most are the same in each card
    cores: set[bytes] = set()
    for number in members:
        card = store.load(number)
        cores.add(card.core)
        file, _, _ = store.place(number)
        company = card.first("ORG")
        listed.append(
            Member(
                store.sources[file].name,
                lines[number],
                display_name(card),
                one_line(company.texts()[0]) if company else "",
            )
        )
        for _, line in card.all(*SINGLE):
            if (said := (line.raw, line.version)) not in shown:
                shown[said] = _shown(line)
            values.setdefault(line.name, {})[shown[said]] = None
    lost = {name: tuple(values[name]) for name in SINGLE if len(values.get(name, ())) > 1}
    return Clash(key.decode("utf-8", "replace"), rules, tuple(listed), lost, len(cores) == 1)


def display_name(card: Card) -> str:
    """How a card is displayed: FN, else N's components as they are spoken."""
    formatted, name = card.first("FN"), card.first("N")
    if formatted and formatted.text().strip():
        return clean(formatted.text())
    texts = name.texts() if name else []
    return clean(" ".join(texts[i] for i in (3, 1, 2, 0, 4) if i < len(texts)))


def _shown(line: Property) -> str:
    """A value, short enough for a list; of pictures and sounds their size and a fingerprint."""
    if line.is_base64 or len(line.raw) > SHOWN * 50:
        return f"{len(line.flat.data):,} bytes, {hash_of(line.flat.data)}"
    text = " ".join(line.text().split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def hash_of(data: bytes) -> str:
    """A short fingerprint by which two pictures can be distinguished."""
    from hashlib import blake2b

    return blake2b(data, digest_size=4).hexdigest()
