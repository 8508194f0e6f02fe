"""The studies that come with thalweg, and the answers that they give."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thalweg_lab.study.answer import Answer
    from thalweg_lab.study.plan import Study
    from thalweg_lab.study.run import Run

# name -> its module, with functions `study() -> Study` and `answers(runs) -> Mapping`
SHIPPED: dict[str, str] = {
    "revisited": "thalweg_lab.study.revisited",
    "presentations": "thalweg_lab.study.presentations",
}


def shipped(name: str) -> Study:
    """The shipped study of a name in `SHIPPED`."""
    return _module(name).study()


def answers_of(study: Study, runs: Sequence[Run]) -> Mapping[str, Answer]:
    """The answers of a study from its runs; empty where the study asks nothing."""
    return _module(study.answers).answers(runs) if study.answers else {}


def _module(name: str) -> Any:
    return importlib.import_module(SHIPPED[name])
