"""A fake device and a configuration for it, and two ways to run the command against them.

The device runs in this process, on real sockets of loopback. `World.installed` starts the installed
command as a process of its own; `World.run` enters the same command in this process, which saves
the start. Delays are short because the configuration says so.
"""

import base64
import contextlib
import html
import io
import json
import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from bootwatch.cli import main
from bootwatch.ledger import Attempt, Ledger
from bootwatch.simulator import FakeDevice, Fault, Simulator, Timing
from scripted import RECIPE, Script

COMMAND = str(Path(sysconfig.get_path("scripts"), "bootwatch"))
PATIENCE = 300  # seconds until a command counts as hanging, also on a busy machine
PASSWORD = 'S3cret! ü&"/+~'  # noqa: S105 - of a fake device; each encoding writes it in another way
QUICK = Timing(down_after=0.02, boot=0.2, session=3.0)

Result = subprocess.CompletedProcess[str]


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


def compiling_into(folder: Path) -> dict[str, str]:
    """Return an environment in which Python keeps what it compiles, which is half of a start.

    Where it usually does so, it may not be allowed to.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(folder)}


@dataclass
class World:
    """One folder with a configuration, a password and a state folder, and devices for it."""

    folder: Path
    compiled: Path
    stack: contextlib.ExitStack
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    passwords: set[str] = field(default_factory=set)

    command: str = COMMAND
    loud: tuple[str, ...] = ("--json", "--log-json", "-vv")

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.folder / "state"

    def device(
        self,
        *faults: Fault,
        recipe: str = "auerswald-form",
        tls: bool = False,
        sip: bool = False,
        **more: Any,
    ) -> tuple[FakeDevice, Simulator]:
        """Start a fake device, and configure `tk` to be it, with short delays.

        What costs time only where something goes wrong is generous, for busy machines.
        """
        device = FakeDevice(
            faults=frozenset(faults), **{"password": PASSWORD, "timing": QUICK, **more}
        )
        simulator = self.stack.enter_context(Simulator(recipe, device, tls=tls, sip=sip))
        self.passwords.add(device.password)
        self.folder.mkdir(exist_ok=True)
        password = self.folder / "tk.password"
        password.write_text(device.password + "\n", encoding="utf-8")
        password.chmod(0o600)
        self.sections = {
            "": {
                "recipe": recipe,
                "allow_plain_http": True,
                "url": simulator.url,
                "password": {"file": "tk.password"},
                "timeout": "5s",
                "pause": "20ms",
            },
            "verify": {
                "stable_for": "80ms",
                "down_within": "5s",
                "deadline": "20s",
                "poll": "20ms",
            },
            "guard": {"samples": 2, "every": "20ms"},
            "limits": {"min_interval": "1h"},
            "notify": {"textfile": "tk.prom"},
        }
        if simulator.ca:
            self.sections[""]["ca"] = str(simulator.ca)
        if sip:
            self.sections["verify"]["sip"] = simulator.sip_target
        return device, simulator

    def run(
        self,
        *arguments: str,
        expect: int | None = None,
        answer: str = "",
        **environment: str,
    ) -> Result:
        """Enter the command in this process, and search what it wrote for the password.

        Args:
            arguments: Those of the command.
            expect: The exit code that is claimed.
            answer: What is typed in.
            environment: Further variables.
        """
        out, err, code = io.StringIO(), io.StringIO(), 0
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.places(**environment).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(answer))
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    main(arguments)
                except SystemExit as end:
                    code = int(end.code or 0)
        return self._judge(Result(arguments, code, out.getvalue(), err.getvalue()), expect)

    def installed(self, *arguments: str, expect: int | None = None, **environment: str) -> Result:
        """Run the installed command to its end, and search what it wrote for the password."""
        result = subprocess.run(
            [COMMAND, *arguments],
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return self._judge(result, expect)

    def _judge(self, result: Result, expect: int | None) -> Result:
        self.search(result.stdout.encode(), result.stderr.encode())
        if expect is not None:
            assert result.returncode == expect, result.stdout + result.stderr
        return result

    def reboot(self, *arguments: str, expect: int) -> dict[str, Any]:
        """Enter `bootwatch reboot tk --json`, as loud as can be, and return what it printed."""
        return json.loads(self.run("reboot", "tk", *self.loud, *arguments, expect=expect).stdout)

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
        """Start the installed command; it is killed at the end if it still runs."""
        with subprocess.Popen(
            [COMMAND, *arguments],
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment of a process that finds its places."""
        return {**compiling_into(self.compiled), **self.places(**more)}

    def places(self, **more: str) -> dict[str, str]:
        """Write the configuration, and return the variables that lead to it."""
        lines = []
        for name, section in self.sections.items():
            lines.append(f"[devices.tk{'.' if name else ''}{name}]")
            lines += [f"{key} = {_toml(value)}" for key, value in section.items()]
        (self.folder / "bootwatch.toml").write_text("\n".join(lines), encoding="utf-8")
        return {
            "BOOTWATCH_CONFIG": str(self.folder / "bootwatch.toml"),
            "BOOTWATCH_STATE": str(self.state),
            **more,
        }


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return json.dumps(value)  # the same for texts, numbers and booleans


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for compiled modules of all processes that the tests start.

    It is filled once, before many of them start side by side and each compile the same.
    """
    folder = tmp_path_factory.mktemp("compiled")
    modules = "bootwatch.cli, bootwatch.reboot, bootwatch.simulator.command, filelock, structlog"
    subprocess.run(
        [sys.executable, "-c", f"import {modules}, httpx2"],
        env=compiling_into(folder),
        check=True,
        timeout=PATIENCE,
    )
    return folder


@pytest.fixture
def new_world(tmp_path: Path, compiled: Path) -> Iterator[Callable[[str], World]]:
    """A function that makes empty worlds by name; their devices end with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda name: World(tmp_path / name, compiled, stack)


@pytest.fixture
def world(new_world: Callable[[str], World]) -> World:
    """An empty world; its devices end with the test."""
    return new_world("")


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


@pytest.fixture
def script(world: World) -> Iterator[Script]:
    """A scripted device, configured as `tk` with a recipe for it."""
    device = Script(world.folder / "own.toml")
    world.device()
    device.use(RECIPE)
    world.sections[""] |= {"recipe": "own.toml", "url": f"http://127.0.0.1:{device.port}"}
    world.sections["verify"] |= {"stable_for": "60ms", "down_within": "1s"}
    yield device
    device.close()


@pytest.fixture
def inbox() -> Iterator[tuple[str, list[bytes]]]:
    """A web server on loopback that keeps what it is sent: its address, and the list."""
    heard: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"json://127.0.0.1:{server.server_address[1]}", heard
    server.shutdown()
    server.server_close()
    thread.join()
