"""The short ways for simple names lead where the long ones do."""

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from cardsplit import Card, Rule
from cardsplit.keys import keys_by_reading, keys_of
from cardsplit.labels import company
from cardsplit.marks import Mark
from cardsplit.naming import (
    bearers,
    keys_when_marked,
    keys_when_marked_by_reading,
    level_of,
    mark_by_reading,
    mark_card,
    unmark_by_reading,
    unmark_card,
)
from cardsplit.plain import simple_company
from vcard_making import card, namesakes

NAMES = st.sampled_from(
    [
        *("N:Miller;Peter", "N:Miller;Peter;;;", "N:Miller /A B/;Peter", "N:Van  Dam;Eva"),
        *(
            "N:Miller;Peter;M",
            "N:Miller ;Peter",
            "N:a=;b=",
            "N:Miller /A,B/;Peter",
            "N:M /A/;P /B/",
        ),
        *(
            "N:Müller;Eva",
            "N:Mül\xa0ler;Eva",
            "N:ΟΔΟΣ /A/;Eva",
            "N:Miller /A//;Peter",
            f"N:M /{'x' * 65}/;P",
            f"N:{'M' * 60};Peter",
        ),
        *("N:Miller;Peter\r\n ;;", "N:A;B\r\nitem1.n:C;D", "X-A:1\r\nN:Miller;Peter", "n:Miller;P"),
        *("N:A\\;B;C", "N;X=1:Miller;Peter", "N:Miller;Peter\r\nAGENT:x", "N:/A/;Peter"),
    ]
)
OTHERS = st.sampled_from(
    [
        *("NOTE:x", "FN:Peter Miller", "FN:P /A B/", "FN:P\r\n  /A/", "item1.FN:P /A/", "fn;X=1:P"),
        *("ORG:ABC-Corp", "ORG:A;Sales", "ORG:A\r\n B", "org:A", "i.ORG:A", "ORG;X=1:A", "ORG:A/B"),
        *(
            f"ORG:{'x' * 63} y",
            "ORG: A",
            "ORG:",
            "NOTE;QUOTED-PRINTABLE:a=\r\nN:x",
            "PHOTO;BASE64:A",
        ),
        *(
            "NOTE;QUOTED-PRINTABLE:a=\r\nb",
            "TEL:1\r\nORG:Müller",
            "BEGIN:VCARD\r\nN:x;y\r\nEND:VCARD",
        ),
    ]
)
CARDS = st.one_of(
    namesakes(),
    st.builds(
        lambda lines, version, eol: card(*lines, version=version, eol=eol),
        st.tuples(NAMES, st.lists(OTHERS, max_size=3)).map(
            lambda both: [*both[1][:1], both[0], *both[1][1:]]
        ),
        st.sampled_from(["2.1", "3.0", "4.0"]),
        st.sampled_from(["\r\n", "\n", "\r"]),
    ),
)
MARKS = st.sampled_from(
    [Mark("A B", 1), Mark("A", 2), Mark("A,B", 1), Mark("a;b", 1), Mark("Ä", 1), Mark("x" * 64, 3)]
)

#: A rule, and whether FN is marked as well.
RULES = st.sampled_from([(rule, fn) for rule in Rule for fn in (True, rule is Rule.FN)])


@given(CARDS, MARKS, RULES)
@settings(max_examples=600, deadline=None)
def test_keys_marks_and_labels_of_simple_names_are_those_of_a_full_reading(
    data: bytes, mark: Mark, how: tuple[Rule, bool]
):
    """For cards that are simple, and for such that only look so."""
    one, (rule, with_fn) = Card(data), how
    event("simple" if one.simple_name else "not simple")
    assert keys_of(one, rule) == keys_by_reading(one, rule)
    assert mark_card(one, mark, with_fn=with_fn) == mark_by_reading(one, mark, with_fn=with_fn)
    key = keys_when_marked_by_reading(one, mark, rule, with_fn=with_fn)
    assert keys_when_marked(one, mark, rule, with_fn=with_fn) == key
    if key:
        after = mark_by_reading(one, mark, with_fn=with_fn)
        assert after is not None
        assert key == keys_by_reading(after, rule)
        assert level_of(after) == mark.level
        for back in (unmark_card(after), unmark_by_reading(after)):
            assert back is not None
            assert (back.card, back.mark.level) == (one, mark.level)
            assert after.replaced(back.changes) == one
    before, slow = unmark_card(one), unmark_by_reading(one)
    assert (before and before[:3]) == (slow and slow[:3])
    assert level_of(one) == (slow.mark.level if slow else level_of(one))
    if one.simple_name and (found := simple_company(one)) is not None:
        assert found == company(
            Card(b"\r\n" + one.replace(b"2.1", b"3.0"))
        )  # which is read in full


@pytest.mark.parametrize("eol", ["\r\n", "\n"])
def test_most_names_are_simple(eol: str):
    """So that the short ways are taken at all."""
    one = Card(card("N:Miller /A/;Peter;;;", "FN:Peter Miller", "ORG:ABC-Corp;Sales", eol=eol))
    assert one.simple_name is not None
    assert (one.simple_name.level, simple_company(one)) == (1, "ABC-Corp")
    assert len(bearers(one)) == 1
