"""Ways into `minimize` that people try first: each works, or one sentence says what to do."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import thalweg as tw
from thalweg.errors import ConfigError
from thalweg.problem import Sum

X = np.linspace(-1.0, 1.0, 20)
Y = np.sin(3 * X)
START = {"a": np.array(1.0)}
FEW = tw.Stop(steps=3)

LINE = tw.LeastSquares(lambda p, x, y: p["a"] * x - y, data=(X, Y))
PRIOR = tw.LeastSquares(lambda p: p["a"] - 1)
SIGNS = tw.Composite(
    lambda p, x: p["a"] * x, lambda z, y: jnp.logaddexp(0.0, -y * z), data=(X, np.sign(X + 0.01))
)
QUARTIC = tw.Scalar(lambda p: p["a"] ** 4)

A = 1.7


def value(problem, at=A):
    """The loss of a problem at one point, as the first row of a run has it."""
    solution = tw.minimize(problem, {"a": np.array(at)}, stop=tw.Stop(steps=1))
    return float(solution.history["loss"][0])


SEPARATE = {
    "line": np.mean((A * X - Y) ** 2) / 2,
    "prior": (A - 1) ** 2 / 2,
    "signs": np.mean(np.logaddexp(0, -np.sign(X + 0.01) * A * X)),
    "quartic": A**4,
}


@pytest.mark.parametrize(
    ("problem", "weights"),
    [
        (sum([LINE, PRIOR]), {"line": 1, "prior": 1}),
        (LINE + SIGNS, {"line": 1, "signs": 1}),
        (SIGNS + LINE, {"line": 1, "signs": 1}),
        (LINE + QUARTIC, {"line": 1, "quartic": 1}),
        (SIGNS + 2 * SIGNS, {"signs": 3}),
        (sum([LINE, SIGNS, QUARTIC, PRIOR]), {"line": 1, "signs": 1, "quartic": 1, "prior": 1}),
        (2.0 * (QUARTIC + LINE), {"line": 2, "quartic": 2}),
        (np.float32(2) * SIGNS, {"signs": 2}),
        (jnp.asarray(2.0) * LINE + PRIOR * jnp.asarray(3.0), {"line": 2, "prior": 3}),
        (np.array(0.5) * LINE, {"line": 0.5}),
    ],
)
def test_problems_of_any_kind_add_up_and_take_weights(problem, weights):
    """The loss of a sum is the sum of the losses."""
    expected = sum(weight * SEPARATE[name] for name, weight in weights.items())
    assert value(problem) == pytest.approx(expected, rel=1e-12)


def test_a_sum_of_least_squares_keeps_its_structure():
    """So methods for least squares take it, and any other sum is one of its kinds."""
    assert isinstance(sum([LINE, PRIOR, LINE]), tw.LeastSquares)
    assert isinstance(LINE + QUARTIC + PRIOR, Sum)
    assert len((LINE + QUARTIC + PRIOR).parts) == 2
    assert isinstance(2 * SIGNS, tw.Composite)


def test_a_mixed_sum_is_minimised():
    """Against a minimum found by hand: ½ (a - 1)² + a⁴ has its root of 4a³ + a - 1."""
    solution = tw.minimize(PRIOR + QUARTIC, START)
    root = np.roots([4, 0, 1, -1])
    expected = float(root[np.isreal(root)].real[0])
    assert solution.outcome is tw.Outcome.CONVERGED
    assert float(solution.params["a"]) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("factor", [0, -1.0, math.inf, np.nan])
def test_weights_are_positive(factor):
    """A part that is weighted by 0 is better left out."""
    with pytest.raises(ConfigError, match="a finite factor above 0"):
        factor * (LINE + QUARTIC)


def test_other_things_do_not_add_up():
    """As numbers and arrays: Python says so."""
    for other in (1, "text", np.ones(3)):
        with pytest.raises(TypeError):
            LINE + other
    with pytest.raises(TypeError):
        np.ones(3) * LINE


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_random_keys_are_data(make):
    """New keys and old ones; the same numbers."""
    keys = jax.random.split(make(0), 20)

    def noisy(p, x, y, key):
        return p["a"] * x - y + 0.1 * jax.random.normal(key)

    solution = tw.minimize(tw.LeastSquares(noisy, data=(X, Y, keys)), START)
    shifts = np.array([0.1 * jax.random.normal(key) for key in keys])
    assert solution.params["a"] == pytest.approx(X @ (Y - shifts) / (X @ X), rel=1e-9)


def test_complex_residuals_count_by_their_modulus():
    """Σ |r|², by real and imaginary parts."""
    problem = tw.LeastSquares(lambda p, x: (p["a"] - 2) * (1 + 1j) * x, data=(X,))
    assert value(problem) == pytest.approx(np.mean(2 * (A - 2) ** 2 * X**2) / 2)


def branching(p, x, y):
    """As one writes it in Python."""
    if p["a"] * x > 0:
        return p["a"] * x - y
    return -y


@pytest.mark.parametrize(
    ("residual", "says"),
    [
        (branching, "`jnp.where"),
        (lambda p, x, y: np.sin(p["a"] * x) - y, "`jax.numpy` instead"),
        (lambda p, x, y: math.sin(p["a"] * x) - y, "`jax.numpy` instead"),
        (lambda p, x, y: float(p["a"]) * x - y, "`jax.numpy` instead"),
        (lambda p, x, y: p["a"] * x[:, 0] - y, "one example at a time"),
        (lambda p, x, y: (p["a"] * x).mean(axis=1) - y, "one example at a time"),
        (lambda p, x: p["a"] * x, "one example at a time"),
    ],
    ids=["if", "numpy", "math", "float", "column", "axis", "arguments"],
)
def test_a_function_that_cannot_be_traced_is_told_how(residual, says):
    """In one sentence, which names the line, and not in a page of JAX's."""
    with pytest.raises(ConfigError, match=says) as raised:
        tw.minimize(tw.LeastSquares(residual, data=(X, Y)), START, stop=FEW)
    assert "\n" not in str(raised.value)
    if "takes 2 positional" not in str(raised.value):
        assert "test_doors.py" in str(raised.value)


