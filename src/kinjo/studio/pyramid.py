"""Signals of any length as pictures: the least and the most of blocks of samples, blocks of blocks, and so on.

A view asks for a span and a number of bins, one for each pixel, and reads as much of the coarsest level that is fine
enough. So a day at 100 Hz is drawn as quickly as a minute. NaN stands for missing samples and for bins without any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinjo.recording import Stream

Floats = NDArray[np.float32]
BLOCK = 64
"""Samples in a block of the finest level."""
FACTOR = 4
"""Blocks of a level in one of the next."""
PIECE = 1 << 16
"""Samples read at a time, a multiple of ``BLOCK``."""


@dataclass(frozen=True)
class Pyramid:
    """``levels[k]`` (blocks, channels, 2): least and most of ``BLOCK * FACTOR**k`` samples each, of ``stream``."""

    stream: Stream
    levels: tuple[Floats, ...]

    @classmethod
    def of(cls, stream: Stream) -> Pyramid:
        """Of a stream (n, channels), read once, a piece at a time."""
        pieces = [blocks(samples(stream, i, i + PIECE), BLOCK) for i in range(0, stream.length, PIECE)]
        levels = [np.concatenate(pieces) if pieces else np.empty((0, 0, 2), np.float32)]
        while len(levels[-1]) > FACTOR:
            levels.append(merged(levels[-1], FACTOR))
        return cls(stream, tuple(levels))

    def bins(self, edges: NDArray[np.int64]) -> Floats:
        """Least and most (bins, channels, 2) of the samples ``[edges[k], edges[k + 1])``. Where a bin is longer than a
        block its bounds are moved out to those of blocks, each of them no longer than the bin.
        """
        low, high = edges[:-1], edges[1:]
        size = float(np.median(high - low)) if len(low) else 0.0
        level = int(np.floor(np.log(size / BLOCK) / np.log(FACTOR))) if size >= BLOCK else -1
        if level < 0:
            first, stop = int(edges[0]), int(edges[-1])
            raw = samples(self.stream, first, stop)
            return spans(np.stack([raw, raw], -1), low - first, high - first)
        level = min(level, len(self.levels) - 1)
        block = BLOCK * FACTOR**level
        return spans(self.levels[level], low // block, np.where(high > low, -(-high // block), low // block))


def samples(stream: Stream, start: int, stop: int) -> Floats:
    """Samples (n, channels), NaN where they are missing."""
    values = np.asarray(stream.values(start, stop), np.float32)
    values = values.reshape(len(values), int(np.prod(values.shape[1:])))
    if stream.missing is None:
        return values
    return np.where(stream.mask(start, stop)[:, None], np.float32("nan"), values)


def blocks(values: Floats, size: int) -> Floats:
    """Least and most (blocks, channels, 2) of each ``size`` of ``values`` (n, channels); the last may be short."""
    return _joined(values, values, size)


def merged(pairs: Floats, size: int) -> Floats:
    """Least and most of each ``size`` of ``pairs`` (n, channels, 2)."""
    return _joined(pairs[..., 0], pairs[..., 1], size)


def _joined(low: Floats, high: Floats, size: int) -> Floats:
    out = np.empty((-(-len(low) // size), low.shape[1], 2), np.float32)
    whole = len(low) // size
    for way, reduce, given in ((0, np.fmin, low), (1, np.fmax, high)):
        # channel by channel: along the last axis NumPy is ten times as quick
        shaped = np.ascontiguousarray(given[: whole * size].T).reshape(given.shape[1], whole, size)
        out[:whole, :, way] = reduce.reduce(shaped, 2).T
        if whole < len(out):
            out[whole, :, way] = reduce.reduce(given[whole * size :], 0)
    return out


def spans(pairs: Floats, low: NDArray[np.int64], high: NDArray[np.int64]) -> Floats:
    """Least and most of ``pairs[low[k]:high[k]]`` for each k, NaN where that is empty; neither bound goes down."""
    out = np.full((len(low), *pairs.shape[1:]), np.nan, np.float32)
    high = np.minimum(high, len(pairs))
    full = np.flatnonzero(high > low)
    if not len(full):
        return out
    # reduceat takes what is between neighbouring bounds; every second of its results is a bin
    ends = np.minimum(high[full], len(pairs) - 1)
    bounds = np.stack([low[full], ends], 1).ravel()
    for way, reduce in ((0, np.fmin), (1, np.fmax)):
        found = reduce.reduceat(pairs[..., way], bounds, axis=0)[::2]
        last = high[full] == len(pairs)  # its bound was held back by one
        found[last] = reduce(found[last], pairs[-1, :, way])
        out[full, :, way] = found
    return out


def edges_of(stream: Stream, from_s: float, to_s: float, bins: int) -> NDArray[np.int64]:
    """Sample numbers (bins + 1,) at which ``bins`` equal parts of a span begin, held within the stream."""
    times = np.linspace(from_s, to_s, bins + 1)
    if stream.times is not None:
        return np.searchsorted(stream.times, times - 1e-9).astype(np.int64)
    at = np.ceil((times - stream.start_s) * stream.contract.rate_hz - 1e-6)
    return np.clip(at, 0, stream.length).astype(np.int64)
