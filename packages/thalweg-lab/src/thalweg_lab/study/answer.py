"""What a study answers: a question, a verdict in one sentence, and the numbers behind it.

A shipped study is a module with two functions, named in `thalweg_lab.study.shipped`:

    study() -> Study                            which runs are made
    answers(runs) -> Mapping[str, Answer]       what they show

`answers` is called with whatever runs are finished, in any order and number, failed ones among
them; it says in a verdict where the runs do not suffice. It reads records only and trains nothing,
so the same folder gives the same answers on any machine.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from thalweg._util.record import json_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

Cell = str | int | float | None  # None: there is no such value


@dataclasses.dataclass(frozen=True)
class Table:
    """A table behind a verdict; each row names the runs that it was made of.

    Attributes:
        title: What is shown.
        columns: The head of each column; the first names the rows.
        rows: One tuple a row, as long as `columns`.
        run_ids: For each row, the ids of the runs that its numbers come from.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    run_ids: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        widths = {len(row) for row in self.rows}
        if not widths <= {len(self.columns)} or len(self.rows) != len(self.run_ids):
            raise ValueError(
                f"table `{self.title}` has {len(self.columns)} columns, rows of {sorted(widths)} "
                f"cells, {len(self.rows)} rows and ids for {len(self.run_ids)} of them"
            )


@dataclasses.dataclass(frozen=True)
class Summary:
    """The small table that stands beside a verdict: a row per problem or per quantity.

    Attributes:
        columns: The head of each column; the first names the rows.
        rows: One tuple a row, as long as `columns`.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def as_json(self) -> list[dict[str, Cell]]:
        """The rows by column."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclasses.dataclass(frozen=True)
class Chart:
    """A chart of lines behind a verdict.

    Attributes:
        title: The headline.
        caption: How to read it; a sentence or two.
        x_label: The horizontal axis, with its unit.
        y_label: The vertical axis, with its unit.
        lines: Label of a method to `(x, y)`, arrays of one length; what is not finite is left out.
        run_ids: The ids of the runs that the lines come from.
        x_log: Whether the horizontal axis is logarithmic.
        y_log: Whether the vertical axis is logarithmic.
    """

    title: str
    caption: str
    x_label: str
    y_label: str
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]]
    run_ids: tuple[str, ...]
    x_log: bool = True
    y_log: bool = True


@dataclasses.dataclass(frozen=True)
class Answer:
    """One question and its answer, computed from the records.

    Attributes:
        question: In plain words, with a question mark.
        verdict: The answer in one sentence of fewer than 30 words, "undecided" among them where
            the runs do not suffice.
        numbers: What the verdict rests on, by name; values that JSON knows.
        tables: The tables behind it.
        charts: The charts behind it.
        summary: The few numbers that a reader wants first; None where there are no runs.
    """

    question: str
    verdict: str
    numbers: Mapping[str, Any]
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    summary: Summary | None = None

    def as_json(self) -> dict[str, Any]:
        """For another program: question, verdict, numbers, and each table as rows by column."""
        tables = [
            {
                "title": table.title,
                "rows": [
                    {**dict(zip(table.columns, row, strict=True)), "run_ids": ids}
                    for row, ids in zip(table.rows, table.run_ids, strict=True)
                ],
            }
            for table in self.tables
        ]
        return json_values(
            {
                "question": self.question,
                "verdict": self.verdict,
                "numbers": dict(self.numbers),
                "summary": self.summary.as_json() if self.summary is not None else [],
                "tables": tables,
            }
        )
