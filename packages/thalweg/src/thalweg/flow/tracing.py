"""What a user's function does wrong under tracing, in one sentence that names the line."""

from __future__ import annotations

import contextlib
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LIBRARIES = (Path(jax.__file__).parent, Path(__file__).parent.parent)
_ARRAYS = "JAX arrays stand for numbers that are not known yet"


@contextlib.contextmanager
def explained(name: str, *, examples: Any = None) -> Iterator[None]:
    """Explain errors of a function that is being traced.

    Args:
        name: What the function is called in the problem, such as `residual`.
        examples: The shapes of one example of the data; None where the function takes no data.

    Raises:
        ConfigError: The function branches on an array in Python, calls NumPy or `math`, or takes
            its example for the whole of the data.
    """
    try:
        yield
    except jax.errors.TracerBoolConversionError as error:
        raise ConfigError(
            f"`{name}` asks in Python whether an array is true{_where(error)}, but {_ARRAYS}; "
            "write `jnp.where(condition, a, b)` instead of `if`, `and` or `while`"
        ) from None
    except (
        jax.errors.TracerArrayConversionError,
        jax.errors.ConcretizationTypeError,
        jax.errors.TracerIntegerConversionError,
    ) as error:
        raise ConfigError(
            f"`{name}` makes a number or a NumPy array of a JAX array{_where(error)}, but "
            f"{_ARRAYS}; use `jax.numpy` instead of `numpy`, `math`, `float` or `int` there"
        ) from None
    except (IndexError, TypeError, ValueError) as error:
        if examples is None or isinstance(error, ConfigError):
            raise
        shapes = ", ".join(str(leaf.shape) for leaf in jax.tree.leaves(examples))
        raise ConfigError(
            f"`{name}` failed{_where(error)}: {_first_line(error)}; it is called with one example "
            f"at a time, here of shape {shapes}, and mapped over the first axis of `data`"
        ) from error


def _where(error: BaseException) -> str:
    """The last line of the user's own code on the way to an error."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if not any(folder in path.parents for folder in _LIBRARIES):
            return f" in line {frame.lineno} of {path.name}"
    return ""


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".")
