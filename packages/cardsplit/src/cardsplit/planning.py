"""Who gets which mark.

Cards with one key and different bytes clash; copies of a card count as one. Each clashing card
climbs a ladder: company, company and units, title, first e-mail address or number, a counter. It
stays on the first rung on which no other card of its group, and no name in the file, has the same
key.

All marks of one run have the same level, which is higher than that of every name in the file that
ends like a mark already. So undoing can tell them apart (`cardsplit.recognising`).
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b

from cardsplit.cards import Card
from cardsplit.key_index import KeyIndex
from cardsplit.marks import Mark
from cardsplit.naming import RUNGS, bearers, count_base, counted, key_when_marked, label


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

        def is_free(key: bytes) -> bool:
            return bool(key) and key not in given and not index.has(key)

        marks: dict[int, Mark] = {}
        open_ = [n for n in self._members if load(n).simple_name or bearers(load(n))]
        for rung in range(RUNGS):
            by_key: defaultdict[bytes, list[tuple[int, Mark]]] = defaultdict(list)
            for number in open_:
                card = load(number)
                if text := label(card, rung):
                    mark = Mark(text, self._level)
                    by_key[self._key(card, mark)].append((number, mark))
            for key, alike in by_key.items():
                if len(alike) == 1 and is_free(key):
                    given.add(key)
                    marks.update(alike)
            open_ = [number for number in open_ if number not in marks]
        for number in open_:
            if self._can_bear_a_number(load(number)):
                marks[number], key = self._count_up(load(number), is_free)
                given.add(key)
        return marks

    def _can_bear_a_number(self, card: Card) -> bool:
        """Whether a counter can be put on a card, and taken off again.

        One number may be what its FN ends with already, by chance; two cannot be.
        """
        return any(self._key(card, Mark(text, self._level)) for text in ("1", "2"))

    def _count_up(self, card: Card, is_free: Callable[[bytes], bool]) -> tuple[Mark, bytes]:
        """The last rung: the first number that makes a key that nobody has.

        The number stands behind the company, or alone where the company cannot be written.
        """
        base = count_base(card)
        if not self._key(card, Mark(counted(base, 1), self._level)):
            base = ""
        while True:
            self._counts[base] += 1
            mark = Mark(counted(base, self._counts[base]), self._level)
            key = self._key(card, mark)
            if is_free(key):
                return mark, key

    def _key(self, card: Card, mark: Mark) -> bytes:
        return key_when_marked(card, mark, self._index.rule, with_fn=self._with_fn)
