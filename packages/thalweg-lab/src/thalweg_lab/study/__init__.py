"""Studies: grids of runs, each kept as a record, and the answers that they give.

A study is a definition (`Study`, or a TOML file), a folder (`Store`) and the runs in it (`Run`).
`run_study` makes the missing runs, `thalweg_lab.pages.study_page` shows them.
"""

from __future__ import annotations

from thalweg_lab.study.answer import Answer, Chart, Table
from thalweg_lab.study.plan import Grid, Study
from thalweg_lab.study.run import Run, execute, params_of
from thalweg_lab.study.spec import RunSpec
from thalweg_lab.study.store import Store

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
