"""AᵀA within compiled programs, by NumPy's BLAS on a CPU and by XLA elsewhere.

XLA's own products of float64 matrices leave much of a processor unused. On two cores with AVX-512
it took 95 ms for 2,248 x 921; NumPy's BLAS, which computes one half and mirrors it, takes 30 ms on
one core. XLA calls it through its interface for foreign functions: it passes the addresses of
operand and result, and nothing is copied. The declarations below are those of that interface, whose
layout XLA keeps from version to version; it refuses a function that was written for a version it no
longer has, and then multiplies itself.

Source: OpenXLA, `xla/ffi/api/c_api.h`, version 0.3 (in `jax.ffi.include_dir()`).
Decision: docs/decisions/0074-symmetric-products.md.
"""

from __future__ import annotations

import _thread
import ctypes
import threading
from typing import Any, ClassVar

import jax
import jax.ffi
import jax.numpy as jnp
import numpy as np

TARGET = "thalweg_symmetric_product"  # what compiled programs call it
LEAST = 2**17  # multiplications from which a call pays; it takes 15 µs
HALVING_SIZE = 512  # from this order on, XLA's product is worth computing by halves
INTERFACE = (0, 3)  # the version of XLA's interface that is declared here
METADATA = 1  # the kind of call that asks for that version
KINDS = {11: ctypes.c_float, 12: ctypes.c_double}  # by the interface's number of the dtype
LATER = 0.05  # seconds after which an interrupt is passed on


def symmetric_product(a: jax.Array, *, is_divided: bool = False) -> jax.Array:
    """`aᵀa` of shape `(n, n)`; it has no derivative.

    Args:
        a: Shape `(m, n)`.
        is_divided: Whether several devices hold the rows of a; XLA alone multiplies there.
    """
    pays = not is_divided and a.shape[0] * a.shape[1] ** 2 >= LEAST
    if not pays or a.dtype not in (jnp.float32, jnp.float64) or not is_callable():
        return product_by_halves(a)
    return jax.lax.platform_dependent(a, cpu=_by_blas, default=product_by_halves)


def product_by_halves(a: jax.Array) -> jax.Array:
    """The same by XLA alone, for any device or several; each off-diagonal block is computed once.

    Cost: about 5/8 of the plain product for large n.
    """
    n = a.shape[1]
    if n < HALVING_SIZE:
        return a.T @ a
    left, right = a[:, : n // 2], a[:, n // 2 :]
    corner = left.T @ right
    return jnp.block([[product_by_halves(left), corner], [corner.T, product_by_halves(right)]])


def _by_blas(a: jax.Array) -> jax.Array:
    result = jax.ShapeDtypeStruct((a.shape[1], a.shape[1]), a.dtype)
    return jax.ffi.ffi_call(TARGET, result, vmap_method="broadcast_all")(a)


# ----------------------------------------------------------------------------- what XLA calls


class _Extension(ctypes.Structure):
    _fields_: ClassVar = [
        ("size", ctypes.c_size_t),
        ("kind", ctypes.c_int),
        ("next", ctypes.c_void_p),
    ]


class _Version(ctypes.Structure):
    _fields_: ClassVar = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
    ]


class _Metadata(ctypes.Structure):
    _fields_: ClassVar = [
        ("size", ctypes.c_size_t),
        ("version", _Version),
        ("traits", ctypes.c_uint32),
    ]


class _MetadataExtension(ctypes.Structure):
    _fields_: ClassVar = [
        ("base", _Extension),
        ("metadata", ctypes.POINTER(_Metadata)),
    ]


class _Buffer(ctypes.Structure):
    _fields_: ClassVar = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("dtype", ctypes.c_int),
        ("data", ctypes.c_void_p),
        ("rank", ctypes.c_int64),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
    ]


class _Buffers(ctypes.Structure):
    """Operands or results."""

    _fields_: ClassVar = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("kinds", ctypes.c_void_p),
        ("buffers", ctypes.POINTER(ctypes.POINTER(_Buffer))),
    ]


class _Call(ctypes.Structure):
    """The beginning of a call, as far as it is read here."""

    _fields_: ClassVar = [
        ("size", ctypes.c_size_t),
        ("extension", ctypes.POINTER(_Extension)),
        ("api", ctypes.c_void_p),
        ("context", ctypes.c_void_p),
        ("stage", ctypes.c_int),
        ("operands", _Buffers),
        ("results", _Buffers),
    ]


@ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_Call))
def _called(call: Any) -> None:
    """Answer a call of XLA's, on a thread of its own; nothing may be raised out of here."""
    extension = call.contents.extension
    if extension and extension.contents.kind == METADATA:
        asked = ctypes.cast(extension, ctypes.POINTER(_MetadataExtension)).contents
        version = asked.metadata.contents.version
        version.major, version.minor = INTERFACE
        return
    (a, result) = (
        _array(group.buffers[0].contents)
        for group in (call.contents.operands, call.contents.results)
    )
    try:
        np.matmul(a.swapaxes(-1, -2), a, out=result)
    except KeyboardInterrupt:  # where JAX runs programs on the main thread
        np.matmul(a.swapaxes(-1, -2), a, out=result)
        threading.Timer(LATER, _thread.interrupt_main).start()
    except Exception:  # noqa: BLE001 - such as one of memory: a step from NaN is never taken
        result.fill(np.nan)


def _array(buffer: _Buffer) -> np.ndarray:
    """The memory of an operand or a result as an array, without copying it."""
    address = ctypes.cast(buffer.data, ctypes.POINTER(KINDS[buffer.dtype]))
    return np.ctypeslib.as_array(address, tuple(buffer.shape[: buffer.rank]))


# ----------------------------------------------------------------------------- making it known

_lock = threading.Lock()
_known: list[bool] = []  # whether XLA took it, once that has been tried


def is_callable() -> bool:
    """Whether compiled programs can call it; makes it known to XLA before the first answer."""
    with _lock:
        if not _known:
            _known.append(_is_registered())
        return _known[0]


def _is_registered() -> bool:
    try:
        # A refusal before the CPU's backend is there would be raised wherever it is needed first.
        jax.local_devices(backend="cpu")
        jax.ffi.register_ffi_target(TARGET, jax.ffi.pycapsule(_called), platform="cpu")
    except Exception:  # noqa: BLE001 - whatever a version of JAX raises that has another interface
        return False
    return True
