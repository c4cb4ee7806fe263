from pathlib import Path

import numpy as np
import pytest

import _motion_files as files
from kinjo.formats import PLUG_IN_GAIT, FormatError, read_motion
from kinjo.formats.errors import Said
from kinjo.formats.markers import motion_of_markers
from kinjo.motion import J

PLACES = files.marker_places(PLUG_IN_GAIT, 15, np.random.default_rng(0))


def written(folder: Path, text: str, name: str = "m.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_joint_centres_of_one_who_stands():
    still = np.array([[files.MARKERS[name] for name in PLUG_IN_GAIT]] * 3)
    motion = motion_of_markers("m", list(PLUG_IN_GAIT), still, 100.0, Said())
    at = {joint: motion.positions[0, i] for joint, i in J.items()}
    # z up, facing x, left at +y becomes y up, facing x, left at -z
    np.testing.assert_allclose(at["right_wrist"], [0.005, 0.9, 0.24], atol=1e-9)
    np.testing.assert_allclose(at["head"], [0, 1.685, 0], atol=1e-9)
    np.testing.assert_allclose(at["left_foot"], [0.14, 0.05, -0.1], atol=1e-9)
    # Bell: of a distance of 0.25 m 36 % aside, 22 % back, 30 % down, in the pelvis' own plane
    assert at["right_hip"][2] == pytest.approx(0.36 * 0.25)
    assert np.linalg.norm(at["right_hip"] - [0.1, 1.0, 0.125]) == pytest.approx(
        0.25 * np.hypot(0.14, np.hypot(0.22, 0.3))
    )
    assert at["right_hip"][1] < 0.95
    assert at["right_hip"][0] < 0.06
    # lateral markers: the centre lies inwards by half a joint's width
    assert at["right_knee"][2] == pytest.approx(0.14 - 0.20 * 0.25, abs=0.005)
    assert at["left_elbow"][2] == pytest.approx(-0.25 + 0.16 * 0.25, abs=0.005)
    assert at["left_shoulder"][1] == pytest.approx(1.47 - 0.17 * 0.38, abs=0.005)


def test_a_medial_marker_is_used():
    labels = [*PLUG_IN_GAIT, "RKNM"]
    medial = np.tile([0.0, -0.04, 0.5], (15, 1, 1))
    still = np.concatenate([np.array([[files.MARKERS[name] for name in PLUG_IN_GAIT]] * 15), medial], axis=1)
    motion = motion_of_markers("m", labels, still, 100.0, Said())
    np.testing.assert_allclose(motion.positions[0, J["right_knee"]], [0, 0.5, 0.09], atol=1e-9)


def test_three_tables_hold_the_same(tmp_path: Path):
    bare = read_motion(written(tmp_path, files.marker_table(PLACES), "m.txt"), rate_hz=100)
    for text in (
        files.marker_table(PLACES, PLUG_IN_GAIT), files.marker_table(PLACES, PLUG_IN_GAIT, True),
        files.marker_table(PLACES, PLUG_IN_GAIT, True).replace(",", ";"), files.nexus_table(PLACES, PLUG_IN_GAIT),
    ):  # fmt: skip
        other = read_motion(written(tmp_path, text), rate_hz=None if "Trajectories" in text else 100)
        np.testing.assert_allclose(other.positions, bare.positions, atol=1e-9)
        assert other.rate_hz == 100.0
        assert other.rotations is None
    with pytest.raises(FormatError, match="rate_hz="):
        read_motion(tmp_path / "m.txt")


def test_a_gap_is_missing_where_it_matters(tmp_path: Path):
    places = PLACES.copy()
    places[4, PLUG_IN_GAIT.index("LWRA")] = 0.0
    places[6, PLUG_IN_GAIT.index("T10")] = 0.0
    motion = read_motion(written(tmp_path, files.marker_table(places, PLUG_IN_GAIT)), rate_hz=100)
    wanted = np.zeros((15, 17), bool)
    wanted[4, J["left_wrist"]] = True
    # a straight arm's elbow needs the wrist to know its axis
    wanted[4, J["left_elbow"]] = True
    assert motion.missing is not None
    np.testing.assert_array_equal(motion.missing, wanted)
    for empty in ("", "NaN"):
        text = files.marker_table(places, PLUG_IN_GAIT).replace("0.0000,0.0000,0.0000", ",".join([empty] * 3))
        missing = read_motion(written(tmp_path, text), rate_hz=100).missing
        assert missing is not None
        np.testing.assert_array_equal(missing, wanted)


def test_other_markers_by_hand(tmp_path: Path):
    order = tuple(f"M{i}" for i in range(len(PLUG_IN_GAIT)))
    path = written(tmp_path, files.marker_table(PLACES, order))
    with pytest.raises(FormatError, match="lacking: LASI"):
        read_motion(path, rate_hz=100)
    near = {joint: "M" + str(PLUG_IN_GAIT.index(name)) for joint, name in {
        "neck": "C7", "head": "LFHD", "pelvis": "LPSI", "left_shoulder": "LSHO", "left_elbow": "LELB",
        "left_wrist": "LWRA", "right_shoulder": "RSHO", "right_elbow": "RELB", "right_wrist": "RWRA",
        "left_hip": "LASI", "left_knee": "LKNE", "left_ankle": "LANK", "left_foot": "LTOE", "right_hip": "RASI",
        "right_knee": "RKNE", "right_ankle": "RANK", "right_foot": "RTOE",
    }.items()}  # fmt: skip
    motion = read_motion(path, rate_hz=100, joints=near)
    place = PLACES[:, PLUG_IN_GAIT.index("RKNE")]
    np.testing.assert_allclose(motion.positions[:, J["right_knee"]], place[:, [0, 2, 1]] * [1, 1, -1], atol=1e-6)


def test_where_nothing_says_which_axis_is_up_it_is_asked_for(tmp_path: Path):
    lying = PLACES[..., [2, 1, 0]] * [1, -1, 1] + [5.0, 0, 0.1]
    path = written(tmp_path, files.marker_table(lying, PLUG_IN_GAIT))
    with pytest.raises(FormatError, match="up="):
        read_motion(path, rate_hz=100)
    motion = read_motion(path, rate_hz=100, up="z")
    assert abs(motion.positions[:, J["head"], 1] - motion.positions[:, J["left_ankle"], 1]).max() < 0.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("LKNE_X", "RKNE_X", "header"), ("\n3,", "\n4,", "even steps"), ("\n5,", "\n5,7,", "columns"),
     ("\n5,", "\n5x,", "line 6"), ("LASI", "LASX", "lacking: LASI")],
)  # fmt: skip
def test_damage_is_named(tmp_path: Path, old: str, new: str, message: str):
    text = files.marker_table(PLACES, PLUG_IN_GAIT, True)
    assert old in text
    with pytest.raises(FormatError, match=message):
        read_motion(written(tmp_path, text.replace(old, new, 3 if "LASI" in old else 1)), rate_hz=100)


def test_an_unknown_suffix_and_no_file(tmp_path: Path):
    with pytest.raises(FormatError, match="suffix"):
        read_motion(written(tmp_path, "x", "m.fbx"))
    with pytest.raises(FormatError, match="a file"):
        read_motion(tmp_path / "none.bvh")


@pytest.mark.parametrize("text", [",,,,\n", ";\n;\n", "\t,\n"])
def test_a_cleared_table_is_refused(text: str, tmp_path: Path):
    path = tmp_path / "empty.csv"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"empty\.csv"):
        read_motion(path, rate_hz=100.0)
