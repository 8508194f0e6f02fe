"""The sockets of a fake device: HTTP or HTTPS on TCP, SIP on UDP, gone while it restarts."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, cast

from bootwatch.simulator.device import FakeDevice, Heard
from bootwatch.simulator.faults import Fault
from bootwatch.simulator.kinds import KINDS
from bootwatch.simulator.pages import Answer

LOOPBACK = "127.0.0.1"
CERTIFICATES = Path(__file__).with_name("certificates")  # each file says what it is
FLAPS = 3  # how often `flaps` goes down again
SLOW = 2  # `slow-boot` answers 503 for so many times the boot time
ALL_DAY = 86400.0  # seconds that `hang` and `drip` last, unless the simulator ends before
DRIP = 0.05  # seconds between two bytes
SHARE_UP = 0.3  # of the boot time that the device stays up between two flaps


class _Handler(BaseHTTPRequestHandler):
    """Reads one request, asks the device's pages, and answers, as faultily as wanted."""

    server_version = "GoAhead-Webs"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - inherited name
        """Say nothing; what was heard stands in the device."""

    @property
    def _simulator(self) -> Simulator:
        return cast("_Server", self.server).simulator

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        simulator = self._simulator
        device = simulator.device
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        heard = Heard(self.command, self.path, headers, body)
        device.heard.append(heard)
        simulator.closing.wait(device.timing.answer)
        if time.monotonic() < simulator.ready_at:
            self._write(Answer(503))
            return
        kind = KINDS[simulator.recipe]
        login = self.command == kind.login[0] and self.path.startswith(kind.login[1])
        logout = device.has(Fault.SILENT_LOGOUT) and self.path.startswith(kind.logout)
        if logout or (login and device.has_now(Fault.HANG, Fault.HANG_AFTER)):
            simulator.closing.wait(ALL_DAY)
            return
        if login and device.has(Fault.DRIP):
            self._drip()
            return
        answer = kind.answer(device, heard)
        if answer.restart and not device.has(Fault.NEVER_DOWN):
            device.restart_asked.set()
        if login and device.has(Fault.HALF_REPLY):
            half = Answer(answer.status, answer.body[: len(answer.body) // 2], answer.headers)
            self._write(half, length=len(answer.body))
        elif not (answer.restart and device.has(Fault.LOST_REPLY)):
            self._write(answer)

    def _write(self, answer: Answer, *, length: int | None = None) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body) if length is None else length))
        self.end_headers()
        self.wfile.write(answer.body)

    def _drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):  # until the client has had enough
            while not self._simulator.closing.wait(DRIP):
                self.wfile.write(b" ")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, simulator: Simulator, port: int, context: ssl.SSLContext | None) -> None:
        self.simulator, self._context = simulator, context
        super().__init__((LOOPBACK, port), _Handler)

    def get_request(self) -> tuple[Any, Any]:
        """Accept a connection; the handshake happens in the thread that reads from it."""
        connection, address = super().get_request()
        if self._context is not None:
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are part of the play."""


class Simulator:
    """A fake device with its sockets. Used as a context manager.

    Args:
        recipe: Which kind of device, by the recipe made for it.
        device: Its state, which can be read while it runs.
        tls: Whether it speaks TLS; the faults of certificates imply it.
        port: TCP port; 0 takes a free one.
        sip: Whether it speaks SIP.

    Attributes:
        url: Where it listens.
        sip_target: `host:port` of its SIP socket, or `None`.
        ca: File of the authority that signed its certificates, or `None` without TLS.

    Raises:
        ValueError: This kind of device cannot have one of the faults.
        OSError: The port is in use.
    """

    def __init__(
        self,
        recipe: str,
        device: FakeDevice,
        *,
        tls: bool = False,
        port: int = 0,
        sip: bool = False,
    ) -> None:
        impossible = sorted(device.faults - KINDS[recipe].faults)
        if impossible:
            raise ValueError(f"`{recipe}` cannot have the fault `{impossible[0]}`")
        self.recipe, self.device = recipe, device
        self.closing = threading.Event()
        self.ready_at = 0.0
        self._first_context, self._later_context = _server_contexts(device, tls=tls)
        self._held = _hold(port)
        held_port = self._held.getsockname()[1] if self._held is not None else port
        self._server = _Server(self, held_port, self._first_context)
        self.port: int = self._server.server_address[1]
        secure = self._first_context is not None
        self.ca = CERTIFICATES / "authority.pem" if secure else None
        self.url = f"http{'s' if secure else ''}://{LOOPBACK}:{self.port}"
        self._sip = _Sip() if sip else None
        self.sip_target = None if self._sip is None else self._sip.target

    def __enter__(self) -> Self:
        self._listen()
        self._life = threading.Thread(target=self._live, daemon=True)
        self._life.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.device.restart_asked.set()
        self._life.join()
        self._go_down()
        if self._sip is not None:
            self._sip.close()
        if self._held is not None:
            self._held.close()

    def addresses(self) -> dict[str, str | None]:
        """Return what a configuration needs to know: `url`, `sip` and `ca`."""
        return {"url": self.url, "sip": self.sip_target, "ca": self.ca and str(self.ca)}

    def switch_off(self) -> None:
        """Go down and stay there, as if somebody had pulled the plug."""
        self._go_down()

    def _live(self) -> None:
        """Wait for requests to restart, and restart."""
        while True:
            self.device.restart_asked.wait()
            self.device.restart_asked.clear()
            if self._rest(self.device.timing.down_after):
                return
            self._go_down()
            if self.device.has(Fault.NEVER_BACK):
                self.closing.wait()
                return
            if self._come_back():
                return

    def _come_back(self) -> bool:
        """Boot, once or as often as the faults want it. Returns whether the simulator ends."""
        device = self.device
        again = ALL_DAY if device.has(Fault.FLAPS_ON) else 0
        again += FLAPS * device.has(Fault.FLAPS) + device.has(Fault.BOOTS_TWICE)
        while True:
            # A tenth more or less, as no two starts take the same time.
            if self._rest(device.timing.boot * device.random.uniform(0.9, 1.1)):
                return True
            device.start_again()
            if device.has(Fault.SLOW_BOOT):
                self.ready_at = time.monotonic() + SLOW * device.timing.boot
            self._server = _Server(self, self.port, self._later_context)
            self._listen()
            if self._sip is not None and not device.has(Fault.NO_SIP):
                if device.has(Fault.LATE_SIP) and self._rest(SLOW * device.timing.boot):
                    return True
                self._sip.is_up.set()
            if not again:
                return False
            again -= 1
            if self._rest(SHARE_UP * device.timing.boot):
                return True
            self._go_down()

    def _rest(self, seconds: float) -> bool:
        return self.closing.wait(seconds)

    def _listen(self) -> None:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def _go_down(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        if self._sip is not None:
            self._sip.is_up.clear()


def _hold(port: int) -> socket.socket | None:
    """A socket that keeps the port for the device while it is down, and does not listen.

    Otherwise any program could be given the port meanwhile. Connections to it are refused. Only
    Linux lets a server listen on a port that another socket keeps.
    """
    if sys.platform != "linux":
        return None
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((LOOPBACK, port))
    except OSError:
        held.close()
        raise
    return held


class _Sip:
    """A SIP socket that stays open, and answers nothing while the device is down.

    Attributes:
        is_up: Whether the device answers.
        target: `host:port`.
    """

    def __init__(self) -> None:
        self._channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._channel.bind((LOOPBACK, 0))
        self._channel.settimeout(0.2)  # a closed socket is noticed so soon
        self.target = f"{LOOPBACK}:{self._channel.getsockname()[1]}"
        self.is_up = threading.Event()
        self.is_up.set()
        threading.Thread(
            target=_answer_options, args=(self._channel, self.is_up), daemon=True
        ).start()

    def close(self) -> None:
        """End for good."""
        self._channel.close()


def _answer_options(channel: socket.socket, is_up: threading.Event) -> None:
    """Answer SIP by 200, with the headers that a response must repeat."""
    while True:
        try:
            request, sender = channel.recvfrom(65535)
            if is_up.is_set() and request.startswith((b"OPTIONS ", b"REGISTER ")):
                kept = re.findall(rb"(?mi)^(?:Via|From|To|Call-ID|CSeq):[^\r\n]*", request)
                lines = [b"SIP/2.0 200 OK", *kept, b"Content-Length: 0", b"", b""]
                channel.sendto(b"\r\n".join(lines), sender)
        except TimeoutError:
            continue
        except OSError:  # closed
            return


def _server_contexts(
    device: FakeDevice, *, tls: bool
) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    """Return the TLS contexts before and after the first restart, `None` for plain HTTP."""
    first = "expired" if device.has(Fault.EXPIRED_CERTIFICATE) else "usual"
    later = "changed" if device.has(Fault.CHANGED_CERTIFICATE) else first
    if not tls and (first, later) == ("usual", "usual"):
        return None, None
    return _server_context(first), _server_context(later)


def _server_context(name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / f"{name}.pem")
    return context
