"""A card is its bytes, and what is read in it is what its format says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cardsplit
from cardsplit import Card, split
from cardsplit import cards as reading_of_cards
from cardsplit.content import Property
from cardsplit.lines import logical_lines
from vcard_making import WILD_FILES, card

LINES = st.sampled_from(
    [
        "N:a;b",
        "FN:x",
        " fold",
        "NOTE:BEGIN:VCARD",
        "NOTE;QUOTED-PRINTABLE:a=",
        "",
        "AGENT:",
        "XN:q",
        "agent:BEGIN:VCARD",
        "END:VCARD",
        "BEGIN:VCARD",
        "PHOTO;ENCODING=BASE64:aa",
        "AAAA",
        "  ",
        "x.AGENT:BEGIN:VCARD",
        "end:vcard",
        "EN\n D:VCARD",
        "Begin:vCard",
        "N\n :x",
        "VERSION:",
        "a.n ;X=1:b",
        "VERSION:2.1",
        "version:3.0",
        " N:z",
        "a.b.N:q",
        "VERSION: 4.0",
        "ENDING:x",
    ]
)


@given(WILD_FILES | st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_joining_the_cards_gives_the_file_back(data: bytes):
    """`b"".join` undoes `split`, also for files that are not vCards."""
    assert b"".join(split(data)) == data


@given(WILD_FILES)
@settings(max_examples=300, deadline=None)
def test_logical_lines_joined_are_the_data(data: bytes):
    """Each byte is in one logical line."""
    assert b"".join(data[start:stop] for start, stop in logical_lines(data)) == data


@given(
    st.lists(st.tuples(LINES, st.sampled_from(["\r\n", "\n", "\r", "\n"])), max_size=6),
    st.sampled_from([b"\r\n", b"\n"]),
    st.sampled_from([b"", b"\r\n", b"x\n"]),
)
@settings(max_examples=800, deadline=None)
def test_the_short_way_through_a_card_reads_what_the_long_one_reads(lines, eol, after):
    """Where a card is plain enough for the regular expression, nothing is read differently."""
    body = "".join(line + end for line, end in lines).encode()
    data = b"BEGIN:VCARD" + eol + body + b"END:VCARD" + eol + after

    def read(one: Card) -> object:
        named = [one.all(*names) for names in (("N",), ("N", "FN"), ("VERSION",))]
        return one.core, one.version, [[(s, p.raw) for s, p in found] for found in named]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading_of_cards, "simple_body", lambda _: None)
        long_way = read(Card(data))
    assert read(Card(data)) == long_way


VALUES = [
    ("3.0", rb"N:Foo\;Bar\, Co;Pe\\ter\n", ["Foo;Bar, Co", "Pe\\ter"]),
    ("2.1", rb"N:Foo\;Bar\, Co;Pe\\ter", ["Foo;Bar\\, Co", "Pe\\\\ter"]),
    ("3.0", b"N:Mil\r\n ler;Pe\n\tter", ["Miller", "Peter"]),
    ("2.1", b"N:Mil\r\n ler;Peter", ["Mil ler", "Peter"]),
    (
        "4.0",
        b'item1.N;SORT-AS="Harten,Rene":van der Harten;Rene,J.',
        ["van der Harten", "Rene,J."],
    ),
    ("4.0", b'N;X="a:b;c":Miller;Peter', ["Miller", "Peter"]),
    ("2.1", b"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=\r\n=BC;P=3BQ;R", ["Mü", "P;Q", "R"]),
    ("2.1", b"N;CHARSET=ISO-8859-1:M\xfcller;P", ["Müller", "P"]),
    ("2.1", "N;CHARSET=SHIFT_JIS:ソ;能;x".encode("shift_jis"), ["ソ", "能", "x"]),
    ("2.1", "N;CHARSET=ISO-2022-JP:山田;太郎".encode("iso2022_jp"), ["山田", "太郎"]),
    ("3.0", b"N:M\xfcller;P", ["Müller", "P"]),
    ("3.0", "N:Müller;P".encode(), ["Müller", "P"]),
    ("2.1", b"N;CHARSET=Murks:a;b", ["a", "b"]),
    ("3.0", b"N;LANGUAGE=\r\n de:Miller;Peter", ["Miller", "Peter"]),
    ("3.0", b'N;X="unpaired:Miller;Peter', ["Miller", "Peter"]),
    ("3.0", b"N ;X=1:a;b", ["a", "b"]),
    ("3.0", b"N:a\\", ["a\\"]),
    ("3.0", b"N:a\\;b\\", ["a;b\\"]),
]


@pytest.mark.parametrize("end", [b"\r\n", b""])
@pytest.mark.parametrize(("version", "raw", "texts"), VALUES)
def test_a_structured_value_is_read_by_the_rules_of_its_version(version, raw, texts, end):
    """Folds, escapes, quoted-printable and charsets are undone, in this order."""
    line = Property(raw + end, version)
    assert (line.name, line.texts()) == ("N", texts)


def test_a_fold_may_cut_a_character():
    """Bytes are unfolded before they are decoded."""
    raw = "N:Mü;P\r\n".encode()
    cut = raw.index("ü".encode()) + 1
    assert Property(raw[:cut] + b"\r\n " + raw[cut:], "3.0").texts() == ["Mü", "P"]


def test_a_line_without_a_colon_is_no_property():
    """Invalid comment lines have no name, and their text is themselves."""
    line = Property(b"just a comment\r\n", "2.1")
    assert (line.name, line.head, line.text()) == ("", b"", "just a comment")


def test_only_the_cards_own_lines_count():
    """Names of nested cards are not the card's."""
    inner = card("N:Inner", "FN:Inner").decode().strip()
    outer = Card(card("AGENT:", inner, "N:Outer", "FN:Outer"))
    assert [line.texts() for _, line in outer.all("N", "FN")] == [["Outer"], ["Outer"]]
    assert [line.name for _, line in outer.lines] == ["VERSION", "AGENT", "N", "FN"]


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0", "5.0", ""])
def test_the_version_is_what_the_card_says(version: str):
    """Also an unknown one, and none."""
    data = card("N:a", version=version)
    assert Card(data).version == version
    assert Card(data.replace(b"VERSION", b"version").replace(b"N:a", b"N:=\r\n")).version == version
    assert Card(card().replace(b"VERSION:3.0\r\n", b"")).version == ""


