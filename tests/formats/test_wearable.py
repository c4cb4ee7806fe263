import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from _tables import Writing, lines, motion, numbers, table
from kinjo.formats import columns
from kinjo.formats.errors import FormatError
from kinjo.formats.guess import confirm, guess
from kinjo.formats.sidecar import save_sidecar, sidecar_of
from kinjo.formats.tables import write_table
from kinjo.formats.wearable import read_wearable
from kinjo.sensors import IMU

SIX = "time,acc_x,acc_y,acc_z,gyro_x,gyro_y,gyro_z"
SAID: dict[str, Any] = {"placement": "left_wrist", "units": {"gyro": "rad/s"}}


def test_a_csv_of_a_watch(tmp_path: Path):
    acc, gyro = motion(500)
    path = table(tmp_path / "walk.csv", SIX, acc, gyro)
    notes: list[str] = []
    recording = read_wearable(path, **SAID, notes=notes)
    assert list(recording.streams) == ["left_wrist.acc", "left_wrist.gyro"]
    first, second = recording.streams.values()
    np.testing.assert_array_equal(first.values(), acc.astype(np.float32))
    np.testing.assert_array_equal(second.values(), gyro.astype(np.float32))
    assert (first.contract.units, first.contract.gravity, first.contract.rate_hz) == ("m/s^2", True, 50.0)
    assert (second.contract.units, second.contract.placement) == ("rad/s", "left_wrist")
    assert first.times is None
    assert tuple(notes) == recording.notes
    for guessed in ("units of left_wrist.acc: m/s^2", "gravity of left_wrist.acc: True", "time units: s", "rate of"):
        assert any(guessed in note and "guessed" in note for note in notes), guessed


def test_what_nobody_knows_is_asked_for(tmp_path: Path):
    acc, gyro = motion(300)
    path = table(tmp_path / "walk.csv", SIX, acc, gyro)
    found = guess(path)
    assert found.missing == ("placement of acc", "units of gyro", "placement of gyro")
    with pytest.raises(FormatError) as error:
        read_wearable(path)
    for word in (
        *found.missing,
        "units={'gyro': 'deg/s'}",
        "--units gyro=deg/s",
        "--placement left_wrist",
        "save_side",
    ):
        assert word in str(error.value)
    assert "gravity" not in str(error.value)
    assert "rate" not in error.value.expected
    with pytest.raises(FormatError, match=r"units of left_wrist\.gyro"):
        read_wearable(path, placement="left_wrist")
    with pytest.raises(FormatError, match="guess that is whole"):
        save_sidecar(found, path)
    assert read_wearable(path, placement="unknown", units={"gyro": "dps"}).streams["unknown.gyro"].length == 300


@pytest.mark.parametrize(
    ("header", "units", "gravity", "placement"),
    [
        ("Time (s),Acceleration x (m/s^2),Acceleration y (m/s²),Acceleration z (m/s^2)", "m/s^2", True, None),
        ("Time (s),Linear Acceleration x (m/s^2),Linear Acceleration y (m/s^2),Linear Acceleration z (m/s^2)",
         "m/s^2", False, None),
        ("timestamp,watch_Accelerometer_X,watch_Accelerometer_Y,watch_Accelerometer_Z", None, None, "wrist"),
        ("t,left_wrist_acc_x,left_wrist_acc_y,left_wrist_acc_z", None, None, "left_wrist"),
        ("t,ax,ay,az", None, None, None),
        ("t,Acc-X,Acc-Y,Acc-Z", None, None, None),
        ("t,RightAnkleAccX,RightAnkleAccY,RightAnkleAccZ", None, None, "right_ankle"),
        ("t,accelerometer_wrist_r_x (g),accelerometer_wrist_r_y (g),accelerometer_wrist_r_z (g)", "g", None,
         "right_wrist"),
    ],
)  # fmt: skip
def test_names_tell(tmp_path: Path, header: str, units: str | None, gravity: bool | None, placement: str | None):
    acc, _ = motion(300, gravity=1.0 if units == "g" else 9.81)
    found = guess(table(tmp_path / "a.csv", header, acc)).streams[0]
    assert found.quantity == "acc"
    assert (found.units.how == "told") == (units is not None)
    assert found.units.value == (units or "m/s^2")
    assert found.gravity.value == (gravity if gravity is not None else True)
    assert found.placement.value == placement
    assert (found.placement.how == "told") == (placement is not None)


