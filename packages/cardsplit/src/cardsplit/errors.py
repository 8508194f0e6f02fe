"""Every exception that cardsplit raises on purpose.

CardsplitError
├── UsageError     the call itself cannot be meant, whatever the files hold (exit status 2)
├── InputError     a file that cannot be read as vCards (exit status 1)
└── OutputError    a result that cannot be written (exit status 1)

Each message is one sentence: what was found, what was expected, what to do.
"""


class CardsplitError(Exception):
    """Anything that cardsplit gives up on. Nothing has been written when it is raised."""


class UsageError(CardsplitError):
    """Arguments that contradict themselves or each other."""


class InputError(CardsplitError):
    """Input that is missing, unreadable, or holds no vCard."""


class OutputError(CardsplitError):
    """A result that cannot be put where it was asked for."""
