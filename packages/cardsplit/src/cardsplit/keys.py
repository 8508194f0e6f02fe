"""The key of a card under each rule of `cardsplit.rules`; cards with the same key are merged.

- `display` (Simple Contacts, Fossify Contacts): prefix, given, middle, family name and suffix as
  they are displayed, in small letters; for a nameless card its company, else its first e-mail
  address, else its first telephone number;
- `last-first`: family and given name alone, in small letters;
- `n-line`: the line of the N property as it stands, as the script palmantimerge had it;
- `fn`: the FN property, in small letters.

A card without N goes by its FN, and a card that lacks what its rule asks for goes by `display`.
"""

from cardsplit.cards import Card
from cardsplit.content import Property
from cardsplit.lines import FOLD
from cardsplit.rules import Rule

_DISPLAYED = (3, 1, 2, 0, 4)  # prefixes, given, additional, family, suffixes, among N's components
_LISTED = (0, 1)


def key_of(card: Card, rule: Rule) -> bytes:
    """The key of a card under a rule.

    Args:
        card: Any card.
        rule: The rule.

    Returns:
        UTF-8 text, or `b""` for a card that has nothing to go by and is merged with no other.

    Cost: about 10 µs for a card with a simple name, else 40 µs if it has not been read before.
    """
    if card.simple_name and rule is not Rule.FN:
        return card.simple_name.key(card, rule)
    return key_by_reading(card, rule)


def key_by_reading(card: Card, rule: Rule) -> bytes:
    """What `key_of` says, of any card."""
    name, formatted = card.first("N"), card.first("FN")
    return key_of_names(name, formatted, rule) or _key_of_nameless(card, name, formatted)


def key_of_names(name: Property | None, formatted: Property | None, rule: Rule) -> bytes:
    """The key that N and FN give, or `b""` if they give none."""
    if rule is Rule.FN and formatted and (key := normalised([formatted.text()])):
        return key
    if name is None:
        return b""
    key = key_of_texts(name.texts(), rule)
    return FOLD.sub(b"", name.raw).rstrip(b"\r\n") if key and rule is Rule.N_LINE else key


def key_of_texts(texts: list[str], rule: Rule) -> bytes:
    """The key that the components of N give, or `b""` if all are blank."""
    displayed = normalised([texts[i] for i in _DISPLAYED if i < len(texts)])
    if not displayed or rule is not Rule.LAST_FIRST:
        return displayed
    return b";".join(normalised([texts[i]]) for i in _LISTED if i < len(texts))


def _key_of_nameless(card: Card, name: Property | None, formatted: Property | None) -> bytes:
    """The key of a card whose N is missing or blank."""
    if name is None and formatted and (key := normalised([formatted.text()])):
        return key
    return normalised([stand_in(card)])


def stand_in(card: Card) -> str:
    """What is displayed of a card without a name: company, else e-mail address, else number."""
    company = card.first("ORG")
    texts = [company.texts()[0]] if company else []
    texts += [found.text() for found in (card.first("EMAIL"), card.first("TEL")) if found]
    return next((text for text in texts if text.strip()), "")


def normalised(texts: list[str]) -> bytes:
    """Words in small letters with one blank between them."""
    return b" ".join(" ".join(texts).lower().encode("utf-8", "surrogatepass").split())
