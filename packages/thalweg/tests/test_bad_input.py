"""Bad input is answered in one sentence: what was found, what was expected, what to do."""

import math
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg.errors import DataError, PrecisionError, ShapeError, UnknownMethodError

ONES, TWO = np.ones((5, 2)), np.ones(2)
HOLED = np.where(np.arange(5) == 3, np.nan, 1.0)
CONSTANT = np.ones(2)  # float64, whatever the parameters are


def fit(p, x):
    """A residual that is fine."""
    return p @ x - 1


FINE = tw.LeastSquares(fit, data=(ONES,))
BOWL = tw.Scalar(lambda p: p @ p)


def squared(z, y):
    """A loss that is fine."""
    return (z - y) @ (z - y)


def outputs(p, x):
    """Outputs that are fine."""
    return p * x


def run(problem, params=TWO, **options):
    """What a user writes."""
    return tw.minimize(problem, params, **options)


PROBLEMS = {
    "empty data": (
        lambda: tw.LeastSquares(fit, data=(np.zeros((0, 2)),)),
        DataError,
        ["`data[0]`", "no example", "(0, 2)", "at least one"],
    ),
    "no data at all": (lambda: tw.LeastSquares(fit, data=()), DataError, ["no array", "at least"]),
    "lengths that differ": (
        lambda: tw.LeastSquares(fit, data=(ONES, np.ones(4))),
        ShapeError,
        ["`data`", "(5, 2)", "(4,)", "one common first length", "5, 4 examples"],
    ),
    "NaN in data": (
        lambda: tw.LeastSquares(fit, data=(ONES, HOLED)),
        DataError,
        ["`data[1]`", "1 of 5 examples", "example 3", "drop or fill"],
    ),
    "infinity deep in data": (
        lambda: tw.LeastSquares(fit, data=({"x": ONES / 0.0},)),
        DataError,
        ["`data[0]['x']`", "5 of 5 examples", "example 0"],
    ),
    "data that are no tuple": (
        lambda: tw.LeastSquares(fit, data=ONES),
        tw.ThalwegError,
        ["`data`", "ndarray", "tuple", "`data=(X,)`"],
    ),
    "data without an axis": (
        lambda: tw.LeastSquares(fit, data=(np.asarray(1.0),)),
        ShapeError,
        ["`data[0]`", "()", "one row an example"],
    ),
    "words as data": (
        lambda: tw.LeastSquares(fit, data=(np.array(["a", "b"]),)),
        tw.ThalwegError,
        ["`data[0]`", "<U1", "numbers"],
    ),
    "no function": (
        lambda: tw.LeastSquares(ONES),
        tw.ThalwegError,
        ["`residual`", "ndarray", "function"],
    ),
    "a weight of zero": (lambda: 0 * FINE, tw.ThalwegError, ["0.0", "above 0", "leave"]),
    "a negative weight": (lambda: FINE * -2, tw.ThalwegError, ["-2.0", "above 0"]),
    "a weight of NaN": (lambda: math.nan * FINE, tw.ThalwegError, ["nan", "finite"]),
    "a negative decay": (
        lambda: tw.Composite(outputs, squared, data=(ONES, ONES), l2=-1),
        tw.ThalwegError,
        ["`l2`", "-1", "at least 0"],
    ),
    "data that are no pair": (
        lambda: tw.Composite(outputs, squared, data=(ONES,)),
        tw.ThalwegError,
        ["1 parts", "`(X, Y)`"],
    ),
    "a negative criterion": (lambda: tw.Stop(loss=-1), tw.ThalwegError, ["loss", "-1", "least 0"]),
    "a criterion of NaN": (lambda: tw.Stop(seconds=math.nan), tw.ThalwegError, ["seconds", "nan"]),
    "a criterion in words": (
        lambda: tw.Stop(steps="ten"),
        tw.ThalwegError,
        ["steps", "'ten'", "a number or None"],
    ),
    "half a step": (lambda: tw.Stop(steps=2.5), tw.ThalwegError, ["steps", "2.5", "whole"]),
    "a forcing term of 1": (
        lambda: tw.ExponentialKrylov(forcing=1.0),
        tw.ThalwegError,
        ["`forcing`", "1.0", "between 0 and 1"],
    ),
    "no dimension": (lambda: tw.ExponentialKrylov(limit=0), tw.ThalwegError, ["`limit`", "0"]),
    "an unknown algebra": (
        lambda: tw.ImplicitGeodesic(algebra="qr"),
        tw.ThalwegError,
        ["`algebra`", "'qr'", "`parameters`", "`krylov`"],
    ),
}

