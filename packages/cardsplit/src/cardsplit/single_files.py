"""A file for each card, called as the card is."""

import contextlib
import os
import re
import unicodedata
from pathlib import Path

from cardsplit.card_stream import OnRead, cards_in
from cardsplit.cards import Card
from cardsplit.clashing import display_name
from cardsplit.content import one_line
from cardsplit.errors import OutputError
from cardsplit.keys import stand_in
from cardsplit.output import StagedFiles
from cardsplit.sources import check_inputs
from cardsplit.splitting import Part, Splitting

BY = ("fn", "uid")
LONGEST = 120  # bytes of a name, which leaves room for a number within the 255 of file systems
_UNSAFE = re.compile(r"[^\w.@+-]+")
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.IGNORECASE)  # on Windows


def split_by(
    names: list[str],
    by: str,
    *,
    folder: Path = Path(),
    replacing: bool = False,
    dry_run: bool = False,
    on_read: OnRead = lambda _: None,
) -> Splitting:
    """Write each card into a file of its own.

    Args:
        names: Paths, or `-` for standard input.
        by: What the files are called after, `"fn"` or `"uid"`. A card without one goes by what
            else it has, and a name that is taken gets a number.
        folder: Where the files go; made if it is missing.
        replacing: Whether files of these names may be there already.
        dry_run: Whether to say only what would be done.
        on_read: Called with how many more bytes have been read.

    Returns:
        The files, in the order of the cards, and what was odd.

    Raises:
        CardsplitError: If an input cannot be read or holds no card, a file is there already, or
            one cannot be written. Then no file has been written.

    Memory: the names, and the longest card.
    """
    check_inputs(names)
    notes: list[str] = []
    taken: set[str] = set()
    parts: list[Part] = []
    with contextlib.ExitStack() as stack:
        files = None if dry_run else stack.enter_context(StagedFiles(folder, "cards"))
        for _, _, card in cards_in(names, notes, on_read):
            name = _free_name(card, by, taken)
            if not replacing and os.path.lexists(folder / name):
                raise OutputError(
                    f"`{folder / name}` is there already; choose another folder or give `--force`."
                )
            parts.append(Part(folder / name, 1, len(card)))
            if files:
                files.begin()
                files.write(memoryview(card))
        if files:
            files.publish(lambda number: parts[number - 1].path.name)
    return Splitting(parts, notes)


def file_name(card: Card, by: str) -> str:
    """What a card's file is called, without `.vcf`: letters and digits of any script, `.@+-_`."""
    line = card.first(by.upper())
    text = one_line(line.text()) if line else ""
    text = text or display_name(card) or stand_in(card)
    name = _UNSAFE.sub("_", unicodedata.normalize("NFC", text)).strip("._- ")
    name = name.encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore").rstrip("._- ")
    return f"_{name}" if _RESERVED.match(name) else name or "card"


def _free_name(card: Card, by: str, taken: set[str]) -> str:
    """A name that no other card has, also where capitals do not count."""
    base = name = file_name(card, by)
    number = 1
    while (key := unicodedata.normalize("NFKC", name).casefold()) in taken:
        number += 1
        name = f"{base}.{number}"
    taken.add(key)
    return f"{name}.vcf"
