"""After anti-merging no two people share a key, and undoing it gives every byte back."""

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from cardsplit import Card, Rule, antimerge, split, undo
from cardsplit.keys import keys_of
from cardsplit.naming import can_bear_a_mark
from vcard_making import CLASHING_FILES, card, peter

RULES = st.sampled_from(list(Rule))
TWO_PETERS = [peter("ABC-Corp"), peter("XYZ-Corp")]


def names(cards: list[Card], name: str = "N") -> list[str]:
    """The values of a property in each card that has it."""
    found = [one.first(name) for one in cards]
    return [line.text() for line in found if line]


@given(CLASHING_FILES, RULES, st.booleans())
@settings(max_examples=250, deadline=None)
def test_anti_merging_tells_apart_is_idempotent_and_can_be_undone(cards, rule, with_fn):
    """For cards from a small world full of look-alikes, under each rule.

    Undoing takes off the marks of the last run, also where the input bears marks of an earlier run
    itself, or is full of what looks like them. No input is refused.
    """
    before = list(split(b"".join(cards)))
    after = antimerge(before, rule, with_fn=with_fn)
    assert len(after) == len(before)
    assert list(split(b"".join(after))) == after
    assert antimerge(after, rule, with_fn=with_fn) == after

    cores: dict[bytes, set[bytes]] = {}
    for one in after:
        for key in keys_of(one, rule) if can_bear_a_mark(one) else ():
            cores.setdefault(key, set()).add(one.core)
    assert all(len(alike) == 1 for alike in cores.values())

    event("marked" if after != before else "nothing clashes")
    if after != before:
        assert undo(after) == before


@given(CLASHING_FILES, st.lists(st.tuples(RULES, st.booleans()), min_size=2, max_size=4))
@settings(max_examples=120, deadline=None)
def test_each_undoing_takes_off_the_marks_of_one_run(cards, runs):
    """Runs by different rules, undone from the last to the first."""
    states = [list(split(b"".join(cards)))]
    for rule, with_fn in runs:
        after = antimerge(states[-1], rule, with_fn=with_fn)
        if after != states[-1]:
            states.append(after)
    event(f"{len(states) - 1} runs that changed something")
    for after, before in zip(states[:0:-1], states[-2::-1], strict=True):
        assert undo(after) == before


@given(CLASHING_FILES, RULES)
@settings(max_examples=100, deadline=None)
def test_only_names_change(cards, rule):
    """All lines but N and FN are the same bytes, in the same order."""

    def others(one: Card) -> list[bytes]:
        return [line.raw for _, line in one.lines if line.name not in {"N", "FN"}]

    before = list(split(b"".join(cards)))
    after = antimerge(before, rule, with_fn=True)
    assert [others(one) for one in after] == [others(one) for one in before]
    assert [one.version for one in after] == [one.version for one in before]


def test_two_peters_get_the_names_of_their_companies():
    """The example of the original script, byte for byte."""
    assert b"".join(antimerge(TWO_PETERS)) == b"".join(
        one.replace(b"N:Miller;", b"N:Miller /%b/;" % company)
        for one, company in zip(TWO_PETERS, (b"ABC-Corp", b"XYZ-Corp"), strict=True)
    )


LADDER = [
    ("units", ["ORG:A;Sales", "ORG:A;IT"], ["A Sales", "A IT"]),
    ("title", ["ORG:A\r\nTITLE:Head", "ORG:A\r\nTITLE:Clerk"], ["Head", "Clerk"]),
    ("e-mail", ["EMAIL:a@b.c", "EMAIL:d@e.f"], ["a@b.c", "d@e.f"]),
    ("number", ["TEL:1 / 2", "TEL:3"], ["1 - 2", "3"]),
    ("counter", ["NOTE:a", "NOTE:b"], ["1", "2"]),
    ("company and counter", ["ORG:A\r\nNOTE:a", "ORG:A\r\nNOTE:b"], ["A 1", "A 2"]),
    ("one company", ["ORG:A", "NOTE:b"], ["A", "1"]),
    ("capitals do not tell apart", ["ORG:abc", "ORG:ABC"], ["abc 1", "ABC 2"]),
    ("mixed", ["ORG:A", "ORG:B", "ORG:A\r\nTITLE:T"], ["A 1", "B", "A T"]),
]


