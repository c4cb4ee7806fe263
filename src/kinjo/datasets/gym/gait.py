"""Ways of walking: feet that stay where they are put, a pelvis that goes over them, arms that swing against them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.gym.curves import SINUSOIDAL, Flight, curve, ease
from kinjo.datasets.gym.person import Person
from kinjo.datasets.gym.pose import C, body
from kinjo.datasets.gym.postures import LEG_M, standing

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Place:
    """A spot in the room: metres, the floor's height there, and where one faces, degrees to the left of ``x``."""

    x: float = 0.0
    floor: float = 0.0
    z: float = 0.0
    yaw: float = 0.0


@dataclass(frozen=True)
class Gait:
    """One way of walking. Times of a step (half a stride) in s, lengths in m, angles in degrees.

    ``swing``: how long a foot is in the air, in steps (above 1: both are at times: running). ``strike``, ``off``: pitch
    of the foot when it comes down and when it leaves; ``clear``: how high it is lifted.
    """

    step_s: float
    step_m: float
    swing: float
    strike: float
    off: float
    clear: float
    arms: float
    elbow: float
    lean: float
    drop: float
    bounce: float = 0.0
    rise: float = 0.0


GAITS: dict[str, Gait] = {
    "walk": Gait(0.54, 0.68, 0.82, 15.0, -46.0, 0.025, 21.0, 20.0, 3.0, 0.036, 0.018),
    "run": Gait(0.355, 0.92, 1.32, 3.0, -52.0, 0.20, 34.0, 88.0, 9.0, 0.075),
    "up": Gait(0.62, 0.29, 0.85, -6.0, -32.0, 0.06, 12.0, 24.0, 10.0, 0.025, 0.0, 0.17),
    "down": Gait(0.57, 0.28, 0.82, -20.0, -26.0, 0.035, 12.0, 22.0, 1.0, 0.030, 0.0, -0.17),
}
"""Name -> way of walking of someone with legs of ``LEG_M``: speed and cadence as Winter (1991) has them for walking."""


@dataclass(frozen=True)
class Walk:
    """A walk that is laid out: where (``along``, m) and when (s) each foot comes down, and the path.

    ``bend``: how the path turns, radians per metre, to the left. Plant 0 are both feet at the start, the last
    is the one that is put beside the other at the end. ``first``: the side of plant 1.
    """

    gait: Gait
    start: Place
    bend: float
    strikes: Floats
    along: Floats
    steps: Floats
    first: str

    @property
    def seconds(self) -> float:
        return float(self.strikes[-1]) + 0.3

    def at(self, along: Floats, aside: Floats | float = 0.0) -> tuple[Floats, Floats, Floats]:
        """x, z and heading (degrees) of points ``along`` the path and ``aside`` (to the right) of it."""
        start = np.deg2rad(self.start.yaw)
        heading = start + self.bend * along
        if abs(self.bend) < 1e-6:
            x, z = along * np.cos(start), -along * np.sin(start)
        else:
            x = (np.sin(heading) - np.sin(start)) / self.bend
            z = (np.cos(heading) - np.cos(start)) / self.bend
        return (
            self.start.x + x + aside * np.sin(heading),
            self.start.z + z + aside * np.cos(heading),
            np.rad2deg(heading),
        )

    @property
    def floors(self) -> Floats:
        """Height of the floor below each plant ``(plants,)``; the last is level with the one before."""
        steps = np.arange(len(self.strikes), dtype=float)
        steps[-1] -= 1
        return self.start.floor + steps * self.gait.rise

    @property
    def end(self) -> Place:
        """Where it ends."""
        x, z, yaw = self.at(self.along[-1:])
        return Place(float(x[0]), float(self.floors[-1]), float(z[0]), float(yaw[0]))


def lay(
    person: Person,
    rng: np.random.Generator,
    name: str,
    start: Place,
    *,
    seconds: float,
    bend: float = 0.0,
    pace: float = 1.0,
) -> Walk:
    """A walk of about ``seconds`` from ``start``; steps differ in time and length. ``pace`` scales the speed."""
    gait, scale = GAITS[name], person.leg_m / LEG_M
    quick = float(np.clip(person.tempo, 0.85, 1.2)) * pace
    step_s = gait.step_s * np.sqrt(scale) / np.sqrt(quick)
    step_m = gait.step_m if gait.rise else gait.step_m * scale * np.sqrt(quick) * min(person.reach, 1.03)
    count = max(3, round((seconds - 0.3) / step_s))
    steps = step_s * np.exp(0.018 * person.variation * rng.normal(size=count))
    ways = np.full(count, step_m)
    if not gait.rise:
        ways *= 1 + 0.03 * person.variation * rng.normal(size=count)
        ways[0] *= 0.5
    ways[-1] = 0.0
    along = np.concatenate([[0.0], np.cumsum(ways)])
    strikes = np.concatenate([[0.0], np.cumsum(steps) + 0.25 * step_s])
    return Walk(
        gait, start, bend, strikes, along, np.concatenate([[step_s], steps]), str(rng.choice(["left", "right"]))
    )


