"""Every verdict is reached by a real fault, through the installed command."""

import datetime as dt
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import trustme

from bootwatch.simulator import FakeDevice, Fault
from bootwatch.simulator.device import Timing

FORM = [
    ("LOGIN_NOW", "true"),
    ("jssupport", "true"),
    ("timeout", "200"),
    ("LOGIN_NAME", "admin"),
    ("LOGIN_PASS", "SecretPasswd"),
    ("Anmelden", "Anmelden"),
]


def test_two_requests_are_enough(world):
    """A device that knows the two known requests and nothing else is restarted and proved.

    Both are sent field for field, each once, the second with both cookies of the first; what the
    device does not tell is called not available.
    """
    device, _ = world.device(bare=True, password=FakeDevice.password)
    told = world.reboot(expect=0)
    assert device.boots == 1
    login, act = [one for one in device.heard if one.method == "POST" and one.body]
    assert (login.path, parse_qsl(login.body.decode())) == ("/login", FORM)
    assert login.body == "&".join(f"{name}={value}" for name, value in FORM).encode()
    assert act.path == "/updownload?timereboot_PBX=1&reboottime=0"
    assert act.body == b"reboottimevalue=0&rebootpbx=Neustart"
    names = [part.partition("=")[0].strip() for part in act.headers["cookie"].split(";")]
    assert names == ["AUERSessionID", "AUERWEB_COOKIE"]
    assert told["verdict"] == "confirmed"
    assert told["downtime_s"] > 0.2
    for check in ("serial", "calls", "sip", "old session", "lines"):
        assert told["facts"][check] == "not available"


def test_a_whole_device_passes_every_check(world):
    """Serial number, calls, old session, SIP and lines are all seen and good."""
    device, _ = world.device(sip=True)
    told = world.reboot(expect=0)
    assert told["facts"] == {
        "serial": device.serial,
        "calls": "none",
        "restart": "answered with status 200",
        "went down": "once",
        "old session": "refused",
        "sip": "answered with 200",
        "lines": "none newly blocked",
        "logout": "done",
    }
    assert (device.boots, device.logins, device.logouts) == (1, 2, 1)


@pytest.mark.parametrize(
    ("fault", "code", "reason", "boots"),
    [
        (Fault.WRONG_PASSWORD, 3, "refused", 0),
        (Fault.LOCKED, 3, "locked", 0),
        (Fault.REDIRECT, 3, "refused", 0),
        (Fault.SESSION_LOST, 3, "session-lost", 0),
        (Fault.BUSY, 4, "busy", 0),
        (Fault.UMLAUTS, 4, "busy", 0),
        (Fault.CALLS, 5, "calls", 0),
        (Fault.HANG, 6, "timeout", 0),
        (Fault.DRIP, 6, "endless", 0),
        (Fault.HALF_REPLY, 6, "half-reply", 0),
        (Fault.NEVER_DOWN, 7, "kept-running", 0),
        (Fault.NEVER_BACK, 8, "stayed-away", 0),
        (Fault.FLAPS_ON, 8, "unstable", None),
        (Fault.OTHER_SERIAL, 11, "serial-changed", 1),
        (Fault.NO_SIP, 12, "sip", 1),
        (Fault.BLOCKED_LINE, 12, "blocked-line", 1),
        (Fault.COOKIE_SURVIVES, 12, "old-session", 1),
        (Fault.AMNESIA, 12, "serial-gone+lines-gone", 1),
        (Fault.LOCKED_AFTER, 12, "login-after", 1),
        (Fault.HANG_AFTER, 12, "silent-timeout", 1),
    ],
)
def test_a_fault_gives_its_verdict(world, fault, code, reason, boots):
    """The exit code and the reason are those of the fault, and nobody stays logged in."""
    device, _ = world.device(fault, sip=fault is Fault.NO_SIP)
    told = world.reboot(expect=code)
    assert (told["code"], told["reason"]) == (code, reason)
    if boots is not None:
        assert device.boots == boots
    gone = device.has(Fault.NEVER_BACK, Fault.AMNESIA)  # where nobody can log out any more
    if device.logins > device.boots and not gone:
        assert device.open_session() is not None, "the next login is locked out"
    assert world.attempts()[0].verdict == code


@pytest.mark.parametrize(
    ("fault", "downs", "boots"),
    [
        (Fault.LOST_REPLY, "once", 1),
        (Fault.SLOW_BOOT, "once", 1),
        (Fault.FLAPS, "4 times", 4),
        (Fault.BOOTS_TWICE, "2 times", 2),
    ],
)
def test_what_ends_well_is_confirmed(world, fault, downs, boots):
    """A lost reply, a slow start and restarts that settle in time are confirmed, and told."""
    device, _ = world.device(fault)
    world.sections["verify"]["deadline"] = "20s"
    told = world.reboot(expect=0)
    assert told["facts"]["went down"] == downs
    assert device.boots == boots
    if fault is Fault.LOST_REPLY:
        assert told["facts"]["restart"] == "reply lost (half-reply)"


def test_calls_that_end_are_waited_for(world):
    """With `guard.wait`, the restart comes after the call."""
    device, _ = world.device(Fault.CALLS_ENDING)
    world.sections["guard"]["wait"] = "20s"
    assert world.reboot(expect=0)["facts"]["calls"] == "none"
    assert device.boots == 1


