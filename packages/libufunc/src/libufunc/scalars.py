"""The C types that libufunc passes, and what each is called in NumPy.

A type is known by NumPy's character for it (`d` is `double`), since that is what `ufunc.types`
shows. Where two C types are the same machine type, as `long` and `long long`, they still differ
here, as they do in NumPy.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from libufunc.errors import PrototypeError


@dataclass(frozen=True, slots=True)
class Scalar:
    """One arithmetic C type.

    Attributes:
        char: NumPy's character for it.
        c: Its name in C.
    """

    char: str
    c: str

    @property
    def kind(self) -> str:
        """`f` real, `c` complex, `i` signed, `u` unsigned, `b` boolean."""
        return np.dtype(self.char).kind

    @property
    def bits(self) -> int:
        """Bits that a value takes in memory, padding included."""
        return 8 * np.dtype(self.char).itemsize


_NAMES = {
    "f": "float",
    "d": "double",
    "g": "long double",
    "F": "float _Complex",
    "D": "double _Complex",
    "G": "long double _Complex",
    "?": "_Bool",
    "b": "signed char",
    "B": "unsigned char",
    "h": "short",
    "H": "unsigned short",
    "i": "int",
    "I": "unsigned int",
    "l": "long",
    "L": "unsigned long",
    "q": "long long",
    "Q": "unsigned long long",
}
SCALARS = {char: Scalar(char, name) for char, name in _NAMES.items()}
ADDRESS = SCALARS[np.dtype(np.uintp).char]

# What <stdint.h>, <stddef.h>, <math.h>, <time.h> and <sys/types.h> name. NumPy knows the sizes of
# fixed widths on this machine; what else differs between systems is as glibc has it on 64 bits.
_FIXED_WIDTH = {
    f"{sign}int{middle}{bits}_t": f"{sign}int{bits}"
    for sign in ("", "u")
    for middle in ("", "_least")
    for bits in (8, 16, 32, 64)
}
_OTHERS = {
    **dict.fromkeys(["int_fast8_t"], "b"),
    **dict.fromkeys(["uint_fast8_t"], "B"),
    **dict.fromkeys(["int_fast16_t", "int_fast32_t", "int_fast64_t", "intmax_t"], "l"),
    **dict.fromkeys(["uint_fast16_t", "uint_fast32_t", "uint_fast64_t", "uintmax_t"], "L"),
    **dict.fromkeys(["size_t", "uintptr_t"], np.dtype(np.uintp).char),
    **dict.fromkeys(["ssize_t", "ptrdiff_t", "intptr_t"], np.dtype(np.intp).char),
    **dict.fromkeys(["time_t", "clock_t", "off_t", "suseconds_t"], "l"),
    "float_t": "f",
    "double_t": "d",
    **dict.fromkeys(["wchar_t", "pid_t"], "i"),
    **dict.fromkeys(["wint_t", "uid_t", "gid_t", "mode_t"], "I"),
    "char16_t": "H",
    "char32_t": "I",
    "u_char": "B",
    "u_short": "H",
    "u_int": "I",
    "u_long": "L",
    "ushort": "H",
    "uint": "I",
    "ulong": "L",
}
TYPEDEFS = {
    **{name: SCALARS[np.dtype(dtype).char] for name, dtype in _FIXED_WIDTH.items()},
    **{name: SCALARS[char] for name, char in _OTHERS.items()},
}

WIDE_CHARACTERS = ("wchar_t", "char16_t", "char32_t")  # a pointer to one leads to text
_BY_WORDS = {tuple(sorted(name.split())): SCALARS[char] for char, name in _NAMES.items()}


def scalar_of_words(words: list[str]) -> Scalar | None:
    """The type that C's specifiers mean, in any order: `long unsigned int` is `unsigned long`.

    Args:
        words: The specifiers, without qualifiers.

    Returns:
        The type, or `None` where libufunc does not pass it (plain `char` among them, as C leaves
        its sign open).
    """
    if len(words) == 1 and words[0] in TYPEDEFS:
        return TYPEDEFS[words[0]]
    short = [word for word in words if word != "signed" or "char" in words]
    if set(short) & {"long", "short", "unsigned"} or not short:
        short = [word for word in short if word != "int"] or ["int"]
    if short == ["unsigned"]:
        short = ["unsigned", "int"]
    return _BY_WORDS.get(tuple(sorted(short)))


def scalar_of_dtype(found: Any) -> Scalar:
    """The C type of what NumPy takes for a dtype.

    Args:
        found: `numpy.float64`, `"f8"`, `float`, ...

    Raises:
        PrototypeError: No C type that libufunc passes is stored that way.
    """
    try:
        dtype = np.dtype(found)
    except TypeError:
        raise PrototypeError(
            f"`{found!r}` is no dtype; give one such as `numpy.float64`, or a C prototype."
        ) from None
    if dtype.char not in SCALARS or not dtype.isnative:
        raise PrototypeError(
            f"`{dtype}` is no C type that libufunc passes; give a native real, complex, integer "
            "or boolean dtype."
        )
    return SCALARS[dtype.char]
