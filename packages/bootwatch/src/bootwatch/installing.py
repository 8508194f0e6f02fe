"""Installs what restarts a device every night, or watches it: units of systemd, or a line for cron.

The service's password is a credential of systemd, which no other process can read.
"""

from __future__ import annotations

import grp
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bootwatch.errors import ConfigError
from bootwatch.files import replace_file
from bootwatch.service_check import metrics_folder, problems
from bootwatch.units import FAILED, HARDENING, REBOOT, TIMER, WATCH

if TYPE_CHECKING:
    from bootwatch.config import Config

SYSTEM_UNITS = Path("/etc/systemd/system")
LAST_HOUR, LAST_MINUTE = 23, 59
SPARE = 60.0  # seconds beyond the longest attempt until systemd ends it
_CRON = re.compile(r"\*-\*-\* (\d{1,2}):(\d{2})(?::00)?")
_UNSAFE = re.compile(r"[\s\"'\\$%;]")


def make_units(
    config: Config, name: str, *, path: Path, calendar: str, watching: bool = False
) -> dict[str, str]:
    """Write the units of a device, as texts.

    Args:
        config: The configuration.
        name: The device.
        path: Where the configuration lies.
        calendar: When, as systemd's `OnCalendar` has it.
        watching: A service that watches for ever instead of a nightly restart.

    Returns:
        The text of each file, by its name.

    Raises:
        ConfigError: There is no such device, its password comes from where no service can read
            it, or a text would not survive in a unit.
    """
    device, resolved = config.device(name), path.resolve()
    if device.password.credential is None:
        raise ConfigError(
            f"`devices.{name}.password` must be {{ credential = ... }} for a service, as its user "
            "can read no file of yours; see the documentation of `bootwatch install`"
        )
    if "\n" in calendar or not calendar.strip():
        raise ConfigError("`--on-calendar` must be one line, such as `*-*-* 03:30`")
    _let_systemd_read(calendar)
    secrets, folder = credentials(config, name, path=path), metrics_folder(config, name)
    for text in (str(resolved), *secrets, command(), str(folder or "")):
        if _UNSAFE.search(text):
            raise ConfigError(f"{text!r} has a letter that systemd reads otherwise; rename it")
    more = "".join(f"LoadCredential={one}:{where}\n" for one, where in secrets.items())
    texts = {
        "name": name,
        "command": command(),
        "config": resolved,
        "timeout": longest(config, name),
        "more": more + _for_metrics(folder) + HARDENING,
    }
    failed = {f"bootwatch-{name}-failed.service": FAILED.format(**texts)}
    if watching:
        return {f"bootwatch-{name}-watch.service": WATCH.format(**texts), **failed}
    timer = TIMER.format(name=name, calendar=calendar.strip())
    service = REBOOT.format(**texts)
    return {f"bootwatch-{name}.service": service, f"bootwatch-{name}.timer": timer, **failed}


def credentials(config: Config, name: str, *, path: Path) -> dict[str, Path]:
    """Return the files of a device's credentials, which lie beside the configuration."""
    device, folder = config.device(name), path.resolve().parent
    names = [device.password.credential, *device.notify.credentials()]
    return {one: folder / f"{one}.password" for one in names if one is not None}


def find_problems(config: Config, name: str, *, path: Path) -> list[str]:
    """List what would keep the service of a device from working, by trying; a sentence each."""
    return problems(
        config,
        name,
        path=path.resolve(),
        command=command(),
        credentials=credentials(config, name, path=path),
    )


def _for_metrics(folder: Path | None) -> str:
    """Return the lines that let a service write metrics outside of its state folder."""
    if folder is None:
        return ""
    lines = f"ReadWritePaths=-{folder}\n"
    try:
        status = folder.stat()
        group = grp.getgrgid(status.st_gid).gr_name
    except (OSError, KeyError):
        return lines
    return lines + (f"SupplementaryGroups={group}\n" if status.st_mode & stat.S_IWGRP else "")


def _let_systemd_read(calendar: str) -> None:
    """Refuse a time that systemd, where it is installed, cannot read: its timer would never run."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    done = subprocess.run([analyze, "calendar", "--", calendar], capture_output=True, check=False)  # noqa: S603 - no shell, and `--` ends the options
    if done.returncode:
        raise ConfigError(
            f"`--on-calendar` is {calendar!r}, which systemd cannot read; "
            "write a time such as `*-*-* 03:30` or `Sun 04:00`"
        )


def longest(config: Config, name: str) -> float:
    """Return the most seconds that an attempt may take, with a minute to spare."""
    device, steps = config.device(name), list(config.recipe(name).steps())
    # Before and after: every step may be sent twice, the first one up to three times.
    requests = 2 * (len(steps) + 2) * device.timeout + 2 * sum(step.pause for step in steps)
    looks = device.guard.wait + device.guard.samples * (device.guard.every + device.timeout)
    return SPARE + requests + looks + 2 * device.verify.deadline + (device.pause or 0.0)


def cron_line(name: str, *, path: Path, calendar: str) -> str:
    """Return the line for cron: silent on success, as cron sends a mail of whatever is said.

    Raises:
        ConfigError: The time is not a daily one.
    """
    found = _CRON.fullmatch(calendar.strip())
    hour, minute = (int(found[1]), int(found[2])) if found else (-1, -1)
    if not (0 <= hour <= LAST_HOUR and 0 <= minute <= LAST_MINUTE):
        raise ConfigError(
            f"`--on-calendar` is {calendar!r}; for cron a daily time was expected, "
            "such as `*-*-* 03:30`"
        )
    words = [command(), "reboot", name, "--config", str(path.resolve()), "--quiet"]
    # To cron a percent sign ends the command, also in quotation marks; a backslash saves it.
    line = shlex.join(words).replace("%", r"\%")
    if "\n" in line:
        raise ConfigError(f"{str(path)!r} has a line break, which cron cannot read; rename it")
    return f"{minute} {hour} * * * {line}"


def write_units(units: dict[str, str], folder: Path) -> list[Path]:
    """Write unit files and return their paths.

    Raises:
        ConfigError: The folder cannot be written to.
    """
    paths = []
    for name, text in units.items():
        path = folder / name
        try:
            replace_file(path, text)
        except OSError as error:
            raise ConfigError(
                f"`{path}` cannot be written ({error.strerror}); run this as root, or use "
                "`--print`, or `--into FOLDER`"
            ) from None
        paths.append(path)
    return paths


def command() -> str:
    """Return the path of this command."""
    beside = Path(sys.executable).with_name("bootwatch")
    return str(beside) if beside.exists() else shutil.which("bootwatch") or "bootwatch"