def test_a_device_that_is_off_is_unreachable(world):
    """No connection gives 6, and nothing is sent."""
    device, simulator = world.device()
    simulator.switch_off()
    told = world.reboot(expect=6)
    assert told["reason"] == "connect"
    assert device.heard == []


def test_another_device_is_not_logged_in_to(world):
    """A serial number that is not the configured one gives 11, before any login."""
    device, _ = world.device()
    world.sections[""]["serial"] = "4711"
    assert world.reboot(expect=11)["reason"] == "serial"
    assert [one.path for one in device.heard if one.method == "POST"] == []


def test_a_refused_password_is_tried_once_ever(world):
    """The second run refuses by itself; `check --again` or another password tries again."""
    device, _ = world.device(Fault.WRONG_PASSWORD)
    world.reboot(expect=3)
    assert device.refusals == 1
    assert world.reboot(expect=3)["reason"] == "refused-before"
    world.run("check", "tk", expect=3)
    assert device.refusals == 1
    world.run("check", "tk", "--again", expect=3)
    assert device.refusals == 2
    (world.folder / "tk.password").write_text("another", encoding="utf-8")
    assert world.reboot(expect=3)["reason"] == "refused"
    assert device.refusals == 3


def test_a_second_run_is_rate_limited_and_force_overrides(world):
    """The second restart within `min_interval` gives 9 and sends nothing; `--force` restarts."""
    device, _ = world.device()
    world.reboot(expect=0)
    heard = len(device.heard)
    assert world.reboot(expect=9)["reason"] == "too-soon"
    assert len(device.heard) == heard
    world.reboot("--force", expect=0)
    assert device.boots == 2


def certificate(path: Path, authority: trustme.CA, *, days: int = 30) -> Path:
    """Write key and certificate for loopback, valid for so many days from now on."""
    until = dt.datetime.now(tz=dt.UTC) + dt.timedelta(days=days)
    since = until - dt.timedelta(days=60)
    pair = authority.issue_cert("127.0.0.1", not_before=since, not_after=until)
    pair.private_key_and_cert_chain_pem.write_to_path(path)
    return path


def test_an_authority_of_ones_own_is_verified(world, tmp_path):
    """TLS works with the authority's file as `ca`, and gives 11 without it, before any login."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    device, _ = world.device(certificate=certificate(tmp_path / "one.pem", authority))
    assert world.reboot(expect=11)["reason"] == "certificate-untrusted"
    assert device.heard == []
    world.sections[""]["ca"] = "ca.pem"
    world.reboot(expect=0)


def test_an_expired_certificate_is_refused(world, tmp_path):
    """It gives 11 with a reason of its own, before any login."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    device, _ = world.device(certificate=certificate(tmp_path / "old.pem", authority, days=-1))
    world.sections[""]["ca"] = "ca.pem"
    assert world.reboot(expect=11)["reason"] == "certificate-expired"
    assert device.heard == []


def test_a_pinned_certificate_is_trusted_until_it_changes(world, tmp_path):
    """`trust` stores the fingerprint; another certificate after the restart gives 11."""
    one, two = (certificate(tmp_path / f"{name}.pem", trustme.CA()) for name in ("one", "two"))
    device, _ = world.device(certificate=one, certificate_after=two)
    shown = world.run("trust", "tk", "--yes", expect=0).stdout
    assert shown.split()[-1] == (tmp_path / "tk.fingerprint").read_text("ascii").strip()
    assert device.heard == []
    assert world.reboot(expect=11)["reason"] == "certificate-changed"
    assert device.boots == 1
    logins = device.logins
    world.run("check", "tk", expect=11)
    assert device.logins == logins
    world.run("trust", "tk", "--yes", expect=0)
    world.run("check", "tk", expect=0)


@pytest.mark.parametrize("recipe", ["auerswald-digest", "fritzbox-tr064", "generic-form"])
def test_the_other_recipes_restart_their_devices(world, recipe):
    """Each restarts the device it is made for, and a wrong password is tried only once."""
    device, _ = world.device(recipe=recipe)
    assert world.reboot(expect=0)["verdict"] == "confirmed"
    assert device.boots == 1


@pytest.mark.parametrize("recipe", ["auerswald-digest", "fritzbox-tr064", "generic-form"])
def test_the_other_recipes_notice_a_refused_password(world, recipe):
    """It is sent once, gives 3, and is not sent again."""
    device, _ = world.device(Fault.WRONG_PASSWORD, recipe=recipe)
    assert world.reboot(expect=3)["reason"] == "refused"
    assert device.refusals <= 2, "one for the challenge, one for the password"
    tried = len(device.heard)
    assert world.reboot(expect=3)["reason"] == "refused-before"
    with_secret = [
        one
        for one in device.heard[tried:]
        if "authorization" in one.headers or b"password" in one.body
    ]
    assert with_secret == []


def test_a_password_with_umlauts_reaches_the_device(world):
    """It is sent in the device's encoding, ISO-8859-1, percent-encoded."""
    device, _ = world.device(password="grün&größer=100 %!")  # noqa: S106 - a fake device's
    world.run("check", "tk", expect=0)
    (login,) = [one for one in device.heard if one.path == "/login" and one.method == "POST"]
    assert b"LOGIN_PASS=gr%FCn%26gr%F6%DFer%3D100+%25%21&" in login.body


def test_a_session_left_open_ends_by_itself(world):
    """A killed run may leave a session; the next one is told busy until the session times out."""
    device, _ = world.device(timing=Timing(session=60.0))
    assert device.open_session()
    assert world.reboot(expect=4)["reason"] == "busy"
