"""Times a function of libm by every way there is to call it from Python, in one run.

Each round calls every way once, so that whatever disturbs the machine disturbs all of them; the
best round counts. Ways that work on arrays write to an array that is there already, as does the
loop in C that they are measured by; so what is compared is the calling.
"""

import ctypes
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from libufunc import c_loops
from libufunc.building import make_slots
from libufunc.declarations import standard_prototype
from libufunc.errors import PrototypeError, SymbolError
from libufunc.library import Library
from libufunc.plans import FUNCTION, Plan
from libufunc.prototypes import Prototype
from libufunc.symbols import open_library
from libufunc.threads import threaded
from libufunc.vectors import find_vector

SIZE, ROUNDS, THREADS = 100_000, 15, 2
SLOW_SHARE = 50  # part of the array that ways of one call an element get
SCALAR_CALLS = 2_000
C_LOOP = "C loop, compiled"
_RANGES = {  # where the functions are neither constant nor undefined; others get the last
    "acos": (-1, 1),
    "asin": (-1, 1),
    "atanh": (-1, 1),
    "acosh": (1, 20),
    "erf": (-3, 3),
    "erfc": (-3, 3),
    "": (0.1, 20),
}
_DEFAULT_RANGE = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One way to call one function.

    Attributes:
        function: Its name.
        way: How it was called.
        ns: Nanoseconds an element of an array.
        scalar_ns: Nanoseconds of one call with Python's floats; `None` where that makes no sense.
        of_c_loop: `ns` as a multiple of that of a loop compiled by the machine's C compiler; `None`
            where there is none.
    """

    function: str
    way: str
    ns: float
    scalar_ns: float | None
    of_c_loop: float | None


@dataclass(frozen=True, slots=True)
class _Way:
    """How to call: on arrays, `run(size)`, and on numbers, `one(*numbers)`."""

    name: str
    run: Callable[[], object]
    size: int
    one: Callable[..., object] | None


def bench(names: Sequence[str], *, size: int = SIZE, rounds: int = ROUNDS) -> list[Row]:
    """Time functions of libm.

    Args:
        names: Such as `erf`; functions of `double` only.
        size: Elements of an array.
        rounds: How often each way is timed.

    Returns:
        A row for each function and each way that is installed.

    Raises:
        SymbolError: Nothing declares a function of that name, or libm lacks it.
        PrototypeError: It takes or gives something else than `double`.
    """
    return [row for name in names for row in _bench_one(name, size=size, rounds=rounds)]


def _bench_one(name: str, *, size: int, rounds: int) -> Iterator[Row]:
    prototype = standard_prototype(name)
    if prototype is None:
        raise SymbolError(f"nothing declares `{name}`; give a function of C's mathematics.")
    if set(prototype.inputs + prototype.outputs) != {"d"} or len(prototype.outputs) != 1:
        raise PrototypeError(f"`{prototype}` is not of `double` only, which is all that is timed.")
    low, high = _RANGES.get(name, _RANGES[_DEFAULT_RANGE])
    generator = np.random.default_rng(0)
    inputs = [generator.uniform(low, high, size) for _ in prototype.inputs]
    ways = list(_ways(prototype, inputs, np.empty(size)))
    best = {way.name: math.inf for way in ways}
    for way in ways:
        way.run()  # compiles, where it does
    for _, way in itertools.product(range(rounds), ways):
        best[way.name] = min(best[way.name], _seconds(way.run) / way.size)
    numbers = [float(x[0]) for x in inputs]
    loop = best.get(C_LOOP)
    for way in ways:
        yield Row(
            function=name,
            way=way.name,
            ns=1e9 * best[way.name],
            scalar_ns=_scalar_ns(way.one, numbers, rounds=rounds) if way.one else None,
            of_c_loop=best[way.name] / loop if loop else None,
        )


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _scalar_ns(one: Callable[..., object], numbers: list[float], *, rounds: int) -> float:
    """Nanoseconds of one call, the loop around it taken off."""

    def calls() -> None:
        for _ in range(SCALAR_CALLS):
            one(*numbers)

    def nothing() -> None:
        for _ in range(SCALAR_CALLS):
            pass

    timed = [(_seconds(calls), _seconds(nothing)) for _ in range(rounds)]
    return 1e9 * (min(a for a, _ in timed) - min(b for _, b in timed)) / SCALAR_CALLS


def _ways(prototype: Prototype, inputs: list[np.ndarray], out: np.ndarray) -> Iterator[_Way]:
    """Every way that this machine has."""
    name, size = prototype.name, out.size
    ufunc = getattr(Library("m"), name)[np.float64]
    yield _Way("libufunc", lambda: ufunc(*inputs, out=out), size, ufunc)
    in_parts = threaded(ufunc, threads=THREADS)
    yield _Way(f"libufunc, {THREADS} threads", lambda: in_parts(*inputs, out=out), size, None)
    if find_vector(prototype):
        vector = getattr(Library("m", simd=True), name)[np.float64]
        yield _Way("libufunc, SIMD", lambda: vector(*inputs, out=out), size, vector)
    if c_loops.is_installed():
        yield _Way(C_LOOP, _c_loop(prototype, inputs, out), size, None)
    for package, module in (("numpy", np), ("scipy.special", _module("scipy.special"))):
        other = getattr(module, name, None)
        if isinstance(other, np.ufunc):
            yield _Way(package, lambda f=other: f(*inputs, out=out), size, other)
    if find_spec("numba"):
        yield _numba(prototype, inputs, out)
    yield from _jax(name, inputs)
    yield from _one_by_one(prototype, inputs)


def _module(name: str) -> Any:
    """A module, or `None` where it is not installed."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _c_loop(
    prototype: Prototype, inputs: list[np.ndarray], out: np.ndarray
) -> Callable[[], object]:
    """The bare loop in C, without NumPy."""
    loop = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)(
        c_loops.compile_loop(Plan(prototype, prototype.inputs))
    )
    arrays = [*inputs, out]
    bases = (ctypes.c_void_p * len(arrays))(*(x.ctypes.data for x in arrays))
    steps = (ctypes.c_ssize_t * len(arrays))(*(x.itemsize for x in arrays))
    length = ctypes.c_ssize_t(out.size)
    slots = make_slots({FUNCTION: open_library("m").address(prototype.name)})
    return lambda: loop(bases, ctypes.byref(length), steps, slots)


