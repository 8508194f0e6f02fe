"""Who gets which mark, and which marks in a file are cardsplit's own.

*Planning.* Cards with one key and different bytes clash; copies of a card count as one. Each
clashing card climbs a ladder: company, company and units, title, first e-mail address or number,
a counter. It stays on the first rung on which no other card of its group, and no name in the file,
has the same key. Where names in the file look like marks of the same person already, the new marks
take one slash more than those.

*Recognising.* A mark is only text, so it proves itself by its file: it is cardsplit's if, with the
mark taken off, planning would put the very same one there. A family really called `Miller /ABC/`
is therefore left alone, unless its file is byte for byte what anti-merging another would give.

Why so and not otherwise: docs/cardsplit.md, "What undo promises".
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

from cardsplit.cards import Card
from cardsplit.keys import key_of
from cardsplit.marks import Mark
from cardsplit.naming import (
    RUNGS,
    Changes,
    bearers,
    count_base,
    counted,
    key_when_marked,
    label,
    look_alike_level,
    mark_card,
    unmark_card,
)
from cardsplit.rules import Rule

REMEMBERED = 200  # a group of no more cards is kept in memory while it is looked at


@dataclass(slots=True)
class Deck:
    """The cards of one file, by number, with their keys under one rule.

    Attributes:
        rule: The rule.
        load: Gives a card by its number, counted from 0.
        keys: Every key and a number for it, in the order in which they first appear.
        ids: Of each card, the number of its key.
        shaped: Numbers of the cards whose name may end like a mark, ascending.

    Memory: about 130 bytes for each key and 4 for each card.
    """

    rule: Rule
    load: Callable[[int], Card]
    keys: dict[bytes, int] = field(default_factory=dict)
    ids: "array[int]" = field(default_factory=lambda: array("I"))
    shaped: list[int] = field(default_factory=list)
    _names: list[bytes] = field(default_factory=list)

    def add(self, key: bytes) -> None:
        """Note the key of the next card."""
        self.ids.append(self.keys.setdefault(key, len(self.keys)))

    def key(self, number: int) -> bytes:
        """The key of a card."""
        if not self._names:
            self._names.extend(self.keys)
        return self._names[self.ids[number]]

    def groups(self) -> Iterator[list[int]]:
        """Cards that share a key, groups in the order of their first card."""
        counts = Counter(self.ids)
        counts.pop(self.keys.get(b"", -1), None)
        members: defaultdict[int, list[int]] = defaultdict(list)
        for number, key in enumerate(self.ids):
            if counts[key] > 1:
                members[key].append(number)
        yield from members.values()

    def with_cards(
        self, changed: Mapping[int, Card], keys_of_changed: Mapping[int, bytes] | None = None
    ) -> "Deck":
        """The deck with some cards replaced by others, whose keys may be known already."""
        known = keys_of_changed or {}
        keys: dict[bytes, int] = {}
        ids = array("I")
        for number in range(len(self.ids)):
            if number not in changed:
                name = self.key(number)
            else:
                name = known[number] if known else key_of(changed[number], self.rule)
            ids.append(keys.setdefault(name, len(keys)))
        shaped = sorted({*self.shaped, *changed})
        load = self.load
        return Deck(self.rule, lambda n: changed[n] if n in changed else load(n), keys, ids, shaped)


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


def plan(deck: Deck, *, with_fn: bool, own: Container[int] = ()) -> Plan:
    """Find a mark for every card that clashes.

    Args:
        deck: The cards.
        own: Cards known to bear cardsplit's own marks, which new ones may look like.
        with_fn: Whether FN is to bear the mark beside N. The rule `fn` needs that.

    Returns:
        The plan. The same deck always gives the same plan.

    Cost: about 60 µs a clashing card, and nothing for the others.
    """
    made = Plan()
    given: set[bytes] = set()
    levels = _levels_of_look_alikes(deck, own)
    for members in deck.groups():
        load = _remembering(deck.load) if len(members) <= REMEMBERED else deck.load
        classes: dict[bytes, list[int]] = {}
        for number in members:
            digest = blake2b(load(number).core, digest_size=16).digest()
            classes.setdefault(digest, []).append(number)
        made.copies += [same for same in classes.values() if len(same) > 1]
        if len(classes) == 1:
            continue
        made.clashes += 1
        group = _Group(deck, load, [same[0] for same in classes.values()], with_fn=with_fn)
        marks = group.assign(1 + group.highest_look_alike(levels), given)
        for same in classes.values():
            if same[0] in marks:
                made.marks.update(dict.fromkeys(same, marks[same[0]]))
            else:
                made.bare += same
    return made


def _remembering(load: Callable[[int], Card]) -> Callable[[int], Card]:
    """Give the same card when asked for the same number again."""
    return lru_cache(maxsize=None)(load)


def _levels_of_look_alikes(deck: Deck, own: Container[int]) -> dict[tuple[Rule, bytes], int]:
    """For each name that a look-alike would have without its mark, the look-alike's level."""
    levels: dict[tuple[Rule, bytes], int] = {}
    for number in deck.shaped:
        card = deck.load(number)
        if number not in own and look_alike_level(card) and (before := unmark_card(card)):
            for rule in Rule:
                base = rule, key_of(before.card, rule)
                levels[base] = max(levels.get(base, 0), before.mark.level)
    return levels


