"""Exports of Sensor Logger (Kelvin Choi, iOS and Android): the zip, its folder, one of its tables, or the JSON.

As the app's documentation says it (github.com/tszheichoi/awesome-sensor-logger, UNITS.md and COORDINATES.md):

* a table for each sensor, ``time`` (ns since 1970), ``seconds_elapsed``, ``z``, ``y``, ``x``, found by name;
* ``Accelerometer`` has no gravity in it, ``TotalAcceleration`` has; ``Gravity`` is the difference; m/s^2. Read is
  ``TotalAcceleration``, else the sum of the other two, else ``AccelerometerUncalibrated``, else what is there;
* iOS gives acceleration and gravity with the opposite sign of Android, on the watch in g, and uncalibrated in g, unless
  "Standardise Units & Frames" was on. ``Metadata.csv`` says both; without it the caller has to;
* ``WristMotion`` is the watch, whose side nobody says.

Other tables (location, barometer, orientation, headphones, ...) are not read, and a note names them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from kinjo.formats.archive import Export, open_export
from kinjo.formats.delimited import delimited, rows
from kinjo.formats.errors import FormatError, short
from kinjo.formats.tracks import TURNED, Floats, Track, place_of, recording_of, summed
from kinjo.recording import Recording

Convention = Literal["ios", "android"]
LARGEST_JSON = 1 << 26
"""Bytes (64 MiB) of a JSON export; it takes many times that in memory."""
PHONE = (
    "accelerometer", "gravity", "totalacceleration", "accelerometeruncalibrated", "gyroscope",
    "gyroscopeuncalibrated", "magnetometer", "magnetometeruncalibrated",
)  # fmt: skip
"""Sensors of the phone that are read, in small letters."""
WATCH = "wristmotion"
ABOUT = ("metadata", "annotation")
_AXES = ("x", "y", "z")
_HINT = "Export the recording again, as zip."


@dataclass
class _Sensors:
    """Sensor in small letters -> column in small letters -> (n,) float64; what Metadata says; notes."""

    tables: dict[str, dict[str, Floats]] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def readings(self, file: str, sensor: str, prefix: str = "") -> tuple[Floats, Floats]:
        """``(seconds, values)`` of a sensor: columns ``prefix`` and x, y, z."""
        table = self.tables[sensor]
        wanted = [f"{prefix}{axis}" for axis in _AXES]
        gone = [name for name in ("time", *wanted) if name not in table]
        if gone:
            raise FormatError(file, sensor, f"columns time, {', '.join(wanted)}", f"no {', '.join(gone)}", _HINT)
        return table["time"], np.stack([table[name] for name in wanted], 1)


def read_sensor_logger(
    path: Path | str,
    *,
    placement: str | Mapping[str, str] | None = None,
    convention: Convention | None = None,
    notes: list[str] | None = None,
) -> Recording:
    """The recording in an export of Sensor Logger: streams ``<placement>.acc``, ``.gyro``, ``.mag`` (n, 3) float32.

    ``placement``: where the phone was, or ``{"phone": ..., "watch": ...}``; the watch's is ``wrist`` if not said.
    ``convention``: whose sign acceleration has, before what the export says. 0 s is the first reading; notes say the
    date. Each stream keeps its own clock. ``notes`` receives the recording's notes.

    Raises ``FormatError`` for what is none, is damaged, or needs to be told: placement of the phone, convention.
    """
    path = Path(path)
    sensors = _json(path) if path.is_file() and path.suffix.lower() == ".json" else _tables(open_export(path))
    file = path.name
    phone = [name for name in PHONE if name in sensors.tables]
    if not phone and WATCH not in sensors.tables:
        given = ", ".join(sensors.tables) or "none"
        raise FormatError(file, "", "Accelerometer, Gyroscope or WristMotion of Sensor Logger", given, _HINT)
    _clocked(file, sensors)
    sign = _convention(file, sensors, convention)
    tracks: list[Track] = []
    if phone:
        tracks += _phone(file, sensors, place_of(file, placement, "phone"), sign)
    if WATCH in sensors.tables:
        said = placement if isinstance(placement, Mapping) or not phone else None
        said = "wrist" if said is None or (isinstance(said, Mapping) and "watch" not in said) else said
        tracks += _watch(file, sensors, place_of(file, said, "watch"), sign)
    recording = recording_of(path, tracks, sensors.notes)
    if notes is not None:
        notes += recording.notes
    return recording


def _convention(file: str, sensors: _Sensors, said: Convention | None) -> float:
    """-1 for iOS's sign of acceleration, 1 for Android's."""
    if said not in (None, "ios", "android"):
        raise FormatError(file, "convention", "ios or android", repr(said), "Correct it.")
    platform = sensors.about.get("platform", "").lower()
    standard = sensors.about.get("standardisation", "").lower() == "true"
    known: str = said or ("android" if standard and platform else platform)
    if known in ("ios", "android"):
        sensors.notes += [TURNED] if known == "ios" else []
        return -1.0 if known == "ios" else 1.0
    if not any("acc" in name or name == WATCH for name in sensors.tables):
        return 1.0
    hint = "Say convention='ios' (iPhone or Apple Watch, not standardised) or 'android' (Android, or standardised)."
    raise FormatError(file, "", "to be told whose sign acceleration has: there is no Metadata.csv", "nothing", hint)


def _phone(file: str, sensors: _Sensors, place: str, sign: float) -> list[Track]:
    """acc, gyro and mag of the phone, as far as they are there."""
    held, out = sensors.tables, []
    if "totalacceleration" in held:
        out.append(("acc", "m/s^2", *sensors.readings(file, "totalacceleration"), True))
    elif "accelerometer" in held and "gravity" in held:
        bare, gravity = sensors.readings(file, "accelerometer"), sensors.readings(file, "gravity")
        out.append(("acc", "m/s^2", *summed(bare, gravity), True))
        sensors.notes.append(f"{place}.acc: Accelerometer and Gravity added")
    elif "accelerometeruncalibrated" in held:
        units = "g" if sign < 0 else "m/s^2"
        out.append(("acc", units, *sensors.readings(file, "accelerometeruncalibrated"), True))
    elif "accelerometer" in held:
        out.append(("acc", "m/s^2", *sensors.readings(file, "accelerometer"), False))
        sensors.notes.append(f"{place}.acc: without gravity; record Gravity or TotalAcceleration too, to have it")
    for quantity, units, sensor in (("gyro", "rad/s", "gyroscope"), ("mag", "uT", "magnetometer")):
        best = sensor if sensor in held else f"{sensor}uncalibrated"
        if best in held:
            out.append((quantity, units, *sensors.readings(file, best), None))
    return [
        Track(place, quantity, units, seconds, values * (sign if quantity == "acc" else 1.0), gravity)
        for quantity, units, seconds, values, gravity in out
    ]


def _watch(file: str, sensors: _Sensors, place: str, sign: float) -> list[Track]:
    """acc (user acceleration and gravity) and gyro of the watch; gravity's size tells g from m/s^2."""
    seconds, gravity = sensors.readings(file, WATCH, "gravity")
    bare = sensors.readings(file, WATCH, "acceleration")[1]
    size = np.linalg.norm(gravity, axis=1)
    size = size[np.isfinite(size)]
    level = float(np.median(size)) if len(size) else float("nan")
    units = "g" if 0.8 < level < 1.25 else "m/s^2" if 8.0 < level < 12.0 else ""
    if not units:
        expected = "gravity of 1 g or 9.8 m/s^2"
        raise FormatError(file, "WristMotion", expected, f"{level:.3g} in the median", "Check the columns.")
    out = [Track(place, "acc", units, seconds, sign * (gravity + bare), True)]
    turning = sensors.readings(file, WATCH, "rotationrate")[1]
    return [*out, Track(place, "gyro", "rad/s", seconds, turning)]


