"""SIP OPTIONS over UDP: does the telephone part of the device live?

Any final or provisional answer counts that carries our Call-ID: a device may well say 401 or 404.

Source: RFC 3261, sections 11 (OPTIONS), 8.1.1 (what a request needs), 17.1.2 (resending on UDP).
"""

from __future__ import annotations

import contextlib
import re
import secrets
import socket

from bootwatch.clock import Deadline

FIRST_RESEND = 0.5  # seconds: T1 of RFC 3261, doubled each time ...
LONGEST_RESEND = 4.0  # ... up to T2
TICK = 0.001  # seconds; a timeout of 0 would mean not to wait at all
LARGEST = 65535  # bytes of one datagram
_STATUS = re.compile(rb"SIP/2\.0 (\d{3}) ")


def ask_options(target: str, *, timeout: float) -> int | None:
    """Send OPTIONS and wait for an answer.

    Args:
        target: `host:port`.
        timeout: Seconds to wait in all; the request is sent again meanwhile.

    Returns:
        The answer's status, such as 200, or `None` if none came.
    """
    host, port = target.rsplit(":", 1)
    call_id = secrets.token_hex(12)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, int(port), type=socket.SOCK_DGRAM
        )[0]
        with socket.socket(family, kind, protocol) as channel:
            channel.connect(address)
            return _exchange(channel, target, call_id, timeout)
    except OSError:  # unknown host, port closed, no network
        return None


def _exchange(channel: socket.socket, target: str, call_id: str, timeout: float) -> int | None:
    own_host, own_port = channel.getsockname()[:2]
    own = f"[{own_host}]:{own_port}" if ":" in own_host else f"{own_host}:{own_port}"
    lines = (
        f"OPTIONS sip:{target} SIP/2.0",
        f"Via: SIP/2.0/UDP {own};rport;branch=z9hG4bK{secrets.token_hex(8)}",
        "Max-Forwards: 70",
        f"From: <sip:bootwatch@{own}>;tag={secrets.token_hex(4)}",
        f"To: <sip:{target}>",
        f"Call-ID: {call_id}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:bootwatch@{own}>",
        "Accept: application/sdp",
        "Content-Length: 0",
        "",
        "",
    )
    request = "\r\n".join(lines).encode()
    limit, wait = Deadline(timeout), FIRST_RESEND
    while not limit.over:
        resend = Deadline(min(wait, limit.left))
        wait = min(2 * wait, LONGEST_RESEND)
        try:
            channel.send(request)
            status = _receive(channel, call_id, resend)
        except ConnectionRefusedError:  # nobody listens there yet, but may do so soon
            resend.sleep(LONGEST_RESEND)
        else:
            if status is not None:
                return status
    return None


def _receive(channel: socket.socket, call_id: str, limit: Deadline) -> int | None:
    """Return the status of the first answer to our question, or `None` if none comes in time."""
    with contextlib.suppress(TimeoutError):
        while not limit.over:
            channel.settimeout(max(limit.left, TICK))
            answer = channel.recv(LARGEST)
            status = _STATUS.match(answer)
            if status and call_id.encode() in answer:
                return int(status[1])
    return None
