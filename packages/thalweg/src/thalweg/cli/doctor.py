"""`thalweg doctor`: whether this installation works, found out by trying it."""

from __future__ import annotations

import dataclasses
import importlib
import re
from importlib.metadata import requires
from typing import Any

from thalweg._util.machine import Machine, installed, this_machine

# Distribution to what is imported of it: everything thalweg cannot do without.
NEEDED = {
    "jax": "jax",
    "numpy": "numpy",
    "scipy": "scipy.optimize",
    "optax": "optax",
    "safetensors": "safetensors.numpy",
    "rich": "rich.console",
    "typer": "typer",
}
TARGET = 1e-12  # of the trial solve: out of reach of float32, easy in float64


@dataclasses.dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        is_ok: Whether it works, or is there.
        is_needed: Whether thalweg fails without it.
        found: What was found, in a few words; where it is not ok, also what to do.
    """

    name: str
    is_ok: bool
    is_needed: bool
    found: str


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """All checks, and the machine they were made on.

    Attributes:
        machine: Processor, system and versions.
        checks: In the order in which they were made.
    """

    machine: Machine
    checks: tuple[Check, ...]

    @property
    def is_sound(self) -> bool:
        """Whether everything needed works."""
        return all(check.is_ok for check in self.checks if check.is_needed)

    def as_json(self) -> dict[str, Any]:
        """The diagnosis as values that JSON knows."""
        return {"is_sound": self.is_sound, **dataclasses.asdict(self)}


def diagnose() -> Diagnosis:
    """Look at libraries, devices, float64 and extras, and solve a small problem.

    Nothing global is changed. Cost: a few seconds, most of it compilation.
    """
    libraries = [_library(name, module) for name, module in NEEDED.items()]
    trials = [_devices, _float64, _solve] if all(check.is_ok for check in libraries) else []
    return Diagnosis(
        machine=this_machine(),
        checks=(*libraries, *(_tried(trial) for trial in trials), *_extras()),
    )


def _library(distribution: str, module: str) -> Check:
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - a broken library may raise anything
        found = f"cannot be imported ({_in_a_line(error)}); reinstall `{distribution}`"
        return Check(distribution, is_ok=False, is_needed=True, found=found)
    version = installed(distribution) or "of unknown version"
    return Check(distribution, is_ok=True, is_needed=True, found=version)


def _tried(trial: Any) -> Check:
    """The check that a trial makes; one that raises has failed."""
    name = trial.__name__.strip("_")
    try:
        is_ok, found = trial()
    except Exception as error:  # noqa: BLE001 - the point is to find out what is broken
        is_ok, found = False, f"failed: {_in_a_line(error)}"
    return Check(name, is_ok=is_ok, is_needed=True, found=found)


def _devices() -> tuple[bool, str]:
    import jax

    devices = jax.devices()
    return bool(devices), ", ".join(f"{d.platform}:{d.id} ({d.device_kind})" for d in devices)


def _float64() -> tuple[bool, str]:
    """Whether float64 survives a trip through the device."""
    import jax
    import jax.numpy as jnp

    with jax.enable_x64():
        rest = float(jnp.asarray(1.0 + 1e-12) - 1.0)
    if rest == 0.0:
        return False, "the device rounds to float32; set `JAX_PLATFORMS=cpu` to use the CPU"
    flag = jax.config.read("jax_enable_x64")
    return True, (
        f"works; JAX's flag is {'on' if flag else 'off, and the command switches it on for itself'}"
    )


def _solve() -> tuple[bool, str]:
    """Fit a decay by `auto` to a loss that float32 could not tell from 0."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from thalweg._minimize import minimize
    from thalweg.problem import LeastSquares
    from thalweg.stop import Stop

    def residual(params: Any, x: Any, y: Any) -> Any:
        return params["height"] * jnp.exp(-params["rate"] * x) - y

    x = np.linspace(0.0, 2.0, 20)
    with jax.enable_x64():
        solution = minimize(
            LeastSquares(residual, data=(x, 3.0 * np.exp(-0.7 * x))),
            {"height": np.ones(()), "rate": np.ones(())},
            stop=Stop(loss=TARGET, seconds=10),
        )
    found = (
        f"loss {solution.loss:.1e} by {solution.method} in {solution.seconds:.3f} s, "
        f"after {solution.compile_seconds:.1f} s of compilation"
    )
    return solution.loss <= TARGET, found


def _extras() -> list[Check]:
    """What the package offers as extras, and whether it is there."""
    checks = []
    for requirement in requires("thalweg") or []:
        extra = re.search(r"extra == ['\"]([^'\"]+)['\"]", requirement)
        library = re.match(r"[A-Za-z0-9._-]+", requirement)
        if extra is None or library is None:
            continue
        version = installed(library[0])
        missing = f"not installed; `pip install 'thalweg[{extra[1]}]'` adds it"
        checks.append(
            Check(
                f"extra {extra[1]}: {library[0]}",
                is_ok=version is not None,
                is_needed=False,
                found=version or missing,
            )
        )
    return checks


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