@pytest.mark.parametrize(("size", "units"), [(9.81, "m/s^2"), (9.4, "m/s^2"), (1.0, "g"), (1.04, "g")])
def test_gravity_tells_the_units(tmp_path: Path, size: float, units: str):
    acc, _ = motion(400, gravity=size)
    found = guess(table(tmp_path / "a.csv", "t,ax,ay,az", acc)).streams[0]
    assert (found.units.value, found.units.how, found.gravity.value) == (units, "guessed", True)


@pytest.mark.parametrize("size", [0.0, 0.3, 3.0, 16384.0, 1000.0, 64.0])
def test_units_that_are_not_clear_are_asked_for(tmp_path: Path, size: float):
    acc = np.array([0, 0, size]) + np.random.default_rng(0).normal(size=(400, 3))
    found = guess(table(tmp_path / "a.csv", "t,ax,ay,az", acc))
    assert {"units of acc", "gravity of acc"} <= set(found.missing)
    assert not found.guesses[0].startswith("units")


def test_motion_without_gravity_is_not_taken_for_g(tmp_path: Path):
    """Its size is about 1 in the median, but its mean does not stay."""
    t = np.arange(1000) / 50
    acc = np.stack([np.sin(2 * np.pi * 1.5 * t), np.cos(2 * np.pi * 1.5 * t), 0 * t], 1)
    assert "units of acc" in guess(table(tmp_path / "a.csv", "t,ax,ay,az", acc)).missing
    said = confirm(guess(tmp_path / "a.csv"), units={"acc": "m/s^2"})
    assert (said.streams[0].gravity.value, said.streams[0].gravity.how) == (False, "guessed")


def test_degrees_are_clear_only_where_nobody_turns_so_fast(tmp_path: Path):
    acc, gyro = motion(400)
    assert guess(table(tmp_path / "a.csv", SIX, acc, 60 * gyro)).streams[1].units.value == "deg/s"
    assert not guess(table(tmp_path / "b.csv", SIX, acc, 5 * gyro)).streams[1].units


def test_raw_counts_and_small_units(tmp_path: Path):
    acc, _ = motion(400, gravity=1.0)
    path = table(tmp_path / "raw.csv", "t,ax,ay,az", np.round(acc * 16384))
    stream = read_wearable(path, units={"acc": "g/16384"}, placement="chest").streams["chest.acc"]
    np.testing.assert_allclose(stream.values(), acc, atol=1e-4)
    assert (stream.contract.units, stream.contract.gravity) == ("g", True)
    path = table(tmp_path / "mg.csv", "t,acc_x_mg,acc_y_mg,acc_z_mg", acc * 1000)
    np.testing.assert_allclose(read_wearable(path, placement="chest").streams["chest.acc"].values(), acc, atol=1e-4)


def test_apples_sign_is_turned(tmp_path: Path):
    acc, _ = motion(300, gravity=1.0)
    header = "t,accelerometerAccelerationX(G),accelerometerAccelerationY(G),accelerometerAccelerationZ(G)"
    recording = read_wearable(table(tmp_path / "a.csv", header, -acc), placement="right_pocket")
    np.testing.assert_allclose(recording.streams["right_pocket.acc"].values(), acc, rtol=1e-6)
    assert any("Apple" in note for note in recording.notes)