def poses(person: Person, walk: Walk, times: Floats) -> Floats:
    """Poses ``(n, channels)`` in the room at ``times`` (s from its start) of a walk, standing at both ends."""
    gait, t = walk.gait, walk.strikes
    count = len(t) - 1
    out = np.repeat(standing(person)[None], len(times), axis=0)
    phase = np.interp(times, t, np.arange(count + 1))
    full = curve(times, np.array([0.0, t[1], t[-2], t[-1]]), np.array([[0.0], [1.0], [1.0], [0.0]]))[:, 0]
    for side in ("left", "right"):
        _foot(person, walk, side, times, out)
    running = gait.swing > 1
    ahead = walk.along - (0.29 if running else 0.5) * np.diff(walk.along, prepend=0.0)
    ahead[[0, -1]] = walk.along[[0, -1]]
    # knots where a foot comes down, and one where the pelvis arrives
    knots = np.concatenate([t[:-1], [walk.seconds]])
    along = curve(times, knots, np.concatenate([ahead[:-1], ahead[-1:]])[:, None], SINUSOIDAL)[:, 0]
    lead = 1.0 if walk.first == "left" else -1.0
    forth, across = np.cos(np.pi * phase) * lead * full, np.sin(np.pi * phase) * lead * full
    x, z, heading = walk.at(along, (0.010 if running else 0.020) * across)
    height = _height(person, walk, times, phase, full)
    turn = 5.0 if not gait.rise else 2.0
    back = float(body(person, standing(person))[0][0, 0]) * (1 - full)
    x, z = x + back * np.cos(np.deg2rad(heading)), z - back * np.sin(np.deg2rad(heading))
    ramp = 0.4 * float(walk.steps[0])
    ends = np.array([0.0, ramp, walk.seconds - ramp, walk.seconds])
    lift = curve(times, ends, np.array([[0.0], [1.0], [1.0], [0.0]]))[:, 0]  # the body stands on its feet at both ends
    channels = {
        "lift": lift, "x": x, "y": height, "z": z, "yaw": heading + turn * forth,
        "roll": (-3.0 if not running else -2.0) * across, "twist": -(turn + 6.0) * forth, "bend": 1.5 * across,
        "tilt": 0.4 * gait.lean * full, "turn": 5.0 * forth,
    }  # fmt: skip
    for name, values in channels.items():
        out[:, C[name]] = values
    out[:, C["trunk"]] += 0.6 * gait.lean * full
    _arms(person, gait, forth, full, out)
    return out


def _arms(person: Person, gait: Gait, forth: Floats, full: Floats, out: Floats) -> None:
    """Arms swing against the legs: ``forth`` is 1 where the right foot is ahead."""
    for side, sign, uneven in zip(("left", "right"), (1.0, -1.0), person.uneven, strict=True):
        arm = gait.arms * person.reach * uneven
        out[:, C[f"{side}_shoulder"]] += sign * arm * forth - 0.15 * arm * full
        rest = out[:, C[f"{side}_elbow"]]
        out[:, C[f"{side}_elbow"]] = rest + (gait.elbow - rest) * full + sign * 0.45 * arm * forth
        out[:, C[f"{side}_rotate"]] += (20.0 if gait.elbow > 60 else 4.0) * full


def stands(person: Person) -> float:
    """Height of the pelvis of someone who stands at ease."""
    return float(body(person, standing(person))[0][0, 1])


def _height(person: Person, walk: Walk, times: Floats, phase: Floats, full: Floats) -> Floats:
    """Height of the pelvis ``(n,)``: up and down in every step; in running it falls freely between them."""
    gait, t, scale = walk.gait, walk.strikes, person.leg_m / LEG_M
    tall, low = stands(person), gait.drop * scale
    if gait.swing <= 1:
        floor = _under(walk, times)
        return floor + tall - full * (low + gait.bounce * scale * np.cos(2 * np.pi * phase))
    off = t[1:-2] + (2 - gait.swing) * walk.steps[2:-1]  # a foot leaves as long after it came down
    knots = np.sort(np.concatenate([[0.0], t[1:-1], off, [t[-1], walk.seconds]]))
    heights = np.full(len(knots), walk.start.floor + tall - low)
    heights[[0, -2, -1]] = walk.start.floor + tall
    flights = [Flight(int(np.searchsorted(knots, one)), 0) for one in off]
    return curve(times, knots, heights[:, None], 0.0, flights)[:, 0]


