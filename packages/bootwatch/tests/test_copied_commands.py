"""Two devices that no recipe knew, restarted by what Chrome and Firefox copy of them.

The quoting is written after the sources of Chrome's network panel (`escapeStringPosix` and
`escapeStringWin`), HAR files after those that Firefox saves.
"""

import base64
import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootwatch.shell_words import is_for_windows, split_for_bash, split_for_windows
from scripted import Script, page

SECRET = "S3cret!ab & 'q' \"x\" 50%41 pa$"  # noqa: S105 - of a fake device
OLD = {"token": "Zm9v+YmFy/MTIz==", "cookie": "0badc0ffee0badc0ffee", "bearer": "eyJhbGci/Oi.J9+x="}
HOST = "http://192.168.0.1"


def form_device(script: Script) -> list[dict[str, Any]]:
    """A login form with a token in a hidden field; what a browser would record of it."""
    count = iter(range(10**6))
    field = '<form><input value="{}" name="_csrf" type="hidden"><input type=password></form>'

    def inside() -> bool:
        return script.session is not None and f"SID={script.session}" in script.heads[-1]

    def form() -> bytes:
        if script.heard[-1][1] == "/system" and not inside():
            return page("", "Location: /login", status="302 Found")
        script.token = f"tok+{next(count)}/=="
        return page(f"<html>{field.format(html.escape(script.token).replace('+', '&#43;'))}")

    def login() -> bytes:
        asked = parse_qs(script.heard[-1][2])
        if (asked.get("password"), asked.get("_csrf")) != ([SECRET], [script.token]):
            return page(f"<html>{field.format('x')}")
        script.session = "f00"
        return page("", "Location: /system", "Set-Cookie: SID=f00; HttpOnly", status="302 Found")

    restart = script.restart(text="<p>The device restarts now</p>")

    def act() -> bytes:
        asked = parse_qs(script.heard[-1][2])
        good = inside() and asked.get("_csrf") == [script.token] and "action" in asked
        return restart() if good else page("no", status="403 Forbidden")

    script.replies |= {"/login": lambda: login() if script.heard[-1][2] else form()}
    script.replies |= {"/system": form, "/system/action": act}
    shown = f"<html>{field.format(html.escape(OLD['token']).replace('+', '&#43;'))}"
    token, cookie = quote_plus(OLD["token"]), f"SID={OLD['cookie']}"
    sent = f"_csrf={token}&username=admin&password={quote_plus(SECRET)}"
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Origin": HOST}
    return [
        entry("GET", "/login", reply=shown),
        entry("POST", "/login", sent, {**kind, "Referer": f"{HOST}/login"}, cookie=cookie),
        entry("GET", "/system", headers={"Cookie": cookie}, reply=shown),
        entry(
            "POST",
            "/system/action",
            f"_csrf={token}&action=reboot",
            {**kind, "Cookie": cookie, "Referer": f"{HOST}/system?sid={OLD['cookie']}"},
        ),
        entry("GET", "/reboot-progress", headers={"Cookie": cookie}),
    ]


def json_device(script: Script) -> list[dict[str, Any]]:
    """A JSON API with a bearer token; the browser asks for its rights first, and logs in twice."""

    def login() -> bytes:
        asked = json.loads(script.heard[-1][2])
        if asked != {"login": "admin", "passwd": SECRET, "remember": False}:
            return page('{"error": "no"}', status="401 Unauthorized")
        script.session = "b/e+a=r"
        told = {"refresh_token": "other", "access_token": script.session, "token_type": "bearer"}
        return page(json.dumps(told).replace("/", r"\/"), "Content-Type: application/json")

    restart = script.restart(text='{"state": "restarting"}')

    def act() -> bytes:
        good = script.session and f"Bearer {script.session}\r" in script.heads[-1] + "\r"
        return restart() if good else page('{"error": "no"}', status="401 Unauthorized")

    script.replies |= {"/api/v1/auth": login, "/api/v1/device/reboot": act}
    kind = {"Content-Type": "application/json;charset=UTF-8", "Accept": "application/json"}
    bearer = {"Authorization": f"Bearer {OLD['bearer']}"}
    told = {"refresh_token": "xyzxyzxyz", "access_token": OLD["bearer"], "token_type": "bearer"}
    body = {"login": "admin", "passwd": SECRET, "remember": False}
    wrong = json.dumps({**body, "passwd": "wrong-one"})
    return [
        entry("OPTIONS", "/api/v1/auth"),
        entry("POST", "/api/v1/auth", wrong, kind, status=401, reply='{"error": "no"}'),
        entry("POST", "/api/v1/auth", json.dumps(body), kind,
              reply=json.dumps(told).replace("/", r"\/")),
        entry("OPTIONS", "/api/v1/device/reboot"),
        entry("POST", "/api/v1/device/reboot", "{}", {**kind, **bearer}),
        entry("GET", "/api/v1/device/reboot/status", headers=bearer),
    ]  # fmt: skip


