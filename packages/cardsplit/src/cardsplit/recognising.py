"""Which marks in a file are cardsplit's own.

A mark is only text, so it proves itself by its file: it is cardsplit's if, with all marks of its
run taken off, planning would put the very same ones there.

That undoing gives every file back follows from three facts. Let `y` be what anti-merging has made
of `x`, and not `x` itself:

1. The marks of the last run are those of the highest level in `y`, as `plan` is given a level that
   no name in `x` has. So what is looked at here are exactly the cards that were marked.
2. A card gets a mark only if `unmark_card` gives it back (`keys_when_marked`). So with these marks
   taken off there is `x`, whichever rule is tried.
3. The rule by which `x` was anti-merged is among those tried, and gives `y`. So all are proven.

Why nothing better is possible for the other files: docs/cardsplit.md, "What undo promises".
"""

from collections.abc import Callable, Iterator, Mapping

from cardsplit.cards import Card
from cardsplit.key_index import KeyIndex
from cardsplit.keys import Keys, keys_of
from cardsplit.marks import Mark
from cardsplit.naming import Changes, mark_card, unmark_card
from cardsplit.planning import plan
from cardsplit.rules import Detail, Rule


class Unmarking(Mapping[int, Card]):
    """Marked cards as they were before, by number, made when asked for.

    Attributes:
        changes: The lines that change, by the number of their card.
        is_complete: Whether no other card seems to bear a mark of the same run.
    """

    def __init__(
        self,
        load: Callable[[int], Card],
        changes: Mapping[int, Changes],
        *,
        is_complete: bool = True,
    ) -> None:
        self._load = load
        self.changes = changes
        self.is_complete = is_complete

    def __getitem__(self, number: int) -> Card:
        return self._load(number).replaced(self.changes[number])

    def __contains__(self, number: object) -> bool:
        return number in self.changes

    def __iter__(self) -> Iterator[int]:
        return iter(self.changes)

    def __len__(self) -> int:
        return len(self.changes)


def recognise(index_under: Callable[[Rule], KeyIndex], load: Callable[[int], Card]) -> Unmarking:
    """Find the cards that bear the marks of the last run, under whichever rule that was.

    Where a file was changed since, no rule proves all of them; then the groups that prove theirs
    under the rule that does best are taken.

    Args:
        index_under: Gives the index of the cards under a rule.
        load: Gives the cards.

    Returns:
        Those cards as they were before, by their numbers.

    Cost: as `plan` and about 100 µs a marked card; one more reading for each further rule that has
    to be tried; nothing if no name ends like a mark.
    """
    best: set[int] = set()
    suspects: _Suspects | None = None
    for rule in Rule:
        index = index_under(rule)
        suspects = suspects or _Suspects(index)
        # If no FN bears a mark, it may still have been asked for.
        for with_fn in (True,) if suspects.with_fn or rule is Rule.FN else (False, True):
            proven = suspects.proven(index, with_fn=with_fn)
            best = max(best, proven, key=len)
            if len(best) == len(suspects.marks):
                return Unmarking(load, suspects.changes)
    changes = suspects.changes if suspects else {}
    proven = {number: changes[number] for number in sorted(best)}
    return Unmarking(load, proven, is_complete=False)


class _Suspects:
    """The cards of a file whose marks are of its highest level."""

    def __init__(self, index: KeyIndex) -> None:
        self.marks: dict[int, Mark] = {}
        self.changes: dict[int, Changes] = {}
        self.with_fn = False
        self._level = index.level
        self._keys: dict[Rule | Detail, dict[int, Keys]] = {index.rule: {}}  # without the marks
        for number in index.shaped:
            before = unmark_card(index.load(number))
            if before and before.mark.level == index.level:
                self.marks[number], self.changes[number] = before.mark, before.changes
                self._keys[index.rule][number] = keys_of(before.card, index.rule)
                self.with_fn |= before.with_fn

    def proven(self, index: KeyIndex, *, with_fn: bool) -> set[int]:
        """Those that bear the marks that planning would give them.

        A card that does not speaks against all that would have its key without marks.
        """
        if index.rule not in self._keys:
            unmarked = Unmarking(index.load, self.changes)
            self._keys[index.rule] = {n: keys_of(unmarked[n], index.rule) for n in self.marks}
        base = self._keys[index.rule]
        ours = set(self.marks)
        while ours:
            original = index.with_cards(
                Unmarking(index.load, {number: self.changes[number] for number in ours}),
                {number: base[number] for number in ours},
            )
            planned = plan(original, level=self._level, with_fn=with_fn).marks
            wrong = {
                key
                for n in ours
                if not self._bears(index.load, n, planned.get(n))
                for key in base[n]
            }
            wrong.update(*(original.keys(number) for number in planned.keys() - ours))
            lost = {number for number in ours if not wrong.isdisjoint(base[number])}
            if not lost:
                break
            ours -= lost
        return ours

    def _bears(self, load: Callable[[int], Card], number: int, planned: Mark | None) -> bool:
        """Whether a card bears this mark, or what of it the charset of its name can write."""
        if planned is None or planned == self.marks[number]:
            return planned is not None
        card = load(number)
        before = unmark_card(card)
        return before is not None and card == mark_card(
            before.card, planned, with_fn=before.with_fn
        )
