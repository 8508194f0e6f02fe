"""Convolutions, pooling and normalisation of ATen in JAX.

A pooling layer gathers its windows on a last axis and reduces that. JAX can differentiate this in
each direction and as often as curvature needs, which it cannot for `lax.reduce_window`.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def convolution(  # noqa: PLR0913, PLR0917 - the arguments of the operator
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,  # noqa: FBT001
    output_padding: Sequence[int],
    groups: int,
) -> jax.Array:
    """`aten.convolution` of `x` `(N, C, ...)` by a weight `(O, C / groups, ...)`.

    A transposed convolution is one of the input with zeros between its numbers, by the weight
    `(C, O / groups, ...)` turned round.
    """
    axes = tuple(range(2, x.ndim))
    stride, padding, dilation = (_each(v, len(axes)) for v in (stride, padding, dilation))
    between = (1,) * len(axes)
    pairs = [(p, p) for p in padding]
    if transposed:
        outs = weight.shape[1]
        weight = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
        weight = jnp.flip(weight.reshape(groups * outs, -1, *weight.shape[3:]), axes)
        spans = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        extra = _each(output_padding, len(axes))
        pairs = [(s - p, s - p + e) for s, p, e in zip(spans, padding, extra, strict=True)]
        between, stride = stride, between
    letters = "".join("XYZ"[: len(axes)])
    result = jax.lax.conv_general_dilated(
        x,
        weight,
        window_strides=stride,
        padding=pairs,
        lhs_dilation=between,
        rhs_dilation=dilation,
        dimension_numbers=(f"NC{letters}", f"OI{letters}", f"NC{letters}"),
        feature_group_count=groups,
        preferred_element_type=x.dtype,
    )
    return result if bias is None else result + bias.reshape(-1, *(1 for _ in axes))


def _each(value: Any, count: int) -> tuple[int, ...]:
    """One number an axis, where ATen writes a single one for all."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * count if len(values) == 1 else values


def _windows(
    x: jax.Array,
    size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    fill: float,
) -> jax.Array:
    """The windows of the last axes, on one further axis at the end."""
    pairs = [(0, 0, 0)] * (x.ndim - len(size)) + [(p, p, 0) for p in padding]
    x = jax.lax.pad(x, jnp.asarray(fill, x.dtype), pairs)
    spans = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape[-len(size) :], size, stride, dilation, strict=True)
    ]
    parts = []
    for offset in itertools.product(*map(range, size)):
        cut = tuple(
            slice(o * d, o * d + (n - 1) * s + 1, s)
            for o, d, n, s in zip(offset, dilation, spans, stride, strict=True)
        )
        parts.append(x[(..., *cut)])
    return jnp.stack(parts, axis=-1)


def _max_pool(axes: int) -> Callable[..., tuple[jax.Array, None]]:
    def pooled(
        x: jax.Array,
        size: Sequence[int],
        stride: Sequence[int] = (),
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,  # noqa: FBT001, FBT002
    ) -> tuple[jax.Array, None]:
        _refuse_ceil(ceil_mode)
        size, padding, dilation = (_each(v, axes) for v in (size, padding, dilation))
        windows = _windows(x, size, _each(stride or size, axes), padding, dilation, -math.inf)
        # Of equal numbers the first counts, as in PyTorch.
        place = jnp.argmax(jax.lax.stop_gradient(windows), axis=-1, keepdims=True)
        return jnp.take_along_axis(windows, place, axis=-1)[..., 0], None

    return pooled


def _avg_pool(axes: int) -> Callable[..., jax.Array]:
    def pooled(
        x: jax.Array,
        size: Sequence[int],
        stride: Sequence[int] = (),
        padding: Any = 0,
        ceil_mode: bool = False,  # noqa: FBT001, FBT002
        count_include_pad: bool = True,  # noqa: FBT001, FBT002
        divisor: int | None = None,
    ) -> jax.Array:
        _refuse_ceil(ceil_mode)
        size, padding = _each(size, axes), _each(padding, axes)
        step, ones = _each(stride or size, axes), (1,) * axes
        total = _windows(x, size, step, padding, ones, 0.0).sum(axis=-1)
        if divisor is not None:
            return total / divisor
        if count_include_pad:
            return total / math.prod(size)
        inside = jnp.ones(x.shape[-axes:], x.dtype)
        return total / _windows(inside, size, step, padding, ones, 0.0).sum(axis=-1)

    return pooled


