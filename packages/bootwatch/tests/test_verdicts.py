"""What a verdict rests on: what was sent, what was found, and what is never sent again."""

from urllib.parse import parse_qsl

import pytest

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
    """A device that knows the two known requests and nothing else is restarted.

    Both are sent field for field, each once, the second with both cookies of the first; what the
    device does not tell is called not available, and without any of it nothing is proved.
    """
    device, _ = world.device(bare=True, password=FakeDevice.password)
    told = world.reboot(expect=13)
    assert device.boots == 1
    login, act = [one for one in device.heard if one.method == "POST" and one.body]
    assert (login.path, parse_qsl(login.body.decode())) == ("/login", FORM)
    assert login.body == "&".join(f"{name}={value}" for name, value in FORM).encode()
    assert act.path == "/updownload?timereboot_PBX=1&reboottime=0"
    assert act.body == b"reboottimevalue=0&rebootpbx=Neustart"
    names = [part.partition("=")[0].strip() for part in act.headers["cookie"].split(";")]
    assert names == ["AUERSessionID", "AUERWEB_COOKIE"]
    assert (told["verdict"], told["reason"]) == ("probably restarted", "no-proof")
    assert told["downtime_s"] > 0.15
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
        "proof": "it said that it restarts, and the old session is dead",
    }
    assert (device.boots, device.logins, device.logouts) == (1, 2, 1)


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


def test_an_authority_of_ones_own_is_verified(world):
    """TLS works with the authority's file as `ca`, and gives 11 without it, before any login."""
    device, _ = world.device(tls=True)
    authority = world.sections[""].pop("ca")
    assert world.reboot(expect=11)["reason"] == "certificate-untrusted"
    assert device.heard == []
    world.sections[""]["ca"] = authority
    world.reboot(expect=0)


def test_a_pinned_certificate_is_trusted_until_it_changes(world):
    """`trust` stores the fingerprint, also of an expired certificate; then no other one will do."""
    device, _ = world.device(Fault.EXPIRED_CERTIFICATE, Fault.CHANGED_CERTIFICATE)
    shown = world.run("trust", "tk", "--yes", expect=0).stdout
    assert shown.split()[-1] == (world.folder / "tk.fingerprint").read_text("ascii").strip()
    assert device.heard == []
    assert world.reboot(expect=11)["reason"] == "certificate-changed"
    assert device.boots == 1
    logins = device.logins
    world.run("check", "tk", expect=11)
    assert device.logins == logins
    world.run("trust", "tk", "--yes", expect=0)
    world.run("check", "tk", expect=0)


OTHERS = (
    "auerswald-digest",
    "fritzbox-tr064",
    "fritzbox-login",
    "speedport",
    "asus",
    "netgear",
    "json-api",
    "generic-form",
)


@pytest.mark.parametrize("recipe", OTHERS)
def test_the_other_recipes_restart_their_devices(world, recipe):
    """Each restarts the device it is made for, with a proof."""
    device, _ = world.device(recipe=recipe)
    told = world.reboot(expect=0)
    assert (told["verdict"], told["facts"]["proof"] != "none") == ("confirmed", True)
    assert device.boots == 1


@pytest.mark.parametrize("recipe", ["auerswald-digest", "fritzbox-tr064"])
def test_a_digest_session_is_challenged_once(world, recipe):
    """Each 401 is a failed try to these devices, so that a session makes one, at its first login.

    Where lines or the uptime are looked at afterwards, it is logged in to once before and once
    after.
    """
    device, _ = world.device(recipe=recipe)
    world.reboot(expect=0)
    assert device.challenges == device.logins == 2
    world.run("check", "tk", expect=0)
    assert device.challenges == device.logins
    authorized = ["authorization" in one.headers for one in device.heard]
    assert sum(authorized) > device.challenges, "later requests answer without being asked"


def test_an_exclamation_mark_is_not_percent_encoded_for_the_second_generation(world):
    """Its forms carry `!` as it is; all else is encoded, and the first generation gets `%21`."""
    bodies = []
    for recipe in ("auerswald-digest", "auerswald-form"):
        device, _ = world.device(recipe=recipe)
        world.sections["settings"] = {"reboottime": "5!&ü"}
        world.reboot("--force", expect=0)
        (act,) = [one for one in device.heard if one.path.startswith("/updownload")]
        bodies.append(act.body)
    assert bodies == [
        b"reboottimevalue=5!%26%C3%BC&rebootpbx=Neustart",
        b"reboottimevalue=5%21%26%FC&rebootpbx=Neustart",
    ]


@pytest.mark.parametrize(
    "recipe", ["auerswald-digest", "speedport", "asus", "netgear", "json-api", "generic-form"]
)
def test_the_other_recipes_tell_a_busy_device_from_a_refusal(world, recipe):
    """Somebody else's session gives 4, and the password is not held for refused."""
    device, _ = world.device(recipe=recipe)
    assert device.open_session()
    assert world.reboot(expect=4)["reason"] == "busy"
    assert world.reboot(expect=4)["reason"] == "busy"


@pytest.mark.parametrize("recipe", ["auerswald-digest", "fritzbox-tr064"])
def test_the_other_recipes_notice_a_locked_account(world, recipe):
    """Status 423 gives 3, and no digest is sent."""
    device, _ = world.device(Fault.LOCKED, recipe=recipe)
    assert world.reboot(expect=3)["reason"] == "locked"
    assert not [one for one in device.heard if "authorization" in one.headers]


@pytest.mark.parametrize(
    "recipe",
    [
        "auerswald-form",
        "auerswald-digest",
        "fritzbox-login",
        "asus",
        "netgear",
        "json-api",
        "generic-form",
    ],
)
def test_a_check_logs_in_and_out(world, recipe):
    """Afterwards the device has nobody logged in, and did not restart."""
    device, _ = world.device(recipe=recipe)
    world.run("check", "tk", expect=0)
    assert (device.logins, device.logouts, device.boots) == (1, 1, 0)


@pytest.mark.parametrize("recipe", OTHERS)
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
        if "authorization" in one.headers or (one.method == "POST" and one.body)
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
