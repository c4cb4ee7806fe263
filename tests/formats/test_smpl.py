"""SMPL poses: the T-pose is one, turns turn what they should, the world's up is found, rubbish is refused."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinjo.formats import read_motion
from kinjo.formats.errors import FormatError
from kinjo.formats.smpl import SMPL, average_offsets, smpl_motion
from kinjo.motion import SEGMENTS, J, Motion
from kinjo.simulate import virtual_imu

STAND = Rotation.from_euler("x", 90, degrees=True)
"""The root's turn that lifts SMPL's y-up body into a z-up world."""


def turns(frames: int = 60) -> np.ndarray:
    out = np.zeros((frames, 24, 3))
    out[:, 0] = STAND.as_rotvec()
    for side, sign in (("left", -1), ("right", 1)):  # arms down
        out[:, SMPL.index(f"{side}_shoulder")] = [0, 0, sign * np.pi / 2]
    return out


def places(frames: int = 60) -> np.ndarray:
    return np.tile([0.3, -0.2, 1.0], (frames, 1))


def at(motion: Motion, joint: str) -> np.ndarray:
    return motion.positions[0, J[joint]]


def test_an_adult_stands_with_the_arms_down():
    motion = smpl_motion(turns(), places(), 60.0)
    assert at(motion, "head")[1] > 1.4
    assert 0 <= at(motion, "left_foot")[1] < 0.1
    assert at(motion, "left_wrist")[1] < at(motion, "left_elbow")[1] < at(motion, "left_shoulder")[1]
    right = at(motion, "right_hip") - at(motion, "left_hip")
    forward = np.cross([0, 1, 0], right)
    assert (at(motion, "left_foot") - at(motion, "left_ankle")) @ forward > 0
    assert motion.rotations is not None
    identity = motion.rotations[0, SEGMENTS.index("pelvis")]
    np.testing.assert_allclose(motion.rotations[0, SEGMENTS.index("left_forearm"), :, 1], identity[:, 1], atol=0.1)


def test_a_bending_elbow_turns_the_forearm():
    given, rate = turns(120), 60.0
    t = np.arange(120) / rate
    # with the arm down, the elbow bends about the body's left-right axis
    given[:, SMPL.index("right_elbow")] = np.stack([0 * t, 0.8 + 0.5 * np.sin(2 * np.pi * t), 0 * t], 1)
    imu = virtual_imu(smpl_motion(given, places(120), rate), "right_wrist", 100.0)
    speed = np.linalg.norm(imu.gyro, axis=1)
    assert speed.max() == pytest.approx(0.5 * 2 * np.pi, rel=0.02)


def test_own_bones_are_taken():
    rest = np.zeros((22, 3))
    for joint, parent in enumerate(SMPL.parents):
        rest[joint] = 1.1 * average_offsets()[joint] + (rest[parent] if parent >= 0 else 0)
    small, large = smpl_motion(turns(), places(), 60.0), smpl_motion(turns(), places(), 60.0, rest_joints=rest)

    def leg(motion: Motion) -> float:
        return float(np.linalg.norm(at(motion, "left_knee") - at(motion, "left_ankle")))

    assert leg(large) == pytest.approx(1.1 * leg(small))


def test_a_file_of_amass(tmp_path: Path):
    path = tmp_path / "walk.npz"
    np.savez(path, poses=turns().reshape(60, -1), trans=places(), mocap_framerate=np.array(120.0), gender="neutral")
    notes: list[str] = []
    motion = read_motion(path, notes=notes)
    assert motion.rate_hz == 120.0
    assert "average adult" in notes[0]
    np.testing.assert_allclose(motion.positions, smpl_motion(turns(), places(), 120.0).positions)


@pytest.mark.parametrize("damage", ["no rate", "no poses", "short", "nan", "shape", "objects", "rubbish", "lengths"])
def test_what_is_no_movement_is_refused(damage: str, tmp_path: Path):
    path = tmp_path / "x.npz"
    held = {"poses": turns().reshape(60, -1), "trans": places(), "mocap_framerate": np.array(60.0)}
    if damage == "no rate":
        del held["mocap_framerate"]
    elif damage == "no poses":
        del held["poses"]
    elif damage == "short":
        held["poses"] = held["poses"][:, :30]
    elif damage == "nan":
        held["trans"] = np.where(np.arange(60)[:, None] == 7, np.nan, held["trans"])
    elif damage == "shape":
        held["poses"] = held["poses"][:, :67]
    elif damage == "objects":
        held["poses"] = np.array([{"a": 1}], object)
    elif damage == "lengths":
        held["trans"] = held["trans"][:50]
    np.savez(path, **held)
    if damage == "rubbish":
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FormatError, match=r"x\.npz"):
        read_motion(path)


def test_arms_lowered_from_the_rest_pose_face_forward():
    """A T-pose's arms were raised sideways: hanging again, every segment's x points forward."""
    motion = smpl_motion(turns(), places(), 60.0)
    assert motion.rotations is not None
    trunk = motion.rotations[0, SEGMENTS.index("chest")]
    for side in ("left", "right"):
        for segment in ("upper_arm", "forearm", "hand"):
            frame = motion.rotations[0, SEGMENTS.index(f"{side}_{segment}")]
            np.testing.assert_allclose(frame, trunk, atol=0.15, err_msg=f"{side} {segment}")


def test_what_cannot_be_said_of_smpl_is_refused(tmp_path: Path):
    path = tmp_path / "x.npz"
    np.savez(path, poses=turns().reshape(60, -1), trans=places(), mocap_framerate=60.0)
    for said in ({"units": "cm"}, {"left_handed": True}, {"joints": {"head": "x"}}):
        with pytest.raises(FormatError, match="Leave out"):
            read_motion(path, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [np.array("fast"), np.array(1j), np.array([60.0, 60.0])])
def test_a_rate_that_is_none_is_asked_for(rate: np.ndarray, tmp_path: Path):
    path = tmp_path / "x.npz"
    np.savez(path, poses=turns().reshape(60, -1), trans=places(), mocap_framerate=rate)
    with pytest.raises(FormatError, match="rate_hz="):
        read_motion(path)
    assert read_motion(path, rate_hz=60.0).rate_hz == 60.0
