"""The operators that `torch.export` reduces a module to, in JAX.

`torch.export` with its decompositions leaves the core operators of ATen. Each is here a function of
JAX that takes the same arguments, so that a graph is run by looking names up. Layers with windows,
normalisation and convolutions are in `thalweg.torch.layers`.

Source: the "Core ATen IR" of PyTorch, and the schemas in `native_functions.yaml`.
Decision: docs/decisions/0038-modules-of-pytorch.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from thalweg.torch.layers import LAYERS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INT64_MAX = 2**63 - 1  # what ATen writes for "to the end"


def _add(x: Any, y: Any, *, alpha: float = 1) -> jax.Array:
    return x + y if alpha == 1 else x + alpha * y


def _sub(x: Any, y: Any, *, alpha: float = 1) -> jax.Array:
    return x - y if alpha == 1 else x - alpha * y


def _div(x: Any, y: Any, *, rounding_mode: str | None = None) -> jax.Array:
    quotient = jnp.true_divide(x, y)
    if rounding_mode is None:
        return quotient
    return jnp.floor(quotient) if rounding_mode == "floor" else jnp.trunc(quotient)


def _gelu(x: jax.Array, *, approximate: str = "none") -> jax.Array:
    return jax.nn.gelu(x, approximate=approximate == "tanh")


def _elu(x: jax.Array, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> jax.Array:
    below = jnp.where(x > 0, 0, x)  # so that the branch not taken does not overflow
    return scale * jnp.where(x > 0, x, alpha * jnp.expm1(input_scale * below))


def _leaky_relu(x: jax.Array, slope: float = 0.01) -> jax.Array:
    return jnp.where(x > 0, x, slope * x)


def _clamp(x: jax.Array, low: Any = None, high: Any = None) -> jax.Array:
    # PyTorch passes the gradient on at the limits themselves; `jnp.clip` passes on a half.
    if low is not None:
        x = jnp.where(x < low, low, x)
    return x if high is None else jnp.where(x > high, high, x)


def _hardtanh(x: jax.Array, low: float = -1, high: float = 1) -> jax.Array:
    return jnp.where(x <= low, low, jnp.where(x >= high, high, x))


def _relu(x: jax.Array) -> jax.Array:
    return jnp.where(x > 0, x, 0)


def _softmax(x: jax.Array, dim: int, half_to_float: bool = False) -> jax.Array:  # noqa: FBT001, FBT002
    del half_to_float
    return jax.nn.softmax(x, axis=dim)


def _log_softmax(x: jax.Array, dim: int, half_to_float: bool = False) -> jax.Array:  # noqa: FBT001, FBT002
    del half_to_float
    return jax.nn.log_softmax(x, axis=dim)


# ------------------------------------------------------------------------------------ reductions


def _axes(dim: Any) -> Any:
    """Axes as JAX takes them; no axis at all means each of them."""
    if dim is None or isinstance(dim, int):
        return dim
    return tuple(dim) or None


def _reduction(function: Callable[..., Any]) -> Callable[..., Any]:
    def reduced(x: jax.Array, dim: Any = None, keepdim: bool = False, **_: Any) -> Any:  # noqa: FBT001, FBT002
        return function(x, axis=_axes(dim), keepdims=keepdim)

    return reduced


def _extreme(arg: Callable[..., jax.Array]) -> Callable[..., Any]:
    """`max` and `min`: of all numbers, or of an axis with the place."""

    def extreme(x: jax.Array, dim: int | None = None, keepdim: bool = False) -> Any:  # noqa: FBT001, FBT002
        if dim is None:
            return x.ravel()[arg(x.ravel())]
        place = arg(x, axis=dim, keepdims=True)
        value = jnp.take_along_axis(x, place, axis=dim)
        return (value, place) if keepdim else (value.squeeze(dim), place.squeeze(dim))

    return extreme


def _var(
    x: jax.Array,
    dim: Any = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> jax.Array:
    return jnp.var(x, axis=_axes(dim), ddof=_ddof(correction), keepdims=keepdim)  # pyright: ignore[reportArgumentType]


def _var_mean(
    x: jax.Array, dim: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[jax.Array, jax.Array]:
    mean = jnp.mean(x, axis=_axes(dim), keepdims=keepdim)
    return _var(x, dim, correction=correction, keepdim=keepdim), mean


def _ddof(correction: float | None) -> float:
    return 1 if correction is None else correction


def _sort(x: jax.Array, dim: int = -1, descending: bool = False) -> tuple[jax.Array, jax.Array]:  # noqa: FBT001, FBT002
    order = jnp.argsort(x, axis=dim, descending=descending, stable=True)
    return jnp.take_along_axis(x, order, axis=dim), order


# ---------------------------------------------------------------------------- matrices and shapes


def _addmm(b: Any, x: Any, y: Any, *, beta: float = 1, alpha: float = 1) -> jax.Array:
    return beta * b + alpha * (x @ y)


def _slice(
    x: jax.Array, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> jax.Array:
    end = None if end is None or end >= INT64_MAX else end
    return jax.lax.slice_in_dim(x, *slice(start, end).indices(x.shape[dim])[:2], step, axis=dim)


def _select(x: jax.Array, dim: int, index: int) -> jax.Array:
    return jax.lax.index_in_dim(x, index, axis=dim, keepdims=False)


def _split(x: jax.Array, sizes: Sequence[int], dim: int = 0) -> list[jax.Array]:
    ends = [sum(sizes[: k + 1]) for k in range(len(sizes) - 1)]
    return jnp.split(x, ends, axis=dim)


def _squeeze(x: jax.Array, dim: Any = None) -> jax.Array:
    axes = range(x.ndim) if dim is None else [dim] if isinstance(dim, int) else dim
    return x.squeeze(tuple(k for k in axes if x.shape[k] == 1))


def _expand(x: jax.Array, shape: Sequence[int], **_: Any) -> jax.Array:
    new = len(shape) - x.ndim
    kept = [x.shape[k - new] if size == -1 else size for k, size in enumerate(shape)]
    return jnp.broadcast_to(x, kept)


def _index(x: jax.Array, indices: Sequence[Any]) -> jax.Array:
    return x[tuple(slice(None) if index is None else index for index in indices)]


def _index_select(x: jax.Array, dim: int, index: jax.Array) -> jax.Array:
    return jnp.take(x, index, axis=dim)


def _gather(x: jax.Array, dim: int, index: jax.Array, **_: Any) -> jax.Array:
    # ATen reads only as much of the other axes as `index` is long.
    cut = tuple(slice(None if k == dim % x.ndim else n) for k, n in enumerate(index.shape))
    return jnp.take_along_axis(x[cut], index, axis=dim)


def _embedding(weight: jax.Array, index: jax.Array, *_: Any) -> jax.Array:
    return weight[index]


def _pad(x: jax.Array, pad: Sequence[int], value: float = 0) -> jax.Array:
    pairs = [(0, 0, 0)] * (x.ndim - len(pad) // 2)
    pairs += [(pad[k], pad[k + 1], 0) for k in range(len(pad) - 2, -1, -2)]
    return jax.lax.pad(x, jnp.asarray(value, x.dtype), pairs)


def _repeat(x: jax.Array, repeats: Sequence[int]) -> jax.Array:
    return jnp.tile(x, repeats)


def _unfold(x: jax.Array, dim: int, size: int, step: int) -> jax.Array:
    starts = jnp.arange(0, x.shape[dim] - size + 1, step)
    windows = jnp.take(x, starts[:, None] + jnp.arange(size), axis=dim)
    return jnp.moveaxis(windows, dim % x.ndim + 1, -1)


def _slice_scatter(
    x: jax.Array,
    new: jax.Array,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
) -> jax.Array:
    return x.at[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)].set(new)


def _select_scatter(x: jax.Array, new: jax.Array, dim: int, index: int) -> jax.Array:
    return x.at[(slice(None),) * (dim % x.ndim) + (index,)].set(new)


# ------------------------------------------------------------------------------------ new arrays


def _full(shape: Sequence[int], value: Any, **_: Any) -> jax.Array:
    return jnp.full(tuple(shape), value)


def _full_like(x: jax.Array, value: Any, **_: Any) -> jax.Array:
    return jnp.full_like(x, value)


def _arange(start: float = 0, end: float | None = None, step: float = 1, **_: Any) -> jax.Array:
    return jnp.arange(start, end, step)


def _first(x: Any, *_: Any, **__: Any) -> Any:
    return x


def _scalar(value: Any, **_: Any) -> jax.Array:
    return jnp.asarray(value)


def _copied(old: jax.Array, new: jax.Array, *_: Any) -> jax.Array:
    return jnp.broadcast_to(new, old.shape)


_SAME_NAME = (  # in both libraries: elementwise, and with the same arguments
    "abs acos acosh asin asinh atan atan2 atanh bitwise_and bitwise_not bitwise_or bitwise_xor "
    "ceil cos cosh exp exp2 expm1 floor fmod isinf isnan log log10 log1p log2 logical_and "
    "logical_not logical_or logical_xor maximum minimum reciprocal remainder sign sin sinh sqrt "
    "square tan tanh trunc where"
)

# By the name of the operator, without its overload: `aten.add` for `aten.add.Tensor`.
OPERATORS: dict[str, Callable[..., Any]] = {
    **{f"aten.{name}": getattr(jnp, name) for name in _SAME_NAME.split()},
    **{f"aten.{name}": function for name, function in LAYERS.items()},
    "aten.add": _add,
    "aten.sub": _sub,
    "aten.mul": jnp.multiply,
    "aten.div": _div,
    "aten.pow": jnp.power,
    "aten.neg": jnp.negative,
    "aten.erf": jax.lax.erf,
    "aten.erfc": jax.lax.erfc,
    "aten.round": jnp.round,
    "aten.rsqrt": jax.lax.rsqrt,
    "aten.sigmoid": jax.nn.sigmoid,
    "aten.eq": jnp.equal,
    "aten.ne": jnp.not_equal,
    "aten.lt": jnp.less,
    "aten.le": jnp.less_equal,
    "aten.gt": jnp.greater,
    "aten.ge": jnp.greater_equal,
    "aten.relu": _relu,
    "aten.gelu": _gelu,
    "aten.elu": _elu,
    "aten.leaky_relu": _leaky_relu,
    "aten.clamp": _clamp,
    "aten.hardtanh": _hardtanh,
    "aten._softmax": _softmax,
    "aten._log_softmax": _log_softmax,
    "aten.sum": _reduction(jnp.sum),
    "aten.mean": _reduction(jnp.mean),
    "aten.prod": _reduction(jnp.prod),
    "aten.amax": _reduction(jnp.max),
    "aten.amin": _reduction(jnp.min),
    "aten.any": _reduction(jnp.any),
    "aten.all": _reduction(jnp.all),
    "aten.argmax": _reduction(jnp.argmax),
    "aten.argmin": _reduction(jnp.argmin),
    "aten.max": _extreme(jnp.argmax),
    "aten.min": _extreme(jnp.argmin),
    "aten.var": _var,
    "aten.var_mean": _var_mean,
    "aten.cumsum": lambda x, dim, **_: jnp.cumsum(x, axis=dim),
    "aten.cumprod": lambda x, dim, **_: jnp.cumprod(x, axis=dim),
    "aten.sort": _sort,
    "aten.mm": jnp.matmul,
    "aten.bmm": jnp.matmul,
    "aten.mv": jnp.matmul,
    "aten.dot": jnp.dot,
    "aten.addmm": _addmm,
    "aten.baddbmm": _addmm,
    "aten.view": lambda x, shape: x.reshape(shape),
    "aten.reshape": lambda x, shape: x.reshape(shape),
    "aten._unsafe_view": lambda x, shape: x.reshape(shape),
    "aten.permute": lambda x, dims: x.transpose(dims),
    "aten.transpose": jnp.swapaxes,
    "aten.t": jnp.transpose,
    "aten.squeeze": _squeeze,
    "aten.unsqueeze": jnp.expand_dims,
    "aten.expand": _expand,
    "aten.slice": _slice,
    "aten.select": _select,
    "aten.split_with_sizes": _split,
    "aten.cat": lambda arrays, dim=0: jnp.concatenate(arrays, axis=dim),
    "aten.stack": lambda arrays, dim=0: jnp.stack(arrays, axis=dim),
    "aten.index": _index,
    "aten.index_select": _index_select,
    "aten.gather": _gather,
    "aten.embedding": _embedding,
    "aten.constant_pad_nd": _pad,
    "aten.repeat": _repeat,
    "aten.flip": lambda x, dims: jnp.flip(x, tuple(dims)),
    "aten.unfold": _unfold,
    "aten.diagonal": lambda x, offset=0, dim1=0, dim2=1: jnp.diagonal(x, offset, dim1, dim2),
    "aten.tril": jnp.tril,
    "aten.triu": jnp.triu,
    "aten.slice_scatter": _slice_scatter,
    "aten.select_scatter": _select_scatter,
    "aten.full": _full,
    "aten.full_like": _full_like,
    "aten.zeros": lambda shape, **_: jnp.zeros(shape),
    "aten.ones": lambda shape, **_: jnp.ones(shape),
    "aten.empty": lambda shape, **_: jnp.zeros(shape),
    "aten.arange": _arange,
    "aten.scalar_tensor": _scalar,
    "aten.copy": _copied,
    "aten.alias": _first,
    "aten.clone": _first,
    "aten.contiguous": _first,
    "aten.detach": jax.lax.stop_gradient,
    "aten.lift_fresh_copy": _first,
    "aten._to_copy": _first,  # the interpreter casts each result to the dtype that PyTorch has
    "aten.fill": lambda x, value: jnp.broadcast_to(jnp.asarray(value, x.dtype), x.shape),
    "aten.linalg_vector_norm": lambda x, order=2, dim=None, keepdim=False, **_: _norm(
        x, order, dim, keepdim=keepdim
    ),
}


def _norm(x: jax.Array, order: float, dim: Any, *, keepdim: bool) -> jax.Array:
    axes = _axes(dim)
    size = jnp.abs(x)
    if math.isinf(order):
        reduce = jnp.max if order > 0 else jnp.min
        return reduce(size, axis=axes, keepdims=keepdim)
    return jnp.sum(size**order, axis=axes, keepdims=keepdim) ** (1 / order)