@pytest.mark.parametrize(
    ("stamps", "unit"),
    [
        ([f"{k / 50:.3f}" for k in range(200)], "s"),
        ([f"{20 * k}" for k in range(200)], "ms"),
        ([f"{20_000 * k + 7}" for k in range(200)], "us"),
        ([f"{1_700_000_000_000_000_000 + 20_000_000 * k}" for k in range(200)], "ns"),
        ([f"{1.7e9 + k / 50:.3f}" for k in range(200)], "s"),
        ([f"2024-05-01T12:00:{k / 50:06.3f}Z" for k in range(200)], "text"),
        ([f"2024-05-01 12:00:{k / 50:06.3f}" for k in range(200)], "text"),
        ([f"01.05.2024 12:00:{k / 50:06.3f}" for k in range(200)], "text"),
        ([f"2024/05/01T12:00:{k / 50:06.3f}+02:00" for k in range(200)], "text"),
        ([f"20240501_12:00:{k / 50:06.3f}" for k in range(200)], "text"),
        ([f"9:00:{k / 50:06.3f}" for k in range(200)], "text"),
    ],
)
def test_time_stamps(tmp_path: Path, stamps: list[str], unit: str):
    acc, _ = motion(200)
    path = table(tmp_path / "a.csv", "timestamp,acc_x,acc_y,acc_z", acc, stamps=stamps)
    found = guess(path)
    assert (found.clock.units.value, found.streams[0].rate_hz.value) == (unit, 50.0)
    stream = read_wearable(path, placement="chest").streams["chest.acc"]
    np.testing.assert_allclose(np.diff(stream.clock()), 0.02, atol=1e-5)
    assert stream.clock()[0] < 0.01


def test_a_clock_that_starts_late_keeps_its_times_and_a_date_does_not(tmp_path: Path):
    acc, _ = motion(200)
    late = table(
        tmp_path / "late.csv", "time,acc_x,acc_y,acc_z", acc, stamps=[f"{12 + k / 50:.2f}" for k in range(200)]
    )
    assert read_wearable(late, placement="chest").streams["chest.acc"].clock()[0] == 12.0
    date = table(
        tmp_path / "date.csv", "time,acc_x,acc_y,acc_z", acc, stamps=[f"{1.7e9 + k / 50:.2f}" for k in range(200)]
    )
    recording = read_wearable(date, placement="chest")
    assert recording.streams["chest.acc"].clock()[0] == 0.0
    assert any("first row, which is at 1700000000" in note for note in recording.notes)


def test_without_times_the_rate_is_asked_for(tmp_path: Path):
    acc, _ = motion(200)
    path = tmp_path / "a.csv"
    for header, first in (("acc_x,acc_y,acc_z", []), ("index,acc_x,acc_y,acc_z", [[str(k) for k in range(200)]])):
        path.write_bytes(lines([*first, *map(numbers, acc.T)], Writing(header.split(","))))
        with pytest.raises(FormatError, match="rate_hz=50"):
            read_wearable(path, placement="chest")
        assert read_wearable(path, placement="chest", rate_hz=40).streams["chest.acc"].contract.rate_hz == 40.0
    counted = table(path, "t,acc_x,acc_y,acc_z", acc, stamps=[str(k) for k in range(200)])
    with pytest.raises(FormatError, match="time units"):
        read_wearable(counted, placement="chest")
    recording = read_wearable(counted, placement="chest", rate_hz=40)
    assert recording.duration_s == pytest.approx(5.0)
    assert any("counts rows" in note for note in recording.notes)


def test_what_is_said_against_the_values_is_an_error(tmp_path: Path):
    acc, gyro = motion(300)
    path = table(tmp_path / "a.csv", SIX, acc, 40 * gyro)
    with pytest.raises(FormatError, match="by the time stamps"):
        read_wearable(path, **SAID, rate_hz=100)
    with pytest.raises(FormatError, match="units"):
        read_wearable(path, placement="chest", units={"gyro": "rad/s"})
    with pytest.raises(FormatError, match="units"):
        read_wearable(path, placement="chest", units={"gyro": "deg/s", "acc": "g"}, gravity=True)
    for wrong in (
        {"placement": "nose"}, {"units": {"gyro": "miles"}}, {"units": {"wing": "g"}}, {"time_units": "h"},
        {"rate_hz": -1.0}, {"rate_hz": float("nan")}, {"columns": ["a"]}, {"columns": {"nothing": "acc_x"}},
    ):  # fmt: skip
        with pytest.raises(FormatError):
            read_wearable(path, **wrong)  # type: ignore[arg-type]


