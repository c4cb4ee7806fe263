"""What was taught, by profile, in one SQLite file. What was acknowledged is on the disk: a crash loses nothing."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from kinjo.studio.database import Database, keep_last

STEPS = 50
"""How many steps back ``undo`` can go."""
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
"""Of a profile."""
DEFAULT = "default"

_STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS states (serial INTEGER PRIMARY KEY AUTOINCREMENT, profile TEXT NOT NULL, "
    "model TEXT NOT NULL, made_s REAL NOT NULL, body TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS by_profile ON states (profile, serial)",
)


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
        self._db = Database(file, "profiles", _STATEMENTS)
        self.close = self._db.close

    def state(self, profile: str) -> State | None:
        """The state that counts; None for a profile that nobody has taught."""
        with self._db.asked() as db:
            return _last(db, profile)

    def add(self, profile: str, body: str, *, model: str, start: str, after: int | None) -> State:
        """A new state, on the disk when this returns. ``after``: the serial number of the state that it was made from
        (None: of an untaught profile, whose state is ``start``), else ``Changed``.
        """
        with self._db.changed() as db:
            last = _last(db, profile)
            if (None if last is None else last.serial) != after:
                raise Changed
            if last is None:
                _insert(db, profile, model, start)
            serial = _insert(db, profile, model, body)
            keep_last(db, "states", "profile", profile, STEPS + 1)
        return State(serial, model, body)

    def undo(self, profile: str, serial: int | None = None) -> bool:
        """Back to the state before; whether there was one. ``Changed`` where the state is not that of ``serial``."""
        with self._db.changed() as db:
            rows = db.execute(
                "SELECT serial FROM states WHERE profile = ? ORDER BY serial DESC LIMIT 2", (profile,)
            ).fetchall()
            if serial is not None and (not rows or rows[0][0] != serial):
                raise Changed
            if len(rows) < 2:
                return False
            db.execute("DELETE FROM states WHERE serial = ?", rows[0])
        return True


def _last(db: sqlite3.Connection, profile: str) -> State | None:
    row = db.execute(
        "SELECT serial, model, body FROM states WHERE profile = ? ORDER BY serial DESC LIMIT 1", (profile,)
    ).fetchone()
    return None if row is None else State(*row)


def _insert(db: sqlite3.Connection, profile: str, model: str, body: str) -> int:
    row = (profile, model, time.time(), body)
    made = db.execute("INSERT INTO states (profile, model, made_s, body) VALUES (?, ?, ?, ?)", row)
    return int(made.lastrowid or 0)
