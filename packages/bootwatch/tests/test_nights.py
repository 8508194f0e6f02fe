"""Night after night for years: no night is skipped, and nothing that goes wrong stays unheard."""

import contextlib
import json
import os
import shlex
import socket
import stat
import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bootwatch import clock, installing, notifying, service_check
from bootwatch.config import Limits, load_config
from bootwatch.errors import ConfigError
from bootwatch.ledger import Attempt
from bootwatch.limits import why_not
from bootwatch.simulator import Fault
from bootwatch.unit_failure import describe
from bootwatch.verdicts import Verdict
from scripted import page

HOUR, DAY = 3600.0, 86400.0
BERLIN = ZoneInfo("Europe/Berlin")
apprise_is_old = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


def restart_at(wall: float, verdict: Verdict = Verdict.CONFIRMED) -> Attempt:
    """Return a restart as the ledger has it."""
    moment = clock.Moment(wall, "boot", wall)
    return Attempt(
        number=1,
        device="tk",
        started=moment,
        phase="checks",
        acted=moment,
        verdict=verdict,
        reason="x",
        downtime=None,
        seconds=1.0,
        facts={},
    )


def skipped(limits: Limits, times: list[float]) -> list[float]:
    """Play nights; return the times at which no restart was made."""
    booked: list[Attempt] = []
    left = []
    for wall in times:
        if why_not(booked, limits, moment=clock.Moment(wall, "boot", wall)) is None:
            booked.insert(0, restart_at(wall))
        else:
            left.append(wall)
    return left


