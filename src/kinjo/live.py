"""The streaming core: samples of any sensors in, at any pace, windows and spans out. Recordings go the same way.

``Live`` keeps what the next windows need of each stream, cuts a window (``excerpt``, as in training) once its samples
are there, has it scored by any function, and smooths the scores (``timeline.Smoother``). How samples were cut into
pushes, and in which order they came within ``late_s`` and ``wait_s``, makes no difference: ``recognize`` pushes a
whole recording.

The first window starts at the first sample of any stream, the others whole multiples of ``Plan.hop_s`` later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo import signal
from kinjo.body import SKELETONS
from kinjo.classes import moved
from kinjo.excerpt import Slot, excerpt
from kinjo.recording import Contract, ContractError, Recording, Stream
from kinjo.repetitions import Rhythm
from kinjo.tape import Tape
from kinjo.timeline import Scores, Smoother, Span, Timeline

Batch = Mapping[str, NDArray[Any]]
"""Slot key -> values (windows, samples, axes) in the slot's units; ``key.missing`` -> bool (windows, samples)."""
Scorer = Callable[[Batch], NDArray[np.floating[Any]]]
"""A batch to scores (windows, classes), each 0 to 1; what they lack to 1 is what is not known."""

LEAST_PRESENT = 0.5
"""A window is scored where a slot has at least this share of its samples."""
TAP_S = 1e-6
"""Seconds within which two times are one."""
CHUNK_S = 600.0
"""Seconds of a recording that are pushed at once."""


@dataclass(frozen=True)
class Plan:
    """The windows that a model reads: ``length_s`` seconds every ``hop_s``, of each what ``slots`` ask for."""

    slots: tuple[Slot, ...]
    length_s: float
    hop_s: float

    def __post_init__(self) -> None:
        if not (self.slots and 0 < self.hop_s <= self.length_s < np.inf):
            raise ValueError(f"windows need slots and 0 < hop_s <= length_s, given {self.hop_s} and {self.length_s}")


# ------------------------------------------------------------------------------------------------ which stream is which
def matched(slots: Sequence[Slot], contracts: Mapping[str, Contract]) -> dict[str, str]:
    """Slot key -> name of the stream that fills it: the first that fits. A slot without a stream is left out.

    ``ContractError`` where no stream fits any slot, and where a stream would fit but for its gravity or units.
    """
    for name, contract in contracts.items():
        contract.check(name)
    out = {}
    for slot in slots:
        names = [name for name, contract in contracts.items() if slot.fits(contract)]
        if names:
            signal.convert(np.zeros(1), slot.quantity, contracts[names[0]].units, slot.wanted_units)
            out[slot.key] = names[0]
            continue
        other = next((n for n, c in contracts.items() if replace(slot, gravity=None).fits(c)), None)
        if other is not None:
            hint = "Give the raw accelerometer, or a model for acceleration without gravity."
            given = "without" if slot.gravity else "with"
            raise ContractError(other, "gravity", f"{'with' if slot.gravity else 'without'} gravity", given, hint)
    if not out:
        wanted = ", ".join(f"{s.quantity} at {s.placement or 'any place'}" for s in slots)
        given = ", ".join(f"{c.quantity} at {c.placement or 'no place'}" for c in contracts.values()) or "nothing"
        hint = "Name the placement if it is the same sensor under another name."
        raise ContractError(next(iter(contracts), "(none)"), "stream", wanted, given, hint)
    return out


def _shape(contract: Contract) -> tuple[int, ...]:
    """Of one sample of sensors or poses."""
    axes = (len(contract.axes),)
    return (len(SKELETONS[contract.skeleton].joints), *axes) if contract.skeleton else axes


def ordered(contract: Contract, values: NDArray[Any]) -> NDArray[Any]:
    """Samples with their axes in the order x, y, z, whatever order their contract names."""
    if contract.modality != "imu" or contract.axes == ("x", "y", "z") or set(contract.axes) != {"x", "y", "z"}:
        return values
    return values[..., [contract.axes.index(axis) for axis in "xyz"]]


