"""Dropping cards that say exactly what another one says. Nothing is ever merged."""

from hashlib import blake2b

from cardsplit.card_stream import Joiner, OnRead, Passed, cards_in
from cardsplit.cards import Card
from cardsplit.converting import nested_cards
from cardsplit.output import STANDARD_OUTPUT, new_file
from cardsplit.parameters import parameters_of
from cardsplit.sources import check_inputs


def dedupe_files(
    names: list[str],
    place: str = STANDARD_OUTPUT,
    *,
    replacing: bool = False,
    on_read: OnRead = lambda _: None,
) -> tuple[Passed, list[tuple[str, int, str, int]]]:
    """Write the cards of some files into one, each only once.

    Cards are the same if, unfolded and decoded, they have the same properties with the same
    parameters and values; the order of properties of different names does not count. What stands
    outside of a card is never dropped.

    Args:
        names: Paths, or `-` for standard input.
        place: Where the result goes; `-` is standard output.
        replacing: Whether `place` may exist.
        on_read: Called with how many more bytes have been read.

    Returns:
        What was done, and of each dropped card its file and number in that, and those of the same
        card that was kept.

    Raises:
        CardsplitError: See `cardsplit.card_stream.pass_through`.

    Memory: about 250 bytes a card. Cost: about 100 µs a card.
    """
    check_inputs(names)
    done = Passed()
    kept: dict[bytes, tuple[str, int]] = {}
    dropped = []
    joiner = Joiner() if len(names) > 1 else None
    with new_file(place, replacing=replacing) as sink:
        for name, number, card in cards_in(names, done.notes, on_read):
            done.cards += 1
            same = kept.setdefault(content_of(card), (name, number))
            if same == (name, number) or not _stands_alone(card):
                sink.write(joiner.mended(card) if joiner else card)
            else:
                dropped.append((name, number, *same))
    done.changed = len(dropped)
    return done, dropped


def content_of(card: Card) -> bytes:
    """A fingerprint of what a card says, 16 bytes."""
    lines = []
    for _, line in card.lines:
        if not line.name and not line.raw.strip():
            continue
        parameters = sorted(
            (p.name, p.text.upper() if p.name == "TYPE" else p.value)
            for p in parameters_of(line.head)
            if p.name not in {"ENCODING", "CHARSET"}  # which only say how the value is written
        )
        if line.is_base64:
            value = b"".join(line.flat.data.split()).decode("ascii", "replace")
        else:
            value = line.flat.data.decode(line.codec, "backslashreplace")
        lines.append((line.name, line.group.upper(), parameters, value if line.name else line.raw))
    lines.sort(key=lambda line: line[0])  # which keeps the order of those of one name
    nested = [content_of(one) for group in nested_cards(card) for one in group]
    return blake2b(repr((lines, nested)).encode("utf-8", "replace"), digest_size=16).digest()


def _stands_alone(card: Card) -> bool:
    """Whether a card has nothing but white space before and behind it."""
    return not card.shown.replace(card.core, b"", 1).strip()
