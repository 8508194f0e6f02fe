"""Real vCard files of many programs: none is too odd, none loses a byte, and other readers agree.

The files are not part of the project; the tests look for them beside the checkout.
"""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import vobject
from vobject.base import Component

from cardsplit import Card, Rule, antimerge, split, undo
from cardsplit.encodings import sniff
from cardsplit.keys import keys_of
from cardsplit.naming import bearers, can_bear_a_mark

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning"  # vobject's own
)
logging.getLogger("vobject").setLevel(logging.CRITICAL)


def text_of(data: bytes) -> str:
    """The file as text, however it is encoded."""
    if encoding := sniff(data):
        return data.decode(encoding, "replace").removeprefix("\ufeff")
    if b"CHARSET=SHIFT_JIS" in data:
        return data.decode("cp932", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def by_vobject(data: bytes) -> list[Component] | None:
    """The cards as vobject reads them, or `None` where it refuses the file."""
    try:
        return list(vobject.readComponents(text_of(data), allowQP=True))
    except Exception:  # noqa: BLE001 - vobject raises whatever its parts raise
        return None


def counted_by_lines(data: bytes) -> int:
    """A second reading: lines that are BEGIN, less those inside an open card."""
    depth = found = 0
    swallowed = False
    for line in re.sub(r"(\r\n|\r|\n)[ \t]", "", text_of(data)).splitlines():
        word = line.replace(" ", "").upper()
        if not swallowed and word == "BEGIN:VCARD":
            found += depth == 0
            depth += 1
        elif not swallowed and word == "END:VCARD":
            depth = max(0, depth - 1)
        swallowed = line.endswith("=") and (swallowed or "QUOTED-PRINTABLE" in word)
    return found


def test_a_real_file_is_split_into_its_cards(corpus_file: Path):
    """The cards joined are the file, and there are as many as another reader finds."""
    data = corpus_file.read_bytes()
    cards = list(split(data))
    assert b"".join(cards) == data
    found = sum(bool(one.lines) for one in cards)
    read = by_vobject(data)
    assert found in {len(read) if read is not None else -1, counted_by_lines(data)}


@pytest.mark.parametrize("rule", [Rule.DISPLAY, Rule.FN])
def test_a_real_file_is_anti_merged_and_comes_back(corpus_file: Path, rule: Rule):
    """The file twice, with a line more in the second half, so that every card clashes."""
    cards = list(split(corpus_file.read_bytes()))
    other = [differing(one) for one in cards]
    both = [*cards, *other]
    after = antimerge(both, rule, with_fn=True)
    cores = {(k, c.core) for c in after if can_bear_a_mark(c) for k in keys_of(c, rule)}
    assert len({key for key, _ in cores}) == len(cores)
    assert antimerge(after, rule, with_fn=True) == after
    assert undo(after) == both
    assert undo(cards) == cards


def differing(one: Card) -> Card:
    """The card with an end that tells it from itself."""
    lines = one.lines
    if not lines:
        return one
    span, line = lines[-1]
    extra = b"X-HALF:2" + line.line_break
    raw = line.raw if line.raw.endswith((b"\n", b"\r")) else line.raw + line.line_break
    if line.is_quoted_printable or line.is_base64:
        span, line = lines[0]
        raw = line.raw
    return one.replaced([(span, raw + extra)])


def test_another_reader_finds_only_the_names_changed(corpus_file: Path):
    """The reader vobject finds the same contacts before and after, but for the marked names."""
    cards = [one for one in split(corpus_file.read_bytes()) if bearers(one)]
    both = [*cards, *(differing(one) for one in cards)]
    after = antimerge(both)
    checked = 0
    for old, new in zip(both, after, strict=True):
        was, is_ = by_vobject(old), by_vobject(new)
        if was is None or len(was) != 1:
            continue
        assert is_ is not None
        checked += 1
        has_name = bool(old.all("N"))  # else it gets one
        now = [(name, value) for name, value in contents(is_[0]) if has_name or name != "n"]
        assert dict(contents(was[0])).keys() == dict(now).keys()
        for (name, value), (_, changed) in zip(contents(was[0]), now, strict=True):
            if value != changed:
                assert name in {"n", "fn"}
                assert re.sub(r" ?/[^/]+/+", "", changed, count=1).replace(
                    " ", ""
                ) == value.replace(" ", "")
    if not checked:
        pytest.skip("vobject reads no card of this file")


def contents(component: Component) -> Iterator[tuple[str, str]]:
    """Names and values as vobject has them."""
    for name, lines in sorted(component.contents.items()):
        for line in lines:
            yield name, str(getattr(line, "value", line))