def test_utf16_is_read_as_text_and_changed_as_bytes():
    """A changed line is encoded like the others; all other bytes, the mark and odd ones, stay."""
    text = card("N:Mü\U0001f600;P", "NOTE:x").decode()
    for codec in ("utf-16", "utf-16-le", "utf-16-be"):
        data = text.encode(codec) + b"\0"
        one = next(split(data))
        [(span, line)] = one.all("N")
        assert line.texts() == ["Mü\U0001f600", "P"]
        changed = one.replaced([(span, "N:Mä;Q\r\n".encode())])
        assert changed == text.replace("Mü\U0001f600;P", "Mä;Q").encode(codec) + b"\0"


def test_lone_surrogates_and_wrong_bytes_survive():
    """What no codec takes comes back as it was."""
    raw = card("N:a;b", "NOTE:x").decode().encode("utf-16-le").replace(b"x\0", b"\x00\xd8")
    one = next(split(raw))
    [(span, line)] = one.all("N")
    assert one.replaced([(span, line.raw)]) == raw


def test_the_package_offers_what_it_says():
    """Each public name is there, and no other."""
    assert all(hasattr(cardsplit, name) for name in cardsplit.__all__)
    with pytest.raises(AttributeError, match="no attribute `nonsense`"):
        cardsplit.nonsense  # noqa: B018 - asking is what is tested


def test_the_core_is_the_same_whatever_stands_around_it():
    """Copies of a card are copies although other text follows or goes before."""
    plain = card("N:a")
    assert Card(plain + b"\r\n\r\nstray").core == Card(plain.rstrip()).core == plain.rstrip()
    assert Card(b"preamble\r\n" + plain).core == plain.rstrip()
