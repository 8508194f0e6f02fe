"""`Library`: the functions of a shared library as attributes, each for all its number types."""

import contextlib
import functools
import os
from pathlib import Path
from typing import Any, Self

import numpy as np

from libufunc.building import Made, Recipe, build, for_jax, has_loop
from libufunc.c_types import as_fortran
from libufunc.declarations import (
    base_names,
    base_text,
    complex_name,
    standard_prototype,
    variant,
)
from libufunc.errors import PrototypeError, SymbolError
from libufunc.headers import Header, Skipped
from libufunc.passing_calls import pass_calls_on
from libufunc.platforms import full_name, short_name
from libufunc.prototypes import Prototype, parse_prototype, prototype_of
from libufunc.suggestions import did_you_mean
from libufunc.symbols import SharedLibrary, open_library
from libufunc.vectors import find_vector


class _Help:
    """Text of `help`: of the ufunc for a function, of the class for the class."""

    def __init__(self, of_class: str | None) -> None:
        self.of_class = of_class

    def __get__(self, function: "Function | None", owner: type) -> str | None:
        return self.of_class if function is None else function.ufunc.__doc__


class Function(functools.partial):
    """A function of a library: called as a ufunc, and indexed by dtype for one variant of it.

    Python lets nobody inherit from `numpy.ufunc`, and a ufunc has no index; so this stands before
    one. It is called and has all attributes as the ufunc has; where another library insists on a
    `numpy.ufunc`, give it `.ufunc`.

    A call goes through `functools.partial`, as nothing written in Python passes one on as quickly.

    Attributes:
        ufunc: The ufunc with a loop for each number type of the function.
    """

    __doc__ = _Help(__doc__)  # pyright: ignore[reportAssignmentType] - gives text, by descriptor

    _of: "Library"
    _name: str
    _variants: dict[str, Recipe]

    def __new__(cls, of: "Library", name: str, variants: dict[str, Recipe], whole: Recipe) -> Self:
        """Make the ufunc."""
        made = super().__new__(cls, build(whole))
        made._of, made._name, made._variants = of, name, variants
        return made

    @property
    def ufunc(self) -> Made:
        """The ufunc itself; for a function that takes strings, what is called as one."""
        return self.func  # pyright: ignore[reportReturnType] - what `__new__` has put there

    def __getitem__(self, dtype: Any) -> Made:
        """The ufunc of one variant: `m.erf[float32]` is C's `erff`.

        Raises:
            SymbolError: The function has no such variant.
        """
        char = np.dtype(dtype).char
        if char not in self._variants:
            has = ", ".join(np.dtype(one).name for one in self._variants)
            raise SymbolError(
                f"`{self._name}` has no variant for `{np.dtype(dtype).name}`; it has {has}."
            )
        return build(self._variants[char])

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ufunc, name)

    def jax(self, *, derivative: Any = None) -> Any:
        """The function for JAX, as `libufunc.jax.jax_function` makes it; needs `libufunc[jax]`."""
        return for_jax(self.ufunc, derivative=derivative)

    def __repr__(self) -> str:
        return f"<{self._of!r}.{self._name}: {', '.join(self.ufunc.types)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (self._of, self._name)


pass_calls_on(Function)


