"""Taking properties out of cards, such as photos that make them too long for a service."""

import re

from cardsplit.card_stream import OnRead, Passed, pass_through
from cardsplit.cards import Card
from cardsplit.errors import UsageError
from cardsplit.output import STANDARD_OUTPUT

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_BLANK_OR_FOLD = re.compile(rb"[\r\n]+(?:[ \t]|\Z)")
_KEPT = frozenset({"BEGIN", "END", "VERSION"})


def strip_files(
    property_name: str,
    names: list[str],
    place: str = STANDARD_OUTPUT,
    *,
    replacing: bool = False,
    on_read: OnRead = lambda _: None,
) -> Passed:
    """Copy files without the properties of one name.

    Args:
        property_name: Such as `photo`, in letters of any case.
        names: Paths, or `-` for standard input.
        place: Where the result goes; `-` is standard output.
        replacing: Whether `place` may exist.
        on_read: Called with how many more bytes have been read.

    Returns:
        What was done; a card counts as changed if it had such a property.

    Raises:
        CardsplitError: If the name is none, or a card needs it; else see
            `cardsplit.card_stream.pass_through`.
    """
    if not _NAME.fullmatch(property_name) or property_name.upper() in _KEPT:
        raise UsageError(
            f"`{property_name}` is no property that a card can do without; give one such as "
            "`photo`."
        )
    return pass_through(
        names, place, lambda card: (stripped(card, property_name), ()), replacing=replacing,
        on_read=on_read,
    )  # fmt: skip


def stripped(card: Card, property_name: str) -> Card:
    """A card without its properties of one name; all other bytes stay."""
    wanted = property_name.upper()
    if wanted.encode() not in card.shown.upper():
        return card
    changes = []
    is_behind_one = False
    for span, line in card.lines:
        # In 2.1 a blank line ends base64; where line breaks are CR CR LF, blank lines and folds do.
        is_rest = is_behind_one and not line.name and _BLANK_OR_FOLD.match(line.raw)
        is_behind_one = line.name == wanted or bool(is_rest)
        if is_behind_one:
            changes.append((span, b""))
    return card.replaced(changes) if changes else card
