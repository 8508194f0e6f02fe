"""Strings as arguments: `const char *`, from `str`, `bytes` and NumPy's arrays of them.

A ufunc passes numbers. So the strings of an argument are laid one behind the other into a block of
memory, each with the zero that ends it in C, and a ufunc passes the addresses where they begin. The
block lives as long as the call: a function that keeps such an address keeps nothing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from libufunc.errors import StringError

_PASSED_ON = frozenset({"nin", "nout", "nargs", "ntypes", "signature"})


class StringFunction:
    """A C function that takes strings, called as a ufunc is: it broadcasts, with `out` and `where`.

    It is not itself a `numpy.ufunc`, as those pass numbers alone; so it has no `reduce`, `outer`
    and such.

    Args:
        ufunc: Takes addresses in the place of strings.
        places: Which inputs are strings, counted from 0.

    Attributes:
        string_inputs: Which inputs are strings, counted from 0.

    Cost: of each call, one copy of all strings, as `str` in UTF-8, and 8 bytes for each.
    """

    def __init__(self, ufunc: np.ufunc, places: Sequence[int]) -> None:
        self._ufunc, self.string_inputs = ufunc, tuple(places)
        self.__name__, self.__doc__ = ufunc.__name__, ufunc.__doc__

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function for each combination of elements.

        Raises:
            StringError: An argument is no string where one is needed, holds a zero character, or
                cannot be written in UTF-8.
        """
        given, blocks = list(arguments), []
        for place in self.string_inputs:
            if place < len(given):
                what = f"argument {place + 1} of `{self.__name__}`"
                given[place], block = addresses(given[place], what)
                blocks.append(block)  # for the length of the call
        return self._ufunc(*given, **options)

    @property
    def types(self) -> list[str]:
        """The types of each loop as NumPy writes them, with `S` for a string."""
        found = []
        for types in self._ufunc.types:
            chars = list(types)
            for place in self.string_inputs:
                chars[place] = "S"
            found.append("".join(chars))
        return found

    def __getattr__(self, name: str) -> Any:
        if name in _PASSED_ON:
            return getattr(self._ufunc, name)
        raise AttributeError(
            f"`{self.__name__}` takes strings, and is called as a ufunc is, but has no `{name}`."
        )

    def __repr__(self) -> str:
        return f"<function of strings '{self.__name__}'>"


def addresses(given: Any, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Where the strings of an argument begin in memory.

    Args:
        given: `str`, `bytes`, or what NumPy makes an array of these of.
        what: What a message calls it.

    Returns:
        The addresses, of the shape of the argument, and the block of memory that they lead into: it
        must live as long as they are used.

    Raises:
        StringError: As for a call.
    """
    if isinstance(given, str | bytes):
        shape, flat = (), [given]
    else:
        # As objects: NumPy would make text of numbers that stand beside text.
        is_array = isinstance(given, np.ndarray)
        array = given if is_array and given.dtype.kind in "SUT" else np.asarray(given, object)
        shape, flat = array.shape, array.ravel().tolist()
    block = np.frombuffer(b"\0".join([*_encoded(flat, what), b""]), np.uint8)
    ends = np.flatnonzero(block == 0)
    if ends.size != len(flat):
        raise StringError(
            f"{what} has a string with a zero character within, which would end it in C; take that "
            "out."
        )
    begins = np.zeros(len(flat), np.uintp)
    begins[1:] = ends[:-1] + 1
    return (begins + np.uintp(block.ctypes.data)).reshape(shape), block


def _encoded(flat: list[Any], what: str) -> list[bytes]:
    """The bytes of each string."""
    others = [kind for kind in set(map(type, flat)) if not issubclass(kind, str | bytes)]
    if others:
        kinds = " and ".join(sorted(kind.__name__ for kind in others))
        raise StringError(f"{what} is a string in C, but {kinds} was given; pass `str` or `bytes`.")
    try:
        return [one.encode() if isinstance(one, str) else one for one in flat]
    except UnicodeEncodeError as error:
        raise StringError(
            f"{what} has a string that cannot be written in UTF-8 ({error.reason}); pass its bytes."
        ) from None
