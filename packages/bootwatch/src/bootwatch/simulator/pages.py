"""What fake devices answer: two generations of Auerswald, a FRITZ!Box by TR-064, a plain router.

Only what the recipes need, and what the real devices are known to do beside it: an error page
with status 200, JSON with a busy message, digest challenges that count as failed tries.

Source for digest: RFC 7616, section 3.4.1.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from bootwatch.simulator.device import MOST_TRIES
from bootwatch.simulator.faults import Fault

if TYPE_CHECKING:
    from bootwatch.simulator.device import FakeDevice, Heard

BUSY = "Die Konfiguration wird zur Zeit von {} verwendet."
REALM = "bootwatch simulator"


@dataclass(frozen=True)
class Answer:
    """One reply. `restart` says that the device restarts after it."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    restart: bool = False


NOT_FOUND = Answer(404, b"<html>404 Not Found</html>")


def answer_form(device: FakeDevice, heard: Heard) -> Answer:
    """Answer as a COMpact 5010: form login, ISO-8859-1, two cookies."""
    path, fields = path_of(heard), fields_of(heard, "iso-8859-1")
    cookies = cookies_of(heard)
    inside = device.in_session(cookies.values())
    if heard.method == "POST" and path == "/login" and fields.get("LOGIN_NOW") == "true":
        return _form_login(device, fields)
    if heard.method == "POST" and path == "/updownload" and "timereboot_PBX=1" in heard.path:
        if not inside or len(cookies) != 2 or device.has(Fault.SESSION_LOST):  # noqa: PLR2004 - both
            return Answer(302, b"", (("Location", "/login"),))
        restart = fields.get("rebootpbx") == "Neustart"
        return Answer(200, b"<html>Neustart</html>", restart=restart)
    if device.bare:
        return NOT_FOUND
    if (heard.method, path) in {("GET", "/unlogAdmin"), ("POST", "/appclose")}:
        device.close_session(cookies.values())
        return Answer(200, b"{}")
    return _auerswald_pages(device, path, inside=inside)


def _form_login(device: FakeDevice, fields: dict[str, str]) -> Answer:  # noqa: PLR0911 - one a fault
    if device.has_now(Fault.LOCKED, Fault.LOCKED_AFTER):
        return Answer(423, b"<html>Locked</html>")
    if device.has(Fault.REDIRECT):
        return Answer(302, b"", (("Location", "/login?failed=1"),))
    if device.has(Fault.BUSY):
        return _busy("admin", "utf-8")
    if device.has(Fault.UMLAUTS):
        return _busy("Jürgen Größner", "iso-8859-1")
    user, password = fields.get("LOGIN_NAME", ""), fields.get("LOGIN_PASS", "")
    if not device.accepts(user, password):
        # Unkind, but seen in the field: the page shows what was typed.
        return Answer(
            200,
            f'<html>Größter Fehler<form><input name="LOGIN_NAME" value="{html.escape(user)}">'
            f'<input name="LOGIN_PASS" value="{html.escape(password)}"></form></html>'.encode(
                "iso-8859-1", errors="replace"
            ),
            (("Content-Type", "text/html; charset=iso-8859-1"),),
        )
    secret = device.open_session()
    if secret is None:
        return _busy("admin", "utf-8")
    return Answer(
        200,
        b"<html>Startseite</html>",
        (
            ("Set-Cookie", f"AUERSessionID={secret}; path=/"),
            ("Set-Cookie", f"AUERWEB_COOKIE={device.token()}; path=/; HttpOnly"),
        ),
    )


def _busy(who: str, encoding: str) -> Answer:
    texts = [{"type": "error", "text": BUSY.format(who)}, {"finished": "true"}]
    return Answer(200, json.dumps(texts, ensure_ascii=False).encode(encoding))


def _auerswald_pages(device: FakeDevice, path: str, *, inside: bool) -> Answer:
    if path == "/app_about":
        about = {"serial": device.serial, "version": "3.4B", "date": "17.05.2016"}
        return Answer(200, json.dumps(about).encode())
    if path == "/app_ext_ports_status" and inside:
        return Answer(200, json.dumps(device.lines()).encode())
    if path in {"/", "/login", "/app_ext_ports_status"}:
        return Answer(200, b'<html><form><input name="LOGIN_PASS"></form></html>')
    return NOT_FOUND


