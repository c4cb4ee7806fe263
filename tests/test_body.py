"""Skeletons, the canonical map, mirrors and placements: names land on the anatomy that they name."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo import body
from kinjo.body import (
    CANONICAL,
    MIRROR_PLACEMENT,
    NEAREST_JOINTS,
    PLACEMENTS,
    SKELETONS,
    Skeleton,
    canonical_sources,
    mirror,
    to_canonical,
)

NAMES = sorted(SKELETONS)
SIZES = {"canonical": 17, "kinect20": 20, "coco17": 17, "h36m17": 17, "mediapipe33": 33, "smpl22": 22}
HEIGHT = {
    "head_top": 1.8, "head": 1.7, "eye": 1.7, "eye_inner": 1.7, "eye_outer": 1.7, "ear": 1.7, "nose": 1.65,
    "mouth": 1.6, "neck": 1.5, "shoulder_center": 1.5, "thorax": 1.5, "collar": 1.45, "shoulder": 1.45, "spine3": 1.3,
    "spine2": 1.2, "spine1": 1.1, "spine": 1.15, "elbow": 1.2, "hip_center": 1.0, "pelvis": 1.0, "wrist": 0.95,
    "hip": 0.95, "hand": 0.87, "pinky": 0.87, "index": 0.85, "thumb": 0.88, "knee": 0.5, "ankle": 0.1, "heel": 0.03,
    "foot": 0.05, "foot_index": 0.02,
}  # fmt: skip
"""Height of a standing adult's joints, metres."""


def standing(skeleton: Skeleton) -> np.ndarray:
    """(joints, 3) of a standing person: x to the right (0.2 m off the middle for sided joints), y up."""
    part = [joint.removeprefix("left_").removeprefix("right_") for joint in skeleton.joints]
    side = [-0.2 * j.startswith("left_") + 0.2 * j.startswith("right_") for j in skeleton.joints]
    return np.array([[x, HEIGHT[p], 0.0] for x, p in zip(side, part, strict=True)])


@pytest.mark.parametrize("name", NAMES)
def test_skeletons_are_symmetric_trees(name: str):
    skeleton = SKELETONS[name]
    assert len(skeleton.joints) == SIZES[name]
    assert skeleton.parents.count(-1) == 1
    swapped = mirror(name)
    assert np.array_equal(swapped[swapped], np.arange(len(skeleton.joints)))
    assert all(body.swap_side(skeleton.joints[i]) == skeleton.joints[j] for i, j in enumerate(swapped))
    assert {(int(swapped[a]), int(swapped[b])) for a, b in skeleton.bones} == set(skeleton.bones)


@pytest.mark.parametrize("name", NAMES)
def test_bones_are_as_long_as_bones(name: str):
    skeleton = SKELETONS[name]
    positions = standing(skeleton)
    for parent, child in skeleton.bones:
        length = np.linalg.norm(positions[parent] - positions[child])
        assert length < 0.65, (skeleton.joints[parent], skeleton.joints[child])


@pytest.mark.parametrize("name", NAMES)
def test_the_canonical_body_stands_as_the_given_one(name: str):
    given_positions = standing(SKELETONS[name])
    positions, missing = to_canonical(given_positions, name)
    at = dict(zip(CANONICAL.joints, positions, strict=True))
    expected = dict(zip(CANONICAL.joints, standing(CANONICAL), strict=True))
    for joint, lacks in zip(CANONICAL.joints, missing, strict=True):
        if lacks:
            assert not at[joint].any()
        else:
            assert np.linalg.norm(at[joint] - expected[joint]) < 0.11, joint
    assert at["head"][1] > at["neck"][1] > at["pelvis"][1] > at["left_knee"][1] > at["left_ankle"][1]


