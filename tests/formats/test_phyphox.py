"""phyphox: values and times as they were, in every layout of its CSV; pauses put back; Excel refused."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exports import EPOCH, UP, packed, phyphox_csv, phyphox_times, readings
from kinjo.formats.errors import FormatError
from kinjo.formats.phyphox import is_phyphox, read_phyphox
from kinjo.recording import Recording

LAYOUTS = [(",", "."), ("\t", "."), (";", "."), ("\t", ","), (";", ",")]


def noted(recording: Recording, words: str) -> bool:
    return any(words in note for note in recording.notes)


def written(tmp_path: Path, files: Mapping[str, str | bytes], name: str = "walk.zip") -> Path:
    path = tmp_path / name
    path.write_bytes(packed(files))
    return path


@settings(max_examples=25, deadline=None)
@given(
    layout=st.sampled_from(LAYOUTS), n=st.integers(3, 60), rate=st.floats(5, 400), seed=st.integers(0, 99),
    form=st.sampled_from(["zip", "folder", "file"]),
)  # fmt: skip
def test_round_trip(layout: tuple[str, str], n: int, rate: float, seed: int, form: str, tmp_path_factory):
    folder = tmp_path_factory.mktemp("phyphox")
    seconds, values = readings(n, rate, seed)
    values = values + UP
    text = phyphox_csv(seconds, values, "Acceleration", "m/s^2", delimiter=layout[0], decimal=layout[1])
    path = written(folder, {"Raw Data.csv": text}, "a.zip")
    if form != "zip":
        (folder / "b").mkdir()
        (folder / "b" / "Raw Data.csv").write_text(text)
        path = folder / "b" if form == "folder" else folder / "b" / "Raw Data.csv"
    acc = read_phyphox(path, placement="chest").streams["chest.acc"]
    np.testing.assert_allclose(acc.values(), values, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(acc.clock(), seconds, atol=1e-6)
    assert acc.contract.gravity is True
    assert acc.contract.units == "m/s^2"


@pytest.mark.parametrize(
    ("name", "units", "time", "stem", "quantity", "gravity"),
    [
        ("Acceleration", "m/s^2", "Time (s)", "Raw Data", "acc", True),
        ("Linear Acceleration", "m/s^2", "Time (s)", "Raw Data", "acc", False),
        ("Lineare Beschleunigung", "m/s²", "Zeit (s)", "Rohdaten", "acc", False),
        ("Beschleunigung", "m/s^2", "Zeit (s)", "Rohdaten", "acc", True),
        ("Gyroscope", "rad/s", "Time (s)", "Gyroscope", "gyro", None),
        ("Magnetic field", "µT", "Time (s)", "Magnetometer", "mag", None),
        ("", "m/s^2", "Time (s)", "Linear Accelerometer", "acc", False),
        ("", "m/s^2", "Time (s)", "Accelerometer", "acc", True),
    ],
)
def test_names(name: str, units: str, time: str, stem: str, quantity: str, gravity: bool | None, tmp_path: Path):
    seconds, values = readings()
    text = phyphox_csv(seconds, values + UP * (gravity is True), name, units, time=time)
    assert is_phyphox(tuple(cell.strip('"') for cell in text.split("\n")[0].split(",")))
    recording = read_phyphox(written(tmp_path, {f"{stem}.csv": text}), placement="chest")
    stream = recording.streams[f"chest.{quantity}"]
    assert stream.contract.gravity is gravity
    np.testing.assert_allclose(stream.values(), values + UP * (gravity is True), atol=1e-6)


def test_several_tables_keep_their_clocks(tmp_path: Path):
    (at, force), (slow, turning) = readings(400, 200.0), readings(100, 50.0, seed=1)
    files = {
        "Accelerometer.csv": phyphox_csv(at, force + UP, "Acceleration", "m/s^2"),
        "Linear Accelerometer.csv": phyphox_csv(at, force, "Linear Acceleration", "m/s^2"),
        "Gyroscope.csv": phyphox_csv(slow + 0.01, turning, "Gyroscope", "rad/s"),
        "Location.csv": '"Time (s)","Latitude (°)"\n0,1\n',
        "meta/device.csv": '"property","value"\n"deviceModel","Pixel"\n',
        "meta/time.csv": phyphox_times(("START", 0.0, EPOCH), ("PAUSE", 2.0, EPOCH + 2)),
    }
    recording = read_phyphox(written(tmp_path, files), placement={"phone": "left_thigh"})
    assert set(recording.streams) == {"left_thigh.acc", "left_thigh.gyro"}
    np.testing.assert_allclose(recording.streams["left_thigh.acc"].values(), force + UP, atol=1e-6)
    np.testing.assert_allclose(recording.streams["left_thigh.gyro"].clock(), slow + 0.01, atol=1e-5)
    assert recording.streams["left_thigh.gyro"].contract.rate_hz == pytest.approx(50, rel=1e-4)
    assert noted(recording, "2023-10-28T13:52:24.25")
    assert noted(recording, "not read: Location.csv")
    assert noted(recording, "without gravity is not read")


def test_pauses_are_put_back(tmp_path: Path):
    seconds, values = readings(200)
    events = [
        ("START", 0.0, EPOCH),
        ("PAUSE", 1.0, EPOCH + 1),
        ("START", 1.0, EPOCH + 13.5),
        ("PAUSE", 2.0, EPOCH + 14.5),
    ]
    text = phyphox_csv(seconds + 0.005, values, "Gyroscope", "rad/s")
    files = {"Raw Data.csv": text, "meta/time.csv": phyphox_times(*events)}
    recording = read_phyphox(written(tmp_path, files), placement="chest")
    wanted = seconds + 12.5 * (seconds + 0.005 >= 1.0)
    np.testing.assert_allclose(recording.streams["chest.gyro"].clock(), wanted, atol=1e-5)
    assert noted(recording, "paused for 12.5 s")


@pytest.mark.parametrize("name", ["Raw Data.xls", "xl/workbook.xml", "Raw Data.xlsx"])
def test_excel_is_refused(name: str, tmp_path: Path):
    with pytest.raises(FormatError, match="Choose CSV"):
        read_phyphox(written(tmp_path, {name: b"\xd0\xcf\x11\xe0"}), placement="chest")


def test_placement_is_asked_for(tmp_path: Path):
    text = phyphox_csv(*readings(), "Gyroscope", "rad/s")
    with pytest.raises(FormatError, match="placement="):
        read_phyphox(written(tmp_path, {"Raw Data.csv": text}))


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"Raw Data.csv": "a,b\n1,2\n"}, "Acceleration x"),
        ({"readme.md": "a"}, "Acceleration x"),
        ({"meta/time.csv": '"event","experiment time","system time"\n"START",x,1\n'}, "a time in seconds"),
        ({"meta/time.csv": phyphox_times(("START", 5.0, 1.0), ("START", 1.0, 9.0))}, "starts in order"),
        ({"Raw Data.csv": phyphox_csv(*readings(), "Acceleration", "m/s^2")}, "median"),  # no gravity in it
        ({"Raw Data.csv": phyphox_csv(readings()[0] * 1e6, readings()[1], "Gyroscope", "rad/s")}, "a sensor of"),
    ],
)
def test_what_is_refused(files: dict[str, str], words: str, tmp_path: Path):
    with pytest.raises(FormatError, match=words):
        read_phyphox(written(tmp_path, files), placement="chest")


TABLE = phyphox_csv(*readings(30), "Gyroscope", "rad/s").encode()
TIMES = phyphox_times(("START", 0.0, EPOCH), ("PAUSE", 0.1, EPOCH + 1), ("START", 0.1, EPOCH + 3)).encode()


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 4000), junk=st.binary(max_size=12), gone=st.integers(0, 300), times=st.booleans())
def test_damage_is_a_format_error_or_a_sane_recording(at: int, junk: bytes, gone: int, times: bool, tmp_path_factory):
    table, events = TABLE, TIMES
    if times:
        events = TIMES[: at % len(TIMES)] + junk + TIMES[at % len(TIMES) + gone // 3 :]
    else:
        table = TABLE[: at % len(TABLE)] + junk + TABLE[at % len(TABLE) + gone :]
    path = written(tmp_path_factory.mktemp("phyphox"), {"Raw Data.csv": table, "meta/time.csv": events})
    try:
        recording = read_phyphox(path, placement="chest")
    except FormatError:
        return
    for stream in recording.streams.values():
        assert np.isfinite(stream.values()).all()
        assert (np.diff(stream.clock()) > 0).all()