def _numba(prototype: Prototype, inputs: list[np.ndarray], out: np.ndarray) -> _Way:
    """A loop over the same C function, compiled by numba."""
    import numba

    function = _with_types(prototype)
    arguments = [f"x{k}" for k in range(len(inputs))]
    # numba compiles Python; how many arguments there are must be in its text.
    text = (
        f"def loop({', '.join(arguments)}, out):\n"
        "    for i in range(out.size):\n"
        f"        out[i] = function({', '.join(f'{x}[i]' for x in arguments)})\n"
        f"def one({', '.join(arguments)}):\n"
        f"    return function({', '.join(arguments)})\n"
    )
    space: dict[str, Any] = {"function": function}
    exec(text, space)  # noqa: S102 - the text above, nothing of the caller's
    compiled: Any = numba.njit
    loop, one = compiled(space["loop"]), compiled(space["one"])
    one(*(float(x[0]) for x in inputs))
    return _Way("numba", lambda: loop(*inputs, out), out.size, one)


def _jax(name: str, inputs: list[np.ndarray]) -> Iterator[_Way]:
    """JAX's own function of that name, in double precision."""
    if not (jax := _module("jax")):
        return
    other = getattr(jax.scipy.special, name, None) or getattr(jax.numpy, name, None)
    if other is None:
        return
    compiled = jax.jit(other)
    with jax.enable_x64(True):  # noqa: FBT003 - JAX's own interface
        arrays = [jax.numpy.asarray(x) for x in inputs]

    def run(*given: Any) -> Any:
        with jax.enable_x64(True):  # noqa: FBT003 - as above
            return compiled(*given).block_until_ready()

    yield _Way("JAX", lambda: run(*arrays), inputs[0].size, run)


def _one_by_one(prototype: Prototype, inputs: list[np.ndarray]) -> Iterator[_Way]:
    """The ways that call for one element a time."""
    name, size = prototype.name, max(1, inputs[0].size // SLOW_SHARE)
    few = [x[:size] for x in inputs]
    lists = [x.tolist() for x in few]
    by_ctypes = _with_types(prototype)
    ways: dict[str, Callable[..., float] | None]
    ways = {"ctypes": by_ctypes, "cffi": _by_cffi(prototype), "math": getattr(math, name, None)}
    vectorized = np.vectorize(by_ctypes, otypes=[float])
    yield _Way("np.vectorize over ctypes", lambda: vectorized(*few), size, None)
    for way, function in ways.items():
        if function is not None:
            yield _Way(f"{way}, a list", lambda f=function: list(map(f, *lists)), size, function)


def _with_types(prototype: Prototype) -> Callable[..., float]:
    """The function by ctypes, an object of its own: types are set on it."""
    function = open_library("m").cdll[prototype.name]
    function.argtypes = [ctypes.c_double] * len(prototype.inputs)
    function.restype = ctypes.c_double
    return function


def _by_cffi(prototype: Prototype) -> Any:
    """The function by cffi without a compiler; `None` where cffi is not installed."""
    cffi = _module("cffi")
    if cffi is None:
        return None
    builder = cffi.FFI()
    builder.cdef(f"{prototype};")
    return getattr(builder.dlopen(open_library("m").loaded_as), prototype.name)
