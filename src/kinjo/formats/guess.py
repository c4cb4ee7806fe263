"""The contract of a table of wearable sensors: what is told, what is clear from the values, and what has to be asked.

Told is what a sidecar, kinjo's own metadata or the caller says, and what column names say (``Acceleration x (m/s^2)``).
Guessed, and noted, is only what is clear:

* **time units**: the one of s, ms, us, ns in which the rate is 2 to 1000 Hz; **rate**: from the steps, pauses left out;
* **acc**: gravity shows as a mean that stays over a second or two. 8.3 to 11.3 is m/s^2 and 0.85 to 1.15 is g, both
  with gravity. Where the units are told, 7 to 14 m/s^2 is with gravity and below 2 is without;
* **gyro**: deg/s where the 99th percentile is above 40 (more than sensors measure in rad/s);
* **mag**: 15 to 150 is uT and 0.15 to 1.5 is gauss, the field of the Earth.

All else is unknown until somebody says it. A placement is never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import PLACEMENTS
from kinjo.formats import column_names, sidecar, stamps
from kinjo.formats.column_names import Roles
from kinjo.formats.columns import Columns, Source, load, open_table
from kinjo.formats.errors import FormatError, short
from kinjo.formats.facts import TIME_UNITS, ClockGuess, Fact, Guess, StreamGuess
from kinjo.signal import UNITS

GRAVITY_IN: dict[str, tuple[float, float]] = {"m/s^2": (8.3, 11.3), "g": (0.85, 1.15)}
WITH_GRAVITY = (7.0, 14.0)
"""m/s^2, where the units are told: an arm that swings pulls steadily beside gravity, and without it means are small."""
GYRO_DEGREES = 40.0
MAG_IN: dict[str, tuple[float, float]] = {"uT": (15.0, 150.0), "gauss": (0.15, 1.5)}
STEADY = 0.6
"""With gravity, the mean over a second or two is at least this much of the mean size, even while running."""
OWN_ROWS = 0.2
"""A stream with more empty rows than this share, and a time column, is on a clock of its own."""
_PIECE, _PIECES = 128, 400

RENAME = (
    "Say which columns are what: columns=['time_ms', 'acc_x', 'acc_y', 'acc_z', ...], '' for others, or "
    "columns={'theirs': 'acc_x', ...}; or --columns time_ms,acc_x,acc_y,acc_z, or --columns theirs=acc_x"
)
Renames = Sequence[str] | Mapping[str, str]


@dataclass(frozen=True)
class Gathered:
    """A guess with the columns it was made of. ``whole``: the stamps of all rows, as the file has them or spread.

    ``clocks`` per stream: its rows (``None``: all) and their stamps.
    """

    guess: Guess
    columns: Columns
    whole: NDArray[np.float64] | None
    clocks: tuple[tuple[NDArray[np.int64] | None, NDArray[np.float64] | None], ...]


def guess(path: Path | str, *, columns: Renames | None = None) -> Guess:
    """What the table in ``path`` holds (see the top of this module); ``print`` it. The whole file is read once.

    ``columns`` says what the columns are, where their names do not: a name for each column, or the file's name -> name.
    A sidecar (``save_sidecar``) is used if it is there, unless ``columns`` is given. Raises ``FormatError`` for a file
    that is no table or has no sensor in it.
    """
    return gather(Path(path), columns).guess


def confirm(
    guess: Guess,
    *,
    rate_hz: float | None = None,
    time_units: str | None = None,
    units: Mapping[str, str] | None = None,
    gravity: bool | Mapping[str, bool] | None = None,
    placement: str | Mapping[str, str] | None = None,
) -> Guess:
    """The guess with what the caller says, which goes before everything else; the rest is guessed anew from there.

    Keys of mappings are names of streams (``left_wrist.acc``), of sensors (``imu1``) or quantities (``acc``). Units may
    be spelled as people do (``mg``, ``dps``), also raw counts (``g/16384``). ``FormatError`` for words that kinjo does
    not know, and for a rate that the time stamps contradict.
    """
    if time_units is not None and time_units not in TIME_UNITS:
        raise FormatError(guess.file, "time_units", "s, ms, us or ns", repr(time_units))
    if rate_hz is not None and not (np.isfinite(rate_hz) and rate_hz > 0):
        raise FormatError(guess.file, "rate_hz", "a positive number of samples per second", repr(rate_hz))
    _check_keys(guess.file, "placement", placement, guess.streams)
    placed = [_with_placement(guess.file, stream, _said(placement, stream)) for stream in guess.streams]
    # keys may be names from before or after the placement was said: an error that asks uses the latter
    both = list(zip(guess.streams, _named(placed), strict=True))
    for name, given in (("units", units), ("gravity", gravity)):
        _check_keys(guess.file, name, given, [stream for pair in both for stream in pair])
    streams = []
    for before, stream in both:
        unit = _said(units, stream) or _said(units, before)
        heavy = _said(gravity, stream) if _said(gravity, stream) is not None else _said(gravity, before)
        if unit is not None:
            stream = _with_units(guess.file, stream, unit)
        if heavy is not None and stream.quantity == "acc":
            stream = replace(stream, gravity=Fact(bool(heavy), "told", "by the caller"))
        if rate_hz is not None:
            stream = replace(stream, rate_hz=Fact(float(rate_hz), "told", "by the caller"))
        streams.append(stream)
    clock = guess.clock
    if time_units is not None and clock.column is not None:
        clock = replace(clock, units=Fact(time_units, "told", "by the caller"))
    return filled(replace(guess, clock=clock, streams=tuple(streams)))


def _said(said: Any, stream: StreamGuess) -> Any:
    if not isinstance(said, Mapping):
        return said
    return next((said[key] for key in (stream.name, stream.sensor, stream.quantity) if key in said), None)


def _check_keys(file: str, name: str, given: Any, streams: Sequence[StreamGuess]) -> None:
    if not isinstance(given, Mapping):
        return
    known = {key for stream in streams for key in (stream.name, stream.sensor, stream.quantity)}
    unknown = [str(key) for key in given if key not in known]
    if unknown:
        raise FormatError(file, name, f"keys of {', '.join(sorted(known - {''}))}", ", ".join(unknown))


def _with_placement(file: str, stream: StreamGuess, place: str | None) -> StreamGuess:
    if place is None:
        return stream
    if place not in PLACEMENTS:
        raise FormatError(file, "placement", f"one of {', '.join(PLACEMENTS)}", repr(place))
    return replace(stream, placement=Fact(place, "told", "by the caller"), told_name="")


def _with_units(file: str, stream: StreamGuess, word: str) -> StreamGuess:
    found = (word, 1.0) if word in UNITS[stream.quantity] else column_names.unit_of(stream.quantity, str(word))
    if found is None:
        known = ", ".join(UNITS[stream.quantity])
        raise FormatError(file, f"units of {stream.name}", f"one of {known}", repr(word), "Counts: g/16384.")
    sign = float(np.sign(stream.scale))
    return replace(stream, units=Fact(found[0], "told", "by the caller"), scale=sign * found[1])


def filled(guess: Guess) -> Guess:
    """The guess with all that is clear from its numbers, besides what was told; by the rules on top."""
    clock, streams = guess.clock, []
    main = max(guess.streams, key=lambda stream: stream.rows).per_unit
    if clock.column is not None:
        told = clock.units if clock.units.how == "told" else Fact()
        clock = replace(clock, units=stamps.units_of(replace(clock, units=told), main))
    for stream in guess.streams:
        kept = {
            name: fact if fact.how == "told" else Fact()
            for name in ("units", "gravity", "rate_hz")
            for fact in (getattr(stream, name),)
        }
        stream = replace(stream, **kept)
        stream = {"acc": _acc, "gyro": _gyro, "mag": _mag}.get(stream.quantity, lambda s: s)(stream)
        streams.append(_rate(guess.file, stream, clock))
    return replace(guess, clock=clock, streams=_named(streams))


def _acc(stream: StreamGuess) -> StreamGuess:
    steady = stream.level >= STEADY * stream.middle
    if not stream.units:
        fitting = [unit for unit, (low, high) in GRAVITY_IN.items() if low <= stream.level <= high and steady]
        why = f"a mean of {stream.level:.3g} that stays"
        if not fitting or (stream.gravity and not stream.gravity.value):
            return replace(stream, units=Fact(why=f"its mean over a second is {stream.level:.3g}"))
        gravity = stream.gravity or Fact(True, "guessed", why)
        return replace(stream, units=Fact(fitting[0], "guessed", why), gravity=gravity)
    if stream.gravity:
        return stream
    level = stream.level * abs(stream.scale) * UNITS["acc"][stream.units.value]
    low, high = WITH_GRAVITY
    why = f"a mean of {level:.3g} m/s^2"
    if low <= level <= high and steady:
        return replace(stream, gravity=Fact(True, "guessed", why + " that stays"))
    return replace(stream, gravity=Fact(False, "guessed", why) if level < 2.0 else Fact(why=why))


def _gyro(stream: StreamGuess) -> StreamGuess:
    if stream.units:
        return stream
    why = f"1 % of its values are above {stream.top:.3g}"
    return replace(stream, units=Fact("deg/s", "guessed", why) if stream.top > GYRO_DEGREES else Fact(why=why))


def _mag(stream: StreamGuess) -> StreamGuess:
    if stream.units:
        return stream
    why = f"a median size of {stream.middle:.3g}"
    fitting = [unit for unit, (low, high) in MAG_IN.items() if low <= stream.middle <= high]
    return replace(stream, units=Fact(fitting[0], "guessed", why) if fitting else Fact(why=why))


def _rate(file: str, stream: StreamGuess, clock: ClockGuess) -> StreamGuess:
    if clock.column is None or not clock.units or not np.isfinite(stream.per_unit):
        return stream
    rate = stream.per_unit / TIME_UNITS[clock.units.value]
    if not stream.rate_hz:
        near = round(rate)
        rate = float(near) if abs(rate - near) < 2e-3 * rate else float(f"{rate:.6g}")
        return replace(stream, rate_hz=Fact(rate, "guessed", "from its time stamps"))
    if abs(stream.rate_hz.value / rate - 1.0) > 0.2:
        given, hint = f"{rate:.4g} Hz by the time stamps", "Correct the rate or the time units."
        raise FormatError(file, f"rate of {stream.name}", f"{stream.rate_hz.value:g} Hz, as told", given, hint)
    return stream


def _named(streams: Sequence[StreamGuess]) -> tuple[StreamGuess, ...]:
    """Streams with a name each."""
    taken: set[str] = set()
    out = []
    for stream in streams:
        name = stream.name
        if name in taken:
            place = stream.placement.value or stream.sensor
            word = f"linear_{stream.quantity}" if stream.gravity.value is False else stream.quantity
            first = ".".join(part for part in (place, stream.sensor if place != stream.sensor else "", word) if part)
            name = next(
                n for k in range(1, len(streams) + 2) if (n := first if k == 1 else f"{first}.{k}") not in taken
            )
            stream = replace(stream, told_name=name)
        taken.add(name)
        out.append(stream)
    return tuple(out)


def gather(path: Path, columns: Renames | None = None) -> Gathered:
    """``guess`` with the columns in memory."""
    source = open_table(path)
    known = sidecar.read(path, source) if columns is None else None
    found = known or column_names.roles(_renamed(source, columns))
    if not found.streams:
        given = ", ".join(short(name or "none", 30) for name in source.names[:12]) + (" ..." * (len(source.names) > 12))
        told = "; ".join(found.notes)
        expected = "columns of a sensor, x, y and z of acc, gyro or mag"
        raise FormatError(path.name, "", expected, f"the names {given}" + (f" ({told})" if told else ""), RENAME)
    time, told_unit = found.times[0] if found.times else (None, None)
    numbers = [number for stream in found.streams for number in stream.columns]
    twice = [source.names[number] for number in numbers if number == time or numbers.count(number) > 1]
    if twice:
        raise FormatError(path.name, "", "columns that are one thing each", f"'{twice[0]}' twice", "Rename it.")
    texts = [number for number in (found.label, found.subject) if number is not None]
    held = load(source, numbers, time, texts)
    if held.rows < 2:
        raise FormatError(path.name, "", "rows of a signal", f"{held.rows} rows", "Copy or export it again.")
    return _gathered(source, found, told_unit, held)


def _gathered(source: Source, found: Roles, told_unit: str | None, held: Columns) -> Gathered:
    notes = [*found.notes, *held.notes]
    time = found.times[0][0] if found.times else None
    whole, note = (None, "") if held.time is None else stamps.spread(held.time)
    notes += [note] if note else []
    streams, clocks = [], []
    for stream in found.streams:
        rows, clock = _own_rows(held, stream, whole, notes)
        if rows is not None and len(rows) < 2:
            notes.append(f"{stream.name}: its columns are empty, left out")
            continue
        per_unit = float("nan") if clock is None else stamps.pace(clock)
        rate = stream.rate_hz
        if not rate and source.rate_hz is not None and time is None:
            rate = Fact(source.rate_hz, "told", "by the file")
        streams.append(replace(_sized(stream, held, rows), per_unit=per_unit, rate_hz=rate))
        clocks.append((rows, clock))
    if not streams:
        raise FormatError(source.path.name, "", "numbers of a sensor", "empty columns", "Export the file again.")
    clock = ClockGuess()
    if time is not None and whole is not None:
        told = "text" if held.text_time else told_unit
        clock = stamps.measured(time, source.names[time], told, whole, held.origin)
    used = {number for stream in found.streams for number in stream.columns} | {time, found.label, found.subject}
    unused = tuple(name or f"column {k}" for k, name in enumerate(source.names) if k not in used)
    made = Guess(
        source.path.name, source.kind, source.names, held.rows, clock, tuple(streams), found.label, found.subject,
        unused, tuple(notes),
    )  # fmt: skip
    return Gathered(filled(made), held, whole, tuple(clocks))


def _renamed(source: Source, columns: Renames | None) -> list[str]:
    """The names of all columns, with what the caller calls them."""
    names = list(source.names)
    if columns is None:
        return names
    if isinstance(columns, Mapping):
        unknown = [str(name) for name in columns if name not in names]
        if unknown:
            given = f"no column {', '.join(unknown)}"
            raise FormatError(source.path.name, "columns", f"names out of {', '.join(names)[:500]}", given)
        return [columns.get(name, name) for name in names]
    if len(columns) != len(names):
        expected = f"{len(names)} names, one for each column"
        raise FormatError(source.path.name, "columns", expected, str(len(columns)), "Use '' for a column to leave out.")
    return list(columns)


def _own_rows(
    held: Columns, stream: StreamGuess, whole: NDArray[np.float64] | None, notes: list[str]
) -> tuple[NDArray[np.int64] | None, NDArray[np.float64] | None]:
    """Rows of a stream (``None``: all) and their stamps; rows where it is empty are not its own, if many are."""
    empty = np.isnan(held.numbers[stream.columns[0]])
    for number in stream.columns[1:]:
        empty &= np.isnan(held.numbers[number])
    count = int(empty.sum())
    if count >= len(empty) - 1:
        return np.zeros(0, np.int64), None
    if held.time is None or count <= OWN_ROWS * len(empty):
        return None, whole
    rows = np.flatnonzero(~empty)
    notes.append(f"{stream.name}: {count} of {len(empty)} rows are empty: it has a clock of its own")
    clock, note = stamps.spread(held.time[rows])
    notes += [f"{stream.name}: {note}"] if note else []
    return rows, clock


def _sized(stream: StreamGuess, held: Columns, rows: NDArray[np.int64] | None) -> StreamGuess:
    """``stream`` with the sizes of its values, from pieces all over the file."""
    n = held.rows if rows is None else len(rows)
    starts = np.unique(np.linspace(0, max(n - _PIECE, 0), _PIECES).astype(np.int64))
    at = np.minimum(starts[:, None] + np.arange(min(_PIECE, n)), n - 1)
    at = at if rows is None else rows[at]
    values = np.stack([held.numbers[number][at] for number in stream.columns], -1).astype(np.float64)
    values[~np.isfinite(values).all(-1)] = np.nan
    whole = ~np.isnan(values[..., 0])
    if not whole.any():
        return replace(stream, rows=n)
    full = whole.mean(1) > 0.5
    sizes = np.linalg.norm(values[whole], axis=-1)
    means = np.array([np.linalg.norm(np.nanmean(piece, 0)) for piece in values[full]])
    level = float(np.median(means)) if len(means) else float("nan")
    return replace(
        stream, rows=n, level=level, middle=float(np.median(sizes)), top=float(np.percentile(sizes, 99))
    )  # fmt: skip
