"""Units, gaps, anti-aliased resampling and windows: one implementation for training, offline and streaming.

NumPy alone, because the deployed runtime shares this file.
A mask is a bool array and ``True`` means *hidden* or *missing*, everywhere in kinjo.

All resampling goes through one kernel, a Kaiser-windowed sinc whose cut-off is the lower of the two Nyquist
frequencies; each of its phases is corrected to unit sum and zero first moment, so that constants and straight
lines pass exactly. Before the first and after the last sample the signal goes on by odd reflection
(``2 * edge - mirrored``), so gravity does not ring at the ends as it would with zeros. soxr, which the tests hold
this against, works in blocks sized for audio: at 50 Hz its stream holds back 10 to 40 s, it cannot start
between two samples as ``resample_to`` must, and its set-up alone takes longer than a whole ``resample_to``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Mask = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

GRAVITY = 9.80665
"""Standard gravity, m/s^2."""

UNITS: dict[str, dict[str, float]] = {
    "acc": {"m/s^2": 1.0, "g": GRAVITY},
    "gyro": {"rad/s": 1.0, "deg/s": np.pi / 180.0},
    "mag": {"uT": 1.0, "gauss": 100.0},
    "orientation": {"rad": 1.0, "deg": np.pi / 180.0, "quaternion": 1.0},
    "position": {"m": 1.0, "cm": 0.01, "mm": 0.001, "px": 1.0},
    "depth": {"m": 1.0, "mm": 0.001},
    "rgb": {"uint8": 1.0},
}
"""quantity -> {unit: factor to the canonical unit}; the canonical unit is the first one."""

ALONE = frozenset({"quaternion", "px"})
"""Units that no factor turns into another unit of their quantity."""

CROSSINGS = 12  # zero crossings of the kernel on each side: the delay of a stream, in samples of the lower rate
BETA = 4.5  # Kaiser parameter: about 50 dB of stop band, a pass band up to 0.88 of the lower Nyquist frequency
PHASES = 512  # kernel phases kept per zero crossing; between two phases it is interpolated (error below 1e-5)
BLOCK = 1 << 20  # numbers gathered at once: bounds the memory of a long resampling
DENSE = 1 << 16  # entries up to which resample_to keeps its whole matrix


def canonical_unit(quantity: str) -> str:
    """The unit in which kinjo computes with ``quantity``. ``ValueError`` for an unknown quantity."""
    return next(iter(_units(quantity)))


def convert(values: ArrayLike, quantity: str, units_from: str, units_to: str) -> NDArray[Any]:
    """``values`` of any shape from one unit of ``quantity`` to another; equal units give the input back, uncopied.

    Floats keep their dtype, integers become float32.
    ``ValueError`` for unknown units, and for quaternion and px, which no factor converts.
    """
    known = _units(quantity)
    for unit in (units_from, units_to):
        if unit not in known:
            raise ValueError(f"{quantity} has no unit {unit!r}: use one of {', '.join(known)}")
    values = np.asarray(values)
    if units_from == units_to:
        return values
    if ALONE & {units_from, units_to}:
        hint = "positions in px need the camera" if quantity == "position" else "compute the other form first"
        raise ValueError(f"{quantity} in {units_from} cannot be converted to {units_to} by a factor: {hint}")
    values = values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float32)
    return values * values.dtype.type(known[units_from] / known[units_to])


def _units(quantity: str) -> dict[str, float]:
    if quantity not in UNITS:
        raise ValueError(f"unknown quantity {quantity!r}: use one of {', '.join(UNITS)}")
    return UNITS[quantity]


def find_gaps(times: ArrayLike, rate_hz: float, tolerance: float = 0.5) -> NDArray[np.int64]:
    """Index pairs ``(k, 2)``: between samples ``i`` and ``i + 1`` lies more than ``(1 + tolerance) / rate_hz`` s."""
    steps = np.diff(np.asarray(times, np.float64))
    before = np.flatnonzero(~(steps <= (1.0 + tolerance) / rate_hz))  # ~(<=): a NaN in the clock is a gap too
    return np.stack([before, before + 1], axis=1).astype(np.int64)


def fill_missing(values: NDArray[Any], missing: Mask) -> NDArray[Any]:
    """``values (n, ...)`` with the samples where ``missing (n,)`` put on the line between their valid neighbours.

    Held at the ends; zero where no sample is valid. Valid samples are untouched, the input is never written to.
    """
    if not missing.any():
        return values
    filled, valid, hidden = np.zeros_like(values), np.flatnonzero(~missing), np.flatnonzero(missing)
    if len(valid) == 0:
        return filled
    filled[valid] = values[valid]
    line = interpolate(values[valid], valid.astype(np.float64), hidden.astype(np.float64))
    filled[hidden] = np.rint(line) if np.issubdtype(values.dtype, np.integer) else line
    return filled


def regularize(
    values: ArrayLike, times: ArrayLike, rate_hz: float, *, missing: Mask | None = None, max_gap_s: float = 0.5
) -> tuple[NDArray[Any], float, Mask]:
    """Samples ``(n, ...)`` at uneven ``times`` (n,) seconds on a uniform clock: ``(values, start_s, missing)``.

    Sample ``k`` of the result lies at ``start_s + k / rate_hz``, on the line between its valid neighbours. It is
    missing where a neighbour is flagged in ``missing`` or is not finite, and inside a gap longer than ``max_gap_s``
    (and than 1.5 periods). Nothing is low-passed: give about the clock's own rate, then ``resample``.
    ``ValueError`` for no samples and for times that do not increase (``checks.check`` repairs those).
    """
    values, times = np.asarray(values), np.asarray(times, np.float64)
    values = values if np.issubdtype(values.dtype, np.floating) else values.astype(np.float32)
    if len(values) == 0 or times.shape != (len(values),):
        raise ValueError(f"{len(values)} samples, times of shape {times.shape}: give one time per sample, at least one")
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise ValueError("times must be finite and increase: run kinjo.checks.check(..., repair=True) first")
    hidden = _not_finite(values) if missing is None else _not_finite(values) | missing
    position = (times - times[0]) * rate_hz
    n = int(np.floor(position[-1] + 1e-6)) + 1
    valid = np.flatnonzero(~hidden)
    if len(valid) == 0:
        return np.zeros((n, *values.shape[1:]), values.dtype), float(times[0]), np.ones(n, bool)
    uniform = interpolate(values[valid], position[valid], np.arange(n, dtype=np.float64))

    before, after = np.r_[-1.0, position[:-1]], np.r_[position[1:], n]
    flagged = _spread(before[hidden], after[hidden], position[hidden], n)
    steps = np.diff(position[valid])
    gaps = np.flatnonzero(steps > max(max_gap_s * rate_hz, 1.5) + 1e-6)
    left, right = position[valid[gaps]], position[valid[gaps + 1]]
    return uniform, float(times[0]), flagged | _spread(left, right, None, n)


def interpolate(values: NDArray[Any], at: Float64, where: Float64) -> NDArray[Any]:
    """Linear interpolation along axis 0 of samples at increasing positions ``at``; held outside them."""
    if len(at) == 1:
        return np.repeat(values, len(where), axis=0)
    left = np.clip(np.searchsorted(at, where, side="right") - 1, 0, len(at) - 2)
    share = np.clip((where - at[left]) / (at[left + 1] - at[left]), 0.0, 1.0)
    share = share.astype(np.result_type(values.dtype, np.float32)).reshape(-1, *[1] * (values.ndim - 1))
    return values[left] * (1 - share) + values[left + 1] * share


def _spread(before: Float64, after: Float64, nearest: Float64 | None, n: int) -> Mask:
    """Bool ``(n,)``: ``True`` strictly inside any span ``(before, after)``, and at the index nearest to ``nearest``."""
    first, stop = np.floor(before + 1e-6).astype(np.int64) + 1, np.ceil(after - 1e-6).astype(np.int64)
    if nearest is not None:
        centre = np.clip(np.floor(nearest + 0.5).astype(np.int64), 0, n - 1)
        first, stop = np.minimum(first, centre), np.maximum(stop, centre + 1)
    first, stop = np.clip(first, 0, n), np.clip(stop, 0, n)
    change = np.zeros(n + 1, np.int64)
    np.add.at(change, first[first < stop], 1)
    np.add.at(change, stop[first < stop], -1)
    return np.cumsum(change[:n]).astype(bool)


def _not_finite(values: NDArray[Any]) -> Mask:
    return np.logical_not(np.isfinite(values).all(axis=tuple(range(1, values.ndim))))


@overload
def resample(values: ArrayLike, rate_in: float, rate_out: float) -> Float32: ...
@overload
def resample(values: ArrayLike, rate_in: float, rate_out: float, *, missing: Mask) -> tuple[Float32, Mask]: ...
def resample(
    values: ArrayLike, rate_in: float, rate_out: float, *, missing: Mask | None = None
) -> Float32 | tuple[Float32, Mask]:
    """Anti-aliased samples ``(n, ...)`` at ``rate_out`` Hz, float32 ``(resampled_length(n), ...)``, and their mask.

    Output ``k`` lies at ``k / rate_out`` seconds after the first input: the start time stays. With ``missing``
    (n,) those samples (and non-finite ones) are bridged before filtering and the pair ``(values, missing)`` is
    returned; see ``resample_missing``. ``ValueError`` where values are not finite and no ``missing`` is given.
    """
    values = np.asarray(values, np.float32)
    if missing is None:
        stream = Resampler(rate_in, rate_out)
        return np.concatenate([stream.push(values), stream.finish()])
    hidden = missing | _not_finite(values)
    return resample(fill_missing(values, hidden), rate_in, rate_out), resample_missing(hidden, rate_in, rate_out)


def resampled_length(n: int, rate_in: float, rate_out: float) -> int:
    """Samples that ``n`` samples become: the nearest whole number, and at least 1 for ``n >= 1``."""
    return max(int(np.floor(n * rate_out / rate_in + 0.5)), min(n, 1))


def resample_missing(missing: Mask, rate_in: float, rate_out: float) -> Mask:
    """The mask of ``resample``: ``True`` nearer than one period of the lower rate to a missing sample (never none)."""
    n, step = resampled_length(len(missing), rate_in, rate_out), rate_in / rate_out
    if rate_in == rate_out:
        return np.array(missing, bool)
    at, reach = np.flatnonzero(missing).astype(np.float64), max(step, 1.0)
    return _spread((at - reach) / step, (at + reach) / step, at / step, n)


class Resampler:
    """``resample`` for a stream: any chunking of ``push``, then ``finish``, gives what ``resample`` gives on the whole.

    The output lags ``latency_s`` behind the input (12 samples of the lower rate: 0.24 s at 50 Hz; none where the
    rates are equal). Chunks are ``(m, ...)``, any ``m`` from 0 on, finite.
    """

    def __init__(self, rate_in: float, rate_out: float) -> None:
        if not (0 < rate_in < np.inf and 0 < rate_out < np.inf):
            raise ValueError(f"rates must be positive numbers of Hz, given {rate_in} and {rate_out}")
        self.rate_in, self.rate_out = float(rate_in), float(rate_out)
        self._step = self.rate_in / self.rate_out
        self._half = 0 if rate_in == rate_out else _half(self._step)
        self.latency_s = self._half / self.rate_in
        self._buffer: Float32 | None = None
        self._open, self._started = True, False  # started: the start has been reflected
        self._first = 0  # input index of the buffer's first sample
        self._taken, self._given = 0, 0  # inputs and outputs so far

    def push(self, chunk: ArrayLike) -> Float32:
        """The outputs that ``chunk`` completes: float32 ``(k, ...)``, ``k`` may be 0."""
        chunk = np.array(chunk, np.float32)
        if not self._open:
            raise ValueError("this Resampler is finished: make a new one for a new signal")
        if not np.isfinite(chunk).all():
            raise ValueError("values are not finite: give resample(..., missing=mask), or signal.fill_missing first")
        self._taken, pad = self._taken + len(chunk), self._half + 1
        if self._half == 0:
            self._buffer = chunk[:0]
            return chunk
        buffer = chunk if self._buffer is None else np.concatenate([self._buffer, chunk])
        if not self._started and len(buffer) > pad:  # enough to reflect the start
            buffer, self._first, self._started = _reflect(buffer, pad, 0), -pad, True
        self._buffer = buffer
        ready = int(np.floor((self._taken - 1 - self._half) / self._step)) + 1  # last tap at or before the last input
        return self._emit(ready if self._started else 0)

    def finish(self) -> Float32:
        """The outputs that were still held back. Nothing can be pushed after."""
        self._open = False
        if self._buffer is None or self._half == 0 or self._taken == 0:
            return np.zeros((0,) if self._buffer is None else (0, *self._buffer.shape[1:]), np.float32)
        pad = self._half + 1
        self._buffer = _reflect(self._buffer, 0 if self._started else pad, pad)
        self._first = self._first if self._started else -pad
        return self._emit(resampled_length(self._taken, self.rate_in, self.rate_out))

    def _emit(self, stop: int) -> Float32:
        assert self._buffer is not None
        if stop <= self._given:
            return np.zeros((0, *self._buffer.shape[1:]), np.float32)
        out = _at(self._buffer, np.arange(self._given, stop, dtype=np.float64) * self._step, self._step, self._first)
        self._given = stop
        # Keep one kernel before the next output, and one before the end to reflect there.
        needed = min(int(stop * self._step) - self._half, self._taken - self._half - 2)
        if needed > self._first:
            self._buffer, self._first = self._buffer[needed - self._first :], needed
        return out


def resample_to(values: ArrayLike, n: int) -> Float32:
    """A clip ``(m, ...)`` of any length as exactly ``n`` samples, float32 ``(n, ...)``, anti-aliased when it shrinks.

    Time-centred: samples stand for the middle of their period, so output ``k`` lies at ``(k + 0.5) / n`` of the
    clip as input ``i`` lies at ``(i + 0.5) / m``. A straight line stays that line. One sample is repeated.
    ``ValueError`` for an empty clip. Values must be finite (``fill_missing``).
    """
    m = len(values := np.asarray(values, np.float32))
    if m == 0 or n < 1:
        raise ValueError(f"cannot make {n} samples of {m}: both must be at least 1")
    if m == n:
        return values.copy()
    if m == 1:
        return np.repeat(values, n, axis=0)
    # The matrix costs one small product: a training window must take microseconds, not a filter's set-up.
    if m * n <= DENSE:
        return (_matrix(m, n) @ values.reshape(m, -1)).reshape(n, *values.shape[1:])
    return _centred(values, n)


def _centred(values: Float32, n: int) -> Float32:
    pad = _half(step := len(values) / n) + 1
    return _at(_reflect(values, pad, pad), (np.arange(n, dtype=np.float64) + 0.5) * step - 0.5, step, -pad)


@lru_cache(maxsize=256)
def _matrix(m: int, n: int) -> Float32:
    """``resample_to`` is linear: its matrix ``(n, m)``, at most 256 KiB each."""
    return _centred(np.eye(m, dtype=np.float32), n)


def _half(step: float) -> int:
    """Taps on each side of the kernel, in input samples, for ``step`` input samples per output."""
    return int(np.ceil(CROSSINGS * max(step, 1.0) - 1e-9))


def _reflect(values: Float32, before: int, after: int) -> Float32:
    """Odd reflection ``2 * edge - mirrored`` along axis 0 (a single sample is held)."""
    width = ((before, after), *[(0, 0)] * (values.ndim - 1))
    return np.pad(values, width, "reflect", reflect_type="odd") if len(values) > 1 else np.pad(values, width, "edge")


@lru_cache(maxsize=64)
def _kernel(step: float) -> Float32:
    """Weights ``(phases + 1, 2 * half)``: row ``p`` for a position ``p / phases`` behind tap ``half - 1``.

    A wide kernel changes slowly from phase to phase, so that the table needs fewer of them.
    """
    half, scale = _half(step), max(step, 1.0)
    phases = max(1, PHASES >> int(np.log2(scale)))
    phase = np.arange(phases + 1)[:, None] / phases
    distance = np.arange(-half + 1, half + 1) - phase  # input samples, (phases + 1, taps)
    window = np.i0(BETA * np.sqrt(np.clip(1.0 - (distance / (CROSSINGS * scale)) ** 2, 0.0, None))) / np.i0(BETA)
    window[np.abs(distance) > CROSSINGS * scale] = 0.0
    sinc, tilt = np.sinc(distance / scale) * window / scale, distance * window**2
    # a * sinc + b * tilt with sum 1 and first moment 0.
    (s0, s1), (t0, t1) = [(w.sum(1, keepdims=True), (w * distance).sum(1, keepdims=True)) for w in (sinc, tilt)]
    return ((t1 * sinc - s1 * tilt) / (s0 * t1 - s1 * t0)).astype(np.float32)


def _at(values: Float32, positions: Float64, step: float, first: int) -> Float32:
    """The filtered signal ``(len(positions), ...)`` at ``positions`` in samples; ``values[0]`` lies at ``first``."""
    kernel, half = _kernel(step), _half(step)
    flat = values.reshape(len(values), int(np.prod(values.shape[1:])))
    taps = np.lib.stride_tricks.sliding_window_view(flat, 2 * half, axis=0)  # (m, channels, taps)
    out = np.empty((len(positions), flat.shape[1]), np.float32)
    phases, block = len(kernel) - 1, max(1, BLOCK // (2 * half * max(flat.shape[1], 1)))
    for start in range(0, len(positions), block):
        position = positions[start : start + block]
        base = np.floor(position).astype(np.int64)
        row, share = np.divmod((position - base) * phases, 1.0)
        row, share = row.astype(np.int64), share[:, None].astype(np.float32)
        weights = kernel[row] * (1 - share) + kernel[np.minimum(row + 1, phases)] * share
        out[start : start + block] = np.matmul(taps[base - first - half + 1], weights[:, :, None])[:, :, 0]
    return out.reshape(len(positions), *values.shape[1:])


def window_starts(n: int, length: int, hop: int) -> NDArray[np.int64]:
    """First indices of all whole windows of ``length`` samples, ``hop`` apart, in ``n`` samples."""
    if length < 1 or hop < 1:
        raise ValueError(f"windows need a length and a hop of at least 1 sample, given {length} and {hop}")
    return np.arange(0, n - length + 1, hop, dtype=np.int64)


def windows(values: NDArray[Any], length: int, hop: int) -> NDArray[Any]:
    """A read-only view ``(windows, length, ...)`` of ``values (n, ...)``: nothing is copied."""
    count = len(window_starts(len(values), length, hop))
    if count == 0:
        return np.empty((0, length, *values.shape[1:]), values.dtype)
    view = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)[::hop]
    return np.moveaxis(view, -1, 1)
