"""The Java library ez-vcard reads from converted real cards what it read from the originals.

It is independent of cardsplit and of vobject. Of Debian it needs `libez-vcard-java`,
`libvinnie-java` and a JDK.
"""

import base64
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from cardsplit import Card, convert, split
from test_converting import text_of

JARS = [Path("/usr/share/java", name) for name in ("ez-vcard.jar", "vinnie.jar")]
READER = Path(__file__).with_name("EzVcardReader.java")
VERSIONS = ("3.0", "4.0")

# What ez-vcard reads of both; properties that a version lacks are kept as X-… and compared by
# their notes elsewhere.
COMPARED = frozenset({"StructuredName", "FormattedName", "Organization", "Title", "Role", "Note",
                      "Telephone", "Email", "Address", "Url", "Uid", "Nickname", "Categories",
                      "Photo", "Logo", "Birthday", "Geo", "Revision", "Impp"})  # fmt: skip
Value = tuple[str, str, bytes]


def is_plain(card: Card) -> bool:
    """Whether ez-vcard, which is given UTF-8, can be expected to read the original as it is meant.

    Not where lines are folded against the version's rules, charsets are mixed, or a value of 2.1
    has escapes, of which that version has one and programs write several.
    """
    text = card.shown
    odd = b"\r\r\n" in text or b"CHARSET=SHIFT" in text.upper() or not card.version
    return not odd and not (card.version == "2.1" and (b"\\" in text or b"\n " in text))


def read(folder: Path) -> dict[str, list[Counter[Value]]]:
    """The values of each card of each file, as ez-vcard reads them."""
    command = ["java", "-cp", ":".join(map(str, JARS)), str(READER), str(folder)]
    shown = subprocess.run(command, capture_output=True, check=True, timeout=600).stdout
    found: dict[str, dict[str, Counter[Value]]] = defaultdict(lambda: defaultdict(Counter))
    for line in shown.decode("utf-8").splitlines():
        file, number, name, part, value = line.split("\t")
        found[file][number][name, part, said(base64.b64decode(value), part)] += 1
    return {file: [cards[number] for number in sorted(cards)] for file, cards in found.items()}


def said(value: bytes, part: str) -> bytes:
    """A value without what depends on the platform: how lines break, and blanks around them."""
    return value if part == "data" else b" ".join(re.sub(rb"\r\n?", rb"\n", value).split())


def is_kept(value: Value, new: Counter[Value]) -> bool:
    """Whether a value need not be in the converted card, or more than it is there.

    ez-vcard stops reading base64 of 2.1 at the first line that is not indented, the extension of a
    `tel:` URI is part of the number in 3.0, and 3.0 has no dates that are text.
    """
    name, part, old = value
    if name not in COMPARED or (name, part) == ("Birthday", "text"):
        return True
    may_grow = part == "data" or name == "Telephone"
    return may_grow and any(one[:2] == (name, part) and one[2].startswith(old) for one in new)


@pytest.fixture(scope="module")
def folder(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each real card alone in a file, as it was and in both versions."""
    if absent := [str(jar) for jar in JARS if not jar.exists()]:
        pytest.skip(f"no {' and no '.join(absent)}; install libez-vcard-java and libvinnie-java")
    if not shutil.which("javac"):
        pytest.skip("no JDK here; Java runs the reader from its source")
    target = tmp_path_factory.mktemp("cards")
    cards = [c for file in sorted(corpora.rglob("*.vcf")) for c in split(file.read_bytes())]
    for number, one in enumerate(one for one in cards if one.lines and is_plain(one)):
        (target / f"{number}-old").write_text(text_of(bytes(one)), "utf-8", newline="")
        for version in VERSIONS:
            (target / f"{number}-{version}").write_bytes(convert(one, version).data)
    return target


def test_ez_vcard_reads_the_same_before_and_after(folder: Path):
    """Names, numbers, addresses, dates, notes and photos of every real card, in 3.0 and in 4.0."""
    values = read(folder)
    differing: list[tuple[str, Value]] = []
    compared = 0
    for file in sorted(file for file in values if file.endswith("-old")):
        for version in VERSIONS:
            name = file.replace("old", version)
            new, old = values[name][0], values[file][0]
            assert new["VERSION", "", version.encode()] == 1
            compared += sum(old[value] for value in old if value[0] in COMPARED)
            differing += [(name, value) for value in old - new if not is_kept(value, new)]
    assert compared > 2 * len(list(folder.iterdir()))
    assert differing == []
