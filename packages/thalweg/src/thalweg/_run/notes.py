"""What is known of a run beyond its rows: which method took over, and which attempt came lower."""

from __future__ import annotations

from typing import NamedTuple

from thalweg.solution import End, Outcome

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

    def end(self, last: End, *, best_loss: float) -> End:
        """How the run ended.

        An earlier attempt that came lower is what the run returns, so its outcome counts.

        Args:
            last: How the last attempt ended.
            best_loss: The least loss of the run.
        """
        outcome, text = last.outcome, self.detail + last.detail
        if self.earlier is None:
            return End(outcome, text)
        name, loss, before = self.earlier
        if abs(best_loss - loss) <= SAME * abs(loss):
            return End(outcome, f"{text.rstrip()} `{name}` had come to the same loss.")
        if best_loss < loss:
            return End(outcome, f"{text.rstrip()} It came lower than `{name}`.")
        if before and outcome in ENDED:
            outcome = Outcome(before)
        text = f"{self.detail}`{name}` had come lower; its point is returned."
        return End(outcome, text)
