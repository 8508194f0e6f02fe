"""How results are shown: as a table for a person, as JSON for a program."""

from __future__ import annotations

import datetime as dt
import json
import sys
from typing import TYPE_CHECKING, Any

from bootwatch.durations import show_duration
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bootwatch.attempt import Outcome
    from bootwatch.ledger import Attempt


def outcome_as_dict(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON has it."""
    return {
        "device": outcome.device,
        "verdict": outcome.verdict.label,
        "code": int(outcome.verdict),
        "reason": outcome.reason,
        "message": outcome.message,
        "downtime_s": _rounded(outcome.downtime),
        "seconds": _rounded(outcome.seconds),
        "facts": outcome.facts,
    }


def attempt_as_dict(attempt: Attempt) -> dict[str, Any]:
    """Return a past attempt as JSON has it."""
    return {
        "number": attempt.number,
        "device": attempt.device,
        "started": _iso(attempt.started.wall),
        "result": attempt.result,
        "code": None if attempt.verdict is None else int(attempt.verdict),
        "reason": attempt.reason,
        "phase": attempt.phase,
        "restarted": None if attempt.acted is None else _iso(attempt.acted.wall),
        "downtime_s": _rounded(attempt.downtime),
        "seconds": _rounded(attempt.seconds),
        "facts": attempt.facts,
    }


def print_outcome(outcome: Outcome, *, as_json: bool) -> None:
    """Print an outcome on stdout."""
    if as_json:
        print_json(outcome_as_dict(outcome))
        return
    lines = [f"{outcome.device}: {outcome.verdict.label}. {outcome.message}"]
    if outcome.downtime is not None:
        lines.append(f"  down for {show_duration(outcome.downtime)}")
    lines += [f"  {name}: {text}" for name, text in outcome.facts.items()]
    if outcome.verdict is not Verdict.CONFIRMED and outcome.message != outcome.verdict.advice:
        lines.append(f"  {outcome.verdict.advice}")
    sys.stdout.write("\n".join(lines) + "\n")


def print_history(attempts: Sequence[Attempt], *, as_json: bool) -> None:
    """Print past attempts on stdout, the newest first."""
    if as_json:
        print_json([attempt_as_dict(one) for one in attempts])
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("started", "device", "result", "reason", "restarted", "down"):
        table.add_column(title, no_wrap=True)
    for one in attempts:
        row = attempt_as_dict(one)
        down = "" if one.downtime is None else show_duration(one.downtime)
        restarted = "yes" if one.acted else "no"
        table.add_row(row["started"], one.device, one.result, one.reason, restarted, down)
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)


def print_json(value: Any) -> None:
    """Print a value on stdout as JSON."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def _iso(wall: float) -> str:
    return dt.datetime.fromtimestamp(wall, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
