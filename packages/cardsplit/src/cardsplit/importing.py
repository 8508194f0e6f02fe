"""A CSV file of Google Contacts as cards of 3.0; what has no property is named."""

import csv
import io
from collections.abc import Iterator

from cardsplit.card_stream import Clauses, OnRead, Passed
from cardsplit.converting import escaped, folded
from cardsplit.csv_columns import (
    ADDRESS,
    NAME,
    PHONETIC,
    SEPARATOR,
    column_of,
    is_known,
    number_of,
    types_of,
)
from cardsplit.encodings import BYTE_ORDER_MARKS
from cardsplit.errors import InputError
from cardsplit.exporting import Row, shown_name
from cardsplit.forms import is_date
from cardsplit.output import STANDARD_OUTPUT, new_file
from cardsplit.sources import check_inputs, opened

_READ = 1 << 20
_PROPERTIES = {"E-mail": "EMAIL", "Phone": "TEL", "Website": "URL", "Event": "X-ABDATE",
               "Relation": "X-ABRELATEDNAMES", "Custom Field": "X-CUSTOM"}  # fmt: skip
_SINGLE = {"Nickname": "NICKNAME", "Organization Title": "TITLE", "Notes": "NOTE",
           **{column: name for name, column in PHONETIC.items()}}  # fmt: skip


def import_csv(
    names: list[str],
    place: str = STANDARD_OUTPUT,
    *,
    replacing: bool = False,
    on_read: OnRead = lambda _: None,
) -> Passed:
    """Write the rows of CSV files as cards of version 3.0.

    Args:
        names: Paths, or `-` for standard input.
        place: Where the result goes; `-` is standard output.
        replacing: Whether `place` may exist.
        on_read: Called with how many more bytes have been read.

    Returns:
        What was done; a card counts as changed if something of its row has no property.

    Raises:
        CardsplitError: If an input cannot be read or has no column of Google Contacts, or the
            result cannot be written. Then nothing has been written.

    Memory: the longest file, twice.
    """
    check_inputs(names)
    done, clauses = Passed(), Clauses("row")
    with new_file(place, replacing=replacing) as sink:
        for name in names:
            with opened(name, twice=False, on_read=on_read) as source:
                data = b"".join(iter(lambda read=source.read: read(_READ), b""))
            for number, row, odd in rows_in(name, data):
                card, more = card_of(row)
                done.cards += 1
                done.changed += bool(odd or more)
                clauses.add(name, number, [*odd, *more])
                sink.write(card)
    done.notes += clauses.notes()
    return done


def rows_in(name: str, data: bytes) -> Iterator[tuple[int, Row, list[str]]]:
    """Yield the rows of a CSV file that are not blank.

    Args:
        name: The file, for messages.
        data: All of it, in UTF-8, or UTF-16 with a byte-order mark; separated by commas, or by
            semicolons or tabs as spreadsheets write them.

    Yields:
        The number of the row in a spreadsheet, its cells by today's columns, and what is odd.

    Raises:
        InputError: If it is no CSV file with a column of Google Contacts.
    """
    text = _decoded(name, data)
    head = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [column_of(one) for one in next(rows, [])]
        if not any(map(is_known, columns)):
            raise InputError(
                f"`{name}` has no column of Google Contacts, such as `First Name` or `Phone 1 - "
                "Value`, in its first row; give a CSV file that Google Contacts can read."
            )
        for number, cells in enumerate(rows, 2):
            row: Row = {}
            odd = [f"`{cell}` stands behind the last column and was left out"
                   for cell in cells[len(columns):] if cell.strip()]  # fmt: skip
            for column, cell in zip(columns, map(str.strip, cells), strict=False):
                if cell and is_known(column) and row.get(column, cell) == cell:
                    row[column] = cell
                elif cell:
                    odd.append(f"the column `{column}` has no property and was left out")
            if row or odd:
                yield number, row, odd
    except csv.Error as error:
        raise InputError(
            f"`{name}` is no CSV file: {error}, near line {rows.line_num}; export it again."
        ) from error