# ------------------------------------------------------------------------------------------------ one stream's samples
@dataclass
class _Kept:
    """The samples of one stream from ``first`` on. ``times`` is ``None`` while they come without: an even clock."""

    name: str
    contract: Contract
    start_s: float = 0.0
    first: int = 0
    values: NDArray[np.float32] | None = None
    times: NDArray[np.float64] | None = None
    timed: bool | None = None
    ended: bool = False

    @property
    def period(self) -> float:
        return 1.0 / self.contract.rate_hz

    @property
    def count(self) -> int:
        return 0 if self.values is None else len(self.values)

    def time(self, index: int) -> float:
        """Of the sample ``index`` of those that are kept."""
        if self.times is not None:
            return float(self.times[index])
        return self.start_s + (self.first + index % self.count) * self.period

    @property
    def reached(self) -> float:
        """The end of the last sample's period; minus infinity before the first."""
        return self.time(-1) + self.period if self.count else -np.inf

    def add(self, values: NDArray[np.float32], times: NDArray[np.float64] | None) -> None:
        if self.timed is None:
            self.timed = times is not None
        if self.timed != (times is not None):
            raise ContractError(self.name, "times", "always or never", "sometimes", "Push them with every sample.")
        self.values = values if self.values is None else np.concatenate([self.values, values])
        if times is None:
            return
        self.times = times if self.times is None else np.concatenate([self.times, times])
        if len(self.times) > 1 and (np.diff(self.times) <= 0).any():
            self.times, keep = np.unique(self.times, return_index=True)  # of two at one moment the first that came
            self.values = self.values[keep]

    def drop(self, before_s: float) -> None:
        """Forget samples earlier than ``before_s``, but not the last: it tells how far the stream has come."""
        if self.values is None or self.count == 0:
            return
        if self.times is not None:
            gone = min(int(np.searchsorted(self.times, before_s)), self.count - 1)
            self.times = self.times[gone:].copy()
        else:
            gone = int(np.clip(np.floor((before_s - self.start_s) / self.period) - self.first, 0, self.count - 1))
        self.values = self.values[gone:].copy()
        self.first += gone

    def stream(self) -> Stream:
        assert self.values is not None
        start = self.start_s + self.first * self.period
        return Stream.of(self.name, self.contract, self.values, start_s=start, times=self.times)

    def next_time(self, after_s: float) -> float:
        """The first sample that is kept at or after ``after_s``; infinity where there is none."""
        if self.times is not None:
            at = int(np.searchsorted(self.times, after_s - TAP_S))
        else:
            at = max(0, int(np.ceil((after_s - self.start_s - TAP_S) / self.period)) - self.first) if self.count else 0
        return self.time(at) if at < self.count else np.inf


