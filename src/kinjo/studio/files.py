"""Files that requests name or bring: none outside the data folder, none under a name that a client chose."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import IO, Any

from kinjo.formats.recordings import kind_of, read_recording
from kinjo.formats.sensor_logger import PHONE, WATCH
from kinjo.recording import Recording
from kinjo.studio.problems import Refused

SUFFIXES = (
    ".csv", ".tsv", ".txt", ".dat", ".parquet", ".npy", ".npz", ".zip", ".json", ".cwa", ".bvh", ".amc", ".c3d"
)  # fmt: skip
"""Of files that may be sent."""
MOST_ENTRIES = 10_000
"""Files of a folder that is named; each is looked at, for links that lead out of it."""
MOST_COLUMNS = 256


def inside(root: Path | None, given: str) -> Path:
    """The file or folder ``given``, relative to ``root``. ``Refused`` for all that is not in it, links out of it too;
    whether there is something is not told.
    """
    if root is None:
        raise Refused(404, "not_found", "this service has no data folder", "Send the file itself.", fields=("path",))
    absent = Refused(404, "not_found", "no such file in the data folder", "Correct the path.", fields=("path",))
    plain = PurePosixPath(given)
    if not given or "\0" in given or "\\" in given or plain.is_absolute() or ".." in plain.parts:
        raise absent
    try:
        home = root.resolve(strict=True)
        path = (home / plain).resolve(strict=True)
        allowed = path.is_relative_to(home) and (path.is_file() or _closed(path, home))
    except (OSError, RuntimeError, ValueError):  # none, no rights, links in a circle, bytes that no name has
        raise absent from None
    if not allowed:
        raise absent
    return path


def _closed(folder: Path, home: Path) -> bool:
    """Whether it is a folder from which no link leads out of ``home``."""
    if not folder.is_dir():
        return False
    entries = list(islice(folder.rglob("*"), MOST_ENTRIES + 1))
    if len(entries) > MOST_ENTRIES:
        raise Refused(413, "too_large", f"a folder of more than {MOST_ENTRIES} files", "Name one of them.")
    return all(not entry.is_symlink() or entry.resolve().is_relative_to(home) for entry in entries)


@contextmanager
def kept(file: IO[bytes], name: str) -> Iterator[Path]:
    """What was sent, as a file in a folder of its own that is removed."""
    with TemporaryDirectory(prefix="kinjo-") as folder:
        path = Path(folder) / plain_name(name)
        with path.open("wb") as out:
            shutil.copyfileobj(file, out, 1 << 20)
        yield path


def plain_name(name: str, suffixes: Sequence[str] = SUFFIXES) -> str:
    """What a file is called here that a client calls ``name``: of that its suffix alone counts, and the names by which
    Sensor Logger's tables are told. ``Refused`` for other suffixes.
    """
    given = PurePosixPath(name.replace("\\", "/").replace("\0", ""))
    suffix = given.suffix.lower()
    if suffix not in suffixes:
        hint = f"Send one of {', '.join(suffixes)}."
        raise Refused(415, "format", f"files that end in '{suffix[:20]}' are not read", hint, fields=("file",))
    stem = next((known for known in (*PHONE, WATCH) if known == given.stem.lower()), "upload")
    return f"{stem}{suffix}"


@contextmanager
def tabled(table: Mapping[str, Sequence[Any]]) -> Iterator[Path]:
    """Columns by name, as a Parquet file in a folder that is removed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    lengths = {len(column) for column in table.values()}
    if len(lengths) != 1 or len(table) > MOST_COLUMNS:
        detail = f"a table has 1 to {MOST_COLUMNS} columns, all of one length, given {sorted(lengths)[:4]}"
        raise Refused(422, "format", detail, "Send a number, or null, for each column and sample.", fields=("table",))
    with TemporaryDirectory(prefix="kinjo-") as folder:
        path = Path(folder) / "table.parquet"
        pq.write_table(pa.table({name: pa.array(list(column)) for name, column in table.items()}), path)
        yield path


def read(path: Path, told: Mapping[str, Any], notes: list[str]) -> Recording:
    """The recording in a file; what was guessed goes into ``notes``. Videos are refused: no model reads them here."""
    if kind_of(path) == "video":
        hint = "Send the poses in it as JSON, or build a corpus from it."
        raise Refused(415, "format", "this service reads sensors and poses, not videos", hint, fields=("file",))
    return read_recording(path, notes=notes, **told)
