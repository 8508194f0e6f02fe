"""A mark can be put on any line and taken off again, and it is written as the line is."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cardsplit.content import Property
from cardsplit.lines import logical_lines
from cardsplit.marks import LIMIT, Mark, clean, mark_of, marked, name_in, unmarked

ABC = Mark("ABC-Corp", 1)
HEADS = st.sampled_from(
    [
        b"N:",
        b"N;CHARSET=UTF-8:",
        b"item1.N;ENCODING=QUOTED-PRINTABLE:",
        b"FN:",
        b'N;SORT-AS="a:b":',
        b"N;CHARSET=SHIFT_JIS;QUOTED-PRINTABLE:",
        b"N;CHARSET=\r\n ISO-8859-1:",
        b"N;CHARSET=ISO-2022-JP:",
        b"N;CHARSET=GBK:",
    ]
)
BODIES = st.lists(
    st.sampled_from(
        [
            b"a",
            b"M\xc3\xbc",
            b" ",
            b";",
            b",",
            b"\\;",
            b"\\\\",
            b"=C3=BC",
            b"=3B",
            b"=\r\n",
            b"=5C",
            b"\r\n ",
            b"\n\t",
            b"=",
            b"x" * 30,
            b"\x83\\",
            b"\xe4",
            b"/A/",
            b" /A/",
            b"//",
        ]
    ),
    max_size=9,
).map(b"".join)
MARKS = st.sampled_from([ABC, Mark("Ä, b;c", 1), Mark("x" * 64, 2), Mark("日本 語" * 9, 1)])


@given(HEADS, BODIES, st.sampled_from([b"\r\n", b"\n", b"\r", b""]),
       st.sampled_from(["2.1", "3.0", "4.0", ""]), MARKS)  # fmt: skip
@settings(max_examples=1200, deadline=None)
def test_taking_a_mark_off_gives_the_line_back(head, body, end, version, mark):
    """For every line; its other components, its name and its parameters stay as they are."""
    raw = head + body + end
    assume(len(list(logical_lines(raw))) == 1)
    line = Property(raw, version)
    new = marked(line, mark)
    if new is None:
        assert not mark.text.isascii()  # only letters that the charset lacks are a reason
        return
    after = line.like(new)
    assert unmarked(after, mark) == raw
    assert (after.name, after.head, len(list(logical_lines(new)))) == (line.name, line.head, 1)
    found = mark_of(name_in(after))
    assert found is not None
    assert found.level == mark.level
    if line.name == "N":
        rest = [line.flat.data[a:b] for a, b in line.components[1:]]
        assert [after.flat.data[a:b] for a, b in after.components[1:]] == rest
    if max(map(len, raw.splitlines())) < LIMIT and version != "2.1":
        assert max(map(len, new.splitlines())) <= LIMIT


WRITTEN = [
    ("3.0", b"N:Miller;Peter\r\n", ABC, b"N:Miller /ABC-Corp/;Peter\r\n"),
    ("3.0", b"N:;Peter\n", ABC, b"N:/ABC-Corp/;Peter\n"),
    ("3.0", b"N:Foo\\;Bar;Peter\n", ABC, b"N:Foo\\;Bar /ABC-Corp/;Peter\n"),
    ("3.0", b"FN:Peter Miller\n", ABC, b"FN:Peter Miller /ABC-Corp/\n"),
    ("3.0", b"N:a;b\n", Mark("Acme, Inc; Co", 1), b"N:a /Acme\\, Inc\\; Co/;b\n"),
    ("2.1", b"N:a;b\n", Mark("Acme, Inc; Co", 1), b"N:a /Acme Inc\\; Co/;b\n"),
    ("3.0", b"N:a;b\n", Mark("Müller", 1), "N:a /Müller/;b\n".encode()),
    ("2.1", b"N:a;b\n", Mark("Müßig", 1), b"N:a /Mussig/;b\n"),
    ("2.1", b"N;CHARSET=ISO-8859-1:a;b\n", Mark("Müller", 1),
     b"N;CHARSET=ISO-8859-1:a /M\xfcller/;b\n"),
    ("2.1", b"N;CHARSET=UTF-8;QUOTED-PRINTABLE:=C3=A4;b\n", Mark("Ü=", 1),
     b"N;CHARSET=UTF-8;QUOTED-PRINTABLE:=C3=A4 /=C3=9C=3D/;b\n"),
    ("3.0", b"N:\xe4;b\n", Mark("ü", 1), b"N:\xe4 /\xfc/;b\n"),
    ("3.0", b"N:" + b"M" * 62 + b";P\r\n", ABC, b"N:" + b"M" * 62 + b" /ABC-Corp\r\n /;P\r\n"),
    ("2.1", b"N:" + b"M" * 65 + b";P\r\n", ABC, b"N:" + b"M" * 65 + b"\r\n /ABC-Corp/;P\r\n"),
    ("2.1", b"N:;" + b"P" * 80 + b"\r\n", ABC, b"N:/ABC-Corp/;" + b"P" * 80 + b"\r\n"),
    ("2.1", b"N;QUOTED-PRINTABLE:" + b"M" * 50 + b";P\r\n", ABC,
     b"N;QUOTED-PRINTABLE:" + b"M" * 50 + b" /ABC=\r\n-Corp/;P\r\n"),
    ("3.0", b"N:" + b"M" * 80 + b"\n", ABC,
     b"N:" + b"M" * 72 + b"\n " + b"M" * 8 + b"\n  /ABC-Corp/\n"),
    ("3.0", b"N:" + b"M" * 73 + b"\n ;P\n", ABC, b"N:" + b"M" * 73 + b"\n  /ABC-Corp/\n \n ;P\n"),
]  # fmt: skip


@pytest.mark.parametrize(("version", "raw", "mark", "written"), WRITTEN)
def test_a_mark_is_written_as_its_line_is(version, raw, mark, written):
    """In its charset, with its escapes, its encoding, its folds and its line breaks."""
    line = Property(raw, version, "ascii" if version == "2.1" else "utf-8")
    assert marked(line, mark) == written
    assert unmarked(line.like(written), mark) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"N:Miller/ABC-Corp/;P\n",
        b"N:Miller  /ABC-Corp/x;P\n",
        b"N:Miller /ABC\n  -Corp/;P\n",
        b"N: /ABC-Corp/;P\n",
        b"N:Miller\n  /ABC-Corp/;P\n",
    ],
)
def test_what_is_not_written_like_a_mark_is_none(raw: bytes):
    """A blank missing, text behind it, or folds that no mark would have."""
    assert unmarked(Property(raw, "3.0"), ABC) is None


def test_a_mark_that_would_be_misread_is_not_made():
    """Windows-1252 text that happens to be UTF-8 would be taken for that."""
    assert marked(Property(b"N:a;b\n", "3.0", "cp1252"), Mark("Ã¼", 1)) is None
    assert marked(Property(b"N:a;b\n", "3.0", "cp1252"), Mark("ü", 1)) == b"N:a /\xfc/;b\n"


def test_a_mark_has_one_reading():
    """Text for a mark has no slash, no control character and no blank at its ends."""
    assert clean(" A/B\\C\r\n\tD ") == "A-B-C D"
    assert clean("x" * 99) == "x" * 64
    assert mark_of("Miller /A-B C//") == Mark("A-B C", 2)
    assert [mark_of(name) for name in ("Miller", "Miller //", "Miller/A/", "M / A/", "/ /")] == [
        None
    ] * 5
    assert mark_of("/A/") == Mark("A", 1)
