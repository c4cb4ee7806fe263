from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import _motion_files as files
from kinjo.formats import FormatError, read_motion
from kinjo.formats.names import match
from kinjo.motion import SEGMENTS, J, segment_frames

PLACE = np.tile([0.3, files.HEIGHT, -0.2], (9, 1)) + 0.01 * np.arange(9)[:, None]
ORDERS = ["".join(order) for order in permutations("xyz")]


def written(folder: Path, text: str, name: str = "m.bvh") -> Path:
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bvh")


@given(
    seed=st.integers(0, 999),
    data=st.data(),
    first=st.booleans(),
    unit=st.sampled_from([("m", 1.0), ("cm", 100.0), ("mm", 1000.0)]),
)
def test_any_order_of_channels_gives_the_pose_of_a_slow_chain(folder: Path, seed, data, first, unit):
    rng = np.random.default_rng(seed)
    values = files.angles(rng, 9, 40.0)
    orders = {name: data.draw(st.sampled_from(ORDERS)) for name in values}
    text = files.bvh(values, PLACE, orders, scale=unit[1], positions_first=first)
    notes: list[str] = []
    motion = read_motion(written(folder, text), notes=notes)
    assert any(note.endswith(f": {unit[0]}") for note in notes)
    assert motion.rate_hz == 120.0
    slow = files.slow_pose(values, PLACE, orders)
    for joint, name in (
        ("pelvis", "Hips"),
        ("left_wrist", "LeftHand"),
        ("right_foot", "RightToeBase"),
        ("neck", "Neck"),
    ):
        np.testing.assert_allclose(motion.positions[:, J[joint]], slow[name][:, :3, 3], atol=2e-5)
    head = (slow["Head"] + slow["HeadTop"])[:, :3, 3] / 2
    np.testing.assert_allclose(motion.positions[:, J["head"]], head, atol=2e-5)
    assert motion.rotations is not None
    # in the rest pose a frame is what positions say; from there it turns with its joint
    still = read_motion(written(folder, files.bvh({k: 0 * v for k, v in values.items()}, PLACE), "still.bvh"))
    assert still.rotations is not None
    np.testing.assert_allclose(still.rotations, segment_frames(still.positions, rest=True), atol=1e-9)
    for segment, name in (
        ("right_forearm", "RightForeArm"),
        ("chest", "Spine"),
        ("left_hand", "LeftHand"),
        ("head", "Head"),
    ):
        i = SEGMENTS.index(segment)
        turned = slow[name][:, :3, :3] @ still.rotations[:, i]
        np.testing.assert_allclose(motion.rotations[:, i], turned, atol=2e-5)


def test_z_up_is_found_and_turned(tmp_path: Path):
    values = {name: 0 * rows for name, rows in files.angles(np.random.default_rng(0), 9).items()}
    notes: list[str] = []
    motion = read_motion(written(tmp_path, files.bvh(values, PLACE, z_up=True, scale=100)), notes=notes)
    upright = read_motion(written(tmp_path, files.bvh(values, PLACE, scale=100)))
    np.testing.assert_allclose(motion.positions, upright.positions, atol=1e-6)
    assert any("z is up" in note for note in notes)
    assert motion.rotations is not None
    assert upright.rotations is not None
    np.testing.assert_allclose(motion.rotations, upright.rotations, atol=1e-6)


def test_a_left_handed_file_is_refused_and_read_once_said(tmp_path: Path):
    values = {name: 0 * rows for name, rows in files.angles(np.random.default_rng(0), 9).items()}
    text = files.bvh(values, PLACE * [1, 1, -1])
    mirrored = "\n".join(
        f"OFFSET {w[1]} {w[2]} {-float(w[3])}" if (w := line.split())[:1] == ["OFFSET"] else line
        for line in text.split("\n")
    )
    path = written(tmp_path, mirrored)
    with pytest.raises(FormatError, match="left_handed"):
        read_motion(path)
    right = read_motion(written(tmp_path, files.bvh(values, PLACE), "right.bvh"))
    motion = read_motion(path, left_handed=True)
    np.testing.assert_allclose(motion.positions, right.positions, atol=1e-6)
    assert motion.rotations is not None
    assert right.rotations is not None
    np.testing.assert_allclose(motion.rotations, right.rotations, atol=1e-6)


