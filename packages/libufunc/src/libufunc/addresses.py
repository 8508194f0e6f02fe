"""Functions that are given by their address: of ctypes, cffi, numba and Cython, or a bare number.

Where the giver knows the types, a prototype that contradicts them is refused: ctypes if its
`argtypes` and `restype` are set, cffi, a `cfunc` of numba, and a capsule of Cython's
`__pyx_capi__`.
A bare number tells nothing.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

from libufunc.c_types import CFunction, CParameter, CType, same_call
from libufunc.errors import PrototypeError
from libufunc.scalars import scalar_of_dtype

FUNCTION_OF_CTYPES = ctypes.CFUNCTYPE(None).__mro__[1]  # the class of them all
MARK = "@"  # begins the name of an address, as no library's does


@dataclass(frozen=True)
class FunctionAddress:
    """A function that is in no library that is known; it stands in for a `SharedLibrary`.

    Attributes:
        name: The address, as a name.
        handle: The address.
    """

    name: str
    handle: int

    @property
    def loaded_as(self) -> str:
        """What a message calls it."""
        return f"the address {self.handle:#x}"

    def address(self, symbol: str) -> int:  # noqa: ARG002 - as a library has it
        """Where the function is, whatever it is called."""
        return self.handle

    def has(self, symbol: str) -> bool:  # noqa: ARG002 - as above
        """Whether there is a function of another name: an address has none beside it."""
        return False


_owners: dict[int, Any] = {}


def is_address(target: Any) -> bool:
    """Whether something is a function and not the name of a library."""
    return not isinstance(target, str | bytes) and not hasattr(target, "__fspath__")


def function_at(name: str) -> FunctionAddress:
    """The function that a name made by `name_of_address` means."""
    return FunctionAddress(name, int(name.removeprefix(MARK), 16))


def name_of_address(target: Any, function: CFunction) -> str:
    """A name for a function that is given by its address; what owns it stays alive.

    Args:
        target: An address, or an object of ctypes, cffi, numba or Cython.
        function: The prototype that it is to be called by.

    Raises:
        PrototypeError: It has no address, or its own types are others.
    """
    address, known = _looked_at(target)
    if not address:
        raise PrototypeError(
            f"the address given for `{function.name}` is NULL; a function was expected."
        )
    if known is not None and not same_call(known, function):
        raise PrototypeError(
            f"`{function}` contradicts the function that is given, which is `{known}`; use that."
        )
    _owners[address] = target
    return f"{MARK}{address:x}"


def _looked_at(target: Any) -> tuple[int, CFunction | None]:
    """The address, and the types as far as the giver knows them."""
    if isinstance(target, int):
        return target, None
    if isinstance(target, FUNCTION_OF_CTYPES):
        return ctypes.cast(target, ctypes.c_void_p).value or 0, _of_ctypes(target)
    if type(target).__name__ == "PyCapsule":
        return _of_capsule(target)
    if type(target).__module__ == "_cffi_backend":
        import cffi

        builder = cffi.FFI()
        text = builder.getctype(builder.typeof(target)).replace("(*)", " f", 1)
        return int(builder.cast("uintptr_t", target)), _read(text)
    if isinstance(address := getattr(target, "address", None), int):
        return address, _of_numba(target)
    raise PrototypeError(
        f"a {type(target).__name__} is no library and has no address of a function; give a name, a "
        "path, an address, or a function of ctypes, cffi, numba or Cython."
    )


def _of_ctypes(target: Any) -> CFunction | None:
    """Its types, where the caller has set them."""
    if target.argtypes is None:
        return None
    return _of_dtypes(target.restype, target.argtypes)


def _of_numba(target: Any) -> CFunction | None:
    signature = getattr(target, "_sig", None)
    if signature is None:
        return None
    return _of_dtypes(str(signature.return_type), [str(one) for one in signature.args])


def _of_dtypes(result: Any, arguments: Any) -> CFunction | None:
    """A function of numbers alone; `None` where NumPy knows no such type."""
    try:
        kinds = [CType("scalar", scalar=scalar_of_dtype(one)) for one in (result, *arguments)]
    except (PrototypeError, TypeError):
        return None
    return CFunction("f", kinds[0], tuple(CParameter("", kind) for kind in kinds[1:]))


def _of_capsule(target: Any) -> tuple[int, CFunction | None]:
    """Cython names its capsules by the types: `double (double, int)`."""
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    name = get_name(target)
    return get_pointer(target, name) or 0, _read((name or b"").decode().replace("(", " f(", 1))


def _read(text: str) -> CFunction | None:
    """A prototype as a giver writes it; `None` where it is no C."""
    from libufunc.headers import Header

    header = Header(f"{text};")
    try:
        found = header.declared("f")
    except (PrototypeError, AttributeError):
        return None
    types = [found.result, *(p.type for p in found.parameters)]
    return None if any(kind.kind == "unknown" for kind in types) else found
