from pathlib import Path

import numpy as np
import pytest

import _motion_files as files
from kinjo.formats import FormatError, read_motion
from kinjo.motion import SEGMENTS, J, segment_frames


def pair(folder: Path, values: files.Angles) -> Path:
    (folder / "07.asf").write_text(files.asf())
    path = folder / "07_01.amc"
    path.write_text(files.amc(values))
    return path


def slow(values: files.Angles) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Bone -> ends (frames, 3) in metres and turns (frames, 3, 3), frame by frame with SciPy's fixed axes."""
    from scipy.spatial.transform import Rotation

    frames = len(values["root"])
    ends = {"root": values["root"][:, :3] * files.UNIT}
    turns = {"root": Rotation.from_euler("xyz", values["root"][:, 3:], degrees=True).as_matrix()}
    for name, parent, tip, axes, dof in files.ASF_BONES:
        own = Rotation.from_euler("xyz", axes, degrees=True).as_matrix()
        ends[name], turns[name] = np.zeros((frames, 3)), np.zeros((frames, 3, 3))
        for frame in range(frames):
            angles = [0.0, 0.0, 0.0]
            for channel, angle in zip(dof.split(), values.get(name, np.zeros((frames, 0)))[frame], strict=True):
                angles["xyz".index(channel[1])] = angle
            turn = own @ Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ own.T
            turns[name][frame] = turns[parent][frame] @ turn
            ends[name][frame] = ends[parent][frame] + turns[name][frame] @ tip
    return ends, turns


def test_the_pose_is_that_of_a_slow_chain(tmp_path: Path):
    values = files.amc_values(np.random.default_rng(0), 12)
    motion = read_motion(pair(tmp_path, values), rate_hz=120)
    ends, turns = slow(values)
    for joint, bone in (
        ("pelvis", "root"), ("left_hip", "lhipjoint"), ("right_ankle", "rtibia"), ("left_foot", "lfoot"),
        ("neck", "thorax"), ("left_elbow", "lhumerus"), ("right_wrist", "rwrist"),
    ):  # fmt: skip
        np.testing.assert_allclose(motion.positions[:, J[joint]], ends[bone], atol=1e-6)
    assert motion.rotations is not None
    still = read_motion(pair(tmp_path, {name: 0 * rows for name, rows in values.items()}), rate_hz=120)
    assert still.rotations is not None
    np.testing.assert_allclose(still.rotations, segment_frames(still.positions, rest=True), atol=1e-9)
    for segment, bone in (("right_thigh", "rfemur"), ("left_forearm", "lradius"), ("chest", "thorax")):
        i = SEGMENTS.index(segment)
        np.testing.assert_allclose(motion.rotations[:, i], turns[bone] @ still.rotations[:, i], atol=1e-6)


def test_a_knee_bends_backwards_and_an_elbow_forwards(tmp_path: Path):
    values = {name: 0 * rows for name, rows in files.amc_values(np.random.default_rng(0), 3).items()}
    values["root"][:, 1] = files.HEIGHT / files.UNIT
    values["ltibia"][:], values["rradius"][:] = 60.0, 60.0
    motion = read_motion(pair(tmp_path, values), rate_hz=120)
    assert motion.rotations is not None
    for segment, start, end, sign in (
        ("left_thigh", "left_knee", "left_ankle", -1), ("right_upper_arm", "right_elbow", "right_wrist", 1)
    ):  # fmt: skip
        bone = motion.positions[0, J[end]] - motion.positions[0, J[start]]
        assert sign * (bone @ motion.rotations[0, SEGMENTS.index(segment), :, 0]) > 0.7 * np.linalg.norm(bone)


def test_the_skeleton_beside_it_or_named(tmp_path: Path):
    path = pair(tmp_path, files.amc_values(np.random.default_rng(1), 4))
    wanted = read_motion(path, rate_hz=120).positions
    (tmp_path / "07.asf").rename(tmp_path / "other.ASF")
    with pytest.raises(FormatError, match="skeleton_file="):
        read_motion(path, rate_hz=120)
    np.testing.assert_array_equal(
        read_motion(path, rate_hz=120, skeleton_file=tmp_path / "other.ASF").positions, wanted
    )
    with pytest.raises(FormatError, match="rate_hz="):
        read_motion(path, skeleton_file=tmp_path / "other.ASF")


def test_radians(tmp_path: Path):
    values = files.amc_values(np.random.default_rng(2), 4)
    wanted = read_motion(pair(tmp_path, values), rate_hz=60).positions
    radians = {name: np.deg2rad(rows) for name, rows in values.items()}
    radians["root"][:, :3] = values["root"][:, :3]
    path = pair(tmp_path, radians)
    path.write_text(path.read_text().replace(":DEGREES", ":RADIANS"))
    np.testing.assert_allclose(read_motion(path, rate_hz=60).positions, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("07_01.amc", "\n3\n", "\n4\n", "'3'"),
        ("07_01.amc", "\nlfemur", "\nrfemur", "others: lfemur"),
        ("07_01.amc", "lradius 0.000000", "lradius inf", "finite"),
        ("07.asf", "lfemur ltibia", "ltibia lfemur", "one parent"),
        ("07.asf", "    ltibia lfoot", "    lfoot ltibia", "one parent|on the root"),
        ("07.asf", "name lfemur", "name rfemur", "others|a name of its own|bones of"),
        ("07.asf", "length 0.45", "length 0", "positive"),
        ("07.asf", ":hierarchy", ":hierarchies", "hierarchy"),
    ],
)
def test_damage_is_named(tmp_path: Path, file: str, old: str, new: str, message: str):
    path = pair(tmp_path, files.amc_values(np.random.default_rng(3), 5))
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    with pytest.raises(FormatError, match=message):
        read_motion(path, rate_hz=120)


def test_a_file_cut_off_is_an_error(tmp_path: Path):
    path = pair(tmp_path, files.amc_values(np.random.default_rng(4), 5))
    text = path.read_text()
    for end in (len(text) - 3, len(text) - 60):
        path.write_text(text[:end])
        with pytest.raises(FormatError, match=r"cut off|line"):
            read_motion(path, rate_hz=120)
