"""Files are anti-merged, undone, counted and compared as cards in memory are."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsplit import (
    InputError,
    OutputError,
    Rule,
    antimerge_files,
    antimerge_in_place,
    count_file,
    find_clashes,
    split,
    undo_file,
)
from cardsplit.card_store import CardStore
from cardsplit.key_index import KeyIndex
from cardsplit.keys import keys_by_reading
from cardsplit.reading import index_of, read_indexes
from cardsplit.scan import CHUNK
from cardsplit.sources import Source
from vcard_making import (
    CLASHING_FILES,
    card,
    everything_in,
    made_cards,
    peter,
    write_cards,
    written,
)

MIB = 1 << 20


CODED = ";CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE"
PLAIN_OR_NOT = st.sampled_from(
    [
        *("N:Mül;P", "N:A\u00a0b;C"),
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
        *("N:Mi,Sm;P,Q;;Dr.,Prof.", f"N{CODED}:M=2CS;P", f"N{CODED}:M,S;P", "FN:a,b\r\nN:Mi\\,x;P"),
        *("n:Mi;Pe\r\nfn:Pe Mi", "Fn:x\r\nn;charset=utf-8;encoding=quoted-printable:M=C3=BC;P"),
        *("N;ALTID=1:a;b\r\nN;ALTID=1:c;d", "FN;ALTID=2:a\r\nFN;ALTID=2:b\r\nTITLE:t", "TITLE:t"),
        *("N:A;B;C;D", "N:A;B\r\nNOTE:\r\n N:x\r\nFN:zz", "N:a\x1cb;c", "N: A ;B  C;;;\r\nFN:B A"),
    ]
)


def noted(index: KeyIndex) -> tuple[object, ...]:
    """What an index keeps of keys: two hashes of each."""
    return index._hashes, index._checks, index._further  # noqa: SLF001 - what is tested


@given(
    st.lists(PLAIN_OR_NOT, min_size=1, max_size=5),
    st.sampled_from(["utf-8", "cp1252", "utf-16"]),
    st.booleans(),
)
@settings(max_examples=120, deadline=None)
def test_the_short_way_to_a_key_leads_where_the_long_one_does(
    tmp_path_factory, names, codec, in_small_letters
):
    """What the first pass notes of plain cards is what a full reading says, under each rule."""
    name = str(tmp_path_factory.mktemp("keys") / "a.vcf")
    data = b"".join(card(lines) for lines in names)
    data = (data.lower() if in_small_letters else data).decode().encode(codec)
    Path(name).write_bytes(data)
    cards = list(split(data))
    with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - unbuffered, as a source is
        store = CardStore([Source(name, file)])
        for rules in (list(Rule), [Rule.DISPLAY], [Rule.N_LINE]):
            for index in read_indexes(store, rules):
                found = [index.keys(number) for number in range(len(cards))]
                assert found == [keys_by_reading(one, index.rule) for one in cards]
                other = index_of(cards, index.rule)
                assert index.shaped == other.shaped
                assert noted(index) == noted(other)


@given(CLASHING_FILES, st.sampled_from(list(Rule)))
@settings(max_examples=60, deadline=None)
def test_files_are_anti_merged_as_cards_in_memory_are(tmp_path_factory, cards, rule):
    """The two-pass way over a file finds the keys, marks and originals of the simple way."""
    folder = tmp_path_factory.mktemp("am")
    name = written(folder, "a.vcf", b"hi\n" + b"".join(cards))
    with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - unbuffered, as a source is
        store = CardStore([Source(name, file)])
        in_memory = list(split(Path(name).read_bytes()))
        for index in read_indexes(store, list(Rule)):
            numbers = range(len(in_memory))
            assert [index.load(n) for n in numbers] == in_memory
            assert [index.keys(n) for n in numbers] == [
                keys_by_reading(c, index.rule) for c in in_memory
            ]
            other = index_of(in_memory, index.rule)
            assert index.shaped == other.shaped
            assert noted(index) == noted(other)
    out, back = str(folder / "out.vcf"), str(folder / "back.vcf")
    done = antimerge_files([name], out, rule=rule)
    assert done.cards == len(cards)
    if done.changed:
        assert undo_file(out, back).changed == done.changed
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
    """Their cards are told apart from each other."""
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


def test_blocks_of_every_kind_may_follow_each_other(here: Path):
    """Plain cards, long ones, long text between cards, and oddly written ones."""
    plain = b"".join(made_cards(700))
    odd = card("N:x;y").replace(b"BEGIN:", b"begin : ") + card("N:/A/;z")
    long = card("NOTE:" + "x" * 600_000)
    stray = b"stray\r\n" * 90_000
    data = b"hi\r\n" + plain + long + plain + stray + plain + odd + stray + plain + 4 * stray + odd
    cards = list(split(data))
    with open(written(here, "a.vcf", data), "rb", buffering=0) as file:  # noqa: PTH123 - unbuffered, as a source is
        store = CardStore([Source("a.vcf", file)])
        for index in read_indexes(store, list(Rule)):
            assert len(index) == len(cards) == 4 * 700 + 5
            whole = index_of(cards, index.rule)
            assert list(index.groups()) == list(whole.groups())
            assert (index.shaped, index.level) == (whole.shaped, whole.level)
        assert [store.load(number) for number in range(len(cards))] == cards


def test_text_after_cards_that_fill_a_chunk_belongs_to_the_last_of_them(here: Path):
    """A whole chunk without any card, right behind one that ends with a card."""
    small = card("N:a;b\r\nNOTE:")
    count, rest = divmod(CHUNK, 2 * len(small))
    filler = small.replace(b"NOTE:", b"NOTE:" + b"x" * rest)
    plain = small * (2 * count - 1) + filler
    assert len(plain) == CHUNK
    data = plain + b"stray\r\n" * (CHUNK // 3) + plain
    cards = list(split(data))
    with open(written(here, "a.vcf", data), "rb", buffering=0) as file:  # noqa: PTH123 - unbuffered, as a source is
        store = CardStore([Source("a.vcf", file)])
        for index in read_indexes(store, list(Rule)):
            assert list(index.groups()) == list(index_of(cards, index.rule).groups())
        assert [store.load(number) for number in range(len(cards))] == cards
