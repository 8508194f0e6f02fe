"""By what an address book takes two cards for one person. `cardsplit.keys` carries the rules out.

None of the rules looks at more than names, as real programs do.
"""

import enum


class Rule(enum.StrEnum):
    """How an address book recognises a person."""

    DISPLAY = "display"
    LAST_FIRST = "last-first"
    N_LINE = "n-line"
    FN = "fn"


class Detail(enum.StrEnum):
    """What else two cards can have in common. Programs find duplicates by it; none is marked."""

    UID = "uid"
    EMAIL = "email"
    NUMBER = "number"