@pytest.fixture
def berlin(monkeypatch):
    """The machine stands in Berlin, where a year has a night of 23 hours and one of 25."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    "limits",
    [
        Limits(per_day=1),
        Limits(min_interval=24 * HOUR, per_day=1),
        Limits(min_interval=DAY, per_day=2),
        Limits(min_interval=22 * HOUR, per_day=1),
    ],
)
@pytest.mark.parametrize(
    ("hour", "jitter"),
    [(3, 60), (3, 3000), (23, 3599), (0, 60), (0, 6 * 3600), (2, 5 * 3600), (12, 10 * 3600)],
)
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Havana", "Australia/Lord_Howe"])
def test_no_night_of_a_year_is_skipped(monkeypatch, limits, hour, jitter, zone):
    """A timer that jitters fires each night, those of 23 and of 25 hours included: all restart.

    In Havana the clock is changed at midnight, on Lord Howe by half an hour.
    """
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    times = []
    for day in range(365):
        midnight = datetime.fromordinal(datetime(2026, 1, 1).toordinal() + day)  # noqa: DTZ001
        begin = midnight.replace(hour=hour, tzinfo=ZoneInfo(zone)).timestamp()
        times.append(begin + (day * 7919) % jitter)
    assert skipped(limits, times) == []


@pytest.mark.usefixtures("berlin")
def test_a_second_restart_of_the_day_is_refused():
    """In the afternoon of the same day, and soon after midnight, once a day still means once."""
    night = datetime(2026, 5, 5, 3, 30, tzinfo=BERLIN).timestamp()
    limits = Limits(min_interval=0.0, per_day=1)
    for later in (HOUR, 11 * HOUR, 15 * HOUR, 20 * HOUR):
        assert skipped(limits, [night, night + later]) == [night + later]
    evening = datetime(2026, 5, 5, 23, 0, tzinfo=BERLIN).timestamp()
    assert skipped(limits, [evening, evening + 2 * HOUR]) == [evening + 2 * HOUR]
    assert skipped(Limits(min_interval=6 * HOUR), [night, night + 6 * HOUR - 60]) != []
    week = Limits(min_interval=7 * DAY)
    assert skipped(week, [night, night + 6 * DAY]) == [night + 6 * DAY]
    assert skipped(week, [night, night + 7 * DAY - 5 * HOUR]) == [night + 7 * DAY - 5 * HOUR]
    assert skipped(week, [night + 5 * HOUR, night + 7 * DAY]) == []


def test_nights_that_probably_worked_are_no_loop():
    """Three restarts without a proof do not end all further ones; three failures do."""
    limits, now = Limits(min_interval=0.0, per_day=9, failures=3), clock.Moment(1e9, "boot", 1e9)
    for verdict, found in ((Verdict.PROBABLE, None), (Verdict.NOT_BACK, "loop")):
        booked = [restart_at(1e9 - n * DAY, verdict) for n in (1, 2, 3)]
        reason = why_not(booked, limits, moment=now)
        assert (reason and reason[0]) == found


def test_metrics_are_readable_under_the_umask_of_the_service(world):
    """With umask 077 they have mode 644, also in a folder outside of the state folder."""
    world.device()
    outside = world.folder / "metrics"
    outside.mkdir()
    world.sections["notify"]["textfile"] = str(outside / "tk.prom")
    before = os.umask(0o077)
    try:
        world.reboot(expect=0)
    finally:
        os.umask(before)
    assert stat.S_IMODE((outside / "tk.prom").stat().st_mode) == 0o644
    assert stat.S_IMODE((world.state / "ledger.sqlite").stat().st_mode) == 0o600


def test_quiet_prints_nothing_after_success_and_the_verdict_otherwise(world):
    """Cron sends a mail of each line: none for a good night, one for a bad one."""
    world.device()
    result = world.installed("reboot", "tk", "--quiet", expect=0)
    assert result.stdout + result.stderr == ""
    assert "rate-limited" in world.run("reboot", "tk", "-q", expect=9).stdout


def test_the_line_for_cron_survives_odd_paths(world, monkeypatch):
    """Percent signs and blanks reach the program as they are, read as cron and a shell do."""
    world.device()
    odd = world.folder / "100% a b"
    odd.mkdir()
    for name in ("tk.password",):
        (odd / name).write_text("x", encoding="ascii")
    world.places()
    (odd / "bootwatch.toml").write_bytes((world.folder / "bootwatch.toml").read_bytes())
    monkeypatch.setattr(installing, "command", lambda: "/opt/boot watch/bin/bootwatch")
    config = str(odd / "bootwatch.toml")
    line = world.run("install", "tk", "--cron", "--config", config, expect=0).stdout.rstrip("\n")
    minute, hour, *stars, rest = line.split(" ", 5)
    assert [minute, hour, *stars] == ["30", "3", "*", "*", "*"]
    assert "%" not in rest.replace(r"\%", "")
    words = shlex.split(rest.replace(r"\%", "%"))
    assert words == ["/opt/boot watch/bin/bootwatch", "reboot", "tk", "--config", config, "--quiet"]


@pytest.mark.parametrize("when", ["*-*-* 24:00", "*-*-* 03:60", "*-*-* 99:99"])
def test_a_time_that_no_clock_shows_is_refused_for_cron(world, when):
    """Cron would refuse the whole table, or never run the line."""
    world.device()
    told = world.run("install", "tk", "--cron", "--on-calendar", when, expect=2).stderr
    assert "a daily time was expected" in told


@pytest.mark.parametrize("what", ["bootwatch.toml", "own.toml", "tk.fingerprint", "."])
def test_what_everybody_can_change_is_refused(world, what):
    """A configuration, a recipe, a fingerprint or their folder: exit 2, and nothing is sent."""
    device, _ = world.device()
    (world.folder / "own.toml").write_text(
        (Path(load_config.__code__.co_filename).parent / "recipes/auerswald-form.toml").read_text(
            "utf-8"
        ),
        encoding="utf-8",
    )
    (world.folder / "tk.fingerprint").write_text("0" * 64, encoding="ascii")
    world.sections[""]["recipe"] = "own.toml"
    world.run("check", "tk", expect=0)
    heard = len(device.heard)
    place = world.folder / what
    mode = stat.S_IMODE(place.stat().st_mode)
    place.chmod(mode | stat.S_IWOTH)
    told = world.run("check", "tk", expect=2).stderr
    assert "can be changed by everybody" in told
    assert "chmod o-w" in told
    place.chmod(mode)
    assert len(device.heard) == heard
    world.run("check", "tk", expect=0)


def test_a_sticky_folder_protects_what_lies_in_it(tmp_path):
    """Nobody else can replace a file in a folder such as `/tmp`."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    (folder / "bootwatch.toml").write_text("", encoding="ascii")
    with pytest.raises(ConfigError, match="`devices` is missing"):
        load_config(folder / "bootwatch.toml")


