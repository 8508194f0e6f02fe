"""Newton's method for diffrax's implicit solvers, with its iterations counted.

diffrax's step does not report how often it evaluated the vector field. So the state has one more
component, on which no equation depends and which no norm includes: in it the root finder returns
the number of iterations, and so of evaluations, of a stage, and the step returns the stages.

This module imports diffrax; import it only where diffrax is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import diffrax
import jax.numpy as jnp
import optimistix

if TYPE_CHECKING:
    from collections.abc import Callable

    import jax

State = tuple[Any, Any]  # θ of shape `(n,)`, and the counter


def norm_of_theta(state: State) -> jax.Array:
    """The root mean square over the parameters."""
    return optimistix.rms_norm(state[0])


@final
class CountedChord(optimistix.AbstractRootFinder):
    """diffrax's own root finder, `VeryChord`, on states with a counter.

    Attributes:
        chord: The root finder itself.
    """

    rtol: Any
    atol: Any
    norm: Callable[[State], jax.Array]
    chord: diffrax.VeryChord

    def __init__(self, rtol: Any, atol: Any) -> None:
        self.rtol, self.atol, self.norm = rtol, atol, norm_of_theta
        self.chord = diffrax.VeryChord(rtol=rtol, atol=atol, norm=norm_of_theta)

    def init(self, *arguments: Any, **keywords: Any) -> Any:
        """Factorise a new Jacobian, or reuse the one in `options`."""
        return self.chord.init(*arguments, **keywords)

    def step(self, *arguments: Any, **keywords: Any) -> Any:
        """Take one iteration: one evaluation of the vector field."""
        return self.chord.step(*arguments, **keywords)

    def terminate(self, *arguments: Any, **keywords: Any) -> Any:
        """Whether it has converged or failed."""
        return self.chord.terminate(*arguments, **keywords)

    def postprocess(
        self,
        fn: Any,
        y: State,
        aux: Any,
        args: Any,
        options: Any,
        state: Any,
        tags: Any,
        result: Any,
    ) -> tuple[State, Any, dict[str, Any]]:
        """The root, with the number of iterations in the counter."""
        del fn, args, options, tags, result
        theta, counter = y
        return (theta, jnp.asarray(state.step, counter.dtype)), aux, {}
