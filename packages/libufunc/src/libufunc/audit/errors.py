"""The exceptions of the audit; the tree continues that of `libufunc.errors`.

LibufuncError
├── AuditError           a function, library or format that cannot be audited
├── MissingExtraError    a package that the extra `libufunc[audit]` installs is not there
└── OracleError          no error can be stated: the oracles disagree, or no precision is enough
"""

from libufunc.errors import LibufuncError


class AuditError(LibufuncError, ValueError):
    """The audit was asked for something that it does not know."""


class MissingExtraError(LibufuncError, ImportError):
    """A package that the audit needs is not installed."""


class OracleError(LibufuncError, ArithmeticError):
    """The two oracles disagree, or no precision was enough: no error can be stated."""
