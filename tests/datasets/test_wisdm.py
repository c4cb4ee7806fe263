"""WISDM-51 on small files of its layout, and on the real ones where they are."""

import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.checks import check
from kinjo.datasets import wisdm
from kinjo.datasets.card import DatasetError
from kinjo.datasets.wisdm import ACTIVITIES, CARD, IDS, bouts, find, recordings

LETTERS = "ACR"
N = 100


def stamps(n: int = N, rate: float = 20.0, start: float = 9e4) -> np.ndarray:
    """Time stamps (n,) in ns."""
    return (start * 1e9 + np.arange(n) * 1e9 / rate).astype(np.int64)


def values(sensor: str, n: int = N, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(n, 3))
    return np.round(noise + np.array([0, 9.8, 0]) * (sensor == "accel"), 6)


def text(subject: str, parts: dict[str, tuple[np.ndarray, np.ndarray]]) -> bytes:
    """A raw file: letter -> stamps and values."""
    return "".join(
        f"{subject},{letter},{t}," + ",".join(f"{x:.9g}" for x in row) + ";\n"
        for letter, (times, rows) in parts.items()
        for t, row in zip(times.tolist(), rows.tolist(), strict=True)
    ).encode()


def part(subject: str, sensor: str, letters: str = LETTERS, start: float = 9e4) -> bytes:
    return text(
        subject,
        {
            letter: (stamps(start=start + 200 * k + 0.2 * (sensor == "gyro")), values(sensor, seed=k))
            for k, letter in enumerate(letters)
        },
    )


