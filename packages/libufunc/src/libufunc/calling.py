"""`ccall`: a C function of a shared library, as a NumPy ufunc, in one line."""

import os
from typing import Any

import numpy as np

from libufunc.building import Recipe, build, require_vector
from libufunc.errors import PrototypeError
from libufunc.platforms import full_name
from libufunc.probing import probe
from libufunc.prototypes import Prototype, julia_prototype, parse_prototype


def ccall(
    function: str,
    library: str | os.PathLike[str],
    result: Any = None,
    arguments: Any = None,
    *,
    check: bool = False,
    simd: bool = False,
) -> np.ufunc:
    """Make a ufunc of a C function.

    >>> erf = ccall("double erf(double)", "m")
    >>> erf([0.0, 0.5, 1.0])
    array([0.        , 0.52049988, 0.84270079])

    Julia's form gives the same ufunc:

    >>> from numpy import float64
    >>> ccall("erf", "m", float64, (float64,)) is erf
    True

    Args:
        function: The prototype in C; or the bare name, with `result` and `arguments`. A pointer
            that is not `const` becomes one more output, of one value. The prototype must be right:
            but for the C library's own functions nothing can tell, and a wrong one may crash.
        library: Short name, such as `m`, or path.
        result: Dtype of the result, in Julia's form.
        arguments: Tuple of the arguments' dtypes, in Julia's form.
        check: Try the function in a child process first, on ordinary and on odd numbers, and raise
            if that does not survive. Costs about 0.3 s.
        simd: Take the vector function of glibc's libmvec: several times quicker, up to 4 ULP wrong.

    Returns:
        The ufunc. The same call gives the same object.

    Raises:
        PrototypeError: The prototype is no C, needs what a ufunc cannot do, or contradicts the C
            library.
        LibraryNotFoundError: The library cannot be loaded.
        SymbolError: The library does not have the function, or not in the form asked for.
        NoLoopError: NumPy has no loop for these types, and no compiler is installed.
        ProbeError: With `check`, the function did not survive.

    Cost: about 0.1 ms, once; importing the reader of prototypes adds 40 ms to the first.
    """
    prototype = _prototype(function, result, arguments)
    name = full_name(library)
    if check:
        probe(prototype, name)
    if simd:
        require_vector(prototype)
    recipe = Recipe(prototype.name, name, (str(prototype),), simd=simd)
    return build(recipe, (prototype,))


def _prototype(function: str, result: Any, arguments: Any) -> Prototype:
    """The prototype of either form."""
    if "(" in function:
        if result is not None or arguments is not None:
            raise PrototypeError(
                f"`{function}` is a whole prototype; leave out the types that follow it."
            )
        return parse_prototype(function)
    if result is None or arguments is None:
        raise PrototypeError(
            f"`{function}` is a bare name; give a prototype such as `double {function}(double)`, "
            "or the types of result and arguments."
        )
    return julia_prototype(function, result, arguments)
