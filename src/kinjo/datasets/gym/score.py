"""What a person does, one thing after another, as a score of key poses in time; played, it is a ``Motion``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.gym import gait
from kinjo.datasets.gym.curves import SINUSOIDAL, Flight, curve
from kinjo.datasets.gym.gait import Place, Walk
from kinjo.datasets.gym.movement import Fault, Movement, Variant
from kinjo.datasets.gym.person import Person
from kinjo.datasets.gym.pose import ANGULAR, CHANNELS, C, body, in_room, mirrored
from kinjo.datasets.gym.postures import METRES, ON_THE_WAY, added, change, postures
from kinjo.motion import Motion
from kinjo.signal import GRAVITY

Floats = NDArray[np.floating[Any]]

_LEFT = np.array([n.startswith("left_") for n in CHANNELS])
_RIGHT = np.array([n.startswith("right_") for n in CHANNELS])
_TURNING = np.isin(np.arange(len(CHANNELS)), ANGULAR)
_WEIGHTS = np.array([n in ("lift", "yaw") or n.endswith(("plant", "bear", "grip")) for n in CHANNELS])
_ARMS = np.array(
    [n.endswith(("shoulder", "abduct", "rotate", "elbow", "pronate", "radial", "wrist")) for n in CHANNELS]
)
_TURNED = _TURNING & ~np.isin(np.arange(len(CHANNELS)), [C["yaw"]])
_FEET = [[C[f"{side}_foot_{axis}"] for axis in "xz"] for side in ("left", "right")]


@dataclass(frozen=True)
class Span:
    """Something that was done, and how.

    ``bounds``: seconds, the start and the end of every repetition (``counted``), or of the whole. ``tempo``: over the
    usual; ``side``: which one worked, where it was one; ``posture``: on what (``postures.postures``).
    """

    label: str
    bounds: tuple[float, ...]
    counted: bool
    faults: tuple[str, ...] = ()
    tempo: float = 1.0
    side: str | None = None
    posture: str = "standing"

    @property
    def start_s(self) -> float:
        """Where it begins."""
        return self.bounds[0]

    @property
    def end_s(self) -> float:
        """Where it ends."""
        return self.bounds[-1]

    @property
    def repetitions(self) -> int | None:
        """How often; ``None`` where nothing repeats."""
        return len(self.bounds) - 1 if self.counted else None

    def until(self, seconds: float) -> Span | None:
        """What of it is over by ``seconds``, in whole repetitions; ``None`` where that is nothing."""
        if not self.counted:
            kept = (self.start_s, min(self.end_s, seconds))
            return replace(self, bounds=kept) if kept[1] - kept[0] >= 1.0 else None
        kept = tuple(bound for bound in self.bounds if bound <= seconds)
        return replace(self, bounds=kept) if len(kept) > 1 else None


@dataclass
class Score:
    """Grows as things are added to its end: ``stay``, ``go``, ``perform``, ``walk``. Begins standing at ``place``."""

    person: Person
    rng: np.random.Generator
    place: Place = field(default_factory=Place)
    times: list[float] = field(default_factory=list)
    poses: list[Floats] = field(default_factory=list)
    swings: list[float] = field(default_factory=list)
    flights: list[int] = field(default_factory=list)
    walks: list[tuple[float, Walk]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.postures = postures(self.person)
        self.posture = "standing"
        if not self.poses:
            self._key(0.0, self.here("standing"))

    @property
    def now(self) -> float:
        """Where it ends, seconds."""
        return self.times[-1]

    def here(self, posture: str) -> Floats:
        """A posture at the place, in the room."""
        return self.room(self.postures[posture])

    def room(self, poses: Floats) -> Floats:
        """Poses ``(..., channels)`` of the spot put in the room."""
        out = in_room(poses, self.place.x, self.place.z, self.place.yaw)
        out[..., [C["y"], C["left_foot_y"], C["right_foot_y"], C["left_hand_y"], C["right_hand_y"]]] += self.place.floor
        return out

    def _key(self, seconds: float, pose: Floats, swing: float = 0.0) -> None:
        self.times.append((self.times[-1] if self.times else 0.0) + seconds)
        self.poses.append(pose)
        self.swings.append(swing)

    def stay(self, seconds: float) -> None:
        """Hold the pose."""
        self._key(max(seconds, 0.02), self.poses[-1])

    def go(self, pose: Floats, seconds: float) -> None:
        """Move on to ``pose`` (in the room), from rest to rest; feet that move are lifted, one after the other."""
        start, seconds = self.poses[-1], max(seconds, 0.3)
        way = [float(np.hypot(*(pose[feet] - start[feet]))) for feet in _FEET]
        seconds = max(seconds, 0.4 + float(np.abs(pose - start)[_TURNED].max()) / 150)
        planted = all(p[C[f"{side}_plant"]] > 0.5 for p in (start, pose) for side in ("left", "right"))
        if not planted or max(way) < 0.02:
            self._key(seconds, pose)
            return
        seconds = max(seconds, 0.9, 0.6 + 1.6 * max(way))
        for share, (side, far) in zip((0.5, 1.0), zip(("right", "left"), way[::-1], strict=True), strict=True):
            before, after = self.poses[-1], start + share * (pose - start)
            for other in ("left", "right"):
                moved = other == side or (side == "left")
                columns = [C[f"{other}_foot_{name}"] for name in ("x", "y", "z", "yaw", "pitch")]
                after[columns] = (pose if moved else start)[columns]
            middle = 0.5 * (before + after)
            middle[C[f"{side}_foot_y"]] += min(0.02 + 0.25 * far, 0.10)
            self._key(seconds / 4, middle, SINUSOIDAL)
            self._key(seconds / 4, after, 0.0)

    def take(self, posture: str, base: Floats) -> None:
        """Get into ``posture`` by its way, back to standing from the present one first; end in ``base`` (a spot's)."""
        if posture != self.posture:
            self.stand()
            for name in ON_THE_WAY[posture]:
                self.go(self.here(name), float(self.rng.uniform(0.8, 1.2)) / self.person.tempo)
        self.posture = posture
        self.go(self.room(base), float(self.rng.uniform(0.8, 1.3)) / self.person.tempo)

    def stand(self) -> None:
        """Get up, if need be."""
        for name in ON_THE_WAY[self.posture][::-1]:
            self.go(self.here(name), float(self.rng.uniform(0.8, 1.2)) / self.person.tempo)
        self.posture = "standing"
        self.go(self.here("standing"), float(self.rng.uniform(0.8, 1.3)) / self.person.tempo)

    def walk(self, name: str, seconds: float, *, bend: float, pace: float = 1.0, label: str | None = None) -> None:
        """Walk from here to somewhere else; with a ``label`` it is a span."""
        self.stand()
        laid = gait.lay(self.person, self.rng, name, self.place, seconds=seconds, bend=bend, pace=pace)
        start = self.now
        self.walks.append((start, laid))
        self.place = laid.end
        self._key(laid.seconds, self.here("standing"))
        if label is not None:
            self.spans.append(Span(label, (start, self.now), False, (), pace))

    def perform(self, movement: Movement, *, repetitions: int, seconds: float, faults: Sequence[Fault] = ()) -> None:
        """A set of a counted movement, or ``seconds`` of one that is held or walked; adds its span."""
        rng, person = self.rng, self.person
        if movement.gait:
            bend = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.1, 0.45))
            bend *= 0.5 if movement.gait == "run" else 0.0 if gait.GAITS[movement.gait].rise else 1.0
            self.walk(movement.gait, seconds, bend=bend, pace=float(np.exp(rng.normal(0, 0.1))), label=movement.label)
            return
        variant = movement.variants[int(rng.integers(len(movement.variants)))]
        sides = variant.sides or movement.sides
        side = str(rng.choice(["left", "right"])) if sides == "one" else None
        made = Made.of(person, self.postures, movement, variant, faults)
        base = mirrored(made.base) if side == "left" else made.base
        self.take(variant.posture or movement.posture, base)
        self.stay(float(rng.uniform(0.15, 0.6)))
        start, tempo = self.now, float(np.exp(rng.normal(0.0, 0.08))) * person.tempo
        tempo *= float(np.prod([fault.tempo for fault in faults]))
        names = tuple(fault.name for fault in faults)
        if not movement.counted:
            self._hold(movement, made.base, seconds)
            self.spans.append(Span(movement.label, (start, self.now), False, names, tempo, None, self.posture))
            return
        length = max(float(rng.uniform(*movement.seconds)) / tempo, 0.75 * movement.seconds[0])
        flip = side == "left" or (sides == "alternate" and rng.random() < 0.5)
        bounds = [start]
        for k in range(repetitions):
            turned = flip ^ (sides == "alternate" and k % 2 == 1)
            self._repetition(made, length, k, turned, base)
            bounds.append(self.now)
        self.spans.append(Span(movement.label, tuple(bounds), True, names, tempo, side, self.posture))
        self.stay(float(rng.uniform(0.15, 0.5)))

    def _repetition(self, made: Made, length: float, k: int, flip: bool, base: Floats) -> None:
        rng, person, movement = self.rng, self.person, made.movement
        tired = person.fatigue * min(k, 15) / 10
        length *= (1 + tired) * np.exp(0.045 * person.variation * rng.normal())
        size = (1 - 0.5 * tired) * (1 + 0.035 * person.variation * rng.normal()) * person.reach
        swing = SINUSOIDAL * movement.rhythm
        ats = np.array([key.at for key in movement.keys])
        if len(ats) == 1:
            ats = ats + 0.025 * person.variation * rng.normal()
        gaps = np.diff(np.concatenate([[0.0], ats, [1.0]])) * length
        for i, (key, pose) in enumerate(zip(movement.keys, made.keys, strict=True)):
            shaky = 0.9 * person.variation * rng.normal(size=pose.shape) * (_TURNING & (pose != made.base))
            scaled = made.base + (pose - made.base) * made.scale(size) + shaky
            self._key(float(gaps[i]), self.room(mirrored(scaled) if flip else scaled), swing)
            if key.flies:
                self.flights.append(len(self.times) - 1)
            elif movement.rhythm < 0.7 and key.effort == 1.0 and rng.random() < 0.35:
                self._key(float(rng.uniform(0.08, 0.5)), self.poses[-1], 0.0)
        self._key(float(gaps[-1]), self.room(base), swing)
        if movement.rhythm < 0.7 and rng.random() < 0.3:
            self._key(float(rng.uniform(0.08, 0.6)), self.poses[-1], 0.0)

    def _hold(self, movement: Movement, base: Floats, seconds: float) -> None:
        """Stay in a pose, but not quite: small changes now and then."""
        rng, left = self.rng, seconds
        while left > 0:
            pause, move = float(rng.uniform(1.0, 5.0)), float(rng.uniform(0.7, 1.6))
            pose = base + movement.fidget * self.person.variation * 0.6 * rng.normal(size=base.shape) * _FIDGET
            self.stay(min(pause, max(left - move, 0.1)))
            self._key(move, self.room(pose))
            left -= pause + move
        self._key(0.8, self.room(base))

    def floor(self, times: Floats) -> Floats:
        """Height of the floor below the person ``(n,)`` at ``times``; stairs change it."""
        out = np.zeros(len(times))
        for start, walk in self.walks:
            inside = (times >= start) & (times < start + walk.seconds)
            out[inside] = np.interp(times[inside] - start, walk.strikes, walk.floors)
            out[times >= start + walk.seconds] = walk.end.floor
        return out

    def play(self, rate_hz: float, start_s: float = 0.0, end_s: float | None = None) -> Motion:
        """The movement from ``start_s`` to ``end_s`` (the end), its rotations included."""
        length = (self.now if end_s is None else end_s) - start_s
        times = start_s + np.arange(int(np.floor(length * rate_hz + 1e-9)) + 1) / rate_hz
        knots, values = np.array(self.times), np.array(self.poses)
        flights = [Flight(k, C["y"]) for k in self.flights]
        lag = np.where(_ARMS & _LEFT)[0], self.person.lag_s
        poses = curve(times, knots, values, np.array(self.swings), flights)
        poses[:, lag[0]] = curve(times - lag[1], knots, values[:, lag[0]], np.array(self.swings))
        self._lift_feet(times, poses)
        for start, walk in self.walks:
            a, b = np.searchsorted(times, [start, start + walk.seconds])
            poses[a:b] = gait.poses(self.person, walk, times[a:b] - start)
        poses += unrest(self.person, self.rng, times)
        positions, rotations = body(self.person, poses)
        return Motion(positions, rate_hz, rotations)

    def _lift_feet(self, times: Floats, poses: Floats) -> None:
        """In flight the feet come after the pelvis, and so much higher that the legs are not stretched."""
        for k in self.flights:
            start, end = self.times[k : k + 2]
            a, b = np.searchsorted(times, [start, end])
            high = 1.25 * GRAVITY * (end - start) ** 2 / 8 * np.sin(np.pi * (times[a:b] - start) / (end - start)) ** 2
            poses[a:b, [C["left_foot_y"], C["right_foot_y"]]] += high[:, None]


