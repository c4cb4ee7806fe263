"""What is said of a made-up movement: its posture, and what each limb does, read off its key poses.

Movements without a name teach which words mean which motion: "lying face down", "overhead", "one leg sideways" occur in
hundreds of them, each time in other company.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from kinjo.datasets.gym.made_up import Changes, made_up
from kinjo.datasets.gym.movement import Movement
from kinjo.datasets.gym.words import gerund, inflected, third

SLOWLY_S, QUICKLY_S = 5.0, 1.4
"""Seconds of a cycle from which it is slow, and up to which it is quick."""
FEW_DEG = 22.0
"""Degrees that are worth a word."""

WHERE: Mapping[str, tuple[str, ...]] = {
    "standing": ("standing", "upright on both feet"),
    "chair": ("sitting on a chair", "seated", "while sitting"),
    "knees up": ("lying on the back with bent knees", "on the back, the knees bent"),
    "lying": ("lying on the back", "on the back with straight legs"),
    "face down": ("lying face down", "lying on the belly"),
    "on the side": ("lying on the side", "lying sideways"),
    "leaning back": ("sitting on the floor, leaning back", "seated on the floor"),
    "plank": ("in a plank", "face down on hands and toes"),
}  # fmt: skip
_SIDES = {"both": "both {}s", "alternate": "one {} after the other", "one": "one {}"}


def made_up_sentences(number: int, n: int, rng: np.random.Generator) -> list[str]:
    """``n`` sentences about a made-up movement; some may be alike."""
    movement = made_up(number)
    parts = [part for part in (legs(movement), trunk(movement), arms(movement)) if part] or [["move a little"]]
    postures = dict.fromkeys(variant.posture or movement.posture for variant in movement.variants)
    seconds = sum(movement.seconds) / 2
    pace = " slowly" if seconds > SLOWLY_S else " quickly" if seconds < QUICKLY_S else ""
    out = []
    for _ in range(n):
        some = parts if rng.random() < 0.7 else [parts[int(rng.integers(len(parts)))]]
        done = " & ".join(act for part in rng.permutation(len(some)) for act in some[int(part)])
        where = " or ".join(str(rng.choice(WHERE[posture])) for posture in postures)
        how = pace if rng.random() < 0.5 else ""
        does, doing = inflected(done, third), inflected(done, gerund)
        forms = (f"{where}, a person {does}{how}", f"{doing}{how}, {where}", f"somebody {does}{how}, {where}",
                 f"{where}: {doing}{how}", f"a person is {where}, {doing}{how}")  # fmt: skip
        out.append(str(rng.choice(forms)))
    return out


def _change(movement: Movement, name: str) -> tuple[float, float]:
    """Where a channel of either side is between repetitions, and where it is farthest from there."""
    base, names = movement.base, (name, f"right_{name}", f"left_{name}")
    poses = [(channel, key.pose[channel]) for key in movement.keys for channel in names if channel in key.pose]
    found = [(base.get(channel, base.get(name, 0.0)), to) for channel, to in poses]
    return max(found, key=lambda pair: abs(pair[1] - pair[0]), default=(0.0, 0.0))


def _limbs(movement: Movement, limb: str, sided: bool) -> str:
    return _SIDES[movement.sides if sided else "both"].format(limb)


def arms(movement: Movement) -> list[str]:
    """What the arms do, verbs first."""
    if movement.posture == "plank":
        return []
    sided = any(name.startswith("right_") and name[6:] in ARM for key in movement.keys for name in key.pose)
    arm, elbow = _limbs(movement, "arm", sided), _limbs(movement, "elbow", sided)
    out = []
    for name, (up, down) in ARM.items():
        start, end = _change(movement, name)
        if abs(end - start) > FEW_DEG:
            how, to = (up, max(end, start)) if end > start else (down, min(end, start))
            high = "overhead" if to > 120 else "to shoulder height" if to > 65 else "a little"
            out.append(how.format(arm=arm, elbow=elbow, high=high))
    return out


ARM: Mapping[str, tuple[str, str]] = {
    "shoulder": ("raise {arm} forwards {high}", "draw {arm} down and back"),
    "abduct": ("raise {arm} sideways {high}", "lower {arm} from the side"),
    "elbow": ("bend {elbow}", "stretch {elbow}"),
    "rotate": ("turn {arm} inwards", "turn {arm} outwards"),
    "pronate": ("turn the palm down", "turn the palm up"),
}
"""Channel -> what it is to make more, and less of it."""


def trunk(movement: Movement) -> list[str]:
    """What the trunk does."""
    out = []
    lying = movement.posture in ("knees up", "lying")
    for name, (more, less) in {
        "tilt": ("curl up" if lying else "lean the trunk forwards", "lean back"),
        "trunk": ("lift head and shoulders" if lying else "bend the back forwards", "arch the back"),
        "bend": ("bend sideways", "bend sideways"), "twist": ("twist the trunk", "twist the trunk"),
    }.items():  # fmt: skip
        start, end = _change(movement, name)
        if name == "tilt" and lying:
            start = -90.0 if end else 0.0
        if abs(end - start) > 0.6 * FEW_DEG:
            out.append(more if end > start else less)
    return out


def legs(movement: Movement) -> list[str]:
    """What the legs do."""
    moved = {name.removeprefix("right_").removeprefix("left_") for key in movement.keys for name in key.pose}
    keys = Changes({name: value for key in movement.keys for name, value in key.pose.items()})
    leg = _limbs(movement, "leg", True)
    out: list[str] = []
    if any(key.flies for key in movement.keys):
        out.append("jump off the floor" + (" & land with the feet apart" if keys.get("foot_z", 0.08) > 0.12 else ""))
    elif movement.posture == "plank":
        out.append("bend the arms & lower the chest" if "reach" in moved else "draw one foot forwards")
    elif movement.posture == "knees up" and "y" in moved:
        out.append("lift the hips off the floor")
    elif "foot_y" in moved and "foot_x" not in moved:
        out.append("lift both feet off the floor")
    elif movement.posture == "standing":
        out += _standing(movement, moved, keys, leg)
    elif "hip" in moved or "spread" in moved:
        out += _free_leg(movement, leg)
    return out


def _standing(movement: Movement, moved: set[str], keys: Changes, leg: str) -> list[str]:
    if "foot_x" in moved and "foot_z" in moved:
        x, z = keys["right_foot_x"], keys["right_foot_z"] - 0.1
        way = "sideways" if abs(z) > abs(x) else "forwards" if x > 0 else "backwards"
        low = min(key.pose.get("y", 1.0) for key in movement.keys) < 0.7
        return [f"step {way} with {leg}" + (" & sink into a lunge" if low else "") + " & step back"]
    if "foot_x" in moved:
        ahead = keys["right_foot_x"] > 0.05
        return [f"lift {leg.replace('leg', 'knee')} in front" if ahead else f"kick {leg.replace('leg', 'heel')} back"]
    if "spread" in moved:
        return _free_leg(movement, leg)
    if "foot_pitch" in moved and "y" not in moved:
        return ["rise onto the toes" if keys["foot_pitch"] < 0 else "rock back onto the heels"]
    if "hip" in moved and "tilt" in moved:
        return ["bend forwards at the hips & stand up again"]
    if "y" in moved:
        split = "right_foot_x" in movement.base
        return ["sink down with one foot in front & rise" if split else "bend both knees & squat down & rise"]
    return []


def _free_leg(movement: Movement, leg: str) -> list[str]:
    """A leg that carries nothing."""
    (hip, hip_to), (knee, knee_to), (spread, spread_to) = (_change(movement, n) for n in ("hip", "knee", "spread"))
    if movement.posture == "chair":  # as ``postures`` has it
        hip, knee = 86.0, 84.0
    straight = "straight " if max(knee, knee_to) < 15.0 else ""
    out = []
    if spread_to - spread > 0.8 * FEW_DEG:
        out.append(f"lift {leg.replace('leg', f'{straight}leg')} sideways")
    if abs(hip_to - hip) > 10.0 and not (out and movement.posture == "on the side"):
        way = "forwards" if hip_to > hip else "backwards"
        way = "up" if movement.posture in ("lying", "chair") and hip_to > hip else way
        out.append(f"raise {leg.replace('leg', f'{straight}leg')} {way}")
    if abs(knee_to - knee) > FEW_DEG:
        out.append(f"{'bend' if knee_to > knee else 'stretch'} {leg.replace('leg', 'knee')}")
    return out
