"""The keys of a card under each rule of `cardsplit.rules`; cards that share a key are merged.

- `display` (Simple Contacts, Fossify Contacts): prefix, given, middle, family name and suffix as
  they are displayed, in small letters; of lists such as `Miller,Smith` the first value;
- `last-first`: family and given name alone, in small letters;
- `n-line`: the line of the N property as it stands, as the script palmantimerge had it;
- `fn`: the FN property, in small letters.

A card whose N is missing or blank has two keys: what Fossify Contacts displays of it (company and
title, else its first e-mail address, else its first number), and its FN, which others display. A
name with alternatives, which share an `ALTID`, has the key of each, as a program picks any of them.

Sources: `docs/cardsplit.md`, "How programs merge".
"""

import re
import unicodedata
from collections.abc import Iterable

from cardsplit.cards import Card
from cardsplit.content import Property
from cardsplit.lines import FOLD
from cardsplit.rules import Detail, Rule

_DISPLAYED = (3, 1, 2, 0, 4)  # prefixes, given, additional, family, suffixes, among N's components
_LISTED = (0, 1)
_SCHEME = re.compile(r"\s*tel:([^;]*)", re.IGNORECASE)
_LETTER = re.compile(r"[A-Za-z]")
_KEYPAD = str.maketrans(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", "22233344455566677778889999" * 2
)

Keys = tuple[bytes, ...]


def keys_of(card: Card, rule: Rule | Detail) -> Keys:
    """The keys of a card under a rule, or by a detail.

    Args:
        card: Any card.
        rule: The rule.

    Returns:
        UTF-8 texts, each once; none for a card that has nothing to go by and is merged with no
        other.

    Cost: about 10 µs for a card with a simple name, else 40 µs if it has not been read before.
    """
    if isinstance(rule, Detail):
        return _keys_of_details(card, rule)
    if card.simple_name and rule is not Rule.FN:
        return (card.simple_name.key(card, rule),)
    return keys_by_reading(card, rule)


def keys_by_reading(card: Card, rule: Rule | Detail) -> Keys:
    """What `keys_of` says, of any card."""
    names = [line for _, line in card.all("N")]
    formatted = [line for _, line in card.all("FN")]
    return keys_of_names(names, formatted, rule) or _distinct(
        [normalised([stand_in(card)]), *map(_key_of_text, formatted[:1])]
    )


def keys_of_names(names: list[Property], formatted: list[Property], rule: Rule | Detail) -> Keys:
    """The keys that every N and every FN of a card give; none if those that count are blank."""
    if rule is Rule.FN and (keys := _distinct(map(_key_of_text, _alternatives(formatted)))):
        return keys
    return _distinct(_key_of_name(line, rule) for line in _alternatives(names))


def _keys_of_details(card: Card, detail: Detail) -> Keys:
    """UIDs as they stand there, addresses in small letters, numbers as they are dialled."""
    if detail is Detail.NUMBER:
        return _distinct(dialled(line.text()).encode() for _, line in card.all("TEL"))
    texts = (line.text().strip() for _, line in card.all(detail.value.upper()))
    if detail is Detail.EMAIL:
        texts = (text.lower().removeprefix("mailto:") for text in texts)
    return _distinct(text.encode("utf-8", "surrogateescape") for text in texts)


def _alternatives(lines: list[Property]) -> list[Property]:
    """The first line, and those that say the same in another language or script."""
    if lines and (same := lines[0].alternative_id):
        return [line for line in lines if line.alternative_id == same]
    return lines[:1]


def _key_of_text(line: Property) -> bytes:
    return normalised([line.text()])


def _key_of_name(line: Property, rule: Rule | Detail) -> bytes:
    """The key that an N gives, or `b""` if all its components are blank."""
    texts = line.first_texts()
    displayed = normalised([texts[i] for i in _DISPLAYED if i < len(texts)])
    if not displayed or rule in {Rule.DISPLAY, Rule.FN}:
        return displayed
    if rule is Rule.N_LINE:
        return FOLD.sub(b"", line.raw).rstrip(b"\r\n")
    return b";".join(normalised([texts[i]]) for i in _LISTED if i < len(texts))


def _distinct(keys: Iterable[bytes]) -> Keys:
    """Keys that are not blank, each once."""
    return tuple(dict.fromkeys(filter(None, keys)))


def stand_in(card: Card) -> str:
    """What Fossify Contacts displays of a card without a name.

    Company and title, else the first e-mail address, else the first number as it is dialled.
    """
    company, title = card.first("ORG"), card.first("TITLE")
    words = [company.first_texts()[0] if company else "", title.text().strip() if title else ""]
    if text := ", ".join(filter(None, words)):
        return text
    for name, shown in (("EMAIL", str.strip), ("TEL", dialled)):
        for _, line in card.all(name):
            if text := shown(line.text()):
                return text
    return ""


def dialled(number: str) -> str:
    """A telephone number as Android normalises it: its digits, and a plus sign before them.

    Letters stand for the digits of their keys.
    """
    uri = _SCHEME.match(number)
    text = uri[1] if uri else number
    if _LETTER.search(text):
        text = text.translate(_KEYPAD)
    digits = "".join(
        str(d) for letter in text if (d := unicodedata.decimal(letter, None)) is not None
    )
    plus = text.find("+")
    leads = plus >= 0 and not any(letter.isdecimal() for letter in text[:plus])
    return "+" * leads + digits if digits else ""


def normalised(texts: list[str]) -> bytes:
    """Words in small letters with one blank between them.

    Bytes that are no letter in their charset, as where a telephone cut a name off in the middle of
    one, all look alike, as they do where they are displayed.
    """
    text = " ".join(texts).lower()
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        data = text.encode("utf-8", "surrogatepass")
        if not _OTHER_SURROGATE.search(text):
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            data = text.encode("utf-8")
    return b" ".join(data.split())


_OTHER_SURROGATE = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # not a byte that was not understood
