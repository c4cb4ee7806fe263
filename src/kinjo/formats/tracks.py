"""Readings of an app's sensors, each with its own clock, as one ``Recording``: what the readers of exports share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinjo.body import PLACEMENTS
from kinjo.checks import check_stream
from kinjo.formats.errors import FormatError
from kinjo.formats.stamps import TOLD_RATES_HZ, pace
from kinjo.recording import Contract, ContractError, Recording, Stream
from kinjo.signal import find_gaps, interpolate

Floats = NDArray[np.float64]

EVEN = 0.1
"""Stamps that lie within this share of a period of an even clock are taken as even."""
DATES_S = (6e8, 4.1e9)
"""Seconds since 1970 of a recording of an app lie between these: 1989 and 2099."""
LONGEST_S = 366 * 86400.0
TURNED = "the sign of acceleration is turned: iOS's is that of gravity"
"""iOS reads -1 g on the axis that points up, where kinjo's ``acc``, specific force, is +1 g."""


@dataclass(frozen=True)
class Track:
    """Readings of one sensor: ``seconds`` (n,) on the clock of the export, ``values`` (n, 3) in ``units``, NaN: none.

    ``gravity`` as in a ``Contract``.
    """

    placement: str
    quantity: str
    units: str
    seconds: Floats
    values: Floats
    gravity: bool | None = None

    @property
    def name(self) -> str:
        """The stream's name: ``right_pocket.acc``."""
        return f"{self.placement}.{self.quantity}"


def place_of(file: str, placement: str | Mapping[str, str] | None, device: str) -> str:
    """Where ``device`` (``phone``, ``watch``) sat by what the caller says; ``FormatError`` asks where it does not."""
    place = placement.get(device) if isinstance(placement, Mapping) else placement
    if place is None:
        hint = f"Say placement='right_pocket' (of several devices {{'{device}': 'right_pocket'}}), or 'unknown'."
        raise FormatError(file, "", f"to be told where on the body the {device} was", "nothing that says it", hint)
    if place not in PLACEMENTS:
        raise FormatError(file, "placement", f"one of {', '.join(PLACEMENTS)}", repr(place), "Correct it.")
    return place


def summed(one: tuple[Floats, Floats], other: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Readings ``(seconds, values)`` of ``one`` plus those of ``other``, which is slow (gravity), at ``one``'s times.

    Between its times ``other`` is taken on a line; past its ends, and in pauses of more than half a second, NaN.
    """
    seconds, values = one
    if np.array_equal(seconds, other[0]):
        return seconds, values + other[1]
    known = np.isfinite(other[0]) & np.isfinite(other[1]).all(1)
    at, first = np.unique(other[0][known], return_index=True)
    if not len(at):
        return seconds, np.full_like(values, np.nan)
    where = np.where(np.isfinite(seconds), seconds, at[0])
    line = interpolate(other[1][known][first], at, where)
    after = np.searchsorted(at, where).clip(0, len(at) - 1)
    before = np.maximum(after - 1, 0)
    near = np.minimum(np.abs(where - at[before]), np.abs(at[after] - where))
    return seconds, values + np.where((near <= 0.25)[:, None], line, np.nan)


def recording_of(path: Path, tracks: Sequence[Track], notes: Sequence[str], clock: str = "the export's") -> Recording:
    """The recording whose 0 s is the first reading of any track; a note says when that was (of ``clock``, if no date).

    Clocks are mended as ``checks.check`` does, and each keeps its own rate. ``FormatError`` for clocks and values that
    cannot be those of a sensor.
    """
    told: list[str] = list(notes)
    filled = [track for track in tracks if np.isfinite(track.seconds).sum() > 1]
    told += [f"{track.name}: not read, it has fewer than two readings" for track in tracks if track not in filled]
    if not filled:
        given = "none" if not tracks else "fewer than two of each"
        raise FormatError(path.name, "", "readings of a sensor", given, "Export a longer recording.")
    names = [track.name for track in filled]
    if len(set(names)) < len(names):
        hint = "Give each device its own placement."
        raise FormatError(path.name, "placement", "one sensor of a kind at a place", f"{', '.join(names)}", hint)
    start = min(float(np.nanmin(track.seconds)) for track in filled)
    if DATES_S[0] < start < DATES_S[1]:
        told.append(f"0 s is {datetime.fromtimestamp(start, UTC).isoformat()} ({start:.6f} s since 1970)")
    elif start:
        told.append(f"0 s is {start:.6f} s of {clock} clock")
    streams = {}
    for track in filled:
        stream, more = _stream(path, track, start)
        streams[stream.name] = stream
        told += more
    return Recording(path.stem, streams, source=path.name, notes=tuple(told))


def _stream(path: Path, track: Track, start: float) -> tuple[Stream, list[str]]:
    seconds = track.seconds - start
    rate = pace(seconds)
    low, high = TOLD_RATES_HZ
    if not low <= rate <= high or float(np.nanmax(seconds)) > LONGEST_S:
        given = f"{rate:.3g} Hz over {float(np.nanmax(seconds)):.3g} s"
        raise FormatError(path.name, track.name, f"a sensor of {low:g} to {high:g} Hz", given, "Check its time stamps.")
    contract = Contract("imu", track.quantity, track.units, rate, placement=track.placement, gravity=track.gravity)
    with np.errstate(over="ignore"):
        values = track.values.astype(np.float32)
    try:
        stream, findings = check_stream(Stream.of(track.name, contract, values, times=seconds), repair=True)
    except ContractError as error:
        where = f"{track.name}: {error.field}"
        raise FormatError(path.name, where, error.expected, error.given, error.hint) from error
    wrong = next((found for found in findings if found.field == "units"), None)
    if wrong is not None:  # a factor would fit, but as well it may be without gravity, or of another sensor
        hint = "Are its columns what their names say?"
        raise FormatError(path.name, f"{track.name}: units", wrong.expected, wrong.given, hint)
    notes = [str(found) for found in findings]
    times = stream.clock()
    gaps = find_gaps(times, stream.contract.rate_hz)
    if len(gaps):
        longest = float((times[gaps[:, 1]] - times[gaps[:, 0]]).max())
        notes.append(f"{track.name}: {len(gaps)} gaps in the time stamps, the longest {longest:.3g} s")
    first, period = float(times[0]), 1.0 / stream.contract.rate_hz
    even = np.abs(times - first - np.arange(len(times)) * period).max() <= EVEN * period
    return replace(stream, start_s=first, times=None if even else times), notes
