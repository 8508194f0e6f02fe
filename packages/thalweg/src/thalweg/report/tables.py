"""What a table of a page shows; `table` in `templates/parts.html` writes it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from thalweg.report.looks import Look


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: What stands in it; words in backticks are set as code.
        note: A second line, smaller.
        mark: A word after the text that makes it stand out, such as `first`.
        css: Classes: `won` shades it, `none` greys it, `left` aligns it left, `words` lets long
            text wrap.
        look: An entrant's look, drawn before the text.
        href: The id on the page that the text leads to.
        links: Ids of runs to link to; folded where there are several.
    """

    text: str = ""
    note: str = ""
    mark: str = ""
    css: str = ""
    look: Look | None = None
    href: str = ""
    links: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Row:
    """One row; its first cell is its head.

    Attributes:
        cells: As many as the table has columns.
        key: The row's id on the page; none where it is empty.
        entrant: The entrant whose row it is.
    """

    cells: Sequence[Cell | str]
    key: str = ""
    entrant: str = ""

    def __iter__(self) -> Iterator[Cell]:
        return (cell if isinstance(cell, Cell) else Cell(cell) for cell in self.cells)


@dataclasses.dataclass(frozen=True)
class Table:
    """A table that scrolls sideways by itself where the page is narrow.

    Attributes:
        title: The caption.
        heads: The head of each column; none for a table without.
        rows: The rows.
        css: Classes of the table.
        name: What a screen reader calls it where the caption does not say of what it is.
        left: The columns that hold words, which are aligned left; counted from 0.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Row]
    css: str = "work"
    name: str = ""
    left: Sequence[int] = ()