CALLS = {
    "integers": (
        lambda: run(FINE, {"w": np.arange(2)}),
        tw.ThalwegError,
        ["`params['w']`", "int64", "float32 or float64", "`.astype(float)`"],
    ),
    "a function among the parameters": (
        lambda: run(FINE, {"w": TWO, "act": jnp.tanh}),
        tw.ThalwegError,
        ["`params['act']`", "object", "not trained"],
    ),
    "mixed dtypes": (
        lambda: run(FINE, [np.float32([1]), TWO]),
        tw.ThalwegError,
        ["float32 and float64", "one"],
    ),
    "no parameters": (lambda: run(FINE, {}), tw.ThalwegError, ["`params`", "no parameter"]),
    "empty parameters": (lambda: run(FINE, np.zeros(0)), tw.ThalwegError, ["no parameter"]),
    "NaN in the parameters": (
        lambda: run(FINE, {"w": TWO, "b": np.array([[0, 1], [np.nan, 1]])}),
        DataError,
        ["`params['b']`", "1 of 4", "index 2", "finite"],
    ),
    "a problem of another type": (
        lambda: run(fit),
        tw.ThalwegError,
        ["`problem`", "function", "LeastSquares, Composite or Scalar"],
    ),
    "an unknown method": (
        lambda: run(FINE, method="exponental-krilov"),
        UnknownMethodError,
        ["`exponental-krilov`", "did you mean `exponential-krylov`", "`thalweg methods`"],
    ),
    "a method of another type": (
        lambda: run(FINE, method=7),
        tw.ThalwegError,
        ["`method`", "int", "`tw.ImplicitGeodesic()`"],
    ),
    "a class in place of a method": (
        lambda: run(FINE, method=tw.ImplicitGeodesic),
        tw.ThalwegError,
        ["`method`", "configured method"],
    ),
    "a number in place of a stop": (
        lambda: run(FINE, stop=10),
        tw.ThalwegError,
        ["`stop`", "int", "`tw.Stop(seconds=10)`"],
    ),
    "a number in place of a callback": (
        lambda: run(FINE, callback=3),
        tw.ThalwegError,
        ["`callback`", "int", "function"],
    ),
    "no memory": (
        lambda: run(FINE, memory_budget=0),
        tw.ThalwegError,
        ["`memory_budget`", "0", "bytes"],
    ),
    "a scalar loss for implicit-geodesic": (
        lambda: run(BOWL, method="implicit-geodesic"),
        tw.ThalwegError,
        ["`implicit-geodesic`", "Scalar", "LeastSquares", "`exponential-krylov`"],
    ),
    "residual space without residuals": (
        lambda: run(
            tw.Composite(outputs, squared, data=(ONES, ONES)),
            method=tw.ImplicitGeodesic(algebra="residuals"),
        ),
        tw.ThalwegError,
        ["residuals", "LeastSquares"],
    ),
    "a target below float32": (
        lambda: run(FINE, np.float32(TWO), stop=tw.Stop(loss=1e-20)),
        PrecisionError,
        ["1e-20", "float32", "float64 parameters", "larger"],
    ),
    "a target below float64": (
        lambda: run(FINE, stop=tw.Stop(loss=1e-40)),
        PrecisionError,
        ["1e-40", "float64", "larger"],
    ),
    "a residual without a result": (
        lambda: run(tw.LeastSquares(lambda _p, _x: None, data=(ONES,))),
        tw.ThalwegError,
        ["None", "arrays", "`return`"],
    ),
    "a residual without entries": (
        lambda: run(tw.LeastSquares(lambda p: p[:0])),
        tw.ThalwegError,
        ["`residual", "no value"],
    ),
    "a residual in another dtype": (
        lambda: run(tw.LeastSquares(lambda p: p * CONSTANT), np.float32(TWO)),
        tw.ThalwegError,
        ["`residual", "float64", "float32", "cast"],
    ),
    "a residual in whole numbers": (
        lambda: run(tw.LeastSquares(lambda p, x: (p @ x > 0) * 1, data=(ONES,))),
        tw.ThalwegError,
        ["`residual`", "int", "float64"],
    ),
    "outputs without a result": (
        lambda: run(tw.Composite(lambda _p, _x: None, squared, data=(ONES, ONES))),
        tw.ThalwegError,
        ["None", "`return`"],
    ),
    "a loss of outputs that is no scalar": (
        lambda: run(tw.Composite(outputs, lambda z, y: z - y, data=(ONES, ONES))),
        tw.ThalwegError,
        ["`loss`", "(2,)", "scalar", "sum"],
    ),
    "a loss of outputs without a result": (
        lambda: run(tw.Composite(outputs, lambda _z, _y: None, data=(ONES, ONES))),
        tw.ThalwegError,
        ["`loss`", "scalar"],
    ),
    "a loss of outputs in another dtype": (
        lambda: run(
            tw.Composite(outputs, lambda z, y: (z - y) @ CONSTANT, data=(ONES, ONES)),
            np.float32(TWO),
        ),
        tw.ThalwegError,
        ["`loss`", "float64", "float32"],
    ),
    "a loss that is no scalar": (
        lambda: run(tw.Scalar(lambda p: p)),
        tw.ThalwegError,
        ["`loss`", "(2,)", "scalar"],
    ),
    "a loss without a result": (
        lambda: run(tw.Scalar(lambda _: None)),
        tw.ThalwegError,
        ["`loss`", "scalar"],
    ),
    "a loss in another dtype": (
        lambda: run(tw.Scalar(lambda p: p @ CONSTANT), np.float32(TWO)),
        tw.ThalwegError,
        ["`loss`", "float64", "float32"],
    ),
    "a loss in whole numbers": (
        lambda: run(tw.Scalar(lambda p: (p > 0).sum())),
        tw.ThalwegError,
        ["`loss`", "int", "float64"],
    ),
}


