"""What a solution has to satisfy beyond its equation: at edges, at the start, at measured points.

A condition is a residual at points of its own. It is *soft* where the residual is one more term of
the loss, and *hard* where the network is built so that it holds exactly.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError
from thalweg.pde.domains import EDGE
from thalweg.pde.operators import dt, normal_derivative, partial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thalweg.pde.domains import Domain

Value = Any  # a number, an array (k,), or a function of one point
On = Any  # a name of an edge, or several


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class AbstractCondition:
    """Base of the conditions.

    Attributes:
        weight: A factor on the weight that is found by itself. Positive.
    """

    weight: float = 1.0

    is_hard: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """What messages and pages call it."""
        return type(self).__name__

    def check(self, *, has_time: bool) -> None:
        """Refuse what cannot be meant.

        Raises:
            ConfigError: A weight that is not positive, or a start without a time.
        """
        if not (np.isfinite(self.weight) and self.weight > 0):
            raise ConfigError(f"the weight of `{self.label}` is {self.weight}; it must be above 0")
        if isinstance(self, Initial) and not has_time:
            raise ConfigError(
                "`Initial` was given to a problem without time; give the problem a `time`, such "
                "as `time=(0, 1)`, or use `Dirichlet`"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class _OnEdge(AbstractCondition):
    """A condition on named edges whose residual is something of u minus a value.

    Attributes:
        value: A number, an array `(k,)`, or a function of one point.
        on: The name of an edge, or several.
        component: The output that is meant; None for all.
    """

    value: Value
    on: On = EDGE
    component: int | None = None

    @property
    def label(self) -> str:
        """With the edges and the component."""
        names = " and ".join(names_of(self.on))
        what = "" if self.component is None else f" of component {self.component}"
        return f"{type(self).__name__}{what} on {names}"

    def left_side(self, u: Any, point: tuple[Any, ...], normal: Any) -> Any:
        """What the value is compared with."""
        raise NotImplementedError

    def residual(self, u: Any, point: tuple[Any, ...], normal: Any, value: Any) -> Any:
        """The residual at one point."""
        return chosen(self.left_side(u, point, normal), self.component) - value


@dataclasses.dataclass(frozen=True, eq=False)
class Dirichlet(_OnEdge):
    """`u = value` on edges.

    Attributes:
        hard: Whether the network satisfies it exactly, by a factor that vanishes there. The value
            must then be defined in the whole domain, and the domain know its distances.
    """

    hard: bool = False

    @property
    def is_hard(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the network satisfies it exactly."""
        return self.hard

    def left_side(self, u: Any, point: tuple[Any, ...], normal: Any) -> Any:
        """U itself."""
        del normal
        return u(*point)


@dataclasses.dataclass(frozen=True, eq=False)
class Neumann(_OnEdge):
    """`∂u/∂n = value` on edges, along the outward normal."""

    def left_side(self, u: Any, point: tuple[Any, ...], normal: Any) -> Any:
        """The normal derivative."""
        return normal_derivative(u, normal)(*point)


@dataclasses.dataclass(frozen=True, eq=False)
class Robin(_OnEdge):
    """`a u + b ∂u/∂n = value` on edges, along the outward normal."""

    a: float = 1.0
    b: float = 1.0

    def left_side(self, u: Any, point: tuple[Any, ...], normal: Any) -> Any:
        """Both together."""
        return self.a * u(*point) + self.b * normal_derivative(u, normal)(*point)


@dataclasses.dataclass(frozen=True, eq=False)
class Initial(AbstractCondition):
    """`u = value` at the start, or with `order=1` `∂u/∂t = value`.

    Attributes:
        value: A number, an array `(k,)`, or a function of x.
        order: 0 or 1.
        component: The output that is meant; None for all.
        hard: Whether the network satisfies it exactly.
    """

    value: Value
    order: int = 0
    component: int | None = None
    hard: bool = False

    @property
    def is_hard(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the network satisfies it exactly."""
        return self.hard

    @property
    def label(self) -> str:
        """See `AbstractCondition`."""
        return "Initial" if self.order == 0 else "Initial velocity"

    def residual(self, u: Any, point: tuple[Any, ...], normal: Any, value: Any) -> Any:
        """The residual at one point."""
        del normal
        found = u(*point) if self.order == 0 else dt(u, self.order)(*point)
        return chosen(found, self.component) - value


@dataclasses.dataclass(frozen=True, eq=False)
class Periodic(AbstractCondition):
    """The solution repeats itself along a coordinate, from one end of the domain to the other.

    Attributes:
        axis: The coordinate of x.
        hard: Whether the network takes sines and cosines of the coordinate, which is exact. Else
            u and its derivatives up to `order` are made to agree at both ends.
        order: The highest derivative that is made to agree.
    """

    axis: int = 0
    hard: bool = True
    order: int = 1

    @property
    def is_hard(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the network satisfies it exactly."""
        return self.hard

    def residual(self, u: Any, low: tuple[Any, ...], high: tuple[Any, ...]) -> Any:
        """The differences between two points that are one."""
        orders = [u, *(partial(u, self.axis, k) for k in range(1, self.order + 1))]
        return [f(*low) - f(*high) for f in orders]


@dataclasses.dataclass(frozen=True, eq=False)
class Condition(AbstractCondition):
    """Any condition: `residual(u, x[, t], normal)`, a number, an array or a tuple of them.

    Attributes:
        residual: What is to vanish. In a problem with unknowns it takes them as last argument.
        on: The edges on which it holds.
        inside: The domain whose edges are meant, where it is not that of the problem: a condition
            on an inner line or surface. Its normals point out of that domain.
        points: In place of edges: the points, one row each with the time last. The residual then
            takes no normal.
    """

    residual: Callable[..., Any]
    on: On = EDGE
    inside: Domain | None = None
    points: Any = None

    @property
    def label(self) -> str:
        """With its place."""
        place = "points" if self.points is not None else " and ".join(names_of(self.on))
        return f"{type(self).__name__} on {place}"


@dataclasses.dataclass(frozen=True, eq=False)
class Interface(Condition):
    """A condition between two materials, on the edge of the inner one, `inside=`.

    `residual(u, x[, t], normal)`, such as a jump of two components and of their fluxes.
    """

    def check(self, *, has_time: bool) -> None:
        """See `AbstractCondition`."""
        super().check(has_time=has_time)
        if self.inside is None:
            raise ConfigError(
                "`Interface` needs `inside=`, the domain of the inner material, whose edge it is"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class Data(AbstractCondition):
    """Measurements of u.

    Attributes:
        points: Where, one row each with the time last; on a line without time also `(N,)`.
        values: What was measured, `(N,)` or `(N, k)`.
        component: The output that was measured; None for all.
        noise: The standard deviation of the values; None if unknown, 0 where they are exact.
    """

    points: Any
    values: Any
    component: int | None = None
    noise: float | None = None

    def residual(self, u: Any, point: tuple[Any, ...], normal: Any, value: Any) -> Any:
        """The residual at one point."""
        del normal
        return chosen(u(*point), self.component) - value


def chosen(output: Any, component: int | None) -> Any:
    """One output, or all."""
    return output if component is None else output[component]


def value_at(value: Value, point: tuple[Any, ...]) -> Any:
    """A value at one point."""
    return value(*point) if callable(value) else jnp.asarray(value)


def names_of(on: str | Sequence[str]) -> list[str]:
    """Names of edges as a list."""
    return [on] if isinstance(on, str) else list(on)
