"""A pose as a row of named numbers, ``CHANNELS``, and the body in it: joint angles, contacts, inverse kinematics.

A pose says how the joints are bent *and* what the body stands on. Feet (and hands, where they bear weight) have a place
in the room; the pelvis goes where the bent legs put it, or where the pose says (``lift``), and legs and arms are then
bent a little more or less so that the contacts stay where they are. So feet do not slide, sink or float.

Units: degrees, metres. Mirrored channels have no sign of side: ``left_abduct`` and ``right_abduct`` both lead outwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.gym.person import Person, S, placed, turned
from kinjo.motion import SEGMENTS, J

Floats = NDArray[np.floating[Any]]

_MIDDLE: dict[str, tuple[str, int]] = {
    "tilt": ("pelvis", 0), "roll": ("pelvis", 1), "yaw": ("pelvis", 2),
    "trunk": ("chest", 0), "bend": ("chest", 1), "twist": ("chest", 2),
    "nod": ("head", 0), "cock": ("head", 1), "turn": ("head", 2),
}  # fmt: skip
_SIDED: dict[str, tuple[str, int]] = {
    "shoulder": ("upper_arm", 0), "abduct": ("upper_arm", 1), "rotate": ("upper_arm", 2),
    "elbow": ("forearm", 0), "pronate": ("forearm", 2), "radial": ("hand", 0), "wrist": ("hand", 1),
    "hip": ("thigh", 0), "spread": ("thigh", 1), "hip_turn": ("thigh", 2), "knee": ("shin", 0), "ankle": ("foot", 0),
}  # fmt: skip
_PLACES = (
    "foot_x",
    "foot_y",
    "foot_z",
    "foot_pitch",
    "foot_yaw",
    "plant",
    "bear",
    "hand_x",
    "hand_y",
    "hand_z",
    "grip",
)
ROOT = ("lift", "x", "y", "z")
"""``lift``: 0, the planted legs say where the pelvis is, 1, ``x, y, z`` (m, the room's axes) say so."""

SIDED: tuple[str, ...] = (*_SIDED, *_PLACES)
"""Channels that each side has: angles, then

``foot_x, foot_z``: where the sole's point below the ankle is (m), ``foot_y`` its height, ``foot_pitch`` toes up (turns
about the heel) or heel up (negative; about the ball), ``foot_yaw`` where the toes point to (as ``yaw``), ``plant``: 1,
the leg is bent so that the foot is there, 0, it hangs as the angles say; ``bear``: the leg's share in carrying the
pelvis. ``hand_*`` and ``grip``: the same for the wrist."""

CHANNELS: tuple[str, ...] = (*ROOT, *_MIDDLE, *(f"{side}_{name}" for side in ("left", "right") for name in SIDED))
C = {name: i for i, name in enumerate(CHANNELS)}
"""channel -> index."""

_ANGLES = [
    (C[name], S[segment], k) for name, (segment, k) in _MIDDLE.items()
] + [
    (C[f"{side}_{name}"], S[f"{side}_{segment}"], k)
    for side in ("left", "right") for name, (segment, k) in _SIDED.items()
]  # fmt: skip
ANGULAR = np.array([i for i, _, _ in _ANGLES])
"""Indices of the joint angles among the channels."""

_OTHER = np.array([
    C["right_" + n[5:]] if n.startswith("left_") else C["left_" + n[6:]] if n.startswith("right_") else i
    for i, n in enumerate(CHANNELS)
])  # fmt: skip
_FLIP = np.array([
    -1.0 if n in ("roll", "yaw", "bend", "twist", "cock", "turn", "z") or n.endswith(("foot_yaw", "foot_z", "hand_z"))
    else 1.0 for n in CHANNELS
])  # fmt: skip


def rest() -> Floats:
    """All zero, but both feet planted and bearing."""
    pose = np.zeros(len(CHANNELS))
    for side in ("left", "right"):
        pose[[C[f"{side}_plant"], C[f"{side}_bear"]]] = 1.0
    return pose


def put(pose: Floats, values: Mapping[str, float]) -> Floats:
    """A copy with ``values`` set; a sided channel without its side (``knee``) is set on both.

    ``foot_z`` and ``hand_z`` without a side lead outwards, and ``foot_yaw`` turns the toes out.
    """
    out = np.array(pose)
    for name, value in values.items():
        if name in C:
            out[..., C[name]] = value
            continue
        if name not in SIDED:
            raise KeyError(f"no channel '{name}'. There are: {', '.join((*ROOT, *_MIDDLE, *SIDED))}")
        sign = -1.0 if name in ("foot_z", "hand_z") else 1.0
        out[..., C[f"left_{name}"]] = value * sign
        out[..., C[f"right_{name}"]] = value if name != "foot_yaw" else -value
    return out


def mirrored(pose: Floats) -> Floats:
    """Left and right swapped; of poses that are not yet put in the room (``in_room``)."""
    return pose[..., _OTHER] * _FLIP


def in_room(pose: Floats, x: float, z: float, yaw_deg: float) -> Floats:
    """Poses around the origin, facing ``+x``, moved to ``x, z`` and turned by ``yaw_deg``."""
    out = np.array(pose)
    cos, sin = np.cos(np.deg2rad(yaw_deg)), np.sin(np.deg2rad(yaw_deg))
    for a, b in (("x", "z"), *((f"{s}_{p}_x", f"{s}_{p}_z") for s in ("left", "right") for p in ("foot", "hand"))):
        out[..., C[a]] = x + cos * pose[..., C[a]] + sin * pose[..., C[b]]
        out[..., C[b]] = z - sin * pose[..., C[a]] + cos * pose[..., C[b]]
    for name in ("yaw", "left_foot_yaw", "right_foot_yaw"):
        out[..., C[name]] += yaw_deg
    return out


def body(person: Person, poses: Floats) -> tuple[Floats, Floats]:
    """Joints ``(..., 17, 3)`` and rotations ``(..., 15, 3, 3)`` of ``person`` in ``poses (..., channels)``."""
    angles = np.zeros((*poses.shape[:-1], len(SEGMENTS), 3))
    for channel, segment, k in _ANGLES:
        angles[..., segment, k] = np.deg2rad(poses[..., channel])
    frames = turned(angles)
    free = placed(person, frames, np.zeros((*poses.shape[:-1], 3)))  # the pelvis at the origin
    feet = {side: _foot(person, poses, side) for side in ("left", "right")}
    root = _root(person, poses, free, feet)
    for side, (target, sole) in feet.items():
        plant = poses[..., C[f"{side}_plant"], None]
        names = f"{side}_thigh", f"{side}_shin"
        hip, ankle = root + free[..., J[f"{side}_hip"], :], root + free[..., J[f"{side}_ankle"], :]
        _reach(
            frames, names, hip, ankle + plant * (target - ankle), person.lengths["thigh"], person.lengths["shin"], -1.0
        )
        foot = S[f"{side}_foot"]
        frames[..., foot, :, :] = _between(frames[..., foot, :, :], sole, plant)
    _hold(person, poses, frames, free, root)
    return placed(person, frames, root), frames


def _root(person: Person, poses: Floats, free: Floats, feet: dict[str, tuple[Floats, Floats]]) -> Floats:
    """Where the pelvis is: carried by the feet, or where the pose lifts it."""
    share, carried = np.full(poses.shape[:-1], 1e-9)[..., None], np.zeros((*poses.shape[:-1], 3))
    for side, (target, _) in feet.items():
        bear = poses[..., C[f"{side}_bear"], None]
        carried += bear * (target - free[..., J[f"{side}_ankle"], :])
        share = share + bear
    lift = poses[..., C["lift"], None]
    return (1 - lift) * carried / share + lift * poses[..., C["x"] : C["z"] + 1]


def _foot(person: Person, poses: Floats, side: str) -> tuple[Floats, Floats]:
    """Where the pose puts a foot: its ankle ``(..., 3)`` and its frame ``(..., 3, 3)``."""
    size = person.lengths
    pitch = np.deg2rad(poses[..., C[f"{side}_foot_pitch"]])
    yaw = np.deg2rad(poses[..., C[f"{side}_foot_yaw"]])
    up = 0.5 * (pitch + np.sqrt(pitch**2 + 3e-4))  # smooth: about the heel above 0, about the ball below
    down = pitch - up
    x, y = np.zeros_like(pitch), np.zeros_like(pitch)
    for turn, lever in ((up, -size["heel"]), (down, 0.92 * size["foot"])):
        # the ankle, ahead of the pivot by -lever and above it by the ankle's height, turned by the angle
        x += lever + -lever * np.cos(turn) - size["ankle"] * np.sin(turn)
        y += -lever * np.sin(turn) + size["ankle"] * (np.cos(turn) - 1)
    cos, sin = np.cos(yaw), np.sin(yaw)
    target = poses[..., C[f"{side}_foot_x"] : C[f"{side}_foot_z"] + 1] + 0.0
    target[..., 0] += cos * x
    target[..., 1] += size["ankle"] + y
    target[..., 2] -= sin * x
    cp, sp, zero = np.cos(pitch), np.sin(pitch), np.zeros_like(pitch)
    frame = np.stack([
        np.stack([cos * cp, -cos * sp, sin], -1), np.stack([sp, cp, zero], -1), np.stack([-sin * cp, sin * sp, cos], -1)
    ], -2)  # fmt: skip
    return target, frame


def _hold(person: Person, poses: Floats, frames: Floats, free: Floats, root: Floats) -> None:
    """Bend the arms so that hands that bear weight are where the pose has them, palms down."""
    for side, right in (("left", -1.0), ("right", 1.0)):
        grip = poses[..., C[f"{side}_grip"], None]
        if not grip.any():
            continue
        target = poses[..., C[f"{side}_hand_x"] : C[f"{side}_hand_z"] + 1]
        shoulder, wrist = root + free[..., J[f"{side}_shoulder"], :], root + free[..., J[f"{side}_wrist"], :]
        names, size = (f"{side}_upper_arm", f"{side}_forearm"), person.lengths
        aim = wrist + grip * (target - wrist)
        _reach(frames, names, shoulder, aim, size["upper_arm"], size["forearm"], 1.0)
        yaw = np.deg2rad(poses[..., C["yaw"]])
        zero, one = np.zeros_like(yaw), np.ones_like(yaw)
        ahead, aside = np.stack([np.cos(yaw), zero, -np.sin(yaw)], -1), np.stack([np.sin(yaw), zero, np.cos(yaw)], -1)
        flat = np.stack([-right * aside, -ahead, right * np.stack([zero, one, zero], -1)], -1)
        hand = S[f"{side}_hand"]
        frames[..., hand, :, :] = _between(frames[..., hand, :, :], flat, grip)


def _reach(
    frames: Floats, names: tuple[str, str], start: Floats, target: Floats, upper: float, lower: float, sign: float
) -> None:
    """Turn two segments, in place, so that the second ends at ``target``; they bend about the first one's ``z``.

    ``sign`` 1 bends as an elbow, -1 as a knee. A target out of reach is approached, smoothly.
    """
    first, second = (S[name] for name in names)
    way = target - start
    far = np.sqrt((way**2).sum(-1)) + 1e-9
    up = -way / far[..., None]
    most, soft = 0.9995 * (upper + lower), 0.012 * (upper + lower)
    far = most - soft * np.logaddexp(0.0, (most - far) / soft)
    least, soft = 0.25 * (upper + lower), 0.03 * (upper + lower)
    far = least + soft * np.logaddexp(0.0, (far - least) / soft)
    old = frames[..., first, :, :]
    axis = old[..., 2] - (old[..., 2] * up).sum(-1, keepdims=True) * up
    axis /= np.sqrt((axis**2).sum(-1, keepdims=True)) + 1e-9
    ahead = np.cross(up, axis)
    alpha = sign * np.arccos(np.clip((far**2 + upper**2 - lower**2) / (2 * far * upper), -1, 1))
    beta = sign * np.arccos(np.clip((far**2 + lower**2 - upper**2) / (2 * far * lower), -1, 1))
    twist = np.einsum("...ji,...jk->...ik", old, frames[..., second, :, :])  # keeps the forearm's pronation
    turn = np.arctan2(-twist[..., 2, 0], twist[..., 2, 2])
    for segment, angle in ((first, -alpha), (second, beta)):
        cos, sin = np.cos(angle)[..., None], np.sin(angle)[..., None]
        x, y = cos * ahead + sin * up, cos * up - sin * ahead
        if segment == first:
            frames[..., segment, :, 0], frames[..., segment, :, 1], frames[..., segment, :, 2] = x, y, axis
        else:
            c, s = np.cos(turn)[..., None], np.sin(turn)[..., None]
            frames[..., segment, :, 0] = c * x - s * axis
            frames[..., segment, :, 1] = y
            frames[..., segment, :, 2] = s * x + c * axis


def _between(old: Floats, new: Floats, share: Floats) -> Floats:
    """Frames between ``old`` and ``new``: columns blended, made orthonormal again."""
    x = old[..., 0] + share * (new[..., 0] - old[..., 0])
    y = old[..., 1] + share * (new[..., 1] - old[..., 1])
    y = y / (np.sqrt((y**2).sum(-1, keepdims=True)) + 1e-9)
    x = x - (x * y).sum(-1, keepdims=True) * y
    x = x / (np.sqrt((x**2).sum(-1, keepdims=True)) + 1e-9)
    return np.stack([x, y, np.cross(x, y)], -1)
