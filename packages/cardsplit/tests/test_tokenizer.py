"""Where cards begin: as brackets say, whatever the bytes are and however they are read."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsplit.lines import EDGE, EMPTY_AGENT, logical_lines
from cardsplit.pieces import GLUED, NO_END, STRAY, Piece
from cardsplit.scan import Scanner
from vcard_making import WILD_FILES, card

HEADS = 64  # bytes; longer than any head that the strategies make


def scanned(data: bytes, **how: int) -> tuple[bytes, list[int], Scanner]:
    """All pieces joined, the starts of cards in that, and the scanner."""
    scanner = Scanner(io.BytesIO(data).read, **how)  # type: ignore[arg-type]  # numbers all
    joined, starts = b"", []
    for piece in scanner.pieces():
        starts += [len(joined) + start for start in piece.starts]
        joined += piece.data
    return joined, starts, scanner


def grouped(data: bytes, group: bytes = b"item1.") -> bytes:
    """A card each line of which is of a group."""
    return b"".join(group + line for line in data.splitlines(keepends=True))


def starts_by_brackets(data: bytes) -> list[int]:
    """The twin: the whole file line by line, each END paired with the nearest open BEGIN."""
    stack: list[tuple[int, bool, list[int]]] = []
    found: list[int] = []
    before = b""
    for start, stop in logical_lines(data):
        line = data[start:stop]
        edge = EDGE.match(line)
        kind = edge.lastgroup if edge else ""
        if edge and (kind == "end" or not line[edge.end() :].strip(b"\r\n")):
            if kind in {"end", "glued"} and stack:
                begin, is_agent, _ = stack.pop()
                if not stack:
                    found.append(begin)
                elif not is_agent:
                    stack[-1][2].append(begin)
            if kind == "glued":
                stack.append((start + edge.start("glued"), False, []))
            elif kind == "begin" or (kind == "agent" and stack):
                is_agent = kind == "agent" or bool(EMPTY_AGENT.match(before))
                stack.append((start, is_agent and bool(stack), []))
        before = line.splitlines(keepends=True)[-1]
    for begin, is_agent, children in stack:  # never closed, so what they hold follows them
        found += children if is_agent else [begin, *children]
    return sorted(found)


@given(WILD_FILES, st.integers(1, 200), st.integers(HEADS, 300))
@settings(max_examples=800, deadline=None)
def test_cards_begin_where_brackets_say(data: bytes, chunk: int, tail: int):
    """In chunks of any size the scanner finds what a line-by-line reading of all finds."""
    joined, starts, _ = scanned(data, chunk=chunk, tail=tail)
    assert joined == data
    assert starts == starts_by_brackets(data)


@given(st.binary(max_size=300) | WILD_FILES, st.integers(1, 50))
@settings(max_examples=300, deadline=None)
def test_pieces_joined_are_the_file(data: bytes, chunk: int):
    """No byte is lost or added, whatever the data, UTF-16 and halves of it included."""
    assert scanned(data, chunk=chunk)[0] == data


@given(
    st.lists(st.sampled_from([card("N:ü;a"), card("NOTE:Ċ漢\U0001f600")]), min_size=1, max_size=9)
)
@settings(max_examples=50, deadline=None)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_there_are_as_many_starts_as_cards(codec: str, cards: list[bytes]):
    """A byte-order mark or an encoding of two bytes hides no card."""
    data = b"".join(cards).decode().encode(codec)
    joined, starts, _ = scanned(data, chunk=101)
    assert (joined, len(starts)) == (data, len(cards))


def test_a_line_feed_inside_a_utf16_unit_ends_no_line():
    """U+0A0D and U+010A hold the bytes of line breaks and are letters all the same."""
    data = card("NOTE:\u0a0dBEGIN:VCARD\u010aEND:VCARD").decode().encode("utf-16-le")
    assert scanned(data)[1] == [0]


NESTED = [
    ("text of a note", card("NOTE:see BEGIN:VCARD") + card("NOTE:END:VCARD"), 2),
    ("an agent on its own lines", card("AGENT:", card("N:b").decode().strip(), "TEL:1"), 1),
    ("an agent on one line", card("AGENT:BEGIN:VCARD", "N:b", "END:VCARD", "TEL:1"), 1),
    ("an escaped agent", card("AGENT:BEGIN:VCARD\\nFN:x\\nEND:VCARD\\n") + card("N:c"), 2),
    ("bare nested cards", card(card("N:b").decode().strip(), card("N:c").decode().strip()), 1),
    ("END swallowed by a soft break", card("NOTE;QUOTED-PRINTABLE:a=", "END:VCARD") * 2, 2),
    ("= at the end of base64", card("PHOTO;ENCODING=b:AAA=") * 3, 3),
    ("base64 that blank lines end", card("PHOTO;BASE64:", "AAAA", "") * 2, 2),
    ("blanks and small letters", card("N:a").replace(b"BEGIN:", b"begin : ") * 2, 2),
    ("a folded BEGIN", card("N:a").replace(b"BEGIN:", b"BEGIN:\r\n ") * 2, 2),
    ("byte-order marks between", (b"\xef\xbb\xbf" + card("N:a")) * 3, 3),
    ("CR alone", card("N:a", eol="\r") * 3, 3),
    ("blank lines between", (card("N:a") + b"\r\n\r\n") * 4, 4),
    ("an agent of nobody", b"AGENT:BEGIN:VCARD\r\n" + card("N:a"), 1),
    ("no line break between", card("N:a").rstrip() + card("N:b").rstrip() + card("N:c"), 3),
    ("in small letters", (card("N:a").rstrip() + card("N:b")).lower(), 2),
    ("a byte-order mark on the line", card("N:a").rstrip() + b"\xef\xbb\xbf" + card("N:b"), 2),
    ("a lost backslash between", card("N:a").rstrip() + b"n" + card("N:b").rstrip(), 2),
    ("a tag between", card("N:a").rstrip() + b"<br>\\r\\n" + card("N:b"), 2),
    ("a form feed between", card("N:a").rstrip() + b"\f" + card("N:b"), 2),
    ("a line of hyphens between", card("N:a").rstrip() + b" --- next: " + card("N:b"), 2),
    (
        "commas between",
        card("N:a").rstrip() + b"," + card("N:b").rstrip() + b",\n" + card("N:c"),
        3,
    ),
    ("a word that only starts so", card("N:a", "END:VCARDS", "END:VCARDBEGIN:VCARDS"), 1),
    ("a note of both", card("NOTE:END:VCARDBEGIN:VCARD") + card("N:b"), 2),
    ("both in a nested card", card(card("N:b").decode().strip() + card("N:c").decode().strip()), 1),
    ("a group", grouped(card("N:a")) * 2, 2),
    ("a group at BEGIN alone", (b"a-1." + card("N:a")) * 2, 2),
    ("a group and no break", card("N:a").rstrip() + grouped(card("N:a")).rstrip() + card("N:c"), 3),
    ("a group that is folded", card("N:a").replace(b"BEGIN", b"g.\r\n BEGIN") * 2, 2),
]


@pytest.mark.parametrize(("data", "cards"), [n[1:] for n in NESTED], ids=[n[0] for n in NESTED])
def test_only_whole_lines_open_and_close_cards(data: bytes, cards: int):
    """Nesting, continuation and text are distinguished."""
    assert len(scanned(data)[1]) == cards


def test_a_card_without_end_does_not_swallow_the_next():
    """Each truncated card counts, and is told with its place."""
    lost = b"BEGIN:VCARD\r\nN:a\r\n"
    data = lost + card("N:b") + card("N:c") + lost + lost
    _, starts, scanner = scanned(data)
    assert len(starts) == 5
    assert [odd.offset for odd in scanner.oddities if odd.what == NO_END] == [
        0, len(data) - 2 * len(lost), len(data) - len(lost)
    ]  # fmt: skip


def test_a_truncated_card_is_given_up_after_the_window():
    """What follows a lost END is not held back for longer than the window, so memory is bounded."""
    lost = b"BEGIN:VCARD\r\nN:a\r\n"
    data = lost + card("N:b" * 50) * 200
    scanner = Scanner(io.BytesIO(data).read, chunk=500, window=2000)
    pieces = list(scanner.pieces())
    assert sum(len(piece.starts) for piece in pieces) == 201
    assert max(len(piece.data) for piece in pieces) < 4000


def test_a_line_of_any_length_passes_in_pieces():
    """A line of a megabyte is never held as a whole; what follows it is found."""
    data = card("NOTE;QUOTED-PRINTABLE:" + "x" * 10**6 + "=", "END:VCARD") + card("N:b")
    scanner = Scanner(io.BytesIO(data).read, chunk=1000, tail=3000)
    pieces: list[Piece] = list(scanner.pieces())
    assert sum(len(piece.starts) for piece in pieces) == 2
    assert max(len(piece.data) for piece in pieces) < 6000


def test_a_folded_line_of_any_length_passes_in_pieces():
    """So does a photo of many folded lines, whose last `=` swallows no END."""
    photo = "\r\n ".join(["PHOTO;ENCODING=b:", *["A" * 70] * 300, "AA="])
    data = card(photo, "AGENT:", "BEGIN:VCARD", "END:VCARD") + card("N:b")
    for chunk in (100, 999, 4096):
        joined, starts, _ = scanned(data, chunk=chunk, tail=500)
        assert (joined, len(starts)) == (data, 2)


def test_cards_on_one_line_are_told():
    """Where one ends and the next begins, once for each place, and nothing else is odd."""
    data = card("N:a").rstrip() + card("N:b") + card("N:c").rstrip() + b";" + card("N:d")
    for chunk in (7, 64, 10_000):
        joined, starts, scanner = scanned(data, chunk=chunk)
        assert (joined, len(starts)) == (data, 4)
        assert [odd.what for odd in scanner.oddities] == [GLUED, GLUED]
        assert [data[odd.offset :][:9] for odd in scanner.oddities] == [b"END:VCARD"] * 2


def test_stray_text_is_told_once_for_each_place():
    """Text before, between and after cards is told by offset; blanks and Ctrl-Z are not text."""
    data = b"From: me\r\n" + card("N:a") + b"\r\nstray\r\nmore\r\n" + card("N:b") + b"\0\x1a\r\n"
    _, _, scanner = scanned(data)
    assert [odd.what for odd in scanner.oddities] == [STRAY, STRAY]
    assert [data[odd.offset :][:5] for odd in scanner.oddities] == [b"From:", b"stray"]


def test_a_second_end_is_stray():
    """An END too many closes nothing."""
    _, starts, scanner = scanned(card("N:a") + b"END:VCARD\r\n" + card("N:b"))
    assert (len(starts), [odd.what for odd in scanner.oddities]) == (2, [STRAY])
