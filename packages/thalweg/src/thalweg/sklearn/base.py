"""What the two estimators share: parameters, their checks, and the fit."""

from __future__ import annotations

import dataclasses
import math
import numbers
import warnings
from typing import TYPE_CHECKING, Any, Literal

import jax
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from thalweg.errors import ConfigError, UnknownMethodError
from thalweg.networks import ACTIVATIONS
from thalweg.sklearn.rows import hold_out
from thalweg.solution import Outcome
from thalweg.solvers import REGISTRY
from thalweg.supervised.fit import Examples
from thalweg.supervised.forward import as_numpy, forward
from thalweg.supervised.search import DECAYS, FIRST, search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.networks import Layers
    from thalweg.sklearn.rows import Rows
    from thalweg.solvers.base import AbstractMethod
    from thalweg.supervised.fit import Fit


class FlowNetwork(BaseEstimator):
    """The base of `FlowRegressor` and `FlowClassifier`, which describe the parameters."""

    def __init__(  # noqa: PLR0913 - each is a parameter that a user sets by its name
        self,
        layers: Sequence[int] = (32,),
        *,
        activation: str = "tanh",
        l2: float | Literal["auto"] | None = "auto",
        method: str | AbstractMethod = "auto",
        seconds: float = 20.0,
        max_iter: int | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.2,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.layers = layers
        self.activation = activation
        self.l2 = l2
        self.method = method
        self.seconds = seconds
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    _network: Layers
    _scaler: StandardScaler

    def _fit_network(self, rows: Rows, targets: np.ndarray, *, outputs: int, groups: Any) -> Fit:
        """Fit the network to rows, and set the attributes that both estimators have.

        Args:
            rows: The rows.
            targets: Standardised numbers `(rows, outputs)`, or indices of classes `(rows,)`.
            outputs: Outputs of the network.
            groups: The class of each row; None in a regression.

        Returns:
            The last fit; `_held_out` then says which rows it did not see.
        """
        random = np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))
        has_choice = self.l2 in (None, "auto")
        held_out = np.zeros(len(targets), bool)
        if has_choice or self.early_stopping:
            everyone = np.zeros(len(targets), int)
            strata = everyone if groups is None else groups
            held_out = hold_out(strata, self.validation_fraction, random)
        goes_on = self.warm_start and hasattr(self, "_network")
        if not goes_on:
            self._scaler = StandardScaler().fit(rows.inputs, sample_weight=rows.weights)
        inputs = np.asarray(self._scaler.transform(rows.inputs))
        with jax.enable_x64():
            examples = Examples(
                inputs,
                targets,
                held_out=held_out,
                sizes=(inputs.shape[1], *self._sizes(), outputs),
                is_classification=groups is not None,
                seed=int(random.integers(2**31)),
                weights=rows.weights,
                activation=self.activation,
                start=self._network if goes_on else None,
            )
            fit, was_interrupted = self._fits(
                examples, has_choice=has_choice and bool(held_out.any())
            )
        self._held_out = held_out if not math.isnan(fit.last) else np.zeros_like(held_out)
        self._network = fit.layers
        self.l2_ = fit.decay
        self.solution_ = dataclasses.replace(fit.solution, params=as_numpy(fit.solution.params))
        self.loss_curve_ = fit.solution.history["loss"].tolist()
        self.n_iter_ = max(len(self.loss_curve_) - 1, 0)
        self._warn(fit, was_interrupted=was_interrupted)
        return fit

    def _fits(self, examples: Examples, *, has_choice: bool) -> tuple[Fit, bool]:
        """The last fit, and whether Ctrl-C ended it."""
        common: Any = {
            "method": self.method,
            "seconds": float(self.seconds),
            "steps": self.max_iter,
            "progress": bool(self.verbose),
        }
        self.l2_losses_: dict[float, float] = {}
        if has_choice:
            found = search(examples, **common)
            self.l2_losses_ = {fit.decay: fit.last for fit in found.tried}
            return found.final or found.chosen, found.was_interrupted
        decay = DECAYS[FIRST] if self.l2 in (None, "auto") else float(self.l2)
        stops_early = self.early_stopping and self.l2 not in (None, "auto")
        fit = examples.fit(decay, all_rows=not stops_early, **common)
        return fit, fit.solution.outcome is Outcome.INTERRUPTED

    def _warn(self, fit: Fit, *, was_interrupted: bool) -> None:
        if was_interrupted:
            text = "the fit was interrupted; the estimator holds the best network so far"
            warnings.warn(text, UserWarning, stacklevel=4)
        elif fit.solution.outcome is Outcome.BUDGET_SPENT:
            text = "the budget ran out before the loss stopped improving; raise"
            names = "`seconds`" if self.max_iter is None else "`seconds` or `max_iter`"
            warnings.warn(f"{text} {names}", ConvergenceWarning, stacklevel=4)

    def _outputs(self, X: Any) -> np.ndarray:
        """Outputs of the network, shape `(rows, outputs)`."""
        inputs = self._inputs(X)
        return forward(self._network, inputs, self.activation)

    def _inputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        values = validate_data(self, X, reset=False, dtype=np.float64)
        return np.asarray(self._scaler.transform(values))

    def _sizes(self) -> tuple[int, ...]:
        if isinstance(self.layers, numbers.Integral):
            return (int(self.layers),)  # pyright: ignore[reportArgumentType] - as scikit-learn takes it
        return tuple(self.layers)

    def _check_parameters(self) -> None:
        """Refuse parameters out of their range.

        Raises:
            ConfigError: With the parameter, what was found and what was expected.
        """
        if isinstance(self.method, str) and self.method not in ("auto", *REGISTRY):
            raise UnknownMethodError(self.method, [*REGISTRY, "auto"])
        sizes = self._sizes()
        is_auto = self.l2 in (None, "auto")
        checks = {
            "layers": (
                all(isinstance(units, numbers.Integral) and units > 0 for units in sizes),
                "units of each hidden layer, such as (32,), or () for a linear model",
            ),
            "activation": (self.activation in ACTIVATIONS, f"one of {', '.join(ACTIVATIONS)}"),
            "l2": (is_auto or _is_in(self.l2, 0, math.inf), "a number of at least 0, or 'auto'"),
            "seconds": (_is_in(self.seconds, 1e-9, math.inf), "a number above 0"),
            "max_iter": (
                self.max_iter is None or _is_in(self.max_iter, 1, math.inf),
                "a whole number of at least 1, or None",
            ),
            "validation_fraction": (
                _is_in(self.validation_fraction, 1e-9, 1 - 1e-9),
                "a number between 0 and 1",
            ),
        }
        for name, (is_good, expected) in checks.items():
            if not is_good:
                raise ConfigError(
                    f"`{name}` is {getattr(self, name)!r}, but {expected} was expected"
                )


def _is_in(value: Any, low: float, high: float) -> bool:
    return isinstance(value, numbers.Real) and low <= float(value) < high
