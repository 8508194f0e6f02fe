"""Whose function is asked: one callable on NumPy arrays for each library's version of a function.

"libm"         the C library, made a ufunc by this package
"scipy"        scipy.special
"numpy"        NumPy's own, where it has one
"jax"          libufunc.jax
a path         any shared library with a symbol of that name, as the C library
a callable     under its own `__name__`
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from libufunc.audit.errors import AuditError
from libufunc.audit.functions import Subject
from libufunc.audit.oracle import Format, needed

C_TYPES = {"float32": ("float", "f"), "float64": ("double", ""), "longdouble": ("long double", "l")}


@final
@dataclass(frozen=True)
class Candidate:
    """A function to be audited.

    Attributes:
        library: What the report calls its library.
        function: Takes arrays of one dtype and returns an array of it.
    """

    library: str
    function: Callable[..., Any]

    def __call__(self, points: tuple[np.ndarray, ...], kind: Format) -> np.ndarray:
        """The function's values, in the dtype of `kind`.

        Raises:
            AuditError: The values have another shape than the points.
        """
        with np.errstate(all="ignore"):
            values = np.asarray(self.function(*points))
        if values.shape != points[0].shape:
            raise AuditError(
                f"`{self.library}` returned shape {values.shape} for points of shape "
                f"{points[0].shape}: a function to be audited must work element by element."
            )
        return values.astype(kind.type)


def candidate(
    library: str | Callable[..., Any], subject: Subject, kind: Format
) -> Candidate | None:
    """Find a library's version of a function; `None` where it has none in this format.

    Raises:
        AuditError: `library` is neither a known name, nor an existing file, nor callable.
        MissingExtraError: The package of that name is not installed.
    """
    if callable(library):
        return Candidate(getattr(library, "__name__", type(library).__name__), library)
    named = {"libm": _compiled, "scipy": _scipy, "numpy": _numpy, "jax": _jax}
    if library in named:
        found = named[library](subject, kind)
    elif Path(library).is_file():
        found = _compiled(subject, kind, str(Path(library).resolve()))
    else:
        raise AuditError(
            f"`{library}` is no file and none of {', '.join(named)}: name one of these, or the "
            "path of a shared library."
        )
    return None if found is None else Candidate(Path(library).name, found)


def _compiled(subject: Subject, kind: Format, library: str = "m") -> Callable[..., Any] | None:
    """A symbol of a shared library, by `libufunc.ccall`."""
    from libufunc import ccall
    from libufunc.errors import LibufuncError
    from libufunc.symbols import open_library

    c_type, suffix = C_TYPES[kind.dtype]
    arguments = ", ".join([c_type] * subject.arguments)
    symbol = f"{subject.name}{suffix}"
    with suppress(LibufuncError):
        # A library that links libm serves libm's functions too, which are not what is asked about.
        if library == "m" or open_library(library).is_own(symbol):
            return ccall(f"{c_type} {symbol}({arguments})", library)
    return None


def _takes(function: np.ufunc | None, subject: Subject, kind: Format) -> np.ufunc | None:
    """The ufunc itself if it has a loop that keeps the format."""
    if function is None:
        return None
    letter = np.dtype(kind.type).char
    return function if f"{letter * subject.arguments}->{letter}" in function.types else None


def _scipy(subject: Subject, kind: Format) -> np.ufunc | None:
    special = needed("scipy.special", "scipy")
    return _takes(getattr(special, subject.aliases.get("scipy", subject.name), None), subject, kind)


def _numpy(subject: Subject, kind: Format) -> np.ufunc | None:
    return _takes(getattr(np, subject.aliases.get("numpy", subject.name), None), subject, kind)


def _jax(subject: Subject, kind: Format) -> Callable[..., Any] | None:
    jax, ours = needed("jax", "libufunc[jax]"), needed("libufunc.jax", "libufunc[jax]")
    function = getattr(ours, subject.name, None)
    if function is None or kind.dtype not in {"float32", "float64"}:
        return None

    def values(*points: np.ndarray) -> np.ndarray:
        """In the format of the points, whatever the global setting is."""
        count = len(points[0])
        # Filled up to a power of two, as JAX compiles for each length.
        filled = [np.resize(part, 1 << (count - 1).bit_length()) for part in points]
        with jax.enable_x64(kind.dtype == "float64"):
            return np.asarray(function(*filled))[:count]

    return values
