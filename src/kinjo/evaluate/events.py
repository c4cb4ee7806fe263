"""Timelines against the truth: events found, time named right, and what kinds of faults there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kinjo.evaluate.intervals import Interval, interval
from kinjo.evaluate.metrics import macro_f1
from kinjo.timeline import UNKNOWN, Span, Timeline


@dataclass(frozen=True)
class Events:
    """Of several recordings together.

    ``f1``: events (``Timeline.matches``). ``frame_accuracy``: the share of the time with the right
    label, UNKNOWN included. ``insertions``: found events that touch no true one of their label, ``deletions``: true
    ones that none of their label touches, ``fragmented``: true ones that several touch, ``merged``: found ones that
    touch several (after Ward et al. 2011). ``counts`` is (recordings, 3): matched, found, true; ``per_class`` the same
    three by label, of all recordings. ``macro_f1``: mean event F1 of the labels that are in the truth (1.0 where none
    is and nothing is found). ``frame_macro_f1``: mean F1 over time of the labels in the truth, UNKNOWN (idle) included.
    """

    f1: float
    ci95: Interval
    frame_accuracy: float
    insertions: int
    deletions: int
    fragmented: int
    merged: int
    counts: NDArray[np.intp] = field(repr=False)
    macro_f1: float
    frame_macro_f1: float
    per_class: dict[str, tuple[int, int, int]] = field(repr=False)


def events(
    found: Sequence[Timeline], truth: Sequence[Timeline], groups: Sequence[str], rng: np.random.Generator,
    *, iou: float = 0.5, bootstrap: int = 2000,
) -> Events:  # fmt: skip
    """Recording by recording. The interval is 95 % of a bootstrap over ``groups`` (subjects, one per recording).

    Events match at ``iou`` or more.
    ``ValueError`` where lengths differ or the timelines cover no time at all.
    """
    if not len(found) == len(truth) == len(groups) or not found:
        raise ValueError(f"a truth and a group for every timeline: given {len(found)}, {len(truth)}, {len(groups)}")
    per_class: dict[str, NDArray[np.intp]] = {}
    counts = np.zeros((len(found), 3), np.intp)
    for row, (a, b) in enumerate(zip(found, truth, strict=True)):
        for label in sorted({span.label for span in (*a, *b)} - {UNKNOWN}):
            one, real = _only(a, label), _only(b, label)
            counted = one.matches(real, iou)
            counts[row] += counted
            per_class[label] = per_class.get(label, np.zeros(3, np.intp)) + counted
    names, where = np.unique(np.asarray(groups), return_inverse=True)
    pooled = np.stack([np.bincount(where, column, len(names)) for column in counts.T], 1)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=bootstrap)
    right, frames = _frames(found, truth)
    kinds = np.sum([_faults(a, b) for a, b in zip(found, truth, strict=True)], axis=0)
    real = [c for c in per_class.values() if c[2]]
    return Events(
        float(_f1(counts.sum(0))), interval(_f1(weights @ pooled)), right,
        int(kinds[0]), int(kinds[1]), int(kinds[2]), int(kinds[3]), counts,
        float(_f1(np.stack(real)).mean()) if real else float(not per_class), frames,
        {label: (int(c[0]), int(c[1]), int(c[2])) for label, c in sorted(per_class.items())},
    )  # fmt: skip


def _events(timeline: Timeline) -> list[Span]:
    return [span for span in timeline if span.label != UNKNOWN]


def _only(timeline: Timeline, label: str) -> Timeline:
    return replace(timeline, segments=tuple(span for span in timeline if span.label == label), scores=None)


def _f1(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    """Of (..., 3) counts; 1.0 where nothing is found and nothing is true."""
    total = counts[..., 1] + counts[..., 2]
    return np.where(total > 0, 2.0 * counts[..., 0] / np.maximum(total, 1), 1.0)


def _frames(found: Sequence[Timeline], truth: Sequence[Timeline]) -> tuple[float, float]:
    """Accuracy and macro-F1 of all time that a timeline or its truth covers."""
    names = (*dict.fromkeys(label for t in (*truth, *found) for label in t.labels), UNKNOWN)
    seconds = np.zeros((len(names), len(names)))
    for a, b in zip(found, truth, strict=True):
        own, part = a.confusion(b)
        at = [names.index(name) for name in own]
        seconds[np.ix_(at, at)] += part
    if not seconds.any():
        raise ValueError("neither the timelines nor their truths cover any time")
    return float(np.trace(seconds) / seconds.sum()), float(macro_f1(np.round(1e6 * seconds)))  # whole microseconds


def _faults(found: Timeline, truth: Timeline) -> NDArray[np.intp]:
    """Insertions, deletions, fragmented, merged."""
    a, b = _events(found), _events(truth)
    touch = np.array(
        [[x.label == y.label and x.start_s < y.end_s and y.start_s < x.end_s for y in b] for x in a], bool
    ).reshape(len(a), len(b))
    given, asked = touch.sum(1), touch.sum(0)
    return np.array([(given == 0).sum(), (asked == 0).sum(), (asked > 1).sum(), (given > 1).sum()], np.intp)
