"""Windows of a corpus: where they are (``WindowIndex``) and what a model reads of them (``Slot``, ``read``).

Indices are made from recording ids, so a split comes first and windows cannot cross it. A window is a span of
seconds; every stream of the recording is cut to that span and brought to the number of samples its slot asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo import signal
from kinjo.corpus.errors import CorpusError
from kinjo.corpus.store import Corpus, StreamEntry
from kinjo.corpus.video import GOP, resize
from kinjo.excerpt import Slot, excerpt
from kinjo.recording import Segment, Stream

NULL = ""
"""The label of a window that lies in no labelled segment. Always number 0 of ``WindowIndex.labels``."""

LabelRule = Callable[[Sequence[Segment], NDArray[np.float64], NDArray[np.float64]], Sequence[str]]


@dataclass(frozen=True)
class WindowIndex:
    """Windows, one per row: position of the recording in ``corpus.entries``, span in seconds, number of the label.

    ``labels`` holds all labels of the corpus, sorted, ``NULL`` first: numbers mean the same in every index of a corpus.
    """

    recording: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    label: NDArray[np.int64]
    labels: tuple[str, ...] = (NULL,)

    def __len__(self) -> int:
        return len(self.recording)

    def take(self, rows: Any) -> WindowIndex:
        """The windows of ``rows`` (an index array, a bool mask or a slice)."""
        return WindowIndex(self.recording[rows], self.start_s[rows], self.end_s[rows], self.label[rows], self.labels)

    @property
    def label_names(self) -> NDArray[np.object_]:
        """The label of each window in words."""
        return np.array(self.labels, object)[self.label]


def centre_label(
    segments: Sequence[Segment], start_s: NDArray[np.float64], end_s: NDArray[np.float64]
) -> Sequence[str]:
    """The label of the segment that covers each window's centre, else ``NULL``; of several, the one that began last."""
    centre = (start_s + end_s) / 2
    labels = np.full(len(centre), NULL, object)
    for segment in sorted(segments, key=lambda s: s.start_s):
        labels[(centre >= segment.start_s) & (centre < segment.end_s)] = segment.label
    return labels.tolist()


def segment_windows(corpus: Corpus, ids: Iterable[str]) -> WindowIndex:
    """One window per labelled segment of the recordings ``ids``, as long as the segment."""
    rows = [
        (number, segment.start_s, segment.end_s, segment.label)
        for number in map(corpus.number, ids)
        for segment in corpus.entries[number].segments
        if segment.label
    ]
    return _index(corpus, rows)


def sliding_windows(
    corpus: Corpus, ids: Iterable[str], length_s: float, hop_s: float, *, label_rule: LabelRule = centre_label,
    least: float = 1.0,
) -> WindowIndex:  # fmt: skip
    """Windows of ``length_s`` seconds every ``hop_s`` seconds, all of them within the recording's streams.

    With ``least`` below 1 so much of a window is enough, and every recording has at least one.
    """
    if not (length_s > 0 and hop_s > 0):
        raise ValueError(f"length_s and hop_s must be positive, given {length_s} and {hop_s}")
    rows: list[tuple[int, float, float, str]] = []
    for number in map(corpus.number, ids):
        entry = corpus.entries[number]
        count = int(np.floor((entry.end_s - entry.begin_s - least * length_s) / hop_s + 1e-6)) + 1
        count = max(count, 1) if least < 1 else count
        starts = np.array([entry.begin_s + k * hop_s for k in range(count)], np.float64)
        labels = label_rule(entry.segments, starts, np.asarray(starts + length_s, np.float64))
        rows += [(number, s, s + length_s, label) for s, label in zip(starts.tolist(), labels, strict=True)]
    return _index(corpus, rows)


def _index(corpus: Corpus, rows: Sequence[tuple[int, float, float, str]]) -> WindowIndex:
    known = {segment.label for entry in corpus.entries for segment in entry.segments} | {row[3] for row in rows}
    labels = (NULL, *sorted(known - {NULL}))
    number = {label: k for k, label in enumerate(labels)}
    recording, start_s, end_s, names = zip(*rows, strict=True) if rows else ((), (), (), ())
    return WindowIndex(
        np.array(recording, np.int64),
        np.array(start_s, np.float64),
        np.array(end_s, np.float64),
        np.array([number[name] for name in names], np.int64),
        labels,
    )


