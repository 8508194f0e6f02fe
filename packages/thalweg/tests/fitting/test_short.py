"""The short run that `curve_fit` tries first: where its end counts, and where it must not."""

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw

RANDOM = np.random.default_rng(5)
X = np.linspace(0.0, 4.0, 60)
TRUTH = (3.0, 1.3, 0.5)
NOISE = 0.02 * RANDOM.normal(size=X.size)
SHORT, CAREFUL = "levenberg-marquardt", "scaled-geodesic"


def decay(x, a, b, c):
    """A decay to a background."""
    return a * jnp.exp(-b * x) + c


def wave(x, a, b):
    """A wave, which has many minima in b."""
    return a * jnp.sin(b * x)


Y = np.asarray(decay(X, *TRUTH)) + NOISE


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_its_end_is_that_of_the_careful_method(offset):
    """To nearly all digits, also where the residuals are lost in the size of y."""
    p0 = [1.0, 1.0, offset]
    short = tw.curve_fit(decay, X, Y + offset, p0)
    careful = tw.curve_fit(decay, X, Y + offset, p0, method=CAREFUL)
    assert short.solution.method == SHORT
    assert short.success
    rounding = max(1.0, offset) * 1e-13
    np.testing.assert_allclose(short.popt, careful.popt, rtol=1e-9, atol=rounding)
    np.testing.assert_allclose(short.pcov, careful.pcov, rtol=1e-4 if offset else 1e-8)


def test_its_gradient_is_zero_to_rounding():
    """The refining steps at the end go on until nothing is gained."""
    history = tw.curve_fit(decay, X, Y, [1.0, 1.0, 0.0]).solution.history
    assert history["grad_norm"][-1] <= 1e-12 * history["grad_norm"][0]


def test_its_history_adds_up():
    """Rows are accepted steps, and attempts are accepted or rejected."""
    solution = tw.curve_fit(wave, X, 2 * np.sin(2.4 * X) + NOISE, [0.1, 3.4]).solution
    assert solution.method == SHORT
    history = solution.history
    assert history["step"].tolist() == list(range(len(history["step"])))
    assert np.array_equal(np.cumsum(history["rejected"]), history["rejected_steps"])
    attempts = history["step"] + history["rejected_steps"]
    assert np.array_equal(history["gradients"], attempts + 1)
    assert solution.work.rejected_steps > 0
    assert solution.compile_seconds > solution.history["seconds"][-1] > 0
    again = tw.curve_fit(wave, X, 2 * np.sin(2.4 * X) + NOISE, [0.1, 3.4]).solution
    assert again.compile_seconds == 0
    assert solution.loss == history["loss"][-1] == history["loss"].min()


def test_an_end_that_explains_little_is_not_taken():
    """There is a minimum at b = 0.74; the careful method starts over, with its other trials."""
    x = np.linspace(0.0, 2 * np.pi, 1000)
    fit = tw.curve_fit(wave, x, 2 * np.sin(2 * x), [1.0, 1.0])
    assert fit.solution.method == CAREFUL
    assert fit.success
    np.testing.assert_allclose(fit.popt, [2.0, 2.0], rtol=1e-9)


def test_a_flat_end_is_left_to_the_careful_method():
    """Two parameters of which only the product counts leave JᵀJ singular."""
    fit = tw.curve_fit(lambda x, a, b, k: a * b * jnp.exp(-k * x), X, 3 * np.exp(-X), [1.0, 2, 2])
    assert fit.solution.method == CAREFUL
    assert len(fit.undetermined) == 1


@pytest.mark.parametrize("method", ["auto", CAREFUL])
def test_points_where_the_model_is_not_finite_are_counted(method):
    """They are stepped back from, and the message says so."""

    def root(x, a, b):
        return a * jnp.sqrt(x - b)

    x = np.linspace(1.0, 5.0, 40)
    fit = tw.curve_fit(root, x, 2 * np.sqrt(x - 0.95), [0.2, -30.0], method=method)
    np.testing.assert_allclose(fit.popt, [2.0, 0.95], rtol=1e-6)
    assert "The model was not finite at" in fit.message
    assert "not finite" not in tw.curve_fit(decay, X, Y, method=method).message
