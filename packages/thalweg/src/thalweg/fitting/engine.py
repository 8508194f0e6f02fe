"""The compiled programs of a model, kept for further fits of it.

A model is traced once for each form and shapes; all programs are made of that trace. So they agree
with each other, whatever a global that the model reads becomes later.
"""

from __future__ import annotations

import collections
import copy
import functools
import time
from typing import TYPE_CHECKING, Any

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np

from thalweg._run.first_loop import first_loop
from thalweg._run.step_loop import ROWS, UNLIMITED, Chunk, Loop, run_chunk
from thalweg._util.xla import quick_jit
from thalweg.errors import ConfigError
from thalweg.fitting.batch import with_jacobian
from thalweg.fitting.bounds import outer
from thalweg.fitting.identity import identity_of
from thalweg.fitting.residuals import Data, Form, residuals
from thalweg.fitting.short import short_run
from thalweg.flow import flow_of
from thalweg.flow.base import shapes_of
from thalweg.flow.flatten import flatten
from thalweg.flow.on_disk import identity_of as identity_in_any_process
from thalweg.flow.on_disk import load_or_compile
from thalweg.flow.programs import fingerprint
from thalweg.flow.tracing import explained
from thalweg.problem import LeastSquares
from thalweg.solvers import make

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from thalweg.flow import Flow
    from thalweg.solvers.base import AbstractJitMethod

MOST_ENGINES = 64  # those used least recently go first

_kept: collections.OrderedDict[Hashable, Engine] = collections.OrderedDict()


class Program:
    """A function that is compiled when it is first called, for the shapes of that call.

    Args:
        function: The function.
        identity: What its model computes; see `flow.on_disk`.
        name: What tells it from other programs of the model.

    Attributes:
        compile_seconds: What compiling took.
    """

    def __init__(
        self, function: Callable[..., Any], *, identity: str | None, name: Hashable
    ) -> None:
        self._function = function
        self._identity = identity
        self._name = name
        self._compiled: Any = None
        self.compile_seconds = 0.0

    def __call__(self, *arguments: Any) -> Any:
        """Run it."""
        if self._compiled is None:
            began = time.perf_counter()
            self._compiled = load_or_compile(
                self._identity, self._name, self._function, arguments, jit=quick_jit
            )
            self.compile_seconds = time.perf_counter() - began
        return self._compiled(*arguments)