@dataclass(frozen=True)
class Made:
    """A movement made for a person: its base and key poses ``(channels,)`` at the spot, variant and faults included."""

    movement: Movement
    base: Floats
    keys: tuple[Floats, ...]
    sides: Floats

    @classmethod
    def of(
        cls, person: Person, postures: dict[str, Floats], movement: Movement, variant: Variant, faults: Sequence[Fault]
    ) -> Made:
        posture = variant.posture or movement.posture
        base = change(person, postures[posture], {**movement.base, **variant.base})
        habit = {"hip_turn": person.style.knees_in, "abduct": 0.5 * person.style.elbows_out}
        wrong = sum((added(person, fault.adds) for fault in faults), np.zeros(len(CHANNELS)))
        habits = added(person, habit) if posture in ("standing", "chair") else np.zeros(len(CHANNELS))
        keys = []
        for key in movement.keys:
            start = postures[key.on] if key.on else base
            keys.append(change(person, start, key.pose) + key.effort * (wrong + habits))
        size = float(np.prod([fault.amplitude for fault in faults]))
        sides = np.full(len(CHANNELS), size)
        for mask, uneven in ((_LEFT, person.uneven[0]), (_RIGHT, person.uneven[1])):
            sides[mask & _TURNING] *= uneven
        sides[_LEFT & _ARMS] *= float(np.prod([fault.left for fault in faults]))
        if not movement.counted:
            base = base + wrong
        return cls(movement, base, tuple(keys), sides)

    def scale(self, size: float) -> Floats:
        """How far of its way each channel goes ``(channels,)`` for a range of motion of ``size``."""
        if self.movement.fixed:
            return np.ones(len(CHANNELS))
        return np.where(_WEIGHTS, 1.0, self.sides * np.where(METRES, 0.5 + 0.5 * size, size))


