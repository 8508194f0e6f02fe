"""Byte-order marks, UTF-16, and the charsets of single properties.

The tokenizer reads bytes in which ASCII means ASCII. That holds for UTF-8, Latin-1, Shift_JIS and
every other charset that vCards use, except for UTF-16. Of UTF-16 it is shown a *view* of one byte
for each unit of two: ASCII as it is, all else as 0xFF. An offset in the view, doubled, is one in
the file, so the bytes of the file never pass through a codec.
"""

import codecs
import re

_NOT_ASCII_UNITS = re.compile(rb"[^\0]+")
#: Codecs whose second bytes can look like ASCII, a backslash among them.
DOUBLE_BYTE = frozenset(
    [
        "big5",
        "big5hkscs",
        "cp932",
        "cp936",
        "cp949",
        "cp950",
        "gb18030",
        "gbk",
        "johab",
        "shift_jis",
        "shift_jis_2004",
        "shift_jisx0213",
    ]
)
STATEFUL_PREFIXES = ("iso2022", "hz")

BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SNIFFED = 4  # bytes that `sniff` looks at


def sniff(start: bytes) -> str:
    """Tell UTF-16 from all else.

    Args:
        start: The first `SNIFFED` bytes of a file, or all of them.

    Returns:
        `"utf-16-le"`, `"utf-16-be"`, or `""` for everything in which ASCII is ASCII.
    """
    if start.startswith(codecs.BOM_UTF16_LE) or start[:SNIFFED].upper() == b"B\0E\0":
        return "utf-16-le"
    if start.startswith(codecs.BOM_UTF16_BE) or start[:SNIFFED].upper() == b"\0B\0E":
        return "utf-16-be"
    return ""


def view(raw: bytes, encoding: str) -> bytes:
    """One byte for each unit of the file: what the tokenizer reads.

    Args:
        raw: A piece of the file, of even length where it is UTF-16.
        encoding: What `sniff` said.

    Returns:
        `raw` itself, or half as many bytes for UTF-16.
    """
    if not encoding:
        return raw
    low, high = (raw[0::2], raw[1::2]) if encoding == "utf-16-le" else (raw[1::2], raw[0::2])
    if not any(high):
        return low
    shown = bytearray(low)
    for run in _NOT_ASCII_UNITS.finditer(high):
        shown[run.start() : run.end()] = b"\xff" * (run.end() - run.start())
    return bytes(shown)


def codec_named(charset: bytes) -> str:
    """The codec that a `CHARSET` parameter asks for.

    Args:
        charset: The parameter's value, as it stands in the file.

    Returns:
        Python's name of the codec, or `""` where it knows none, or one that is not for text.
    """
    try:
        name = codecs.lookup(charset.strip(b'"').decode("ascii")).name
        "".encode(name)
    except (LookupError, UnicodeError, ValueError):
        return ""
    return "" if name.startswith(("utf-16", "utf-32", "utf-7", "idna", "punycode")) else name


def guess(data: bytes) -> str:
    """The codec of text that does not name its own: UTF-8 if it can be, else Windows-1252."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def needs_care(codec: str) -> bool:
    """Whether a byte that looks like ASCII may be part of another character in this codec."""
    return codec in DOUBLE_BYTE or codec.startswith(STATEFUL_PREFIXES)


def without_trail_bytes(data: bytes, codec: str) -> bytes:
    """Hide the second bytes of characters that could be taken for `;` or a backslash.

    Args:
        data: Text in `codec`.
        codec: Python's name of the codec.

    Returns:
        As many bytes as `data`, equal to it except that bytes inside a character of more than
        one byte are `x`. `data` itself for codecs that need no such care.
    """
    if codec in DOUBLE_BYTE:
        return _LEAD_AND_TRAIL.sub(b"xx", data)
    if codec.startswith(STATEFUL_PREFIXES):
        return _SHIFTED.sub(lambda run: b"x" * len(run[0]), data)
    return data


# Half-width katakana of Shift_JIS (0xA1-0xDF) are single bytes, but lead bytes in the others; as
# what follows them is then at most hidden, a separator behind one is looked at by its own codec.
_LEAD_AND_TRAIL = re.compile(rb"[\x81-\x9f\xe0-\xfe][\x30-\xfe]", re.DOTALL)
_SHIFTED = re.compile(rb"\x1b\$[^\x1b]*|~\{(?:[^~]|~[^}])*", re.DOTALL)
