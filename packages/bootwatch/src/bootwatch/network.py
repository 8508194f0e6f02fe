"""Connections on which every wait has a bound.

A timeout of the socket starts again with each byte that comes, so that a device which sends one
byte a second keeps a client for ever. Here one deadline on the monotonic clock bounds the whole
exchange: looking up the name, connecting, the TLS handshake, the request, the headers and the body.

NUL bytes in a reply's headers, which some devices send, are dropped.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2
from httpcore2._backends.sync import SyncBackend

from bootwatch.clock import Deadline
from bootwatch.resolving import TICK, resolve

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

END_OF_HEADERS = (b"\r\n\r\n", b"\n\n")


class BoundedTransport(httpx2.HTTPTransport):
    """A transport whose exchanges end at a deadline. Each request has a connection of its own.

    A connection that is kept open may be closed by the device at the very moment of the next
    request, which then fails although the device is well.

    Args:
        context: For TLS.

    Attributes:
        limit: When the present exchange must be over; set before each one.
        peer: The address of the latest connection.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, trust_env=False)
        self.limit, self.peer = Deadline(0.0), ""
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context, max_keepalive_connections=0, network_backend=_Backend(self)
        )


class _Backend(SyncBackend):
    def __init__(self, transport: BoundedTransport) -> None:
        self._transport = transport

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the deadline decides
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        limit = self._transport.limit
        try:
            addresses = resolve(host, port, kind=socket.SOCK_STREAM, limit=limit)
        except TimeoutError as error:
            raise httpcore2.ConnectTimeout(str(error)) from None
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from None
        failure: Exception = httpcore2.ConnectError(f"{host} has no address")
        for *_, address in addresses:
            try:
                stream = super().connect_tcp(
                    address[0], port, max(limit.left, TICK), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                self._transport.peer = str(address[0])
                return _Stream(stream, limit)
        raise failure


class _Stream(httpcore2.NetworkStream):
    """Clamps each wait to what is left, and drops NUL bytes until the headers end."""

    def __init__(self, stream: httpcore2.NetworkStream, limit: Deadline) -> None:
        self._stream, self._limit = stream, limit
        self._in_headers, self._tail = True, b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - as above
        while not self._limit.over:
            data = self._stream.read(max_bytes, max(self._limit.left, TICK))
            if not self._in_headers or not data:
                return data
            cleaned = self._clean(data)
            if cleaned:  # nothing at all would say that the connection ended
                return cleaned
        raise httpcore2.ReadTimeout("the whole exchange took too long")

    def _clean(self, data: bytes) -> bytes:
        """Drop NUL bytes from headers; what follows their end is body and stays as it is."""
        seen = self._tail + data
        ends = [seen.find(end) + len(end) for end in END_OF_HEADERS if end in seen]
        self._tail = seen[-3:]
        rest = len(seen) - min(ends) if ends else 0
        self._in_headers = not ends
        return data[: len(data) - rest].replace(b"\0", b"") + data[len(data) - rest :]

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        self._stream.write(buffer, max(self._limit.left, TICK))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - as above
    ) -> httpcore2.NetworkStream:
        wait = max(self._limit.left, TICK)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, wait), self._limit)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
