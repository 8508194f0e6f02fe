"""What is known of a run beyond its rows: which method took over, and which attempt came lower."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from thalweg.solution import End, Outcome

if TYPE_CHECKING:
    from thalweg._run.step_loop import Loop
    from thalweg.solvers.base import AbstractJitMethod

ENDED = (Outcome.CONVERGED, Outcome.PLATEAU, Outcome.STALLED)  # by the method itself
SAME = 1e-6  # relative difference of losses up to which two attempts have come equally far


class Earlier(NamedTuple):
    """An attempt that ended in the middle of a run, which then began again at its start.

    Attributes:
        name: Its method.
        loss: The least loss that it found.
        outcome: The value of its `Outcome`; empty where the method does not say.
    """

    name: str
    loss: float
    outcome: str

    @classmethod
    def of(cls, method: AbstractJitMethod, loop: Loop, loss: float) -> Earlier:
        """The attempt of a method that has just ended."""
        outcome = method.outcome_before_restart(loop.solver_state)
        return cls(method.name, loss, outcome.value if outcome else "")


class Notes(NamedTuple):
    """Kept with the state of a run.

    Attributes:
        detail: Which methods took over, and where.
        earlier: The attempt before the present one; None for none.
    """

    detail: str = ""
    earlier: Earlier | None = None

    def handed_over(self, *, to: str, step: int, earlier: Earlier | None) -> Notes:
        """After the next method has taken over.

        Args:
            to: Its name.
            step: The step at which it did.
            earlier: The attempt that ended, where the run begins again at its start.
        """
        where = "" if earlier is None else " from the start"
        detail = f"{self.detail}`{to}` took over at step {step}{where}. "
        return Notes(detail, self.earlier if earlier is None else earlier)

    def end(self, last: End, *, loss: float) -> End:
        """How the run ended.

        An earlier attempt that came lower is what the run returns, so its outcome counts.

        Args:
            last: How the last attempt ended.
            loss: The loss where it did; infinite before its first step.
        """
        outcome, text = last.outcome, self.detail + last.detail
        if self.earlier is None:
            return End(outcome, text)
        name, before, its_outcome = self.earlier
        if abs(loss - before) <= SAME * abs(before):
            return End(outcome, f"{text.rstrip()} `{name}` had come to the same loss.")
        if loss < before:
            return End(outcome, f"{text.rstrip()} It came lower than `{name}`.")
        if its_outcome and outcome in ENDED:
            outcome = Outcome(its_outcome)
        return End(outcome, f"{self.detail}`{name}` had come lower; its point is returned.")
