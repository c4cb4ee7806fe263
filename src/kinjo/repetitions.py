"""How often a movement was repeated: from wearable signals or poses, in one place for all that count.

A periodic movement returns to where it was. Its period is where the signal is most like itself (autocorrelation over
all channels, as in RecoFit, Morris et al. 2014); its repetitions are the swings of the strongest direction of movement
in the band about that period. Where nothing repeats often enough to have a period, ways there and back count.

What a sensor feels of an activity may repeat once in two repetitions (sides take turns) or twice in one (there and back
feel alike). The signal alone cannot tell; a ``Rhythm``, learnt from sets that somebody counted, does.
NumPy alone, because the deployed runtime shares this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.body import CANONICAL
from kinjo.signal import Mask, fill_missing

Floats = NDArray[np.float64]

FASTEST_S, SLOWEST_S = 0.4, 8.0
"""Periods between which people repeat what they do."""
ALIKE = 0.85
"""The shortest period that is nearly as good as the best is the period; the best may be a multiple."""
PERIODIC = 0.3
"""Autocorrelation below which nothing is repeated."""
SWING = 0.35
"""A swing passes this share of half the range on either side of the middle; less is a wobble."""
PER_PERIOD = (1.0, 2.0, 0.5)
"""Repetitions that one period of a signal may hold; the first that counts best is taken."""
SPREAD, SETS = 0.25, 3
"""How much people differ in what a repetition takes (standard deviation of its logarithm), believed as much as ``SETS``
counted sets."""
UNUSUAL = 0.1
"""Likeness that a period has to have more where it is one spread from the usual; it grows with the square."""
FARTHEST = 3.0
"""Spreads from the usual beyond which no period is looked for."""
COUNTABLE = 0.5
"""Share of the counted sets that have to be counted right, by one at most, for an activity to have a rhythm."""


@dataclass(frozen=True)
class Rhythm:
    """How an activity repeats, in the signals of one model's sensors.

    ``seconds`` of one repetition, as most people take; ``spread``: standard deviation of its logarithm among people;
    ``per_period``: repetitions in one period of the signal.
    """

    seconds: float
    spread: float = SPREAD
    per_period: float = 1.0

    def __post_init__(self) -> None:
        numbers = (self.seconds, self.spread, self.per_period)
        if not all(np.isfinite(x) and x > 0 for x in numbers):
            raise ValueError(f"a rhythm is three positive numbers, given {numbers}")


@dataclass(frozen=True)
class Repetitions:
    """``count``; ``period_s`` of one (NaN: there is no period); ``peaks_s``, one moment of each from the start."""

    count: int
    period_s: float
    peaks_s: Floats


def repetitions(
    values: ArrayLike,
    rate_hz: float,
    *,
    missing: Mask | None = None,
    least: float = 0.0,
    rhythm: Rhythm | None = None,
) -> Repetitions:
    """Repetitions in ``values (samples, channels)``, of which all should be of one scale; bool ``missing (samples,)``.

    ``least``: a range of the strongest direction, in the unit of the values, below which nobody moves. ``rhythm``: of
    what is done, where that is known; ``peaks_s`` are then one moment of each period.
    """
    x = np.asarray(values, np.float64)
    x = x.reshape(len(x), int(np.prod(x.shape[1:])))
    known: NDArray[np.bool_] = np.all(np.isfinite(x), axis=1)
    if missing is not None:
        known = known & ~np.asarray(missing, bool)
    if known.sum() < 3 or len(x) / rate_hz < FASTEST_S:
        return Repetitions(0, np.nan, np.empty(0))
    x = fill_missing(np.where(known[:, None], x, 0.0), ~known)
    x = smoothed(x - x.mean(0), 0.08 * rate_hz)
    if np.ptp(strongest(x)) <= max(least, 1e-9):
        return Repetitions(0, np.nan, np.empty(0))
    lag = period(x, rate_hz) if rhythm is None else usual_period(x, rate_hz, rhythm)
    if lag is None:
        found = returns(strongest(x), round(0.2 * rate_hz))
        return Repetitions(len(found), np.nan, found / rate_hz)
    found = swings(strongest(smoothed(x - smoothed(x, lag / 2), lag / 10)), lag)
    each = 1.0 if rhythm is None else rhythm.per_period
    return Repetitions(int(len(found) * each + 0.5), lag / rate_hz / each, found / rate_hz)


def body_repetitions(
    positions: ArrayLike, rate_hz: float, *, missing: Mask | None = None, least_m: float = 0.1
) -> Repetitions:
    """Of ``positions (samples, joints, 3)`` in metres, joints in the order of ``body.CANONICAL``, bool ``missing
    (samples, joints)``: of the body about its hips, by joints that are known half of the time. One side and then the
    other are one repetition.
    """
    x = np.asarray(positions, np.float64)
    known: NDArray[np.bool_] = np.all(np.isfinite(x), axis=2)
    if missing is not None:
        known = known & ~np.asarray(missing, bool)
    hips = [CANONICAL.joints.index(f"{side}_hip") for side in ("left", "right")]
    centre = x[:, hips].mean(1)
    seen: NDArray[np.bool_] = np.all(known[:, hips], axis=1)
    used = np.flatnonzero((known & seen[:, None]).mean(0) >= 0.5)
    if not len(used):
        return Repetitions(0, np.nan, np.empty(0))
    about = np.where((known & seen[:, None])[:, used, None], x[:, used] - centre[:, None], 0.0)
    gone = ~(known[:, used] & seen[:, None])
    filled = np.stack([fill_missing(about[:, j], gone[:, j]) for j in range(len(used))], 1)
    return repetitions(filled.reshape(len(x), -1), rate_hz, least=least_m)


def period(x: Floats, rate_hz: float) -> float | None:
    """Samples of one repetition, or ``None``; at least two of them have to be there."""
    like = autocorrelation(x)[: int(min(len(x) * 0.6, SLOWEST_S * rate_hz)) + 1]
    top = peaks(like)
    top = top[top >= FASTEST_S * rate_hz]
    if not len(top) or like[top].max() < PERIODIC:
        return None
    return between_samples(like, int(top[like[top] >= ALIKE * like[top].max()][0]))


def usual_period(x: Floats, rate_hz: float, rhythm: Rhythm) -> float:
    """Samples of one period of something with a known rhythm: at which ``x`` is most like itself, for how usual it is;
    the usual one where there is none.
    """
    usual = rhythm.seconds * rhythm.per_period * rate_hz
    like = autocorrelation(x)[: int(len(x) * 0.7) + 1]
    top = peaks(like)
    far = np.log(top / usual) / rhythm.spread
    top, far = top[np.abs(far) <= FARTHEST], far[np.abs(far) <= FARTHEST]
    return between_samples(like, int(top[np.argmax(like[top] - UNUSUAL * far**2)])) if len(top) else usual


def rhythm_of(sets: Sequence[tuple[Floats, float, int]]) -> Rhythm | None:
    """Of an activity, from sets that were counted: values (samples, channels), rate in Hz, repetitions.

    ``None`` where there are none, and where what repeats cannot be found in most of them (see ``COUNTABLE``).
    """
    sets = [one for one in sets if one[2] > 0 and len(one[0])]
    if not sets:
        return None
    each = np.log([len(values) / rate_hz / count for values, rate_hz, count in sets])
    spread = float(np.sqrt((((each - each.mean()) ** 2).sum() + SETS * SPREAD**2) / (len(each) + SETS)))
    best, found = (-1.0, 0.0), None
    for share in PER_PERIOD:
        rhythm = Rhythm(float(np.exp(each.mean())), spread, share)
        wrong = np.abs([repetitions(values, rate, rhythm=rhythm).count - count for values, rate, count in sets])
        right = (float((wrong <= 1).mean()), -float(wrong.mean()))
        if right > best:
            best, found = right, rhythm
    return found if best[0] >= COUNTABLE else None


def rhythm_seen(values: Floats, rate_hz: float) -> Rhythm | None:
    """Of an activity, from one example that nobody counted, by its signal alone; ``None`` where it does not repeat."""
    found = repetitions(values, rate_hz)
    return Rhythm(len(values) / rate_hz / found.count) if found.count > 1 and np.isfinite(found.period_s) else None


def peaks(like: Floats) -> NDArray[np.intp]:
    """Where ``like (n,)`` is above its neighbours."""
    return 1 + np.flatnonzero((like[1:-1] > like[:-2]) & (like[1:-1] >= like[2:]))


def between_samples(like: Floats, at: int) -> float:
    """Where the peak of ``like (n,)`` at ``at`` has its top: on the parabola through it and its neighbours."""
    before, here, after = like[at - 1 : at + 2]
    bend = before - 2 * here + after
    return float(at + (0.5 * (before - after) / bend if bend < 0 else 0.0))


def autocorrelation(x: Floats) -> Floats:
    """Of all channels together, 1 at lag 0; every lag by the samples that it has."""
    size = 1 << (2 * len(x) - 1).bit_length()
    power = (np.abs(np.fft.rfft(x, size, axis=0)) ** 2).sum(1)
    out = np.fft.irfft(power, size)[: len(x)] / np.arange(len(x), 0, -1)
    return out / max(out[0], 1e-300)


def smoothed(x: Floats, width: float) -> Floats:
    """By a Gaussian of standard deviation ``width`` samples, ends mirrored."""
    half = min(int(np.ceil(3 * width)), len(x) - 1)
    if half < 1:
        return x
    kernel = np.exp(-0.5 * (np.arange(-half, half + 1) / width) ** 2)
    padded = np.concatenate([x[half:0:-1], x, x[-2 : -half - 2 : -1]])
    size = 1 << (len(padded) + len(kernel)).bit_length()
    spectrum = np.fft.rfft(padded, size, axis=0) * np.fft.rfft(kernel / kernel.sum(), size)[:, None]
    return np.fft.irfft(spectrum, size, axis=0)[2 * half : 2 * half + len(x)]


def strongest(x: Floats) -> Floats:
    """Along the first principal component (samples,)."""
    return (x - x.mean(0)) @ np.linalg.eigh(np.cov(x, rowvar=False).reshape(x.shape[1], -1))[1][:, -1]


def swings(x: Floats, lag: float) -> NDArray[np.intp]:
    """Samples at the turn of each repetition of a periodic ``x (samples,)`` about 0: on the side that has fewer turns,
    the other one is rest. A swing is measured by those around it, so that smaller repetitions count too.
    """
    half = np.sqrt(2.0 * smoothed((x**2)[:, None], lag)[:, 0])
    runs, side = turns(x, half)
    fewer = 1 if (side > 0).sum() <= (side < 0).sum() else -1
    return np.array([r[np.argmax(fewer * x[r])] for r, s in zip(runs, side, strict=True) if s == fewer], np.intp)


def returns(x: Floats, still: int) -> NDArray[np.intp]:
    """Samples at the far turn of each movement there and back in ``x (samples,)``.

    The last way back counts when it has arrived: less than a tenth of the range is made in the last ``still`` samples.
    """
    low, high = np.percentile(x, [5, 95])
    runs, side = turns(x - (low + high) / 2, (high - low) / 2)
    if len(runs) and side[-1] * (x[-1] - x[-1 - min(still, len(x) - 1)]) > 0.1 * (high - low):
        runs = runs[:-1]  # still on its way
    return np.array([r[np.argmax(s * x[r])] for r, s in zip(runs[1:-1:2], side[1:-1:2], strict=False)], np.intp)


def turns(x: Floats, half: Floats | float) -> tuple[list[NDArray[np.intp]], NDArray[np.intp]]:
    """Runs of samples beyond ``SWING`` times ``half`` the range on either side of 0 by turns, and the side of each."""
    side = np.where(x > SWING * half, 1, np.where(x < -SWING * half, -1, 0))
    at = np.flatnonzero(side)
    if not len(at):
        return [], np.empty(0, np.intp)
    runs = np.split(at, np.flatnonzero(np.diff(side[at])) + 1)
    return runs, np.array([side[r[0]] for r in runs], np.intp)
