"""What is said while an attempt runs: one line a phase on stderr, and notes where they are wanted.

With `--log-json` each line is one JSON object; otherwise they are for a person, and silent unless
stderr is a terminal or `-v` was given. Every line passes the redactor.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from bootwatch.passwords import Redactor

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

NOTES = 1  # -v: requests and replies, too


class Reporter:
    """Says what happens.

    Args:
        device: The device's name, part of every line.
        json_lines: JSON instead of sentences.
        verbosity: How often `-v` was given.
    """

    def __init__(self, device: str, *, json_lines: bool = False, verbosity: int = 0) -> None:
        self.redactor = Redactor()
        self._heard = json_lines or verbosity >= NOTES or sys.stderr.isatty()
        self._notes = verbosity >= NOTES
        self._device, self._json_lines = device, json_lines

    @functools.cached_property
    def _log(self) -> Any:
        import structlog

        processors: list[Any] = [self._redact]
        if self._json_lines:
            processors += [
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ]
        else:
            processors.append(_sentence)
        return structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr), processors=processors, device=self._device
        )

    def phase(self, name: str, *, result: str, seconds: float) -> None:
        """Tell that a phase ended."""
        if self._heard:
            self._log.info("phase", phase=name, result=result, seconds=round(seconds, 3))

    def note(self, text: str) -> None:
        """Tell a detail."""
        if self._notes:
            self._log.info("note", text=text)

    def warn(self, text: str) -> None:
        """Tell what a person should know, whatever the verbosity."""
        self._log.info("warning", text=text)

    def _redact(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {
            key: self.redactor.clean(value) if isinstance(value, str) else value
            for key, value in event.items()
        }


def _sentence(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    if event["event"] == "phase":
        return f"{event['device']}: {event['phase']}: {event['result']} ({event['seconds']} s)"
    return f"{event['device']}: {event['text']}"
