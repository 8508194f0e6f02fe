"""Standard deviations of predictions: the closed form of linear models, and coverage."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from thalweg import ThalwegError
from thalweg.sklearn import FlowRegressor


def test_a_linear_model_has_the_prediction_interval_of_ordinary_least_squares():
    """The textbook: s √(1 + xᵀ (XᵀX)⁻¹ x) with s² = RSS / (N - p)."""
    X, y = load_diabetes(return_X_y=True)
    known, unseen = X[:300], X[300:]
    _, std = FlowRegressor(layers=(), l2=0).fit(known, y[:300]).predict(unseen, return_std=True)
    design = np.column_stack([np.ones(300), known])
    rss = np.linalg.lstsq(design, y[:300])[1][0]
    new = np.column_stack([np.ones(len(unseen)), unseen])
    spread = np.einsum("ij,ij->i", new @ np.linalg.inv(design.T @ design), new)
    np.testing.assert_allclose(std, np.sqrt(rss / (300 - 11) * (1 + spread)), rtol=1e-7)


def test_with_weight_decay_it_is_the_posterior_of_ridge_regression():
    """With weights of the rows: posterior and effective parameters from the closed form."""
    random = np.random.default_rng(0)
    X = random.normal(size=(40, 3)) * [1.0, 10.0, 0.1] + 5.0
    weights = random.integers(1, 4, 40).astype(float)
    y = X @ [1.0, -0.2, 4.0] + random.normal(size=40)
    decay = 0.05
    model = FlowRegressor(layers=(), l2=decay).fit(X, y, sample_weight=weights)
    mean, std = model.predict(X, return_std=True)

    w = weights / weights.sum() * 40
    centre, centre_y = np.average(X, axis=0, weights=w), np.average(y, weights=w)
    scale = np.sqrt(np.average((X - centre) ** 2, axis=0, weights=w))
    scale_y = np.sqrt(np.average((y - centre_y) ** 2, weights=w))
    design = np.column_stack([np.ones(40), (X - centre) / scale])
    target = (y - centre_y) / scale_y
    information = design.T @ (w[:, None] * design)
    precision = information + 40 * decay * np.diag([0.0, 1.0, 1.0, 1.0])
    covariance = np.linalg.inv(precision)
    theta = covariance @ design.T @ (w * target)
    effective = np.trace(covariance @ information)
    noise = np.sum(w * (design @ theta - target) ** 2) / (40 - effective)
    spread = np.einsum("ij,jk,ik->i", design, covariance, design)
    np.testing.assert_allclose(mean, centre_y + scale_y * (design @ theta), rtol=1e-7)
    np.testing.assert_allclose(std, scale_y * np.sqrt(noise * (1 + spread)), rtol=1e-6)


def test_intervals_of_a_network_cover_what_they_should():
    """On held-out rows of three data sets each: 95 % intervals cover 90 to 99 %."""
    covered = []
    for seed in range(3):
        random = np.random.default_rng(seed)
        X = random.uniform(-2, 2, size=(400, 2))
        y = np.sin(2 * X[:, 0]) + 0.5 * X[:, 1] ** 2 + 0.3 * random.normal(size=400)
        known, unseen, y, truth = train_test_split(X, y, random_state=seed)
        model = FlowRegressor(layers=(12,), random_state=seed).fit(known, y)
        mean, std = model.predict(unseen, return_std=True)
        covered.append(np.abs(mean - truth) < 1.96 * std)
        assert 0.25 < np.median(std) < 0.4
    assert 0.9 < np.mean(covered) < 0.99


def test_uncertainty_grows_away_from_the_data():
    """Far outside, the standard deviation is larger than anywhere inside."""
    random = np.random.default_rng(0)
    X = random.uniform(-1, 1, size=(80, 1))
    y = np.tanh(2 * X[:, 0]) + 0.05 * random.normal(size=80)
    model = FlowRegressor(layers=(4,), l2=1e-4, random_state=0).fit(X, y)
    inside = model.predict(np.linspace(-0.9, 0.9, 20)[:, None], return_std=True)[1]
    outside = model.predict(np.array([[-3.0], [3.0]]), return_std=True)[1]
    assert outside.min() > inside.max()


def test_a_network_too_large_for_a_covariance_is_refused():
    """With the number of parameters, and what to do."""
    X, y = load_diabetes(return_X_y=True)
    model = FlowRegressor(layers=(90, 90), l2=0.1, method="l-bfgs", max_iter=1)
    with pytest.warns(UserWarning, match="budget"):
        model.fit(X, y)
    with pytest.raises(ThalwegError, match="9,271 parameters"):
        model.predict(X, return_std=True)
