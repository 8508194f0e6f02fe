"""`FlowClassifier`: a network for classes, as an estimator of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from thalweg.errors import ConfigError, DataError
from thalweg.sklearn.base import FlowNetwork
from thalweg.sklearn.rows import checked_weights, merged
from thalweg.supervised.forward import log_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.solvers.base import AbstractMethod


class FlowClassifier(ClassifierMixin, FlowNetwork):
    """A small network for classes, fitted by integrating the gradient flow.

    Inputs are standardised inside, so that no scaler is needed before it, and all is computed in
    float64 without JAX's x64 flag. It minimises

        L = mean w cross-entropy(z(x), y) + ½ l2 |θ|²

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
        warm_start: Whether `fit` goes on from the network of the fit before, in its units. The
            classes must be the same.
        random_state: Seed of the held-out part and of the initial weights.
        verbose: Whether to show live lines on stderr (only where that is a terminal).
        class_weight: Weights of classes, `{class: weight}`, or `"balanced"` for weights that give
            each class the same total.

    Attributes:
        classes_: The classes.
        l2_: The weight decay of the last fit.
        l2_losses_: The validation loss of each weight decay that was tried.
        loss_curve_: The loss at each step of the last fit, weight decay included.
        n_iter_: Steps of the last fit.
        solution_: The `thalweg.Solution` of the last fit, in standardised units.
        n_features_in_: The number of inputs.
        feature_names_in_: Their names, where `X` had names of columns.

    Examples:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> model = FlowClassifier(layers=(8,), l2=0.01, random_state=0).fit(X, y)
        >>> bool(model.score(X, y) > 0.95)
        True
    """

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
        class_weight: dict[Any, float] | str | None = None,
    ) -> None:
        super().__init__(
            layers,
            activation=activation,
            l2=l2,
            method=method,
            seconds=seconds,
            max_iter=max_iter,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to rows.

        Args:
            X: Inputs, shape `(rows, inputs)`: an array or a data frame of numbers.
            y: Classes, shape `(rows,)`: numbers or text.
            sample_weight: The weight of each row; a weight of 2 counts as the row twice.

        Raises:
            ConfigError: A parameter is out of its range, or a warm start meets other classes.
            DataError: There are fewer than two classes.
            ValueError: The data do not fit, or are missing or not finite.
        """
        self._check_parameters()
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        weights = checked_weights(sample_weight, len(y))
        weights = weights * compute_sample_weight(self.class_weight, y)
        classes, places = np.unique(y[weights > 0], return_inverse=True)
        if len(classes) < 2:  # noqa: PLR2004 - nothing to tell apart
            raise DataError(
                f"all rows with a weight are of class {classes[0]!r}, but at least two classes "
                "were expected"
            )
        goes_on = self.warm_start and hasattr(self, "_network")
        if goes_on and not np.array_equal(classes, self.classes_):
            raise ConfigError(
                f"`warm_start` goes on from the classes {self.classes_.tolist()}, but `y` holds "
                f"{classes.tolist()}; give the same classes, or set `warm_start=False`"
            )
        used = weights > 0
        rows = merged(X[used], places[:, None], weights[used])
        groups = rows.targets[:, 0].astype(int)
        self.classes_ = classes
        self._fit_network(rows, groups, outputs=len(classes), groups=groups)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of each row, shape `(rows,)`."""
        places = self._outputs(X).argmax(axis=1)
        return self.classes_[places]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class, in the order of `classes_`, shape `(rows, classes)`."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """The logarithm of `predict_proba`, exact also where a probability rounds to 0."""
        return log_probabilities(self._outputs(X))
