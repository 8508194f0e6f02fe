"""What every page begins and ends with: head, style and script, all inside the one file."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from thalweg.report.text import escape

if TYPE_CHECKING:
    from collections.abc import Sequence


def whole_page(title: str, body: str, *, styles: Sequence[str] = ()) -> str:
    """A page that loads nothing from anywhere.

    Args:
        title: The title of the window.
        body: HTML; what has the id `results` can be skipped to by keyboard.
        styles: Files of this folder to add to `page.css`.
    """
    own = files("thalweg.report")
    style = "".join(
        own.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", *styles)
    )
    script = own.joinpath("page.js").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        # A browser would ask the server for an icon; this one is empty.
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        '<a class="skip" href="#results">Skip to the results</a>'
        f"{body}<script>{script}</script></body></html>\n"
    )


def scrolling(label: str, table: str) -> str:
    """A table that scrolls sideways by itself where the page is narrow, also by keyboard."""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">{table}</div>'
    )
