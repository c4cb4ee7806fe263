"""One SQLite file of what must not be lost: on the disk when a change returns, whatever is killed then."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FORMAT = 1
"""Of the whole file, all tables in it."""


class Database:
    """A connection to ``file`` (None: kept in memory) with a table, made by ``statements`` where there is none.

    Any thread may ask; several processes, and several of these, may share the file. ``ValueError`` for a file that is
    no database, or a newer kinjo's.
    """

    def __init__(self, file: Path | None, what: str, statements: tuple[str, ...]) -> None:
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
                raise ValueError(f"{file}: {what} of format {version}, this kinjo reads {FORMAT}: upgrade kinjo")
            for statement in statements:
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={FORMAT}")
        except sqlite3.Error as error:
            raise ValueError(f"{file}: no database of {what} ({error}): name another file") from error

    def close(self) -> None:
        """Nothing may be asked after."""
        with self._lock:
            self._db.close()

    @contextmanager
    def asked(self) -> Iterator[sqlite3.Connection]:
        """To be asked: nobody else asks meanwhile."""
        with self._lock:
            yield self._db

    @contextmanager
    def changed(self) -> Iterator[sqlite3.Connection]:
        """To be changed, in one transaction: all of it, or after an error nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def keep_last(db: sqlite3.Connection, table: str, column: str, value: str, most: int) -> None:
    """Delete the rows of ``value`` but the latest ``most``: by ``serial``, the table's autoincrement."""
    db.execute(
        f"DELETE FROM {table} WHERE {column} = ? AND serial NOT IN "
        f"(SELECT serial FROM {table} WHERE {column} = ? ORDER BY serial DESC LIMIT ?)",
        (value, value, most),
    )
