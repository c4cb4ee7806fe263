"""What a model reads of a window: ``Slot`` says which stream and how many samples, ``excerpt`` gives them.

One implementation for training (``corpus.read``), recordings and live streams (``runtime``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo import signal
from kinjo.recording import Contract, Modality, Stream


@dataclass(frozen=True)
class Slot:
    """One input of a model: which stream it takes and how many samples of a window it wants.

    ``placement`` None takes any placement (it is withheld from the model); likewise ``gravity`` and ``skeleton``.
    The first stream of a recording that fits is taken. ``units`` None means the canonical unit of the quantity.
    ``size`` is (height, width) of video in pixels; None takes it as it is kept.
    """

    key: str
    modality: Modality
    quantity: str
    samples: int
    placement: str | None = None
    units: str | None = None
    size: tuple[int, int] | None = None
    gravity: bool | None = None
    skeleton: str | None = None

    @property
    def wanted_units(self) -> str:
        """The units that ``read`` gives."""
        return self.units or next(iter(signal.UNITS[self.quantity]))

    def fits(self, contract: Contract) -> bool:
        """Whether a stream of this contract may fill this slot."""
        return (contract.modality, contract.quantity) == (self.modality, self.quantity) and all(
            wanted is None or wanted == given
            for wanted, given in (
                (self.placement, contract.placement),
                (self.gravity, contract.gravity),
                (self.skeleton, contract.skeleton),
            )
        )


def excerpt(stream: Stream, slot: Slot, start: float, end: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """``slot.samples`` samples of the span ``[start, end)`` seconds of an imu or pose stream, and which are missing.

    Values ``(samples, *shape)`` are in the stream's units. A span that has exactly so many native samples is copied as
    it is, others are resampled (``signal.resample_to``). Where the stream ends early or misses samples, values are 0.
    """
    native, hidden = (_on_grid if stream.times is not None else _on_clock)(stream, start, end)
    n, m = slot.samples, len(native)
    if m == 0 or hidden.all():
        return np.zeros((n, *native.shape[1:]), np.float32), np.ones(n, bool)
    if m == n:
        values, missing = native, hidden
    else:
        values = signal.resample_to(native, n)
        share = np.interp(np.arange(n + 1) * (m / n), np.arange(m + 1), np.concatenate([[0.0], np.cumsum(hidden)]))
        missing = np.diff(share) * (n / m) >= 0.5
    values = np.array(values, np.float32)
    values[missing] = 0.0
    return values, missing


def _on_clock(stream: Stream, start: float, end: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Native samples of the span by the stream's uniform clock; past its ends the last value, missing."""
    rate = stream.contract.rate_hz
    first, last = (int(np.ceil((t - stream.start_s) * rate - 1e-6)) for t in (start, end))
    low, high = min(max(first, 0), stream.length), min(max(last, 0), stream.length)
    if high <= low:
        return np.empty((0, *stream.values(0, 0).shape[1:]), np.float32), np.empty(0, bool)
    values, hidden = _filled(stream.values(low, high), stream.mask(low, high))
    edges = (low - first, last - high)
    values = np.pad(values, (edges, *[(0, 0)] * (values.ndim - 1)), "edge") if any(edges) else values
    return values, np.pad(hidden, edges, constant_values=True)


def _on_grid(stream: Stream, start: float, end: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """A stream with times of its own, on the grid of its nominal rate; past one period from any sample, missing."""
    period = 1.0 / stream.contract.rate_hz
    grid = start + np.arange(max(1, round((end - start) / period))) * period
    low, high = stream.between(start - 2 * period, end + 2 * period)
    if high <= low:
        return np.empty((0, *stream.values(0, 0).shape[1:]), np.float32), np.empty(0, bool)
    times = stream.clock(low, high)
    values, hidden = _filled(stream.values(low, high), stream.mask(low, high))
    left = np.clip(np.searchsorted(times, grid, "right") - 1, 0, len(times) - 1)
    right = np.minimum(left + 1, len(times) - 1)
    share = np.clip((grid - times[left]) / np.maximum(times[right] - times[left], 1e-12), 0.0, 1.0)
    nearest = np.where(share < 0.5, left, right)
    weight = share.astype(np.float32).reshape(-1, *[1] * (values.ndim - 1))
    mixed = values[left] * (1 - weight) + values[right] * weight
    return mixed.astype(np.float32), hidden[nearest] | (np.abs(grid - times[nearest]) > period * (1 + 1e-6))


def _filled(values: NDArray[Any], hidden: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Missing and non-finite numbers bridged in a straight line, so that filters do not spread them.

    A sample without one finite number counts as missing.
    """
    flat = np.asarray(values, np.float32).reshape(len(values), -1)
    bad = ~np.isfinite(flat)
    hidden = hidden | bad.all(axis=1)
    bad |= hidden[:, None]
    if bad.any():
        flat, at = flat.copy(), np.arange(len(flat))
        for column in np.flatnonzero(bad.any(0)):
            holes = bad[:, column]
            flat[holes, column] = 0.0 if holes.all() else np.interp(at[holes], at[~holes], flat[~holes, column])
    return flat.reshape(values.shape), hidden
