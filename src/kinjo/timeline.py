"""Timeline: what was recognised in a recording over time, and the one way from window scores to it.

Windows overlap and scores flicker. ``Smoother`` averages the windows that cover a moment, smooths over ``smooth_s``
seconds, applies hysteresis (a label starts at ``enter`` and lasts down to ``leave``) and removes spans shorter than
``min_duration_s``. It takes one window at a time, so that a live stream and ``Timeline.from_scores`` share it.
Times are seconds on the recording's clock, kept to the microsecond. Time that no window covers has no span;
covered time in which no label is sure is ``UNKNOWN``.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, overload
from uuid import uuid4

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.classes import moved
from kinjo.recording import Segment
from kinjo.timeline_plot import draw

UNKNOWN = "unknown"
"""The label of covered time in which nothing reached its threshold."""

FORMAT = 1
"""Format number of the JSON file."""


class Span(NamedTuple):
    """``[start_s, end_s)`` with one label. ``confidence``: mean score of the label; of UNKNOWN, 1 - mean best score.
    ``repetitions``: how often it was done, ``None`` where nobody counted.
    """

    start_s: float
    end_s: float
    label: str
    confidence: float = 1.0
    repetitions: int | None = None


class Scores(NamedTuple):
    """The windows behind a timeline: ``times (n, 2)`` start and end in seconds, ``values (n, classes)``."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass
class _Run:
    """A stretch with one decision: ``label`` is a class, or -1 for unknown; the rest are integrals over time."""

    start: float
    end: float
    label: int
    mass: NDArray[np.float64]  # of the scores (classes,)
    best: float  # of the best score

    def join(self, other: _Run, label: int) -> None:
        self.end, self.label, self.mass, self.best = other.end, label, self.mass + other.mass, self.best + other.best


