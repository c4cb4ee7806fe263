"""Exports of phyphox (RWTH Aachen; iOS and Android): the zip of tables, its folder, or one of its tables.

* a table for each set of readings, ``Time (s)`` and ``Acceleration x (m/s^2)`` or the like, in the phone's language:
  units tell the quantity, the last letter the axis, "lin" in a name (``Linear Acceleration``) that gravity is left out;
* separated by comma, tab or semicolon, with decimal point or comma, as the user chose;
* ``meta/time.csv``: when the experiment was started and paused. Its tables leave pauses out: they are put back;
* both systems' acceleration has Android's sign: the app turns iOS's.

Excel files are refused: the same export can be had as CSV.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from kinjo.formats.archive import Export, open_export
from kinjo.formats.delimited import Delimited, delimited, rows
from kinjo.formats.errors import FormatError, short
from kinjo.formats.tracks import Floats, Track, place_of, recording_of
from kinjo.recording import Recording

UNITS: dict[str, tuple[str, str]] = {
    "m/s^2": ("acc", "m/s^2"), "m/s²": ("acc", "m/s^2"), "g": ("acc", "g"),
    "rad/s": ("gyro", "rad/s"), "°/s": ("gyro", "deg/s"), "deg/s": ("gyro", "deg/s"),
    "µt": ("mag", "uT"), "μt": ("mag", "uT"), "ut": ("mag", "uT"),
}  # fmt: skip
"""Unit in a header, in small letters -> quantity and kinjo's unit."""
_COLUMN = re.compile(r"^(.*?)\s*\b([xyz])\s*\(([^()]*)\)$", re.IGNORECASE)
_TIME = re.compile(r".*\(s\)$", re.IGNORECASE)
_NO_SENSOR = ("gravity", "schwerkraft", "gravit")
_HINT = "Export it from phyphox as CSV."


def is_phyphox(names: tuple[str, ...]) -> bool:
    """Whether the names of a table's columns are phyphox's: a time and x, y and z with units."""
    return any(_TIME.match(name) for name in names) and bool(_triples(names, ""))


def read_phyphox(
    path: Path | str, *, placement: str | Mapping[str, str] | None = None, notes: list[str] | None = None
) -> Recording:
    """The recording in an export of phyphox: streams ``<placement>.acc``, ``.gyro``, ``.mag`` (n, 3) float32.

    ``placement``: where the phone was. Of acceleration with and without gravity, that with gravity is read. 0 s is the
    first reading; notes say the date. Each stream keeps its own clock. ``notes`` receives the recording's notes.

    Raises ``FormatError`` for what is none (Excel too), is damaged, or where the placement is not said.
    """
    path = Path(path)
    export = open_export(path)
    excel = next((n for n in export.names if n.lower().endswith((".xls", ".xlsx")) or n == "xl/workbook.xml"), None)
    if excel is not None:
        raise FormatError(path.name, "", "tables of phyphox as CSV", f"Excel ({excel})", "Choose CSV in its export.")
    place = place_of(path.name, placement, "phone")
    pauses, told = _pauses(export)
    tracks: list[Track] = []
    unread = []
    for name in export.names:
        if PurePosixPath(name).suffix.lower() in (".csv", ".txt", ".tsv") and "meta" not in PurePosixPath(name).parts:
            found = _tracks(export, name, place, pauses, told)
            tracks += found
            unread += [] if found else [name]
    if not tracks:
        expected = "tables with Acceleration x (m/s^2), Gyroscope x (rad/s) or the like"
        raise FormatError(path.name, "", expected, short(", ".join(export.names)), _HINT)
    if unread:
        told.append(f"not read: {', '.join(unread[:20])}")
    recording = recording_of(path, _best(tracks, told), told, "the experiment's")
    if notes is not None:
        notes += recording.notes
    return recording


