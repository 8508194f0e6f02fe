"""How programs recognise a person, as far as that is known.

Each says by which rule its cards are distinguished and whether FN is marked as well. What is known
of a program, what is assumed, and where it comes from stands in docs/cardsplit.md, "How programs
merge".
"""

from typing import NamedTuple

from cardsplit.rules import Rule


class App(NamedTuple):
    """What anti-merging does for a program.

    Attributes:
        rule: How the program recognises a person.
        with_fn: Whether FN is marked as well as N.
    """

    rule: Rule
    with_fn: bool


APPS = {
    "fossify": App(Rule.DISPLAY, with_fn=False),  # reads N; its code is public
    "google": App(Rule.DISPLAY, with_fn=True),
    "icloud": App(Rule.LAST_FIRST, with_fn=True),
    "nextcloud": App(Rule.FN, with_fn=True),
    "thunderbird": App(Rule.FN, with_fn=True),
    "outlook": App(Rule.DISPLAY, with_fn=True),
}
