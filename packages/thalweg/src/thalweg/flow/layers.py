"""Jacobians of dense networks as products of small factors, layer by layer.

Where a layer computes `z = a W + b` for one example, the row of the Jacobian that belongs to W is
the outer product of its input a and the slope δ = ∂r/∂z. So for the weights of one layer

    (J Jᵀ)ᵢⱼ = (aᵢ·aⱼ)(δᵢ·δⱼ),   J v = rowsum (A V ∘ Δ),   Jᵀu = Aᵀ diag(u) Δ

with the inputs A `(m, a)` and the slopes Δ `(m, b)` of all residuals: J is never formed. JJᵀ costs
m² (a + b) multiplications in the place of m² a b. A diagonal metric stays inside the factors if it
is separable, `M = u vᵀ` for each matrix. A matrix that a residual uses several times, as in the
derivative of a network by its input, has a pair of factors for each use.

Which parameters enter that way is read from the program of the residual, whoever wrote it: a matrix
only in products with one vector, a vector only as a term of a sum. Any other use of any parameter,
and there are no factors.

Source: Goodfellow 2015, arXiv:1510.01799 (gradients of examples as outer products); Novak,
Sohl-Dickstein & Schoenholz 2022, arXiv:2206.08720 (JJᵀ from such products).
Decision: docs/decisions/0039-openings.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from thalweg.flow.chunks import Chunked

# A function with a derivative of its own is none of them: its body does not tell the slopes.
INLINED = ("jit", "pjit", "closed_call", "remat", "checkpoint")
BODIES = ("jaxpr", "call_jaxpr")
PASSES = 4  # over a matrix (m, m) that a product of two of them takes, in columns of a factor


class NotDenseError(Exception):
    """A parameter is used in another way than in a dense layer. Never leaves thalweg."""


class Use(NamedTuple):
    """One use of a parameter by all residuals: rows of the Jacobian as outer products.

    Attributes:
        left: The factor along the first axis of a matrix, `(m, a)`; None for a vector.
        right: The factor along its last axis, `(m, b)`.
    """

    left: jax.Array | None
    right: jax.Array


class Factors(NamedTuple):
    """A Jacobian of shape `(m, n)`: for each array of parameters its uses."""

    of_arrays: tuple[tuple[Use, ...], ...]

    def push(self, arrays: Sequence[jax.Array]) -> jax.Array:
        """Jv of shape `(m,)` for v as the arrays of the parameters."""
        total: Any = 0
        for array, uses in zip(arrays, self.of_arrays, strict=True):
            for left, right in uses:
                total += right @ array if left is None else jnp.sum(left @ array * right, axis=1)
        return total

    def pull(self, u: jax.Array) -> jax.Array:
        """Jᵀu of shape `(n,)` for u of shape `(m,)`."""
        parts = []
        for uses in self.of_arrays:
            by_use = [
                u @ right if left is None else left.T @ (u[:, None] * right) for left, right in uses
            ]
            parts.append(jnp.ravel(sum(by_use)))  # pyright: ignore[reportArgumentType]
        return jnp.concatenate(parts)

    def squares(self) -> jax.Array:
        """The squared norms of the columns, `(n,)`."""
        parts = []
        for uses in self.of_arrays:
            total: Any = 0
            for left, right in uses:
                for other_left, other_right in uses:
                    product = right * other_right
                    if left is None or other_left is None:
                        total += jnp.sum(product, axis=0)
                    else:
                        total += (left * other_left).T @ product
            parts.append(jnp.ravel(total))
        return jnp.concatenate(parts)

    def gram(self, metric: Sequence[jax.Array]) -> jax.Array:
        """J M⁻¹ Jᵀ of shape `(m, m)` for a metric that is separable, as arrays."""
        total: Any = 0
        for weights, uses in zip(metric, self.of_arrays, strict=True):
            first = jnp.atleast_2d(weights)[0]
            for left, right in uses:
                for other_left, other_right in uses:
                    product = (right / first) @ other_right.T
                    if left is not None and other_left is not None:
                        product *= (left / (weights[:, 0] / first[0])) @ other_left.T
                    total += product
        return total

    @property
    def width(self) -> int:
        """Columns of a matrix whose product with itself costs as much as `gram`."""
        return sum(
            len(uses) ** 2 * (PASSES + sum(side.shape[1] for side in uses[0] if side is not None))
            for uses in self.of_arrays
        )


def joined(factors: Sequence[Factors]) -> Factors:
    """The factors of all rows of several Jacobians, one after the other.

    Raises:
        NotDenseError: They use a parameter in different ways.
    """
    structures = {jax.tree.structure(each) for each in factors}
    if len(structures) > 1:
        raise NotDenseError
    return jax.tree.map(lambda *rows: jnp.concatenate(rows), *factors)


def chunk_factors(
    residual: Callable[..., jax.Array], part: Chunked, arrays: list[jax.Array]
) -> tuple[jax.Array, Factors]:
    """The scaled residuals of all examples of one chunk, `(m,)`, and the factors of J.

    Args:
        residual: From the arrays of the parameters and one example to a vector.
        part: The examples.
        arrays: The parameters.

    Raises:
        NotDenseError: The residual is not made of dense layers.
    """

    def one(scale: jax.Array, *example: Any) -> tuple[jax.Array, Factors]:
        return factors_of(lambda at: scale * residual(at, *example), arrays)

    examples, scale = jax.tree.map(lambda leaf: leaf[0], (tuple(part.examples), part.scale))
    r, factors = jax.vmap(one)(scale, *examples)
    return r.reshape(-1), jax.tree.map(lambda rows: rows.reshape(r.size, -1), factors)


def separable(arrays: Sequence[jax.Array]) -> list[jax.Array]:
    """The nearest separable matrix, in logarithms, to each positive matrix."""

    def nearest(array: jax.Array) -> jax.Array:
        if array.ndim == 1:
            return array
        logs = jnp.log(array)
        rows, columns = logs.mean(axis=1, keepdims=True), logs.mean(axis=0, keepdims=True)
        return jnp.exp(rows + columns - logs.mean())

    return [nearest(array) for array in arrays]


class _Leaf(NamedTuple):
    """A parameter on its way through the program."""

    place: int
    array: jax.Array


class _Tap(NamedTuple):
    """Where a parameter enters.

    Attributes:
        place: Which parameter.
        given: The vector that a matrix is multiplied with; None for a vector.
        is_flipped: Whether it is multiplied along the last axis of the matrix.
    """

    place: int
    given: jax.Array | None
    is_flipped: bool


def factors_of(
    residual: Callable[[list[jax.Array]], jax.Array], arrays: list[jax.Array]
) -> tuple[jax.Array, Factors]:
    """The residuals of one example, `(q,)`, and the factors of their Jacobian, m = q.

    Args:
        residual: From the arrays of the parameters to a vector.
        arrays: The parameters.

    Raises:
        NotDenseError: A parameter is used in another way than in a dense layer.
    """
    program = jax.make_jaxpr(residual)(arrays)
    leaves = [_Leaf(place, array) for place, array in enumerate(arrays)]

    def tapped(offsets: list[jax.Array] | None) -> tuple[jax.Array, tuple[list[Any], list[Any]]]:
        taps: list[_Tap] = []
        shapes: list[Any] = []

        def enter(tap: _Tap, out: jax.Array) -> jax.Array:
            taps.append(tap)
            shapes.append(out)
            return out if offsets is None else out + offsets[len(taps) - 1]

        (r,) = _walk(program.jaxpr, program.consts, leaves, enter)
        if isinstance(r, _Leaf):
            raise NotDenseError
        return r, ([tap.given for tap in taps], shapes if offsets is None else taps)

    outs = jax.eval_shape(lambda: tapped(None)[1][1])
    zeros = [jnp.zeros(out.shape, out.dtype) for out in outs]
    places: list[_Tap] = []

    def with_inputs(offsets: list[jax.Array]) -> tuple[jax.Array, list[Any]]:
        r, (given, taps) = tapped(offsets)
        places[:] = taps
        return r, given

    r, pull, given = jax.vjp(with_inputs, zeros, has_aux=True)
    slopes = jax.vmap(lambda seed: pull(seed)[0])(jnp.eye(r.size, dtype=r.dtype))
    uses: list[list[Use]] = [[] for _ in arrays]
    for tap, inputs, slope in zip(places, given, slopes, strict=True):
        if inputs is None:
            uses[tap.place].append(Use(None, slope))
            continue
        repeated = jnp.broadcast_to(inputs, (r.size, inputs.size))
        pair = (slope, repeated) if tap.is_flipped else (repeated, slope)
        uses[tap.place].append(Use(*pair))
    if not all(uses):
        raise NotDenseError  # a parameter without effect
    return r, Factors(tuple(tuple(each) for each in uses))


def _walk(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any], enter: Any) -> list[Any]:
    """Evaluate a program, with an offset added wherever a parameter enters."""
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    values |= dict(zip(jaxpr.invars, args, strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, jex.Literal) else values[atom]

    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        if any(isinstance(each, _Leaf) for each in inputs):
            outputs = _with_leaf(equation, inputs, enter)
        else:
            outputs = _evaluated(equation, inputs)
        values |= dict(zip(equation.outvars, outputs, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _evaluated(equation: Any, inputs: list[Any]) -> list[Any]:
    """What an equation without parameters computes."""
    bound = equation.primitive.get_bind_params(equation.params)
    functions, options = bound if isinstance(bound, tuple) else ((), bound)  # by JAX's version
    with equation.ctx.manager:
        outputs = equation.primitive.bind(*functions, *inputs, **options)
    return list(outputs) if equation.primitive.multiple_results else [outputs]


def _with_leaf(equation: Any, inputs: list[Any], enter: Any) -> list[Any]:
    """What an equation with parameters among its inputs computes."""
    name = equation.primitive.name
    if name in INLINED:
        body = next(equation.params[key] for key in BODIES if key in equation.params)
        inner, consts = (body.jaxpr, body.consts) if hasattr(body, "consts") else (body, ())
        return _walk(inner, consts, inputs, enter)
    if len(inputs) != 2:  # noqa: PLR2004 - the two factors or terms
        raise NotDenseError
    is_left = isinstance(inputs[0], _Leaf)
    leaf, other = inputs if is_left else inputs[::-1]
    out = equation.outvars[0].aval
    if isinstance(other, _Leaf):
        raise NotDenseError
    if name == "add" and leaf.array.shape == out.shape == jnp.shape(other) and out.ndim == 1:
        return [enter(_Tap(leaf.place, None, is_flipped=False), leaf.array + other)]
    if name == "dot_general" and leaf.array.ndim == 2 and jnp.ndim(other) == 1:  # noqa: PLR2004
        contracted, batched = equation.params["dimension_numbers"]
        axes = contracted[0 if is_left else 1]
        if len(axes) == 1 and not any(batched):
            arrays = [each.array if isinstance(each, _Leaf) else each for each in inputs]
            (product,) = _evaluated(equation, arrays)
            return [enter(_Tap(leaf.place, other, is_flipped=axes[0] == 1), product)]
    raise NotDenseError
