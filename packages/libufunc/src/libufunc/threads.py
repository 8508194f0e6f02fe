"""A ufunc on several threads, for large arrays.

NumPy drops Python's global lock while a ufunc's loop runs, so parts of one array can be worked on
at the same time. The C function must allow that: those of libm do, and write no more than `errno`,
which each thread has for itself (`lgamma` also writes the global `signgam`; `lgamma_r` does not).
"""

import itertools
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

SMALLEST = 1 << 15  # elements; below, starting threads costs more than the loop
_PLAIN = (np.ndarray, bool, int, float, complex, list, tuple)


class Threaded:
    """Calls a ufunc on parts of the arrays, one part a thread.

    It is called as the ufunc is, and gives the same numbers. Whatever cannot be cut up goes to the
    ufunc in one piece: small arrays, masked arrays and other types with rules of their own, an
    `out` that overlaps an input in part, and keywords but for `out` and `where`.

    Attributes:
        ufunc: What is called.
        threads: How many parts.
    """

    def __init__(self, ufunc: np.ufunc, *, threads: int) -> None:
        if operator.index(threads) < 1:
            raise ValueError(f"`threads` is {threads}, but at least 1 was expected.")
        self.ufunc = ufunc
        self.threads = threads

    def __repr__(self) -> str:
        return f"threaded({self.ufunc!r}, threads={self.threads})"

    def __call__(self, *inputs: Any, out: Any = None, where: Any = True, **options: Any) -> Any:
        """Call the ufunc.

        Args:
            inputs: As for the ufunc.
            out: An array, or a tuple of one for each output.
            where: Elements to work on.
            options: Any other keyword of the ufunc; then in one piece.

        Cost: starts `threads - 1` threads, about 0.05 ms each.
        """
        outputs = out if isinstance(out, tuple) else (out,) * (out is not None)
        if options or not self._is_plain([*inputs, where], outputs):
            return self.ufunc(*inputs, out=out, where=where, **options)
        operands = [
            x if isinstance(x, bool | int | float | complex) else np.asarray(x) for x in inputs
        ]
        where = np.asarray(where)
        shape = np.broadcast_shapes(*map(np.shape, [*operands, where, *outputs]))
        length = max(shape, default=1)
        if (
            self.threads == 1
            or np.prod(shape) < max(SMALLEST, self.threads)
            or length < self.threads
        ):
            return self.ufunc(*inputs, out=out, where=where)
        outputs = outputs or self._outputs(operands, shape)
        if not _are_apart(operands, outputs, shape):
            return self.ufunc(*inputs, out=out, where=where)
        self._run(list(_parts([*operands, where], outputs, shape, self.threads)))
        return outputs[0] if self.ufunc.nout == 1 else outputs

    def reduce(self, array: Any, axis: Any = 0, **options: Any) -> Any:
        """Reduce along one axis, parts of the others at the same time.

        The numbers are taken in the order of the ufunc's own `reduce`, so that the result is the
        same to the last bit. What has no other axis is reduced in one piece.

        Args:
            array: As for the ufunc.
            axis: The axis, one only; with any other the ufunc works in one piece.
            options: Any other keyword of `reduce`; then in one piece.
        """
        x = np.asarray(array)
        plain = type(array) in _PLAIN and not options and type(axis) is int
        if not plain or self.threads == 1 or x.ndim < 2 or x.size < SMALLEST:  # noqa: PLR2004 - an axis to cut
            return self.ufunc.reduce(array, axis=axis, **options)
        moved = np.moveaxis(x, axis, 0)
        longest = 1 + int(np.argmax(moved.shape[1:]))
        if moved.shape[longest] < self.threads:
            return self.ufunc.reduce(array, axis=axis)
        first = self.ufunc.reduce(moved[(slice(None), *[slice(0, 1)] * (x.ndim - 1))], axis=0)
        out = np.empty(moved.shape[1:], first.dtype)
        cuts = [moved.shape[longest] * k // self.threads for k in range(self.threads + 1)]
        before = (slice(None),) * (longest - 1)
        parts = [(*before, slice(*pair)) for pair in itertools.pairwise(cuts)]
        self._share(lambda p: self.ufunc.reduce(moved[:, *p], axis=0, out=out[p]), parts)
        return out

    def _outputs(self, operands: list[Any], shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        """New arrays, whose elements lie in the order of the inputs' own, as NumPy has them."""
        like = next((x for x in operands if np.shape(x) == shape), np.empty(shape, bool))
        return tuple(np.empty_like(like, dtype, subok=False) for dtype in self._dtypes(operands))

    def _is_plain(self, given: list[Any], outputs: tuple[Any, ...]) -> bool:
        """Whether NumPy alone has a say in these operands, and the call is complete."""
        counts = len(given) - 1 == self.ufunc.nin and len(outputs) in {0, self.ufunc.nout}
        plain = all(type(x) in _PLAIN or isinstance(x, np.generic) for x in given)
        return counts and plain and all(type(x) is np.ndarray for x in outputs)

    def _dtypes(self, operands: list[Any]) -> list[np.dtype]:
        """Types of the results, as NumPy decides them for the whole."""
        # Called on nothing, a ufunc tells its types in every version of NumPy.
        empty = [np.empty(0, x.dtype) if np.ndim(x) else x for x in operands]
        made = self.ufunc(*empty)
        return [one.dtype for one in (made if self.ufunc.nout > 1 else (made,))]

    def _run(self, parts: list[tuple[list[Any], tuple[Any, ...], Any]]) -> None:
        """Work on all parts, the last of them in the calling thread."""

        def call(part: tuple[list[Any], tuple[Any, ...], Any]) -> None:
            inputs, outputs, where = part
            self.ufunc(*inputs, out=outputs, where=where)

        self._share(call, parts)

    def _share(self, call: Callable[[Any], object], parts: list[Any]) -> None:
        """Call a function for each part, the last in the calling thread."""
        from concurrent.futures import ThreadPoolExecutor

        # Threads start with NumPy's default treatment of floating-point errors, not the caller's.
        treatment: dict[str, Any] = {**np.geterr(), "call": np.geterrcall()}

        def work(part: Any) -> None:
            with np.errstate(**treatment):
                call(part)

        with ThreadPoolExecutor(max(1, len(parts) - 1)) as pool:
            waiting = [pool.submit(work, part) for part in parts[:-1]]
            work(parts[-1])
            for one in waiting:
                one.result()


def threaded(ufunc: Any, *, threads: int) -> Threaded:
    """Let a ufunc work on several threads at once.

    >>> from libufunc import Library
    >>> erf = threaded(Library("m").erf, threads=2)
    >>> bool(erf(np.ones(100_000)).all())
    True

    Args:
        ufunc: A ufunc, or a function of a `Library`. Its C function must be safe to call from
            several threads.
        threads: How many, at least 1; more than there are cores is of no use.
    """
    return Threaded(getattr(ufunc, "ufunc", ufunc), threads=threads)


def _are_apart(operands: list[Any], outputs: tuple[Any, ...], shape: tuple[int, ...]) -> bool:
    """Whether parts can be written in any order: no output is an input of another part."""
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    if any(out.shape != shape for out in outputs):
        return False
    return not any(
        np.may_share_memory(out, x) and not _same(out, x) for out in outputs for x in arrays
    )


def _same(out: np.ndarray, x: np.ndarray) -> bool:
    """Whether two arrays are the same elements in the same places."""
    place = operator.itemgetter("data", "strides", "shape", "typestr")
    return out is x or place(out.__array_interface__) == place(x.__array_interface__)


def _parts(
    operands: list[Any], outputs: tuple[Any, ...], shape: tuple[int, ...], count: int
) -> Iterator[tuple[list[Any], tuple[Any, ...], Any]]:
    """Cut everything along the longest axis, the last operand being `where`."""
    # The axis whose elements lie farthest apart, so that each part is one stretch of memory.
    enough = [k for k, length in enumerate(shape) if length >= count]
    axis = max(enough, key=lambda k: abs(outputs[0].strides[k]))
    cuts = [shape[axis] * k // count for k in range(count + 1)]
    whole = [np.broadcast_to(x, shape) if np.ndim(x) else x for x in operands]
    for first, last in itertools.pairwise(cuts):
        index = (slice(None),) * axis + (slice(first, last),)
        *inputs, where = (x[index] if np.ndim(x) else x for x in whole)
        yield inputs, tuple(one[index] for one in outputs), where
