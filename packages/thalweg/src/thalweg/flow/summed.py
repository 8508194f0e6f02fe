"""The flow of a sum of losses of different kinds, of which only derivatives are known.

Each part keeps its own way to a gradient and to products with its Hessian; the sum adds them up.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, final

from thalweg.flow.base import Flow, Linearisation

if TYPE_CHECKING:
    from collections.abc import Sequence

    import jax


@final
class SumFlow(Flow):
    """The flow of a sum.

    Args:
        parts: The flows of its parts, at least one, of one layout of parameters.
    """

    def __init__(self, parts: Sequence[Flow]) -> None:
        self._parts = tuple(parts)
        data = tuple(part.data for part in self._parts)
        identities = [part.identity for part in self._parts]
        identity = None if None in identities else f"sum {identities}"
        super().__init__(self._parts[0].spec, data, programs={}, identity=identity)

    def resized(self, data: Any) -> SumFlow:
        """The same functions over other data."""
        new = copy.copy(self)
        new.data, new.programs, new.identity = data, {}, None
        new._parts = tuple(  # noqa: SLF001 - of this class
            part.resized(piece) for part, piece in zip(self._parts, data, strict=True)
        )
        return new

    def loss(self, data: Any, theta: jax.Array) -> jax.Array:
        """L, the sum of the parts' losses."""
        pairs = zip(self._parts, data, strict=True)
        return sum(part.loss(piece, theta) for part, piece in pairs)  # pyright: ignore[reportReturnType]

    def value_and_grad(self, data: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """L and ∇L."""
        pairs = zip(self._parts, data, strict=True)
        found = [part.value_and_grad(piece, theta) for part, piece in pairs]
        return sum(v for v, _ in found), sum(g for _, g in found)  # pyright: ignore[reportReturnType]

    def hessian(self, data: Any, theta: jax.Array) -> Linearisation:
        """L, ∇L and products with ∇²L."""
        pairs = zip(self._parts, data, strict=True)
        found = [part.hessian(piece, theta) for part, piece in pairs]
        return Linearisation(
            sum(part.loss for part in found),  # pyright: ignore[reportArgumentType]
            sum(part.grad for part in found),  # pyright: ignore[reportArgumentType]
            lambda v: sum(part.product(v) for part in found),  # pyright: ignore[reportArgumentType]
        )
