"""Pairs of a step and the change of the gradient over it, and the secant matrix they make.

B is the limited-memory BFGS matrix of the last pairs. The shift by 1/h is applied to the pairs:
BFGS with `y + s/h` in the place of y is a secant matrix of `∇²L + 1/h`, and its inverse has a
closed form with two small triangular solves.

Source: Byrd, Nocedal & Schnabel 1994, "Representations of quasi-Newton matrices and their use in
limited memory methods", section 2.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular

CURVED = 1e-10  # least cosine between s and y of a pair that is kept


class Pairs(NamedTuple):
    """The last m pairs, and all their inner products.

    An array "by age" has the steps s from the oldest to the newest, then their changes y.

    Attributes:
        rows: A ring of m + 1 slots: row i is a step s, row m + 1 + i its change y of the gradient.
            One slot holds no pair: the next one is written there, whether it is kept or not.
        gram: The products of all pairs, by age, `(2m, 2m)`; 0 where there is no pair yet.
        onto_grad: Their products with ∇L at the present point, by age, `(2m,)`.
        newest: The slot of the newest pair.
        known: How many pairs there are, at most m.
        in_a_row: How many attempts were taken since one was rejected.
    """

    rows: jax.Array
    gram: jax.Array
    onto_grad: jax.Array
    newest: jax.Array
    known: jax.Array
    in_a_row: jax.Array


class Displacement(NamedTuple):
    """A step, and its products with the pairs.

    Attributes:
        vector: The step, `(n,)`.
        onto_pairs: Its products with the pairs, by age, `(2m,)`.
    """

    vector: jax.Array
    onto_pairs: jax.Array


class Products(NamedTuple):
    """Inner products of a step s, the change y of the gradient, ∇L before (g) and after it (t)."""

    ss: jax.Array
    sy: jax.Array
    sg: jax.Array
    yy: jax.Array
    yg: jax.Array
    tt: jax.Array

    @classmethod
    def of(cls, s: jax.Array, grad: jax.Array, trial_grad: jax.Array) -> Products:
        """All at once: XLA compiles several kernels for each product of two vectors."""
        four = jnp.stack([s, trial_grad - grad, grad, trial_grad])
        table = four @ four.T
        return cls(
            ss=table[0, 0],
            sy=table[0, 1],
            sg=table[0, 2],
            yy=table[1, 1],
            yg=table[1, 2],
            tt=table[3, 3],
        )


def no_pairs(theta: jax.Array, count: int) -> Pairs:
    """Room for `count` pairs."""
    real = theta.dtype
    return Pairs(
        rows=jnp.zeros((2 * count + 2, theta.size), real),
        gram=jnp.zeros((2 * count, 2 * count), real),
        onto_grad=jnp.zeros(2 * count, real),
        newest=jnp.zeros((), jnp.int32),
        known=jnp.zeros((), jnp.int32),
        in_a_row=jnp.zeros((), jnp.int32),
    )


def discarded(pairs: Pairs, resets: jax.Array) -> Pairs:
    """The pairs, or none of them where `resets`. Their rows stay: clearing them would copy all."""
    none = jax.tree.map(jnp.zeros_like, pairs._replace(rows=()))
    kept = jax.tree.map(
        lambda zero, value: jnp.where(resets, zero, value), none, pairs._replace(rows=())
    )
    return kept._replace(rows=pairs.rows)


def direction(pairs: Pairs, grad: jax.Array, h: jax.Array) -> Displacement:
    """`-(B + 1/h)⁻¹ ∇L`; without any pair B = 0.

    With the shifted pairs ŷ = y + s/h, R the upper triangle of SŶᵀ, D its diagonal and
    γ = s·ŷ/ŷ·ŷ of the newest pair, the inverse is

        γ + [Sᵀ γŶᵀ] [ R⁻ᵀ (D + γŶŶᵀ) R⁻¹   -R⁻ᵀ ] [ S  ]
                     [ -R⁻¹                   0   ] [ γŶ ].

    The step is made of the pairs and ∇L, so its products with the pairs are made of theirs.
    """
    m = len(pairs.gram) // 2
    ss, sy, yy = pairs.gram[:m, :m], pairs.gram[:m, m:], pairs.gram[m:, m:]
    shifted_sy = sy + ss / h
    shifted_yy = yy + (sy + sy.T) / h + ss / h**2
    onto_s = -pairs.onto_grad[:m]
    onto_y = -pairs.onto_grad[m:] + onto_s / h
    diagonal = jnp.diag(shifted_sy)
    upper = jnp.triu(shifted_sy) + jnp.diag(jnp.where(diagonal == 0, 1, 0))
    scale = jnp.where(pairs.known > 0, diagonal[-1] / shifted_yy[-1, -1], h)
    inner = solve_triangular(upper, onto_s)
    outer = solve_triangular(
        upper, diagonal * inner + scale * (shifted_yy @ inner - onto_y), trans=1
    )
    weights = jnp.concatenate([outer - scale * inner / h, -scale * inner])
    slots = m + 1
    age = (jnp.arange(slots) - pairs.newest + m - 1) % slots  # m of the slot without a pair
    of_slots = jnp.pad(weights.reshape(2, m), ((0, 0), (0, 1)))[:, age]
    return Displacement(
        vector=of_slots.reshape(-1) @ pairs.rows - scale * grad,
        onto_pairs=pairs.gram @ weights - scale * pairs.onto_grad,
    )


def with_pair(
    pairs: Pairs,
    displacement: Displacement,
    grad: jax.Array,
    trial_grad: jax.Array,
    products: Products,
    *,
    is_taken: jax.Array | bool = True,
    is_near: jax.Array | bool = True,
) -> Pairs:
    """The pairs with one more in the place of the oldest, where it has positive curvature.

    Args:
        pairs: The pairs so far.
        displacement: A step s.
        grad: ∇L before it, `(n,)`.
        trial_grad: ∇L after it, `(n,)`.
        products: Those of the step.
        is_taken: Whether the run goes on from the end of the step.
        is_near: Whether the curvature over the step is also that of where the run goes on.
    """
    m = len(pairs.gram) // 2
    slots = m + 1
    s = displacement.vector
    y = trial_grad - grad
    ss, sy, yy = products.ss, products.sy, products.yy
    is_curved = is_near & (sy > CURVED * jnp.sqrt(ss) * jnp.sqrt(yy))  # false for a NaN
    # Written in place in either case, as a branch would copy all rows.
    free = (pairs.newest + 1) % slots
    rows = pairs.rows.at[free].set(jnp.where(is_curved, s, 0))
    rows = rows.at[free + slots].set(jnp.where(is_curved, y, 0))
    newest = jnp.where(is_curved, free, pairs.newest)
    known = jnp.where(is_curved, jnp.minimum(pairs.known + 1, m), pairs.known)

    def younger(by_age: jax.Array, of_s: jax.Array, of_y: jax.Array) -> jax.Array:
        """An array by age, `(2, m)`, without the oldest pair and with a new one."""
        return jnp.concatenate([by_age[:, 1:], jnp.stack([of_s, of_y])[:, None]], axis=1)

    by_slot = (rows @ trial_grad).reshape(2, slots)
    onto_trial = by_slot[:, (newest + 2 + jnp.arange(m)) % slots]
    onto_trial = jnp.where(jnp.arange(m) >= m - known, onto_trial, 0)
    before = pairs.onto_grad.reshape(2, m)
    before = jnp.where(is_curved, younger(before, products.sg, products.yg), before)
    onto_s = younger(displacement.onto_pairs.reshape(2, m), ss, sy)
    onto_y = jnp.stack([sy, yy])[:, None]
    onto_y = jnp.concatenate([(onto_trial - before)[:, :-1], onto_y], axis=1)
    gram = _bordered(pairs.gram, jnp.stack([onto_s, onto_y]))
    return Pairs(
        rows=rows,
        gram=jnp.where(is_curved, gram, pairs.gram),
        onto_grad=jnp.where(is_taken, onto_trial, before).reshape(-1),
        newest=newest,
        known=known,
        in_a_row=jnp.where(is_taken, pairs.in_a_row + 1, 0).astype(jnp.int32),
    )


def _bordered(gram: jax.Array, new: jax.Array) -> jax.Array:
    """`gram` without the oldest pair, and with the products of a new one, `(2, 2, m)` by age."""
    m = new.shape[-1]
    shifted = jnp.roll(gram.reshape(2, m, 2, m), (-1, -1), axis=(1, 3))
    is_last = jnp.arange(m) == m - 1
    shifted = jnp.where(is_last, jnp.moveaxis(new, 0, -1)[..., None], shifted)
    shifted = jnp.where(is_last[:, None, None], new[:, None], shifted)
    return shifted.reshape(2 * m, 2 * m)


def are_reliable(pairs: Pairs) -> jax.Array:
    """Whether no attempt was rejected for as many as there are pairs, or dimensions if fewer."""
    count, size = len(pairs.gram) // 2, pairs.rows.shape[1]
    return pairs.in_a_row >= min(count, size)


def largest_curvature(pairs: Pairs) -> jax.Array:
    """The largest y·y/s·y of the pairs, a lower bound of the largest curvature; 0 without any."""
    m = len(pairs.gram) // 2
    sy, yy = jnp.diag(pairs.gram[:m, m:]), jnp.diag(pairs.gram[m:, m:])
    return jnp.max(jnp.where(sy > 0, yy / jnp.where(sy > 0, sy, 1), 0))
