"""The search for passwords finds them, and what is left to go wrong shows none.

Every run of the command in these tests passes that search: its output at the highest verbosity,
and every file of the state folder, which holds ledger, locks and metrics.
"""

import base64
from urllib.parse import quote_plus

import pytest


def test_the_search_finds_every_form(world):
    """A planted password is found raw, percent-encoded and in base64, in output and in files."""
    device, _ = world.device()
    world.search(b"nothing here")
    secret = device.password
    for form in (
        secret.encode(),
        secret.encode("iso-8859-1"),
        quote_plus(secret, encoding="iso-8859-1").encode(),
        base64.b64encode(secret.encode()),
        base64.b64encode(f"admin:{secret}".encode()),
    ):
        with pytest.raises(AssertionError, match="the password stands in"):
            world.search(b"before " + form + b" after")
    world.state.mkdir()
    (world.state / "planted").write_text(secret, encoding="utf-8")
    with pytest.raises(AssertionError, match="the password stands in"):
        world.search()


def test_an_internal_error_shows_no_traceback_and_gives_1(world):
    """A folder in the place of the lock is something that nobody foresaw: one line, exit 1."""
    device, _ = world.device()
    (world.state / "tk.lock").mkdir(parents=True)
    told = world.run("reboot", "tk", expect=1).stderr
    assert told.startswith("bootwatch: internal error: ")
    assert told.count("\n") == 1
    assert device.heard == []


def test_a_password_from_the_environment_works(world):
    """It is read from the variable, and no line of output and no file shows it."""
    device, _ = world.device()
    world.sections[""]["password"] = {"env": "TK_PASSWORD"}
    assert "`TK_PASSWORD` is not set" in world.run("check", "tk", expect=2).stderr
    world.run("check", "tk", "-vv", expect=0, TK_PASSWORD=device.password)
    assert device.logins == 1
