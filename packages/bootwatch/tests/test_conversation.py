"""What a device may answer that no fault of the simulator does, told by a server of its own."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from bootwatch.config import Device
from bootwatch.conversation import Conversation
from bootwatch.errors import SilentError
from bootwatch.recipe import Recipe
from bootwatch.replies import LARGEST_REPLY

STEP = {"name": "step", "path": "/", "otherwise": "ok"}
PROVED = {**STEP, "rules": [{"means": "ok", "text": "in"}]}
RECIPE = Recipe.model_validate({"summary": "x", "probe": STEP, "login": [PROVED], "act": [STEP]})


@contextlib.contextmanager
def talk_to(*replies: tuple[bytes, dict[str, str]]):
    """Talk to a server that gives these bodies and headers in turn; yields also what it heard."""
    left, cookies = list(replies), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            cookies.append(self.headers.get("Cookie"))
            body, headers = left.pop(0)
            self.send_response(200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # hung up on
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    device = Device.model_validate(
        {
            "recipe": "generic-form",
            "url": f"http://127.0.0.1:{server.server_address[1]}",
            "allow_plain_http": True,
            "password": {"env": "X"},
        }
    )
    secret = SecretStr("geheim")
    try:
        with Conversation(
            device, RECIPE, password=secret, pin=None, folder=Path(), note=lambda _: None
        ) as talk:
            yield talk, cookies
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize("taken_back", ["a=; path=/", "a=x; Max-Age=0"])
def test_a_cookie_that_is_taken_back_is_not_sent_again(taken_back):
    """It is sent until the device empties it or ends its life."""
    replies = [(b"", {"Set-Cookie": line}) for line in ("a=1; path=/", taken_back, "b=2")]
    with talk_to(*replies, (b"", {})) as (talk, cookies):
        for _ in range(4):
            talk.send(RECIPE.probe)
    assert cookies == [None, "a=1", None, "b=2"]


@pytest.mark.parametrize(
    ("charset", "encoding"), [("klingon", "iso-8859-1"), ("utf-8", "utf-8"), ("cp1252", "cp1252")]
)
def test_a_reply_is_read_in_its_encoding(charset, encoding):
    """In the one it names; in ISO-8859-1 where nobody knows that."""
    kind = {"Content-Type": f"text/html; charset={charset}"}
    with talk_to(("Größe".encode(encoding), kind)) as (talk, _):
        assert talk.send(RECIPE.probe).text == "Größe"


def test_a_reply_without_end_is_given_up():
    """A page larger than any page of such a device is no page: the memory is not filled."""
    with (
        talk_to((bytes(LARGEST_REPLY + 1), {})) as (talk, _),
        pytest.raises(SilentError, match="too long"),
    ):
        talk.send(RECIPE.probe)
