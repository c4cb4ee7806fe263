"""MyoGym on small files of the layout that its public readers tell of."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from kinjo.checks import check
from kinjo.datasets import myogym
from kinjo.datasets.card import DatasetError
from kinjo.datasets.myogym import CARD, EXERCISES, recordings, table

SETS = ((99, 30), (7, 50), (99, 20), (30, 40))
Variables = dict[str, Any]


def session(seed: int, trainer: int, sets: tuple[tuple[int, int], ...] = SETS) -> Variables:
    """``raw_data`` (n, 17) and ``raw_data_labels`` (n, 2) of one trainer: ``sets`` of (exercise, samples)."""
    rng = np.random.default_rng(seed)
    exercise = np.repeat([label for label, _ in sets], [n for _, n in sets])
    n = len(exercise)
    data = rng.normal(size=(n, 17))
    data[:, 1:9] = rng.integers(-128, 128, (n, 8))
    data[:, 0] = data[:, 9] = data[:, 13] = 1000.0 * seed + np.arange(n) * 20.0
    data[:, 10:13] = 0.1 * data[:, 10:13] + (-0.8, 0.6, 0.05)
    data[:, 14:] *= 40.0
    return {"raw_data": data, "raw_data_labels": np.stack([exercise, np.full(n, trainer)], axis=1).astype(np.float64)}


def joined(*parts: Variables) -> Variables:
    """One file's variables of several sessions."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def mat(variables: Variables, *, compressed: bool = True) -> bytes:
    """A MATLAB 5 file."""
    out = io.BytesIO()
    savemat(out, variables, do_compression=compressed)
    return out.getvalue()


def everyone() -> Variables:
    return joined(*(session(t, t) for t in range(1, 11)))


def write(root: Path, variables: Variables) -> Path:
    path = root / "MyoGym" / "MyoGym.mat"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(mat(variables))
    return root


def test_streams_and_labels(tmp_path: Path):
    found = list(recordings(write(tmp_path, joined(everyone(), session(11, 3, ((0, 9), (1, 60)))))))
    assert [r.id for r in found] == [*(f"trainer{t}_run1" for t in range(1, 11)), "trainer3_run2"]
    for seed, recording in enumerate(found[:10], start=1):
        data = session(seed, seed)["raw_data"]
        assert recording.subject == f"trainer{seed}"
        acc, gyro = recording.streams["right_forearm.acc"], recording.streams["right_forearm.gyro"]
        np.testing.assert_array_equal(acc.values(), data[:, 10:13])
        np.testing.assert_array_equal(gyro.values(), data[:, 14:17])
        assert (acc.contract.units, acc.contract.gravity, acc.contract.placement) == ("g", True, "right_forearm")
        assert (gyro.contract.units, gyro.contract.rate_hz) == ("deg/s", 50.0)
        assert [(s.label, s.start_s, s.end_s) for s in recording.segments] == [
            ("bench press", 0.6, 1.6), ("lying rear delt raise", 2.0, 2.8),
        ]  # fmt: skip
        assert check(recording)[1] == []
        assert len(recording.notes) == 1
    assert [(s.label, s.start_s) for s in found[10].segments] == [("seated cable rows", 0.18)]


def test_only_some(tmp_path: Path):
    write(tmp_path, joined(session(1, 1), session(2, 2)))
    assert [r.id for r in recordings(tmp_path, only=["trainer2_run1"])] == ["trainer2_run1"]
    with pytest.raises(DatasetError, match="trainer3_run1"):
        recordings(tmp_path, only=["trainer3_run1"])
    with pytest.raises(DatasetError, match="video"):
        recordings(tmp_path, modalities=("video",))
    with pytest.raises(DatasetError, match=r"Get MyoGym\.mat"):
        recordings(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=r"none of \[3, 4, 5, 6, 7, 8, 9, 10\]"):
        recordings(tmp_path)
    report: list[str] = []
    assert len(list(recordings(tmp_path, skip_bad=True, report=report))) == 2
    assert "none of [3" in report[0]


@given(
    st.lists(st.tuples(st.sampled_from((0, 99, *EXERCISES)), st.integers(1, 8)), min_size=2, max_size=9),
    st.lists(st.integers(0, 60), max_size=30),
    st.booleans(),
)
def test_values_and_runs_come_back(
    tmp_path_factory: pytest.TempPathFactory, sets: list[tuple[int, int]], repeats: list[int], compressed: bool
):
    plain = session(5, 4, tuple(sets))
    n = len(plain["raw_data"])
    order = sorted([*range(n), *(r % n for r in repeats)])  # packets that came twice
    doubled = {name: values[order] for name, values in plain.items()}
    root = tmp_path_factory.mktemp("myogym")
    (root / "MyoGym.mat").write_bytes(mat(doubled, compressed=compressed))
    [recording] = recordings(root, only=["trainer4_run1"])
    np.testing.assert_array_equal(recording.streams["right_forearm.acc"].values(), plain["raw_data"][:, 10:13])
    np.testing.assert_array_equal(recording.streams["right_forearm.gyro"].values(), plain["raw_data"][:, 14:17])
    labels = np.full(n, "", object)
    for segment in recording.segments:
        labels[round(segment.start_s * 50) : round(segment.end_s * 50)] = segment.label
    assert labels.tolist() == [EXERCISES.get(int(x), "") for x in plain["raw_data_labels"][:, 0]]
    assert any(f"{len(repeats)} of {len(order)} rows repeat" in note for note in recording.notes) == bool(repeats)


