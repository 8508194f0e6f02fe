"""A fit of the Bessel function J₀(20x) on [-1, 1] by a 1-20-20-1 network with tanh.

J₀ is the cylindrical Bessel function of the first kind and order 0, not the spherical j₀. The loss
is `½ mean r²` over 400 evenly spaced points. The function crosses zero 12 times. First-order
methods fit it slowly, since they learn low frequencies first (Rahaman et al., "On the spectral bias
of neural networks", ICML 2019).

Source of the function: Abramowitz & Stegun, *Handbook of Mathematical Functions*, chapter 9; its
values are those of `scipy.special.j0`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg import networks
from thalweg.problem import LeastSquares
from thalweg_lab.problems import curves
from thalweg_lab.problems.base import Curves, TrainingProblem

if TYPE_CHECKING:
    from collections.abc import Mapping

SIZES = (1, 20, 20, 1)
POINTS = 400
CURVE_POINTS = 401  # shifted against the training points, so that most lie between them
SMALLEST = 1e-12  # below this an error is drawn as this


def exact(x: np.ndarray) -> np.ndarray:
    """J₀(20x)."""
    from scipy.special import j0

    return j0(20.0 * x)


def build() -> TrainingProblem:
    """The problem, ready to train."""
    x = np.linspace(-1.0, 1.0, POINTS)
    return TrainingProblem(
        name="bessel",
        title="Function fit: the Bessel function J₀(20x)",
        kind="least squares",
        source=(
            "The Bessel function J₀ as in Abramowitz & Stegun, *Handbook of Mathematical "
            "Functions*, chapter 9."
        ),
        story=(
            "A network with one input learns a function from 400 of its values: J₀(20x), a "
            "cross-section of a vibrating round drum. It crosses zero twelve times, and the "
            "network has to learn each crossing."
        ),
        network="1-20-20-1 tanh",
        size=networks.count(SIZES),
        problem=LeastSquares(curves.residual, data=(x, exact(x))),
        start=lambda seed: networks.init(SIZES, seed=seed),
        rates={"gradient-descent": 0.3, "adam": 1e-2},
        targets=(1e-2, 1e-4, 1e-6, 1e-8, 1e-10),
        measure=curves.largest_error("the exact function", exact, points=CURVE_POINTS),
        pictures=_pictures,
    )


def _pictures(trained: Mapping[str, Any]) -> tuple[Curves, ...]:
    x = np.linspace(-1.0, 1.0, CURVE_POINTS)
    values = {method: curves.fitted(layers, x) for method, layers in trained.items()}
    return (
        Curves(
            title="What each network learned",
            caption="The exact function is the thick grey line; a good fit covers it.",
            x=x,
            y_label="J₀(20x)",
            values=values,
            exact=exact(x),
        ),
        Curves(
            title="Error of each network",
            caption=(
                "The absolute error at each point on a logarithmic scale: each grid line down is a "
                "factor of ten."
            ),
            x=x,
            y_label="absolute error",
            values={
                method: np.maximum(np.abs(y - exact(x)), SMALLEST) for method, y in values.items()
            },
            log=True,
        ),
    )
