"""Parts: joined they are the input, each holds what it may, and all appear or none."""

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
    UsageError,
    count_file,
    split,
    split_files,
)
from cardsplit.limits import parse_size
from vcard_making import WILD_FILES, card, everything_in, write_cards, written

MIB = 1 << 20


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
    assert parse_size("9" * 400 + "G") > 10**400  # however large
    for text in ("", "0", "MB", "-1", "1XB", "0.1", "2.5", "2.5B", "1.0", "0.0001k", "1e6", "1.k"):
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
