"""Splits copied commands into words: as bash does, and as Windows does.

On Windows two programs read a line in turn. `cmd.exe` drops carets outside of quotation marks, and
a caret at the end of a line joins it with the next one. Then the program's own runtime splits what
is left at blanks, and reads quotation marks and backslashes. Browsers double each backslash, also
where the runtime would take two for two; what they mean is read here, and not what it would do.

Sources: bash's manual, "Quoting"; Microsoft, "Parsing C command-line arguments".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
}
_ANSI_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|([0-7]{1,3})|(.))", re.DOTALL
)
_BASH = re.compile(
    r"(?P<blank>(?:[ \t\r]|\\\r?\n)+)"
    r"|(?P<end>[;&|\n]+)"
    r"|\$'(?P<ansi>(?:[^'\\]|\\.)*)'"
    r"|'(?P<single>[^']*)'"
    r'|"(?P<double>(?:[^"\\]|\\.)*)"'
    r"|\\(?P<escaped>.)"
    r"|(?P<open>['\"])"
    r"|(?P<plain>[^ \t\r\n;&|'\"\\$]+|\$)",
    re.DOTALL,
)
_RUNTIME = re.compile(r'(?P<slashes>\\*)"|(?P<blank>[ \t]+)|(?P<plain>\\+|[^\\" \t]+)')
_CARET_AT_END = re.compile(r"\^[ \t]*\r?\n")


def is_for_windows(text: str) -> bool:
    """Tell whether commands were copied for `cmd.exe`."""
    return '^"' in text or _CARET_AT_END.search(text) is not None


def split_for_bash(text: str) -> Iterator[list[str]]:
    """List the words of each command, comments left out.

    Raises:
        ValueError: A quotation mark is never closed.
    """
    words: list[str] = []
    word: str | None = None
    text, place = f"{text}\n", 0
    while place < len(text):
        if word is None and text[place] == "#":
            place = text.index("\n", place)
        found = _BASH.match(text, place)
        if found is None or found["open"]:
            raise ValueError("no closing quotation mark")
        place = found.end()
        kind = str(found.lastgroup)
        if kind in {"blank", "end"}:
            words += [] if word is None else [word]
            word = None
            if kind == "end" and words:
                yield words
                words = []
            continue
        word = (word or "") + _unquoted(kind, found[kind])


def _unquoted(kind: str, text: str) -> str:
    if kind == "ansi":
        return _ANSI_ESCAPE.sub(_ansi, text)
    if kind == "double":
        return re.sub(r"\\(?:\r?\n|([$`\"\\]))", lambda found: found[1] or "", text)
    return text


def _ansi(found: re.Match[str]) -> str:
    for place, base in ((1, 16), (2, 16), (3, 16), (4, 8)):
        if found[place] is not None:
            return chr(int(found[place], base))
    return _ESCAPES.get(found[5], found[5])


def split_for_windows(text: str) -> Iterator[list[str]]:
    """List the words of each command.

    Raises:
        ValueError: A quotation mark is never closed.
    """
    for line in _lines_of_cmd(text.replace("\r\n", "\n").replace("\r", "\n")):
        words = list(_words_of_runtime(line))
        if words:
            yield words


def _lines_of_cmd(text: str) -> Iterator[str]:
    line, quoted, place = "", False, 0
    while place < len(text):
        letter = text[place]
        joined = re.compile(r"\^[ \t]*\n").match(text, place)
        if letter == "^" and joined and not quoted:
            # What follows the end of the line is taken as it is, also a second end of a line.
            place = joined.end()
            line, place = line + text[place : place + 1], place + 1
            continue
        if letter == "^" and not quoted:
            line, place = line + text[place + 1 : place + 2], place + 2
            continue
        if letter == '"':
            quoted = not quoted
        if letter == "\n" or (letter in "&|" and not quoted):
            yield line
            line, quoted = "", False
        else:
            line += letter
        place += 1
    yield line


def _words_of_runtime(line: str) -> Iterator[str]:
    word: str | None = None
    quoted, place = False, 0
    while place < len(line):
        if line[place] == "\n" or (quoted and line[place] in " \t"):
            word, place = (word or "") + line[place], place + 1
            continue
        found = _RUNTIME.match(line, place)
        if found is None:
            break
        place = found.end()
        if found["blank"]:
            yield from () if word is None else (word,)
            word = None
            continue
        slashes = len(found["slashes"] or "")
        word = (word or "") + (_plain(found["plain"], quoted=quoted) or "\\" * (slashes // 2))
        if found["plain"] is not None:
            continue
        if slashes % 2:
            word += '"'
        elif quoted and line.startswith('"', place):
            word, place = word + '"', place + 1
        else:
            quoted = not quoted
    if quoted:
        raise ValueError("no closing quotation mark")
    if word is not None:
        yield word


def _plain(text: str | None, *, quoted: bool) -> str | None:
    return text.replace("\\\\", "\\") if text and quoted else text