def test_errors_of_the_function_itself_stay_what_they_are():
    """A wrong name of a parameter is a KeyError."""
    with pytest.raises(KeyError, match="'b'"):
        tw.minimize(tw.LeastSquares(lambda p, x, y: p["b"] * x - y, data=(X, Y)), START)


@pytest.mark.parametrize(
    ("leaf", "says"),
    [
        (np.array(1), r"write `1.0` instead of `1`"),
        (np.ones((), bool), "1.0"),
        (jnp.ones((), jnp.bfloat16), r"astype\(np.float32\)"),
        (np.array(1j), "real and imaginary part"),
    ],
)
def test_a_leaf_of_another_dtype_is_told_how(leaf, says):
    """Integers, booleans, bfloat16, complex numbers."""
    with pytest.raises(ConfigError, match=says):
        tw.minimize(LINE, {"a": leaf}, stop=FEW)


def fit(y):
    """A fit whose data may be an argument of a transformed function."""
    return tw.minimize(
        tw.LeastSquares(lambda p, x, y: p["a"] * x - y, data=(X, y)), START, stop=FEW
    ).params["a"]


@pytest.mark.parametrize(
    "call",
    [
        lambda: jax.jit(fit)(jnp.asarray(Y)),
        lambda: jax.grad(fit)(jnp.asarray(Y)),
        lambda: jax.vmap(fit)(jnp.stack([Y, Y])),
        lambda: jax.jit(lambda a: tw.minimize(LINE, {"a": a}, stop=FEW).loss)(1.0),
    ],
    ids=["jit", "grad", "vmap", "start"],
)
def test_under_a_transformation_it_says_to_go_outside(call):
    """A run needs numbers."""
    with pytest.raises(ConfigError, match="call `minimize` outside"):
        call()


