"""Joining files into one that every program reads: with a line break between any two cards."""

from cardsplit.card_stream import OnRead, Passed, pass_through
from cardsplit.cards import Card
from cardsplit.output import STANDARD_OUTPUT

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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
    last_break = b"\r\n"  # how the lines of the card before end
    is_first = ends = True

    def mended(card: Card) -> tuple[bytes, list[str]]:
        nonlocal last_break, is_first, ends
        data, notes = bytes(card), []
        if card.encoding:
            data = card.shown
            notes.append("UTF-16 became UTF-8, as one file has one encoding")
        if not is_first:
            data = data.removeprefix(BYTE_ORDER_MARK)
        start = b"" if ends else last_break
        is_first = False
        ends = data.endswith((b"\r", b"\n"))
        if b"\n" in data or b"\r" in data:
            last_break = b"\r\n" if b"\r\n" in data else b"\n" if b"\n" in data else b"\r"
        return start + data, notes

    return pass_through(names, place, mended, replacing=replacing, on_read=on_read)
