"""Probes while the reply to the restart is awaited.

A device may go silent in the midst of that reply, restart within the timeout, and answer the next
probe as if nothing had happened: its whole restart would be overlooked.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from bootwatch.errors import BootwatchError

if TYPE_CHECKING:
    from bootwatch.attempt import Site


class Lookout:
    """Probes beside a request that takes long, from a connection of its own.

    It begins after `patience` seconds: a usual reply comes before, and is not disturbed. Used as a
    context manager.

    Args:
        site: The device.
        patience: Seconds until a probe has failed.
        enough: Failed probes in a row that count as down.

    Attributes:
        down_since: Monotonic time of the first of them, or `None` if there were not enough.
    """

    def __init__(self, site: Site, *, patience: float, enough: int) -> None:
        self.down_since: float | None = None
        self._site, self._patience, self._enough = site, patience, enough
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        if self._over.wait(self._patience):
            return
        failed, since = 0, 0.0
        with self._site.conversation() as talk:
            while not self._over.is_set() and self.down_since is None:
                asked = time.monotonic()
                try:
                    probe = self._site.recipe.probe
                    up = talk.send(probe, cookies={}, timeout=self._patience).means == "ok"
                except BootwatchError:
                    up = False
                since = since if failed else asked
                failed = 0 if up else failed + 1
                if failed >= self._enough:
                    self.down_since = since
                self._over.wait(self._site.device.verify.poll)