class Smoother:
    """Window scores in, spans out, one window at a time.

    ``enter`` >= ``leave``: scores at which a label starts and ends; a label also gives way to a better one that
    reaches ``enter``. ``smooth_s``: length of a centred mean. ``min_duration_s``: shorter labelled spans become
    unknown, and shorter unknown spans between two spans of one label become that label; 0 keeps everything.
    """

    def __init__(
        self,
        labels: Sequence[str],
        *,
        enter: float = 0.5,
        leave: float = 0.35,
        min_duration_s: float = 0.0,
        smooth_s: float = 0.0,
    ) -> None:
        self.labels = _vocabulary(labels)
        if not leave <= enter:
            raise ValueError(f"leave {leave} must not be above enter {enter}")
        if not (min_duration_s >= 0 and smooth_s >= 0):
            raise ValueError(f"durations must not be negative: min_duration_s {min_duration_s}, smooth_s {smooth_s}")
        self.enter, self.leave, self.min_duration_s, self.smooth_s = enter, leave, min_duration_s, smooth_s
        self._cursor = -np.inf  # start of the latest window: all before is settled
        self._active: list[tuple[float, NDArray[np.float64]]] = []  # (end, scores) of windows that go on after it
        self._cells: list[tuple[float, float, NDArray[np.float64]]] = []  # (start, end, mean scores), without gaps
        self._next = 0  # first cell that is not yet smoothed
        self._held: list[_Run] = []  # the last one goes on; the others may still be changed by what follows

    def push(self, start_s: float, end_s: float, scores: ArrayLike) -> list[Span]:
        """One window and its scores ``(classes,)``; windows come by start time. The spans that it closes."""
        start, end, values = round(float(start_s), 6), round(float(end_s), 6), np.asarray(scores, np.float64)
        if values.shape != (len(self.labels),) or not np.isfinite(values).all():
            raise ValueError(f"a window needs {len(self.labels)} finite scores, one per label, given {values}")
        if not (np.isfinite(end) and self._cursor <= start < end):
            raise ValueError(f"window [{start_s}, {end_s}) must not be empty nor start before the one before it")
        spans = self._settle(start)
        self._active.append((end, values))
        return spans

    def finish(self) -> list[Span]:
        """The spans that were still open. The smoother is then as new."""
        spans = self._settle(max((end for end, _ in self._active), default=self._cursor)) + self._break()
        self._cursor = -np.inf
        return spans

    def relabel(self, labels: Sequence[str]) -> None:
        """Other labels from now on, told by their names. What is open of one that is gone is unknown."""
        old, self.labels = self.labels, _vocabulary(labels)
        self._active = [(end, moved(values, old, self.labels)) for end, values in self._active]
        self._cells = [(start, end, moved(values, old, self.labels)) for start, end, values in self._cells]
        for run in self._held:
            name = old[run.label] if run.label >= 0 else None
            run.label = self.labels.index(name) if name in self.labels else -1
            run.mass = moved(run.mass, old, self.labels)

    @property
    def current(self) -> Span | None:
        """The span that is open now, as far as it is decided: for a live display. It may still be changed."""
        return self._span(self._held[-1]) if self._held else None

    def since(self, names: Collection[str]) -> float:
        """The start of what is open and is, or may become, a span of one of ``names``; nothing before it ever will."""
        some = (r.start for r in self._held if self._short(r) or (r.label >= 0 and self.labels[r.label] in names))
        return next(some, self._held[-1].end if self._held else -np.inf)

    def _settle(self, until: float) -> list[Span]:
        """Cut the time up to ``until``, which no later window can reach, into cells at every window's end."""
        spans: list[Span] = []
        for end in sorted({min(end, until) for end, _ in self._active} | {until}):
            if end > self._cursor and self._active:
                values = np.mean([scores for _, scores in self._active], axis=0)
                self._cells.append((self._cursor, end, values))
                spans += self._smooth(end)
            elif end > self._cursor:
                spans += self._break()
            self._cursor = end
            self._active = [window for window in self._active if window[0] > end]
        return spans

    def _smooth(self, known_until: float) -> list[Span]:
        """Centred mean for every cell whose surroundings are known."""
        spans, half = [], self.smooth_s / 2
        while self._next < len(self._cells):
            start, end, values = self._cells[self._next]
            middle = (start + end) / 2
            if middle + half > known_until:
                break
            if middle + half > middle:  # else shorter than numbers tell
                overlap = [min(b, middle + half) - max(a, middle - half) for a, b, _ in self._cells]
                values = np.average([v for *_, v in self._cells], axis=0, weights=np.maximum(overlap, 0.0))
            spans += self._decide(start, end, values)
            self._next += 1
            while self._next > 0 and self._cells[0][1] <= end - half:  # later middles lie beyond end
                self._cells.pop(0)
                self._next -= 1
        return spans

    def _decide(self, start: float, end: float, values: NDArray[np.float64]) -> list[Span]:
        """Hysteresis: the label of a cell, given the label before it."""
        held, values = self._held, np.round(values, 9)  # the mean of thrice 0.35 must not fall below 0.35
        label, best = held[-1].label if held else -1, int(np.argmax(values))
        if label < 0 or values[label] < self.leave or values[best] > values[label]:
            if values[best] >= self.enter:
                label = best
            elif label >= 0 and values[label] < self.leave:
                label = -1
        cell = _Run(start, end, label, values * (end - start), float(values[best]) * (end - start))
        if held and held[-1].label == label:
            was_short = self._short(held[-1])
            held[-1].join(cell, label)
            if was_short == self._short(held[-1]):
                return []
        else:
            held.append(cell)
        self._tidy(final=False)
        solid = [k for k, run in enumerate(held) if not self._short(run)]
        before = solid[-1] if solid else 0  # short runs after it may still become a part of it
        spans, self._held = [self._span(run) for run in held[:before]], held[before:]
        return spans

    def _tidy(self, *, final: bool) -> None:
        """Bridge short unknown runs inside a label, and turn short labelled runs that cannot grow into unknown."""
        held = self._held
        while True:
            same = [k for k in range(1, len(held)) if held[k].label == held[k - 1].label]
            gaps = [k for k in range(1, len(held) - 1) if held[k].label < 0 and self._short(held[k])]
            inner = [k for k in gaps if held[k - 1].label == held[k + 1].label]
            open_gap = held[-1].label < 0 and self._short(held[-1])  # the label before it may come back
            settled = len(held) if final else len(held) - (2 if open_gap else 1)
            lost = [k for k in range(settled) if held[k].label >= 0 and self._short(held[k])]
            if same or inner:
                k = (same or inner)[0]
                held[k - 1].join(held.pop(k), held[k - 1].label)
            elif lost:
                held[lost[0]].label = -1
            else:
                return

    def _short(self, run: _Run) -> bool:
        return run.end - run.start < self.min_duration_s - 1e-6

    def _break(self) -> list[Span]:
        """Nothing covers what follows: smooth and close everything."""
        spans = self._smooth(np.inf)
        if self._held:
            self._tidy(final=True)
        spans += [self._span(run) for run in self._held]
        self._cells, self._next, self._held = [], 0, []
        return spans

    def _span(self, run: _Run) -> Span:
        seconds = run.end - run.start
        confidence = run.mass[run.label] / seconds if run.label >= 0 else min(max(1 - run.best / seconds, 0.0), 1.0)
        return Span(run.start, run.end, self.labels[run.label] if run.label >= 0 else UNKNOWN, float(confidence))