@pytest.mark.parametrize(
    ("lines", "marks"), [r[1:] for r in LADDER[:-1]], ids=[r[0] for r in LADDER[:-1]]
)
def test_a_card_stays_on_the_first_rung_that_tells_it_apart(lines, marks):
    """Company, company and units, title, e-mail or number, counter."""
    after = antimerge([card("N:Miller;Peter", line) for line in lines])
    assert names(after) == [f"Miller /{mark}/;Peter" for mark in marks]


def test_a_mark_is_free_among_names_that_were_unique_before():
    """A name that somebody has already is given to nobody else."""
    taken = card("N:Miller /A/ Jr;Peter", "FN:x")
    others = [card("N:Miller;Peter;;;Jr", f"ORG:{company}") for company in ("A", "B")]
    clash = card("N:/A/;Peter Miller;;;Jr")
    after = antimerge([taken, *others, clash])
    assert len({keys_of(one, Rule.DISPLAY) for one in after}) == 4


def test_copies_are_left_alone_and_count_as_one():
    """Two equal cards stay as they are; beside a third they get one mark."""
    copy = peter("A")
    assert antimerge([copy, copy]) == [copy, copy]
    assert names(antimerge([copy, peter("B"), copy])) == [
        "Miller /A/;Peter", "Miller /B/;Peter", "Miller /A/;Peter"
    ]  # fmt: skip


RULES_APART = [
    (Rule.DISPLAY, "N:Miller;Peter", "N:MILLER;peter", True),
    (Rule.DISPLAY, "N:Miller;Peter;J", "N:Miller;Peter", False),
    (Rule.DISPLAY, "N:Miller;Peter;;;Jr", "N:Miller;Peter", False),
    (Rule.LAST_FIRST, "N:Miller;Peter;J", "N:Miller;Peter", True),
    (Rule.N_LINE, "N:Miller;Peter", "N:MILLER;peter", False),
    (Rule.N_LINE, "N:Miller;Peter", "N:Miller;Pe\r\n ter", True),
    (Rule.FN, "FN:Peter Miller\r\nN:a;b", "FN:peter miller\r\nN:c;d", True),
    (Rule.DISPLAY, "FN:Peter Miller\r\nN:a;b", "FN:peter miller\r\nN:c;d", False),
    (Rule.DISPLAY, "N:;;;;\r\nORG:Acme", "N:\r\nORG:acme;x", True),
    (Rule.DISPLAY, "N:;;;;\r\nEMAIL:a@b", "N:\r\nEMAIL:A@B\r\nTEL:1", True),
    (Rule.DISPLAY, "FN:Peter", "N:;Peter", True),
    (Rule.DISPLAY, "N:", "N:;", False),
]


@pytest.mark.parametrize(("rule", "one", "other", "clash"), RULES_APART)
def test_each_rule_merges_what_its_program_merges(rule, one, other, clash):
    """Cards that a program would not merge are not touched for its sake."""
    before = [card(one, "NOTE:1"), card(other, "NOTE:2")]
    after = antimerge(before, rule)
    assert (after != before) == clash
    assert undo(after) == before


def test_fn_is_marked_where_people_go_by_it():
    """With `with_fn`, under the rule `fn`, and in a card that has no N."""
    before = [peter(company, "FN:Peter Miller") for company in "AB"]
    assert names(antimerge(before), "FN") == ["Peter Miller"] * 2
    marked = ["Peter Miller /A/", "Peter Miller /B/"]
    assert names(antimerge(before, with_fn=True), "FN") == marked
    assert names(antimerge(before, "fn"), "FN") == marked
    nameless = [card("FN:Peter Miller", f"ORG:{c}", version="4.0") for c in "AB"]
    assert names(antimerge(nameless), "FN") == marked
    for after in (antimerge(before, with_fn=True), antimerge(before, "fn"), antimerge(nameless)):
        assert undo(after) in (before, nameless)


