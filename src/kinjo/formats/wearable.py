"""Tables of wearable sensors that people have, CSV, TSV, Parquet or NPY, as a ``Recording``.

What the file does not say is guessed where it is clear and asked for where it is not: the rules are in ``guess``. Every
guess is a note of the recording.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinjo.checks import check, check_stream
from kinjo.formats.columns import Columns
from kinjo.formats.errors import FormatError
from kinjo.formats.facts import TIME_UNITS, Guess, StreamGuess
from kinjo.formats.guess import Gathered, Renames, confirm, gather
from kinjo.recording import Contract, ContractError, Finding, Recording, Segment, Stream
from kinjo.signal import find_gaps

EVEN = 0.1
"""Stamps that lie within this share of a period of an even clock are taken as even."""
RECENT_S = 3600.0
"""A clock whose first stamp is nearer to 0 than this is kept; others (dates, time since start-up) count from there."""
MOST_RUNS = 100_000
MOST_DAYS = 60
"""From the first to the last stamp; more is a clock that was set in between, or a damaged stamp."""

Floats = NDArray[np.float64]


def read_wearable(
    path: Path | str,
    *,
    columns: Renames | None = None,
    rate_hz: float | None = None,
    time_units: str | None = None,
    units: Mapping[str, str] | None = None,
    gravity: bool | Mapping[str, bool] | None = None,
    placement: str | Mapping[str, str] | None = None,
    notes: list[str] | None = None,
    gathered: Gathered | None = None,
) -> Recording:
    """The recording in a table of sensors: streams ``<placement>.<quantity>`` (n, 3) float32, segments of its labels.

    What is said goes before the sidecar, that before column names, and those before what is clear from the values
    (see ``guess``); ``columns`` and the others are as in ``guess`` and ``confirm``. Times that go back, repeat or start
    again are mended as ``checks.check`` does. ``notes`` receives the recording's notes: every guess and every repair.
    ``gathered``: what ``gather`` made of this file, so that it is not read again; it is used up.

    Raises ``FormatError`` for a file that is no table of sensors, one that contradicts what is said of it, and one
    where something is neither told nor clear: the error asks for it, and says how to answer.
    """
    path = Path(path)
    gathered = gather(path, columns) if gathered is None else gathered
    said = confirm(
        gathered.guess, rate_hz=rate_hz, time_units=time_units, units=units, gravity=gravity, placement=placement
    )
    if rate_hz is not None and said.clock.column is not None and not said.clock.units:
        why = f"the time column '{said.clock.name}' is not used: {said.clock.units.why}"
        said = replace(said, clock=replace(said.clock, column=None), notes=(*said.notes, why))
    if said.missing:
        raise FormatError(path.name, "", f"to be told: {', '.join(said.missing)}", "nothing that says it", said.ask())
    try:
        recording, findings = check(_recording(path, said, gathered), repair=True)
    except ContractError as error:
        where = f"stream '{error.stream}': {error.field}"
        raise FormatError(path.name, where, error.expected, error.given, error.hint) from error
    for found in findings:
        if found.field in ("units", "rate_hz"):
            hint = "Correct what is said of it: the values contradict it."
            raise FormatError(path.name, f"stream '{found.stream}': {found.field}", found.expected, found.given, hint)
    recording = replace(recording, notes=(*recording.notes, *map(str, findings)))
    if notes is not None:
        notes += recording.notes
    return recording


def _recording(path: Path, said: Guess, gathered: Gathered) -> Recording:
    held, streams, findings = gathered.columns, {}, []
    clocks: dict[int, tuple[NDArray[np.int64] | None, Floats | None, list[Finding]]] = {}
    for stream, (rows, stamps) in zip(said.streams, gathered.clocks, strict=True):
        key = id(stamps)
        if key not in clocks:
            clocks[key] = _mended(said, stream, stamps)
            findings += [str(found) for found in clocks[key][2]] + _gaps(stream, clocks[key][1])
        keep, clock, _ = clocks[key]
        keep = keep if rows is None else (rows if keep is None else rows[keep])
        streams[stream.name] = _stream(stream, held, keep, clock)
    segments, more = _segments(said, gathered)
    subject = _subject(said, held)
    clock_notes = _clock_notes(said, streams)
    notes = (*said.notes, *(f"guessed {line}" for line in said.guesses), *clock_notes, *findings, *more)
    notes += (f"columns not used: {', '.join(said.unused)}",) if said.unused else ()
    return Recording(path.stem, streams, segments, subject, str(path.name), notes=notes)


def _seconds(said: Guess, stamps: Floats) -> Floats:
    """Stamps since the first one as seconds on the recording's clock."""
    unit = TIME_UNITS[said.clock.units.value]
    start = said.clock.origin * unit
    kept = said.clock.units.value != "text" and abs(start) <= RECENT_S
    return stamps * unit + (start if kept else 0.0)


