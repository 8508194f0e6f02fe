"""systemd's own judgement of the units, and that the filter of system calls lets bootwatch live."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ANALYZE = shutil.which("systemd-analyze")
STRACE = shutil.which("strace")
needs_systemd = pytest.mark.skipif(
    ANALYZE is None, reason="needs systemd-analyze; on Debian: apt-get install systemd"
)
BEST = 20  # tenths: exposure levels below 2 are "OK" to systemd, and 1.3 was reached


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze."""
    return subprocess.run(
        [str(ANALYZE), *arguments], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture
def units(world) -> list[Path]:
    """All units of a device, as `install` writes them: nightly, watching, and of failures."""
    world.device()
    world.sections[""]["password"] = {"credential": "tk"}
    world.sections["notify"] = {"urls": [{"credential": "chat"}], "textfile": "/var/lib/m/tk.prom"}
    for option in ((), ("--watch",)):
        world.run("install", "tk", *option, "--into", str(world.folder), expect=0)
    found = sorted(world.folder.glob("bootwatch-tk*"))
    assert [one.suffix for one in found] == [".service", ".service", ".service", ".timer"]
    return found


@needs_systemd
def test_systemd_takes_every_unit(units):
    """`systemd-analyze verify` says nothing, and would say something about a key it lacks."""
    paths = [str(one) for one in units]
    done = analyze("verify", "--man=no", *paths)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    units[0].write_text(units[0].read_text("utf-8").replace("UMask=", "UMusk="), encoding="utf-8")
    assert "UMusk" in analyze("verify", "--man=no", *paths).stderr


@needs_systemd
def test_systemd_finds_every_service_hardened(units):
    """`systemd-analyze security` gives each an exposure below 2 of 10; without the lines 9.6."""
    services = [one for one in units if one.suffix == ".service"]
    for one in services:
        judged = ("security", "--offline=true", "--no-pager", f"--threshold={BEST}", str(one))
        done = analyze(*judged)
        assert done.returncode == 0, done.stdout.splitlines()[-1]
        text = one.read_text("utf-8")
        one.write_text(text[: text.index("DynamicUser=")], encoding="utf-8")
        assert analyze(*judged).returncode != 0, "what is not hardened is found"


@needs_systemd
@pytest.mark.skipif(STRACE is None, reason="needs strace; on Debian: apt-get install strace")
def test_the_filter_of_system_calls_lets_a_restart_through(world, units):
    """Every call of a whole restart and of `notify` is one that the units allow."""
    (line, without) = re.findall(
        r"^SystemCallFilter=(.+)$", units[0].read_text("utf-8"), re.MULTILINE
    )
    allowed = _calls(line.split()) - _calls(without.removeprefix("~").split()) | _calls(
        ["@default"]
    )
    assert "write" in allowed
    assert "reboot" not in allowed
    device, _ = world.device()
    trace = world.folder / "trace"
    command = [str(STRACE), "-f", "-qq", "-o", str(trace), sys.executable, world.command]
    done = subprocess.run(
        [*command, "reboot", "tk"],
        env=world.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "ptrace" in done.stderr:
        pytest.skip("strace is not allowed to trace here")
    assert device.boots == 1, done.stderr  # whether it is proved depends on how slow tracing is
    made = set(
        re.findall(r"^\d+ +(\w+)\(", trace.read_text("utf-8", errors="replace"), re.MULTILINE)
    )
    assert "connect" in made
    # SQLite gives its files to the owner of the ledger where it runs as root, as no unit does.
    assert made - allowed <= ({"fchown"} if os.geteuid() == 0 else set())


def _calls(names: list[str]) -> set[str]:
    """List the system calls of some sets, those of the sets in them included."""
    found: set[str] = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        lines = analyze("syscall-filter", "--no-pager", name).stdout.splitlines()[1:]
        found |= _calls([one.strip() for one in lines if one.strip() and "#" not in one])
    return found
