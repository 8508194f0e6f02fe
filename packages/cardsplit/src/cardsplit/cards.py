"""A card: its bytes, and a reading of them.

A `Card` *is* its bytes, so cards can be joined, compared and written like any others; everything
that can be read in it is found when asked for. Only the card's own lines count, not those of cards
nested in it, and not what stands behind its `END`.
"""

import io
import re
from collections.abc import Iterator
from typing import Self

from cardsplit.content import Property, one_line
from cardsplit.encodings import BYTE_ORDER_MARKS, guess
from cardsplit.lazy import lazy
from cardsplit.lines import (
    EDGE,
    NAME,
    SOFT_ENDS,
    Span,
    lines_named,
    logical_lines,
    simple_body,
)
from cardsplit.plain import SimpleName, simple_name
from cardsplit.scan import Scanner

_USUAL = frozenset({"N", "FN", "ORG", "TITLE", "EMAIL", "TEL"})  # what anti-merging looks at
_USUAL_VERSION = re.compile(rb"VERSION:(2\.1|3\.0|4\.0)\r?\n(?![ \t])", re.IGNORECASE)


class Card(bytes):
    """One vCard with whatever stands between it and the next one.

    Attributes:
        encoding: `""`, or `"utf-16-le"` or `"utf-16-be"` if the file it comes from is.
    """

    encoding: str

    def __new__(cls, data: bytes = b"", encoding: str = "") -> Self:
        """Take the bytes as a card; nothing is checked.

        Args:
            data: The bytes of one card.
            encoding: What `cardsplit.encodings.sniff` says of its file.
        """
        card = super().__new__(cls, data)
        card.encoding = encoding
        return card

    @lazy
    def shown(self) -> bytes:
        """The card as the tokenizer reads it: in UTF-8 if it is UTF-16, else as it is."""
        if not self.encoding:
            return bytes(self)
        mark = 2 * self.startswith(BYTE_ORDER_MARKS)
        text = bytes(self[mark : len(self) - len(self) % 2]).decode(self.encoding, "surrogatepass")
        return text.encode("utf-8", "surrogatepass")

    def replaced(self, changes: list[tuple[Span, bytes]]) -> "Card":
        """The card with some of its lines written again.

        Args:
            changes: Spans of `shown`, ascending, and what shall stand there instead.

        Returns:
            A new card, in the encoding of this one, with all other bytes as they were.
        """
        done = 2 * self.startswith(BYTE_ORDER_MARKS) if self.encoding else 0
        parts = [self[:done]]
        at = 0
        for span, new in changes:
            stop = done + len(self._written(self.shown[at : span.start]))
            parts += [self[done:stop], self._written(new)]
            done = stop + len(self._written(self.shown[span.start : span.stop]))
            at = span.stop
        return Card(b"".join([*parts, self[done:]]), self.encoding)

    def _written(self, shown: bytes) -> bytes:
        """A part of `shown` in the card's own encoding."""
        if not self.encoding:
            return shown
        return shown.decode("utf-8", "surrogatepass").encode(self.encoding, "surrogatepass")

    @lazy
    def _simple(self) -> Span | None:
        """Where the card's own lines lie, if nothing in it is unusual."""
        return simple_body(self.shown)

    @lazy
    def _body(self) -> tuple[Span, list[tuple[Span, bytes]]]:
        """From `BEGIN` to `END`, and the logical lines of the card itself in between."""
        shown = self.shown
        own: list[tuple[Span, bytes]] = []
        begin, stop, depth = 0, len(shown), 0
        for span in logical_lines(shown):
            line = shown[span.start : span.stop]
            edge = EDGE.match(line)
            kind = edge.lastgroup if edge else None
            behind = line[edge.end() :].strip(b"\r\n") if edge else b""
            if edge is None or (behind and kind != "end"):
                if depth == 1:
                    own.append((span, line))
                continue
            start = span.start
            if kind in {"end", "glued"} and depth:
                depth -= 1
                if depth == 0:
                    is_alone = kind == "end" and not behind
                    stop = span.stop if is_alone else start + edge.end("end")
                    break
            if kind == "glued":
                start, kind = start + edge.start("glued"), "begin"
            if kind == "begin" or (kind == "agent" and depth):
                begin = begin if depth else start
                depth += 1
        return Span(begin, stop), own

    @lazy
    def simple_name(self) -> SimpleName | None:
        """The card's name, if nothing in the card and the name is unusual."""
        return simple_name(self) if not self.encoding and self._simple else None

    @property
    def core(self) -> bytes:
        """The card from its `BEGIN` to its `END`, without the last line break."""
        span = Span(0, len(self.shown)) if self._simple else self._body[0]
        return self.shown[span.start : span.stop].rstrip(b"\r\n")

    @lazy
    def version(self) -> str:
        """`"2.1"`, `"3.0"`, `"4.0"`, what else the card calls itself, or `""`."""
        if self._simple and (usual := _USUAL_VERSION.match(self.shown, self._simple.start)):
            return usual[1].decode("ascii")
        for _, line in self._body[1]:
            if (named := Property(line, "")).name == "VERSION":
                return one_line(named.text())
        return ""

    @lazy
    def _usual_codec(self) -> str:
        """What lines without a `CHARSET` are written in: what they are, or what they should be."""
        if not self.shown.isascii():
            if self.version != "2.1" and guess(self.shown) == "utf-8":
                return "utf-8"  # as some lines of it are then, too
            own = self._body[1]
            unlabelled = b"".join(line for _, line in own if b"CHARSET" not in line.upper())
            if not unlabelled.isascii():
                return guess(unlabelled)
        return "ascii" if self.version == "2.1" and not self.encoding else "utf-8"

    @lazy
    def _index(self) -> dict[str, list[int]]:
        """Where the card's own lines are in `_body`, by their names."""
        index: dict[str, list[int]] = {}
        for number, (_, line) in enumerate(self._body[1]):
            usual = NAME.match(line)
            name = usual[1].decode("ascii").upper() if usual else Property(line, "").name
            index.setdefault(name, []).append(number)
        return index

    @lazy
    def _read(self) -> dict[int, Property]:
        """The lines that have been read so far, by their starts."""
        return {}

    def _line(self, start: int, raw: bytes) -> Property:
        """One of the card's own lines, read once."""
        line = self._read.get(start)
        if line is None:
            line = self._read[start] = Property(raw, self.version, self._usual_codec)
        return line

    def all(self, *names: str) -> list[tuple[Span, Property]]:
        """The card's own properties of these names, in order; names in capitals."""
        found = self._found.get(names)
        if found is None:
            found = self._found[names] = [
                (span, self._line(span.start, raw)) for span, raw in self._named(names)
            ]
        return found

    @lazy
    def _found(self) -> dict[tuple[str, ...], list[tuple[Span, Property]]]:
        """What has been asked for so far."""
        return {}

    def _named(self, names: tuple[str, ...]) -> list[tuple[Span, bytes]]:
        """The spans and bytes of the card's own lines of these names, in order."""
        usual = self._usual_lines if _USUAL.issuperset(names) else self._lines_of(names)
        if usual is None:
            numbers = sorted(number for name in names for number in self._index.get(name, ()))
            return [self._body[1][number] for number in numbers]
        if len(names) == 1:
            return usual.get(names[0].encode(), [])
        return sorted(line for name in names for line in usual.get(name.encode(), ()))

    @lazy
    def _usual_lines(self) -> dict[bytes, list[tuple[Span, bytes]]] | None:
        """The lines of the usual names, which are found all at once."""
        return self._lines_of(tuple(_USUAL))

    def _lines_of(self, names: tuple[str, ...]) -> dict[bytes, list[tuple[Span, bytes]]] | None:
        """Lines by their names, in capitals; `None` if the card has to be read line by line."""
        shown, body = self.shown, self._simple
        if body is None:
            return None
        found: dict[bytes, list[tuple[Span, bytes]]] = {}
        for match in lines_named(names).finditer(shown, body.start - 1, body.stop):
            span = Span(match.start() + 1, match.end() + 1)
            line = shown[span.start : span.stop]
            if line.endswith(SOFT_ENDS):
                return None
            found.setdefault(match[1].upper(), []).append((span, line))
        return found

    def first(self, name: str) -> Property | None:
        """The first property of this name, or `None`; `name` in capitals."""
        found = self.all(name)
        return found[0][1] if found else None

    @property
    def lines(self) -> list[tuple[Span, Property]]:
        """The card's own properties and where they stand in `shown`."""
        return [(span, self._line(span.start, raw)) for span, raw in self._body[1]]


def split(data: bytes) -> Iterator[Card]:
    r"""Yield the cards of `data`; joined, they are `data`.

    Args:
        data: A whole vCard file in any encoding, or anything else.

    Yields:
        As many cards as there are, each with what follows it, the first also with what stands
        before it. Data without a card comes back in one piece, so that nothing is lost.

    Example:
        >>> text = b"BEGIN:VCARD\nN:Miller;Peter\nEND:VCARD\n" * 2
        >>> [card.first("N").texts() for card in split(text)]
        [['Miller', 'Peter'], ['Miller', 'Peter']]
    """
    return cards_of(Scanner(io.BytesIO(data).read))


def cards_of(scanner: Scanner) -> Iterator[Card]:
    """Yield the cards that a scanner finds, as `split` does, while its file is read.

    Memory: the longest card.
    """
    pending: list[bytes] = []
    begun = False
    for piece in scanner.pieces():
        data, done = piece.data, 0
        for start in piece.starts:
            if begun:
                pending.append(data[done:start])
                yield Card(b"".join(pending), scanner.encoding)
                pending = []
                done = start
            begun = True
        pending.append(data[done:])
    if last := b"".join(pending):
        yield Card(last, scanner.encoding)
