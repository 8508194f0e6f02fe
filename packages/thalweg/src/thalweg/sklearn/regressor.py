"""`FlowRegressor`: a network for numbers, as an estimator of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import validate_data

from thalweg.sklearn.base import FlowNetwork
from thalweg.sklearn.rows import checked_weights, merged
from thalweg.supervised.forward import forward
from thalweg.supervised.laplace import fit_laplace

if TYPE_CHECKING:
    from thalweg.sklearn.rows import Rows
    from thalweg.supervised.laplace import Laplace


class FlowRegressor(MultiOutputMixin, RegressorMixin, FlowNetwork):
    """A small network for numbers, fitted by integrating the gradient flow.

    Inputs and targets are standardised inside, so that no scaler is needed before it, and all is
    computed in float64 without JAX's x64 flag. It minimises, in these units,

        L = ½ mean w |z(x) - y|² + ½ l2 |W|²

    until the loss no longer improves. With `l2="auto"` the weight decay is the one of a fixed grid
    whose fit predicts a held-out part best; the last fit then includes that part.

    Args:
        layers: Units of each hidden layer; `()` for a linear model.
        activation: `tanh`, `sin`, `logistic`, `softplus`, `silu` or `relu`.
        l2: The weight decay, at least 0; `"auto"` or None to choose it on held-out rows.
        method: A name from `thalweg.methods()`, or a configured method.
        seconds: Budget of all fits of one `fit`, compilation not counted. With a budget that does
            not run out, equal seeds give equal results.
        max_iter: Most steps of each fit; None for as many as the seconds allow.
        early_stopping: With a given `l2`: whether to hold out a part of the rows and keep the
            network that predicts it best.
        validation_fraction: The fraction of the rows that is held out where some are.
        warm_start: Whether `fit` goes on from the network of the fit before, in its units.
        random_state: Seed of the held-out part and of the initial weights.
        verbose: Whether to show live lines on stderr (only where that is a terminal).

    Attributes:
        l2_: The weight decay of the last fit.
        l2_losses_: The validation loss of each weight decay that was tried.
        loss_curve_: The loss at each step of the last fit, weight decay included.
        n_iter_: Steps of the last fit.
        solution_: The `thalweg.Solution` of the last fit, in standardised units.
        n_features_in_: The number of inputs.
        feature_names_in_: Their names, where `X` had names of columns.

    The fitted rows are kept, also in a pickle: `predict(..., return_std=True)` needs them.

    Examples:
        >>> import numpy as np
        >>> X = np.linspace(0, 6, 60)[:, None]
        >>> y = np.sin(X[:, 0])
        >>> model = FlowRegressor(layers=(8,), l2=1e-6, random_state=0).fit(X, y)
        >>> bool(model.score(X, y) > 0.99)
        True
    """

    _rows: Rows
    _target_scaler: StandardScaler
    _laplace: Laplace | None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to rows.

        Args:
            X: Inputs, shape `(rows, inputs)`: an array or a data frame of numbers.
            y: Targets, shape `(rows,)` or `(rows, outputs)`.
            sample_weight: The weight of each row; a weight of 2 counts as the row twice.

        Raises:
            ConfigError: A parameter is out of its range.
            ValueError: The data do not fit, or are missing or not finite.
        """
        self._check_parameters()
        X, y = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        y = np.asarray(y, np.float64)
        rows = merged(X, y.reshape(len(y), -1), checked_weights(sample_weight, len(y)))
        outputs = rows.targets.shape[1]
        goes_on = self.warm_start and hasattr(self, "_network")
        if not goes_on:
            self._target_scaler = StandardScaler().fit(rows.targets, sample_weight=rows.weights)
        targets = np.asarray(self._target_scaler.transform(rows.targets))
        self._fit_network(rows, targets, outputs=outputs, groups=None)
        self._is_flat = y.ndim == 1
        self._rows, self._laplace = rows, None
        return self

    def predict(self, X: Any, *, return_std: bool = False) -> Any:
        """Predictions, shape `(rows,)` or `(rows, outputs)` as `y` was.

        Args:
            X: Inputs, shape `(rows, inputs)`.
            return_std: Whether to return, as a second array of the same shape, the standard
                deviation of a new observation: of its noise and of what the fit does not know, by
                the Gauss-Newton (Laplace) approximation. The first such call after a fit computes
                the curvature: for N rows and n parameters about N n² operations and n² numbers.

        Raises:
            ConfigError: `return_std` with a network of more than 8,000 parameters.
        """
        inputs = self._inputs(X)
        outputs = forward(self._network, inputs, self.activation)
        mean = self._shaped(np.asarray(self._target_scaler.inverse_transform(outputs)))
        if not return_std:
            return mean
        if self._laplace is None:
            self._laplace = self._fitted_laplace()
        return mean, self._shaped(self._laplace.std(inputs) * self._target_scaler.scale_)

    def _fitted_laplace(self) -> Laplace:
        used = ~self._held_out
        inputs = np.asarray(self._scaler.transform(self._rows.inputs[used]))
        targets = np.asarray(self._target_scaler.transform(self._rows.targets[used]))
        weights = self._rows.weights[used]
        count = round(float(weights.sum()))  # the weights of all rows have the mean 1
        return fit_laplace(
            self._network,
            inputs,
            forward(self._network, inputs, self.activation) - targets,
            weights=weights * (count / weights.sum()),
            count=count,
            decay=self.l2_,
            activation=self.activation,
        )

    def _shaped(self, values: np.ndarray) -> np.ndarray:
        return values[:, 0] if self._is_flat else values
