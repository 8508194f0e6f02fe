"""Every exception that libufunc raises on purpose.

LibufuncError
├── PrototypeError          a prototype that is no C, or asks for what a ufunc cannot do
├── LibraryNotFoundError    no shared library of that name can be loaded
├── SymbolError             the library has no such function
├── NoLoopError             the signature needs a loop, and nothing is here to compile it
├── CalledError             the function raised a C++ exception, or reported an error of GSL
├── StringError             an argument that is no string in C
├── OutOfRangeError         a number in an array does not fit into the function's integer type
└── ProbeError              the function crashed, hung or left in the child process that tried it

Each message is one sentence: what was found, what was expected, what to do.
"""


class LibufuncError(Exception):
    """Anything that libufunc refuses."""


class PrototypeError(LibufuncError, ValueError):
    """A prototype that cannot be read, cannot become a ufunc, or contradicts the C standard."""


class LibraryNotFoundError(LibufuncError, OSError):
    """A library that is missing or cannot be loaded."""


class SymbolError(LibufuncError, AttributeError):
    """A name that the library does not have, has as data, or that nobody has declared."""


class NoLoopError(LibufuncError, NotImplementedError):
    """A signature without a ready loop, where no compiler is installed to make one."""


class OutOfRangeError(LibufuncError, ValueError, OverflowError):
    """An integer that the C type of a parameter cannot hold."""


class StringError(LibufuncError, TypeError, ValueError):
    """An argument that is no string, or one that C cannot take."""


class CalledError(LibufuncError, RuntimeError):
    """An error within the C or C++ function, with its own words."""


class ProbeError(LibufuncError, RuntimeError):
    """A function that did not survive being tried in a child process."""
