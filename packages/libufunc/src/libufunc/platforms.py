"""What a shared library is called, and how it is loaded: Linux, macOS and Windows.

`m` is `libm.so.6` with glibc (`libm.so` may be a linker script, which cannot be loaded), a part of
libSystem on macOS, and of the universal C runtime on Windows.
"""

import ctypes
import ctypes.util
import os
import sys

from libufunc.errors import LibraryNotFoundError

_KNOWN = {
    ("linux", "m"): ("libm.so.6",),
    ("linux", "c"): ("libc.so.6",),
    ("linux", "mvec"): ("libmvec.so.1",),
    ("darwin", "m"): ("libm.dylib", "libSystem.B.dylib"),
    ("darwin", "c"): ("libc.dylib", "libSystem.B.dylib"),
    ("win32", "m"): ("ucrtbase.dll",),
    ("win32", "c"): ("ucrtbase.dll",),
}
_PATTERNS = {"linux": "lib{}.so", "darwin": "lib{}.dylib", "win32": "{}.dll"}
_ENDINGS = (".so", ".dylib", ".dll", ".pyd")


def short_name(name: str) -> str:
    """`m` for `m`, `libm` (as Julia has it), `libm.so.6` and `libm.dylib`; a path stays."""
    if os.path.basename(name) != name:  # noqa: PTH119 - both kinds of slash on Windows, no Path made
        return name
    bare = name.partition(".so")[0].removesuffix(".dylib").removesuffix(".dll")
    return bare.removeprefix("lib") or name


def full_name(name: str | os.PathLike[str]) -> str:
    """A name that means the same in every folder: paths become absolute, `libm` becomes `m`."""
    text = os.fspath(name)
    if os.path.basename(text) != text:  # noqa: PTH119 - as above
        return os.path.abspath(text)  # noqa: PTH100 - as above
    return text if "." in text else short_name(text)


def candidates(name: str, platform: str) -> list[str]:
    """What to try to load, in order.

    Args:
        name: `m`, `libm`, `libm.so.6` or a path.
        platform: As `sys.platform` tells it.
    """
    if os.path.basename(name) != name:  # noqa: PTH119 - as above
        return [name]
    given = [name] if ".so." in name or name.endswith(_ENDINGS) else []
    short = short_name(name)
    pattern = _PATTERNS.get(platform, _PATTERNS["linux"])
    return [*given, *_KNOWN.get((platform, short), ()), pattern.format(short)]


def load(name: str) -> tuple[ctypes.CDLL, str]:
    """Load a library.

    Args:
        name: As for `candidates`.

    Returns:
        The library, and the name that it was loaded by.

    Raises:
        LibraryNotFoundError: None of the candidates can be loaded.

    Cost: microseconds where a candidate fits. Otherwise `ctypes.util.find_library` is asked, which
    runs other programs: about 0.1 s.
    """
    problems = []
    for candidate in candidates(name, sys.platform):
        try:
            return ctypes.CDLL(candidate), candidate
        except OSError as error:
            problems.append(str(error))
    if found := ctypes.util.find_library(short_name(name)):
        try:
            return ctypes.CDLL(found), found
        except OSError as error:
            problems.append(str(error))
    raise LibraryNotFoundError(
        f"no library `{name}` could be loaded ({'; '.join(dict.fromkeys(problems))}); give its "
        "short name, such as `m`, or its path."
    )
