"""MotionSense on small files of its layout, and on the real archive where it is."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from kinjo.checks import check
from kinjo.datasets import motionsense
from kinjo.datasets.card import DatasetError
from kinjo.datasets.motionsense import CARD, IDS, recordings, subjects, table

TRIALS = ("dws_1_sub_1", "wlk_7_sub_3", "std_14_sub_24")


@pytest.fixture(scope="module", params=[True, False], ids=["zip", "folder"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, layouts: ModuleType) -> Path:
    folder = tmp_path_factory.mktemp("motionsense")
    home = layouts.write(folder, "motionsense", layouts.motionsense(), zipped=request.param)
    (home / "data_subjects_info.csv").write_bytes(layouts.subjects())
    return folder


@pytest.fixture
def good(layouts: ModuleType) -> np.ndarray:
    """One file's values (n, 13)."""
    return layouts.device_motion(np.random.default_rng(1), 150)


def test_streams_and_labels(root: Path, layouts: ModuleType):
    found = list(recordings(root, only=TRIALS))
    assert [r.id for r in found] == list(TRIALS)
    assert [r.subject for r in found] == ["sub_1", "sub_3", "sub_24"]
    assert [r.segments[0].label for r in found] == ["downstairs", "walking", "standing"]
    rng = np.random.default_rng(0)
    for recording in found:
        expected = layouts.device_motion(rng, 150)
        streams = recording.streams
        np.testing.assert_allclose(streams["pocket.acc"].values(), -(expected[:, 4:7] + expected[:, 10:]), atol=2e-6)
        np.testing.assert_allclose(streams["pocket.gyro"].values(), expected[:, 7:10], atol=1e-6)
        np.testing.assert_allclose(streams["pocket.attitude"].values(), expected[:, 1:4], atol=1e-6)
        acc = streams["pocket.acc"].contract
        assert (acc.units, acc.gravity, acc.placement, acc.rate_hz) == ("g", True, "pocket", 50.0)
        assert streams["pocket.attitude"].contract.axes == ("roll", "pitch", "yaw")
        assert check(recording)[1] == []
        assert recording.segments[0].end_s == 3.0


def test_columns_go_by_name(good: np.ndarray, layouts: ModuleType):
    order = np.random.default_rng(2).permutation(13)
    names = tuple(layouts.COLUMNS[i] for i in order)
    text = "\n".join([",".join(names), *(",".join(f"{x:.6f}" for x in row[order]) for row in good)]) + "\n"
    plain, moved = table(layouts.table(good), "a.csv"), table(text.encode(), "b.csv")
    assert all(np.array_equal(plain[group], moved[group]) for group in plain)


@pytest.mark.parametrize(
    ("a", "b"),
    [("gravity.x", "gravity.y"), ("attitude.roll", "attitude.pitch"), ("gravity.z", "userAcceleration.z"),
     ("rotationRate.x", "rotationRate.y"), ("rotationRate.x", "userAcceleration.x")],
)  # fmt: skip
def test_swapped_names_are_noticed(good: np.ndarray, layouts: ModuleType, a: str, b: str):
    swap = {a: b, b: a}
    names = tuple(swap.get(name, name) for name in layouts.COLUMNS)
    with pytest.raises(DatasetError, match=r"f\.csv.*Check the columns"):
        table(layouts.table(good, names), "f.csv")


def test_units_and_rate_are_noticed(good: np.ndarray, layouts: ModuleType):
    degrees = good.copy()
    degrees[:, 7:10] = np.degrees(degrees[:, 7:10])
    half = good[::2].copy()
    half[:, 0] = np.arange(len(half))
    for values in (degrees, half):
        with pytest.raises(DatasetError, match="rotation"):
            table(layouts.table(values), "f.csv")


@pytest.mark.parametrize("counter", [[0, 1, 1, 3], [0, 2, 1, 3], [1, 2, 3, 4], [0, 1, 3, 4]])
def test_clock_faults(good: np.ndarray, layouts: ModuleType, counter: list[int]):
    values = good[:4].copy()
    values[:, 0] = counter
    with pytest.raises(DatasetError, match=r"sample counter 0, 1, 2.* in data row"):
        table(layouts.table(values), "f.csv")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("gravity.y", "gravityY", 1), "gravity.y"),
        (lambda text: text.replace("gravity.y", "gravity.x", 1), "gravity.x"),
        (lambda text: text[: len(text) // 2], "cut off"),
        (lambda text: text[: text.index("\n") + 1], "f.csv"),
        (lambda text: "", "empty"),
        (lambda text: text.replace("\n1,", "\n1,x", 1), "table of numbers"),
        (lambda text: text.replace("\n1,", "\n1,0,", 1), "table of numbers"),
        (lambda text: text.replace(",", ";"), "official column"),
        (lambda text: "\n".join(line.rpartition(",")[0] + "," for line in text.splitlines()) + "\n", "userAcc"),
    ],
)
def test_bad_text(good: np.ndarray, layouts: ModuleType, change, message: str):
    with pytest.raises(DatasetError, match=message) as raised:
        table(change(layouts.table(good).decode()).encode(), "f.csv")
    assert raised.value.file == "f.csv"
    assert raised.value.hint


