"""A fake device and a configuration for it, and the installed command to run against them.

The device runs in this process, on real sockets of loopback; the command is always a process of
its own. Delays are short because the configuration says so.
"""

import contextlib
import json
import os
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bootwatch.simulator import FakeDevice, Fault, Simulator, Timing

COMMAND = str(Path(sysconfig.get_path("scripts"), "bootwatch"))
PATIENCE = 90  # seconds until a command counts as hanging, also on a busy machine
PASSWORD = FakeDevice.password


@dataclass
class World:
    """One folder with a configuration, a password and a state folder, and devices for it."""

    folder: Path
    stack: contextlib.ExitStack
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    def device(
        self,
        *faults: Fault,
        recipe: str = "auerswald-form",
        certificate: Path | None = None,
        certificate_after: Path | None = None,
        sip: bool = False,
        **more: Any,
    ) -> tuple[FakeDevice, Simulator]:
        """Start a fake device, and configure `tk` to be it, with short delays."""
        more.setdefault("timing", Timing(down_after=0.05, boot=0.4, session=3.0))
        device = FakeDevice(faults=frozenset(faults), **more)
        simulator = self.stack.enter_context(
            Simulator(
                recipe,
                device,
                certificate=certificate,
                certificate_after=certificate_after,
                sip=sip,
            )
        )
        password = self.folder / "tk.password"
        password.write_text(device.password + "\n", encoding="utf-8")
        password.chmod(0o600)
        self.sections = {
            "": {
                "recipe": recipe,
                "allow_plain_http": True,
                "url": simulator.url,
                "password": {"file": "tk.password"},
                "timeout": "1s",
                "pause": "50ms",
            },
            "verify": {
                "stable_for": "300ms",
                "down_within": "1500ms",
                "deadline": "4s",
                "poll": "50ms",
            },
            "guard": {"samples": 2, "every": "50ms"},
            "limits": {"min_interval": "1h"},
        }
        if sip:
            self.sections["verify"]["sip"] = simulator.sip_target
        return device, simulator

    def run(
        self, *arguments: str, expect: int | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Write the configuration and run the command to its end."""
        result = subprocess.run(
            [COMMAND, *arguments],
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if expect is not None:
            assert result.returncode == expect, result.stdout + result.stderr
        return result

    def reboot(self, *arguments: str, expect: int) -> dict[str, Any]:
        """Run `bootwatch reboot tk --json` and return what it printed."""
        return json.loads(self.run("reboot", "tk", "--json", *arguments, expect=expect).stdout)

    def history(self) -> list[dict[str, Any]]:
        """Return what `bootwatch history --json` prints."""
        return json.loads(self.run("history", "--json", expect=0).stdout)

    def environment(self, **more: str) -> dict[str, str]:
        """Write the configuration, and return the environment that leads to it."""
        lines = []
        for name, section in self.sections.items():
            lines.append(f"[devices.tk{'.' if name else ''}{name}]")
            lines += [f"{key} = {_toml(value)}" for key, value in section.items()]
        (self.folder / "bootwatch.toml").write_text("\n".join(lines), encoding="utf-8")
        return {
            **os.environ,
            "BOOTWATCH_CONFIG": str(self.folder / "bootwatch.toml"),
            "BOOTWATCH_STATE": str(self.state),
            **more,
        }


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)  # the same for texts, numbers, booleans and lists of them


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty world; its devices end with the test."""
    with contextlib.ExitStack() as stack:
        yield World(tmp_path, stack)
