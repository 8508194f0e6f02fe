"""Files of any size: split, anti-merged, undone and counted, at bounded memory, or not at all."""

import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsplit import (
    PRESETS,
    InputError,
    Limit,
    OutputError,
    Rule,
    UsageError,
    antimerge_files,
    antimerge_in_place,
    count_file,
    find_clashes,
    split,
    split_files,
    undo_file,
)
from cardsplit.keys import key_of
from cardsplit.limits import parse_size
from cardsplit.reading import Shelf, deck_of, read_decks
from cardsplit.sources import Source
from vcard_making import CLASHING_FILES, WILD_FILES, card, made_cards, peter, write_cards

MIB = 1 << 20


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path, name: str, data: bytes) -> str:
    """A new file of that name."""
    (folder / name).write_bytes(data)
    return str(folder / name)


def everything_in(folder: Path) -> dict[str, bytes]:
    """All files of a folder and what they hold, hidden ones and those below included."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ------------------------------------------------------------------------------------ splitting


@given(st.lists(WILD_FILES, min_size=1, max_size=3), st.integers(1, 4), st.integers(1, 300))
@settings(max_examples=120, deadline=None)
def test_parts_joined_are_the_input(tmp_path_factory, files, cards, size):
    """By number and by size; each part holds what the limit allows, and none is empty."""
    folder = tmp_path_factory.mktemp("parts")
    names = [written(folder, f"{n}.vcf", data) for n, data in enumerate(files)]
    for limit in (Limit(cards=cards), Limit(max_bytes=size), Limit(cards=cards, max_bytes=size)):
        try:
            done = split_files(names, limit, folder=folder / "out", replacing=True)
        except InputError as error:
            assert "holds no vCard" in str(error)  # noqa: PT017 - only this error is right
            continue
        parts = done.parts
        assert b"".join(part.path.read_bytes() for part in parts) == b"".join(files)
        assert sum(part.cards for part in parts) == sum(count_file(name).cards for name in names)
        assert all(part.size == part.path.stat().st_size for part in parts)
        if limit.cards:
            assert all(part.cards <= limit.cards for part in parts)
        if limit.max_bytes:
            assert all(part.size <= limit.max_bytes or part.cards <= 1 for part in parts)


def test_each_part_but_the_last_is_full(here: Path):
    """950 cards and one more make two parts, and the first one holds 950."""
    name = str(write_cards(here / "many.vcf", 1901))
    done = split_files([name])
    assert [part.cards for part in done.parts] == [950, 950, 1]
    assert [part.path.name for part in done.parts] == ["adr.001.vcf", "adr.002.vcf", "adr.003.vcf"]
    assert [count_file(str(part.path)).cards for part in done.parts] == [950, 950, 1]


def test_a_part_takes_as_many_bytes_as_it_may(here: Path):
    """No part could take the first card of the next."""
    name = str(write_cards(here / "many.vcf", 2000))
    parts = split_files([name], Limit(max_bytes=100_000)).parts
    for part, after in pairwise(parts):
        first = next(split(after.path.read_bytes()))
        assert part.size <= 100_000 < part.size + len(first)


def test_a_thousand_parts_still_sort(here: Path):
    """From a thousand on, numbers have four digits."""
    name = written(here, "many.vcf", card("N:a") * 1000)
    parts = split_files([name], Limit(cards=1), folder=here / "out").parts
    assert parts[0].path.name == "adr.0001.vcf"
    assert sorted(path.name for path in (here / "out").iterdir()) == [
        part.path.name for part in parts
    ]


def test_a_card_longer_than_its_part_is_written_as_it_comes(here: Path):
    """A part of its own, told in a note, at a memory that does not hold it."""
    long = card("NOTE:" + "x" * (9 * MIB))
    name = written(here, "long.vcf", b"preamble\r\n" + card("N:a") + long + card("N:b") * 3)
    done = split_files([name], Limit(max_bytes=200), folder=here / "out")
    assert b"".join(part.path.read_bytes() for part in done.parts) == Path(name).read_bytes()
    assert [part.cards for part in done.parts] == [1, 1, 3]
    assert any("hold one card that is longer than 200 bytes" in note for note in done.notes)


def test_a_preamble_of_any_length_is_kept(here: Path):
    """Also one that does not fit in memory meant for it."""
    name = written(here, "long.vcf", b"x" * (9 * MIB) + b"\r\n" + card("N:a") * 2)
    for limit in (Limit(cards=1), Limit(max_bytes=200)):
        done = split_files([name], limit, folder=here / "out", replacing=True)
        assert b"".join(part.path.read_bytes() for part in done.parts) == Path(name).read_bytes()


@pytest.mark.parametrize(
    ("first", "second", "parts"),
    [
        (card("N:a"), card("N:b"), 1),
        (card("N:a").rstrip(), card("N:b"), 2),
        (card("N:a"), b"\xef\xbb\xbf" + card("N:b"), 2),
        (card("N:a"), card("N:b").decode().encode("utf-16"), 2),
        (card("N:a").decode().encode("utf-16"), card("N:b"), 2),
    ],
)
def test_files_share_a_part_only_where_they_can_be_joined(here: Path, first, second, parts):
    """Not where a line break is missing, or a byte-order mark would stand in the middle."""
    names = [written(here, "1.vcf", first), written(here, "2.vcf", second)]
    assert len(split_files(names, folder=here / "out").parts) == parts


def test_a_full_part_takes_no_preamble_of_the_next_file(here: Path):
    """A preamble goes with the first card."""
    names = [written(here, "1.vcf", card("N:a")), written(here, "2.vcf", b"hi\r\n" + card("N:b"))]
    parts = split_files(names, Limit(cards=1), folder=here / "out").parts
    assert parts[1].path.read_bytes().startswith(b"hi")


def test_presets_say_what_a_service_would_refuse(here: Path):
    """Cards that are too long, and too many in all."""
    name = written(here, "a.vcf", card("NOTE:" + "x" * 128_000) + card("N:b") * 25_000)
    done = split_files([name], PRESETS["google"], dry_run=True)
    assert len(done.parts) == 9
    assert [note[:35] for note in done.notes] == [
        "1 card(s) are longer than 128,000 b", "there are 25,001 cards, but the ser"
    ]  # fmt: skip
    assert all("2026" in preset.source for preset in PRESETS.values())


def test_parts_of_utf16_are_told(here: Path):
    """As only the first has the mark that many programs need."""
    name = written(here, "a.vcf", (card("N:a") * 2).decode().encode("utf-16"))
    done = split_files([name], Limit(cards=1), folder=here / "out")
    assert b"".join(part.path.read_bytes() for part in done.parts) == Path(name).read_bytes()
    assert "byte-order mark" in done.notes[0]


def test_sizes_are_read_as_people_write_them():
    """Powers of 1000, of 1024 with an i, and no nonsense."""
    texts = ["1", "2.5MB", "900k", "1KiB", "1 GiB", ".5k"]
    assert [parse_size(text) for text in texts] == [1, 2_500_000, 900_000, 1024, 1 << 30, 500]
    for text in ("", "0", "MB", "-1", "1XB", "0.1"):
        with pytest.raises(UsageError, match="is no size"):
            parse_size(text)
    with pytest.raises(UsageError, match="at least 1 card"):
        Limit(cards=0)


def test_nothing_is_replaced_unasked(here: Path):
    """Parts that are there stay; asked to, all old ones go, also those with higher numbers."""
    name = written(here, "a.vcf", card("N:a") * 3)
    split_files([name], Limit(cards=1))
    (here / "adr.007.vcf").write_bytes(b"old")
    (here / "adr.x.vcf").write_bytes(b"other")
    before = everything_in(here)
    with pytest.raises(OutputError, match=r"adr\.001\.vcf` is there already, with 4 part"):
        split_files([name], Limit(cards=1))
    assert everything_in(here) == before
    split_files([name], Limit(cards=2), replacing=True)
    assert sorted(everything_in(here)) == ["a.vcf", "adr.001.vcf", "adr.002.vcf", "adr.x.vcf"]
    with pytest.raises(OutputError, match="is itself among the parts"):
        split_files(["adr.001.vcf"], replacing=True)


def test_a_failure_leaves_nothing_behind(here: Path):
    """The second input has no card: no part, no folder."""
    names = [written(here, "1.vcf", card("N:a")), written(here, "2.vcf", b"junk\n")]
    with pytest.raises(InputError, match=r"2\.vcf` holds no vCard"):
        split_files(names, folder=here / "new/deep")
    assert sorted(path.name for path in here.iterdir()) == ["1.vcf", "2.vcf"]


def test_a_prefix_is_a_plain_name(here: Path):
    """Folders are given by another option."""
    name = written(here, "a.vcf", card("N:a"))
    for prefix in ("", "a/b"):
        with pytest.raises(UsageError, match="must be a plain name"):
            split_files([name], prefix=prefix)
    (here / "lost").symlink_to("nowhere")
    for place in (name, "lost"):
        with pytest.raises(OutputError, match="cannot be written"):
            split_files([name], folder=Path(place))


# -------------------------------------------------------------------------------- anti-merging


CODED = ";CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE"
PLAIN_OR_NOT = st.sampled_from(
    [
        "N;CHARSET=UTF-8:Mül;P",
        f"N{CODED}:M=C3=BC=3B;P=20Q",
        f"N{CODED}:M=5Cx;P=20Q",
        f"N{CODED}:M=E4x;P",
        f"N{CODED}:M=C3=BC;P\r\nFN{CODED}:P =C3=BC=\r\nx",
        *("FN:A B\r\nN:B;A", "FN: \r\nN:B;A;c;d;e;f", "N:B\r\n ;A", "FN:x\r\nNOTE:N:x=\r\nN:B;A"),
        *(
            "FN;X=1:x\r\nN:;\r\nFN:y",
            "N:A;B\r\nn:x\r\nFN:q",
            "FN:a\r\nFN:b\r\nN:c;d",
            "N:;;\r\nORG:x",
        ),
        *("N:A;B;C;D", "N:A;B\r\nNOTE:\r\n N:x\r\nFN:zz", "N:a\x1cb;c", "N: A ;B  C;;;\r\nFN:B A"),
    ]
)


@given(
    st.lists(PLAIN_OR_NOT, min_size=1, max_size=5), st.sampled_from(["utf-8", "cp1252", "utf-16"])
)
@settings(max_examples=120, deadline=None)
def test_the_short_way_to_a_key_leads_where_the_long_one_does(tmp_path_factory, names, codec):
    """What the first pass notes of plain cards is what a full reading says, under each rule."""
    name = str(tmp_path_factory.mktemp("keys") / "a.vcf")
    data = b"".join(card(lines) for lines in names).decode().encode(codec)
    Path(name).write_bytes(data)
    cards = list(split(data))
    with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - unbuffered, as a source is
        shelf = Shelf([Source(name, file)])
        for rules in (list(Rule), [Rule.DISPLAY], [Rule.N_LINE]):
            for deck in read_decks(shelf, rules):
                found = [deck.key(number) for number in range(len(cards))]
                assert found == [key_of(one, deck.rule) for one in cards]
                assert deck.shaped == deck_of(cards, deck.rule).shaped


@given(CLASHING_FILES, st.sampled_from(list(Rule)))
@settings(max_examples=60, deadline=None)
def test_files_are_anti_merged_as_cards_in_memory_are(tmp_path_factory, cards, rule):
    """The two-pass way over a file finds the keys, marks and originals of the simple way."""
    folder = tmp_path_factory.mktemp("am")
    name = written(folder, "a.vcf", b"hi\n" + b"".join(cards))
    with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - unbuffered, as a source is
        shelf = Shelf([Source(name, file)])
        in_memory = list(split(Path(name).read_bytes()))
        for deck in read_decks(shelf, list(Rule)):
            numbers = range(len(in_memory))
            assert [deck.load(n) for n in numbers] == in_memory
            assert [deck.key(n) for n in numbers] == [key_of(c, deck.rule) for c in in_memory]
            assert deck.shaped == deck_of(in_memory, deck.rule).shaped
    out, back = str(folder / "out.vcf"), str(folder / "back.vcf")
    done = antimerge_files([name], out, rule=rule)
    assert done.cards == len(cards)
    undone = undo_file(out, back)
    assert undone.changed >= done.changed
    if undone.changed == done.changed:
        assert Path(back).read_bytes() == Path(name).read_bytes()


def test_made_cards_come_back(here: Path):
    """Thousands of cards of mixed versions with namesakes, and a second run changes nothing."""
    name = str(write_cards(here / "a.vcf", 4000, namesakes=0.2))
    done = antimerge_files([name], "b.vcf")
    assert done.changed > 400
    assert done.clashes == len(find_clashes_of(name))
    assert antimerge_files(["b.vcf"], "c.vcf").changed == 0
    assert Path("c.vcf").read_bytes() == Path("b.vcf").read_bytes()
    assert undo_file("b.vcf", "d.vcf").changed == done.changed
    assert Path("d.vcf").read_bytes() == Path(name).read_bytes()


def find_clashes_of(name: str) -> list[object]:
    """What would be merged by what is displayed."""
    found, _ = find_clashes([name])
    return [one for one in found if "display" in one.rules and not one.is_copies]


def test_several_files_become_one(here: Path):
    """Their cards are told apart from each other; in place, each file stays by itself."""
    names = [written(here, f"{c}.vcf", peter(c)) for c in "AB"]
    done = antimerge_files(names, "out.vcf")
    assert (done.cards, done.changed) == (2, 2)
    assert undo_file("out.vcf", "back.vcf").changed == 2
    assert Path("back.vcf").read_bytes() == peter("A") + peter("B")
    assert antimerge_in_place(names[0]).changed == 0


def test_files_that_would_run_into_each_other_are_refused(here: Path):
    """Where a line break is missing between them."""
    names = [written(here, "1.vcf", peter("A").rstrip()), written(here, "2.vcf", peter("B"))]
    with pytest.raises(InputError, match="cannot follow"):
        antimerge_files(names, "out.vcf")
    assert not Path("out.vcf").exists()


def test_in_place_keeps_permissions_links_and_a_backup(here: Path):
    """The file behind a link is replaced, its mode is kept, and the backup is the original."""
    data = peter("A") + peter("B")
    name = written(here, "a.vcf", data)
    Path(name).chmod(0o640)
    Path("link.vcf").symlink_to(name)
    done = antimerge_in_place("link.vcf", backup=True)
    assert done.changed == 2
    assert Path("link.vcf").is_symlink()
    assert Path(name).stat().st_mode & 0o777 == 0o640
    assert Path("link.vcf.bak").read_bytes() == data
    assert Path(name).read_bytes() != data
    antimerge_in_place(name)  # changes nothing
    Path(name).write_bytes(data)
    assert antimerge_in_place(name).changed == 2
    Path(name).write_bytes(data)
    with pytest.raises(OutputError, match="is there already; move it away"):
        antimerge_in_place("link.vcf", backup=True)
    assert Path(name).read_bytes() == data


def test_no_backup_no_change(here: Path):
    """A name that is too long with `.bak` behind it."""
    data = peter("A") + peter("B")
    name = written(here, "x" * 253, data)
    with pytest.raises(OutputError, match="File name too long; nothing was changed"):
        antimerge_in_place(name, backup=True)
    assert everything_in(here) == {"x" * 253: data}


def test_the_line_of_a_name_that_cannot_be_undone_is_told(here: Path, monkeypatch):
    """If recognising failed for a look-alike, nothing would be written."""
    monkeypatch.setattr("cardsplit.planning.recognise", lambda _: {})
    data = peter("A", family="Miller /A/") + peter("B") + peter("C")
    with pytest.raises(InputError, match=r"a\.vcf`, line 6: the name ends like a mark"):
        antimerge_files([written(here, "a.vcf", data)], "out.vcf")
    assert not Path("out.vcf").exists()


def test_a_card_that_no_address_book_takes_is_refused(here: Path):
    """Over 32 MiB without the start of a card are not held in memory."""
    name = written(here, "a.vcf", card("NOTE:" + "x" * (33 * MIB)))
    with pytest.raises(InputError, match="over 32 MiB"):
        antimerge_files([name], "out.vcf")


def test_clashing_cards_without_names_are_told(here: Path):
    """They stay as they are, and a note says where they start."""
    name = written(here, "a.vcf", card("N:x") + card("ORG:A", "TEL:1") + card("ORG:A", "TEL:2"))
    done = antimerge_files([name], "out.vcf")
    assert done.changed == 0
    assert "line 5: 2 clashing card(s)" in done.notes[0]


# ----------------------------------------------------------------------- counting and clashing


def test_a_count_says_what_is_in_a_file(here: Path):
    """Cards, versions, bytes and oddities with numbers of lines, however lines end."""
    lost = b"BEGIN:VCARD\r\nN:lost\r\n"
    for eol in ("\r\n", "\n", "\r"):
        cards = [card("N:a", version=version, eol=eol) for version in ("2.1", "3.0", "4.0", "x")]
        none = card("N:a", eol=eol).replace(f"VERSION:3.0{eol}".encode(), b"")
        data = b"stray" + eol.encode() + b"".join(cards) + none + lost
        found = count_file(written(here, "a.vcf", data))
        assert (found.cards, found.size, found.encoding) == (6, len(data), "")
        assert found.versions == {"2.1": 1, "3.0": 1, "4.0": 1, "none": 2, "x": 1}
        assert [note.split("`")[2] for note in found.notes] == [
            ", line 1: text outside of any card", ", line 21: card without "
        ]  # fmt: skip


@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_versions_are_counted_over_the_ends_of_chunks(here: Path, codec: str):
    """Long cards, plain ones, and such whose version is not where it usually is."""
    odd = card("N:a").replace(b"VERSION:3.0\r\n", b"NOTE:" + b"x" * 70_000 + b"\r\nVERSION:4.0\r\n")
    late = card("N:a").replace(b"N:a", b"NOTE:" + b"x" * 300_000).replace(b"VERSION:3.0\r\n", b"")
    data = (
        b"".join(made_cards(300))
        + odd
        + late
        + b"".join(made_cards(300))
        + card("n:x", version="2.1")
    )
    found = count_file(written(here, "a.vcf", data.decode().encode(codec)))
    assert found.cards == 603
    assert sum(found.versions.values()) == 603
    assert found.versions["none"] >= 1


def test_numbers_of_lines_count_a_break_over_two_chunks_once(here: Path, monkeypatch):
    """CRLF is one line break also where a chunk ends between its two bytes."""
    monkeypatch.setattr("cardsplit.sources.CHUNK", 7)
    data = card("N:a") * 2 + b"stray\r\n"
    assert "line 9:" in count_file(written(here, "a.vcf", data)).notes[0]


def test_more_oddities_than_a_person_reads_are_counted(here: Path):
    """Ten are told one by one."""
    found = count_file(written(here, "a.vcf", (card("N:a") + b"stray\r\n") * 30))
    assert len(found.notes) == 11
    assert "20 more of this kind" in found.notes[-1]


def test_clashes_say_who_where_by_which_rule_and_what_is_lost(here: Path):
    """Within files and across them; copies lose nothing."""
    one = peter("ABC-Corp", "FN:Peter Miller", "NOTE:" + "x" * 50, "PHOTO;ENCODING=b:AAAA")
    other = peter("XYZ-Corp", "FN:P. Miller", "NOTE:y", "PHOTO;ENCODING=b:AAAB")
    names = [written(here, "1.vcf", card("N:x") + one), written(here, "2.vcf", other)]
    [clash], notes = find_clashes(names)
    assert notes == []
    assert clash.key == "peter miller"
    assert clash.rules == ("display", "last-first", "n-line")
    assert [(m.file, m.line, m.name, m.company) for m in clash.members] == [
        (names[0], 5, "Peter Miller", "ABC-Corp"), (names[1], 1, "P. Miller", "XYZ-Corp")
    ]  # fmt: skip
    assert list(clash.lost) == ["FN", "ORG", "PHOTO", "NOTE"]
    assert clash.lost["NOTE"] == ("x" * 39 + "…", "y")
    assert clash.lost["PHOTO"][0].startswith("4 bytes, ")
    [copies], _ = find_clashes([written(here, "3.vcf", peter("A") * 2)])
    assert (copies.is_copies, copies.lost, copies.members[0].name) == (True, {}, "Peter Miller")
    [bare], _ = find_clashes([written(here, "4.vcf", card("ORG:A") * 2)])
    assert bare.members[0].name == ""


# --------------------------------------------------------------------------------------- memory


# What `getrusage` tells of a child includes its parent at the time of the fork.
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")


def memory_of(command: list[str], source: Iterator[bytes] | None = None) -> float:
    """Run the command line in a process of its own; return its greatest memory in MB."""
    script = (
        "import atexit, pathlib, re, sys\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+) kB', status.read_text())[1]) / 1000\n"
        "atexit.register(lambda: print(peak(), file=sys.stderr))\n"
        "from cardsplit.cli import main\n"
        "main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *command],
        stdin=subprocess.PIPE if source else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        for block in source or ():
            process.stdin.write(block)  # type: ignore[union-attr]  # it is a pipe
        _, told = process.communicate()
    assert process.returncode == 0, told
    return float(told.splitlines()[-1])


@needs_proc
@pytest.mark.usefixtures("here")
def test_splitting_a_pipe_takes_constant_memory():
    """80 MB from stdin at less than 60 MB, interpreter included; splitting keeps every byte."""
    block = b"".join(made_cards(1000))
    times = 200
    used = memory_of(["split", "-", "-o", "parts", "--preset", "nextcloud"], iter([block] * times))
    assert used < 60
    assert sum(path.stat().st_size for path in Path("parts").iterdir()) == times * len(block)


@needs_proc
@pytest.mark.usefixtures("here")
def test_anti_merging_takes_memory_for_the_names_only():
    """20,000 cards with photos, 68 MB, at less than 70 MB."""
    photo = "PHOTO;ENCODING=b:" + "\r\n ".join(["A" * 74] * 40)
    with open("a.vcf", "wb") as file:  # noqa: PTH123 - short
        file.writelines(
            card(f"N:Miller-{number % 19_000};Peter", f"EMAIL:{number}@b", photo)
            for number in range(20_000)
        )
    assert memory_of(["antimerge", "a.vcf", "-o", "b.vcf"]) < 70
    assert memory_of(["undo", "b.vcf", "-o", "c.vcf"]) < 70
    assert Path("c.vcf").read_bytes() == Path("a.vcf").read_bytes()


# ---------------------------------------------------------------------------------------- faults


def limited(size: int) -> None:
    """Let the system refuse files longer than `size`, as a full disk does."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize(
    "command",
    [["split", "a.vcf"], ["split", "a.vcf", "-o", "new"], ["antimerge", "a.vcf", "-o", "b.vcf"],
     ["antimerge", "a.vcf", "--in-place", "--backup"], ["undo", "a.vcf", "-o", "b.vcf"]],
)  # fmt: skip
def test_a_full_disk_changes_nothing(here: Path, command: list[str]):
    """One sentence, status 1, and every file as it was."""
    write_cards(here / "a.vcf", 3000, namesakes=0.5)
    before = everything_in(here)
    done = subprocess.run(
        [sys.executable, "-m", "cardsplit", *command],
        capture_output=True, text=True, check=False, preexec_fn=lambda: limited(100_000),
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be written: the system says: File too large; nothing was changed." in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert everything_in(here) == before
    assert not Path("new").exists()


def test_an_interrupt_leaves_no_part(here: Path):
    """Ctrl-C while reading: status 130, and nothing is there."""
    with subprocess.Popen(
        [sys.executable, "-m", "cardsplit", "split", "-", "-o", "parts", "-n", "1"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - no threads here
    ) as process:  # fmt: skip
        process.stdin.write(b"".join(made_cards(3000)))  # type: ignore[union-attr]  # a pipe
        process.stdin.flush()  # type: ignore[union-attr]  # a pipe
        while not list(here.glob("parts/.adr.*/2")):
            pass
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert process.returncode == 130
    assert b"interrupted" in told
    assert list(here.iterdir()) == []
