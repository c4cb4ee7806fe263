"""How activities repeat, learnt from recordings in which somebody counted, or from an example.

What is learnt is of the sensors that a model reads (its ``Plan``), at the rate at which it reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo import signal
from kinjo.excerpt import excerpt
from kinjo.live import Plan, matched, ordered
from kinjo.recording import Recording
from kinjo.repetitions import Rhythm, rhythm_of, rhythm_seen
from kinjo.tape import LEAST_PRESENT, channels

Channels = NDArray[np.float64]


def stretch(recording: Recording, plan: Plan, start_s: float, end_s: float) -> tuple[Channels, float]:
    """Channels (n, c) of ``[start_s, end_s)`` of a recording as a model of ``plan`` reads it, and their rate in Hz.

    What is missing is bridged; a sensor that lacks more than half is left out, so that ``c`` may be 0.
    """
    used = matched(plan.slots, {name: stream.contract for name, stream in recording.streams.items()})
    rate = max(slot.samples for slot in plan.slots) / plan.length_s
    n, out = max(1, round((end_s - start_s) * rate)), []
    for slot in plan.slots:
        if slot.key not in used:
            continue
        stream = recording.streams[used[slot.key]]
        values, missing = excerpt(stream, replace(slot, samples=n), start_s, end_s)
        if missing.mean() <= 1 - LEAST_PRESENT:
            whole = signal.fill_missing(ordered(stream.contract, values), missing)
            out.append(channels(slot, signal.convert(whole, slot.quantity, stream.contract.units, slot.wanted_units)))
    return (np.concatenate(out, 1) if out else np.zeros((n, 0))), rate


def learn_rhythms(recordings: Iterable[Recording], plan: Plan) -> dict[str, Rhythm]:
    """Label -> its rhythm, from the segments that say how many repetitions they hold. Activities that nobody counted
    have none, nor have those that cannot be counted by these sensors.
    """
    sets: dict[str, list[tuple[Channels, float, int]]] = {}
    for recording in recordings:
        readable = any(slot.fits(stream.contract) for slot in plan.slots for stream in recording.streams.values())
        for segment in recording.segments if readable else ():
            if segment.label and segment.repetitions:
                values, rate = stretch(recording, plan, segment.start_s, segment.end_s)
                if values.size:
                    sets.setdefault(segment.label, []).append((values, rate, segment.repetitions))
    found = {label: rhythm_of(some) for label, some in sorted(sets.items())}
    return {label: rhythm for label, rhythm in found.items() if rhythm is not None}


def taught_rhythm(examples: Sequence[Recording], plan: Plan, counts: Sequence[int] | None) -> Rhythm | None:
    """Of what ``examples`` show from beginning to end, ``counts[i]`` times; ``None``: nobody counted, and it is of the
    longest. ``None`` comes back where it does not repeat, or cannot be counted by these sensors.
    """
    if counts is not None and (len(counts) != len(examples) or min(counts, default=0) < 0):
        raise ValueError(f"repetitions {list(counts)} of {len(examples)} recordings: each needs its number, or 0")
    sets: list[tuple[Channels, float, int]] = []
    for one, count in zip(examples, counts or [0] * len(examples), strict=True):
        used = matched(plan.slots, {name: stream.contract for name, stream in one.streams.items()})
        streams = [one.streams[name] for name in used.values() if one.streams[name].length]
        start, end = min(float(s.clock(0, 1)[0]) for s in streams), max(s.end_s for s in streams)
        values, rate = stretch(one, plan, start, end)
        if values.size:
            sets.append((values, rate, count))
    if counts is not None or not sets:
        return rhythm_of(sets)
    values, rate, _ = max(sets, key=lambda each: len(each[0]))
    return rhythm_seen(values, rate)


def to_dict(rhythms: dict[str, Rhythm]) -> dict[str, Any]:
    """Plain JSON types."""
    return {label: asdict(rhythm) for label, rhythm in rhythms.items()}


def from_dict(told: Any) -> dict[str, Rhythm]:
    """The inverse of ``to_dict``. ``ValueError`` or ``TypeError`` for anything else."""
    return {str(label): Rhythm(**{name: float(x) for name, x in one.items()}) for label, one in dict(told).items()}
