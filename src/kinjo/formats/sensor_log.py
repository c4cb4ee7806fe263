"""Tables of SensorLog (Bernd Thomas; iPhone and Apple Watch), and others with its names of Apple's CoreMotion.

Columns go by name, ``motionUserAccelerationX(G)``, units in brackets or not: ``motionUserAcceleration`` and
``motionGravity`` (G), or else the raw ``accelerometerAcceleration`` (G); ``motionRotationRate``, or else the raw
``gyroRotation`` (rad/s); ``magnetometer`` or ``motionMagneticField`` (uT). Every sensor has its own
``...Timestamp_sinceReboot(s)``; ``loggingTime(txt)`` is the date. A row is written at the pace of the log, so a sensor
that is slower is in it several times: each reading is taken once.

CoreMotion's acceleration has the sign of gravity (-1 g up): it is turned, ``-(userAcceleration + gravity)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinjo.formats.archive import open_export
from kinjo.formats.delimited import Delimited, delimited
from kinjo.formats.errors import FormatError
from kinjo.formats.stamps import NONE, nanoseconds, spread
from kinjo.formats.tracks import TURNED, Floats, Track, place_of, recording_of
from kinjo.recording import Recording

ACC: tuple[tuple[tuple[str, ...], bool], ...] = (
    (("motionuseracceleration", "motiongravity"), True),
    (("accelerometeracceleration",), True),
    (("motionuseracceleration",), False),
)
"""Columns (in small letters, without axis) whose sum is acceleration, the best first, and whether gravity is in it."""
GYRO = (("motionrotationrate",), ("gyrorotation",))
MAG = (("motionmagneticfield",), ("magnetometer",))
_ZONE = r"\s*(Z|[+-]\d{2}:?\d{2}|UTC|GMT)\s*$"
_STAMP = "timestamp_sincereboot"
_HINT = "Log Accelerometer or DeviceMotion in SensorLog, and export it as CSV."


def is_sensor_log(names: tuple[str, ...]) -> bool:
    """Whether the names of a table's columns are those of SensorLog."""
    plain = set(_plain(names))
    bases = [base for parts, _ in ACC for base in parts] + [parts[0] for parts in GYRO]
    return any(f"{base}x" in plain for base in bases)


def read_sensor_log(
    path: Path | str, *, placement: str | Mapping[str, str] | None = None, notes: list[str] | None = None
) -> Recording:
    """The recording in a table of SensorLog: ``<placement>.acc`` in g, ``.gyro`` in rad/s, ``.mag``, (n, 3) float32.

    ``placement``: where the phone or the watch was. 0 s is the first reading; notes say the date. Each stream keeps its
    own clock. ``notes`` receives the recording's notes.

    Raises ``FormatError`` for what is none, is damaged, or where the placement is not said.
    """
    path = Path(path)
    export = open_export(path)
    if len(export.names) != 1:
        raise FormatError(path.name, "", "one table of SensorLog", f"{len(export.names)} files", "Give one alone.")
    table = delimited(export.read(export.names[0]), path.name)
    if not is_sensor_log(table.names):
        raise FormatError(path.name, "line 1", "columns such as motionUserAccelerationX(G)", "others", _HINT)
    place = place_of(path.name, placement, "device")
    log = _log(table)
    tracks: list[Track] = []
    gyro, mag = [(parts, None) for parts in GYRO], [(parts, None) for parts in MAG]
    for quantity, units, options in (("acc", "g", ACC), ("gyro", "rad/s", gyro), ("mag", "uT", mag)):
        found = (log.track(place, quantity, units, parts, gravity) for parts, gravity in options)
        best = next((track for track in found if track is not None), None)
        tracks += [] if best is None else [best]
    if any(track.quantity == "acc" for track in tracks):
        log.notes.append(TURNED)
    recording = recording_of(path, tracks, log.notes, "the device's")
    if notes is not None:
        notes += recording.notes
    return recording


