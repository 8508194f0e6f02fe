"""Every kind of bounded fit ends, proven, at the minimum that SciPy's two bounded methods find."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

import thalweg as tw
from thalweg.errors import ConfigError

X = np.linspace(0.05, 4.0, 80)
NOISE = np.random.default_rng(1).normal(size=X.size)
inf = np.inf
TIGHT: dict[str, Any] = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "x_scale": "jac"}


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    """A decay to a background."""
    return a * jnp.exp(-b * x) + c


def small_decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    """The same with parameters of very different sizes."""
    return (a * 1e-20) * jnp.exp(-(b * 1e20) * x) + c


def peak(x: Any, a: Any, m: Any, s: Any) -> Any:
    """A Gaussian peak."""
    return a * jnp.exp(-((x - m) ** 2) / (2 * s * s))


def cubic(x: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """A polynomial, so that the fit is linear."""
    return a + b * x + c * x**2 + d * x**3


def logarithm(x: Any, a: Any, c: Any) -> Any:
    """Not finite for c above x."""
    return a * jnp.log(x - c)


def root(x: Any, a: Any, c: Any) -> Any:
    """Not finite for c below x."""
    return a * jnp.sqrt(c - x)


def measured(model: Any, *truth: float, noise: float = 0.03) -> np.ndarray:
    """Values with noise, in float64."""
    with jax.enable_x64(True):  # noqa: FBT003 - as JAX has it
        y = np.asarray(model(X, *truth))
    return y + noise * np.ptp(y) * NOISE


D, LOWER = measured(decay, 2.5, 1.3, 0.5), measured(decay, 2.5, 1.3, -0.2)
OUTLIERS = D + 2.0 * (np.arange(X.size) % 9 == 0)
P = measured(peak, 3, 2, 0.6)
C = measured(cubic, 1, -2, 0.5, 0.1)
BEST = tw.curve_fit(decay, X, D).popt
ZERO, ONE, FIVE, OPEN = [0.0] * 3, [1.0] * 3, [5.0] * 3, [inf] * 3


@dataclasses.dataclass(frozen=True)
class Case:
    """A fit; `expected` has the parameters at bounds, None where a multiplier is zero."""

    model: Any
    y: Any
    start: Any
    low: Any
    high: Any
    expected: dict[str, str] | None = dataclasses.field(default_factory=dict)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


B, LO = {"b": "upper"}, "lower"
CASES = {
    "none at a bound": Case(decay, D, None, ZERO, FIVE),
    "one": Case(decay, D, None, ZERO, [3, 1, 1], B),
    "two": Case(decay, D, None, [0, 0, 0.6], [2.2, 5, 5], {"a": "upper", "c": LO}),
    "three": Case(decay, D, None, [0, 2.0, 0.9], [2.0, 5, 5], {"a": "upper", "b": LO, "c": LO}),
    "two pushed far": Case(decay, D, None, [0, 0, 0.7], [2, 1, 5], {"b": "upper", "c": LO}),
    "lower ones": Case(decay, LOWER, ONE, ZERO, OPEN, {"c": LO}),
    "lower ones, inside": Case(decay, D, ONE, ZERO, OPEN),
    "lower ones, from far": Case(decay, D, [100, 50, 30], ZERO, OPEN),
    "an upper one": Case(decay, D, [1, 1, 0], [-inf] * 3, [2, inf, inf], {"a": "upper"}),
    "one of each": Case(
        decay, D, [4, 1, 0.3], [3, -inf, -inf], [inf, inf, 0.4], {"a": LO, "c": "upper"}
    ),
    "start on a bound": Case(decay, D, [1, 0, 1], ZERO, FIVE),
    "start in a corner": Case(decay, D, ZERO, ZERO, FIVE),
    "start in the far corner": Case(decay, D, FIVE, ZERO, FIVE),
    "start at the end": Case(decay, D, [2, 1, 0.7], [0, 0, 0.7], [2, 1, 5], None),
    "multiplier zero": Case(decay, D, None, ZERO, [5, BEST[1], 5], None),
    "two multipliers zero": Case(decay, D, ONE, [0, 0, BEST[2]], [BEST[0], 5, 5], None),
    "just inside": Case(decay, D, None, ZERO, [5, BEST[1] + 5e-8, 5]),
    "just beyond": Case(decay, D, None, ZERO, [5, BEST[1] - 5e-8, 5], B),
    "exact data, end on a bound": Case(
        decay, measured(decay, 2.5, 1.3, 0.5, noise=0), None, ZERO, [5, 1.3, 5], None
    ),
    "wide": Case(decay, LOWER, ONE, [0] * 3, [1e300] * 3, {"c": LO}),
    "as wide as numbers": Case(decay, D, ONE, [-1.7e308] * 3, [1.7e308] * 3),
    "tiny lower bounds": Case(decay, D, ONE, [1e-300] * 3, [1e300] * 3),
    "narrow": Case(decay, D, None, BEST - 5e-10, BEST + 5e-10, None),
    "narrow, elsewhere": Case(decay, D, None, BEST + 1e-3, BEST + 1.001e-3, None),
    "one number wide": Case(decay, D, [1, 1.1, 1], [0, 1.1, 0], [5, np.nextafter(1.1, 2), 5], B),
    "sizes": Case(small_decay, D, [1e20, 1e-20, 1], ZERO, [3e20, 1e-20, 1], B),
    "small units": Case(decay, D * 1e-12, [1e-12, 1, 1e-12], ZERO, [5e-12, 1, 5e-12], B),
    "a fixed one": Case(
        decay, D, [1, 1, 0.5], ZERO, [2.2, 5, 5], {"a": "upper"}, {"fixed": {"c": 0.55}}
    ),
    "sigma": Case(
        decay, D, None, ZERO, [2.2, 5, 5], {"a": "upper"}, {"sigma": np.linspace(0.05, 0.2, 80)}
    ),
    "huber": Case(decay, OUTLIERS, None, ZERO, [5, 1, 5], B, {"loss": "huber", "f_scale": 0.1}),
    "soft_l1": Case(
        decay, OUTLIERS, None, ZERO, [5, 1, 5], B, {"loss": "soft_l1", "f_scale": 0.1}
    ),
    "cauchy": Case(decay, OUTLIERS, None, ZERO, [5, 1, 5], B, {"loss": "cauchy", "f_scale": 0.1}),
    "peak": Case(peak, P, [1, 1.5, 1], [0, 0, 0.1], [10, 4, 5]),
    "peak, two": Case(
        peak, P, [1, 1.5, 1], [0, 0, 0.8], [10, 1.9, 5], {"m": "upper", "s": LO}
    ),
    "linear": Case(cubic, C, [1.0] * 4, [0, -1, 0, 0], [inf] * 4, None),
    "linear, from a corner": Case(cubic, C, [0, -1, 0, 0], [0, -1, 0, 0], [inf] * 4, None),
    "logarithm": Case(logarithm, measured(logarithm, 2, 0.03), [1, -1], [0, -5], [10, 0.01], None),
    "logarithm at its edge": Case(
        logarithm, measured(logarithm, 2, 0.0499), [1, -1], [0, -5], [10, 0.0499999], None
    ),
    "root": Case(root, measured(root, 2, 4.00001), [1, 6], [0, np.nextafter(4, 5)], [10, 9], None),
}  # fmt: skip


def oracle(case: Case, found: np.ndarray) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """The least loss by SciPy from the start and from our end, its θ, and our gradient and J."""
    low, high = (np.asarray(side, float) for side in (case.low, case.high))
    held = np.array([name in case.options.get("fixed", {}) for name in "abcd"[: len(low)]])
    both = np.isfinite(low) & np.isfinite(high)
    middle = np.where(both, 0.5 * np.where(both, low, 0) + 0.5 * np.where(both, high, 0), 1.0)
    start = np.where(held, found, middle if case.start is None else np.asarray(case.start, float))
    weight = 1 / case.options.get("sigma", np.ones(X.size))
    free = np.flatnonzero(~held)

    with jax.enable_x64(True), np.errstate(all="ignore"):  # noqa: FBT003 - as JAX has it
        value, slope = (
            jax.jit(f) for f in (case.model, jax.jacfwd(case.model, tuple(range(1, 1 + len(low)))))
        )

        def full(theta: np.ndarray) -> np.ndarray:
            whole = start.copy()
            whole[free] = theta
            return whole

        def residuals(theta: np.ndarray) -> np.ndarray:
            return weight * (np.asarray(value(X, *full(theta))) - case.y)

        def jacobian(theta: np.ndarray) -> np.ndarray:
            columns = slope(X, *full(theta))
            rows = [np.broadcast_to(column, X.shape) for column in columns]
            return (weight * np.array(rows)).T[:, free]

        wide = 1e100  # beyond which SciPy's methods overflow
        bounds = tuple(
            np.where(np.isfinite(side), np.clip(side, -wide, wide), side)[free]
            for side in (low, high)
        )
        robust = {k: v for k, v in case.options.items() if k in {"loss", "f_scale"}}
        ends = [
            optimize.least_squares(
                residuals, np.clip(at[free], *bounds), jacobian,  # pyright: ignore[reportArgumentType]
                bounds=bounds, method=method, **robust, **TIGHT,
            )
            for method in ("trf", "dogbox")
            for at in (start, found)
        ]  # fmt: skip
        best = min(ends, key=lambda end: end.cost)
        return best.cost, full(best.x), residuals(found[free]), jacobian(found[free])


@pytest.mark.parametrize("name", CASES)
def test_the_end_is_the_constrained_minimum(name: str):
    """Verdict, loss, parameters, KKT conditions, and which parameters are at bounds."""
    case = CASES[name]
    fit = tw.curve_fit(
        case.model, X, case.y, case.start, bounds=(case.low, case.high), **case.options
    )
    low, high = np.asarray(case.low, float), np.asarray(case.high, float)
    assert np.all((low <= fit.popt) & (fit.popt <= high))
    least, theta, s, jacobian = oracle(case, fit.popt)
    assert fit.success, fit.message
    nothing = 1e-26 * float(case.y @ case.y)
    assert fit.chi_squared / 2 <= least * (1 + 1e-9) + nothing
    free = [k for k, each in enumerate(fit.names) if each in fit.free_names]
    columns = np.linalg.norm(jacobian, axis=0)
    away = np.abs(fit.popt - theta)[free]
    assert np.all(away <= 2e-6 * np.abs(theta[free]) + 1e-7 * np.linalg.norm(s) / columns)
    if case.expected is not None:
        assert fit.at_bounds == case.expected
    for bound in fit.at_bounds:
        k = fit.names.index(bound)
        assert fit.popt[k] == (low if fit.at_bounds[bound] == "lower" else high)[k]
    if "loss" not in case.options and s @ s / 2 > nothing:
        at, slope = fit.popt[free], jacobian.T @ s
        slope = np.where(at <= low[free], np.minimum(slope, 0), slope)
        slope = np.where(at >= high[free], np.maximum(slope, 0), slope)
        cosines = slope / columns / np.linalg.norm(s)
        assert np.all(np.abs(cosines) <= 1e-7)


@pytest.mark.parametrize("side", ["one-sided", "two-sided"])
def test_the_model_is_never_called_outside_of_its_bounds(side: str):
    """Every point that the compiled run tries is within them, to the last bit."""
    edge = float(np.nextafter(4.0, 5.0))
    seen: list[float] = []

    def watched(x: Any, a: Any, c: Any) -> Any:
        jax.debug.callback(lambda at: seen.append(float(at)), c)
        return a * jnp.sqrt(c - x)

    high = inf if side == "one-sided" else 9.0
    y = measured(root, 2, 4.00001)
    fit = tw.curve_fit(watched, X, y, [1.0, 6.0], bounds=([0, edge], [10, high]))
    jax.effects_barrier()
    assert fit.success
    assert len(seen) > 3
    assert min(seen) >= edge
    assert max(seen) <= high


def test_equal_bounds_are_refused_as_scipy_refuses_them():
    """The message says what to use for a parameter with one value."""
    limits: Any = ([0, 1, 0], [5, 1, 5])
    with pytest.raises(ConfigError, match="use `fixed` for a parameter with one value"):
        tw.curve_fit(decay, X, D, bounds=limits)
    with pytest.raises(ValueError, match="strictly less"):
        optimize.curve_fit(decay, X, D, bounds=limits)


def test_a_parameter_without_effect_at_a_bound_is_no_minimum():
    """With a held at 0 the rate b does not matter, which is said and not called converged."""
    fit = tw.curve_fit(decay, X, measured(decay, -2.0, 1.3, 1.0), ONE, bounds=(ZERO, FIVE))
    assert fit.popt[0] == 0
    assert fit.outcome is tw.Outcome.PLATEAU
    assert "does not depend on `b`" in fit.message


def test_complex_data_pytrees_and_several_starts():
    """Each form of a fit knows its bounds."""

    def spin(x: Any, p: Any) -> Any:
        return p["a"][0] * jnp.exp((-p["a"][1] + 1j * p["w"]) * x)

    y = np.asarray(2.0 * np.exp((-0.5 + 3.0j) * X)) + 0.05 * (NOISE + 1j * NOISE[::-1])
    start = {"a": np.array([1.0, 0.2]), "w": 1.0}
    low, high = {"a": [0.0, 0.0], "w": 0.0}, {"a": [5.0, 0.4], "w": 6.0}
    fit = tw.curve_fit(spin, X, y, start, bounds=(low, high), starts=6)

    def residuals(t: np.ndarray) -> np.ndarray:
        r = t[0] * np.exp((-t[1] + 1j * t[2]) * X) - y
        return np.concatenate([r.real, r.imag])

    best = optimize.least_squares(residuals, [1, 0.2, 3.0], bounds=([0] * 3, [5, 0.4, 6]), **TIGHT)
    assert fit.success
    np.testing.assert_allclose(fit.popt, best.x, rtol=1e-6)
    assert list(fit.at_bounds.values()) == ["upper"]