# ------------------------------------------------------------------------------------------------ what is in the files
def _tables(export: Export) -> _Sensors:
    """The sensors of a zip or folder, or of one table (with the Metadata.csv beside it)."""
    sensors, unread = _Sensors(), []
    folders = {str(PurePosixPath(name).parent) for name in export.names if _sensor(name) in (*PHONE, WATCH)}
    if len(folders) > 1:
        given = f"{len(folders)} folders with sensors"
        raise FormatError(export.path.name, "", "one recording", given, "Unpack it, and give each folder alone.")
    for name in export.names:
        sensor = _sensor(name)
        if sensor in (*PHONE, WATCH):
            _add(sensors, sensor, export.read(name), f"{export.path.name}: {name}")
        elif sensor == "metadata":
            sensors.about = _about(export.read(name), name)
        elif sensor and sensor not in ABOUT:
            unread.append(PurePosixPath(name).stem)
    beside = export.path.with_name("Metadata.csv")
    if len(export.names) == 1 and not sensors.about and export.path.is_file() and beside.is_file():
        sensors.about = _about(open_export(beside).read(beside.name), beside.name)
    if unread:
        sensors.notes.append(f"not read: {', '.join(sorted(unread)[:20])}")
    return sensors


def _sensor(name: str) -> str:
    """The sensor that a table of this name holds, in small letters; '' for no table."""
    plain = PurePosixPath(name)
    return plain.stem.lower() if plain.suffix.lower() == ".csv" else ""