def test_columns_can_be_said(tmp_path: Path):
    acc, _ = motion(200)
    path = tmp_path / "bare.csv"
    path.write_bytes(lines([[str(20 * k) for k in range(200)], *map(numbers, acc.T)], Writing(["0", "1", "2", "3"])))
    body = path.read_bytes().split(b"\n", 1)[1]
    path.write_bytes(body)
    with pytest.raises(FormatError, match="columns="):
        read_wearable(path)
    stream = read_wearable(path, columns=["time_ms", "acc_z", "acc_x", "acc_y"], placement="chest").streams["chest.acc"]
    np.testing.assert_array_equal(stream.values(), acc[:, [1, 2, 0]].astype(np.float32))
    odd = table(tmp_path / "odd.csv", "t,p,q1,r", acc)
    stream = read_wearable(odd, columns={"p": "acc_x", "q1": "acc_y", "r": "acc_z"}, placement="chest").streams[
        "chest.acc"
    ]
    np.testing.assert_array_equal(stream.values(), acc.astype(np.float32))


def test_plain_axes_and_positions_are_not_taken_for_acceleration(tmp_path: Path):
    acc, _ = motion(200, gravity=1.0)
    for header in ("t,x,y,z", "t,left_wrist_x,left_wrist_y,left_wrist_z", "t,gx,gy,gz"):
        with pytest.raises(FormatError, match="do not say what they measure"):
            guess(table(tmp_path / "a.csv", header, acc))


def test_labels_become_segments(tmp_path: Path):
    acc, _ = motion(300)
    labels = ["walk"] * 100 + [""] * 50 + ["sit"] * 150
    held = [[f"{k / 50:.2f}" for k in range(300)], *map(numbers, acc.T), labels, ["s1"] * 300]
    path = tmp_path / "a.csv"
    path.write_bytes(lines(held, Writing(["time", "acc_x", "acc_y", "acc_z", "activity", "subject"])))
    recording = read_wearable(path, placement="chest")
    assert [(s.start_s, s.end_s, s.label) for s in recording.segments] == [(0.0, 2.0, "walk"), (3.0, 6.0, "sit")]
    assert recording.subject == "s1"
    held[-1][-1] = "s2"
    path.write_bytes(lines(held, Writing(["time", "acc_x", "acc_y", "acc_z", "activity", "subject"])))
    with pytest.raises(FormatError, match="one person"):
        read_wearable(path, placement="chest")


def test_a_sidecar_ends_the_guessing(tmp_path: Path):
    acc, gyro = motion(300)
    path = table(tmp_path / "a.csv", SIX, acc, 60 * gyro)
    said = confirm(guess(path), placement="left_wrist", units={"gyro": "deg/s"})
    assert save_sidecar(said, path) == sidecar_of(path)
    again = guess(path)
    assert again.guesses == ()
    assert again.missing == ()
    assert {s.name: s.contract for s in again.streams} == {s.name: s.contract for s in said.streams}
    recording = read_wearable(path)
    assert recording.streams["left_wrist.gyro"].contract.units == "deg/s"
    moved = read_wearable(path, placement="right_wrist").streams
    assert list(moved) == ["right_wrist.acc", "right_wrist.gyro"]
    other = table(tmp_path / "b.csv", SIX.replace("acc_x,acc_y", "acc_y,acc_x"), acc, gyro)
    sidecar_of(other).write_bytes(sidecar_of(path).read_bytes())
    with pytest.raises(FormatError, match="Delete the sidecar"):
        read_wearable(other)


@given(st.data())
def test_a_damaged_sidecar_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    path = table(tmp_path_factory.mktemp("s") / "a.csv", SIX, *motion(50))
    note = json.loads(save_sidecar(confirm(guess(path), **SAID), path).read_text())
    value = data.draw(st.sampled_from([None, -1, 99, 1e300, "x", [], {}, True, [1, 2], {"column": 99, "units": "s"}]))
    if data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(note)))
        note[key] = value
    else:
        stream = data.draw(st.sampled_from(note["streams"]))
        stream[data.draw(st.sampled_from(sorted(stream)))] = value
    sidecar_of(path).write_text(json.dumps(note))
    try:
        read_wearable(path)
    except FormatError:
        return
    sidecar_of(path).write_bytes(data.draw(st.binary(max_size=50)))
    with pytest.raises(FormatError):
        read_wearable(path)


