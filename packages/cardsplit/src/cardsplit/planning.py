"""Who gets which mark.

Cards with one key and different bytes clash; copies of a card count as one. Of each clashing card
the labels of `cardsplit.labels` are tried in their order: company, company and units, title, first
e-mail address or number, and last a number that is counted up. The first is taken with which no
other card of its group, and no name in the file, has the same key.

All marks of one run have the same level, which is higher than that of every name in the file that
ends like a mark already. So undoing can distinguish them (`cardsplit.recognising`).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

from cardsplit.cards import Card
from cardsplit.key_index import KeyIndex
from cardsplit.keys import Keys
from cardsplit.labels import LABELS, before_number, numbered
from cardsplit.marks import Mark
from cardsplit.naming import can_bear_a_mark, keys_when_marked


@dataclass(slots=True)
class Plan:
    """What anti-merging does to a file.

    Attributes:
        marks: The mark of each card that gets one, by its number.
        copies: Groups of cards that are equal byte for byte and were left alone.
        bare: Cards that clash but have no name to put a mark on.
        clashes: How many groups of clashing cards there were.
    """

    marks: dict[int, Mark] = field(default_factory=dict)
    copies: list[list[int]] = field(default_factory=list)
    bare: list[int] = field(default_factory=list)
    clashes: int = 0


def plan(index: KeyIndex, *, level: int, with_fn: bool) -> Plan:
    """Find a mark for every card that clashes.

    Args:
        index: The cards.
        level: Of all marks. At least 1.
        with_fn: Whether FN is to bear the mark beside N. The rule `fn` needs that.

    Returns:
        The plan. The same index always gives the same plan.

    Cost: about 50 µs a clashing card, and nothing for the others.
    """
    made = Plan()
    given: set[bytes] = set()
    for members in index.groups():
        classes: dict[bytes, list[int]] = {}
        for number in members:
            digest = blake2b(index.load(number).core, digest_size=16).digest()
            classes.setdefault(digest, []).append(number)
        made.copies += [same for same in classes.values() if len(same) > 1]
        if len(classes) == 1:
            continue
        made.clashes += 1
        group = _Group(index, [same[0] for same in classes.values()], level, with_fn=with_fn)
        marks = group.assign(given)
        for same in classes.values():
            if same[0] in marks:
                made.marks.update(dict.fromkeys(same, marks[same[0]]))
            else:
                made.bare += same
    return made


class _Group:
    """Different cards that share a key, while marks are found for them."""

    def __init__(self, index: KeyIndex, members: list[int], level: int, *, with_fn: bool) -> None:
        self._index = index
        self._members = members
        self._level = level
        self._with_fn = with_fn
        self._counts: Counter[str] = Counter()  # the number given last, by what stands before it

    def assign(self, given: set[bytes]) -> dict[int, Mark]:
        """Find marks; cards that can bear none are left out.

        Args:
            given: Keys of the marked cards so far; those of this group are added.
        """
        index, load = self._index, self._index.load

        def are_free(keys: Keys) -> bool:
            return bool(keys) and not any(key in given or index.has(key) for key in keys)

        marks: dict[int, Mark] = {}
        open_ = [number for number in self._members if can_bear_a_mark(load(number))]
        for label in LABELS:
            tried = [
                (number, mark := Mark(text, self._level), self._keys(load(number), mark))
                for number in open_
                if (text := label(load(number)))
            ]
            shared = Counter(key for _, _, keys in tried for key in keys)
            for number, mark, keys in tried:
                if all(shared[key] == 1 for key in keys) and are_free(keys):
                    given.update(keys)
                    marks[number] = mark
            open_ = [number for number in open_ if number not in marks]
        for number in open_:
            if self._can_bear_a_number(load(number)):
                marks[number], keys = self._count_up(load(number), are_free)
                given.update(keys)
        return marks

    def _can_bear_a_number(self, card: Card) -> bool:
        """Whether a number can be put on a card, taken off again, and changes all of its keys.

        One number may be what its FN ends with already, by chance; two cannot be.
        """
        found = [key for text in ("1", "2") for key in self._keys(card, Mark(text, self._level))]
        return 0 < len(found) == len(set(found))

    def _count_up(self, card: Card, are_free: Callable[[Keys], bool]) -> tuple[Mark, Keys]:
        """The first number that makes keys that nobody has.

        The number stands behind the company, or alone where the company cannot be written.
        """
        base = before_number(card)
        if not self._keys(card, Mark(numbered(base, 1), self._level)):
            base = ""
        while True:
            self._counts[base] += 1
            mark = Mark(numbered(base, self._counts[base]), self._level)
            keys = self._keys(card, mark)
            if are_free(keys):
                return mark, keys

    def _keys(self, card: Card, mark: Mark) -> Keys:
        return keys_when_marked(card, mark, self._index.rule, with_fn=self._with_fn)
