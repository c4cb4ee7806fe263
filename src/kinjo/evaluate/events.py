"""Timelines against the truth: events found, and what kinds of faults there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinjo.evaluate.intervals import Interval, interval
from kinjo.timeline import UNKNOWN, Timeline


@dataclass(frozen=True)
class Events:
    """Of several recordings together.

    ``f1``: events (``Timeline.matches``). ``frame_accuracy``: the share of the time with the right label, UNKNOWN
    included. ``insertions``: found events that touch no true one of their label, ``deletions``: true ones that none of
    their label touches, ``fragmented``: true ones that several touch, ``merged``: found ones that touch several (after
    Ward et al. 2011). ``counts`` is (recordings, 3): matched, found, true.
    """

    f1: float
    ci95: Interval
    frame_accuracy: float
    insertions: int
    deletions: int
    fragmented: int
    merged: int
    counts: NDArray[np.intp] = field(repr=False)


def events(
    found: Sequence[Timeline], truth: Sequence[Timeline], groups: Sequence[str], rng: np.random.Generator,
    *, iou: float = 0.5, bootstrap: int = 2000,
) -> Events:  # fmt: skip
    """Recording by recording. The interval is 95 % of a bootstrap over ``groups`` (subjects, one per recording)."""
    if not len(found) == len(truth) == len(groups) or not found:
        raise ValueError(f"a truth and a group for every timeline: given {len(found)}, {len(truth)}, {len(groups)}")
    counts = np.array([a.matches(b, iou) for a, b in zip(found, truth, strict=True)], np.intp)
    names, where = np.unique(np.asarray(groups), return_inverse=True)
    pooled = np.stack([np.bincount(where, column, len(names)) for column in counts.T], 1)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=bootstrap)
    right, total, kinds = 0.0, 0.0, np.zeros(4, np.intp)
    for a, b in zip(found, truth, strict=True):
        _, seconds = a.confusion(b)
        right, total = right + float(np.trace(seconds)), total + float(seconds.sum())
        kinds += _faults(a, b)
    return Events(
        float(_f1(counts.sum(0))), interval(_f1(weights @ pooled)), right / max(total, 1e-9),
        int(kinds[0]), int(kinds[1]), int(kinds[2]), int(kinds[3]), counts,
    )  # fmt: skip


def _f1(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    return 2.0 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1)


def _faults(found: Timeline, truth: Timeline) -> NDArray[np.intp]:
    """Insertions, deletions, fragmented, merged."""
    a, b = ([span for span in t if span.label != UNKNOWN] for t in (found, truth))
    touch = np.array(
        [[x.label == y.label and x.start_s < y.end_s and y.start_s < x.end_s for y in b] for x in a], bool
    ).reshape(len(a), len(b))
    given, asked = touch.sum(1), touch.sum(0)
    return np.array([(given == 0).sum(), (asked == 0).sum(), (asked > 1).sum(), (given > 1).sum()], np.intp)
