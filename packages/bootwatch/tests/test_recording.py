"""From what a browser recorded to a recipe that restarts a device which no recipe knew."""

import json
import re
from urllib.parse import parse_qs

import pytest

from bootwatch.errors import ConfigError
from bootwatch.recipe import parse_recipe
from bootwatch.recipe_maker import make_recipe
from bootwatch.recorded import read_curl, read_har
from bootwatch.simulator import FakeDevice
from scripted import Script, page

SECRET = "S3cret! & more"  # noqa: S105 - of a fake device


def unknown_device(script: Script, secret: str) -> None:
    """Make the script a device with tokens in two pages, a cookie, and a page to restart."""
    tokens = iter(range(100, 1000))

    def token_page() -> bytes:
        inside = script.session is not None and f"sid={script.session}" in script.heads[-1]
        script.token = f"tok{next(tokens)}"
        if script.heard[-1][1] == "/tools.html" and not inside:
            return page("", "Location: /login.html", status="302 Found")
        return page(f'<input type=hidden name="csrf_id" value="{script.token}">')

    def login() -> bytes:
        asked = parse_qs(script.heard[-1][2], encoding="utf-8")
        if asked.get("pwd") != [secret] or asked.get("csrf_id") != [script.token]:
            return page('<form><input type="password" name="pwd"></form>')
        script.session = "5eb63b"
        return page("", "Location: /", "Set-Cookie: sid=5eb63b", status="302 Found")

    restart = script.restart(text="<p>The router is rebooting</p>")

    def act() -> bytes:
        asked = parse_qs(script.heard[-1][2])
        inside = script.session is not None and f"sid={script.session}" in script.heads[-1]
        if not inside or asked.get("csrf_id") != [script.token] or asked.get("do") != ["boot"]:
            return page("no", status="403 Forbidden")
        return restart()

    script.replies |= {"/login.html": token_page, "/tools.html": token_page}
    script.replies |= {"/login.cgi": login, "/tools.cgi?page=restart": act}


CURL = r"""
curl 'http://192.168.0.1/login.cgi' \
  -X 'POST' -H 'Content-Type: application/x-www-form-urlencoded' \
  -H 'Origin: http://192.168.0.1' -H 'Referer: http://192.168.0.1/login.html' \
  -H 'User-Agent: Mozilla/5.0 (X11; Linux x86_64)' \
  --data-raw $'name=admin&pwd=S3cret%21+%26+more&csrf_id=tok7' --compressed --insecure ;
curl 'http://192.168.0.1/tools.cgi?page=restart' -H 'Cookie: lang=de; sid=0badc0ffee' \
  -H 'Referer: http://192.168.0.1/tools.html' --data-raw 'do=boot&csrf_id=tok9'
"""


def restart_by(world, script, recipe: str) -> dict:
    """Restart the device by a new recipe."""
    assert not re.search(r"tok\d|0badc0ffee|S3cret", recipe)
    script.use(recipe)
    (world.folder / "tk.password").write_text(SECRET, encoding="utf-8")
    return world.reboot(expect=0)


def test_two_copied_requests_restart_a_device_that_no_recipe_knew(world, script):
    """The pages that hold the tokens are found by the referrers; the restart is even proved."""
    unknown_device(script, SECRET)
    told = restart_by(world, script, make_recipe(read_curl(CURL)))
    assert told["facts"]["proof"] == "it said that it restarts, and the old session is dead"
    assert not script.away


def test_a_wrong_password_is_no_login_by_the_new_recipe(world, script):
    """The form comes again: refused, and remembered."""
    unknown_device(script, "another")
    script.use(make_recipe(read_curl(CURL)))
    assert world.reboot(expect=3)["reason"] == "refused"


def entry(method: str, path: str, body: str = "", reply: str = "", **headers: str) -> dict:
    """Write one entry of a HAR file."""
    return {
        "request": {
            "method": method,
            "url": f"http://192.168.0.1{path}",
            "headers": [{"name": "Accept", "value": "*/*"}],
            "postData": {"text": body} if body else {},
        },
        "response": {
            "status": 200,
            "headers": [{"name": name, "value": text} for name, text in headers.items()],
            "content": {"mimeType": "text/html", "text": reply},
        },
    }


def test_a_har_file_tells_where_the_tokens_came_from(world, script):
    """They are captured by what stood before them; pictures and other hosts are passed over."""
    unknown_device(script, SECRET)
    form = '<input type=hidden name="csrf_id" value="{}">'
    entries = [
        entry("GET", "/login.html", reply=form.format("tok700")),
        entry("POST", "/login.cgi", "name=admin&pwd=S3cret%21+%26+more&csrf_id=tok700",
              **{"Set-Cookie": "sid=0badc0ffee; path=/"}),
        entry("GET", "/status.html", reply="all is well"),
        entry("GET", "/tools.html", reply=form.format("tok900")),
        entry("POST", "/tools.cgi?page=restart", "do=boot&csrf_id=tok900", reply="rebooting"),
    ]  # fmt: skip
    picture = entry("GET", "/logo.png")
    picture["response"]["content"]["mimeType"] = "image/png"
    made = make_recipe(read_har(json.dumps({"log": {"entries": [picture, *entries]}})))
    assert "status.html" not in made
    assert "logo" not in made
    restart_by(world, script, made)


