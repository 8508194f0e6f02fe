"""Where the cards of a file of any size begin, at constant memory.

A card is the bytes from its `BEGIN` up to the next `BEGIN` that is not inside a card. What stands
between cards belongs to the card before, a preamble to the first.

Cards nest (vCard 2.1), and cards get truncated, so a `BEGIN` inside an open card has two readings:
a nested card, or the next card after one whose `END` is lost. It is nested if the card around it
is closed later, within `WINDOW` bytes, as brackets are paired; else it is the next card. After an
empty `AGENT:` it is always nested.

Two ways lead to the same boundaries. The fast one looks at a whole block of plain cards at once
(`cardsplit.plain_blocks`). Where a block is not plain, the exact one looks at each line that may
open or close a card.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, pairwise
from sys import maxsize
from typing import NamedTuple

from cardsplit.encodings import BYTE_ORDER_MARKS, SNIFFED, sniff, view
from cardsplit.lines import (
    BLANKS,
    EDGE,
    EMPTY_AGENT,
    LONGEST_HEAD,
    SOFT_ENDS,
    SQUEEZED,
    WHITE,
    edges,
    is_quoted_printable,
)
from cardsplit.pieces import GLUED, NO_END, STRAY, Oddity, Piece, Run, Starts
from cardsplit.plain_blocks import plain_block

CHUNK = 1 << 18  # bytes read at a time; a quarter MiB stays in the processor's cache
WINDOW = 1 << 20  # how far behind a nested BEGIN the card around it must be closed
LONGEST_TAIL = 1 << 16  # of a logical line that is kept until its end is seen

_BLANK = re.compile(rb"(?:[\s\0\x1a]|\xef\xbb\xbf)*+")
_REST = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n)?")
_ENDS = ("end", "glued")
_PLAIN = ([Run], [Starts])  # the kinds of what is settled in a piece of plain cards alone
_NEVER = maxsize


@dataclass(slots=True)
class _Frame:
    """A card that is open, and the cards closed inside it."""

    begin: int
    is_agent: bool
    children: list[int] = field(default_factory=list)


class _Edge(NamedTuple):
    """Where the view opens or closes a card.

    Attributes:
        start: Where its line starts, or a `BEGIN` behind an `END` on the same line.
        stop: Where its line ends, break included, or such a `BEGIN` starts.
        kind: `begin`, `end`, `glued` for an `END` with a `BEGIN` on its line, `agent` for
            `AGENT:BEGIN:VCARD`, or `begin of agent`.
        done: Where the text of the line ends that belongs to the card.
    """

    start: int
    stop: int
    kind: str | None
    done: int


class _Line(NamedTuple):
    """Whether a physical line continues the one before, and is part of quoted-printable."""

    goes_on: bool
    is_qp: bool


class Scanner:
    """Finds the cards of one file while it is read.

    Attributes:
        oddities: What was found on the way; complete when `pieces` is exhausted.
        encoding: `""`, `"utf-16-le"` or `"utf-16-be"`; known after the first piece.
        cards: How many cards have been found so far.

    Cost: about 2 ns a byte where all is plain, 6 ns where it is not. Memory: a few chunks, plus
    `WINDOW` while it is open whether a card is nested.
    """

    def __init__(
        self,
        read: Callable[[int], bytes],
        *,
        chunk: int = CHUNK,
        window: int = WINDOW,
        tail: int = LONGEST_TAIL,
    ) -> None:
        """Prepare to read.

        Args:
            read: Gives up to so many bytes, and `b""` at the end, as `file.read` does.
            chunk: Bytes to read at a time. At least 1.
            window: See `WINDOW`. At least 1.
            tail: See `LONGEST_TAIL`. At least 16.
        """
        self.oddities: list[Oddity] = []
        self.encoding = ""
        self.cards = 0
        self._read = read
        self._chunk = chunk
        self._window = window
        self._tail = tail
        self._unit = 1  # bytes of the file for one byte of the view
        self._base = 0  # offset of the view's first byte, in units, behind a UTF-16 mark
        self._skipped = 0  # bytes before the view: the UTF-16 mark
        self._stack: list[_Frame] = []
        self._settled: list[int | Run | Starts] = []
        self._is_mixed = False  # whether plain cards were written in more than one way lately
        self._gap: int | None = 0  # where the text after the last card starts; None once reported
        self._last_end = 0
        # The state at the place up to which the view has been scanned:
        self._inside = False  # not at the start of a logical line
        self._inside_qp = False  # ... and that line is quoted-printable
        self._after_agent = False  # the line before is an empty AGENT

    def pieces(self) -> Iterator[Piece]:
        """Read the file to its end and yield it, cut so that starts of cards are known."""
        raw = self._read(self._chunk)
        while 0 < len(raw) < SNIFFED and (more := self._read(SNIFFED)):
            raw += more
        self.encoding = sniff(raw)
        mark = b""
        if self.encoding:
            self._unit = 2
            mark = raw[:2] if raw.startswith(BYTE_ORDER_MARKS) else b""
            raw = raw[len(mark) :]
            self._skipped = len(mark)
        at_end = not raw
        scanned = 0
        while True:
            whole = len(raw) - len(raw) % self._unit
            shown = view(raw[:whole] if whole < len(raw) else raw, self.encoding)
            scanned = self._scan(shown, scanned, at_end=at_end)
            if at_end:
                self._close()
            safe = scanned if at_end else min(scanned, self._first_open() - self._base)
            cut = len(raw) if at_end else safe * self._unit
            if cut or mark:
                is_plain = self._unit == 1 and [type(one) for one in self._settled] in _PLAIN
                starts = self._starts(shown, len(mark))
                piece = Piece(mark + raw[:cut] if mark else raw[:cut], starts, is_plain=is_plain)
                self.cards += piece.count
                yield piece
                self._settled.clear()
                mark = b""
            if at_end:
                return
            raw = raw[cut:]
            self._base += safe
            scanned -= safe
            chunk = self._read(self._chunk)
            at_end = not chunk
            raw += chunk

    def _starts(self, shown: bytes, lead: int) -> list[int] | Run:
        """What is settled, as offsets in the next piece, which has `lead` bytes before `shown`."""
        base, unit = self._base, self._unit
        if unit == 1 and len(self._settled) == 1 and isinstance(self._settled[0], Run):
            run = self._settled[0]
            return run._replace(start=run.start - base)
        found: list[int] = []
        for settled in self._settled:
            found += [settled] if isinstance(settled, int) else settled.starts(shown, base)
        return [(start - base) * unit + lead for start in found]

    def _scan(self, shown: bytes, start: int, *, at_end: bool) -> int:
        """Scan `shown` from `start` as far as its end can be trusted; return how far that was."""
        if not self._stack and not self._inside:
            after = self._scan_plain(shown, start)
            if after > start and not at_end:
                return after
            start = after
        stop = len(shown) if at_end else self._trusted(shown, start)
        if start < stop:
            found = self._edges(shown, start, stop)
            last_end = next((n for n in reversed(range(len(found))) if found[n].kind in _ENDS), -1)
            for number, edge in enumerate(found):
                self._take(edge, shown)
                if number == last_end and not self._stack and not at_end:
                    # All up to here is settled. What follows is read again with the next chunk,
                    # so that the fast way can start at a card.
                    self._inside = self._inside_qp = self._after_agent = False
                    self._note_gap(shown, edge.stop)
                    return edge.stop
            self._note_gap(shown, stop)
            self._give_up_before(self._base + stop - self._window)
            if not at_end:
                self._remember(shown, start, stop)
        return stop

    def _scan_plain(self, shown: bytes, start: int) -> int:
        """Take a block of plain cards at once; return where it ends, or `start` if it is not."""
        block = plain_block(shown, start, self._base, mixed_first=self._is_mixed)
        if block is None:
            return start
        self._is_mixed = isinstance(block.cards, Starts)
        self._note_gap(shown, block.start)
        self._settled.append(block.cards)
        self._gap = self._last_end = self._base + block.stop
        return block.stop

    def _trusted(self, shown: bytes, start: int) -> int:
        """The last place at which a logical line seems to start; what follows may be half a line.

        In a line longer than `tail`, a place inside it.
        """
        floor = max(start, len(shown) - self._tail)
        stop = len(shown) - 1  # a break in the last byte may be half of CRLF, or belong to a fold
        inner = start
        while (line := _line_start(shown, stop, floor)) > floor:
            if shown[line] not in b" \t\n":
                return line
            if shown[line] != ord("\n"):
                inner = max(inner, line)
            stop = line - 1
        if len(shown) - start <= self._tail:
            return start
        return max(inner, start) if inner > start else len(shown) - 2

    def _edges(self, shown: bytes, start: int, stop: int) -> list[_Edge]:
        """The lines between `start` and `stop` that open or close a card, in order."""
        block = shown[start:stop]
        squeezed = block.translate(SQUEEZED, WHITE)
        agents = b"agent" in squeezed or self._after_agent
        may_swallow = self._inside_qp or b"quoted-printable" in squeezed
        pattern = edges(
            lone_cr=block.count(b"\r") != block.count(b"\r\n"),
            agents=b":begin:vcard" in squeezed,
            groups=b".begin:vcard" in squeezed or b".end:vcard" in squeezed,
        )
        found = []
        at_start = None if self._inside else EDGE.match(shown, start)
        matches = pattern.finditer(shown, start)
        for match in matches if at_start is None else chain([at_start], matches):
            line = start if match is at_start else match.start() + 1
            if line >= stop:
                break
            if may_swallow and line > start and self._line(shown, line, start).goes_on:
                continue
            kind, done, after = match.lastgroup, match.end(), _after_line(shown, match.end())
            if kind == "begin" and agents and self._follows_agent(shown, line, start):
                kind = "begin of agent"
            if kind == "glued":
                line, begin = match.start(kind), line
                found.append(_Edge(begin, line, kind, line))
                kind = "begin"
            found.append(_Edge(line, after, kind, done))
        return found

    def _line(self, shown: bytes, line: int, floor: int) -> _Line:
        """What the physical line at `line` is, judged from the lines back to `floor`.

        Cost: O(1) if it cannot be a continuation, else O(physical lines of the logical one).
        """
        starts = [line]
        while line > floor:
            before = _line_start(shown, line - 1 - (shown[line - 2 : line] == b"\r\n"), floor)
            if not (shown[line] in BLANKS or _ends_softly(shown, before, line)):
                break
            starts.append(before)
            line = before
        goes_on, is_qp = False, False
        if line == floor and self._inside:
            goes_on, is_qp = True, self._inside_qp
        else:
            is_qp = is_quoted_printable(shown[line : line + LONGEST_HEAD])
        for before, line in pairwise(reversed(starts)):
            goes_on = shown[line] in BLANKS or (is_qp and _ends_softly(shown, before, line))
            if not goes_on:
                is_qp = is_quoted_printable(shown[line : line + LONGEST_HEAD])
        return _Line(goes_on, is_qp)

    def _follows_agent(self, shown: bytes, line: int, floor: int) -> bool:
        """Whether the physical line before `line` is `AGENT:` and nothing more."""
        if line == floor:
            return self._after_agent
        before = _line_start(shown, line - 1 - (shown[line - 2 : line] == b"\r\n"), floor)
        return EMPTY_AGENT.match(shown, before) is not None

    def _remember(self, shown: bytes, start: int, stop: int) -> None:
        """Keep what the next block must know of the line at which this one stops."""
        at_line = shown[stop - 1] in b"\r\n"
        state = self._line(shown, stop if at_line else _line_start(shown, stop, start), start)
        after_agent = at_line and self._follows_agent(shown, stop, start)
        self._inside = state.goes_on or not at_line
        self._inside_qp = self._inside and state.is_qp
        self._after_agent = after_agent

    def _take(self, edge: _Edge, shown: bytes) -> None:
        """Pair an edge with those before it."""
        at = self._base + edge.start
        if edge.kind in _ENDS:
            if edge.kind == "glued":
                self._report(GLUED, at)
            if self._stack:
                frame = self._stack.pop()
                self._last_end = self._base + edge.done
                if not self._stack:
                    self._gap = self._last_end
                elif not frame.is_agent:
                    self._stack[-1].children.append(frame.begin)
            return
        self._give_up_before(at - self._window)
        if not self._stack:
            if edge.kind == "agent":
                return  # of nobody
            self._note_gap(shown, edge.start)
            self._settled.append(at)
        self._stack.append(_Frame(at, is_agent=edge.kind != "begin" and bool(self._stack)))

    def _first_open(self) -> int:
        """Offset of the first `BEGIN` of which it is open whether it is nested."""
        if not self._stack:
            return _NEVER
        if self._stack[0].children:
            return self._stack[0].children[0]
        return self._stack[1].begin if len(self._stack) > 1 else _NEVER

    def _give_up_before(self, offset: int) -> None:
        """Wait no longer for the `END` of cards around what began before `offset`."""
        while self._first_open() < offset:
            self._drop_outermost()

    def _drop_outermost(self) -> None:
        """Take the outermost open card as truncated: what it seemed to hold follows it."""
        frame = self._stack.pop(0)
        self._report(NO_END, frame.begin)
        self._settled += frame.children
        while self._stack and self._stack[0].is_agent:
            self._settled += self._stack.pop(0).children
        if self._stack:
            self._settled.append(self._stack[0].begin)
        else:
            self._gap = self._last_end if frame.children else None

    def _close(self) -> None:
        """The file is at its end: what is open now stays without an end."""
        while self._stack:
            self._drop_outermost()

    def _note_gap(self, shown: bytes, stop: int) -> None:
        """Report text outside of cards, once for each place, as far as `stop`."""
        if self._stack or self._gap is None:
            return
        where = _BLANK.match(shown, self._gap - self._base, stop).end()  # type: ignore[union-attr]
        if where < stop:
            self._report(STRAY, self._base + where)
            self._gap = None
        else:
            self._gap = self._base + stop

    def _report(self, what: str, offset: int) -> None:
        """Add to `oddities`, with an offset in bytes of the file."""
        self.oddities.append(Oddity(what, offset * self._unit + self._skipped))


def _line_start(shown: bytes, stop: int, floor: int) -> int:
    """Start of the physical line that holds what stands before `stop`; at least `floor`."""
    line_feed = shown.rfind(b"\n", floor, stop)
    return max(line_feed, shown.rfind(b"\r", max(line_feed, floor), stop), floor - 1) + 1


def _after_line(shown: bytes, at: int) -> int:
    """Where the physical line that holds `at` ends, its break included."""
    return _REST.match(shown, at).end()  # type: ignore[union-attr]  # matches always


def _ends_softly(shown: bytes, start: int, stop: int) -> bool:
    """Whether the physical line from `start` to `stop` ends in `=` and a line break."""
    return shown.endswith(SOFT_ENDS, start, stop)
