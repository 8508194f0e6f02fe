"""Step control: whether an attempt at a step is taken, and which step size comes next.

`controls` is what a caller configures, `step_size` the rules for h, `attempts` the rule by which
attempts are judged and the loop that makes them. `line_search` looks for a length along a fixed
direction. `patience` says when a method no longer pays.
"""

from thalweg.solvers.step_control.attempts import (
    MAX_ATTEMPTS,
    Search,
    attempt_until_taken,
    finite_code,
    judge_by_error,
    judge_by_loss,
    start_search,
    step_result,
)
from thalweg.solvers.step_control.controls import (
    DESCENT,
    Accuracy,
    Descent,
    refuse_other_control,
)
from thalweg.solvers.step_control.flatness import has_no_effect, has_vanished, is_flat, is_spent
from thalweg.solvers.step_control.line_search import (
    LineSearch,
    first_length,
    narrowed,
    start_line_search,
)
from thalweg.solvers.step_control.patience import Period, after_step, refuse_patience
from thalweg.solvers.step_control.step_size import (
    ACCEPT,
    FACTOR,
    GOOD,
    H_MAX,
    LENGTHEN,
    LONGEST,
    POOR,
    next_h,
    next_h_by_error,
)

__all__ = [
    "ACCEPT",
    "DESCENT",
    "FACTOR",
    "GOOD",
    "H_MAX",
    "LENGTHEN",
    "LONGEST",
    "MAX_ATTEMPTS",
    "POOR",
    "Accuracy",
    "Descent",
    "LineSearch",
    "Period",
    "Search",
    "after_step",
    "attempt_until_taken",
    "finite_code",
    "first_length",
    "has_no_effect",
    "has_vanished",
    "is_flat",
    "is_spent",
    "judge_by_error",
    "judge_by_loss",
    "narrowed",
    "next_h",
    "next_h_by_error",
    "refuse_other_control",
    "refuse_patience",
    "start_line_search",
    "start_search",
    "step_result",
]
