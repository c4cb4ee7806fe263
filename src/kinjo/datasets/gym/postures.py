"""Postures that movements start from, and the poses on the way into them, for a person's own dimensions.

All are relative to a spot on the floor where the person stands, facing ``+x``, before and after.
"""

from __future__ import annotations

import numpy as np

from kinjo.datasets.gym.movement import BY_SIDE, Pose
from kinjo.datasets.gym.person import Person
from kinjo.datasets.gym.pose import CHANNELS, C, Floats, body, put, rest
from kinjo.motion import J

LEG_M = 0.9116
"""Length of leg (hip to floor) of the person that the tables' metres are for: 1.72 m tall."""

_METRES = {"x", "y", "z", "foot_x", "foot_y", "foot_z", "hand_x", "hand_y", "hand_z"}
METRES = np.array([n.removeprefix("left_").removeprefix("right_") in _METRES for n in CHANNELS])
"""``True`` for channels in metres."""

WRIST_M = 0.035
"""Height of the wrist above the floor that the hand is flat on."""

ON_THE_WAY: dict[str, tuple[str, ...]] = {
    "standing": (), "chair": ("sitting down",), "plank": ("crouch",),
    "knees up": ("squatting", "on the seat"), "lying": ("squatting", "on the seat"),
    "on the side": ("squatting", "on the seat", "turning over"), "leaning back": ("squatting", "on the seat"),
    "face down": ("crouch", "plank"),
}  # fmt: skip
"""posture -> the poses between standing and it."""


def change(person: Person, pose: Floats, changes: Pose) -> Floats:
    """``pose (channels,)`` with a table's ``changes``, whose metres are scaled to the person."""
    scale = person.leg_m / LEG_M
    plain = {name: value for name, value in changes.items() if name != "reach"}
    out = put(pose, {name: value * scale if _metric(name) else value for name, value in plain.items()})
    return _lowered(person, out, changes["reach"]) if "reach" in changes else out


def added(person: Person, changes: Pose) -> Floats:
    """``changes`` as a row to add, ``(channels,)``."""
    return change(person, np.zeros(len(CHANNELS)), changes)


def _metric(name: str) -> bool:
    return name in _METRES or name.removeprefix("left_").removeprefix("right_") in _METRES


def standing(person: Person) -> Floats:
    """Standing at ease, ``(channels,)``."""
    style, size = person.style, person.lengths
    habits = {"trunk": style.stoop, "nod": style.head - 0.6 * style.stoop, **BY_SIDE}
    habits["abduct"] += 0.6 * abs(style.elbows_out)
    legs = {"knee": 6.0, "hip": 4.0, "hip_turn": -0.7 * style.toes_out, "foot_yaw": style.toes_out}
    places = {"foot_z": size["hip"] * 1.15 + style.stance, "hand_y": WRIST_M, "hand_z": size["shoulder"] * 1.15}
    return put(change(person, rest(), {**habits, **legs, "hand_x": 0.48}), places)


def postures(person: Person) -> dict[str, Floats]:
    """name -> pose ``(channels,)``: those of ``ON_THE_WAY``, its keys and what is on the way."""
    upright = standing(person)
    return {
        "standing": upright,
        "sitting down": change(person, upright, {
            "lift": 1.0, "x": -0.22, "y": 0.64, "tilt": 40.0, "trunk": 8.0, "nod": -14.0, "hip": 100.0, "knee": 72.0,
            "shoulder": 30.0, "elbow": 20.0}),
        "chair": change(person, upright, {
            "lift": 1.0, "x": -0.42, "y": 0.50, "tilt": -3.0, "hip": 86.0, "knee": 84.0, "hip_turn": -6.0}),
        "squatting": change(person, upright, {
            "lift": 1.0, "x": -0.16, "y": 0.38, "tilt": 34.0, "trunk": 24.0, "hip": 118.0, "knee": 128.0,
            "foot_pitch": -14.0, "shoulder": 62.0, "elbow": 20.0}),
        "crouch": _crouch(person, upright),
        "plank": _plank(person, upright),
        **_on_the_floor(person, upright),
    }  # fmt: skip