def test_tables_of_kinjo_are_told(tmp_path: Path):
    acc, gyro = motion(200)
    streams = IMU(acc, gyro, 50.0, "left_thigh").streams(2.0)
    for name in ("t.csv", "t.parquet"):
        write_table(streams, tmp_path / name)
        assert guess(tmp_path / name).guesses == ()
        recording = read_wearable(tmp_path / name)
        assert {n: s.contract for n, s in recording.streams.items()} == {n: s.contract for n, s in streams.items()}
        for name, stream in recording.streams.items():
            np.testing.assert_array_equal(stream.values(), streams[name].values())
            np.testing.assert_allclose(stream.clock(), streams[name].clock())


def test_parquet_npy_and_npz_hold_the_same(tmp_path: Path):
    acc, gyro = motion(300)
    t = np.arange(300) / 50
    names = SIX.split(",")
    columns = [t, *acc.T, *gyro.T]
    pq.write_table(pa.table(dict(zip(names, columns, strict=True))), tmp_path / "a.parquet")
    when = pa.array((t * 1e9).astype(np.int64) + 1_700_000_000_000_000_000).cast(pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table(dict(zip(names, [when, *columns[1:]], strict=True))), tmp_path / "b.parquet")
    np.save(tmp_path / "a.npy", np.stack(columns, 1))
    np.save(tmp_path / "b.npy", np.rec.fromarrays(columns, dtype=[(name, "f8") for name in names]))
    np.savez(tmp_path / "a.npz", acc=acc, gyro=gyro, fs=50)
    np.savez(tmp_path / "b.npz", allow_pickle=False, **dict(zip(names, columns, strict=True)))
    for name in ("a.parquet", "b.parquet", "a.npy", "b.npy", "a.npz", "b.npz"):
        streams = read_wearable(tmp_path / name, **SAID, columns=names if name == "a.npy" else None).streams
        np.testing.assert_array_equal(streams["left_wrist.acc"].values(), acc.astype(np.float32))
        np.testing.assert_array_equal(streams["left_wrist.gyro"].values(), gyro.astype(np.float32))
        np.testing.assert_allclose(streams["left_wrist.acc"].clock(), t, atol=1e-6)


def test_the_advice_of_the_error_can_be_followed(tmp_path: Path):
    """However much was said before, and with several sensors."""
    acc, gyro = motion(200)
    header = "time," + ",".join(f"imu{k}_{q}_{a}" for k in (1, 2) for q in ("acc", "gyro") for a in "xyz")
    path = table(tmp_path / "a.csv", header, acc, gyro, 0.1 * acc, 5 * gyro)
    starts: list[dict[str, Any]] = [
        {},
        {"placement": "chest"},
        {"placement": {"imu_1": "chest", "imu_2": "left_thigh"}},
    ]
    for start in starts:
        with pytest.raises(FormatError) as error:
            read_wearable(path, **start)
        call = re.search(r"read_wearable\(path, (.*?)\), or", error.value.hint)
        assert call
        said: dict[str, Any] = start | eval(f"dict({call[1]})")
        assert len(read_wearable(path, **said).streams) == 4


def test_two_sensors_in_step_and_one_that_is_slower(tmp_path: Path):
    """Rows in which a sensor is silent are no samples of it."""
    acc, gyro = motion(400)
    gyro[np.arange(400) % 2 == 1] = np.nan
    recording = read_wearable(table(tmp_path / "a.csv", SIX, acc, gyro), **SAID)
    first, second = recording.streams["left_wrist.acc"], recording.streams["left_wrist.gyro"]
    assert (first.contract.rate_hz, second.contract.rate_hz) == (50.0, 25.0)
    np.testing.assert_array_equal(second.values(), gyro[::2].astype(np.float32))
    np.testing.assert_allclose(second.clock(), np.arange(200) / 25)
    assert any("clock of its own" in note for note in recording.notes)


