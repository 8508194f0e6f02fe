r"""One property of a card: its name, its parameters, and its value as text that leads to bytes.

A value is looked at *flat*: folds and soft line breaks taken out, quoted-printable decoded, still
bytes in the charset of the property. Each flat byte knows where it ends in the raw line, so that
text can be put into the value at a place found in the flat form, and all else stays as it is.

How a value is written depends on the version: 3.0 and 4.0 escape `\\ \, \; \n` and a fold takes
its blank with it (RFC 6350, 3.2 and 3.4); 2.1 escapes only `\;`, and the blank of a fold stays.
"""

import re
from itertools import accumulate, pairwise
from typing import NamedTuple

from cardsplit.encodings import codec_named, guess, needs_care, without_trail_bytes
from cardsplit.lazy import lazy
from cardsplit.lines import BREAK, FOLD, Span, is_base64, is_quoted_printable

_HEAD = re.compile(
    rb'[ \t]*(?:([A-Za-z0-9-]+)\.)?([A-Za-z0-9_-]+)[ \t]*((?:;(?:[^":\r\n]|"[^"\r\n]*")*)?):'
)
_LOOSE_HEAD = re.compile(rb"[ \t]*(?:([A-Za-z0-9-]+)\.)?([A-Za-z0-9_-]+)[ \t]*((?:;[^:\r\n]*)?):")
_CHARSET = re.compile(rb';[ \t]*CHARSET[ \t]*=[ \t]*"?([^";:,]+)', re.IGNORECASE)
_BREAK = re.compile(BREAK)

# The parts of a value that are not one byte for one byte.
_FOLDED = re.compile(FOLD.pattern, re.DOTALL)
_FOLDED_21 = re.compile(BREAK + rb"(?=[ \t])")  # the blank stays
_QUOTED = re.compile(rb"=" + BREAK + rb"|=\Z|=[0-9A-Fa-f]{2}|" + FOLD.pattern)

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_UNPRINTED = re.compile(r"[\s\0-\x1f\x7f-\x9f]+")
_COMPONENT = re.compile(rb"(?:\\.|[^;\\])*+\\?", re.DOTALL)
_VALUE = re.compile(rb"(?:\\.|[^,\\])*+\\?", re.DOTALL)
_SEPARATOR = re.compile(rb"[;,]")
_ALTERNATIVE = re.compile(rb';[ \t]*ALTID[ \t]*=[ \t]*"?([^";:,]*)', re.IGNORECASE)
_COMPONENT_21 = re.compile(rb"(?:\\;|[^;])*+")


class Flat(NamedTuple):
    """A value without folds and transfer encoding.

    Attributes:
        data: The flat bytes.
        ends: Where each of them ends in the raw line; `None` if they lie there one by one.
        start: Where the value starts in the raw line.
    """

    data: bytes
    ends: list[int] | None
    start: int

    def raw_end(self, count: int) -> int:
        """Where the first `count` flat bytes end in the raw line, before any fold there."""
        if count == 0 or self.ends is None:
            return self.start + count
        return self.ends[count - 1]


