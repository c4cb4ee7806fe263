"""CMU motion capture on small files of its two kinds, and on the real ones where they are."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import _motion_files as files
from kinjo.checks import check
from kinjo.datasets import cmu
from kinjo.datasets.card import DatasetError
from kinjo.datasets.cmu import ACTIONS, CARD, NODES, TRIALS, find, motions, recordings, text_motion
from kinjo.formats.amc import read_asf
from kinjo.motion import Motion
from kinjo.simulate import virtual_imu


def vectors(values: files.Angles) -> np.ndarray:
    """The rows (frames + 1, 117) of a text file that says what an AMC of ``values`` says."""
    from scipy.spatial.transform import Rotation

    bones = {"root": ((0, 0, 0), "rx ry rz"), **{name: (axes, dof) for name, _, _, axes, dof in files.ASF_BONES}}
    frames = len(values["root"])
    out = np.zeros((frames + 1, 3 * (len(NODES) + 1)))
    out[1:, :3], out[0, :3] = values["root"][:, :3], values["root"][0, :3]
    for node, bone in enumerate(NODES):
        if bone in bones and bones[bone][1]:
            axes, dof = bones[bone]
            angles = np.zeros((frames, 3))
            given_ = values[bone][:, -3:] if bone == "root" else values[bone]
            for channel, column in zip(dof.split(), given_.T, strict=True):
                angles[:, "xyz".index(channel[1])] = column
            own = Rotation.from_euler("xyz", axes, degrees=True)
            turn = own * Rotation.from_euler("xyz", angles, degrees=True) * own.inv()
            out[1:, 3 + 3 * node : 6 + 3 * node] = -turn.as_rotvec()
    return out


def text(rows: np.ndarray) -> str:
    return "\n".join(",".join(f"{x:.9g}" for x in row) for row in rows) + "\n"


def ends(data: str, number: str) -> str:
    """The text with another number at the end of every line."""
    return "\n".join(line[: line.rindex(",") + 1] + number for line in data.split("\n")[:-1])


VALUES = files.amc_values(np.random.default_rng(0), 130)


def write(root: Path, *, skeletons: tuple[str, ...] = ("02",)) -> Path:
    """02_01 and 07_03 with skeletons, 13_29 without one, and two text files."""
    home = root / "cmu"
    named = {
        "02/02_01.amc": files.amc(VALUES), "02/02_11.amc": files.amc(VALUES), "mocap6/13_29.amc": files.amc(VALUES),
        "cmu_mocap/train/walking/walking_1.txt": text(vectors(VALUES)),
        "cmu_mocap/test/basketball_signal/basketball_signal_2.txt": text(vectors(VALUES)),
        "cmu_mocap/readme.txt": "read me", **{f"{s}/{s}.asf": files.asf() for s in skeletons},
    }  # fmt: skip
    for name, data in named.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(data)
    return home


IDS = ("02_01", "02_11", "13_29", "test_basketball_signal_2", "train_walking_1")


def test_movements_and_labels(tmp_path: Path):
    home = write(tmp_path)
    found = list(motions(tmp_path))
    assert [(name, label) for name, label, _ in found] == [
        ("02_01", "walking"), ("02_11", ""), ("13_29", ""), ("test_basketball_signal_2", "giving basketball signals"),
        ("train_walking_1", "walking"),
    ]  # fmt: skip
    assert all(motion.rate_hz == 120.0 and motion.rotations is not None for _, _, motion in found)
    kept = list(recordings(tmp_path))
    assert [r.id for r in kept] == list(IDS)
    assert [r.subject for r in kept] == ["02", "02", "13", "unknown", "unknown"]
    assert [[s.label for s in r.segments] for r in kept] == [[label] if label else [] for _, label, _ in found]
    assert [r.twin for r in kept] == ["02_01", "", "", "", "02_01"]
    assert kept[0].notes == ()
    assert "subject 02" in kept[2].notes[0]
    for recording, (_, _, motion) in zip(kept, found, strict=True):
        np.testing.assert_allclose(recording.streams["pose"].values(), motion.positions, atol=1e-5)
        assert check(recording)[1] == []
    assert find(home) == home


def test_a_text_file_says_what_its_amc_says(tmp_path: Path):
    """The rotation vectors are those of the inverse turns of the bones, from the rest pose of the skeleton."""
    write(tmp_path)
    (_, _, amc), (_, _, told) = motions(tmp_path, only=["02_01", "train_walking_1"])
    assert amc.rotations is not None
    assert told.rotations is not None
    np.testing.assert_allclose(told.positions, amc.positions, atol=1e-6)
    np.testing.assert_allclose(told.rotations, amc.rotations, atol=1e-6)
    for placement in ("right_wrist", "left_ankle"):
        np.testing.assert_allclose(
            virtual_imu(told, placement).gyro, virtual_imu(amc, placement).gyro, atol=1e-3
        )  # fmt: skip


def test_without_the_skeleton_that_is_lent(tmp_path: Path):
    write(tmp_path, skeletons=())
    report: list[str] = []
    assert list(motions(tmp_path, report=report)) == []
    assert report == ["left out: 5 movements such as 02_01: no skeleton 02/02.asf for them"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[: len(data) // 2], "117 numbers a line, given"), (lambda data: "", "movement at least"),
        (lambda data: data.split("\n")[0], "two of movement at least, given 1"),
        (lambda data: data.replace("\n", ",5\n", 1), "118 in line 1"),
        (lambda data: data.replace(",0,", ",x,", 1), "lines of numbers"),
        (lambda data: data.replace(",0,", ",nan,", 1), "1 NaN or infinite"),
        (lambda data: ends(data, "9"), "rotation vectors within a turn"),
        (lambda data: ends(data, "0.5"), "turns of an end"),
        (lambda data: data.replace(data[: data.index(",")], "5000", 1), "places in the laboratory"),
        (lambda data: "<html>", "117 numbers a line, given 1 in line 1"),
    ],
)  # fmt: skip
def test_bad_text_files(tmp_path: Path, change: Callable[[str], str], message: str):
    home = write(tmp_path)
    path = home / "cmu_mocap/train/walking/walking_1.txt"
    path.write_text(change(path.read_text()))
    with pytest.raises(DatasetError, match=message) as raised:
        list(motions(tmp_path))
    assert raised.value.file == str(path)
    assert raised.value.hint
    report: list[str] = []
    assert [name for name, _, _ in motions(tmp_path, skip_bad=True, report=report)] == list(IDS[:-1])
    assert report[0].startswith("train_walking_1: skipped")


def test_bad_amc_and_asf(tmp_path: Path):
    home = write(tmp_path)
    path = home / "02" / "02_01.amc"
    path.write_text(path.read_text()[:-300])
    with pytest.raises(DatasetError, match=r"02_01\.amc") as raised:
        list(recordings(tmp_path))
    assert raised.value.hint
    report: list[str] = []
    assert [r.id for r in recordings(tmp_path, skip_bad=True, report=report)] == list(IDS[1:])
    (home / "02" / "02.asf").write_text(":version 1.10\n")
    report.clear()
    assert list(recordings(tmp_path, skip_bad=True, report=report)) == []
    assert len(report) == len(IDS)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError):
        list(recordings(tmp_path, only=["02_01"]))


SMALL = text(vectors({name: rows[:3] for name, rows in VALUES.items()}))


@settings(max_examples=40)
@given(st.integers(0, len(SMALL) - 1), st.binary(max_size=3), st.integers(0, 400))
def test_no_damage_crashes(tmp_path_factory: pytest.TempPathFactory, at: int, put: bytes, cut: int):
    """A file is read or a ``DatasetError`` (of its text) or ``FormatError`` (of its body) says what is wrong."""
    folder = tmp_path_factory.getbasetemp()
    asf, path = folder / "small.asf", folder / "small.txt"
    asf.write_text(files.asf())
    data = SMALL.encode()
    path.write_bytes(data[:at] + put + data[at + cut :])
    with suppress(DatasetError, cmu.FormatError):
        assert isinstance(text_motion(path, read_asf(asf)), Motion)


def test_names(tmp_path: Path):
    with pytest.raises(DatasetError, match="Download"):
        list(motions(tmp_path))
    write(tmp_path)
    with pytest.raises(DatasetError, match="02_99"):
        list(motions(tmp_path, only=["02_99"]))
    with pytest.raises(DatasetError, match="imu"):
        list(recordings(tmp_path, modalities=("imu",)))
    assert find(tmp_path / "elsewhere") is None


def test_the_card():
    assert CARD.trainable
    assert len(CARD.classes) == len(set(CARD.classes))
    assert set(CARD.classes) == set(ACTIONS.values()) | set(TRIALS.values())


# ------------------------------------------------------------------------------------------------ the real files
@pytest.fixture(scope="module")
def real(real_root: Callable[[ModuleType], Path]) -> Path:
    return real_root(cmu)


def test_the_real_text_file_of_a_trial_moves_as_its_amc(real: Path):
    (_, _, amc), (_, label, told) = motions(real, only=["02_01", "train_walking_1"])
    assert label == "walking"
    assert np.abs(amc.positions - told.positions).max() < 0.015  # the root is turned by 0.4 degrees


def test_real_people_stand_on_the_ground(real: Path):
    for name, _, motion in motions(real, only=["02_03", "13_31", "train_walking_20", "test_washwindow_1"]):
        feet = motion.positions[:, :, 1].min(axis=1)
        assert abs(np.percentile(feet, 5)) < 0.13, name
        assert 1.3 < np.median(motion.positions[:, 2, 1]) < 1.9  # the head
        imu = virtual_imu(motion, "chest")
        assert 8.5 < np.linalg.norm(imu.acc.mean(axis=0)) < 11.5
