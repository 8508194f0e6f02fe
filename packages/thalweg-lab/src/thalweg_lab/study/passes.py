"""Presentations: the work of a run in passes over the training data.

One presentation is one gradient: all examples, forward and backward. All other work is converted,
so that methods that use curvature can be compared with gradient descent:

    a gradient                        1
    a loss alone                      1, although it is the forward half only
    a Hessian or Gauss-Newton product 2, the derivative of a gradient along a vector
    a Jacobian of q residuals per     q, one row per residual, each a small gradient
      example (`implicit-geodesic`)
    an exact Hessian, n by n          2 n, by n products
    a Hessian by finite differences   0: its n or n + 1 gradients are counted as gradients

Factorisations and other linear algebra do not count as presentations; they are in the seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thalweg_lab.study.questions.settings import EXACT, setting_of

if TYPE_CHECKING:
    from thalweg_lab.study.run import Run

PRODUCT = 2  # presentations of a Hessian product
# Solvers of other libraries, whose Hessian is formed outside and not counted as products.
DENSE = ("zvode", "vode", "lsoda", "cvode", "scipy-radau", "scipy-bdf")
OWN_JACOBIANS = ("implicit-geodesic",)  # of the residuals, not of the gradient


def presentations(run: Run, *, outputs: int = 1) -> np.ndarray:
    """Presentations spent by each row of a run's history, cumulative.

    Args:
        run: The run.
        outputs: Residuals per example, q.
    """
    columns = {name: np.asarray(run.history[name], float) for name in run.history}
    return (
        columns["gradients"]
        + columns["losses"]
        + PRODUCT * columns["hessian_products"]
        + _of_a_jacobian(run, outputs) * columns["jacobians"]
    )


def _of_a_jacobian(run: Run, outputs: int) -> int:
    """Presentations of one Jacobian beyond those counted as gradients and products."""
    if run.ran in OWN_JACOBIANS:
        return outputs
    if run.ran in DENSE and setting_of(run.spec).jacobian == EXACT:
        return PRODUCT * run.params.size
    return 0
