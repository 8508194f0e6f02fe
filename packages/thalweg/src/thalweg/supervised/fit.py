"""One fit of a network to examples, stopped by their validation part.

    regression        L = ½ Σᵢ wᵢ |z(xᵢ) - yᵢ|² + ½ λ |W|²
    classification    L = Σᵢ wᵢ cross-entropy(z(xᵢ), yᵢ) + ½ λ |θ|²

The weights wᵢ of the examples add up to 1 and are 0 for rows that are held out. They and the weight
decay λ are arguments of the compiled programs, so that all fits of a table share one compilation;
the rows are filled up with rows of weight 0 to a rounder number, so that tables of almost the same
length, such as the folds of a cross-validation, share it too.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
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
from thalweg.supervised.forward import as_numpy

if TYPE_CHECKING:
    from collections.abc import Callable

    from thalweg._recorder import Snapshot
    from thalweg.flow.flatten import ParamSpec
    from thalweg.networks import Layers
    from thalweg.solution import Solution
    from thalweg.solvers.base import AbstractMethod

PATIENCE = 20  # most steps without progress, at least ...
PATIENCE_SHARE = 0.5  # ... and as a share of the steps before, for methods with many small steps
PROGRESS = 1e-3  # the relative decrease of a loss that counts as progress
LEAST_MULTIPLE = 8  # the number of rows is rounded up to a multiple of this, or of a 16th of it


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
        targets: Standardised numbers, shape `(rows,)` or `(rows, outputs)`, or indices of classes,
            shape `(rows,)`.
        held_out: Which rows are the validation part, bool of shape `(rows,)`.
        sizes: Units of each layer, input first.
        is_classification: Whether targets are classes.
        seed: Seed of the initial parameters.
        weights: The weight of each row, shape `(rows,)`, not negative; None for equal weights.
        activation: A name of `thalweg.networks.ACTIVATIONS`.
        start: The initial parameters in place of those of the seed.

    Attributes:
        count: The number of rows with a weight above 0.
        start: The initial parameters.
        compile_seconds: Wall time of compiling the validation loss.
    """

    def __init__(  # noqa: PLR0913 - each is a fact of the rows or of the network
        self,
        inputs: np.ndarray,
        targets: np.ndarray,
        *,
        held_out: np.ndarray,
        sizes: tuple[int, ...],
        is_classification: bool,
        seed: int,
        weights: np.ndarray | None = None,
        activation: str = "tanh",
        start: Layers | None = None,
    ) -> None:
        if not is_classification:
            targets = targets.reshape(len(targets), -1)
        weights = np.ones(len(targets)) if weights is None else weights
        self.count = int(np.count_nonzero(weights))
        self._inputs, self._targets = _filled_up(inputs), _filled_up(targets)
        self._held_out, self._weights = _filled_up(held_out), _filled_up(weights)
        self._is_classification, self._activation = is_classification, activation
        if start is None:
            start = networks.init(sizes, seed=seed)
            # The weights of an input that is constant in the training rows are never fitted: a
            # level that only the test part has must not add their random values to the outputs.
            used = ~held_out & (weights > 0)
            start[0]["weights"][np.ptp(inputs[used], axis=0) == 0.0] = 0.0
        self.start = start
        _, self._spec = flatten(self.start)
        self.compile_seconds = 0.0
        if held_out.any():
            began = time.perf_counter()
            self._unseen = tuple(
                map(jnp.asarray, (self._inputs, self._targets, self._weights * self._held_out))
            )
            self._validation_loss(flatten(self.start)[0])
            self.compile_seconds = time.perf_counter() - began

    def _problem(self, decay: float, *, all_rows: bool) -> Problem:
        """The problem of one fit. Weights are relative to a mean over all rows."""
        used = self._weights if all_rows else self._weights * ~self._held_out
        weights = used * (len(used) / used.sum())
        outputs, residual = _functions(self._activation)
        if self._is_classification:
            data = (self._inputs, (self._targets, weights))
            return Composite(outputs, _weighted_cross_entropy, data=data, l2=decay)
        fitted = LeastSquares(residual, (self._inputs, self._targets, np.sqrt(weights)))
        return fitted + decay * LeastSquares(_decayed) if decay else fitted

    def fit(
        self,
        decay: float,
        *,
        method: str | AbstractMethod,
        seconds: float,
        steps: int | None = None,
        start: Layers | None = None,
        all_rows: bool = False,
        progress: bool = False,
    ) -> Fit:
        """Fit the network until it no longer improves.

        The fit ends when the validation loss has made no progress for a while; if all rows are
        fitted, when the loss itself has made none.

        Args:
            decay: The weight decay λ. Not negative.
            method: What `minimize` takes.
            seconds: Budget, compilation not counted.
            steps: Most steps; None for as many as the seconds allow.
            start: The start; None for the initial parameters.
            all_rows: Whether the validation part is fitted too.
            progress: Whether to show a live line on stderr.
        """
        watch = _Watch(None if all_rows else self._validation_loss)
        stop = Stop(seconds=seconds, steps=steps)
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
        loss = _mean_cross_entropy if self._is_classification else _mean_square
        return float(loss(theta, *self._unseen, spec=self._spec, activation=self._activation))


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