def test_missing_values_are_counted(good: np.ndarray, layouts: ModuleType):
    good[5:9, 11] = np.nan
    with pytest.raises(DatasetError, match="4 absent, NaN or infinite"):
        table(layouts.table(good), "f.csv")


def test_files_that_are_not_there_or_bad(tmp_path: Path, layouts: ModuleType):
    home = layouts.write(tmp_path, "motionsense", layouts.motionsense(), zipped=False)
    with pytest.raises(DatasetError, match="357 of 360 files absent"):
        recordings(tmp_path)
    bad = home / "A_DeviceMotion_data" / "wlk_7" / "sub_3.csv"
    bad.write_bytes(bad.read_bytes()[:500])
    (home / "A_DeviceMotion_data" / "wlk_7" / "sub_25.csv").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"sub_25\.csv"):
        recordings(tmp_path, only=TRIALS)
    report: list[str] = []
    found = list(recordings(tmp_path, only=TRIALS, skip_bad=True, report=report))
    assert [r.id for r in found] == ["dws_1_sub_1", "std_14_sub_24"]
    assert "sub_25.csv" in report[0]
    assert "wlk_7_sub_3: skipped" in report[1]
    with pytest.raises(DatasetError, match="Download"):
        recordings(tmp_path / "empty")
    with pytest.raises(DatasetError, match="video"):
        recordings(tmp_path, modalities=("video",))


def test_subjects(root: Path, tmp_path: Path, layouts: ModuleType):
    people = subjects(root)
    assert len(people) == 24
    assert people["sub_3"] == motionsense.Subject("sub_3", 53.0, 163.0, 23.0, "male")
    with pytest.raises(DatasetError, match=r"data_subjects_info\.csv.*Download"):
        subjects(tmp_path)
    for text in (
        b"",
        b"code,weight\n1,2\n",
        layouts.subjects() + b"\n24,1,1,1,1",
        layouts.subjects()[:-2],
        b"\xff\xfe",
    ):
        (tmp_path / "data_subjects_info.csv").write_bytes(text)
        with pytest.raises(DatasetError):
            subjects(tmp_path)


def test_the_card_fits_the_ids():
    assert len(IDS) == len(set(IDS)) == 360
    parts = CARD.splits["trial"].parts
    assert set(parts["train"]) | set(parts["test"]) == set(IDS) - {"sit_5_sub_1"}
    assert not set(parts["train"]) & set(parts["test"])
    assert CARD.trainable
    assert CARD.licence == "MIT"


@pytest.fixture(scope="module")
def real(data_root: Path) -> Path:
    if motionsense.find(data_root) is None:
        pytest.skip(f"no MotionSense under {data_root}")
    return data_root


def test_real_files(real: Path):
    chosen = ("dws_1_sub_1", "jog_16_sub_9", "sit_13_sub_1", "sit_5_sub_1", "wlk_8_sub_24")
    found = {r.id: r for r in recordings(real, only=chosen)}
    assert set(found) == set(chosen)
    for recording in found.values():
        assert check(recording)[1] == []
        acc = recording.streams["pocket.acc"].values()
        assert 0.9 < np.linalg.norm(acc.mean(axis=0)) < 1.2, "gravity is in"
    twins = [found[i] for i in ("sit_13_sub_1", "sit_5_sub_1")]
    first, second = (r.streams["pocket.gyro"].values() for r in twins)
    assert np.array_equal(first, second)
    assert twins[0].twin == twins[1].twin == "sit_5_sub_1"
    assert found["jog_16_sub_9"].streams["pocket.acc"].values().std() > 0.5


def test_real_archive_is_complete(real: Path):
    stream = recordings(real)  # opens the archive and counts its 360 files
    assert next(iter(stream)).id == "dws_1_sub_1"
    people = subjects(real)
    assert people["sub_1"] == motionsense.Subject("sub_1", 102.0, 188.0, 46.0, "male")
