"""What devices really answer, by raw sockets, as server libraries are too polite.

Each case was a wrong verdict once: a good device called dead, a right password called wrong.
"""

import contextlib
import gzip
import html
import json
import socket
import threading
import time
from urllib.parse import parse_qs

import pytest

from bootwatch import patterns
from bootwatch.sip import ask, is_healthy
from scripted import RECIPE, Script, page


def count(script: Script, path: str) -> int:
    """Count the requests for a path."""
    return sum(one == path for _, one, _ in script.heard)


def test_a_capture_that_finds_nothing_stops_before_sending(world, script):
    """The login gives no `stok`: the request that needs it is not sent, nor any other."""
    recipe = RECIPE.replace('path = "/act"', 'path = "/{stok}/act"').replace(
        'form = [["u"', "capture = { stok = 'stok=(\\w+)' }\nform = [[\"u\""
    )
    script.use(recipe)
    told = world.reboot(expect=3)
    assert told["reason"] == "unproved"
    assert "{stok}" in told["message"]
    assert {path for _, path, _ in script.heard} == {"/", "/about", "/login", "/inside", "/logout"}
    assert world.attempts()[0].acted is None
    script.use(recipe.replace("stok=(\\w+)", "stok=(\\w*)"))
    script.replies["/login"] = page("stok= welcome", "Set-Cookie: sid=1")
    assert world.reboot(expect=3)["reason"] == "unproved", "an empty token is none"
    assert world.attempts()[0].acted is None
    script.use(recipe)
    script.replies["/login"] = page("stok=7 welcome", "Set-Cookie: sid=1")
    script.replies["/7/act"] = script.restart()
    world.reboot(expect=0)


ODD = {
    "a page that asks for patience": page("<html>please wait</html>"),
    "too many requests": page("slow down", status="429 Too Many Requests"),
    "a move to https": page(status="301 Moved").replace(
        b"\r\nContent", b"\r\nLocation: https://127.0.0.1/login\r\nContent"
    ),
    "an error of the server": page("wrong password?", status="500 Oops"),
    "bytes that nobody reads": page("\1\2\3", "Content-Encoding: br"),
    "a request to come later": page("wrong password", "Retry-After: 60"),
    "a request to come later, forbidden": page(
        "wrong password", "Retry-After: 9", status="403 Forbidden"
    ),
    "a server behind that is away": page("wrong password", status="502 Bad Gateway"),
    "a wish for TLS": page("wrong password", status="426 Upgrade Required"),
    "too early": page("wrong password", status="425 Too Early"),
    "a portal of somebody else": page(
        "wrong password", "Location: http://portal.example/login", status="302 Found"
    ),
    "another port": page("wrong password", "Location: //127.0.0.1:1/login", status="307 Other"),
    "a cookie that is taken back": page("", "Set-Cookie: sid=deleted"),
    "a cookie that ended last century": page(
        "", "Set-Cookie: sid=x; expires=Fri, 31-Dec-1999 23:59:59 GMT"
    ),
    "a cookie without a value": page("", 'Set-Cookie: sid=""'),
}


@pytest.mark.parametrize("reply", ODD.values(), ids=ODD)
def test_an_odd_reply_is_not_held_against_the_password(world, script, reply):
    """Its verdict is `unproved`, and the next night tries the same password again."""
    script.replies["/login"] = reply
    assert world.reboot(expect=3)["reason"] == "unproved"
    script.replies.pop("/login")
    script.replies["/act"] = script.restart()
    world.reboot(expect=0)


def test_an_explicit_refusal_is_remembered_also_compressed(world, script):
    """The page that says so comes compressed, although that was not asked for."""
    body = gzip.compress(b"<html>wrong password</html>")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n"
    script.replies["/login"] = head.encode() + body
    assert world.reboot(expect=3)["reason"] == "refused"
    assert world.reboot(expect=3)["reason"] == "refused-before"
    assert count(script, "/login") == 1


def test_a_cookie_for_everybody_proves_no_login(world, script):
    """The device hands out `sid` before the login; a wrong password gets the same page with it."""
    script.replies["/"] = page("hello", "Set-Cookie: sid=visitor")
    script.replies["/login"] = page("try again", "Set-Cookie: sid=other")
    assert world.reboot(expect=3)["reason"] == "unproved"
    recipe = RECIPE.replace('cookie = "sid"', 'cookie = "sid", text = "welcome"')
    script.use(recipe)
    script.replies["/login"] = lambda: script.usual("/login", "")
    script.replies["/act"] = script.restart()
    world.reboot(expect=0)


