"""Loops compiled by the machine's C compiler, through cffi.

The C compiler knows every type of its own, so all signatures work, complex numbers on every
processor included. A loop takes about a second to compile; it is kept in the cache folder
(`$LIBUFUNC_CACHE`, else `~/.cache/libufunc` or the system's own place for caches) and loaded in
about a millisecond ever after.
"""

import contextlib
import os
import shutil
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path
from typing import Any

from libufunc.errors import NoLoopError
from libufunc.plans import REFUSAL, SLOT_BYTES, Plan, limits
from libufunc.preprocessing import c_compiler
from libufunc.prototypes import Prototype
from libufunc.scalars import SCALARS, Scalar

_HEAD = "void loop(char **args, intptr_t *dims, intptr_t *steps, char *slots)"
_TARGETS = {"b": "sse2", "c": "avx", "d": "avx2", "e": "avx512f"}
# Runs in a process of its own: compilers print, and setuptools changes the folder.
_BUILD = """if True:
    import sys, cffi
    name, folder, declaration = sys.argv[1:]
    builder = cffi.FFI()
    builder.cdef(declaration)
    builder.set_source(name, sys.stdin.read(), extra_compile_args=["-O2"])
    print(builder.compile(tmpdir=folder))
"""
_kept: dict[str, tuple[Any, int]] = {}  # module and address by key of plan
_lock = threading.Lock()


def is_installed() -> bool:
    """Whether cffi, setuptools and a C compiler are here."""
    import importlib.util

    found = all(importlib.util.find_spec(name) for name in ("cffi", "setuptools"))
    return found and _compiler() is not None


def compile_loop(plan: Plan) -> int:
    """Compile a loop, once on a machine.

    Returns:
        Its address, valid for the rest of the process.

    Raises:
        NoLoopError: The compiler failed; the message has the reason.
    """
    with _lock:
        if plan.key not in _kept:
            _kept[plan.key] = _load(write_c(plan))
        return _kept[plan.key][1]


def cache_folder() -> Path:
    """Where compiled loops are kept."""
    if given := os.environ.get("LIBUFUNC_CACHE"):
        return Path(given)
    places = {
        "win32": os.environ.get("LOCALAPPDATA"),
        "darwin": str(Path.home() / "Library/Caches"),
    }
    default = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(places.get(sys.platform) or default) / "libufunc"


def write_c(plan: Plan) -> str:
    """The loop in C.

    Args:
        plan: What to compile.
    """
    return _vector_loop(plan) if plan.vector else _scalar_loop(plan)


_REFUSE = """
static void refuse(char *slots) {
    PyGILState_STATE state = PyGILState_Ensure();
    PyThreadState_SetAsyncExc(PyThread_get_thread_ident(), *(PyObject **)(slots + %d));
    PyGILState_Release(state);
}""".strip()


def _scalar_loop(plan: Plan) -> str:
    prototype = plan.prototype
    kinds, arguments, before, stores = [], [], [], []
    taken, position = 0, len(plan.arrays)
    result = _structure(prototype.results) if prototype.returns_structure else None
    returned = result or (prototype.result.c if prototype.result else "void")
    if prototype.results:
        stores, position = _stores("result", prototype.results, position, members=bool(result))
    for k, parameter in enumerate(prototype.parameters):
        c = _structure(parameter.scalars) if parameter.is_structure else parameter.scalar.c
        kinds.append(c + " *" * (parameter.way != "value"))
        if parameter.is_output:
            before += [f"{c} slot{k};", f"memset(&slot{k}, 0, sizeof slot{k});"]
            arguments.append(f"&slot{k}")
            more, position = _stores(
                f"slot{k}", parameter.scalars, position, members=parameter.is_structure
            )
            stores += more
        else:
            before += [*_read(plan.arrays[taken], parameter.scalar, position=taken)]
            before += [f"{c} a{taken} = ({c})v{taken};"]
            arguments.append(f"{'&' * (parameter.way == 'address')}a{taken}")
            taken += 1
    call = f"f({', '.join(arguments)});"
    operands = range(len(plan.types) - 2)
    signature = f"{returned} (*f)({', '.join(kinds)})"
    cast = signature.replace("(*f)", "(*)")
    return "\n".join(
        [
            "#include <stdint.h>",
            "#include <string.h>",
            *_definitions(prototype),
            _REFUSE % (REFUSAL * SLOT_BYTES),
            f"{_HEAD} {{",
            f"{signature} = *({cast.replace('(*)', '(**)')})slots;",
            *[f"char *p{k} = args[{k}];" for k in operands],
            "for (intptr_t n = dims[0], i = 0; i < n; i++) {",
            *before,
            f"{returned} result = {call}" if prototype.results else call,
            *stores,
            *[f"p{k} += steps[{k}];" for k in operands],
            "}",
            "}",
        ]
    )


def _definitions(prototype: Prototype) -> list[str]:
    """The structures that a prototype names."""
    used = [p.scalars for p in prototype.parameters if p.is_structure]
    used += [prototype.results] if prototype.returns_structure else []
    return [
        f"{_structure(one)} {{ {' '.join(f'{s.c} m{j};' for j, s in enumerate(one))} }};"
        for one in dict.fromkeys(used)
    ]


def _structure(scalars: tuple[Scalar, ...]) -> str:
    """A structure of these members, the same type wherever it is written."""
    tag = "s_" + "_".join(f"{ord(scalar.char):d}" for scalar in scalars)
    return f"struct {tag}"


