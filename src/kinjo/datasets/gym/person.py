"""A body to move: its dimensions, its habits, and where its joints are for given joint angles.

**Angles** are radians, ``(..., 15, 3)``: one row per ``motion.SEGMENTS``, each relative to the segment it hangs on.
Zero everywhere is standing upright, arms hanging, thumbs forward, facing ``+x``. A row is

- ``0`` flexion, about ``z``: of pelvis, chest and head forwards, of upper arm and thigh forwards, of forearm and shin
  the bending of elbow and knee, of the foot towards the shin (dorsiflexion), of the hand towards the thumb;
- ``1`` sideways, about ``x``: of pelvis, chest and head to the right, of limbs outwards (abduction), of the hand
  towards its back;
- ``2`` turning, about the segment's own ``y``: of pelvis, chest and head to the left, of limbs inwards (internal
  rotation; of the forearm pronation).

The first two are one rotation by the shortest way (swing: no order, no gimbal lock below half a turn), the third comes
before it (twist); of the pelvis the turning is the heading and comes after. Pelvis and chest meet at the pelvis joint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import CANONICAL
from kinjo.motion import SEGMENTS, J

Floats = NDArray[np.floating[Any]]

S = {segment: i for i, segment in enumerate(SEGMENTS)}
"""segment -> index."""

RATIOS: dict[str, float] = {
    "trunk": 0.288, "neck": 0.112, "shoulder": 0.110, "upper_arm": 0.186, "forearm": 0.146, "hand": 0.108,
    "hip": 0.052, "thigh": 0.245, "shin": 0.246, "foot": 0.125, "ankle": 0.039, "heel": 0.040,
}  # fmt: skip
"""Length over body height: Drillis & Contini (1964) as in Winter, Biomechanics and Motor Control, fig. 4.1, for limbs,
trunk and the height of the ankle; joint centres instead of skin for ``shoulder``, ``hip`` (from the middle), ``neck``
(neck to the middle of the head), ``foot`` (ankle to the toes, level) and ``heel`` (behind the ankle)."""

THICKNESS: dict[str, float] = {
    "pelvis": 0.073, "chest": 0.078, "head": 0.053, "upper_arm": 0.027, "forearm": 0.022, "hand": 0.022,
    "thigh": 0.045, "shin": 0.031, "foot": 0.022,
}  # fmt: skip
"""Radius over body height of a person of medium build."""

TOE = 0.012
"""Height of the toes' joint above the sole, over body height."""

_OUT = [0.0 if not s.startswith(("left", "right")) else 1.0 if s.startswith("right") else -1.0 for s in SEGMENTS]
_FORWARD_DOWN = ("pelvis", "chest", "head", "left_shin", "right_shin")
SIGNS = np.array(
    [
        [-1.0 if s in _FORWARD_DOWN else 1.0, -out if out else 1.0, out or 1.0]
        for s, out in zip(SEGMENTS, _OUT, strict=True)
    ]
)  # fmt: skip
"""``(15, 3)``: the sign with which an angle turns about ``z``, ``x``, ``y``."""

CHAIN: tuple[tuple[str, str], ...] = (
    ("head", "chest"),
    *(
        (f"{side}_{child}", parent if parent in ("pelvis", "chest") else f"{side}_{parent}")
        for side in ("left", "right")
        for child, parent in (
            ("upper_arm", "chest"), ("forearm", "upper_arm"), ("hand", "forearm"),
            ("thigh", "pelvis"), ("shin", "thigh"), ("foot", "shin"),
        )
    ),
)  # fmt: skip
"""(segment, the one it hangs on), parents first, after pelvis and chest."""


@dataclass(frozen=True)
class Style:
    """How someone holds and moves themselves; degrees, except ``stance`` (metres added between the feet)."""

    stoop: float = 0.0
    knees_in: float = 0.0
    elbows_out: float = 0.0
    toes_out: float = 8.0
    sway: float = 1.0
    stance: float = 0.0
    head: float = 0.0


