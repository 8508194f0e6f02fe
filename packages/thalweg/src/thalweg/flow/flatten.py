"""Parameters as one flat vector: from any pytree to θ of shape `(n,)` and back.

Every integrator works on one vector; the user's pytree is only put together again inside the
user's own functions. A `ParamSpec` is hashable and holds no array, so compiled programs can be
kept under it.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError, DataError, PrecisionError

Params = Any  # a pytree of floating-point arrays


@dataclasses.dataclass(frozen=True)
class ParamSpec:
    """How a pytree of parameters lies in one vector.

    Attributes:
        treedef: The structure of the pytree.
        shapes: The shape of each leaf, in the order of the pytree.
        names: A readable path for each leaf, such as `['layers'][0].weight`.
        dtype: float32 or float64, the same for all leaves.
    """

    treedef: Any
    shapes: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """The number n of parameters."""
        return sum(math.prod(shape) for shape in self.shapes)

    def unravel(self, theta: jax.Array) -> Params:
        """The pytree for a vector `theta` of shape `(n,)`."""
        leaves, start = [], 0
        for shape in self.shapes:
            size = math.prod(shape)
            leaves.append(theta[start : start + size].reshape(shape))
            start += size
        return jax.tree.unflatten(self.treedef, leaves)

    def ravel(self, params: Params) -> jax.Array:
        """The vector of shape `(n,)` for a pytree of this structure."""
        return jnp.concatenate([jnp.ravel(leaf) for leaf in jax.tree.leaves(params)])

    def ravel_rows(self, params: Params) -> jax.Array:
        """The matrix `(q, n)` for a pytree whose leaves have one more, leading axis q."""
        leaves = jax.tree.leaves(params)
        return jnp.concatenate([leaf.reshape(leaf.shape[0], -1) for leaf in leaves], axis=1)

    def leaf_of(self, index: int) -> str:
        """The path of the leaf that holds component `index` of the vector."""
        start = 0
        for shape, name in zip(self.shapes, self.names, strict=True):
            start += math.prod(shape)
            if index < start:
                return name
        raise IndexError(index)


def flatten(params: Params) -> tuple[np.ndarray, ParamSpec]:
    """Check a pytree of parameters and lay it out as one vector.

    Args:
        params: A pytree whose leaves are floating-point arrays of one dtype, all finite.

    Returns:
        θ as a NumPy array of shape `(n,)`, float32 or float64, and the layout.

    Raises:
        ConfigError: There is no parameter, a leaf is not a float array, or dtypes are mixed.
        PrecisionError: The parameters are float64 and JAX's x64 flag is off.
        DataError: A parameter is NaN or infinite.
    """
    with_paths, treedef = jax.tree_util.tree_flatten_with_path(params)
    names = tuple(f"params{jax.tree_util.keystr(path)}" for path, _ in with_paths)
    leaves = [np.asarray(leaf) for _, leaf in with_paths]
    if sum(leaf.size for leaf in leaves) == 0:
        raise ConfigError("`params` holds no parameter; pass a pytree of float arrays")
    for name, leaf in zip(names, leaves, strict=True):
        if leaf.dtype not in (np.float32, np.float64):
            raise ConfigError(
                f"`{name}` has dtype {leaf.dtype}, but float32 or float64 was expected; "
                "convert it with `.astype(float)`, or keep what is not trained out of `params`"
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
    spec = ParamSpec(treedef, tuple(leaf.shape for leaf in leaves), names, dtype)
    return np.concatenate([leaf.ravel() for leaf in leaves]), spec
