"""BasicMotions: the real data comes with aeon; damage on small files of its layout."""

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from kinjo.checks import check
from kinjo.datasets import basic_motions
from kinjo.datasets.basic_motions import CARD, recordings
from kinjo.datasets.card import DatasetError


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> list:
    """All recordings of the data inside aeon: the root holds nothing."""
    pytest.importorskip("aeon")
    return list(recordings(tmp_path_factory.mktemp("empty")))


def test_forty_and_forty(real: list):
    assert [r.id for r in real] == [*CARD.splits["official"].parts["train"], *CARD.splits["official"].parts["test"]]
    for part in ("train", "test"):
        labels = [r.segments[0].label for r in real if r.id.startswith(part)]
        assert {label: labels.count(label) for label in CARD.classes} == dict.fromkeys(CARD.classes, 10)
    assert {r.subject for r in real} == {"unknown"}


def test_contracts_hold(real: list):
    for recording in real:
        acc, gyro = recording.streams["wrist.acc"], recording.streams["wrist.gyro"]
        assert acc.values().shape == gyro.values().shape == (100, 3)
        assert (acc.contract.units, acc.contract.gravity, acc.contract.rate_hz) == ("m/s^2", False, 10.0)
        assert check(recording)[1] == []
        assert recording.duration_s == pytest.approx(10.0)


def test_what_the_card_says_of_the_values(real: list):
    """No gravity in a standing wrist; ranges of 3 g in m/s² and of 2000 deg/s in rad/s; one sample in nine held."""
    values = {r.id: np.hstack([s.values() for s in r.streams.values()]) for r in real}
    still = [values[r.id][:, :3].mean(axis=0) for r in real if r.segments[0].label == "standing"]
    assert np.linalg.norm(still, axis=1).max() < 0.4
    everything = np.stack(list(values.values()))
    assert np.abs(everything[..., :3]).max() == pytest.approx(3 * 9.80665, abs=0.05)
    assert np.abs(everything[..., 3:]).max() == pytest.approx(np.radians(2000), abs=0.05)
    assert (np.diff(everything, axis=1) == 0).all(axis=2).mean() == pytest.approx(0.109, abs=0.002)


def test_files_of_ones_own_come_first(tmp_path: Path, layouts: ModuleType):
    pytest.importorskip("aeon")
    home = layouts.write(tmp_path, "basic_motions", layouts.basic_motions(), zipped=False)
    assert basic_motions.find(tmp_path) == home / "BasicMotions"
    (recording,) = recordings(tmp_path, only=("test_03",))
    expected = np.random.default_rng(0).normal(size=(8, 10, 6, 100))[4, 3]
    given = np.hstack([s.values() for s in recording.streams.values()])
    np.testing.assert_allclose(given, expected.T, atol=1e-6)
    assert recording.segments[0].label == "standing"


def test_bad_files(tmp_path: Path, layouts: ModuleType):
    pytest.importorskip("aeon")
    path = layouts.write(tmp_path, "basic_motions", layouts.basic_motions(), zipped=False) / "BasicMotions"
    good = (path / "BasicMotions_TEST.ts").read_bytes()
    for bad in (good[: len(good) // 2], b"", good.replace(b":Walking", b":Sitting", 1), good.replace(b",", b",x", 50)):
        (path / "BasicMotions_TEST.ts").write_bytes(bad)
        with pytest.raises(DatasetError, match=r"BasicMotions_TEST\.ts"):
            list(recordings(tmp_path))
        report: list[str] = []
        assert len(list(recordings(tmp_path, skip_bad=True, report=report))) == 40
        assert "40 recordings skipped" in report[0]
    start = good.index(b"@data\n") + 6
    (path / "BasicMotions_TEST.ts").write_bytes(good[:start] + b"1e6" + good[good.index(b",", start) :])
    report = []
    assert len(list(recordings(tmp_path, skip_bad=True, report=report))) == 79
    assert report[0].startswith("test_00: skipped")
    with pytest.raises(DatasetError, match="series 0"):
        list(recordings(tmp_path))
