"""CSV files for Google Contacts: what has a column comes back, and what has none is named."""

import csv
import io
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsplit import Card, InputError, split
from cardsplit.cli import app
from cardsplit.csv_columns import FIXED, NAME, REPEATED, columns_for
from cardsplit.exporting import rows_of, shown_name
from cardsplit.importing import card_of, rows_in
from vcard_making import card

# The first row of files that Google Contacts exported in 2025, with one of each numbered column.
HEAD = (
    "First Name,Middle Name,Last Name,Phonetic First Name,Phonetic Middle Name,"
    "Phonetic Last Name,Name Prefix,Name Suffix,Nickname,File As,Organization Name,"
    "Organization Title,Organization Department,Birthday,Notes,Photo,Labels,E-mail 1 - Label,"
    "E-mail 1 - Value,Phone 1 - Label,Phone 1 - Value,Address 1 - Label,Address 1 - Formatted,"
    "Address 1 - Street,Address 1 - City,Address 1 - PO Box,Address 1 - Region,"
    "Address 1 - Postal Code,Address 1 - Country,Address 1 - Extended Address,"
    "Relation 1 - Label,Relation 1 - Value,Website 1 - Label,Website 1 - Value,"
    "Event 1 - Label,Event 1 - Value,Custom Field 1 - Label,Custom Field 1 - Value"
)

WORDS = st.text(
    st.sampled_from("aB ü,;\\\"':=/+\n日0"), min_size=1, max_size=12
).map(str.strip).filter(bool)  # fmt: skip
LABELS = st.sampled_from(["", "Home", "Work", "Mobile", "Work Fax", "* Home", "*", "Skipper, old"])


@st.composite
def rows(draw: st.DrawFn) -> dict[str, str]:
    """A row as Google writes it, any of its columns filled."""
    odd = {"Birthday", "Labels", "File As"}
    row = draw(st.dictionaries(st.sampled_from([c for c in FIXED if c not in odd]), WORDS))
    if draw(st.booleans()):
        row["Birthday"] = draw(st.sampled_from(["1970-01-31", "--02-29"]))
    if draw(st.booleans()):
        row["Labels"] = draw(st.sampled_from(["* myContacts", "a, b ::: * myContacts", "x;y"]))
    if any(column in row for column in NAME) and draw(st.booleans()):
        row["File As"] = draw(WORDS)
    for what, parts in REPEATED.items():
        for number in range(1, draw(st.integers(0, 2)) + 1):
            told = [part for part in parts[1:] if part != "Formatted"]
            values = draw(st.dictionaries(st.sampled_from(told), WORDS, min_size=1))
            values |= {"Label": label} if (label := draw(LABELS)) else {}
            row |= {f"{what} {number} - {part}": text for part, text in values.items()}
    if row.get("File As") == shown_name(row):
        del row["File As"]
    return row


