"""What most names look like, and short ways to read and to mark those.

A name is *simple* if its line is `N:Miller;Peter` with any number of empty components behind it:
words of UTF-8 with one blank between them, without slash, backslash and comma, perhaps with a
mark. What
is said here of such names is what the long ways of `cardsplit.keys`, `cardsplit.marks` and
`cardsplit.naming` say, only quicker; the tests compare the two.
"""

import re
from typing import NamedTuple

from cardsplit.marks import LIMIT, LONGEST_TEXT, Mark
from cardsplit.rules import Detail, Rule

_ASCII_WORDS = rb"[!-.0-:<-\[\]-~]+(?: [!-.0-:<-\[\]-~]+)*"
#: Words that are UTF-8 if `is_clean` says so, ...
WORDS = _ASCII_WORDS.replace(rb"\]-~", rb"\]-~\x80-\xff")
#: ... and such without a comma, which separates the values of a list, and is escaped in a mark.
UNLISTED = WORDS.replace(rb"!-.", rb"!-+\-.")
_MARK_WORDS = _ASCII_WORDS.replace(rb"!-.", rb"!-+\-.")
_ODD_BLANK = re.compile(r"[^\S \n]")
START = rb"BEGIN:VCARD\r?\n(?:VERSION:(?:2\.1|[34]\.0)\r?\n"
#: Unfolded lines without a soft break that are no other property of this name, and the name.
UP_TO = rb"(?:(?!%b[:;]|BEGIN:|END:|AGENT)[A-Z][A-Z-]*[:;][^\r\n]*(?<!=)\r?\n)*?%b"
_SIMPLE_PATTERN = (
    START + UP_TO % (b"N", b"N")
    + rb":(" + UNLISTED + rb")( /" + _MARK_WORDS + rb"/+)?;(" + UNLISTED + rb");*)\r?\n(?![ \t])"
)  # fmt: skip
_SIMPLE = re.compile(_SIMPLE_PATTERN)
_SIMPLE_IN_ANY_CASE = re.compile(_SIMPLE_PATTERN, re.IGNORECASE)  # half as quick
# Another N, or an FN that may bear a mark.
_DOUBT = re.compile(
    rb"\n(?:[A-Za-z0-9-]+\.)?(?:[Nn][ \t]*[;:]"
    rb"|[Ff][Nn][ \t]*(?:;|:[^\r\n]*(?:/|\r?\n[ \t])))"
)
_COMPANY = re.compile(rb"\n(?:[A-Za-z0-9-]+\.)?(?i:ORG)[ \t]*[;:]")
_SIMPLE_COMPANY = re.compile(rb"\nORG:(" + _ASCII_WORDS + rb")(?:;|\r?\n(?![ \t]))", re.IGNORECASE)


class SimpleName(NamedTuple):
    """The only N of a card, if it is simple.

    Attributes:
        family: The family name without a mark.
        mark: The mark behind it as it stands there, from its blank to its last slash, or `b""`.
        given: The given name.
        start: Where the line starts in the card.
        place: Where the mark ends in the card, or the family name if there is none.
        stop: Where the line ends, before its break.
    """

    family: bytes
    mark: bytes
    given: bytes
    start: int
    place: int
    stop: int

    def key(self, data: bytes, rule: Rule | Detail, mark: bytes = b"") -> bytes:
        """The key of the card `data` under a rule other than FN, with one more mark."""
        if rule is Rule.N_LINE:
            return data[self.start : self.place] + mark + data[self.place : self.stop]
        family = self.family + self.mark + mark
        if rule is Rule.LAST_FIRST:
            return lowered(family + b";" + self.given)
        return lowered(self.given + b" " + family)

    def written(self, mark: Mark) -> bytes:
        """What is put at `place` for a mark; `b""` if that is not so simple."""
        if not mark.text.isascii() or "," in mark.text or ";" in mark.text:
            return b""
        text = b" /" + mark.text.encode("ascii") + b"/" * mark.level
        return text if self.stop - self.start + len(text) + len("\r\n") <= LIMIT else b""

    @property
    def level(self) -> int:
        """The level of the mark; 0 if there is none."""
        return len(self.mark) - len(self.mark.rstrip(b"/"))


def is_clean(text: bytes) -> bool:
    """Whether text is UTF-8 without other blanks than the usual one."""
    if text.isascii():
        return True
    try:
        return not _ODD_BLANK.search(text.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def lowered(text: bytes) -> bytes:
    """Text in small letters; what is not UTF-8 in it stays."""
    if text.isascii():
        return text.lower()
    return text.decode("utf-8", "surrogateescape").lower().encode("utf-8", "surrogateescape")


def simple_name(data: bytes) -> SimpleName | None:
    """Read the name of a card that `simple_body` finds simple; `None` if the name is not."""
    match = _SIMPLE.match(data) or _SIMPLE_IN_ANY_CASE.match(data)
    if match is None:
        return None
    family, mark, given = match.groups(b"")
    start, place, stop = match.start(1) - len(b"N:"), match.end(1) + len(mark), match.end(3)
    while data[stop : stop + 1] == b";":
        stop += 1
    if not is_clean(data[start:stop]) or len(mark.rstrip(b"/")) > len(" /") + LONGEST_TEXT:
        return None
    if _DOUBT.search(data, 0, start) or _DOUBT.search(data, stop):
        return None
    return SimpleName(family, mark, given, start, place, stop)


def simple_company(data: bytes) -> str | None:
    """What a mark could say of the company of such a card; `None` where there is a doubt."""
    found = _COMPANY.search(data)
    if found is None:
        return ""
    simple = _SIMPLE_COMPANY.match(data, found.start())
    return simple[1].decode("ascii")[:LONGEST_TEXT].rstrip() if simple else None
