"""What fake routers answer: FRITZ!Box by its web page, Speedport, ASUS, Netgear, and a JSON API.

They are made after public descriptions and programs that talk to such devices, not after the
devices: no simulator can stand for a firmware that differs, for what an error page says, or for
what a device does while it starts.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from bootwatch.simulator.faults import Fault
from bootwatch.simulator.pages import NOT_FOUND, Answer, cookies_of, fields_of, path_of

if TYPE_CHECKING:
    from bootwatch.simulator.device import FakeDevice, Heard

NO_SID = "0000000000000000"
ROUNDS = 1000  # of PBKDF2; a real FRITZ!Box asks for 60 000 and 6 000
SECOND_ROUNDS = 100
HTML = (("Content-Type", "text/html; charset=utf-8"),)
JSON = (("Content-Type", "application/json"),)


def answer_fritzbox(device: FakeDevice, heard: Heard) -> Answer:  # noqa: PLR0911 - one a page
    """Answer as FRITZ!OS from 7.24 on: `login_sid.lua` with a challenge for PBKDF2."""
    path, fields = path_of(heard), {**_query(heard), **fields_of(heard)}
    inside = device.in_session([fields.get("sid", "")])
    if path == "/login_sid.lua":
        if "logout" in fields:
            device.close_session([fields.get("sid", "")])
            return _session_info(device, NO_SID)
        if "response" not in fields:
            return _session_info(device, fields["sid"] if inside else NO_SID)
        if not _right_response(device, fields["response"]):
            device.accepts("", "")  # counts the refusal
            return _session_info(device, NO_SID)
        return _session_info(device, device.open_session() or NO_SID)
    if path == "/data.lua":
        if not inside:
            return Answer(403)
        return Answer(200, b'{"pid": "reboot", "data": {"reboot": "ok"}}', JSON)
    if path == "/reboot.lua" and inside:
        return Answer(200, b'{"reboot_state": "0", "ajax": "rebooting"}', JSON, restart=True)
    if path == "/jason_boxinfo.xml":
        return Answer(200, f"<j:BoxInfo><j:Serial>{device.serial}</j:Serial></j:BoxInfo>".encode())
    return Answer(200, b"<html>FRITZ!Box</html>", HTML) if path == "/" else NOT_FOUND


def _session_info(device: FakeDevice, sid: str) -> Answer:
    salts = [f"{device.token()}{device.token()}" for _ in range(2)]
    challenge = f"2${ROUNDS}${salts[0]}${SECOND_ROUNDS}${salts[1]}"
    device.tokens.add(challenge)
    text = (
        f"<SessionInfo><SID>{sid}</SID><Challenge>{challenge}</Challenge>"
        "<BlockTime>0</BlockTime><Rights></Rights></SessionInfo>"
    )
    return Answer(200, text.encode(), (("Content-Type", "text/xml"),))


def _right_response(device: FakeDevice, response: str) -> bool:
    """Check a response against every challenge that was given out."""
    if device.has(Fault.WRONG_PASSWORD):
        return False
    for challenge in device.tokens:
        _, rounds, salt, more_rounds, more_salt = challenge.split("$")
        key = device.password.encode()
        for count, part in ((rounds, salt), (more_rounds, more_salt)):
            key = hashlib.pbkdf2_hmac("sha256", key, bytes.fromhex(part), int(count))
        if response == f"{more_salt}${key.hex()}":
            return True
    return False


def answer_speedport(device: FakeDevice, heard: Heard) -> Answer:  # noqa: PLR0911 - one a page
    """Answer as a Speedport W 724V: SHA-256 of challenge and password, a CSRF token, a cookie."""
    path, fields = path_of(heard), fields_of(heard)
    inside = device.in_session(cookies_of(heard).values())
    if path == "/html/login/index.html":
        challenge = device.token()
        device.tokens.add(challenge)
        return Answer(200, f'<script>var challenge = "{challenge}";</script>'.encode(), HTML)
    if path == "/data/Login.json" and "logout" in fields:
        device.close_session(cookies_of(heard).values())
        return Answer(200, _variables({"status": "ok"}), JSON)
    if path == "/data/Login.json":
        return _speedport_login(device, fields)
    if path == "/html/content/config/restart.html":
        if not inside:
            return Answer(302, b"", (("Location", "/html/login/index.html"),))
        token = device.token()
        device.tokens.add(token)
        return Answer(200, f'<script>var csrf_token = "{token}";</script>'.encode(), HTML)
    if path == "/data/Reboot.json":
        good = inside and fields.get("csrf_token") in device.tokens
        if not good or fields.get("reboot_device") != "true":
            return Answer(200, _variables({"status": "fail"}), JSON)
        return Answer(
            200, _variables({"status": "ok", "reboot_device": "true"}), JSON, restart=True
        )
    if path == "/data/Status.json":
        return Answer(200, _variables({"serial_number": device.serial}), JSON)
    return Answer(200, b"<html>Speedport</html>", HTML) if path == "/" else NOT_FOUND


def _speedport_login(device: FakeDevice, fields: dict[str, str]) -> Answer:
    known = fields.get("challengev", "") in device.tokens
    text = f"{fields.get('challengev')}:{device.password}".encode()
    right = known and fields.get("password") == hashlib.sha256(text).hexdigest()
    if not (right and device.accepts(device.user, device.password)):
        device.refusals += not right
        return Answer(200, _variables({"login": "failed", "login_locked": "0"}), JSON)
    secret = device.open_session()
    if secret is None or device.has(Fault.BUSY):
        return Answer(200, _variables({"login": "second_session"}), JSON)
    cookie = ("Set-Cookie", f"SessionID_R3={secret}; path=/; HttpOnly")
    return Answer(200, _variables({"login": "success"}), (*JSON, cookie))


def _variables(values: dict[str, str]) -> bytes:
    """Write values as a Speedport does."""
    return json.dumps(
        [{"vartype": "status", "varid": name, "varvalue": one} for name, one in values.items()]
    ).encode()


def answer_asus(device: FakeDevice, heard: Heard) -> Answer:  # noqa: PLR0911 - one a page
    """Answer as ASUSWRT does to its own app: a token for user and password in base64."""
    path, fields = path_of(heard), fields_of(heard)
    cookies = cookies_of(heard).values()
    if not heard.headers.get("user-agent", "").startswith("asusrouter-"):
        return Answer(200, b"<html><script>top.location.href='/Main_Login.asp';</script>", HTML)
    if path == "/login.cgi":
        given = base64.b64decode(fields.get("login_authorization", "")).decode()
        user, _, password = given.partition(":")
        if not device.accepts(user, password):
            return Answer(200, b'{"error_status": "3"}', JSON)
        secret = device.open_session()
        if secret is None or device.has(Fault.BUSY):
            return Answer(200, b'{"error_status": "9"}', JSON)
        cookie = ("Set-Cookie", f"asus_token={secret}; HttpOnly;")
        return Answer(200, json.dumps({"asus_token": secret}).encode(), (*JSON, cookie))
    if path == "/Logout.asp":
        device.close_session(cookies)
        return Answer(200, b"{}", JSON)
    if not device.in_session(cookies):
        return Answer(200, b'{"error_status": "2"}', JSON)
    if path == "/appGet.cgi" and fields.get("hook") == "uptime()":
        text = f"Sun, 01 Mar 2026 03:30:00 +0100({device.uptime()} secs since boot up)"
        return Answer(200, text.encode(), JSON)
    if path == "/applyapp.cgi" and fields.get("rc_service") == "reboot":
        return Answer(200, b'{"run_service": "reboot", "modify": "0"}', JSON, restart=True)
    return NOT_FOUND


def answer_netgear(device: FakeDevice, heard: Heard) -> Answer:  # noqa: PLR0911 - one a page
    """Answer as a Netgear router does to its own app: SOAP, a code in each reply, a cookie."""
    if heard.method == "GET" and path_of(heard) == "/currentsetting.htm":
        return Answer(200, b"Firmware=V1.0.11\rModel=R7000\r", HTML)
    if path_of(heard) != "/soap/server_sa/":
        return NOT_FOUND
    action = heard.headers.get("soapaction", "").strip('"').rpartition("#")[2]
    body, cookies = heard.body.decode("utf-8"), cookies_of(heard).values()
    inside = device.in_session(cookies)
    if action == "SOAPLogin":
        user, password = (_element(body, name) for name in ("Username", "Password"))
        if not device.accepts(user, password):
            return _soap(action, "401")
        secret = device.open_session()
        if secret is None or device.has(Fault.BUSY):
            return _soap(action, "503")
        return _soap(action, "000", ("Set-Cookie", f"sess_id={secret}"))
    if action == "GetInfo" and inside:
        return _soap(action, "000", extra=f"<SerialNumber>{device.serial}</SerialNumber>")
    if action in {"ConfigurationStarted", "ConfigurationFinished"} and inside:
        return _soap(action, "000")
    if action == "Reboot" and inside:
        return _soap(action, "000", restart=True)
    if action == "SOAPLogout":
        return _soap(action, "000" if device.close_session(cookies) else "401")
    return _soap(action, "401")


def _element(body: str, name: str) -> str:
    found = re.search(rf"<{name}[^>]*>(.*?)</{name}>", body, re.DOTALL)
    return html.unescape(found[1]) if found else ""


def _soap(
    action: str, code: str, *headers: tuple[str, str], extra: str = "", restart: bool = False
) -> Answer:
    text = (
        f"<SOAP-ENV:Envelope><SOAP-ENV:Body><m:{action}Response>{extra}</m:{action}Response>"
        f"<ResponseCode>{code}</ResponseCode></SOAP-ENV:Body></SOAP-ENV:Envelope>"
    )
    return Answer(200, text.encode(), (("Content-Type", "text/xml"), *headers), restart=restart)


def answer_json(device: FakeDevice, heard: Heard) -> Answer:  # noqa: PLR0911 - one a page
    """Answer as a JSON API with a bearer token, as many newer devices have one."""
    path = path_of(heard)
    given = heard.headers.get("authorization", "").removeprefix("Bearer ")
    inside = device.in_session([given])
    if (heard.method, path) == ("POST", "/api/session"):
        asked = json.loads(heard.body or b"{}")
        if not device.accepts(asked.get("username", ""), asked.get("password", "")):
            return Answer(401, b'{"error": "invalid credentials"}', JSON)
        secret = device.open_session()
        if secret is None or device.has(Fault.BUSY):
            return Answer(409, b'{"error": "another session is open"}', JSON)
        return Answer(201, json.dumps({"token": secret}).encode(), JSON)
    if path == "/api/about":
        return Answer(200, json.dumps({"serial": device.serial}).encode(), JSON)
    if not inside:
        return Answer(401, b'{"error": "no session"}', JSON) if path != "/" else Answer(200)
    if (heard.method, path) == ("GET", "/api/system"):
        status = {"uptime": device.uptime(), "boots": device.boots}
        return Answer(200, json.dumps(status).encode(), JSON)
    if (heard.method, path) == ("PUT", "/api/system/state"):
        good = json.loads(heard.body or b"{}").get("state") == "restart"
        return Answer(202, b'{"state": "restarting"}', JSON, restart=good)
    if (heard.method, path) == ("DELETE", "/api/session"):
        device.close_session([given])
        return Answer(204)
    return Answer(404, b"{}", JSON)


def _query(heard: Heard) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(heard.path).query, keep_blank_values=True))
