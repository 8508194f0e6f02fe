"""Cards as a CSV file for Google Contacts; what has no column is named.

Each card is converted to 3.0 first, so that one form of each property has to be known.
"""

import csv
import io
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator

from cardsplit.card_stream import Clauses, OnRead, Passed, cards_in
from cardsplit.cards import Card, split
from cardsplit.content import Property
from cardsplit.converting import ONLY_IN_40, convert
from cardsplit.csv_columns import (
    ADDRESS,
    NAME,
    PHONETIC,
    SEPARATOR,
    columns_for,
    label_of,
    number_of,
)
from cardsplit.lines import Span
from cardsplit.output import STANDARD_OUTPUT, new_file
from cardsplit.parameters import Parameter, parameters_of
from cardsplit.sources import check_inputs

Row = dict[str, str]

_VALUE = re.compile(r"(?:\\.|[^,\\])+\\?", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_DATE = re.compile(r"(\d{4}-|--)(\d\d)-?(\d\d)(T.*)?")
_APPLE_LABEL = re.compile(r"_\$!<(.*)>!\$_")
_SIMPLE = {"TITLE": "Organization Title", "PHOTO": "Photo", **PHONETIC}
# How values between commas are joined, and the columns of the components.
_STRUCTURED = {"N": (" ", NAME), "ADR": (", ", ADDRESS),
               "ORG": (", ", ("Organization Name", "Organization Department"))}  # fmt: skip
_LABELLED = {"EMAIL": "E-mail", "TEL": "Phone", "URL": "Website", "X-ANNIVERSARY": "Event",
             "X-ABDATE": "Event", "X-ABRELATEDNAMES": "Relation",
             "X-CUSTOM": "Custom Field"}  # fmt: skip
# These notes of a conversion are about 3.0, which is only a step on the way to a table.
_ABOUT_30 = ("was kept as X-", "missing and is made", "3.0 asks for")


def export_csv(
    names: list[str],
    place: str = STANDARD_OUTPUT,
    *,
    replacing: bool = False,
    on_read: OnRead = lambda _: None,
) -> Passed:
    """Write cards as a CSV file with the columns of Google Contacts.

    Args:
        names: Paths, or `-` for standard input.
        place: Where the result goes; `-` is standard output.
        replacing: Whether `place` may exist.
        on_read: Called with how many more bytes have been read.

    Returns:
        What was done; a card counts as changed if something of it has no column.

    Raises:
        CardsplitError: See `cardsplit.card_stream.pass_through`.

    Memory: the longest card; rows wait in a temporary file until all columns are known.
    """
    check_inputs(names)
    done, clauses, most = Passed(), Clauses(), Counter[str]()
    with tempfile.TemporaryFile("w+", encoding="ascii") as waiting:
        for name, number, card in cards_in(names, done.notes, on_read):
            for row, odd in rows_of(card):
                done.cards += 1
                done.changed += bool(odd)
                clauses.add(name, number, odd)
                for numbered in filter(None, map(number_of, row)):
                    most[numbered[0]] = max(most[numbered[0]], numbered[1])
                waiting.write(json.dumps(row) + "\n")
        waiting.seek(0)
        with new_file(place, replacing=replacing) as sink:
            shown = io.StringIO(newline="")
            table = csv.DictWriter(shown, columns_for(most), restval="")
            table.writeheader()
            for line in waiting:
                table.writerow(json.loads(line))
                sink.write(shown.getvalue().encode("utf-8", "replace"))
                shown.seek(0)
                shown.truncate()
    done.notes += clauses.notes()
    return done


def rows_of(card: Card) -> Iterator[tuple[Row, list[str]]]:
    """The row of a card, and those of cards nested in it, each with what does not fit."""
    converted = convert(card, "3.0")
    odd = [note for note in converted.notes if not any(part in note for part in _ABOUT_30)]
    for one in split(converted.data):
        row = _Row(one)
        yield row.cells, [*odd, *row.odd]
        odd = []


class _Row:
    """The row of a card of 3.0.

    Attributes:
        cells: Its cells that are not empty, by their columns.
        odd: What has no column, a clause each.
    """

    def __init__(self, card: Card) -> None:
        self.cells: Row = {}
        self.odd: list[str] = []
        self._counts = Counter[str]()
        lines = [line for _, line in card.lines if line.name != "VERSION"]
        self._labels = {
            line.group.upper(): _APPLE_LABEL.sub(r"\1", line.text().strip())
            for line in lines
            if line.name == "X-ABLABEL" and line.group
        }
        for line in lines:
            if line.name not in {"FN", "X-ABLABEL"}:
                self._add(line)
        self._add_formatted([line for line in lines if line.name == "FN"])

    def _add(self, line: Property) -> None:
        """Put one property into its column."""
        name = line.name
        if name in _STRUCTURED:
            self._add_structured(line)
        elif name in _LABELLED:
            self._add_numbered(line, _LABELLED[name], {"Value": _text(line)})
        elif name == "NICKNAME":
            self._add_single(name, "Nickname", ", ".join(_values(line)))
        elif name == "CATEGORIES":
            self._append("Labels", SEPARATOR, SEPARATOR.join(_values(line)))
        elif name == "NOTE":
            self._append("Notes", "\n\n", _text(line))
        elif name == "BDAY":
            self._add_birthday(line)
        elif name in _SIMPLE and not line.is_base64:
            self._add_single(name, _SIMPLE[name], _text(line))
        elif _text(line) or line.is_base64:
            self._note(f"{_original(name)} has no column and was left out")

    def _add_structured(self, line: Property) -> None:
        """Put the components of a name, a company or an address into their columns."""
        name = line.name
        separator, columns = _STRUCTURED[name]
        parts = [separator.join(_values(line, span)) for span in line.components]
        if name == "ORG":
            units = [unit for unit in parts[1:] if unit]
            parts = [parts[0], ", ".join(units)]
            if len(units) > 1:
                self._note("ORG has several units, which were joined by commas")
        if any(parts[len(columns) :]):
            self._note(f"{name} has more components than columns, and the last were left out")
        cells = dict(zip(columns, parts, strict=False))
        if name == "ADR":
            self._add_numbered(line, "Address", cells)
        else:
            self._add_parts(name, cells)

    def _note(self, clause: str) -> None:
        if clause not in self.odd:
            self.odd.append(clause)

    def _add_single(self, name: str, column: str, text: str) -> None:
        """Fill a column of which there is one."""
        self._add_parts(name, {column: text})

    def _add_parts(self, name: str, parts: Row) -> None:
        """Fill columns of which there is one each."""
        filled = {column: text for column, text in parts.items() if text}
        if any(column in self.cells for column in filled):
            self._note(f"a second {_original(name)} has no column and was left out")
        else:
            self.cells |= filled

    def _append(self, column: str, separator: str, text: str) -> None:
        """Add to what a column holds."""
        self.cells |= {column: separator.join(filter(None, [self.cells.get(column), text]))}
        if not self.cells[column]:
            del self.cells[column]

    def _add_birthday(self, line: Property) -> None:
        """A date as Google writes it, with `--` for an unknown year."""
        text = _text(line)
        date = _DATE.fullmatch(text)
        if not date:
            if text:
                self._add_numbered(line, "Custom Field", {"Value": text}, "Birthday")
            return
        year = date[1]
        if any(p.name == "X-APPLE-OMIT-YEAR" and p.text + "-" == year for p in _parameters(line)):
            year = "--"
        if date[4]:
            self._note("the time of BDAY has no column and was left out")
        self._add_single("BDAY", "Birthday", f"{year}{date[2]}-{date[3]}")

    def _add_numbered(self, line: Property, what: str, parts: Row, label: str = "") -> None:
        """Fill the next columns of a kind of which there are several."""
        if not any(parts.values()):
            return
        types = [one for p in _parameters(line) if p.name == "TYPE" for one in p.values]
        text, is_all = label_of(types)
        own = label or (self._labels.get(line.group.upper(), "") if line.group else "")
        if own:
            mark, rest = ("* ", text[2:]) if text.startswith("*") else ("", text)
            text, is_all = mark + own, is_all and not rest
        elif not text and line.name == "X-ANNIVERSARY":
            text = "Anniversary"
        if not is_all:
            self._note(f"{_original(line.name)} has more types than its label can say")
        self._counts[what] += 1
        for part, value in {"Label": text, **parts}.items():
            if value:
                self.cells[f"{what} {self._counts[what]} - {part}"] = value

    def _add_formatted(self, lines: list[Property]) -> None:
        """FN, where the columns do not show the same name without it."""
        texts = list(dict.fromkeys(filter(None, map(_text, lines))))
        for text in texts[:1]:
            if any(column in self.cells for column in NAME):
                if text != shown_name(self.cells):
                    self.cells["File As"] = text
            elif text != shown_name(self.cells):
                self.cells["First Name"] = text
        if len(texts) > 1:
            self._note("a second FN has no column and was left out")


def shown_name(row: Row) -> str:
    """What is displayed of a row: its name, else its company, first address or first number."""
    last, first, middle, prefix, suffix = (row.get(column, "") for column in NAME)
    if name := " ".join(f"{prefix} {first} {middle} {last} {suffix}".split()):
        return name
    columns = ("Organization Name", "E-mail 1 - Value", "Phone 1 - Value")
    return next((row[column] for column in columns if row.get(column)), "")


def _original(name: str) -> str:
    """The name of a property before it was converted."""
    return name[2:] if name.startswith("X-") and name[2:] in {*ONLY_IN_40, "GEO"} else name


def _parameters(line: Property) -> list[Parameter]:
    return parameters_of(line.head)


def _text(line: Property) -> str:
    return line.text().strip()


def _values(line: Property, span: Span | None = None) -> list[str]:
    """What the values between commas say, unescaped."""
    data = line.flat.data if span is None else line.flat.data[slice(*span)]
    text = data.decode("utf-8", "replace")
    values = (_ESCAPE.sub(lambda m: "\n" if m[1] in "nN" else m[1], one).strip()
              for one in _VALUE.findall(text))  # fmt: skip
    return [one for one in values if one]
