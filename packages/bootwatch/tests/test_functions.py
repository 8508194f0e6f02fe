"""What recipes may compute and capture, and how they log in: checked by independent means."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootwatch.errors import ConfigError, UnprovedError
from bootwatch.functions import fritzbox
from bootwatch.recipe import parse_recipe
from bootwatch.simulator import FakeDevice, Fault, Simulator
from bootwatch.simulator import server as simulator_server
from bootwatch.simulator.kinds import KINDS
from bootwatch.templates import TemplateError, fill, names_in, parse
from scripted import RECIPE, page

texts = st.text(max_size=20)


@given(texts, texts)
def test_functions_compute_what_the_library_does(user: str, password: str):
    """Digests, base64 and HMAC of names and quoted texts, nested or not."""
    values = {"user": user, "password": password}
    both = f"{user}:{password}".encode()
    for text, expected in {
        '{base64(user, ":", password)}': base64.b64encode(both).decode(),
        "{md5(user, ':', password)}": hashlib.md5(both).hexdigest(),  # noqa: S324 - as devices do
        "{sha256(upper(md5(password)))}": hashlib.sha256(
            hashlib.md5(password.encode()).hexdigest().upper().encode()  # noqa: S324
        ).hexdigest(),
        "{hmac(user, password)}": hmac.new(user.encode(), password.encode(), "sha256").hexdigest(),
        "<{pbkdf2(password, unhex('00ff'), '7')}>": f"<{_pbkdf2(password, 7)}>",
    }.items():
        assert fill(text, values) == expected


def _pbkdf2(password: str, rounds: int) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), b"\0\xff", rounds).hex()


def test_the_answer_to_a_fritzbox_is_that_of_the_maker():
    """The examples of the maker's description of the login, for PBKDF2 and for MD5."""
    challenge = "2$10000$5A1711$2000$5A1722"
    expected = "5A1722$1798a1672bca7c6463d6b245f82b53703b0f50813401b03e4045a5861e689adb"
    assert fritzbox(challenge, "1example!") == expected
    assert fritzbox("1234567z", "äbc") == "1234567z-9e224a41eeefa284df7bb0f26c2913e2"


@pytest.mark.parametrize(
    "text",
    [
        *("{csrf-token}", "{ token }", "{md5(user}", "{md5()}", "{md5(a, )}", "{a.b}"),
        *("{md5(a) b}", "{1token}", "{token[0]}", "{token:x}", "{token!r}", "{token|b64}"),
        *("{$token}", "{%token%}"),
        *("{{token}}", "{{ token }}", "{/token}", "{#token}", "x={Token-ID}&y"),
    ],
)
def test_what_only_looks_like_a_placeholder_is_refused(text: str):
    """It would be sent as it stands, and the device would call the password wrong."""
    with pytest.raises(TemplateError, match="not a placeholder"):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        *('{"a": {"b": 1}}', "{}", "a{2}", "a{2,}", "function(){ return 1; }", "{\n}"),
        '{"a":{"b":[1]}}',
    ],
)
def test_braces_of_other_languages_stay(text: str):
    """JSON, numbers of times and scripts hold no placeholder."""
    assert fill(text, {}) == text
    assert list(names_in(text)) == []


@given(texts)
def test_a_value_is_never_filled_in_again(value: str):
    """What looks like a placeholder in a password or a token of the device is sent as it is."""
    assert fill("[{a}]", {"a": "{b}" + value, "b": "x"}) == "[{b}" + value + "]"


@pytest.mark.parametrize("text", ["{unhex('xy')}", "{pbkdf2(a, a, '0')}", "{hmac(a, a, 'no')}"])
def test_a_function_that_cannot_work_stops_before_sending(text: str):
    """The message names the function, and nothing of what it was given."""
    with pytest.raises(UnprovedError, match="cannot use what it was given") as caught:
        fill(text, {"a": "geheim"})
    assert "geheim" not in str(caught.value)


