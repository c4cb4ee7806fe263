"""The gym's body: signs of its angles, rigid bones, frames, feet that stay where they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.body import CANONICAL
from kinjo.datasets.gym import pose
from kinjo.datasets.gym.person import Person, S, forward
from kinjo.datasets.gym.pose import C
from kinjo.datasets.gym.postures import postures
from kinjo.motion import SEGMENTS, J, Motion, segment_frames

UPRIGHT = np.zeros((len(SEGMENTS), 3))
ORIGIN = np.zeros(3)


def bent(segment: str, axis: int, degrees: float) -> np.ndarray:
    """Upright but for one angle."""
    angles = UPRIGHT.copy()
    angles[S[segment], axis] = np.deg2rad(degrees)
    return angles


def test_standing_upright_all_frames_are_the_worlds() -> None:
    person = Person()
    joints, frames = forward(person, UPRIGHT, np.array([0.0, person.leg_m, 0.0]))
    assert np.allclose(frames, np.eye(3))
    assert joints[J["right_wrist"], 2] > 0 > joints[J["left_wrist"], 2]
    assert joints[J["right_foot"], 0] > joints[J["right_ankle"], 0]
    assert joints[J["left_ankle"], 1] == pytest.approx(person.lengths["ankle"])
    assert 0.9 < joints[J["head"], 1] / person.height_m < 0.96


@pytest.mark.parametrize(
    ("segment", "axis", "joint", "direction"),
    [
        ("right_upper_arm", 0, "right_wrist", (1, 0, 0)),
        ("left_upper_arm", 0, "left_wrist", (1, 0, 0)),
        ("right_upper_arm", 1, "right_wrist", (0, 0, 1)),
        ("left_upper_arm", 1, "left_wrist", (0, 0, -1)),
        ("right_forearm", 0, "right_wrist", (1, 0, 0)),
        ("left_thigh", 1, "left_ankle", (0, 0, -1)),
        ("right_shin", 0, "right_ankle", (-1, 0, 0)),
        ("chest", 0, "head", (1, 0, 0)),
        ("chest", 1, "head", (0, 0, 1)),
        ("pelvis", 0, "neck", (1, 0, 0)),
        ("left_foot", 0, "left_foot", (0, 1, 0)),
    ],
)
def test_an_angle_moves_a_joint_that_way(segment: str, axis: int, joint: str, direction: tuple[int, int, int]) -> None:
    person = Person()
    before, _ = forward(person, UPRIGHT, ORIGIN)
    after, _ = forward(person, bent(segment, axis, 30), ORIGIN)
    assert (after - before)[J[joint]] @ direction > 0.05


@pytest.mark.parametrize(("segment", "inwards"), [("right_thigh", -1), ("left_thigh", 1), ("right_forearm", -1)])
def test_turning_inwards_turns_the_front_to_the_middle(segment: str, inwards: int) -> None:
    _, frames = forward(Person(), bent(segment, 2, 40), ORIGIN)
    assert frames[S[segment], 2, 0] * inwards > 0.5


def test_turning_to_the_left_faces_left() -> None:
    for segment in ("pelvis", "chest", "head"):
        _, frames = forward(Person(), bent(segment, 2, 90), ORIGIN)
        assert np.allclose(frames[S[segment]][:, 0], [0, 0, -1])


@given(st.integers(0, 10_000))
def test_frames_are_rotations_and_bones_keep_their_lengths(seed: int) -> None:
    rng = np.random.default_rng(seed)
    person = Person.random(rng)
    angles, root = rng.uniform(-1.5, 1.5, (2, 4, len(SEGMENTS), 3)), rng.normal(size=(2, 4, 3))
    joints, frames = forward(person, angles, root)
    assert np.allclose(frames @ np.swapaxes(frames, -1, -2), np.eye(3), atol=1e-12)
    assert np.linalg.det(frames) == pytest.approx(1.0)
    still, _ = forward(person, UPRIGHT, ORIGIN)
    for a, b in CANONICAL.bones:
        length = np.linalg.norm(joints[..., b, :] - joints[..., a, :], axis=-1)
        assert np.allclose(length, np.linalg.norm(still[b] - still[a]))
    one = forward(person, angles[1, 2], root[1, 2])
    assert np.allclose(one[0], joints[1, 2])
    assert np.allclose(one[1], frames[1, 2])


@given(st.integers(0, 10_000))
def test_mirrored_angles_are_the_mirrored_body(seed: int) -> None:
    rng = np.random.default_rng(seed)
    person, row = Person.random(rng), np.concatenate([np.zeros((3, 4)), rng.uniform(-60, 60, (3, len(C) - 4))], 1)
    for name in ("plant", "bear", "grip"):
        row[:, [C[f"left_{name}"], C[f"right_{name}"]]] = 0.0
    row[:, C["lift"]] = 1.0
    joints, frames = pose.body(person, row)
    other = Motion(
        *pose.body(person, pose.mirrored(row))[:1], 30.0, pose.body(person, pose.mirrored(row))[1]
    ).mirrored()
    assert other.rotations is not None
    assert np.allclose(other.positions, joints, atol=1e-9)
    assert np.allclose(other.rotations, frames, atol=1e-9)


def test_frames_agree_with_those_that_joints_alone_give() -> None:
    rng = np.random.default_rng(4)
    angles = np.zeros((50, len(SEGMENTS), 3))
    for side in ("left", "right"):
        angles[:, S[f"{side}_upper_arm"], 0] = rng.uniform(0, 1.2, 50)
        angles[:, S[f"{side}_upper_arm"], 1] = rng.uniform(0, 1.2, 50)
        angles[:, S[f"{side}_thigh"], 0] = rng.uniform(0, 1.5, 50)
        angles[:, S[f"{side}_forearm"], 0] = angles[:, S[f"{side}_shin"], 0] = rng.uniform(0.8, 2.0, 50)
    joints, frames = forward(Person(), angles, np.zeros((50, 3)))
    guessed = segment_frames(joints)
    for segment in ("pelvis", "chest", "left_upper_arm", "right_forearm", "left_thigh", "right_shin"):
        assert np.abs(guessed - frames)[:, S[segment]].max() < 1e-6, segment


def test_random_people_differ_and_come_again() -> None:
    people = [Person.random(np.random.default_rng(seed)) for seed in range(200)]
    heights = np.array([person.height_m for person in people])
    assert 1.45 <= heights.min() < 1.55 < 1.85 < heights.max() <= 2.0
    assert people[7] == Person.random(np.random.default_rng(7)) != people[8]
    legs = np.array([person.leg_m / person.height_m for person in people])
    assert 0.005 < legs.std() < 0.03
    assert all(set(person.girths) == set(SEGMENTS) for person in people)
    assert min(min(person.girths.values()) for person in people) > 0.01


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_planted_feet_stay_and_are_flat_however_deep_the_squat(seed: int, depth: float) -> None:
    person = Person.random(np.random.default_rng(seed))
    standing = postures(person)["standing"]
    down = pose.put(standing, {"tilt": 30, "hip": 100, "knee": 110, "left_knee": 100, "hip_turn": -15})
    joints, frames = pose.body(person, standing + depth * (down - standing))
    for side, sign in (("left", -1), ("right", 1)):
        ankle = joints[J[f"{side}_ankle"]]
        assert ankle[:2] == pytest.approx([0.0, person.lengths["ankle"]], abs=0.02)
        assert sign * ankle[2] == pytest.approx(sign * standing[C[f"{side}_foot_z"]], abs=0.01)
        assert frames[S[f"{side}_foot"]][1, 1] == pytest.approx(1.0, abs=1e-6)


def test_a_leg_that_hangs_is_bent_as_its_angles_say() -> None:
    person = Person()
    row = pose.put(pose.rest(), {"plant": 0.0, "lift": 1.0, "y": 1.5, "hip": 40.0, "knee": 70.0, "spread": 20.0})
    angles = UPRIGHT.copy()
    for side in ("left", "right"):
        angles[S[f"{side}_thigh"], :2], angles[S[f"{side}_shin"], 0] = np.deg2rad([40.0, 20.0]), np.deg2rad(70.0)
    joints, _ = forward(person, angles, np.array([0.0, 1.5, 0.0]))
    assert np.allclose(pose.body(person, row)[0], joints, atol=2e-3)


def test_a_pose_is_moved_about_the_room_as_a_whole() -> None:
    person = Person.random(np.random.default_rng(3))
    here = postures(person)["plank"]
    there = pose.body(person, pose.in_room(here, 1.0, -2.0, 90.0))[0]
    x, y, z = pose.body(person, here)[0].T
    assert np.allclose(there, np.stack([1.0 + z, y, -2.0 - x], -1), atol=1e-9)


def test_an_unknown_channel_is_named() -> None:
    with pytest.raises(KeyError, match="no channel 'kne'"):
        pose.put(pose.rest(), {"kne": 1.0})
