"""UTD-MHAD on small files of its layout, and on the real archives where they are."""

import io
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.io import loadmat

from kinjo.body import SKELETONS
from kinjo.checks import check
from kinjo.datasets import utd_mhad
from kinjo.datasets.card import DatasetError
from kinjo.datasets.utd_mhad import CARD, IDS, recordings

CLIPS = ("a1_s1_t1", "a22_s2_t1", "a25_s3_t2")


@pytest.fixture(scope="module", params=[True, False], ids=["zip", "folder"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, layouts: ModuleType) -> Path:
    folder = tmp_path_factory.mktemp("utd")
    layouts.write(folder, "utd_mhad", layouts.utd_mhad(), zipped=request.param)
    return folder


@pytest.fixture
def spoilt(tmp_path: Path, layouts: ModuleType) -> Path:
    """A folder of its own, to be damaged by the test."""
    return layouts.write(tmp_path, "utd_mhad", layouts.utd_mhad(), zipped=False)


def test_every_value_is_where_it_belongs(root: Path, layouts: ModuleType):
    tree = layouts.utd_mhad()
    for clip, recording in zip(CLIPS, recordings(root, only=CLIPS), strict=True):
        stored = {
            part: loadmat(io.BytesIO(tree[part][f"{clip}_{part.lower()}.mat"]))[variable]
            for part, variable in (("Inertial", "d_iner"), ("Skeleton", "d_skel"), ("Depth", "d_depth"))
        }
        streams = recording.streams
        assert list(streams) == ["imu.acc", "imu.gyro", "pose", "depth"]
        assert np.array_equal(streams["imu.acc"].values(), stored["Inertial"][:, :3])
        assert np.array_equal(streams["imu.gyro"].values(), stored["Inertial"][:, 3:])
        assert np.array_equal(streams["pose"].values(), stored["Skeleton"].transpose(2, 0, 1))
        assert np.array_equal(streams["depth"].values(), stored["Depth"].transpose(2, 0, 1))
        assert streams["depth"].values().dtype == np.uint16
        assert np.array_equal(streams["depth"].values(3, 5)[0], stored["Depth"][:, :, 3])


def test_contracts_labels_and_clock(root: Path):
    first, second, third = recordings(root, only=CLIPS)
    assert (first.id, first.subject, first.source) == ("a1_s1_t1", "s1", "utd_mhad:a1_s1_t1")
    assert [r.segments[0].label for r in (first, second, third)] == ["swipe left", "jog", "stand to sit"]
    assert first.segments[0].description == "right arm swipe to the left"
    assert [r.streams["imu.acc"].contract.placement for r in (first, second)] == ["right_wrist", "right_thigh"]
    acc, gyro = first.streams["imu.acc"].contract, first.streams["imu.gyro"].contract
    assert (acc.units, acc.gravity, acc.rate_hz, gyro.units, gyro.gravity) == ("g", True, 50.0, "deg/s", None)
    assert first.streams["pose"].contract.skeleton == "kinect20"
    for recording in (first, second, third):
        assert check(recording)[1] == []
        ends = {stream.end_s for stream in recording.streams.values()}
        assert max(ends) - min(ends) < 1e-9, "all streams of a clip last as long as its IMU"
        assert recording.segments[0].end_s == pytest.approx(recording.duration_s)
        assert "normalised time" in recording.notes[0]
    assert third.twin == "a24_s3_t3"
    assert first.twin == ""


def test_depth_is_not_decoded_before_it_is_read(root: Path, monkeypatch: pytest.MonkeyPatch):
    calls = []
    real = utd_mhad._depth
    monkeypatch.setattr(utd_mhad, "_depth", lambda files, name: calls.append(name) or real(files, name))
    found = list(recordings(root, only=CLIPS))
    assert [r.streams["depth"].length for r in found] == [12, 13, 14]
    assert calls == []
    found[1].streams["depth"].values(0, 2)
    found[1].streams["depth"].values(2, 9)
    assert len(calls) == 1, "a clip that is read in pieces is decoded once"


def test_modalities_and_only(root: Path):
    (recording,) = recordings(root, only="a22_s2_t1", modalities=("pose",))
    assert list(recording.streams) == ["pose"]
    assert recording.streams["pose"].contract.rate_hz == pytest.approx(13 / (35 / 50))
    with pytest.raises(DatasetError, match="audio"):
        recordings(root, modalities=("audio",))
    with pytest.raises(DatasetError, match="a8_s1_t4"):
        recordings(root, only=("a8_s1_t4",))


def test_clips_that_are_not_there_are_an_error_and_counted(root: Path):
    with pytest.raises(DatasetError, match="858 of 861 files absent"):
        recordings(root, modalities=("imu",))
    report: list[str] = []
    assert len(list(recordings(root, modalities=("imu",), skip_bad=True, report=report))) == 3
    assert "858 of 861" in report[0]
    with pytest.warns(UserWarning, match="858 of 861"):
        list(recordings(root, modalities=("imu",), skip_bad=True, only=[*IDS]))


def test_a_part_that_is_not_there(spoilt: Path):
    (spoilt / "Depth").rename(spoilt / "elsewhere")
    with pytest.raises(DatasetError, match=r"pass modalities=\('imu', 'pose'\)"):
        recordings(spoilt, only=CLIPS)
    assert len(list(recordings(spoilt, only=CLIPS, modalities=("imu", "pose")))) == 3
    report: list[str] = []
    found = list(recordings(spoilt, only=CLIPS, skip_bad=True, report=report))
    assert [list(r.streams) for r in found] == [["imu.acc", "imu.gyro", "pose"]] * 3
    assert "all video left out" in report[0]
    assert "video is left out" in found[0].notes[1]
    with pytest.raises(DatasetError, match="Download"):
        recordings(spoilt / "elsewhere")


@pytest.mark.parametrize(("part", "left"), [("inertial", 2), ("skeleton", 3), ("depth", 3)])
def test_one_bad_file(spoilt: Path, part: str, left: int):
    name = f"a22_s2_t1_{part}.mat"
    path = spoilt / part.capitalize() / name
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(DatasetError, match=name):
        list(recordings(spoilt, only=CLIPS))
    report: list[str] = []
    found = list(recordings(spoilt, only=CLIPS, skip_bad=True, report=report))
    assert len(found) == left
    assert name in report[0]
    streams = {r.id: list(r.streams) for r in found}
    gone = {"inertial": None, "skeleton": ["imu.acc", "imu.gyro", "depth"], "depth": ["imu.acc", "imu.gyro", "pose"]}
    assert streams.get("a22_s2_t1") == gone[part]


def test_depth_that_only_decoding_shows_to_be_bad_is_left_out(spoilt: Path):
    path = spoilt / "Depth" / "a22_s2_t1_depth.mat"
    damaged = bytearray(path.read_bytes())
    damaged[-20] ^= 0xFF  # the header is whole, the numbers are not
    path.write_bytes(damaged)
    bad = next(iter(recordings(spoilt, only="a22_s2_t1")))
    with pytest.raises(DatasetError, match=r"a22_s2_t1_depth\.mat"):
        bad.streams["depth"].values()
    report: list[str] = []
    found = list(recordings(spoilt, only=CLIPS, skip_bad=True, report=report))
    assert ["depth" in r.streams for r in found] == [True, False, True]
    assert len(report) == 1
    assert "a22_s2_t1_depth.mat" in report[0]


def test_depth_of_another_length(spoilt: Path, layouts: ModuleType):
    rng = np.random.default_rng(0)
    (spoilt / "Depth" / "a1_s1_t1_depth.mat").write_bytes(layouts.mat("d_depth", layouts.depth(rng, 11)))
    with pytest.raises(DatasetError, match=r"a1_s1_t1_depth\.mat: expected 12 frames, as the skeleton has, given 11"):
        list(recordings(spoilt, only=CLIPS))


def test_swapped_halves_and_units_are_noticed(spoilt: Path, layouts: ModuleType):
    path = spoilt / "Inertial" / "a1_s1_t1_inertial.mat"
    values = loadmat(path)["d_iner"]
    for changed in (values[:, [3, 4, 5, 0, 1, 2]], values * 9.81, values[:, :5], values.T):
        path.write_bytes(layouts.mat("d_iner", changed))
        with pytest.raises(DatasetError, match="a1_s1_t1_inertial"):
            list(recordings(spoilt, only=CLIPS))
    path.write_bytes(layouts.mat("d_iner", values))
    assert len(list(recordings(spoilt, only=CLIPS))) == 3


def test_the_card_fits_the_ids():
    assert len(IDS) == len(set(IDS)) == 861
    assert len(CARD.classes) == len(set(CARD.classes)) == 27
    parts = CARD.splits["subject"].parts
    assert sorted(parts["train"] + parts["test"]) == sorted(IDS)
    assert {clip.split("_")[1] for clip in parts["train"]} == {"s1", "s3", "s5", "s7"}
    assert CARD.splits["subject"].part_of("a5_s4_t1") == "test"
    assert not CARD.trainable
    assert set(utd_mhad._TWIN) <= set(IDS)


@pytest.fixture(scope="module")
def real(data_root: Path) -> Path:
    if utd_mhad.find(data_root) is None:
        pytest.skip(f"no UTD-MHAD under {data_root}")
    return data_root


def test_real_archives_are_complete(real: Path):
    found = list(recordings(real, modalities=("imu", "pose")))
    assert len(found) == 861
    durations = np.array([r.duration_s for r in found])
    assert durations.min() == pytest.approx(107 / 50)
    assert durations.max() == pytest.approx(326 / 50)
    assert durations.mean() == pytest.approx(3.615, abs=0.001)
    frames = np.array([r.streams["pose"].length for r in found])
    assert (frames.min(), frames.max(), frames.sum()) == (41, 125, 58299)
    for recording in found:
        wrist = int(recording.id[1:].partition("_")[0]) <= 21
        assert recording.streams["imu.gyro"].contract.placement == ("right_wrist" if wrist else "right_thigh")
    counts = {label: sum(r.segments[0].label == label for r in found) for label in CARD.classes}
    assert sorted(counts.values()) == [31] * 3 + [32] * 24


def test_real_clips_that_share_samples_are_the_twins(real: Path):
    first: dict[bytes, str] = {}
    groups: dict[str, set[str]] = {}
    for recording in recordings(real, modalities=("imu",)):
        gyro = recording.streams["imu.gyro"].values()
        for row in np.hstack([recording.streams["imu.acc"].values(), gyro]):
            other = first.setdefault(row.tobytes(), recording.id)
            if other != recording.id:
                merged = {recording.id, *groups.get(recording.id, ()), other, *groups.get(other, ())}
                groups |= dict.fromkeys(merged, merged)
    assert {" ".join(sorted(g)) for g in groups.values()} == {" ".join(sorted(g.split())) for g in utd_mhad.OVERLAPS}


def test_real_clips_in_full(real: Path):
    for recording in recordings(real, only=("a1_s1_t1", "a14_s4_t4", "a27_s8_t3")):
        assert check(recording)[1] == []
        depth = recording.streams["depth"].values()
        assert depth.shape == (recording.streams["pose"].length, 240, 320)
        assert 0.8 < (depth == 0).mean() < 0.98
        assert depth.max() < 4000
        # The body in the picture is where the pose has it: a pinhole camera of 285.6 pixels, mirrored.
        pelvis = recording.streams["pose"].values()[:, SKELETONS["kinect20"].index("hip_center")]
        column = 160 + 285.6 * pelvis[:, 0] / pelvis[:, 2]
        seen = (depth > 0) * np.arange(320)
        assert np.abs(seen.sum((1, 2)) / (depth > 0).sum((1, 2)) - column).max() < 20


def test_real_pose_and_imu_agree_on_the_clock_of_normalised_time(real: Path):
    """Wrist speed and rotation rise together on this clock, and less so on that of a 30 Hz camera."""

    def agreement(recording, rate_hz: float) -> float:
        wrist = recording.streams["pose"].values()[:, SKELETONS["kinect20"].index("right_wrist")]
        speed = np.linalg.norm(np.gradient(wrist, axis=0), axis=1)
        gyro = recording.streams["imu.gyro"]
        at = np.interp(gyro.clock(), np.arange(len(speed)) / rate_hz, speed)
        rotation = np.linalg.norm(gyro.values(), axis=1)
        smooth = np.ones(10) / 10
        return float(np.corrcoef(np.convolve(at, smooth, "same"), np.convolve(rotation, smooth, "same"))[0, 1])

    clips = [f"a{a}_s{s}_t1" for a in (1, 3, 8, 16) for s in (1, 4, 7)]
    found = list(recordings(real, only=clips, modalities=("imu", "pose")))
    ours = np.median([agreement(r, r.streams["pose"].contract.rate_hz) for r in found])
    nominal = np.median([agreement(r, 30.0) for r in found])
    assert ours > 0.75
    assert ours > nominal + 0.2


def test_reading_a_zip_opens_it_once(real: Path, monkeypatch: pytest.MonkeyPatch):
    opened = []
    original = zipfile.ZipFile
    monkeypatch.setattr(zipfile, "ZipFile", lambda path, *a, **k: opened.append(path) or original(path, *a, **k))
    for recording in recordings(real, only=IDS[:5]):
        recording.streams["depth"].values(0, 1)
    assert len(opened) == 3