def test_gaps_repeats_and_restarts_are_told(tmp_path: Path):
    acc, _ = motion(600)
    t = np.arange(600) / 50
    t[200:] += 3.0
    path = table(tmp_path / "gap.csv", "time,acc_x,acc_y,acc_z", acc, stamps=[f"{v:.2f}" for v in t])
    recording = read_wearable(path, placement="chest")
    np.testing.assert_allclose(recording.streams["chest.acc"].clock(), t)
    assert any("1 gaps" in note for note in recording.notes)
    t[400:] -= t[400]
    recording = read_wearable(
        table(path, "time,acc_x,acc_y,acc_z", acc, stamps=[f"{v:.2f}" for v in t]), placement="chest"
    )
    assert recording.streams["chest.acc"].length == 600
    assert (np.diff(recording.streams["chest.acc"].clock()) > 0).all()
    assert any("goes on one period after" in note for note in recording.notes)
    t = np.arange(600) / 50
    t[10], t[20] = t[11], t[22]
    recording = read_wearable(
        table(path, "time,acc_x,acc_y,acc_z", acc, stamps=[f"{v:.2f}" for v in t]), placement="chest"
    )
    assert recording.streams["chest.acc"].length < 600
    assert any("repeated" in note for note in recording.notes)


@pytest.mark.parametrize("jump", [1.7e9, 1e30, -1e30])
def test_a_clock_that_was_set_is_an_error(tmp_path: Path, jump: float):
    """A recording of fifty years would fill the memory of whoever cuts it into windows."""
    acc, _ = motion(200)
    stamps = [f"{k / 50 + (jump if k >= 100 else 0):.2f}" for k in range(200)]
    with pytest.raises(FormatError, match=r"row 101: expected stamps within 60 days"):
        read_wearable(table(tmp_path / "a.csv", "time,acc_x,acc_y,acc_z", acc, stamps=stamps), placement="chest")


