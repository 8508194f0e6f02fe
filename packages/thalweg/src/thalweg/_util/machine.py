"""The machine that a run ran on: processor, cores, system, versions of the libraries.

Timings mean nothing without it, so every record of a run and `thalweg doctor` carry it.
"""

from __future__ import annotations

import dataclasses
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = (
    "thalweg",
    "jax",
    "jaxlib",
    "joblib",
    "numpy",
    "scipy",
    "optax",
    "polars",
    "rich",
    "safetensors",
    "scikit-learn",
    "typer",
    "diffrax",
    "distributed",
    "optimistix",
    "scikit-sundae",
)


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a reader has to know of a machine.

    Attributes:
        processor: The processor's name, as the system gives it.
        cores: Cores that this process may use.
        system: Operating system and architecture.
        python: Version of Python.
        versions: Library to version; None for what is not installed.
    """

    processor: str
    cores: int
    system: str
    python: str
    versions: dict[str, str | None]


def this_machine() -> Machine:
    """The machine that this process runs on."""
    return Machine(
        processor=_processor(),
        cores=cores(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        versions={name: installed(name) for name in LIBRARIES},
    )


def installed(distribution: str) -> str | None:
    """The version of an installed distribution, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def cores() -> int:
    """Cores of this process, which on Linux may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    """`platform.processor` is empty on most Linux systems; there the kernel's list has the name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown"
