"""Joints, skeletons and placements by name, and maps from the common skeletons to one canonical skeleton.

Everything goes by joint *name*: a skeleton is a list of names, and ``CANONICAL_RULES`` says from which names a
canonical joint can be had. A skeleton of your own therefore needs no code, only the names used here. ``left`` and
``right`` are always the person's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLACEMENTS: tuple[str, ...] = (
    "head", "left_ear", "right_ear", "neck", "chest", "back", "waist",
    "left_upper_arm", "right_upper_arm", "left_forearm", "right_forearm", "left_wrist", "right_wrist",
    "left_hand", "right_hand", "left_thigh", "right_thigh", "left_pocket", "right_pocket",
    "left_shin", "right_shin", "left_ankle", "right_ankle", "left_foot", "right_foot",
    "wrist", "pocket", "unknown",
)  # fmt: skip
"""Where on the body a sensor may sit. ``wrist`` and ``pocket``: of one side, but nobody knows which."""


@dataclass(frozen=True)
class Skeleton:
    """The joint order of a pose: names, and bones as pairs ``(parent, child)`` of indices into ``joints``.

    The bones form one tree. Raises ``ValueError`` where they do not, or where names repeat.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        count = len(self.joints)
        if len(set(self.joints)) != count:
            raise ValueError(f"skeleton '{self.name}': a joint name repeats. Give every joint its own name.")
        children = [child for _, child in self.bones]
        if any(not 0 <= i < count for bone in self.bones for i in bone) or len(set(children)) != len(children):
            raise ValueError(f"skeleton '{self.name}': bones must be (parent, child) indices, one parent per joint.")
        if len(self.bones) != count - 1:
            raise ValueError(f"skeleton '{self.name}': {count} joints need {count - 1} bones, given {len(self.bones)}.")
        reached = {next(i for i in range(count) if i not in children)}
        for _ in self.bones:
            reached |= {child for parent, child in self.bones if parent in reached}
        if len(reached) != count:
            raise ValueError(f"skeleton '{self.name}': the bones do not form one tree.")

    @property
    def parents(self) -> tuple[int, ...]:
        """Index of each joint's parent; -1 for the root."""
        parent = {child: up for up, child in self.bones}
        return tuple(parent.get(i, -1) for i in range(len(self.joints)))

    def index(self, joint: str) -> int:
        """Index of ``joint`` in ``joints``; ``ValueError`` with the known names where there is none."""
        if joint not in self.joints:
            raise ValueError(f"skeleton '{self.name}' has no joint '{joint}'. It has: {', '.join(self.joints)}.")
        return self.joints.index(joint)


def _tree(name: str, joints: str, bones: str) -> Skeleton:
    """A skeleton from words: ``bones`` are chains ``a>b>c`` of joint names, parent first."""
    names = tuple(joints.split())
    chains = [chain.split(">") for chain in bones.split()]
    pairs = [(a, b) for chain in chains for a, b in pairwise(chain)]
    return Skeleton(name, names, tuple((names.index(a), names.index(b)) for a, b in pairs))


def _both(chain: str) -> str:
    """``chain`` for the left side and again for the right."""
    return f"{chain} {chain.replace('left_', 'right_')}"


_ALL: tuple[Skeleton, ...] = (
    _tree(
        "canonical",
        "pelvis neck head left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist "
        "left_hip left_knee left_ankle left_foot right_hip right_knee right_ankle right_foot",
        "pelvis>neck>head " + _both("neck>left_shoulder>left_elbow>left_wrist")
        + " " + _both("pelvis>left_hip>left_knee>left_ankle>left_foot"),
    ),
    _tree(
        "kinect20",
        "head shoulder_center spine hip_center left_shoulder left_elbow left_wrist left_hand "
        "right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot "
        "right_hip right_knee right_ankle right_foot",
        "hip_center>spine>shoulder_center>head " + _both("hip_center>left_hip>left_knee>left_ankle>left_foot")
        + " " + _both("shoulder_center>left_shoulder>left_elbow>left_wrist>left_hand"),
    ),
    _tree(
        "coco17",
        "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow "
        "left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
        _both("nose>left_eye>left_ear") + " " + _both("nose>left_shoulder>left_elbow>left_wrist")
        + " " + _both("left_shoulder>left_hip>left_knee>left_ankle"),
    ),
    _tree(
        "h36m17",
        "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax nose head_top "
        "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist",
        "pelvis>spine>thorax>nose>head_top " + _both("thorax>left_shoulder>left_elbow>left_wrist")
        + " " + _both("pelvis>left_hip>left_knee>left_ankle"),
    ),
    _tree(
        "mediapipe33",
        "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear "
        "left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
        "left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee "
        "left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index",
        _both("nose>left_eye_inner>left_eye>left_eye_outer>left_ear") + " " + _both("nose>left_mouth")
        + " " + _both("nose>left_shoulder>left_elbow>left_wrist>left_pinky") + " " + _both("left_wrist>left_index")
        + " " + _both("left_wrist>left_thumb") + " " + _both("left_shoulder>left_hip>left_knee>left_ankle>left_heel")
        + " " + _both("left_ankle>left_foot_index"),
    ),
    _tree(
        "smpl22",
        "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 left_foot "
        "right_foot neck left_collar right_collar head left_shoulder right_shoulder left_elbow right_elbow "
        "left_wrist right_wrist",
        "pelvis>spine1>spine2>spine3>neck>head " + _both("pelvis>left_hip>left_knee>left_ankle>left_foot")
        + " " + _both("spine3>left_collar>left_shoulder>left_elbow>left_wrist"),
    ),
)  # fmt: skip

