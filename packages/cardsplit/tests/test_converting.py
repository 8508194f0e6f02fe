"""Converted cards say what they said before, to another reader as well; what is lost is named."""

import base64
import re
from pathlib import Path

import pytest
import vobject
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsplit import Card, UsageError, split
from cardsplit.cli import app
from cardsplit.converting import convert, folded
from cardsplit.encodings import sniff
from vcard_making import CLASHING_FILES, card

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # vobject's own
CODED = ";CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE"

LINES = [
    # version of the card, its line, that of 3.0 and that of 4.0
    ("2.1", f"N{CODED}:M=C3=BCller;J=\r\n=C3=BCrgen", "N:Müller;Jürgen", "N:Müller;Jürgen"),
    ("2.1", "N:Miller, Jr;Peter", "N:Miller\\, Jr;Peter", "N:Miller\\, Jr;Peter"),
    ("2.1", "N:a\\;b;c", "N:a\\;b;c", "N:a\\;b;c"),
    ("2.1", f"NOTE{CODED}:a=0D=0Ab, c;d", "NOTE:a\\nb\\, c\\;d", "NOTE:a\\nb\\, c\\;d"),
    ("2.1", "i.TEL;WORK;PREF:1", "i.TEL;TYPE=WORK;TYPE=PREF:1", "i.TEL;TYPE=WORK;PREF=1:1"),
    ("3.0", 'TEL;TYPE="a;b",c:1', 'TEL;TYPE="a;b";TYPE=c:1', 'TEL;TYPE="a;b";TYPE=c:1'),
    ("3.0", "PHOTO;ENCODING=b:AA\r\r\n AA\r", "PHOTO;ENCODING=b:AAAA",
     "PHOTO:data:image/octet-stream;base64,AAAA"),
    ("2.1", "CATEGORIES:a,b", "CATEGORIES:a,b", "CATEGORIES:a,b"),
    ("2.1", "X-A:a;b,c", "X-A:a;b,c", "X-A:a;b,c"),
    ("2.1", "URL;QUOTED-PRINTABLE:http://x/?a=3Db;c", "URL:http://x/?a=b;c", "URL:http://x/?a=b;c"),
    ("2.1", "PHOTO;JPEG;BASE64:\r\n AAAA\r\n BBBB\r\n", "PHOTO;TYPE=JPEG;ENCODING=b:AAAABBBB",
     "PHOTO:data:image/jpeg;base64,AAAABBBB"),
    ("2.1", "KEY;X509;BASE64:AAAA\r\n", "KEY;TYPE=X509;ENCODING=b:AAAA",
     "KEY:data:application/pkix-cert;base64,AAAA"),
    ("3.0", "BDAY:1970-01-02", "BDAY:1970-01-02", "BDAY:19700102"),
    ("3.0", "REV:1970-01-02T03:04:05.678Z", "REV:1970-01-02T03:04:05.678Z", "REV:19700102T030405Z"),
    ("3.0", "BDAY:in May", "BDAY:in May", "BDAY;VALUE=text:in May"),
    ("3.0", "NOTE:a\\, b\\;\\\\ c\\n", "NOTE:a\\, b\\;\\\\ c\\n", "NOTE:a\\, b\\;\\\\ c\\n"),
    ("3.0", "LABEL;TYPE=HOME:a", "LABEL;TYPE=HOME:a", "X-LABEL;TYPE=HOME:a"),
    ("4.0", "PHOTO:data:image/png;base64,AAAA", "PHOTO;TYPE=PNG;ENCODING=b:AAAA",
     "PHOTO:data:image/png;base64,AAAA"),
    ("4.0", "PHOTO:http://x/y.png", "PHOTO:http://x/y.png", "PHOTO:http://x/y.png"),
    ("4.0", 'TEL;PREF=1;TYPE="work,voice":1', "TEL;TYPE=work;TYPE=voice;TYPE=PREF:1",
     "TEL;TYPE=work;TYPE=voice;PREF=1:1"),
    ("4.0", "KIND:org", "X-KIND:org", "KIND:org"),
    ("4.0", "BDAY:19700102", "BDAY:1970-01-02", "BDAY:19700102"),
    ("4.0", "BDAY;VALUE=text:1970-01-02", "BDAY;VALUE=text:1970-01-02",
     "BDAY;VALUE=text:1970-01-02"),
    ("3.0", "GEO:48.2;-16.3", "GEO:48.2;-16.3", "GEO:geo:48.2,-16.3"),
    ("4.0", "GEO:geo:48.2,-16.3", "GEO:48.2;-16.3", "GEO:geo:48.2,-16.3"),
    ("2.1", "GEO:48.2,-16.3", "X-GEO:48.2,-16.3", "X-GEO:48.2,-16.3"),
    ("4.0", "TEL;VALUE=uri;TYPE=work:tel:+1-2;ext=3", "TEL;TYPE=work:+1-2 x3",
     "TEL;TYPE=work;VALUE=uri:tel:+1-2;ext=3"),
    ("4.0", "PHOTO:data:image/svg+xml,%3Csvg/%3E", "PHOTO;TYPE=SVG+XML;ENCODING=b:PHN2Zy8+",
     "PHOTO:data:image/svg+xml;base64,PHN2Zy8+"),
    ("3.0", "X-WAB-SPOUSE_NAME:Jo", "X-WAB-SPOUSE_NAME:Jo", "X-WAB-SPOUSE_NAME:Jo"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "line", "old", "new"), LINES, ids=[one[1][:40] for one in LINES]
)
def test_a_line_is_written_as_its_new_version_has_it(version, line, old, new):
    """Values decoded and escaped, parameters named, dates and pictures in their new form."""
    for target, wanted in (("3.0", old), ("4.0", new)):
        lines = convert(card("FN:x", "N:y", line, version=version), target).data.decode()
        found = re.sub("\r\n[ \t]", "", lines).splitlines()
        assert found[:2] == ["BEGIN:VCARD", f"VERSION:{target}"]
        names = {wanted.split(":")[0].split(";")[0], "FN"}
        first = next(
            one
            for one in found
            if one.split(":")[0].split(";")[0] in names - {"FN"} and one != "N:y"
        )
        assert first == wanted


