"""The cards of a file by number, and which of them share a key under one rule.

A file has as many keys as cards, so no key is kept, but two hashes of each, of 8 bytes. They are
those of Python's own dictionaries, SipHash with a secret random key, here of the key and of the key
with one byte more. That two different keys have both in common has a chance below 1e-25 for a
million cards.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from itertools import chain, pairwise

from cardsplit.cards import Card
from cardsplit.keys import Keys, keys_of
from cardsplit.rules import Detail, Rule

REMEMBERED = 200  # cards kept in memory, so that a group is read once while it is looked at
BUCKETS = (
    64  # in which hashes are sorted one after the other, as sorting takes five times the memory
)
_MORE = b"\0"
_NOBODY = hash(b"")  # of cards that have no key

_Hashes = tuple[int, int]


class KeyIndex:
    """The cards of a file, by number, under one rule or by one detail.

    Attributes:
        rule: The rule, or the detail.
        shaped: Numbers of the cards whose name ends like a mark, ascending.
        level: The highest level of these look-alikes, or 0.

    Memory: 24 bytes a card.
    """

    def __init__(self, rule: Rule | Detail, load: Callable[[int], Card]) -> None:
        """Start without cards; `load` gives a card by its number, counted from 0."""
        self.rule = rule
        self.shaped: list[int] = []
        self.level = 0
        self._load = load
        self.load = lru_cache(maxsize=REMEMBERED)(load)
        self._hashes = array("q")
        self._checks = array("q")
        self._further: dict[int, list[_Hashes]] = {}  # of the few cards that have several keys
        self._sorted: list[array[int]] = []  # all hashes by their remainder

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, keys: Collection[bytes], further: Mapping[int, Keys]) -> None:
        """Note the keys of the next cards.

        Args:
            keys: The first key of each; `b""` for none.
            further: The others of cards that have several, by their places among these.
        """
        for place, more in further.items():
            self._further[len(self) + place] = [_hashes_of(key) for key in more]
        self._hashes.extend(map(hash, keys))
        self._checks.extend([hash(key + _MORE) for key in keys])

    def note_level(self, number: int, level: int) -> None:
        """Note how high the mark is that a card's name ends like; 0 if like none."""
        if level:
            self.shaped.append(number)
            self.level = max(self.level, level)

    def keys(self, number: int) -> Keys:
        """The keys of a card, which is read again."""
        return keys_of(self.load(number), self.rule)

    def has(self, key: bytes) -> bool:
        """Whether a card has this key. Cost: O(log cards) if none has."""
        wanted, check = _hashes_of(key)
        ordered = self._in_order()[wanted % BUCKETS]
        at = bisect_left(ordered, wanted)
        if at == len(ordered) or ordered[at] != wanted:
            return False
        firsts = zip(self._hashes, self._checks, strict=True)
        return any(both == (wanted, check) for both in chain(firsts, *self._further.values()))

    def groups(self) -> Iterator[list[int]]:
        """Cards that share a key, or are linked by cards that do.

        Yields:
            Numbers, ascending, groups in the order of their first card.
        """
        twice = {
            one for bucket in self._in_order() for one, other in pairwise(bucket) if one == other
        } - {_NOBODY}
        alike: defaultdict[_Hashes, list[int]] = defaultdict(list)
        for number, found in enumerate(self._hashes):
            if found in twice:
                alike[found, self._checks[number]].append(number)
        for number, more in self._further.items():
            for both in more:
                if both[0] in twice:
                    alike[both].append(number)
        groups = [members for members in alike.values() if len(members) > 1]
        yield from _linked(groups) if self._further else groups

    def with_cards(self, changed: Mapping[int, Card], keys: Mapping[int, Keys]) -> "KeyIndex":
        """The index with some cards replaced by others that have these keys."""
        load = self._load
        index = KeyIndex(self.rule, lambda n: changed[n] if n in changed else load(n))
        index._hashes, index._checks = array("q", self._hashes), array("q", self._checks)
        index._further = dict(self._further)
        for number, (first, *more) in ((n, found or (b"",)) for n, found in keys.items()):
            index._hashes[number], index._checks[number] = _hashes_of(first)
            index._further.pop(number, None)
            if more:
                index._further[number] = [_hashes_of(key) for key in more]
        return index

    def _in_order(self) -> "list[array[int]]":
        if not self._sorted:
            buckets = [array("q") for _ in range(BUCKETS)]
            add = [bucket.append for bucket in buckets]
            for found in self._hashes:
                add[found % BUCKETS](found)
            for found, _ in chain.from_iterable(self._further.values()):
                add[found % BUCKETS](found)
            self._sorted = [array("q", sorted(bucket)) for bucket in buckets]
        return self._sorted


def _hashes_of(key: bytes) -> _Hashes:
    return hash(key), hash(key + _MORE)


def _linked(groups: list[list[int]]) -> list[list[int]]:
    """Join groups that have a member in common."""
    group_of: dict[int, set[int]] = {}
    for members in groups:
        joined = set(members).union(*(group_of.get(number, ()) for number in members))
        group_of.update(dict.fromkeys(joined, joined))
    distinct = {id(group): group for group in group_of.values()}
    return sorted(sorted(group) for group in distinct.values())