class _Group:
    """Different cards that share a key, while marks are found for them."""

    def __init__(
        self, deck: Deck, load: Callable[[int], Card], members: list[int], *, with_fn: bool
    ) -> None:
        self._deck = deck
        self._load = load
        self._members = members
        self._with_fn = with_fn
        self._counts: Counter[str] = Counter()  # the number given last, by what stands before it

    def highest_look_alike(self, levels: Mapping[tuple[Rule, bytes], int]) -> int:
        """The highest level that a mark of this group could be confused with."""
        highest = 0
        for number in self._members:
            card = self._load(number)
            highest = max(highest, look_alike_level(card))
            if levels:
                highest = max(highest, *(levels.get((r, key_of(card, r)), 0) for r in Rule))
        return highest

    def assign(self, level: int, given: set[bytes]) -> dict[int, Mark]:
        """Find marks of this level; cards that can bear none are left out.

        Args:
            level: Of the marks.
            given: Keys of the marked cards so far; those of this group are added.
        """

        def is_free(key: bytes) -> bool:
            return bool(key) and key not in self._deck.keys and key not in given

        marks: dict[int, Mark] = {}
        open_ = [n for n in self._members if bearers(self._load(n))]
        for rung in range(RUNGS):
            by_key: defaultdict[bytes, list[tuple[int, Mark]]] = defaultdict(list)
            for number in open_:
                card = self._load(number)
                if text := label(card, rung):
                    mark = Mark(text, level)
                    by_key[self._key(card, mark)].append((number, mark))
            for key, alike in by_key.items():
                if len(alike) == 1 and is_free(key):
                    given.add(key)
                    marks.update(alike)
            open_ = [number for number in open_ if number not in marks]
        open_ = [n for n in open_ if self._key(self._load(n), Mark("1", level))]
        for number in open_:
            marks[number], key = self._count_up(number, level, is_free)
            given.add(key)
        return marks

    def _count_up(
        self, number: int, level: int, is_free: Callable[[bytes], bool]
    ) -> tuple[Mark, bytes]:
        """The last rung: the first number that makes a key that nobody has.

        The number stands behind the company, or alone where the company cannot be written.
        """
        card = self._load(number)
        base = count_base(card)
        if not self._key(card, Mark(counted(base, 1), level)):
            base = ""
        while True:
            self._counts[base] += 1
            mark = Mark(counted(base, self._counts[base]), level)
            key = self._key(card, mark)
            if is_free(key):
                return mark, key

    def _key(self, card: Card, mark: Mark) -> bytes:
        return key_when_marked(card, mark, self._deck.rule, with_fn=self._with_fn)


