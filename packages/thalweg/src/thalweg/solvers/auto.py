"""`auto`: the method that fits a problem's structure and size, and the reason.

A run begins with `secant-euler`, whose steps cost one gradient each, and changes to a method with
the true curvature when secant steps no longer pay. For least squares this is `implicit-geodesic`,
whose Gauss-Newton matrix is nearly the Hessian where residuals are small. For classification and
losses without structure it is `exponential-krylov`: there the true Hessian matters, and the
exponential follows unstable directions.

Least squares of networks with up to 1,000 weights take `self-scaled-broyden` before the true
curvature: a dense matrix of secants crossed the plateau of Burgers' equation in a third of the
time.

Two kinds of least squares use the true curvature from the start: those where a step of
`implicit-geodesic` costs only a few gradients, and networks so small that a good minimum is easily
missed. On the tumours (92 weights) `implicit-geodesic` brought the squares to 0 from 6 of 6 starts,
secants from 2.

Of losses that are no sum of squares, networks of up to 200 weights begin with `self-scaled-bfgs`,
whose dense matrix of secants needs the fewest gradients. It ends in poor minima as often as other
secants do, so it goes back to the start with `exponential-krylov` wherever it ends above a loss of
0: that costs some milliseconds, and the better end counts.

Secant steps begin on samples where a gradient over all data is expensive. Least squares with many
more examples than weights begin with `sampled`.

Decisions: docs/decisions/0016-secant-start.md, docs/decisions/0020-secants-on-samples.md,
docs/decisions/0039-openings.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.flow import Flow, LeastSquaresFlow
from thalweg.flow.sample import max_examples, sample_share
from thalweg.solvers.integrators.geodesic import ImplicitGeodesic
from thalweg.solvers.integrators.krylov import ExponentialKrylov
from thalweg.solvers.integrators.sampled import Sampled
from thalweg.solvers.integrators.scaled import MOST, ScaledGeodesic
from thalweg.solvers.integrators.secant import SecantEuler
from thalweg.solvers.integrators.self_scaled_bfgs import SelfScaledBFGS
from thalweg.solvers.integrators.self_scaled_broyden import SelfScaledBroyden

if TYPE_CHECKING:
    from thalweg.solvers.base import AbstractJitMethod, AbstractMethod

SMALL_SHARE = 0.1  # of the examples in a sample, up to which sampling pays
CHEAP = 15  # gradients; a step of the true curvature below this cost is used from the start
PATIENCE = 3  # steps of the successor; secant steps may cost this much before progress is checked
MAX_PATIENCE = 300  # gradients; also before `exponential-krylov`
KRYLOV_STEP = 33  # gradients; what a step of `implicit-geodesic` by Lanczos costs, about
FEW = 32  # parameters, up to which a model without matrices is fitted in their units
DENSE = 200  # weights of a network, up to which a dense secant matrix is cheapest
DENSE_SQUARES = 1000  # the same for least squares, before the true curvature
TINY = 128  # weights, up to which secants often end in one of the many poor minima
PASSES = 3  # passes over the data that a gradient takes
LINEARISING = 5  # gradients that Jacobian, corrections and attempts take
SAMPLE = 8  # all examples over those in the first samples of secant steps ...
LEAST_SAMPLE = 50  # ... which hold at least this many
WORTH_SAMPLING = 10**6  # weights times examples, from which steps on a sample pay
FLOPS_A_BYTE = 2  # of a factorisation in the time that a pass over the data moves a byte

_SPACES = {
    "parameters": "factoring in the space of parameters, n = {n}",
    "residuals": "factoring in the space of residuals, m = {m} < n = {n}",
    "krylov": "matrix-free by Lanczos, as n = {n} and m = {m} are too many to factor",
}


def pick(flow: Flow) -> tuple[AbstractMethod, str]:
    """The method for a flow, and the reason in one sentence."""
    if isinstance(flow, LeastSquaresFlow):
        return _pick_for_squares(flow)
    method = ExponentialKrylov()
    is_sampled_first = flow.size > TINY and flow.size * max_examples(flow) >= WORTH_SAMPLING
    is_small = flow.devices is None and flow.size <= DENSE and has_matrices(flow)
    if is_small and not is_sampled_first:
        return SelfScaledBFGS(then=method), (
            "`self-scaled-bfgs` because the network is small, "
            f"n = {flow.size}; then `exponential-krylov` from the start, which follows the flow to "
            "other minima"
        )
    why = (
        "`exponential-krylov` because the loss is not a sum of squares, so the true Hessian "
        f"matters; matrix-free, n = {flow.size}"
    )
    if flow.size <= TINY:
        return method, why
    return _secants(flow, method, MAX_PATIENCE, why)


def _pick_for_squares(flow: LeastSquaresFlow) -> tuple[AbstractMethod, str]:
    """The same for least squares."""
    is_small = flow.devices is None and flow.keeps_jacobian and flow.size <= MOST
    if is_small and flow.size <= FEW and not has_matrices(flow):
        return ScaledGeodesic(), (
            "`scaled-geodesic` because the loss is a sum of squares of a model with few "
            f"parameters, n = {flow.size}; in units of each parameter"
        )
    method = ImplicitGeodesic(then=ScaledGeodesic()) if is_small else ImplicitGeodesic()
    space = method.space(flow)
    cost = step_cost(flow) if space != "krylov" else KRYLOV_STEP
    why = "`implicit-geodesic` because the loss is a sum of squares; " + _SPACES[space].format(
        n=flow.size, m=flow.residual_count
    )
    if space != "krylov" and is_sampled(flow):
        return Sampled(then=method), f"`sampled` first, on a few examples per weight; then {why}"
    if cost < CHEAP or flow.size <= TINY:
        return method, why
    patience = round(min(PATIENCE * cost, MAX_PATIENCE))
    if flow.devices is None and flow.size <= DENSE_SQUARES and has_matrices(flow):
        method = SelfScaledBroyden(then=method, patience=patience)
        why = (
            "`self-scaled-broyden`, as a dense matrix of secants is cheap for a network of this "
            f"size; then {why}"
        )
        if _first_sample(flow) is None:
            return method, why
    return _secants(flow, method, patience, why)


def _first_sample(flow: Flow) -> int | None:
    """Examples in the first samples of secant steps; None where all data serve from the start."""
    examples = max_examples(flow)
    is_large = flow.devices is None and flow.size * examples >= WORTH_SAMPLING
    return examples // SAMPLE if is_large and examples >= SAMPLE * LEAST_SAMPLE else None


def _secants(
    flow: Flow, then: AbstractJitMethod, patience: int, why: str
) -> tuple[SecantEuler, str]:
    """Secant steps before another method; on samples where a full gradient is expensive."""
    sample = _first_sample(flow)
    on = "" if sample is None else f" and begin on samples of {sample} examples"
    reason = f"`secant-euler` first, as its steps cost one gradient each{on}; then {why}"
    only = sample is not None and isinstance(then, SelfScaledBroyden)
    method = SecantEuler(sample=sample, samples_only=only, then=then, patience=patience)
    return method, reason


def has_matrices(flow: Flow) -> bool:
    """Whether any parameters form a matrix, as the weights of a network do."""
    return any(len(shape) > 1 for shape in flow.spec.shapes)


def is_sampled(flow: LeastSquaresFlow) -> bool:
    """Whether a sample with a few examples per weight is a small share of the data."""
    if flow.devices is not None:
        return False
    return sample_share(flow, Sampled().examples(flow)) <= SMALL_SHARE


def step_cost(flow: LeastSquaresFlow) -> float:
    """The cost of a step of `implicit-geodesic` with dense matrices, in gradients, estimated."""
    small, large = flow.matrix_sizes
    if flow.residual_count < flow.size and flow.has_factors:
        large = flow.factor_width or large
    factoring = 2 * small**2 * large + small**3 / 3
    return LINEARISING + factoring / (FLOPS_A_BYTE * PASSES * flow.pass_bytes)
