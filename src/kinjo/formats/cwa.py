"""Axivity AX3 and AX6: the binary .cwa of Open Movement, written from its documentation (Docs/ax3/cwa.h).

A header of 1024 bytes ("MD"), then blocks of 512 ("AX"): a sequence number, a date, which sample of the block (or
before or after it) that date belongs to, the samples, and a checksum that brings the sum of all words to 0. The file
ends in blocks of 0xFF, which the device has not written to.

The sensor keeps its own pace, some hundredths off its nominal rate, and drifts. So the dates are the clock: between the
dates of two blocks samples are evenly spaced, and ``read`` gives them at the nominal rate, on the line between two
samples. Blocks that are damaged or lost, and pauses, are missing. A week of 100 Hz is 400 MB: the file stays on disk
(mapped); held are 50 bytes for each block of it, and one for each sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.formats.errors import FormatError
from kinjo.formats.tracks import place_of
from kinjo.recording import Contract, Recording, Stream

HEADER, BLOCK = 1024, 512
PIECE = 1 << 13
"""Blocks (4 MiB) looked at, or unpacked, at once."""
SPARSE, ALWAYS = 20, 10_000_000
"""A recording of more than ``ALWAYS`` samples has one in ``SPARSE`` of them at least: wrong dates span years."""
PACE = 0.1
"""A sensor's pace may lie this share off its nominal rate."""
RATES_HZ = (6.25, 3200.0)
GYRO_DPS = 2000
"""Range of a gyroscope that does not say."""

BLOCKS = np.dtype({
    "names": ["magic", "length", "fraction", "session", "sequence", "date", "scale", "rate", "packing", "at", "count"],
    "formats": ["<u2", "<u2", "<u2", "<u4", "<u4", "<u4", "<u2", "u1", "u1", "<i2", "<u2"],
    "offsets": [0, 2, 4, 6, 10, 14, 18, 24, 25, 26, 28],
    "itemsize": BLOCK,
})  # fmt: skip
"""The fields of a block that are used; its samples are the bytes 30 to 509, its checksum the last two."""

_AGAIN = "Copy it from the device again."


@dataclass(frozen=True)
class _Kept:
    """The blocks that are whole, in order: ``rows`` in the file, ``first`` sample of each, ``start`` its time (s).

    ``joined[k]``: no sample is lost between k and k + 1. ``axes`` in a sample, ``packed`` or not; ``rate`` Hz.
    """

    rows: NDArray[np.int64]
    counts: NDArray[np.int64]
    first: NDArray[np.int64]
    start: NDArray[np.float64]
    joined: NDArray[np.bool_]
    axes: int
    packed: bool
    rate: float
    pace: float


def is_cwa(head: bytes) -> bool:
    """Whether a file starts as a .cwa does."""
    return head[:4] == b"MD\xfc\x03"


def read_cwa(
    path: Path | str, *, placement: str | Mapping[str, str] | None = None, notes: list[str] | None = None
) -> Recording:
    """The recording in a .cwa: ``<placement>.acc`` in g, of an AX6 also ``.gyro`` in deg/s and ``.mag`` in uT, (n, 3).

    ``placement``: where the device was. Streams are lazy, float32, at the nominal rate; 0 s is the first sample, and a
    note says its date, of the device's clock, which knows no time zone. ``notes`` receives the recording's notes.

    Raises ``FormatError`` for what is no .cwa, has no whole block, or where the placement is not said.
    """
    path = Path(path)
    header, blocks = _opened(path)
    place = place_of(path.name, placement, "device")
    told: list[str] = []
    fields = _whole(path.name, blocks, told)
    kept, gyro_dps, acc_per_g = _kept(path.name, header, fields, told)
    length, missing = _grid(path.name, kept, told)
    told.append(f"0 s is {datetime.fromtimestamp(kept.start[0], UTC).replace(tzinfo=None).isoformat()}, device's clock")
    told.append(f"the sensor's pace is {kept.pace:.6g} Hz: read at {kept.rate:g} Hz, on the line between samples")
    groups = [("acc", "g", 1.0 / acc_per_g, kept.axes > 3)]
    groups += [("gyro", "deg/s", gyro_dps / 32768, False)] if kept.axes > 3 else []
    groups += [("mag", "uT", 1 / 16, True)] if kept.axes > 6 else []
    streams = {}
    for quantity, units, factor, late in groups:
        column = (6 if quantity == "mag" else 3) if late else 0
        contract = Contract(
            "imu", quantity, units, kept.rate, placement=place, gravity=True if quantity == "acc" else None
        )

        def read(start: int, stop: int, column: int = column, factor: float = factor) -> NDArray[np.float32]:
            return _read(blocks, kept, start, stop, column, factor)

        name = f"{place}.{quantity}"
        streams[name] = Stream(name, contract, length, read, missing=missing if missing.any() else None)
    device = int.from_bytes(header[5:7], "little") | int.from_bytes(header[11:13], "little") % 0xFFFF << 16
    source = f"{path.name} ({'AX6' if header[4] == 0x64 else 'AX3'} {device})"
    if notes is not None:
        notes += told
    return Recording(path.stem, streams, source=source, notes=tuple(told))


