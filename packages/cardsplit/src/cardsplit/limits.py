"""How much one part may hold: by number of cards, by bytes, or as a service is known to take it.

The presets say where their figures come from and how sure they are; a service may change them at
any time.
"""

import re
from dataclasses import dataclass
from decimal import Decimal

from cardsplit.errors import UsageError

DEFAULT_CARDS = 950
# Bytes are whole, so a fraction needs a unit: `2.5` was mostly meant to be megabytes.
_SIZE = re.compile(
    r"(?:(\d+)|(\d+\.\d+|\.\d+)(?=\s*[kMG]))\s*(?:([kMG])(i?))?B?", re.IGNORECASE | re.ASCII
)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3}


@dataclass(frozen=True, slots=True)
class Limit:
    """What one part may hold, and what makes a service refuse a card.

    Attributes:
        cards: Cards in a part, or `None`.
        max_bytes: Bytes in a part, or `None`. A card that is longer gets a part of its own.
        card_bytes: Bytes of a card beyond which the service refuses it, or `None`.
        total_cards: Cards that the service takes in all, or `None`.
        source: Where the figures come from.
    """

    cards: int | None = None
    max_bytes: int | None = None
    card_bytes: int | None = None
    total_cards: int | None = None
    source: str = ""

    def __post_init__(self) -> None:
        if (self.cards is not None and self.cards < 1) or (
            self.max_bytes is not None and self.max_bytes < 1
        ):
            raise UsageError(
                "a part must hold at least 1 card and 1 byte, but less was asked for; "
                "give a larger limit."
            )


PRESETS = {
    "google": Limit(
        cards=3000,
        card_bytes=128_000,
        total_cards=25_000,
        source="Google Contacts Help, as noted in 2026: 3,000 contacts at a time, 25,000 in all, "
        "128 KB a contact; checked again in November 2026 only for the 25,000, and by others' word",
    ),
    "google-script": Limit(
        cards=950,
        source="Google Apps Script, `Quotas for Google Services`, a copy read in November 2026: "
        "1,000 contacts created a day, 2,000 with Workspace; 950 leaves room for some made by hand "
        "(developers.google.com/apps-script/guides/services/quotas)",
    ),
    "icloud": Limit(
        cards=50_000,
        card_bytes=256_000,
        total_cards=50_000,
        source="Apple Support, `Limits for iCloud Contacts`, a copy read in November 2026: 50,000 "
        "cards, 256 KB a card, 224 KB a photo (support.apple.com/103188)",
    ),
    "nextcloud": Limit(
        max_bytes=2_500_000,
        source="one user's report of 2020, nextcloud/contacts issue 1793, read in November 2026: a "
        "file of 5 MB is imported in part, pieces of 2.5 MB are imported; servers differ",
    ),
}


def parse_size(text: str) -> int:
    """Read a size such as `2.5MB`, `900k` or `4096`.

    Args:
        text: A number, then `k`, `M` or `G` for powers of 1000 or `Ki`, `Mi`, `Gi` for powers of
            1024, then perhaps `B`. A fraction needs a unit.

    Returns:
        The number of bytes, at least 1.

    Raises:
        UsageError: If the text is no such size, or less than 1 byte.

    Example:
        >>> parse_size("2.5MB"), parse_size("1KiB")
        (2500000, 1024)
    """
    match = _SIZE.fullmatch(text.strip())
    size = 0
    if match:
        base = 1024 if match[4] else 1000
        size = int(Decimal(match[1] or match[2]) * base ** _POWERS[(match[3] or "").lower()])
    if size < 1:
        raise UsageError(
            f"`{text}` is no size: a whole number of bytes, or a number with a unit, was expected; "
            "give one such as `4096` or `2.5MB`."
        )
    return size
