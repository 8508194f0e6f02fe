"""Compiled programs on disk, under what they compute: loaded without being traced.

JAX finds a program on disk by its operations, so it first traces and lowers it. For the loop of a
method, that is most of what a process pays whose programs are all on disk. But what a loop computes
follows from thalweg's source, the settings of the method, the shapes, and the trace of the
problem's functions, and a run has those before it compiles anything.

    ~/.cache/thalweg/compiled/PROCESSOR/thalweg_KEY-program

A trace does not tell everything. It shows neither the derivatives of functions that bring their own
rules nor what a callback does, so problems with such functions are compiled the usual way. So is
whatever is not kept in thalweg's own folder.

Decision: docs/decisions/0033-compiled-programs-on-disk.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import pickle
import re
import sys
import threading
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.extend
import numpy as np
from jaxlib.version import __version__ as jaxlib_version

from thalweg._util.files import whole_file
from thalweg._util.symmetric_product import TARGET, is_callable
from thalweg.compilation_cache import own_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

ATOMS = (int, float, str, bool, type(None))
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
HASH_BYTES = hashlib.sha256().digest_size
QUICKEST = 1  # level of compression: half of the size, in the time that it takes to read it
# Of these, a trace does not show the derivatives.
OPAQUE = ("custom_vjp_call", "custom_lin")
CALLED = re.compile(r'custom_call_target="([^"]*)"')
LAPACK = "lapack_"
SUFFIX = "-program"
HIT = "/jax/compilation_cache/cache_hits"
# They say where and how much is kept, not what is computed.
IRRELEVANT = ("jax_compilation_cache_", "jax_persistent_cache_", "jax_log")


class _UnknownError(Exception):
    """Something whose text does not tell what it does."""


def identity_of(kind: str, facts: Callable[[], Hashable], traced: Iterable[Any]) -> str | None:
    """A text that is the same in all processes in which functions compute the same.

    Args:
        kind: What is made of the functions.
        facts: Returns all else that programs depend on, as text, numbers and tuples of them.
        traced: The functions, as `jax.make_jaxpr` returned them. Their fingerprints are among the
            facts.

    Returns:
        The text, or None where it cannot tell, or programs are not kept.
    """
    if own_folder() is None or not all(_is_told(each.jaxpr) for each in traced):
        return None
    return ADDRESS.sub("", f"{kind} {facts()!r}")


def load_or_compile(
    identity: str | None,
    name: Hashable,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    *,
    jit: Callable[..., Any],
    options: dict[str, Any] | None = None,
) -> Any:
    """The program of a function, compiled, or loaded where an earlier process compiled it.

    Args:
        identity: What the functions compute that it is made of; see `identity_of`.
        name: What tells it from others of that identity: texts, numbers, methods.
        function: The function. Pure.
        arguments: Example arguments, which fix shapes and dtypes.
        jit: `jax.jit`, or the like.
        options: Options for the compiler.
    """
    path = None if identity is None else _path(identity, name, arguments, options)
    if path is None:
        return jit(function).lower(*arguments).compile(options)
    program = _load(path, arguments)
    if program is None:
        hits = _hits()
        program = jit(_named(function, _name(path))).lower(*arguments).compile(options)
        if _hits() == hits:  # XLA cannot write what it has read
            _save(path, program)
    return program


def _named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function under a name, which is part of that of JAX's own entry on disk."""

    def named(*arguments: Any) -> Any:
        return function(*arguments)

    named.__name__ = named.__qualname__ = name
    return named


_seen = threading.local()  # the programs that JAX has found on disk, by thread


@functools.cache
def _listen() -> None:
    def listener(event: str, **_: Any) -> None:
        if event == HIT:
            _seen.hits = getattr(_seen, "hits", 0) + 1

    jax.monitoring.register_event_listener(listener)


def _hits() -> int:
    """How many programs JAX has found on disk in this thread."""
    _listen()
    return getattr(_seen, "hits", 0)


# ------------------------------------------------------------------------------------ what is told


@functools.cache
def _known() -> frozenset[Any]:
    """JAX's own operations, whose derivatives are JAX's own too."""
    from jax.extend.core import primitives

    named = {name: value for name, value in vars(primitives).items() if name.endswith("_p")}
    return frozenset(each for each in named.values() if each.name not in OPAQUE)


def _is_told(jaxpr: Any) -> bool:
    """Whether a trace tells all that a function computes, its derivatives included."""
    if jaxpr.effects:
        return False
    for equation in jaxpr.eqns:
        if equation.primitive not in _known():
            return False
        if equation.primitive.name == "custom_jvp_call" and not _is_of_jax(equation):
            return False
        if not all(map(_is_told, jax.extend.core.jaxprs_in_params(equation.params))):
            return False
    return True


def _is_of_jax(equation: Any) -> bool:
    """Whether a function with a rule for its derivative, such as relu, is one of JAX."""
    inner = getattr(equation.params.get("call_jaxpr"), "jaxpr", None)
    file = getattr(getattr(inner, "debug_info", None), "func_filename", None)
    return file is not None and Path(jax.__file__).parent in Path(file).parents


