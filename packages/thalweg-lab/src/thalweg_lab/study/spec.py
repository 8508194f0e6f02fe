"""The specification of a run: problem, method with its options, start, budget."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping  # noqa: TC003 - pydantic reads the annotations
from typing import Any

WATCHES = ("measure", "path")
ID_LENGTH = 12  # hexadecimal digits: 2⁴⁸ ids, so no two runs of a study share one


@dataclasses.dataclass(frozen=True)
class RunSpec:
    """Everything that determines a run.

    Attributes:
        problem: A name that `thalweg_lab.problems.load` knows.
        method: The label under which tables and charts show the method.
        maker: The method itself: `name`, one of `thalweg.methods()` or of
            `thalweg_lab.peers`, and its options, such as
            `{"name": "lsoda", "rtol": 1e-4, "max_order": 2}`.
        start: Seed of the starting parameters.
        stop: The fields of `thalweg.Stop` that are set.
        watch: What is recorded along the trajectory: `measure`, the problem's own measure of
            success as a column of the history, and `path`, parameters.
    """

    problem: str
    method: str
    maker: Mapping[str, Any]
    start: int
    stop: Mapping[str, Any]
    watch: tuple[str, ...] = ()

    @functools.cached_property
    def id(self) -> str:
        """A short digest of all fields: equal for equal specifications, on any machine."""
        text = json.dumps(self.as_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]

    def __hash__(self) -> int:
        return hash(self.id)

    def as_json(self) -> dict[str, Any]:
        """The specification as values that JSON knows."""
        return {
            "problem": self.problem,
            "method": self.method,
            "maker": dict(self.maker),
            "start": self.start,
            "stop": dict(self.stop),
            "watch": list(self.watch),
        }
