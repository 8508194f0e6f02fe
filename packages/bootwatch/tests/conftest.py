"""A fake device and a configuration for it, and the installed command to run against them.

The device runs in this process, on real sockets of loopback; the command is always a process of
its own. Delays are short because the configuration says so.
"""

import base64
import contextlib
import html
import json
import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from bootwatch.ledger import Attempt, Ledger
from bootwatch.simulator import FakeDevice, Fault, Simulator, Timing

COMMAND = str(Path(sysconfig.get_path("scripts"), "bootwatch"))
PATIENCE = 90  # seconds until a command counts as hanging, also on a busy machine
PASSWORD = 'S3cret! ü&"/+~'  # noqa: S105 - of a fake device; each encoding writes it in another way


def forms_of(password: str) -> set[bytes]:
    """List how a password could be written anywhere; short, and independent of the package."""
    forms = {json.dumps(password)[1:-1], html.escape(password), password}
    for encoding in ("utf-8", "iso-8859-1"):
        data = password.encode(encoding)
        forms |= {quote(data), quote(data, safe="!"), quote_plus(data), quote_plus(data, safe="!")}
        forms |= {base64.b64encode(data).decode(), data.hex()}
        forms.add(base64.b64encode(b"admin:" + data).decode())
    return {form.encode() for form in forms} | {password.encode("iso-8859-1")}


def search_for(password: str, *places: bytes | Path) -> None:
    """Fail if any form of the password is found in these bytes, or in files below these folders."""
    for place in places:
        if isinstance(place, bytes):
            pieces = [place]
        else:
            pieces = [one.read_bytes() for one in place.rglob("*") if one.is_file()]
        for piece in pieces:
            found = [form for form in forms_of(password) if form in piece]
            assert not found, f"the password stands in {piece!r}"


@dataclass
class World:
    """One folder with a configuration, a password and a state folder, and devices for it."""

    folder: Path
    stack: contextlib.ExitStack
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    passwords: set[str] = field(default_factory=set)

    command: str = COMMAND

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
        more.setdefault("password", PASSWORD)
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
        self.passwords.add(device.password)
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
            "notify": {"textfile": "tk.prom"},
        }
        if sip:
            self.sections["verify"]["sip"] = simulator.sip_target
        return device, simulator

    def run(
        self, *arguments: str, expect: int | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Write the configuration, run the command to its end, and search for the password."""
        result = subprocess.run(
            [COMMAND, *arguments],
            env=self.environment(**environment),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        self.search(result.stdout.encode(), result.stderr.encode())
        if expect is not None:
            assert result.returncode == expect, result.stdout + result.stderr
        return result

    def reboot(self, *arguments: str, expect: int) -> dict[str, Any]:
        """Run `bootwatch reboot tk --json` as loudly as can be, and return what it printed."""
        loud = ("--json", "--log-json", "-vv")
        return json.loads(self.run("reboot", "tk", *loud, *arguments, expect=expect).stdout)

    def search(self, *more: bytes) -> None:
        """Search the state folder and these bytes for the passwords of all devices."""
        for password in self.passwords:
            search_for(password, self.state, *more)

    def attempts(self) -> list[Attempt]:
        """Return what the ledger holds, the newest first."""
        with Ledger(self.state) as ledger:
            return ledger.attempts()

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start the command; it is killed at the end if it still runs."""
        with subprocess.Popen(
            [COMMAND, *arguments],
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

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


@pytest.fixture
def wait_for_phase() -> Callable[[subprocess.Popen[str], str], None]:
    """A function that reads the JSON log of a running command until a phase has ended."""

    def wait(process: subprocess.Popen[str], phase: str) -> None:
        assert process.stderr
        for line in process.stderr:
            if json.loads(line).get("phase") == phase:
                return
        raise AssertionError(f"the command ended before its phase {phase}")

    return wait
