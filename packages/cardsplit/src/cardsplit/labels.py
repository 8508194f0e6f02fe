"""What a mark can say of a card, in the order in which it is tried.

A label has to distinguish namesakes for people as well, so the company comes first and a bare
number last.
"""

import re

from cardsplit.cards import Card
from cardsplit.keys import stand_in
from cardsplit.marks import LONGEST_TEXT, clean
from cardsplit.plain import simple_company

_SCHEME = re.compile(r"\A(?:tel|mailto):", re.IGNORECASE)


def _fit(card: Card, text: str) -> str:
    """Text fit for a mark on this card.

    In vCard 2.1 a comma has no escape, and programs that take it for a separator would cut the
    name off there.
    """
    return clean(text.replace(",", "") if card.version == "2.1" else text)


def _is_nameless(card: Card) -> bool:
    """Whether a card has an N that is blank, so that the mark alone is displayed."""
    names = card.all("N")
    return bool(names) and not any(names[0][1].texts())


def formatted(card: Card) -> str:
    """The FN of a card whose N is blank, or `""`."""
    if card.simple_name or not _is_nameless(card):
        return ""
    line = card.first("FN")
    return _fit(card, line.text()) if line else ""


def company(card: Card) -> str:
    """The company, or `""`."""
    if card.simple_name and (found := simple_company(card)) is not None:
        return _fit(card, found) if "," in found else found
    line = card.first("ORG")
    return _fit(card, line.texts()[0]) if line else ""


def company_and_units(card: Card) -> str:
    """All components of ORG, or `""`."""
    line = card.first("ORG")
    return _fit(card, " ".join(filter(None, line.texts()))) if line else ""


def title(card: Card) -> str:
    """The title, or `""`."""
    return _text_of(card, "TITLE")


def address(card: Card) -> str:
    """The first e-mail address, else the first number, or `""`."""
    return _text_of(card, "EMAIL", "TEL")


def _text_of(card: Card, *names: str) -> str:
    """The text of the first of these properties, behind what is displayed of a nameless card."""
    line = next(filter(None, map(card.first, names)), None)
    text = _SCHEME.sub("", line.text().strip()) if line else ""
    if text and _is_nameless(card):
        text = f"{formatted(card) or stand_in(card)} {text}"
    return _fit(card, text)


#: Labels in the order of preference; a number follows where none of them distinguishes a card.
LABELS = (formatted, company, company_and_units, title, address)


def before_number(card: Card) -> str:
    """What stands before a number: the company, else what is displayed of a nameless card."""
    nameless = _is_nameless(card)
    return formatted(card) or company(card) or (_fit(card, stand_in(card)) if nameless else "")


def numbered(base: str, number: int) -> str:
    """A label that ends in a number."""
    room = LONGEST_TEXT - len(f" {number}")  # the number must not be cut off
    return f"{clean(base)[:room]} {number}".strip()
