"""Thirteen differential equations as scripts: `python -m thalweg_lab.pde.burgers`.

Each module is a problem, what solves it, and the lowest published error that could be read.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from thalweg_lab.pde.base import Script

_MODULES = {
    "l-shape": "l_shape",
    "poisson-5d": "poisson_5d",
    "helmholtz": "helmholtz",
    "burgers": "burgers",
    "allen-cahn": "allen_cahn",
    "convection": "convection",
    "reaction": "reaction",
    "wave": "wave",
    "korteweg-de-vries": "korteweg_de_vries",
    "kuramoto-sivashinsky": "kuramoto_sivashinsky",
    "kovasznay": "kovasznay",
    "cavity": "cavity",
    "heat-inverse": "heat_inverse",
}


def names() -> list[str]:
    """The scripts, in the order of the table."""
    return list(_MODULES)


def load(name: str) -> Script:
    """A script by name.

    Raises:
        ConfigError: There is no such script.
    """
    if name not in _MODULES:
        raise ConfigError(f"there is no script {name!r}; there are {', '.join(_MODULES)}")
    return importlib.import_module(f"thalweg_lab.pde.{_MODULES[name]}").SCRIPT