@dataclass(frozen=True)
class Person:
    """One body and its habits.

    ``lengths`` (m) by the names of ``RATIOS``, ``girths``: the radius (m) of each of ``motion.SEGMENTS``. ``tempo``:
    how fast, over the usual; ``reach``: how far, over the usual range of motion; ``uneven`` (left, right): by side;
    ``lag_s``: the left side's delay after the right; ``fatigue``: share of speed and range lost over ten repetitions;
    ``variation``: how much repetitions differ; ``tremor_deg``: how unsteady; noise and tremor are some
    hundredths of it.
    """

    height_m: float = 1.72
    lengths: Mapping[str, float] = field(default_factory=dict)
    girths: Mapping[str, float] = field(default_factory=dict)
    tempo: float = 1.0
    reach: float = 1.0
    uneven: tuple[float, float] = (1.0, 1.0)
    lag_s: float = 0.0
    fatigue: float = 0.1
    variation: float = 1.0
    tremor_deg: float = 0.3
    handed: str = "right"
    style: Style = field(default_factory=Style)

    def __post_init__(self) -> None:
        lengths = {name: self.lengths.get(name, ratio * self.height_m) for name, ratio in RATIOS.items()}
        girths = {s: self.girths.get(s, THICKNESS[_plain(s)] * self.height_m) for s in SEGMENTS}
        object.__setattr__(self, "lengths", lengths)
        object.__setattr__(self, "girths", girths)

    @classmethod
    def random(cls, rng: np.random.Generator) -> Person:
        """A random person, 1.45 to 2.0 m tall; every length, thickness and habit varies on its own."""
        height = float(np.clip(rng.normal(1.71, 0.1), 1.45, 2.0))
        build = float(np.exp(rng.normal(0.0, 0.12)))
        lengths = {name: height * ratio * float(rng.normal(1.0, 0.035)) for name, ratio in RATIOS.items()}
        thickness = {name: ratio * build * float(rng.normal(1.0, 0.05)) for name, ratio in THICKNESS.items()}
        style = Style(
            stoop=float(rng.normal(0.0, 4.0)),
            knees_in=float(rng.normal(0.0, 3.0)),
            elbows_out=float(rng.normal(0.0, 5.0)),
            toes_out=float(rng.normal(9.0, 5.0)),
            sway=float(rng.uniform(0.5, 1.8)),
            stance=float(rng.normal(0.0, 0.03)),
            head=float(rng.normal(0.0, 5.0)),
        )
        uneven = 1.0 + 0.04 * rng.normal(size=2)
        return cls(
            height_m=height,
            lengths=lengths,
            girths={s: height * thickness[_plain(s)] for s in SEGMENTS},
            tempo=float(np.exp(rng.normal(0.0, 0.13))),
            reach=float(np.clip(rng.normal(1.0, 0.07), 0.82, 1.12)),
            uneven=(float(uneven[0]), float(uneven[1])),
            lag_s=float(np.clip(rng.normal(0.0, 0.012), -0.03, 0.03)),
            fatigue=float(rng.uniform(0.02, 0.22)),
            variation=float(rng.uniform(0.5, 1.6)),
            tremor_deg=float(rng.uniform(0.15, 0.6)),
            handed="left" if rng.random() < 0.1 else "right",
            style=style,
        )

    @property
    def leg_m(self) -> float:
        """From the floor to the hip joint, standing straight."""
        return self.lengths["ankle"] + self.lengths["shin"] + self.lengths["thigh"]


def _plain(segment: str) -> str:
    return segment.removeprefix("left_").removeprefix("right_")


def forward(person: Person, angles: Floats, root: Floats) -> tuple[Floats, Floats]:
    """Joints ``(..., 17, 3)`` in metres and rotations ``(..., 15, 3, 3)`` of the segments, from segment to world.

    ``angles (..., 15, 3)``: see the module; ``root (..., 3)``: where the pelvis is. Any leading dimensions.
    """
    frames = turned(angles)
    return placed(person, frames, root), frames


