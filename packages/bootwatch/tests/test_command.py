"""The command `bootwatch` is installed, helps, and refuses what is wrong."""

import json
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

from bootwatch.simulator import FakeDevice

COMMAND = [str(Path(sysconfig.get_path("scripts"), "bootwatch"))]
MODULE = [sys.executable, "-m", "bootwatch"]


@pytest.mark.parametrize("start", [COMMAND, MODULE], ids=["command", "module"])
def test_version_is_that_of_the_installed_package(start: list[str]):
    """`--version` prints name and version on stdout, and the exit status is 0."""
    result = subprocess.run(
        [*start, "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"bootwatch {version('bootwatch')}\n"


def test_wrong_usage_exits_with_2_and_names_the_argument():
    """An argument that does not exist is named on stderr; nothing is printed on stdout."""
    result = subprocess.run(
        [*COMMAND, "--nonsense"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert "--nonsense" in result.stderr


def test_a_password_on_the_command_line_is_refused():
    """It is not repeated, and the place where it belongs is told."""
    result = subprocess.run(
        [*COMMAND, "reboot", "tk", "--password=SecretPasswd"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert "password = { file = " in result.stderr
    assert "SecretPasswd" not in result.stderr


def test_every_mistake_of_a_configuration_is_a_line(tmp_path: Path):
    """Exit status 2, and one line on stderr for each of two mistakes."""
    path = tmp_path / "bootwatch.toml"
    path.write_text('[devices.tk]\nurl = "http://tk"\npassword = "geheim"\n', encoding="utf-8")
    result = subprocess.run(
        [*COMMAND, "plan", "tk", "--config", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (result.returncode, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert [line.split()[1] for line in lines] == [
        "`devices.tk.recipe`",
        "`devices.tk.url`",
        "`devices.tk.password`",
    ]


def test_a_plan_shows_every_request_and_no_password(world):
    """The login's body is shown with the password masked; the device hears nothing."""
    device, _ = world.device()
    shown = world.run("plan", "tk", expect=0).stdout
    assert "LOGIN_NAME=admin&LOGIN_PASS=*****&Anmelden=Anmelden" in shown
    assert "/updownload?timereboot_PBX=1&reboottime=0" in shown
    assert device.password not in shown
    assert device.heard == []


def test_the_simulator_as_a_command_is_restarted(world):
    """`bootwatch simulate` prints its addresses, is restarted, and ends by SIGTERM with 0."""
    with subprocess.Popen(
        [*COMMAND, "simulate", "auerswald-form", "--sip", "--boot", "500ms"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            addresses = json.loads(process.stdout.readline())
            world.device(password=FakeDevice.password)
            world.sections[""]["url"] = addresses["url"]
            world.sections["verify"]["sip"] = addresses["sip"]
            assert world.reboot(expect=0)["facts"]["sip"] == "answered with 200"
        finally:
            process.terminate()
            assert process.wait(timeout=60) == 0


def test_the_simulator_tells_all_wrong_arguments(world):
    """An unknown kind, an unknown fault and a bad duration are told at once, with the nearest."""
    told = world.run(
        "simulate", "auerswald-from", "--fault", "slowboot", "--boot", "soon", expect=2
    ).stderr
    assert "did you mean `auerswald-form`" in told
    assert "did you mean `slow-boot`" in told
    assert "'soon' is not a duration" in told
    assert "never-down" in world.run("simulate", "auerswald-form", "--faults", expect=0).stdout