# ------------------------------------------------------------------------------------------------ windows as they fill
class Windows:
    """Windows of a plan from samples that are pushed: ``(times (n, 2), batch)`` of those that are complete.

    ``contracts``: of every stream that may come, by name. Samples of a stream may come up to ``late_s`` after newer
    ones of it. A window is cut once all streams have passed its end by that, or one has by ``wait_s`` more: what comes
    later is lost, and counted in ``late``. Windows of which every slot lacks more than half (``LEAST_PRESENT``) are
    left out. Not more is kept than a window, ``late_s`` and ``wait_s`` need.
    """

    def __init__(
        self,
        plan: Plan,
        contracts: Mapping[str, Contract],
        *,
        late_s: float = 0.0,
        wait_s: float = 1.0,
        batch: int = 256,
    ) -> None:
        if not (late_s >= 0 and wait_s >= 0):
            raise ValueError(f"late_s and wait_s must be 0 or more, given {late_s} and {wait_s}")
        self.plan, self.late_s, self.wait_s, self.batch, self.late = plan, late_s, wait_s, batch, 0
        self.streams = matched(plan.slots, contracts)
        used = {name: contracts[name] for name in self.streams.values()}
        self.ignored = [name for name in contracts if name not in used]
        self._kept = {name: _Kept(name, contract) for name, contract in used.items()}
        self._margin = 2.0 * max(1.0 / c.rate_hz for c in used.values())
        self._origin: float | None = None  # where the first window starts: at the first sample
        self._next = 0  # number of the window that comes next
        self._done = -np.inf  # samples before this are not needed any more

    @property
    def held(self) -> int:
        """Samples that are kept now, of all streams."""
        return sum(kept.count for kept in self._kept.values())

    def push(
        self, name: str, values: ArrayLike, times: ArrayLike | None = None, *, start_s: float | None = None
    ) -> Iterator[tuple[NDArray[np.float64], dict[str, NDArray[Any]]]]:
        """Samples ``(n, axes)`` of a stream, NaN where missing, with ``times`` (n,) in seconds in any order.

        Without times they follow the last ones by the contract's rate; the first is at ``start_s`` (0). Streams that
        no slot asks for are ignored. ``ContractError`` for a stream that was not declared or of another shape.
        """
        if name in self.ignored:
            return iter(())
        if name not in self._kept:
            hint = "Declare it with its contract before the first sample."
            raise ContractError(name, "stream", f"one of {', '.join(self._kept)}", "another", hint)
        kept = self._kept[name]
        if kept.ended:
            raise ValueError(f"stream '{name}' has ended: nothing can be pushed after")
        if start_s is not None and not kept.count:
            kept.start_s = float(start_s)
        self._take(kept, values, times)
        return self._ready(final=False)

    def _take(self, kept: _Kept, values: ArrayLike, times: ArrayLike | None) -> None:
        contract = kept.contract
        x = np.asarray(values, np.float32)
        wanted = _shape(contract)
        if x.shape[1:] != wanted:
            expected = f"(samples, {', '.join(map(str, wanted))})"
            raise ContractError(kept.name, "shape", expected, str(x.shape), "One row for each sample.")
        x = ordered(contract, x)
        if times is None:
            if len(x):
                kept.add(x, None)
            return
        t = np.asarray(times, np.float64)
        if t.shape != (len(x),):
            raise ContractError(kept.name, "times", f"one for each of {len(x)} samples", str(t.shape))
        good = np.isfinite(t) & (t >= self._done)
        self.late += int((np.isfinite(t) & ~good).sum())
        if good.any() or kept.timed is None:
            kept.add(x[good], t[good])

    def end(self, name: str) -> Iterator[tuple[NDArray[np.float64], dict[str, NDArray[Any]]]]:
        """No more comes of a stream: windows need not wait for it."""
        if name in self._kept:
            self._kept[name].ended = True
        return self._ready(final=False)

    def finish(self) -> Iterator[tuple[NDArray[np.float64], dict[str, NDArray[Any]]]]:
        """The windows that are still open; the last of them go past the end, where samples are missing."""
        return self._ready(final=True)

    # -------------------------------------------------------------------------------------------- which are complete
    def _ready(self, *, final: bool) -> Iterator[tuple[NDArray[np.float64], dict[str, NDArray[Any]]]]:
        while spans := self._spans(final):
            batch = self._cut(spans)
            last = spans[-1][0] + self.plan.hop_s
            self._done = last - self._margin
            for kept in self._kept.values():
                kept.drop(self._done)
            times = np.array(spans)
            some = np.zeros(len(spans), bool)
            for slot in self.plan.slots:
                if slot.key in batch:
                    some |= batch[f"{slot.key}.missing"].mean(1) <= 1 - LEAST_PRESENT
            if some.any():
                yield times[some], {key: value[some] for key, value in batch.items()}

    def _spans(self, final: bool) -> list[tuple[float, float]]:
        """Start and end of the windows that are complete, at most ``batch``; silent stretches are passed over."""
        filled = [k for k in self._kept.values() if k.count]
        if not filled:
            return []
        length, hop = self.plan.length_s, self.plan.hop_s
        newest = max(k.reached for k in filled)
        waiting = [k.reached - (self.late_s if k.timed else 0.0) for k in self._kept.values() if not k.ended]
        # all that is before this is here
        sure = max(min(waiting, default=newest), newest - self.late_s - self.wait_s) - self._margin
        sure = np.inf if final else sure
        if self._origin is None:
            begin = min(k.time(0) for k in filled)
            if begin + length > sure:
                return []
            self._origin = begin
        spans: list[tuple[float, float]] = []
        while len(spans) < self.batch:
            start = self._origin + self._next * hop
            covered = self._next > 0 and start + length - hop >= newest - TAP_S
            if start + length > sure + TAP_S or start >= newest - TAP_S or (final and covered):
                break
            first = min(k.next_time(start) for k in filled)
            if first >= start + length - TAP_S:
                silent = int(np.floor((min(first, sure, newest) - length - self._origin) / hop - TAP_S)) + 1
                self._next = max(self._next + 1, silent)
                continue
            spans.append((start, start + length))
            self._next += 1
        return spans

    def _cut(self, spans: Sequence[tuple[float, float]]) -> dict[str, NDArray[Any]]:
        out: dict[str, NDArray[Any]] = {}
        for slot in self.plan.slots:
            kept = self._kept.get(self.streams.get(slot.key, ""))
            if kept is None:
                continue
            if not kept.count:
                out[slot.key] = np.zeros((len(spans), slot.samples, *_shape(kept.contract)), np.float32)
                out[f"{slot.key}.missing"] = np.ones((len(spans), slot.samples), bool)
                continue
            stream = kept.stream()
            parts = [excerpt(stream, slot, start, end) for start, end in spans]
            values = np.stack([part[0] for part in parts])
            out[slot.key] = signal.convert(values, slot.quantity, kept.contract.units, slot.wanted_units)
            out[f"{slot.key}.missing"] = np.stack([part[1] for part in parts])
        return out


