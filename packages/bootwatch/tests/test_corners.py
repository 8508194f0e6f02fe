"""Corners that devices and machines have: odd answers, missing packages, files that are folders."""

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import keyring
import pytest
from filelock import FileLock
from keyring.backend import KeyringBackend
from keyring.backends import fail

from bootwatch.clock import Moment, now
from bootwatch.config import load_config
from bootwatch.errors import ConfigError
from bootwatch.passwords import PasswordSource
from bootwatch.recipe import load_recipe
from bootwatch.simulator import FakeDevice, Fault, Simulator, Timing
from bootwatch.sip import ask
from bootwatch.tls import make_context, read_pin, store_pin


def test_a_device_that_is_still_starting_is_unreachable(world):
    """Status 503 on every page is no device to log in to: 6, and no login."""
    device, simulator = world.device()
    simulator.ready_at = time.monotonic() + 1000
    assert world.reboot(expect=6)["reason"] == "not-ready"
    assert [one for one in device.heard if one.method == "POST"] == []


def test_a_login_that_proves_nothing_is_refused_but_not_held_against_the_password(world):
    """A device of another kind answers the login by 404: 3, and the password may be sent again."""
    world.device(recipe="fritzbox-tr064")
    world.sections[""]["recipe"] = "auerswald-form"
    assert world.reboot(expect=3)["reason"] == "unproved"
    assert world.reboot(expect=3)["reason"] == "unproved"


def test_a_restart_that_is_not_known_there_gives_7(world):
    """The page for restarting is 404: the verdict comes at once, logged out."""
    device, _ = world.device()
    recipe = load_recipe("auerswald-form", folder=Path()).model_dump_json()
    path = world.folder / "own.toml"
    text = recipe.replace("/updownload", "/nowhere")
    path.write_text(_as_toml(json.loads(text)), encoding="utf-8")
    world.sections[""]["recipe"] = "own.toml"
    assert world.reboot(expect=7)["reason"] == "act-failed"
    assert device.logouts == 1


def _as_toml(value: dict) -> str:
    """Write a recipe as TOML: JSON texts, lists and inline tables without nulls."""

    def inline(one) -> str:
        if isinstance(one, dict):
            pairs = (f"{json.dumps(k)} = {inline(v)}" for k, v in one.items() if v is not None)
            return "{ " + ", ".join(pairs) + " }"
        if isinstance(one, list):
            return "[" + ", ".join(inline(v) for v in one) + "]"
        if isinstance(one, float):
            return f'"{one:g}s"'  # the only numbers with a point are durations
        return json.dumps(one)

    return "\n".join(f"{key} = {inline(one)}" for key, one in value.items() if one is not None)


def test_a_plan_in_json_masks_the_password_too(world):
    """`plan --json` lists the same requests, each with its phase."""
    world.device(recipe="generic-form")
    planned = json.loads(world.run("plan", "tk", "--json", expect=0).stdout)
    assert [one["phase"] for one in planned] == [
        "reach", "login", "login", "login", "act", "act", "down", "back", "checks", "logout",
    ]  # fmt: skip
    assert planned[3]["body"] == "token=<login_token>&user=admin&password=*****"