class Property:
    """A logical line `group.NAME;parameters:value`.

    Attributes:
        raw: The line as it stands in the card, its line breaks included.
        name: In capitals, without its group; `""` for a line that is no property.
        version: Of the card: `"2.1"`, `"3.0"`, `"4.0"`, or `""` if it names none.
        usual_codec: What the card's other lines without a `CHARSET` are written in.
    """

    def __init__(self, raw: bytes, version: str, usual_codec: str = "utf-8") -> None:
        self.raw = raw
        self.version = version
        self.usual_codec = usual_codec
        match = _HEAD.match(raw)
        self._folded_head = None
        if match is None:
            match, self._folded_head = _match_folded_head(raw)
        self._match = match
        self.name = match[2].decode("ascii").upper() if match else ""

    @property
    def group(self) -> str:
        """The name of its group, or `""`."""
        return self._match[1].decode("ascii") if self._match and self._match[1] else ""

    @property
    def head(self) -> bytes:
        """Name and parameters, unfolded, up to and with the colon."""
        return self._match[0] if self._match else b""

    @property
    def is_21(self) -> bool:
        """Whether the rules of vCard 2.1 hold."""
        return self.version == "2.1"

    @lazy
    def is_quoted_printable(self) -> bool:
        """Whether the value is encoded as quoted-printable, which some write into 3.0 as well."""
        return b";" in self.head and is_quoted_printable(self.head)

    @property
    def is_base64(self) -> bool:
        """Whether the value is encoded as base64."""
        return is_base64(self.head)

    @property
    def value_start(self) -> int:
        """Where the value starts in `raw`."""
        if self._match is None:
            return 0
        return self._match.end() if self._folded_head is None else self._folded_head

    @property
    def value_stop(self) -> int:
        """Where the value ends in `raw`, before the line's own break."""
        raw = self.raw
        end = 2 if raw.endswith(b"\r\n") else raw.endswith((b"\n", b"\r"))
        return max(len(raw) - end, self.value_start)

    @lazy
    def flat(self) -> Flat:
        """The value without folds and transfer encoding. Cost: O(length)."""
        start, stop = self.value_start, self.value_stop
        body = self.raw[start:stop]
        if b"=" not in body and b"\n" not in body and b"\r" not in body:
            return Flat(body, None, start)
        folded = _FOLDED_21 if self.is_21 else _FOLDED
        special = _QUOTED if self.is_quoted_printable else folded
        if not special.search(body):
            return Flat(body, None, start)
        data = bytearray()
        ends: list[int] = []
        done = 0
        for match in special.finditer(body):
            data += body[done : match.start()]
            ends += range(start + done + 1, start + match.start() + 1)
            done = match.end()
            token = match[0]
            if token[:1] == b"=" and len(token) == len(b"=XX") and token[1:] != b"\r\n":
                data.append(int(token[1:], 16))
                ends.append(start + done)
        data += body[done:]
        ends += range(start + done + 1, stop + 1)
        return Flat(bytes(data), ends, start)

    @lazy
    def charset(self) -> str:
        """The codec that `CHARSET` names, or `""`."""
        found = b";" in self.head and _CHARSET.search(self.head)
        return codec_named(found[1]) if found else ""

    @lazy
    def codec(self) -> str:
        """The codec to read the value with: the one it names, else a guess from its bytes."""
        return self.charset or guess(self.flat.data)

    @property
    def codec_to_write(self) -> str:
        """The codec for text that is put into the value."""
        if self.charset:
            return self.charset
        return self.usual_codec if self.flat.data.isascii() else guess(self.flat.data)

    def like(self, raw: bytes) -> "Property":
        """A line read by the same rules as this one."""
        return Property(raw, self.version, self.usual_codec)

    @lazy
    def components(self) -> list[Span]:
        """The parts of a structured value between unescaped semicolons, at least one."""
        data = self.flat.data
        if b";" not in data:
            return [Span(0, len(data))]
        if self._is_plain:
            stops = accumulate(len(part) + 1 for part in data.split(b";"))
            return [Span(start, stop - 1) for start, stop in pairwise([0, *stops])]
        masked = self._masked
        pattern = _COMPONENT_21 if self.is_21 else _COMPONENT
        spans = []
        stop = -1
        while stop < len(masked):
            start = stop + 1
            stop = pattern.match(masked, start).end()  # type: ignore[union-attr]  # matches always
            spans.append(Span(start, stop))
        return spans

    @lazy
    def _masked(self) -> bytes:
        """The flat value with all bytes hidden that look like a separator and are none."""
        masked = without_trail_bytes(self.flat.data, self.codec)
        return masked if self.flat.ends is None else self._with_encoded_separators_hidden(masked)

    @lazy
    def first_stop(self) -> int:
        """Where the first value of the first component ends in the flat value.

        In 2.1 too, where a comma only is a separator for some of the programs that read it.
        """
        return self._first_value(self.components[0]).stop

    def _first_value(self, span: Span) -> Span:
        """The first of the values of a component that a comma separates."""
        if b"," not in self.flat.data:
            return span
        found = _VALUE.match(self._masked, *span)
        return Span(span.start, found.end())  # type: ignore[union-attr]  # matches always

    def first_texts(self) -> list[str]:
        """What the components say, of a list its first value, stripped.

        In 2.1 a comma is text.
        """
        if self.is_21 or b"," not in self.flat.data:
            return self.texts()
        return [self.text(self._first_value(span)).strip() for span in self.components]

    @lazy
    def alternative_id(self) -> bytes:
        """The `ALTID`, which lines share that say the same in other languages, or `b""`."""
        found = b";" in self.head and _ALTERNATIVE.search(self.head)
        return found[1] if found else b""

    @lazy
    def _is_plain(self) -> bool:
        """Whether each semicolon of the flat value separates."""
        flat = self.flat
        return flat.ends is None and b"\\" not in flat.data and not needs_care(self.codec)

    def _with_encoded_separators_hidden(self, masked: bytes) -> bytes:
        """A semicolon written `=3B` is text, and a comma `=2C`; only a literal one separates."""
        hidden = bytearray(masked)
        for separator in _SEPARATOR.finditer(masked):
            at = separator.start()
            if self.raw[self.flat.raw_end(at + 1) - 1] != masked[at]:
                hidden[at] = ord("x")
        return bytes(hidden)

    def text(self, span: Span | None = None) -> str:
        """What a part of the value says.

        Args:
            span: Which part; the whole value if left out.

        Returns:
            Decoded and unescaped. Bytes that are wrong in the charset come out as surrogates, so
            that different bytes stay different.
        """
        data = self.flat.data if span is None else self.flat.data[span.start : span.stop]
        try:
            text = data.decode(self.codec, "surrogateescape")
        except UnicodeDecodeError:  # as codecs with a state do all the same
            text = data.decode("ascii", "surrogateescape")
        if "\\" not in text:
            return text
        if self.is_21:
            return text.replace("\\;", ";")
        return _ESCAPE.sub(_unescape, text)

    def texts(self) -> list[str]:
        """What the components say, stripped."""
        return list(self._texts)

    @lazy
    def _texts(self) -> tuple[str, ...]:
        if self._is_plain and self.flat.data.isascii():  # decoded as a whole, which is quicker
            return tuple(text.strip() for text in self.flat.data.decode("ascii").split(";"))
        return tuple(self.text(span).strip() for span in self.components)

    @property
    def line_break(self) -> bytes:
        """The line break that the line itself uses, else CRLF."""
        found = _BREAK.search(self.raw)
        return found[0] if found else b"\r\n"


def one_line(text: str) -> str:
    """Text that breaks neither a line nor a column where it is printed."""
    return _UNPRINTED.sub(" ", text).strip()


def _unescape(match: re.Match[str]) -> str:
    return "\n" if match[1] in "nN" else match[1]


def _match_folded_head(raw: bytes) -> tuple[re.Match[bytes] | None, int | None]:
    """Match a head whose parameters are folded; tell where the value starts in the raw line."""
    if loose := _LOOSE_HEAD.match(raw):
        return loose, None
    text = FOLD.sub(b"", raw)
    match = _HEAD.match(text) or _LOOSE_HEAD.match(text)
    if match is None:
        return None, None
    # Each colon of the raw line is tried; the value starts behind the one that gives this head.
    at = -1
    while FOLD.sub(b"", raw[: at + 1]) != match[0]:
        at = raw.index(b":", at + 1)
    return match, at + 1
