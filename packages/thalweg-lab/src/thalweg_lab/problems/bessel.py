"""A fit of Bessel's function J₀(20x) on [-1, 1] by a 1-20-20-1 network with tanh.

The loss is `½ mean r²` over 400 evenly spaced points. The function swings 12 times through zero,
which a network of this size learns slowly by first-order methods: low frequencies come first
(Rahaman et al., "On the spectral bias of neural networks", ICML 2019).

Source of the function: Abramowitz & Stegun, *Handbook of Mathematical Functions*, chapter 9; its
values come from `scipy.special.j0`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems.base import Curves, Measure, TrainingProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

    import jax

SIZES = (1, 20, 20, 1)
POINTS = 400
CURVE_POINTS = 401  # shifted against the training points, so that most lie between them
SMALLEST = 1e-12  # below this an error is drawn as this


def exact(x: np.ndarray) -> np.ndarray:
    """J₀(20x)."""
    from scipy.special import j0

    return j0(20.0 * x)


def residual(layers: networks.Layers, x: jax.Array, y: jax.Array) -> jax.Array:
    """The network at one point minus the value there."""
    return networks.apply(layers, x[None])[0] - y


def fitted(layers: networks.Layers, x: np.ndarray) -> np.ndarray:
    """What the network makes of points `(k,)`, shape `(k,)`."""
    return np.asarray(networks.apply(layers, jnp.asarray(x[:, None])))[:, 0]


def largest_error(layers: networks.Layers) -> float:
    """The largest |network - J₀(20x)| over 401 points, most of them between the training points."""
    x = np.linspace(-1.0, 1.0, CURVE_POINTS)
    return float(np.max(np.abs(fitted(layers, x) - exact(x))))


def build() -> TrainingProblem:
    """The problem, ready to train."""
    x = np.linspace(-1.0, 1.0, POINTS)
    return TrainingProblem(
        name="bessel",
        title="Function fit: Bessel's J₀(20x)",
        kind="least squares",
        source=(
            "Bessel's function as in Abramowitz & Stegun, *Handbook of Mathematical Functions*, "
            "chapter 9."
        ),
        story=(
            "A network of one input learns a function from 400 of its values: J₀(20x), the "
            "shape in which a round drum swings. It crosses zero twelve times, and every crossing "
            "has to be learned."
        ),
        network="1-20-20-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(residual, data=(x, exact(x))),
        start=lambda seed: networks.init(SIZES, seed=seed),
        rates={"gradient-descent": 0.3, "adam": 1e-2},
        targets=(1e-2, 1e-4, 1e-6, 1e-8, 1e-10),
        measure=Measure("error against the exact function (largest)", "error", largest_error),
        pictures=_pictures,
    )


def _pictures(trained: Mapping[str, Any]) -> tuple[Curves, ...]:
    x = np.linspace(-1.0, 1.0, CURVE_POINTS)
    curves = {method: fitted(layers, x) for method, layers in trained.items()}
    return (
        Curves(
            title="What each network learned",
            caption="The exact function is the thick grey line; a good fit covers it.",
            x=x,
            y_label="J₀(20x)",
            values=curves,
            exact=exact(x),
        ),
        Curves(
            title="How far it is off",
            caption=(
                "The distance from the exact function at every point, on a logarithmic scale: "
                "each line downwards is ten times closer."
            ),
            x=x,
            y_label="absolute error",
            values={
                method: np.maximum(np.abs(y - exact(x)), SMALLEST) for method, y in curves.items()
            },
            log=True,
        ),
    )
