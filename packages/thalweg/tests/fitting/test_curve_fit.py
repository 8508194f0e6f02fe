"""`curve_fit` beside SciPy's, with which it must agree, and what it knows beyond."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize
from scipy.stats import t as student

import thalweg as tw
from thalweg.errors import ConfigError, DataError, MissingExtraError, ShapeError

RANDOM = np.random.default_rng(3)
X = np.linspace(0.0, 4.0, 60)
TRUTH = (2.5, 1.3, 0.5)


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    """An exponential decay to a constant, as thalweg fits it."""
    return a * jnp.exp(-b * x) + c


def decay_numpy(x: Any, a: Any, b: Any, c: Any) -> Any:
    """The same, as SciPy fits it."""
    return a * np.exp(-b * x) + c


def peak(x: Any, a: Any, m: Any, s: Any) -> Any:
    """A Gaussian peak, as thalweg fits it."""
    return a * jnp.exp(-((x - m) ** 2) / (2 * s**2))


def peak_numpy(x: Any, a: Any, m: Any, s: Any) -> Any:
    """The same, as SciPy fits it."""
    return a * np.exp(-((x - m) ** 2) / (2 * s**2))


def saturation(x: Any, v: Any, k: Any) -> Any:
    """A hyperbola that saturates, for both."""
    return v * x / (k + x)


Y = decay_numpy(X, *TRUTH) + 0.05 * RANDOM.normal(size=X.size)
SIGMA = RANDOM.uniform(0.02, 0.1, X.size)
FACTOR = RANDOM.normal(size=(X.size, X.size))
COVARIANCE = 1e-3 * (np.eye(X.size) + 0.05 * FACTOR @ FACTOR.T)


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("sigma", [None, 0.05, SIGMA, COVARIANCE], ids=["-", "1", "1-d", "2-d"])
@pytest.mark.parametrize(
    ("model", "twin", "truth", "p0"),
    [
        (decay, decay_numpy, TRUTH, None),
        (peak, peak_numpy, (3.0, 2.0, 0.6), [1.0, 1.5, 1.0]),
        (saturation, saturation, (4.0, 1.5), [1.0, 1.0]),
    ],
    ids=["decay", "peak", "saturation"],
)
def test_parameters_and_covariance_are_those_of_scipy(
    model: Callable[..., Any],
    twin: Callable[..., Any],
    truth: tuple[float, ...],
    p0: Any,
    sigma: Any,
    absolute: bool,  # noqa: FBT001 - a case
):
    """SciPy with tight tolerances finds the same minimum; its covariance has the same formula."""
    y = twin(X, *truth) + 0.05 * np.random.default_rng(7).normal(size=X.size)
    popt, pcov = tw.curve_fit(model, X, y, p0, sigma, absolute)
    tight: Any = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    expected, covariance = optimize.curve_fit(twin, X, y, p0, sigma, absolute, **tight)
    np.testing.assert_allclose(popt, expected, rtol=2e-7)
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    np.testing.assert_allclose(pcov / scale, covariance / scale, atol=1e-4)


@pytest.mark.parametrize("power", [-20, -9, 9, 20])
def test_units_of_x_and_y_do_not_matter(power: int):
    """With y times 10^p and x times 10^-p, the parameters scale and nothing else changes."""
    unit = 10.0**power
    plain = tw.curve_fit(decay, X, Y, [1.0, 2.0, 0.1])
    scaled = tw.curve_fit(decay, X / unit, Y * unit, [unit, 2.0 * unit, 0.1 * unit])
    np.testing.assert_allclose(scaled.popt / unit, plain.popt, rtol=1e-9)
    np.testing.assert_allclose(scaled.pcov / unit**2, plain.pcov, rtol=1e-6)
    assert scaled.outcome is plain.outcome is tw.Outcome.CONVERGED


def test_a_second_fit_of_the_model_compiles_nothing():
    """Other data of the same shapes, and a copy of the function, use the same programs."""

    def made(offset: float) -> Callable[..., Any]:
        return lambda x, a, b: a * jnp.exp(-b * x) + offset

    tw.curve_fit(made(0.5), X, Y)
    counted = []

    def count(event: str, duration_secs: float, **_more: Any) -> None:
        del duration_secs
        counted.append(event)

    jax.monitoring.register_event_duration_secs_listener(count)
    again = tw.curve_fit(made(0.5), X, 2 * Y)
    assert [name for name in counted if "compile" in name] == []
    other = tw.curve_fit(made(0.25), X, 2 * Y)  # another constant is another model
    assert [name for name in counted if "compile" in name] != []
    assert abs(again.chi_squared - other.chi_squared) > 1e-3


FACTOR_READ = 1.0


def test_an_end_is_judged_by_the_data_of_its_own_fit():
    """With a²x + b and a falling line the least loss is at a = 0, where J loses a column.

    The exact Hessian shows the minimum. For the rising line that was fitted first by the same
    programs a = 0 is a saddle.
    """

    def bent(x: Any, a: Any, b: Any) -> Any:
        return a * a * x + b

    x = np.linspace(0, 1, 30)
    noise = 0.05 * np.sin(37 * x)
    rising = tw.curve_fit(bent, x, 1 + x + noise, [0.5, 0.1], method="scaled-geodesic")
    assert rising.popt[0] == pytest.approx(1, abs=0.1)
    falling = tw.curve_fit(bent, x, 1 - x + noise, [0.5, 0.1])
    assert abs(falling.popt[0]) < 1e-6
    assert falling.popt[1] == pytest.approx(np.mean(1 - x + noise), rel=1e-6)
    assert falling.outcome is tw.Outcome.CONVERGED
    assert "By the exact Hessian it is a minimum." in falling.message


def test_a_global_that_has_changed_is_read_again(monkeypatch: pytest.MonkeyPatch):
    """The model is what it computes now, not what it computed when it was compiled."""

    def line(x: Any, a: Any) -> Any:
        return FACTOR_READ * a * x

    assert np.isclose(tw.curve_fit(line, X, X).popt[0], 1.0)
    monkeypatch.setattr(sys.modules[__name__], "FACTOR_READ", 4.0)
    assert np.isclose(tw.curve_fit(line, X, X).popt[0], 0.25)


class Settings:
    """Something whose attributes cannot be compared."""

    factor = 1.0


def test_an_attribute_that_has_changed_is_read_again():
    """What cannot be compared is traced at each call."""
    settings = Settings()

    def line(x: Any, a: Any) -> Any:
        return settings.factor * a * x

    assert np.isclose(tw.curve_fit(line, X, X).popt[0], 1.0)
    settings.factor = 4.0
    assert np.isclose(tw.curve_fit(line, X, X).popt[0], 0.25)


def test_parameters_are_laid_out_as_the_start():
    """A dictionary by keyword, and a nested pytree."""
    plain = tw.curve_fit(decay, X, Y)
    named = tw.curve_fit(decay, X, Y, {"b": 2.0, "a": 1.0, "c": 0.0})
    assert list(named.params) == ["a", "b", "c"]
    np.testing.assert_allclose(list(named.params.values()), plain.popt, rtol=1e-8)
    np.testing.assert_allclose(list(named.stderr.values()), plain.stderr, rtol=1e-6)

    def nested(x: Any, p: Any) -> Any:
        return p["out"][0] * jnp.exp(-p["rate"] * x) + p["out"][1]

    tree = tw.curve_fit(nested, X, Y, {"out": np.array([1.0, 0.0]), "rate": 2.0})
    np.testing.assert_allclose(tree.params["out"], plain.popt[[0, 2]], rtol=1e-8)
    assert tree.names == ("out[0]", "out[1]", "rate")


def test_fixed_parameters_stay_and_have_no_error():
    """The others are those of the model without it."""
    fit = tw.curve_fit(decay, X, Y, [1.0, 2.0, 0.0], fixed={"c": 0.5})
    rest = tw.curve_fit(lambda x, a, b: decay(x, a, b, 0.5), X, Y, [1.0, 2.0])
    np.testing.assert_allclose(fit.popt, [*rest.popt, 0.5], rtol=1e-9)
    np.testing.assert_allclose(fit.pcov[:2, :2], rest.pcov, rtol=1e-7)
    assert not fit.pcov[2].any()
    assert set(fit.confidence_intervals()) == {"a", "b"}
    with pytest.raises(ConfigError, match="fixed"):
        tw.curve_fit(decay, X, Y, fixed=["d"])


@pytest.mark.parametrize("loss", ["huber", "soft_l1", "cauchy"])
def test_robust_losses_are_those_of_scipy(loss: str):
    """Outliers are left behind as SciPy's `least_squares` leaves them."""
    y = Y.copy()
    y[::9] += 3
    fit = tw.curve_fit(decay, X, y, loss=loss, f_scale=0.1)

    def residual(p: np.ndarray) -> np.ndarray:
        return decay_numpy(X, *p) - y

    tight: Any = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-12}
    found = optimize.least_squares(residual, fit.popt * 1.01, loss=loss, f_scale=0.1, **tight)
    assert fit.chi_squared == pytest.approx(2 * found.cost, rel=1e-9)
    np.testing.assert_allclose(fit.popt, found.x, rtol=1e-4)