def test_every_n_of_a_card_is_marked():
    """Several N with one ALTID are one name in several scripts."""
    before = [
        card(
            "N;ALTID=1:Miller;Peter",
            "N;ALTID=1;LANGUAGE=jp:ミラー;ピーター",
            f"ORG:{c}",
            version="4.0",
        )
        for c in "AB"
    ]
    after = antimerge(before)
    assert [line.texts()[0] for _, line in after[0].all("N")] == ["Miller /A/", "ミラー /A/"]
    assert undo(after) == before


def test_the_mark_says_in_each_charset_what_the_company_is_called():
    """UTF-8 in ORG becomes Latin-1 in N, quoted where N is, and plain letters where N is ASCII."""
    org = "ORG;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller"
    heads = [
        ("N;CHARSET=ISO-8859-1", "Müller", "iso-8859-1"),
        ("N;CHARSET=UTF-8", "Müller", "utf-8"),
        ("N", "Muller", "ascii"),
    ]
    for head, said, codec in heads:
        one = card(f"{head}:Miller;Peter", org, version="2.1")
        [after, _] = antimerge([one, peter("B", version="2.1")])
        assert after == one.replace(b":Miller", f":Miller /{said}/".encode(codec))


def test_a_company_that_cannot_be_written_gives_way_to_the_next_rung():
    """Cyrillic does not fit in an ASCII name."""
    one = card("N:Miller;Peter", "ORG;CHARSET=UTF-8:Москва", "EMAIL:a@b", version="2.1")
    assert names(antimerge([one, peter("B")])) == ["Miller /a@b/;Peter", "Miller /B/;Peter"]


def test_utf16_files_are_marked_and_undone():
    """With a byte-order mark in the first card only."""
    data = b"".join(TWO_PETERS).decode().encode("utf-16")
    cards = list(split(data))
    after = antimerge(cards)
    assert b"".join(after).decode("utf-16").count("Corp/;Peter") == 2
    assert undo(after) == cards
    assert undo(split(b"".join(after))) == cards


def test_nested_cards_keep_their_names():
    """An agent's name is not the card's."""
    inner = peter("Z").decode().strip()
    before = [card("AGENT:", inner, "N:Miller;Peter", f"ORG:{c}", version="2.1") for c in "AB"]
    after = antimerge(before)
    assert [one.count(b"N:Miller;Peter") for one in after] == [1, 1]
    assert names(after) == ["Miller /A/;Peter", "Miller /B/;Peter"]


def test_nothing_to_mark_is_left_alone():
    """Cards without N and FN clash by their company, and stay."""
    before = [card("ORG:Acme", "TEL:1"), card("ORG:Acme", "TEL:2"), card("N:;", "ORG:Acme")]
    after = antimerge(before)
    assert after[:2] == before[:2]
    assert names(after) == ["/Acme/;"]
    assert undo(after) == before


LOOK_ALIKES = [
    ("alone", [peter("ABC-Corp", family="Miller /ABC-Corp/")]),
    ("beside one namesake", [peter("ABC-Corp", family="Miller /ABC-Corp/"), peter("B")]),
    ("beside two", [peter("ABC-Corp", family="Miller /ABC-Corp/"), *TWO_PETERS]),
    ("of another level", [peter("A", family="Miller /A//"), *TWO_PETERS]),
    ("two that are equal", [peter("A", family="Miller /A/"), peter("B", family="Miller /A/")]),
    ("in FN", [peter("ABC-Corp", "FN:Peter /ABC-Corp/"), peter("B", "FN:Peter /B/")]),
]


@pytest.mark.parametrize("before", [r[1] for r in LOOK_ALIKES], ids=[r[0] for r in LOOK_ALIKES])
@pytest.mark.parametrize("rule", list(Rule))
def test_a_name_that_only_looks_marked_is_not_undone(rule, before):
    """Marks prove themselves by the file that they are in."""
    assert undo(before) == before
    assert undo(antimerge(before, rule)) == before