def turned(angles: Floats) -> Floats:
    """Rotations ``(..., 15, 3, 3)`` of the segments for ``angles (..., 15, 3)``."""
    angles = np.asarray(angles, np.float64)
    own = _swing_twist(angles * SIGNS)
    out = np.empty_like(own)
    pelvis, chest = S["pelvis"], S["chest"]
    heading = angles[..., pelvis, 2]
    swing = _swing_twist(angles[..., pelvis, :] * SIGNS[pelvis] * [1.0, 1.0, 0.0])
    cos, sin = np.cos(heading)[..., None], np.sin(heading)[..., None]
    out[..., pelvis, 0, :] = cos * swing[..., 0, :] + sin * swing[..., 2, :]
    out[..., pelvis, 1, :] = swing[..., 1, :]
    out[..., pelvis, 2, :] = cos * swing[..., 2, :] - sin * swing[..., 0, :]
    out[..., chest, :, :] = out[..., pelvis, :, :] @ own[..., chest, :, :]
    for child, parent in CHAIN:
        out[..., S[child], :, :] = out[..., S[parent], :, :] @ own[..., S[child], :, :]
    return out


def _swing_twist(angles: Floats) -> Floats:
    """Rotations ``(..., 3, 3)``: by the vector (x, 0, z) after a turn about y; ``angles (..., 3)`` about z, x, y."""
    a, b, r = angles[..., 0], angles[..., 1], angles[..., 2]
    theta = np.sqrt(a * a + b * b)
    cos, sine = np.cos(theta), np.sinc(theta / np.pi)  # sin(theta) / theta
    k = 0.5 * np.sinc(theta / (2 * np.pi)) ** 2  # (1 - cos(theta)) / theta^2
    c, s = np.cos(r), np.sin(r)
    swing = np.empty((*theta.shape, 3, 3))
    x = cos + b * b * k, a * sine, a * b * k
    z = a * b * k, -b * sine, cos + a * a * k
    for row in range(3):
        swing[..., row, 0] = x[row] * c - z[row] * s
        swing[..., row, 2] = x[row] * s + z[row] * c
    swing[..., 0, 1], swing[..., 1, 1], swing[..., 2, 1] = -a * sine, cos, b * sine
    return swing


def placed(person: Person, frames: Floats, root: Floats) -> Floats:
    """Joints ``(..., 17, 3)`` of segments turned by ``frames (..., 15, 3, 3)``, the pelvis at ``root (..., 3)``."""
    size = person.lengths
    out = np.empty((*frames.shape[:-3], len(CANONICAL.joints), 3))

    def put(joint: str, start: str, segment: str, offset: tuple[float, float, float]) -> None:
        turn = frames[..., S[segment], :, :]
        moved = out[..., J[start], :] + sum(o * turn[..., i] for i, o in enumerate(offset) if o)
        out[..., J[joint], :] = moved

    out[..., J["pelvis"], :] = root
    put("neck", "pelvis", "chest", (0.0, size["trunk"], 0.0))
    put("head", "neck", "head", (0.0, size["neck"], 0.0))
    for side, right in (("left", -1.0), ("right", 1.0)):
        put(f"{side}_shoulder", "neck", "chest", (0.0, 0.0, right * size["shoulder"]))
        put(f"{side}_elbow", f"{side}_shoulder", f"{side}_upper_arm", (0.0, -size["upper_arm"], 0.0))
        put(f"{side}_wrist", f"{side}_elbow", f"{side}_forearm", (0.0, -size["forearm"], 0.0))
        put(f"{side}_hip", "pelvis", "pelvis", (0.0, 0.0, right * size["hip"]))
        put(f"{side}_knee", f"{side}_hip", f"{side}_thigh", (0.0, -size["thigh"], 0.0))
        put(f"{side}_ankle", f"{side}_knee", f"{side}_shin", (0.0, -size["shin"], 0.0))
        toes = (size["foot"], TOE * person.height_m - size["ankle"], 0.0)
        put(f"{side}_foot", f"{side}_ankle", f"{side}_foot", toes)
    return out