def _mended(
    said: Guess, stream: StreamGuess, stamps: Floats | None
) -> tuple[NDArray[np.int64] | None, Floats | None, list[Finding]]:
    """Rows to take, in this order (``None``: all), their seconds (``None``: no clock), and what was mended."""
    if stamps is None or said.clock.column is None:
        return None, None, []
    seconds = _seconds(said, stamps)
    at = np.flatnonzero(np.isfinite(seconds))
    if len(at) and float(np.ptp(seconds[at])) > MOST_DAYS * 86400:
        row = int(at[1:][np.argmax(np.abs(np.diff(seconds[at])))])
        expected, given = f"stamps within {MOST_DAYS} days", f"a jump to {stamps[row] + said.clock.origin:.12g}"
        where = f"column '{said.clock.name}', row {row + 1}"
        raise FormatError(said.file, where, expected, given, "Cut the file there, or correct the stamp.")
    if np.isfinite(seconds).all() and (np.diff(seconds) > 0).all():
        return None, seconds, []
    # a stream of row numbers goes through the check of clocks: what comes out are the rows that it took
    contract = Contract("imu", "mag", "uT", float(stream.rate_hz.value), ("row",), "unknown")
    numbers = np.arange(len(seconds), dtype=np.float64)[:, None]
    mended, findings = check_stream(Stream.of("clock", contract, numbers, times=seconds), repair=True)
    return mended.values()[:, 0].astype(np.int64), mended.clock(), findings


def _gaps(stream: StreamGuess, clock: Floats | None) -> list[str]:
    if clock is None or len(clock) < 3:
        return []
    gaps = find_gaps(clock, float(stream.rate_hz.value))
    if not len(gaps):
        return []
    longest = float((clock[gaps[:, 1]] - clock[gaps[:, 0]]).max())
    return [f"{stream.name}: {len(gaps)} gaps in the time stamps, the longest {longest:.3g} s"]


def _stream(stream: StreamGuess, held: Columns, keep: NDArray[np.int64] | None, clock: Floats | None) -> Stream:
    """The stream's values, whose columns are let go, on an even clock where its stamps are."""
    parts = [held.numbers.pop(number) for number in stream.columns]
    values = np.empty((len(parts[0]) if keep is None else len(keep), len(parts)), np.float32)
    for k in range(len(parts)):
        part, parts[k] = parts[k], parts[k][:0]
        values[:, k] = part if keep is None else part[keep]
    if stream.scale != 1.0:
        with np.errstate(over="ignore"):  # infinite is missing
            values *= np.float32(stream.scale)
    contract = stream.contract
    if clock is None:
        return Stream.of(stream.name, contract, values)
    start, period = float(clock[0]), 1.0 / contract.rate_hz
    even = clock - start - np.arange(len(clock)) * period
    if np.abs(even).max() <= EVEN * period:
        return Stream.of(stream.name, contract, values, start_s=start)
    return Stream.of(stream.name, contract, values, start_s=start, times=clock)


def _clock_notes(said: Guess, streams: Mapping[str, Stream]) -> list[str]:
    clock = said.clock
    if clock.column is None:
        return []
    start = clock.origin * TIME_UNITS[clock.units.value]
    notes = []
    if clock.units.value == "text" or abs(start) > RECENT_S:
        notes.append(f"times count from the first row, which is at {start:.3f} s of the file's clock")
    even = [name for name, stream in streams.items() if stream.times is None]
    if even and clock.jitter > 1e-3:
        notes.append(f"{', '.join(even)}: stamps within {EVEN:.0%} of a period of an even clock: taken as even")
    return notes


def _subject(said: Guess, held: Columns) -> str:
    if said.subject is None:
        return "unknown"
    words = held.words[said.subject]
    if words is None or len(words) > 1:
        given = "many" if words is None else ", ".join(words[:5])
        expected = f"one person in column '{said.columns[said.subject]}'"
        raise FormatError(said.file, "", expected, given, "Write a file for each person, and each recording.")
    return words[0] if words else "unknown"


def _segments(said: Guess, gathered: Gathered) -> tuple[tuple[Segment, ...], list[str]]:
    """A segment for each run of one label, from its first row to the next run's or to the end of its last row."""
    held = gathered.columns
    if said.label is None:
        return (), []
    name, words, codes = said.columns[said.label], held.words[said.label], held.codes[said.label]
    stream = max(said.streams, key=lambda s: s.rows)
    period = 1.0 / float(stream.rate_hz.value)
    keep, clock = None, np.arange(len(codes)) * period
    if said.clock.column is not None:
        keep, mended, _ = _mended(said, stream, gathered.whole)
        clock = clock if mended is None else mended
    codes = codes if keep is None else codes[keep]
    edges = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    if words is None or len(edges) > MOST_RUNS:
        return (), [f"column '{name}' has too many different values or changes to be labels: not read"]
    out = []
    for start, stop in pairwise(edges):
        if codes[start] >= 0:
            end = clock[stop - 1] + period
            if stop < len(codes) and clock[stop] - clock[stop - 1] <= 1.5 * period:
                end = clock[stop]
            out.append(Segment(float(clock[start]), float(end), words[codes[start]]))
    return tuple(out), [f"{len(out)} segments from the labels in column '{name}'"]
