"""Sessions of the gym: who does what, one thing after another, with idle time between, played as a ``Session``.

Time that lies in no segment is the NULL class: getting ready, getting up, standing about, drinking, looking at a watch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.gym.made_up import number_of
from kinjo.datasets.gym.movement import Movement
from kinjo.datasets.gym.movements import NAMES, movement
from kinjo.datasets.gym.person import Person
from kinjo.datasets.gym.pose import ANGULAR
from kinjo.datasets.gym.postures import change
from kinjo.datasets.gym.score import Score, Span, begun
from kinjo.motion import Motion

Floats = NDArray[np.floating[Any]]

INNER_HZ = 60.0
"""Movement is made at this rate or more, whatever the pose stream's rate."""
FAULTY = 0.35
"""Share of sets with a fault, where the movement has any."""
GETTING_READY_S = 7.0
"""About what a transition and a pause take; for planning."""


@dataclass(frozen=True)
class Task:
    """One thing to do: a set of ``repetitions``, or about ``seconds`` of what is not counted."""

    label: str
    repetitions: int
    seconds: float
    faults: tuple[str, ...] = ()


def plan(rng: np.random.Generator, seconds: float, names: Collection[str] | None = None) -> list[Task]:
    """Tasks that fill about ``seconds``: sets of 4 to 15 repetitions, bouts of 10 to 60 s, in random order.

    Every label of ``names`` (all: ``None``) comes up before one comes up again. Raises ``ValueError`` for a label that
    the gym does not have.
    """
    labels = known(names)
    tasks: list[Task] = []
    left, order = seconds - 3.0, []
    while left > 14.0:
        order = order or [labels[i] for i in rng.permutation(len(labels))]
        tasks.append(_task(rng, movement(order.pop()), left - GETTING_READY_S))
        left -= tasks[-1].seconds + GETTING_READY_S
    return tasks


def _task(rng: np.random.Generator, what: Movement, room_s: float) -> Task:
    """A task that fits into ``room_s``, but has no less than 3 repetitions or 6 s."""
    faults: tuple[str, ...] = ()
    if what.faults and rng.random() < FAULTY:
        faults = (what.faults[int(rng.integers(len(what.faults)))].name,)
    if not what.counted:
        return Task(what.label, 0, float(max(6.0, min(rng.uniform(10.0, 60.0), room_s))), faults)
    cycle = sum(what.seconds) / 2 * 1.1
    count = int(max(3, min(rng.integers(4, 16), room_s / cycle)))
    return Task(what.label, count, count * cycle, faults)


def known(names: Collection[str] | None) -> tuple[str, ...]:
    """``names`` in the gym's order (``None``: all), then made-up ones by number. ``ValueError`` for others, or none."""
    wanted = set(NAMES) if names is None else {names} if isinstance(names, str) else set(names)
    numbered = {name: number for name in wanted if (number := number_of(name)) is not None}
    unknown = sorted(wanted - set(NAMES) - set(numbered))
    if unknown or not wanted:
        raise ValueError(f"the gym has no movement {', '.join(unknown) or '(none named)'}. It has: {', '.join(NAMES)}.")
    return (*(name for name in NAMES if name in wanted), *sorted(numbered, key=lambda name: numbered[name]))


@dataclass(frozen=True)
class Session:
    """What one person did: movement with rotations, what of it was what, and the height of the floor ``(frames,)``."""

    person: Person
    motion: Motion
    spans: tuple[Span, ...]
    floor: Floats


def perform(
    person: Person,
    tasks: Sequence[Task],
    rng: np.random.Generator,
    *,
    seconds: float | None = None,
    rate_hz: float = INNER_HZ,
) -> Session:
    """``person`` does ``tasks``, idling between; cut or filled to ``seconds`` (``None``: as long as it takes)."""
    score = begun(person, rng)
    idle(score, float(rng.uniform(0.5, 3.0)))
    for task in tasks:
        what = movement(task.label)
        faults = [fault for fault in what.faults if fault.name in task.faults]
        score.perform(what, repetitions=task.repetitions, seconds=task.seconds, faults=faults)
        if rng.random() < 0.75:
            idle(score, float(rng.uniform(1.0, 6.0)))
    while seconds is not None and score.now < seconds + 0.5:
        idle(score, min(seconds + 1.0 - score.now, 6.0))
    motion = score.play(rate_hz, 0.0, seconds)
    end = (motion.positions.shape[0] - 1) / rate_hz
    spans = tuple(cut for span in score.spans if (cut := span.until(end)) is not None)
    return Session(person, motion, spans, score.floor(np.arange(len(motion.positions)) / rate_hz))