def _refuse_ceil(ceil_mode: bool) -> None:  # noqa: FBT001
    if ceil_mode:
        raise NotImplementedError("pooling with `ceil_mode=True`")


def _adaptive(reduce: Callable[..., Any]) -> Callable[..., jax.Array]:
    """Pooling to a given size: window k covers ⌊k n / size⌋ to ⌈(k + 1) n / size⌉."""

    def pooled(x: jax.Array, sizes: Sequence[int]) -> jax.Array:
        for axis, size in zip(range(-len(sizes), 0), sizes, strict=True):
            length = x.shape[axis]
            parts = [
                reduce(
                    jax.lax.slice_in_dim(
                        x, k * length // size, -(-(k + 1) * length // size), axis=axis
                    ),
                    axis=axis,
                )
                for k in range(size)
            ]
            x = jnp.stack(parts, axis=axis)
        return x

    return pooled


def _adaptive_max(x: jax.Array, sizes: Sequence[int]) -> tuple[jax.Array, None]:
    return _adaptive(jnp.max)(x, sizes), None


def _normalised(x: jax.Array, axes: Sequence[int], eps: float) -> jax.Array:
    centred = x - x.mean(axis=axes, keepdims=True)
    return centred * jax.lax.rsqrt((centred**2).mean(axis=axes, keepdims=True) + eps)


def _affine(
    x: jax.Array, weight: jax.Array | None, bias: jax.Array | None, shape: Sequence[int]
) -> jax.Array:
    x = x if weight is None else x * weight.reshape(shape)
    return x if bias is None else x + bias.reshape(shape)


def _layer_norm(
    x: jax.Array,
    shape: Sequence[int],
    weight: jax.Array | None,
    bias: jax.Array | None,
    eps: float,
) -> tuple[jax.Array, None, None]:
    axes = tuple(range(x.ndim - len(shape), x.ndim))
    return _affine(_normalised(x, axes, eps), weight, bias, shape), None, None


def _group_norm(
    x: jax.Array,
    weight: jax.Array | None,
    bias: jax.Array | None,
    count: int,
    channels: int,
    size: int,
    groups: int,
    eps: float,
) -> tuple[jax.Array, None, None]:
    del size
    grouped = x.reshape(count, groups, -1)
    flat = _normalised(grouped, (2,), eps).reshape(x.shape)
    return _affine(flat, weight, bias, (channels, *(1,) * (x.ndim - 2))), None, None


def _batch_norm(
    x: jax.Array,
    weight: jax.Array | None,
    bias: jax.Array | None,
    mean: jax.Array,
    var: jax.Array,
    momentum: float,
    eps: float,
) -> tuple[jax.Array, None, None]:
    """With running averages."""
    del momentum
    shape = (-1, *(1,) * (x.ndim - 2))
    scaled = (x - mean.reshape(shape)) * jax.lax.rsqrt(var.reshape(shape) + eps)
    return _affine(scaled, weight, bias, shape), None, None


def _instance_norm(
    x: jax.Array,
    weight: jax.Array | None,
    bias: jax.Array | None,
    training: bool,  # noqa: FBT001
    momentum: float,
    eps: float,
) -> tuple[jax.Array, None, None]:
    """Normalised by the numbers themselves: what `InstanceNorm` becomes."""
    del training, momentum
    axes = (0, *range(2, x.ndim))
    shape = (-1, *(1,) * (x.ndim - 2))
    return _affine(_normalised(x, axes, eps), weight, bias, shape), None, None


LAYERS: dict[str, Callable[..., Any]] = {  # without the `aten.` before the name
    "convolution": convolution,
    "max_pool2d_with_indices": _max_pool(2),
    "max_pool3d_with_indices": _max_pool(3),
    "avg_pool1d": _avg_pool(1),
    "avg_pool2d": _avg_pool(2),
    "avg_pool3d": _avg_pool(3),
    "_adaptive_avg_pool2d": _adaptive(jnp.mean),
    "_adaptive_avg_pool3d": _adaptive(jnp.mean),
    "adaptive_max_pool2d": _adaptive_max,
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "_native_batch_norm_legit": _instance_norm,
}
