"""The estimators in scikit-learn's company, and what they do beyond its checks."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import sklearn.linear_model
from scipy.special import expit
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_linnerud
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import thalweg as tw
from thalweg import ThalwegError
from thalweg.networks import ACTIVATIONS as IN_JAX
from thalweg.sklearn import FlowClassifier, FlowRegressor
from thalweg.supervised.forward import ACTIVATIONS as IN_NUMPY

QUICK = {"layers": (6,), "l2": 0.01, "method": "l-bfgs", "random_state": 0}
DIABETES = load_diabetes(return_X_y=True)
IRIS = load_iris(return_X_y=True)


@pytest.mark.parametrize("name", IN_JAX)
def test_an_activation_is_the_same_in_numpy(name: str):
    """The prediction is the function that was fitted."""
    z = np.linspace(-40.0, 40.0, 401)
    np.testing.assert_allclose(IN_NUMPY[name](z), IN_JAX[name](z), rtol=1e-13, atol=1e-15)
    assert sorted(IN_JAX) == sorted(IN_NUMPY)


def test_the_defaults_choose_the_weight_decay_and_fit_well():
    """Beside scikit-learn's ridge: at least as good on the diabetes data, to a few per cent."""
    known, unseen, y, truth = train_test_split(*DIABETES, random_state=1)
    model = FlowRegressor(random_state=0).fit(known, y)
    ridge = make_pipeline(StandardScaler(), sklearn.linear_model.RidgeCV()).fit(known, y)
    assert model.score(unseen, truth) > ridge.score(unseen, truth) - 0.05
    assert len(model.l2_losses_) >= 2
    assert model.l2_ == min(model.l2_losses_, key=model.l2_losses_.get)
    assert isinstance(model.solution_, tw.Solution)
    assert model.n_iter_ == len(model.loss_curve_) - 1 > 0
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_float64_needs_no_flag_and_leaves_jax_as_it_was():
    """In a process where JAX computes in float32: to 1e-10, and float32 afterwards."""
    script = """if True:
        import jax, jax.numpy as jnp, numpy as np
        from thalweg.sklearn import FlowRegressor
        X = np.linspace(-1, 1, 40)[:, None]
        y = 3 * X[:, 0] - 2
        model = FlowRegressor(layers=(), l2=0).fit(X, y)
        assert np.abs(model.predict(X) - y).max() < 1e-10
        mean, std = model.predict(X, return_std=True)
        assert std.max() < 1e-9
        assert jnp.ones(1).dtype == jnp.float32
        assert not jax.config.jax_enable_x64
    """
    subprocess.run([sys.executable, "-c", script], check=True)


def test_without_scikit_learn_the_error_names_the_extra():
    """As for all optional libraries."""
    script = """if True:
        import sys
        sys.modules["sklearn"] = None
        from thalweg import ThalwegError
        try:
            import thalweg.sklearn
        except ThalwegError as error:
            assert "pip install 'thalweg[tables]'" in str(error), error
        else:
            raise AssertionError
    """
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_grid_search_over_a_pipeline_in_two_processes():
    """Parameters by name, in worker processes; the best is fitted again."""
    pipeline = make_pipeline(PolynomialFeatures(2), FlowClassifier(**QUICK))
    grid = {"flowclassifier__l2": [1.0, 0.01]}
    found = GridSearchCV(pipeline, grid, n_jobs=2, cv=3, error_score="raise").fit(*IRIS)
    assert found.best_params_ == {"flowclassifier__l2": 0.01}
    assert found.best_score_ > 0.93


