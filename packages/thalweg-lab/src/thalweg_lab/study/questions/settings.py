"""How a method was set: solver, tolerances, cap of the order, source of the Jacobian.

A setting is read from a run's specification, not from its label, so that the answers also read
studies whose labels are others.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thalweg_lab.study.spec import RunSpec

# atol and rtol, as the article has them; then looser; and a schedule from loose to tight.
TIGHT, MIDDLE, LOOSE = "1e-8, 1e-6", "1e-4, 1e-4", "1e-2, 1e-2"
SCHEDULE = "loose to tight"
TOLERANCES: dict[str, dict[str, float]] = {
    TIGHT: {"atol": 1e-8, "rtol": 1e-6},
    MIDDLE: {"atol": 1e-4, "rtol": 1e-4},
    LOOSE: {"atol": 1e-2, "rtol": 1e-2},
    SCHEDULE: {"atol": 1e-8, "rtol": 1e-6, "loosest": 1e-2},
}
_SHORT = {TIGHT: "", MIDDLE: "1e-4", LOOSE: "1e-2", SCHEDULE: "loose to tight"}

EXACT, DIFFERENCES = "exact", "finite-differences"
EXPLICIT = ("dopri5", "dop853", "tsit5", "bogacki-shampine", "chebyshev")
FOLLOWING = (  # implicit solvers that follow the flow to tolerances
    "zvode",
    "vode",
    "lsoda",
    "cvode",
    "cvode-krylov",
    "scipy-radau",
    "scipy-bdf",
    "rosenbrock",
    "bdf",
)


@dataclasses.dataclass(frozen=True)
class Setting:
    """How a method was set.

    Attributes:
        solver: The method's name in `thalweg.methods()`.
        tolerance: A key of `TOLERANCES`; empty for methods without tolerances, and for others.
        cap: The highest order that was allowed; None for the solver's own.
        jacobian: `exact` or `finite-differences`; empty where there is none.
    """

    solver: str
    tolerance: str = ""
    cap: int | None = None
    jacobian: str = ""

    @property
    def label(self) -> str:
        """What tables and charts call it: the solver, and what is not as the article has it."""
        usual = _usual_jacobian(self.solver)
        parts = [
            self.solver,
            _SHORT.get(self.tolerance, ""),
            "" if self.cap is None else f"order {self.cap}",
            "" if self.jacobian == usual else "exact" if self.jacobian == EXACT else "differences",
        ]
        return " ".join(part for part in parts if part)

    @property
    def maker(self) -> dict[str, Any]:
        """The name and options that a study names it by."""
        maker: dict[str, Any] = {"name": self.solver, **TOLERANCES.get(self.tolerance, {})}
        if self.cap is not None:
            maker["max_order"] = self.cap
        if self.jacobian != _usual_jacobian(self.solver):
            maker["jacobian"] = self.jacobian
        return maker


ARTICLE = Setting("zvode", TIGHT, jacobian=DIFFERENCES)


def setting(
    solver: str, tolerance: str = "", *, cap: int | None = None, jacobian: str = ""
) -> Setting:
    """A setting, its Jacobian the solver's usual one where it is left out."""
    return Setting(solver, tolerance, cap, jacobian or _usual_jacobian(solver))


def setting_of(spec: RunSpec) -> Setting:
    """How the method of a run was set."""
    maker = spec.maker
    solver = str(maker["name"])
    return setting(
        solver,
        _tolerance(maker, solver),
        cap=maker.get("max_order"),
        jacobian=str(maker.get("jacobian") or ""),
    )


def _tolerance(maker: Mapping[str, Any], solver: str) -> str:
    if solver not in (*FOLLOWING, *EXPLICIT):
        return ""
    given = {key: maker[key] for key in ("atol", "rtol", "loosest") if maker.get(key) is not None}
    if not given and solver not in ("rosenbrock", "bdf", "chebyshev", "bogacki-shampine"):
        return TIGHT  # the default of the solvers of other libraries
    return next((name for name, values in TOLERANCES.items() if values == given), "")


def _usual_jacobian(solver: str) -> str:
    if solver == "zvode":
        return DIFFERENCES
    return EXACT if solver in FOLLOWING else ""
