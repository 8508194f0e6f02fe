"""`join`, `dedupe`, `strip`, `split --by`, and compressed files: no byte is lost unasked."""

import gzip
import json
import subprocess
import sysconfig
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsplit import Card, InputError, UsageError, count_file, find_clashes, split
from cardsplit.cli import app
from cardsplit.deduplicating import content_of, dedupe_files
from cardsplit.joining import join_files
from cardsplit.rules import Detail
from cardsplit.single_files import split_by
from cardsplit.stripping import strip_files, stripped
from vcard_making import CLASHING_FILES, WILD_FILES, card, everything_in, peter, written

COMMAND = str(Path(sysconfig.get_path("scripts"), "cardsplit"))


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, arguments)


# --------------------------------------------------------------------------------------- join


def test_joined_files_have_a_break_between_any_two_cards(here: Path):
    """Between files, and where they ran into each other before."""
    cut, lf = card("N:a").rstrip(), card("N:b", eol="\n")
    names = [
        written(here, "1.vcf", cut),
        written(here, "2.vcf", b"\xef\xbb\xbf" + lf.rstrip() + lf),
        written(here, "3.vcf", cut.decode().encode("utf-16")),
    ]
    done = join_files(names, "all.vcf")
    assert Path("all.vcf").read_bytes() == cut + b"\r\n" + lf + lf + cut
    assert (done.cards, done.changed) == (4, 3)
    assert len(done.notes) == 2
    assert count_file("all.vcf").notes == []


@given(st.lists(CLASHING_FILES, min_size=1, max_size=3))
@settings(max_examples=50, deadline=None)
def test_whole_files_are_joined_byte_for_byte(tmp_path_factory, files):
    """Where nothing has to be mended, joining is what `cat` does."""
    folder = tmp_path_factory.mktemp("join")
    names = [written(folder, f"{n}.vcf", b"".join(cards)) for n, cards in enumerate(files)]
    assert join_files(names, str(folder / "all")).changed == 0
    assert (folder / "all").read_bytes() == b"".join(b"".join(cards) for cards in files)


# ------------------------------------------------------------------------------------- dedupe

