"""What is minimised: a loss with as much structure as the caller can tell.

`LeastSquares` knows residuals, `Composite` knows a convex loss of a network's outputs, `Scalar`
knows only the loss. The more structure, the better the curvature that a method can use, and the
cheaper: with `data`, the Jacobian is taken example by example.
"""

from __future__ import annotations

import contextlib
import contextvars
import dataclasses
import numbers
from typing import TYPE_CHECKING, Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from thalweg.errors import ConfigError, DataError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_allows_tracers = contextvars.ContextVar("allows_tracers", default=False)


@dataclasses.dataclass(frozen=True, eq=False)
class Block:
    """One term `weight * ½ mean Σ r²` (with data) or `weight * ½ Σ r²` (without) of a loss.

    Attributes:
        function: `function(params, *example)` with data, `function(params)` without.
        data: A tuple of pytrees with one common leading length N, or None.
        weight: The factor on this term of the loss. Positive.
    """

    function: Callable[..., Any]
    data: tuple[Any, ...] | None
    weight: float = 1.0

    @property
    def length(self) -> int:
        """The number N of examples; 1 without data."""
        return 1 if self.data is None else jax.tree.leaves(self.data)[0].shape[0]


class Problem:
    """Base of the problem classes. A problem is immutable.

    Problems add up, and take positive factors: `a + 2.0 * b`, `sum([a, b, c])`. A sum of
    `LeastSquares` alone is one; any other is a `Sum`.
    """

    def __add__(self, other: object) -> Problem:
        if not isinstance(other, Problem):
            return NotImplemented
        return Sum((*_parts(self), *_parts(other)))

    def __radd__(self, other: object) -> Problem:
        # The `sum` of Python begins with 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, factor: object) -> Problem:
        weight = _weight(factor)
        return NotImplemented if weight is None else self._weighted(weight)

    __rmul__ = __mul__
    # Arrays of NumPy leave the product to a problem, and do not make one of each entry.
    __array_ufunc__ = None

    def _weighted(self, weight: float) -> Problem:
        raise NotImplementedError


@final
class LeastSquares(Problem):
    """A sum of squares: `L = ½ Σ r²`, or `½ mean over examples of Σ r²` with data.

    With `data` the residual is written for one example, and thalweg maps it over the examples:
    the Jacobian then costs about as much as a few gradients. Without `data` nothing is known of
    which residual depends on which example, and the Jacobian costs `min(m, n)` passes over all
    residuals: use the form with data wherever residuals come example by example.

    Blocks add up and take weights on the loss:
    `LeastSquares(pde, data=(X,)) + 2.0 * LeastSquares(edge, data=(B,))`.

    Attributes:
        blocks: The terms of the sum.

    Raises:
        ConfigError: `residual` cannot be called, or `data` is not a tuple of arrays.
        ShapeError: The arrays in `data` differ in length.
        DataError: `data` is empty, or holds NaN or infinity.

    Examples:
        >>> import jax.numpy as jnp
        >>> x = jnp.linspace(0.0, 1.0, 5)
        >>> line = LeastSquares(lambda p, x, y: p["a"] * x - y, data=(x, 2 * x))
        >>> len((line + 0.5 * line).blocks)
        2
    """

    def __init__(self, residual: Callable[..., Any], data: tuple[Any, ...] | None = None) -> None:
        _check_callable(residual, "residual")
        checked = None if data is None else _check_data(data)
        self.blocks: tuple[Block, ...] = (Block(residual, checked),)

    @classmethod
    def _of(cls, blocks: tuple[Block, ...]) -> LeastSquares:
        new = cls.__new__(cls)
        new.blocks = blocks
        return new

    def __add__(self, other: object) -> Problem:
        if isinstance(other, LeastSquares):
            return LeastSquares._of(self.blocks + other.blocks)
        return super().__add__(other)

    def _weighted(self, weight: float) -> LeastSquares:
        scaled = (dataclasses.replace(b, weight=b.weight * weight) for b in self.blocks)
        return LeastSquares._of(tuple(scaled))


@final
class Composite(Problem):
    """A convex loss of a network's outputs: `L = mean loss(outputs(θ, x), y) + ½ l2 |θ|²`.

    Args:
        outputs: `outputs(params, x) -> z`, one example, z an array.
        loss: `loss(z, y) -> scalar`, convex in z, such as a cross-entropy.
        data: `(X, Y)`, each an array or pytree of arrays with leading length N.
        l2: The weight decay λ of the term `½ λ |θ|²`. Not negative.

    Raises:
        ConfigError: A function cannot be called, `data` is no pair, or `l2` is negative.
        ShapeError: The arrays in `data` differ in length.
        DataError: `data` is empty, or holds NaN or infinity.
    """

    def __init__(
        self,
        outputs: Callable[[Any, Any], Any],
        loss: Callable[[Any, Any], Any],
        data: tuple[Any, Any],
        l2: float = 0.0,
    ) -> None:
        _check_callable(outputs, "outputs")
        _check_callable(loss, "loss")
        if not (np.isfinite(l2) and l2 >= 0):
            raise ConfigError(f"`l2` is {l2}, but a finite number of at least 0 was expected")
        self.outputs = outputs
        self.loss = loss
        self.data = _check_data(data)
        if len(self.data) != 2:  # noqa: PLR2004 - the pair (X, Y)
            raise ConfigError(
                f"`data` has {len(self.data)} parts, but the pair `(X, Y)` was expected"
            )
        self.l2 = float(l2)

    def _weighted(self, weight: float) -> Composite:
        return Composite(self.outputs, _Weighted(self.loss, weight), self.data, l2=weight * self.l2)


