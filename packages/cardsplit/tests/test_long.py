"""What takes minutes: a gigabyte, and fuzzing. Run with CARDSPLIT_LONG=1."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cardsplit import Rule, antimerge, split, undo
from cardsplit.scan import Scanner
from vcard_making import made_cards

FUZZED_SECONDS = int(os.environ.get("CARDSPLIT_FUZZED_SECONDS", "60"))
GB = 1_000_000_000

pytestmark = pytest.mark.usefixtures("long_mode")


class Repeated:
    """A file that says the same thing again and again."""

    def __init__(self, block: bytes, times: int) -> None:
        self._block = block
        self._left = times
        self._at = io.BytesIO()

    def read(self, size: int) -> bytes:
        """The next bytes."""
        data = self._at.read(size)
        if not data and self._left:
            self._left -= 1
            self._at = io.BytesIO(self._block)
            return self.read(size)
        return data


def cpu_seconds(block: bytes, times: int) -> float:
    """CPU time for finding the cards of so many blocks."""
    start = time.process_time()
    for _ in Scanner(Repeated(block, times).read).pieces():
        pass
    return time.process_time() - start


def test_time_grows_with_size_up_to_a_gigabyte():
    """Eight times the data take at most ten times the time."""
    block = b"".join(made_cards(20_000))
    times = GB // len(block)
    assert cpu_seconds(block, times) < 10 * cpu_seconds(block, times // 8)


@pytest.mark.parametrize("start", [b"", b"BEGIN:VCARD\r\nNOTE;QUOTED-PRINTABLE:"])
def test_a_line_of_a_gigabyte_is_no_danger(start: bytes):
    """It passes in pieces, none of which is longer than a few chunks."""
    source = Repeated(b"x" * 1_000_000, 1000)
    reads = iter([start] if start else [])
    scanner = Scanner(lambda size: next(reads, b"") or source.read(size))
    longest = total = 0
    for piece in scanner.pieces():
        longest = max(longest, len(piece.data))
        total += len(piece.data)
    assert total == GB + len(start)
    assert longest < 1_000_000


def test_fuzzing_finds_nothing(tmp_path: Path):
    """Guided by coverage, atheris finds no input that raises, loses a byte or cannot be undone."""
    pytest.importorskip("atheris", reason="atheris is not installed")
    for number, one in enumerate(made_cards(30, namesakes=1)):
        (tmp_path / str(number)).write_bytes(one * 2 + one.replace(b"PRINTABLE", b"8BIT"))
    done = subprocess.run(
        [
            sys.executable,
            __file__,
            f"-max_total_time={FUZZED_SECONDS}",
            "-max_len=2000",
            str(tmp_path),
        ],
        check=False,
    )
    assert done.returncode == 0


def fuzz(data: bytes) -> None:
    """One input for atheris."""
    cards = list(split(data))
    assert b"".join(cards) == data
    for rule in Rule:
        after = antimerge(cards, rule)
        assert antimerge(after, rule) == after
        if undo(cards) == cards:
            assert undo(after) == cards


if __name__ == "__main__":
    import atheris  # pyright: ignore[reportMissingImports]  # only where someone fuzzes

    atheris.instrument_all()
    atheris.Setup(sys.argv, fuzz)
    atheris.Fuzz()
