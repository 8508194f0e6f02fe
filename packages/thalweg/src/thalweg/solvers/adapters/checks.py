"""What several adapters refuse as they are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thalweg.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable


def refuse_unknown(name: str, value: str, known: Iterable[str]) -> None:
    """Refuse a value that is not one of the known ones.

    Raises:
        ConfigError: With the known values.
    """
    names = list(known)
    if value not in names:
        raise ConfigError(f"`{name}` is {value!r}, but one of {', '.join(names)} was expected")


def refuse_below(name: str, value: float, least: float) -> None:
    """Refuse a number below `least`, and NaN.

    Raises:
        ConfigError: With the least value.
    """
    if not value >= least:
        raise ConfigError(f"`{name}` is {value!r}, but a number of at least {least} was expected")
