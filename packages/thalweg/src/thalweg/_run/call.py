"""A call of a compiled program, as a run asks whoever drives it to make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._run.step_loop import Limits, Loop


class Call(NamedTuple):
    """A call of a compiled program that a run waits for.

    Attributes:
        program: That of `run_chunk`; in a run of some width, that of `run_side_by_side`.
        loop: The state to go on from.
        limits: When the call ends.
    """

    program: Callable[..., Any]
    loop: Loop
    limits: Limits
