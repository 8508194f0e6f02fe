"""Compiled functions of a flow, and its functions for loops on the host.

Compilation is timed apart from running: each program is lowered, compiled and called once without
effect inside `Recorder.compiling`, as the first call still sets up threads and memory; this holds
for our own methods and for those of other libraries alike.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg._util.xla import compiler_options
from thalweg.flow.on_disk import load_or_compile
from thalweg.flow.programs import Program

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from thalweg._recorder import Recorder
    from thalweg.flow import Flow


LARGE = 10**5  # numbers in the data times parameters, from which the speed of programs counts more
CALLS = 5  # the quickest of them counts: what else the machine does only adds time


def compiled(
    flow: Flow,
    key: Hashable,
    function: Callable[..., Any],
    *arguments: Any,
    recorder: Recorder | None = None,
) -> Program:
    """The compiled program of `function(data, *arguments)`, made once a flow and key.

    Args:
        flow: Where programs are kept.
        key: What tells this program from others of the flow; equal keys mean equal functions.
        function: A pure function whose first argument is `flow.data`.
        *arguments: Example arguments that fix shapes and dtypes.
        recorder: Its compile clock runs meanwhile; None after a run.
    """
    if key not in flow.programs:
        with contextlib.nullcontext() if recorder is None else recorder.compiling():
            placed = flow.everywhere(arguments)
            options = compiler_options() if is_small(flow) else None
            program = load_or_compile(
                flow.identity,
                key,
                function,
                (flow.data, *placed),
                jit=flow.jit,
                options=options,
            )
            began = time.perf_counter()
            jax.block_until_ready(program(flow.data, *placed))
            flow.programs[key] = Program(program, time.perf_counter() - began)
    return flow.programs[key]


def is_small(flow: Flow) -> bool:
    """Whether compiling takes longer than running, and its time counts more."""
    numbers = sum(np.size(leaf) for leaf in jax.tree.leaves(flow.data))
    return numbers * flow.spec.size < LARGE


def overhead(flow: Flow, program: Program, *arguments: Any, recorder: Recorder) -> float:
    """Seconds of a call of a program that does nothing; measured once.

    Args:
        flow: Whose program it is.
        program: The program.
        *arguments: Arguments with which it does nothing.
        recorder: Its compile clock runs meanwhile.
    """
    if program.overhead is None:
        with recorder.compiling():
            program.overhead = quickest(program, flow.data, *flow.everywhere(arguments))
    return program.overhead


def quickest(function: Callable[..., Any], *arguments: Any) -> float:
    """The least time of several calls, in seconds, after a first that does not count."""
    times = []
    for _ in range(CALLS + 1):
        began = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - began)
    return min(times[1:])


class HostFunctions:
    """The functions of a flow as libraries on the host want them: NumPy in, NumPy out.

    Each is compiled at its first call. θ is cast to the dtype of the parameters; results are
    float64 for the libraries, whatever the dtype inside.
    """

    def __init__(self, flow: Flow, recorder: Recorder) -> None:
        self._flow = flow
        self._recorder = recorder

    def _call(self, name: str, theta: np.ndarray) -> Any:
        flow = self._flow
        at = np.asarray(theta, flow.spec.dtype)
        program = compiled(flow, name, getattr(flow, name), at, recorder=self._recorder)
        return program(flow.data, flow.everywhere(at))

    def value_and_grad(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        """L and ∇L of shape `(n,)`."""
        loss, grad = self._call("value_and_grad", theta)
        return float(loss), np.asarray(grad, np.float64)

    def loss(self, theta: np.ndarray) -> float:
        """L."""
        return float(self._call("loss", theta))

    def residuals(self, theta: np.ndarray) -> np.ndarray:
        """R of shape `(m,)`; least squares only."""
        return np.asarray(self._call("residuals", theta), np.float64)

    def jacobian(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """R of shape `(m,)` and J of shape `(m, n)`; least squares only."""
        r, jacobian = self._call("jacobian", theta)
        return np.asarray(r, np.float64), np.asarray(jacobian, np.float64)

    def dense_hessian(self, theta: np.ndarray) -> np.ndarray:
        """∇²L of shape `(n, n)`. Cost: n Hessian products."""
        return np.asarray(self._call("dense_hessian", theta), np.float64)

    def hessian_product(self, theta: np.ndarray, v: np.ndarray) -> np.ndarray:
        """∇²L v of shape `(n,)`. Cost: about three gradients, as nothing is kept between calls."""
        flow = self._flow
        arguments = np.asarray(theta, flow.spec.dtype), np.asarray(v, flow.spec.dtype)
        program = compiled(
            flow,
            "hessian_product",
            lambda data, at, along: flow.hessian(data, at).product(along),
            *arguments,
            recorder=self._recorder,
        )
        return np.asarray(program(flow.data, *flow.everywhere(arguments)), np.float64)