# ------------------------------------------------------------------------------------------------ scores and spans
@dataclass(frozen=True)
class Smoothing:
    """How window scores become spans: see ``timeline.Smoother``."""

    enter: float = 0.5
    leave: float = 0.35
    min_duration_s: float = 0.0
    smooth_s: float = 0.0


@dataclass
class Live:
    """Recognition while samples come. ``labels``: of the scores that ``score`` gives; ``rhythms``: of the activities
    whose repetitions are counted.

    A window speaks for the ``hop_s`` about its middle, the first also for what is before, the last for what is after.
    """

    plan: Plan
    contracts: Mapping[str, Contract]
    score: Scorer
    labels: Sequence[str]
    smoothing: Smoothing = Smoothing()
    late_s: float = 0.0
    wait_s: float = 1.0
    keep_scores: bool = False
    rhythms: Mapping[str, Rhythm] = field(default_factory=dict)
    windows: Windows = field(init=False)

    def __post_init__(self) -> None:
        self.windows = Windows(self.plan, self.contracts, late_s=self.late_s, wait_s=self.wait_s)
        how = self.smoothing
        self._smoother = Smoother(
            self.labels, enter=how.enter, leave=how.leave, min_duration_s=how.min_duration_s, smooth_s=how.smooth_s
        )
        self._tape = Tape(self.plan.slots, self.plan.length_s, self.rhythms) if self.rhythms else None
        # of the last window: end of its part, of itself, scores, samples
        self._last: tuple[float, float, NDArray[Any], Batch] | None = None
        self.scored: list[tuple[float, float, NDArray[Any]]] = []

    def push(
        self, name: str, values: ArrayLike, times: ArrayLike | None = None, *, start_s: float | None = None
    ) -> list[Span]:
        """Samples of a stream (see ``Windows.push``); the spans that they close."""
        return self._spans(self.windows.push(name, values, times, start_s=start_s))

    def end(self, name: str) -> list[Span]:
        """No more comes of a stream."""
        return self._spans(self.windows.end(name))

    def finish(self) -> list[Span]:
        """The spans that were open."""
        return self._spans(self.windows.finish()) + self.done()

    def take(self, times: NDArray[np.float64], batch: Batch, scores: ArrayLike) -> list[Span]:
        """The spans that windows close whose ``scores`` somebody else computed: for a server that scores the windows of
        many at once, and so pushes into ``windows`` itself. In the order in which ``windows`` gave them.
        """
        rows = np.asarray(scores, np.float64)
        if rows.shape != (len(times), len(self.labels)):
            raise ValueError(f"a scorer gives ({len(times)}, {len(self.labels)}) scores, given {rows.shape}")
        out: list[Span] = []
        for k, ((start, end), row) in enumerate(zip(times.tolist(), rows, strict=True)):
            window = {} if self._tape is None else {key: value[k] for key, value in batch.items()}
            out += self._one(start, end, row, window)
        return out

    def done(self) -> list[Span]:
        """The spans that were open, once all windows have been taken."""
        return self._close() + self._counted(self._smoother.finish())

    @property
    def current(self) -> Span | None:
        """The span that is open now; it may still be changed."""
        return self._smoother.current

    @property
    def so_far(self) -> Span | None:
        """``current``, to the end of the last window where that is of the same label, and counted so far."""
        span = self.current
        if span is None or self._tape is None or self._last is None:
            return span
        stop, end, row, window = self._last
        if self.labels[int(np.argmax(row))] != span.label or end <= stop + TAP_S:
            return self._tape.counted(span)
        return self._tape.so_far(span._replace(end_s=end), stop, end, end - self.plan.length_s, window)

    def know(self, labels: Sequence[str], rhythms: Mapping[str, Rhythm]) -> None:
        """Other ``labels`` in the scores that come, and other ``rhythms``. What is open goes on, but for a label that
        is gone; what was not counted is counted from here on.
        """
        if self._last is not None:
            stop, end, row, window = self._last
            self._last = (stop, end, moved(row, self.labels, labels), window)
        self._smoother.relabel(labels)
        self.labels, self.rhythms = tuple(labels), rhythms
        if self._tape is not None:
            self._tape.rhythms = dict(rhythms)
        elif rhythms:
            self._tape = Tape(self.plan.slots, self.plan.length_s, rhythms)

    def _spans(self, ready: Iterator[tuple[NDArray[np.float64], dict[str, NDArray[Any]]]]) -> list[Span]:
        return [span for times, batch in ready for span in self.take(times, batch, self.score(batch))]

    def _one(self, start: float, end: float, row: NDArray[Any], window: Batch) -> list[Span]:
        out: list[Span] = []
        half = (self.plan.length_s - self.plan.hop_s) / 2
        if self._last is not None and start > self._last[1] + TAP_S:
            out += self._close()
        begin, stop = start if self._last is None else self._last[0], end - half
        if self.keep_scores:
            self.scored.append((start, end, row))
        out += self._said(begin, stop, start, row, window)
        self._last = (stop, end, row, window)
        return out

    def _close(self) -> list[Span]:
        """The last window before a silence speaks to its end."""
        if self._last is None:
            return []
        stop, end, row, window = self._last
        self._last = None
        return self._said(stop, end, end - self.plan.length_s, row, window) if end > stop + TAP_S else []

    def _said(self, begin: float, stop: float, start: float, row: NDArray[Any], window: Batch) -> list[Span]:
        """The window that starts at ``start`` speaks for ``[begin, stop)``."""
        if self._tape is not None:
            self._tape.add(begin, stop, start, window)
        spans = self._counted(self._smoother.push(begin, stop, row))
        if self._tape is not None:
            self._tape.forget(self._smoother.since(self.rhythms))
        return spans

    def _counted(self, spans: list[Span]) -> list[Span]:
        return spans if self._tape is None else [self._tape.counted(span) for span in spans]


