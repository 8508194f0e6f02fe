"""Counting: cards, versions and oddities of a file, at constant memory and the speed of a disk."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from cardsplit.cards import Card
from cardsplit.scan import Scanner
from cardsplit.sources import notes_of, opened

UNNAMED = "none"  # the version of a card without VERSION
SEARCHED = 1 << 16  # bytes of a card in which its VERSION is looked for
_USUAL = rb"BEGIN:VCARD\r?\nVERSION:(2\.1|[34]\.0)\r?\n(?![ \t])"
_MOST_USUAL_STARTS = re.compile(_USUAL)  # as it is searched, much quicker than in any case
_USUAL_START = re.compile(_USUAL, re.IGNORECASE)


@dataclass(slots=True)
class Census:
    """What is in a file.

    Attributes:
        name: The file, as the user gave it.
        cards: How many cards it holds, not counting those nested in others.
        size: Its bytes.
        versions: How many cards there are of each version; `none` for cards that name none.
        encoding: `"utf-16-le"`, `"utf-16-be"`, or `""` if ASCII is ASCII in it.
        notes: What is odd, a clause each, with numbers of lines.
    """

    name: str
    cards: int = 0
    size: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    encoding: str = ""
    notes: list[str] = field(default_factory=list)


def count_file(name: str, on_read: Callable[[int], object] = lambda _: None) -> Census:
    """Count what is in a file. A file without a card is counted as well.

    Args:
        name: A path, or `-` for standard input.
        on_read: Called with the number of further bytes read.

    Returns:
        The counts.

    Raises:
        InputError: If the file cannot be read.

    Cost: about 3 ns a byte.
    """
    found = Census(name)
    versions: Counter[bytes] = Counter()
    with opened(name, twice=False, on_read=on_read) as source:
        scanner = Scanner(source.read)
        head = b""  # of the card begun last, while its version is not known
        for piece in scanner.pieces():
            data = piece.data
            found.cards += piece.count
            found.size += len(data)
            if piece.is_plain and not head and (usual := _usual_versions(data, piece.count)):
                versions += usual
                continue
            starts = piece.starts
            if head:
                head += data[: min(starts[0] if starts else len(data), SEARCHED)]
                if starts or len(head) > SEARCHED:
                    versions[_version_of(head, scanner.encoding)] += 1
                    head = b""
            for start, stop in pairwise([*starts, len(data)]):
                usual = None if scanner.encoding else _USUAL_START.match(data, start)
                if usual:
                    versions[usual[1]] += 1
                elif stop < len(data):
                    versions[_version_of(data[start:stop], scanner.encoding)] += 1
                else:
                    head = data[start:stop]
        if head:
            versions[_version_of(head, scanner.encoding)] += 1
        found.encoding = scanner.encoding
        found.notes = notes_of(source, scanner.oddities)
    found.versions = {
        version.decode("utf-8") or UNNAMED: number for version, number in sorted(versions.items())
    }
    return found


def _usual_versions(data: bytes, cards: int) -> Counter[bytes] | None:
    """The versions of plain cards, if each names one of the usual ones in its second line."""
    if b"BEGIN:VCARD" not in data:
        return None
    found = _MOST_USUAL_STARTS.findall(data)
    return Counter(found) if len(found) == cards else None


def _version_of(head: bytes, encoding: str) -> bytes:
    return Card(head, encoding).version.encode("utf-8", "replace")
