"""SensorLog (CoreMotion): specific force with gravity put back, the sign turned, each sensor on its own clock, once."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exports import EPOCH, axes, readings, sensor_log_csv
from kinjo.formats.errors import FormatError
from kinjo.formats.sensor_log import is_sensor_log, read_sensor_log
from kinjo.recording import Recording

DOWN = np.array([0.0, 0.0, -1.0])
"""CoreMotion's gravity of a device that lies face up, g."""
BOOT = 5000.0
"""Seconds that the device was on when the recording began."""


def noted(recording: Recording, words: str) -> bool:
    return any(words in note for note in recording.notes)


def dates(seconds: np.ndarray, zone: str = "+02:00") -> list[str]:
    hours = {"+02:00": 2, " -0730": -7.5}.get(zone, 0)
    at = timezone(timedelta(hours=hours)) if hours else UTC
    return [
        datetime.fromtimestamp(EPOCH + s, at).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds") + zone
        for s in seconds.tolist()
    ]


def motion(n: int = 200, rate: float = 100.0, zone: str = "+02:00") -> dict[str, np.ndarray | list[str]]:
    seconds, moved = readings(n, rate)
    return {
        "loggingTime(txt)": dates(seconds, zone),
        "motionTimestamp_sinceReboot(s)": seconds + BOOT,
        **axes("motionRotationRate", "rad/s", readings(n, seed=1)[1]),
        **axes("motionUserAcceleration", "G", 0.1 * moved),
        **axes("motionGravity", "G", np.tile(DOWN, (n, 1))),
    }


def written(tmp_path: Path, columns: dict[str, np.ndarray | list[str]]) -> Path:
    path = tmp_path / "log.csv"
    path.write_text(sensor_log_csv(columns), encoding="utf-8")
    return path


@pytest.mark.parametrize("zone", ["+02:00", " -0730", "Z", ""])
def test_specific_force_and_date(zone: str, tmp_path: Path):
    columns = motion(zone=zone)
    assert is_sensor_log(tuple(columns))
    recording = read_sensor_log(written(tmp_path, columns), placement="left_wrist")
    acc, gyro = recording.streams["left_wrist.acc"], recording.streams["left_wrist.gyro"]
    np.testing.assert_allclose(acc.values(), -(0.1 * readings()[1] + DOWN), atol=1e-6)
    assert acc.values()[:, 2].mean() == pytest.approx(1, abs=0.1)  # face up: +1 g
    assert (acc.contract.units, acc.contract.gravity, gyro.contract.units) == ("g", True, "rad/s")
    np.testing.assert_allclose(gyro.values(), readings(seed=1)[1], atol=1e-6)
    np.testing.assert_allclose(acc.clock(), readings()[0], atol=1e-5)
    assert noted(recording, "2023-10-28T13:52:24.2")
    assert noted(recording, "sign of acceleration is turned")
    assert noted(recording, "no time zone") == (zone == "")


@settings(max_examples=15, deadline=None)
@given(n=st.integers(5, 60), rate=st.floats(5, 400), dated=st.booleans())
def test_round_trip(n: int, rate: float, dated: bool, tmp_path_factory: pytest.TempPathFactory):
    columns = motion(n, rate)
    if not dated:
        del columns["loggingTime(txt)"]
    recording = read_sensor_log(written(tmp_path_factory.mktemp("log"), columns), placement="unknown")
    acc = recording.streams["unknown.acc"]
    np.testing.assert_allclose(acc.values(), -(0.1 * readings(n)[1] + DOWN), atol=1e-6)
    np.testing.assert_allclose(acc.clock(), readings(n, rate)[0], atol=1e-5)
    assert noted(recording, "since 1970") == dated
    assert noted(recording, "5000.0") != dated