def _text(value: Any) -> str:
    """The name of a program as text.

    Raises:
        _UnknownError: A part of it is neither text, a number, nor one of thalweg's own methods.
    """
    if isinstance(value, ATOMS):
        return repr(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))})"
    kind = type(value)
    if dataclasses.is_dataclass(kind) and kind.__module__.startswith("thalweg."):
        fields = (f"{f.name}={_text(getattr(value, f.name))}" for f in dataclasses.fields(kind))
        return f"{kind.__module__}.{kind.__qualname__}({', '.join(fields)})"
    raise _UnknownError


# ------------------------------------------------------------------------------------------- where


def _path(
    identity: str, name: Hashable, arguments: tuple[Any, ...], options: dict[str, Any] | None
) -> Path | None:
    """The file of a program; None where it cannot be told from others, or is not kept."""
    folder = own_folder()
    if folder is None or jax.device_count() > 1:
        return None
    try:
        named, settings = _text(name), repr(_configuration())
    except (_UnknownError, AttributeError):  # the latter where a version of JAX hides its settings
        return None
    leaves, structure = jax.tree.flatten(arguments)
    parts = (
        identity,
        named,
        settings,
        ADDRESS.sub("", str(structure)),
        *map(_kind_of, leaves),
        repr(sorted((options or {}).items())),
        _surroundings(),
    )
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return folder / f"thalweg_{digest[:32]}{SUFFIX}"


def _name(path: Path) -> str:
    """What the program in a file is called, also by JAX."""
    return path.name.removesuffix(SUFFIX)


def _kind_of(leaf: Any) -> str:
    """The type of an argument, and where it lies if it was put there."""
    kind = jax.typeof(leaf)
    place = leaf.sharding if isinstance(leaf, jax.Array) and leaf.committed else ""
    return f"{kind.str_short()} {getattr(kind, 'weak_type', False)} {place}"


def _configuration() -> list[tuple[str, str]]:
    """JAX's settings, as this thread has them."""
    names = (name for name in jax.config.values if not name.startswith(IRRELEVANT))
    return sorted((name, str(getattr(jax.config, name, ""))) for name in names)


@functools.cache
def _surroundings() -> str:
    """All else that a program depends on. Cost: reads thalweg's source, once a process."""
    source = hashlib.sha256()
    root = Path(__file__).parents[1]
    for file in sorted(root.rglob("*.py")):
        source.update(f"{file.relative_to(root)}\n".encode())
        source.update(file.read_bytes())
    device = jax.devices()[0]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return " ".join(
        [
            source.hexdigest(),
            f"Python {sys.version}, JAX {jax.__version__}, jaxlib {jaxlib_version}",
            f"{device.platform} {device.device_kind} {cores}",
            os.environ.get("XLA_FLAGS", ""),
        ]
    )


# -------------------------------------------------------------------------------- reading, writing


def _load(path: Path, arguments: tuple[Any, ...]) -> Any | None:
    """The program in a file; None where there is none, or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, body = content[:HASH_BYTES], content[HASH_BYTES:]
    if hashlib.sha256(body).digest() != digest:  # cut short, as by a full disk
        return None
    from jax.experimental.serialize_executable import deserialize_and_load

    try:
        # Whoever can write to this folder could have any process of the user run their code.
        payload, result, called = pickle.loads(zlib.decompress(body))  # noqa: S301
        if any(target.startswith(LAPACK) for target in called):
            _find_lapack()
        if TARGET in called and not is_callable():
            return None
        taken = jax.tree.structure((arguments, {}))
        return deserialize_and_load(payload, taken, jax.tree.structure(result))
    except Exception:  # noqa: BLE001 - whatever a compiler raises that cannot read it
        return None


def _save(path: Path, program: Any) -> None:
    """Keep a program in the place of JAX's own entry, which stays where that fails."""
    from jax.experimental.serialize_executable import serialize

    with contextlib.suppress(Exception):
        called = set(CALLED.findall(program.as_text()))
        if not all(target.startswith(LAPACK) or target == TARGET for target in called):
            return  # it may be a function that is registered where programs are lowered
        payload, _, structure = serialize(program)
        result = jax.tree.unflatten(structure, range(structure.num_leaves))
        body = zlib.compress(pickle.dumps((payload, result, called)), QUICKEST)
        with whole_file(path) as new:
            new.write_bytes(hashlib.sha256(body).digest() + body)
        for entry in path.parent.glob(f"*{_name(path)}-*-cache"):
            entry.unlink(missing_ok=True)


def _find_lapack() -> None:
    """Look LAPACK up in SciPy, as JAX does where it lowers a call of it; else a call crashes."""
    from jaxlib import lapack

    lapack.prepare_lapack_call("potrf_ffi", np.dtype(np.float64))