def recognize(
    recording: Recording,
    plan: Plan,
    score: Scorer,
    labels: Sequence[str],
    smoothing: Smoothing = Smoothing(),
    rhythms: Mapping[str, Rhythm] | None = None,
) -> Timeline:
    """The timeline of a recording: all its streams pushed into ``Live``, ``CHUNK_S`` at a time, nothing held whole."""
    streams = recording.streams
    contracts = {name: stream.contract for name, stream in streams.items()}
    live = Live(plan, contracts, score, labels, smoothing, wait_s=np.inf, keep_scores=True, rhythms=rhythms or {})
    used = [streams[name] for name in dict.fromkeys(live.windows.streams.values())]
    at = {stream.name: 0 for stream in used}
    spans: list[Span] = []
    until = min((s.clock(0, 1)[0] for s in used if s.length), default=0.0)
    while at:
        until += CHUNK_S
        for stream in [s for s in used if s.name in at]:
            start, stop = at[stream.name], stream.index_at(until)
            if stop > start:
                values = np.array(stream.values(start, stop), np.float32)
                values[stream.mask(start, stop)] = np.nan
                times = None if stream.times is None else stream.clock(start, stop)
                spans += live.push(stream.name, values, times, start_s=stream.start_s)
                at[stream.name] = stop
            if stop >= stream.length:
                del at[stream.name]
                spans += live.end(stream.name)
        if at:
            upcoming = min(float(streams[name].clock(i, i + 1)[0]) for name, i in at.items())
            until = max(until, upcoming)  # over a silence of days in one step
    spans += live.finish()
    kept = Scores(
        np.array([row[:2] for row in live.scored], np.float64).reshape(-1, 2),
        np.array([row[2] for row in live.scored], np.float64).reshape(-1, len(labels)),
    )
    return Timeline(tuple(spans), tuple(labels), recording.id, recording.source, kept)
