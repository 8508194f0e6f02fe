"""Cards and files for the tests: written out, drawn by hypothesis, and generated in bulk."""

import random
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st

FAMILIES = [
    *("Miller", "Schmidt", "Müller", "Mayer", "Schneider"),
    *("Fischer", "Weber", "Wagner", "Becker", "Hoffmann"),
]
GIVEN = ["Peter", "Anna", "Jürgen", "Maria", "Hans", "Eva", "Karl", "Ute", "Max", "Ida"]
COMPANIES = [
    *("ABC-Corp", "XYZ-Corp;Sales", "Müller GmbH", "Acme\\, Inc", "", ""),
    *(f"{name} {kind}" for name in FAMILIES for kind in ("AG", "Ltd", "Bau;Berlin")),
]


def card(*lines: str, version: str = "3.0", eol: str = "\r\n", codec: str = "utf-8") -> bytes:
    """One card of these lines between BEGIN, VERSION and END."""
    text = ["BEGIN:VCARD", f"VERSION:{version}", *lines, "END:VCARD", ""]
    return eol.join(text).encode(codec)


def peter(company: str = "", *more: str, family: str = "Miller", **how: str) -> bytes:
    """A card of a Peter, with a company or none."""
    return card(f"N:{family};Peter", *([f"ORG:{company}"] if company else []), *more, **how)


def quoted(text: str) -> str:
    """Text in UTF-8 and quoted-printable."""
    plain = {ord(" "), *range(ord("A"), ord("z") + 1), *range(ord("0"), ord("9") + 1)}
    return "".join(chr(b) if b in plain else f"={b:02X}" for b in text.encode())


