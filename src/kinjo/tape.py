"""The samples of a model's windows, kept for a while, so that what was recognised in them can be counted.

Windows are the same live and offline; so is the tape that is made of them, and so are the counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import takewhile
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kinjo.excerpt import Slot
from kinjo.repetitions import Rhythm, repetitions
from kinjo.timeline import Span

LONGEST_S = 1200.0
"""Seconds that are kept; a span that began earlier has no count."""
USUAL = {"acc": 9.80665, "gyro": 3.0, "mag": 50.0, "position": 0.5}
"""quantity -> what it usually changes by, in canonical units: channels are counted together, all of one scale."""
LEAST_PRESENT = 0.5
"""A slot that lacks more than this share of a span is not counted by."""
TAP_S = 1e-6
"""Seconds within which two times are one."""


class _Part(NamedTuple):
    """``[begin_s, stop_s)`` of a window; slot key -> of its samples there, the time of the first, values (n, ...) and
    missing (n,).
    """

    begin_s: float
    stop_s: float
    samples: dict[str, tuple[float, NDArray[Any], NDArray[np.bool_]]]


class Tape:
    """``rhythms``: of the activities that are counted. ``slots``, ``length_s``: of the windows that will be added."""

    def __init__(self, slots: Sequence[Slot], length_s: float, rhythms: Mapping[str, Rhythm]) -> None:
        self.slots, self.length_s, self.rhythms = tuple(slots), length_s, dict(rhythms)
        self._parts: deque[_Part] = deque()

    def add(self, begin_s: float, stop_s: float, start_s: float, window: Mapping[str, NDArray[Any]]) -> None:
        """Of the window that starts at ``start_s`` the part ``[begin_s, stop_s)``, which follows the one before it.

        ``window``: slot key -> values (samples, ...) in the slot's units; ``key.missing`` -> bool (samples,).
        """
        kept = {}
        for slot in self.slots:
            if slot.key not in window:
                continue
            step = self.length_s / slot.samples  # a sample is the middle of its period
            first, last = (ceil((time - start_s) / step - 0.5 - TAP_S) for time in (begin_s, stop_s))
            part = slice(max(first, 0), last)
            values, missing = window[slot.key][part].copy(), window[f"{slot.key}.missing"][part].copy()
            kept[slot.key] = (start_s + (part.start + 0.5) * step, values, missing)
        self._parts.append(_Part(begin_s, stop_s, kept))
        while self._parts[0].stop_s < stop_s - LONGEST_S:
            self._parts.popleft()

    def forget(self, until_s: float) -> None:
        """What nobody will count: the parts that end by then."""
        while self._parts and self._parts[0].stop_s <= until_s + TAP_S:
            self._parts.popleft()

    def counted(self, span: Span) -> Span:
        """``span`` with its repetitions, where it is of an activity that has a rhythm and all of it is on the tape."""
        rhythm = self.rhythms.get(span.label)
        if rhythm is None or not self._parts or self._parts[0].begin_s > span.start_s + TAP_S:
            return span
        values, rate_hz = self.cut(span.start_s, span.end_s)
        return span._replace(repetitions=repetitions(values, rate_hz, rhythm=rhythm).count if values.size else None)

    def so_far(
        self, span: Span, begin_s: float, stop_s: float, start_s: float, window: Mapping[str, NDArray[Any]]
    ) -> Span:
        """``counted`` as if a part (see ``add``) had been added; nothing is."""
        self.add(begin_s, stop_s, start_s, window)
        try:
            return self.counted(span)
        finally:
            self._parts.pop()

    def cut(self, start_s: float, end_s: float) -> tuple[NDArray[np.float64], float]:
        """Channels (n, c) of ``[start_s, end_s)`` on one clock, and its rate; what is missing is bridged."""
        parts = list(takewhile(lambda part: part.stop_s > start_s, reversed(self._parts)))  # a span closes soon
        rate = max(slot.samples for slot in self.slots) / self.length_s
        grid = start_s + (np.arange(round((end_s - start_s) * rate)) + 0.5) / rate
        out = []
        for slot in self.slots:
            some = [part.samples[slot.key] for part in reversed(parts) if slot.key in part.samples]
            if some:
                step = self.length_s / slot.samples
                times = np.concatenate([first + np.arange(len(values)) * step for first, values, _ in some])
                values, missing = (np.concatenate([one[k] for one in some]) for k in (1, 2))
                inside = (times >= start_s) & (times < end_s)
                times, values, missing = times[inside], values[inside], missing[inside]
                least = LEAST_PRESENT * (end_s - start_s) * slot.samples / self.length_s
                if (~missing).sum() >= max(least, 2):
                    known = channels(slot, values[~missing])
                    out += [np.interp(grid, times[~missing], channel) for channel in known.T]
        return (np.stack(out, 1) if out else np.zeros((len(grid), 0))), rate


def channels(slot: Slot, values: NDArray[Any]) -> NDArray[np.float64]:
    """Samples (n, ...) of a slot as channels (n, c) of the scale that all share; of a body, about its middle."""
    x = np.asarray(values, np.float64)
    if slot.quantity == "position":
        x = x - x.mean(1, keepdims=True)
    return x.reshape(len(x), -1) / USUAL.get(slot.quantity, 1.0)
