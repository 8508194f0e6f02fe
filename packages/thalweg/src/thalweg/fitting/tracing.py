"""One sentence for a model that JAX cannot trace, with the line that must change."""

from __future__ import annotations

import contextlib
import linecache
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import jax

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HERE = Path(__file__).parents[1]
_LIBRARIES = ("site-packages", "dist-packages")


@contextlib.contextmanager
def explained_tracing(name: str = "f") -> Iterator[None]:
    """Turn an error of JAX's tracing into one sentence.

    Args:
        name: What the function is called in the sentence.

    Raises:
        ConfigError: The function calls NumPy or Python's `math`, or branches on a value.
    """
    try:
        yield
    except jax.errors.TracerBoolConversionError as error:
        raise ConfigError(
            f"`{name}` branches in Python on a value{_line_of(error)}; write it with "
            "`jnp.where(condition, a, b)`"
        ) from error
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
        raise ConfigError(
            f"`{name}` calls NumPy or Python's `math` on its arguments{_line_of(error)}; write it "
            "with `jax.numpy`, as in `import jax.numpy as jnp` and `jnp.exp(x)`"
        ) from error
    except TypeError as error:
        if "Tracer" not in str(error) and "JitTracer" not in str(error):
            raise
        raise ConfigError(
            f"`{name}` uses something that JAX cannot trace{_line_of(error)}; write it with "
            "`jax.numpy`"
        ) from error


def _line_of(error: BaseException) -> str:
    """` in line 3 of model.py, "np.exp(x)"`: the last line outside of libraries."""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        path = Path(frame.f_code.co_filename)
        is_library = _HERE in path.parents or any(part in _LIBRARIES for part in path.parts)
        if is_library:
            continue
        text = linecache.getline(str(path), line).strip()
        quoted = f', "{text}"' if text else ""
        return f" in line {line} of {path.name}{quoted}"
    return ""
