"""Makes ufuncs, keeps alive what they point to, and lets them be pickled.

A ufunc holds bare pointers to its loops, their data, its name and its docstring. All of that is
kept for the rest of the process, as the library is; so equal recipes give the same ufunc, and a
program that asks for one in a loop does not grow.

Pickling: NumPy pickles a ufunc by its name, to be looked up in a module, which these are in none
of. So the entry for `numpy.ufunc` in `copyreg`, Python's table for exactly this, is replaced once
the first ufunc is made: it gives the recipe for ufuncs from here, and asks NumPy's own entry for
every other.
"""

import contextlib
import copyreg
import ctypes
import functools
import operator
import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from libufunc import c_loops, llvm_loops
from libufunc.addresses import MARK
from libufunc.arrays import FIRST_SLOT, Arrays
from libufunc.c_library import check_c_library
from libufunc.called_errors import GSL_FLAG, called_error, keep_gsl_from_aborting
from libufunc.errors import NoLoopError, OutOfRangeError, SymbolError
from libufunc.fixed_values import Fixed, slot_bytes
from libufunc.numpy_api import Loop, generic_loop, make_ufunc
from libufunc.plans import CALLED_ERROR, FLAG, FUNCTION, REFUSAL, SLOT_BYTES, Plan, plans_for
from libufunc.prototypes import Prototype, parse_prototype
from libufunc.strings import StringFunction
from libufunc.symbols import SharedLibrary, open_library
from libufunc.vectors import ACCURACY, find_vector

