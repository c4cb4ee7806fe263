"""Clocks that agree: offset and drift between a wearable and a pose or video of the same person, or "cannot tell".

    from kinjo.sync import sync

    found = sync(recording, placement="left_wrist")   # its IMU against its pose, or else against its video
    if found.told:
        recording = found.apply(recording, "left_wrist.")
    else:
        print(found.reason)

**Convention.** ``reference_time = wearable_time + offset_s + drift_ppm * 1e-6 * (wearable_time - origin_s)``: with a
positive offset an event has a later time on the reference's clock than on the wearable's. ``origin_s`` is where the
wearable's signal begins, so that clocks which count from 1970 do no harm.

**How.** Both sides become energies (``kinjo.energy``), which are band-passed, made of even loudness, and correlated
window by window at all lags at once. The windows' correlations are summed along every offset and drift, and each
window's own lag then refines the line. **Confidence** is the posterior probability of the offsets within ``near_s`` of
the one found, against all others (repetitions of an exercise are alike) and against the two having nothing to do with
each other. Evidence counts independent moments, by the autocorrelations of both sides (Bartlett 1946), and is tempered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.energy import LOUD_S, Energy, energies, names_of, normalised
from kinjo.recording import Recording, Stream

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

RATE_HZ = 25.0
"""Energies are compared at this rate, or at the lower one of the two."""
WINDOW_S, WINDOWS = 6.0, 400
"""Length of a window, and how many there are at most (then they are longer)."""
FINE = 2
"""Steps between two lags."""
DRIFT_STEP_S = 0.02
"""Drifts are tried that differ by this much at the ends."""
TEMPER = 0.5
"""Share of the evidence that is believed: channels are not independent, and moments not all alike."""
SHORTEST_S = 1.5
"""Of a signal, and of what two have in common."""
REFINE_S = 0.12
"""A window's own lag is looked for so near to the line."""
BLUR_S = 0.4
"""Offsets that differ by less belong to one peak."""
LEAST_SCATTER_S = 0.003
"""Of the windows' lags, which a small number of them may understate."""


@dataclass(frozen=True)
class Alignment:
    """Where a wearable's clock lies on a reference's (see the module for the convention), and how sure that is.

    ``told`` is False where it cannot be told; ``reason`` says why, and the numbers are then the best guess.
    ``uncertainty_s``: about one standard deviation of the time at the worse end. ``overlap_s``: known to both sides.
    ``correlation``: of the energies there (of the better channel). ``view``: number of the reference that agreed best,
    of several; ``placement``: what it stands for.
    ``offsets (k,)`` tried, in seconds, in the middle of the wearable's signal, and their ``evidence (k,)``: log
    posterior odds of each against chance, for a picture.
    """

    offset_s: float
    drift_ppm: float
    confidence: float
    told: bool
    reason: str
    uncertainty_s: float
    overlap_s: float
    correlation: float
    origin_s: float
    view: int = 0
    placement: str | None = None
    offsets: Floats = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)
    evidence: Floats = field(default_factory=lambda: np.zeros(0), repr=False, compare=False)

    def reference_time(self, wearable_s: ArrayLike) -> Floats:
        """Times on the reference's clock of times on the wearable's, seconds, any shape."""
        time = np.asarray(wearable_s, np.float64)
        return time + self.offset_s + self.drift_ppm * 1e-6 * (time - self.origin_s)

    def apply(self, given: _Given, prefix: str = "") -> _Given:
        """A stream of the wearable on the reference's clock; of a recording, its IMU streams named ``prefix...``.

        Segments stay where they are: they are taken to be on the reference's clock. Samples are not touched: a stream
        starts elsewhere, and where drift moves it by more than a fifth of a period it
        gets times of its own. ``ValueError`` where nothing was told, or no stream has such a name.
        """
        if not self.told:
            raise ValueError(f"nothing was told that could be applied: {self.reason}")
        if isinstance(given, Stream):
            return self._moved(given)
        moved = {
            name: self._moved(stream)
            for name, stream in given.streams.items()
            if stream.contract.modality == "imu" and name.startswith(prefix)
        }
        if not moved:
            raise ValueError(
                f"recording '{given.id}' has no IMU stream whose name begins with '{prefix}': has {names_of(given)}"
            )
        note = f"clock of {', '.join(moved)}: moved by {self.offset_s:+.3f} s, {self.drift_ppm:+.0f} ppm"
        return replace(given, streams={**given.streams, **moved}, notes=(*given.notes, note))

    def _moved(self, stream: Stream) -> Stream:
        start = float(self.reference_time(stream.start_s))
        if stream.times is None:
            seconds = stream.length / stream.contract.rate_hz
            if abs(self.drift_ppm) * 1e-6 * seconds * stream.contract.rate_hz < 0.2:
                return replace(stream, start_s=start)
        return replace(stream, start_s=start, times=self.reference_time(stream.clock()))


