"""The first pass over files: where each card stands, and its key.

Most cards are plain: `BEGIN`, `VERSION`, some unfolded lines, and an N without parameters. For
those one regular expression finds the name and a few byte operations make the key; all others are
read in full. What stays in memory are the keys and one offset a card.
"""

import re
from array import array
from binascii import a2b_qp
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from cardsplit.cards import Card
from cardsplit.errors import InputError
from cardsplit.keys import key_of
from cardsplit.marks import mark_of, name_in
from cardsplit.naming import bearers
from cardsplit.planning import Deck
from cardsplit.rules import Rule
from cardsplit.scan import Scanner
from cardsplit.sources import Source, no_card

if TYPE_CHECKING:
    from cardsplit.pieces import Oddity

LONGEST_CARD = 1 << 25  # bytes; more than a hundred times what any address book takes

_COMPONENTS = 5  # of an N

# Unfolded lines without a soft break, other than N and FN, and an N or FN of the usual encodings.
_LINES = rb"(?:(?!F?N[:;]|BEGIN:|END:|AGENT)[A-Z][A-Z-]*[:;][^\r\n]*(?<!=)\1)*?"
_VALUE = rb"(?:;(CHARSET=UTF-8|CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE))?:([^\r\n\\]*)\1(?![ \t])"
_START = rb"BEGIN:VCARD(\r?\n)VERSION:(?:2\.1|[34]\.0)\1"
_PLAIN_N = re.compile(_START + _LINES.replace(b"F?N", b"N") + rb"N" + _VALUE)
_PLAIN_BOTH = re.compile(
    _START + _LINES
    + rb"(?:N" + _VALUE + rb"(?:" + _LINES + rb"FN" + _VALUE + rb")?"
    + rb"|FN" + _VALUE + _LINES + rb"N" + _VALUE + rb")"
)  # fmt: skip


class Shelf:
    """The cards of one or more files, by number.

    Attributes:
        sources: The files, in order; all of them can be read twice.
        oddities: What was found odd in each of them, once `cards` is exhausted.

    Memory: 8 bytes a card, and the longest card while reading.
    """

    def __init__(self, sources: list[Source]) -> None:
        self.sources = sources
        self.oddities: list[list[Oddity]] = []
        self._starts = array("Q")  # of each card, counted through all files
        self._bases = [0]  # where each file starts, counted so, and where the last one ends
        self._encodings: list[str] = []

    def __len__(self) -> int:
        return len(self._starts)

    def cards(self) -> Iterator[tuple[bytes, list[int], str]]:
        """Read all files and note where their cards stand.

        Yields:
            Some whole cards at a time: their bytes, the offsets between which they lie, and the
            encoding of their file.

        Raises:
            InputError: If a file holds no card, or one that is too long.
        """
        self._starts, self._bases, self._encodings = array("Q"), [0], []
        self.oddities = []
        for source in self.sources:
            scanner = Scanner(source.rewound().read)
            at, kept, begun = self._bases[-1], b"", False
            for piece in scanner.pieces():
                block = kept + piece.data
                bounds = [start + len(kept) for start in piece.starts]
                if begun:
                    bounds.insert(0, 0)
                elif bounds:
                    bounds[0], begun = 0, True  # a preamble belongs to the first card
                if len(bounds) > 1:
                    self._starts.extend([at + bound for bound in bounds[:-1]])
                    yield block, bounds, scanner.encoding
                kept = block[bounds[-1] :] if bounds else block
                at += bounds[-1] if bounds else 0
                if len(kept) > LONGEST_CARD:
                    raise InputError(
                        f"`{source.name}` has over {LONGEST_CARD >> 20} MiB without the start of a "
                        "card, but no address book takes such a card; check the file."
                    )
            if not begun:
                raise no_card(source.name)
            self._starts.append(at)
            self._bases.append(at + len(kept))
            self._encodings.append(scanner.encoding)
            self.oddities.append(scanner.oddities)
            yield kept, [0, len(kept)], scanner.encoding

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


def read_deck(shelf: Shelf, rule: Rule) -> Deck:
    """Read all files of a shelf once, and note the keys of their cards under one rule.

    Args:
        shelf: The files.
        rule: What the keys are.

    Returns:
        The deck.

    Cost: about 2 µs for a plain card, 25 µs for any other.
    """
    return read_decks(shelf, [rule])[0]


def read_decks(shelf: Shelf, rules: Sequence[Rule]) -> list[Deck]:
    """Read all files of a shelf once, and note the keys of their cards under several rules."""
    decks = [Deck(rule, shelf.load) for rule in rules]
    if list(rules) == [Rule.DISPLAY]:
        _read_displayed(shelf, decks[0])
        return decks
    shaped = decks[0].shaped
    goes_by_fn = Rule.FN in rules
    pattern = _PLAIN_BOTH if goes_by_fn else _PLAIN_N
    adders = [(deck.rule, deck.add) for deck in decks]
    number = 0
    for block, bounds, encoding in shelf.cards():
        matches = {} if encoding else {match.start(): match for match in pattern.finditer(block)}
        for start, stop in pairwise(bounds):
            match = matches.get(start)
            texts = match and (_both_of_plain(match) if goes_by_fn else _name_of_plain(match))
            keys = _keys_of_plain(texts, goes_by_fn=goes_by_fn) if texts else None
            if keys is None:
                card = Card(block[start:stop], encoding)
                keys = {rule: key_of(card, rule) for rule in rules}
                if _may_be_marked(card):
                    shaped.append(number)
            for rule, add in adders:
                add(keys[rule])
            number += 1
    for deck in decks[1:]:
        deck.shaped.extend(shaped)
    return decks