def test_positions_of_a_joint_that_stand_for_its_offset(tmp_path: Path):
    values = files.angles(np.random.default_rng(1), 9)
    text = files.bvh(values, PLACE, scale=100)
    wanted = read_motion(written(tmp_path, text))
    lines = text.split("\n")
    at = next(i for i, line in enumerate(lines) if "JOINT Spine" in line)
    lines[at + 3] = lines[at + 3].replace("CHANNELS 3", "CHANNELS 6 Xposition Yposition Zposition")
    first = next(i for i, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    for i in range(first, first + 9):
        words = lines[i].split()
        lines[i] = " ".join([*words[:6], "0", "20", "0", *words[6:]])
    np.testing.assert_allclose(read_motion(written(tmp_path, "\n".join(lines))).positions, wanted.positions, atol=1e-6)


def test_names_of_capture_systems():
    sides = {"mixamorig:{}": ("UpLeg", "Leg", "Foot", "ToeBase", "Arm", "ForeArm", "Hand"),
             "{}": ("Hip", "Knee", "Ankle", "Toe", "Shoulder", "Elbow", "Wrist"),
             "Skeleton_007:{}": ("Thigh", "Shin", "Foot", "Toe", "UpperArm", "LowerArm", "Hand")}  # fmt: skip
    wanted = ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist")
    for pattern, words in sides.items():
        names = [pattern.format(side + word) for side in ("Left", "Right") for word in words]
        names = [*names, pattern.format("LeftCollar"), pattern.format("Hips")]
        found, _ = match(names)
        assert [found[f"right_{joint}"][0] for joint in wanted] == list(range(7, 14))
    found, _ = match(
        ["Bip01", "Bip01 L Thigh", "Bip01 L Calf", "L_Ankle", "L_Foot", "thigh.R", "lhipjoint", "lowerback"]
    )
    assert found == {"left_hip": (1,), "left_knee": (2,), "left_ankle": (3,), "left_foot": (4,), "right_hip": (5,)}


def test_unknown_names_are_an_error_that_lists_them_and_joints_maps_them(tmp_path: Path):
    values = files.angles(np.random.default_rng(2), 9)
    strange = {"LeftLeg": "gamba", "RightLeg": "altra", "LeftArm": "braccio", "RightArm": "braccio2"}
    path = written(tmp_path, files.bvh(values, PLACE, rename=strange))
    with pytest.raises(FormatError, match=r"left_knee.*gamba"):
        read_motion(path)
    joints = {"left_knee": "gamba", "right_knee": "altra", "left_shoulder": "braccio", "right_shoulder": "braccio2"}
    plain = read_motion(written(tmp_path, files.bvh(values, PLACE), "plain.bvh"))
    np.testing.assert_allclose(read_motion(path, joints=joints).positions, plain.positions)
    with pytest.raises(FormatError, match="'coda'"):
        read_motion(path, joints={**joints, "left_knee": "coda"})
    with pytest.raises(FormatError, match="like names"):
        read_motion(written(tmp_path, files.bvh(values, PLACE, rename={"LeftArm": "braccio"})))


def test_units_that_fit_no_body_are_asked_for(tmp_path: Path):
    values = files.angles(np.random.default_rng(3), 9)
    path = written(tmp_path, files.bvh(values, PLACE, scale=7.0))
    with pytest.raises(FormatError, match="units="):
        read_motion(path)
    plain = read_motion(written(tmp_path, files.bvh(values, PLACE), "plain.bvh"))
    np.testing.assert_allclose(read_motion(path, units=1 / 7).positions, plain.positions, atol=1e-5)
    with pytest.raises(FormatError, match="units 'cm'"):
        read_motion(path, units="cm")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Frames: 9", "Frames: 10", "10 rows"),
        ("Frame Time: 0.008333", "Frame Time: 0", "2000 frames per second"),
        ("CHANNELS 3 Zrotation", "CHANNELS 3 Wrotation", "CHANNELS"),
        ("JOINT LeftLeg", "JOINT LeftUpLeg", "again"),
        ("OFFSET 0.000000", "OFFSET nan", "3 finite numbers"),
        ("MOTION", "MOTIONS", "a line MOTION"),
        ("HIERARCHY", "\0", "text"),
        ("ROOT Hips", "ROOT Hips\n{", "OFFSET"),
    ],
)
def test_damage_is_named(tmp_path: Path, old: str, new: str, message: str):
    text = files.bvh(files.angles(np.random.default_rng(4), 9), PLACE)
    assert old in text
    with pytest.raises(FormatError, match=message):
        read_motion(written(tmp_path, text.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("time", "rate"), [("0.033333", 30.0), ("0.00833", 120.0), ("0.0416667", 24.0), ("0.03", 100 / 3)]
)
def test_a_frame_time_cut_to_few_digits_is_a_whole_rate(tmp_path: Path, time: str, rate: float):
    text = files.bvh(files.angles(np.random.default_rng(5), 9), PLACE).replace("0.008333", time)
    assert read_motion(written(tmp_path, text)).rate_hz == pytest.approx(rate, rel=1e-12)
    assert read_motion(written(tmp_path, text), rate_hz=50).rate_hz == 50.0
