"""MHEALTH on small files of its layout."""

import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinjo.checks import check
from kinjo.datasets.card import DatasetError
from kinjo.datasets.mhealth import ACTIVITIES, CARD, COLUMNS, IDS, find, recordings, table
from kinjo.recording import labelled_runs

RUNS = ((0, 40), (4, 100), (0, 25), (12, 60), (1, 60))


def log(seed: int = 0, runs: tuple[tuple[int, int], ...] = RUNS) -> np.ndarray:
    """Values (n, 24) in the order of the columns: ``runs`` of (label, samples)."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([label for label, _ in runs], [n for _, n in runs])
    values = rng.normal(size=(len(labels), 24))
    for at in (0, 5, 14):
        values[:, at : at + 3] += (-9.6, 1.0, 0.5)
    values[:, -1] = labels
    return values


def text(values: np.ndarray) -> bytes:
    """The bytes of a log file; every number comes back as it was."""
    return "".join("\t".join(f"{x:.17g}" for x in row) + "\n" for row in values).encode()


def write(root: Path, subjects: tuple[str, ...] = IDS, *, zipped: bool = False) -> Path:
    """A small data set under ``root``; the folder ``MHEALTHDATASET`` where it is one."""
    home = root / "MHEALTH" / "MHEALTHDATASET"
    home.parent.mkdir(parents=True, exist_ok=True)
    files = {f"mHealth_{s}.log": text(log(IDS.index(s))) for s in subjects} | {"README.txt": b"read me"}
    if zipped:
        with zipfile.ZipFile(home.parent / "mhealth+dataset.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(f"MHEALTHDATASET/{name}", data)
        return home.parent
    home.mkdir()
    for name, data in files.items():
        (home / name).write_bytes(data)
    return home


@pytest.mark.parametrize("zipped", [True, False])
def test_streams_and_labels(tmp_path: Path, zipped: bool):
    write(tmp_path, zipped=zipped)
    found = list(recordings(tmp_path))
    assert [r.id for r in found] == [r.subject for r in found] == list(IDS)
    for seed, recording in enumerate(found):
        values = log(seed)
        assert tuple(recording.streams) == tuple(COLUMNS)
        for name, at in zip(COLUMNS, (0, 5, 8, 14, 17), strict=True):
            stream = recording.streams[name]
            np.testing.assert_array_equal(stream.values(), values[:, at : at + 3])
            assert (stream.contract.rate_hz, stream.contract.placement) == (50.0, name.partition(".")[0])
        assert recording.streams["chest.acc"].contract.units == "m/s^2"
        assert recording.streams["chest.acc"].contract.gravity is True
        assert recording.streams["left_ankle.gyro"].contract.units == "deg/s"
        assert [(s.label, s.start_s, s.end_s) for s in recording.segments] == [
            ("walking", 0.8, 2.8), ("jump front and back", 3.3, 4.5), ("standing still", 4.5, 5.7),
        ]  # fmt: skip
        assert check(recording)[1] == []


def test_the_layouts_that_are_found(tmp_path: Path):
    home = write(tmp_path)
    for root in (tmp_path, home.parent, home):
        assert find(root) is not None
        assert [r.id for r in recordings(root, only=["subject10", "subject2"])] == ["subject2", "subject10"]
    assert find(tmp_path / "elsewhere") is None
    with pytest.raises(DatasetError, match="Download"):
        recordings(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="video"):
        recordings(tmp_path, modalities=("video",))
    with pytest.raises(DatasetError, match="subject11"):
        recordings(tmp_path, only=["subject11"])


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 9)), min_size=1, max_size=12), st.integers(0, 2**32 - 1),
    st.booleans(),
)  # fmt: skip
def test_values_and_runs_come_back(runs: list[tuple[int, int]], seed: int, windows: bool):
    values = log(seed, tuple(runs))
    data = text(values).replace(b"\n", b"\r\n") if windows else text(values)
    read = table(data, "a.log")
    np.testing.assert_array_equal(read, values)
    segments = labelled_runs(read[:, -1], 50.0, ACTIVITIES)
    labels = np.full(len(values), "", object)
    for segment in segments:
        assert set(labels[round(segment.start_s * 50) : round(segment.end_s * 50)]) == {""}
        labels[round(segment.start_s * 50) : round(segment.end_s * 50)] = segment.label
    assert labels.tolist() == [ACTIVITIES.get(int(label), "") for label in values[:, -1]]
    assert all(a.end_s < b.start_s or a.label != b.label for a, b in pairwise(segments))


def _cell(row: int, column: int, value: float) -> Callable[[np.ndarray], None]:
    def change(values: np.ndarray) -> None:
        values[row, column] = value

    return change


def _scale(columns: slice, factor: float) -> Callable[[np.ndarray], None]:
    def change(values: np.ndarray) -> None:
        values[:, columns] *= factor

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_cell(7, 6, np.nan), "left_ankle.acc, given 1 absent"), (_cell(7, 18, np.inf), "right_forearm.gyro, given 1"),
        (_cell(9, 23, 13), "13 in line 10"), (_cell(9, 23, -1), "-1 in line 10"), (_cell(9, 23, 0.5), "0.5 in line 10"),
        (_cell(9, 23, np.nan), "nan in line 10"), (_cell(3, 1, 300.0), "chest.acc within ±196 m/s"),
        (_cell(3, 9, -1e9), "left_ankle.gyro within ±2001"),
        (_scale(slice(0, 3), 1 / 9.80665), "chest.acc.*Multiply numbers in g"),
        (_scale(slice(14, 17), 3.0), "right_forearm.acc with a median"),
    ],
)  # fmt: skip
def test_bad_values(change: Callable[[np.ndarray], None], message: str):
    values = log()
    change(values)
    with pytest.raises(DatasetError, match=message) as raised:
        table(text(values), "f.log")
    assert raised.value.file == "f.log"
    assert raised.value.hint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"", "an empty file"), (lambda data: b"\n \n", "an empty file"),
        (lambda data: data.replace(b"\t", b","), "1 in the first line"),
        (lambda data: b"0.5\t" + data, "25 in the first line"),
        (lambda data: data + b"1\t2\t3\n", "24 columns"), (lambda data: data[: data.rindex(b"\t")], "24 columns"),
        (lambda data: data[: data.rindex(b"\t") + 1], "nan in line 285"),
        (lambda data: data[: data.rindex(b"\t")] + b"\t12", "cut off"),
        (lambda data: data[: data.index(b"\n")], "cut off"),
        (lambda data: data.replace(b"\n", b"x\n", 1), "table of 24 columns"),
        (lambda data: data[:300] + bytes(9) + data[300:], "table of 24"),
        (lambda data: data.decode().encode("utf-16"), "f.log"),
        (lambda data: b"<!DOCTYPE html>404", "1 in the first line"),
    ],
)  # fmt: skip
def test_bad_text(change: Callable[[bytes], bytes], message: str):
    with pytest.raises(DatasetError, match=message) as raised:
        table(change(text(log())), "f.log")
    assert raised.value.file == "f.log"
    assert raised.value.hint


def test_a_last_line_without_an_end_is_fine_where_its_label_is_told_by_the_line_before():
    values = log()
    np.testing.assert_array_equal(table(text(values)[:-1], "f.log"), values)
    twelve = log(runs=((12, 5),))
    np.testing.assert_array_equal(table(text(twelve)[:-1], "f.log"), twelve)
    with pytest.raises(DatasetError, match="cut off"):
        table(text(twelve)[:-2], "f.log")  # a label 1 is left of 12


def test_files_that_are_not_there_or_bad(tmp_path: Path):
    home = write(tmp_path, ("subject1", "subject2", "subject3"))
    with pytest.raises(DatasetError, match=r"7 of 10 files absent.*mHealth_subject4"):
        recordings(tmp_path)
    bad = home / "mHealth_subject2.log"
    bad.write_bytes(bad.read_bytes()[:5000])
    (home / "mHealth_subject11.log").write_bytes(b"1\n")
    with pytest.raises(DatasetError, match=r"mHealth_subject11\.log"):
        recordings(tmp_path, only=["subject1"])
    report: list[str] = []
    found = list(recordings(tmp_path, only=IDS[:3], skip_bad=True, report=report))
    assert [r.id for r in found] == ["subject1", "subject3"]
    assert len(report) == 2
    assert "mHealth_subject11.log" in report[0]
    assert report[1].startswith("subject2: skipped")
    (home / "mHealth_subject11.log").unlink()
    with pytest.raises(DatasetError, match=r"mHealth_subject2\.log"):
        list(recordings(tmp_path, only=IDS[:3]))


def test_the_card():
    assert CARD.licence == "CC BY 4.0"
    assert not CARD.trainable
    assert not CARD.splits
    assert len(CARD.classes) == len(set(CARD.classes)) == 12