def read(
    corpus: Corpus, index: WindowIndex, rows: Any, slots: Sequence[Slot]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.bool_]]]:
    """What a model reads of the windows ``rows``: values ``(rows, samples, *shape)`` and missing ``(rows, samples)``.

    Sample ``k`` of ``n`` stands at normalised time ``(k + .5) / n`` of the window. A window that has exactly
    ``samples`` native samples is copied as it is; others are resampled (``signal.resample_to``), video takes the
    nearest frame. Where a stream is absent, ends early or misses samples, values are 0 and missing is ``True``.
    Values are in the slot's units. Raises ``CorpusError`` where streams that fill one slot differ in shape.
    """
    recordings, start, end = index.recording[rows], index.start_s[rows], index.end_s[rows]
    values: dict[str, NDArray[np.float32]] = {}
    missing: dict[str, NDArray[np.bool_]] = {}
    for slot in slots:
        values[slot.key], missing[slot.key] = _read_slot(corpus, slot, recordings, start, end)
    return values, missing


@dataclass
class _Plan:
    """For one slot, per recording of the corpus: its stream, its clock, and whether the quick way may be taken."""

    entries: list[StreamEntry | None]
    shapes: list[tuple[int, ...]]
    shape: NDArray[np.int64]
    plain: NDArray[np.bool_]
    start_s: NDArray[np.float64]
    rate: NDArray[np.float64]
    length: NDArray[np.int64]
    odd_units: dict[str, NDArray[np.bool_]]
    views: list[NDArray[np.float32] | None]
    streams: dict[int, Stream] = field(default_factory=dict)


def _plan(corpus: Corpus, slot: Slot) -> _Plan:
    """The plan of a slot, made once per corpus."""
    if slot not in corpus.plans:
        entries = [next((s for s in entry.streams if slot.fits(s.contract)), None) for entry in corpus.entries]
        shapes = list(dict.fromkeys(_shape(slot, e) for e in entries if e is not None)) or [_shape(slot, None)]
        plain = [e is not None and slot.modality != "video" and _plain(e) for e in entries]
        units = {e.contract.units for e in entries if e is not None} - {slot.wanted_units}
        corpus.plans[slot] = _Plan(
            entries,
            shapes,
            np.array([-1 if e is None else shapes.index(_shape(slot, e)) for e in entries], np.int64),
            np.array(plain, bool),
            np.array([0.0 if e is None else e.start_s for e in entries]),
            np.array([1.0 if e is None else e.contract.rate_hz for e in entries]),
            np.array([0 if e is None else e.length for e in entries], np.int64),
            {u: np.array([e is not None and e.contract.units == u for e in entries], bool) for u in sorted(units)},
            [None] * len(entries),
        )
    return corpus.plans[slot]


def _plain(entry: StreamEntry) -> bool:
    """Whether windows may be cut from a view of the whole stream; over several shard rows that would be a copy."""
    return entry.finite and not entry.timed and not entry.masked and len(entry.rows) == 1


def _shape(slot: Slot, entry: StreamEntry | None) -> tuple[int, ...]:
    """Shape of a sample as the slot gives it; where the corpus has no such stream, that of the modality."""
    if slot.modality == "video":
        size = slot.size or (entry.shape[:2] if entry else (1, 1))
        return (*size, 3) if slot.quantity == "rgb" else tuple(size)
    return entry.shape if entry else (3,) if slot.modality == "imu" else (1, 3)


