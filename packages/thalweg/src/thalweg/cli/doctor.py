"""`thalweg doctor`: tries whether this installation works."""

from __future__ import annotations

import dataclasses
import importlib
import re
from importlib.metadata import requires
from typing import Any

from thalweg._util.machine import Machine, installed, this_machine
from thalweg.cli import laboratory
from thalweg.errors import ConfigError

# Everything that thalweg requires: distribution -> the module to try.
NEEDED = {
    "jax": "jax",
    "numpy": "numpy",
    "scipy": "scipy.optimize",
    "optax": "optax",
    "safetensors": "safetensors.numpy",
    "rich": "rich.console",
    "threadpoolctl": "threadpoolctl",
    "typer": "typer",
}
# What each extra is for.
PURPOSES = {
    "tables": "`thalweg train`, `thalweg predict` and the estimators for scikit-learn",
    "plot": "the plot of a curve fit",
    "torch": "modules of PyTorch, in thalweg.torch",
    "tensorboard": "runs in TensorBoard, by thalweg.trackers",
    "mlflow": "runs in MLflow, by thalweg.trackers",
    "wandb": "runs in Weights & Biases, by thalweg.trackers",
    "cvode": "the methods `cvode` and `cvode-krylov`",
    "diffrax": "the methods `kvaerno5`, `kvaerno3` and `tsit5`",
    "optimistix": "the methods `optimistix-lm` and `optimistix-bfgs`",
}
MIB = 2**20
TARGET = 1e-12  # loss of the trial solve: out of reach in float32, easy in float64


@dataclasses.dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: What was checked.
        is_ok: Whether it works, or is installed.
        is_needed: Whether thalweg fails without it.
        found: What was found, in a few words; if it is not ok, also what to do.
        purpose: What an optional part is for; empty for what is needed.
    """

    name: str
    is_ok: bool
    is_needed: bool
    found: str
    purpose: str = ""


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
        """The diagnosis as values for JSON."""
        return {"is_sound": self.is_sound, **dataclasses.asdict(self)}


def diagnose() -> Diagnosis:
    """Check libraries, devices, float64 and the optional parts, and solve a small problem.

    No global setting is changed. Cost: a few seconds, most of it compilation.
    """
    libraries = [_library(name, module) for name, module in NEEDED.items()]
    trials = [_devices, _float64, _solve] if all(check.is_ok for check in libraries) else []
    return Diagnosis(
        machine=this_machine(),
        checks=(
            *libraries,
            *(_tried(trial) for trial in trials),
            *([_cache()] if trials else []),
            *_extras(),
            _laboratory(),
        ),
    )


def _library(distribution: str, module: str) -> Check:
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001 - a broken library may raise anything
        found = f"cannot be imported ({_one_line(error)}); reinstall `{distribution}`"
        return Check(distribution, is_ok=False, is_needed=True, found=found)
    version = installed(distribution) or "of unknown version"
    return Check(distribution, is_ok=True, is_needed=True, found=version)


def _tried(trial: Any) -> Check:
    """The result of a trial; a trial that raises has failed."""
    name = trial.__name__.strip("_")
    try:
        is_ok, found = trial()
    except Exception as error:  # noqa: BLE001 - the point is to find out what is broken
        is_ok, found = False, f"failed: {_one_line(error)}"
    return Check(name, is_ok=is_ok, is_needed=True, found=found)


def _devices() -> tuple[bool, str]:
    import jax

    devices = jax.devices()
    return bool(devices), ", ".join(f"{d.platform}:{d.id} ({d.device_kind})" for d in devices)


def _float64() -> tuple[bool, str]:
    """Whether the device computes in float64."""
    import jax
    import jax.numpy as jnp

    with jax.enable_x64():
        rest = float(jnp.asarray(1.0 + 1e-12) - 1.0)
    if rest == 0.0:
        return False, "the device rounds to float32; set `JAX_PLATFORMS=cpu` to use the CPU"
    if jax.config.read("jax_enable_x64"):
        return True, "works; JAX's x64 flag is on"
    return True, "works; JAX's x64 flag is off, and the commands switch it on for themselves"


def _solve() -> tuple[bool, str]:
    """Fit an exponential decay by `auto`, to a loss out of reach in float32."""
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


def _cache() -> Check:
    """Whether the commands keep compiled programs on disk, and where."""
    from thalweg.compilation_cache import MAX_BYTES, SETTING, cache_status

    try:
        status = cache_status()
    except ConfigError as error:
        return Check("compilation cache", is_ok=False, is_needed=True, found=str(error))
    if status.problem:
        found = status.problem
    elif status.is_ours:
        found = (
            f"`{status.folder}`, {status.size / MIB:.1f} of at most {MAX_BYTES / MIB:.0f} MiB; "
            f"`{SETTING}=off` switches it off"
        )
    else:
        found = f"`{status.folder}`, which was named to JAX"
    return Check(
        "compilation cache",
        is_ok=not status.problem,
        is_needed=False,
        found=found,
        purpose="the commands load what an earlier one compiled",
    )


def _extras() -> list[Check]:
    """The libraries of the extras, and whether they are installed."""
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
                purpose=PURPOSES.get(extra[1], ""),
            )
        )
    return checks


def _laboratory() -> Check:
    """Whether the distribution with the other commands is installed."""
    version = installed(laboratory.DISTRIBUTION)
    return Check(
        laboratory.DISTRIBUTION,
        is_ok=version is not None,
        is_needed=False,
        found=version or f"not installed; `pip install {laboratory.DISTRIBUTION}` adds it",
        purpose=f"the commands {laboratory.commands()}",
    )


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