def test_a_token_of_an_earlier_page_is_not_sent_for_a_missing_one(world, script):
    """Both pages call it `token`; the second one lacks it: the restart is not asked for."""
    first = (
        '[[login]]\nname = "page"\npath = "/page"\ncapture = { token = "t=(.+)" }\n'
        'rules = [{ means = "ok", status = [200] }]\n'
    )
    recipe = RECIPE.replace("[[login]]", first + "[[login]]", 1)
    recipe = recipe.replace("[[act]]", first.replace("login", "act") + "[[act]]", 1)
    script.use(recipe.replace('path = "/act"', 'path = "/act?{token}"'))
    pages = iter((page("t=1"), page("nothing")))
    script.replies["/page"] = lambda: next(pages)
    told = world.reboot(expect=3)
    assert (told["reason"], "{token}" in told["message"]) == ("unproved", True)
    assert not [path for _, path, _ in script.heard if path.startswith("/act")]


def test_where_a_device_sends_its_visitors_is_told(world, script):
    """Another host or port is named, so that it can be written into `url`."""
    script.replies["/login"] = page("", "Location: http://tk.example:81/x?y", status="302 Found")
    told = world.reboot(expect=3)["message"]
    assert "http://tk.example:81/x;" in told


@pytest.mark.parametrize(
    "location",
    [
        "/",
        "http://127.0.0.1:{port}/",
        "http://LOCALHOST:{port}/",
        "//localhost:{port}/",
        "index.html",
    ],
)
def test_a_location_may_be_absolute_or_relative(world, script, location):
    """A rule for `^/` fits all that lead to the same device, by its name or by its address."""
    world.sections[""]["url"] = f"http://localhost:{script.port}"
    recipe = RECIPE.replace('cookie = "sid"', "location = '^/(index.html)?$'")
    script.use(recipe)
    script.replies["/login"] = page(
        "", f"Location: {location.format(port=script.port)}", status="302 Found"
    )
    world.run("check", "tk", expect=0)


def test_a_header_that_drips_ends_with_the_timeout(world):
    """One byte of header now and then outlives neither `timeout` nor the probe's patience."""
    world.device()
    world.sections[""]["timeout"] = "500ms"
    listener = socket.create_server(("127.0.0.1", 0))
    world.sections[""]["url"] = f"http://127.0.0.1:{listener.getsockname()[1]}"
    stop = threading.Event()

    def drip() -> None:
        held = []
        listener.settimeout(0.05)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                held.append(listener.accept()[0])
                held[-1].send(b"HTTP/1.1 200 OK\r\nX: ")
            for one in held:
                with contextlib.suppress(OSError):
                    one.send(b"x")
        for one in held:
            one.close()

    thread = threading.Thread(target=drip)
    thread.start()
    start = time.monotonic()
    try:
        assert world.reboot(expect=6)["reason"] == "timeout"
    finally:
        stop.set()
        thread.join()
        listener.close()
    assert time.monotonic() - start < 20


def test_a_closed_connection_between_requests_is_no_failure(world, script):
    """The device promises to keep connections open and closes each one: nothing is unreachable."""
    for path in ("/", "/about", "/inside"):
        usual = script.usual(path, "")
        script.replies[path] = usual.replace(b"OK\r\n", b"OK\r\nConnection: keep-alive\r\n")
    world.run("check", "tk", expect=0)


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/json", '{{"p": "{password}"}}', '{{"p": {json}}}'),
        ("text/xml", "<p>{password}</p>", "<p>{xml}</p>"),
        ("text/plain", "{password}", "{plain}"),
        ("text/plain", '{{"p": "{password}"}}', '{{"p": {json}}}'),
        ("", '[{{"p": "{password}"}}]', '{{"p": {json}}}'),
        ("application/soap+xml", "<p>{password}</p>", "<p>{xml}</p>"),
        ("text/plain", "<p>{password}</p>", "<p>{xml}</p>"),
        ("application/x-www-form-urlencoded", "p={password}", "{form}"),
    ],
)
def test_a_password_is_escaped_for_its_body(world, script, kind, body, expected):
    """Quotation marks, ampersands and umlauts arrive whole in JSON, XML, forms and plain text."""
    body = body.replace("{{", "{").replace("}}", "}")
    recipe = RECIPE.replace(
        'form = [["u", "{user}"], ["p", "{password}"]]',
        f"headers = {{ \"Content-Type\" = '{kind}' }}\nbody = '{body}'",
    )
    script.use(recipe)
    world.run("check", "tk", expect=0)
    secret = (world.folder / "tk.password").read_text("utf-8").strip()
    (sent,) = [
        text.encode("latin-1").decode() for _, path, text in script.heard if path == "/login"
    ]
    if "json" in expected:
        found = json.loads(sent)
        assert (found[0] if isinstance(found, list) else found)["p"] == secret
    elif "xml" in expected:
        assert sent == f"<p>{html.escape(secret)}</p>"
    elif "form" in expected:
        assert parse_qs(sent) == {"p": [secret]}
    else:
        assert sent == secret


