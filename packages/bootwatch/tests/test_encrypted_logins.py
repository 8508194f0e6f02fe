"""RSA as TP-Link's and SCRAM as Huawei's: the examples log in to devices that check them.

The devices are played after the published protocol. What a play cannot stand for: a firmware that
differs, whose scripts nobody has read here; the second layer (AES) of newer TP-Link firmware; the
codes of errors, which are those of public programs.
"""

import hashlib
import hmac
import json
import re
import secrets
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootwatch import functions
from scripted import Script, page

EXAMPLES = Path(__file__).parents[1] / "examples" / "logins"
SECRET = "S3cret! ü&<x>"  # noqa: S105 - of a fake device


@pytest.fixture
def logins(tmp_path, monkeypatch):
    """The examples as an installed package: their own entry points on the path."""
    text = (EXAMPLES / "pyproject.toml").read_text("utf-8")
    points = re.findall(r'^(\w+) = "(bootwatch_logins:\w+)"$', text, re.MULTILINE)
    assert len(points) == 2
    folder = tmp_path / "site" / "bootwatch_logins-0.1.0.dist-info"
    folder.mkdir(parents=True)
    lines = ["[bootwatch.functions]", *(f"{name} = {value}" for name, value in points)]
    (folder / "entry_points.txt").write_text("\n".join(lines), "utf-8")
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: bootwatch-logins\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.syspath_prepend(str(EXAMPLES))
    functions._added.cache_clear()  # noqa: SLF001 - packages come only before a start
    yield
    functions._added.cache_clear()  # noqa: SLF001


@pytest.fixture(scope="module")
def key():
    """A key of 1024 bits, as those devices have, by a library that is not ours."""
    rsa = pytest.importorskip(
        "cryptography.hazmat.primitives.asymmetric.rsa", reason="needs cryptography"
    )
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)


def decrypt(key, text: str) -> bytes:
    """Decrypt as the device does, by the library."""
    from cryptography.hazmat.primitives.asymmetric import padding

    return key.decrypt(bytes.fromhex(text), padding.PKCS1v15())


def tplink(script: Script, key, password: str) -> None:
    """Make the script an Archer with that key."""
    numbers, base = key.public_key().public_numbers(), "/cgi-bin/luci/;stok="

    def login() -> bytes:
        asked = parse_qs(script.heard[-1][2])
        if decrypt(key, asked["password"][0]) != password.encode():
            return page('{"success": false, "errorcode": "login failed"}')
        script.session = secrets.token_hex(16)
        restart = script.restart(text='{"success": true, "data": {"reboot_time": 75}}')

        def inside(reply):
            def answer() -> bytes:
                good = script.session and f"sysauth={script.session}" in script.heads[-1]
                return reply() if good else page("", status="403 Forbidden")

            return answer

        own = f"{base}{script.session}/admin"
        script.replies[f"{own}/system?form=reboot"] = inside(restart)
        script.replies[f"{own}/status?form=all"] = inside(lambda: page('{"success": true}'))
        told = json.dumps({"success": True, "data": {"stok": script.session}})
        return page(told, f"Set-Cookie: sysauth={script.session}; path=/")

    keys = {"success": True, "data": {"password": [f"{numbers.n:x}", f"{numbers.e:06x}"]}}
    script.replies[f"{base}/login?form=keys"] = page(json.dumps(keys))
    script.replies[f"{base}/login?form=login"] = login


