"""It can be left alone: killed, stopped, out of disk, with a jumping clock, or started twice.

Whatever happens, the device is neither restarted twice nor left with an open session, and no
restart is forgotten.
"""

import contextlib
import json
import resource
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootwatch import clock
from bootwatch.config import Limits
from bootwatch.errors import LedgerError
from bootwatch.ledger import DAY, Ledger
from bootwatch.limits import why_not
from bootwatch.simulator import Timing
from bootwatch.verdicts import Verdict

SOON = 30.0  # seconds in which something must have happened, also on a busy machine
PHASES = ("limit", "reach", "login", "guard", "act", "down", "back", "checks")
QUICK = Timing(down_after=0.03, boot=0.25, session=3.0)
SLOW = Timing(down_after=0.1, boot=0.4, session=0.6, answer=0.05)  # time to kill in each phase

needs_prlimit = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason="needs Linux, to fill the disk of another process"
)


def wait_until(condition) -> None:
    """Wait until a condition holds; fail after `SOON`."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.005)


def asked_to_restart(device) -> bool:
    """Tell whether the request to restart was heard."""
    return any(one.path.startswith("/updownload") for one in device.heard)


def kill_in_phase(world, phase: str) -> None:
    """Start a restart and kill it as soon as the ledger says that it is in a phase, or beyond."""

    def is_there() -> bool:
        found = world.attempts() if world.state.exists() else []
        return bool(found) and PHASES.index(found[0].phase) >= PHASES.index(phase)

    with world.running("reboot", "tk") as process:
        wait_until(lambda: is_there() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=SOON)


@pytest.mark.parametrize("phase", ["limit", "reach", "login", "guard"])
def test_killed_before_the_act_the_next_run_restarts_once(world, phase):
    """Nothing was sent to restart, so that the next run does it; the killed one is told."""
    device, _ = world.device(timing=SLOW)
    kill_in_phase(world, phase)
    time.sleep(device.timing.session + 0.2)  # a session that was left open ends by itself
    device.timing = QUICK
    world.reboot(expect=0)
    assert device.boots == 1
    last, killed = world.attempts()
    assert last.verdict is Verdict.CONFIRMED
    assert (killed.result, killed.acted) == ("interrupted", None)
    assert killed.reason.startswith("killed-in-")


@pytest.mark.parametrize("phase", ["act", "down", "back", "checks"])
def test_killed_after_the_act_the_next_run_does_not_restart(world, phase):
    """The restart counts, although nobody saw its end: the next run is rate-limited.

    In the phase `act` it is killed while the request is under way.
    """
    device, _ = world.device(timing=SLOW)
    if phase == "act":
        with world.running("reboot", "tk") as process:
            wait_until(lambda: asked_to_restart(device))
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=SOON)
    else:
        kill_in_phase(world, phase)
    wait_until(lambda: device.boots == 1)
    assert world.reboot(expect=9)["reason"] == "too-soon"
    assert device.boots == 1
    killed = world.attempts()[1]
    assert killed.reason == f"killed-in-{phase}"
    assert killed.acted is not None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_logs_out_first_and_the_lock_holds_until_then(world, wait_for_phase, number, code):
    """While one run waits, a second gives 10; a signal ends the first, logged out.

    Its process shows no password in its arguments, and could leave no core dump.
    """
    device, _ = world.device()
    world.sections["guard"]["every"] = "60s"
    with world.running("reboot", "tk", "--log-json") as process:
        wait_for_phase(process, "login")
        told = json.loads(world.run("reboot", "tk", "--json", expect=10).stdout)
        assert told["verdict"] == "lock held"
        running = Path("/proc", str(process.pid))
        if running.exists():
            world.search((running / "cmdline").read_bytes(), (running / "environ").read_bytes())
            assert "Max core file size        0" in (running / "limits").read_text("ascii")
        process.send_signal(number)
        assert process.wait(timeout=SOON) == code
        assert process.stderr
        world.search(process.stderr.read().encode())
    assert (device.logins, device.logouts, device.boots) == (1, 1, 0)
    assert {one.reason for one in world.attempts()} == {"locked", f"stopped-{int(number)}"}


@needs_prlimit
def test_a_full_disk_stops_it_before_the_act(world, wait_for_phase):
    """The disk fills up after the login: exit 1, a clear error, logged out, no restart."""
    device, _ = world.device(timing=Timing(answer=0.2))
    with world.running("reboot", "tk", "--log-json") as process:
        wait_for_phase(process, "reach")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        assert process.wait(timeout=SOON) == 1
        assert process.stderr
        told = process.stderr.read()
    assert "ledger.sqlite" in told
    assert "check the free space" in told
    assert device.boots == 0
    assert not asked_to_restart(device)
    assert device.open_session()


@needs_prlimit
def test_a_disk_that_fills_up_later_does_not_change_the_verdict(world, wait_for_phase):
    """Once the device was asked to restart, it is seen through, and what was lost is told."""
    device, _ = world.device(timing=Timing(down_after=0.05, boot=0.4, answer=0.03))
    with world.running("reboot", "tk", "--log-json") as process:
        wait_for_phase(process, "act")
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        assert process.wait(timeout=SOON) == 0
        assert process.stderr
        told = process.stderr.read()
    assert told.count("check the free space") >= 2
    assert device.boots == 1
    assert world.reboot(expect=9)["reason"] == "too-soon"


@pytest.mark.parametrize(("path", "code", "boots"), [("/login", 1, 0), ("/updownload", 0, 1)])
def test_a_ledger_that_breaks_stops_it_before_the_act_only(world, path, code, boots):
    """Its tables vanish in the midst: before the act that ends it, logged out; later it is told."""
    device, _ = world.device()

    def break_it() -> None:
        wait_until(lambda: any(one.path.startswith(path) for one in device.heard))
        with contextlib.closing(sqlite3.connect(world.state / "ledger.sqlite", timeout=SOON)) as db:
            db.execute("DROP TABLE attempts")

    thread = threading.Thread(target=break_it)
    thread.start()
    told = world.run("reboot", "tk", "-v", expect=code).stderr
    thread.join()
    assert "no such table: attempts" in told
    assert device.boots == boots
    assert device.open_session()


def test_a_full_disk_from_the_start_sends_nothing(world):
    """Exit 1 with a clear error, and the device hears nothing."""
    device, _ = world.device()
    result = subprocess.run(
        ["bash", "-c", 'ulimit -f 0; exec "$0" reboot tk', world.command],
        env=world.environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 1
    assert "ledger.sqlite" in result.stderr
    assert device.heard == []


def book(ledger: Ledger, *, age: float, verdict: Verdict | None) -> int:
    """Book a restart that began so many seconds ago; return its number."""
    number = ledger.begin("tk", phase="limit")
    ledger.intend(number)
    if verdict is not None:
        ledger.finish(number, verdict=verdict, reason="x", downtime=None, seconds=1.0, facts={})
    change(ledger, "acted_wall = acted_wall - ?, acted_since_boot = acted_since_boot - ?", age, age)
    return number


def change(ledger: Ledger, what: str, *values: object) -> None:
    """Change the newest row of the ledger, as a jump of the clock would have."""
    with sqlite3.connect(ledger.path) as other:
        query = f"UPDATE attempts SET {what} WHERE id = (SELECT MAX(id) FROM attempts)"  # noqa: S608 - written here
        other.execute(query, values)
    other.close()


def reason_of(ledger: Ledger, limits: Limits) -> str | None:
    """Ask as the next run would, after mending."""
    ledger.mend("tk")
    found = why_not(ledger.restarts("tk"), limits, moment=clock.now())
    return found[0] if found else None


def test_the_wall_clock_may_jump(tmp_path: Path):
    """Within one boot of our machine only the clock that counts from it decides."""
    with Ledger(tmp_path) as ledger:
        book(ledger, age=10.0, verdict=Verdict.CONFIRMED)
        for jump in (-400 * DAY, 400 * DAY):
            change(ledger, "acted_wall = acted_wall + ?", jump)
            assert reason_of(ledger, Limits(min_interval=3600.0)) == "too-soon"
            assert reason_of(ledger, Limits(min_interval=5.0)) is None


def test_a_restart_booked_in_the_future_neither_blocks_for_years_nor_is_forgotten(tmp_path: Path):
    """After a boot of our machine, it counts from the moment when it was noticed."""
    with Ledger(tmp_path) as ledger:
        book(ledger, age=-3650 * DAY, verdict=Verdict.CONFIRMED)
        change(ledger, "acted_boot = 'another'")
        assert reason_of(ledger, Limits(min_interval=3600.0)) == "too-soon"
        (restart,) = ledger.restarts("tk")
        assert restart.acted is not None
        assert abs(restart.acted.wall - time.time()) < SOON


def test_after_a_boot_of_our_machine_the_wall_clock_decides(tmp_path: Path):
    """Ages are counted on, although the clock since boot began again."""
    with Ledger(tmp_path) as ledger:
        book(ledger, age=7200.0, verdict=Verdict.CONFIRMED)
        change(ledger, "acted_boot = 'another', acted_since_boot = 1e9")
        assert reason_of(ledger, Limits(min_interval=10000.0)) == "too-soon"
        assert reason_of(ledger, Limits(min_interval=3600.0)) is None


def test_restarts_a_day_are_counted_also_when_killed(tmp_path: Path):
    """Two restarts within 24 hours are two, whatever came of them; older ones do not count."""
    with Ledger(tmp_path) as ledger:
        limits = Limits(min_interval=60.0, per_day=2)
        book(ledger, age=DAY + 60, verdict=Verdict.CONFIRMED)
        book(ledger, age=7200.0, verdict=Verdict.CONFIRMED)
        assert reason_of(ledger, limits) is None
        book(ledger, age=3600.0, verdict=None)
        assert reason_of(ledger, limits) == "too-many"


def test_restarts_that_never_help_end(tmp_path: Path):
    """After three failures in a row no more is made; one success in between starts again."""
    with Ledger(tmp_path) as ledger:
        limits = Limits(min_interval=0.0, per_day=100, failures=3)
        for verdict in (Verdict.NOT_DOWN, Verdict.NOT_BACK):
            book(ledger, age=5.0, verdict=verdict)
        assert reason_of(ledger, limits) is None
        book(ledger, age=4.0, verdict=None)
        assert reason_of(ledger, limits) == "loop"
        book(ledger, age=3.0, verdict=Verdict.CONFIRMED)
        assert reason_of(ledger, limits) is None


@given(
    st.lists(st.floats(min_value=0, max_value=3 * DAY), max_size=8),
    st.integers(min_value=1, max_value=4),
)
def test_no_day_sees_more_restarts_than_allowed(waits, per_day):
    """Asked at any times, at most `per_day` restarts fall into any 12 hours, as counted here.

    And on no day of the calendar there are more but for those around midnight, whose night began
    on the day before.
    """
    from bootwatch.ledger import Attempt

    limits = Limits(min_interval=0.0, per_day=per_day, failures=100)
    booked: list[Attempt] = []
    at = 0.0
    for wait in waits:
        at += wait
        moment = clock.Moment(at, "boot", at)
        if why_not(booked, limits, moment=moment) is None:
            booked.insert(
                0,
                Attempt(
                    number=len(booked),
                    device="tk",
                    started=moment,
                    phase="checks",
                    acted=moment,
                    verdict=Verdict.CONFIRMED,
                    reason="",
                    downtime=None,
                    seconds=1.0,
                    facts={},
                ),
            )
    times = [one.started.wall for one in booked]
    assert all(sum(0 <= time - one < DAY / 2 for time in times) <= per_day for one in times)
    assert bool(times) == bool(waits)


def begin_together(folder: Path, together: threading.Barrier, told: list[str]) -> None:
    """Open a ledger at the same moment as others do, and book an attempt."""
    together.wait(SOON)
    try:
        with Ledger(folder) as ledger:
            ledger.begin("tk", phase="limit")
    except LedgerError as error:
        told.append(str(error))


def test_many_may_open_a_new_ledger_at_the_same_moment(tmp_path: Path):
    """None is told that it is locked: all 200 attempts in 25 new ledgers are booked."""
    told: list[str] = []
    for number in range(25):
        together = threading.Barrier(8)
        openers = [
            threading.Thread(target=begin_together, args=(tmp_path / str(number), together, told))
            for _ in range(8)
        ]
        for opener in openers:
            opener.start()
        for opener in openers:
            opener.join(SOON)
        with Ledger(tmp_path / str(number)) as ledger:
            assert len(ledger.attempts()) == 8
    assert told == []


def test_a_ledger_of_another_version_is_refused(tmp_path: Path):
    """It is not guessed at; the message says what to do."""
    with Ledger(tmp_path) as ledger:
        other = sqlite3.connect(ledger.path)
        other.execute("PRAGMA user_version = 99")
        other.close()
    with pytest.raises(LedgerError, match=r"version 99.*update this one"):
        Ledger(tmp_path).__enter__()


def test_a_state_folder_that_cannot_be_made_is_told(world):
    """Exit 1 with the path, and the device hears nothing."""
    device, _ = world.device()
    (world.folder / "file").write_text("", encoding="ascii")
    told = world.run("reboot", "tk", "--state", str(world.folder / "file" / "x"), expect=1).stderr
    assert str(world.folder / "file" / "x") in told
    assert device.heard == []


def test_nothing_of_the_state_can_be_read_by_others(world):
    """The state folder is made with mode 700."""
    world.device()
    world.reboot(expect=0)
    assert world.state.stat().st_mode & 0o077 == 0
