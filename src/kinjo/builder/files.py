"""Files that are written in one step, also where several machines write into one folder."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LEFT_S = 3600.0
"""Age of a temporary file that nobody can still be writing. Younger ones may be those of another machine."""


def temporary(path: Path) -> Path:
    """A hidden name beside ``path`` that no other process of any machine has. ``os.replace`` it with ``path``."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which becomes ``path`` in one step if the block ends well, else is removed."""
    one = temporary(path)
    try:
        yield one
        os.replace(one, path)
    finally:
        one.unlink(missing_ok=True)


def sweep(folder: Path, older_s: float = LEFT_S) -> None:
    """Remove what killed processes left in ``folder``: temporary files that have not grown for ``older_s`` seconds."""
    for left in folder.glob(".*.tmp"):
        try:
            if time.time() - left.stat().st_mtime > older_s:
                left.unlink(missing_ok=True)
        except FileNotFoundError:  # it was finished, or another process swept
            continue
