"""Scores of predictions, and of two baselines: a linear model and a constant prediction.

    RMSE = √(mean (ŷ - y)²)        MAE = mean |ŷ - y|        R² = 1 - Σ (ŷ - y)² / Σ (y - ȳ)²
    log loss = -mean log p(class)  balanced accuracy = mean over classes of the share found

The linear model is scikit-learn's `Ridge` or `LogisticRegression` with its default regularisation,
fitted to the same rows and inputs. The constant prediction is the mean of these rows, or their most
frequent class with the classes' shares as probabilities.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from thalweg.supervised.forward import log_probabilities
from thalweg.tabular.target import ClassTarget, NumberTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thalweg.tabular.target import Target

LEAST_PROBABILITY = 1e-15  # smaller ones are raised to this in the log loss
LOWER_IS_BETTER = ("RMSE", "MAE", "log loss")
LINEAR_ITERATIONS = 1000

Scores = dict[str, float]


def score(target: Target, truth: np.ndarray, outputs: np.ndarray) -> Scores:
    """The scores of a network's outputs.

    Args:
        target: The target, with its units.
        truth: Encoded targets of shape `(rows,)`.
        outputs: Shape `(rows, outputs)`.

    Returns:
        `RMSE`, `MAE`, `R²` in the units of the table, or `accuracy`, `balanced accuracy`,
        `log loss`.
    """
    if isinstance(target, NumberTarget):
        return _regression(target.decode(truth), target.decode(outputs[:, 0]))
    return _classification(truth, log_probabilities(outputs), target.choose(outputs))


def baseline_scores(
    target: Target,
    known: tuple[np.ndarray, np.ndarray],
    unseen: tuple[np.ndarray, np.ndarray],
) -> dict[str, Scores]:
    """The scores of the linear model and of the constant prediction on unseen rows.

    Args:
        target: The target.
        known: Inputs and encoded targets of the rows to fit.
        unseen: Inputs and encoded targets of the rows to score.

    Returns:
        The scores of each baseline, by name.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    inputs, truth = known
    others, wanted = unseen
    if isinstance(target, NumberTarget):
        linear = Ridge().fit(inputs, truth).predict(others)
        mean = np.full(len(wanted), truth.mean())
        return {
            "linear (Ridge)": score(target, wanted, linear[:, None]),
            "mean": score(target, wanted, mean[:, None]),
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a baseline that has not quite converged still serves
        logistic = LogisticRegression(max_iter=LINEAR_ITERATIONS).fit(inputs, truth)
    shares = np.bincount(truth, minlength=target.outputs) / len(truth)
    with np.errstate(divide="ignore"):
        guess = np.tile(np.log(shares), (len(wanted), 1))
        # Every class has a known row, so there is a column for each class.
        log_linear = np.log(logistic.predict_proba(others))
    return {
        "linear (LogisticRegression)": _classification(
            wanted, log_linear, log_linear.argmax(axis=1)
        ),
        "most frequent class": _classification(wanted, guess, guess.argmax(axis=1)),
    }


def best_values(scores: Mapping[str, Scores]) -> Scores:
    """The best value of each score over all models: the lowest or the highest, as it is read."""
    names = next(iter(scores.values()))
    return {
        name: (min if name in LOWER_IS_BETTER else max)(model[name] for model in scores.values())
        for name in names
    }


def _regression(truth: np.ndarray, predicted: np.ndarray) -> Scores:
    errors = predicted - truth
    spread = float(np.mean((truth - truth.mean()) ** 2))
    squared = float(np.mean(errors**2))
    return {
        "RMSE": squared**0.5,
        "MAE": float(np.mean(np.abs(errors))),
        "R²": 1 - squared / spread if spread else float("nan"),
    }


def balanced_accuracy(truth: np.ndarray, found: np.ndarray) -> float:
    """The mean over the classes that occur of the share of their rows that is found."""
    shares = [float(np.mean(found[truth == place] == place)) for place in np.unique(truth)]
    return float(np.mean(shares))


def _classification(truth: np.ndarray, logs: np.ndarray, found: np.ndarray) -> Scores:
    of_truth = np.maximum(logs[np.arange(len(truth)), truth], np.log(LEAST_PROBABILITY))
    return {
        "accuracy": float(np.mean(found == truth)),
        "balanced accuracy": balanced_accuracy(truth, found),
        "log loss": float(-of_truth.mean()),
    }


def confusion(target: ClassTarget, truth: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Counts by true class (row) and predicted class (column), int `(classes, classes)`."""
    counts = np.zeros((target.outputs, target.outputs), int)
    np.add.at(counts, (truth, target.choose(outputs)), 1)
    return counts
