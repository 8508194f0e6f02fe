"""What `watch` saw, for months: runs of equal results instead of one row for each probe.

A device that works for a week is one row. Rows are thinned with age: after some months a failure of
a single probe is only counted in its run, and after two years all is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from bootwatch.ledger import Ledger

DAY = 86400.0
COARSE_AFTER = 90 * DAY
FORGOTTEN_AFTER = 730 * DAY
MISSED = 3.0  # intervals without a probe that end a run: nobody was watching


@dataclass(frozen=True)
class Run:
    """Probes of one kind in a row with the same result.

    Attributes:
        kind: `sip`, `register`, `web` or `command`.
        ok: Whether they succeeded.
        first: Wall time of the first one, in seconds since 1970.
        last: The same of the last one.
        count: How many there were.
        failed: How many of them failed; more than 0 in a good run only after thinning.
    """

    kind: str
    ok: bool
    first: float
    last: float
    count: int
    failed: int


def book_probe(
    ledger: Ledger, device: str, kind: str, *, ok: bool, wall: float, every: float
) -> None:
    """Book one probe: it extends the latest run of its kind, or begins a new one.

    Args:
        ledger: Where.
        device: The device's name.
        kind: The kind of probe.
        ok: Whether it succeeded.
        wall: When, in seconds since 1970.
        every: Seconds between two probes.
    """
    with ledger.probes_table() as table:
        row = table.execute(
            "SELECT id, ok, last FROM probes WHERE device = ? AND kind = ?"
            " ORDER BY id DESC LIMIT 1",
            (device, kind),
        ).fetchone()
        if (
            row is not None
            and bool(row["ok"]) == ok
            and 0 <= wall - row["last"] <= MISSED * max(every, 1.0)
        ):
            table.execute(
                "UPDATE probes SET last = ?, count = count + 1, failed = failed + ? WHERE id = ?",
                (wall, int(not ok), row["id"]),
            )
            return
        table.execute(
            "INSERT INTO probes (device, kind, ok, first, last, count, failed)"
            " VALUES (?, ?, ?, ?, ?, 1, ?)",
            (device, kind, int(ok), wall, wall, int(not ok)),
        )


def runs(ledger: Ledger, device: str) -> list[Run]:
    """List all runs of a device, in the order of time."""
    with ledger.probes_table() as table:
        rows = table.execute(
            "SELECT kind, ok, first, last, count, failed FROM probes WHERE device = ?"
            " ORDER BY first, id",
            (device,),
        ).fetchall()
    return [
        Run(row["kind"], bool(row["ok"]), row["first"], row["last"], row["count"], row["failed"])
        for row in rows
    ]


def thin(ledger: Ledger, device: str, *, wall: float) -> None:
    """Forget what is too old, and merge single failures that are rather old into their runs.

    Args:
        ledger: Where.
        device: The device's name.
        wall: Now.
    """
    with ledger.probes_table() as table:
        table.execute(
            "DELETE FROM probes WHERE device = ? AND last < ?", (device, wall - FORGOTTEN_AFTER)
        )
        rows = table.execute(
            "SELECT * FROM probes WHERE device = ? AND last < ? ORDER BY kind, first, id",
            (device, wall - COARSE_AFTER),
        ).fetchall()
        kept: sqlite3.Row | None = None
        for before, single, after in zip(rows, rows[1:], rows[2:], strict=False):
            before_now = kept if kept is not None and kept["id"] == before["id"] else before
            if not _is_blip(before_now, single, after):
                continue
            table.execute(
                "UPDATE probes SET first = ?, count = count + ?, failed = failed + ? WHERE id = ?",
                (
                    before_now["first"],
                    before_now["count"] + single["count"],
                    before_now["failed"] + single["failed"],
                    after["id"],
                ),
            )
            table.execute("DELETE FROM probes WHERE id IN (?, ?)", (before["id"], single["id"]))
            kept = table.execute("SELECT * FROM probes WHERE id = ?", (after["id"],)).fetchone()


def _is_blip(before: sqlite3.Row, single: sqlite3.Row, after: sqlite3.Row) -> bool:
    """Tell whether one failed probe stands between two good runs without a gap."""
    same_kind = before["kind"] == single["kind"] == after["kind"]
    results = bool(before["ok"]), bool(single["ok"]), bool(after["ok"])
    pace = (before["last"] - before["first"]) / max(before["count"] - 1, 1)
    gap = max(single["first"] - before["last"], after["first"] - single["last"])
    return (
        same_kind
        and results == (True, False, True)
        and single["count"] == 1
        and gap <= MISSED * max(pace, 1.0)
    )