def said(call, error):
    """The message of the error that a call raises: one line, of a length to be read."""
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, tw.ThalwegError)
    message = str(caught.value)
    assert "\n" not in message
    assert 20 < len(message) < 400
    return message


EVERY = PROBLEMS | CALLS


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(("call", "error", "words"), EVERY.values(), ids=list(EVERY))
def test_bad_input_is_answered_in_one_sentence(call, error, words):
    """It names what is wrong, what was expected, and what to do."""
    message = said(call, error)
    assert [word for word in words if word not in message] == []


ROOT = tw.LeastSquares(lambda p, x: jnp.sqrt(p["a"] * x) + p["b"], data=(np.array([0.5, 1, -1]),))


def test_a_loss_of_nan_at_the_start_names_the_residual():
    """How many of how many, and which is first."""
    message = said(lambda: run(ROOT, {"a": np.asarray(1.0), "b": np.asarray(0.0)}), DataError)
    assert "nan" in message
    assert "1 of 3 residuals" in message
    assert "residual 2" in message
    assert "start" in message


def test_a_derivative_that_is_not_finite_at_the_start_names_the_parameter():
    """The loss is fine at 0, but a square root has no slope there."""
    message = said(lambda: run(ROOT, {"a": np.asarray(0.0), "b": np.asarray(1.0)}), DataError)
    assert "`params['a']`" in message
    assert "derivative" in message
    assert "sqrt" in message


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_without_structure_that_is_not_finite_at_the_start_is_named(value):
    """Also where no residual can be blamed, and whatever the method."""
    message = said(lambda: run(tw.Scalar(lambda p: p @ p + value), method="adam"), DataError)
    assert str(value) in message
    assert "start elsewhere" in message


def test_exponential_krylov_refuses_a_start_that_is_not_finite():
    """The same sentence, from the method that `auto` takes for such a loss."""
    message = said(lambda: run(tw.Scalar(lambda p: jnp.log(-p @ p))), DataError)
    assert "nan" in message


def test_float64_without_the_flag_of_jax_is_answered_with_the_flag():
    """In a process of its own, where the flag is off, as it is by default."""
    script = """if True:
        import numpy as np, thalweg as tw
        try:
            tw.minimize(tw.Scalar(lambda p: p @ p), np.ones(2))
        except tw.ThalwegError as error:
            print(type(error).__name__, error)
        print(tw.minimize(
            tw.Scalar(lambda p: p @ p), np.float32([1, 1]), "gradient-descent", tw.Stop(steps=1)
        ).params.dtype)
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    message, dtype = done.stdout.splitlines()
    assert message.startswith("PrecisionError")
    assert '`jax.config.update("jax_enable_x64", True)`' in message
    assert "float32" in message
    assert dtype == "float32"
