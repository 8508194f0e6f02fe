"""Where configuration and state lie, and how a device's part of them becomes a `Site`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
from pydantic_settings import BaseSettings, SettingsConfigDict

from bootwatch.attempt import Site
from bootwatch.tls import pin_path, read_pin

if TYPE_CHECKING:
    from bootwatch.config import Config
    from bootwatch.reporting import Reporter

SYSTEM_CONFIG = Path("/etc/bootwatch/bootwatch.toml")


class Places(BaseSettings):
    """Where things are: `$BOOTWATCH_CONFIG` and `$BOOTWATCH_STATE`, or the usual places."""

    model_config = SettingsConfigDict(env_prefix="BOOTWATCH_")

    config: Path | None = None
    state: Path | None = None

    def config_path(self, wanted: Path | None) -> Path:
        """Return the configuration: the wanted one, the user's, or the system's."""
        own = platformdirs.user_config_path("bootwatch") / "bootwatch.toml"
        usual = SYSTEM_CONFIG if SYSTEM_CONFIG.exists() and not own.exists() else own
        return wanted or self.config or usual

    def state_path(self, wanted: Path | None) -> Path:
        """Return the state folder: the wanted one, systemd's, or the user's."""
        by_systemd = os.environ.get("STATE_DIRECTORY")
        usual = Path(by_systemd) if by_systemd else platformdirs.user_state_path("bootwatch")
        return wanted or self.state or usual


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