def answer_digest(device: FakeDevice, heard: Heard) -> Answer:
    """Answer as a COMpact 5500: digest login, one cookie with digits in its name."""
    path, fields = path_of(heard), fields_of(heard, "utf-8")
    cookies = cookies_of(heard)
    inside = device.in_session(cookies.values())
    if path == "/login_json":
        challenge = _challenge(device, heard)
        if challenge:
            return challenge
        secret = device.open_session()
        if secret is None or device.has(Fault.BUSY):
            return _busy("admin", "utf-8")
        cookie = ("Set-Cookie", f"AUERSessionID{device.seed}={secret}; path=/; Secure")
        return Answer(200, b'{"login": 3}', (cookie,))
    if heard.method == "POST" and path == "/updownload":
        good = inside and fields.get("rebootpbx") == "Neustart"
        return Answer(200, b'{"text": "Neustart"}', restart=True) if good else Answer(403)
    if path == "/unlogAdmin":
        return Answer(200) if device.close_session(cookies.values()) else Answer(403)
    return _auerswald_pages(device, path, inside=inside)


def answer_tr064(device: FakeDevice, heard: Heard) -> Answer:
    """Answer as a FRITZ!Box: SOAP with digest for each request, no cookie."""
    path = path_of(heard)
    if path == "/tr64desc.xml":
        return Answer(200, f"<root><UDN>uuid:{device.serial}</UDN></root>".encode())
    action = heard.headers.get("soapaction", "")
    wanted = {
        "/upnp/control/deviceinfo": "urn:dslforum-org:service:DeviceInfo:1#GetInfo",
        "/upnp/control/deviceconfig": "urn:dslforum-org:service:DeviceConfig:1#Reboot",
    }.get(path)
    if wanted is None or action.strip('"') != wanted:
        return NOT_FOUND
    challenge = _challenge(device, heard)
    if challenge:
        return challenge
    name = wanted.partition("#")[2]
    uptime = f"<NewUpTime>{device.uptime()}</NewUpTime>" if name == "GetInfo" else ""
    response = f"<u:{name}Response>{uptime}</u:{name}Response>"
    body = f"<s:Envelope><s:Body>{response}</s:Body></s:Envelope>".encode()
    device.logins += name == "GetInfo"
    return Answer(200, body, restart=name == "Reboot")


def answer_generic(device: FakeDevice, heard: Heard) -> Answer:  # noqa: PLR0911 - one a page
    """Answer as a plain router: forms with a hidden token that must be fetched first."""
    path, fields = path_of(heard), fields_of(heard, "utf-8")
    cookies = cookies_of(heard)
    inside = device.in_session(cookies.values())
    if heard.method == "GET" and path == "/logout":
        device.close_session(cookies.values())
        return Answer(302, b"", (("Location", "/login"),))
    if heard.method == "GET" and (path in {"/", "/login"} or (path == "/reboot" and inside)):
        token = device.token()
        device.tokens.add(token)
        return Answer(200, f'<form><input type="hidden" name="token" value="{token}">'.encode())
    if heard.method != "POST" or fields.get("token") not in device.tokens:
        return Answer(403, b"token?")
    device.tokens.discard(fields["token"])
    if path == "/login" and device.accepts(fields.get("user", ""), fields.get("password", "")):
        secret = device.open_session()
        if secret is None or device.has(Fault.BUSY):
            return Answer(200, b"Another administrator is logged in.")
        headers = (("Location", "/"), ("Set-Cookie", f"session={secret}; path=/"))
        return Answer(302, b"", headers)
    if path == "/reboot" and inside:
        return Answer(200, b"rebooting", restart=True)
    return Answer(200, b'<form>wrong<input type="password" name="password"></form>')


def path_of(heard: Heard) -> str:
    """Return the path of a request, without its query."""
    return urlsplit(heard.path).path


def fields_of(heard: Heard, encoding: str = "utf-8") -> dict[str, str]:
    """Return the fields of a form."""
    found = parse_qs(heard.body.decode("ascii", errors="replace"), encoding=encoding)
    return {name: values[-1] for name, values in found.items()}


def cookies_of(heard: Heard) -> dict[str, str]:
    """Return the cookies of a request."""
    pairs = (part.strip().partition("=") for part in heard.headers.get("cookie", "").split(";"))
    return {name: value for name, _, value in pairs if name}


def _challenge(device: FakeDevice, heard: Heard) -> Answer | None:
    """Check a digest; return `None` if it is right, or what the device says otherwise."""
    if device.has(Fault.LOCKED) or device.refusals >= MOST_TRIES:
        return Answer(423)
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', heard.headers.get("authorization", "")))
    inner = _md5(f"{heard.method}:{heard.path}")
    secret = _md5(f"{device.user}:{REALM}:{device.password}")
    middle = ":".join(given.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
    right = given.get("response") == _md5(f"{secret}:{middle}:{inner}")
    if right and given.get("nonce") in device.nonces and not device.has(Fault.WRONG_PASSWORD):
        device.refusals = 0
        return None
    device.refusals += 1  # the first challenge, too: that is what these devices do
    device.challenges += 1
    nonce = device.token()
    device.nonces.add(nonce)
    return Answer(
        401, b"", (("WWW-Authenticate", f'Digest realm="{REALM}", nonce="{nonce}", qop="auth"'),)
    )


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
