"""The search for passwords finds them, and what is left to go wrong shows none.

Every run of the command in these tests passes that search: its output at the highest verbosity,
and every file of the state folder, which holds ledger, locks and metrics.
"""

import base64
import html
import json
import quopri
import unicodedata
from urllib.parse import quote, quote_plus

import pytest
from pydantic import SecretStr

from bootwatch.passwords import Redactor


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


WAYS = {
    "percent, thrice": lambda one: quote(quote(quote(one, safe=""))),
    "percent, lower case": lambda one: quote(one, safe="").lower(),
    "percent, every letter": lambda one: "".join(f"%{byte:02X}" for byte in one.encode()),
    "percent, as old scripts": lambda one: "".join(f"%u{ord(letter):04X}" for letter in one),
    "quoted-printable": lambda one: quopri.encodestring(one.encode(), quotetabs=True).decode(),
    "entities by number": lambda one: "".join(f"&#{ord(letter)};" for letter in one),
    "entities, escaped twice": lambda one: html.escape(html.escape(html.escape(one))),
    "entities by number, escaped": lambda one: html.escape(
        "".join(f"&#x{ord(letter):X};" for letter in one)
    ),
    "JSON": json.dumps,
    "JavaScript": lambda one: "".join(f"\\u{{{ord(letter):x}}}" for letter in one),
    "octal": lambda one: "".join(f"\\{byte:03o}" for byte in one.encode()),
    "Python": lambda one: repr(one.encode()),
    "upper case": str.upper,
    "swapped case": str.swapcase,
    "accents apart": lambda one: unicodedata.normalize("NFD", one),
    "hexadecimal": lambda one: one.encode().hex().upper(),
    "base64": lambda one: base64.b64encode(one.encode()).decode(),
    "base64 for URLs": lambda one: base64.urlsafe_b64encode(one.encode()).decode(),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("secret", ['S3cret! ü&"/+~', "größer<als>'100%'", "plain0nly"])
def test_an_echo_is_hidden_in_every_encoding(way, secret):
    """However a device writes what it was sent, nothing of it is left."""
    redactor = Redactor()
    redactor.learn(SecretStr(secret))
    assert redactor.clean(f"<{way(secret).strip(chr(34))}>").strip("b'<>=\n\"") == "*****"
    assert redactor.clean("an innocent sentence & more: 100%, größer") != "*****"


def test_a_link_in_a_folder_of_everybody_is_refused(world):
    """The file itself is safe, but anybody could put another link there."""
    world.device()
    world.places()
    shared = world.folder / "shared"
    shared.mkdir()
    (shared / "link.toml").symlink_to(world.folder / "bootwatch.toml")
    config = ("--config", str(shared / "link.toml"))
    world.run("plan", "tk", *config, expect=0)
    shared.chmod(0o777)
    told = world.run("plan", "tk", *config, expect=2).stderr
    assert f"chmod o-w {shared}" in told
