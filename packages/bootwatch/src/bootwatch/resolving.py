"""Names are looked up within a time, too."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bootwatch.clock import Deadline

TICK = 0.001  # seconds; a timeout of 0 would mean not to wait at all


def resolve(host: str, port: int, *, kind: socket.SocketKind, limit: Deadline) -> list[Any]:
    """Look a name up, for at most the time that is left.

    Returns:
        What `socket.getaddrinfo` gives.

    Raises:
        OSError: The name is not known, or no answer came in time (`TimeoutError`).
    """
    found: list[Any] = []

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=kind))
        except OSError as error:
            found.append(error)

    # The resolver of the system takes no timeout; a thread of its own can be left behind.
    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(max(limit.left, TICK))
    if not found:
        raise TimeoutError(f"the name {host} was not resolved in time")
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]