SKELETONS: dict[str, Skeleton] = {skeleton.name: skeleton for skeleton in _ALL}
"""Known joint orders: canonical, kinect20 (Kinect v1, as UTD-MHAD stores it), coco17, h36m17, mediapipe33, smpl22."""

CANONICAL = SKELETONS["canonical"]
"""17 joints that video pose, depth cameras and motion capture all reach. It has no joint between pelvis and neck:
'spine' of the Kinect sits 6 cm above the hip centre, 'spine' of Human3.6M in mid-trunk, and one name would hide it."""

CANONICAL_RULES: dict[str, tuple[tuple[str, ...], ...]] = {
    "pelvis": (("hip_center",), ("left_hip", "right_hip")),
    "neck": (("shoulder_center",), ("thorax",), ("left_shoulder", "right_shoulder")),
    "head": (("left_ear", "right_ear"), ("nose", "head_top"), ("nose",)),
    "left_foot": (("left_foot_index",),),
    "right_foot": (("right_foot_index",),),
}
"""canonical joint -> what stands for it where a skeleton lacks it: the first group that is there, and its mean."""


def canonical_sources(skeleton: Skeleton) -> dict[str, tuple[str, ...]]:
    """canonical joint -> the joints of ``skeleton`` whose mean stands for it; empty where none can."""
    sources: dict[str, tuple[str, ...]] = {}
    for joint in CANONICAL.joints:
        groups = ((joint,), *CANONICAL_RULES.get(joint, ()))
        sources[joint] = next((group for group in groups if set(group) <= set(skeleton.joints)), ())
    return sources


def to_canonical(positions: NDArray[Any], skeleton: Skeleton | str) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """``positions (..., joints, axes)`` of ``skeleton`` in the canonical joint order.

    Returns ``(positions (..., 17, axes), missing (17,))``. A joint that the skeleton lacks is the mean of joints
    beside it (pelvis from the hips, neck from the shoulders, head from the ears); where nothing stands for it (the
    feet of COCO and Human3.6M) ``missing`` is ``True`` and the position is zero. Units and axes stay; NaN in a
    source joint stays NaN. Raises ``ValueError`` for an unknown skeleton or another number of joints.
    """
    given = named(skeleton)
    positions = np.asarray(positions)
    if positions.ndim < 2 or positions.shape[-2] != len(given.joints):
        raise ValueError(
            f"positions for skeleton '{given.name}': expected (..., {len(given.joints)} joints, axes), "
            f"given {positions.shape}. Pass the skeleton that the positions were made with."
        )
    dtype = np.result_type(positions.dtype, np.float32)
    shape = (*positions.shape[:-2], len(CANONICAL.joints), positions.shape[-1])
    out = np.zeros(shape, dtype)
    missing = np.zeros(len(CANONICAL.joints), bool)
    for i, group in enumerate(canonical_sources(given).values()):
        missing[i] = not group
        if group:
            out[..., i, :] = positions[..., [given.index(joint) for joint in group], :].mean(-2, dtype=dtype)
    return out, missing


def named(skeleton: Skeleton | str) -> Skeleton:
    """The skeleton of that name, or the given one; ``ValueError`` with the known names for any other."""
    if isinstance(skeleton, Skeleton):
        return skeleton
    if skeleton not in SKELETONS:
        raise ValueError(f"unknown skeleton '{skeleton}'. Known: {', '.join(SKELETONS)}; or pass a body.Skeleton.")
    return SKELETONS[skeleton]


def swap_side(name: str) -> str:
    """The same joint or placement on the other side: ``left_wrist`` -> ``right_wrist``; others stay."""
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name


def mirror(skeleton: Skeleton | str) -> NDArray[np.intp]:
    """Permutation ``(joints,)`` that swaps left and right: ``positions[..., mirror(s), :]``.

    It renames the joints only; to mirror a body, change the sign of the axis that points sideways as well.
    """
    given = named(skeleton)
    return np.array([given.index(swap_side(joint)) for joint in given.joints], np.intp)


MIRROR_PLACEMENT: dict[str, str] = {placement: swap_side(placement) for placement in PLACEMENTS}
"""placement -> the same place on the other side of the body; those without a side stay."""


def _nearest(placements: Sequence[str]) -> dict[str, tuple[str, ...]]:
    middle = {
        "head": ("head",), "left_ear": ("head",), "right_ear": ("head",), "neck": ("neck",),
        "chest": ("pelvis", "neck"), "back": ("pelvis", "neck"), "waist": ("pelvis",),
        "wrist": ("left_wrist", "right_wrist"), "pocket": ("left_hip", "right_hip"), "unknown": (),
    }  # fmt: skip
    limbs = {
        "upper_arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist"), "wrist": ("wrist",), "hand": ("wrist",),
        "thigh": ("hip", "knee"), "pocket": ("hip",), "shin": ("knee", "ankle"), "ankle": ("ankle",), "foot": ("foot",),
    }  # fmt: skip
    sided = {
        f"{side}_{limb}": tuple(f"{side}_{j}" for j in to) for limb, to in limbs.items() for side in ("left", "right")
    }
    return {placement: {**middle, **sided}[placement] for placement in placements}


NEAREST_JOINTS: dict[str, tuple[str, ...]] = _nearest(PLACEMENTS)
"""placement -> canonical joints beside it: one joint, or two: the ends of the bone that the sensor sits on
(``left_thigh``), or both sides where the side is not known (``wrist``); none for ``unknown``."""