def entry(
    method: str,
    path: str,
    body: str = "",
    headers: dict[str, str] | None = None,
    *,
    reply: str = "",
    status: int = 200,
    cookie: str = "",
) -> dict[str, Any]:
    """Write one entry of a HAR file as Firefox does, replies in base64."""
    more = {"User-Agent": "Mozilla/5.0 (X11) Firefox/128.0", **(headers or {})}
    kind = more.get("Content-Type", "")
    params = [{"name": name, "value": one[0]} for name, one in parse_qs(body).items()]
    content = {"mimeType": "text/html", "encoding": "base64", "size": len(reply)}
    return {
        "request": {
            "method": method,
            "url": HOST + path,
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": name, "value": text} for name, text in more.items()],
            "cookies": [],
            "queryString": [],
            "postData": {"mimeType": kind, "params": params, "text": body} if body else None,
        },
        "response": {
            "status": status,
            "headers": [{"name": "Set-Cookie", "value": f"{cookie}; HttpOnly"}] if cookie else [],
            "content": {**content, "text": base64.b64encode(reply.encode()).decode()},
            "redirectURL": "",
        },
    }


def as_chrome_for_bash(text: str) -> str:
    """Quote as Chrome does in "Copy as cURL (bash)"."""
    if not re.search(r"[\0-\x1f\x7f-\x9f!']", text):
        return f"'{text}'"
    text = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return "$'" + re.sub(r"[\0-\x1f\x7f-\x9f!]", lambda x: f"\\u{ord(x[0]):04x}", text) + "'"


def as_chrome_for_windows(text: str) -> str:
    """Quote as Chrome does in "Copy as cURL (cmd)"."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    text = re.sub(r"[^a-zA-Z0-9\s_\-:=+~'/.',?;()*`]", r"^\g<0>", text)
    text = re.sub(r"%(?=[a-zA-Z0-9_])", "%^", text)
    return '^"' + re.sub(r"\r?\n|\r", "^\n\n", text) + '^"'


def copied(entries: list[dict[str, Any]], quoting: Callable[[str], str]) -> str:
    """Copy all that changes something, as Chrome's "Copy all as cURL" does."""
    end = " ^\n  " if quoting is as_chrome_for_windows else " \\\n  "
    commands = []
    for one in entries:
        asked = one["request"]
        words = [f"curl {quoting(asked['url'])}"]
        if asked["method"] == "OPTIONS":
            words.append(f"-X {quoting('OPTIONS')}")
        for header in asked["headers"]:
            option = "-b" if header["name"] == "Cookie" else "-H"
            name = "" if option == "-b" else f"{header['name']}: "
            words.append(f"{option} {quoting(name + header['value'])}")
        if asked["postData"]:
            words.append(f"--data-raw {quoting(asked['postData']['text'])}")
        commands.append(end.join([*words, "--insecure"]))
    return (" &\n" if quoting is as_chrome_for_windows else " ;\n").join(commands)


