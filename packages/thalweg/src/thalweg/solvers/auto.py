"""`auto`: the method that fits a problem's structure and size, and why.

A run begins with `secant-euler`, whose steps cost one gradient each, and goes on with the true
curvature once secants pay no longer. Least squares then go to `implicit-geodesic`, whose
Gauss-Newton matrix is nearly the Hessian where residuals are small. Classification and losses
without structure go to `exponential-krylov`: there the true Hessian matters, and the exponential
follows unstable directions.

The true curvature begins at once where a step of `implicit-geodesic` costs a few gradients only,
and where a network is so small that a good minimum is easily missed: on Iris (83 weights)
`exponential-krylov` fitted all rows from 8 of 8 starts, secants from 4; on the tumours (92 weights)
`implicit-geodesic` brought the squares to 0 from 6 of 6 starts, secants from 2.

Secants begin on samples where a gradient over all data is dear. Least squares with many more
examples than weights begin with `sampled`.

Decisions: docs/decisions/0016-secant-start.md, docs/decisions/0020-secants-on-samples.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.flow import Flow, LeastSquaresFlow
from thalweg.flow.sample import max_examples, sample_share
from thalweg.solvers.integrators.geodesic import ImplicitGeodesic
from thalweg.solvers.integrators.krylov import ExponentialKrylov
from thalweg.solvers.integrators.sampled import Sampled
from thalweg.solvers.integrators.secant import SecantEuler

if TYPE_CHECKING:
    from thalweg.solvers.base import AbstractJitMethod, AbstractMethod

SMALL_SHARE = 0.1  # of the examples in a sample, up to which sampling pays
CHEAP = 15  # gradients: a step that costs less is worth taking from the start
PATIENCE = 3  # secants are given as long as this many steps of the successor would take
MOST_PATIENCE = 300  # gradients; also where a step's cost is not known beforehand
TINY = 128  # weights up to which a network's loss has many poor minima that secants end in
PASSES = 3  # of a gradient over the data
LINEARISING = 5  # gradients that Jacobian, corrections and attempts take
SAMPLE = 8  # the examples over those in a sample that secants begin with ...
LEAST_SAMPLE = 50  # ... which has no fewer than this
WORTH_SAMPLING = 10**6  # weights times examples from which steps on a sample pay
FLOPS_A_BYTE = 2  # of a factorisation in the time that a pass over the data moves a byte

_SPACES = {
    "parameters": "factoring in the space of parameters, n = {n}",
    "residuals": "factoring in the space of residuals, m = {m} < n = {n}",
    "krylov": "matrix-free by Lanczos, as n = {n} and m = {m} are too many to factor",
}


def pick(flow: Flow) -> tuple[AbstractMethod, str]:
    """The method for a flow, and the reason in one sentence."""
    if isinstance(flow, LeastSquaresFlow):
        method = ImplicitGeodesic()
        space = method.space(flow)
        cost = step_cost(flow) if space != "krylov" else MOST_PATIENCE / PATIENCE
        why = "`implicit-geodesic` because the loss is a sum of squares; " + _SPACES[space].format(
            n=flow.size, m=flow.residual_count
        )
        if space != "krylov" and is_sampled(flow):
            return Sampled(then=method), f"`sampled` first, on a few examples a weight; then {why}"
        if cost < CHEAP or flow.size <= TINY:
            return method, why
        patience = round(min(PATIENCE * cost, MOST_PATIENCE))
        return _secants(flow, method, patience, why)
    method = ExponentialKrylov()
    why = (
        "`exponential-krylov` because the loss is no sum of squares, so the true Hessian "
        f"matters; matrix-free, n = {flow.size}"
    )
    if flow.size <= TINY:
        return method, why
    return _secants(flow, method, MOST_PATIENCE, why)


def _secants(
    flow: Flow, then: AbstractJitMethod, patience: int, why: str
) -> tuple[SecantEuler, str]:
    """Secants before another method, on samples where a gradient is worth saving."""
    examples = max_examples(flow)
    is_large = flow.devices is None and flow.size * examples >= WORTH_SAMPLING
    sample = examples // SAMPLE if is_large and examples >= SAMPLE * LEAST_SAMPLE else None
    on = "" if sample is None else f" and begin on samples of {sample} examples"
    reason = f"`secant-euler` first, as its steps cost one gradient each{on}; then {why}"
    return SecantEuler(sample=sample, then=then, patience=patience), reason


def is_sampled(flow: LeastSquaresFlow) -> bool:
    """Whether a sample of a few examples a weight is a small share of the data."""
    if flow.devices is not None:
        return False
    return sample_share(flow, Sampled().examples(flow)) <= SMALL_SHARE


def step_cost(flow: LeastSquaresFlow) -> float:
    """About how many gradients a step of `implicit-geodesic` with dense matrices costs."""
    small, large = flow.matrix_sizes
    factoring = 2 * small**2 * large + small**3 / 3
    return LINEARISING + factoring / (FLOPS_A_BYTE * PASSES * flow.pass_bytes)