def test_what_cannot_be_kept_is_named():
    """Unknown properties keep their value under another name; names that are asked for are made."""
    old = card("N:a;b", "MAILER:m", "junk", "AGENT:", card("N:c", version="2.1").decode().strip(),
               "NOTE;CHARSET=UTF-8;QUOTED-PRINTABLE:=FF", version="2.1")  # fmt: skip
    done = convert(old, "4.0")
    assert done.notes == [
        "MAILER is not in 4.0 and was kept as X-MAILER",
        "a line that is no property was left out",
        "FN was missing and is made of what the card has",
        "AGENT is not in 4.0 and was kept as X-AGENT",
        "NOTE holds bytes that are no letters in their charset",
    ]
    unfolded = done.data.replace(b"\r\n ", b"")
    assert b"X-AGENT:BEGIN:VCARD\\nVERSION:4.0\\nN:c\\nFN:c\\nEND:VCARD\\n\r\n" in unfolded
    assert convert(card("FN:a", version="4.0"), "3.0").notes == ["N was missing and is made of FN"]
    assert convert(card("FN:a", "N:b"), "3.0").notes == []
    partial = card("FN:a", "N:a", "BDAY:--0203", "GEO:1,2", version="4.0")
    assert convert(partial, "3.0").notes == [
        "BDAY is no whole date, which 3.0 asks for",
        "GEO is not in 3.0 and was kept as X-GEO",
    ]
    with pytest.raises(UsageError, match="is no version"):
        convert(old, "2.1")


def test_bare_nested_cards_follow_the_card_around_them():
    """As later versions nest no cards; none of them is lost."""
    inner = [card(f"N:{n}", f"FN:{n}", version="2.1").decode().strip() for n in "ab"]
    done = convert(card("N:c", "FN:c", *inner, version="2.1"), "3.0")
    assert [one.all("FN")[0][1].text() for one in split(done.data)] == ["c", "a", "b"]
    assert done.notes == ["a nested card now follows the card around it"]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=200))
