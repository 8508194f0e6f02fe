"""Every exception that thalweg raises on purpose.

ThalwegError
├── ConfigError             the caller asked for something that cannot be run
│   ├── ShapeError          arrays whose shapes do not fit together
│   ├── DataError           data, parameters or a start that are empty or not finite
│   ├── UnknownMethodError  no method of that name
│   └── PrecisionError      a target that the dtype cannot resolve, or float64 without JAX's flag
├── DevicesLostError        another process of a run has gone, or does not answer
├── MissingExtraError       an optional library is not installed
└── MissingDistributionError  a command of a distribution that is not installed
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class ThalwegError(Exception):
    """The root of all exceptions that thalweg raises on purpose."""


class ConfigError(ThalwegError, ValueError):
    """The caller asked for something that cannot be run as asked."""


class ShapeError(ConfigError):
    """Arrays do not fit together."""

    def __init__(self, name: str, *, found: object, expected: str, hint: str) -> None:
        super().__init__(f"`{name}` has shape {found}, but {expected} was expected; {hint}")


class DataError(ConfigError):
    """Data, parameters or a start are empty, or hold NaN or infinity."""


class UnknownMethodError(ConfigError):
    """No method has the name that was asked for."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.3)
        guess = f"did you mean `{near[0]}`? " if near else ""
        super().__init__(
            f"there is no method `{name}`; {guess}`thalweg methods` lists all {len(names)} with "
            "what they need"
        )


class PrecisionError(ConfigError):
    """The dtype cannot resolve what was asked for."""


class DevicesLostError(ThalwegError):
    """The other processes of a run can no longer be reached, so it cannot go on."""

    def __init__(self, *, processes: int, reason: str) -> None:
        super().__init__(
            f"the run is divided over {processes} processes, of which one has gone or does not "
            f"answer ({reason}); start all of them again, and with the same `checkpoint` the run "
            "goes on from its last state"
        )


class MissingExtraError(ThalwegError, ImportError):
    """An optional library is needed and not installed."""

    def __init__(
        self, library: str, *, extra: str, needed_by: str, package: str = "thalweg"
    ) -> None:
        super().__init__(
            f"`{needed_by}` needs the library `{library}`, which is not installed; "
            f"install it with `pip install '{package}[{extra}]'`"
        )


class MissingDistributionError(ThalwegError):
    """A command belongs to a distribution that is not installed."""

    def __init__(self, distribution: str, *, needed_by: str) -> None:
        super().__init__(
            f"`{needed_by}` is part of `{distribution}`, which is not installed; install it with "
            f"`pip install {distribution}`"
        )
