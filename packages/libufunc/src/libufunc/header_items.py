"""Cuts the text of a C header into its declarations, each with its line.

One that is odd, or left open, ends where the next line begins, so that it costs no other. Comments
and directives are passed over; the markers that a preprocessor leaves (`# 28 "math.h"`) say which
file and line follow.
"""

import re
from dataclasses import dataclass

_MARKER = re.compile(r"^\s*#(?:line)?\s*(\d+)(?:\s+\"([^\"]*)\")?", re.MULTILINE)
_TOKEN = re.compile(
    r"(?P<line>\n)|(?P<marker>^[ \t]*\#[^\n]*)|(?P<text>\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*')"
    r"|(?P<open>[({\[])|(?P<close>[)}\]])|(?P<end>;)|(?P<word>\d[\w.]*|\w+)"
    r"|(?P<other>\.\.\.|<<|>>|[=<>!]=|&&|\|\||->|\S)",
    re.MULTILINE,
)
_OPENS = {")": "(", "}": "{", "]": "["}
_LINKAGE = re.compile(r'\bextern\s*"C(?:\+\+)?"\s*(\{)?')


@dataclass(frozen=True, slots=True)
class Item:
    """One declaration, or what stands in the place of one.

    Attributes:
        line: Where it begins, counted from 1, in its file.
        file: The file that a preprocessor names; empty for the text itself.
        text: The declaration, without the semicolon, and without the body of a function; in lines
            as they were.
    """

    line: int
    file: str
    text: str


def split_items(text: str) -> list[Item]:
    """The declarations of a header, in order.

    Args:
        text: The header, preprocessed or as it was written.
    """
    # Linkage goes; the brace that closes it stands where no item is open, and is passed over.
    return _Splitter(_LINKAGE.sub(" ", _without_comments(text))).items


def _without_comments(text: str) -> str:
    """The text with blanks for comments and for directives but markers; lines keep their number."""

    def blank(found: re.Match[str]) -> str:
        return found[0] if found[0].startswith('"') else "\n" * found[0].count("\n") or " "

    text = re.sub(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', blank, text, flags=re.DOTALL)

    def directive(found: re.Match[str]) -> str:
        is_marker = _MARKER.match(found[0])
        return found[0] if is_marker else "\n" * found[0].count("\n")

    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", directive, text, flags=re.MULTILINE)


class _Splitter:
    """Goes through the tokens of a text and collects items."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.items: list[Item] = []
        self.line, self.file = 1, ""
        self.begin(0)
        while self.place < len(text):
            self.place = self.walk(self.place)

    def begin(self, place: int) -> None:
        """Forget the item that was being read."""
        self.place, self.in_body = place, False
        self.open: list[str] = []  # brackets
        self.words: list[str] = []
        self.breaks = 0  # lines ended since the last word
        self.first = (place, self.line, self.file)
        self.second_line: tuple[int, int, str] | None = None

    def walk(self, place: int) -> int:
        """Read to the end of the text, and say where to go on: within it, after an open item."""
        for token in _TOKEN.finditer(self.text, place):
            if token.lastgroup == "line":
                self.line += 1
                self.breaks += 1
                if self.words and not self.second_line:
                    self.second_line = (token.end(), self.line, self.file)
            elif token.lastgroup == "marker":
                self.obey(token[0])
            elif self.is_broken_by(token[0]):
                return self.give_up(token.end())
            else:
                self.take(token)
        if self.open:
            return self.give_up(len(self.text))
        self.finish(len(self.text))
        return len(self.text)

    def is_broken_by(self, word: str) -> bool:
        """Whether a word cannot follow: it closes another bracket, or ends within parentheses."""
        if not self.open:
            return False
        if word == ";":
            return self.open[-1] != "{"
        return word in _OPENS and _OPENS[word] != self.open[-1]

    def give_up(self, place: int) -> int:
        """End a broken item with its first line, so that it costs no other; say where to go on."""
        start, line, file = self.first
        if self.second_line:
            place, self.line, self.file = self.second_line
        self.items.append(Item(line, file, self.text[start:place].strip()))
        self.begin(place)
        return place

    def obey(self, marker: str) -> None:
        """Take line and file from a marker."""
        found = _MARKER.match(marker)
        if found:
            self.line = int(found[1]) - 1
            if found[2] is not None:  # `<stdin>` and such stand for the text itself
                self.file = "" if found[2].startswith("<") else found[2]

    def take(self, token: re.Match[str]) -> None:
        """Take one word or bracket."""
        kind, word = token.lastgroup, token[0]
        if not self.words:
            if kind in {"close", "end"}:  # of linkage, or too many
                return
            self.first = (token.start(), self.line, self.file)
        if kind == "end" and not self.open:
            self.finish(token.end())
            return
        if word == "{" and not self.open and _is_function(self.words):
            self.in_body = True
        if kind == "open":
            self.open.append(word)
        elif kind == "close" and self.open:
            self.open.pop()
        if not self.in_body:
            self.words += ["\n" * self.breaks] * (self.breaks > 0 and bool(self.words)) + [word]
            self.breaks = 0
        elif not self.open:
            self.finish(token.end())

    def finish(self, place: int) -> None:
        """Keep the item that ends here."""
        if self.words:
            _, line, file = self.first
            self.items.append(Item(line, file, " ".join(self.words)))
        self.begin(place)


def _is_function(head: list[str]) -> bool:
    """Whether a brace after these words opens a function's body: they end with its parameters."""
    head = [word for word in head if word.strip()]
    if head[-1:] != [")"] or "=" in head:
        return False
    before = set(head[: head.index("(")]) - {"typedef", "__attribute__", "static", "extern"}
    return not before <= {"struct", "union", "enum"}


def closing(text: str, start: int) -> int:
    """Where the bracket that opens at `start` is closed; the end of the text if it is not."""
    depth = 0
    for k in range(start, len(text)):
        depth += (text[k] in "([{") - (text[k] in ")]}")
        if depth == 0:
            return k
    return len(text)