def test_a_pickle_and_a_clone():
    """The pickle predicts the same bit for bit, standard deviations too; the clone is unfitted."""
    model = FlowRegressor(**QUICK).fit(*DIABETES)
    again = pickle.loads(pickle.dumps(model))  # noqa: S301 - our own
    for one, other in zip(
        model.predict(DIABETES[0], return_std=True),
        again.predict(DIABETES[0], return_std=True),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert again.solution_.loss == model.solution_.loss
    assert not hasattr(clone(model), "l2_")
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("frames", ["pandas", "polars"])
def test_names_of_columns_pass_through_a_pipeline(frames: str):
    """`set_output` gives frames to the estimator, which then knows and checks the names."""
    library = pytest.importorskip(frames)
    data = load_iris()
    X = library.DataFrame(dict(zip(data.feature_names, data.data.T, strict=True)))
    pipeline = make_pipeline(StandardScaler(), FlowClassifier(**QUICK)).set_output(transform=frames)
    pipeline.fit(X, data.target)
    assert pipeline[-1].feature_names_in_.tolist() == data.feature_names
    swapped = X[list(reversed(data.feature_names))]
    with pytest.raises(ValueError, match="feature names"):
        pipeline.predict(swapped)


def test_sample_weights_are_routed():
    """Through a cross-validation, with scikit-learn's metadata routing."""
    weights = np.where(IRIS[1] == 2, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        model = FlowClassifier(**QUICK).set_fit_request(sample_weight=True)
        found = cross_validate(
            model.set_score_request(sample_weight=True),
            *IRIS,
            params={"sample_weight": weights},
            cv=3,
            return_estimator=True,
            error_score="raise",
        )
    assert all(each.classes_.tolist() == [0, 1] for each in found["estimator"])
    assert found["test_score"].min() > 0.95


def test_several_outputs():
    """One network with an output for each; the shape of `y` comes back."""
    X, y = load_linnerud(return_X_y=True)
    model = FlowRegressor(**QUICK).fit(X, y)
    mean, std = model.predict(X, return_std=True)
    assert mean.shape == std.shape == y.shape
    assert FlowRegressor(**QUICK).fit(X, y[:, 0]).predict(X).shape == (len(X),)
    assert FlowRegressor(**QUICK).fit(X, y[:, :1]).predict(X).shape == (len(X), 1)


def test_units_of_inputs_and_targets_do_not_matter():
    """The same predictions in other units, to rounding."""
    X, y = DIABETES
    plain = FlowRegressor(**QUICK).fit(X, y).predict(X)
    scaled = (
        FlowRegressor(**QUICK)
        .fit(X * 2.0**40 + 2.0**20, y * 2.0**-60)
        .predict(X * 2.0**40 + 2.0**20)
    )
    np.testing.assert_allclose(scaled * 2.0**60, plain, rtol=1e-5)
    outer = TransformedTargetRegressor(FlowRegressor(**QUICK), transformer=StandardScaler())
    np.testing.assert_allclose(outer.fit(X, y).predict(X), plain, rtol=1e-5)


def test_a_weight_is_a_number_of_equal_rows():
    """Also where the weight decay is chosen on rows held out, and in any order of the rows."""
    X, y = DIABETES
    X, y = X[:60], y[:60]
    counts = np.random.default_rng(0).integers(0, 3, len(y))
    settings = {**QUICK, "l2": "auto"}
    weighted = FlowRegressor(**settings).fit(X, y, sample_weight=counts)
    order = np.random.default_rng(1).permutation(counts.sum())
    repeated = FlowRegressor(**settings).fit(
        np.repeat(X, counts, axis=0)[order], np.repeat(y, counts)[order]
    )
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-7)
    assert weighted.l2_ == repeated.l2_


def test_a_warm_start_goes_on_from_the_fit_before():
    """With fewer steps to the same loss; without it the fit begins again."""
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.warns(ConvergenceWarning, match="`max_iter`"):
        model = FlowClassifier(**QUICK, warm_start=True, max_iter=5).fit(X, y)
    first = model.loss_curve_
    model.set_params(max_iter=None).fit(X, y)
    assert model.loss_curve_[0] == pytest.approx(first[-1], rel=1e-12)
    with pytest.raises(ThalwegError, match="warm_start"):
        model.fit(X, y + 1)


def test_class_weights_find_a_rare_class():
    """Logistic data with one positive in thirty: the recall rises from little to most."""
    random = np.random.default_rng(0)
    X = random.normal(size=(900, 3))
    y = random.random(900) < expit(1.5 * X[:, 0] - 4.2)
    plain = FlowClassifier(**QUICK).fit(X, y)
    balanced = FlowClassifier(**QUICK, class_weight="balanced").fit(X, y)
    assert plain.predict(X)[y].mean() < 0.3
    assert balanced.predict(X)[y].mean() > 0.6
    heavy = FlowClassifier(**QUICK, class_weight={True: 30.0}).fit(X, y)
    assert heavy.predict(X)[y].mean() > 0.6


@pytest.mark.filterwarnings("ignore:the budget ran out")
def test_early_stopping_holds_rows_out():
    """The network kept is the one that predicts the held-out rows best."""
    X, y = DIABETES
    settings = {**QUICK, "l2": 0.0, "layers": (20,)}
    stopped = FlowRegressor(**settings, early_stopping=True).fit(X, y)
    full = FlowRegressor(**settings, max_iter=400, seconds=60).fit(X, y)
    assert full.score(X, y) > stopped.score(X, y)
    assert full.l2_losses_ == {}


BAD = {
    "layers": ((3, 0), "(32,)"),
    "activation": ("relu6", "tanh"),
    "l2": (-1.0, "'auto'"),
    "method": ("adamm", "did you mean `adam`"),
    "seconds": (0, "above 0"),
    "max_iter": (0, "at least 1"),
    "validation_fraction": (1.0, "between 0 and 1"),
}


@pytest.mark.parametrize(("name", "value", "words"), [(k, *v) for k, v in BAD.items()], ids=BAD)
def test_a_parameter_out_of_its_range_is_named(name: str, value: object, words: str):
    """What was found and what was expected, when `fit` is called."""
    with pytest.raises(ThalwegError) as caught:
        FlowRegressor(**{name: value}).fit(*DIABETES)
    assert words in str(caught.value)
    assert str(value) in str(caught.value)


@pytest.mark.parametrize("weights", [[-1.0] * 150, [0.0] * 150, [1.0] * 149])
def test_weights_that_make_no_sense_are_refused(weights: list[float]):
    """Negative, all zero, or not one a row."""
    with pytest.raises(ThalwegError, match="`sample_weight`"):
        FlowClassifier(**QUICK).fit(*IRIS, sample_weight=weights)
