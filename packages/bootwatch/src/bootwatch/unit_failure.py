"""What systemd knows about a service that failed before it could say why.

bootwatch reports each verdict itself. It cannot report that its credential is missing, that it was
killed for lack of memory, or that it took too long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping


def describe(device: str, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return title and text of a message, or `None` if the service has reported it itself.

    Args:
        device: The device's name.
        environment: Holds what systemd, from version 251 on, hands to the unit in `OnFailure`.
    """
    result = environment.get("MONITOR_SERVICE_RESULT", "unknown")
    status = environment.get("MONITOR_EXIT_STATUS", "unknown")
    unit = environment.get("MONITOR_UNIT", f"bootwatch-{device}.service")
    reported = {str(int(verdict)) for verdict in Verdict}
    if result == "exit-code" and status in reported:
        return None
    text = (
        f"{unit} ended without a verdict (result {result}, status {status}); "
        f"run: journalctl -u {unit}"
    )
    return f"{device}: the service failed", text
