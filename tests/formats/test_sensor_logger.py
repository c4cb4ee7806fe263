"""Sensor Logger: values, times, signs and units as the app's documentation has them, from its zip, folder and JSON."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exports import EPOCH, UP, metadata, packed, readings, sensor_logger_csv, sensor_logger_json, zyx
from kinjo.formats.errors import FormatError
from kinjo.formats.sensor_logger import read_sensor_logger
from kinjo.recording import Recording

PLACE = "right_pocket"


def phone(sign: float = 1.0, n: int = 200, **meta: str) -> dict[str, str]:
    """An export whose phone lies face up and is moved: specific force ``force(n)``."""
    seconds, moved = readings(n)
    _, turned = readings(n, seed=1)
    return {
        "Accelerometer.csv": sensor_logger_csv(seconds, zyx(sign * moved)),
        "Gravity.csv": sensor_logger_csv(seconds, zyx(sign * np.tile(UP, (n, 1)))),
        "Gyroscope.csv": sensor_logger_csv(seconds + 0.003, zyx(turned)),
        "Metadata.csv": metadata(**meta),
    }


def force(n: int = 200) -> np.ndarray:
    return readings(n)[1] + UP


def written(tmp_path: Path, files: dict[str, str], name: str = "walk.zip") -> Path:
    path = tmp_path / name
    path.write_bytes(packed(files))
    return path


def noted(recording: Recording, words: str) -> bool:
    return any(words in note for note in recording.notes)


@pytest.mark.parametrize(
    ("platform", "standardisation", "sign"),
    [("ios", "false", -1.0), ("ios", None, -1.0), ("ios", "true", 1.0), ("android", "false", 1.0)],
)
def test_specific_force_on_both_systems(platform: str, standardisation: str | None, sign: float, tmp_path: Path):
    files = phone(sign) | {"Metadata.csv": metadata(platform, standardisation)}
    recording = read_sensor_logger(written(tmp_path, files), placement=PLACE)
    acc, gyro = recording.streams["right_pocket.acc"], recording.streams["right_pocket.gyro"]
    np.testing.assert_allclose(acc.values(), force(), atol=1e-5)
    assert (acc.contract.units, acc.contract.gravity, gyro.contract.units) == ("m/s^2", True, "rad/s")
    assert acc.contract.rate_hz == pytest.approx(100, rel=1e-4)
    np.testing.assert_allclose(acc.clock(), readings()[0], atol=1e-6)
    np.testing.assert_allclose(gyro.clock(), readings()[0] + 0.003, atol=1e-6)
    np.testing.assert_allclose(gyro.values(), readings(seed=1)[1], atol=1e-5)
    assert noted(recording, "sign of acceleration is turned") == (sign < 0)
    assert noted(recording, "0 s is 2023-10-28T13:52:24.25")
    assert noted(recording, f"{EPOCH:.6f}")


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(3, 60), rate=st.floats(5, 400), jitter=st.floats(0, 0.3), seed=st.integers(0, 99), json=st.booleans()
)
def test_round_trip(n: int, rate: float, jitter: float, seed: int, json: bool, tmp_path_factory):
    seconds, values = readings(n, rate, seed, jitter)
    seconds -= seconds[0]
    tables = {"TotalAcceleration.csv": sensor_logger_csv(seconds, zyx(values + UP))}
    path = tmp_path_factory.mktemp("export") / ("a.json" if json else "a.zip")
    data = sensor_logger_json(tables).encode() if json else packed(tables)
    path.write_bytes(data)
    acc = read_sensor_logger(path, placement=PLACE, convention="android").streams["right_pocket.acc"]
    np.testing.assert_allclose(acc.values(), values + UP, atol=1e-5)
    np.testing.assert_allclose(acc.clock(), seconds, atol=0.11 / acc.contract.rate_hz)


def test_folder_zip_and_json_agree(tmp_path: Path):
    files = phone()
    path = written(tmp_path, files)
    folder = tmp_path / "walk"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    made = tmp_path / "walk.json"
    made.write_text(sensor_logger_json(files))
    first, *others = [read_sensor_logger(p, placement=PLACE) for p in (path, folder, made)]
    for other in others:
        assert list(other.streams) == list(first.streams)
        for name, stream in first.streams.items():
            np.testing.assert_allclose(other.streams[name].values(), stream.values(), atol=1e-6)


def test_total_acceleration_goes_first(tmp_path: Path):
    seconds, values = readings(seed=5)
    files = phone() | {"TotalAcceleration.csv": sensor_logger_csv(seconds, zyx(values + UP))}
    recording = read_sensor_logger(written(tmp_path, files), placement=PLACE)
    np.testing.assert_allclose(recording.streams["right_pocket.acc"].values(), values + UP, atol=1e-5)


def test_gravity_on_a_clock_of_its_own_is_put_between(tmp_path: Path):
    seconds, moved = readings(400)
    slow = np.arange(0, 3.0, 0.05)
    tilt = np.stack([9.8 * np.sin(slow / 5), 0 * slow, 9.8 * np.cos(slow / 5)], 1)
    files = {
        "Accelerometer.csv": sensor_logger_csv(seconds, zyx(moved)),
        "Gravity.csv": sensor_logger_csv(slow, zyx(tilt)),
        "Metadata.csv": metadata("android"),
    }
    acc = read_sensor_logger(written(tmp_path, files), placement=PLACE).streams["right_pocket.acc"]
    known = seconds < 2.9
    wanted = moved + np.stack([9.8 * np.sin(seconds / 5), 0 * seconds, 9.8 * np.cos(seconds / 5)], 1)
    np.testing.assert_allclose(acc.values()[known], wanted[known], atol=1e-2)
    assert not acc.mask()[known].any()
    assert acc.mask()[seconds > 3.25].all()  # gravity had stopped


def test_without_gravity_is_said(tmp_path: Path):
    files = phone()
    del files["Gravity.csv"]
    recording = read_sensor_logger(written(tmp_path, files), placement=PLACE)
    assert recording.streams["right_pocket.acc"].contract.gravity is False
    assert noted(recording, "without gravity")


def test_uncalibrated_is_in_g_on_ios(tmp_path: Path):
    seconds, values = readings()
    force_g = values * 0.1 + [0, 0, 1]
    files = {
        "AccelerometerUncalibrated.csv": sensor_logger_csv(seconds, zyx(-force_g)),
        "Metadata.csv": metadata("ios"),
    }
    acc = read_sensor_logger(written(tmp_path, files), placement=PLACE).streams["right_pocket.acc"]
    assert acc.contract.units == "g"
    np.testing.assert_allclose(acc.values(), force_g, atol=1e-6)


def watch(sign: float = -1.0, unit: float = 1.0) -> str:
    seconds, moved = readings()
    moved, turned = 0.1 * moved, readings(seed=1)[1]
    columns = {f"rotationRate{a}": turned[:, k] for k, a in enumerate("XYZ")}
    columns |= {f"gravity{a}": sign * unit * np.tile([0, 0.6, 0.8], (200, 1))[:, k] for k, a in enumerate("XYZ")}
    columns |= {f"acceleration{a}": sign * unit * moved[:, k] for k, a in enumerate("XYZ")}
    return sensor_logger_csv(seconds, columns)


@pytest.mark.parametrize(
    ("standardisation", "sign", "unit", "units"), [("false", -1, 1, "g"), ("true", 1, 9.81, "m/s^2")]
)
def test_watch(standardisation: str, sign: float, unit: float, units: str, tmp_path: Path):
    files = phone(sign, platform="ios", standardisation=standardisation) | {"WristMotion.csv": watch(sign, unit)}
    recording = read_sensor_logger(written(tmp_path, files), placement=PLACE)
    acc = recording.streams["wrist.acc"]
    assert acc.contract.units == units
    np.testing.assert_allclose(acc.values(), unit * (0.1 * readings()[1] + [0, 0.6, 0.8]), atol=1e-5)
    np.testing.assert_allclose(recording.streams["wrist.gyro"].values(), readings(seed=1)[1], atol=1e-6)
    assert set(recording.streams) == {"right_pocket.acc", "right_pocket.gyro", "wrist.acc", "wrist.gyro"}
    both = {"phone": "left_pocket", "watch": "left_wrist"}
    names = set(read_sensor_logger(tmp_path / "walk.zip", placement=both).streams)
    assert names == {"left_pocket.acc", "left_pocket.gyro", "left_wrist.acc", "left_wrist.gyro"}


def test_one_table_alone(tmp_path: Path):
    path = tmp_path / "WristMotion.csv"
    path.write_text(watch())
    with pytest.raises(FormatError, match="convention='ios'"):
        read_sensor_logger(path)
    assert set(read_sensor_logger(path, convention="ios").streams) == {"wrist.acc", "wrist.gyro"}
    assert set(read_sensor_logger(path, convention="ios", placement="left_wrist").streams) >= {"left_wrist.acc"}
    (tmp_path / "Metadata.csv").write_text(metadata("ios"))
    assert set(read_sensor_logger(path).streams) == {"wrist.acc", "wrist.gyro"}


def test_placement_is_asked_for(tmp_path: Path):
    path = written(tmp_path, phone())
    with pytest.raises(FormatError, match="placement='right_pocket'"):
        read_sensor_logger(path)
    with pytest.raises(FormatError, match="one of head"):
        read_sensor_logger(path, placement="trouser")
    assert set(read_sensor_logger(path, placement="unknown").streams) == {"unknown.acc", "unknown.gyro"}


def test_a_spreadsheet_rounded_the_stamps(tmp_path: Path):
    lines = phone()["Gyroscope.csv"].splitlines()
    rounded = [lines[0]] + [f"{float(row.split(',')[0]):.8e}," + row.split(",", 1)[1] for row in lines[1:]]
    recording = read_sensor_logger(written(tmp_path, {"Gyroscope.csv": "\n".join(rounded) + "\n"}), placement=PLACE)
    np.testing.assert_allclose(recording.streams["right_pocket.gyro"].clock(), readings()[0], atol=1e-6)
    assert noted(recording, "seconds_elapsed")


def test_gaps_repeats_and_what_is_not_read(tmp_path: Path):
    seconds, values = readings(300)
    seconds[150:] += 2.0
    seconds[10] = seconds[9]
    files = {
        "Gyroscope.csv": sensor_logger_csv(seconds, zyx(values)), "Location.csv": "time,latitude\n1,2\n",
        "Metadata.csv": metadata(),
    }  # fmt: skip
    told: list[str] = []
    recording = read_sensor_logger(written(tmp_path, files), placement=PLACE, notes=told)
    assert tuple(told) == recording.notes
    assert recording.streams["right_pocket.gyro"].length == 299
    assert noted(recording, "1 repeated")
    assert noted(recording, "gaps")
    assert noted(recording, "not read: Location")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"Location.csv": "time,latitude\n1,2\n"}, "Accelerometer, Gyroscope or WristMotion"),
        ({"Gyroscope.csv": "time,seconds_elapsed,z,y\n1,2,3,4\n"}, "no x"),
        ({"Gyroscope.csv": "time,seconds_elapsed,z,y,x\n"}, "fewer than two"),
        ({"Gyroscope.csv": "z,y,x\n1,2,3\n2,3,4\n"}, "seconds_elapsed"),
        ({"Gyroscope.csv": "time,seconds_elapsed,z,y,x\n1,0,a,b,c\n"}, "numbers"),
        ({"Gyroscope.csv": "time,seconds_elapsed,z,y,x\n" + "1,2\n" * 50}, "rows of 5 cells"),
        ({"Gyroscope.csv": "\0\1\2"}, "text"),
        ({"Gyroscope.csv": ""}, "empty"),
        ({"a/Gyroscope.csv": "time,z,y,x\n", "b/Gyroscope.csv": "time,z,y,x\n"}, "one recording"),
    ],
)
def test_what_is_refused(files: dict[str, str], words: str, tmp_path: Path):
    with pytest.raises(FormatError, match=words):
        read_sensor_logger(written(tmp_path, files), placement=PLACE, convention="android")


@pytest.mark.parametrize("text", ["{", "3", '["a"]', "[" * 100_000, '[{"sensor": "Gyroscope", "time": {}}]', "[NaN]"])
def test_json_of_others(text: str, tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(FormatError):
        read_sensor_logger(path, placement=PLACE, convention="android")


TABLE = sensor_logger_csv(readings(40)[0], zyx(readings(40)[1])).encode()


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(TABLE) - 1), junk=st.binary(max_size=12), gone=st.integers(0, 400))
def test_damage_is_a_format_error_or_a_sane_recording(at: int, junk: bytes, gone: int, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "Gyroscope.csv"
    path.write_bytes(TABLE[:at] + junk + TABLE[at + gone :])
    try:
        recording = read_sensor_logger(path, placement=PLACE)
    except FormatError:
        return
    for stream in recording.streams.values():
        assert np.isfinite(stream.values()).all()
        assert (np.diff(stream.clock()) > 0).all()
        assert math.isfinite(stream.contract.rate_hz)
        assert 2 <= stream.length <= 40 + junk.count(b"\n")
