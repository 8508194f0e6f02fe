"""The compiled functions of a problem that solvers and the judge share."""

from __future__ import annotations

import dataclasses
import functools
import time
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg_lab.fits import FitProblem


@dataclasses.dataclass(frozen=True, eq=False)
class Programs:
    """Residuals and Jacobian of a problem, compiled on first use, for callers in NumPy.

    Attributes:
        task: The problem.
        kept: What solvers compile for it beyond that, by their names.
    """

    task: FitProblem
    kept: dict[str, tuple[Any, float]] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def _compiled(self) -> tuple[Any, Any, float]:
        began = time.process_time()
        theta = jnp.zeros(self.task.size)
        residuals = jax.jit(self.task.residuals).lower(theta).compile()
        jacobian = jax.jit(jax.jacfwd(self.task.residuals)).lower(theta).compile()
        return residuals, jacobian, time.process_time() - began

    @property
    def compile_seconds(self) -> float:
        """Processor time that both took to compile."""
        return self._compiled[2]

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """Residuals, shape `(m,)`, at parameters of shape `(n,)`."""
        return np.array(self._compiled[0](jnp.asarray(theta)))  # a copy: MINPACK writes into it

    def jacobian(self, theta: np.ndarray) -> np.ndarray:
        """Their Jacobian, shape `(m, n)`."""
        return np.array(self._compiled[1](jnp.asarray(theta)))

    @functools.cached_property
    def hessian(self) -> Callable[[np.ndarray], np.ndarray]:
        """Maps parameters to the Hessian of half the sum of squares, shape `(n, n)`."""

        def half(theta: jax.Array) -> jax.Array:
            return 0.5 * jnp.sum(self.task.residuals(theta) ** 2)

        compiled = jax.jit(jax.hessian(half))
        return lambda theta: np.asarray(compiled(jnp.asarray(theta)))
