"""The parameters of a model: how `f` takes them, their names, and which of them are fixed."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

POSITIONAL, KEYWORDS, TREE = "positional", "keywords", "tree"
_IN_ORDER = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the parameters of a model lie in one vector θ of shape `(n,)`.

    Attributes:
        style: POSITIONAL for `f(x, *p)`, KEYWORDS for `f(x, **p)`, TREE for `f(x, params)`.
        names: A name for each of the n numbers.
        treedef: The structure of the pytree; of a dictionary or list of numbers too.
        shapes: The shape of each leaf.
    """

    style: str
    names: tuple[str, ...]
    treedef: Any
    shapes: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """The number n of parameters, fixed ones among them."""
        return len(self.names)

    def tree(self, theta: Any) -> Any:
        """The pytree of θ: a vector, a dictionary or whatever `p0` was."""
        if self.style == POSITIONAL:
            return theta
        leaves, start = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            part = theta[start : start + size].reshape(shape)
            leaves.append(float(part) if shape == () and isinstance(theta, np.ndarray) else part)
            start += size
        return jax.tree.unflatten(self.treedef, leaves)

    def call(self, model: Callable[..., Any], x: Any, theta: jax.Array) -> Any:
        """What the model computes for x and θ."""
        if self.style == POSITIONAL:
            return model(x, *(theta[k] for k in range(self.size)))
        tree = self.tree(theta)
        return model(x, **tree) if self.style == KEYWORDS else model(x, tree)

    def vector(self, tree: Any, *, what: str) -> np.ndarray:
        """θ of a pytree of this layout; one number stands for all parameters.

        Raises:
            ConfigError: The pytree has another layout.
        """
        if np.ndim(tree) == 0 and not isinstance(tree, dict):
            return np.full(self.size, float(tree))
        if self.style == POSITIONAL and not isinstance(tree, dict):
            flat = np.asarray(tree, float).ravel()
        elif isinstance(tree, dict) and self.style != TREE:
            return self._by_name(tree, what=what)
        else:
            flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]).astype(float)
        if flat.size != self.size:
            raise ConfigError(
                f"`{what}` has {flat.size} values, but the model has {self.size} parameters: "
                f"{', '.join(self.names)}"
            )
        return flat

    def _by_name(self, given: dict[str, Any], *, what: str) -> np.ndarray:
        unknown = set(given) - set(self.names)
        missing = [name for name in self.names if name not in given]
        if unknown or missing:
            wrong = f"names {min(unknown)!r}" if unknown else f"lacks {missing[0]!r}"
            raise ConfigError(f"`{what}` {wrong}, but the parameters are {', '.join(self.names)}")
        return np.array([float(given[name]) for name in self.names])

    def places(self, names: Iterable[Any], *, what: str) -> list[int]:
        """The places in θ of parameters given by name or by number.

        Raises:
            ConfigError: There is no such parameter.
        """
        places = []
        for name in names:
            if isinstance(name, str) and name in self.names:
                places.append(self.names.index(name))
            elif isinstance(name, (int, np.integer)) and -self.size <= name < self.size:
                places.append(int(name) % self.size)
            else:
                raise ConfigError(
                    f"`{what}` names {name!r}, but the parameters are {', '.join(self.names)}"
                )
        return places


def layout_of(model: Callable[..., Any], p0: Any) -> tuple[Layout, np.ndarray | None]:
    """The layout of a model's parameters, and the start where `p0` gives one.

    Args:
        model: `f(x, *parameters)` or `f(x, params)`.
        p0: A sequence of numbers, a dictionary or another pytree of arrays, or None.

    Raises:
        ConfigError: The number of parameters is not known, or `p0` does not fit the model.
        DataError: `p0` holds NaN or infinity.
    """
    signature = _signature(model)
    names = signature.names
    if p0 is None:
        if names is None or signature.is_open or not names:
            raise ConfigError(
                "the number of parameters cannot be read off the signature of `f`; give `p0`"
            )
        return _numbered(names), None
    if _is_sequence(p0):
        start = np.atleast_1d(np.asarray(p0, float))
        layout = _numbered(_names_for(signature, start.size))
    else:
        layout, start = _tree_layout(p0, signature)
    if not np.all(np.isfinite(start)):
        bad = layout.names[int(np.flatnonzero(~np.isfinite(start))[0])]
        raise DataError(f"`p0` is not finite in `{bad}`; start from finite parameters")
    return layout, start


def _numbered(names: tuple[str, ...]) -> Layout:
    structure = jax.tree.structure(list(names))
    return Layout(POSITIONAL, names, structure, ((),) * len(names))


