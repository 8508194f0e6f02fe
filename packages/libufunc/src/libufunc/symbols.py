"""A loaded library, and the addresses of its functions.

`dlsym` finds data as willingly as functions, and calling data crashes. So an address counts only if
its page may be executed, and if the symbol table does not call it an object. Both are asked on
Linux (`/proc/self/maps`, and `dladdr1` of glibc); elsewhere the name alone must do.

Source: System V ABI, gABI 4.1, "Symbol Table" (`Elf64_Sym`, `STT_OBJECT`); dladdr1(3).
"""

import ctypes
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libufunc.addresses import MARK, function_at
from libufunc.errors import SymbolError
from libufunc.fpstate import kept_floating_point_mode
from libufunc.platforms import load
from libufunc.replaced import name_to_open
from libufunc.suggestions import did_you_mean, mangled

_MAPS = Path("/proc/self/maps")
_STT_OBJECT, _STT_TLS = 1, 6
_RTLD_DL_SYMENT = 1  # asks dladdr1 for the entry of the symbol table
_RTLD_DI_LINKMAP = 2  # asks dlinfo for what follows


class _LinkMap(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("name", ctypes.c_char_p))


class _Elf64Symbol(ctypes.Structure):
    _fields_ = (("name", ctypes.c_uint32), ("info", ctypes.c_uint8))


class _Place(ctypes.Structure):
    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


@dataclass(frozen=True)
class SharedLibrary:
    """A library that stays loaded for the rest of the process.

    Attributes:
        name: As the caller gave it; another machine resolves it again.
        loaded_as: What the dynamic linker was asked for.
        cdll: The library.
    """

    name: str
    loaded_as: str
    cdll: ctypes.CDLL

    @property
    def handle(self) -> int:
        """The dynamic linker's handle: equal for two names of one library."""
        return self.cdll._handle  # noqa: SLF001 - ctypes has no public name for it

    def has(self, symbol: str) -> bool:
        """Whether the library exports this name."""
        return self.found(symbol) is not None

    def address(self, symbol: str) -> int:
        """Where a function is.

        Raises:
            SymbolError: The library has no such name, or it names data.
        """
        found = self.found(symbol)
        if found is None:
            to_do = "check the spelling and the library"
            end = did_you_mean(symbol, self.names(like=symbol), otherwise=to_do)
            raise SymbolError(f"`{self.name}` has no function `{symbol}`{end}")
        address = ctypes.cast(found, ctypes.c_void_p).value or 0
        if is_data(address) or not is_executable(address):
            raise SymbolError(
                f"`{symbol}` in `{self.loaded_as}` is data, but a function was expected."
            )
        return address

    def file(self) -> str | None:
        """The path of the library's file; `None` where the system does not tell."""
        dlinfo = getattr(ctypes.pythonapi, "dlinfo", None)
        place = ctypes.POINTER(_LinkMap)()
        if dlinfo is None or dlinfo(
            ctypes.c_void_p(self.handle), _RTLD_DI_LINKMAP, ctypes.byref(place)
        ):
            return None
        return os.fsdecode(place.contents.name)

    def names(self, *, like: str) -> list[str]:
        """The functions whose names begin as a name does, or hold it, as C++ writes it.

        Cost: reads the file, and looks up what in it could be such a name.
        """
        file = self.file()
        if not file or not like.isascii() or not like:
            return []
        start, within = re.escape(like[:2]), re.escape(mangled(like))
        pattern = rf"(?<=\0)(?:{start}\w*|_Z\w*{within}\w*)(?=\0)"
        try:
            text = Path(file).read_bytes()
        except OSError:
            return []
        found = re.findall(pattern.encode(), text, re.IGNORECASE)
        return [name for name in {one.decode("ascii") for one in found} if self.has(name)]

    def is_own(self, symbol: str) -> bool:
        """Whether a function is in this library itself and not in one that it links."""
        place = _Place()
        address = ctypes.c_void_p(self.address(symbol))
        dladdr = getattr(ctypes.pythonapi, "dladdr", None)
        file = self.file()
        if dladdr is None or file is None or not dladdr(address, ctypes.byref(place)):
            return True
        return os.path.realpath(os.fsdecode(place.file)) == os.path.realpath(file)

    def found(self, symbol: str) -> Any:
        """What `dlsym` finds; `None` where there is no such name."""
        try:
            return self.cdll[symbol]
        except (AttributeError, ValueError):  # the latter for a null character
            return None


def open_library(name: str) -> SharedLibrary:
    """Load a library; the floating-point mode stays as it is.

    A file that has been replaced since is opened as another library: what was made of the old one
    goes on calling the old one.

    Raises:
        LibraryNotFoundError: There is none of that name.
    """
    if name.startswith(MARK):
        return function_at(name)  # pyright: ignore[reportReturnType] - it stands in for one
    with kept_floating_point_mode():
        cdll, loaded_as = load(name_to_open(name))
    return SharedLibrary(name, loaded_as, cdll)


def is_executable(address: int, *, maps: Path = _MAPS) -> bool:
    """Whether the page at an address holds code; true where the system does not tell."""
    if not maps.exists():
        return True
    for line in maps.read_text("ascii", "replace").splitlines():
        span, permissions = line.split(maxsplit=2)[:2]
        first, last = (int(bound, 16) for bound in span.split("-"))
        if first <= address < last:
            return "x" in permissions
    return False


def is_data(address: int, *, linker: Any = ctypes.pythonapi) -> bool:
    """Whether the symbol table calls what starts at an address an object; false if it is silent.

    A function that is chosen by processor (IFUNC) resolves to a place without a symbol.
    """
    dladdr1 = getattr(linker, "dladdr1", None)
    if dladdr1 is None:
        return False
    place, entry = _Place(), ctypes.POINTER(_Elf64Symbol)()
    found = dladdr1(
        ctypes.c_void_p(address), ctypes.byref(place), ctypes.byref(entry), _RTLD_DL_SYMENT
    )
    if not found or place.address != address or not entry:
        return False
    return entry.contents.info & 0xF in {_STT_OBJECT, _STT_TLS}