def _opened(path: Path) -> tuple[bytes, NDArray[np.uint8]]:
    """The header, and all whole blocks (n, 512) on disk."""
    file = path.name
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            header = stream.read(HEADER)
        count = (size - HEADER) // BLOCK
        if len(header) < HEADER or not is_cwa(header) or count < 1:
            given = f"{size} bytes that begin with {header[:4]!r}"
            raise FormatError(file, "", "a header of 1024 bytes (MD) and blocks of 512", given, _AGAIN)
        return header, np.memmap(path, np.uint8, "r", HEADER, (count, BLOCK))
    except OSError as error:
        raise FormatError(file, "", "a readable file", str(error), "Check its rights, or copy it again.") from error


def _whole(file: str, blocks: NDArray[np.uint8], told: list[str]) -> NDArray[Any]:
    """Fields (``BLOCKS`` and ``row``) of the blocks that are whole, in the file's order; the others are told."""
    parts, damaged, unused = [], 0, 0
    kinds = [(name, BLOCKS[name]) for name in BLOCKS.names or ()]
    for start in range(0, len(blocks), PIECE):
        piece = np.array(blocks[start : start + PIECE])
        fields = piece.view(BLOCKS)[:, 0]
        sums = piece.view("<u2").sum(axis=1, dtype=np.uint32) & 0xFFFF
        good = (fields["magic"] == 0x5841) & (fields["length"] == BLOCK - 4) & (sums == 0) & _plausible(fields)
        empty = (piece == 0xFF).all(axis=1)
        unused += int(empty.sum())
        damaged += int((~good & ~empty).sum())
        held = np.empty(int(good.sum()), np.dtype([*kinds, ("row", "<i8")]))
        for name, _ in kinds:
            held[name] = fields[name][good]
        held["row"] = np.flatnonzero(good) + start
        parts.append(held)
    whole = np.concatenate(parts)
    if not len(whole):
        given = f"{damaged} damaged and {unused} that were never written"
        raise FormatError(file, "", "a block with samples", given, _AGAIN)
    if damaged:
        told.append(f"{damaged} of {len(blocks)} blocks are damaged (checksum, or what they say): missing")
    return whole