def _best(tracks: list[Track], told: list[str]) -> list[Track]:
    """One track of each quantity: acceleration with gravity before that without, else the first."""
    out: dict[str, Track] = {}
    for track in sorted(tracks, key=lambda track: track.gravity is False):
        if track.quantity in out:
            told.append(f"{track.name}: a second one{' without gravity' if track.gravity is False else ''} is not read")
        out.setdefault(track.quantity, track)
    return list(out.values())


def _tracks(export: Export, name: str, place: str, pauses: list[tuple[float, float]], told: list[str]) -> list[Track]:
    """What one table holds; nothing where its columns are not those of a sensor."""
    where = f"{export.path.name}: {name}"
    table = delimited(export.read(name), where)
    out = []
    for quantity, units, gravity, columns, time in _triples(table.names, PurePosixPath(name).stem):
        seconds, *values = _numbers(table, (time, *columns), told)
        out.append(Track(place, quantity, units, _put_back(seconds, pauses), np.stack(values, 1), gravity))
    told += table.notes if out else ()
    return out


def _numbers(table: Delimited, wanted: tuple[int, ...], told: list[str]) -> list[Floats]:
    columns, notes = table.numbers(wanted)
    told += notes
    return columns


def _triples(names: tuple[str, ...], stem: str) -> list[tuple[str, str, bool | None, tuple[int, int, int], int]]:
    """``(quantity, units, gravity, columns of x y z, column of their time)`` of the sensors in a table."""
    groups: dict[tuple[str, str], dict[str, int]] = {}
    times = [k for k, name in enumerate(names) if _TIME.match(name)]
    for k, name in enumerate(names):
        match = _COLUMN.match(name)
        if match and match[3].strip().lower() in UNITS:
            groups.setdefault((match[1].lower(), match[3].strip().lower()), {})[match[2].lower()] = k
    out = []
    for (prefix, unit), axes in groups.items():
        said = f"{prefix} {stem.lower()}"
        quantity, units = UNITS[unit]
        if set(axes) != set("xyz") or not times or (quantity == "acc" and any(word in prefix for word in _NO_SENSOR)):
            continue
        first = min(axes.values())
        time = max((k for k in times if k < first), default=times[0])
        gravity = "lin" not in said and not re.search(r"without g|ohne g|sans g|sin g|senza g", said)
        out.append((quantity, units, gravity if quantity == "acc" else None, (axes["x"], axes["y"], axes["z"]), time))
    return out


# ------------------------------------------------------------------------------------------------ start and pauses
def _pauses(export: Export) -> tuple[list[tuple[float, float]], list[str]]:
    """``(experiment time, seconds to add from there on)`` for each start, in order, and notes."""
    name = export.named("time.csv", "meta")
    if name is None:
        return [], ["no meta/time.csv: the date is not known, and pauses cannot be put back"]
    where = f"{export.path.name}: {name}"
    out, told = [], []
    paused: float | None = None
    for row in rows(export.read(name), where):
        event = row.get("event", "").upper()
        at, moment = (_number(where, row.get(column, "")) for column in ("experiment time", "system time"))
        if event == "START":
            gap = 0.0 if paused is None else moment - paused
            if out and at < out[-1][0]:
                raise FormatError(where, "", "starts in order", f"one at {at:g} s after {out[-1][0]:g} s", _HINT)
            shift = moment - at if not out else out[-1][1] + max(gap, 0.0)
            told += [f"paused for {gap:.3g} s at {at:.3g} s of the experiment: put back"] if out and gap > 0 else []
            out.append((at, shift))
        elif event == "PAUSE":
            paused = moment
    return out, told


def _number(where: str, word: str) -> float:
    try:
        value = float(word.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise FormatError(where, "", "a time in seconds", short(word), _HINT)
    return value


def _put_back(seconds: Floats, pauses: list[tuple[float, float]]) -> Floats:
    """Experiment times as seconds since 1970, with the pauses; as they are where no start is known."""
    if not pauses:
        return seconds
    starts, shifts = np.array(pauses).T
    return seconds + shifts[np.searchsorted(starts, seconds, side="right").clip(1) - 1]
