"""Names are merged as programs merge them, and told apart so that none of them does.

`shown_by_fossify` is a second reading of that program's rule, written for these tests alone; names
are read by vobject where it can.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsplit import APPS, Card, Rule, antimerge, split, undo
from cardsplit.keys import dialled, keys_of
from cardsplit.naming import can_bear_a_mark
from vcard_making import card

LATIN, KANA = "N;ALTID=1:Miller;Peter", "ミラー;ピーター"
CODED = ";CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE"


def shown_by_fossify(one: bytes) -> str:
    """What Fossify Contacts displays of a plain 3.0 or 4.0 card without folds and escapes."""
    found: dict[str, str] = {}
    for line in one.decode().splitlines():
        head, _, value = line.partition(":")
        name = head.split(";")[0].rpartition(".")[2].upper()
        if value.strip() and name not in found:
            found[name] = value
        elif name == "N":
            found.setdefault(name, value)
    parts = [values.split(",")[0].strip() for values in found.get("N", "").split(";")]
    family, given, middle, prefix, suffix = [*parts, "", "", "", "", ""][:5]
    name = " ".join(f"{prefix} {given} {middle} {family} {suffix}".split())
    company = ", ".join(filter(None, [found.get("ORG", "").split(";")[0], found.get("TITLE", "")]))
    number = "".join(c for c in found.get("TEL", "") if c.isdigit() or c == "+")
    others = (company, found.get("EMAIL", ""), number, found.get("FN", ""))
    return (name or next(filter(None, others), "")).lower()


LINES = {
    "N": ["Miller;Peter;;;", "Miller,Smith;Peter;;;", "Miller;Peter;;Dr.;", ";;;;",
          "Miller;Peter;;Dr.,Prof.;", "Miller;Peter,Paul;;;", ";Peter;;;"],
    "FN": ["Peter Miller", "Frank", "Dr. Peter Miller"],
    "ORG": ["Lotus", "Lotus;Sales", "Acme"],
    "TITLE": ["Head", "Clerk"],
    "EMAIL": ["a@x.org", "b@x.org"],
    "TEL": ["+49 1", "+491", "2"],
}  # fmt: skip
CARDS = st.lists(
    st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in LINES.items()}
    ).map(lambda lines: card(*(f"{name}:{value}" for name, value in lines.items()))),
    min_size=2,
    max_size=6,
)


@given(CARDS)
@settings(max_examples=300, deadline=None)
def test_fossify_merges_no_two_cards_that_have_a_name(cards: list[bytes]):
    """Afterwards no two different cards are displayed alike, but those without N and FN."""
    before = list(split(b"".join(cards)))
    after = antimerge(before, *APPS["fossify"][:1], with_fn=APPS["fossify"].with_fn)
    shown: dict[str, set[bytes]] = {}
    for one in after:
        if can_bear_a_mark(one) and (name := shown_by_fossify(one)):
            shown.setdefault(name, set()).add(one.core)
    assert all(len(same) == 1 for same in shown.values())
    if after != before:
        assert undo(after) == before


@given(CARDS)
@settings(max_examples=200, deadline=None)
def test_cards_that_fossify_merges_share_a_key(cards: list[bytes]):
    """The rule `display` misses none of them."""
    for one in cards:
        for other in cards:
            if (name := shown_by_fossify(one)) and name == shown_by_fossify(other):
                shared = {*keys_of(Card(one), Rule.DISPLAY)} & {*keys_of(Card(other), Rule.DISPLAY)}
                assert shared


def two(*lines: str, version: str = "3.0", differing: tuple[str, str] = ("TEL:1", "TEL:2")):
    """Two cards of the same lines and one that differs."""
    return [card(*lines, one, version=version) for one in differing]


CASES = {
    "a list of family names": (
        two("N:Miller,Smith;Peter;;;", differing=("ORG:A", "ORG:B")),
        ["N:Miller /A/,Smith;Peter;;;", "N:Miller /B/,Smith;Peter;;;"],
    ),
    "a list of family names in 2.1": (
        two("N:Miller,Smith;Peter", version="2.1", differing=("ORG:A", "ORG:B")),
        ["N:Miller /A/,Smith;Peter", "N:Miller /B/,Smith;Peter"],
    ),
    "an escaped comma is no list": (
        two("N:Miller\\, Smith;Peter", differing=("ORG:A", "ORG:B")),
        ["N:Miller\\, Smith /A/;Peter", "N:Miller\\, Smith /B/;Peter"],
    ),
    "a list that starts with nothing": (
        two("N:,Smith;Peter", differing=("ORG:A", "ORG:B")),
        ["N:/A/,Smith;Peter", "N:/B/,Smith;Peter"],
    ),
    "a list of prefixes counts by its first": (
        [
            card("N:Miller;Peter;;Dr.,Prof.;", "ORG:A"),
            card("N:Miller;Peter;;Dr.;", "ORG:B"),
        ],
        ["N:Miller /A/;Peter;;Dr.,Prof.;", "N:Miller /B/;Peter;;Dr.;"],
    ),
    "no N, the same company": (
        [card(f"FN:{name}", "ORG:Lotus", version="4.0") for name in ("Frank", "Anna")],
        ["N:;Frank /Lotus/;;;", "N:;Anna /Lotus/;;;"],
    ),
    "no N, the same company and FN": (
        two("FN:Frank", "ORG:Lotus", version="4.0"),
        ["N:;Frank /1/;;;", "N:;Frank /2/;;;"],
    ),
    "no N, the same number differently written": (
        [
            card("FN:A", "TEL:+49 (1) 2", version="4.0"),
            card("FN:B", "TEL;VALUE=uri:tel:+49-12", version="4.0"),
        ],
        ["N:;A /+49 (1) 2/;;;", "N:;B /+49-12/;;;"],
    ),
    "no N, no company, the same FN": (
        two("FN:Frank", version="4.0"),
        ["N:;Frank /1/;;;", "N:;Frank /2/;;;"],
    ),
    "a blank N and one FN": (
        two("N:;;;;", "FN:Jo Doe", differing=("EMAIL:a@x.org", "EMAIL:b@x.org")),
        ["N:/Jo Doe a@x.org/;;;;", "N:/Jo Doe b@x.org/;;;;"],
    ),
    "a blank N and one e-mail address": (
        two("N:;;;;", "EMAIL:c@x.org", differing=("FN:Ann Roe", "FN:Bob Roe")),
        ["N:/Ann Roe/;;;;", "N:/Bob Roe/;;;;"],
    ),
    "a comma in a 2.1 mark is dropped": (
        two("N:Doe;Jo", version="2.1", differing=("ORG:XYZ, Inc.", "ORG:XYZ, Ltd.")),
        ["N:Doe /XYZ Inc./;Jo", "N:Doe /XYZ Ltd./;Jo"],
    ),
    "a comma in a 3.0 mark is escaped": (
        two("N:Doe;Jo", differing=("ORG:XYZ\\, Inc.", "ORG:XYZ\\, Ltd.")),
        ["N:Doe /XYZ\\, Inc./;Jo", "N:Doe /XYZ\\, Ltd./;Jo"],
    ),
    "names cut inside different letters look alike": (
        [card(f"N{CODED}:M={byte};P", version="2.1") for byte in ("C3", "E2=82")],
        [f"N{CODED}:M=C3 /1/;P", f"N{CODED}:M=E2=82 /2/;P"],
    ),
    "a letter cut in two by a soft line break": (
        [
            card(f"N{CODED}:M=C3=\r\n=BCller;P", "ORG:A", version="2.1"),
            card("N;CHARSET=UTF-8:Müller;P", "ORG:B", version="2.1"),
        ],
        [f"N{CODED}:M=C3=", "N;CHARSET=UTF-8:Müller /B/;P"],
    ),
    "alternatives in any order": (
        [
            card(LATIN, f"N;ALTID=1;LANGUAGE=jp:{KANA}", "ORG:A", version="4.0"),
            card(f"N;LANGUAGE=jp;ALTID=1:{KANA}", LATIN, "ORG:B", version="4.0"),
        ],
        ["N;ALTID=1:Miller /A/;Peter", "N;LANGUAGE=jp;ALTID=1:ミラー /B/;ピーター"],
    ),
    "one of several alternatives": (
        [
            card(LATIN, f"N;ALTID=1;LANGUAGE=jp:{KANA}", "ORG:A", version="4.0"),
            card("N:ミラー;ピーター", "ORG:B", version="4.0"),
        ],
        ["N;ALTID=1:Miller /A/;Peter", "N:ミラー /B/;ピーター"],
    ),
    "in a group": (
        [card("N:Doe;Jo", "ORG:A"), card("g.n:Doe;Jo", "g.ORG:B")],
        ["N:Doe /A/;Jo", "g.n:Doe /B/;Jo"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("cards", "names"), CASES.values(), ids=CASES.keys())
def test_names_are_marked_where_programs_look(cards: list[bytes], names: list[str]):
    """The line of each name as it is afterwards; undone, the cards are what they were."""
    after = antimerge(cards)
    found = [
        next(
            line
            for line in one.decode().splitlines()
            if line.upper().startswith(("N:", "N;", "G.N"))
        )
        for one in after
    ]
    assert found == names
    assert undo(after) == cards
    assert antimerge(after) == after


def test_a_card_without_n_gets_one_beside_its_marked_fn():
    """Before FN; folded where it is long; in 2.1 with its charset."""
    long = "Frank with a very long name, indeed; so long that one line does not take it all"
    escaped = long.replace(",", "\\,").replace(";", "\\;")
    cards = [
        *two(f"FN:{escaped}"),
        *two(f"FN{CODED}:J=C3=BCrgen", version="2.1"),
        *two("FN:Frank;J", version="2.1"),
    ]
    after = antimerge(cards)
    assert undo(after) == cards
    assert all(len(line) <= 75 for one in after for line in one.splitlines() if b"N:" in line[:3])
    assert [one.all("N")[0][1].texts()[1] for one in after] == [
        *(f"{long} /{n}/" for n in (1, 2)), *(f"Jürgen /{n}/" for n in (1, 2)),
        *(f"Frank;J /{n}/" for n in (1, 2)),
    ]  # fmt: skip


def test_numbers_are_dialled_as_android_does():
    """Digits, a plus at the front, letters as keys, any digits of Unicode."""
    told = {"+49 (30) 1": "+49301", "030/1": "0301", "1-800-FLOWERS": "18003569377", "": "",
            "x": "9", "(+1) 2": "+12", "1+2": "12", "٣": "3", "tel:+1-2;ext=3": "+12"}  # fmt: skip
    assert {number: dialled(number) for number in told} == told
