"""Compiled programs belong to functions and shapes, and to nothing that has changed meanwhile."""

import gc
import weakref

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.flow import build_flow, flow_of
from thalweg.flow.flatten import flatten
from thalweg.flow.programs import fingerprint, forget_programs

X = np.linspace(0.0, 1.0, 7)
START = np.array([0.5, 0.5])
STOP = tw.Stop(steps=3)
FACTOR = {"now": 2.0}


def line(p, x, y):
    """The residual of a straight line."""
    return p[0] * x + p[1] - y


def scaled(p, x, y):
    """One that reads a global."""
    return FACTOR["now"] * p[0] * x + p[1] - y


def fitted(function, slope, count=7):
    """A run on other data each time."""
    x = np.linspace(0.0, 1.0, count)
    return tw.minimize(tw.LeastSquares(function, data=(x, slope * x)), START, stop=STOP)


def test_other_data_of_the_same_shapes_compile_nothing():
    """The second problem of a function runs by the programs of the first, on its own data."""
    forget_programs()
    first, second = fitted(line, 1.0), fitted(line, -3.0)
    assert first.compile_seconds > 0
    assert second.compile_seconds == 0
    forget_programs()
    alone = fitted(line, -3.0)
    assert np.array_equal(second.history["loss"], alone.history["loss"])
    assert np.array_equal(second.params, alone.params)


def test_other_shapes_and_weights_are_told_apart():
    """Another number of examples is another program; another weight is data."""
    forget_programs()
    spec = flatten(START)[1]
    seven = tw.LeastSquares(line, data=(X, X))
    eight = tw.LeastSquares(line, data=(np.ones(8), np.ones(8)))
    assert build_flow(seven, spec).programs is build_flow(2.0 * seven, spec).programs
    assert build_flow(seven, spec).programs is not build_flow(eight, spec).programs
    other = flatten(START.astype(np.float32))[1]
    assert build_flow(seven, spec).programs is not build_flow(seven, other).programs


def test_a_function_that_computes_something_else_is_compiled_again(monkeypatch):
    """A global that has changed since the first run is seen by the second."""
    before = fitted(scaled, 1.0)
    monkeypatch.setitem(FACTOR, "now", 5.0)
    after = fitted(scaled, 1.0)
    assert after.history["loss"][0] != before.history["loss"][0]
    expected = 0.5 * np.mean((5.0 * 0.5 * X + 0.5 - X) ** 2)
    assert np.isclose(after.history["loss"][0], expected, rtol=1e-14)


def test_programs_go_with_their_function():
    """Nothing that a user has dropped is kept alive."""

    def passing(p, x, y):
        return p[0] * x - y

    problem = tw.LeastSquares(passing, data=(X, X))
    flow = weakref.ref(flow_of(problem, flatten(START)[1]))
    tw.minimize(problem, START, stop=STOP)
    gone = weakref.ref(passing)
    del problem, passing
    gc.collect()
    assert gone() is None
    assert flow() is None


def test_constants_are_part_of_what_a_function_computes():
    """Equal operations on other constants are another function; equal constants are the same."""

    def traced(constant):
        return jax.make_jaxpr(lambda p: jnp.sum(p * constant))(START)

    one, same, other = (fingerprint(traced(np.array(c))) for c in ([1, 2.0], [1, 2.0], [1, 3.0]))
    assert one == same
    assert one != other


def test_constants_of_functions_within_count_too():
    """Those under `jax.jit` lie with the inner function, and its text shows their shapes only."""

    def traced(constant):
        inner = jax.jit(lambda p: p * constant)
        return jax.make_jaxpr(lambda p: jnp.sum(inner(p)))(START)

    one, same, other = (fingerprint(traced(np.array(c))) for c in ([1, 2.0], [1, 2.0], [1, 3.0]))
    assert one == same
    assert one != other
