"""The ledger: every attempt, on disk, before it matters.

SQLite in WAL mode with full synchronisation. An attempt is a row from its beginning; that the
device is about to be restarted is committed *before* the request is sent. Whatever kills the
process afterwards, the next run knows that a restart may have happened, and counts it. If the
disk is full, that commit fails, and nothing is sent.

A refused password is kept as a salted scrypt hash, so that it is never tried again.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from bootwatch import clock
from bootwatch.errors import LedgerError
from bootwatch.verdicts import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import SecretStr

SCHEMA_VERSION = 2
DAY = 86400.0
PATIENCE = 10.0  # seconds for which another process may keep the ledger locked
_SCHEMA = """
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL,
    pid INTEGER NOT NULL,
    wall REAL NOT NULL, boot TEXT NOT NULL, since_boot REAL NOT NULL,
    phase TEXT NOT NULL,
    acted_wall REAL, acted_boot TEXT, acted_since_boot REAL,
    verdict INTEGER, reason TEXT, downtime REAL, seconds REAL,
    facts TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX attempts_by_device ON attempts (device, id);
CREATE TABLE refused (device TEXT NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
"""
_UPGRADES = {  # what a ledger of this version lacks to be one of the next
    1: """
CREATE TABLE probes (
    id INTEGER PRIMARY KEY,
    device TEXT NOT NULL, kind TEXT NOT NULL, ok INTEGER NOT NULL,
    first REAL NOT NULL, last REAL NOT NULL,
    count INTEGER NOT NULL, failed INTEGER NOT NULL
) STRICT;
CREATE INDEX probes_by_device ON probes (device, kind, id)
""",
}


@dataclass(frozen=True)
class Attempt:
    """One past attempt.

    Attributes:
        number: Its number, counted up.
        device: The device's name.
        started: When it began.
        phase: The phase it was last in.
        acted: When the device was asked to restart, if it was.
        verdict: How it ended; `None` if it was interrupted or still runs.
        reason: The same in a stable word, such as `connect`.
        downtime: Seconds from seen down to back, if both were seen.
        seconds: How long the attempt took.
        facts: What else was found out: a text for each check.
    """

    number: int
    device: str
    started: clock.Moment
    phase: str
    acted: clock.Moment | None
    verdict: Verdict | None
    reason: str
    downtime: float | None
    seconds: float | None
    facts: dict[str, str]

    @property
    def result(self) -> str:
        """The verdict's label, or `interrupted`, or `running`."""
        if self.verdict is not None:
            return self.verdict.label
        return "interrupted" if self.reason else "running"


class Ledger:
    """The ledger in one folder. Used as a context manager.

    Args:
        folder: The state folder, which is made if it is missing.

    Raises:
        LedgerError: It cannot be opened. All methods raise it where reading or writing fails.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ledger.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise LedgerError(f"The state folder `{folder}` cannot be made: {error}") from None
        with self._errors():
            self._db = sqlite3.connect(self.path, isolation_level=None, timeout=PATIENCE)
            self._db.row_factory = sqlite3.Row
            self._write_ahead()
            self._db.execute("PRAGMA synchronous = FULL")
            self._prepare()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(
                f"The ledger `{self.path}` cannot be used ({error}); check the free space and the "
                "rights there. Without it no restart is made"
            ) from None

    def _write_ahead(self) -> None:
        """Choose WAL, also where another process does so too: SQLite does not wait then."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(0.01)
            else:
                return

    def _prepare(self) -> None:
        """Make the tables, once, also if two processes come at the same time; then upgrade them."""
        if self._version() == 0:
            self._db.execute("BEGIN IMMEDIATE")
            if self._version() == 0:
                for statement in _SCHEMA.split(";"):
                    self._db.execute(statement)
                self._db.execute("PRAGMA user_version = 1")
            self._db.execute("COMMIT")
        while self._version() in _UPGRADES:
            self._db.execute("BEGIN IMMEDIATE")
            version = self._version()  # another process may have been quicker
            for statement in _UPGRADES.get(version, "").split(";"):
                self._db.execute(statement)
            if version in _UPGRADES:
                self._db.execute(f"PRAGMA user_version = {version + 1}")
            self._db.execute("COMMIT")
        if self._version() != SCHEMA_VERSION:
            raise LedgerError(
                f"The ledger `{self.path}` has version {self._version()}, {SCHEMA_VERSION} was "
                "expected; it was written by another bootwatch: update this one, or move it away"
            )

    def _version(self) -> int:
        return self._db.execute("PRAGMA user_version").fetchone()[0]

    def begin(self, device: str, *, phase: str) -> int:
        """Open a row for a new attempt and return its number."""
        moment = clock.now()
        with self._errors():
            cursor = self._db.execute(
                "INSERT INTO attempts (device, pid, wall, boot, since_boot, phase)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (device, os.getpid(), moment.wall, moment.boot, moment.since_boot, phase),
            )
        return int(cursor.lastrowid or 0)

    def enter(self, number: int, phase: str) -> None:
        """Note that an attempt reached a phase."""
        with self._errors():
            self._db.execute("UPDATE attempts SET phase = ? WHERE id = ?", (phase, number))

    def intend(self, number: int) -> None:
        """Commit that the device is about to be restarted. Called right before the request."""
        moment = clock.now()
        with self._errors():
            self._db.execute(
                "UPDATE attempts SET acted_wall = ?, acted_boot = ?, acted_since_boot = ?"
                " WHERE id = ?",
                (moment.wall, moment.boot, moment.since_boot, number),
            )

    def finish(
        self,
        number: int,
        *,
        verdict: Verdict | None,
        reason: str,
        downtime: float | None,
        seconds: float,
        facts: dict[str, str],
    ) -> None:
        """Close a row; without a verdict it was interrupted."""
        with self._errors():
            self._db.execute(
                "UPDATE attempts SET verdict = ?, reason = ?, downtime = ?, seconds = ?, facts = ?"
                " WHERE id = ?",
                (
                    None if verdict is None else int(verdict),
                    reason,
                    downtime,
                    seconds,
                    json.dumps(facts, ensure_ascii=False),
                    number,
                ),
            )

    def mend(self, device: str) -> list[Attempt]:
        """Close what killed runs left open, and pull attempts out of the future.

        The caller holds the device's lock, so that every open row belongs to a dead process. A
        restart that seems to be still to come was booked by a clock that went wrong; it is
        counted from now on, so that it neither is forgotten nor blocks for years.

        Returns:
            The attempts that were open.
        """
        orphans = self._select("device = ? AND verdict IS NULL AND reason IS NULL", device)
        moment = clock.now()
        with self._errors():
            for one in orphans:
                self._db.execute(
                    "UPDATE attempts SET reason = ? WHERE id = ?",
                    (f"killed-in-{one.phase}", one.number),
                )
            for one in self.restarts(device):
                if one.acted is not None and one.acted.age(moment) is None:
                    self.intend(one.number)
        return orphans

    def attempts(self, device: str | None = None, *, limit: int = 1000) -> list[Attempt]:
        """List past attempts, the newest first.

        Args:
            device: Only of this device.
            limit: At most so many.
        """
        return self._select("?1 IS NULL OR device = ?1", device, limit=limit)

    def restarts(self, device: str) -> list[Attempt]:
        """List all attempts that restarted a device, the newest first."""
        return self._select("device = ? AND acted_wall IS NOT NULL", device)

    def _select(self, condition: str, device: str | None, *, limit: int = -1) -> list[Attempt]:
        query = f"SELECT * FROM attempts WHERE {condition} ORDER BY id DESC LIMIT {limit:d}"  # noqa: S608 - conditions of ours only
        with self._errors():
            rows = self._db.execute(query, (device,)).fetchall()
        return [_attempt(row) for row in rows]

    @contextlib.contextmanager
    def probes_table(self) -> Iterator[sqlite3.Connection]:
        """Give `bootwatch.probe_history` its table, within one transaction."""
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def was_refused(self, device: str, password: SecretStr) -> bool:
        """Tell whether this device refused this password before."""
        with self._errors():
            rows = self._db.execute(
                "SELECT salt, hash FROM refused WHERE device = ?", (device,)
            ).fetchall()
        return any(hmac.compare_digest(_hash(password, row["salt"]), row["hash"]) for row in rows)

    def remember_refused(self, device: str, password: SecretStr) -> None:
        """Note that this device refused this password."""
        salt = secrets.token_bytes(16)
        with self._errors():
            self._db.execute("DELETE FROM refused WHERE device = ?", (device,))
            self._db.execute(
                "INSERT INTO refused VALUES (?, ?, ?)", (device, salt, _hash(password, salt))
            )

    def forget_refused(self, device: str) -> None:
        """Allow the device's password to be tried again."""
        with self._errors():
            self._db.execute("DELETE FROM refused WHERE device = ?", (device,))


def _hash(password: SecretStr, salt: bytes) -> bytes:
    return hashlib.scrypt(password.get_secret_value().encode(), salt=salt, n=2**14, r=8, p=1)


def _attempt(row: Any) -> Attempt:
    acted = None
    if row["acted_wall"] is not None:
        acted = clock.Moment(row["acted_wall"], row["acted_boot"], row["acted_since_boot"])
    return Attempt(
        number=row["id"],
        device=row["device"],
        started=clock.Moment(row["wall"], row["boot"], row["since_boot"]),
        phase=row["phase"],
        acted=acted,
        verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
        reason=row["reason"] or "",
        downtime=row["downtime"],
        seconds=row["seconds"],
        facts=json.loads(row["facts"]),
    )