def test_raw_accelerometer_and_held_readings(tmp_path: Path):
    """Logged at 100 Hz: a gyroscope of 100 Hz, an accelerometer of 50 Hz that stands in two rows each."""
    seconds, values = readings(100, 50.0)
    twice = np.repeat(np.arange(100), 2)
    columns = {
        "loggingTime(txt)": dates(np.arange(200) / 100),
        "accelerometerTimestamp_sinceReboot(s)": (seconds + BOOT)[twice],
        **axes("accelerometerAcceleration", "G", (0.1 * values + DOWN)[twice]),
        "gyroTimestamp_sinceReboot(s)": np.arange(200) / 100 + BOOT + 0.002,
        **axes("gyroRotation", "rad/s", readings(200, seed=1)[1]),
    }
    recording = read_sensor_log(written(tmp_path, columns), placement="chest")
    acc, gyro = recording.streams["chest.acc"], recording.streams["chest.gyro"]
    np.testing.assert_allclose(acc.values(), -(0.1 * values + DOWN), atol=1e-6)
    np.testing.assert_allclose(acc.clock(), seconds, atol=1e-5)
    np.testing.assert_allclose(gyro.clock(), np.arange(200) / 100 + 0.002, atol=1e-5)
    assert acc.contract.rate_hz == pytest.approx(50, rel=1e-3)


def test_dates_are_the_clock_where_there_is_no_other(tmp_path: Path):
    columns = motion()
    del columns["motionTimestamp_sinceReboot(s)"]
    acc = read_sensor_log(written(tmp_path, columns), placement="chest").streams["chest.acc"]
    np.testing.assert_allclose(acc.clock(), readings()[0], atol=2e-3)


def test_empty_and_zero_sensors_are_passed_over(tmp_path: Path):
    columns = motion() | axes("accelerometerAcceleration", "G", np.zeros((200, 3)))
    columns |= {f"motionGravity{a}(G)": ["null"] * 200 for a in "XYZ"}
    recording = read_sensor_log(written(tmp_path, columns), placement="chest")
    assert recording.streams["chest.acc"].contract.gravity is False
    assert noted(recording, "accelerometeracceleration: not read")


def test_rows_of_a_sensor_that_is_empty_at_times(tmp_path: Path):
    columns = motion()
    for name in [name for name in columns if name.startswith("motion")]:
        columns[name] = [str(v) if k < 50 or k >= 80 else "" for k, v in enumerate(columns[name])]
    recording = read_sensor_log(written(tmp_path, columns), placement="chest")
    acc = recording.streams["chest.acc"]
    assert acc.length == 170
    assert acc.clock()[50] - acc.clock()[49] == pytest.approx(0.31, abs=1e-4)
    assert noted(recording, "gaps")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("time,x,y,z\n1,2,3,4\n", "motionUserAccelerationX"),
        (sensor_log_csv(axes("gyroRotation", "rad/s", np.ones((9, 3)))), "loggingTime"),
        (sensor_log_csv({**motion(20), "loggingTime(txt)": ["soon"] * 20}), "dates with a time"),
        (sensor_log_csv({**motion(20), **axes("motionGravity", "G", np.full((20, 3), 0.01))}), "median"),
        (sensor_log_csv(motion(1)), "fewer than two"),
    ],
)
def test_what_is_refused(text: str, words: str, tmp_path: Path):
    (tmp_path / "log.csv").write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=words):
        read_sensor_log(tmp_path / "log.csv", placement="chest")


def test_placement_is_asked_for(tmp_path: Path):
    with pytest.raises(FormatError, match="placement="):
        read_sensor_log(written(tmp_path, motion()))


TABLE = sensor_log_csv(motion(25)).encode()


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(TABLE) - 1), junk=st.binary(max_size=12), gone=st.integers(0, 500))
def test_damage_is_a_format_error_or_a_sane_recording(at: int, junk: bytes, gone: int, tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.csv"
    path.write_bytes(TABLE[:at] + junk + TABLE[at + gone :])
    try:
        recording = read_sensor_log(path, placement="chest")
    except FormatError:
        return
    for stream in recording.streams.values():
        assert np.isfinite(stream.values()).all()
        assert (np.diff(stream.clock()) > 0).all()
