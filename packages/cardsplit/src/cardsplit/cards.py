"""A card: its bytes, and a reading of them.

A `Card` *is* its bytes, so cards can be joined, compared and written like any others; everything
that can be read in it is found when asked for. Only the card's own lines count, not those of cards
nested in it, and not what stands behind its `END`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cached_property

from cardsplit.content import Property
from cardsplit.encodings import BYTE_ORDER_MARKS, guess
from cardsplit.lines import EDGE, Span, logical_lines
from cardsplit.scan import Scanner

VERSIONS = ("2.1", "3.0", "4.0")


class Card(bytes):
    """One vCard with whatever stands between it and the next one.

    Attributes:
        encoding: `""`, or `"utf-16-le"` or `"utf-16-be"` if the file it comes from is.
    """

    encoding: str

    def __new__(cls, data: bytes = b"", encoding: str = "") -> Card:
        """Take the bytes as a card; nothing is checked.

        Args:
            data: The bytes of one card.
            encoding: What `cardsplit.encodings.sniff` says of its file.
        """
        card = super().__new__(cls, data)
        card.encoding = encoding
        return card

    @cached_property
    def shown(self) -> bytes:
        """The card as the tokenizer reads it: in UTF-8 if it is UTF-16, else as it is."""
        if not self.encoding:
            return bytes(self)
        mark = 2 * self.startswith(BYTE_ORDER_MARKS)
        text = bytes(self[mark : len(self) - len(self) % 2]).decode(self.encoding, "surrogatepass")
        return text.encode("utf-8", "surrogatepass")

    def replaced(self, changes: list[tuple[Span, bytes]]) -> Card:
        """The card with some of its lines written anew.

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

    @cached_property
    def _body(self) -> tuple[Span, list[tuple[Span, bytes]]]:
        """From `BEGIN` to `END`, and the logical lines of the card itself in between."""
        own: list[tuple[Span, bytes]] = []
        shown = self.shown
        begin, stop, depth = 0, len(shown), 0
        for span in logical_lines(shown):
            line = shown[span.start : span.stop]
            edge = EDGE.match(line)
            if edge is None or line[edge.end() :].strip(b"\r\n"):
                if depth == 1:
                    own.append((span, line))
            elif edge.lastgroup == "end":
                depth -= 1
                if depth == 0:
                    stop = span.stop
                    break
            elif depth or edge.lastgroup == "begin":
                begin = begin if depth else span.start
                depth += 1
        return Span(begin, stop), own

    @property
    def core(self) -> bytes:
        """The card from its `BEGIN` to its `END`, without the last line break."""
        span, _ = self._body
        return self.shown[span.start : span.stop].rstrip(b"\r\n")

    @cached_property
    def version(self) -> str:
        """`"2.1"`, `"3.0"`, `"4.0"`, what else the card calls itself, or `""`."""
        for _, line in self._body[1]:
            if line[:8].upper() == b"VERSION:":
                return line[8:].strip().decode("ascii", "replace")
        return ""

    @cached_property
    def lines(self) -> list[tuple[Span, Property]]:
        """The card's own properties and where they stand in `shown`."""
        version, codec = self.version, self._usual_codec
        return [(span, Property(line, version, codec)) for span, line in self._body[1]]

    @property
    def _usual_codec(self) -> str:
        """What lines without a `CHARSET` are written in: what they are, or what they should be."""
        unmarked = b"".join(line for _, line in self._body[1] if b"CHARSET" not in line.upper())
        if unmarked.isascii():
            return "ascii" if self.version == "2.1" and not self.encoding else "utf-8"
        return guess(unmarked)

    def all(self, name: str) -> list[Property]:
        """The card's own properties of this name, in order; `name` in capitals."""
        return [found for _, found in self.lines if found.name == name]

    def first(self, name: str) -> Property | None:
        """The first property of this name, or `None`."""
        return next((found for _, found in self.lines if found.name == name), None)


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
    for data, starts in scanner.pieces():
        done = 0
        for start in starts:
            if begun:
                pending.append(data[done:start])
                yield Card(b"".join(pending), scanner.encoding)
                pending = []
                done = start
            begun = True
        pending.append(data[done:])
    if last := b"".join(pending):
        yield Card(last, scanner.encoding)