def test_a_frozen_part_of_a_module_stays():
    """`eqx.partition`: only what is passed as `params` is trained."""
    mlp = eqx.nn.MLP(1, 1, 4, 1, key=jax.random.key(0), dtype=np.float64)
    free = jax.tree.map(lambda _: False, mlp)
    free = eqx.tree_at(lambda m: m.layers[-1].weight, free, replace=True)
    trained, frozen = eqx.partition(mlp, free)

    def residual(part, x, y):
        return eqx.combine(part, frozen)(x[None])[0] - y

    solution = tw.minimize(tw.LeastSquares(residual, data=(X, Y)), trained, stop=FEW)
    whole = eqx.combine(solution.params, frozen)
    assert np.array_equal(whole.layers[0].weight, mlp.layers[0].weight)
    assert not np.array_equal(whole.layers[-1].weight, mlp.layers[-1].weight)
    assert solution.loss < solution.history["loss"][0]


class Network(nnx.Module):
    """With what an NNX module may hold: parameters, running averages, random keys, functions."""

    def __init__(self, rngs):
        self.first = nnx.Linear(1, 4, rngs=rngs, param_dtype=jnp.float64)
        self.norm = nnx.BatchNorm(
            4, use_running_average=True, rngs=rngs, dtype=jnp.float64, param_dtype=jnp.float64
        )
        self.drop = nnx.Dropout(0.5, deterministic=True, rngs=rngs)
        self.last = nnx.Linear(4, 1, rngs=rngs, param_dtype=jnp.float64)
        self.activation = jnp.tanh

    def __call__(self, x):
        """The outputs."""
        return self.last(self.drop(self.activation(self.norm(self.first(x)))))


def test_a_module_of_flax_nnx_is_taken_directly():
    """Its `nnx.Param`s are trained, as by `nnx.split`; averages, keys and functions stay."""
    module = Network(nnx.Rngs(0))
    module.norm.mean[...] = jnp.linspace(-0.1, 0.1, 4, dtype=jnp.float32)
    solution = tw.minimize(
        tw.LeastSquares(lambda m, x, y: m(x[None])[0] - y, data=(X, Y)), module, stop=FEW
    )
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    split = tw.minimize(
        tw.LeastSquares(lambda p, x, y: nnx.merge(graph, p, rest)(x[None])[0] - y, data=(X, Y)),
        params,
        stop=FEW,
    )
    assert isinstance(solution.params, Network)
    assert solution.loss == pytest.approx(split.loss, rel=1e-12)
    assert solution.loss < solution.history["loss"][0]
    assert np.array_equal(solution.params.norm.mean[...], module.norm.mean[...])
    assert solution.params.drop.rngs is not None
    assert np.isfinite(solution.params(np.ones(1))).all()
    trained = nnx.state(solution.params, nnx.Param)
    assert not np.array_equal(trained["norm"]["scale"][...], np.ones(4))


def test_other_constants_of_a_module_are_another_run():
    """Compiled programs hold them, so a module with other averages does not share those."""

    def loss(shift):
        module = Network(nnx.Rngs(0))
        module.norm.mean[...] = jnp.full(4, shift, jnp.float32)
        return tw.minimize(shifted, module, stop=tw.Stop(steps=1)).history["loss"][0]

    shifted = tw.LeastSquares(lambda m, x, y: m(x[None])[0] - y, data=(X, Y))
    assert loss(0.0) != loss(0.5)


def test_a_solution_is_shown_in_five_lines():
    """And in a notebook with a curve that a reader without sight can read too."""
    solution = tw.minimize(LINE, START)
    shown = repr(solution).splitlines()
    assert shown[0] == "Solution"
    assert [line.split()[0] for line in shown[1:]] == [
        "outcome",
        "loss",
        "params",
        "work",
        "method",
    ]
    assert "converged" in shown[1]
    page = solution._repr_html_()
    assert "<table>" in page
    assert "<polyline" in page
    assert "<title>loss from" in page
    assert "http" not in page