class Engine:
    """The programs of one model for one form and one set of shapes.

    Attributes:
        model: The model, kept alive.
        form: What its residuals depend on beside arrays.
    """

    def __init__(self, model: Callable[..., Any], form: Form, traced: Any, structure: Any) -> None:
        self.model = model
        self.form = form
        self._function = jax.extend.core.jaxpr_as_fun(traced)
        self._identity = identity_in_any_process(
            "curve fit", lambda: (fingerprint(traced), form.kinds), [traced]
        )
        self._programs: list[Program] = []

        def inner_residuals(v: jax.Array, *leaves: Any) -> jax.Array:
            return self._inside(jax.tree.unflatten(structure, leaves), v)

        # One object for all problems, as programs belong to functions.
        self._inner_residuals = inner_residuals

    def _compiled(self, function: Callable[..., Any], *name: Hashable) -> Program:
        self._programs.append(Program(function, identity=self._identity, name=name))
        return self._programs[-1]

    @property
    def compile_seconds(self) -> float:
        """What compiling its programs took so far."""
        return sum(program.compile_seconds for program in self._programs)

    def residuals(self, data: Data, values: jax.Array) -> jax.Array:
        """S of shape `(m,)` for the free parameters, `(k,)`. Pure."""
        return self._function(*jax.tree.leaves(data), values)[0]

    def _inside(self, data: Data, v: jax.Array) -> jax.Array:
        """S for the variables without bounds."""
        return self.residuals(data, outer(v, self.form.kinds, data.low, data.high))

    def problem(self, data: Data) -> LeastSquares:
        """The fit as a problem of `minimize`: all measurements are one example.

        The Jacobian then costs one forward derivative a parameter, and `L = ½ Σ s²`.
        """
        leaves = tuple(np.asarray(leaf)[None] for leaf in jax.tree.leaves(data))
        return LeastSquares(self._inner_residuals, data=leaves)

    @functools.cached_property
    def evaluate(self) -> Callable[[Data, Any], tuple[jax.Array, jax.Array]]:
        """Residuals s `(m,)` and their Jacobian `(m, k)`, compiled."""
        return self._compiled(functools.partial(with_jacobian, self.residuals), "evaluate")

    @functools.cached_property
    def short(self) -> Callable[[Data, Any], jax.Array]:
        """A short run from a start within the bounds; compiled."""
        return self._compiled(short_run(self.residuals, self.form.kinds), "short")

    @functools.cached_property
    def hessian(self) -> Callable[[Data, Any], jax.Array]:
        """The Hessian of ½ Σ s², `(k, k)`, compiled."""

        def loss(values: jax.Array, data: Data) -> jax.Array:
            s = self.residuals(data, values)
            return 0.5 * jnp.vdot(s, s)

        return self._compiled(lambda data, values: jax.hessian(loss)(values, data), "hessian")

    @functools.cached_property
    def _loops(self) -> dict[AbstractJitMethod, tuple[Any, Any]]:
        return {}

    def loops(self, method: AbstractJitMethod, flow: Flow) -> tuple[Any, Any]:
        """The compiled loop of a method, from a start and from a state: `ROWS` steps each."""
        if method not in self._loops:
            limits = UNLIMITED._replace(steps=ROWS).typed(flow.spec.dtype)

            def onward(leaves: Any, loop: Loop) -> Chunk:
                return run_chunk(method, flow, _laid(flow, leaves), loop, limits)

            def begin(leaves: Any, v: jax.Array) -> Chunk:
                return onward(leaves, first_loop(method, flow, v))

            self._loops[method] = (
                self._compiled(begin, "begin", method),
                self._compiled(onward, "onward", method),
            )
        return self._loops[method]

    @functools.cached_property
    def flows(self) -> dict[int, Flow]:
        """The one flow that programs are made with; it holds the shapes, not the data."""
        return {}

    def flow(self, data: Data) -> Flow:
        """The flow of the fit; made for the first data, and used for its functions only."""
        if 0 not in self.flows:
            start = np.zeros(len(self.form.free))
            self.flows[0] = flow_of(self.problem(data), flatten(start)[1])
        return self.flows[0]

    def flow_with(self, data: Data) -> Flow:
        """The flow of the fit, with its data; programs are shared with all others."""
        flow = copy.copy(self.flow(data))
        flow.data = _laid(flow, jax.tree.leaves(data))
        return flow

    def method(self, name: Any, data: Data) -> tuple[Any, str]:
        """The method for a name, and why it was picked; checked."""
        flow = self.flow(data)
        chosen, reason = make(name, flow)
        chosen.check(flow)
        return chosen, reason


def engine_of(model: Callable[..., Any], form: Form, data: Data) -> Engine:
    """The engine of a model, made where there is none that computes the same.

    Raises:
        ConfigError: The model cannot be traced, or returns something else than numbers.
        ShapeError: It returns another shape than that of y.
    """
    shapes = shapes_of(data)
    identity = identity_of(model)
    traced = None
    if identity is None:
        traced = _trace(model, form, data)
        identity = id(model), fingerprint(traced)
    key = identity, form, shapes
    engine = _kept.get(key)
    if engine is None:
        traced = _trace(model, form, data) if traced is None else traced
        engine = _kept[key] = Engine(model, form, traced, jax.tree.structure(data))
        while len(_kept) > MOST_ENGINES:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return engine


def _trace(model: Callable[..., Any], form: Form, data: Data) -> Any:
    leaves, structure = jax.tree.flatten(data)
    shapes = [jax.ShapeDtypeStruct(np.shape(leaf), np.asarray(leaf).dtype) for leaf in leaves]
    values = jax.ShapeDtypeStruct((len(form.free),), np.dtype(np.float64))

    def whole(*arguments: Any) -> jax.Array:
        return residuals(model, form, jax.tree.unflatten(structure, arguments[:-1]), arguments[-1])

    with explained("f"):
        traced = jax.make_jaxpr(whole)(*shapes, values)
    if traced.out_avals[0].size == 0:
        raise ConfigError("`ydata` is empty; pass at least one measurement")
    return traced


def _laid(flow: Any, leaves: Any) -> Any:
    """Data as the flow has them: one chunk of one example."""
    part = flow.data[0]
    examples = tuple(jnp.asarray(leaf)[None, None] for leaf in leaves)
    return (part._replace(examples=examples, scale=jnp.ones((1, 1), flow.spec.dtype)),)