_FIDGET = np.array([
    0.0 if METRES[i] or _WEIGHTS[i] or n.endswith(("foot_pitch", "foot_yaw")) else
    4.0 if n == "turn" else 2.0 if n == "nod" else
    1.6 if _ARMS[i] else 0.8 if n in ("trunk", "bend", "twist") else 0.25
    for i, n in enumerate(CHANNELS)
])  # fmt: skip
"""How much of a fidget each channel takes."""

_BANDS = ((0.12, 0.7, 12), (1.5, 5.0, 12), (7.5, 10.5, 6))
"""Hz from, to, sinusoids: sway, neuromuscular noise, tremor."""


def unrest(person: Person, rng: np.random.Generator, times: Floats) -> Floats:
    """What nobody can hold still ``(n, channels)``: slow sway, noise, tremor of some hundredths of a degree."""
    noisy = np.flatnonzero(_TURNING)
    out = np.zeros((len(times), len(CHANNELS)))
    slow = np.where(np.isin(noisy, np.flatnonzero(_ARMS)), 0.9, 0.35)
    slow[np.isin(noisy, [C["turn"], C["nod"], C["cock"]])] = 1.5
    sizes = (
        person.style.sway * slow,
        0.03 * person.tremor_deg * slow,
        0.006 * person.tremor_deg * slow,
    )
    for (low, high, count), size in zip(_BANDS, sizes, strict=True):
        rates, phases = rng.uniform(low, high, count), rng.uniform(0, 2 * np.pi, count)
        waves = np.sin(2 * np.pi * rates * times[:, None] + phases)
        mix = rng.normal(size=(count, len(noisy))) * np.sqrt(2 / count) * size
        out[:, noisy] += waves @ mix
    return out


def begun(person: Person, rng: np.random.Generator) -> Score:
    """An empty score somewhere in the room, facing anywhere."""
    place = Place(float(rng.uniform(-0.5, 0.5)), 0.0, float(rng.uniform(-0.5, 0.5)), float(rng.uniform(-180, 180)))
    return Score(person, rng, place)
