"""Studies: grids of runs, each kept as a record, and the answers that they give.

A study is a definition (`Study`, or a TOML file), a folder (`Store`) and the runs in it (`Run`).
`run_study` makes those that are missing, `thalweg.report.study_page` shows them.
"""

from __future__ import annotations

from thalweg.study.answer import Answer, Chart, Table
from thalweg.study.plan import Grid, Study
from thalweg.study.run import Run, execute, params_of
from thalweg.study.spec import RunSpec
from thalweg.study.store import Store

__all__ = [
    "Answer",
    "Chart",
    "Grid",
    "Run",
    "RunSpec",
    "Store",
    "Study",
    "Table",
    "execute",
    "params_of",
]
