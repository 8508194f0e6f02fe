"""Training problems, one per file, each with its source; built on demand, by name."""

from __future__ import annotations

import importlib

from thalweg.errors import ConfigError
from thalweg_lab.problems.base import KINDS, TrainingProblem

__all__ = ["DEMO", "KINDS", "NAMES", "TrainingProblem", "load"]

# name -> (module here, or from one level up; function in it that builds the problem)
_REGISTRY = {
    "digits": ("digits", "build"),
    "poisson": ("poisson", "build"),
    "bessel": ("bessel", "build"),
    "iris": ("iris", "build"),
    "xor": ("xor", "build"),
    "parity3": ("parity", "build"),
    "sine": ("sine", "build"),
    "sinc": ("sinc", "build"),
    "cancer": ("medical", "cancer"),
    "diabetes": ("medical", "diabetes"),
    "lotka-volterra": ("lotka_volterra", "build"),
    "wine": ("tables", "wine"),
    "breast-cancer": ("tables", "breast_cancer"),
    "digits-without-decay": ("digits", "without_decay"),
    "mnist-cnn": ("mnist", "build"),
    "burgers": ("burgers", "build"),
    "allen-cahn": ("allen_cahn", "build"),
    "convection-5": ("convection", "slow"),
    "convection-30": ("convection", "fast"),
    "convection-large": ("convection", "large"),
    "franke": ("franke", "build"),
    # Scripts of `thalweg_lab.pde`, which itself stands on the problems here.
    "convection-40": (".pde.fixed_points", "convection_40"),
    "convection-40-wide": (".pde.fixed_points", "convection_40_wide"),
    "reaction": (".pde.fixed_points", "reaction_5"),
    "wave": (".pde.fixed_points", "wave_5"),
    "helmholtz": (".pde.fixed_points", "helmholtz_4"),
    "poisson-5d": (".pde.fixed_points", "poisson"),
    "kuramoto-sivashinsky": (".pde.fixed_points", "kuramoto_sivashinsky_first"),
}
NAMES = tuple(_REGISTRY)
DEMO = ("digits", "poisson", "bessel")  # those with a story and pictures for the report


def load(name: str) -> TrainingProblem:
    """Build a problem by its name in `NAMES`.

    Raises:
        ConfigError: No problem has that name.
        MissingExtraError: Its data come with a library that is not installed.
    """
    if name not in NAMES:
        raise ConfigError(
            f"no problem is called `{name}`; choose from {', '.join(f'`{n}`' for n in NAMES)}"
        )
    module, build = _REGISTRY[name]
    return getattr(importlib.import_module(f".{module}", __name__), build)()
