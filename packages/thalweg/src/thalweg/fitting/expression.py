"""A formula such as `a*exp(-b*x) + c` as a model, read without running any code of its author.

The formula is parsed by Python's grammar, and only numbers, names, arithmetic, comparisons and
calls of the functions listed here are accepted. It is then evaluated node by node with `jax.numpy`.
"""

from __future__ import annotations

import ast
import difflib
import math
import operator
from typing import TYPE_CHECKING, Any

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

FUNCTIONS = (
    "abs",
    "arccos",
    "arcsin",
    "arctan",
    "arctan2",
    "cbrt",
    "cos",
    "cosh",
    "exp",
    "exp2",
    "expm1",
    "hypot",
    "log",
    "log10",
    "log1p",
    "log2",
    "maximum",
    "minimum",
    "sign",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "where",
)  # fmt: skip - of jax.numpy
SPECIAL = ("erf", "erfc", "gammaln", "i0", "i1", "logit")  # of jax.scipy.special
NETWORKS = ("sigmoid", "softplus")  # of jax.nn
CONSTANTS = {"pi": math.pi}
MOST_CHARACTERS = 10_000
MOST_NESTED = 100
_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.Mod: operator.mod,
}
_COMPARE = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}
_UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos}
_NOT_ALLOWED = {
    ast.BitXor: "`^` is not a power; write `**`",
    ast.Attribute: "there are no names with a dot; write `exp(x)`, not `np.exp(x)`",
}


class Expression:
    """A parsed formula.

    Attributes:
        text: The formula.
        names: The variables and parameters in it, in their order.
    """

    def __init__(self, text: str) -> None:
        """Parse.

        Raises:
            ConfigError: It is no formula, or holds something that is not allowed.
        """
        self.text = text
        if len(text) > MOST_CHARACTERS:
            raise ConfigError(f"the expression has more than {MOST_CHARACTERS:,} characters")
        try:
            self._body = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = getattr(error, "msg", None) or "it is nested too deeply"
            raise ConfigError(f"the expression `{text}` cannot be read: {reason}") from error
        names: dict[str, None] = {}
        _check(self._body, names, depth=0)
        self.names: tuple[str, ...] = tuple(names)

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Its value for values of all names. Pure."""
        return _value(self._body, values)


def model_of(
    expression: Expression, columns: Collection[str]
) -> tuple[Callable[[Any, Any], Any], tuple[str, ...]]:
    """A model `f(x, params)` of an expression, and the names of its parameters.

    Args:
        expression: The expression.
        columns: The names that are independent variables; `x` of the model is a dictionary of them.

    Raises:
        ConfigError: It has no parameter.
    """
    parameters = tuple(name for name in expression.names if name not in columns)
    if not parameters:
        raise ConfigError(
            f"`{expression.text}` has no parameter: all its names are columns of the table"
        )

    def model(x: Any, params: Any) -> Any:
        import jax.numpy as jnp

        shape = jnp.shape(next(iter(x.values())))
        return jnp.broadcast_to(expression({**x, **params}), shape)

    return model, parameters


def function_named(name: str) -> Callable[..., Any]:
    """A function that formulas may call."""
    import jax

    if name in FUNCTIONS:
        return getattr(jax.numpy, name)
    home = jax.scipy.special if name in SPECIAL else jax.nn
    return getattr(home, name)


def _check(node: ast.AST, names: dict[str, None], *, depth: int) -> None:  # noqa: C901 - a case a node
    """Refuse what is not allowed; collect the names."""
    if depth > MOST_NESTED:
        raise ConfigError(f"the expression is nested more than {MOST_NESTED} levels deep")
    children: list[ast.AST] = []
    match node:
        case ast.Constant(value=value) if type(value) in {int, float}:
            if not math.isfinite(value):  # pyright: ignore[reportArgumentType] - a number
                raise ConfigError(f"`{ast.unparse(node)}` is too large a number")
        case ast.Name(id=name):
            if name not in CONSTANTS:
                names[name] = None
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            children = [left, right]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            children = [operand]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            children = [left, right]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            _check_function(name)
            children = list(arguments)
        case _:
            raise ConfigError(_refusal(node))
    for child in children:
        _check(child, names, depth=depth + 1)


def _check_function(name: str) -> None:
    known = (*FUNCTIONS, *SPECIAL, *NETWORKS)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        guess = f"did you mean `{near[0]}`? " if near else ""
        raise ConfigError(
            f"the expression calls `{name}`, which is not known; {guess}it may call "
            f"{', '.join(sorted(known))}"
        )


def _refusal(node: ast.AST) -> str:
    what = ast.unparse(node)
    part = node.func if isinstance(node, ast.Call) else node
    kind = type(part.op) if isinstance(part, (ast.BinOp, ast.UnaryOp)) else type(part)
    hint = _NOT_ALLOWED.get(
        kind, "only numbers, names, + - * / ** %, < <= > >= and functions are allowed"
    )
    return f"`{what}` is not allowed in an expression: {hint}"


def _value(node: ast.AST, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return float(value) if abs(value) > 2**31 else value  # pyright: ignore[reportArgumentType, reportOperatorIssue] - a number, as was checked
        case ast.Name(id=name):
            return CONSTANTS[name] if name in CONSTANTS else values[name]
        case ast.BinOp(left=left, op=op, right=right):
            first = _value(left, values)
            if isinstance(op, ast.Pow) and isinstance(first, int):
                first = float(first)  # so that `10**-3` and `10**400` are not integers
            try:
                return _BINARY[type(op)](first, _value(right, values))
            except ArithmeticError as error:
                raise ConfigError(f"`{ast.unparse(node)}` cannot be computed: {error}") from error
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_value(operand, values))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _COMPARE[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            try:
                return function_named(name)(*(_value(each, values) for each in arguments))
            except TypeError as error:
                raise ConfigError(f"`{ast.unparse(node)}` cannot be computed: {error}") from error
    raise AssertionError(ast.dump(node))
