"""Split vCard files and keep address books from merging namesakes, without losing a byte.

    from cardsplit import antimerge, split, undo

    cards = list(split(data))            # b"".join(cards) == data
    told_apart = antimerge(cards)        # N:Miller /ABC-Corp/;Peter
    assert undo(told_apart) == cards

Files of any size are handled by `split_files`, `antimerge_files`, `antimerge_in_place`,
`undo_file`, `count_file` and `find_clashes`, which is what the command `cardsplit` calls.
"""

from importlib.metadata import version

from cardsplit.antimerging import (
    Rewriting,
    antimerge,
    antimerge_files,
    antimerge_in_place,
    undo,
    undo_file,
)
from cardsplit.cards import Card, split
from cardsplit.census import Census, count_file
from cardsplit.clashing import Clash, find_clashes
from cardsplit.errors import CardsplitError, InputError, OutputError, UsageError
from cardsplit.keys import Rule
from cardsplit.limits import PRESETS, Limit
from cardsplit.splitting import Part, Splitting, split_files

__all__ = [
    "PRESETS",
    "Card",
    "CardsplitError",
    "Census",
    "Clash",
    "InputError",
    "Limit",
    "OutputError",
    "Part",
    "Rewriting",
    "Rule",
    "Splitting",
    "UsageError",
    "__version__",
    "antimerge",
    "antimerge_files",
    "antimerge_in_place",
    "count_file",
    "find_clashes",
    "split",
    "split_files",
    "undo",
    "undo_file",
]

__version__ = version("cardsplit")
