"""Problems with a known answer, one a file, each with its source; built when asked for by name."""

from __future__ import annotations

import importlib

from thalweg.errors import ConfigError
from thalweg.problems.base import TrainingProblem

__all__ = ["NAMES", "TrainingProblem", "load"]

NAMES = ("digits", "poisson", "bessel")  # each a module here with a function `build`


def load(name: str) -> TrainingProblem:
    """Build the problem of a name in `NAMES`.

    Raises:
        ConfigError: There is no problem of that name.
    """
    if name not in NAMES:
        raise ConfigError(
            f"there is no problem `{name}`; the problems are {', '.join(f'`{n}`' for n in NAMES)}"
        )
    return importlib.import_module(f"thalweg.problems.{name}").build()
