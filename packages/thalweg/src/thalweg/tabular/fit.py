"""One fit of a network to a table, stopped by its validation part.

    regression        L = ½ Σᵢ wᵢ (z(xᵢ) - yᵢ)² + ½ λ |W|²
    classification    L = Σᵢ wᵢ cross-entropy(z(xᵢ), yᵢ) + ½ λ |θ|²

The weights wᵢ of the examples add up to 1 and are 0 for rows that are held out. They and the weight
decay λ are arguments of the compiled programs, so that all fits of a table share one compilation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg._minimize import minimize
from thalweg._run.progress import progress_line
from thalweg.flow.flatten import flatten
from thalweg.problem import Composite, LeastSquares, Problem
from thalweg.stop import Stop
from thalweg.tabular.network import as_numpy

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._recorder import Snapshot
    from thalweg.networks import Layers
    from thalweg.solution import Solution
    from thalweg.solvers.base import AbstractMethod

PATIENCE = 20  # most steps without progress, at least ...
PATIENCE_SHARE = 0.5  # ... and as a share of the steps before, for methods with many small steps
PROGRESS = 1e-3  # the relative decrease of a loss that counts as progress


@dataclasses.dataclass(frozen=True)
class Fit:
    """The result of one fit.

    Attributes:
        decay: The weight decay λ.
        solution: The run.
        layers: The network; if rows were held out, the one with the least validation loss.
        validation: The validation loss at each step from 1 on; empty if no row was held out.
        best: The least validation loss; NaN if no row was held out.
        last: The validation loss at the end of the fit; NaN if no row was held out.
    """

    decay: float
    solution: Solution
    layers: Layers
    validation: dict[int, float]
    best: float
    last: float


class Examples:
    """The rows that a network is fitted to, with everything that its fits share.

    Args:
        inputs: Shape `(rows, inputs)`, float64: the training and the validation part.
        targets: Standardised numbers, or indices of classes, shape `(rows,)`.
        held_out: Which rows are the validation part, bool of shape `(rows,)`.
        sizes: Units of each layer, input first.
        is_classification: Whether targets are classes.
        seed: Seed of the initial parameters.

    Attributes:
        count: The number of rows.
        start: The initial parameters.
        compile_seconds: Wall time of compiling the validation loss.
    """

    def __init__(
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        *,
        held_out: np.ndarray,
        sizes: tuple[int, ...],
        is_classification: bool,
        seed: int,
    ) -> None:
        self._inputs, self._targets, self._held_out = inputs, targets, held_out
        self.count = len(targets)
        self._is_classification = is_classification
        self.start = networks.init(sizes, seed=seed)
        # The weights of an input that is constant in the training rows are never fitted: a level
        # that only the test part has must not add their random initial values to the outputs.
        self.start[0]["weights"][np.ptp(inputs[~held_out], axis=0) == 0.0] = 0.0
        theta, self._spec = flatten(self.start)
        began = time.perf_counter()
        self._unseen = jnp.asarray(inputs[held_out]), jnp.asarray(targets[held_out])
        lowered = jax.jit(self._loss).lower(theta, *self._unseen)
        self._watch = lowered.compile()
        self.compile_seconds = time.perf_counter() - began

    def _loss(self, theta: jax.Array, inputs: jax.Array, targets: jax.Array) -> jax.Array:
        """The mean loss of some rows without the weight decay."""
        outputs = networks.apply(self._spec.unravel(theta), inputs)
        if self._is_classification:
            return jnp.mean(jax.vmap(_cross_entropy)(outputs, targets))
        return 0.5 * jnp.mean((outputs[:, 0] - targets) ** 2)

    def _problem(self, decay: float, *, all_rows: bool) -> Problem:
        """The problem of one fit. Weights are relative to a mean over all rows."""
        used = np.ones(len(self._targets)) if all_rows else (~self._held_out).astype(float)
        weights = used * (len(used) / used.sum())
        if self._is_classification:
            data = (self._inputs, (self._targets, weights))
            return Composite(networks.apply, _weighted_cross_entropy, data=data, l2=decay)
        data = (self._inputs, self._targets, np.sqrt(weights))
        return LeastSquares(_weighted_residual, data) + decay * LeastSquares(_decayed)

    def fit(
        self,
        decay: float,
        *,
        method: str | AbstractMethod,
        seconds: float,
        start: Layers | None = None,
        all_rows: bool = False,
        progress: bool = False,
    ) -> Fit:
        """Fit the network until it no longer improves.

        The fit ends when the validation loss has made no progress for a while; if all rows are
        fitted, when the loss itself has made none.

        Args:
            decay: The weight decay λ. Positive.
            method: What `minimize` takes.
            seconds: Budget, compilation not counted.
            start: The start; None for the initial parameters of the seed.
            all_rows: Whether the validation part is fitted too.
            progress: Whether to show a live line on stderr.
        """
        watch = _Watch(None if all_rows else self._validation_loss)
        stop = Stop(seconds=seconds)
        rows = "all rows" if all_rows else "training rows"
        with _line(stop, f"weight decay {decay:g}, {rows}", enabled=progress) as show:

            def callback(snapshot: Snapshot) -> bool:
                is_over = watch.is_over(snapshot)
                show(snapshot)
                return is_over

            solution = minimize(
                self._problem(decay, all_rows=all_rows),
                self.start if start is None else start,
                method,
                stop,
                callback=callback,
            )
        layers = solution.params
        if watch.best_theta is not None:
            layers = self._spec.unravel(jnp.asarray(watch.best_theta))
        losses = [*watch.validation.values()]
        return Fit(
            decay=decay,
            solution=solution,
            layers=as_numpy(layers),
            validation=watch.validation,
            best=min(losses, default=np.nan),
            last=losses[-1] if losses else np.nan,
        )

    def _validation_loss(self, theta: Any) -> float:
        return float(self._watch(theta, *self._unseen))


class _Watch:
    """Decides when a fit ends, and keeps the parameters with the least validation loss."""

    def __init__(self, validation_loss: Callable[[Any], float] | None) -> None:
        self._validation_loss = validation_loss
        self._mark = np.inf  # the loss at the last progress
        self._progress_step = 0
        self._least = np.inf
        self.validation: dict[int, float] = {}
        self.best_theta: np.ndarray | None = None

    def is_over(self, snapshot: Snapshot) -> bool:
        loss = snapshot.loss
        if self._validation_loss is not None:
            loss = self._validation_loss(snapshot.theta)
            if loss < self._least:
                self._least, self.best_theta = loss, np.array(snapshot.theta)
            self.validation[snapshot.step] = loss
        if loss < self._mark * (1 - PROGRESS):
            self._mark, self._progress_step = loss, snapshot.step
        since = snapshot.step - self._progress_step
        return since >= max(PATIENCE, PATIENCE_SHARE * self._progress_step)


def _line(stop: Stop, label: str, *, enabled: bool) -> Any:
    if not enabled:
        return contextlib.nullcontext(lambda _: None)
    return progress_line(stop, label=label, enabled=True)


def _cross_entropy(outputs: jax.Array, place: jax.Array) -> jax.Array:
    return jax.nn.logsumexp(outputs) - outputs[place]


def _weighted_cross_entropy(outputs: jax.Array, target: tuple[jax.Array, jax.Array]) -> jax.Array:
    place, weight = target
    return weight * _cross_entropy(outputs, place)


def _weighted_residual(
    layers: Layers, inputs: jax.Array, target: jax.Array, root_weight: jax.Array
) -> jax.Array:
    return root_weight * (networks.apply(layers, inputs) - target)


def _decayed(layers: Layers) -> jax.Array:
    """The parameters under weight decay in a least-squares problem: all weights, no biases."""
    return jnp.concatenate([jnp.ravel(layer["weights"]) for layer in layers])
