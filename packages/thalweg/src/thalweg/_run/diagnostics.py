"""Where a NaN or an infinity comes from, and targets that a dtype cannot resolve.

Called only when something is wrong, so nothing here is fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import DataError, PrecisionError
from thalweg.flow import Flow, LeastSquaresFlow

if TYPE_CHECKING:
    from thalweg.stop import Stop

SMALL_LOSS = 1e-3  # the size of a loss whose minimum is not 0, at least


def explain_start(flow: Flow, theta: np.ndarray) -> None:
    """Say what is not finite at the start; return where everything is finite.

    Raises:
        DataError: Naming the example or the parameter that gives NaN or infinity.
    """
    at = flow.everywhere(jnp.asarray(theta))
    loss, grad = flow.jit(flow.value_and_grad)(flow.data, at)
    if not np.isfinite(loss):
        raise DataError(
            f"the loss at the start is {float(loss)}{_first_bad_residual(flow, at)}; check the "
            "function there, or start elsewhere"
        )
    bad = np.flatnonzero(~np.isfinite(np.asarray(grad)))
    if bad.size:
        leaf = flow.spec.leaf_of(int(bad[0]))
        raise DataError(
            f"the loss is finite at the start, but its derivative by `{leaf}` is not; a function "
            "such as sqrt or a norm may be differentiated where it has no derivative"
        )
    if isinstance(flow, LeastSquaresFlow):
        _, jacobian = flow.jit(flow.jacobian)(flow.data, at)
        rows, columns = np.nonzero(~np.isfinite(np.asarray(jacobian)))
        if rows.size:
            raise DataError(
                f"the Jacobian at the start is not finite in residual {rows[0]} by "
                f"`{flow.spec.leaf_of(int(columns[0]))}`"
            )


def _first_bad_residual(flow: Flow, theta: jax.Array) -> str:
    if not isinstance(flow, LeastSquaresFlow):
        return ""
    r = np.asarray(flow.jit(flow.residuals)(flow.data, theta))
    bad = np.flatnonzero(~np.isfinite(r))
    return f" ({bad.size} of {r.size} residuals, first residual {bad[0]})" if bad.size else ""


def refuse_unreachable(stop: Stop, flow: Flow) -> None:
    """Refuse a loss target that the dtype cannot resolve.

    A residual of order 1 is rounded by about eps, so ½ r² is resolved down to eps². Any other loss
    is resolved to eps times its size, which may itself be as small as `SMALL_LOSS`.

    Raises:
        PrecisionError: Naming the dtype and the least target that makes sense.
    """
    eps = float(jnp.finfo(flow.spec.dtype).eps)
    least = eps**2 if isinstance(flow, LeastSquaresFlow) else eps * SMALL_LOSS
    if stop.loss is None or stop.loss == 0 or stop.loss >= least:
        return
    other = "; use float64 parameters" if flow.spec.dtype == np.float32 else ""
    raise PrecisionError(
        f"`Stop(loss={stop.loss:g})` is below what {flow.spec.dtype} resolves here, about "
        f"{least:.0e}{other}, or ask for a larger loss"
    )