def test_only_an_answer_to_our_question_counts():
    """Noise and answers to others are not taken for SIP; an unknown host answers nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{channel.getsockname()[1]}"

        def answer() -> None:
            request, sender = channel.recvfrom(65535)
            for reply in (b"noise", b"SIP/2.0 200 OK\r\nCall-ID: another\r\n\r\n"):
                channel.sendto(reply, sender)
            request, sender = channel.recvfrom(65535)  # it is sent again after half a second
            (own,) = [line for line in request.split(b"\r\n") if line.startswith(b"Call-ID")]
            channel.sendto(b"SIP/2.0 404 Not Found\r\n" + own + b"\r\n\r\n", sender)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        assert ask(target, timeout=30) == 404
        thread.join(timeout=30)
        assert ask(target, timeout=0.1) is None
    assert ask("no.such.host.invalid:5060", timeout=0.1) is None


def test_noise_without_end_is_no_answer():
    """A port that sends other things for ever does not hold the question longer than wanted."""
    stop = threading.Event()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))

        def make_noise() -> None:
            _, sender = channel.recvfrom(65535)
            while not stop.wait(0.001):
                channel.sendto(b"noise", sender)

        thread = threading.Thread(target=make_noise)
        thread.start()
        try:
            assert ask(f"127.0.0.1:{channel.getsockname()[1]}", timeout=0.2) is None
        finally:
            stop.set()
            thread.join()


def test_the_simulator_answers_nothing_but_questions():
    """What telephones send to keep a path open gets no reply; OPTIONS after it does."""
    with Simulator("auerswald-form", FakeDevice(), sip=True) as simulator:
        assert simulator.sip_target
        host, port = simulator.sip_target.split(":")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.connect((host, int(port)))
            channel.send(b"\r\n\r\n")
            channel.settimeout(0.05)
            with pytest.raises(TimeoutError):
                channel.recv(100)
        assert ask(simulator.sip_target, timeout=10) == 200


@pytest.mark.parametrize(
    ("fault", "boots"),
    [(Fault.NEVER_BACK, 0), (Fault.SLOW_BOOT, 0), (Fault.FLAPS_ON, 1), (Fault.LATE_SIP, 1)],
)
def test_the_simulator_ends_whatever_it_is_doing(fault, boots):
    """It is ended while it is off, boots, flaps or is half back: its port is free at once."""
    device = FakeDevice(faults=frozenset({fault}), timing=Timing(down_after=0.0, boot=0.4))
    with Simulator("auerswald-form", device, sip=True) as simulator:
        device.restart_asked.set()
        while device.boots < boots or (not boots and _is_open(simulator.port)):
            time.sleep(0.005)
    assert not _is_open(simulator.port)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a port can be kept")
def test_nobody_gets_the_ports_of_a_simulated_device_that_is_off():
    """It refuses connections and answers no SIP, and what it listened on is its own."""
    with Simulator("auerswald-form", FakeDevice(), sip=True) as simulator:
        assert simulator.sip_target
        assert _is_open(simulator.port)
        simulator.switch_off()
        assert not _is_open(simulator.port)
        sip_port = int(simulator.sip_target.split(":")[1])
        for kind, port in (
            (socket.SOCK_STREAM, simulator.port),
            (socket.SOCK_DGRAM, sip_port),
        ):
            with socket.socket(socket.AF_INET, kind) as thief, pytest.raises(OSError, match="use"):
                thief.bind(("127.0.0.1", port))
    with socket.socket() as other:  # and is free when it has ended
        other.bind(("127.0.0.1", simulator.port))


def _is_open(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_the_simulator_hangs_up_when_it_ends():
    """A client that is kept waiting, or fed one byte at a time, sees the connection end."""
    for fault in (Fault.HANG, Fault.DRIP):
        device = FakeDevice(faults=frozenset({fault}))
        with socket.socket() as client:
            client.settimeout(30)
            with Simulator("auerswald-form", device) as simulator:
                client.connect(("127.0.0.1", simulator.port))
                client.sendall(b"POST /login HTTP/1.0\r\n\r\n")
                while not device.heard:
                    time.sleep(0.005)
            while client.recv(1000):
                pass


def test_files_of_tls_that_cannot_be_used_are_told(tmp_path: Path):
    """A missing authority, a fingerprint that is a folder, and a folder that is missing."""
    with pytest.raises(ConfigError, match="`ca`"):
        make_context(pin=None, ca=tmp_path / "missing.pem")
    (tmp_path / "tk.fingerprint").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_pin(tmp_path / "tk.fingerprint")
    with pytest.raises(ConfigError, match="cannot be written"):
        store_pin(tmp_path / "missing" / "tk.fingerprint", "0" * 64)


class OneSecret(KeyringBackend):
    """A keyring with one password."""

    priority = 1  # pyright: ignore[reportAssignmentType] - keyring's own way

    def get_password(self, service: str, username: str) -> str | None:
        """Return the password of `admin` for `tk`."""
        return "geheim" if (service, username) == ("tk", "admin") else None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Nothing is ever stored."""
        raise NotImplementedError