def test_a_password_is_escaped_for_the_encoding_of_the_device(world, script):
    """In ISO-8859-1: a form as body, JSON and XML in a field of a form; letters that it lacks."""
    secret = 'a"<ü→&'  # noqa: S105 - of a fake device
    (world.folder / "tk.password").write_text(secret, encoding="utf-8")
    form = 'form = [["u", "{user}"], ["p", "{password}"]]'
    own = RECIPE.replace('summary = "scripted"', 'summary = "x"\nencoding = "iso-8859-1"')
    fields = """form = [["j", '{"p": "{password}"}'], ["x", "<p>{password}</p>"]]"""
    script.use(own.replace(form, fields))
    world.run("check", "tk", expect=0)
    sent = next(text for _, path, text in script.heard if path == "/login")
    found = parse_qs(sent, encoding="iso-8859-1")
    assert json.loads(found["j"][0]) == {"p": secret}
    assert html.unescape(found["x"][0]) == f"<p>{secret}</p>"
    (world.folder / "tk.password").write_text("ü&=", encoding="utf-8")
    body = "headers = { Content-Type = 'application/x-www-form-urlencoded' }\nbody = 'p={password}'"
    script.use(own.replace(form, body))
    world.run("check", "tk", expect=0)
    assert [text for _, path, text in script.heard if path == "/login"][-1] == "p=%FC%26%3D"


def test_nul_bytes_in_headers_are_dropped(world, script):
    """The reply is read all the same; those in the body stay."""
    script.replies["/about"] = page("serial=4711").replace(
        b"\r\nContent", b"\r\nX: a\0b\r\nContent"
    )
    told = json.loads(world.run("check", "tk", "--json", expect=0).stdout)
    assert told["facts"]["serial"] == "4711"


def test_a_pattern_cannot_take_for_ever(world, script, monkeypatch):
    """A repetition inside a repetition ends after its time, and is named."""
    monkeypatch.setattr(patterns, "LIMIT", 0.2)
    recipe = RECIPE.replace("'serial=(\\w+)'", "'serial=((?:a|a)+)+$'")
    script.use(recipe)
    script.replies["/about"] = page("serial=" + "a" * 5000 + "!")
    start = time.monotonic()
    told = world.reboot(expect=3)
    assert told["reason"] == "unproved"
    assert "took more than" in told["message"]
    assert time.monotonic() - start < 20


def test_sip_5xx_is_not_health():
    """503 is asked again until the time is over, and then told; a 404 after it is an answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind(("127.0.0.1", 0))
        statuses = ["100 Trying", "503 Service Unavailable", "404 Not Found"]

        def answer() -> None:
            while statuses:
                request, sender = channel.recvfrom(65535)
                (own,) = [line for line in request.split(b"\r\n") if line.startswith(b"Call-ID")]
                reply = f"SIP/2.0 {statuses.pop(0)}\r\n".encode()
                channel.sendto(reply + own + b"\r\n\r\n", sender)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        target = f"127.0.0.1:{channel.getsockname()[1]}"
        assert ask(target, timeout=30) == 404
        thread.join(timeout=30)
        for status in ("503 Service Unavailable", "408 Request Timeout", "500 Oops"):
            statuses.append(status)
            thread = threading.Thread(target=answer, daemon=True)
            thread.start()
            code = ask(target, timeout=0.2)
            assert (code, is_healthy(code)) == (int(status[:3]), False)
            thread.join(timeout=30)
        assert all(is_healthy(code) for code in (200, 401, 403, 404, 480, 486, 600, 603))


def test_a_refusal_before_the_password_was_sent_says_nothing_about_it(world, script):
    """The page before the login is forbidden: nothing is remembered, and nothing was sent."""
    before = (
        '[[login]]\nname = "page"\npath = "/page"\n'
        'rules = [{ means = "refused", status = [403] }, { means = "ok", text = "hello" }]\n'
    )
    script.use(RECIPE.replace("[[login]]", before + "[[login]]", 1))
    script.replies["/page"] = page("no", status="403 Forbidden")
    assert world.reboot(expect=3)["reason"] == "unproved"
    assert count(script, "/login") == 0
    script.replies.pop("/page")
    world.run("check", "tk", expect=0)