def _under(walk: Walk, times: Floats) -> Floats:
    """The floor that the pelvis is carried above ``(n,)``: climbed over the leading foot, lowered over the other."""
    t, floors, rise = walk.strikes[1:-1], walk.floors[1:-1], walk.gait.rise
    if not rise:
        return np.full(len(times), walk.start.floor)
    early, late = (0.0, 0.75) if rise > 0 else (0.05, 0.5)
    step = walk.steps[1:-1]
    knots = np.stack([t + early * step, t + late * step], 1).reshape(-1)
    first, second = (floors - rise, floors - 0.1 * rise) if rise > 0 else (floors - 0.05 * rise, floors)
    heights = np.stack([first, second], 1).reshape(-1)
    ends = np.array([0.0]), np.array([walk.start.floor]), np.array([walk.seconds]), floors[-1:]
    knots, heights = np.concatenate([ends[0], knots, ends[2]]), np.concatenate([ends[1], heights, ends[3]])
    return curve(times, knots, heights[:, None])[:, 0]


def _foot(person: Person, walk: Walk, side: str, times: Floats, out: Floats) -> None:
    """Fill in a foot's channels: where it is planted, and how it swings from one plant to the next."""
    gait, count = walk.gait, len(walk.strikes)
    own = np.arange(1 if side == walk.first else 2, count, 2)
    before = np.concatenate([[0], own[:-1]])
    down = walk.strikes[own]
    still = np.where(before == 0, 0.6, 0.1) * walk.steps[own]
    air = np.minimum(gait.swing * walk.steps[own], down - walk.strikes[before] - still)
    up = down - air
    aside = (1.0 if side == "right" else -1.0) * (person.lengths["hip"] * (0.7 if gait.swing > 1 else 0.95))
    stand = (1.0 if side == "right" else -1.0) * (person.lengths["hip"] * 1.15 + person.style.stance)
    asides = np.full(count, aside)
    asides[[0, -1]] = stand
    if own[-1] == count - 2:  # the other foot is put beside this one
        asides[-2] = stand
    which = np.searchsorted(up, times, side="right") - 1
    swing = np.clip(which, 0, None)
    share = np.where(which < 0, 0.0, ease((times - up[swing]) / air[swing]))
    start, end = before[swing], own[swing]
    along = walk.along[start] + share * (walk.along[end] - walk.along[start])
    x, z, heading = walk.at(along, asides[start] + share * (asides[end] - asides[start]))
    toes = person.style.toes_out * (1.0 if side == "left" else -1.0)
    for name, values in (("foot_x", x), ("foot_z", z), ("foot_yaw", heading + toes)):
        out[:, C[f"{side}_{name}"]] = values
    knots = np.stack([up, up + (0.45 if gait.rise <= 0 else 0.55) * air, down], 1).reshape(-1)
    floors, clear = walk.floors, gait.clear * person.leg_m / LEG_M
    high = np.maximum(floors[before], floors[own]) + clear
    heights = np.stack([floors[before], high, floors[own]], 1).reshape(-1)
    out[:, C[f"{side}_foot_y"]] = curve(times, knots, heights[:, None], SINUSOIDAL)[:, 0]
    out[:, C[f"{side}_foot_pitch"]] = _pitch(walk, own, up, down, times)


def _pitch(walk: Walk, own: NDArray[np.intp], up: Floats, down: Floats, times: Floats) -> Floats:
    """Pitch of a foot ``(n,)``: off over the ball, back in the air, down on the heel, flat."""
    gait, step, air = walk.gait, walk.steps[own], down - up
    strike, last = np.full(len(own), gait.strike), own >= len(walk.strikes) - 2
    strike[last] = 0.0
    off = np.where(own == len(walk.strikes) - 1, 0.6 * gait.off, gait.off)
    tail = np.minimum(0.5, 0.45 * (2 - gait.swing)) * step
    events = [
        (up - tail, np.zeros_like(off)), (up, off), (up + 0.22 * air, 0.85 * off),
        (up + 0.75 * air, np.full_like(off, 0.3 * gait.strike)),
        (down, strike), (down + np.minimum(0.18, 0.35 * (2 - gait.swing)) * step, np.zeros_like(off)),
    ]  # fmt: skip
    knots = np.stack([time for time, _ in events], 1).reshape(-1)
    values = np.stack([value for _, value in events], 1).reshape(-1)
    order = np.argsort(knots, kind="stable")
    knots = np.maximum.accumulate(knots[order] + 1e-4 * np.arange(len(knots)))
    return curve(times, knots, values[order][:, None], 1.0)[:, 0]