def _read_slot(
    corpus: Corpus, slot: Slot, recordings: NDArray[np.int64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    plan, n = _plan(corpus, slot), slot.samples
    shape = _common_shape(slot, plan, recordings)
    offset, rate = plan.start_s[recordings], plan.rate[recordings]
    first = np.ceil((start - offset) * rate - 1e-6).astype(np.int64)
    last = np.ceil((end - offset) * rate - 1e-6).astype(np.int64)
    quick = plan.plain[recordings] & (last - first == n) & (first >= 0) & (last <= plan.length[recordings])
    values = np.empty((len(recordings), n, *shape), np.float32)
    if quick.all() and len(quick):
        spans = zip(recordings.tolist(), first.tolist(), last.tolist(), strict=True)
        np.concatenate([_view(corpus, plan, r)[a:b] for r, a, b in spans], out=values.reshape(-1, *shape))
        missing = np.zeros((len(recordings), n), bool)
    else:
        missing = np.ones((len(recordings), n), bool)
        for k, r in enumerate(recordings.tolist()):
            if quick[k]:
                values[k], missing[k] = _view(corpus, plan, r)[first[k] : last[k]], False
            elif plan.entries[r] is None:
                values[k] = 0.0
            else:
                pick = _frames if slot.modality == "video" else excerpt
                values[k], missing[k] = pick(_stream(corpus, plan, r), slot, float(start[k]), float(end[k]))
    for units, where in plan.odd_units.items():
        some = where[recordings]
        if some.any():
            values[some] = signal.convert(values[some], slot.quantity, units, slot.wanted_units)
    return values, missing


def _common_shape(slot: Slot, plan: _Plan, recordings: NDArray[np.int64]) -> tuple[int, ...]:
    if len(plan.shapes) == 1:
        return plan.shapes[0]
    used = np.unique(plan.shape[recordings])
    used = used[used >= 0]
    if len(used) > 1:
        raise CorpusError(
            f"slot '{slot.key}': streams of shapes {[plan.shapes[k] for k in used]} cannot share a batch. Ask for one "
            "skeleton (Slot.skeleton) or one size (Slot.size), or bring the recordings to one before corpus.write."
        )
    return plan.shapes[used[0]] if len(used) else plan.shapes[0]


def _view(corpus: Corpus, plan: _Plan, recording: int) -> NDArray[np.float32]:
    view, entry = plan.views[recording], plan.entries[recording]
    if view is None:
        assert entry is not None
        view = plan.views[recording] = corpus.view(entry)
    return view


def _stream(corpus: Corpus, plan: _Plan, recording: int) -> Stream:
    entry = plan.entries[recording]
    if recording not in plan.streams:
        assert entry is not None
        plan.streams[recording] = corpus.stream(entry)
    return plan.streams[recording]


def _frames(stream: Stream, slot: Slot, start: float, end: float) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The frames nearest to the normalised times of the span, at the slot's size, and which are missing."""
    n, rate = slot.samples, stream.contract.rate_hz
    moments = (np.arange(n) + 0.5) / n
    if stream.times is None:
        first, last = (np.ceil((t - stream.start_s) * rate - 1e-6) for t in (start, end))
        at = np.floor(first + moments * (last - first)).astype(np.int64)
        absent = (at < 0) | (at >= stream.length)
    else:
        seconds = start + moments * (end - start)
        at = np.searchsorted(stream.times, seconds + 1e-9, "right") - 1
        absent = (at < 0) | (seconds - stream.times[np.maximum(at, 0)] > 2.0 / rate)
    present = at[~absent]
    if stream.missing is not None:
        absent[~absent] = stream.missing[present]
        present = at[~absent]
    shape = stream.values(0, 0).shape[1:]
    size = slot.size or (shape[0], shape[1])
    values = np.zeros((n, *size, *shape[2:]), np.float32)
    if len(present):
        values[~absent] = resize(_picked(stream, present), size, holes=slot.quantity == "depth")
    return values, absent


def _picked(stream: Stream, at: NDArray[np.int64]) -> NDArray[Any]:
    """Frames ``at`` (rising): one run over the file, or a seek for each where they lie far apart."""
    low, high = int(at[0]), int(at[-1]) + 1
    if high - low <= len(at) * GOP:
        return stream.values(low, high)[at - low]
    return np.concatenate([stream.values(int(k), int(k) + 1) for k in at])