class Library:
    """A shared library, whose functions are attributes.

    >>> m = Library("m")
    >>> float(m.hypot(3, 4))
    5.0
    >>> m.erf.types[:3]
    ['d->d', 'f->f', 'e->e']
    >>> m.erf[np.float32]
    <ufunc 'erff'>

    The mathematics of C99, with Bessel and gamma functions, is declared already; anything else is
    by a header. `erf` brings `erff` and `erfl` along, and `sin` also `csin`, where the library has
    them. float16 goes through `float`. Arrays of one real type keep it; integers and mixed types
    are computed in double, or in a wider type that is among them.

    Args:
        name: Short name, such as `m`, or path; `mvec` is glibc's library of vector functions.
        header: A C header with the functions, as text or as the path of a file (a `pathlib.Path`);
            it goes before what is shipped. With directives in it, it is preprocessed where the
            machine has a C compiler.
        simd: Take libmvec's vector functions where there are some: several times quicker, up to
            4 ULP wrong.
        fortran: The functions are Fortran's: symbols end in an underscore, and every number goes
            by its address. The header declares them as if they were C's, without either: `double
            dlapy2(double, double);`.

    Raises:
        LibraryNotFoundError: The library cannot be loaded.
        OSError: The header's file cannot be read.
    """

    def __init__(
        self,
        name: str | os.PathLike[str],
        *,
        header: str | Path | None = None,
        simd: bool = False,
        fortran: bool = False,
    ) -> None:
        self._name, self._given_header, self._fortran = full_name(name), header, fortran
        open_library(self._name)
        self._only_vectors = short_name(self._name) == "mvec"
        self._simd = simd or self._only_vectors
        self._header = _read(header)

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_"):
            raise AttributeError(name)
        # An attribute is found without coming here again; by `setattr`, as a dict costs more.
        function = self._make(name)
        setattr(self, name, function)
        return function

    def __dir__(self) -> list[str]:
        names = {*base_names(), *self._header}
        return sorted(name for name in names if self._has(name))

    def prototype(self, name: str) -> str:
        """What is declared of a function.

        Raises:
            SymbolError: Nothing declares it.
        """
        declared = self._declared(name)
        if declared is None:
            to_do = "give its prototype by `ccall`, or a `header`"
            end = did_you_mean(name, dir(self), otherwise=to_do)
            raise SymbolError(f"nothing declares `{name}`{end}")
        return str(declared)

    def prototypes(self) -> dict[str, str]:
        """Every function that can be had as an attribute, with its prototype.

        Variants, such as `erff`, are not listed one by one. What a header declares but no ufunc can
        do is left out.
        """
        known = {}
        for name in dir(self):
            with contextlib.suppress(PrototypeError):
                known[name] = self.prototype(name)
        return known

    @property
    def skipped(self) -> list[Skipped]:
        """What of the header no function came of, with lines and reasons."""
        return self._header.skipped

    def __repr__(self) -> str:
        return f"Library({self._name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self._name, self._given_header, self._simd, self._fortran)

    @property
    def _library(self) -> SharedLibrary:
        """The library; opened again where its file has been replaced."""
        return open_library(self._name)

    def _declared(self, name: str) -> Prototype | None:
        """What is known of a name."""
        if name not in self._header:
            return None if self._fortran else standard_prototype(name)
        if not self._fortran:
            return self._header[name]
        return prototype_of(as_fortran(self._header.declared(name)))

    def _has(self, name: str) -> bool:
        """Whether the library can serve a name."""
        if self._only_vectors:
            prototype = self._declared(name)
            return prototype is not None and find_vector(prototype) is not None
        return self._library.has(f"{name}_" if self._fortran else name)

    def _make(self, name: str) -> Function:
        first = parse_prototype(self.prototype(name))
        if not self._has(name):
            self._library.address(first.name)  # says what there is
            raise SymbolError(f"`{self._library.loaded_as}` has no function `{name}`.")
        found = [first, *([] if self._fortran else self._relatives(name, first))]
        variants: dict[str, Recipe] = {}
        for prototype in found:
            key = _key(prototype)
            if key == "f" and len(found) > 1 and self._serves_half(prototype):
                variants.setdefault("e", self._recipe(prototype.name, [prototype], half=True))
            variants.setdefault(key, self._recipe(prototype.name, [prototype]))
        whole = self._recipe(name, found, half="e" in variants)
        return Function(self, name, variants, whole)

    def _relatives(self, name: str, first: Prototype) -> list[Prototype]:
        """The same function for other number types, as far as library and compiler have them."""
        found = []
        bases = [(name, "fg")]
        if name not in self._header and (partner := complex_name(name)):
            bases.append((partner, "dfg"))
        for base, reals in bases:
            text = str(first) if base == name else base_text(base)
            for real in reals:
                found += self._relative(text, base, real=real)
        return found

    def _relative(self, text: str | None, base: str, *, real: str) -> list[Prototype]:
        """One variant, as a list of one or none."""
        if text is None or "double" not in text:
            return []
        name, expected_text = variant(text, base, real=real)
        expected = parse_prototype(expected_text)
        with contextlib.suppress(PrototypeError):  # a header may mean something else by that name
            if self._declared(name) == expected and self._has(name) and has_loop(expected):
                return [expected]
        return []

    def _serves_half(self, prototype: Prototype) -> bool:
        return not self._simd and set(prototype.inputs + prototype.outputs) == {"f"}

    def _recipe(self, name: str, prototypes: list[Prototype], *, half: bool = False) -> Recipe:
        texts = tuple(map(str, prototypes))
        return Recipe(name, self._name, texts, half=half, simd=self._simd)


def _key(prototype: Prototype) -> str:
    """The number type that tells variants apart: of the first input that is no integer."""
    floating = [char for char in prototype.inputs if np.dtype(char).kind in "fc"]
    return (floating or list(prototype.inputs))[0]


def _read(header: str | Path | None) -> Header:
    """The functions that a header declares; none without one."""
    if isinstance(header, Path):
        text = header.read_text("utf-8", "replace")
        return Header(text, folder=header.resolve().parent)
    return Header(header or "")


def _reopened(
    name: str,
    header: str | Path | None,
    simd: bool,  # noqa: FBT001 - called by pickle
    fortran: bool,  # noqa: FBT001 - as above
) -> Library:
    return Library(name, header=header, simd=simd, fortran=fortran)