def _on_the_floor(person: Person, upright: Floats) -> dict[str, Floats]:
    """Sitting and lying, the pelvis as high as the body is thick."""
    low = max(person.girths["pelvis"], person.girths["chest"])

    def on_floor(changes: Pose, above: float = 0.0) -> Floats:
        lying = {"lift": 1.0, "trunk": 0.0, "nod": 0.0, **changes}
        return put(change(person, upright, lying), {"y": low + above})

    straight = {"plant": 0.0, "bear": 0.0, "hip": -4.0, "knee": 3.0, "ankle": -28.0, "hip_turn": -22.0, "spread": 7.0}
    side = {
        "plant": 0.0, "bear": 0.0, "roll": 88.0, "tilt": 0.0, "yaw": -88.0, "right_hip": 24.0, "right_knee": 38.0,
        "left_hip": 46.0, "left_knee": 64.0, "left_spread": -6.0, "ankle": -15.0, "right_shoulder": 70.0, "nod": 10.0,
        "right_elbow": 70.0, "left_shoulder": 48.0, "left_elbow": 62.0, "left_abduct": -8.0, "cock": -14.0,
        "right_abduct": -12.0, "x": -0.5,
    }  # fmt: skip
    on_side = on_floor(side, person.lengths["hip"] * 0.6)
    ankles = body(person, on_side)[0][[J["left_ankle"], J["right_ankle"]]]
    for foot, ankle in zip(("left_foot", "right_foot"), ankles, strict=True):  # where they will lie
        on_side = put(on_side, {f"{foot}_x": ankle[0], f"{foot}_z": ankle[2], f"{foot}_yaw": -88.0})
    turning = {"plant": 1.0, "foot_y": 0.15, "tilt": -30.0, "roll": 38.0, "yaw": -50.0, "right_abduct": 30.0}
    return {
        "on the seat": on_floor({
            "x": -0.46, "tilt": -18.0, "trunk": 22.0, "hip": 80.0, "knee": 90.0, "shoulder": -32.0, "elbow": 14.0,
            "abduct": 16.0}, 0.015),
        "knees up": on_floor({"x": -0.50, "tilt": -90.0, "hip": 46.0, "knee": 92.0, "abduct": 16.0, "elbow": 6.0}),
        "leaning back": on_floor({"x": -0.54, "tilt": -36.0, "trunk": 12.0, "hip": 60.0, "knee": 80.0}, 0.01),
        "lying": on_floor({"x": -0.5, "tilt": -90.0, "abduct": 16.0, "elbow": 8.0, "pronate": 60.0, **straight}),
        "face down": on_floor({
            "x": 0.05, "tilt": 90.0, "abduct": 14.0, "elbow": 8.0, "pronate": -60.0, **straight, "hip": -2.0,
            "hip_turn": -5.0, "ankle": -42.0}),
        "on the side": on_side,
        "turning over": put(on_side, turning),
    }  # fmt: skip


def _crouch(person: Person, upright: Floats) -> Floats:
    """On feet and hands, before the feet go back."""
    return change(person, upright, {
        "lift": 1.0, "grip": 1.0, "x": -0.07, "y": 0.545, "tilt": 66.0, "trunk": 20.0, "nod": -30.0, "hip": 128.0,
        "knee": 118.0, "foot_pitch": -30.0, "shoulder": 74.0, "elbow": 30.0})  # fmt: skip


def _plank(person: Person, upright: Floats) -> Floats:
    """Straight from heels to head, hands below the shoulders."""
    changes = {
        "grip": 1.0, "foot_pitch": -72.0, "foot_z": 0.09, "foot_yaw": 0.0, "hip": 2.0, "knee": 2.0, "hip_turn": 0.0,
        "trunk": 0.0, "nod": -14.0, "shoulder": 74.0, "elbow": 8.0, "abduct": 10.0, "pronate": 60.0, "ankle": -10.0,
    }  # fmt: skip
    pose = _lowered(person, change(person, upright, changes), 0.98)
    shoulder = body(person, pose)[0][J["left_shoulder"], 0]
    return _lowered(person, put(pose, {"foot_x": pose[C["left_hand_x"]] - shoulder + 0.02}), 0.98)


def _lowered(person: Person, pose: Floats, reach: float) -> Floats:
    """A plank tilted so that the shoulders are ``reach`` arm's lengths above the hands."""
    size, pose = person.lengths, put(pose, {"lift": 0.0})
    arm, line = size["upper_arm"] + size["forearm"], size["shin"] + size["thigh"] + size["trunk"]
    height = WRIST_M + reach * arm - body(person, pose)[0][J["left_ankle"], 1]
    pose = put(pose, {"tilt": float(np.rad2deg(np.arccos(np.clip(height / line, -1, 1))))})
    root = body(person, pose)[0][J["pelvis"]]
    return put(pose, {"lift": 1.0, "x": float(root[0]), "y": float(root[1])})
