"""Where configuration and state lie, and how a device's part of them becomes a `Site`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from bootwatch.attempt import Site
from bootwatch.tls import pin_path, read_pin

if TYPE_CHECKING:
    from bootwatch.config import Config
    from bootwatch.reporting import Reporter

SYSTEM_CONFIG = Path("/etc/bootwatch/bootwatch.toml")


def config_path(wanted: Path | None) -> Path:
    """Return the configuration: wanted, `$BOOTWATCH_CONFIG`, the user's, or the system's."""
    by_variable = os.environ.get("BOOTWATCH_CONFIG")
    own = platformdirs.user_config_path("bootwatch") / "bootwatch.toml"
    usual = SYSTEM_CONFIG if SYSTEM_CONFIG.exists() and not own.exists() else own
    return wanted or (Path(by_variable) if by_variable else usual)


def state_path(wanted: Path | None) -> Path:
    """Return the state folder: wanted, `$BOOTWATCH_STATE`, systemd's, or the user's."""
    by_variable = os.environ.get("BOOTWATCH_STATE") or os.environ.get("STATE_DIRECTORY")
    usual = Path(by_variable) if by_variable else platformdirs.user_state_path("bootwatch")
    return wanted or usual


def open_site(config: Config, name: str, *, state: Path, reporter: Reporter) -> Site:
    """Put together what is needed to work on a device, its password included.

    Args:
        config: The configuration.
        name: The device's name in it.
        state: The state folder.
        reporter: Says what happens; it learns the password, to hide it.

    Raises:
        ConfigError: There is no such device, or its password cannot be read.
    """
    device = config.device(name)
    password = device.password.read(user=device.user, folder=config.folder, environment=os.environ)
    reporter.redactor.learn(password)
    return Site(
        name=name,
        device=device,
        recipe=config.recipe(name),
        password=password,
        pin=read_pin(pin_path(config.folder, name)),
        folder=config.folder,
        state=state,
        reporter=reporter,
    )