def test_tukey_drops_outliers_altogether():
    """The fit is nearly that without them, unlike the one by squares."""
    y, kept = Y.copy(), np.arange(X.size) % 9 != 0
    y[~kept] += 3
    clean = tw.curve_fit(decay, X[kept], y[kept])
    start = tw.curve_fit(decay, X, y, loss="cauchy", f_scale=0.1).popt
    tukey = tw.curve_fit(decay, X, y, start, loss="tukey", f_scale=0.3)
    assert np.all(np.abs(tukey.popt - clean.popt) < clean.stderr)
    assert np.any(np.abs(tw.curve_fit(decay, X, y).popt - clean.popt) > 3 * clean.stderr)


def test_complex_residuals_count_twice():
    """The impedance of a resistor and a capacitor, from a start far off."""
    w = np.logspace(3, 9, 40)

    def impedance(w: Any, r: Any, c: Any) -> Any:
        return r / (1 + 1j * w * r * c)

    fit = tw.curve_fit(impedance, w, impedance(w, 1e3, 1e-9), [1e4, 1e-8])
    np.testing.assert_allclose(fit.popt, [1e3, 1e-9], rtol=1e-9)
    assert fit.dof == 78


def test_several_starts_find_what_one_does_not():
    """A sine whose frequency is far from the start's."""
    y = np.sin(7 * X + 0.3)

    def wave(x: Any, a: Any, w: Any, p: Any) -> Any:
        return a * jnp.sin(w * x + p)

    limits = ([0, 0, -4], [5, 20, 4])
    fit = tw.curve_fit(wave, X, y, [1, 1, 0], bounds=limits, starts=12)
    np.testing.assert_allclose(fit.popt, [1, 7, 0.3], rtol=1e-8)
    assert len(fit.solution.starts) == 12
    with pytest.raises(ConfigError, match="lacks a lower or an upper"):
        tw.curve_fit(wave, X, y, [1, 1, 0], starts=3)