def test_folds_are_short_and_inside_no_letter(text: str):
    """Each line of at most 75 octets is UTF-8 by itself; unfolded, it is the text."""
    lines = folded(text.encode()).split(b"\r\n ")
    assert "".join(line.decode() for line in lines) == text
    assert all(len(line) + (number > 0) <= 75 for number, line in enumerate(lines))


@given(CLASHING_FILES, st.sampled_from(["3.0", "4.0"]))
@settings(max_examples=150, deadline=None)
def test_converting_twice_changes_nothing_more(cards: list[bytes], version: str):
    """A converted card is in its version, and stays as it is."""
    for one in cards:
        once = convert(one, version).data
        assert Card(once).version == version
        assert convert(once, version).data == once


def text_of(data: bytes) -> str:
    """A file as text, for vobject."""
    if encoding := sniff(data):
        return data.decode(encoding, "replace").removeprefix("\ufeff")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def read(text: str) -> list[dict[str, list[object]]] | None:
    """Names and values of each card as vobject reads them; `None` where it refuses."""
    try:
        cards = list(vobject.readComponents(text, allowQP=True))
    except Exception:  # noqa: BLE001 - vobject raises whatever its parts raise
        return None
    return [
        {
            name: [getattr(line, "value", None) for line in lines]
            for name, lines in one.contents.items()
        }
        for one in cards
    ]


SAME = ("fn", "note", "title", "tel", "email", "url", "role", "nickname", "uid")


def said(value: object) -> str:
    """A value without what readers and versions write differently: blanks, escapes, `tel:`."""
    return re.sub(r"[\s\\]|^tel:", "", str(value)).replace(";ext=", "x")


def test_another_reader_finds_the_same_values(corpus_file: Path):
    """Of real files, vobject reads the same texts and photos before and after, in 3.0."""
    checked = 0
    for one in split(corpus_file.read_bytes()):
        before = read(text_of(bytes(one)))
        done = convert(one, "3.0")
        if not before or len(before) != 1 or b"SHIFT_JIS" in one.upper():
            continue  # vobject reads this card otherwise, or not at all
        after = read(done.data.decode())
        assert after is not None
        for name in SAME:
            old = [said(value) for value in before[0].get(name, [])]
            new = [said(value) for value in after[0].get(name, [])]
            # A line ends for vobject where `str.splitlines` ends one, at U+0085 for example.
            if old and None not in before[0][name]:
                assert all(map(str.startswith, new, old)), name
                assert len(new) == len(old)
        for old, new in zip(before[0].get("photo", []), after[0].get("photo", []), strict=False):
            if isinstance(old, bytes):
                assert new == old
        checked += 1
    if not checked:
        pytest.skip("vobject reads no card of this file")


def test_real_files_lose_no_photo(corpus_file: Path):
    """Base64 in, the same bytes out, in both versions."""
    for one in split(corpus_file.read_bytes()):
        # Some of these files were copied in text mode, which doubled the CR of each line.
        read = Card(one.replace(b"\r\r\n", b"\r\n"), one.encoding)
        photos = [line for _, line in read.all("PHOTO") if line.is_base64]
        for version in ("3.0", "4.0"):
            new = [line for _, line in Card(convert(one, version).data).all("PHOTO")]
            data = [b64(line.flat.data.rpartition(b",")[2]) for line in new]
            assert [b64(line.flat.data) for line in photos] == data[: len(photos)]


def b64(data: bytes) -> bytes:
    """Decoded base64, however it is padded and broken."""
    clean = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    return base64.b64decode(clean[: len(clean) // 4 * 4])


def test_the_command_says_what_could_not_be_kept(here: Path):
    """Once for each kind, with the first card, and with status 3."""
    (here / "old.vcf").write_bytes(card("N:a", "FN:a", "MAILER:x", version="2.1") * 3)
    done = CliRunner().invoke(app, ["convert", "old.vcf", "--to", "4.0", "-o", "new.vcf"])
    assert done.exit_code == 3
    assert done.stderr == (
        "cardsplit: 3 cards; 3 written otherwise\n"
        "cardsplit: note: `old.vcf`, card 1, and 2 more: MAILER is not in 4.0 and was kept as "
        "X-MAILER\n"
    )
    assert (here / "new.vcf").read_bytes().count(b"VERSION:4.0") == 3
