"""The accuracy card: how far a library's functions are from the true values, on this machine.

`audit` evaluates each library's function at chosen and at random points, asks Arb for the true
value with a rigorous error bound (and mpmath for a second opinion), and reports the distance in
ULP, units in the last place of the true value: 0.5 is correct rounding, 1e16 is no digit left.

    oracle      the true value by Arb, mpmath's second opinion, and the error in ULP
    functions   what can be audited: formula, intervals, values at infinities and zeros
    points      where an interval is sampled, reproducible by seed
    libraries   whose function is asked: libm, a shared library, scipy, numpy, jax, a callable
    report      the rows, as a table, as JSON and as a plot
    run         the loop over all of these

Importing this is cheap; flint and mpmath are imported when an audit starts.
"""

from libufunc.audit.errors import AuditError, MissingExtraError, OracleError
from libufunc.audit.functions import FUNCTIONS
from libufunc.audit.report import Report, Row
from libufunc.audit.run import audit

__all__ = [
    "FUNCTIONS",
    "AuditError",
    "MissingExtraError",
    "OracleError",
    "Report",
    "Row",
    "audit",
]
