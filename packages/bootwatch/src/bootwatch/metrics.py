"""What Prometheus' textfile collector reads: written from the ledger, so that it never drifts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootwatch.errors import LedgerError
from bootwatch.files import replace_file
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from bootwatch.ledger import Ledger


def write_metrics(ledger: Ledger, device: str, path: Path) -> None:
    """Write last attempt, last success, downtime and results of a device.

    Args:
        ledger: Where the attempts are booked.
        device: The device's name; the label of every value.
        path: The file, replaced as a whole; its name should end in `.prom`.

    Raises:
        LedgerError: The ledger cannot be read, or the file not be written.
    """
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    registry = CollectorRegistry()

    def gauge(name: str, text: str, *more: str) -> Gauge:
        return Gauge(f"bootwatch_{name}", text, ("device", *more), registry=registry)

    attempts = ledger.attempts(device, limit=-1)
    results = gauge("results", "Attempts by result and reason.", "result", "reason")
    for one in attempts:
        results.labels(device, one.result, one.reason).inc()
    if attempts:
        text = "When the last attempt began, in seconds since 1970."
        gauge("last_attempt_timestamp_seconds", text).labels(device).set(attempts[0].started.wall)
    confirmed = [one for one in attempts if one.verdict is Verdict.CONFIRMED]
    if confirmed:
        text = "When the last confirmed attempt began, in seconds since 1970."
        gauge("last_success_timestamp_seconds", text).labels(device).set(confirmed[0].started.wall)
    downtimes = [one.downtime for one in attempts if one.downtime is not None]
    if downtimes:
        text = "How long the device was away in its last restart."
        gauge("downtime_seconds", text).labels(device).set(downtimes[0])
    try:
        # Readable by all whatever the umask: the collector is another user.
        replace_file(path, generate_latest(registry).decode("utf-8"))
    except OSError as error:
        raise LedgerError(f"The metrics `{path}` cannot be written: {error}") from None