@pytest.mark.parametrize("device", [form_device, json_device])
@pytest.mark.parametrize("way", ["bash", "cmd", "har"])
def test_a_device_that_no_recipe_knew_is_restarted(world, script, device, way):
    """By a recipe from its recording; neither that nor any message holds a secret of it."""
    entries = device(script)
    recorded = world.folder / "recorded"
    quoting = {"bash": as_chrome_for_bash, "cmd": as_chrome_for_windows}.get(way)
    text = copied(entries, quoting) if quoting else json.dumps({"log": {"entries": entries}})
    recorded.write_text(text, encoding="utf-8")
    world.passwords.add(SECRET)
    option = "--from-curl" if quoting else "--from-har"
    made = world.run("recipe", option, str(recorded), expect=0)
    for secret in (*OLD.values(), "wrong-one", "xyzxyzxyz"):
        for form in (secret, quote_plus(secret), secret.replace("/", r"\/")):
            assert form not in made.stdout + made.stderr
    script.use(made.stdout)
    (world.folder / "tk.password").write_text(SECRET, encoding="utf-8")
    told = json.loads(world.run("reboot", "tk", "--json").stdout)
    assert (told["code"], told["reason"]) in {(0, "confirmed"), (13, "no-proof")}, made.stdout
    assert script.session is None, "it restarted"


@given(st.lists(st.text(st.characters(max_codepoint=0xFF, exclude_characters="\0")), min_size=1))
def test_what_chrome_quotes_for_bash_is_read_back(texts: list[str]):
    """Whatever stands in a header or a body."""
    line = " \\\n  ".join(["curl", *map(as_chrome_for_bash, texts)])
    assert list(split_for_bash(f"{line} ;\n{line}\n")) == [["curl", *texts]] * 2


@given(
    st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.just("\n")), min_size=1
    )
)
def test_what_chrome_quotes_for_windows_is_read_back(texts: list[str]):
    """Whatever stands in a header or a body; Chrome itself drops what is not ASCII."""
    line = " ^\n  ".join(["curl", *map(as_chrome_for_windows, texts)])
    assert is_for_windows(line)
    assert list(split_for_windows(f"{line} &\r\n{line}\r\n")) == [["curl", *texts]] * 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("curl 'pw=pa$' -H 'x: y' # 'remark", ["curl", "pw=pa$", "-H", "x: y"]),
        (r"""curl "a\"b\$c\d" $'\x41bc\u0021def\041'""", ["curl", r'a"b$c\d', "Abc!def!"]),
        ("curl a'b'\"c\"\\ d ''", ["curl", "abc d", ""]),
    ],
)
def test_words_are_split_as_bash_does(line, words):
    """A dollar at the end of a quoted text, escapes of several lengths, pieces of one word."""
    assert list(split_for_bash(line)) == [words]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (r'curl "a b" "c\"d" "e\\" f\g "x""y"', ["curl", "a b", 'c"d', "e\\", r"f\g", 'x"y']),
        ('curl "a^b&c" -d x^&y ^\r\n  --insecure', ["curl", "a^b&c", "-d", "x&y", "--insecure"]),
    ],
)
def test_words_are_split_as_windows_does(line, words):
    """Older browsers use plain quotation marks, in which a caret is one."""
    assert list(split_for_windows(line)) == [words]


@pytest.mark.parametrize(
    "header", ["X-Api-Key: 0123456789abc", "X-CSRF-Token: 0123456789abc", "X-Secret: 0123456789"]
)
def test_a_token_from_nowhere_is_refused(world, header):
    """A HAR file without contents, or a key of one's own: it would stay in the recipe."""
    world.device()
    login = entry("POST", "/login", "user=admin&password=xyzzy-xyzzy", reply="welcome")
    name, value = header.split(": ")
    act = entry("POST", "/reboot", "a=1", {name: value}, reply="restarting")
    recorded = world.folder / "saved.har"
    recorded.write_text(json.dumps({"log": {"entries": [login, act]}}), encoding="utf-8")
    result = world.run("recipe", "--from-har", str(recorded), expect=2)
    label = name.lower().removeprefix("x-" if "Token" in name else "")
    assert f"`{label}` is found in no recorded reply" in result.stderr
    assert value not in result.stdout + result.stderr
    assert result.stdout == ""