def huawei(script: Script, password: str) -> None:
    """Make the script a HiLink router, which knows the stored key and not the password."""
    salt, rounds, uptime = secrets.token_bytes(32), 100, iter((5000, 5001, 5002, 3, 4, 5))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    client_key = hmac.digest(b"Client Key", salted, "sha256")
    stored, state = hashlib.sha256(client_key).digest(), {"token": secrets.token_hex(16)}

    def with_token(text: str, name: str = "__RequestVerificationToken", *more: str) -> bytes:
        state["token"] = secrets.token_hex(16)
        return page(text, f"{name}: {state['token']}", *more)

    def refuse() -> bytes | None:
        good = f"__RequestVerificationToken: {state['token']}" in script.heads[-1]
        return None if good else page("<error><code>125003</code></error>")

    def challenge() -> bytes:
        first = re.findall(r"<firstnonce>(\w{64})<", script.heard[-1][2])[0]
        state.update(first=first, server=first + secrets.token_hex(16))
        return refuse() or with_token(
            f"<response><salt>{salt.hex()}</salt><iterations>{rounds}</iterations>"
            f"<servernonce>{state['server']}</servernonce></response>"
        )

    def login() -> bytes:
        sent = bytes.fromhex(re.findall(r"<clientproof>(\w{64})<", script.heard[-1][2])[0])
        message = f"{state['first']},{state['server']},{state['server']}".encode()
        signature = hmac.digest(message, stored, "sha256")
        shown = bytes(a ^ b for a, b in zip(sent, signature, strict=True))
        if hashlib.sha256(shown).digest() != stored:
            return refuse() or with_token("<error><code>108006</code></error>")
        script.session = secrets.token_hex(16)
        text = "<response><serversignature>00</serversignature></response>"
        name = "__RequestVerificationTokenone"
        return refuse() or with_token(text, name, f"Set-Cookie: SessionID={script.session}")

    def information() -> bytes:
        if script.session is None or f"SessionID={script.session}" not in script.heads[-1]:
            return page("<error><code>100003</code></error>")
        return page(f"<response><uptime>{next(uptime)}</uptime></response>")

    restart = script.restart(text="<response>OK</response>")
    token = secrets.token_hex(16) + state["token"]
    script.replies |= {
        "/api/webserver/token": lambda: page(f"<token>{token[:32]}{state['token']}</token>"),
        "/api/user/challenge_login": challenge,
        "/api/user/authentication_login": login,
        "/api/device/information": information,
        "/api/device/control": lambda: refuse() or restart(),
    }


@pytest.mark.usefixtures("logins")
@pytest.mark.parametrize("recipe", ["tplink", "huawei"])
def test_the_examples_restart_their_devices(world, script, key, recipe):
    """The right password logs in and restarts, with a proof; it is never sent as it is."""
    (world.folder / "tk.password").write_text(SECRET, encoding="utf-8")
    world.passwords.add(SECRET)
    tplink(script, key, SECRET)
    huawei(script, SECRET)
    script.use((EXAMPLES / f"{recipe}.toml").read_text("utf-8"))
    told = world.reboot(expect=0)
    assert "old session is dead" in told["facts"]["proof"] or "uptime" in told["facts"]["proof"]
    assert all(SECRET not in text for _, _, text in script.heard)
    assert world.run("recipe", "check", str(EXAMPLES / f"{recipe}.toml"), expect=0)


@pytest.mark.usefixtures("logins")
@pytest.mark.parametrize("recipe", ["tplink", "huawei"])
def test_a_wrong_password_is_refused_and_remembered(world, script, key, recipe):
    """The device finds out, says so, and is not asked again."""
    tplink(script, key, SECRET)
    huawei(script, SECRET)
    script.use((EXAMPLES / f"{recipe}.toml").read_text("utf-8"))
    assert world.reboot(expect=3)["reason"] == "refused"
    assert world.reboot(expect=3)["reason"] == "refused-before"


@given(st.text(max_size=40))
def test_what_is_encrypted_is_what_the_library_decrypts(key, text: str):
    """Any password, by RFC 8017; twice the same gives two texts."""
    namespace: dict = {}
    exec((EXAMPLES / "bootwatch_logins.py").read_text("utf-8"), namespace)  # noqa: S102 - ours
    if len(text.encode()) > 128 - 11:
        return
    numbers = key.public_key().public_numbers()
    sent = [namespace["tplink_rsa"](text, f"{numbers.n:X}", f"{numbers.e:x}") for _ in range(2)]
    assert [decrypt(key, one) for one in sent] == [text.encode()] * 2
    assert sent[0] != sent[1]
    assert {len(one) for one in sent} == {256}
