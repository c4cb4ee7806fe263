"""What was taught, by profile, in one SQLite file. What was acknowledged is on the disk: a crash loses nothing."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

FORMAT = 1
STEPS = 50
"""How many steps back ``undo`` can go."""
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
"""Of a profile."""
DEFAULT = "default"

_TABLE = """
CREATE TABLE IF NOT EXISTS states (
    serial INTEGER PRIMARY KEY AUTOINCREMENT, profile TEXT NOT NULL, model TEXT NOT NULL, made_s REAL NOT NULL,
    body TEXT NOT NULL
)"""
_INDEX = "CREATE INDEX IF NOT EXISTS by_profile ON states (profile, serial)"


class State(NamedTuple):
    """What a profile knows: ``body`` is the JSON of ``runtime.Model.profile``; a serial number is never used twice."""

    serial: int
    model: str
    body: str


class Changed(Exception):
    """Somebody else changed the profile meanwhile."""


class Profiles:
    """States of profiles, the last of each counts. Any thread may ask; several processes may share the file."""

    def __init__(self, file: Path | None) -> None:
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(
                ":memory:" if file is None else file, timeout=10.0, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            if version > FORMAT:
                self._db.close()
                raise ValueError(f"{file}: profiles of format {version}, this kinjo reads {FORMAT}: upgrade kinjo")
            self._db.execute(_TABLE)
            self._db.execute(_INDEX)
            self._db.execute(f"PRAGMA user_version={FORMAT}")
        except sqlite3.Error as error:
            raise ValueError(f"{file}: no database of profiles ({error}): name another file") from error

    def close(self) -> None:
        """Nothing may be asked after."""
        with self._lock:
            self._db.close()

    def state(self, profile: str) -> State | None:
        """The state that counts; None for a profile that nobody has taught."""
        with self._lock:
            return self._last(profile)

    def add(self, profile: str, body: str, *, model: str, start: str, after: int | None) -> State:
        """A new state, on the disk when this returns. ``after``: the serial number of the state that it was made from
        (None: of an untaught profile, whose state is ``start``), else ``Changed``.
        """
        with self._lock, self._transaction():
            last = self._last(profile)
            if (None if last is None else last.serial) != after:
                raise Changed
            if last is None:
                self._insert(profile, model, start)
            serial = self._insert(profile, model, body)
            self._db.execute(
                "DELETE FROM states WHERE profile = ? AND serial NOT IN "
                "(SELECT serial FROM states WHERE profile = ? ORDER BY serial DESC LIMIT ?)",
                (profile, profile, STEPS + 1),
            )
        return State(serial, model, body)

    def undo(self, profile: str) -> bool:
        """Back to the state before; whether there was one."""
        with self._lock, self._transaction():
            rows = self._db.execute(
                "SELECT serial FROM states WHERE profile = ? ORDER BY serial DESC LIMIT 2", (profile,)
            ).fetchall()
            if len(rows) < 2:
                return False
            self._db.execute("DELETE FROM states WHERE serial = ?", rows[0])
        return True

    def _last(self, profile: str) -> State | None:
        row = self._db.execute(
            "SELECT serial, model, body FROM states WHERE profile = ? ORDER BY serial DESC LIMIT 1", (profile,)
        ).fetchone()
        return None if row is None else State(*row)

    def _insert(self, profile: str, model: str, body: str) -> int:
        row = (profile, model, time.time(), body)
        made = self._db.execute("INSERT INTO states (profile, model, made_s, body) VALUES (?, ?, ?, ?)", row)
        return int(made.lastrowid or 0)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
