"""Blocks of plain cards, found by a handful of searches in C.

With white space deleted and letters lowered, are there exactly as many `begin:vcard` and
`end:vcard` as there are plain `END`-`BEGIN` pairs of lines? Then nothing odd can hide in the block.
Pairs that are all written in the same way are only counted; those of any letters and line breaks
are listed.
"""

import re
from typing import NamedTuple

from cardsplit.lines import SQUEEZED, WHITE
from cardsplit.pieces import Run, Starts

# Each search for a pair also asks for a line before it and a letter behind it, so that neither
# `NOTE:END:VCARD` nor a folded `BEGIN:VCARD` is taken for one.
_PAIR = re.compile(rb"(\nEND:VCARD(?:\r?\n)+)BEGIN:VCARD\r?\n[A-Z]", re.IGNORECASE)
_LOWERED_PAIR = re.compile(rb"(\nend:vcard(?:\r?\n)+)begin:vcard\r?\n[a-z]")
_OPENING = re.compile(rb"(?:[ \t]*+\r?\n)*+((?:\xef\xbb\xbf)?BEGIN:VCARD\r?\n[A-Z])", re.IGNORECASE)


class PlainBlock(NamedTuple):
    """Plain cards that follow each other, from the first `BEGIN` to the last `END` line."""

    start: int
    stop: int
    cards: Run | Starts


def plain_block(
    shown: bytes, start: int, base: int, *, mixed_first: bool = False
) -> PlainBlock | None:
    """Find the plain cards that a view holds from `start` on.

    Args:
        shown: The view.
        start: Where a logical line starts that is in no card.
        base: The offset of the view.
        mixed_first: Which of two ways to the same result is tried first.

    Returns:
        The block, or `None` if what is there is not plain.

    Cost: about 2 ns a byte.
    """
    opening = _OPENING.match(shown, start)
    if not opening:
        return None
    first, behind = opening.start(1), opening.end() - 1
    ways = (_mixed_way, _same_way) if mixed_first else (_same_way, _mixed_way)
    return next(filter(None, (way(shown, first, behind, base) for way in ways)), None)


def _same_way(shown: bytes, first: int, behind: int, base: int) -> PlainBlock | None:
    """Cards between which the same bytes stand."""
    pair = _PAIR.search(shown, behind)
    if not pair:
        return None
    separator, closing = pair[0], pair[1]
    stop = shown.rfind(separator, pair.start()) + len(closing)
    cards = shown.count(separator, first, stop) + 1
    if not _are_plain(shown[first:stop], cards):
        return None
    return PlainBlock(first, stop, Run(base + first, cards, separator, len(closing)))


def _mixed_way(shown: bytes, first: int, behind: int, base: int) -> PlainBlock | None:
    """Cards between which letters and line breaks differ."""
    ends = [pair.end(1) for pair in _LOWERED_PAIR.finditer(shown.lower(), behind)]
    if not ends or not _are_plain(shown[first : ends[-1]], len(ends)):
        return None
    return PlainBlock(first, ends[-1], Starts([base + at for at in (first, *ends[:-1])]))


def _are_plain(block: bytes, cards: int) -> bool:
    """Whether a block in which so many pairs of plain lines were found holds no others.

    It has as many colons before `vcard` as those have, so there are no others, however they are
    written, and none of them is the text of a quoted-printable line.
    """
    squeezed = block.translate(SQUEEZED, WHITE)
    return squeezed.count(b":vcard") == 2 * cards and not (
        b"quoted-printable" in squeezed and b"=end:vcard" in squeezed
    )