def made_cards(count: int, *, namesakes: float = 0.05, seed: int = 1) -> Iterator[bytes]:
    """Cards of mixed versions as programs export them, about 420 bytes each.

    Args:
        count: How many.
        namesakes: The share of them whose name is drawn from a small pool.
        seed: Of the random numbers.
    """
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    for number in range(count):
        pool = max(1, int(count * namesakes) // 250)
        tail = draw.randrange(pool) if draw.random() < namesakes else pool + number
        family, given = f"{draw.choice(FAMILIES)}-{tail}", draw.choice(GIVEN)
        version = draw.choice(["2.1", "3.0", "3.0", "4.0"])
        coded = ";CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE"
        put = quoted if version == "2.1" else str
        lines = [
            f"{name}{'' if version != '2.1' or value.isascii() else coded}:"
            f"{value if value.isascii() else ';'.join(map(put, value.split(';')))}"
            for name, value in (
                ("N", f"{family};{given};;;"),
                ("FN", f"{given} {family}"),
                ("ORG", draw.choice(COMPANIES)),
            )
            if value
        ]
        lines += [
            f"TEL;TYPE=CELL:+49 170 {draw.randrange(10**7):07}",
            f"TEL;TYPE=WORK:+49 30 {draw.randrange(10**6):06}",
            f"EMAIL;TYPE=INTERNET:p{number}@example.com",
            f"ADR;TYPE=HOME:;;Hauptstrasse {number % 300};Berlin;;{10000 + number % 9999};Germany",
            "BDAY:1970-01-01",
            "URL:http://www.example.com/some/page",
            "NOTE;ENCODING=QUOTED-PRINTABLE:Some longer text=0D=0Athat says=\r\n little"
            if version == "2.1"
            else "NOTE:Some longer text that says nothing at all\\, but on\r\n  more lines",
            "REV:2020-01-01T00:00:00Z",
        ]
        yield card(*lines, version=version)


def write_cards(path: Path, count: int, **how: float) -> Path:
    """Write a file of made cards."""
    with path.open("wb") as file:
        for made in made_cards(count, **how):  # type: ignore[arg-type]  # numbers all
            file.write(made)
    return path


# ------------------------------------------------------------------------------- for hypothesis

BREAKS = st.sampled_from([b"\r\n", b"\n", b"\r", b"\r\n", b"\n", b""])
FRAGMENTS = st.sampled_from(
    [
        b"BEGIN:VCARD",
        b"END:VCARD",
        b"BEGIN:vCard",
        b"begin : vcard ",
        b"BEG\n IN:VCARD",
        b"END\r\n\t:VCARD",
        b"N:Miller;Peter",
        b"NOTE:BEGIN:VCARD",
        b"BEGIN:VCARDX",
        b" folded=",
        b"NOTE;ENCODING=QUOTED-PRINTABLE:a=",
        b"NOTE;QUOTED-PRINTABLE:a=",
        b"x=",
        b"=",
        b" folded",
        b"PHOTO;BASE64:aa=",
        b"AAAA",
        b"\tEND:VCARD",
        b"AGENT:",
        b"AGENT:BEGIN:VCARD",
        b"",
        b" ",
        b"item1.AGENT;X=1:begin:vcard",
        b"\xef\xbb\xbfBEGIN:VCARD",
        b"stray",
        b"VERSION:3.0",
        b'X;Y="a:b";QUOTED-PRINTABLE:z=',
        b"BEGIN:VCARD\n x",
        b"\0",
        b"\xe4",
        b"END:VCARDBEGIN:VCARD",
        b"end:vcard,begin:vCard",
        b"END:VCARD;ENCODING=QUOTED-PRINTABLE:x=",
        b"item1.BEGIN:VCARD",
        b"a.END:VCARD",
        b"b.\r\n END:VCARD -- \xef\xbb\xbfb.BEGIN:VCARD",
    ]
)
WHOLE_CARDS = st.sampled_from(
    [
        *(card("N:a"), card("N:a", eol="\n"), card("PHOTO:a="), b"BEGIN:VCARD\nN:a\nEND:VCARD\n"),
        *(card("N:a").lower(), card("N:a").replace(b"VCARD", b"vCard"), card("N:a") + b"\n"),
    ]
)
#: Files that break every rule, with some whole cards among them.
WILD_FILES = st.lists(
    st.one_of(st.tuples(FRAGMENTS, BREAKS), st.tuples(WHOLE_CARDS, st.just(b""))), max_size=25
).map(lambda parts: b"".join(a + b for a, b in parts))

_LOOK_ALIKES = ["Miller /A/", "Miller /B/", "Miller /A//", "Miller /1/", "/A/", "Miller /A/ /B/"]


@st.composite
def namesakes(draw: st.DrawFn) -> bytes:
    """A card from so small a world that most of them clash, look-alikes of marks among them."""

    def pick(*choices: str) -> str:
        return draw(st.sampled_from(choices))

    family = pick(
        *("Miller", "miller", "", "Müller", "M /a", "Miller ", "Miller /A 1/", *_LOOK_ALIKES),
        *("Miller,Smith", "Miller /A/,Smith", ",Smith", "Miller\\,Smith"),
    )
    given = pick("Peter", "peter", "", " ", "P /A/", "Peter,Paul")
    both, other = f"{family};{given}", pick("Miller", "Miller /A/")
    lines = {
        "plain": [f"N:{both}"],
        "quoted": [f"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:{both.replace('ü', '=C3=BC')}"],
        "middle": [f"N:{both};M"],
        "suffix": [f"N:{both};;;/A/"],
        "none": [],
        "group": [f"item1.N:{both};;;"],
        "small": [f"n:{both}"],
        "two": [f"N;ALTID=1:{both}", f"N;ALTID=1;LANGUAGE=x:{other};{given}"],
        "two turned": [f"N;ALTID=1;LANGUAGE=x:{other};{given}", f"N;ALTID=1:{both}"],
        "blank": ["N:;;;;"],
        "like new": [f"N:;{given} /A/;;;"],
        "cut": ["N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:" + pick("M=C3", "M=C4", "M=E2=82")],
        "folded": [f"N:{family}\r\n ;{given}"],
    }[pick("plain", "plain", "plain", "quoted", "middle", "suffix", "none", "group", "small", "two",
           "two turned", "blank", "like new", "cut", "folded")]  # fmt: skip
    for name, values in (
        ("FN", (f"{given} {family}", "Peter Miller", "Peter Miller /A/")),
        ("ORG", ("A", "B", "A;x", "A;y", "", "Ä", "A/B", "A 1")),
        ("TITLE", ("T", "A")),
        ("EMAIL", ("a@b", "1")),
    ):
        if value := draw(st.none() | st.sampled_from(values)):
            lines = [*lines, f"{name}:{value}"]
    return card(*lines, version=pick("2.1", "3.0", "4.0"), eol=pick("\r\n", "\n"))


#: Files in which most cards clash.
CLASHING_FILES = st.lists(namesakes(), min_size=1, max_size=6)


def written(folder: Path, name: str, data: bytes) -> str:
    """A new file of that name."""
    (folder / name).write_bytes(data)
    return str(folder / name)


def everything_in(folder: Path) -> dict[str, bytes]:
    """All files of a folder and what they hold, hidden ones and those below included."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