def test_what_the_data_do_not_determine_is_named():
    """Two factors of which only the product counts."""
    fit = tw.curve_fit(lambda x, a, b, c: a * b * jnp.exp(-c * x), X, Y)
    (direction,) = fit.undetermined
    assert set(direction.components) == {"a", "b"}
    ratio = direction.components["a"] / direction.components["b"]
    assert ratio == pytest.approx(-fit.popt[0] / fit.popt[1], rel=1e-5)
    assert np.isinf(fit.stderr[:2]).all()
    assert np.isfinite(fit.stderr[2])
    assert "do not determine" in repr(fit)


def test_float64_without_the_flag_and_the_flag_stays_off():
    """In a process that has never heard of JAX's x64 flag."""
    script = """if True:
        import jax, numpy as np, jax.numpy as jnp, thalweg as tw
        x = np.linspace(0.0, 1.0, 20)
        fit = tw.curve_fit(lambda x, a, b: a * jnp.exp(-b * x), x, 3 * np.exp(-2 * x))
        fit.confidence_intervals(by="profile"), fit.predict(x, interval=0.9), fit.hessian
        print(np.abs(fit.popt - [3, 2]).max() < 1e-12, jax.config.jax_enable_x64, jnp.ones(1).dtype)
    """
    environment = {k: v for k, v in os.environ.items() if k != "JAX_ENABLE_X64"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["True", "False", "float32"]


def calls_numpy(x: Any, a: Any, b: Any) -> Any:
    """A model that JAX cannot trace."""
    return a * np.exp(-b * x)


def branches(x: Any, a: Any, b: Any) -> Any:
    """A model that branches on a parameter."""
    return a * x if a > 0 else b * x


@pytest.mark.parametrize(
    ("model", "keywords", "kind", "words"),
    [
        (calls_numpy, {}, ConfigError, r"`f` makes .*NumPy.* in line \d+ of test_curve_fit.py"),
        (branches, {}, ConfigError, r"in line \d+ of test_curve_fit.py.*jnp.where"),
        (lambda _x, _a: None, {}, ConfigError, "returns None"),
        (lambda x, a, b: (a * x + b)[:5], {}, ShapeError, r"\(5,\).*\(60,\)"),
        (lambda x, a, b: jnp.log(a * x - b), {}, DataError, r"start \(a = 1, b = 1\) for 15 of 60"),
        (lambda x, a: jnp.sqrt(a) * x, {"p0": [0.0]}, DataError, "derivative by `a`"),
        (lambda x, *p: p[0] * x, {}, ConfigError, "give `p0`"),
        (decay, {"p0": [1.0]}, ConfigError, "has 1 values, but `f` takes 3"),
        (decay, {"p0": [1, 2, 3, 4]}, ConfigError, "takes 3 parameters"),
        (decay, {"p0": [[1, 2, 3]]}, ConfigError, "it takes a, b, c after x"),
        (decay, {"p0": {"A": 1, "b": 2, "c": 3}}, ConfigError, "a dict that is no start by name"),
        (decay, {"p0": {"a": 1, "c": 3}}, ConfigError, "no start for `b`"),
        (decay, {"p0": [1, np.nan, 3]}, DataError, "`p0` is not finite in `b`"),
        (decay, {"bounds": ([0, 0, 1], [1, 1, 0])}, ConfigError, "bounds of `c`"),
        (decay, {"bounds": (0, 2), "p0": [5, 1, 1]}, ConfigError, "start of `a` is 5, outside"),
        (decay, {"sigma": np.zeros(60)}, ConfigError, "positive"),
        (decay, {"sigma": np.ones(3)}, ShapeError, "sigma"),
        (decay, {"loss": "l1"}, ConfigError, "huber"),
        (decay, {"method": "newtn"}, ConfigError, "no method"),
    ],
)
def test_bad_input_is_one_sentence(model: Any, keywords: Any, kind: Any, words: str):
    """What was found, what was expected, what to do."""
    with pytest.raises(kind, match=words) as caught:
        tw.curve_fit(model, X, Y, **keywords)
    assert "\n" not in str(caught.value)


def test_nan_is_refused_or_left_out():
    """By `nan_policy`, as in SciPy."""
    y = np.where(X > 3.5, np.nan, Y)
    with pytest.raises(DataError, match="`ydata` holds NaN"):
        tw.curve_fit(decay, X, y)
    kept = X <= 3.5
    omitted = tw.curve_fit(decay, X, y, sigma=SIGMA, nan_policy="omit")
    np.testing.assert_allclose(
        omitted.popt, tw.curve_fit(decay, X[kept], Y[kept], sigma=SIGMA[kept]).popt, rtol=1e-9
    )


def test_methods_of_scipy_and_budgets_go_through_minimize():
    """Other methods and a `Stop` run as `minimize` runs them."""
    auto = tw.curve_fit(decay, X, Y)
    lm = tw.curve_fit(decay, X, Y, method="lm")
    assert (auto.solution.method, lm.solution.method) == ("levenberg-marquardt", "scipy-lm")
    np.testing.assert_allclose(lm.popt, auto.popt, rtol=1e-5)
    short = tw.curve_fit(decay, X, Y, stop=tw.Stop(steps=2))
    assert short.outcome is tw.Outcome.BUDGET_SPENT
    assert not short.success


def test_the_history_is_that_of_minimize():
    """The quick way makes the steps that `minimize` makes, bit for bit."""
    named = {"p0": [1.0, 2.0, 0.0], "method": "scaled-geodesic"}
    quick = tw.curve_fit(decay, X, Y, **named).solution
    long = tw.curve_fit(decay, X, Y, **named, stop=tw.Stop(steps=10_000)).solution
    assert set(quick.history) == set(long.history)
    np.testing.assert_allclose(quick.history["loss"], long.history["loss"], rtol=1e-12)
    np.testing.assert_allclose(
        quick.history["grad_norm"][:-1], long.history["grad_norm"][:-1], rtol=1e-6, atol=1e-12
    )
    assert quick.work == long.work


def test_predictions_and_bands_of_a_line_are_the_closed_form():
    """For a line the band is known: `s √(1/m + (x - x̄)²/Sxx)`."""
    y = 2 * X + 1 + 0.1 * np.random.default_rng(5).normal(size=X.size)
    fit = tw.curve_fit(lambda x, a, b: a * x + b, X, y)
    at = np.array([-1.0, 2.0, 9.0])
    m, mean = X.size, X.mean()
    std = np.sqrt(fit.scale * (1 / m + (at - mean) ** 2 / np.sum((X - mean) ** 2)))
    value, found = fit.predict(at, return_std=True)
    np.testing.assert_allclose(found, std, rtol=1e-9)
    q = student.ppf(0.95, m - 2)
    band = fit.predict(at, interval=0.9)
    np.testing.assert_allclose(band.high - value, q * std, rtol=1e-9)
    wide = fit.predict(at, interval=0.9, new_measurements=True)
    np.testing.assert_allclose(wide.high - value, q * np.sqrt(std**2 + fit.scale), rtol=1e-9)
    assert fit.r_squared == pytest.approx(np.corrcoef(X, y)[0, 1] ** 2, rel=1e-9)
    assert fit.correlation[0, 1] == pytest.approx(-mean / np.sqrt(np.mean(X**2)), rel=1e-9)


def test_plot_names_its_extra_where_matplotlib_is_missing(monkeypatch: pytest.MonkeyPatch):
    """And nothing else of a fit needs it."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    fit = tw.curve_fit(decay, X, Y)
    with pytest.raises(MissingExtraError, match=r"thalweg\[plot\]"):
        fit.plot()
    lines = repr(fit).splitlines()
    assert lines[0].startswith("converged")
    assert len(lines) == 5