# Through `float`, NumPy has loops for these as well.
_HALVES = {"f->f": "e->e", "ff->f": "ee->e"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that makes a ufunc, in words that hold on another machine too.

    Attributes:
        name: What the ufunc is called.
        library: As the caller named it.
        prototypes: In C, one for each function; the first is what small integers become.
        half: Whether `float` functions serve float16 arrays as well.
        simd: Whether vector functions of libmvec take the place of those that have one.
        signature: Dimensions of arrays, as NumPy writes them; empty for numbers alone.
        fixed: Values that stay the same.
        errors: What becomes of errors within the function.
    """

    name: str
    library: str
    prototypes: tuple[str, ...]
    half: bool = False
    simd: bool = False
    signature: str = ""
    fixed: tuple[Fixed, ...] = ()
    errors: str = ""

    @property
    def arrays(self) -> Arrays:
        """What the recipe adds to its prototypes."""
        return Arrays(self.signature, tuple((one.name, one.is_number) for one in self.fixed))


Made = np.ufunc | StringFunction

_lock = threading.RLock()
_made: dict[tuple[Recipe, int], Made] = {}
_recipes: dict[Any, Recipe] = {}
_alive: list[Any] = []
_pickle_others: list[Callable[[np.ufunc], Any]] = []


def build(recipe: Recipe, parsed: tuple[Prototype, ...] | None = None) -> Made:
    """Make the ufunc of a recipe, or hand out the one made before.

    Args:
        recipe: What to make.
        parsed: Its prototypes, where the caller has them already.

    Returns:
        The ufunc; or, for a function that takes strings, what stands before it.

    Raises:
        LibufuncError: The library, a symbol or a way to call it is missing.
    """
    with _lock:
        library = open_library(recipe.library)
        key = (recipe, library.handle)
        if key not in _made:
            prototypes = parsed or tuple(
                parse_prototype(text, recipe.arrays) for text in recipe.prototypes
            )
            loops = [loop for one in prototypes for loop in _loops_of(one, recipe, library)]
            doc = _docstring(recipe, library.loaded_as)
            ufunc, buffers = make_ufunc(recipe.name, doc, loops, signature=recipe.signature)
            _alive.append((ufunc, buffers, library))
            with contextlib.suppress(AttributeError):  # NumPy 1 and 2.0 take no attributes
                setattr(ufunc, "jax", functools.partial(for_jax, ufunc))  # noqa: B010 - no type knows it
            places = prototypes[0].string_inputs
            made = StringFunction(ufunc, places) if places else ufunc
            _recipes[made] = recipe
            _made[key] = made
            _register_pickling()
        return _made[key]


def for_jax(ufunc: Any, *, derivative: Any = None) -> Any:
    """The function of a ufunc for JAX, as `libufunc.jax.jax_function` makes it."""
    from libufunc.jax import jax_function

    return jax_function(ufunc, derivative=derivative)


def recipe_of(ufunc: Any) -> Recipe | None:
    """How a ufunc was made; `None` for one that is not from here."""
    return _recipes.get(ufunc)


def compiled_loop(plan: Plan) -> int:
    """Address of a loop, by LLVM where it is installed, else by a C compiler.

    Raises:
        NoLoopError: Neither is here, or neither could.
    """
    reason = "neither is installed"
    if llvm_loops.is_installed():
        try:
            return llvm_loops.compile_loop(plan)
        except NoLoopError as error:
            reason = str(error)
    if c_loops.is_installed():
        return c_loops.compile_loop(plan)
    raise NoLoopError(
        f"NumPy has no loop for `{plan.prototype}`; install `libufunc[numba]`, or `libufunc[cffi]` "
        f"beside a C compiler, to have one made ({reason})."
    )


def has_loop(prototype: Prototype) -> bool:
    """Whether arrays can be passed to such a function here; compiles a loop where one is needed."""
    types = f"{prototype.inputs}->{prototype.outputs}"
    if prototype.is_plain and generic_loop(types, types) is not None:
        return True
    try:
        return all(compiled_loop(plan) for plan in plans_for(prototype))
    except NoLoopError:
        return False


def _loops_of(prototype: Prototype, recipe: Recipe, library: SharedLibrary) -> list[Loop]:
    """The loops by which one C function serves arrays."""
    vector = find_vector(prototype) if recipe.simd else None
    if vector is not None:
        vectors, symbol, shape = vector
        plan = Plan(prototype, prototype.inputs, shape)
        return [_compiled(plan, vectors.address(symbol))]
    address = library.address(prototype.name)
    check_c_library(prototype.function, address)
    types = f"{prototype.inputs}->{prototype.outputs}"
    keep_gsl_from_aborting(library)
    is_plain = prototype.is_plain and not recipe.errors
    generic = generic_loop(types, types) if is_plain else None
    if generic is None:
        plans = plans_for(prototype, recipe.errors)
        return [_compiled(plan, address, recipe.fixed) for plan in plans]
    loops = [Loop(types, generic, address)]
    half = generic_loop(_HALVES.get(types, ""), types)
    if recipe.half and half is not None:
        loops.append(Loop(_HALVES[types], half, address))
    return loops


def _compiled(plan: Plan, address: int, fixed: tuple[Fixed, ...] = ()) -> Loop:
    """A compiled loop, with the block of slots that it reads."""
    values: dict[int, int | bytes]
    values = {
        FUNCTION: address,
        REFUSAL: id(_refusal(str(plan.prototype))),
        CALLED_ERROR: id(called_error),
        FLAG: ctypes.addressof(GSL_FLAG),
    }
    for parameter in plan.prototype.parameters:
        if parameter.way == "fixed":
            values[parameter.index] = slot_bytes(fixed[parameter.index - FIRST_SLOT], parameter)
    slots = make_slots(values)
    _alive.append(slots)
    return Loop(plan.types, compiled_loop(plan), ctypes.addressof(slots))


def make_slots(values: dict[int, int | bytes]) -> ctypes.Array[ctypes.c_char]:
    """The block that a compiled loop gets: an address in each slot.

    Args:
        values: By slot, from 0, an address or what stands there.
    """
    block = ctypes.create_string_buffer(SLOT_BYTES * (max(values) + 2))
    for slot, value in values.items():
        held = bytes(ctypes.c_void_p(value)) if isinstance(value, int) else value
        ctypes.memmove(ctypes.addressof(block) + SLOT_BYTES * slot, held, len(held))
    return block


@cache
def _refusal(prototype: str) -> type[OutOfRangeError]:
    """The exception for integers that do not fit into a function's parameters.

    A loop sets it by its class alone, so that the class has to know the message. It stays for ever.
    """

    def say(_: OutOfRangeError) -> str:
        return (
            f"an integer in the arguments does not fit into the C type that `{prototype}` takes; "
            "nothing was computed from there on: pass integers within the range of that type."
        )

    return type("OutOfRangeError", (OutOfRangeError,), {"__str__": say, "__module__": "libufunc"})


def _docstring(recipe: Recipe, loaded_as: str) -> str:
    first, *others = recipe.prototypes
    lines = [f"C function of the library `{loaded_as}`.", "", f"Prototype: `{first}`"]
    lines += [f"Also: `{other}`" for other in others]
    if recipe.signature:
        lines += ["", f"Signature: `{recipe.signature}`"]
    if recipe.simd:
        lines += ["", f"By libmvec where it has the function, {ACCURACY}."]
    return "\n".join(lines)


def _register_pickling() -> None:
    """Teach `copyreg` once; what stood there serves all other ufuncs as before."""
    if not _pickle_others:
        # Without an entry, pickle would get the name too: that is NumPy's rule.
        by_name = operator.attrgetter("__name__")
        _pickle_others.append(copyreg.dispatch_table.get(np.ufunc, by_name))
        copyreg.pickle(np.ufunc, _reduce)
        copyreg.pickle(StringFunction, _reduce)


def _reduce(ufunc: Any) -> Any:
    """What pickle stores of a ufunc."""
    recipe = recipe_of(ufunc)
    if recipe is None:
        return _pickle_others[0](ufunc)
    if recipe.library.startswith(MARK) or not all(one.is_number for one in recipe.fixed):
        raise pickle.PicklingError(
            f"`{recipe.name}` is made of an address, which means nothing in another process."
        )
    return build, (recipe,)


def require_vector(prototype: Prototype) -> None:
    """Refuse a function that has no vector form on this machine.

    Raises:
        SymbolError: There is none.
    """
    if find_vector(prototype) is None:
        raise SymbolError(
            f"libmvec has no vector form of `{prototype}` for this processor; leave `simd` out."
        )