def _decoded(name: str, data: bytes) -> str:
    """The text of a CSV file."""
    codec = "utf-16" if data.startswith(BYTE_ORDER_MARKS) else "utf-8-sig"
    try:
        return data.decode(codec)
    except UnicodeDecodeError as error:
        raise InputError(
            f"`{name}` is not in UTF-8, from byte {error.start + 1} on; save it as `CSV UTF-8`."
        ) from error


def card_of(row: Row) -> tuple[bytes, list[str]]:
    """The card of a row, and what of it has no property."""
    lines = _Lines()
    shown = row.get("File As", "") or shown_name(row)
    name = [row.get(column, "") for column in NAME]
    if not any(name) and "File As" in row:
        name[1] = row["File As"]
    lines.add("N", *name)
    lines.add("FN", shown)
    company, unit = row.get("Organization Name", ""), row.get("Organization Department", "")
    lines.add_if_any("ORG", company, *filter(None, [unit]))
    for column, property_name in _SINGLE.items():
        lines.add_if_any(property_name, row.get(column, ""))
    if birthday := row.get("Birthday"):
        if is_date(birthday):
            lines.add("BDAY", birthday)
        else:
            lines.odd.append("`Birthday` is no date such as 1970-01-31 and was kept as X-CUSTOM")
            lines.add_labelled("X-CUSTOM", "Birthday", birthday)
    if photo := row.get("Photo"):
        lines.write("PHOTO;VALUE=uri", _uri(photo))
    if labels := row.get("Labels"):
        lines.write("CATEGORIES", ",".join(map(escaped, labels.split(SEPARATOR))))
    _add_numbered(lines, row)
    return lines.card(), lines.odd


def _add_numbered(lines: "_Lines", row: Row) -> None:
    """Addresses, numbers and all else of which a row may have several."""
    found: dict[tuple[str, int], Row] = {}
    for column, text in row.items():
        if numbered := number_of(column):
            found.setdefault(numbered[:2], {})[numbered[2]] = text
    for (what, number), parts in sorted(found.items(), key=lambda one: one[0][1]):
        label = parts.get("Label", "")
        if what == "Address":
            address = [parts.get(part, "") for part in ADDRESS]
            if not any(address):
                address[ADDRESS.index("Street")] = parts.get("Formatted", "")
            if any(address):
                lines.add_labelled("ADR", label, *address)
                continue
        elif "Value" in parts:
            name = "X-ANNIVERSARY" if label == "Anniversary" else _PROPERTIES[what]
            for value in parts["Value"].split(SEPARATOR):
                lines.add_labelled(name, "" if name == "X-ANNIVERSARY" else label, value)
            continue
        if label.strip("* "):
            lines.odd.append(f"`{what} {number} - Label` labels nothing and was left out")


class _Lines:
    """The lines of a card of 3.0.

    Attributes:
        odd: What has no property, a clause each.
    """

    def __init__(self) -> None:
        self.odd: list[str] = []
        self._lines: list[bytes] = []
        self._groups = 0

    def write(self, head: str, value: str) -> None:
        """Add a line whose value needs no escapes."""
        self._lines.append(folded(f"{head}:{value}".encode("utf-8", "replace")))

    def add(self, head: str, *values: str) -> None:
        """Add a line of one value, or of components."""
        self.write(head, ";".join(map(escaped, values)))

    def add_if_any(self, head: str, *values: str) -> None:
        """Add a line unless it says nothing."""
        if any(values):
            self.add(head, *values)

    def add_labelled(self, name: str, label: str, *values: str) -> None:
        """Add a line with the types that a label stands for, or with the label itself."""
        types, text = types_of(label)
        group = ""
        if text:
            self._groups += 1
            group = f"item{self._groups}."
        head = group + name + "".join(f";TYPE={one}" for one in types)
        if name == "URL":
            self.write(head, _uri(*values))
        else:
            self.add(head, *values)
        if text:
            self.add(f"{group}X-ABLabel", text)

    def card(self) -> bytes:
        """The card."""
        return b"\r\n".join([b"BEGIN:VCARD", b"VERSION:3.0", *self._lines, b"END:VCARD", b""])


def _uri(text: str) -> str:
    """A URI, in which commas and semicolons have no escapes."""
    return escaped(text).replace("\\,", ",").replace("\\;", ";")
