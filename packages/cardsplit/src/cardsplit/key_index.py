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
from itertools import pairwise

from cardsplit.cards import Card
from cardsplit.keys import key_of
from cardsplit.rules import Rule

REMEMBERED = 200  # cards kept in memory, so that a group is read once while it is looked at
_MORE = b"\0"
_NOBODY = hash(b"")  # of cards that have no key


class KeyIndex:
    """The cards of a file, by number, under one rule.

    Attributes:
        rule: The rule.
        shaped: Numbers of the cards whose name ends like a mark, ascending.
        level: The highest level of these look-alikes, or 0.

    Memory: 24 bytes a card; 64 while they are sorted.
    """

    def __init__(self, rule: Rule, load: Callable[[int], Card]) -> None:
        """Start without cards; `load` gives a card by its number, counted from 0."""
        self.rule = rule
        self.shaped: list[int] = []
        self.level = 0
        self._load = load
        self.load = lru_cache(maxsize=REMEMBERED)(load)
        self._hashes = array("q")
        self._checks = array("q")
        self._sorted = array("q")

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, keys: Collection[bytes]) -> None:
        """Note the keys of the next cards."""
        self._hashes.extend(map(hash, keys))
        self._checks.extend([hash(key + _MORE) for key in keys])

    def note_level(self, number: int, level: int) -> None:
        """Note how high the mark is that a card's name ends like; 0 if like none."""
        if level:
            self.shaped.append(number)
            self.level = max(self.level, level)

    def key(self, number: int) -> bytes:
        """The key of a card, which is read again."""
        return key_of(self.load(number), self.rule)

    def has(self, key: bytes) -> bool:
        """Whether a card has this key. Cost: O(log cards) if none has."""
        wanted, ordered = hash(key), self._in_order()
        at = bisect_left(ordered, wanted)
        if at == len(ordered) or ordered[at] != wanted:
            return False
        check = hash(key + _MORE)
        both = zip(self._hashes, self._checks, strict=True)
        return any(found == wanted and other == check for found, other in both)

    def groups(self) -> Iterator[list[int]]:
        """Cards that share a key, groups in the order of their first card."""
        twice = {one for one, other in pairwise(self._in_order()) if one == other} - {_NOBODY}
        alike: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for number, found in enumerate(self._hashes):
            if found in twice:
                alike[found, self._checks[number]].append(number)
        yield from (members for members in alike.values() if len(members) > 1)

    def with_cards(self, changed: Mapping[int, Card], keys: Mapping[int, bytes]) -> "KeyIndex":
        """The index with some cards replaced by others that have these keys."""
        load = self._load
        index = KeyIndex(self.rule, lambda n: changed[n] if n in changed else load(n))
        index._hashes, index._checks = array("q", self._hashes), array("q", self._checks)
        for number, key in keys.items():
            index._hashes[number], index._checks[number] = hash(key), hash(key + _MORE)
        return index

    def _in_order(self) -> "array[int]":
        if len(self._sorted) != len(self._hashes):
            self._sorted = array("q", sorted(self._hashes))
        return self._sorted
