"""The systemd units of a nightly restart, hardened, and the line for cron.

The service runs as a user that exists only while it runs. Its password is a credential of
systemd, which no other process can read. The timer is not persistent on purpose: a restart that
was missed at half past three must not happen at nine, in the middle of a call.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bootwatch.errors import ConfigError
from bootwatch.files import replace_file

if TYPE_CHECKING:
    from bootwatch.config import Config

SYSTEM_UNITS = Path("/etc/systemd/system")
_CRON = re.compile(r"\*-\*-\* (\d{1,2}):(\d{2})(?::00)?")
_UNSAFE = re.compile(r"[\s\"'\\$%;]")

SERVICE = """\
[Unit]
Description=Restart {name} and prove it (bootwatch)
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={command} reboot {name} --config {config} --log-json
{credential}TimeoutStartSec={timeout:.0f}
TimeoutStopSec=60
DynamicUser=yes
StateDirectory=bootwatch
StateDirectoryMode=0700
UMask=0077
CapabilityBoundingSet=
AmbientCapabilities=
LimitCORE=0
LockPersonality=yes
MemoryDenyWriteExecute=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=all
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=read-only
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
"""

TIMER = """\
[Unit]
Description=When to restart {name} (bootwatch)

[Timer]
OnCalendar={calendar}
RandomizedDelaySec=60

[Install]
WantedBy=timers.target
"""


def make_units(config: Config, name: str, *, path: Path, calendar: str) -> dict[str, str]:
    """Write the units of a device, as texts.

    Args:
        config: The configuration.
        name: The device.
        path: Where the configuration lies.
        calendar: When, as systemd's `OnCalendar` has it.

    Returns:
        The text of each file, by its name.

    Raises:
        ConfigError: There is no such device, its password comes from where no service can read
            it, or a text would not survive in a unit.
    """
    device = config.device(name)
    source, resolved = device.password, path.resolve()
    if source.credential is None:
        raise ConfigError(
            f"`devices.{name}.password` must be {{ credential = ... }} for a service, as its user "
            "can read no file of yours; see the documentation of `bootwatch install`"
        )
    if "\n" in calendar or not calendar.strip():
        raise ConfigError("`--on-calendar` must be one line, such as `*-*-* 03:30`")
    _let_systemd_read(calendar)
    for text in (str(resolved), source.credential, command()):
        if _UNSAFE.search(text):
            raise ConfigError(f"{text!r} has a letter that systemd reads otherwise; rename it")
    secret = resolved.parent / f"{source.credential}.password"
    service = SERVICE.format(
        name=name,
        command=command(),
        config=resolved,
        credential=f"LoadCredential={source.credential}:{secret}\n",
        timeout=longest(config, name),
    )
    timer = TIMER.format(name=name, calendar=calendar.strip())
    return {f"bootwatch-{name}.service": service, f"bootwatch-{name}.timer": timer}


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
    device = config.device(name)
    requests = 12 * device.timeout  # at most so many, before and after
    looks = device.guard.wait + device.guard.samples * (device.guard.every + device.timeout)
    return 60 + requests + looks + 2 * device.verify.deadline + (device.pause or 2.0)


def cron_line(name: str, *, path: Path, calendar: str) -> str:
    """Return the line for cron.

    Raises:
        ConfigError: The time is not a daily one.
    """
    found = _CRON.fullmatch(calendar.strip())
    if not found:
        raise ConfigError(
            f"`--on-calendar` is {calendar!r}; for cron a daily time was expected, "
            "such as `*-*-* 03:30`"
        )
    hour, minute = int(found[1]), int(found[2])
    return f"{minute} {hour} * * * {command()} reboot {name} --config {path.resolve()} --json"


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