def _stores(
    place: str, scalars: tuple[Scalar, ...], position: int, *, members: bool
) -> tuple[list[str], int]:
    """Storing of outputs, and the position after them."""
    lines = []
    for j, scalar in enumerate(scalars):
        value = f"{place}.m{j}" if members else place
        lines.append(f"*({scalar.c} *)p{position + j} = {value};")
    return lines, position + len(scalars)


def _read(char: str, scalar: Scalar, *, position: int) -> list[str]:
    """Reading of one input, and the refusal of a wide integer that does not fit."""
    wide = SCALARS[char]
    lines = [f"{wide.c} v{position} = *({wide.c} *)p{position};"]
    if char != scalar.char:
        suffix = "ULL" if wide.kind == "u" else "LL"
        least, greatest = limits(char, scalar)
        outside = [] if least is None else [f"v{position} < {least + 1}{suffix} - 1"]
        outside += [] if greatest is None else [f"v{position} > {greatest}{suffix}"]
        if outside:
            lines.append(f"if ({' || '.join(outside)}) {{ refuse(slots); return; }}")
    return lines


def _vector_loop(plan: Plan) -> str:
    assert plan.vector  # noqa: S101 - the caller has looked
    lanes, real = plan.vector.lanes, SCALARS[plan.arrays[0]].c
    inputs, last = range(len(plan.arrays)), len(plan.arrays)
    operands = range(last + 1)
    kinds = ", ".join("vec" for _ in inputs)
    dense = " && ".join(f"steps[{k}] == sizeof({real})" for k in operands)
    gathered = [f"x{k}[j] = *({real} *)(p{k} + (i + j < n ? j : 0) * steps[{k}]);" for k in inputs]
    return "\n".join(
        [
            "#include <stdint.h>",
            "#include <string.h>",
            f"typedef {real} vec __attribute__((vector_size({lanes} * sizeof({real}))));",
            f'__attribute__((target("{_TARGETS[plan.vector.isa]}")))',
            f"{_HEAD} {{",
            f"vec (*f)({kinds}) = *(vec (**)({kinds}))slots;",
            f"intptr_t n = dims[0], whole = {dense};",
            f"for (intptr_t i = 0; i < n; i += {lanes}) {{",
            f"vec {', '.join(f'x{k}' for k in operands)};",
            *[f"char *p{k} = args[{k}] + i * steps[{k}];" for k in operands],
            f"if (whole && n - i >= {lanes}) {{",
            *[f"memcpy(&x{k}, p{k}, sizeof(vec));" for k in inputs],
            f"x{last} = f({', '.join(f'x{k}' for k in inputs)});",
            f"memcpy(p{last}, &x{last}, sizeof(vec));",
            "} else {",
            f"for (int j = 0; j < {lanes}; j++) {{",
            *gathered,
            "}",
            f"x{last} = f({', '.join(f'x{k}' for k in inputs)});",
            f"for (int j = 0; j < {lanes} && i + j < n; j++)",
            f"*({real} *)(p{last} + j * steps[{last}]) = x{last}[j];",
            "}",
            "}",
            "}",
        ]
    )


def _load(source: str) -> tuple[Any, int]:
    """The module with this loop, from the cache or fresh, and the loop's address."""
    import hashlib

    tag = sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag
    machine = sysconfig.get_platform()
    name = "loop_" + hashlib.sha256(f"{tag} {machine}\n{source}".encode()).hexdigest()[:24]
    for kept in _kept_files(name):
        with contextlib.suppress(ImportError, AttributeError):
            return _imported(name, kept)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        made = _compile(name, source, scratch)
        with contextlib.suppress(OSError):  # a cache that cannot be written is done without
            made = _keep(name, made)
        return _imported(name, made)


def _imported(name: str, file: Path) -> tuple[Any, int]:
    import importlib.util

    spec = importlib.util.spec_from_file_location(name, file)
    assert spec  # noqa: S101 - the ending is that of an extension module
    assert spec.loader  # noqa: S101 - as above
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, int(module.ffi.cast("uintptr_t", module.ffi.addressof(module.lib, "loop")))


def _kept_files(name: str) -> list[Path]:
    """What the cache has of a loop and is whole: loading half a file would end the process."""
    try:
        files = sorted(cache_folder().glob(f"{name}-*"))
        return [file for file in files if file.name.startswith(f"{name}-{_digest(file)}.")]
    except OSError:
        return []


def _keep(name: str, made: Path) -> Path:
    """Copy a compiled loop into the cache, whole or not at all; its name says what it holds."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"{name}-{_digest(made)}.{made.name.partition('.')[2]}"
    handle, part = tempfile.mkstemp(dir=folder)
    os.close(handle)
    try:
        shutil.copyfile(made, part)
        Path(part).chmod(0o700)
        return Path(part).replace(target)
    except OSError:
        Path(part).unlink(missing_ok=True)
        raise


def _digest(file: Path) -> str:
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()[:24]


def _compile(name: str, source: str, scratch: str) -> Path:
    """Compile in a folder of its own.

    Raises:
        NoLoopError: The compiler failed.
    """
    import subprocess

    done = subprocess.run(  # noqa: S603 - Python itself, with code of our own
        [sys.executable, "-c", _BUILD, name, scratch, f"{_HEAD};"],
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr or done.stdout).strip()
        raise NoLoopError(
            f"the C compiler could not make a loop ({reason}); check that it works, or install "
            "`libufunc[numba]`."
        )
    return Path(done.stdout.splitlines()[-1])


def _compiler() -> str | None:
    """The C compiler that setuptools will call; on Windows it looks for one by itself."""
    return "cl" if sys.platform == "win32" else c_compiler()
