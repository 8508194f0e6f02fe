"""Splits, scores and what columns are worth, held against scikit-learn and plain counting."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn import metrics
from tables import trained
from thalweg import networks
from thalweg.supervised.forward import forward, log_probabilities
from thalweg.tabular.columns import NumericColumn
from thalweg.tabular.importance import permutation_importance
from thalweg.tabular.model import Model
from thalweg.tabular.parts import FOLDS, split
from thalweg.tabular.schema import Schema
from thalweg.tabular.scores import baseline_scores, confusion, score
from thalweg.tabular.target import ClassTarget, NumberTarget

MEASURED = NumberTarget("y", 3.0, 2.0)
SORTED = ClassTarget("y", ("a", "b", "c"), "category")


@given(st.lists(st.integers(0, 4), min_size=20, max_size=200), st.integers(0, 9))
def test_every_row_is_in_one_part_and_every_class_in_training(classes, seed):
    """Three parts that share the rows out, the same for equal seeds."""
    groups = np.array(classes)
    parts = split(len(groups), classes=groups, seed=seed)
    assert (np.sum(parts, axis=0) == 1).all()
    assert set(groups[parts.train]) == set(classes)
    again = split(len(groups), classes=groups, seed=seed)
    assert all((one == other).all() for one, other in zip(parts, again, strict=True))


@given(st.lists(st.integers(1, 80), min_size=1, max_size=5), st.integers(0, 99))
def test_each_class_has_its_share_of_every_part(counts, seed):
    """A fifth for testing and a fifth for validation, to within the rows that are left over."""
    groups = np.repeat(np.arange(len(counts)), counts)
    parts = split(len(groups), classes=groups, seed=seed)
    for place, count in enumerate(counts):
        members = groups == place
        for part in (parts.test, parts.validation):
            # One less where a row had to be given to the training part.
            assert count // FOLDS <= (part & members).sum() <= -(-count // FOLDS) or count < FOLDS


def test_other_seeds_give_other_parts():
    """Ten seeds, ten test parts."""
    parts = {split(100, classes=None, seed=seed).test.tobytes() for seed in range(10)}
    assert len(parts) == 10


def test_scores_of_numbers_are_those_of_scikit_learn():
    """RMSE, MAE and R², in the units of the table."""
    random = np.random.default_rng(0)
    truth, outputs = random.standard_normal(50), random.standard_normal((50, 1))
    y, z = MEASURED.decode(truth), MEASURED.decode(outputs[:, 0])
    assert score(MEASURED, truth, outputs) == pytest.approx(
        {
            "RMSE": metrics.root_mean_squared_error(y, z),
            "MAE": metrics.mean_absolute_error(y, z),
            "R²": metrics.r2_score(y, z),
        }
    )


def test_scores_of_classes_are_those_of_scikit_learn():
    """Accuracy, balanced accuracy, log loss and the confusion matrix."""
    random = np.random.default_rng(1)
    truth, outputs = random.integers(0, 3, 60), random.standard_normal((60, 3)) * 3
    found = outputs.argmax(axis=1)
    probabilities = np.exp(log_probabilities(outputs))
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(60))
    assert score(SORTED, truth, outputs) == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(truth, found),
            "balanced accuracy": metrics.balanced_accuracy_score(truth, found),
            "log loss": metrics.log_loss(truth, probabilities),
        }
    )
    assert (confusion(SORTED, truth, outputs) == metrics.confusion_matrix(truth, found)).all()


def test_the_plainest_guess_scores_what_counting_says():
    """The mean has R² 0 where both parts have one mean; the most frequent class its share."""
    inputs = np.arange(8.0)[:, None]
    truth = np.array([0, 0, 0, 0, 0, 1, 1, 2])
    guess = baseline_scores(SORTED, (inputs, truth), (inputs, truth))["most frequent class"]
    shares = np.array([5, 2, 1]) / 8
    assert guess["accuracy"] == 5 / 8
    assert guess["balanced accuracy"] == pytest.approx(1 / 3)
    assert guess["log loss"] == pytest.approx(-(shares * np.log(shares)).sum())
    numbers = np.arange(8.0)
    mean = baseline_scores(MEASURED, (inputs, numbers), (inputs, numbers))["mean"]
    assert mean["R²"] == pytest.approx(0)


def test_a_network_at_work_is_the_network_that_was_trained():
    """NumPy's forward pass is that of `thalweg.networks`, which training differentiates."""
    layers = networks.init((4, 7, 5, 3), seed=0)
    inputs = np.random.default_rng(0).standard_normal((20, 4))
    expected = np.asarray(networks.apply(layers, jnp.asarray(inputs)))
    assert forward(layers, inputs) == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_a_column_that_is_not_used_is_worth_nothing():
    """And of two that are used, the one with the larger weight is worth more, by as much."""
    columns = tuple(
        NumericColumn(name, "number", 0.0, 1.0, marks_missing=False)
        for name in ("idle", "weak", "strong")
    )
    linear = [{"weights": np.array([[0.0], [1.0], [3.0]]), "biases": np.zeros(1)}]
    model = Model(Schema(columns, MEASURED), linear)
    inputs = np.random.default_rng(2).standard_normal((500, 3))
    found = permutation_importance(model, inputs, forward(linear, inputs)[:, 0], seed=0)
    assert [entry.column for entry in found] == ["strong", "weak", "idle"]
    strong, weak, idle = (entry.rise for entry in found)
    assert idle == 0.0
    # Shuffling x by weight w makes errors w (x - x') with deviation w √2, here in units of 2.
    assert strong == pytest.approx(3 * 2**0.5 * 2, rel=0.1)
    assert weak == pytest.approx(2**0.5 * 2, rel=0.1)


def test_inputs_of_one_column_are_shuffled_together():
    """A category has one value of importance, whatever its levels: as many as there are columns."""
    result = trained("german")
    names = {column.name for column in result.model.schema.columns}
    assert {entry.column for entry in result.importance} == names
    assert len(result.importance) == len(names) < result.model.schema.inputs