def test_marks_next_to_look_alikes_take_one_slash_more():
    """So that the two can be told apart."""
    after = antimerge([peter("A", family="Miller /A/"), *TWO_PETERS])
    assert names(after) == [
        "Miller /A/;Peter",
        "Miller /ABC-Corp//;Peter",
        "Miller /XYZ-Corp//;Peter",
    ]


def test_what_is_left_of_a_run_is_undone_where_it_proves_itself():
    """A file that was changed since: a card is gone, one is new, a name has been edited."""
    anna = [card("N:Weber;Anna", f"ORG:{company}") for company in "CD"]
    eva = [card("N:Mayer;Eva", f"ORG:{company}") for company in "EF"]
    before = [*TWO_PETERS, *anna, *eva]
    after = antimerge(before)
    edited = card("N:Mayer-Wolf /E/;Eva", "ORG:E")
    changed = [*after[:3], edited, after[5], card("N:Z;Z")]
    assert undo(changed) == [*TWO_PETERS, *changed[2:]]


def test_a_mark_that_is_in_fn_by_chance_is_not_given_to_n():
    """Else undoing would take it off both."""
    before = [card("N:Miller;Peter", "FN:Peter Miller /A/", f"ORG:{company}") for company in "AB"]
    after = antimerge(before)
    assert names(after) == ["Miller /A 1/;Peter", "Miller /B/;Peter"]
    assert undo(after) == before
    numbers = [card("N:Miller;Peter", "FN:Peter Miller /1/", f"NOTE:{n}") for n in range(2)]
    assert names(antimerge(numbers)) == ["Miller /2/;Peter", "Miller /3/;Peter"]
    assert undo(antimerge(numbers)) == numbers


def test_a_number_is_never_cut_off():
    """A company of any length leaves room for it, and one that cannot be written gives way."""
    before = [card("N:a;b", "ORG:" + "x" * 99, f"NOTE:{n}") for n in range(12)]
    after = antimerge(before)
    assert names(after)[11] == f"a /{'x' * 61} 12/;b"
    assert undo(after) == before
    moscow = "ORG;CHARSET=UTF-8:Москва"
    after = antimerge([card("N:a;b", moscow, f"NOTE:{n}", version="2.1") for n in "12"])
    assert names(after) == ["a /1/;b", "a /2/;b"]


def test_a_hundred_of_one_name_are_numbered():
    """Without anything to tell them apart, each gets its number, also beside companies."""
    before = [card("N:Miller;Peter", f"NOTE:{n}") for n in range(300)]
    after = antimerge(before)
    assert names(after)[::299] == ["Miller /1/;Peter", "Miller /300/;Peter"]
    assert undo(after) == before


def test_each_n_is_marked_in_its_own_charset():
    """Also in EBCDIC, in which no letter is what it is in ASCII."""
    before = [
        card("N;CHARSET=UTF-8:Miller;Peter", "N;CHARSET=cp037:x;y", f"NOTE:{n}") for n in "ab"
    ]
    after = antimerge(before)
    assert [one.all("N")[1][1].text().split("/")[1] for one in after] == ["1", "2"]
    assert undo(after) == before


def test_a_charset_that_breaks_off_stops_nothing():
    """ISO-2022-JP that never leaves its second charset, so that no mark can be read behind it."""
    for text in ("\x1b$BAB", "\x1b$BA", "~{AB", "~{A"):
        for charset in ("ISO-2022-JP", "HZ", "SHIFT_JIS"):
            lost = card(f"N;CHARSET={charset}:{text};Peter", version="2.1")
            before = [lost, lost.replace(b"END", b"NOTE:x\r\nEND")]
            assert undo(antimerge(before)) == before


def test_a_mark_that_could_not_be_taken_off_is_never_put_on(monkeypatch: pytest.MonkeyPatch):
    """No charset is known that keeps every counter from being read again; such cards would stay."""
    monkeypatch.setattr("cardsplit.naming.unmark_card", lambda _: None)
    monkeypatch.setattr("cardsplit.naming.mark_of", lambda _: None)
    before = [card("N;X=1:Miller;Peter", f"NOTE:{n}") for n in range(2)]
    assert antimerge(before) == before