def _plain(names: tuple[str, ...]) -> list[str]:
    return [re.sub(r"\(.*\)\s*$", "", name).strip().lower() for name in names]


@dataclass
class _Log:
    """Columns by small-letter names without units; ``dates`` (rows,) of the rows, seconds since 1970, if there are."""

    file: str
    columns: dict[str, Floats]
    dates: Floats | None
    notes: list[str]

    def track(
        self, place: str, quantity: str, units: str, parts: tuple[str, ...], gravity: bool | None
    ) -> Track | None:
        """The sum of the columns ``parts``; ``None`` where they are not there, or hold nothing."""
        wanted = [f"{base}{axis}" for base in parts for axis in "xyz"]
        if not all(name in self.columns for name in wanted):
            return None
        values = np.stack([self.columns[name] for name in wanted], 1).reshape(-1, len(parts), 3)
        keep = np.isfinite(values).all((1, 2))
        if not keep.any() or not values[keep].any():
            if len(values):
                self.notes.append(f"{parts[0]}: not read, it is empty or 0 in every row")
            return None
        seconds = self.seconds(parts[0])
        keep &= np.isfinite(seconds)
        keep[keep] = np.diff(seconds[keep], prepend=np.nan) != 0
        total = values.sum(1) * (-1.0 if quantity == "acc" else 1.0)
        return Track(place, quantity, units, seconds[keep], total[keep], gravity)

    def seconds(self, base: str) -> Floats:
        """The clock of a sensor: its own time stamps, put to the date where one is logged, else the dates."""
        device = next((d for d in ("accelerometer", "motion", "gyro", "magnetometer") if base.startswith(d)), "")
        own = self.columns.get(f"{device}{_STAMP}")
        if own is not None and np.isfinite(own).any() and np.nanmax(own) > np.nanmin(own):
            return own + self.apart()
        if self.dates is None:
            raise FormatError(self.file, "", f"columns loggingTime or {device}{_STAMP}", "neither", _HINT)
        even, note = spread(self.dates)
        self.notes += [note] if note and note not in self.notes else []
        return even

    def apart(self) -> float:
        """Seconds from the clock of the device to the date, the same for all its sensors; 0 without dates."""
        for name in sorted(self.columns):
            if name.endswith(_STAMP) and self.dates is not None:
                apart = self.dates - self.columns[name]
                if np.isfinite(apart).any():
                    return float(np.nanmedian(apart))
        return 0.0


def _log(table: Delimited) -> _Log:
    names = _plain(table.names)
    bases = {base for parts, _ in ACC for base in parts} | {base for parts in (*GYRO, *MAG) for base in parts}
    wanted = {f"{base}{axis}" for base in bases for axis in "xyz"}
    used = {name: k for k, name in enumerate(names) if name in wanted or name.endswith(_STAMP)}
    numbers, notes = table.numbers(list(used.values()))
    log = _Log(table.file, dict(zip(used, numbers, strict=True)), None, [*table.notes, *notes])
    if "loggingtime" in names:
        log.dates = _dates(table.file, table.words(names.index("loggingtime")), log.notes)
    return log


def _dates(file: str, words: Any, told: list[str]) -> Floats:
    """Seconds since 1970 of ``loggingTime``; by the zone of the first row, where one is written."""
    from pyarrow import compute as pc

    bare = pc.replace_substring_regex(words, _ZONE, "")  # type: ignore[attr-defined]
    stamps = nanoseconds(file, "column loggingTime", bare)
    seconds = np.where(stamps == NONE, np.nan, stamps * 1e-9)
    first = next((str(word) for word in words[:10].to_pylist() if word), "")
    zone = re.search(r"([+-])(\d{2}):?(\d{2})\s*$", first)
    if zone:
        east = int(zone[2]) * 3600 + int(zone[3]) * 60
        return seconds - (east if zone[1] == "+" else -east)
    if not re.search(r"(Z|UTC|GMT)\s*$", first):
        told.append("loggingTime has no time zone: taken as UTC")
    return seconds