class _Signature(NamedTuple):
    """The parameters of a model after x.

    Attributes:
        names: Their names; None where they are not known.
        required: How many have no default.
        is_open: Whether any number of them may follow.
    """

    names: tuple[str, ...] | None
    required: int
    is_open: bool


def _signature(model: Any) -> _Signature:
    try:
        parameters = list(inspect.signature(model).parameters.values())
    except (TypeError, ValueError):
        return _Signature(None, 0, is_open=True)
    is_open = any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters)
    in_order = [each for each in parameters if each.kind in _IN_ORDER][1:]
    required = sum(each.default is inspect.Parameter.empty for each in in_order)
    return _Signature(tuple(each.name for each in in_order), required, is_open)


def _names_for(signature: _Signature, count: int) -> tuple[str, ...]:
    known = signature.names or ()
    is_too_long = not signature.is_open and len(known) < count
    if is_too_long or count < signature.required:
        raise ConfigError(
            f"`p0` has {count} values, but `f` takes {len(known)} parameters after x: "
            f"{', '.join(known) or 'none'}"
        )
    return (*known[:count], *(f"p{k}" for k in range(len(known), count)))


def _is_sequence(p0: Any) -> bool:
    if isinstance(p0, (list, tuple)):
        return all(np.ndim(item) == 0 and not isinstance(item, dict) for item in p0)
    return isinstance(p0, (int, float, np.ndarray, np.generic, jax.Array)) and np.ndim(p0) <= 1


def _tree_layout(p0: Any, signature: _Signature) -> tuple[Layout, np.ndarray]:
    with_paths, structure = jax.tree_util.tree_flatten_with_path(p0)
    if not with_paths:
        raise ConfigError("`p0` holds no parameter")
    leaves = [np.asarray(leaf) for _, leaf in with_paths]
    for (path, _), leaf in zip(with_paths, leaves, strict=True):
        if leaf.dtype.kind not in "fiu":
            raise ConfigError(
                f"`p0{jax.tree_util.keystr(path)}` has dtype {leaf.dtype}, but real numbers were "
                "expected"
            )
    labels = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in with_paths]
    full = [
        label + "".join(f"[{k}]" for k in place)
        for label, leaf in zip(labels, leaves, strict=True)
        for place in np.ndindex(leaf.shape)
    ]
    is_named = isinstance(p0, dict) and all(leaf.shape == () for leaf in leaves)
    by_keyword = is_named and len(p0) > 0 and set(p0) <= set(signature.names or ())
    style = KEYWORDS if by_keyword else TREE
    _refuse_misfit(p0, style, signature)
    start = np.concatenate([leaf.ravel() for leaf in leaves]).astype(float)
    return Layout(style, tuple(full), structure, tuple(leaf.shape for leaf in leaves)), start


def _refuse_misfit(p0: Any, style: str, signature: _Signature) -> None:
    """Refuse a pytree that the model cannot be called with."""
    required = (signature.names or ())[: signature.required]
    takes = ", ".join(signature.names or ())
    if style == KEYWORDS:
        missing = [name for name in required if name not in p0]
        if missing:
            raise ConfigError(
                f"`p0` has no start for `{missing[0]}`, but `f` takes {takes} after x; give one "
                "for each of them"
            )
    elif len(required) > 1:
        raise ConfigError(
            f"`p0` is a {type(p0).__name__} that is no start by name, so `f` would be called as "
            f"`f(x, p0)`, but it takes {takes} after x; give one number for each of them"
        )


def free_places(
    layout: Layout, fixed: Any, start: np.ndarray
) -> tuple[tuple[int, ...], np.ndarray]:
    """The places of the parameters that are fitted, and θ with the fixed values in it.

    Args:
        layout: The parameters.
        fixed: Names, or a dictionary from names to values; without a value, that of the start.
        start: θ at the start.

    Raises:
        ConfigError: A parameter is not known, or none is left to be fitted.
    """
    base = start.copy()
    if fixed is None:
        return tuple(range(layout.size)), base
    names = [fixed] if isinstance(fixed, (str, int)) else list(fixed)
    places = layout.places(names, what="fixed")
    if isinstance(fixed, dict):
        base[places] = [float(value) for value in fixed.values()]
    free = tuple(k for k in range(layout.size) if k not in places)
    if not free:
        raise ConfigError("all parameters are in `fixed`, but at least one was expected to be free")
    return free, base


def full_vector(free: tuple[int, ...], base: jax.Array, values: jax.Array) -> jax.Array:
    """θ with the fitted values in the place of the free parameters. Pure."""
    if len(free) == base.shape[0]:
        return values
    return base.at[jnp.asarray(free)].set(values)
