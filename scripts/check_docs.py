"""What `make docs` checks once the pages are built, without a network.

Every link within the built pages leads to a page and an anchor that are there, every link between
Markdown files to a file and a heading, and every command shown exists with its options.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from shown_commands import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "docs/_build/html"
MADE = {"_build", "_generated"}
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


class Anchors(HTMLParser):
    """The links of a page and the places that links may lead to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an identifier, and where a link or a picture leads."""
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag in {"a", "img", "link", "script"}:
            self.links += [given[name] for name in ("href", "src") if name in given]


@cache
def anchors_of(page: Path) -> Anchors:
    """Links and places of a built page."""
    read = Anchors()
    read.feed(page.read_text("utf-8"))
    return read


def pages() -> list[Path]:
    """Every Markdown file of the project."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("packages/*/*.md"), *ROOT.glob("docs/**/*.md")]
    return sorted(page for page in found if MADE.isdisjoint(page.relative_to(ROOT).parts))


def dead_links_of(page: Path) -> Iterator[str]:
    """Links of a built page that lead nowhere."""
    for link in anchors_of(page).links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if target.is_dir():
            target /= "index.html"
        if not target.exists():
            yield f"`{link}` leads to no file"
        elif (
            parts.fragment
            and target.suffix == ".html"
            and unquote(parts.fragment) not in anchors_of(target).places
        ):
            yield f"`{link}` leads to no place on the page"


def slugs_of(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a Markdown file."""
    headings = HEADING.findall(FENCE.sub("", page.read_text("utf-8")))
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def dead_links_between(page: Path) -> Iterator[str]:
    """Relative links of a Markdown file that lead to no file, or to no heading of it."""
    text = re.sub(r"`[^`\n]+`(?!\])", "", FENCE.sub("", page.read_text("utf-8")))
    for link in LINK.findall(text):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = page.parent / unquote(parts.path) if parts.path else page
        if not target.exists():
            yield f"`{link}` leads to no file"
        elif parts.fragment and target.suffix == ".md" and parts.fragment not in slugs_of(target):
            yield f"`{link}` leads to no heading"


def found() -> Iterator[str]:
    """Every fault, with the file that it is in."""
    # Of a source page Sphinx's viewcode links back by one name for all of its module.
    built = [page for page in sorted(BUILT.rglob("*.html")) if "_modules" not in page.parts]
    if not built:
        yield f"{BUILT.relative_to(ROOT)}: no page is there; `make docs` builds them"
    for page in built:
        for fault in dict.fromkeys(dead_links_of(page)):
            yield f"{page.relative_to(ROOT)}: {fault}"
    for page in pages():
        for fault in (*dead_links_between(page), *faults(page.read_text("utf-8"))):
            yield f"{page.relative_to(ROOT)}: {fault}"


if __name__ == "__main__":
    every = list(found())
    for one in every:
        print(one, file=sys.stderr)
    sys.exit(bool(every))