def _about(data: bytes, file: str) -> dict[str, str]:
    found = rows(data, file)
    return found[0] if found else {}


def _add(sensors: _Sensors, sensor: str, data: bytes, file: str) -> None:
    table = delimited(data, file)
    names = [name.lower() for name in table.names]
    wanted = {name: k for k, name in enumerate(names) if _used(name)}
    columns, notes = table.numbers(list(wanted.values()))
    sensors.notes += [*table.notes, *notes]
    sensors.tables[sensor] = dict(zip(wanted, columns, strict=True))


def _used(name: str) -> bool:
    return name in ("time", "seconds_elapsed", *_AXES) or name.startswith(("rotationrate", "gravity", "acceleration"))


def _clocked(file: str, sensors: _Sensors) -> None:
    """Give all tables ``time`` in seconds: since 1970 if every one's stamps are whole, else since the start.

    A table that a spreadsheet saved again has stamps of 15 digits or fewer, many rows at the same moment.
    """
    whole = all(_whole(table) for table in sensors.tables.values())
    if not whole and not all("seconds_elapsed" in table for table in sensors.tables.values()):
        raise FormatError(file, "", "columns time (ns since 1970) and seconds_elapsed", "others", _HINT)
    for table in sensors.tables.values():
        table["time"] = table["time"] * 1e-9 if whole else table["seconds_elapsed"]
    if not whole:
        sensors.notes.append("time is not there or does not go with seconds_elapsed: the latter is taken")


def _whole(table: Mapping[str, Floats]) -> bool:
    if "time" not in table:
        return False
    seconds, elapsed = table["time"] * 1e-9, table.get("seconds_elapsed")
    if elapsed is None or len(seconds) < 3:
        return True
    steps, apart = np.abs(np.diff(elapsed)), np.abs(np.diff(seconds) - np.diff(elapsed))
    known = np.isfinite(steps) & np.isfinite(apart)
    return not known.any() or float(np.median(apart[known])) <= 0.2 * max(float(np.median(steps[known])), 1e-3)


def _json(path: Path) -> _Sensors:
    """The sensors of a JSON export: a list of records, each with the name of its sensor."""
    sensors, file = _Sensors(), path.name
    data = open_export(path).read(path.name)
    if len(data) > LARGEST_JSON:
        raise FormatError(file, "", f"at most {LARGEST_JSON} bytes of JSON", f"{len(data)}", "Export it as zip.")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(file, "", "JSON", short(str(error), 100), _HINT) from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise FormatError(file, "", "a list of records of Sensor Logger", type(found).__name__, _HINT)
    groups: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        groups.setdefault(str(one.get("sensor", "")).lower(), []).append(one)
    for sensor, records in groups.items():
        if sensor in (*PHONE, WATCH):
            names = sorted({name for one in records for name in map(str.lower, one) if _used(name)})
            small = [{name.lower(): value for name, value in one.items()} for one in records]
            sensors.tables[sensor] = {n: _floats(file, sensor, (one.get(n) for one in small)) for n in names}
        elif sensor == "metadata":
            sensors.about = {str(name).lower(): str(value).strip() for name, value in records[0].items()}
    unread = sorted(set(groups) - {*PHONE, WATCH, *ABOUT, ""})
    sensors.notes += [f"not read: {', '.join(unread[:20])}"] if unread else []
    return sensors


def _floats(file: str, sensor: str, values: Iterable[Any]) -> Floats:
    try:
        return np.array([float("nan") if value in (None, "", "null") else float(value) for value in values])
    except (TypeError, ValueError, OverflowError) as error:
        raise FormatError(file, sensor, "numbers", short(str(error), 100), _HINT) from error