def test_only_feet_are_missing_and_only_where_there_are_none():
    lacking = {name: [j for j, group in canonical_sources(SKELETONS[name]).items() if not group] for name in NAMES}
    feet = ["left_foot", "right_foot"]
    assert lacking == {
        "canonical": [], "kinect20": [], "coco17": feet, "h36m17": feet, "mediapipe33": [], "smpl22": [],
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_mirror_of_the_map_is_the_map_of_the_mirror(name: str):
    rng = np.random.default_rng(3)
    positions = rng.normal(size=(4, 5, len(SKELETONS[name].joints), 3))
    mapped, missing = to_canonical(positions, name)
    other, other_missing = to_canonical(positions[..., mirror(name), :], name)
    np.testing.assert_allclose(other, mapped[..., mirror(CANONICAL), :], atol=1e-12)
    assert np.array_equal(other_missing, missing[mirror(CANONICAL)])


@pytest.mark.parametrize("name", NAMES)
def test_the_map_moves_with_the_body(name: str):
    """A mean of joints: rotating, scaling and shifting before or after is the same, but for missing joints."""
    rng = np.random.default_rng(4)
    positions = rng.normal(size=(3, len(SKELETONS[name].joints), 3))
    turn, shift = rng.normal(size=(3, 3)), rng.normal(size=3)
    there, missing = to_canonical(positions @ turn + shift, name)
    here, _ = to_canonical(positions, name)
    np.testing.assert_allclose(there[:, ~missing], (here @ turn + shift)[:, ~missing], atol=1e-12)


def test_derived_joints_lie_between_their_sources():
    positions = standing(SKELETONS["coco17"])
    at = dict(zip(CANONICAL.joints, to_canonical(positions, "coco17")[0], strict=True))
    index = SKELETONS["coco17"].index
    np.testing.assert_allclose(at["pelvis"], (positions[index("left_hip")] + positions[index("right_hip")]) / 2)
    np.testing.assert_allclose(at["neck"], (positions[index("left_shoulder")] + positions[index("right_shoulder")]) / 2)


@given(st.sampled_from(["<f4", "<f8", "<i2"]), st.integers(1, 3), st.integers(0, 3))
def test_shapes_and_types(dtype: str, axes: int, frames: int):
    positions = np.ones((2, frames, 20, axes), dtype)
    out, missing = to_canonical(positions, SKELETONS["kinect20"])
    assert out.shape == (2, frames, 17, axes)
    assert out.dtype == (np.float64 if dtype == "<f8" else np.float32)
    assert missing.dtype == bool
    assert missing.shape == (17,)
    assert (out == 1).all()


def test_a_joint_that_is_not_a_number_stays_so_and_spoils_no_other():
    positions = standing(SKELETONS["coco17"])
    positions[SKELETONS["coco17"].index("left_hip")] = np.nan
    out, _ = to_canonical(positions, "coco17")
    bad = {j for j, p in zip(CANONICAL.joints, out, strict=True) if np.isnan(p).any()}
    assert bad == {"pelvis", "left_hip"}


def test_a_skeleton_of_your_own_needs_only_names():
    mine = Skeleton("mine", ("left_hip", "right_hip", "left_knee"), ((0, 1), (0, 2)))
    out, missing = to_canonical(np.array([[0.0, 0], [2, 0], [0, -1]]), mine)
    present = {j: tuple(p) for j, p, m in zip(CANONICAL.joints, out, missing, strict=True) if not m}
    assert present == {"pelvis": (1, 0), "left_hip": (0, 0), "right_hip": (2, 0), "left_knee": (0, -1)}
    with pytest.raises(ValueError, match="no joint 'right_knee'"):
        mirror(mine)


@pytest.mark.parametrize(
    ("joints", "bones", "message"),
    [
        (("a", "a"), ((0, 1),), "repeats"),
        (("a", "b"), (), "need 1 bones"),
        (("a", "b", "c"), ((0, 1), (2, 1)), "one parent"),
        (("a", "b"), ((0, 2),), "indices"),
        (("a", "b", "c"), ((1, 2), (2, 1)), "one tree"),
    ],
)
def test_bad_skeletons(joints: tuple[str, ...], bones: tuple[tuple[int, int], ...], message: str):
    with pytest.raises(ValueError, match=message):
        Skeleton("bad", joints, bones)


def test_errors_say_what_to_do():
    with pytest.raises(ValueError, match="Known: canonical, kinect20"):
        to_canonical(np.zeros((17, 3)), "openpose")
    with pytest.raises(ValueError, match=r"20 joints.*given \(17, 3\)"):
        to_canonical(np.zeros((17, 3)), "kinect20")


def test_placements_mirror_and_map_alike():
    assert set(MIRROR_PLACEMENT) == set(NEAREST_JOINTS) == set(PLACEMENTS)
    for placement, other in MIRROR_PLACEMENT.items():
        assert MIRROR_PLACEMENT[other] == placement
        mirrored = {body.swap_side(joint) for joint in NEAREST_JOINTS[placement]}
        assert mirrored == set(NEAREST_JOINTS[other])
        assert set(NEAREST_JOINTS[placement]) <= set(CANONICAL.joints)
    assert MIRROR_PLACEMENT["left_wrist"] == "right_wrist"
    assert MIRROR_PLACEMENT["chest"] == "chest"
    assert NEAREST_JOINTS["right_thigh"] == ("right_hip", "right_knee")
    assert [p for p, joints in NEAREST_JOINTS.items() if not joints] == ["unknown"]


def test_a_bone_of_a_placement_is_a_bone_of_the_canonical_skeleton():
    bones = {(CANONICAL.joints[a], CANONICAL.joints[b]) for a, b in CANONICAL.bones}
    limbs = {p: joints for p, joints in NEAREST_JOINTS.items() if len(joints) == 2 and p not in ("wrist", "pocket")}
    assert set(limbs.values()) <= bones


def test_kinect_order_on_real_people(data_root: Path):
    """Waving moves the right wrist and elbow, squatting moves the head down; heads are above hips and feet."""
    from kinjo.datasets import utd_mhad

    if utd_mhad.find(data_root) is None:
        pytest.skip("no UTD-MHAD")
    clips = [f"a{a}_s{s}_t2" for a in (3, 16, 27) for s in (1, 2, 5, 8)]
    for recording in utd_mhad.recordings(data_root, modalities=("pose",), only=clips):
        positions, missing = to_canonical(recording.streams["pose"].values(), "kinect20")
        assert not missing.any()
        at = {joint: positions[:, i] for i, joint in enumerate(CANONICAL.joints)}
        middle = {joint: np.median(p, axis=0) for joint, p in at.items()}
        assert middle["head"][1] > middle["neck"][1] > middle["pelvis"][1] > middle["right_knee"][1]
        assert middle["right_shoulder"][0] > middle["left_shoulder"][0]
        assert middle["right_hip"][0] > middle["left_hip"][0]
        moved = {joint: p.std(axis=0).sum() for joint, p in at.items()}
        action = recording.id.partition("_")[0]
        if action == "a3":
            assert max(moved, key=lambda joint: moved[joint]) == "right_wrist"
            assert moved["right_wrist"] > 5 * moved["left_wrist"]
        elif action == "a16":
            assert min(moved["left_wrist"], moved["right_wrist"]) > 3 * max(moved["head"], moved["left_ankle"])
        else:
            drop = {joint: np.ptp(p[:, 1]) for joint, p in at.items()}
            assert min(drop["head"], drop["pelvis"]) > 0.15
            assert drop["head"] > 2 * max(drop["left_ankle"], drop["right_ankle"])