def _read_displayed(shelf: Shelf, deck: Deck) -> None:
    """What `read_decks` does, for the usual rule alone, without a call for each card."""
    keys, note, shaped = deck.keys, deck.ids.append, deck.shaped
    number = -1
    for block, bounds, encoding in shelf.cards():
        matches = {} if encoding else {match.start(): match for match in _PLAIN_N.finditer(block)}
        for start, stop in pairwise(bounds):
            number += 1
            key = None
            if match := matches.get(start):
                coding, value = match.group(2, 3)
                if coding is None and value.isascii() and b"/" not in value:
                    parts = value.lower().split(b";")
                    if len(parts) == _COMPONENTS:
                        family, given, middle, prefix, suffix = parts
                        shown = b" ".join((prefix, given, middle, family, suffix))
                        key = b" ".join(shown.split())
                if not key and (low := _lowered(coding, value)) is not None:
                    key = _displayed(low)
            if not key:
                card = Card(block[start:stop], encoding)
                key = key_of(card, Rule.DISPLAY)
                if _may_be_marked(card):
                    shaped.append(number)
            note(keys.setdefault(key, len(keys)))


def deck_of(cards: list[Card], rule: Rule) -> Deck:
    """The deck of cards that are in memory."""
    deck = Deck(rule, cards.__getitem__)
    for number, card in enumerate(cards):
        deck.add(key_of(card, rule))
        if _may_be_marked(card):
            deck.shaped.append(number)
    return deck


def _may_be_marked(card: Card) -> bool:
    lines = bearers(card)
    return bool(lines) and mark_of(name_in(lines[0][1])) is not None


class _Texts(NamedTuple):
    """What a plain card goes by, in small letters."""

    name: bytes  # the value of N, decoded
    formatted: bytes  # the value of FN, decoded, or `b""`
    line: bytes  # the line of N as it stands


def _name_of_plain(match: re.Match[bytes]) -> _Texts | None:
    """N of a plain card; `None` where there is a doubt."""
    _, coding, value = match.groups()
    low = _lowered(coding, value)
    return None if low is None else _Texts(low, b"", _line_of(coding, value))


def _both_of_plain(match: re.Match[bytes]) -> _Texts | None:
    """N and FN of a plain card; `None` where there is a doubt."""
    _, coding, value, fn_coding, formatted, *other = match.groups()
    if value is None:
        fn_coding, formatted, coding, value = other
    low = _lowered(coding, value)
    low_fn = _lowered(fn_coding, formatted) if formatted is not None else b""
    if low is None or low_fn is None:
        return None
    return _Texts(low, low_fn, _line_of(coding, value))


def _line_of(coding: bytes | None, value: bytes) -> bytes:
    return b"N;%b:%b" % (coding, value) if coding else b"N:" + value


def _lowered(coding: bytes | None, value: bytes) -> bytes | None:
    """A value decoded, in small letters, in UTF-8; `None` if it may have a mark or is not easy."""
    if b"/" in value:
        return None
    if coding and coding.endswith(b"E"):  # quoted-printable
        if b"=3B" in value or value.endswith(b"=") or not value.isascii():
            return None
        value = a2b_qp(value)
        if b"\\" in value or b"/" in value:
            return None
    if value.isascii():
        return value.lower()
    try:
        return value.decode("utf-8").lower().encode("utf-8")
    except UnicodeDecodeError:
        return None


def _displayed(low: bytes) -> bytes:
    """How the components of N are displayed; `b""` if all are blank."""
    parts = low.split(b";", _COMPONENTS)
    if len(parts) >= _COMPONENTS:
        shown = b" ".join([parts[3], parts[1], parts[2], parts[0], parts[4]])
    else:
        family, given, middle, prefix = (*parts, b"", b"", b"")[:4]
        shown = b" ".join([prefix, given, middle, family])
    return b" ".join(shown.split())


def _keys_of_plain(texts: _Texts, *, goes_by_fn: bool) -> dict[Rule, bytes] | None:
    """What `key_of` says of such a card under each rule; `None` where it has to be asked."""
    displayed = _displayed(texts.name)
    if not displayed:
        return None
    listed = [b" ".join(part.split()) for part in texts.name.split(b";", 2)[:2]]
    keys = {Rule.DISPLAY: displayed, Rule.LAST_FIRST: b";".join(listed), Rule.N_LINE: texts.line}
    if goes_by_fn:
        keys[Rule.FN] = b" ".join(texts.formatted.split())
        if not keys[Rule.FN]:
            return None
    return keys