@apprise_is_old
def test_an_address_may_stand_in_a_file_and_is_never_shown(world, inbox):
    """It gets the message; a missing file is told without stopping the others."""
    address, heard = inbox
    world.device(Fault.WRONG_PASSWORD)
    (world.folder / "chat").write_text(address + "/s3cr3t-token\n", encoding="ascii")
    (world.folder / "chat").chmod(0o600)
    world.sections["notify"]["urls"] = [{"file": "missing"}, {"file": "chat"}]
    told = world.run("reboot", "tk", "-vv", expect=3)
    assert json.loads(heard[0])["title"] == "tk: login refused"
    assert "`notify.urls[0]`: " in told.stderr
    assert "s3cr3t-token" not in told.stdout + told.stderr


@apprise_is_old
def test_an_error_before_a_verdict_is_told_to_people(world, inbox):
    """A password file that others can read, and a state folder that is a file: one message each."""
    address, heard = inbox
    device, _ = world.device()
    world.sections["notify"]["urls"] = [address]
    (world.folder / "tk.password").chmod(0o644)
    world.run("reboot", "tk", expect=2)
    (world.folder / "tk.password").chmod(0o600)
    world.state.write_text("", encoding="ascii")
    world.run("reboot", "tk", expect=1)
    titles = [json.loads(one)["title"] for one in heard]
    assert titles == ["tk: error before a verdict"] * 2
    assert "chmod 600" in json.loads(heard[0])["message"]
    assert device.heard == []
    world.state.unlink()


@apprise_is_old
def test_a_test_message_and_the_heartbeat_are_sent_on_demand(world, inbox):
    """`bootwatch notify` sends one message; without an address it says so; a failure gives 1."""
    address, heard = inbox
    world.device()
    assert "is empty" in world.run("notify", "tk", expect=2).stderr
    world.sections["notify"] |= {"urls": [address], "heartbeat": address.replace("json", "http")}
    world.run("notify", "tk", expect=1)  # that service takes no GET
    assert [json.loads(one)["title"] for one in heard] == ["tk: test of notifications"]
    world.sections["notify"] = {"urls": ["json://127.0.0.1:1"]}
    world.run("notify", "tk", expect=1)


def test_a_heartbeat_follows_a_confirmed_restart_only(world, script):
    """It is fetched after success; not after a failure, which a service behind it notices so."""
    script.replies["/act"] = script.restart()
    world.sections["notify"]["heartbeat"] = f"http://127.0.0.1:{script.port}/beat"
    world.reboot(expect=0)
    assert [path for _, path, _ in script.heard][-1] == "/beat"
    world.reboot(expect=9)
    assert sum(path == "/beat" for _, path, _ in script.heard) == 1


def test_a_heartbeat_that_drips_ends(world, script, monkeypatch):
    """Its service sends a byte of header now and then: it is told, and the verdict stands."""
    monkeypatch.setattr(notifying, "HEARTBEAT_LIMIT", 0.5)
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.send(b"HTTP/1.1 200 OK\r\nX: ")
            while not script.closing.wait(0.1):
                connection.send(b"x")

    threading.Thread(target=drip, daemon=True).start()
    script.replies["/act"] = script.restart()
    world.sections["notify"]["heartbeat"] = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    assert "`notify.heartbeat` could not be fetched" in world.run("reboot", "tk", expect=0).stderr
    listener.close()


