"""SOAP: Adam in the slowly turning eigenbasis of Shampoo's preconditioners.

For each array of parameters G with gradient g, and each of its axes k, of length at most 10,000,

    S_k ← β₂ S_k + (1 - β₂) g gᵀ over all axes but k,   Q_k: the eigenvectors of S_k

Adam runs on the gradient in the basis of all Q_k. After every `frequency` steps, each Q_k takes one
step of orthogonal iteration, Q_k ← qr(S_k Q_k), its columns in the order of falling eigenvalues.
Vectors are left to Adam. The first step only builds the bases.

    m ← β₁ m + (1 - β₁) g,   v ← β₂ v + (1 - β₂) (Qg)²
    G ← (1 - α w) (G - α Qᵀ(Qm / (√v + ε)) √(1 - β₂ᵗ) / (1 - β₁ᵗ))

with w the weight decay of AdamW.

Source: Vyas et al., "SOAP: Improving and stabilizing Shampoo using Adam", arXiv:2409.11321, and
their code, whose defaults these are.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import jax
import jax.numpy as jnp
import numpy as np

from thalweg.errors import ConfigError
from thalweg.solvers.adapters.checks import refuse_below
from thalweg_lab.peers.base import AbstractTransformation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thalweg.flow.flatten import ParamSpec

EPS = 1e-8  # Adam's
LONGEST = 10_000  # axes that are longer have no basis of their own


class Basis(NamedTuple):
    """What is known of one array of parameters.

    Attributes:
        mean: m, of the shape of the array.
        square: v in the eigenbasis, of the same shape.
        products: S for each axis; None for one without a basis.
        vectors: Q for each axis, eigenvectors as columns; None likewise.
    """

    mean: jax.Array
    square: jax.Array
    products: tuple[jax.Array | None, ...]
    vectors: tuple[jax.Array | None, ...]


class State(NamedTuple):
    """What is carried from step to step.

    Attributes:
        step: Steps of Adam taken; -1 before the bases are there.
        bases: Of each array of parameters.
    """

    step: jax.Array
    bases: tuple[Basis, ...]


@final
@dataclasses.dataclass(frozen=True, kw_only=True)
class Soap(AbstractTransformation):
    """SOAP, with the defaults of its authors.

    Attributes:
        learning_rate: α. Positive.
        b1: β₁.
        b2: β₂, which also averages the preconditioners.
        weight_decay: w.
        frequency: Steps between two changes of the bases. At least 1.

    Raises:
        ConfigError: A value is out of its range.

    Cost a step: one gradient, and for each matrix of p x q about 3 p q (p + q) multiplications.
    """

    name: ClassVar[str] = "soap"
    summary: ClassVar[str] = "SOAP: Adam in the eigenbasis of Shampoo's preconditioners"
    needs: ClassVar[str] = "any problem"

    learning_rate: float = 3e-3
    b1: float = 0.95
    b2: float = 0.95
    weight_decay: float = 0.01
    frequency: int = 10

    def __post_init__(self) -> None:
        if not (self.learning_rate > 0 and np.isfinite(self.learning_rate)):
            raise ConfigError(
                f"`learning_rate` is {self.learning_rate!r}, but a finite number above 0 was "
                "expected"
            )
        refuse_below("frequency", self.frequency, 1)

    def transformation(self, spec: ParamSpec) -> Any:
        """The transformation of a vector in which the arrays lie as `spec` says."""
        import optax

        def init(theta: jax.Array) -> State:
            bases = tuple(_empty(array) for array in spec.split(theta))
            return State(jnp.full((), -1, jnp.int32), bases)

        def update(
            grad: jax.Array, state: State, theta: jax.Array, **_: Any
        ) -> tuple[jax.Array, State]:
            arrays = spec.split(grad)
            step, bases = jax.lax.cond(
                state.step < 0,
                lambda: (jnp.zeros_like(theta), self._begun(arrays, state.bases)),
                lambda: self._taken(arrays, state),
            )
            decay = jnp.where(state.step < 0, 0, self.learning_rate * self.weight_decay)
            return step - decay * (theta + step), State(state.step + 1, bases)

        return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType] - of arrays

    def _begun(self, grads: Sequence[jax.Array], bases: Sequence[Basis]) -> tuple[Basis, ...]:
        """The first bases, from the first gradient."""
        found = []
        for grad, basis in zip(grads, bases, strict=True):
            products = _averaged(basis.products, grad, self.b2)
            vectors = tuple(None if s is None else jnp.linalg.eigh(s)[1][:, ::-1] for s in products)
            found.append(basis._replace(products=products, vectors=vectors))
        return tuple(found)

    def _taken(
        self, grads: Sequence[jax.Array], state: State
    ) -> tuple[jax.Array, tuple[Basis, ...]]:
        """One step of Adam in the present bases, `(n,)`; then the next bases."""
        steps, bases = [], []
        count = state.step + 1
        t = count.astype(grads[0].dtype)
        rate = self.learning_rate * jnp.sqrt(1 - self.b2**t) / (1 - self.b1**t)
        for grad, old in zip(grads, state.bases, strict=True):
            mean = self.b1 * old.mean + (1 - self.b1) * grad
            square = self.b2 * old.square + (1 - self.b2) * _turned(grad, old.vectors) ** 2
            scaled = _turned(mean, old.vectors) / (jnp.sqrt(square) + EPS)
            steps.append(jnp.ravel(-rate * _turned(scaled, old.vectors, back=True)))
            products = _averaged(old.products, grad, self.b2)
            bases.append(Basis(mean, square, products, old.vectors))
        is_due = count % self.frequency == 0
        changed = jax.lax.cond(
            is_due,
            lambda: tuple(_iterated(basis) for basis in bases),
            lambda: tuple(bases),
        )
        return jnp.concatenate(steps), changed


def _empty(array: jax.Array) -> Basis:
    """Nothing known yet; vectors have no basis."""
    sides = tuple(
        None if array.ndim < 2 or length > LONGEST else jnp.zeros((length, length), array.dtype)  # noqa: PLR2004 - vectors
        for length in array.shape
    )
    return Basis(jnp.zeros_like(array), jnp.zeros_like(array), sides, sides)


def _averaged(
    products: tuple[jax.Array | None, ...], grad: jax.Array, decay: float
) -> tuple[jax.Array | None, ...]:
    """S of each axis with a further gradient."""

    def product(axis: int) -> jax.Array:
        others = [k for k in range(grad.ndim) if k != axis]
        return jnp.tensordot(grad, grad, axes=(others, others))

    return tuple(
        None if s is None else decay * s + (1 - decay) * product(axis)
        for axis, s in enumerate(products)
    )


def _turned(
    array: jax.Array, vectors: tuple[jax.Array | None, ...], *, back: bool = False
) -> jax.Array:
    """An array in the basis of all axes; or `back` from there."""
    for axis, q in enumerate(vectors):
        if q is not None:
            turned = jnp.tensordot(array, q, axes=((axis,), (1 if back else 0,)))
            array = jnp.moveaxis(turned, -1, axis)
    return array


def _iterated(basis: Basis) -> Basis:
    """One step of orthogonal iteration for each axis, with v in the order of the new columns."""
    square, vectors = basis.square, []
    for axis, (s, q) in enumerate(zip(basis.products, basis.vectors, strict=True)):
        if s is None or q is None:
            vectors.append(None)
            continue
        order = jnp.argsort(jnp.sum(q * (s @ q), axis=0), descending=True)
        square = jnp.take(square, order, axis=axis)
        vectors.append(jnp.linalg.qr(s @ q[:, order])[0])
    return basis._replace(square=square, vectors=tuple(vectors))