def table(rows: list[dict[str, str]]) -> bytes:
    """A CSV file of these rows."""
    shown = io.StringIO(newline="")
    writer = csv.DictWriter(shown, columns_for(dict.fromkeys(REPEATED, 2)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return shown.getvalue().encode()


@given(st.lists(rows(), max_size=4))
@settings(max_examples=100, deadline=None)
def test_rows_come_back_from_cards(given: list[dict[str, str]]):
    """A table, its cards, and their table: equal cells, a card for each row, nothing left out."""
    read = list(rows_in("a.csv", table(given)))
    assert [(row, odd) for _, row, odd in read] == [(row, []) for row in given if row]
    made = [card_of(row) for _, row, _ in read]
    cards = list(split(b"".join(data for data, _ in made)))
    assert [odd for _, odd in made] == [[]] * len(read)
    assert sum(bool(one.lines) for one in cards) == len(read)
    back = [found for one in cards if one.lines for found in rows_of(one)]
    assert back == [(row, []) for _, row, _ in read]


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, arguments, input=stdin)


FULL = card(
    "N:Miller;Peter;Paul,J.;Dr.;jun.", "FN:Dr. Peter Paul J. Miller jun.", "NICKNAME:Pete,Pit",
    "ORG:ABC\\, Inc;Sales", "TITLE:Head", "BDAY:19700131", "NOTE:two\\nlines",
    "CATEGORIES:friends,old", "X-PHONETIC-LAST-NAME:mil",
    "EMAIL;TYPE=INTERNET,HOME,PREF:a@x.org", "EMAIL:b@x.org", "TEL;TYPE=CELL,VOICE:+49 1",
    "TEL;TYPE=WORK,FAX:2", "i.TEL:3", "i.X-ABLabel:Boat",
    "ADR;TYPE=WORK:box;2nd floor;Street 1;Town;Region;123;Land", "URL:http://x.org",
    "ANNIVERSARY:2000-01-02", "j.X-ABRELATEDNAMES:Eva", "j.X-ABLabel:_$!<Spouse>!$_",
    "PHOTO;VALUE=uri:http://x.org/p.jpg",
)  # fmt: skip


@pytest.mark.usefixtures("here")
def test_a_full_card_fills_googles_columns():
    """Each property in the column that Google has for it; the columns are Google's."""
    Path("a.vcf").write_bytes(FULL)
    done = run("export", "a.vcf", "-o", "a.csv")
    assert (done.exit_code, done.stderr) == (
        0, "cardsplit: 1 cards; 0 have something that was left out\n"
    )  # fmt: skip
    [row] = csv.DictReader(io.StringIO(Path("a.csv").read_bytes().decode(), newline=""))
    assert {column: text for column, text in row.items() if text} == {
        "First Name": "Peter", "Middle Name": "Paul J.", "Last Name": "Miller",
        "Phonetic Last Name": "mil", "Name Prefix": "Dr.", "Name Suffix": "jun.",
        "Nickname": "Pete, Pit", "Organization Name": "ABC, Inc", "Organization Title": "Head",
        "Organization Department": "Sales", "Birthday": "1970-01-31", "Notes": "two\nlines",
        "Photo": "http://x.org/p.jpg", "Labels": "friends ::: old",
        "E-mail 1 - Label": "* Home", "E-mail 1 - Value": "a@x.org", "E-mail 2 - Value": "b@x.org",
        "Phone 1 - Label": "Mobile", "Phone 1 - Value": "+49 1", "Phone 2 - Label": "Work Fax",
        "Phone 2 - Value": "2", "Phone 3 - Label": "Boat", "Phone 3 - Value": "3",
        "Address 1 - Label": "Work", "Address 1 - Street": "Street 1", "Address 1 - City": "Town",
        "Address 1 - PO Box": "box", "Address 1 - Region": "Region",
        "Address 1 - Postal Code": "123", "Address 1 - Country": "Land",
        "Address 1 - Extended Address": "2nd floor", "Website 1 - Value": "http://x.org",
        "Event 1 - Label": "Anniversary", "Event 1 - Value": "2000-01-02",
        "Relation 1 - Label": "Spouse", "Relation 1 - Value": "Eva",
    }  # fmt: skip
    assert ",".join(columns_for(dict.fromkeys(REPEATED, 1))) == HEAD
    back = run("import", "a.csv", "-o", "b.vcf")
    assert (back.exit_code, run("export", "b.vcf").stdout_bytes) == (0, Path("a.csv").read_bytes())


ODD = {
    "UID:1": ["UID has no column and was left out"],
    "X-ODD:1": ["X-ODD has no column and was left out"],
    "PHOTO;ENCODING=b:AAAA": ["PHOTO has no column and was left out"],
    "TEL;TYPE=HOME,VIDEO:1": ["TEL has more types than its label can say"],
    "N:a;b\r\nN:c;d": ["a second N has no column and was left out"],
    "FN:a\r\nFN:b": ["a second FN has no column and was left out"],
    "ORG:a;b;c": ["ORG has several units, which were joined by commas"],
    "BDAY:1970-01-31T10:00:00Z": ["the time of BDAY has no column and was left out"],
    "KIND:org": ["KIND has no column and was left out"],
    "no property": ["a line that is no property was left out"],
    "BDAY:in May": [],
    "N:a;b;;;;z": ["N has more components than columns, and the last were left out"],
    "GEO:a": ["GEO has no column and was left out"],
}  # fmt: skip


@pytest.mark.parametrize(("line", "notes"), ODD.items(), ids=ODD)
def test_what_has_no_column_is_named(line: str, notes: list[str]):
    """Once for each kind, and everything else is exported."""
    [(row, odd)] = rows_of(Card(card(line, "TEL:1", version="4.0" if "KIND" in line else "3.0")))
    assert odd == notes
    assert "1" in row.values()


@pytest.mark.usefixtures("here")
def test_the_command_names_what_was_left_out_with_a_count():
    """On stderr, with the first card, and status 3."""
    Path("a.vcf").write_bytes(card("N:a;b", "UID:1") * 3)
    done = run("export", "a.vcf")
    assert (done.exit_code, done.stdout.count("\n")) == (3, 4)
    assert done.stderr == (
        "cardsplit: 3 cards; 3 have something that was left out\n"
        "cardsplit: note: `a.vcf`, card 1, and 2 more: UID has no column and was left out\n"
    )
    Path("b.csv").write_text(
        "First Name,Shoe Size,Phone 1 - Label\nJo,44,Home\n\n,,\nA,,,x\n", "utf-8"
    )
    done = run("import", "b.csv")
    assert done.stderr == (
        "cardsplit: 2 rows; 2 have something that was left out\n"
        "cardsplit: note: `b.csv`, row 2: the column `Shoe Size` has no property and was left out\n"
        "cardsplit: note: `b.csv`, row 2: `Phone 1 - Label` labels nothing and was left out\n"
        "cardsplit: note: `b.csv`, row 5: `x` stands behind the last column and was left out\n"
    )
    assert done.stdout_bytes.count(b"BEGIN:VCARD") == 2


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-8"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_are_read_as_spreadsheets_save_them(codec: str, delimiter: str):
    """In UTF-8 and UTF-16, between commas, semicolons and tabs, also in the layout before 2024."""
    lines = [["Given Name", "Family Name", "E-mail 1 - Type", "E-mail 1 - Value"],
             ["Jürgen", "Müller", "* Work", "a@x ::: b@x"]]  # fmt: skip
    text = "\r\n".join(map(delimiter.join, lines))
    [(_, row, odd)] = rows_in("a.csv", text.encode(codec))
    made = Card(card_of(row)[0])
    assert odd == []
    assert [line.texts()[:2] for _, line in made.all("N")] == [["Müller", "Jürgen"]]
    assert [line.text() for _, line in made.all("EMAIL")] == ["a@x", "b@x"]
    assert [line.head for _, line in made.all("EMAIL")] == [b"EMAIL;TYPE=WORK;TYPE=PREF:"] * 2


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "has no column of Google Contacts"),
        (card("N:a"), "has no column of Google Contacts"),
        (b"First Name\n\xff\n", "is not in UTF-8, from byte 12 on"),
        (b'First Name\n"a', "is no CSV file"),
    ],
)
def test_what_is_no_table_is_refused(data: bytes, sentence: str):
    """In one sentence."""
    with pytest.raises(InputError, match=sentence):
        list(rows_in("a.csv", data))


def test_real_cards_lose_nothing_silently(corpus_file: Path):
    """Each value of a real card is in its row, or its property is named."""
    for one in split(corpus_file.read_bytes()):
        if not one.lines:
            continue
        found = list(rows_of(one))
        cells = "\n".join(text for row, _ in found for text in row.values())
        named = " ".join(clause for _, odd in found for clause in odd)
        for _, line in one.all("EMAIL", "TEL", "NOTE", "TITLE", "ROLE", "UID"):
            text = line.text().strip().removeprefix("tel:").partition(";ext=")[0]
            shown = text.replace("\r\n", "\n").encode("utf-8", "replace").decode()
            assert shown in cells or line.name in named or "\\" in shown or "no letters" in named
