"""A device of raw sockets for tests, and a recipe for it.

It answers as a device of the usual kind, and each reply can be replaced by whatever bytes a test
wants; a server library would refuse to send some of them.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

NOTICED, ENOUGH = 30.0, 4  # seconds and requests without an answer, after which it comes back
RECIPE = """
summary = "scripted"
[probe]
name = "probe"
path = "/"
otherwise = "ok"
rules = [{ means = "failed", status = [503] }]
[identify]
name = "identify"
path = "/about"
capture = { serial = 'serial=(\\w+)' }
rules = [{ means = "ok", text = "serial" }]
[[login]]
name = "login"
method = "POST"
path = "/login"
form = [["u", "{user}"], ["p", "{password}"]]
otherwise = "refused"
rules = [{ means = "refused", text = "wrong password" }, { means = "ok", cookie = "sid" }]
[session]
name = "session"
path = "/inside"
rules = [{ means = "ok", text = "inside" }]
[[act]]
name = "act"
method = "POST"
path = "/act"
rules = [
  { means = "ok", text = "restarting" },
  { means = "ok", status = [200, 302] },
]
[[logout]]
name = "logout"
path = "/logout"
rules = [{ means = "ok", status = [200] }]
"""


def page(text: str = "", *headers: str, status: str = "200 OK") -> bytes:
    """Write a reply byte by byte."""
    body = text.encode()
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


class Script:
    """A device by raw sockets, whose replies can be replaced by path.

    Attributes:
        heard: Method and path of each request, and its body.
        heads: The first line and the headers of each request.
        replies: Bytes by path that win over those of a usual device; `None` hangs up.
        away: While this is set, connections are closed without a word.
        silent: While this is set, they are accepted and never answered.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.heard: list[tuple[str, str, str]] = []
        self.heads: list[str] = []
        self.replies: dict[str, bytes | Callable[[], bytes | None] | None] = {}
        self.missed = 0
        self.away, self.silent, self.closing = False, threading.Event(), threading.Event()
        self.session: str | None = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def use(self, recipe: str) -> None:
        """Write the recipe."""
        self._path.write_text(recipe, encoding="utf-8")

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._exchange(connection)
            except OSError:
                return

    def _exchange(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more:
                return
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-len")]
        wanted = int(length[0].split(b":")[1]) if length else 0
        while len(body) < wanted:
            body += connection.recv(65536)
        method, path, _ = head.decode().split(" ", 2)
        self.heard.append((method, path, body.decode("latin-1")))
        self.heads.append(head.decode("latin-1"))
        connection.settimeout(0)
        while self.silent.is_set() and not self.closing.wait(0.01):
            with contextlib.suppress(BlockingIOError):
                connection.recv(1)  # nothing comes; the caller has hung up
                self.missed += 1
                return
        connection.settimeout(None)
        if self.away or self.closing.is_set():
            self.missed += 1
            return
        reply = self.replies.get(path, self.usual(path, head.decode()))
        reply = reply() if callable(reply) else reply
        if reply is not None:
            connection.sendall(reply)

    def usual(self, path: str, head: str) -> bytes:
        """Answer as a device of the usual kind."""
        inside = self.session is not None and f"sid={self.session}" in head
        if path == "/about":
            return page("serial=4711")
        if path == "/login":
            self.session = str(len(self.heard))
            return page("welcome", f"Set-Cookie: sid={self.session}; path=/")
        if path == "/inside":
            return page("inside" if inside else "who are you?")
        return page("hello")

    def restart(self, seconds: float = 0.2, text: str = "restarting") -> Callable[[], bytes]:
        """Return a reply to the act that is followed by a restart."""

        def reply() -> bytes:
            threading.Timer(0.05, self.go_away, (seconds,)).start()
            self.session = None
            return page(text)

        return reply

    def go_away(self, seconds: float) -> None:
        """Be away for so long, and until that was noticed: a busy machine probes rarely."""
        self.missed, self.away = 0, True
        self._until_noticed(seconds)
        self.away = False

    def be_silent(self, seconds: float) -> None:
        """Answer nothing for so long, and until that was noticed: a busy machine is patient."""
        self.missed = 0
        self.silent.set()
        self._until_noticed(seconds)
        self.silent.clear()

    def _until_noticed(self, seconds: float) -> None:
        end = time.monotonic() + NOTICED
        self.closing.wait(seconds)
        while self.missed < ENOUGH and time.monotonic() < end and not self.closing.wait(0.01):
            pass

    def close(self) -> None:
        """End it."""
        self.closing.set()
        self.listener.close()