def _filled_up(rows: np.ndarray) -> np.ndarray:
    """Rows with zeros after them, up to a multiple that adds at most a sixteenth to many."""
    multiple = max(LEAST_MULTIPLE, 2 ** (len(rows).bit_length() - 5))
    short = -len(rows) % multiple
    return np.concatenate([rows, np.zeros((short, *rows.shape[1:]), rows.dtype)])


@functools.cache
def _functions(activation: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The outputs and the weighted residual of a network; always the same objects.

    Programs are kept by the functions that they are compiled from.
    """

    def outputs(layers: Layers, inputs: jax.Array) -> jax.Array:
        return networks.apply(layers, inputs, activation)

    def residual(
        layers: Layers, inputs: jax.Array, target: jax.Array, root_weight: jax.Array
    ) -> jax.Array:
        return root_weight * (networks.apply(layers, inputs, activation) - target)

    return outputs, residual


@functools.partial(jax.jit, static_argnames=("spec", "activation"))
def _mean_square(
    theta: jax.Array,
    inputs: jax.Array,
    targets: jax.Array,
    weights: jax.Array,
    spec: ParamSpec,
    activation: str,
) -> jax.Array:
    """Half the weighted mean of the squares."""
    errors = networks.apply(spec.unravel(theta), inputs, activation) - targets
    return 0.5 * (weights @ jnp.sum(errors**2, axis=1)) / jnp.sum(weights)


@functools.partial(jax.jit, static_argnames=("spec", "activation"))
def _mean_cross_entropy(
    theta: jax.Array,
    inputs: jax.Array,
    targets: jax.Array,
    weights: jax.Array,
    spec: ParamSpec,
    activation: str,
) -> jax.Array:
    """The weighted mean of the cross-entropies."""
    outputs = networks.apply(spec.unravel(theta), inputs, activation)
    return weights @ jax.vmap(_cross_entropy)(outputs, targets) / jnp.sum(weights)


def _cross_entropy(outputs: jax.Array, place: jax.Array) -> jax.Array:
    return jax.nn.logsumexp(outputs) - outputs[place]


def _weighted_cross_entropy(outputs: jax.Array, target: tuple[jax.Array, jax.Array]) -> jax.Array:
    place, weight = target
    return weight * _cross_entropy(outputs, place)


def _decayed(layers: Layers) -> jax.Array:
    """The parameters under weight decay in a least-squares problem: all weights, no biases."""
    return jnp.concatenate([jnp.ravel(layer["weights"]) for layer in layers])