@pytest.fixture
def use_keyring():
    """A function that installs a keyring until the test ends."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


def test_a_keyring_gives_the_password_or_says_why_not(tmp_path: Path, use_keyring):
    """A good one gives it; one that does not work is told, with what to use instead."""
    source = PasswordSource(keyring="tk")
    use_keyring(OneSecret())
    read = source.read(user="admin", folder=tmp_path, environment={})
    assert read.get_secret_value() == "geheim"
    use_keyring(fail.Keyring())
    with pytest.raises(ConfigError, match="credential = "):
        source.read(user="admin", folder=tmp_path, environment={})


READ_KEYRING = """
from pathlib import Path
from bootwatch.passwords import PasswordSource
PasswordSource(keyring="tk").read(user="admin", folder=Path(), environment={})
"""
SEND_MESSAGE = """
from pathlib import Path
from bootwatch.config import Notify
from bootwatch.notifying import notify
from bootwatch.passwords import Redactor
notify("title", "text", Notify(urls=("json://x",)), folder=Path(), redactor=Redactor())
"""


@pytest.mark.parametrize(
    ("package", "program", "hint"),
    [
        ("keyring", READ_KEYRING, "bootwatch[keyring]"),
        ("apprise", SEND_MESSAGE, "bootwatch[notify]"),
    ],
)
def test_a_missing_extra_is_told_by_its_name(package: str, program: str, hint: str):
    """Without the package, the message says what to install."""
    without = f"import sys\nsys.modules[{package!r}] = None\n{program}"
    result = subprocess.run(
        [sys.executable, "-c", without], capture_output=True, text=True, timeout=60, check=False
    )
    assert "ConfigError" in result.stderr
    assert hint in result.stderr


def test_without_a_name_of_the_boot_the_wall_clock_decides():
    """Where the system does not name its boots, an age is a difference of wall times."""
    early, late = Moment(100.0, "", 50.0), Moment(160.0, "", 10.0)
    assert early.age(late) == 60.0
    assert late.age(early) is None
    assert now().age(now()) < 10.0


def test_a_port_that_is_taken_is_told_by_the_simulator(world):
    """`simulate --port` on a port in use gives 2, and so does a certificate that is none."""
    _, simulator = world.device()
    told = world.run("simulate", "auerswald-form", "--port", str(simulator.port), expect=2).stderr
    assert "cannot start" in told


def test_a_device_of_another_kind_never_restarts_by_accident():
    """The fake devices answer foreign requests by an error, and restart at none of them."""
    for recipe in ("auerswald-digest", "fritzbox-tr064", "generic-form"):
        device = FakeDevice()
        with Simulator(recipe, device) as simulator:
            for path in ("/updownload", "/reboot", "/unlogAdmin", "/upnp/control/deviceconfig"):
                assert _status(simulator.port, path) >= 400
        assert device.boots == 0


def _status(port: int, path: str) -> int:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body="token=x&rebootpbx=Neustart")
        return connection.getresponse().status
    finally:
        connection.close()


def test_two_devices_have_two_recipes(tmp_path: Path):
    """A configuration of two devices keeps them apart, each with its own recipe."""
    path = tmp_path / "bootwatch.toml"
    path.write_text(
        '[devices.a]\nrecipe = "auerswald-form"\nurl = "https://a"\npassword = { env = "A" }\n'
        '[devices.b]\nrecipe = "generic-form"\nurl = "https://b"\npassword = { env = "B" }\n',
        encoding="utf-8",
    )
    config = load_config(path)
    assert config.recipe("a").summary != config.recipe("b").summary


def test_a_device_that_another_run_works_on_is_left_alone(world):
    """While its lock is held, `check` gives 10, and watching takes a dead device for alive."""
    _, simulator = world.device()
    simulator.switch_off()
    world.sections["watch"] = {"every": "10ms", "failures": 1}
    world.state.mkdir(mode=0o700)
    with FileLock(world.state / "tk.lock"):
        world.run("check", "tk", expect=10)
        world.run("watch", "tk", "--rounds", "1", expect=0)
    assert world.attempts() == []
