"""The mark that keeps an address book from merging a name: how it is put on and taken off.

A mark is ` /ABC-Corp/`: a blank (none if the name is empty), the text between slashes, no slash in
the text. The slash at its end is repeated, ` /ABC-Corp//`, where names in the file end like a mark
already and could be confused with it; the number of slashes is the mark's *level*.

Taking off must give back the very bytes, folds included, so a line says by where it is folded
which folds are the mark's:

- *plain*: the line is short enough, nothing is folded;
- *inner*: all new folds are inside the mark;
- *before*: a fold stands directly before the mark and none directly behind it. Then the line had
  no folds, and every fold in it is new;
- *around*: folds stand directly before and directly behind the mark, and only those and those
  inside it are new.

In quoted-printable a soft line break takes the place of the fold; in 2.1, where a fold keeps its
blank, a line is folded only before the mark's own blank. The first form that `unmarked` turns back
into the original is taken, so a mark that could not be undone is never made.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from cardsplit.content import Property
from cardsplit.lines import BREAK, FOLD, Span

LIMIT = 75  # octets of a physical line without its break (RFC 6350, 3.2)

_TRANSPARENT = ("ascii", "utf-8")
LONGEST_TEXT = 64  # characters of a mark; it stands in a list of names

_SHAPE = re.compile(r"(?:\A|(?<= ))/([^/]+)(/+)\Z")
_SPACE = re.compile(r"[\s\0-\x1f\x7f]+")
_TO_HYPHEN = str.maketrans({"/": "-", "\\": "-"})
_BREAK = re.compile(BREAK)
_SOFT_BREAK = re.compile(rb"=" + BREAK)
_FROM_ASCII_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
)
# What a line is never broken inside of: an escape, an encoded byte, a character of several bytes.
# Blanks stay with what stands before them, as a line that starts with one would be read as folded.
_UNIT = re.compile(
    rb" ?(?:\\.|=[C-F][0-9A-F](?:=[89AB][0-9A-F])+|=[0-9A-F]{2}"
    rb"|[\x81-\x9f\xc0-\xff][\x80-\xbf]+|[\x81-\xff][\x30-\xff]|.) *",
    re.DOTALL,
)


class Mark(NamedTuple):
    """What stands behind a name.

    Attributes:
        text: Between the slashes; not empty, no slash in it, no blank at its ends.
        level: The number of slashes at the end. At least 1.
    """

    text: str
    level: int


def clean(text: str) -> str:
    """Make `text` fit to stand in a mark: short, on one line, without slash and backslash."""
    return _SPACE.sub(" ", text.translate(_TO_HYPHEN)).strip()[:LONGEST_TEXT].rstrip()


def mark_of(name: str) -> Mark | None:
    """The mark at the end of a decoded name, if it ends like one."""
    match = _SHAPE.search(name)
    return Mark(match[1], len(match[2])) if match and match[1] == clean(match[1]) else None


def name_in(line: Property) -> str:
    """What a mark is put behind, as text: the family name of an N, else all of the value."""
    return line.text(Span(0, _place(line)))


def marked(line: Property, mark: Mark) -> bytes | None:
    """Put a mark on a line.

    Args:
        line: An N or FN.
        mark: What to put behind its name.

    Returns:
        The raw line with the mark, such that `unmarked` gives `line.raw` back; `None` if the
        charset of the line lacks a letter of the mark even without its accent.
    """
    at = _place(line)
    new = _written(line, mark, after_nothing=at == 0)
    if new is None:
        return None
    head, tail = line.raw[: line.flat.raw_end(at)], line.raw[line.flat.raw_end(at) :]
    if is_easy(line, mark):
        return head + new + tail
    for raw in _forms(line, _Parts(head, quoted(new) if line.is_quoted_printable else new, tail)):
        if _taken_off(line.like(raw), mark) == line.raw:
            return raw
    return None


def is_easy(line: Property, mark: Mark) -> bool:
    """Whether a line and a mark are as plain as most are, so that nothing can go wrong."""
    return (
        mark.text.isascii()
        and not line.is_quoted_printable
        and line.flat.ends is None
        and b"\\" not in line.flat.data
        and line.codec_to_write in _TRANSPARENT
        and len(line.raw) + len(mark.text) + mark.level + len(" /\\;") <= LIMIT
        and "," not in mark.text
        and ";" not in mark.text
    )


def shown_mark(mark: Mark) -> str:
    """A mark as people see it."""
    return f"/{mark.text}" + "/" * mark.level


def unmarked(line: Property, mark: Mark) -> bytes | None:
    """Take a mark off a line.

    Args:
        line: An N or FN.
        mark: The mark that its name may end with.

    Returns:
        The raw line that `marked` had been given, or `None` if the mark is not there, or not as
        `marked` writes it.
    """
    before = _taken_off(line, mark)
    return before if before and marked(line.like(before), mark) == line.raw else None


def _place(line: Property) -> int:
    """Flat length of what a mark is put behind."""
    return line.first_stop if line.name == "N" else len(line.flat.data)


def _written(line: Property, mark: Mark, *, after_nothing: bool) -> bytes | None:
    """A mark with the escapes and in the charset of a line, or `None` if it cannot be written."""
    text = shown_mark(mark)
    if not after_nothing:
        text = " " + text
    if line.is_21:  # which has no escape for a comma
        text = text.replace(",", "")
    escaped = re.sub("[;]" if line.is_21 else "[;,]", r"\\\g<0>", text)
    try:
        return escaped.encode(line.codec_to_write)
    except UnicodeEncodeError:
        plain = unicodedata.normalize("NFKD", escaped.translate(_FROM_ASCII_LETTERS))
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
        return plain.encode() if plain.isascii() else None


def quoted(data: bytes) -> bytes:
    """Encode as quoted-printable, without soft breaks."""
    return b"".join(
        b"=%02X" % byte if byte < 0x20 or byte > 0x7E or byte == ord("=") else bytes([byte])  # noqa: PLR2004 - the printable part of ASCII
        for byte in data
    )


def _taken_off(line: Property, mark: Mark) -> bytes | None:
    """The line without the mark and without the folds that its form says are new."""
    raw, flat, at = line.raw, line.flat, _place(line)
    for after_nothing in (False, True):
        data = _written(line, mark, after_nothing=after_nothing)
        if data and (len(data) == at) == after_nothing and flat.data[:at].endswith(data):
            break
    else:
        return None
    head, tail = raw[: flat.raw_end(at - len(data))], raw[flat.raw_end(at) :]
    middle = raw[len(head) : len(raw) - len(tail)]
    fold = _SOFT_BREAK if line.is_quoted_printable else FOLD
    if not fold.match(middle) or (line.is_21 and fold is FOLD):
        return head + tail  # plain or inner
    if behind := fold.match(tail):
        return head + tail[behind.end() :]  # around
    return fold.sub(b"", head) + fold.sub(b"", tail)  # before


# ---------------------------------------------------------------------------------------- forms


class _Parts(NamedTuple):
    """A raw line, taken apart where the mark goes."""

    head: bytes
    mark: bytes
    tail: bytes


def _forms(line: Property, parts: _Parts) -> Iterator[bytes]:
    """Raw lines with the mark in them, best first; the last resort does without a fold."""
    head, mark, tail = parts
    plain = head + mark + tail
    before, behind = len(_BREAK.split(head)[-1]), len(_BREAK.split(tail)[0])
    if before + len(mark) + behind > LIMIT:
        eol = line.line_break
        if line.is_quoted_printable:
            glue, start = b"=" + eol, b"=20" + mark[1:] if mark[:1] == b" " else mark
        else:
            glue, start = eol + b" ", mark
        if glue == eol + b" " and line.is_21:
            if mark[:1] == b" ":
                yield head + eol + mark + tail
        else:
            if inner := _wrapped(_UNIT.findall(mark), LIMIT - 1 - before, LIMIT - 1 - behind, 2):
                yield head + glue.join(inner) + tail
            value = line.value_start
            if not _BREAK.search(plain[: len(plain) - len(_final_break(plain))]):
                first = _wrapped([head[:value], *_UNIT.findall(head[value:])], LIMIT - 1, LIMIT - 1)
                end = len(_final_break(tail))
                units = _UNIT.findall(start)
                rest = _UNIT.findall(tail[: len(tail) - end])
                joint = [*units[:-1], units[-1] + b"".join(rest[:1]), *rest[1:]]
                second = _wrapped(joint, LIMIT - 1, LIMIT - 1)
                yield glue.join([*(first or [head]), *(second or joint)]) + _final_break(tail)
            around = _wrapped(_UNIT.findall(start), LIMIT - 1, LIMIT - 1) or [start]
            yield head + glue + glue.join(around) + glue + tail
    yield plain


def folded(head: bytes, value: bytes, glue: bytes) -> bytes:
    """A line of this head and value without its break, folded by `glue` so that it fits."""
    if len(head) + len(value) <= LIMIT:
        return head + value
    units = _UNIT.findall(value)
    pieces = _wrapped([head, *units], LIMIT - 1, LIMIT - 1)
    return glue.join(pieces or [head + value])


def _final_break(raw: bytes) -> bytes:
    """The line break at the end, or nothing."""
    return raw[len(raw.rstrip(b"\r\n")) :]


def _wrapped(units: list[bytes], first: int, last: int, least: int = 1) -> list[bytes]:
    """Join units into pieces that fit on lines; `[]` if they cannot be made to.

    Args:
        units: What must not be broken.
        first: Octets that the first piece may have.
        last: Octets that the last piece may have; those between may have `LIMIT - 1`.
        least: How many pieces there must be, 1 or 2.
    """
    pieces: list[list[bytes]] = [[]]
    room, width = first, 0
    for unit in units:
        if width + len(unit) > room and pieces[-1]:
            pieces.append([])
            room, width = LIMIT - 1, 0
        pieces[-1].append(unit)
        width += len(unit)
    if width > last or len(pieces) < least:
        pieces.append([pieces[-1].pop()])
    joined = [b"".join(piece) for piece in pieces]
    return joined if all(joined) and len(joined[0]) <= first and len(joined[-1]) <= last else []