def test_stamps_in_whole_seconds_are_spread(tmp_path: Path):
    acc, _ = motion(1000)
    stamps = [str(1_700_000_000 + (k + 20) // 50) for k in range(1000)]
    recording = read_wearable(
        table(tmp_path / "a.csv", "time,acc_x,acc_y,acc_z", acc, stamps=stamps), placement="chest"
    )
    stream = recording.streams["chest.acc"]
    assert (stream.length, stream.contract.rate_hz) == (1000, 50.0)
    np.testing.assert_allclose(np.diff(stream.clock()), 0.02, atol=1e-6)
    assert any("spread evenly" in note for note in recording.notes)


def test_empty_cells_are_missing(tmp_path: Path):
    acc, _ = motion(300)
    acc[50:60] = np.nan
    acc[70, 1] = np.nan
    stream = read_wearable(table(tmp_path / "a.csv", "time,acc_x,acc_y,acc_z", acc), placement="chest").streams[
        "chest.acc"
    ]
    assert np.flatnonzero(stream.mask()).tolist() == [*range(50, 60), 70]
    assert np.isfinite(stream.values()).all()


HEADERS = {
    ("acc", "x"): ["acc_x", "Acc-X", "accelX", "ax", "Acceleration x (m/s^2)", "accelerometer.x", "ACC X [m/s²]"],
    ("gyro", "x"): ["gyro_x", "Gyr-X", "gyroX", "Gyroscope x (rad/s)", "rotationRate.x", "gyr_x_rad_s"],
}


@st.composite
def files(draw: st.DrawFn) -> tuple[bytes, str, np.ndarray, np.ndarray, np.ndarray]:
    """A table in any layout, its ending, and the times and the two streams that are in it."""
    n = draw(st.integers(20, 120))
    acc, gyro = motion(n, draw(st.integers(0, 99)))
    factor, unit = draw(st.sampled_from([(1, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns")]))
    period = draw(st.sampled_from([0.01, 0.02, 0.04]))
    t = np.arange(n) * period
    for at in draw(st.lists(st.integers(3, n - 3), max_size=2, unique=True)):
        t[at:] += draw(st.sampled_from([0.5, 7.0]))
    base = draw(st.sampled_from([0, 1_700_000_000]))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|", " "]))
    decimal = draw(st.sampled_from([".", ","])) if delimiter != "," else "."
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])) if delimiter != " " else "utf-8"
    styles = [draw(st.sampled_from(HEADERS[quantity, "x"])) for quantity in ("acc", "gyro")]

    def name(style: str, axis: str) -> str:
        if style == "ax":
            return f"a{axis}"
        return style[::-1].replace("X", axis.upper(), 1)[::-1] if "X" in style else axis.join(style.rsplit("x", 1))

    stamped = [f"{round((v + base) * factor)}" if factor > 1 else f"{v + base:.3f}".replace(".", decimal) for v in t]
    columns = [(f"time_{unit}" if draw(st.booleans()) else "timestamp", stamped)]
    for style, values in zip(styles, (acc, gyro), strict=True):
        columns += [(name(style, axis), numbers(values[:, k], decimal)) for k, axis in enumerate("xyz")]
    columns += [("battery", ["99"] * n)]
    columns = draw(st.permutations(columns))
    names = [c[0] if delimiter != " " else c[0].replace(" ", "_") for c in columns]
    writing = Writing(
        names, delimiter, decimal, draw(st.sampled_from(["\n", "\r\n"])), encoding,
        draw(st.sampled_from([[], ["# made by a logger", ""], ["device: 7"]])),
        delimiter != " " and draw(st.booleans()),
    )  # fmt: skip
    return lines([c[1] for c in columns], writing), draw(st.sampled_from([".csv", ".txt", ".tsv"])), t, acc, gyro


@given(files())
def test_any_layout_gives_the_same_streams(tmp_path_factory: pytest.TempPathFactory, made: tuple):
    content, suffix, t, acc, gyro = made
    path = tmp_path_factory.mktemp("f") / f"a{suffix}"
    path.write_bytes(content)
    streams = read_wearable(path, placement="left_wrist", units={"acc": "m/s^2", "gyro": "rad/s"}, gravity=True).streams
    np.testing.assert_array_equal(streams["left_wrist.acc"].values(), acc.astype(np.float32))
    np.testing.assert_array_equal(streams["left_wrist.gyro"].values(), gyro.astype(np.float32))
    np.testing.assert_allclose(streams["left_wrist.acc"].clock(), t, atol=1e-5)


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(FormatError, match=path.name.replace(".", r"\.")) as error:
        read_wearable(path, placement="chest", rate_hz=50, units={"acc": "m/s^2"}, gravity=True)
    return str(error.value)


def test_files_that_are_no_tables(tmp_path: Path):
    path = tmp_path / "a.csv"
    header = b"time,acc_x,acc_y,acc_z\n"
    row = b"0.00,0.1,0.2,9.8\n"
    for content in (
        b"", b"\n\n", b"\xef\xbb\xbf", header, header + row, b"hello", b"hello\nworld\n", b"\0" * 100,
        b"a,b\n1,2\n", header + row * 9 + b"0.2,abc,1,2\n", header + row * 9 + b"0.2,\0,1,2\n",
        header + b"x,y,z,w\n" * 9, b"1,2\n" * 50 + b"1,2,3\n" * 20, b"acc_x,acc_x,acc_y,acc_z\n" + b"1,2,3,4\n" * 9,
        b"," * 100_000 + b"\n" + b"1," * 100_000 + b"\n", b"7" * 3_000_000,
        b'acc_x,acc_y,acc_z,label\n' + b'0.1,0.2,9.8,"a"\n' * 9 + b'0.1,0.2,9.8,"b\n' * 900,
        header + b"0.00,nan,nan,nan\n" * 50, header + b"0.00,1e300,-1e300,1e999\n" * 50,
        "zeit,ä\n1,2\n".encode("utf-16"),
    ):  # fmt: skip
        refused(path, content)
    for suffix in (".parquet", ".npy", ".npz"):
        for content in (b"", b"PAR1", b"PK\3\4" + bytes(50), b"\x93NUMPY\1\0", bytes(range(256)) * 4):
            refused(tmp_path / f"a{suffix}", content)
    with pytest.raises(FormatError):
        read_wearable(tmp_path / "absent.csv")
    with pytest.raises(FormatError):
        read_wearable(tmp_path)


@given(st.data())
def test_damage_never_crashes(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    """Cut, changed and doubled bytes: a recording or a FormatError, and warnings are errors."""
    folder = tmp_path_factory.mktemp("d")
    acc, gyro = motion(30)
    suffix = data.draw(st.sampled_from([".csv", ".parquet", ".npy", ".npz"]))
    path = folder / f"a{suffix}"
    held = dict(zip(SIX.split(","), [np.arange(30) / 50, *acc.T, *gyro.T], strict=True))
    if suffix == ".csv":
        table(path, SIX, acc, gyro)
    elif suffix == ".parquet":
        pq.write_table(pa.table(held), path)
    elif suffix == ".npy":
        np.save(path, np.rec.fromarrays(list(held.values()), dtype=[(name, "f8") for name in held]))
    else:
        np.savez(path, allow_pickle=False, **held)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        how = data.draw(st.sampled_from(["change", "cut", "insert"]))
        junk = data.draw(st.sampled_from([b"\0", b"\xff", b"\n", b",", b'"', b";", b"e", b"-", b"9" * 40, b"nan"]))
        if how == "cut" and data.draw(st.booleans()):
            del content[at:]
        elif how == "change":
            content[at : at + len(junk)] = junk
        else:
            content[at:at] = junk
    path.write_bytes(bytes(content))
    try:
        recording = read_wearable(path, **SAID)
    except FormatError:
        return
    assert all(np.isfinite(stream.values()).all() for stream in recording.streams.values())


def test_a_last_line_that_is_cut_is_left_out(tmp_path: Path):
    acc, _ = motion(100)
    path = table(tmp_path / "a.csv", "time,acc_x,acc_y,acc_z", acc)
    for cut in (3, 9, 14):
        path.write_bytes(path.read_bytes()[:-cut])
        recording = read_wearable(path, placement="chest")
        np.testing.assert_array_equal(recording.streams["chest.acc"].values(), acc[:99].astype(np.float32))
        assert any("may be cut" in note for note in recording.notes)
    path.write_bytes(path.read_bytes() + bytes(5_000_000))
    assert read_wearable(path, placement="chest").streams["chest.acc"].length == 99


def test_rows_of_another_width_are_left_out_and_told(tmp_path: Path):
    acc, _ = motion(1000)
    path = table(tmp_path / "a.csv", "time,acc_x,acc_y,acc_z", acc)
    rows = path.read_bytes().split(b"\n")
    rows[500] = b"9.98,1"
    path.write_bytes(b"\n".join(rows))
    recording = read_wearable(path, placement="chest")
    assert recording.streams["chest.acc"].length == 999
    assert any("1 rows left out" in note for note in recording.notes)


def test_a_units_row_and_odd_encodings(tmp_path: Path):
    acc, gyro = motion(200)
    path = tmp_path / "shimmer.csv"
    body = lines([[f"{20 * k}" for k in range(200)], *map(numbers, [*acc.T, *gyro.T])], Writing(SIX.split(",")))
    path.write_bytes(body.replace(b"\n", b"\nms,m/s^2,m/s^2,m/s^2,\xb0/s,\xb0/s,\xb0/s\n", 1))
    streams = read_wearable(path, placement="chest").streams
    assert (streams["chest.acc"].contract.units, streams["chest.gyro"].contract.units) == ("m/s^2", "deg/s")
    np.testing.assert_array_equal(streams["chest.gyro"].values(), gyro.astype(np.float32))


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npy"])
def test_files_that_would_fill_the_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str):
    acc, gyro = motion(300)
    path = tmp_path / f"a{suffix}"
    if suffix == ".csv":
        table(path, SIX, acc, gyro)
    elif suffix == ".parquet":
        pq.write_table(pa.table(dict(zip(SIX.split(",")[1:], [*acc.T, *gyro.T], strict=True))), path)
    else:
        np.save(path, np.concatenate([acc, gyro], 1))
    monkeypatch.setattr(columns, "MOST_CELLS", 1000)
    with pytest.raises(FormatError, match="Cut it into days"):
        guess(path, columns=None if suffix != ".npy" else SIX.split(",")[1:])


def test_the_guess_prints_all_it_knows(tmp_path: Path):
    acc, gyro = motion(300)
    text = str(guess(table(tmp_path / "a.csv", SIX + ",battery", acc, gyro, np.ones(300))))
    for word in (
        "300 rows",
        "time 'time' in s (guessed",
        "m/s^2 (guessed",
        "unknown",
        "50.0",
        "not used: battery",
        "to be told",
    ):
        assert word in text