def test_systemd_says_what_bootwatch_could_not():
    """A missing credential, a kill and a timeout are told; a verdict was told already."""
    for result, status in (("exit-code", "243"), ("signal", "KILL"), ("timeout", "TERM")):
        found = describe("tk", {"MONITOR_SERVICE_RESULT": result, "MONITOR_EXIT_STATUS": status})
        assert found
        assert status in found[1]
    assert describe("tk", {})
    for verdict in Verdict:
        told = {"MONITOR_SERVICE_RESULT": "exit-code", "MONITOR_EXIT_STATUS": str(int(verdict))}
        assert describe("tk", told) is None


def test_two_services_share_one_user_and_say_when_they_fail(world):
    """Each unit names the same user, and the unit that tells of a failure."""
    world.device()
    world.sections[""]["password"] = {"credential": "tk"}
    world.sections["notify"] |= {"urls": [{"credential": "chat"}], "textfile": "/var/m/tk.prom"}
    shown = world.run("install", "tk", "--print", expect=0).stdout
    shown += world.run("install", "tk", "--print", "--watch", expect=0).stdout
    services = shown.count("[Service]")
    assert services == 4
    assert shown.count("\nUser=bootwatch\n") == shown.count("DynamicUser=yes") == services
    assert shown.count("OnFailure=bootwatch-tk-failed.service") == 2
    assert shown.count(f"LoadCredential=chat:{world.folder}/chat.password") == services
    assert shown.count("ReadWritePaths=-/var/m") == services


def test_what_a_service_cannot_use_is_found_by_trying(world, monkeypatch):
    """A missing credential, a configuration that only root can read, a program at home."""
    world.device()
    world.sections[""]["password"] = {"credential": "chat"}
    told = world.run("install", "tk", "--into", str(world.folder), expect=0).stderr
    assert "chat.password` cannot be read" in told
    assert "cannot be read by the user of a service" in told  # pytest's folders are closed
    assert "`notify.textfile` lies in the state folder" in told
    monkeypatch.setattr(installing, "SYSTEM_UNITS", world.folder / "system")
    (world.folder / "system").mkdir()
    world.run("install", "tk", expect=2)
    assert list((world.folder / "system").iterdir()) == []
    config = load_config(world.folder / "bootwatch.toml")
    found = service_check.problems(
        config, "tk", path=Path("/etc/passwd"), command="/bin/true", credentials={}
    )
    assert len(found) == 1, "only the metrics are in the way: the rest can be read and started"
    found = service_check.problems(
        config, "tk", path=Path("/etc/shadow"), command="/bin/false", credentials={}
    )
    assert len(found) == 3 if os.geteuid() == 0 else 2


def test_control_characters_of_a_device_reach_no_terminal(world, script):
    """A serial number that moves the cursor and turns lines around is shown without that."""
    script.use(
        """
        summary = "x"
        probe = { name = "probe", path = "/", otherwise = "ok" }
        identify = { name = "i", path = "/about", capture = { serial = '(?s)serial=(.+)' },
          rules = [{ means = "ok", text = "serial" }] }
        act = [{ name = "act", path = "/act" }]
        login = [{ name = "login", path = "/login", rules = [{ means = "ok", text = "welcome" }] }]
        """.replace("\n          ", " ")
    )
    script.replies["/about"] = page("serial=47\x1b[2J\u202e11\r\nfake: line")
    shown = world.run("check", "tk", "-vv", expect=0)
    raw = subprocess.run(
        [world.command, "check", "tk", "--json"],
        env=world.environment(),
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    assert "47[2J11  fake: line" in shown.stdout
    assert not {"\x1b", "\r", "\u202e"} & set(shown.stdout + shown.stderr + raw.decode())