def recognise(deck: Deck) -> dict[int, Changes]:
    """Find the cards that bear cardsplit's own marks under the rule of the deck.

    A group of cards proves its marks if, with the marks taken off, exactly these cards would get
    exactly these marks. As one group's names bear on another's marks, groups that cannot be right
    are put aside until all that are left prove each other.

    Args:
        deck: The cards.

    Returns:
        By the numbers of those cards, the changes that take their marks off.

    Cost: as `plan`, a few times, and nothing if no name ends like a mark.
    """
    found: dict[int, Mark] = {}
    changes: dict[int, Changes] = {}
    base: dict[int, bytes] = {}
    highest: dict[bytes, int] = {}
    with_fn = deck.rule is Rule.FN
    for number in deck.shaped:
        if before := unmark_card(deck.load(number)):
            found[number], changes[number] = (mark := before.mark), before.changes
            base[number] = key = key_of(before.card, deck.rule)
            highest[key] = max(highest.get(key, 0), mark.level)
            with_fn = with_fn or before.with_fn
    ours = {number for number, mark in found.items() if mark.level == highest[base[number]]}
    while ours:
        before_marking = Unmarking(deck.load, {number: changes[number] for number in ours})
        original = deck.with_cards(before_marking, base)
        planned = plan(original, with_fn=with_fn).marks
        wrong = {base[number] for number in ours - planned.keys()}
        wrong |= {original.key(number) for number in planned.keys() - ours}
        wrong &= {base[number] for number in ours}
        if not wrong:
            different = [
                number
                for number in ours
                if planned[number] != found[number]
                and not _gives(deck.load(number), planned[number])
            ]
            lowest = min((found[number].level for number in different), default=0)
            wrong = {base[number] for number in different if found[number].level == lowest}
        if not wrong:
            break
        ours = {number for number in ours if base[number] not in wrong}
    return {number: changes[number] for number in sorted(ours)}


def _gives(card: Card, planned: Mark) -> bool:
    """Whether a marked card is what it would be with a mark of other letters.

    That is so where the charset of its name lacks some of them.
    """
    before = unmark_card(card)
    return before is not None and card == mark_card(before.card, planned, with_fn=before.with_fn)


class Unmarking(Mapping[int, Card]):
    """Marked cards as they were before, by number, made when asked for."""

    def __init__(self, load: Callable[[int], Card], changes: Mapping[int, Changes]) -> None:
        self._load = load
        self._changes = changes

    def __getitem__(self, number: int) -> Card:
        return self._load(number).replaced(self._changes[number])

    def __contains__(self, number: object) -> bool:
        return number in self._changes

    def __iter__(self) -> Iterator[int]:
        return iter(self._changes)

    def __len__(self) -> int:
        return len(self._changes)


def recognise_under_any_rule(
    deck_under: Callable[[Rule], Deck], load: Callable[[int], Card]
) -> Unmarking:
    """Find all cards that bear cardsplit's own marks, under whichever rule.

    Args:
        deck_under: Gives the deck of the same cards under a rule.
        load: Gives the cards.

    Returns:
        Those cards as they were before, by their numbers.
    """
    ours: dict[int, Changes] = {}
    for rule in Rule:
        deck = deck_under(rule)
        ours |= recognise(deck)
        if ours.keys() >= set(deck.shaped):
            break
    return Unmarking(load, ours)


def confusable(
    deck_under: Callable[[Rule], Deck], load: Callable[[int], Card], changed: Mapping[int, Card]
) -> list[int]:
    """Cards that undoing would not restore if some were marked.

    Only names that look like marks already can be confused, so most files need no such check.

    Args:
        deck_under: Gives the deck of the cards before, under a rule.
        load: Gives those cards.
        changed: Those that are to be marked, as they would be.

    Returns:
        Their numbers, ascending: `[]` if undoing gives back what was there, less the marks that
        were cardsplit's own already.
    """
    before = recognise_under_any_rule(deck_under, load)
    after = recognise_under_any_rule(
        lambda rule: deck_under(rule).with_cards(changed),
        lambda number: changed[number] if number in changed else load(number),
    )
    wrong = set(changed) - set(after)
    wrong |= {n for n in after if after[n] not in {load(n), before.get(n)}}
    return sorted(wrong)
