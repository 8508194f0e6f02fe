"""What a run returns: parameters, outcome, history and the work that was done."""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np


class Outcome(enum.Enum):
    """Why a run ended. `.message` says what it means and what to do."""

    CONVERGED = "converged"
    TARGET_REACHED = "target reached"
    BUDGET_SPENT = "budget spent"
    PLATEAU = "plateau"
    STALLED = "stalled"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    STOPPED_BY_CALLBACK = "stopped by callback"
    OVERTAKEN = "overtaken"

    @property
    def message(self) -> str:
        """What happened and what to do, in a sentence or two for a person."""
        return _MESSAGES[self]

    @property
    def is_success(self) -> bool:
        """Whether the run ended where its caller wanted it to."""
        return self in (Outcome.CONVERGED, Outcome.TARGET_REACHED)


_MESSAGES = {
    Outcome.CONVERGED: "The gradient is zero as nearly as asked for or as rounding allows.",
    Outcome.TARGET_REACHED: "The loss is at or below the target.",
    Outcome.BUDGET_SPENT: "The budget ran out first; give more seconds or steps, or loosen the "
    "target. The parameters returned are the best so far.",
    Outcome.PLATEAU: "The loss is flat here, but this is not known to be a minimum; try another "
    "start, or several.",
    Outcome.STALLED: "No step lowers the loss any more, though the gradient is not zero; the loss "
    "may not be smooth there, or the dtype too coarse: try float64, another start or method.",
    Outcome.DIVERGED: "The loss or its derivatives became NaN or infinite; the parameters "
    "returned are the best before that. Check the loss there, or choose a method that controls "
    "its step.",
    Outcome.INTERRUPTED: "Interrupted; the parameters returned are the best so far.",
    Outcome.STOPPED_BY_CALLBACK: "The callback asked to stop.",
    Outcome.OVERTAKEN: "Another start reached the target first.",
}


VISIBLE = 100  # roundings below which a change of the loss is noise


class End(NamedTuple):
    """How a run ended.

    Attributes:
        outcome: Why.
        detail: What is known beyond the outcome's message, in words.
    """

    outcome: Outcome
    detail: str = ""


class Work(NamedTuple):
    """Counters of what a run spent; a method leaves at 0 what it does not do.

    Attributes:
        gradients: Evaluations of ∇L (or of Jᵀr, with its Jacobian) over all data.
        hessian_products: Products of a Hessian or Gauss-Newton matrix with a vector.
        jacobians: Jacobians of the residuals, or dense Hessians.
        factorizations: Matrix factorisations (Cholesky, LU), also those of rejected steps.
        rejected_steps: Attempts that were thrown away.
        newton_failures: Newton iterations that did not converge.
        linear_iterations: Iterations of Krylov solvers.
        losses: Evaluations of the loss alone, without its gradient.
        newton_iterations: Iterations of Newton's method, where a method runs it.
        error_test_failures: Attempts thrown away because their error estimate was too large.
    """

    gradients: int = 0
    hessian_products: int = 0
    jacobians: int = 0
    factorizations: int = 0
    rejected_steps: int = 0
    newton_failures: int = 0
    linear_iterations: int = 0
    losses: int = 0
    newton_iterations: int = 0
    error_test_failures: int = 0


HISTORY_COLUMNS = ("step", "t", "h", "seconds", "loss", "grad_norm", "rejected", *Work._fields)


@dataclasses.dataclass(frozen=True)
class Start:
    """What came of one of several starts.

    Attributes:
        index: Its place, from 0.
        seed: What its parameters were made from; None where they were given.
        params: The best parameters found from there.
        loss: The loss there; infinite where none was computed that is finite.
        outcome: Why it ended.
        detail: What is known beyond the outcome's message.
        history: As in `Solution`; without rows where the start was never begun. Starts that run
            side by side share one clock, so `seconds` also counts what the others took meanwhile.
        work: Totals of the work columns.
    """

    index: int
    seed: int | None
    params: Any
    loss: float
    outcome: Outcome
    detail: str
    history: Mapping[str, np.ndarray]
    work: Work

    @property
    def steps(self) -> int:
        """Accepted steps, as the history counts them."""
        return max(len(self.history["step"]) - 1, 0)


@dataclasses.dataclass(frozen=True, repr=False)
class Solution:
    """The result of `minimize`.

    Attributes:
        params: The best parameters found, a pytree like the one passed in.
        loss: The loss there.
        outcome: Why the run ended.
        history: Equal-length NumPy arrays, one row a step, row 0 the start: `step`, `t` (flow
            time), `h` (size of the step that led there), `seconds` (wall time without
            compilation), `loss`, `grad_norm` (NaN where it was not computed), `rejected` (attempts
            thrown away on the way), and one cumulative column for each field of `Work`. A run that
            ended by itself has a last row with h = 0: the attempts that no longer lowered the loss.
        work: Totals of the work columns.
        compile_seconds: Wall time spent tracing, compiling and calling each program a first time
            for nothing; 0.0 where all was reused.
        method: The name of the method that ran.
        reason: For `auto`, why this method was picked; else empty.
        detail: What is known beyond the outcome's message, such as where a NaN came from.
        starts: Of a call with several starts, what came of each, in their order; all else is that
            of the best one, but `compile_seconds`, which is that of the call. Else empty.
    """

    params: Any
    loss: float
    outcome: Outcome
    history: Mapping[str, np.ndarray]
    work: Work
    compile_seconds: float
    method: str
    reason: str = ""
    detail: str = ""
    starts: tuple[Start, ...] = ()

    @classmethod
    def of(
        cls,
        starts: tuple[Start, ...],
        *,
        best: int,
        compile_seconds: float,
        method: str,
        reason: str,
        has_starts: bool,
    ) -> Solution:
        """The solution of the best of some starts.

        Args:
            starts: The result of each, in their order.
            best: The index of the best.
            compile_seconds: That of the whole call.
            method: The name of the method that ran.
            reason: Why `auto` picked it, or empty.
            has_starts: Whether the caller asked for several starts, and so is shown them all.
        """
        chosen = starts[best]
        return cls(
            params=chosen.params,
            loss=chosen.loss,
            outcome=chosen.outcome,
            history=chosen.history,
            work=chosen.work,
            compile_seconds=compile_seconds,
            method=method,
            reason=reason,
            detail=chosen.detail,
            starts=starts if has_starts else (),
        )

    @property
    def message(self) -> str:
        """The outcome in words, with the detail of this run."""
        return f"{self.outcome.message} {self.detail}".strip()

    def __repr__(self) -> str:
        """Five lines: the verdict, the loss, the parameters, the work, and why this method."""
        from thalweg._describe import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        """For notebooks: the same, with a curve of the loss."""
        from thalweg._describe import as_html

        return as_html(self)

    @property
    def seconds(self) -> float:
        """Wall time of the run without compilation; 0.0 where it was interrupted before."""
        return float(self.history["seconds"][-1]) if len(self.history["seconds"]) else 0.0