def single(person: Person, task: Task, rng: np.random.Generator, *, rate_hz: float = INNER_HZ) -> Session:
    """``task`` alone, from its first repetition to its last."""
    score = begun(person, rng)
    what = movement(task.label)
    faults = [fault for fault in what.faults if fault.name in task.faults]
    score.perform(what, repetitions=task.repetitions, seconds=task.seconds, faults=faults)
    span = score.spans[0]
    motion = score.play(rate_hz, span.start_s, span.end_s)
    times = span.start_s + np.arange(len(motion.positions)) / rate_hz
    moved = replace(span, bounds=tuple(bound - span.start_s for bound in span.bounds))
    return Session(person, motion, (moved,), score.floor(times))


GESTURES: dict[str, tuple[Mapping[str, float], ...]] = {
    "looks at the watch": (
        {"left_shoulder": 34.0, "left_rotate": 52.0, "left_elbow": 98.0, "nod": 24.0, "turn": 12.0},
    ),
    "drinks": (
        {"right_shoulder": 20.0, "right_elbow": 60.0},
        {"right_shoulder": 52.0, "right_abduct": 14.0, "right_rotate": 30.0, "right_elbow": 128.0, "nod": -16.0},
        {"right_shoulder": 16.0, "right_elbow": 50.0},
    ),
    "wipes the forehead": ({"right_shoulder": 78.0, "right_rotate": 44.0, "right_elbow": 122.0, "nod": 10.0},),
    "stretches": (
        {"shoulder": 150.0, "abduct": 40.0, "elbow": 12.0, "nod": -12.0, "trunk": -5.0},
        {"shoulder": 150.0, "abduct": 40.0, "elbow": 12.0, "bend": 10.0},
    ),
    "rolls the shoulders": (
        {"shoulder": -28.0, "elbow": 30.0}, {"shoulder": 20.0, "abduct": 24.0, "elbow": 34.0},
        {"shoulder": -28.0, "elbow": 30.0}, {"shoulder": 20.0, "abduct": 24.0, "elbow": 34.0},
    ),
    "picks something up": (
        {"lift": 1.0, "x": -0.14, "y": 0.50, "tilt": 46.0, "trunk": 22.0, "hip": 100.0, "knee": 105.0, "shoulder": 66.0,
         "elbow": 8.0, "nod": -10.0, "foot_pitch": -4.0},
        {"shoulder": 14.0, "elbow": 40.0},
    ),
    "hands on the hips": ({"abduct": 48.0, "rotate": 52.0, "shoulder": -18.0, "elbow": 95.0},),
    "looks about": ({"turn": 45.0, "twist": 12.0}, {"turn": -40.0, "twist": -10.0}),
}  # fmt: skip
"""What people do between sets: poses on the way, as changes to standing, for right-handed people."""


def idle(score: Score, seconds: float) -> None:
    """About ``seconds`` of nothing in particular, standing at the end."""
    rng, end = score.rng, score.now + seconds
    while score.now < end:
        choice = rng.random()
        if choice < 0.22 and end - score.now > 2.0:
            bend = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 1.4))
            score.walk(
                "walk", float(min(rng.uniform(2.0, 5.0), end - score.now)), bend=bend, pace=float(rng.uniform(0.6, 0.9))
            )
        elif choice < 0.72:
            _gesture(score)
        else:
            score.stay(float(rng.uniform(0.4, 1.6)))
    score.stay(0.1)


def _gesture(score: Score) -> None:
    rng = score.rng
    score.stand()
    steps = GESTURES[str(rng.choice(list(GESTURES)))]
    flip = score.person.handed == "left"
    for step in steps:
        swapped = {_other(name): value for name, value in step.items()} if flip else step
        pose = change(score.person, score.postures["standing"], swapped)
        moved = ANGULAR[pose[ANGULAR] != score.postures["standing"][ANGULAR]]
        pose[moved] += 3.0 * rng.normal(size=len(moved))
        score.go(score.room(pose), float(rng.uniform(0.5, 1.0)))
        if rng.random() < 0.6:
            score.stay(float(rng.uniform(0.1, 1.2)))
    score.go(score.here("standing"), float(rng.uniform(0.5, 1.0)))


def _other(name: str) -> str:
    side, _, rest = name.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)
