"""The gradient flow of a problem, as methods see it: pure functions of a flat vector θ."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

from thalweg.errors import ConfigError
from thalweg.flow.base import MEMORY_BUDGET, Flow, Linearisation
from thalweg.flow.composite import CompositeFlow
from thalweg.flow.least_squares import LeastSquaresFlow
from thalweg.flow.scalar import ScalarFlow
from thalweg.flow.summed import SumFlow
from thalweg.problem import Composite, LeastSquares, Problem, Scalar, Sum

if TYPE_CHECKING:
    from collections.abc import Hashable

    from thalweg.flow.flatten import ParamSpec
    from thalweg.flow.sharding import Devices

__all__ = [
    "MEMORY_BUDGET",
    "CompositeFlow",
    "Flow",
    "LeastSquaresFlow",
    "Linearisation",
    "ScalarFlow",
    "SumFlow",
    "build_flow",
    "flow_of",
]

# The flows of problems that are alive: data are laid out once, however many runs there are.
_flows: weakref.WeakKeyDictionary[Problem, dict[Hashable, Flow]] = weakref.WeakKeyDictionary()


def flow_of(
    problem: Problem,
    spec: ParamSpec,
    *,
    memory_budget: int = MEMORY_BUDGET,
    devices: Devices | None = None,
) -> Flow:
    """As `build_flow`, made once and kept for as long as the problem lives."""
    flows = _flows.setdefault(problem, {})
    key = (spec, memory_budget, devices)
    if key not in flows:
        flows[key] = build_flow(problem, spec, memory_budget=memory_budget, devices=devices)
    return flows[key]


def build_flow(
    problem: Problem,
    spec: ParamSpec,
    *,
    memory_budget: int = MEMORY_BUDGET,
    devices: Devices | None = None,
) -> Flow:
    """The flow of a problem for parameters laid out as `spec`.

    Args:
        problem: What is minimised.
        spec: The layout of the parameters.
        memory_budget: Bytes that Jacobians and products may hold at a time, on each device.
            Positive.
        devices: What the data are divided over; None for one device.

    Raises:
        ConfigError: A function of the problem returns what it should not, or there are devices
            and no data.
    """
    if devices is not None and not has_data(problem):
        raise ConfigError(
            "`devices` was given, but the problem has no `data` to divide over them; write it by "
            "example with `data`, as one LeastSquares or Composite, or leave `devices` out"
        )
    match problem:
        case LeastSquares():
            return LeastSquaresFlow(problem, spec, memory_budget=memory_budget, devices=devices)
        case Composite():
            return CompositeFlow(problem, spec, memory_budget=memory_budget, devices=devices)
        case Scalar():
            return ScalarFlow(problem, spec)
        case Sum():
            parts = [build_flow(part, spec, memory_budget=memory_budget) for part in problem.parts]
            return SumFlow(parts)
        case _:
            raise ConfigError(
                f"`problem` is of type {type(problem).__name__}, but a LeastSquares, Composite "
                "or Scalar was expected"
            )


def has_data(problem: Problem) -> bool:
    """Whether any part of a problem is computed example by example."""
    if isinstance(problem, LeastSquares):
        return any(block.data is not None for block in problem.blocks)
    return isinstance(problem, Composite)
