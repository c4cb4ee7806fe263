"""Variations of movements: bones stay, clocks run on, mirrors are true, the floor stays where it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.body import CANONICAL, MIRROR_PLACEMENT
from kinjo.motion import SEGMENTS, J, Motion, segment_frames
from kinjo.simulate import virtual_imu
from kinjo.vary import Variation, amplified, faster, varied, warped

REST = np.array([
    [0, 1.0, 0], [0, 1.5, 0], [0, 1.7, 0], [0, 1.45, -0.2], [0.03, 1.15, -0.25], [0.15, 0.93, -0.25], [0, 1.45, 0.2],
    [0.03, 1.15, 0.25], [0.15, 0.93, 0.25], [0, 1.0, -0.1], [0, 0.55, -0.1], [0, 0.1, -0.1], [0.15, 0.02, -0.1],
    [0, 1.0, 0.1], [0, 0.55, 0.1], [0, 0.1, 0.1], [0.15, 0.02, 0.1],
])  # fmt: skip
BONES = [(i, parent) for i, parent in enumerate(CANONICAL.parents) if parent >= 0]


def waving(frames: int = 90, rate: float = 30.0, rotations: bool = False) -> Motion:
    """The right forearm swings in the elbow, the left thigh in the hip."""
    t = np.arange(frames) / rate
    joints = np.repeat(REST[None], frames, 0)
    for joint, pivot, angle in (
        ("right_wrist", "right_elbow", 1.0 + 0.6 * np.sin(2 * np.pi * t)),
        ("left_knee", "left_hip", 0.4 * np.sin(np.pi * t)),
    ):
        bone = np.linalg.norm(REST[J[joint]] - REST[J[pivot]])
        step = bone * np.stack([np.sin(angle), -np.cos(angle), 0 * angle], 1)
        joints[:, J[joint]] = joints[:, J[pivot]] + step
    for joint in ("left_ankle", "left_foot"):
        joints[:, J[joint]] += joints[:, J["left_knee"]] - REST[J["left_knee"]]
    return Motion(joints, rate, segment_frames(joints) if rotations else None)


def lengths(motion: Motion) -> np.ndarray:
    return np.stack([np.linalg.norm(motion.positions[:, a] - motion.positions[:, b], axis=1) for a, b in BONES])


@pytest.mark.parametrize("rotations", [False, True])
def test_amplitude_one_is_the_movement_itself(rotations: bool):
    motion = waving(rotations=rotations)
    same = amplified(motion, 1.0)
    np.testing.assert_allclose(same.positions, motion.positions, atol=1e-9)
    if rotations:
        assert same.rotations is not None
        assert motion.rotations is not None
        np.testing.assert_allclose(same.rotations, motion.rotations, atol=1e-9)


@settings(max_examples=15)
@given(factor=st.floats(0.3, 1.8))
def test_amplitude_keeps_bones_and_the_floor(factor: float):
    motion = waving()
    more = amplified(motion, factor)
    np.testing.assert_allclose(lengths(more), lengths(motion), atol=1e-9)
    np.testing.assert_allclose(more.positions[..., 1].min(1), motion.positions[..., 1].min(1), atol=1e-9)


def test_amplitude_scales_the_angle():
    def swing(motion: Motion) -> float:
        arm = motion.positions[:, J["right_wrist"]] - motion.positions[:, J["right_elbow"]]
        return float(np.ptp(np.arctan2(arm[:, 0], -arm[:, 1])))

    motion = waving()
    assert swing(amplified(motion, 1.4)) == pytest.approx(1.4 * swing(motion), rel=0.02)


def test_amplitude_of_several_bodies_is_that_of_each():
    motion = waving()
    two = Motion(np.stack([motion.positions, motion.mirrored().positions]), 30.0)
    np.testing.assert_allclose(amplified(two, 1.3).positions[0], amplified(motion, 1.3).positions, atol=1e-12)


@pytest.mark.parametrize("rotations", [False, True])
def test_a_warped_clock_runs_on_and_ends_where_it_did(rotations: bool):
    motion = waving(rotations=rotations)
    changed, old = warped(motion, 0.4, np.random.default_rng(3))
    assert (np.diff(old) > 0).all()
    assert np.ptp(np.diff(old)) > 0.002
    np.testing.assert_allclose(old[[0, -1]], [0, (90 - 1) / 30])
    t = old[20]
    expected = 1.0 + 0.6 * np.sin(2 * np.pi * t)
    arm = changed.positions[20, J["right_wrist"]] - changed.positions[20, J["right_elbow"]]
    assert np.arctan2(arm[0], -arm[1]) == pytest.approx(expected, abs=0.01)
    if rotations:
        assert changed.rotations is not None
        frames = segment_frames(changed.positions)
        np.testing.assert_allclose(changed.rotations, frames, atol=0.05)


@pytest.mark.parametrize("rotations", [False, True])
def test_what_was_missing_stays_missing_when_the_clock_warps(rotations: bool):
    motion = waving(rotations=rotations)
    missing = np.zeros((90, 17), bool)
    missing[40:45, J["right_wrist"]] = True
    missing[:, J["left_foot"]] = True
    gappy = Motion(np.where(missing[..., None], np.nan, motion.positions), 30.0, motion.rotations, missing)
    changed, old = warped(gappy, 0.3, np.random.default_rng(0))
    assert changed.missing is not None
    assert changed.missing[:, J["left_foot"]].all()
    inside = (old > 40 / 30) & (old < 44 / 30)
    assert inside.any()
    assert changed.missing[inside, J["right_wrist"]].all()
    assert np.isfinite(changed.positions[~changed.missing]).all()
    assert not changed.missing[:, J["pelvis"]].any()


def test_tempo_scales_turning():
    slow = virtual_imu(waving(), "right_wrist").gyro
    fast = virtual_imu(faster(waving(), 1.25), "right_wrist").gyro
    assert np.abs(fast).max() == pytest.approx(1.25 * np.abs(slow).max(), rel=0.03)


def test_the_mirror_swaps_placements():
    motion, mirrored = varied(waving(), Variation(mirror=1.0), np.random.default_rng(0))
    assert mirrored
    there = virtual_imu(motion, MIRROR_PLACEMENT["right_wrist"])
    here = virtual_imu(waving(), "right_wrist").mirrored()
    assert here.placement == there.placement == "left_wrist"
    np.testing.assert_allclose(there.acc, here.acc, atol=1e-6)
    np.testing.assert_allclose(there.gyro, here.gyro, atol=1e-6)


def test_no_variation_is_none_and_a_seed_says_which():
    motion = waving()
    same, mirrored = varied(motion, Variation(), np.random.default_rng(0))
    assert same is motion
    assert not mirrored
    how = Variation(0.2, 0.2, 0.2, 0.5)
    first, again = (varied(motion, how, np.random.default_rng(7))[0] for _ in range(2))
    np.testing.assert_array_equal(first.positions, again.positions)
    assert first.rate_hz != motion.rate_hz


def test_every_joint_but_the_root_is_carried():
    turned = waving(rotations=True)
    assert turned.rotations is not None
    assert turned.rotations.shape[-3] == len(SEGMENTS)
    moved = amplified(turned, 1.3)
    assert (np.abs(moved.positions - turned.positions).max((0, 2)) > 1e-6).sum() >= 3


def test_a_joint_missing_for_a_while_moves_no_other():
    motion = waving()
    missing = np.zeros((90, 17), bool)
    missing[30:33, J["left_wrist"]] = True
    gappy = Motion(np.where(missing[..., None], 0.0, motion.positions), 30.0, None, missing)
    whole, part = amplified(motion, 1.3), amplified(gappy, 1.3)
    others = [i for joint, i in J.items() if joint != "left_wrist"]
    np.testing.assert_allclose(part.positions[:, others], whole.positions[:, others], atol=1e-3)
