"""Bounds as a smooth change of variables, which takes any method inside them.

Between two bounds `θ = l + (u - l) sin²v`; above one `θ = l + v²`; below one `θ = u - v²`. No unit
matters: with θ and its bounds, only v is scaled. At a bound the derivative by v vanishes, so a fit
that ends there is completed by steps in θ itself, see `thalweg.fitting.projected`. The short run of
`auto` needs no such change, see `thalweg.fitting.box`.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    import jax

    from thalweg.fitting.parameters import Layout

FREE, LOWER, UPPER, BOTH = range(4)
INSIDE = 0.01  # of the way to a bound that a start on it is moved inside


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Lower and upper bounds of all parameters.

    Attributes:
        low: Shape `(n,)`; -∞ for none.
        high: Shape `(n,)`; ∞ for none.
    """

    low: np.ndarray
    high: np.ndarray

    @functools.cached_property
    def kinds(self) -> tuple[int, ...]:
        """FREE, LOWER, UPPER or BOTH, for each parameter."""
        low, high = np.isfinite(self.low), np.isfinite(self.high)
        return tuple((LOWER * low + UPPER * high).tolist())

    @functools.cached_property
    def finite(self) -> tuple[np.ndarray, np.ndarray]:
        """The bounds as numbers for a compiled program, with 0 where there is none."""
        return tuple(np.where(np.isfinite(side), side, 0.0) for side in (self.low, self.high))  # pyright: ignore[reportReturnType]

    def contains(self, theta: np.ndarray) -> np.ndarray:
        """Whether each parameter is within its bounds, `(n,)`."""
        return (self.low <= theta) & (theta <= self.high)

    def default_start(self) -> np.ndarray:
        """Where SciPy's `curve_fit` starts without `p0`: 1, or the middle of the bounds."""
        start = np.ones(len(self.low))
        kinds = np.asarray(self.kinds)
        with np.errstate(invalid="ignore"):
            start = np.where(kinds == BOTH, 0.5 * (self.low + self.high), start)
            start = np.where(kinds == LOWER, self.low + 1, start)
            return np.where(kinds == UPPER, self.high - 1, start)


def bounds_of(given: Any, layout: Layout) -> Bounds:
    """The bounds as a caller gives them, for every parameter.

    Args:
        given: `(lower, upper)`, each a number, a sequence or a pytree like the parameters; an
            object with `lb` and `ub`; or a dictionary from some names to pairs.
        layout: The parameters.

    Raises:
        ConfigError: They do not fit the parameters, or a lower one is not below its upper one.
    """
    if hasattr(given, "lb") and hasattr(given, "ub"):
        given = given.lb, given.ub
    if isinstance(given, dict):
        low, high = np.full(layout.size, -np.inf), np.full(layout.size, np.inf)
        for place, pair in zip(layout.places(given, what="bounds"), given.values(), strict=True):
            low[place], high[place] = _pair(pair)
    else:
        lower, upper = _pair(given)
        low = layout.vector(lower, what="bounds[0]").astype(float)
        high = layout.vector(upper, what="bounds[1]").astype(float)
    bad = np.flatnonzero(~(low < high))
    if bad.size:
        k = int(bad[0])
        raise ConfigError(
            f"the bounds of `{layout.names[k]}` are {low[k]:g} and {high[k]:g}, but the lower one "
            "must be below the upper one; use `fixed` for a parameter with one value"
        )
    return Bounds(low, high)


def _pair(given: Any) -> tuple[Any, Any]:
    try:
        lower, upper = given
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"`bounds` is {given!r}, but a pair of a lower and an upper bound was expected"
        ) from error
    return (-np.inf if lower is None else lower), (np.inf if upper is None else upper)


def box_of(kinds: tuple[int, ...], low: jax.Array, high: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The bounds with ∞ where there is none, from those of `Bounds.finite`. Pure."""
    has_low, has_high = ((np.asarray(kinds) & side) > 0 for side in (LOWER, UPPER))
    return jnp.where(has_low, low, -jnp.inf), jnp.where(has_high, high, jnp.inf)


def inner_start(theta: np.ndarray, bounds: Bounds) -> np.ndarray:
    """V for θ, with parameters on or close to a bound moved a little inside."""
    v = theta.astype(float).copy()
    for k, kind in enumerate(bounds.kinds):
        low, high = bounds.low[k], bounds.high[k]
        if kind == BOTH:
            nearest = low if theta[k] - low <= high - theta[k] else high
            least = INSIDE * min(1, (abs(nearest) or 1.0) / (high - low))
            share = (theta[k] - low) / (high - low)
            if not 0 < share < 1:
                share = least if nearest == low else 1 - least
            v[k] = np.arcsin(np.sqrt(share))
        elif kind != FREE:
            bound = low if kind == LOWER else high
            away = abs(theta[k] - bound)
            least = INSIDE * (abs(bound) if bound else 1.0)
            v[k] = np.sqrt(away if away > 0 else least)
    return v


def outer(v: Any, kinds: tuple[int, ...], low: Any, high: Any, *, arrays: Any = jnp) -> Any:
    """θ for v, both of shape `(n,)`. Pure.

    Args:
        v: The unbounded variables.
        kinds: Which bounds each has. Static.
        low: Lower bounds; any number where there is none.
        high: Upper bounds; any number where there is none.
        arrays: `jax.numpy`, or `numpy` on the host.
    """
    if not any(kinds):
        return v
    which = np.asarray(kinds)
    both = low + (high - low) * arrays.square(arrays.sin(v))
    both = arrays.clip(both, low, high)  # as it may be rounded to beyond a bound
    one_sided = arrays.where(which == LOWER, low + v * v, high - v * v)
    return arrays.where(which == BOTH, both, arrays.where(which == FREE, v, one_sided))