def test_a_packet_that_came_again_later_and_a_clock_that_goes_back(tmp_path: Path):
    data = session(1, 1)
    order = [*range(10), *range(4, 10), *range(10, 140)]
    write(tmp_path, {name: values[order] for name, values in data.items()})
    [recording] = recordings(tmp_path, only=["trainer1_run1"])
    np.testing.assert_array_equal(recording.streams["right_forearm.acc"].values(), data["raw_data"][:, 10:13])
    assert "6 of 146 rows repeat an earlier one and are left out" in recording.notes
    data["raw_data"][50:, 9] -= 2000
    write(tmp_path, data)
    [recording] = recordings(tmp_path, only=["trainer1_run1"])
    assert "the accelerometer's time stamps go back 1 times" in recording.notes
    assert recording.streams["right_forearm.acc"].length == 140


def _set(name: str, rows: Any, column: int, value: float) -> Callable[[Variables], None]:
    def change(variables: Variables) -> None:
        variables[name] = variables[name].astype(np.float64)
        variables[name][rows, column] = value

    return change


def _new(**changes: Callable[[np.ndarray], Any]) -> Callable[[Variables], None]:
    def change(variables: Variables) -> None:
        for name, make in changes.items():
            variables[name] = make(variables[name])

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("raw_data"), r"numeric matrix 'raw_data', given variables \['raw_data_labels'\].*Needed are"),
        (lambda v: v.pop("raw_data_labels"), "numeric matrix 'raw_data_labels'"),
        (_new(raw_data=lambda x: x[:, :16]), r"raw_data \(140, 16\)"),
        (_new(raw_data=lambda x: x.T), r"raw_data \(17, 140\)"),
        (_new(raw_data=lambda x: x[:-1]), r"raw_data \(139, 17\), raw_data_labels \(140, 2\)"),
        (_new(raw_data_labels=lambda x: x[:, :1]), r"raw_data_labels \(140, 1\)"),
        (_new(raw_data=lambda x: x[:0], raw_data_labels=lambda x: x[:0]), r"raw_data \(0, 17\)"),
        (_new(raw_data=lambda x: x[None]), "raw_data of two axes"),
        (_new(raw_data=lambda x: x.astype(np.int16)), "whole numbers"),
        (_new(raw_data_labels=lambda x: x.astype(np.int64)), "class 14"),
        (_new(raw_data=lambda x: x + 1j), "complex"), (_new(raw_data=lambda x: "text"), "'raw_data'"),
        (_new(raw_data_labels=lambda x: x[:, ::-1]), "trainer in column 1 of raw_data_labels, given 30, 99 in it"),
        (_set("raw_data_labels", 3, 0, 31), "exercise in column 0 of raw_data_labels, given 31"),
        (_set("raw_data_labels", 3, 0, 1.5), "given 1.5 in it"), (_set("raw_data_labels", 3, 0, np.nan), "given nan"),
        (_set("raw_data_labels", slice(9), 1, 11), "trainer in column 1 of raw_data_labels, given 11"),
    ],
)  # fmt: skip
def test_a_file_of_another_form(tmp_path: Path, change: Callable[[Variables], Any], message: str):
    variables = session(1, 2)
    change(variables)
    with pytest.raises(DatasetError, match=message) as raised:
        table(mat(variables), "f.mat")
    assert raised.value.file == "f.mat"
    assert "raw_data_labels" in raised.value.hint
    report: list[str] = []
    assert list(recordings(write(tmp_path, variables), skip_bad=True, report=report)) == []
    assert len(report) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set("raw_data", 4, 11, np.nan), "1 NaN or infinite"), (_set("raw_data", 4, 13, np.inf), "1 NaN or infinite"),
        (_set("raw_data", 4, 10, 17.0), "acc within ±16, given 17"),
        (_set("raw_data", 4, 15, -3000.0), "gyro within ±2048"),
        (_new(raw_data=lambda x: x * np.r_[np.ones(10), np.full(3, 9.80665), np.ones(4)]), "about 1 g, given (9|10)"),
    ],
)  # fmt: skip
def test_bad_values_of_one_trainer(tmp_path: Path, change: Callable[[Variables], Any], message: str):
    bad = session(2, 2)
    change(bad)
    write(tmp_path, joined(session(1, 1), bad, *(session(t, t) for t in range(3, 11))))
    with pytest.raises(DatasetError, match=f"trainer2_run1.*{message}"):
        list(recordings(tmp_path))
    report: list[str] = []
    assert len(list(recordings(tmp_path, skip_bad=True, report=report))) == 9
    assert [line.partition(":")[0] for line in report] == ["trainer2_run1"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", "0 bytes"), (lambda data: data[: len(data) // 2], "raw_data"),
        (lambda data: b"<!DOCTYPE html>" * 40, "another kind of file"),
        (lambda data: b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400), "7.3.*save it again.*-v7"),
        (lambda data: data[:3000] + bytes([data[3000] ^ 8]) + data[3001:], "damaged|bytes|cut"),
    ],
)  # fmt: skip
def test_bad_bytes(change: Callable[[bytes], bytes], message: str):
    with pytest.raises(DatasetError, match=message) as raised:
        table(change(mat(session(1, 1))), "f.mat")
    assert raised.value.file == "f.mat"
    assert raised.value.hint


def test_a_file_that_is_too_large_or_not_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path, everyone())
    monkeypatch.setattr(myogym, "LARGEST", 1000)
    with pytest.raises(DatasetError, match="less than 1000 bytes"):
        recordings(tmp_path)

    def refuse(self: Path) -> bytes:
        raise PermissionError("not yours")

    monkeypatch.undo()
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DatasetError, match=r"readable file, given not yours\. Check its rights"):
        recordings(tmp_path)


def test_the_card():
    assert CARD.licence.startswith("unknown")
    assert not CARD.trainable
    assert not CARD.splits
    assert len(CARD.classes) == len(set(CARD.classes)) == 30
    assert CARD.classes[15] == "bench dip"