_Given = TypeVar("_Given", Stream, Recording)


def sync(
    recording: Recording,
    reference: Recording | None = None,
    *,
    placement: str | None = None,
    against: str | None = None,
    max_offset_s: float = 5.0,
    max_drift_ppm: float = 300.0,
    near_s: float = 0.06,
    claim: float = 0.95,
) -> Alignment:
    """Align the IMU streams of ``recording`` at ``placement`` with a pose or video stream of ``reference``.

    ``reference`` is the same recording where none is given, ``placement`` the only one that there is, ``against`` the
    name of a stream: else the first pose that is 3-D, any pose, depth, rgb. A pose is seen as the wearable would feel
    it there; ``wrist`` and ``pocket`` of no known side try both, ``unknown`` all placements, and claim the less for it.
    The rest as in ``align``. ``ValueError`` where there is nothing to align, or too much to choose from.
    """
    felt, seen = energies(recording, reference, placement=placement, against=against)
    options = {"max_offset_s": max_offset_s, "max_drift_ppm": max_drift_ppm, "near_s": near_s, "claim": claim}
    found = align(felt, list(seen.values()), **options)
    return replace(found, placement=list(seen)[found.view])


def align(
    wearable: Energy,
    reference: Energy | Sequence[Energy],
    *,
    max_offset_s: float = 5.0,
    max_drift_ppm: float = 300.0,
    near_s: float = 0.06,
    claim: float = 0.95,
) -> Alignment:
    """Offset and drift of one energy's clock against another's.

    Both have as many channels, compared one by one, or one side has one, compared with each of the other. Several
    references are several views of one (placements of an unknown sensor): the best is taken, all compete, and
    ``view`` is its number.

    The offset is looked for within ``max_offset_s`` of the clocks as they are given (``start_s``) where the wearable's
    signal begins, plus what drift can add by its middle. It is told where the confidence that it is right within
    ``near_s`` reaches ``claim``, and twice the uncertainty lies within ``near_s``. A day takes seconds and 1 GiB.
    ``ValueError`` for signals shorter than ``SHORTEST_S`` or wholly missing, for channels that do not fit, and for
    limits that are not positive.
    """
    views = [reference] if isinstance(reference, Energy) else list(reference)
    _check(wearable, views, max_offset_s, max_drift_ppm, near_s, claim)
    rate = min(RATE_HZ, wearable.rate_hz, *(view.rate_hz for view in views))
    a = normalised(wearable, rate)
    search = _Search(max_offset_s, max_drift_ppm * 1e-6, rate, len(a.values))
    matches = [_match(a, normalised(view, rate), search) for view in views]
    best = int(np.argmax([match.top for match in matches]))
    match = matches[best]
    offset, drift, error = _refine(match, search)
    belief = _belief(matches, best, search, near_s)
    error = float(np.hypot(error, belief.spread_s))
    reason = _reason(a, matches, best, search, belief, error, near_s, claim)
    return Alignment(
        offset_s=offset - drift * search.half_s, drift_ppm=drift * 1e6, confidence=belief.near, told=not reason,
        reason=reason, uncertainty_s=error, overlap_s=float(match.overlap_s[match.at]),
        correlation=float(match.rho[match.at].max()), origin_s=wearable.start_s, view=best,
        offsets=search.offsets, evidence=match.evidence[match.at[0]],
    )  # fmt: skip