@pytest.mark.parametrize(
    ("recipe", "commands"),
    [
        (
            "json-api",
            """
            curl -X POST http://h/api/session -H 'content-type: application/json' \
              -d '{"username": "admin", "password": "SecretPasswd"}'
            curl -X PUT http://h/api/system/state -H 'Authorization: Bearer 5f3a99aa' \
              -H 'content-type: application/json' -d '{"state": "restart"}'
            curl -X DELETE http://h/api/logout -H 'Authorization: Bearer 5f3a99aa'
            """,
        ),
        (
            "generic-form",
            """
            curl http://h/login -H 'Referer: http://h/login' \
              -d 'token=12345678&user=admin&password=SecretPasswd'
            curl http://h/reboot -b 'session=aaaa1111' -H 'Referer: http://h/reboot' \
              -d 'token=87654321'
            """,
        ),
        (
            "auerswald-form",
            """
            curl -s -o A.html -d LOGIN_NOW=true -d LOGIN_NAME=admin -d LOGIN_PASS=SecretPasswd \
              -c jar http://tk/login
            sleep 0.1
            curl -s -b jar -d reboottimevalue=0 -d rebootpbx=Neustart \
              'http://tk/updownload?timereboot_PBX=1&reboottime=0'
            """,
        ),
        (
            "asus",
            """
            curl http://h/login.cgi -A asusrouter-x \
              --data login_authorization=YWRtaW46U2VjcmV0UGFzc3dk
            curl http://h/applyapp.cgi -A asusrouter-x -b asus_token=99999999 \
              -d 'action_mode=apply&rc_service=reboot'
            """,
        ),
    ],
)
def test_the_devices_that_are_known_are_restarted_by_new_recipes_too(world, recipe, commands):
    """Bearer tokens, hidden tokens, a script for cron, and a password in base64."""
    device, _ = world.device(recipe=recipe, password=FakeDevice.password)
    made = make_recipe(read_curl(commands))
    assert not re.search("SecretPasswd|5f3a99aa|12345678|87654321|aaaa1111|99999999|YWRt", made)
    (world.folder / "own.toml").write_text(made, encoding="utf-8")
    world.sections[""]["recipe"] = "own.toml"
    assert world.run("reboot", "tk").returncode in {0, 13}
    assert device.boots == 1


@pytest.mark.parametrize(
    ("commands", "hint"),
    [
        ("echo hello", "No curl command"),
        ("curl http://h/reboot -d x=1", "No request has a field for a password"),
        ("curl http://h/login -d user=a -d password=b", "No request follows the login"),
        ("curl 'http://h/login", "cannot be read as a shell does"),
        ("curl -d @file http://h/login", "reads a file"),
        ("curl -F a=b http://h/login", "multipart"),
        ("curl -X POST 'http://h/l?password=longone'; curl http://h/reboot", "in its address"),
        ('curl ^"http://h/login^" -d password=x', "No request follows the login"),
        ('curl ^"http://h/login -d password=x', "cannot be read as a shell does"),
    ],
)
def test_what_cannot_become_a_recipe_is_told(world, commands, hint):
    """One sentence says what is missing; nothing is printed on stdout."""
    world.device()
    path = world.folder / "recorded"
    path.write_text(commands, encoding="utf-8")
    result = world.run("recipe", "--from-curl", str(path), expect=2)
    assert hint in result.stderr
    assert result.stdout == ""


def test_basic_and_digest_of_curl_become_auth():
    """`-u` logs in by itself; the request before the restart proves the login."""
    for option, auth in (("", "basic"), ("--digest ", "digest")):
        made = make_recipe(
            read_curl(
                f"curl {option}-u admin:longsecret http://h/status; curl http://h/reboot -d a=1"
            )
        )
        assert parse_recipe(made).auth == auth
        assert "longsecret" not in made


def test_a_file_that_is_no_har_is_told():
    """It is named as such."""
    for text in ("", "[]", '{"log": {}}', '{"log": {"entries": [1]}}'):
        with pytest.raises(ConfigError, match="no HAR file"):
            read_har(text)


def test_recipes_are_listed_shown_and_checked(world):
    """`list` names all, `show` prints what can be copied, `check` tells every mistake."""
    world.device()
    listed = json.loads(world.run("recipe", "list", "--json", expect=0).stdout)
    assert {"generic-form", "fritzbox-login", "speedport", "asus", "netgear", "json-api"} <= set(
        listed
    )
    shown = world.run("recipe", "show", "generic-form", expect=0).stdout
    own = world.folder / "own.toml"
    own.write_text(shown, encoding="utf-8")
    assert "good" in world.run("recipe", "check", str(own), expect=0).stdout
    own.write_text(shown.replace("{login_token}", "{csrfToken}"), encoding="utf-8")
    assert "`{csrfToken}`, which no" in world.run("recipe", "check", str(own), expect=2).stderr
    made = make_recipe(read_curl("curl http://h/in -d password=xyzzy1; curl http://h/act -d a=1"))
    own.write_text(made, encoding="utf-8")
    assert "cannot prove" in world.run("recipe", "check", str(own), expect=0).stdout
    assert "did you mean" in world.run("recipe", "show", "generic-from", expect=2).stderr
    assert "--from-curl FILE" in world.run("recipe", expect=2).stderr
