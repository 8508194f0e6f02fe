"""SIP OPTIONS over UDP: does the telephone part of the device live?

Any final or provisional answer counts that carries our Call-ID: a device may well say 401 or 404.

Source: RFC 3261, sections 11 (OPTIONS), 8.1.1 (what a request needs), 17.1.2 (resending on UDP).
"""

from __future__ import annotations

import re
import secrets
import socket
import time

FIRST_RESEND = 0.5  # seconds: T1 of RFC 3261, doubled each time
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
    end, wait = time.monotonic() + timeout, FIRST_RESEND
    while (left := end - time.monotonic()) > 0:
        channel.send(request)
        resend = time.monotonic() + min(wait, left)
        wait *= 2
        while (left := resend - time.monotonic()) > 0:
            channel.settimeout(left)
            try:
                answer = channel.recv(LARGEST)
            except TimeoutError:
                break
            status = _STATUS.match(answer)
            if status and call_id.encode() in answer:
                return int(status[1])
    return None
