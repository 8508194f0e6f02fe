"""The vector field -∇L and its Jacobian, as ODE integrators of other libraries call them.

The last evaluation is kept, so that a solver's first call repeats no work, and a row costs nothing
at a point where the solver has just evaluated.

An exception must not leave a callback: SciPy 1.17's DOPRI5 goes on calling and loses it, and older
Fortran wrappers print a traceback of their own. So the exception is kept in `ended`, and the field
is 0 from then on, which brings any solver to the end of its step within a few attempts; there it is
raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np

from thalweg._recorder import RunEnded
from thalweg.solution import Outcome
from thalweg.solvers.adapters.host_loop import check_budget

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._recorder import Recorder
    from thalweg.flow.compiled import HostFunctions


class Point(NamedTuple):
    """An accepted point, with what a row of the history needs.

    Attributes:
        theta: The point, shape `(n,)`, float64.
        loss: The loss there.
        grad_norm: |∇L| there; NaN if the solver did not evaluate it.
    """

    theta: np.ndarray
    loss: float
    grad_norm: float


@final
class NegativeGradient:
    """f(t, θ) = -∇L(θ), with counters.

    Args:
        functions: The functions of the flow.
        recorder: Its budgets are checked before each evaluation.
        dtype: The dtype of the parameters.

    Attributes:
        is_float32: Whether the parameters are float32.
        calls: Evaluations made for the solver.
        extra_gradients: Gradients that the solver does not know of: for rows, and for
            `differences`.
        losses: Evaluations of the loss alone, for rows.
        jacobians: Jacobians, exact or by differences.
        products: Hessian products.
        accepted: The last point passed to `at`, shape `(n,)`.
        ended: The exception that ended the run inside a callback; None until then.
    """

    def __init__(self, functions: HostFunctions, recorder: Recorder, *, dtype: np.dtype) -> None:
        self._functions = functions
        self._recorder = recorder
        self._eps = float(np.finfo(dtype).eps)
        self._theta: np.ndarray | None = None  # the point of the last evaluation, with ...
        self._loss, self._grad = np.nan, np.empty(0)  # ... L and ∇L
        self.is_float32 = np.dtype(dtype) == np.float32
        self.calls = 0
        self.extra_gradients = 0
        self.losses = 0
        self.jacobians = 0
        self.products = 0
        self.accepted = np.empty(0)
        self.ended: BaseException | None = None

    def __call__(self, _: float, theta: np.ndarray) -> np.ndarray:
        """-∇L of shape `(n,)`; 0 once the run has ended."""

        def evaluate() -> np.ndarray:
            grad = self._gradient(np.real(theta))
            self.calls += 1
            return -grad

        return self._guarded(evaluate, theta.shape)

    def jacobian(self, _: float, theta: np.ndarray) -> np.ndarray:
        """-∇²L of shape `(n, n)`; 0 once the run has ended. Cost: n Hessian products."""

        def evaluate() -> np.ndarray:
            check_budget(self._recorder, gradients=self.gradients)
            matrix = -self._functions.dense_hessian(np.real(theta))
            self.jacobians += 1
            return matrix

        return self._guarded(evaluate, 2 * theta.shape)

    def product(self, theta: np.ndarray, v: np.ndarray) -> np.ndarray:
        """-∇²L v of shape `(n,)`; 0 once the run has ended. Cost: a Hessian product."""

        def evaluate() -> np.ndarray:
            check_budget(self._recorder, gradients=self.gradients)
            product = -self._functions.hessian_product(theta, v)
            self.products += 1
            return product

        return self._guarded(evaluate, theta.shape)

    def differences(self, _: float, theta: np.ndarray) -> np.ndarray:
        """-∇²L of shape `(n, n)` by forward differences, with increments that suit the dtype.

        Cost: n + 1 gradients.
        """

        def evaluate() -> np.ndarray:
            at = np.real(theta)
            base = self._extra_gradient(at).copy()
            matrix = np.empty((at.size, at.size))
            for j in range(at.size):
                moved = at.copy()
                moved[j] += np.sqrt(self._eps) * (1 + abs(at[j]))
                matrix[:, j] = (base - self._extra_gradient(moved)) / (moved[j] - at[j])
            self.jacobians += 1
            return matrix

        return self._guarded(evaluate, 2 * theta.shape)

    def at(self, theta: np.ndarray) -> Point:
        """The point of a row; only what is not yet known there is evaluated."""
        self.accepted = np.array(theta)
        if self._theta is None:  # the start, which the solver evaluates first
            self._evaluate(theta)
        elif not np.array_equal(self._theta, theta):
            if self._recorder.stop.grad_norm is None:
                self.losses += 1
                return Point(self.accepted, self._functions.loss(theta), np.nan)
            self._extra_gradient(theta)
        return Point(self.accepted, self._loss, float(np.linalg.norm(self._grad)))

    @property
    def gradients(self) -> int:
        """All gradients evaluated so far."""
        return self.calls + self.extra_gradients

    def _guarded(self, evaluate: Callable[[], np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        if self.ended is None:
            try:
                return evaluate()
            except BaseException as error:  # noqa: BLE001 - Ctrl-C too; raised after the step
                self.ended = error
        return np.zeros(shape)

    def _extra_gradient(self, theta: np.ndarray) -> np.ndarray:
        grad = self._gradient(theta)
        self.extra_gradients += 1
        return grad

    def _gradient(self, theta: np.ndarray) -> np.ndarray:
        if self._theta is None or not np.array_equal(self._theta, theta):
            if not np.all(np.isfinite(theta)):
                raise RunEnded(Outcome.DIVERGED)
            check_budget(self._recorder, gradients=self.gradients)
            self._evaluate(theta)
        return self._grad

    def _evaluate(self, theta: np.ndarray) -> None:
        self._loss, self._grad = self._functions.value_and_grad(theta)
        self._theta = np.array(theta)
