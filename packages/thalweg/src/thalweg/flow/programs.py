"""Compiled programs, and when two flows may share them.

A program is compiled for functions and shapes; the data are its arguments. So another problem of
the same functions, with other data of the same shapes, finds the programs of the first.

The same function need not compute the same: it may read a global that has changed meanwhile. What
it computes is its trace, which is part of the key.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import weakref
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from thalweg.problem import is_key

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

MOST_FLOWS = 64  # whose programs are kept; those used least recently go first


@dataclasses.dataclass(eq=False)
class Program:
    """A compiled program, and what is known of its speed.

    Attributes:
        call: The program.
        seconds: What its last call took: for each attempt at a step, where it takes steps.
        overhead: What a call takes that does nothing; None before it was measured.
    """

    call: Any
    seconds: float
    overhead: float | None = None

    def __call__(self, *arguments: Any) -> Any:
        """Run it."""
        return self.call(*arguments)


Programs = dict[Any, Program]  # by what they compute, such as the name of a function of the flow


@dataclasses.dataclass
class _Kept:
    """The programs of some functions, and those functions, for as long as they live."""

    programs: Programs
    functions: list[Any]  # weak references where they can be made


_kept: collections.OrderedDict[Hashable, _Kept] = collections.OrderedDict()


def shared_programs(functions: Sequence[Callable[..., Any]], facts: Hashable) -> Programs:
    """The programs of all flows of the same functions and facts; empty for the first of them.

    Args:
        functions: The functions of the problem. Their programs are dropped when one of them is.
        facts: All else that the programs depend on: traces, shapes, layout, devices.
    """
    key = (tuple(map(id, functions)), facts)
    if key not in _kept:
        _kept[key] = _Kept({}, [_weakly(function, key) for function in functions])
        while len(_kept) > MOST_FLOWS:
            _kept.popitem(last=False)
    _kept.move_to_end(key)
    return _kept[key].programs


def forget_programs() -> None:
    """Drop all programs, so that the next flow compiles as it would in a new process."""
    _kept.clear()


def _weakly(function: Any, key: Hashable) -> Any:
    try:
        return weakref.ref(function, lambda _: _kept.pop(key, None))
    except TypeError:  # as of functions written in C, which are there for good
        return function


def fingerprint(traced: Any) -> str:
    """What tells one traced function from another: its operations and its constants.

    Args:
        traced: What `jax.make_jaxpr` returned.

    Cost: that of printing the operations, and one pass over the constants.
    """
    digest = hashlib.sha256(str(traced.jaxpr).encode())
    for constant in _constants(traced):
        if is_key(getattr(constant, "dtype", np.float64)):
            constant = jax.random.key_data(constant)  # noqa: PLW2901 - of keys, their numbers
        array = np.asarray(constant)
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _constants(traced: Any) -> Iterator[Any]:
    """The arrays that a trace holds; what it prints shows their shapes only.

    Those of a function under `jax.jit` within it lie with that function.
    """
    yield from getattr(traced, "consts", ())
    jaxpr = getattr(traced, "jaxpr", traced)
    for equation in jaxpr.eqns:
        yield from (v.val for v in equation.invars if np.ndim(getattr(v, "val", 0)))
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else (value,):
                if hasattr(getattr(inner, "jaxpr", inner), "eqns"):
                    yield from _constants(inner)