def test_a_function_of_another_package_is_found(tmp_path, monkeypatch):
    """An entry point adds one by name; an unknown one is refused when the recipe is loaded."""
    from bootwatch import functions

    folder = tmp_path / "extra-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1\n", "utf-8")
    (folder / "entry_points.txt").write_text(
        "[bootwatch.functions]\nbackwards = extra_module:backwards\n", "utf-8"
    )
    (tmp_path / "extra_module.py").write_text(
        "def backwards(*texts):\n    return ''.join(texts)[::-1]\n", "utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    functions._added.cache_clear()  # noqa: SLF001 - packages come only before a start
    try:
        assert fill("{backwards(a, 'z')}", {"a": "xy"}) == "zyx"
        recipe = RECIPE.replace('"{password}"', "'{bakwards(password)}'")
        with pytest.raises(ConfigError, match="did you mean `backwards`"):
            parse_recipe(recipe)
    finally:
        functions._added.cache_clear()  # noqa: SLF001


def test_captures_come_from_headers_cookies_and_location(world, script):
    """All three end up in the next request; so does the host with its port."""
    recipe = RECIPE.replace(
        'path = "/act"',
        'path = "/act?{a}-{b}-{c}"\nheaders = { Origin = "{origin}", Host2 = "{host}" }',
    ).replace(
        'form = [["u"',
        'capture = { a = { header = "X-Token", pattern = "t=(.*)" }, b = { cookie = "csrf" }, '
        "c = { location = 'stok=(\\w+)' } }\nform = [[\"u\"",
    )
    script.use(recipe)
    script.replies["/login"] = page(
        "", "X-Token: t=1", "Set-Cookie: csrf=2", "Set-Cookie: sid=9", "Location: /;stok=3/x"
    )
    script.replies["/act?1-2-3"] = script.restart()
    world.reboot(expect=0)
    (head,) = [one for one in script.heads if "/act" in one]
    assert f"Origin: http://127.0.0.1:{script.port}\r\n" in head
    assert f"Host2: 127.0.0.1:{script.port}\r\n" in head


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_are_sent(world, script, method):
    """A JSON API may want them."""
    recipe = RECIPE.replace('name = "act"\nmethod = "POST"', f'name = "act"\nmethod = "{method}"')
    script.use(recipe)
    script.replies["/act"] = script.restart()
    world.reboot(expect=0)
    assert (method, "/act", "") in script.heard


def test_basic_is_sent_in_the_session_only(world, script):
    """With each request of the session, and never with a probe."""
    script.use(f'auth = "basic"\n{RECIPE}')
    world.run("check", "tk", expect=0)
    secret = (world.folder / "tk.password").read_text("utf-8").strip()
    expected = base64.b64encode(f"admin:{secret}".encode()).decode()
    sent = {one.split(" ")[1]: f"Authorization: Basic {expected}" in one for one in script.heads}
    assert sent == {"/": False, "/about": False, "/login": True, "/inside": True, "/logout": True}


@pytest.mark.parametrize(
    ("before", "after", "hint"),
    [
        ('"{password}"', '"{csrfToken}"', "`{csrfToken}`, which no setting"),
        ('"{password}"', '"{token1}"', "`{token1}`, which no setting"),
        ('["p", ', '["{pp}", ', "`{pp}`, which no setting"),
        ('"{password}"', "'{nothing(password)}'", "function `nothing`"),
        ('path = "/act"', "path = '/{md5(password)}'", "paths are logged"),
        (
            'path = "/act"',
            "compute = { x = '{md5(password)}' }\npath = '/{x}'",
            "made from the password",
        ),
        ("capture = { serial = ", 'capture = { "a-b" = "x", serial = ', "letters, digits"),
        ("capture = { serial = ", 'capture = { user = "x", serial = ', "has the name `user`"),
        (
            "capture = { serial = ",
            'capture = { x = { text = "a", header = "b" }, serial = ',
            "exactly",
        ),
    ],
)
def test_a_placeholder_that_would_be_sent_as_it_stands_is_refused(before, after, hint):
    """When the recipe is loaded, with the name."""
    assert before in RECIPE
    with pytest.raises(ConfigError) as caught:
        parse_recipe(RECIPE.replace(before, after))
    assert hint in str(caught.value)


@pytest.mark.parametrize("recipe", sorted(KINDS))
def test_the_simulator_refuses_what_its_recipe_has_not(world, recipe):
    """Each fault is either played or refused: by the class and by the command."""
    for fault in Fault:
        device = FakeDevice(faults=frozenset({fault}))
        if fault in KINDS[recipe].faults:
            continue
        with pytest.raises(ValueError, match=f"cannot have the fault `{fault}`"):
            Simulator(recipe, device)
    told = world.run("simulate", recipe, "--fault", "no-sip", "--boot", "soon", expect=2).stderr
    assert "add `--sip`" in told
    if recipe != "auerswald-form":
        for option in (("--fault", "umlauts"), ("--bare",)):
            told = world.run("simulate", recipe, *option, "--boot", "soon", expect=2).stderr
            assert f"`{recipe}`" in told


@pytest.fixture
def old_server():
    """A server that speaks TLS 1.0 and nothing newer; its address."""
    import socket
    import warnings

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = Path(simulator_server.__file__).with_name("certificates") / "usual.pem"
    context.load_cert_chain(certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as wrapped:
                    wrapped.recv(65536)
                    wrapped.sendall(page("hello"))
            except OSError:
                plain.close()

    threading.Thread(target=serve, daemon=True).start()
    yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def test_old_tls_is_named_and_allowed_for_a_pinned_certificate_only(world, old_server):
    """The message says which version it speaks; `allow_old_tls` without a pin is refused."""
    world.device()
    world.sections[""]["url"] = old_server
    told = json.loads(world.run("check", "tk", "--json", expect=2).stdout)
    assert told["reason"] == "old-tls"
    assert "speaks TLS 1.0" in told["message"]
    world.sections[""]["allow_old_tls"] = True
    assert "run `bootwatch trust` first" in world.run("check", "tk", expect=2).stderr
    world.run("trust", "tk", "--yes", expect=0)
    assert world.run("check", "tk", expect=3).returncode == 3, "it is reached, and knows no login"