def _plausible(fields: NDArray[Any]) -> NDArray[np.bool_]:
    """Blocks with a date, a known packing, and as many samples as there is room for."""
    date, packing, axes = fields["date"], fields["packing"] & 15, fields["packing"] >> 4
    month, day = date >> 22 & 15, date >> 17 & 31
    dated = (month >= 1) & (month <= 12) & (day >= 1) & (date >> 12 & 31 <= 23)
    dated &= (date >> 6 & 63 <= 59) & (date & 63 <= 59)
    room = np.where(packing == 0, 120, 240 // np.maximum(axes, 1))
    known = ((packing == 0) & (axes == 3)) | ((packing == 2) & ((axes == 3) | (axes == 6) | (axes == 9)))
    return dated & known & (fields["count"] >= 1) & (fields["count"] <= room)


def _seconds(fields: NDArray[Any]) -> NDArray[np.float64]:
    """Dates as seconds since 1970 with their fraction. A day that the month does not have is one of the next."""
    date = fields["date"].astype(np.int64)
    months = ((date >> 26 & 63) + 30) * 12 + (date >> 22 & 15) - 1
    days = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + (date >> 17 & 31) - 1
    whole = days * 86400 + (date >> 12 & 31) * 3600 + (date >> 6 & 63) * 60 + (date & 63)
    return whole + _fraction(fields)


def _fraction(fields: NDArray[Any]) -> NDArray[np.float64]:
    """The fraction of a second that a date has; 0 where the field is the device's number."""
    field = fields["fraction"].astype(np.int64)
    return np.where(field >> 15, (field & 0x7FFF) / 32768, 0.0)


def _kept(file: str, header: bytes, fields: NDArray[Any], told: list[str]) -> tuple[_Kept, float, float]:
    """The blocks that go together, the range of the gyroscope in deg/s, and the accelerometer's units per g."""
    how = np.stack([fields["packing"], fields["rate"], fields["scale"] >> 10], 1).astype(np.int64)
    settings, group = np.unique(how, axis=0, return_inverse=True)
    most = int(np.argmax(np.bincount(group.reshape(-1))))
    other = int((group.reshape(-1) != most).sum())
    if other:
        told.append(f"{other} blocks with other settings (rate, range, axes) than most: missing")
    fields = fields[group.reshape(-1) == most]
    packing, code, scale = (int(value) for value in settings[most])
    old = code == 0  # the first firmware had the rate in the place of the offset
    rate = float(fields["at"][0]) if old else 3200.0 / (1 << (15 - (code & 15)))
    if not RATES_HZ[0] <= rate <= RATES_HZ[1]:
        raise FormatError(file, "", f"a rate of {RATES_HZ[0]:g} to {RATES_HZ[1]:g} Hz", f"{rate:g} Hz", _AGAIN)
    # the offset was moved by the whole samples in the fraction, for readers that know no fractions
    at = 0.0 if old else fields["at"] + np.floor(_fraction(fields) * int(rate))
    fields, seconds, at = _forward(fields, _seconds(fields), np.broadcast_to(at, len(fields)), rate, told)
    counts = fields["count"].astype(np.int64)
    first = np.cumsum(counts) - counts
    dates, where = np.diff(seconds), np.diff(first + at)
    joined = (np.diff(fields["sequence"].astype(np.int64)) == 1) & (dates > 0)
    joined &= np.abs(dates * rate - where) <= PACE * np.abs(where) + 2
    passed = float(dates[joined].sum())
    pace = float(where[joined].sum()) / passed if passed > 0 else rate
    start = _starts(seconds, at, counts, joined, pace)
    joined &= np.diff(start) > 0
    start = np.maximum.accumulate(start)
    gyro = scale & 7 or header[35] & 15
    if scale & 7 and header[35] not in (0, 255) and header[35] & 15 != scale & 7:
        told.append("header and blocks differ in the gyroscope's range: that of the blocks is taken")
    kept = _Kept(
        fields["row"].astype(np.int64), counts, first, start, joined, packing >> 4, packing & 15 == 0, rate, pace
    )
    return kept, 8000.0 / (1 << gyro) if 0 < gyro < 8 else GYRO_DPS, float(1 << (8 + (scale >> 3)))


def _forward(
    fields: NDArray[Any], seconds: NDArray[np.float64], at: NDArray[np.float64], rate: float, told: list[str]
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
    """The blocks whose times go forward: of a jump back, the fewer blocks (those before it, or after) are left out."""
    begin = seconds - at / rate
    end = begin + (fields["count"] - 0.5) / rate * (1 - PACE)
    late = begin < np.r_[-np.inf, np.maximum.accumulate(end)[:-1]]
    early = end > np.r_[np.minimum.accumulate(begin[::-1])[-2::-1], np.inf]
    out = late if late.sum() <= early.sum() else early
    if out.any():
        told.append(f"{int(out.sum())} blocks with dates out of order: missing")
    return fields[~out], seconds[~out], at[~out]


def _starts(
    seconds: NDArray[np.float64], at: NDArray[np.float64], counts: NDArray[np.int64], joined: NDArray[np.bool_],
    pace: float,
) -> NDArray[np.float64]:  # fmt: skip
    """Time of the first sample of each block: on the line between the dates of this block and of one beside it."""
    first = np.cumsum(counts) - counts
    step = np.diff(seconds) / np.where(joined, np.diff(first + at), 1.0)
    before = np.where(np.r_[False, joined], np.r_[0.0, step], np.nan)
    after = np.where(np.r_[joined, False], np.r_[step, 0.0], np.nan)
    near, far = np.where(at >= 0, before, after), np.where(at >= 0, after, before)
    each = np.where(np.isfinite(near), near, np.where(np.isfinite(far), far, 1.0 / pace))
    return seconds - at * each


def _grid(file: str, kept: _Kept, told: list[str]) -> tuple[int, NDArray[np.bool_]]:
    """How many samples the recording has at its nominal rate, and which are missing."""
    begin = np.flatnonzero(np.r_[True, ~kept.joined])
    last = np.r_[begin[1:], len(kept.rows)] - 1
    ends = kept.start[last] + (kept.counts[last] - 1) / kept.pace
    zero, samples = float(kept.start[0]), int(kept.counts.sum())
    length = int(np.floor((float(ends.max()) - zero) * kept.rate + 1e-2)) + 1
    if length > ALWAYS and length > SPARSE * samples:
        given = f"{samples} samples in {length / kept.rate / 86400:.0f} days"
        raise FormatError(file, "", f"a sample at one in {SPARSE} of the moments", given, "Are its dates right?")
    missing = np.ones(length, bool)
    low = np.ceil((kept.start[begin] - zero) * kept.rate - 1e-2).astype(np.int64)
    high = np.floor((ends - zero) * kept.rate + 1e-2).astype(np.int64) + 1
    for a, b in zip(low.tolist(), high.tolist(), strict=True):
        missing[max(a, 0) : max(b, 0)] = False
    if len(begin) > 1:
        told.append(f"{len(begin) - 1} gaps between blocks, {missing.mean():.2%} of the samples are missing")
    return length, missing


def _read(
    blocks: NDArray[np.uint8], kept: _Kept, start: int, stop: int, column: int, factor: float
) -> NDArray[np.float32]:
    """Samples ``[start, stop)`` at the nominal rate: (n, 3) float32, on the line between the sensor's own."""
    out = np.empty((max(stop - start, 0), 3), np.float32)
    step = max(1, int(PIECE * kept.counts.mean() / 8))
    for low in range(start, stop, step):
        high = min(low + step, stop)
        where = _positions(kept, kept.start[0] + np.arange(low, high) / kept.rate)
        left = np.floor(where).astype(np.int64)
        share = (where - left).astype(np.float32)[:, None]
        a = int(np.searchsorted(kept.first, left[0], side="right")) - 1
        b = int(np.searchsorted(kept.first, left[-1] + 1, side="right"))
        values = _unpacked(np.array(blocks[kept.rows[a:b]]), kept, kept.counts[a:b], column)
        left -= kept.first[a]
        right = np.minimum(left + 1, len(values) - 1)
        out[low - start : high - start] = (values[left] * (1 - share) + values[right] * share) * np.float32(factor)
    return out


def _positions(kept: _Kept, times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where among the samples ``times`` lie, between two of them as a fraction."""
    a = max(int(np.searchsorted(kept.start, times[0], side="right")) - 2, 0)
    b = min(int(np.searchsorted(kept.start, times[-1], side="right")) + 1, len(kept.start))
    cut = np.flatnonzero(~np.r_[kept.joined, False][a:b]) + a
    ends = kept.start[cut] + (kept.counts[cut] - 1) / kept.pace
    knots = np.r_[kept.start[a:b], ends]
    samples = np.r_[kept.first[a:b], kept.first[cut] + kept.counts[cut] - 1].astype(np.float64)
    order = np.lexsort((samples, knots))
    return np.interp(times, knots[order], np.maximum.accumulate(samples[order]))


def _unpacked(blocks: NDArray[np.uint8], kept: _Kept, counts: NDArray[np.int64], column: int) -> NDArray[np.float32]:
    """All samples of ``blocks`` (n, 512) in order: (samples, 3) float32, in the device's units."""
    data = np.ascontiguousarray(blocks[:, 30:510])
    if kept.packed:
        words = data.view("<u4")
        shifts = np.array([0, 10, 20], np.uint32)
        signed = (words[..., None] >> shifts & 0x3FF).astype(np.int32)
        signed -= (signed & 0x200) << 1
        values = (signed << (words >> 30).astype(np.int32)[..., None]).astype(np.float32)
    else:
        room = 240 // kept.axes
        whole = data.view("<i2")[:, : room * kept.axes].reshape(len(data), room, kept.axes)
        values = whole[..., column : column + 3].astype(np.float32)
    return values[np.arange(values.shape[1]) < counts[:, None]]
