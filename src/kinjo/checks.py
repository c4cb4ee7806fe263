"""The checks of a recording: does the data hold what its contracts say, and what can be mended.

``check`` reads every stream once, in chunks, and either raises a ``ContractError`` that names the stream, the field,
what was expected and what was given, or, where the caller asks, repairs and reports. Samples that were valid keep
their values: a repair drops, moves in time, masks or converts, and says so.

A mask is a bool array and ``True`` means *missing*.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from kinjo.body import SKELETONS
from kinjo.recording import Contract, ContractError, Finding, Read, Recording, Stream, chunks
from kinjo.signal import ALONE, UNITS, canonical_unit, convert, interpolate

SUBSAMPLE = 20_000
"""Samples, evenly spread, from which the plausibility of a stream is judged."""

RESETS = 10
"""A clock that starts again more often than this is not repaired."""

RATE_FACTOR = 20.0
"""A measured rate that is further from the stated one than this is not repaired: the clock does not count seconds."""


@dataclass
class _Report:
    """Where the faults of one stream go: the first is raised, or, with ``repair``, what can be mended is noted."""

    stream: str
    repair: bool
    findings: list[Finding] = field(default_factory=list)

    def fail(self, field: str, expected: str, given: str, hint: str) -> NoReturn:
        raise ContractError(self.stream, field, expected, given, hint)

    def mend(self, field: str, expected: str, given: str, repair: str) -> None:
        if not self.repair:
            self.fail(field, expected, given, f"check(..., repair=True) would mend it: {repair}.")
        self.findings.append(Finding(self.stream, field, expected, given, repair))


def check(recording: Recording, *, repair: bool = False) -> tuple[Recording, list[Finding]]:
    """Hold every stream of ``recording`` against its contract (see ``check_stream``)."""
    found: list[Finding] = []
    for name, stream in recording.streams.items():
        if name != stream.name:
            raise ContractError(name, "name", repr(name), repr(stream.name), "Add streams with Recording.with_stream.")
        mended, findings = check_stream(stream, repair=repair)
        recording, found = recording.with_stream(mended), found + findings
    return recording, found


def check_stream(stream: Stream, *, repair: bool = False) -> tuple[Stream, list[Finding]]:
    """Hold a stream's data against its contract, reading it once, in chunks.

    Looked at, in this order: the contract, emptiness, sample shape, dtype, mask, clock, rate, values that are not
    finite, a stuck sensor, magnitudes that cannot be in the stated units. Without ``repair`` the first fault raises
    ``ContractError``. With it, what can be mended is mended (the stream stays lazy) and told in the findings;
    what cannot still raises. A stream without faults comes back as it is, with no findings.
    """
    report = _Report(stream.name, repair)
    stream.contract.check(stream.name)
    stream = _check_clock(_check_shape(stream, report), report)
    return _check_values(stream, report), report.findings


def _check_shape(stream: Stream, report: _Report) -> Stream:
    if stream.length < 1:
        report.fail("length", "at least one sample", str(stream.length), "Leave the stream out: missing is normal.")
    head = stream.values(0, 4)
    contract, shape = stream.contract, (stream.length, *head.shape[1:])
    if len(head) != min(stream.length, 4):
        report.fail("read", f"{min(stream.length, 4)} samples", str(len(head)), "read(a, b) must give b - a samples.")
    wanted: tuple[int | None, ...] = {"rgb": (None, None, 3), "depth": (None, None)}.get(
        contract.quantity, (len(contract.axes),)
    )
    if contract.modality == "pose":
        known = SKELETONS.get(contract.skeleton or "")
        wanted = (len(known.joints) if known else None, *wanted)
    names = "(samples, " + ", ".join("any" if size is None else str(size) for size in wanted) + ")"
    fits = [order for order in permutations(range(len(shape))) if _fits([shape[i] for i in order[1:]], wanted)]
    if tuple(range(len(shape))) not in fits:
        if len(fits) != 1 or None in wanted:
            hint = "Give one row per sample; the last axis must be the contract's axes."
            report.fail("shape", names, str(shape), hint)
        report.mend("shape", names, str(shape), f"axes put in the order {fits[0]}")
        stream = _transposed(stream, fits[0], shape[fits[0][0]])
    if head.dtype.kind not in "fiu" or (contract.quantity == "rgb" and head.dtype != np.uint8):
        expected = "uint8" if contract.quantity == "rgb" else "floats or integers"
        report.fail("dtype", expected, str(head.dtype), "Convert the values before making the stream.")
    if stream.missing is not None and (stream.missing.shape != (stream.length,) or stream.missing.dtype != np.bool_):
        given = f"{stream.missing.dtype} {stream.missing.shape}"
        report.fail("missing", f"bool ({stream.length},)", given, "Give one flag per sample, True where it is missing.")
    return stream


def _transposed(stream: Stream, order: tuple[int, ...], length: int) -> Stream:
    def read(start: int, stop: int) -> NDArray[Any]:
        if order[0] == 0:
            return stream.read(start, stop).transpose(order)
        return stream.read(0, stream.length).transpose(order)[start:stop]

    return replace(stream, length=length, read=read)


def _fits(sizes: list[int], wanted: tuple[int | None, ...]) -> bool:
    return len(sizes) == len(wanted) and all(w in (None, s) for s, w in zip(sizes, wanted, strict=True))


def _check_clock(stream: Stream, report: _Report) -> Stream:
    if stream.times is None:
        if not np.isfinite(stream.start_s):
            report.fail("start_s", "a finite time", repr(stream.start_s), "Use 0.0 where nobody knows.")
        return stream
    times = np.asarray(stream.times, np.float64)
    if times.shape != (stream.length,):
        hint = "Give one time per sample, or times=None for a uniform clock."
        report.fail("times", f"shape ({stream.length},)", str(times.shape), hint)
    keep = np.flatnonzero(np.isfinite(times))
    forward = np.diff(times[keep])
    forward = forward[forward > 0]
    if len(keep) < 0.5 * len(times) or (len(times) > 1 and len(forward) == 0):
        hint = "Use times=None and the nominal rate in the contract."
        report.fail("times", "increasing seconds", f"{len(times) - len(keep)} of {len(times)} not finite", hint)
    if len(keep) < len(times):
        given = f"{len(times) - len(keep)} that are not finite"
        report.mend("times", "finite seconds", given, "those samples are dropped")
    period = float(np.median(forward)) if len(forward) else 1.0 / stream.contract.rate_hz
    clock = _without_resets(times[keep], period, report)
    order = np.argsort(clock, kind="stable")
    distinct = np.r_[True, np.diff(clock[order]) > 0]
    keep, clock, moved = keep[order[distinct]], clock[order[distinct]], int((order != np.arange(len(order))).sum())
    if moved or not distinct.all():
        repeated = len(distinct) - len(clock)
        if repeated > 0.2 * len(times):
            hint = "The time stamps are too coarse: use times=None and the nominal rate in the contract."
            report.fail("times", "increasing seconds", f"{repeated} of {len(times)} repeated", hint)
        given = f"{moved} samples out of order and {repeated} repeated"
        report.mend("times", "increasing seconds", given, "sorted by time, the first of each time kept")
    if len(keep) < len(times) or not np.array_equal(clock, times):
        stream = _picked(stream, keep, clock)
    return _check_rate(stream, clock, report)


def _check_rate(stream: Stream, clock: NDArray[np.float64], report: _Report) -> Stream:
    if len(clock) < 3:
        return stream
    measured, stated = 1.0 / float(np.median(np.diff(clock))), stream.contract.rate_hz
    if abs(measured / stated - 1.0) <= 0.2:
        return stream
    expected, given = f"{stated:g} Hz", f"{measured:g} Hz by the clock"
    if not 1 / RATE_FACTOR < measured / stated < RATE_FACTOR:
        hint = "Give times in seconds (are these milliseconds?), or the true rate in the contract."
        report.fail("rate_hz", expected, given, hint)
    report.mend("rate_hz", expected, given, "the contract gets the measured rate")
    return replace(stream, contract=replace(stream.contract, rate_hz=measured))


def _without_resets(clock: NDArray[np.float64], period: float, report: _Report) -> NDArray[np.float64]:
    """The clock with every part after a restart moved to one period after the part before it.

    A jump back is a restart, not a late sample, where the clock afterwards runs up to and over its old peak at its
    normal pace (a late sample is followed by a jump forward), or never reaches it again.
    """
    for _ in range(RESETS + 1):
        peak = np.maximum.accumulate(clock)
        back = np.flatnonzero(clock[:-1] - clock[1:] > 1.01 * period)
        over = np.searchsorted(peak, peak[back], side="right")
        last = np.minimum(over, len(clock) - 1)
        runs_over = clock[last] - clock[last - 1] <= 1.5 * period
        restarts = back[np.where(over == len(clock), len(clock) - 1 - back > 3, runs_over)]
        if len(restarts) == 0:
            break
        at = int(restarts[0])
        given = f"back from {clock[at]:.3f} s to {clock[at + 1]:.3f} s at sample {at + 1}"
        report.mend("times", "increasing seconds", given, "the clock goes on one period after the sample before")
        clock = np.r_[clock[: at + 1], clock[at + 1 :] + (peak[at] + period - clock[at + 1])]
    else:
        report.fail("times", "increasing seconds", f"more than {RESETS} restarts", "Cut the stream at its restarts.")
    return clock


def _picked(stream: Stream, keep: NDArray[np.int64], clock: NDArray[np.float64]) -> Stream:
    """The samples ``keep`` of ``stream``, in that order, at times ``clock``."""

    def read(start: int, stop: int) -> NDArray[Any]:
        wanted = keep[start:stop]
        first = int(wanted.min()) if len(wanted) else 0
        last = int(wanted.max()) + 1 if len(wanted) else 0
        return stream.read(first, last)[wanted - first]

    missing = None if stream.missing is None else stream.missing[keep]
    return replace(stream, length=len(keep), read=read, times=clock, missing=missing, start_s=float(clock[0]))


def _check_values(stream: Stream, report: _Report) -> Stream:
    broken, same, sample, where = _scan(stream)
    bad = broken & ~stream.mask()
    share = bad.mean()
    if share > 0.5:
        report.fail("values", "finite numbers", f"{share:.0%} not finite", "Leave the stream out: missing is normal.")
    missing = stream.mask() | bad
    if bad.any():
        repair = "marked as missing, and bridged in a straight line where they are read"
        report.mend("values", "finite numbers", f"{int(bad.sum())} samples not finite", repair)
        stream = replace(stream, read=_bridged(stream.read, broken), missing=missing)
    start, stop = _longest(same & ~missing & ~np.r_[True, missing[:-1]])
    if stop - start > max(5.0 * stream.contract.rate_hz, 0.5 * stream.length):
        given = f"samples {start} to {stop - 1} identical"
        report.mend("values", "a sensor that is not stuck", given, "marked as missing")
        missing = missing | np.isin(np.arange(stream.length), np.arange(start, stop))
        stream = replace(stream, missing=missing)
    return _check_magnitude(stream, sample[~missing[where]], report)


def _scan(stream: Stream) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[Any], NDArray[np.int64]]:
    """Not finite ``(n,)``, equal to the sample before ``(n,)``, an even subsample and its indices, in one pass.

    Frames of whole numbers cannot be broken in this way: of those, only the subsample is read.
    """
    n, imu, video = stream.length, stream.contract.modality == "imu", stream.contract.modality == "video"
    bad, same = np.zeros(n, bool), np.zeros(n, bool)
    where = np.arange(0, n, -(-n // (32 if video else SUBSAMPLE)), dtype=np.int64)
    if video and stream.values(0, 1).dtype.kind != "f":
        return bad, same, np.concatenate([stream.values(i, i + 1)[:, ::4, ::4] for i in where.tolist()]), where
    kept: list[NDArray[Any]] = []
    before: NDArray[Any] | None = None
    for start, values in chunks(stream):
        here = slice(start, start + len(values))
        finite, rest = np.isfinite(values), tuple(range(1, values.ndim))
        bad[here] = ~(finite.any(axis=rest) if video else finite.all(axis=rest))
        if imu:
            joined = values if before is None else np.concatenate([before, values])
            same[here][len(values) - len(joined) + 1 :] = (joined[1:] == joined[:-1]).all(axis=rest)
            before = values[-1:]
        picked = where[np.searchsorted(where, start) : np.searchsorted(where, start + len(values))] - start
        kept.append(values[picked][:, ::4, ::4] if video else values[picked])
    return bad, same, np.concatenate(kept), where


def _longest(same: NDArray[np.bool_]) -> tuple[int, int]:
    """``[start, stop)`` of the longest run of samples that are ``same`` as the one before."""
    edges = np.flatnonzero(np.diff(np.r_[False, same, False].astype(np.int8)))
    if len(edges) == 0:
        return 0, 0
    longest = int(np.argmax(edges[1::2] - edges[::2]))
    return int(edges[2 * longest]) - 1, int(edges[2 * longest + 1])


def _bridged(read: Read, bad: NDArray[np.bool_]) -> Read:
    """``read`` with the samples ``bad`` on the line between the valid ones around them, however it is sliced."""
    edges = np.flatnonzero(np.diff(np.r_[False, bad, False].astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]

    def mended(start: int, stop: int) -> NDArray[Any]:
        values, hidden = read(start, stop), bad[start:stop]
        if not hidden.any():
            return values
        before = int(starts[np.searchsorted(starts, start, side="right") - 1]) - 1 if hidden[0] else -1
        after = int(stops[np.searchsorted(stops, stop)]) if hidden[-1] else len(bad)
        at, valid = np.flatnonzero(~hidden) + start, [values[~hidden]]
        if before >= 0:
            at, valid = np.r_[before, at], [read(before, before + 1), *valid]
        if after < len(bad):
            at, valid = np.r_[at, after], [*valid, read(after, after + 1)]
        where, values = np.flatnonzero(hidden), values.copy()
        if len(at) == 0:  # nothing valid anywhere: what the mask hides is zero
            return np.zeros_like(values)
        values[where] = interpolate(np.concatenate(valid), at.astype(np.float64), (where + start).astype(np.float64))
        return values

    return mended


def _check_magnitude(stream: Stream, sample: NDArray[Any], report: _Report) -> Stream:
    contract = stream.contract
    fault = _implausible(sample, contract, contract.units)
    if fault is None:
        return stream
    expected, given = fault
    likely = [u for u in UNITS[contract.quantity] if u not in ALONE and _implausible(sample, contract, u) is None]
    if len(likely) != 1:
        hint = f"Say the true units of the values in the contract ({', '.join(UNITS[contract.quantity])})."
        report.fail("units", f"{expected}, in {contract.units}", given, hint)
    report.mend("units", f"{expected}, in {contract.units}", given, f"converted from {likely[0]} to {contract.units}")

    def read(start: int, stop: int) -> NDArray[Any]:
        return convert(stream.read(start, stop), contract.quantity, likely[0], contract.units)

    return replace(stream, read=read)


def _implausible(sample: NDArray[Any], contract: Contract, units: str) -> tuple[str, str] | None:
    """``(expected, given)`` where no human body moves like ``sample`` (valid samples only) if it is in ``units``."""
    if len(sample) == 0 or units in ALONE or contract.quantity not in ("acc", "gyro", "position", "depth"):
        return None
    numbers = np.clip(np.asarray(sample, np.float64), -1e12, 1e12)
    values = convert(numbers, contract.quantity, units, canonical_unit(contract.quantity))
    size = np.linalg.norm(values, axis=-1) if contract.modality == "imu" else np.abs(values)
    size = size[np.isfinite(size)]
    if contract.quantity == "acc" and contract.gravity:
        median = float(np.median(size))
        return None if 4 <= median <= 30 else ("a median |a| of 4 to 30 m/s^2", f"{median:.3g} m/s^2")
    quantile, limit, what = {
        "acc": (99.9, 400.0, "|a| below 400 m/s^2"),
        "gyro": (99.0, 60.0, "a turning rate below 60 rad/s"),
        "position": (99.9, 100.0, "coordinates below 100 m"),
        "depth": (99.9, 20.0, "depths below 20 m"),
    }[contract.quantity]
    most = float(np.percentile(size, quantile)) if len(size) else 0.0
    if most >= limit:
        return what, f"{most:.3g} {canonical_unit(contract.quantity)}"
    if contract.quantity == "position" and values.shape[1] > 1:
        extent = float(np.median(np.ptp(values, axis=1).max(axis=-1)))
        return None if 0.3 <= extent <= 3 else ("a body of 0.3 to 3 m", f"{extent:.3g} m")
    return None
