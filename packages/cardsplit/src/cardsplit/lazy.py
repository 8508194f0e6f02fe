"""An attribute that is computed when first asked for.

`functools.cached_property` does the same, but in Python 3.11 it takes a lock each time, which was a
sixth of the time of anti-merging.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class lazy(Generic[Value]):  # noqa: N801 - used as a decorator, like `property`
    """Decorates a method without arguments; its first result becomes the attribute."""

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, owner: Any, kind: type | None = None) -> Value:
        value = self._compute(owner)
        owner.__dict__[self._name] = value  # found there from now on, before this descriptor
        return value