def write(root: Path, names: tuple[str, ...], *, zipped: bool = False) -> Path:
    """A small data set of files such as ``1600_watch_accel``; the clock of a phone is another one."""
    files = {}
    for name in names:
        subject, device, sensor = name.split("_")
        data = part(subject, sensor, start=9e4 if device == "watch" else 5e5)
        files[f"wisdm-dataset/raw/{device}/{sensor}/data_{subject}_{sensor}_{device}.txt"] = data
    files |= {"wisdm-dataset/README.txt": b"read me", "wisdm-dataset/activity_key.txt": b"walking = A\n"}
    if zipped:
        with zipfile.ZipFile(root / "wisdm-dataset.zip", "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return root
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root / "wisdm-dataset"


BOTH = ("1600_watch_accel", "1600_watch_gyro", "1600_phone_accel", "1600_phone_gyro")


def read(root: Path, **options) -> tuple[list, list[str]]:
    report: list[str] = []
    return list(recordings(root, report=report, **options)), report


@pytest.mark.parametrize("zipped", [True, False])
def test_streams_and_labels(tmp_path: Path, zipped: bool):
    write(tmp_path, BOTH, zipped=zipped)
    found, report = read(tmp_path)
    assert [r.id for r in found] == [f"1600_{d}_{a}" for d in ("watch", "phone") for a in LETTERS]
    assert report[0].endswith("200 of 204 files are not there, such as that of 1601_watch_accel")
    assert "no such activity in the files: 1600_watch_B, 1600_watch_D" in report[1]
    assert len(report) == 2
    for recording in found:
        place = {"watch": "wrist", "phone": "pocket"}[recording.id.split("_")[1]]
        letter = recording.id[-1]
        assert (recording.subject, recording.twin) == ("1600", f"1600_{letter}")
        assert list(recording.streams) == [f"{place}.acc", f"{place}.gyro"]
        acc, gyro = recording.streams.values()
        k = LETTERS.index(letter)
        np.testing.assert_allclose(acc.values(), values("accel", seed=k), atol=1e-4)
        np.testing.assert_allclose(gyro.values(), values("gyro", seed=k), atol=1e-4)
        assert (acc.contract.units, acc.contract.gravity, gyro.contract.units) == ("m/s^2", True, "rad/s")
        assert acc.contract.rate_hz == gyro.contract.rate_hz == 20.0
        assert (acc.start_s, gyro.start_s) == (0.0, pytest.approx(0.2, abs=1e-6))
        assert recording.segments[0].label == ACTIVITIES[letter]
        assert recording.segments[0].end_s == recording.duration_s
        assert check(recording)[1] == []


def test_files_that_are_absent(tmp_path: Path):
    write(tmp_path, ("1601_watch_gyro", "1601_phone_accel"))
    found, report = read(tmp_path, only=["1601_watch_A", "1601_phone_R", "1602_phone_A"])
    assert [(r.id, list(r.streams)) for r in found] == [
        ("1601_watch_A", ["wrist.gyro"]), ("1601_phone_R", ["pocket.acc"]),
    ]  # fmt: skip
    assert report == [f"{find(tmp_path)}: 4 of 6 files are not there, such as that of 1601_watch_accel"]
    with pytest.raises(DatasetError, match=r"none.*Download"):
        recordings(tmp_path, only=["1602_phone_A"])


def test_devices_that_are_swapped(tmp_path: Path):
    """What the files of 1637 to 1640 call phone is the watch."""
    write(tmp_path, ("1637_phone_accel", "1637_watch_gyro", "1641_watch_accel"))
    found, _ = read(tmp_path)
    assert [(r.id, list(r.streams)) for r in found if r.id.endswith("A")] == [
        ("1637_watch_A", ["wrist.acc"]), ("1637_phone_A", ["pocket.gyro"]), ("1641_watch_A", ["wrist.acc"]),
    ]  # fmt: skip
    assert found[0].notes == ("the file calls this device phone",)


def one(parts: dict[str, tuple[np.ndarray, np.ndarray]], tmp_path: Path) -> tuple[list, list[str]]:
    home = write(tmp_path, ("1600_watch_accel",))
    (home / "raw/watch/accel/data_1600_accel_watch.txt").write_bytes(text("1600", parts))
    return read(tmp_path, only=[f"1600_watch_{letter}" for letter in parts])


def test_pauses_are_missing(tmp_path: Path):
    times = stamps()
    times[60:] += 10_000_000_000
    (recording,), report = one({"M": (times, values("accel"))}, tmp_path)
    acc = recording.streams["wrist.acc"]
    assert acc.mask().sum() == pytest.approx(200, abs=1)
    assert acc.end_s == pytest.approx(15.0)
    assert "wrist.acc: 10.0 s missing, pauses of up to 10.1 s" in recording.notes
    assert report[-1] == "10 s of 15 s, summed over streams, are pauses: missing"


def test_rates(tmp_path: Path):
    """A device of 25 Hz keeps its rate; spans at 100 Hz are thinned to 20 Hz, and said."""
    (recording,), _ = one({"A": (stamps(rate=24.8), values("accel"))}, tmp_path)
    assert recording.streams["wrist.acc"].contract.rate_hz == 25.0
    times = np.cumsum(np.r_[0, np.full(60, 50_000_000), np.full(239, 10_000_000)]) + 9 * 10**13
    ramp = np.stack([0 * times, 9.8 + 0 * times, (times - times[0]) / 1e9], axis=1)
    (recording,), _ = one({"A": (times, ramp)}, tmp_path)
    acc = recording.streams["wrist.acc"]
    assert acc.contract.rate_hz == 20.0
    np.testing.assert_allclose(acc.values()[:, 2], acc.clock(), atol=1e-5)
    assert any("given at 20 Hz" in note for note in recording.notes)


def test_rows_that_are_late_or_repeated(tmp_path: Path):
    times, rows = stamps(), values("accel")
    order = np.r_[0:50, 51, 50, 52:N, N - 1]
    (recording,), _ = one({"A": (times[order], rows[order])}, tmp_path)
    np.testing.assert_allclose(recording.streams["wrist.acc"].values(), rows, atol=1e-4)
    assert any("out of order" in note for note in recording.notes)
    assert any("1 time stamps are repeated" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (np.r_[stamps(50), stamps(50)], "goes back by 2.45 s"), (stamps(rate=1.0), r"100 samples at 0 Hz"),
        (stamps() // 1_000_000, "at .* Hz over"), (np.full(N, 5), "100 samples|1 samples"),
        (np.r_[stamps(50), stamps(50, start=9.1e4)], "at most 600 s"),
    ],
)  # fmt: skip
def test_clocks_that_cannot_be_mended(tmp_path: Path, times: np.ndarray, message: str):
    with pytest.raises(DatasetError, match=message):
        one({"A": (times, values("accel"))}, tmp_path)
    home = tmp_path / "wisdm-dataset"
    (home / "raw/watch/accel/data_1600_accel_watch.txt").write_bytes(
        text("1600", {"A": (times, values("accel")), "B": (stamps(), values("accel"))})
    )
    found, report = read(tmp_path, only=["1600_watch_A", "1600_watch_B"], skip_bad=True)
    assert [r.id for r in found] == ["1600_watch_B"]
    assert any(line.startswith("1600_watch_A: skipped") for line in report)


def test_sensors_whose_clocks_do_not_meet(tmp_path: Path):
    home = write(tmp_path, ("1600_watch_accel", "1600_watch_gyro"))
    (home / "raw/watch/gyro/data_1600_gyro_watch.txt").write_bytes(part("1600", "gyro", "A", start=1e5))
    with pytest.raises(DatasetError, match=r"one clock of both sensors in A, given 10000\.2 s between"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[: len(data) // 2], "cut off"), (lambda data: b"", "empty"),
        (lambda data: data.replace(b"1600,C", b"1600,N", 1), "'N' in line 101"),
        (lambda data: data.replace(b"1600,A", b"1601,A", 1), "lines of subject 1600"),
        (lambda data: data.replace(b";\n", b"\n", 1), "lines subject,activity"),
        (lambda data: data.replace(b",", b",x", 9), "activity"),
        (lambda data: data.replace(b"A,90000000000000,", b"A,9e13,"), "lines subject,activity|time stamp"),
        (lambda data: data.replace(b"A,90000000000000,", b"A,,"), "time stamp"),
        (lambda data: data.replace(b";\n", b";7\n", 1), "end in ;"),
        (lambda data: b"1600,A,5,nan,1,1;\n" + data, "1 absent"),
        (lambda data: b"1600,A,5,900,1,1;\n" + data, "up to 900"),
        (lambda data: data + data, "A again in line 301"),
        (lambda data: text("1600", {"A": (stamps(), values("accel") / 9.8)}), "within ±100, with gravity"),
        (lambda data: data.decode().encode("utf-16"), "f.txt"), (lambda data: b"<html>404;", "f.txt"),
    ],
)  # fmt: skip
def test_bad_text(change: Callable[[bytes], bytes], message: str):
    with pytest.raises(DatasetError, match=message) as raised:
        bouts(change(part("1600", "accel")), "f.txt", "1600", "accel")
    assert raised.value.file == "f.txt"
    assert raised.value.hint


SMALL = text("1600", {letter: (stamps(8), values("accel", 8)) for letter in "AB"})


@settings(max_examples=60)
@given(st.integers(0, len(SMALL) - 1), st.binary(max_size=3), st.integers(0, 60))
def test_no_damage_crashes(at: int, put: bytes, cut: int):
    """A file is read or a ``DatasetError`` says what is wrong with it; of one that is cut nothing is read."""
    with suppress(DatasetError):
        bouts(SMALL[:at] + put + SMALL[at + cut :], "f.txt", "1600", "accel")
    if not SMALL[:at].rstrip().endswith(b";"):
        with pytest.raises(DatasetError, match=r"cut off|empty"):
            bouts(SMALL[:at], "f.txt", "1600", "accel")


def test_files_and_names(tmp_path: Path):
    with pytest.raises(DatasetError, match="Download"):
        read(tmp_path)
    home = write(tmp_path, BOTH)
    with pytest.raises(DatasetError, match="video"):
        recordings(tmp_path, modalities=("video",))
    with pytest.raises(DatasetError, match="1600_watch_N"):
        recordings(tmp_path, only=["1600_watch_N"])
    assert len(read(home)[0]) == 6  # the folder itself
    stray = home / "raw/watch/accel/data_1600_gyro_watch.txt"
    stray.write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"data_1600_gyro_watch\.txt.*a file name of this dataset"):
        read(tmp_path)
    (home / "raw/phone/accel/data_1600_accel_phone.txt").write_bytes(b"1600,A")
    found, report = read(tmp_path, skip_bad=True)
    assert [list(r.streams) for r in found if r.id == "1600_phone_A"] == [["pocket.gyro"]]
    assert "data_1600_gyro_watch.txt" in report[0]
    assert any("1600_phone: acc left out" in line for line in report)