@dataclass(frozen=True)
class Timeline:
    """What was recognised in one recording: spans in order, without overlap, and the vocabulary they come from.

    ``scores`` keeps the windows for another threshold (``rethreshold``); it takes no part in comparisons.
    ``ValueError`` for spans that are empty, overlap or use a label that is neither in ``labels`` nor ``UNKNOWN``.
    """

    segments: tuple[Span, ...]
    labels: tuple[str, ...]
    recording: str = ""
    source: str = ""
    scores: Scores | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.labels:
            _vocabulary(self.labels)
        end = -np.inf
        for span in self.segments:
            if not (end <= span.start_s < span.end_s < np.inf):
                raise ValueError(f"{span}: spans must not be empty, come in order and not overlap")
            if span.label != UNKNOWN and span.label not in self.labels:
                raise ValueError(f"{span}: its label is not in the vocabulary {self.labels}")
            end = span.end_s

    @classmethod
    def from_scores(
        cls, times_s: ArrayLike, scores: ArrayLike, labels: Sequence[str], *, enter: float = 0.5, leave: float = 0.35,
        min_duration_s: float = 0.0, smooth_s: float = 0.0, recording: str = "", source: str = "",
        keep_scores: bool = True,
    ) -> Timeline:  # fmt: skip
        """From windows ``times_s (n, 2)`` in any order and their ``scores (n, classes)``; see ``Smoother``."""
        times, values = np.asarray(times_s, np.float64).reshape(-1, 2), np.asarray(scores, np.float64)
        if values.shape != (len(times), len(labels)):
            raise ValueError(f"scores must be ({len(times)} windows, {len(labels)} labels), given {values.shape}")
        order = np.argsort(times[:, 0], kind="stable")
        times, values = times[order], values[order]
        smoother = Smoother(labels, enter=enter, leave=leave, min_duration_s=min_duration_s, smooth_s=smooth_s)
        spans = [span for (a, b), row in zip(times, values, strict=True) for span in smoother.push(a, b, row)]
        kept = Scores(times, values) if keep_scores else None
        return cls(tuple(spans + smoother.finish()), tuple(labels), recording, source, kept)

    def rethreshold(
        self, *, enter: float = 0.5, leave: float = 0.35, min_duration_s: float = 0.0, smooth_s: float = 0.0
    ) -> Timeline:
        """The timeline of the same windows with other settings. ``ValueError`` where no scores were kept."""
        if self.scores is None:
            raise ValueError("this timeline has no window scores: make it with keep_scores=True")
        made = Timeline.from_scores(
            *self.scores, self.labels, enter=enter, leave=leave, min_duration_s=min_duration_s, smooth_s=smooth_s
        )
        return replace(made, recording=self.recording, source=self.source)

    @classmethod
    def from_segments(
        cls, segments: Iterable[Segment], labels: Sequence[str] | None = None, *, recording: str = "", source: str = ""
    ) -> Timeline:
        """The labelled segments of a recording as a timeline (the truth), confidence 1."""
        spans = tuple(sorted((Span(s.start_s, s.end_s, s.label, 1.0, s.repetitions) for s in segments), key=_order))
        return cls(spans, _words(spans) if labels is None else tuple(labels), recording, source)

    def __iter__(self) -> Iterator[Span]:
        return iter(self.segments)

    def __len__(self) -> int:
        return len(self.segments)

    @overload
    def __getitem__(self, key: int) -> Span: ...
    @overload
    def __getitem__(self, key: slice) -> Timeline: ...
    def __getitem__(self, key: int | slice) -> Span | Timeline:
        """``timeline[2]``: a span by number. ``timeline[1.5:20.0]``: the part between two times in seconds; a span that
        is cut loses its count.
        """
        if not isinstance(key, slice):
            return self.segments[key]
        if key.step is not None:
            raise ValueError("a timeline is cut in seconds, [start:end], without a step")
        start, end = -np.inf if key.start is None else key.start, np.inf if key.stop is None else key.stop
        cut = [
            s if start <= s.start_s and s.end_s <= end
            else Span(max(s.start_s, start), min(s.end_s, end), s.label, s.confidence)
            for s in self
        ]  # fmt: skip
        scores = self.scores
        if scores is not None:
            inside = (scores.times[:, 0] < end) & (scores.times[:, 1] > start)
            scores = Scores(scores.times[inside], scores.values[inside])
        return replace(self, segments=tuple(s for s in cut if s.start_s < s.end_s), scores=scores)

    def at(self, time_s: float) -> Span | None:
        """The span that holds ``time_s``, or ``None`` where nothing is covered."""
        index = int(np.searchsorted([span.start_s for span in self], time_s, side="right")) - 1
        return self.segments[index] if index >= 0 and time_s < self.segments[index].end_s else None

    def merge(self, other: Timeline) -> Timeline:
        """Both timelines in one; spans of one label that touch become one, counts that are both known are added.
        ``ValueError`` where they overlap.
        """
        joined: list[Span] = []
        for span in sorted(self.segments + other.segments, key=_order):
            last = joined[-1] if joined else None
            if last is not None and last.end_s == span.start_s and last.label == span.label:
                shares = (last.end_s - last.start_s, span.end_s - span.start_s)
                mean = float(np.average([last.confidence, span.confidence], weights=shares))
                count = None
                if last.repetitions is not None and span.repetitions is not None:
                    count = last.repetitions + span.repetitions
                joined[-1] = Span(last.start_s, span.end_s, span.label, mean, count)
            else:
                joined.append(span)
        labels, scores = tuple(dict.fromkeys(self.labels + other.labels)), None
        if self.scores is not None and other.scores is not None and self.labels == other.labels:
            scores = Scores(*(np.concatenate(pair) for pair in zip(self.scores, other.scores, strict=True)))
        return replace(self, segments=tuple(joined), labels=labels, scores=scores)

    def confusion(self, truth: Timeline) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """``(names, seconds)``: ``seconds[i, j]`` is the time in which ``truth`` is ``names[i]`` and this ``names[j]``.

        The last name is UNKNOWN; time that only one of the two covers is UNKNOWN in the other.
        """
        names = (*dict.fromkeys(truth.labels + self.labels), UNKNOWN)
        cuts = np.unique([time for timeline in (self, truth) for span in timeline for time in span[:2]])
        row, column = truth._numbers(names, cuts[:-1]), self._numbers(names, cuts[:-1])
        covered = (row >= 0) | (column >= 0)
        seconds = np.zeros((len(names), len(names)))
        np.add.at(seconds, (row[covered], column[covered]), np.diff(cuts)[covered])  # -1, not covered, is the last too
        return names, seconds

    def _numbers(self, names: tuple[str, ...], times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Which of ``names`` holds at each of ``times``; -1 where nothing is covered."""
        number = np.array([names.index(span.label) for span in self] + [-1])
        starts, ends = (np.array([span[i] for span in self]) for i in (0, 1))
        index = np.searchsorted(starts, times, side="right") - 1
        return number[np.where((index >= 0) & (times < np.r_[ends, -np.inf][index]), index, len(self))]

    def segment_f1(self, truth: Timeline, iou: float = 0.5) -> float:
        """F1 over whole spans (see ``matches``); 1.0 where both are empty."""
        matched, found, real = self.matches(truth, iou)
        return 2 * matched / (found + real) if found or real else 1.0

    def matches(self, truth: Timeline, iou: float = 0.5) -> tuple[int, int, int]:
        """How many spans match, are found, and are true. One matches where a true span of its label overlaps it by
        ``iou`` or more, each once; UNKNOWN counts on neither side. Sums over recordings give their common F1.
        """
        found, real = ([span for span in t if span.label != UNKNOWN] for t in (self, truth))
        starts, ends = [span.start_s for span in real], [span.end_s for span in real]
        pairs: list[tuple[float, int, int]] = []
        for i, span in enumerate(found):
            first, stop = np.searchsorted(ends, span.start_s, side="right"), np.searchsorted(starts, span.end_s)
            pairs += [(_iou(span, real[j]), i, j) for j in range(first, stop) if real[j].label == span.label]
        used: tuple[set[int], set[int]] = (set(), set())
        for overlap, i, j in sorted(pairs, reverse=True):
            if overlap >= iou and i not in used[0] and j not in used[1]:
                used[0].add(i)
                used[1].add(j)
        return len(used[0]), len(found), len(real)

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """A table with the columns start_s, end_s, label, confidence, repetitions (empty: not counted)."""
        with _atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(Span._fields)
            writer.writerows(self.segments)

    @classmethod
    def from_csv(
        cls, path: str | os.PathLike[str], labels: Sequence[str] | None = None, *, recording: str = "", source: str = ""
    ) -> Timeline:
        """The inverse of ``to_csv``. ``labels``: the vocabulary, by default the labels that occur."""
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if not set(Span._fields[:3]) <= set(rows.fieldnames or ()):
                raise ValueError(f"{path}: expected columns {', '.join(Span._fields)}, found {rows.fieldnames}")
            try:
                spans = tuple(
                    Span(
                        float(r["start_s"]),
                        float(r["end_s"]),
                        r["label"],
                        float(r.get("confidence") or 1.0),
                        int(float(r["repetitions"])) if r.get("repetitions") else None,
                    )
                    for r in rows
                )
            except (ValueError, TypeError) as error:
                raise ValueError(f"{path}: line {rows.line_num}: expected numbers and a label ({error})") from error
        return cls(spans, _words(spans) if labels is None else tuple(labels), recording, source)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Everything, window scores included."""
        scores = self.scores and {"times_s": self.scores.times.tolist(), "values": self.scores.values.tolist()}
        named = {"recording": self.recording, "source": self.source, "labels": self.labels}
        spans = [span._asdict() for span in self.segments]
        with _atomic(path) as temporary:
            content = {"format": FORMAT, **named, "segments": spans, "scores": scores}
            temporary.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Timeline:
        """The inverse of ``to_json``."""
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError(
                f"{path}: timeline format {content.get('format')}, this kinjo reads {FORMAT}: upgrade kinjo"
            )
        labels, kept = tuple(content["labels"]), content["scores"]
        scores = kept and Scores(
            np.array(kept["times_s"], np.float64).reshape(-1, 2),
            np.array(kept["values"], np.float64).reshape(-1, len(labels)),
        )
        spans = tuple(Span(**span) for span in content["segments"])
        return cls(spans, labels, content["recording"], content["source"], scores)

    def to_parquet(self, path: str | os.PathLike[str]) -> None:
        """The table of ``to_csv`` with the recording's id in each row, for other engines. Needs pyarrow."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns: dict[str, Any] = {"recording": pa.array([self.recording] * len(self), pa.string())}
        for i, name in enumerate(Span._fields):
            kind = {"label": pa.string(), "repetitions": pa.int64()}.get(name, pa.float64())
            columns[name] = pa.array([span[i] for span in self], kind)
        with _atomic(path) as temporary:
            pq.write_table(pa.table(columns), temporary)

    def plot(self, path: str | os.PathLike[str], *, truth: Timeline | None = None, title: str = "") -> None:
        """A coloured strip over time (with ``truth``, a second one above it) as PNG, SVG or PDF; counts are written
        into it where there is room. Needs matplotlib.
        """
        rows = {"recognised": self} if truth is None else {"truth": truth, "recognised": self}
        names = tuple(dict.fromkeys(label for timeline in rows.values() for label in timeline.labels))
        bars = {
            name: [(s.start_s, s.end_s, s.label, s.repetitions) for s in timeline] for name, timeline in rows.items()
        }
        with _atomic(path) as temporary:
            draw(temporary, bars, names, UNKNOWN, title or self.recording)


def _order(span: Span) -> tuple[float, float]:
    return span[:2]


def _iou(a: Span, b: Span) -> float:
    shared = max(0.0, min(a.end_s, b.end_s) - max(a.start_s, b.start_s))
    return shared / (a.end_s - a.start_s + b.end_s - b.start_s - shared)


def _words(spans: Iterable[Span]) -> tuple[str, ...]:
    return tuple(sorted({span.label for span in spans} - {UNKNOWN}))


def _vocabulary(labels: Sequence[str]) -> tuple[str, ...]:
    if len(set(labels)) != len(labels) or UNKNOWN in labels or len(labels) == 0:
        raise ValueError(f"labels must be one or more, distinct, and not '{UNKNOWN}', given {tuple(labels)}")
    return tuple(labels)


@contextmanager
def _atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A path to write to, in the same folder and with the same suffix; it replaces ``path`` once all is written."""
    path = Path(path)
    temporary = path.with_name(f".{path.stem}-{uuid4().hex}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
