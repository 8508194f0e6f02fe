"""Converting cards of 2.1, 3.0 and 4.0 to 3.0 or 4.0.

Values are decoded from their charset, quoted-printable and base64 of 2.1, and written in UTF-8 with
the escapes, parameters and folds of the new version. What the new version has no place for is kept
under a name that starts with `X-` where that can be, and named in a note always.

Sources: RFC 2426, RFC 6350 (and its appendix A, on what changed), vCard 2.1.
Decision: docs/decisions/0051-converting-by-our-own-rules.md.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from cardsplit.cards import Card
from cardsplit.clashing import display_name
from cardsplit.content import Property
from cardsplit.errors import UsageError
from cardsplit.forms import form_of
from cardsplit.keys import stand_in
from cardsplit.lines import EDGE, logical_lines
from cardsplit.media import binary_value
from cardsplit.parameters import Parameter, parameters_of

VERSIONS = ("3.0", "4.0")
STRUCTURED = frozenset({"N", "ADR", "ORG"})
LISTS = frozenset({"NICKNAME", "CATEGORIES"})  # of values between commas, in 2.1 as well
TEXTS = frozenset({"FN", "LABEL", "TEL", "EMAIL", "MAILER", "TITLE", "ROLE", "NOTE", "PRODID",
                   "SORT-STRING", "CLASS", "UID", "NAME"})  # fmt: skip
BINARY = frozenset({"PHOTO", "LOGO", "SOUND", "KEY"})
NOT_IN_40 = frozenset({"AGENT", "LABEL", "MAILER", "NAME", "PROFILE", "CLASS", "SORT-STRING"})
ONLY_IN_40 = frozenset({"KIND", "GENDER", "LANG", "ANNIVERSARY", "XML", "MEMBER", "RELATED",
                        "CLIENTPIDMAP", "FBURL", "CALADRURI", "CALURI"})  # fmt: skip
LIMIT = 75  # octets of a line without its break

_DOUBLED = b"\r\r\n"  # what a copy in text mode makes of CRLF; folds behind it belong to the line
_ESCAPED_21 = re.compile(r"\\([\\;,nN])")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_TO_ESCAPE = re.compile(r"[\\;,]")
_BLANK_OR_COMMENT = re.compile(rb"[\s\0]*\Z")


class Converted(NamedTuple):
    """A card of another version.

    Attributes:
        data: The card, and those that were nested in it without being an agent.
        notes: What could not be kept as it was, a clause each.
    """

    data: bytes
    notes: list[str]


def convert(card: bytes, version: str) -> Converted:
    r"""Convert one card.

    Args:
        card: A card as `split` gives it, or its bytes.
        version: `"3.0"` or `"4.0"`.

    Returns:
        The card in that version, in UTF-8, with CRLF.

    Raises:
        UsageError: If there is no such version.

    Example:
        >>> name = b"N:Doe;Jo\nFN;CHARSET=latin-1;QUOTED-PRINTABLE:J=F6"
        >>> old = b"BEGIN:VCARD\nVERSION:2.1\n%b\nEND:VCARD\n" % name
        >>> print(convert(old, "3.0").data.decode().replace("\r", ""), end="")
        BEGIN:VCARD
        VERSION:3.0
        N:Doe;Jo
        FN:Jö
        END:VCARD
    """
    if version not in VERSIONS:
        raise UsageError(f"`{version}` is no version to convert to; give one of 3.0 and 4.0.")
    taken = card if isinstance(card, Card) else Card(card)
    if _DOUBLED in taken.shown:
        taken = Card(taken.shown.replace(_DOUBLED, b"\r\n"))
    return _Conversion(taken, version).done()


class _Conversion:
    """The conversion of one card."""

    def __init__(self, card: Card, version: str) -> None:
        self._card = card
        self._version = version
        self._notes: dict[str, None] = {}
        self._lines: list[bytes] = []

    def done(self) -> Converted:
        """Convert all lines."""
        card, version = self._card, self._version
        agents, others = nested_cards(card)
        for _, line in card.lines:
            if line.name == "VERSION":
                continue
            if line.name == "AGENT" and not line.flat.data.strip():
                self._add_agent(agents.pop(0) if agents else Card())
            elif line.name:
                self._add(line)
            elif not _BLANK_OR_COMMENT.match(line.raw):
                self._notes["a line that is no property was left out"] = None
        self._add_required()
        lines = [b"BEGIN:VCARD", b"VERSION:" + version.encode(), *self._lines, b"END:VCARD", b""]
        data = b"\r\n".join(lines)
        for other in [*agents, *others]:
            self._notes["a nested card now follows the card around it"] = None
            inner = convert(other, version)
            data += inner.data
            self._notes |= dict.fromkeys(inner.notes)
        return Converted(data, list(self._notes))

    def _add_required(self) -> None:
        """Names that the new version asks for."""
        card = self._card
        shown = display_name(card) or " ".join(stand_in(card).split())
        if not card.all("FN"):
            self._write("", "FN", [], escaped(shown))
            self._notes["FN was missing and is made of what the card has"] = None
        if self._version == "3.0" and not card.all("N"):
            self._write("", "N", [], f";{escaped(shown)};;;")
            self._notes["N was missing and is made of FN"] = None

    def _add_agent(self, agent: Card) -> None:
        """The card of an agent, as text inside the line."""
        inner = convert(agent, self._version) if agent else Converted(b"", [])
        self._notes |= dict.fromkeys(inner.notes)
        self._write("", self._name("AGENT"), [], escaped(inner.data.decode("utf-8")))

    def _add(self, line: Property) -> None:
        """Convert one property."""
        name = self._name(line.name)
        group = line.group + "." if line.group else ""
        parameters = [p for p in parameters_of(line.head) if p.name not in {"ENCODING", "CHARSET"}]
        is_binary = line.is_base64 or (line.name in BINARY and self._is_data_uri(line))
        if is_binary:
            value, parameters = binary_value(line, parameters, self._version)
        else:
            form = form_of(line.name, self._value(line), parameters, self._version)
            value, parameters = form.value, form.parameters
            if not form.is_kept:
                name = self._kept_as_extension(line.name)
            elif form.doubt:
                self._notes[f"{line.name} {form.doubt}"] = None
        self._write(group, name, self._parameters(parameters), value)

    @staticmethod
    def _is_data_uri(line: Property) -> bool:
        return line.flat.data[: len(b"data:")].lower() == b"data:"

    def _name(self, name: str) -> str:
        """The name under which a property is kept."""
        lacking = NOT_IN_40 if self._version == "4.0" else ONLY_IN_40
        if name not in lacking:
            return name
        return self._kept_as_extension(name)

    def _kept_as_extension(self, name: str) -> str:
        self._notes[f"{name} is not in {self._version} and was kept as X-{name}"] = None
        return f"X-{name}"

    def _value(self, line: Property) -> str:
        """A value with the escapes of 3.0 and 4.0, which are the same."""
        data = line.flat.data
        text = data.decode(line.codec, "surrogateescape")
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            self._notes[f"{line.name} holds bytes that are no letters in their charset"] = None
            text = data.decode(line.codec, "replace")
        if not line.is_21:
            return _LINE_BREAK.sub(r"\\n", text)
        if line.name in STRUCTURED:
            parts = (data[s.start : s.stop].decode(line.codec, "replace") for s in line.components)
            return ";".join(escaped(_unescaped(part)) for part in parts)
        if line.name in LISTS:
            return ",".join(escaped(_unescaped(part)) for part in text.split(","))
        if line.name in TEXTS:
            return escaped(_unescaped(text))
        return _LINE_BREAK.sub(r"\\n", text)

    def _parameters(self, parameters: list[Parameter]) -> list[Parameter]:
        """Parameters as the new version writes them."""
        kept: list[Parameter] = []
        types: list[str] = []
        for parameter in parameters:
            if parameter.name == "TYPE":
                types += parameter.values
            elif not (parameter.name == "VALUE" and parameter.text.upper() == "INLINE"):
                kept.append(parameter)
        if self._version == "4.0" and any(one.upper() == "PREF" for one in types):
            types = [one for one in types if one.upper() != "PREF"]
            if not any(parameter.name == "PREF" for parameter in kept):
                kept.append(Parameter("PREF", "1"))
        if self._version == "3.0" and any(parameter.name == "PREF" for parameter in kept):
            kept = [parameter for parameter in kept if parameter.name != "PREF"]
            types.append("PREF")
        distinct = list(dict.fromkeys(types))
        return [*(Parameter.quoted("TYPE", one) for one in distinct), *kept]

    def _write(self, group: str, name: str, parameters: list[Parameter], value: str) -> None:
        """Add a line, folded."""
        words = "".join(f";{parameter.name}={parameter.value}" for parameter in parameters)
        self._lines.append(folded(f"{group}{name}{words}:{value}".encode("utf-8", "replace")))


def nested_cards(card: Card) -> tuple[list[Card], list[Card]]:
    """The cards nested in a card: those behind an empty `AGENT:`, and all others."""
    agents: list[Card] = []
    others: list[Card] = []
    start = depth = 0
    is_agent, before = False, b""
    shown = card.shown
    for span in logical_lines(shown):
        line = shown[span.start : span.stop]
        edge = EDGE.match(line)
        kind = edge.lastgroup if edge else None
        if kind in {"end", "glued"} and depth:
            depth -= 1
            if depth == 1:
                (agents if is_agent else others).append(Card(shown[start : span.stop]))
            if depth == 0:
                break
        if kind in {"begin", "glued", "agent"}:
            depth += 1
            if depth == 2:  # noqa: PLR2004 - directly inside the card
                at = edge.start("glued") if edge and kind == "glued" else 0
                start = span.start + (line.index(b":") + 1 if kind == "agent" else at)
                is_agent = kind == "agent" or Property(before, "").name == "AGENT"
        before = line
    return agents, others


def _unescaped(text: str) -> str:
    """Text of 2.1, in which programs write more escapes than the one that it has."""
    return _ESCAPED_21.sub(lambda m: "\n" if m[1] in "nN" else m[1], text)


def escaped(text: str) -> str:
    """Text with the escapes of 3.0 and 4.0."""
    return _LINE_BREAK.sub(r"\\n", _TO_ESCAPE.sub(r"\\\g<0>", text))


def folded(line: bytes) -> bytes:
    """A line folded by CRLF and a blank, never inside a letter of UTF-8."""
    return b"\r\n ".join(_pieces(line))


def _pieces(line: bytes) -> Iterator[bytes]:
    start, room = 0, LIMIT
    while len(line) - start > room:
        stop = start + room
        while line[stop] & 0xC0 == 0x80:  # noqa: PLR2004 - a byte inside a letter of UTF-8
            stop -= 1
        yield line[start:stop]
        start, room = stop, LIMIT - 1
    yield line[start:]
