"""The functions that a C header declares, by name, and what of it could not be read.

A declaration is translated when asked for, so that one that is odd, or that no ufunc can obey, does
no harm to the others; `skipped` lists those with their lines.

A header with directives is preprocessed where the machine has a C compiler. Then only what the
text itself declares counts as declared; or, for one that declares nothing and includes other files,
as `math.h` does, what these declare.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from libufunc.c_reader import Resolver, clean, declared_types, function_name, parse
from libufunc.c_types import CFunction
from libufunc.errors import PrototypeError, SymbolError
from libufunc.header_items import Item, closing, split_items
from libufunc.preprocessing import needs_preprocessing, preprocess
from libufunc.prototypes import Prototype, prototype_of
from libufunc.suggestions import did_you_mean

_TYPE_WORD = re.compile(r"\b(?:void|char|short|int|long|float|double|signed|unsigned|struct)\b")

# What is left of an enumeration or an attribute, and a macro that stands alone.
_NOTHING = re.compile(r"(?:typedef\s+)?int|[A-Z_][A-Z0-9_]*|")
_LONGEST = 60  # characters of a declaration in a message


@dataclass(frozen=True, slots=True)
class Skipped:
    """A declaration that no function came of.

    Attributes:
        line: Where it begins, in `file`; 0 for the header as a whole.
        file: The file that it is from; empty for the text itself.
        name: Of the function, where it has one.
        reason: Why.
    """

    line: int
    file: str
    name: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.file or 'line'}{':' if self.file else ' '}{self.line}"
        return f"{where}: {self.name or 'a declaration'}: {self.reason}"


class Header(Mapping[str, Prototype]):
    """The functions that the text of a C header declares.

    Comments, `extern "C"`, attributes and bodies of functions are passed over.

    Args:
        text: The header, raw or preprocessed.
        folder: Where files that it includes are looked for, beside the system's own places.
    """

    def __init__(self, text: str, *, folder: Path | None = None) -> None:
        self._problem = ""
        if needs_preprocessing(text):
            done, self._problem = preprocess(text, folder)
            text = text if done is None else done
        self._functions: dict[str, Item] = {}
        self._others: list[Item] = []
        typedefs: dict[str, Item] = {}
        tags: dict[str, Item] = {}
        included: dict[str, Item] = {}
        for item in _apart(split_items(text)):
            cleaned = clean(item.text)
            for tag in re.findall(r"\bstruct\s+(\w+)\s*\{", cleaned):
                tags.setdefault(tag, item)
            if cleaned.lstrip().startswith("typedef"):
                for name in declared_types(cleaned):
                    typedefs.setdefault(name, item)
            elif name := function_name(cleaned):
                (included if item.file else self._functions).setdefault(name, item)
            elif not item.file and not _NOTHING.fullmatch(cleaned):
                self._others.append(item)
        self._functions = self._functions or included
        self._resolver = Resolver(typedefs, tags)
        self._typedefs = typedefs

    def declared(self, name: str) -> CFunction:
        """What the header says of a function, whether or not it can become a ufunc.

        Raises:
            SymbolError: The header does not declare it.
            PrototypeError: The declaration cannot be read.
        """
        if name not in self._functions:
            end = did_you_mean(name, self._functions, otherwise="add its declaration")
            raise SymbolError(f"the header declares no function `{name}`{end}")
        item = self._functions[name]
        try:
            return self._resolver.function(item.text, name)
        except PrototypeError as error:
            raise PrototypeError(
                f"`{_short(item.text)}` is no C declaration ({error}); write it as in `double "
                "erf(double)`."
            ) from None

    def __getitem__(self, name: str) -> Prototype:
        """The prototype of one function.

        Raises:
            SymbolError: The header does not declare it.
            PrototypeError: It cannot be read, or cannot become a ufunc.
        """
        return prototype_of(self.declared(name))

    def __contains__(self, name: object) -> bool:
        return name in self._functions

    def __iter__(self) -> Iterator[str]:
        return iter(self._functions)

    def __len__(self) -> int:
        return len(self._functions)

    @property
    def skipped(self) -> list[Skipped]:
        """What no function came of, in the order of lines.

        Cost: reads every declaration, about 0.3 ms each.
        """
        found = [Skipped(0, "", "", self._problem)] if self._problem else []
        for name, item in self._functions.items():
            try:
                self[name]
            except PrototypeError as error:
                found.append(Skipped(item.line, item.file, name, str(error)))
        for item in self._others:
            try:
                parse(clean(item.text), self._typedefs)
            except PrototypeError as error:
                reason = f"`{_short(item.text)}` cannot be read ({error})"
                found.append(Skipped(item.line, item.file, "", reason))
        return sorted(found, key=lambda one: (one.file, one.line))


def _apart(items: list[Item]) -> Iterator[Item]:
    """The items, apart those that a missing semicolon has joined, and lines that are no C."""
    for item in items:
        line, text = item.line, item.text
        head = text.partition("(")[0]
        if "\n" in head and re.search(r"[^\w\s*]", head) and "{" not in text:
            yield Item(line, item.file, head.rpartition("\n")[0])
            line, text = _rest(line, text, head.rindex("\n"))
        while "{" not in text and "typedef" not in text:
            end = closing(text, text.find("(")) if "(" in text else len(text)
            if not _follows(text[end + 1 :]):
                break
            yield Item(line, item.file, text[: end + 1])
            line, text = _rest(line, text, end + 1)
        yield Item(line, item.file, text)


def _rest(line: int, text: str, start: int) -> tuple[int, str]:
    """What follows in an item, and the line where it begins."""
    rest = text[start:].lstrip()
    return line + text[: len(text) - len(rest)].count("\n"), rest


def _follows(rest: str) -> bool:
    """Whether another function is declared in what follows the parameters of one."""
    head, bracket, _ = clean(rest).partition("(")
    return bool(bracket) and _TYPE_WORD.search(head) is not None and "," not in head


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
