"""Finds out, by trying, whether a service could use what its units name.

A service of systemd runs as a user that may not exist yet. As root, each file is read, and the
command is started, as the user `nobody`, who may do what every stranger may. Without root only the
modes can be looked at.
"""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from bootwatch.errors import ConfigError
from bootwatch.passwords import read_secret_file
from bootwatch.tls import pin_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bootwatch.config import Config

NOBODY = 65534
LIMIT = 60.0  # seconds for the command to start


def problems(
    config: Config, name: str, *, path: Path, command: str, credentials: Mapping[str, Path]
) -> list[str]:
    """List what would keep the service of a device from working, one sentence each.

    Args:
        config: The configuration.
        name: The device.
        path: Where the configuration lies.
        command: The program that the service starts.
        credentials: The files that systemd reads for it, as root, by their names.
    """
    found = []
    for secret in credentials.values():
        try:
            read_secret_file(secret)
        except ConfigError as error:
            found.append(str(error))
    found += [
        f"`{one}` cannot be read by the user of a service; move it to `/etc/bootwatch`, or run: "
        f"chmod o+r {one} (and o+x on the folders above)"
        for one in _needed(config, name, path)
        if not _strangers_can_read(one)
    ]
    if not _strangers_can_run(command):
        found.append(
            f"`{command}` cannot be started by the user of a service; install bootwatch outside of "
            "your home folder, such as into `/opt/bootwatch`"
        )
    found += _about_metrics(config, name)
    return found


def _needed(config: Config, name: str, path: Path) -> Iterator[Path]:
    device = config.device(name)
    yield path
    if device.recipe.endswith(".toml"):
        yield config.folder / device.recipe
    if device.ca is not None:
        yield config.folder / device.ca
    if pin_path(config.folder, name).exists():
        yield pin_path(config.folder, name)


def metrics_folder(config: Config, name: str) -> Path | None:
    """Return the folder for metrics if it lies outside of the state folder."""
    textfile = config.device(name).notify.textfile
    return Path(textfile).parent if textfile is not None and textfile.startswith("/") else None


def _about_metrics(config: Config, name: str) -> Iterator[str]:
    if config.device(name).notify.textfile is None:
        return
    folder = metrics_folder(config, name)
    if folder is None:
        yield (
            "`notify.textfile` lies in the state folder, where node_exporter cannot read it; give "
            "the whole path, such as `/var/lib/prometheus/node-exporter/tk.prom`"
        )
    elif not folder.is_dir():
        yield f"`{folder}`, the folder of `notify.textfile`, does not exist; make it"
    elif not folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield (
            f"`{folder}`, the folder of `notify.textfile`, cannot be written by the user of a "
            f"service; run: chmod g+w {folder} (the service joins its group)"
        )


def _strangers_can_read(path: Path) -> bool:
    if os.geteuid() == 0:
        return _as_nobody("cat", "--", str(path))
    try:
        return _open_to_all(path, stat.S_IROTH)
    except OSError:
        return False


def _strangers_can_run(command: str) -> bool:
    if os.geteuid() == 0:
        return _as_nobody(command, "--version")
    try:
        return _open_to_all(Path(command), stat.S_IXOTH)
    except OSError:
        return False


def _open_to_all(path: Path, right: int) -> bool:
    real = path.resolve(strict=True)
    return bool(real.stat().st_mode & right) and all(
        folder.stat().st_mode & stat.S_IXOTH for folder in real.parents
    )


def _as_nobody(*arguments: str) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - no shell
            arguments,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
            env={"PATH": os.defpath, "HOME": "/nonexistent"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