@final
class Scalar(Problem):
    """Any loss: `loss(params) -> scalar`. Nothing is known but its derivatives.

    Raises:
        ConfigError: `loss` cannot be called.
    """

    def __init__(self, loss: Callable[[Any], Any]) -> None:
        _check_callable(loss, "loss")
        self.loss = loss

    def _weighted(self, weight: float) -> Scalar:
        return Scalar(_Weighted(self.loss, weight))


@final
class Sum(Problem):
    """A sum of problems that are not all least squares. Made by `+`.

    Attributes:
        parts: The terms, at least two; the least squares among them are one.
    """

    def __init__(self, parts: tuple[Problem, ...]) -> None:
        squares = [part for part in parts if isinstance(part, LeastSquares)]
        others = [part for part in parts if not isinstance(part, LeastSquares)]
        blocks = tuple(block for part in squares for block in part.blocks)
        joined = (LeastSquares._of(blocks),) if blocks else ()  # noqa: SLF001 - of this module
        self.parts: tuple[Problem, ...] = (*joined, *others)

    def _weighted(self, weight: float) -> Sum:
        return Sum(tuple(part._weighted(weight) for part in self.parts))  # noqa: SLF001 - as above


@dataclasses.dataclass(frozen=True)
class _Weighted:
    """A loss times a factor."""

    loss: Callable[..., Any]
    weight: float

    def __call__(self, *arguments: Any) -> Any:
        return self.weight * self.loss(*arguments)


def _parts(problem: Problem) -> tuple[Problem, ...]:
    return problem.parts if isinstance(problem, Sum) else (problem,)


def _weight(factor: object) -> float | None:
    """A factor as a number; None where it is no single real number."""
    if isinstance(factor, (np.ndarray, jax.Array)) and factor.shape == () and factor.dtype != bool:
        factor = factor.item()
    if not isinstance(factor, numbers.Real):
        return None
    weight = float(factor)
    if not (np.isfinite(weight) and weight > 0):
        raise ConfigError(
            f"a problem was multiplied by {weight}, but a finite factor above 0 was expected; "
            "leave a part out instead of weighting it by 0"
        )
    return weight


def _check_callable(function: object, name: str) -> None:
    if not callable(function):
        raise ConfigError(
            f"`{name}` is of type {type(function).__name__}, but a function was expected"
        )


def _check_data(data: Any) -> tuple[Any, ...]:
    """Data as a tuple of pytrees of NumPy or JAX arrays with one leading length."""
    if not isinstance(data, (tuple, list)):
        raise ConfigError(
            f"`data` is of type {type(data).__name__}, but a tuple of arrays was expected; "
            "write `data=(X,)` for a single array"
        )
    leaves_with_paths, treedef = jax.tree_util.tree_flatten_with_path(tuple(data))
    if not leaves_with_paths:
        raise DataError("`data` holds no array; pass at least one, with one row an example")
    arrays = []
    for path, leaf in leaves_with_paths:
        name = f"data{jax.tree_util.keystr(path)}"
        refuse_tracer(leaf, name)
        array = leaf if isinstance(leaf, jax.Array) else np.asarray(leaf)
        has_numbers = not is_key(array.dtype)
        if has_numbers and (array.dtype == object or array.dtype.kind in "USMm"):
            raise ConfigError(f"`{name}` has dtype {array.dtype}, but numbers were expected")
        if array.ndim == 0:
            raise ShapeError(
                name, found=(), expected="an array with one row an example", hint="stack examples"
            )
        if array.shape[0] == 0:
            raise DataError(f"`{name}` holds no example (shape {array.shape}); pass at least one")
        if has_numbers:
            _check_finite(name, array)
        arrays.append(array)
    lengths = [array.shape[0] for array in arrays]
    if len(set(lengths)) > 1:
        raise ShapeError(
            "data",
            found=tuple(array.shape for array in arrays),
            expected="one common first length",
            hint=f"the arrays hold {', '.join(map(str, lengths))} examples, so cut or pair them "
            "before, or make them blocks of their own that add up",
        )
    return jax.tree.unflatten(treedef, arrays)


def is_key(dtype: Any) -> bool:
    """Whether a dtype is that of JAX's random keys, which NumPy does not know."""
    return jnp.issubdtype(dtype, jax.dtypes.prng_key)


@contextlib.contextmanager
def tracers_allowed() -> Iterator[None]:
    """Within it, the data of a new problem may be arrays that JAX traces."""
    token = _allows_tracers.set(True)
    try:
        yield
    finally:
        _allows_tracers.reset(token)


def refuse_tracer(leaf: object, name: str) -> None:
    """Refuse an array that JAX has not computed yet.

    Raises:
        ConfigError: Naming the array.
    """
    if isinstance(leaf, Tracer) and not _allows_tracers.get():
        raise ConfigError(
            f"`{name}` is an array of a function under `jax.jit`, `grad` or `vmap`, but a run "
            "needs numbers: call `minimize` outside; for derivatives of a minimum use `argmin`, "
            "for many fits of one model at once `starts` or one problem for all"
        )


def _check_finite(name: str, array: Any) -> None:
    if isinstance(array, Tracer):
        return
    values = np.asarray(array)
    if values.dtype.kind not in "fc":
        return
    rows = np.flatnonzero(~np.isfinite(values.reshape(values.shape[0], -1)).all(axis=1))
    if rows.size:
        raise DataError(
            f"`{name}` holds NaN or infinity in {rows.size} of {values.shape[0]} examples, first "
            f"in example {rows[0]}; drop or fill these examples before training"
        )
