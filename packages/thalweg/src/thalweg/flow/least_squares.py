"""The flow of a sum of least-squares blocks, `L = ½ |r|²`."""

from __future__ import annotations

import copy
import functools
import itertools
import math
from typing import TYPE_CHECKING, Any, final

import jax
import jax.numpy as jnp

from thalweg.flow.base import Flow, Linearisation, layout_facts, linearised_gradient
from thalweg.flow.chunks import lay_out
from thalweg.flow.layers import Factors, NotDenseError, joined
from thalweg.flow.on_disk import identity_of
from thalweg.flow.programs import shared_programs
from thalweg.flow.terms import AbstractTerm, ExampleTerm, lay_out_block

if TYPE_CHECKING:
    from thalweg.flow.flatten import ParamSpec
    from thalweg.flow.sharding import Devices
    from thalweg.problem import LeastSquares

FACTORS_PAY = 2  # a product by factors takes less of the processor's peak than one of matrices


@final
class LeastSquaresFlow(Flow):
    """The flow of a sum of least-squares blocks.

    Residuals are scaled so that `L = ½ |r|²`, and laid out in one vector of shape `(m,)`; with
    several chunks or devices it has rows of filling, which are 0 and have no slope. With devices,
    the rows of the first one come first, those of all blocks, and so on: so no row moves.

    Attributes:
        residual_count: m, with filling.
    """

    def __init__(
        self, problem: LeastSquares, spec: ParamSpec, *, memory_budget: int, devices: Devices | None
    ) -> None:
        laid = [
            lay_out_block(block, spec, memory_budget=memory_budget, devices=devices)
            for block in problem.blocks
        ]
        traces = [block.trace for block in laid]
        facts = layout_facts(spec, traces, memory_budget=memory_budget, devices=devices)
        programs = shared_programs([block.function for block in problem.blocks], facts)
        data = tuple(block.part for block in laid)
        identity = identity_of("least squares", lambda: facts, [block.traced for block in laid])
        super().__init__(spec, data, programs=programs, identity=identity, devices=devices)
        self._set_terms(tuple(block.term for block in laid))

    def _set_terms(self, terms: tuple[AbstractTerm, ...]) -> None:
        self._terms = terms
        theta = jax.ShapeDtypeStruct((self.size,), self.spec.dtype)
        self.residual_count: int = jax.eval_shape(self.residuals, self.data, theta).shape[0]

    def resized(self, data: Any) -> LeastSquaresFlow:
        """The same blocks over other data."""
        new = copy.copy(self)
        new.data, new.programs, new.identity = data, {}, None
        vars(new).pop("factor_width", None)  # of other sizes
        new._set_terms(tuple(term.resized(part) for term, part in self._pairs(data)))  # noqa: SLF001 - of this class
        return new

    def laid_out(self, problem: LeastSquares) -> Any:
        """The data of a problem of the same functions and shapes, in place of `data`."""
        return tuple(
            lay_out(
                block.data,
                weight=block.weight / block.length,
                length=part.scale.shape[1],
                dtype=self.spec.dtype,
                devices=self.devices,
            )
            for block, part in zip(problem.blocks, self.data, strict=True)
        )

    @property
    def is_one_chunk(self) -> bool:
        """Whether no block is computed in more than one chunk."""
        return all(term.is_one_chunk(part) for term, part in self._pairs(self.data))

    @property
    def keeps_jacobian(self) -> bool:
        """Whether the whole Jacobian fits the budget."""
        return all(term.keeps_jacobian(part) for term, part in self._pairs(self.data))

    @property
    def matrix_sizes(self) -> tuple[int, int]:
        """The smaller and the larger of n and m: the shape of the matrices a step works on."""
        return min(self.size, self.residual_count), max(self.size, self.residual_count)

    def _pairs(self, data: Any) -> list[tuple[AbstractTerm, Any]]:
        return list(zip(self._terms, data, strict=True))

    def _joined(self, parts: list[jax.Array]) -> jax.Array:
        """The rows of all blocks, one after the other on each device."""
        if self.devices is None:
            return jnp.concatenate(parts)
        shares = []
        for part in parts:
            count, *rest = part.shape
            width = math.ceil(count / self.devices.count)
            filling = self.devices.count * width - count  # of a block without data
            full = jnp.pad(part, ((0, filling), *(((0, 0),) * len(rest))))
            shares.append(self.devices.rows(full.reshape(self.devices.count, width, *rest)))
        return jnp.concatenate(shares, axis=1).reshape(-1, *parts[0].shape[1:])

    def _parted(self, rows: jax.Array, counts: list[int]) -> list[jax.Array]:
        """The inverse of `_joined`: the rows of each block, `counts` of them."""
        devices = 1 if self.devices is None else self.devices.count
        widths = [math.ceil(count / devices) for count in counts]
        ends = list(itertools.accumulate(widths))
        shares = rows.reshape(devices, -1)
        return [
            shares[:, end - width : end].reshape(-1)[:count]
            for count, width, end in zip(counts, widths, ends, strict=True)
        ]

    def residuals(self, data: Any, theta: jax.Array) -> jax.Array:
        """R of shape `(m,)`. Cost: one pass."""
        return self._joined([term.residuals(part, theta) for term, part in self._pairs(data)])

    def loss(self, data: Any, theta: jax.Array) -> jax.Array:
        """L = ½ |r|²."""
        r = self.residuals(data, theta)
        return 0.5 * jnp.vdot(r, r)

    def value_and_grad(self, data: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """L and Jᵀr."""
        parts = [term.value_and_grad(part, theta) for term, part in self._pairs(data)]
        return sum(v for v, _ in parts), sum(g for _, g in parts)  # pyright: ignore[reportReturnType]

    def jacobian(self, data: Any, theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        """R of shape `(m,)` and J of shape `(m, n)`, example by example.

        Cost: with data about one gradient per residual of an example; without, min(m, n) passes.
        """
        parts = [term.jacobian(part, theta) for term, part in self._pairs(data)]
        return self._joined([r for r, _ in parts]), self._joined([j for _, j in parts])

    def factors(self, data: Any, theta: jax.Array) -> tuple[jax.Array, Factors]:
        """R of shape `(m,)` and J as factors of its layers, where `has_factors`.

        Cost: two passes.
        """
        parts = [term.factors(part, theta) for term, part in self._pairs(data)]  # pyright: ignore[reportAttributeAccessIssue] - of `has_factors`
        return jnp.concatenate([r for r, _ in parts]), joined([each for _, each in parts])

    @functools.cached_property
    def factor_width(self) -> int | None:
        """In the place of n in the cost of JJᵀ, by factors; None where there are none."""
        is_by_example = all(isinstance(term, ExampleTerm) for term in self._terms)
        if self.devices is not None or not is_by_example or not self.is_one_chunk:
            return None
        theta = jax.ShapeDtypeStruct((self.size,), self.spec.dtype)
        try:
            return jax.eval_shape(self.factors, self.data, theta)[1].width
        except NotDenseError:
            return None

    @property
    def has_factors(self) -> bool:
        """Whether J is made of dense layers whose factors make JJᵀ clearly cheaper."""
        return self.factor_width is not None and FACTORS_PAY * self.factor_width <= self.size

    def normal_equations(
        self, data: Any, theta: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """R of shape `(m,)`, Jᵀr of shape `(n,)` and JᵀJ of shape `(n, n)`, without storing J.

        Cost: a Jacobian, and m n² multiplications.
        """
        parts = [term.normal_equations(part, theta) for term, part in self._pairs(data)]
        return (
            self._joined([r for r, _, _ in parts]),
            sum(g for _, g, _ in parts),  # pyright: ignore[reportReturnType]
            sum(c for _, _, c in parts),
        )

    def along(self, data: Any, theta: jax.Array, coefficients: tuple[jax.Array, ...]) -> jax.Array:
        """The derivative of order k+1 at s=0 of r(θ + c₁s + … + c_k sᵏ), shape `(m,)`.

        Cost: k+1 nested forward derivatives, no Jacobian and no third-order tensor.
        """
        parts = [term.along(part, theta, coefficients) for term, part in self._pairs(data)]
        return self._joined(parts)

    def pull(self, data: Any, theta: jax.Array, cotangent: jax.Array) -> jax.Array:
        """Jᵀu of shape `(n,)` for u of shape `(m,)`. Cost: a gradient."""
        counts = [
            jax.eval_shape(term.residuals, part, theta).shape[0] for term, part in self._pairs(data)
        ]
        total = jnp.zeros_like(theta)
        for (term, part), piece in zip(
            self._pairs(data), self._parted(cotangent, counts), strict=True
        ):
            total += term.pull(part, theta, piece)
        return total

    def gauss_newton(self, data: Any, theta: jax.Array) -> Linearisation:
        """L, ∇L and products with JᵀJ. Cost of a product: about a gradient."""
        if self.is_one_chunk:
            r, push = jax.linearize(lambda at: self.residuals(data, at), theta)
            pull = jax.linear_transpose(push, theta)
            return Linearisation(0.5 * jnp.vdot(r, r), pull(r)[0], lambda v: pull(push(v))[0])

        loss, grad = self.value_and_grad(data, theta)

        def product(v: jax.Array) -> jax.Array:
            return sum(term.gauss_newton(part, theta, v) for term, part in self._pairs(data))  # pyright: ignore[reportReturnType]

        return Linearisation(loss, grad, product)

    def hessian(self, data: Any, theta: jax.Array) -> Linearisation:
        """L, ∇L and products with JᵀJ + Σ r ∇²r."""
        if self.is_one_chunk:
            return linearised_gradient(self, data, theta)
        loss, grad = self.value_and_grad(data, theta)

        def product(v: jax.Array) -> jax.Array:
            return sum(term.hessian(part, theta, v) for term, part in self._pairs(data))  # pyright: ignore[reportReturnType]

        return Linearisation(loss, grad, product)
