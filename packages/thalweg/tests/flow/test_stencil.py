"""Derivatives along a curve, told by a few of its points, are the nested derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from thalweg import networks
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.flow.stencil import along_by_points

X = np.linspace(-1.0, 1.0, 11)
SIZES = (1, 6, 1)
ORDERS = (2, 3, 4)
MOST = {2: 0.01, 3: 0.015, 4: 0.06}  # errors by order, in units of the term


def misfit(layers, x, y):
    """Of a small network at one point."""
    return networks.apply(layers, x[None])[0] - y


def both(real, shrink):
    """By order, the derivative by points and nested, on a curve with shrinking coefficients."""
    theta, spec = flatten(networks.init(SIZES, seed=3, dtype=real))
    flow = build_flow(tw.LeastSquares(misfit, data=(X, np.sin(3 * X))), spec)
    random = np.random.default_rng(4)
    curve = tuple(
        jnp.asarray(shrink**k * random.normal(size=theta.size), theta.dtype) for k in (1, 2, 3)
    )

    def program(data, at, curve):
        r, jacobian = flow.jacobian(data, at)
        rows = jnp.stack([*curve, jnp.zeros_like(at)])
        found = [
            along_by_points(
                flow, data, at, rows.at[k - 1 :].set(0), k, r=r, push=jacobian.__matmul__
            )
            for k in ORDERS
        ]
        return found, [flow.along(data, at, curve[: k - 1]) for k in ORDERS]

    found, expected = jax.jit(program)(flow.data, jnp.asarray(theta), curve)
    return {k: (np.asarray(a), np.asarray(b)) for k, a, b in zip(ORDERS, found, expected)}  # noqa: B905 - lists of one length


def errors(shrink):
    """By order, the largest error in units of the largest value."""
    pairs = both(np.float64, shrink).items()
    return {k: np.abs(a - b).max() / np.abs(b).max() for k, (a, b) in pairs}


@pytest.fixture(scope="module")
def found():
    """The errors on a curve, and on one whose coefficients shrink twice as quickly."""
    return errors(0.2), errors(0.1)


@pytest.mark.parametrize("order", ORDERS)
def test_the_error_is_small_and_falls_with_the_square_of_the_step(found, order):
    """About a hundredth, of the fourth a twentieth; a quarter of that at half the step."""
    longer, shorter = found[0][order], found[1][order]
    assert longer <= MOST[order]
    assert shorter / longer == pytest.approx(0.25, rel=0.3)


def test_in_float32_they_are_the_nested_ones():
    """Differences would leave too few digits there."""
    for by_points, nested in both(np.float32, 0.2).values():
        assert np.array_equal(by_points, nested)
