"""`ccall`: a C function of a shared library, as a NumPy ufunc, in one line."""

import os
from collections.abc import Mapping
from typing import Any

from libufunc.addresses import is_address, name_of_address
from libufunc.arrays import Arrays
from libufunc.building import Recipe, build, require_vector
from libufunc.errors import PrototypeError
from libufunc.fixed_values import fixed_values
from libufunc.plans import ERRORS
from libufunc.platforms import full_name
from libufunc.probing import probe
from libufunc.prototypes import Prototype, julia_prototype, parse_prototype

Name = str | tuple[str, str | os.PathLike[str]]


def ccall(  # noqa: PLR0913 - the last five are options that few calls need
    function: Name,
    library: Any = None,
    result: Any = None,
    arguments: Any = None,
    *values: Any,
    signature: str = "",
    fixed: Mapping[str | int, Any] | None = None,
    errors: str = "",
    check: bool = False,
    simd: bool = False,
) -> Any:
    """Make a ufunc of a C function.

    >>> erf = ccall("double erf(double)", "m")
    >>> erf([0.0, 0.5, 1.0])
    array([0.        , 0.52049988, 0.84270079])

    Julia's form gives the same ufunc:

    >>> from numpy import float64
    >>> ccall("erf", "m", float64, (float64,)) is erf
    True

    So does Julia's own spelling; numbers that follow are what the function is called with:

    >>> ccall(("erf", "libm"), float64, (float64,)) is erf
    True
    >>> float(ccall(("erf", "libm"), float64, (float64,), 0.5))
    0.5204998778130465

    Args:
        function: The prototype in C; or the bare name, with `result` and `arguments`. A pointer
            that is not `const` becomes one more output, of one value. The prototype must be right:
            but for the C library's own functions nothing can tell, and a wrong one may crash. Or a
            tuple of name and library; then the types follow it.
        library: Short name, such as `m`, or path. Or the function itself: its address, or what
            ctypes, cffi, numba's `cfunc` or Cython's `__pyx_capi__` has for it.
        result: Dtype of the result, in Julia's form.
        arguments: Tuple of the arguments' dtypes, in Julia's form.
        values: What to call it with at once.
        signature: Which parameters are arrays, as NumPy writes it for generalised ufuncs:
            `(n)->()`. An integer parameter of the name `n` is given the length. Pointers to `const`
            are inputs, others outputs, but for those that the signature needs as inputs.
        fixed: Values that stay the same, by name or position (from 0) of the parameter: numbers,
            and, for pointers, `None`, arrays, `bytes` and objects of ctypes or cffi.
        errors: What becomes of a C++ exception, and of an error of GSL: `"nan"` makes the outputs
            NaN and the call invalid, as `numpy.errstate` has it; `"raise"` raises `CalledError`.
            Left empty, a C++ exception ends the process, and GSL's functions return what they do.
        check: Try the function in a child process first, on ordinary and on odd numbers, and raise
            if that does not survive. Costs about 0.3 s.
        simd: Take the vector function of glibc's libmvec: several times quicker, up to 4 ULP wrong.

    Returns:
        The ufunc, a `numpy.ufunc`; the same call gives the same object. With `values`, what it
        gives for them.

    Raises:
        PrototypeError: The prototype is no C, needs what a ufunc cannot do, or contradicts the C
            library.
        LibraryNotFoundError: The library cannot be loaded.
        SymbolError: The library does not have the function, or not in the form asked for.
        NoLoopError: NumPy has no loop for these types, and no compiler is installed.
        ProbeError: With `check`, the function did not survive.

    Cost: about 0.1 ms, once; importing the reader of prototypes adds 40 ms to the first.
    """
    if isinstance(function, tuple):
        values = (arguments, *values) if arguments is not None else values
        (function, library), result, arguments = _pair(function), library, result
    if library is None:
        raise PrototypeError(
            f"`{function}` is given without a library; name it, as in `ccall({function!r}, 'm')`."
        )
    if errors not in ERRORS:
        raise PrototypeError(f"`errors` is {errors!r}, but 'nan' or 'raise' was expected.")
    if errors == "nan" and signature:
        raise PrototypeError("`errors='nan'` is for numbers; with `signature`, give 'raise'.")
    values_fixed = fixed_values(fixed)
    arrays = Recipe("", "", (), signature=signature, fixed=values_fixed).arrays
    prototype = _prototype(function, result, arguments, arrays)
    if is_address(library):
        name = name_of_address(library, prototype.function)
    else:
        name = full_name(library)
    if check and (signature or fixed or is_address(library)):
        raise PrototypeError(
            "`check` tries functions of a library that take numbers alone; leave it out with "
            "`signature`, `fixed` or an address."
        )
    if check:
        probe(prototype, name)
    if simd:
        require_vector(prototype)
    recipe = Recipe(
        prototype.name,
        name,
        (str(prototype),),
        simd=simd,
        signature=signature,
        fixed=values_fixed,
        errors=errors,
    )
    ufunc = build(recipe, (prototype,))
    return ufunc(*values) if values else ufunc


def _pair(function: tuple[Any, ...]) -> tuple[str, Any]:
    """Name and library of Julia's tuple."""
    if len(function) != 2 or not isinstance(function[0], str):  # noqa: PLR2004 - a pair
        raise PrototypeError(
            f"`{function!r}` is no pair of a name and a library; write `('erf', 'libm')`."
        )
    return function


def _prototype(function: str, result: Any, arguments: Any, arrays: Arrays) -> Prototype:
    """The prototype of either form."""
    if not isinstance(function, str):
        raise PrototypeError(
            f"the function is given as {function!r}, but a prototype in C or a name was expected."
        )
    if "(" in function:
        if result is not None or arguments is not None:
            raise PrototypeError(
                f"`{function}` is a whole prototype; leave out the types that follow it."
            )
        return parse_prototype(function, arrays)
    if result is None or arguments is None:
        raise PrototypeError(
            f"`{function}` is a bare name; give a prototype such as `double {function}(double)`, "
            "or the types of result and arguments."
        )
    return julia_prototype(function, result, arguments)
