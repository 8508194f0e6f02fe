"""Parameters as one flat vector: from any pytree to θ of shape `(n,)` and back.

Every integrator works on one vector; the user's pytree is only put together again inside the
user's own functions. A `ParamSpec` is hashable and holds no array, so compiled programs can be
kept under it.

A module such as Equinox's is a pytree whose leaves are not all parameters: activation functions and
settings lie among them. In a module of Flax NNX, every array belongs to a variable, and those that
are no `nnx.Param`, such as running averages and random keys, are no parameters. All of these are
kept as they are.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError, DataError, PrecisionError
from thalweg.problem import is_key, refuse_tracer

if TYPE_CHECKING:
    from collections.abc import Sequence

Params = Any  # a pytree of floating-point arrays
_REMEDIES = {  # by the kind of the dtype
    "i": "write `1.0` instead of `1`, convert it with `.astype(float)`, or keep what is not "
    "trained out of `params`",
    "c": "split it into its real and imaginary part, and join them inside the function",
    "V": "convert it with `.astype(np.float32)`, and back inside the function where it must "
    "compute in less; or keep what is not trained out of `params`",
}
_REMEDIES |= {"u": _REMEDIES["i"], "b": _REMEDIES["i"], "f": _REMEDIES["V"]}
_ARRAYS = (np.ndarray, np.generic, jax.Array)


class _Constant:
    """An array that is no parameter; equal where the numbers are, so that it can be hashed."""

    def __init__(self, array: Any) -> None:
        self.array = array

    @functools.cached_property
    def _key(self) -> tuple[Any, ...]:
        numbers = jax.random.key_data(self.array) if is_key(self.array.dtype) else self.array
        return str(self.array.dtype), self.array.shape, np.asarray(numbers).tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Constant) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@dataclasses.dataclass(frozen=True)
class ParamSpec:
    """How a pytree of parameters lies in one vector.

    Attributes:
        treedef: The structure of the pytree.
        shapes: The shape of each array, in the order of the pytree.
        names: A readable path for each array, such as `['layers'][0].weight`.
        dtype: float32 or float64, the same for all arrays.
        fixed: What is no parameter, by its place among the leaves of the pytree.
    """

    treedef: Any
    shapes: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    dtype: np.dtype
    fixed: tuple[tuple[int, Any], ...] = ()

    @property
    def size(self) -> int:
        """The number n of parameters."""
        return sum(math.prod(shape) for shape in self.shapes)

    def split(self, theta: jax.Array) -> list[jax.Array]:
        """The arrays for a vector `theta` of shape `(n,)`, in the order of the pytree."""
        arrays, start = [], 0
        for shape in self.shapes:
            size = math.prod(shape)
            arrays.append(theta[start : start + size].reshape(shape))
            start += size
        return arrays

    def join(self, arrays: Sequence[Any]) -> Params:
        """The pytree that holds these arrays, in the order of `split`."""
        leaves = list(arrays)
        for place, leaf in self.fixed:
            leaves.insert(place, leaf.array if isinstance(leaf, _Constant) else leaf)
        return jax.tree.unflatten(self.treedef, leaves)

    def unravel(self, theta: jax.Array) -> Params:
        """The pytree for a vector `theta` of shape `(n,)`."""
        return self.join(self.split(theta))

    def ravel(self, params: Params) -> jax.Array:
        """The vector of shape `(n,)` for a pytree of this structure."""
        fixed = {place for place, _ in self.fixed}
        leaves = enumerate(jax.tree.leaves(params))
        return jnp.concatenate([jnp.ravel(leaf) for place, leaf in leaves if place not in fixed])

    def leaf_of(self, index: int) -> str:
        """The path of the leaf that holds component `index` of the vector."""
        return self._place(index)[0]

    def component(self, index: int) -> str:
        """The path of component `index` of the vector, such as `params['b'][1]`."""
        name, place = self._place(index)
        return name + "".join(f"[{k}]" for k in place)

    def _place(self, index: int) -> tuple[str, tuple[Any, ...]]:
        start = 0
        for shape, name in zip(self.shapes, self.names, strict=True):
            size = math.prod(shape)
            if index < start + size:
                return name, np.unravel_index(index - start, shape)
            start += size
        raise IndexError(index)


def flatten(params: Params) -> tuple[np.ndarray, ParamSpec]:
    """Check a pytree of parameters and lay it out as one vector.

    Args:
        params: A pytree whose leaves are floating-point arrays of one dtype, all finite. In a
            module, a node of the pytree that can be called, all other leaves are kept as they are.

    Returns:
        θ as a NumPy array of shape `(n,)`, float32 or float64, and the layout.

    Raises:
        ConfigError: There is no parameter, a leaf is not a float array, or dtypes are mixed.
        PrecisionError: The parameters are float64 and JAX's x64 flag is off.
        DataError: A parameter is NaN or infinite.
    """
    with_paths, treedef = jax.tree_util.tree_flatten_with_path(params)
    fixed = tuple(
        (place, _Constant(leaf) if isinstance(leaf, _ARRAYS) else leaf)
        for place, ((_, leaf), in_module, in_other) in enumerate(
            zip(with_paths, _in_modules(params), _in_other_variables(params), strict=True)
        )
        if in_other or (in_module and not isinstance(leaf, _ARRAYS))
    )
    places = {place for place, _ in fixed}
    trained = [pair for place, pair in enumerate(with_paths) if place not in places]
    names = tuple(f"params{jax.tree_util.keystr(path)}" for path, _ in trained)
    for name, (_, leaf) in zip(names, trained, strict=True):
        refuse_tracer(leaf, name)
    leaves = [np.asarray(leaf) for _, leaf in trained]
    if sum(leaf.size for leaf in leaves) == 0:
        raise ConfigError("`params` holds no parameter; pass a pytree of float arrays")
    for name, leaf in zip(names, leaves, strict=True):
        if leaf.dtype not in (np.float32, np.float64):
            raise ConfigError(
                f"`{name}` has dtype {leaf.dtype}, but float32 or float64 was expected; "
                f"{_REMEDIES.get(leaf.dtype.kind, _REMEDIES['V'])}"
            )
    dtypes = sorted({str(leaf.dtype) for leaf in leaves})
    if len(dtypes) > 1:
        raise ConfigError(
            f"`params` mixes the dtypes {' and '.join(dtypes)}, but one was expected for all "
            "leaves; convert them to one with `.astype`"
        )
    dtype = leaves[0].dtype
    if dtype == np.float64 and not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise PrecisionError(
            "`params` are float64, but JAX's x64 flag is off; call "
            '`jax.config.update("jax_enable_x64", True)` first, or pass float32 parameters'
        )
    for name, leaf in zip(names, leaves, strict=True):
        bad = np.flatnonzero(~np.isfinite(leaf))
        if bad.size:
            raise DataError(
                f"`{name}` holds NaN or infinity in {bad.size} of {leaf.size} entries, first at "
                f"flat index {bad[0]}; start from finite parameters"
            )
    spec = ParamSpec(treedef, tuple(leaf.shape for leaf in leaves), names, dtype, fixed)
    return np.concatenate([leaf.ravel() for leaf in leaves]), spec


def ravel_rows(arrays: Sequence[jax.Array]) -> jax.Array:
    """The matrix `(q, n)` for arrays in the order of `split` that have one more, leading axis q."""
    return jnp.concatenate([array.reshape(array.shape[0], -1) for array in arrays], axis=1)


def like(params: Params, spec: ParamSpec, theta: Any) -> Params:
    """θ as a pytree whose arrays are NumPy's where those of `params` were, and JAX's elsewhere.

    Args:
        params: A pytree laid out as `spec`.
        spec: The layout.
        theta: The vector, shape `(n,)`.
    """
    # Divided by NumPy: JAX would compile a program for each array.
    tree = spec.unravel(np.asarray(theta, spec.dtype))  # pyright: ignore[reportArgumentType]

    def placed(new: Any, old: Any) -> Any:
        if new is old or not isinstance(new, np.ndarray):  # no parameter
            return new
        return new.copy() if isinstance(old, np.ndarray) else jax.device_put(new.copy())

    return jax.tree.map(placed, tree, params)


def _in_modules(params: Params) -> list[bool]:
    """Whether each leaf belongs to a module; a function that is a leaf itself is no module."""
    flags = []
    for node in jax.tree.leaves(params, is_leaf=callable):
        is_module = callable(node) and not jax.tree_util.all_leaves([node])
        flags += [is_module] * len(jax.tree.leaves(node))
    return flags


def _in_other_variables(params: Params) -> list[bool]:
    """Whether each leaf belongs to a variable of Flax NNX that is no `nnx.Param`."""
    # Whoever has such a module has imported it.
    nnx = sys.modules.get("flax.nnx")
    if nnx is None:
        return [False] * len(jax.tree.leaves(params))
    flags = []
    for node in jax.tree.leaves(params, is_leaf=lambda node: isinstance(node, nnx.Variable)):
        is_other = isinstance(node, nnx.Variable) and not isinstance(node, nnx.Param)
        flags += [is_other] * len(jax.tree.leaves(node))
    return flags