def _check(a: Energy, views: Sequence[Energy], offset: float, drift: float, near: float, claim: float) -> None:
    if not views:
        raise ValueError("align: expected at least one reference")
    for side, energy in (("wearable", a), *(("reference", view) for view in views)):
        if energy.seconds < SHORTEST_S:
            raise ValueError(f"{side}: {energy.seconds:.2f} s are too short to align: give {SHORTEST_S} s or more")
        if energy.hidden.all():
            raise ValueError(f"{side}: all {len(energy.values)} samples are missing: nothing to align")
    counts = {1 if energy.values.ndim == 1 else energy.values.shape[1] for energy in (a, *views)}
    if len(counts - {1}) > 1:
        raise ValueError(f"energies: expected as many channels on both sides, or one, given {sorted(counts)}")
    if not (0 < offset < np.inf and 0 <= drift < np.inf and 0 < near < np.inf and 0 < claim <= 1):
        given = f"max_offset_s {offset}, max_drift_ppm {drift}, near_s {near}, claim {claim}"
        raise ValueError(f"align: expected positive limits, and a claim of at most 1, given {given}")


class _Search:
    """The windows of a wearable of ``n`` samples at ``rate``, and the offsets and drifts that are tried."""

    def __init__(self, max_offset_s: float, max_drift: float, rate: float, n: int) -> None:
        self.rate, self.n, self.max_drift = rate, n, max_drift
        self.half_s = n / rate / 2
        self.windows = max(round(n / max(WINDOW_S * rate, n / WINDOWS)), 1)
        self.size = -(-n // self.windows)
        self.middles = (np.arange(self.windows) + 0.5) * self.size / rate - self.half_s
        self.step_s = 1 / rate / FINE
        steps = int(np.ceil(max_drift * self.half_s / DRIFT_STEP_S))
        self.drifts = np.linspace(-max_drift, max_drift, 2 * steps + 1)
        # drifts up to about half of what is allowed are usual
        prior = np.exp(-2.0 * (self.drifts / max_drift) ** 2) if steps else np.ones(1)
        self.log_prior = np.log(prior / prior.sum())
        inner = int(np.floor((max_offset_s + max_drift * self.half_s) / self.step_s + 1e-9))
        self.beyond = int(np.ceil((max_drift * self.half_s + REFINE_S) / self.step_s)) + 2
        self.offsets = np.arange(-inner, inner + 1) * self.step_s
        self.first_s = -(inner + self.beyond) * self.step_s
        self.count = 2 * (inner + self.beyond) + 1


@dataclass(frozen=True)
class _Match:
    """Two energies at all offsets and drifts: ``rho (drifts, offsets, channels)``; ``evidence (drifts, offsets)``.

    ``curves (windows, count)`` are the windows' correlations at all lags of the search, channels weighed.
    """

    rho: Floats
    overlap_s: Floats
    evidence: Floats
    curves: Floats
    at: tuple[int, int]

    @property
    def top(self) -> float:
        """The evidence of the best offset."""
        return float(self.evidence[self.at])


def _match(a: Energy, b: Energy, search: _Search) -> _Match:
    """Correlate ``b`` with the windows of ``a``, both normalised, along all offsets and drifts."""
    channels = max(a.values.shape[1], b.values.shape[1])
    sums = _windowed(a, b, channels, search)
    windows = np.arange(search.windows)[:, None]
    inside = search.beyond + np.arange(len(search.offsets))
    shape = (len(search.drifts), len(search.offsets))
    rho, overlap = np.zeros((*shape, channels)), np.zeros(shape)
    for k, drift in enumerate(search.drifts):
        moved = np.rint(drift * search.middles / search.step_s).astype(np.int64)
        total = sums[:, windows, inside + moved[:, None]].sum(1)
        overlap[k] = np.maximum(total[-1], 0.0) / search.rate
        product, own, other = total[:-1].reshape(3, channels, -1)
        enough = (overlap[k] >= SHORTEST_S) & (own > 1e-6) & (other > 1e-6)
        # interpolation between lags may overshoot by little
        ratio = product / np.sqrt(np.where(enough, own * other, np.inf))
        rho[k] = np.clip(ratio, -0.999, 0.999).T
    rates = np.array([_moments_per_s(a, b, c) for c in range(channels)])
    lively = np.maximum(rho, 0.0)  # energies that go against each other are no evidence
    evidence = -0.5 * TEMPER * (rates * overlap[..., None] * np.log1p(-(lively**2))).sum(-1)
    k, j = np.unravel_index(np.argmax(evidence + search.log_prior[:, None]), shape)
    own, other = sums[channels : 2 * channels].max(-1).sum(1), sums[2 * channels : 3 * channels].max(-1).sum(1)
    weight = rates * lively[k, j] / (1 - lively[k, j] ** 2) / np.sqrt(np.maximum(own * other, 1e-9))
    return _Match(rho, overlap, evidence, np.tensordot(weight, sums[:channels], 1), (int(k), int(j)))


def _windowed(a: Energy, b: Energy, channels: int, search: _Search) -> Floats:
    """``(3 * channels + 1, windows, search.count)``: sums over the samples that a window of ``a`` shares with ``b``.

    Of the product, of the squares of ``a`` and of those of ``b``, by channel; last, how many samples are shared.
    """
    positions = (search.first_s + np.arange(search.count) * search.step_s - b.start_s + a.start_s) * search.rate
    low = int(np.floor(positions[0])) - 1
    lags = int(np.floor(positions[-1] + 1e-9)) + 2 - low + 1  # as _cubic rounds
    whole = search.windows * search.size
    own = np.zeros((whole, channels + 1))
    own[: len(a.values), :channels], own[: len(a.values), channels] = a.values, ~a.hidden
    own = own.reshape(search.windows, search.size, -1)
    at = (np.arange(search.windows) * search.size + low)[:, None] + np.arange(search.size + lags - 1)
    within = (at >= 0) & (at < len(b.values))
    at = np.clip(at, 0, len(b.values) - 1)
    other = np.broadcast_to(b.values, (len(b.values), channels))[at] * within[..., None]
    known = (~b.hidden[at] & within)[..., None].astype(np.float64)
    size = 1 << int(np.ceil(np.log2(search.size + lags)))

    def correlate(x: Floats, y: Floats) -> Floats:
        product = np.conj(np.fft.rfft(x, size, axis=1)) * np.fft.rfft(y, size, axis=1)
        return np.moveaxis(np.fft.irfft(product, size, axis=1)[:, :lags], 2, 0)

    x, mask = own[..., :channels], own[..., channels:]
    parts = (correlate(x, other), correlate(x**2, known), correlate(mask, other**2), correlate(mask, known))
    return _cubic(np.concatenate(parts), positions - low)


def _cubic(x: Floats, at: Floats) -> Floats:
    """``x (..., n)`` at positions ``at`` within 1 and n - 2: the cubic through four neighbours (Catmull and Rom)."""
    first = np.floor(at + 1e-9).astype(np.int64)
    t = at - first
    weights = (
        (-t + 2 * t**2 - t**3) / 2,
        1 - 2.5 * t**2 + 1.5 * t**3,
        t / 2 + 2 * t**2 - 1.5 * t**3,
        (t**3 - t**2) / 2,
    )
    return np.sum([weight * x[..., first + k] for k, weight in enumerate(weights, -1)], axis=0)


def _moments_per_s(a: Energy, b: Energy, channel: int) -> float:
    """Independent moments per second: the rate over the sum of the product of both autocorrelations (Bartlett)."""
    lags = int(LOUD_S * a.rate_hz)
    both = [_autocorrelation(e.values[:, min(channel, e.values.shape[1] - 1)], ~e.hidden, lags) for e in (a, b)]
    n = min(map(len, both))
    taper = 1 - np.arange(n) / n
    return a.rate_hz / max(1.0, float(2 * (both[0][:n] * both[1][:n] * taper).sum() - 1))


def _autocorrelation(x: Floats, known: Mask, lags: int) -> Floats:
    size = 1 << int(np.ceil(np.log2(len(x) + lags)))
    sums, counts = (
        np.fft.irfft(np.abs(np.fft.rfft(v, size)) ** 2, size)[: min(lags, len(x))]
        for v in (x, known.astype(np.float64))
    )
    mean = sums / np.maximum(counts, 1.0)
    return mean / max(mean[0], 1e-12)


def _refine(match: _Match, search: _Search) -> tuple[float, float, float]:
    """Offset in the middle, drift, and the error of the time at the worse end: a line through the windows' own lags.

    Weighed by how sharp a window's peak is, lags off the line are let go of (biweight), drift has a normal prior.
    """
    k, j = match.at
    offset, drift = float(search.offsets[j]), float(search.drifts[k])
    spread = search.max_drift / 2
    reach = round(REFINE_S / search.step_s)
    rows, tau, curves = np.arange(search.windows), search.middles, match.curves
    error = np.inf
    for _ in range(6):
        line = np.rint((offset + drift * tau - search.first_s) / search.step_s).astype(np.int64)
        line = np.clip(line, reach + 1, search.count - reach - 2)
        near = curves[rows[:, None], line[:, None] + np.arange(-reach, reach + 1)]
        peak = near.argmax(1)
        found = (peak > 0) & (peak < 2 * reach) & (near.max(1) > 0)
        at = line - reach + peak
        before, top, after = curves[rows, at - 1], curves[rows, at], curves[rows, at + 1]
        sharp = np.maximum(2 * top - before - after, 1e-12)
        lag = search.first_s + (at + 0.5 * (after - before) / sharp) * search.step_s
        weight, off = np.where(found, sharp, 0.0), lag - (offset + drift * tau)
        if not found.any():
            break
        scatter = max(np.sqrt((weight * off**2).sum() / weight.sum()), LEAST_SCATTER_S)
        weight = weight * np.clip(1 - (off / (3.5 * scatter)) ** 2, 0, None) ** 2
        weight = weight / max(weight.sum(), 1e-12)
        one = max((weight * off**2).sum(), LEAST_SCATTER_S**2) * (weight**2).sum()  # variance of the mean lag
        middle = (weight * tau).sum()
        lever = (weight * (tau - middle) ** 2).sum()
        width = one / spread**2 if spread > 0 else np.inf
        slope = (weight * (tau - middle) * lag).sum() / (lever + width)
        drift = float(np.clip(slope, -search.max_drift, search.max_drift))
        offset = float((weight * lag).sum() - drift * middle)
        error = float(np.sqrt(one * (1 + (search.half_s + abs(middle)) ** 2 / (lever + width))))
    return offset, drift, error


@dataclass(frozen=True)
class _Belief:
    """Posterior shares ``near`` the best offset and of ``chance``; the best one elsewhere; the spread near the best."""

    near: float
    chance: float
    second_s: float
    spread_s: float


def _belief(matches: Sequence[_Match], best: int, search: _Search, near_s: float) -> _Belief:
    match = matches[best]
    mass = np.array([np.exp(m.evidence - match.top + search.log_prior[:, None]).sum(0) for m in matches])
    chance = mass.size * np.exp(-match.top)
    away = search.offsets - search.offsets[match.at[1]]
    near = np.abs(away) <= near_s + 1e-9
    total = mass.sum() + chance
    elsewhere = np.where(near, -1.0, mass.max(0))
    spread = np.sqrt((mass[best] * near * away**2).sum() / (mass[best] * near).sum())
    return _Belief(
        min(float(mass[:, near].sum() / total), 1.0),
        float(chance / total),
        float(search.offsets[elsewhere.argmax()]),
        float(spread),
    )


def _reason(
    a: Energy, matches: Sequence[_Match], best: int, search: _Search, belief: _Belief, error_s: float, near_s: float,
    claim: float,
) -> str:  # fmt: skip
    """Why it cannot be told, and what to do; empty where it can."""
    match = matches[best]
    if not np.any(a.values):
        return "the wearable's signal does not change: nobody moved"
    if match.overlap_s.max() < SHORTEST_S:
        return f"less than {SHORTEST_S} s are known to both sides: do the clocks start together? Raise max_offset_s"
    if match.top <= 0:
        return "the reference does not move with the wearable: is it the same person?"
    if belief.near < claim and belief.chance > 1 - claim:
        rho = match.rho[match.at].max()
        return f"the two move together no better than chance does (correlation {rho:.2f}): longer, or the same person?"
    if belief.near < claim and abs(belief.second_s - search.offsets[match.at[1]]) > BLUR_S:
        best_s = search.offsets[match.at[1]]
        return (
            f"offsets {best_s:+.2f} s and {belief.second_s:+.2f} s explain it alike: give a recording with more variety"
        )
    if match.at[1] in (0, len(search.offsets) - 1):
        return f"the best offset lies at the end of what was tried, {search.offsets[-1]:.2f} s: raise max_offset_s"
    if belief.near < claim or 2 * error_s > near_s:
        error_s = max(error_s, near_s / 2)
        return f"the offset is known to {error_s:.3f} s only, near_s asks for {near_s}: give a longer recording"
    return ""
