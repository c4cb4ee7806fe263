"""Tables of wearable streams: what is written comes back, and what is not one is refused with what to do."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.formats.errors import FormatError
from kinjo.formats.tables import beside, read_table, write_table
from kinjo.recording import Contract, Stream
from kinjo.sensors import IMU


def imu(n: int = 40, missing: np.ndarray | None = None, rate: float = 50.0) -> IMU:
    rng = np.random.default_rng(n)
    return IMU(rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), rate, "left_wrist", missing)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@settings(max_examples=20)
@given(gaps=st.lists(st.booleans(), min_size=3, max_size=30), start=st.floats(-5, 1e6))
def test_round_trip(suffix: str, gaps: list[bool], start: float, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("table") / f"imu{suffix}"
    streams = imu(len(gaps), np.array(gaps)).streams(start)
    write_table(streams, path)
    back = read_table(path)
    assert list(back) == ["left_wrist.acc", "left_wrist.gyro"]
    for name, stream in streams.items():
        assert back[name].contract == stream.contract
        np.testing.assert_allclose(back[name].values(), stream.values(), rtol=1e-6)
        np.testing.assert_array_equal(back[name].mask(), stream.mask())
        np.testing.assert_allclose(back[name].clock(), stream.clock(), atol=1e-6)


def test_uneven_clock_stays(tmp_path: Path):
    times = np.cumsum(np.random.default_rng(0).uniform(0.01, 0.03, 50))
    acc = imu(50).streams()["left_wrist.acc"]
    write_table({"a": Stream.of("a", acc.contract, acc.values(), times=times)}, tmp_path / "t.parquet")
    np.testing.assert_array_equal(read_table(tmp_path / "t.parquet")["a"].clock(), times)


def test_one_clock_only(tmp_path: Path):
    both = imu().streams() | {"slow": imu(20, rate=25.0).streams()["left_wrist.acc"]}
    with pytest.raises(ValueError, match="one table for each rate"):
        write_table(both, tmp_path / "t.csv")


@pytest.mark.parametrize("name", ["t.txt", "t"])
def test_other_endings_are_refused(name: str, tmp_path: Path):
    with pytest.raises(ValueError, match=r"\.parquet or \.csv"):
        write_table(imu().streams(), tmp_path / name)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_rubbish_is_refused(suffix: str, tmp_path: Path):
    path = tmp_path / f"t{suffix}"
    for content in (b"", b"\x00\x01\x02" * 50, b"a,b\n1,2\n"):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=path.name):
            read_table(path)
    with pytest.raises(FormatError):
        read_table(tmp_path / f"absent{suffix}")


def test_a_damaged_sidecar_is_refused(tmp_path: Path):
    path = tmp_path / "t.csv"
    write_table(imu().streams(), path)
    note = json.loads(beside(path).read_text())
    damaged = [
        note | {"format": 2}, note | {"streams": {"other": next(iter(note["streams"].values()))}}, {}, [], 3,
        note | {"streams": {"left_wrist.acc": {"modality": "imu"}}},
    ]  # fmt: skip
    for bad in damaged:
        beside(path).write_text(json.dumps(bad))
        with pytest.raises(FormatError):
            read_table(path)


def test_times_have_to_increase(tmp_path: Path):
    path = tmp_path / "t.csv"
    write_table(imu().streams(), path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    with pytest.raises(FormatError, match="increase"):
        read_table(path)


def test_pose_is_no_table(tmp_path: Path):
    contract = Contract("pose", "position", "m", 30.0, skeleton="canonical")
    with pytest.raises(ValueError, match="axes"):
        write_table({"pose": Stream.of("pose", contract, np.zeros((5, 17, 3), np.float32))}, tmp_path / "t.csv")


def test_a_clock_that_drifts_since_1970_stays(tmp_path: Path):
    """The nominal rate is right to 200 ppm: after an hour that is most of a second."""
    times = 1.7e9 + np.arange(36_000) / 10.0 * (1 + 200e-6)
    contract = imu(2).streams()["left_wrist.acc"].contract
    stream = Stream.of("a", replace(contract, rate_hz=10.0), np.zeros((36_000, 3), np.float32), times=times)
    write_table({"a": stream}, tmp_path / "t.parquet")
    np.testing.assert_allclose(read_table(tmp_path / "t.parquet")["a"].clock(), times, atol=1e-6, rtol=0)