CODED = ";CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE"
SAME = [
    (card("N:Mü;a", version="2.1"), card(f"N{CODED}:M=C3=BC;a", version="2.1")),
    (card("NOTE:abc"), card("NOTE:a\r\n bc")),
    (card("N:a", "FN:b"), card("FN:b", "N:a")),
    (card("TEL;TYPE=home;X=1:1"), card("tel;X=1;TYPE=HOME:1")),
    (card("N:a"), card("N:a", eol="\n")),
    (card("N:a"), card("N:a").decode().encode("utf-16")),
]
OTHER = [
    (card("N:a"), card("N:A")),
    (card("N:a"), card("N:a", version="4.0")),
    (card("TEL:1", "TEL:2"), card("TEL:2", "TEL:1")),
    (card("TEL:1"), card("i.TEL:1")),
    (card("TEL;TYPE=a:1"), card("TEL;TYPE=b:1")),
    (card("X-A;L=a:1"), card("X-A;L=A:1")),
    (card("N:a"), card("N:a", "REV:1")),
    (card("N;CHARSET=UTF-8;QUOTED-PRINTABLE:=FF", version="2.1"),
     card("N;CHARSET=UTF-8;QUOTED-PRINTABLE:=FE", version="2.1")),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_cards_that_say_the_same_are_one(here: Path, one: bytes, other: bytes):
    """Folds, charsets, encodings, line breaks and the order of properties do not count."""
    names = [written(here, "1.vcf", one), written(here, "2.vcf", other)]
    done, dropped = dedupe_files(names, "out")
    assert (done.cards, dropped) == (2, [(names[1], 1, names[0], 1)])
    assert Path("out").read_bytes() == one


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_cards_that_differ_in_anything_are_two(one: bytes, other: bytes):
    """A different capital is enough."""
    assert content_of(Card(one)) != content_of(Card(other))


def test_text_outside_of_a_card_is_never_dropped(here: Path):
    """A copy with text behind it stays."""
    data = card("N:a") * 2 + b"text\r\n" + card("N:a")
    done, dropped = dedupe_files([written(here, "a.vcf", data)], "out")
    assert Path("out").read_bytes() == data[: -len(card("N:a"))]
    assert (len(dropped), len(done.notes)) == (1, 1)


def test_dedupe_says_which_it_drops(here: Path):
    """On stderr, or as JSON."""
    written(here, "a.vcf", card("N:a") + card("N:b") + card("N:a"))
    shown = run("dedupe", "a.vcf", "-o", "b.vcf")
    assert shown.stderr == (
        "cardsplit: dropped `a.vcf`, card 3: the same as `a.vcf`, card 1\n"
        "cardsplit: 3 cards; 1 dropped\n"
    )
    shown = run("dedupe", "a.vcf", "-o", "b.vcf", "--force", "--json")
    assert json.loads(shown.stdout)["dropped"] == [
        {"file": "a.vcf", "card": 3, "kept_file": "a.vcf", "kept_card": 1}
    ]
    assert run("dedupe", "a.vcf", "--json").exit_code == 2


# -------------------------------------------------------------------------------------- strip


def test_photos_are_taken_out_and_all_else_stays(here: Path):
    """Folded, in a group, of 2.1 with the blank line that ends it, and not those of other cards."""
    one = card("N:a", "photo;ENCODING=b:AA\r\n AA", "i.PHOTO:http://x", "NOTE:PHOTO:x")
    two = card("N:b", "PHOTO;BASE64:", "AAAA", "", "TEL:1", version="2.1")
    doubled = card("N:c", "PHOTO;BASE64:AA", " AA", "TEL:1", eol="\r\r\n")
    agent = card("AGENT:", card("PHOTO:x").decode().strip(), "TEL:1", version="2.1")
    name = written(here, "a.vcf", b"hi\r\n" + one + two + doubled + agent)
    done = strip_files("photo", [name], "out")
    assert Path("out").read_bytes() == (
        b"hi\r\n"
        + card("N:a", "NOTE:PHOTO:x")
        + card("N:b", "TEL:1", version="2.1")
        + card("N:c", "TEL:1", eol="\r\r\n")
        + agent
    )
    assert (done.cards, done.changed) == (4, 3)
    for wrong in ("version", "BEGIN", "a b"):
        with pytest.raises(UsageError, match="is no property"):
            strip_files(wrong, [name])


@pytest.mark.parametrize("command", [["strip", "x-none"], ["dedupe"], ["join"]])
def test_commands_that_make_one_file_of_several_join_them(here: Path, command: list[str]):
    """With line breaks between, in one encoding, and with one byte-order mark at most."""
    parts = [
        card("N:a").rstrip(),
        card("N:b").decode().encode("utf-16"),
        b"\xef\xbb\xbf" + card("N:c"),
    ]
    names = [written(here, f"{n}.vcf", data) for n, data in enumerate(parts)]
    assert run(*command, *names, "-o", "out").exit_code in {0, 3}
    assert Path("out").read_bytes() == card("N:a") + card("N:b") + card("N:c")
    assert run(*command, names[1], "-o", "one").exit_code in {0, 3}
    assert (Path("one").read_bytes() == parts[1]) == (command != ["join"])


@given(WILD_FILES)
@settings(max_examples=200, deadline=None)
def test_what_is_not_there_cannot_be_stripped(data: bytes):
    """Cards without such a property are the same bytes."""
    assert b"".join(stripped(one, "X-NONE") for one in split(data)) == data


# ---------------------------------------------------------------------------------- split --by


def test_each_card_gets_a_file_called_after_it(here: Path):
    """Safe names, distinct where capitals do not count; joined, they are the input."""
    cards = [card(line, "UID:urn:1/2") for line in (
        "FN:Peter Miller", "FN:peter miller", "FN:../../etc/passwd", "FN:Jürgen", "FN:con",
        "N:Miller;Eva", "ORG:Acme", "NOTE:x", f"FN:{'ü' * 200}",
    )]  # fmt: skip
    name = written(here, "a.vcf", b"".join(cards))
    done = split_by([name], "fn", folder=here / "people")
    assert [part.path.name for part in done.parts[:-1]] == [
        "Peter_Miller.vcf", "peter_miller.2.vcf", "etc_passwd.vcf", "Jürgen.vcf", "_con.vcf",
        "Eva_Miller.vcf", "Acme.vcf", "card.vcf",
    ]  # fmt: skip
    assert b"".join(part.path.read_bytes() for part in done.parts) == b"".join(cards)
    assert len(everything_in(here / "people")) == len(cards)
    assert [part.path.name for part in split_by([name], "uid", dry_run=True).parts[:2]] == [
        "urn_1_2.vcf", "urn_1_2.2.vcf"
    ]  # fmt: skip


def test_split_by_replaces_nothing_unasked(here: Path):
    """A file that is there stays, and no other is written."""
    written(here, "a.vcf", card("FN:x") + card("FN:y"))
    written(here, "y.vcf", b"mine")
    before = everything_in(here)
    assert "`y.vcf` is there already" in run("split", "a.vcf", "--by", "fn").stderr
    assert everything_in(here) == before
    shown = run("split", "a.vcf", "--by", "fn", "--force", "--json")
    assert [part["path"] for part in json.loads(shown.stdout)["parts"]] == ["x.vcf", "y.vcf"]
    assert Path("y.vcf").read_bytes() == card("FN:y")
    assert run("split", "a.vcf", "--by", "fn", "-n", "1").exit_code == 2


# ---------------------------------------------------------------------- clashes by other details


def test_cards_with_one_uid_address_or_number_are_listed(here: Path):
    """Beside names, and alone if asked for; numbers as they are dialled."""
    name = written(here, "a.vcf", b"".join([
        card("UID:u1", "N:Doe;Jane"), card("UID:u1", "N:Roe;John", "TEL:+49 (1) 2"),
        card("N:x;a", "EMAIL:A@x.org"), card("N:y;b", "TEL:+4912", "EMAIL:b@x", "EMAIL:a@X.org"),
    ]))  # fmt: skip
    found = {clash.key: clash.rules for clash in find_clashes([name])[0]}
    assert found == {"u1": ("uid",), "a@x.org": ("email",), "+4912": ("number",)}
    assert [clash.key for clash in find_clashes([name], by=[Detail.EMAIL])[0]] == ["a@x.org"]
    assert run("clashes", "a.vcf", "--by", "name").stdout == ""
    assert run("clashes", "a.vcf", "--by", "uid").stdout.startswith("clash: u1\tmerged by uid\n")


# ------------------------------------------------------------------------------ compressed files


def test_compressed_files_are_read(here: Path):
    """By what they hold, whatever they are called; of a ZIP file every vCard file in it."""
    with gzip.open("a.vcf.gz", "wb") as file:
        file.write(peter("A"))
    with zipfile.ZipFile("b.zip", "w") as archive:
        archive.writestr("x/1.vcf", peter("B").rstrip())
        archive.writestr("photo.jpg", b"no card")
        archive.writestr("2.VCF", peter("C"))
    assert count_file("a.vcf.gz").cards == 1
    assert count_file("b.zip").cards == 2
    done = run("antimerge", "a.vcf.gz", "b.zip", "-o", "all.vcf")
    assert done.stderr == "cardsplit: 3 cards; 3 marked in 1 clash(es)\n"
    assert Path("all.vcf").read_bytes().count(b"Miller /") == 3
    assert run("split", "b.zip", "-n", "1", "-o", "parts").exit_code == 0
    before = everything_in(here)
    refused = run("antimerge", "a.vcf.gz", "--in-place")
    assert (refused.exit_code, "is compressed" in refused.stderr) == (2, True)
    assert everything_in(here) == before


def test_compressed_standard_input_is_read(here: Path):
    """From a pipe and from a file, by commands that read once and twice."""
    with gzip.open("a.gz", "wb") as file:
        file.write(peter("A") + peter("B"))
    for line in ("cat a.gz | {} count -", "{} count - < a.gz"):
        done = subprocess.run(["sh", "-c", line.format(COMMAND)], capture_output=True, check=True)
        assert done.stdout.startswith(b"-\t2 cards\t")
    line = f"cat a.gz | {COMMAND} antimerge -"
    done = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert b"N:Miller /A/;Peter" in done.stdout
    assert everything_in(here).keys() == {"a.gz"}


def test_an_archive_is_read_as_one_file(here: Path):
    """Members in UTF-16 become UTF-8, and what macOS puts beside files is no vCard file."""
    with zipfile.ZipFile(here / "a.zip", "w") as archive:
        archive.writestr("a.vcf", peter("A").decode().encode("utf-16"))
        archive.writestr("__MACOSX/._a.vcf", b"\0\5\x16\7")
        archive.writestr("b.VCF", b"\xef\xbb\xbf" + peter("B").rstrip())
        archive.writestr("c.vcf", peter("C"))
    done = run("join", "a.zip")
    assert done.stdout_bytes == peter("A") + peter("B") + peter("C")


def test_a_damaged_archive_is_told(here: Path):
    """One sentence, and nothing is written."""
    written(here, "cut.gz", gzip.compress(peter("A") * 100)[:-20])
    written(here, "cut.zip", b"PK\x03\x04 and nothing more")
    with zipfile.ZipFile("none.zip", "w") as archive:
        archive.writestr("a.txt", "x")
    for name, said in (("cut.gz", "damaged"), ("cut.zip", "damaged"), ("none.zip", "no `.vcf`")):
        with pytest.raises(InputError, match=said):
            count_file(name)
