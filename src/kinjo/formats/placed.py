"""A posed chain becomes a ``Motion``: canonical joints, metres, y up, and the rotations of its segments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import CANONICAL
from kinjo.formats import placing
from kinjo.formats.chain import Chain, Posed, pose
from kinjo.formats.errors import FormatError, Said
from kinjo.formats.names import Found, canonical_joints
from kinjo.motion import SEGMENTS, J, Motion, segment_frames

Floats = NDArray[np.floating[Any]]


def motion_of(
    file: str,
    chain: Chain,
    turns: Mapping[int, Floats],
    places: Mapping[int, Floats],
    rate_hz: float,
    said: Said,
    units: str | float | None = None,
) -> Motion:
    """The movement of a chain (see ``chain.pose``) as ``Motion``; ``units`` are those that the file itself states.

    A segment's rotation is that of the joint that carries it, times the constant that makes the segment's frame the
    one found from positions in the rest pose. Where the rest pose does not stand (all bones along one axis, say), the
    constant is the mean over the movement.
    """
    found = canonical_joints(file, chain, said)
    carriers = _carriers(chain, found)
    wanted = {joint for group in found.values() for joint in group} | set(carriers)
    posed = pose(chain, turns, places, wanted)
    positions = _canonical(found, posed.positions)
    rest = _canonical(found, {i: place[None] for i, place in enumerate(chain.rest())})
    if said.left_handed:
        positions, rest, posed = positions * _FLIP, rest * _FLIP, _mirrored(posed, carriers)
    if not np.isfinite(positions[:, _known(found)]).all():
        raise FormatError(file, "movement", "finite numbers", "numbers too large", "The file is damaged.")
    size = placing.body_size(file, positions)
    scale = placing.metres(file, size, said, units)
    to_y = placing.turn_to_y(placing.up_axis(file, positions, size, said, rest))
    lacking = [joint for joint in CANONICAL.joints if joint not in found]
    constants = _constants(file, posed, carriers, positions, rest, lacking, said)
    out = (positions * scale) @ to_y.T
    placing.check_places(file, out)
    placing.check_sides(file, out)
    rotations = np.stack([to_y @ (posed.turns[j] @ c) for j, c in zip(carriers, constants, strict=True)], axis=1)
    missing = np.broadcast_to(~np.array(_known(found)), out.shape[:2])
    out[missing] = 0.0
    return Motion(out, rate_hz, rotations, missing.copy() if missing.any() else None)


_FLIP = np.array([1.0, 1.0, -1.0])


def _known(found: Found) -> list[bool]:
    return [joint in found for joint in CANONICAL.joints]


def _mirrored(posed: Posed, carriers: tuple[int, ...]) -> Posed:
    """Turns of the ``carriers`` reflected in z = 0, so that left-handed axes become right-handed."""
    return Posed(posed.positions, {j: posed.turns[j] * _FLIP[:, None] * _FLIP for j in set(carriers)})


def _canonical(found: Found, positions: Mapping[int, Floats]) -> Floats:
    """``(frames, 17, 3)``, NaN where the chain has no such joint."""
    frames = len(positions[found["pelvis"][0]])
    out = np.full((frames, len(CANONICAL.joints), 3), np.nan)
    for joint, group in found.items():
        out[:, J[joint]] = sum(positions[i] for i in group) / len(group)
    return out


def _carriers(chain: Chain, found: Found) -> tuple[int, ...]:
    """The joint of the chain that turns each of ``SEGMENTS``."""
    of = {joint: group[0] for joint, group in found.items()}
    chest = max(chain.meeting(of["left_shoulder"], of["right_shoulder"]), 0)
    carried = {"pelvis": max(chain.meeting(of["left_hip"], of["right_hip"]), 0), "chest": chest}
    carried["head"] = of.get("head", chest)
    for side in ("left", "right"):
        for segment, joint in (
            ("upper_arm", "shoulder"), ("forearm", "elbow"), ("hand", "wrist"), ("thigh", "hip"), ("shin", "knee"),
            ("foot", "ankle"),
        ):  # fmt: skip
            carried[f"{side}_{segment}"] = of[f"{side}_{joint}"]
    return tuple(carried[segment] for segment in SEGMENTS)


def _constants(
    file: str, posed: Posed, carriers: tuple[int, ...], positions: Floats, rest: Floats, lacking: list[str], said: Said
) -> Floats:
    """``(15, 3, 3)``: from each segment's frame to that of the joint that carries it."""
    if placing.upright(rest) is not None:
        return segment_frames(np.nan_to_num(rest[0]), lacking, rest=True)
    said.note(f"{file}: the rest pose does not stand; segment frames are fitted to the movement")
    step = max(1, len(positions) // 500)
    frames = segment_frames(np.nan_to_num(positions[::step]), lacking)
    joints = np.stack([posed.turns[j][::step] for j in carriers], axis=1)
    u, _, v = np.linalg.svd((np.swapaxes(joints, -1, -2) @ frames).sum(0))
    sign = np.ones((len(u), 3))
    sign[:, 2] = np.linalg.det(u @ v)
    return (u * sign[:, None, :]) @ v
