"""Joining files into one that every program reads: with a line break between any two cards."""

from cardsplit.card_stream import Joiner, OnRead, Passed, pass_through
from cardsplit.cards import Card
from cardsplit.output import STANDARD_OUTPUT


def join_files(
    names: list[str],
    place: str = STANDARD_OUTPUT,
    *,
    replacing: bool = False,
    on_read: OnRead = lambda _: None,
) -> Passed:
    """Join files; where cards would run into each other, a line break is put between them.

    A byte-order mark before any card but the first is left out, and UTF-16 becomes UTF-8, as one
    file has one encoding. All else stays as it is, byte for byte.

    Args:
        names: Paths, or `-` for standard input.
        place: Where the result goes; `-` is standard output.
        replacing: Whether `place` may exist.
        on_read: Called with how many more bytes have been read.

    Returns:
        What was done; a card counts as changed if a break, a mark or its encoding was mended.

    Raises:
        CardsplitError: See `cardsplit.card_stream.pass_through`.
    """
    joiner = Joiner()

    def mended(card: Card) -> tuple[bytes, list[str]]:
        notes = ["UTF-16 became UTF-8, as one file has one encoding"] if card.encoding else []
        return joiner.mended(card), notes

    return pass_through(names, place, mended, is_joined=True, replacing=replacing, on_read=on_read)