def test_the_card():
    assert CARD.licence == "CC BY 4.0"
    assert CARD.trainable
    assert len(CARD.classes) == len(set(CARD.classes)) == 18
    assert len(IDS) == len(set(IDS)) == 51 * 2 * 18


# ------------------------------------------------------------------------------------------------ the real files
@pytest.fixture(scope="module")
def real(real_root: Callable[[ModuleType], Path]) -> Path:
    return real_root(wisdm)


def test_real_files(real: Path):
    chosen = [f"{s}_{d}_{a}" for s in ("1600", "1637", "1649") for d in ("watch", "phone") for a in "ADHM"]
    found = {r.id: r for r in recordings(real, only=chosen, report=[])}
    assert len(found) >= 16
    for recording in found.values():
        assert check(recording)[1] == []
        assert 178 < recording.duration_s < 360
        for stream in recording.streams.values():
            assert stream.mask().mean() < (0.5 if recording.id == "1649_watch_M" else 0.01)
            if stream.contract.quantity == "acc":
                assert 9 < np.median(np.linalg.norm(stream.values(), axis=1)) < 12
    eating = {i: r.streams["wrist.gyro"].values().std() for i, r in found.items() if i.endswith("watch_H")}
    assert min(eating.values()) > 0.1, "hands that eat move, those of the swapped subject too"
    assert found["1600_phone_H"].streams["pocket.gyro"].values().std() < 0.1
