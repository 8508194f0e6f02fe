"""SIP over UDP: does the telephone part of the device live?

OPTIONS asks whether it talks at all. REGISTER without `Contact` asks the registrar for what is
registered, and changes nothing; that it wants a password (401) shows that it works.

A final answer counts that carries our Call-ID, unless it is 5xx or 408: a device may well say 401
or 404, and 600 is a telephone that is busy, but 503 is what one says that cannot do its work. It
may be starting, so that it is asked again for the rest of the time.

Source: RFC 3261, sections 11 (OPTIONS), 10.2.3 (REGISTER without Contact), 8.1.1 (what a request
needs), 17.1.2 (resending on UDP), 21 (what the statuses mean).
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
from typing import Literal

from bootwatch.clock import Deadline
from bootwatch.resolving import TICK, resolve

Method = Literal["OPTIONS", "REGISTER"]

FIRST_RESEND = 0.5  # seconds: T1 of RFC 3261, doubled each time ...
LONGEST_RESEND = 4.0  # ... up to T2
FINAL, SERVER_FAILURE, GLOBAL_FAILURE = 200, 500, 600  # the first statuses of their kinds
LARGEST = 65535  # bytes of one datagram
NOBODY_INSIDE = 408  # Request Timeout: something answers for a telephone part that does not
_STATUS = re.compile(rb"SIP/2\.0 (\d{3}) ")


def ask(target: str, *, timeout: float, method: Method = "OPTIONS") -> int | None:
    """Send a request and wait for an answer.

    Args:
        target: `host:port`.
        method: `OPTIONS` or `REGISTER`.
        timeout: Seconds to wait in all; the request is sent again meanwhile.

    Returns:
        The status of the first healthy answer, such as 200; else that of the last answer, such as
        503; `None` if none came.
    """
    host, port = target.rsplit(":", 1)
    call_id, limit = secrets.token_hex(12), Deadline(timeout)
    try:
        found = resolve(host.strip("[]"), int(port), kind=socket.SOCK_DGRAM, limit=limit)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as channel:
            channel.connect(address)
            return _exchange(channel, target, call_id, limit, method)
    except OSError:  # unknown host, port closed, no network
        return None


def is_healthy(status: int | None) -> bool:
    """Tell whether an answer says that the telephone part works."""
    failed = status is None or status == NOBODY_INSIDE or SERVER_FAILURE <= status < GLOBAL_FAILURE
    return not failed


def _exchange(
    channel: socket.socket, target: str, call_id: str, limit: Deadline, method: Method
) -> int | None:
    own_host, own_port = channel.getsockname()[:2]
    own = f"[{own_host}]:{own_port}" if ":" in own_host else f"{own_host}:{own_port}"
    lines = (
        f"{method} sip:{target} SIP/2.0",
        f"Via: SIP/2.0/UDP {own};rport;branch=z9hG4bK{secrets.token_hex(8)}",
        "Max-Forwards: 70",
        f"From: <sip:bootwatch@{target}>;tag={secrets.token_hex(4)}",
        f"To: <sip:bootwatch@{target}>",
        f"Call-ID: {call_id}",
        f"CSeq: 1 {method}",
        *([f"Contact: <sip:bootwatch@{own}>"] if method == "OPTIONS" else []),
        "Accept: application/sdp",
        "Content-Length: 0",
        "",
        "",
    )
    request = "\r\n".join(lines).encode()
    wait, latest = FIRST_RESEND, None
    while not limit.over:
        resend = Deadline(min(wait, limit.left))
        wait = min(2 * wait, LONGEST_RESEND)
        try:
            channel.send(request)
            status = _receive(channel, call_id, resend)
        except ConnectionRefusedError:  # nobody listens there yet, but may do so soon
            resend.sleep(LONGEST_RESEND)
            continue
        if is_healthy(status):
            return status
        if status is not None:
            latest = status
            resend.sleep(LONGEST_RESEND)
    return latest


def _receive(channel: socket.socket, call_id: str, limit: Deadline) -> int | None:
    """Return the status of the first final answer to our question, or `None` if none comes."""
    with contextlib.suppress(TimeoutError):
        while not limit.over:
            channel.settimeout(max(limit.left, TICK))
            answer = channel.recv(LARGEST)
            status = _STATUS.match(answer)
            if status and int(status[1]) >= FINAL and call_id.encode() in answer:
                return int(status[1])
    return None
