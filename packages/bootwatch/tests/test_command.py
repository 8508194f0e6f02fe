"""The command `bootwatch` is installed, helps, and refuses what is wrong."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

import bootwatch
from bootwatch.simulator import FakeDevice, Fault


def test_version_is_that_of_the_installed_package(world):
    """`--version` prints name and version on stdout, by the command and by `python -m`."""
    result = world.installed("--version", expect=0)
    assert (result.stdout, result.stderr) == (f"bootwatch {version('bootwatch')}\n", "")
    module = subprocess.run(
        [sys.executable, "-m", "bootwatch", "--version"],
        env=world.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (module.returncode, module.stdout, module.stderr) == (0, result.stdout, "")
    assert bootwatch.__version__ == version("bootwatch")


def test_the_package_has_no_other_attributes():
    """A name that is asked for in vain is an error, as everywhere, and is named."""
    with pytest.raises(AttributeError, match="`reboott`"):
        _ = bootwatch.reboott


def test_help_shows_an_example_of_each_command(world):
    """`--help` of each command exits with 0 and ends with an example that names the command."""
    commands = ("plan", "check", "reboot", "history", "watch", "report", "install", "trust")
    commands = (*commands, "notify", "recipe", "simulate")
    listed = world.run("--help", expect=0).stdout
    for command in commands:
        assert command in listed
        assert f"bootwatch {command} " in world.run(command, "--help", expect=0).stdout


def test_wrong_usage_exits_with_2_and_names_the_argument(world):
    """An argument that does not exist is named on stderr; nothing is printed on stdout."""
    result = world.installed("--nonsense", expect=2)
    assert result.stdout == ""
    assert "--nonsense" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("reboot", "tk", "--password=SecretPasswd"),
        ("check", "tk", "--passwd", "SecretPasswd"),
        ("--password", "SecretPasswd", "reboot", "tk"),
    ],
)
def test_a_password_on_the_command_line_is_refused(world, arguments):
    """It is not repeated, and the place where it belongs is told."""
    result = world.installed(*arguments, expect=2)
    assert result.stdout == ""
    assert "password = { file = " in result.stderr
    assert "SecretPasswd" not in result.stderr


BAD = """
[devices.one]
recipe = "auerswald-from"
password = "SecretPasswd"
timeout = "soon"
[devices.one.verify]
stable_fro = "3s"
[devices.two]
recipe = "auerswald-form"
url = "http://tk"
password = { file = "two.password" }
"""


def test_every_bad_input_is_a_line_by_its_path(world):
    """Exit status 2, and one line on stderr for each of six mistakes, without the password."""
    path = world.folder / "bad.toml"
    path.write_text(BAD, encoding="utf-8")
    result = world.installed("plan", "one", "--config", str(path), expect=2)
    assert result.stdout == ""
    assert "SecretPasswd" not in result.stderr
    told = {line.split()[1].strip("`:"): line for line in result.stderr.splitlines()}
    assert {name.removeprefix("devices."): line for name, line in told.items()}.keys() == {
        "one.recipe",
        "one.url",
        "one.password",
        "one.timeout",
        "one.verify.stable_fro",
        "two.url",
    }
    for name, hint in {
        "one.recipe": "did you mean `auerswald-form`?",
        "one.url": "is missing",
        "one.password": "file of its own with mode 600",
        "one.timeout": "write a number with a unit",
        "one.verify.stable_fro": "did you mean `stable_for`?",
        "two.url": "allow_plain_http = true",
    }.items():
        assert hint in told[f"devices.{name}"]


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
    world.device(password=FakeDevice.password)
    options = ("--fault", "changed-certificate", "--fault", "late-sip", "--sip", "--boot", "200ms")
    with world.running("simulate", "auerswald-form", *options) as process:
        addresses = json.loads(process.stdout.readline())
        world.sections[""] |= {"url": addresses["url"], "ca": addresses["ca"]}
        world.sections["verify"]["sip"] = addresses["sip"]
        assert world.reboot(expect=0)["facts"]["sip"] == "answered with 200"
        process.terminate()
        assert process.wait(timeout=60) == 0


def test_a_seed_makes_another_device(world):
    """The serial number is the same for the same seed, and another one for another seed."""
    serials = []
    for seed in (7, 7, 8):
        device, _ = world.device(seed=seed)
        facts = json.loads(world.run("check", "tk", "--json", expect=0).stdout)["facts"]
        assert facts["serial"] == device.serial
        serials.append(device.serial)
    assert serials[0] == serials[1] != serials[2]


def test_the_simulator_tells_all_wrong_arguments(world):
    """An unknown kind, an unknown fault and a bad duration are told at once, with the nearest."""
    told = world.run(
        "simulate", "auerswald-from", "--fault", "slowboot", "--boot", "soon", expect=2
    ).stderr
    assert "did you mean `auerswald-form`" in told
    assert "did you mean `slow-boot`" in told
    assert "`--boot`: 'soon' is not a duration" in told


def test_the_simulator_lists_its_faults(world):
    """`--faults` needs no kind of device, and gives each fault a line that says what it is."""
    lines = world.installed("simulate", "--faults", expect=0).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(Fault)
    assert all(len(line.split()) > 1 for line in lines)
