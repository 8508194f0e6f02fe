"""A differential equation with its domain and conditions, and the field that is to solve it."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError
from thalweg.flow.flatten import ParamSpec, flatten
from thalweg.pde.conditions import (
    AbstractCondition,
    Data,
    Dirichlet,
    Initial,
    Periodic,
    value_at,
)
from thalweg.pde.domains import Domain, TimeInterval
from thalweg.pde.networks import MLP, Network, as_network, float64

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Field:
    """An unknown function of the point, such as a conductivity: a network of its own.

    Attributes:
        network: As in `solve`.
        scale: The size that the function is expected to have.
    """

    network: Any = dataclasses.field(default_factory=lambda: MLP(width=12, depth=1))
    scale: float = 1.0


@dataclasses.dataclass(frozen=True)
class Problem:
    """A differential equation on a domain.

    Attributes:
        domain: Where in space.
        equation: `equation(u, x)` or `equation(u, x, t)`: what is to vanish at each point, a
            number, an array or a tuple of them. `u` is a function of one point.
        conditions: At edges, at the start, at measured points.
        time: `(start, end)`, or None.
        outputs: The number of components of u; u is a number at each point where it is 1.
        unknowns: Constants to be found, by name with a first guess, and functions, each a `Field`.
            The equation takes them, in a dictionary, as last argument.
        reference: What is known of the solution: a formula of one point, or a `Table`.
        name: What the page calls it.

    Raises:
        ConfigError: Something of it cannot be meant.
    """

    domain: Domain
    equation: Callable[..., Any]
    conditions: Sequence[AbstractCondition]
    _: dataclasses.KW_ONLY
    time: TimeInterval | tuple[float, float] | None = None
    outputs: int = 1
    unknowns: Mapping[str, float | Field] = dataclasses.field(default_factory=dict)
    reference: Any = None
    name: str = "Differential equation"

    def __post_init__(self) -> None:
        if not isinstance(self.domain, Domain):
            raise ConfigError(
                f"`domain` is of type {type(self.domain).__name__}, but a domain such as "
                "`pde.Interval(0, 1)` was expected"
            )
        if not callable(self.equation):
            raise ConfigError("`equation` is no function; write `def equation(u, x): ...`")
        if self.time is not None and not isinstance(self.time, TimeInterval):
            object.__setattr__(self, "time", TimeInterval(*self.time))
        object.__setattr__(self, "unknowns", dict(self.unknowns or {}))
        for condition in self.conditions:
            if not isinstance(condition, AbstractCondition):
                raise ConfigError(
                    f"a condition is of type {type(condition).__name__}, but one such as "
                    "`pde.Dirichlet(0.0)` was expected"
                )
            condition.check(has_time=self.time is not None)
            self._check_place(condition)

    def _check_place(self, condition: AbstractCondition) -> None:
        """Refuse edges, components and coordinates that do not exist."""
        if hasattr(condition, "on") and getattr(condition, "points", None) is None:
            inside = getattr(condition, "inside", None)
            (inside or self.domain).parts_on(condition.on)  # pyright: ignore[reportAttributeAccessIssue]
        k = getattr(condition, "component", None)
        if k is not None and not (self.outputs > 1 and 0 <= k < self.outputs):
            raise ConfigError(
                f"`component` of `{condition.label}` is {k}, but u has {self.outputs} output(s); "
                "leave it out, or set `outputs` of the problem"
            )
        if isinstance(condition, Periodic) and not 0 <= condition.axis < self.domain.dimension:
            raise ConfigError(
                f"`Periodic` names the coordinate {condition.axis}, but the domain has those from "
                f"0 to {self.domain.dimension - 1}"
            )

    @property
    def interval(self) -> TimeInterval | None:
        """The time, as an object."""
        return self.time  # pyright: ignore[reportReturnType]

    @property
    def columns(self) -> int:
        """Coordinates of a point in space and time."""
        return self.domain.dimension + (self.time is not None)

    @property
    def soft(self) -> list[AbstractCondition]:
        """The conditions that are terms of the loss."""
        return [condition for condition in self.conditions if not condition.is_hard]

    @property
    def data(self) -> list[Data]:
        """The measurements."""
        return [condition for condition in self.conditions if isinstance(condition, Data)]

    def split(self, point: Any) -> tuple[Any, ...]:
        """A point `(d,)` or `(d + 1,)` as the arguments of u: `(x,)` or `(x, t)`."""
        d = self.domain.dimension
        x = point[0] if self.domain.is_scalar else point[:d]
        return (x,) if self.time is None else (x, point[d])

    def covers(self, points: np.ndarray) -> np.ndarray:
        """Whether each point `(n, columns)` lies in the domain or on its edge, and in the time."""
        d, low, high = self.domain.dimension, self.domain.low, self.domain.high
        reach = 1e-9 * (high - low)
        x = points[:, :d]
        # A point on an edge lies inside after a small step inwards: to the middle, or in the plane
        # and in space one of those along the diagonals.
        near = [x, x + 1e-9 * ((low + high) / 2 - x)]
        if d <= 3:  # noqa: PLR2004
            near += [x + reach * np.array(signs) for signs in itertools.product((-1, 1), repeat=d)]
        found = np.any([self.domain.contains(each) for each in near], axis=0)
        if self.interval is not None:
            slack = 1e-9 * (self.interval.end - self.interval.start)
            t = points[:, d]
            found &= (t >= self.interval.start - slack) & (t <= self.interval.end + slack)
        return found


class Ansatz:
    """A family of fields that satisfy all hard conditions: what the parameters are turned into.

    Args:
        problem: The problem.
        network: The network of u.
        scale: The size of each output, `(outputs,)`.
        duration: The length of time that the inputs are scaled by; that of one window.
        transform: From the field of the network to the field that is meant; None for itself.
    """

    def __init__(
        self,
        problem: Problem,
        network: Any,
        *,
        scale: np.ndarray,
        duration: float,
        transform: Any = None,
    ) -> None:
        self.problem, self.network = problem, as_network(network)
        self._scale, self._duration, self._transform = scale, duration, transform
        self._periods = {c.axis for c in problem.conditions if isinstance(c, Periodic) and c.hard}
        self._lift, self._factors = hard_parts(problem)
        self._fields = {
            name: (field, as_network(field.network))
            for name, field in problem.unknowns.items()
            if isinstance(field, Field)
        }

    def init(self, seed: int) -> dict[str, Any]:
        """First parameters: those of the network, and the unknowns."""
        p = self.problem
        inputs = len(self._inputs(self.network, np.zeros(p.columns), 0.0))
        params = {"network": self.network.init(inputs, p.outputs, seed), "unknowns": {}}
        for k, (name, value) in enumerate(p.unknowns.items()):
            if name in self._fields:
                network = self._fields[name][1]
                inputs = len(self._inputs(network, np.zeros(p.columns), 0.0))
                params["unknowns"][name] = network.init(inputs, 1, seed + k + 1)
            else:
                params["unknowns"][name] = np.asarray(value, np.float64)
        return params

    def flat(self, params: Any) -> tuple[np.ndarray, ParamSpec]:
        """Parameters as one vector, and their layout."""
        with float64():
            return flatten(params)

    def _inputs(self, network: Network, point: Any, origin: Any) -> jax.Array:
        domain, waves = self.problem.domain, getattr(network, "waves", 1)
        inputs = []
        for axis, (low, high) in enumerate(zip(domain.low, domain.high, strict=True)):
            share = (point[axis] - low) / (high - low)
            if axis in self._periods:
                angles = [2 * np.pi * k * share for k in range(1, waves + 1)]
                inputs += [wave(angle) for angle in angles for wave in (jnp.cos, jnp.sin)]
            else:
                inputs.append(2 * share - 1)
        if self.problem.time is not None:
            inputs.append(2 * (point[-1] - origin) / self._duration - 1)
        return jnp.stack(inputs)

    def field(self, params: Any, origin: Any) -> Callable[..., Any]:
        """The function u of one point; `origin` is the time at which the window starts."""

        def plain(*point: Any) -> Any:
            z = self._inputs(self.network, _joined(point), origin)
            outputs = self._scale * self.network.apply(params["network"], z)
            return outputs[0] if self.problem.outputs == 1 else outputs

        made = plain if self._transform is None else self._transform(plain)

        def u(*point: Any) -> Any:
            outputs = jnp.atleast_1d(made(*point))
            if self._factors:
                factors = jnp.stack([factor(*point) for factor in self._factors])
                outputs = self._lift(*point) + factors * outputs
            return outputs[0] if self.problem.outputs == 1 else outputs

        return u

    def unknowns(self, params: Any, origin: Any) -> dict[str, Any]:
        """The unknown constants as numbers, the fields as functions of one point."""
        found = dict(params["unknowns"])
        for name, (field, network) in self._fields.items():
            found[name] = self._unknown_field(field, network, params["unknowns"][name], origin)
        return found

    def _unknown_field(self, field: Field, network: Network, weights: Any, origin: Any) -> Any:
        def value(*point: Any) -> jax.Array:
            z = self._inputs(network, _joined(point), origin)
            return field.scale * network.apply(weights, z)[0]

        return value


def _joined(point: tuple[Any, ...]) -> jax.Array:
    return jnp.concatenate([jnp.atleast_1d(jnp.asarray(each)) for each in point])


def hard_parts(problem: Problem) -> tuple[Callable[..., Any], list[Callable[..., Any]]]:
    """A function with the hard values, and for each output a factor that vanishes where it has.

    Raises:
        ConfigError: A distance is not known, or two values do not agree where they meet.
    """
    hard = [c for c in problem.conditions if isinstance(c, (Dirichlet, Initial)) and c.is_hard]
    if not hard:
        return (lambda *_: 0.0), []
    by_output = [
        [c for c in hard if c.component is None or c.component == k] for k in range(problem.outputs)
    ]
    factors = [_factor(problem, each) for each in by_output]
    lifts = [_lift(problem, each, k) for k, each in enumerate(by_output)]
    return (lambda *point: jnp.stack([lift(*point) for lift in lifts])), factors


def _factor(problem: Problem, hard: list[Any]) -> Callable[..., Any]:
    distances, order = [], 0
    for condition in hard:
        if isinstance(condition, Initial):
            order = max(order, condition.order + 1)
            continue
        distance = problem.domain.distance(condition.on)
        if distance is None:
            raise ConfigError(
                f"`{condition.label}` cannot be hard, as this domain knows no smooth distance to "
                "that edge; leave out `hard=True`"
            )
        distances.append(distance)
    span = problem.interval

    def factor(x: Any, *t: Any) -> Any:
        value = math.prod((distance(x) for distance in distances), start=jnp.ones(()))
        if order and span is not None:
            value = value * ((t[0] - span.start) / (span.end - span.start)) ** order
        return value

    return factor


def _lift(problem: Problem, hard: list[Any], k: int) -> Callable[..., Any]:
    """One function that has the values of all hard conditions of an output."""
    edges = [c for c in hard if isinstance(c, Dirichlet)]
    starts = {c.order: c for c in hard if isinstance(c, Initial)}
    span = problem.interval

    def value_of(condition: Any, *point: Any) -> Any:
        found = value_at(condition.value, point)
        is_one = condition.component is not None or jnp.ndim(found) == 0
        return found if is_one else found[k]

    def lift(x: Any, *t: Any) -> Any:
        if not starts:
            return value_of(edges[0], x, *t) if edges else jnp.zeros(())
        total = value_of(starts[0], x) if 0 in starts else jnp.zeros(())
        if 1 in starts and span is not None:
            total = total + (t[0] - span.start) * value_of(starts[1], x)
        return total

    for condition in edges:
        points, _ = problem.domain.edge_points(64, on=condition.on)
        if span is not None:
            times = np.linspace(span.start, span.end, len(points))
            points = np.column_stack([points, times])
        for row in points:
            point = problem.split(row)
            gap = float(jnp.abs(lift(*point) - value_of(condition, *point)))
            if not gap <= 1e-6 * (1 + float(jnp.abs(value_of(condition, *point)))):
                raise ConfigError(
                    f"the values of the hard conditions differ by {gap:.3g} on "
                    f"{condition.on!r}; give all of them one function that has every value, or "
                    "leave out `hard=True` for all but one"
                )
    return lift


def output_scale(problem: Problem) -> np.ndarray:
    """The size of each output, from the values that are given; 1 where nothing is known."""
    scale = np.zeros(problem.outputs)
    for condition in problem.conditions:
        if isinstance(condition, Data):
            values = np.asarray(condition.values, float)
        elif isinstance(condition, Dirichlet) or (
            isinstance(condition, Initial) and condition.order == 0
        ):
            values = _some_values(problem, condition)
        else:
            continue
        sizes = np.sqrt(np.mean(values.reshape(len(values), -1) ** 2, axis=0))
        k = condition.component
        target = slice(None) if k is None else slice(k, k + 1)
        if np.isfinite(sizes).all() and sizes.size in (1, problem.outputs):
            scale[target] = np.maximum(scale[target], sizes)
    return np.where(scale > 0, scale, 1.0)


def _some_values(problem: Problem, condition: Dirichlet | Initial, count: int = 64) -> np.ndarray:
    """What is given at some points."""
    if isinstance(condition, Initial):
        points = problem.domain.points(count)
    else:
        points = problem.domain.edge_points(count, on=condition.on)[0]
        points = np.repeat(points, -(-count // len(points)), axis=0)
    if problem.interval is not None:
        times = np.linspace(problem.interval.start, problem.interval.end, len(points))
        points = np.column_stack([points, times])
    takes = 1 if isinstance(condition, Initial) else 2

    def given(row: Any) -> Any:
        return value_at(condition.value, problem.split(row)[:takes])

    return np.asarray(jax.vmap(given)(jnp.asarray(points)), float)
