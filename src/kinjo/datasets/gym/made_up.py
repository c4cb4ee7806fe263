"""Movements without a name, made up from a number: what a space of movements is learnt from, so that a new one fits in.

A model that has seen thirty exercises knows what tells those apart. One that has seen a thousand made-up ones knows
what tells movements apart: which way, how far, how fast, standing on what. ``made_up(17)`` is always the same movement.
No exercise is among them but by chance; that arms keep out of the body and the floor is not checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

from kinjo.datasets.gym.movement import AT_HEAD, BY_SIDE, CROSSED, FAST, HALF, HIPS, UNEVEN, Key, Movement, Variant
from kinjo.datasets.gym.movements_gym import STANDING_Y

PREFIX = "made-up "
"""What their labels begin with; the number follows."""
GENERATION = 2
"""Counts up when numbers come to mean other movements: what is kept of them says so."""
Changes = dict[str, float]

POSTURES = {
    "standing": 0.50, "chair": 0.14, "knees up": 0.07, "lying": 0.07, "face down": 0.07, "on the side": 0.05,
    "leaning back": 0.05, "plank": 0.05,
}  # fmt: skip
"""posture -> how often."""
ARMS: tuple[Changes, ...] = (
    BY_SIDE, HIPS, CROSSED, AT_HEAD,
    {"shoulder": 90.0, "elbow": 10.0}, {"shoulder": 160.0, "abduct": 14.0, "elbow": 12.0},
    {"abduct": 88.0, "elbow": 8.0}, {"abduct": 8.0, "elbow": 90.0, "pronate": 10.0},
    {"shoulder": 34.0, "elbow": 60.0, "pronate": 60.0},
)  # fmt: skip
"""How arms are held."""
LIMITS: dict[str, tuple[float, float]] = {
    "shoulder": (-35.0, 165.0), "abduct": (0.0, 140.0), "rotate": (-75.0, 60.0), "elbow": (4.0, 140.0),
    "pronate": (-75.0, 80.0), "trunk": (-12.0, 34.0), "bend": (-26.0, 26.0), "twist": (-42.0, 42.0),
    "tilt": (-6.0, 58.0),
}  # fmt: skip
"""Degrees that joints reach."""
SPEED_DEG = 320.0
"""Mean speed, degrees a second, that no joint passes between two keys."""


LONGEST_JUMP_S = 1.8
"""Seconds of a cycle with a flight, where arms allow it."""


def number_of(label: str) -> int | None:
    """The number in a label; ``None`` for any other label."""
    digits = label.removeprefix(PREFIX)
    return int(digits) if label.startswith(PREFIX) and digits.isdecimal() else None


@lru_cache(maxsize=4096)
def made_up(number: int) -> Movement:
    """The movement of that number, 0 or more."""
    rng = np.random.default_rng([number, 0x6D])
    posture = str(rng.choice(list(POSTURES), p=list(POSTURES.values())))
    arms, trunk, legs = _what_moves(rng, posture)
    base: Changes = dict(ARMS[int(rng.integers(len(ARMS)))]) if posture != "plank" else {"rotate": 20.0}
    keys = [_Key(float(at)) for at in _times(rng)]
    sides = str(rng.choice(["both", "alternate", "one"], p=[0.56, 0.22, 0.22]))
    if arms:
        _arms(rng, base, keys, one_sided=sides != "both" and not legs)
    if trunk:
        _trunk(rng, keys, upright=posture in ("standing", "chair"), turns=sides == "alternate")
    if legs:
        base |= _LEGS[posture][int(rng.integers(len(_LEGS[posture])))](rng, keys)
    sides = _sides(rng, sides, base, keys)
    rhythm = float(rng.uniform(0.3, 1.0))
    shortest = max(_shortest(base, keys), 0.5)
    slow = float(shortest * np.exp(abs(rng.normal(0.0, 0.7))) + rng.uniform(0.0, 1.2))
    if any(key.flies for key in keys):  # nobody stays in the air for long
        slow = min(slow, max(LONGEST_JUMP_S, shortest))
    seconds = (slow, slow * float(rng.uniform(1.3, 1.7)))
    movement = Movement(
        f"{PREFIX}{number}", "made up", posture, base, tuple(k.made() for k in keys), seconds, rhythm, sides,
        faults=(HALF, FAST, UNEVEN),
    )  # fmt: skip
    if arms or posture == "plank" or rng.random() < 0.4:
        return movement if legs or posture != "standing" or rng.random() < 0.7 else _seated_too(movement)
    others = [dict(ARMS[int(i)]) for i in rng.choice(len(ARMS), int(rng.integers(1, 3)), replace=False)]
    loose = dict.fromkeys(("shoulder", "abduct", "rotate", "elbow", "pronate"), 0.0)
    return replace(movement, variants=(Variant(), *(Variant(loose | other) for other in others)))


def _seated_too(movement: Movement) -> Movement:
    return replace(movement, variants=(Variant(), Variant(posture="chair")))


def _sides(rng: np.random.Generator, sides: str, base: Changes, keys: list[_Key]) -> str:
    """What one leg does from a stance of its own one side does; from an even stance, also both in turn."""
    if any(name.startswith(("left_", "right_")) for name in base):
        return "one"
    sided = any(name.startswith(("left_", "right_")) for key in keys for name in key.pose)
    return str(rng.choice(["one", "alternate"])) if sided and sides == "both" else sides


class _Key:
    """A key in the making."""

    def __init__(self, at: float) -> None:
        self.at, self.pose, self.effort, self.flies = at, Changes(), 1.0, False

    def made(self) -> Key:
        return Key(self.at, self.pose, self.effort, self.flies)


def _what_moves(rng: np.random.Generator, posture: str) -> tuple[bool, bool, bool]:
    """Arms, trunk, legs: one at least."""
    if posture == "plank":
        return False, False, True
    trunk = 0.0 if posture == "on the side" else 0.3
    while True:
        found = tuple(bool(rng.random() < share) for share in (0.6, trunk, 0.5))
        if any(found):
            return found[0], found[1], found[2]


def _times(rng: np.random.Generator) -> list[float]:
    """Where in the cycle the keys lie: one, most often."""
    number = int(rng.choice([1, 2, 3], p=[0.62, 0.24, 0.14]))
    even = (np.arange(number) + 1) / (number + 1)
    return (even + rng.uniform(-0.12, 0.12, number) / number).tolist()


def _in_limits(rng: np.random.Generator, name: str, about: float | None = None, least: float = 0.0) -> float:
    """A random angle that a joint reaches, ``least`` degrees from ``about`` where that can be had."""
    low, high = LIMITS[name]
    angle = float(rng.uniform(low, high))
    for _ in range(7):
        if about is None or abs(angle - about) >= least:
            break
        angle = float(rng.uniform(low, high))
    return angle


def _arms(rng: np.random.Generator, base: Changes, keys: list[_Key], *, one_sided: bool) -> None:
    names = [n for n in ("shoulder", "abduct", "rotate", "elbow", "pronate") if rng.random() < 0.5] or ["elbow"]
    if rng.random() < 0.5:
        base |= {name: _in_limits(rng, name) for name in names}
    for key in keys:
        for name in names:
            angle = _in_limits(rng, name, base.get(name, 0.0), 25.0)
            key.pose[f"right_{name}" if one_sided else name] = angle


def _trunk(rng: np.random.Generator, keys: list[_Key], *, upright: bool, turns: bool) -> None:
    names = ("tilt", "trunk", "bend", "twist") if upright else ("trunk", "bend", "twist")
    chosen = [n for n in names if rng.random() < 0.4] or [str(rng.choice(names))]
    for key in keys:
        key.pose |= {name: _in_limits(rng, name, 0.0, 10.0) for name in chosen}


# ------------------------------------------------------------------------------------------------ legs
def _dip(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    """Down and up on planted feet, narrow or wide, in line or astride."""
    split = rng.random() < 0.3
    low = float(rng.uniform(0.48, 0.84))
    stance = {"right_foot_x": float(rng.uniform(0.15, 0.4)), "left_foot_x": -float(rng.uniform(0.1, 0.35)),
              "left_foot_pitch": -24.0} if split else {"foot_z": float(rng.uniform(0.08, 0.30))}  # fmt: skip
    for key in keys:
        key.pose |= {"y": low + float(rng.uniform(-0.04, 0.04)), "x": float(rng.uniform(-0.14, 0.02))}
        key.pose.setdefault("tilt", float(rng.uniform(0.0, 40.0)))
        if split:
            key.pose["left_foot_pitch"] = -56.0
    return {**STANDING_Y, **stance, "y": 0.86 if split else 0.895}


def _hinge(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    tilt, knee = float(rng.uniform(25.0, 60.0)), float(rng.uniform(4.0, 70.0))
    for key in keys:
        key.pose |= {"tilt": tilt, "hip": tilt + 0.6 * knee, "knee": knee, "trunk": float(rng.uniform(0.0, 20.0))}
    return {"foot_z": float(rng.uniform(0.1, 0.22))}


def _step(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    """Out with one foot and back."""
    angle, far = float(rng.uniform(-60.0, 120.0)), float(rng.uniform(0.3, 0.75))
    x, z, low = far * np.cos(np.deg2rad(angle)), far * np.sin(np.deg2rad(angle)), float(rng.uniform(0.52, 0.86))
    half = {"right_foot_x": 0.5 * x, "right_foot_y": 0.11, "right_foot_z": 0.1 + 0.5 * z, "y": 0.885, "x": 0.2 * x}
    there = {"right_foot_x": x, "right_foot_z": 0.1 + z, "y": low, "x": 0.5 * x, "z": 0.45 * z,
             "tilt": float(rng.uniform(0.0, 26.0))}  # fmt: skip
    arms = dict(keys[len(keys) // 2].pose)
    first, middle, last = _Key(0.22), _Key(0.5), _Key(0.79)
    first.pose, middle.pose, last.pose = dict(half), arms | there, dict(half)
    first.effort = last.effort = 0.2
    keys[:] = [first, middle, last]
    return {**STANDING_Y}


def _lift(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    """One leg in the air, moved."""
    hip, spread, knee = (float(rng.uniform(*span)) for span in ((-25.0, 85.0), (0.0, 38.0), (4.0, 100.0)))
    for key in keys:
        key.pose |= {"right_hip": hip, "right_spread": spread, "right_knee": knee}
    return {"right_bear": 0.0, "right_plant": 0.0, "right_spread": 4.0, "right_ankle": 6.0, "roll": -2.0,
            "left_spread": 2.0, "right_knee": float(rng.uniform(6.0, 60.0)), "right_hip": 6.0}  # fmt: skip


def _heels(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    """Up on the toes, or back on the heels."""
    pitch = float(rng.choice([-1.0, -1.0, 0.5]) * rng.uniform(16.0, 42.0))
    for key in keys:
        key.pose |= {"foot_pitch": pitch, "tilt": key.pose.get("tilt", 2.0)}
    return {"foot_z": float(rng.uniform(0.07, 0.2))}


def _march(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    """One foot lifted, before or behind."""
    high, ahead = float(rng.uniform(0.08, 0.45)), float(rng.uniform(-0.25, 0.35))
    for key in keys:
        key.pose |= {"right_foot_y": high, "right_foot_x": ahead, "y": 0.90}
    return {**STANDING_Y, "y": 0.895}


def _jump(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    """Down, up through the air, down. The feet may land apart."""
    low, wide = float(rng.uniform(0.66, 0.86)), float(rng.uniform(0.08, 0.4)) if rng.random() < 0.5 else 0.08
    arms = dict(keys[0].pose)
    made = [_Key(0.26), _Key(0.44), _Key(0.62), _Key(0.78)]
    made[0].pose = {"y": low, "tilt": 18.0}
    made[1].pose = arms | {"y": 0.955, "foot_pitch": -38.0, "tilt": 0.0}
    made[2].pose = arms | {"y": 0.925, "foot_pitch": -26.0, "foot_z": wide}
    made[3].pose = {"y": 0.80, "tilt": 12.0, "foot_z": wide}
    made[1].flies = True
    made[0].effort, made[2].effort, made[3].effort = 0.7, 0.6, 0.7
    keys[:] = made
    return {**STANDING_Y, "foot_z": 0.08}


def _bridge(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    for key in keys:
        key.pose |= {"y": float(rng.uniform(0.24, 0.37)), "x": -0.55, "tilt": -float(rng.uniform(102.0, 120.0))}
    return {}


def _leg_lying(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    hip, knee = float(rng.uniform(25.0, 80.0)), float(rng.uniform(0.0, 70.0))
    for key in keys:
        key.pose |= {"right_hip": hip, "right_knee": knee, "right_spread": float(rng.uniform(0.0, 20.0))}
    return {"left_plant": 1.0, "left_foot_x": -0.16, "left_foot_pitch": 0.0, "left_foot_z": -0.12}


def _curl_up(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    for key in keys:
        key.pose |= {"trunk": float(rng.uniform(18.0, 36.0)), "nod": 14.0, "twist": float(rng.uniform(-25.0, 25.0))}
        if rng.random() < 0.5:
            key.pose["tilt"] = -float(rng.uniform(20.0, 70.0))
    return {}


def _leg_seated(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    """A knee stretched, or lifted; the other foot stays."""
    hip, knee = float(rng.uniform(80.0, 112.0)), float(rng.uniform(2.0, 95.0))
    for key in keys:
        key.pose |= {"right_hip": hip, "right_knee": knee}
    return {"right_plant": 0.0, "right_bear": 0.0, "right_ankle": 4.0}


def _leg_face_down(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    """A thigh lifted off the floor, or a heel."""
    hip, knee = (
        (-float(rng.uniform(10.0, 32.0)), 4.0) if rng.random() < 0.6 else (-2.0, float(rng.uniform(35.0, 115.0)))
    )
    for key in keys:
        key.pose |= {"right_hip": hip, "right_knee": knee, "right_spread": float(rng.uniform(2.0, 16.0))}
    return {}


def _leg_aside(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    """The upper leg lifted, straight or bent, or swung ahead."""
    bent, opened = float(rng.uniform(0.0, 60.0)), rng.random() < 0.75
    for key in keys:
        spread, hip = (float(rng.uniform(18.0, 48.0)), 0.4 * bent) if opened else (6.0, float(rng.uniform(40.0, 90.0)))
        key.pose |= {"left_spread": spread, "left_hip": hip}
    return {"left_hip": 0.4 * bent, "left_knee": bent, "left_spread": -2.0}


def _feet_up(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    for key in keys:
        key.pose |= {"foot_y": float(rng.uniform(0.08, 0.3))}
    return {}


def _dip_arms(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    for key in keys:
        key.pose |= {"reach": float(rng.uniform(0.35, 0.8)), "abduct": float(rng.uniform(8.0, 40.0))}
    return {}


def _foot_in(rng: np.random.Generator, keys: list[_Key]) -> Changes:
    far, aside = -float(rng.uniform(0.25, 0.9)), float(rng.uniform(0.09, 0.3))
    for key in keys:
        key.pose |= {"right_foot_x": far, "right_foot_y": 0.06, "right_foot_z": aside, "right_foot_pitch": -52.0}
    return {}


_LEGS: dict[str, tuple[Callable[[np.random.Generator, list[_Key]], Changes], ...]] = {
    "standing": (_dip, _dip, _hinge, _step, _step, _lift, _lift, _heels, _march, _jump),
    "knees up": (_bridge, _curl_up, _curl_up, _feet_up), "lying": (_leg_lying,), "leaning back": (_feet_up,),
    "plank": (_dip_arms, _foot_in), "chair": (_feet_up, _leg_seated, _leg_seated), "face down": (_leg_face_down,),
    "on the side": (_leg_aside,),
}  # fmt: skip
"""posture -> what legs do there."""


def _shortest(base: Changes, keys: list[_Key]) -> float:
    """Seconds of a cycle in which no joint passes ``SPEED_DEG``, and no point 1.6 m/s."""
    at = [0.0, *(key.at for key in keys), 1.0]
    poses = [base, *(base | key.pose for key in keys), base]
    longest = 0.0
    for k in range(len(at) - 1):
        for name in set(poses[k]) | set(poses[k + 1]):
            way = abs(poses[k + 1].get(name, poses[k].get(name, 0.0)) - poses[k].get(name, base.get(name, 0.0)))
            metric = name in ("x", "y", "z", "reach") or name.endswith(("foot_x", "foot_y", "foot_z"))
            longest = max(longest, way / (1.6 if metric else SPEED_DEG) / (at[k + 1] - at[k]))
    return longest
