"""By what an address book takes two cards for one person. `cardsplit.keys` carries the rules out.

None of them looks at more than names, as real programs do.
"""

import enum


class Rule(enum.StrEnum):
    """How an address book recognises a person."""

    DISPLAY = "display"
    LAST_FIRST = "last-first"
    N_LINE = "n-line"
    FN = "fn"
