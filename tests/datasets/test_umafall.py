"""UMAFall on small files of its layout, and on the real ones where they are."""

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
from kinjo.datasets import umafall
from kinjo.datasets.card import DatasetError
from kinjo.datasets.umafall import ACTIVITIES, CARD, TRIALS, find, low_scale, recordings, subjects, trial

WALK = "Subject_01_ADL_Walking_1_2017-04-14_23-25-52"
FALL = "Subject_18_Fall_lateralFall_2_2016-06-13_20-50-00"
SECONDS = 6.0
PLACES = ("RIGHTPOCKET", "CHEST", "WAIST", "WRIST", "ANKLE")


def rows(seed: int = 0, places: tuple[str, ...] = PLACES, seconds: float = SECONDS) -> list[list[float]]:
    """Rows of a trial: ms, number, x, y, z, quantity, sensor; gravity on y, the tags late by up to 20 ms."""
    rng = np.random.default_rng(seed)
    out: list[list[float]] = []
    for place in places:
        number, phone = PLACES.index(place), place == "RIGHTPOCKET"
        times = np.arange(int(seconds * (200 if phone else 20))) / (200 if phone else 20)
        stamps = np.ceil(times * 20) / 20 * 1000 + 100 if phone else times * 1000 + 100 + rng.uniform(0, 20, len(times))
        for code in (0,) if phone else (0, 1, 2):
            values = rng.normal(size=(len(times), 3)) * (0.05, 20, 50)[code] + np.array([0, 1, 0]) * (code == 0)
            out += [
                [round(t), k + 1, *np.round(v, 9).tolist(), code, number]
                for k, (t, v) in enumerate(zip(stamps.tolist(), values, strict=True))
            ]
    return out


def text(recording: str, data: list[list[float]], places: tuple[str, ...] = PLACES, age: int = 67) -> bytes:
    """A file as it is published."""
    name = umafall._NAME.fullmatch(f"UMAFall_{recording}.csv")
    assert name
    head = [
        "% Universidad de Malaga", f"% Name: {recording[:10]}   ", f"% Age: {age}   ", "% Height(cm): 156  ",
        "% Weight(Kg): 76 ", "% Gender: F", "   ", f"% Description of the movement: {name[2]}      ", "% Trial: 1", "",
        "% MAC Address; Sensor_ID; Position; Device Model",
        *(f"%B0:B4:48:B8:77:0{PLACES.index(p)}; {PLACES.index(p)}; {p}; SensorTag " for p in places), "",
        "% TimeStamp; Sample No; X-Axis; Y-Axis; Z-Axis; Sensor Type; Sensor ID;",
    ]  # fmt: skip
    return "\n".join([*head, *(";".join(f"{x:.12g}" for x in row) for row in data), ""]).encode()


def write(root: Path, files: dict[str, bytes], *, zipped: bool = False) -> Path:
    home = root / "UMAFall_Dataset"
    if zipped:
        with zipfile.ZipFile(root / "UMAFall_Dataset.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(f"UMAFall_Dataset/UMAFall_{name}.csv", data)
        return root
    home.mkdir(exist_ok=True)
    for name, data in files.items():
        (home / f"UMAFall_{name}.csv").write_bytes(data)
    return home


def read(root: Path, **options) -> tuple[list, list[str]]:
    report: list[str] = []
    return list(recordings(root, report=report, **options)), report


@pytest.mark.parametrize("zipped", [True, False])
def test_streams_and_labels(tmp_path: Path, zipped: bool):
    write(tmp_path, {WALK: text(WALK, rows()), FALL: text(FALL, rows(1))}, zipped=zipped)
    (walk, fall), report = read(tmp_path)
    assert (walk.id, walk.subject, fall.id) == (WALK, "Subject_01", FALL)
    assert report == [f"{find(tmp_path)}: 2 of {TRIALS} trials are there"]
    assert [r.segments[0].label for r in (walk, fall)] == ["walking", "falling sideways"]
    places = ["chest", "waist", "wrist", "right_ankle"]
    assert list(walk.streams) == ["right_pocket.acc", *(f"{p}.{q}" for p in places for q in ("acc", "gyro"))]
    assert "left_ankle.acc" in fall.streams  # Subject_18 wears it on the other side
    for name, stream in walk.streams.items():
        acc = name.endswith("acc")
        assert stream.contract.units == ("g" if acc else "deg/s")
        assert stream.contract.rate_hz == (200.0 if name == "right_pocket.acc" else 20.0)
        assert stream.end_s == pytest.approx(SECONDS, abs=0.2)
        if acc:
            assert stream.values().mean(axis=0) == pytest.approx([0, 1, 0], abs=0.05)
    assert check(walk)[1] == []
    assert walk.segments[0].start_s == 0.0
    assert walk.segments[0].end_s == walk.duration_s


def test_the_phones_samples_are_even(tmp_path: Path):
    """Stamped in batches of ten: the values come back in order, 5 ms apart, and a buffer of before is left out."""
    data = [row for row in rows() if row[6] == 0]
    for k, row in enumerate(data):
        row[2:5] = [0, 1, k / len(data)]
    stale = [[100.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0] for _ in range(160)]
    for rows_ in (data, stale + data):
        write(tmp_path, {WALK: text(WALK, rows_)})
        (walk,), _ = read(tmp_path)
        ramp = walk.streams["right_pocket.acc"].values()[:, 2]
        ramp = ramp[ramp >= 0]
        assert np.abs(np.diff(ramp[5:]) - 1 / len(data)).max() < 1e-3 / len(data)
    assert "samples of before the start: left out" in walk.notes[0]


def test_the_axes_of_the_tags_are_those_of_their_gyroscopes(tmp_path: Path):
    """Half a turn about y, and no turn of the phone's."""
    data = rows()
    for row in (row for row in data if row[5] == 0):
        row[2:5] = [row[2] + 0.5, row[3], row[4] + 0.25]
    write(tmp_path, {WALK: text(WALK, data)})
    (walk,), _ = read(tmp_path)
    for name, stream in walk.streams.items():
        if name.endswith("acc"):
            sign = 1 if name == "right_pocket.acc" else -1
            assert stream.values().mean(axis=0) == pytest.approx([sign * 0.5, 1, sign * 0.25], abs=0.05)


def test_readings_that_are_repeated_or_lost(tmp_path: Path):
    data = [row for row in rows() if row[6] == 3]
    tag = [row for row in data if row[5] == 0]
    for k in (20, 40):  # lost, and the one before comes again
        tag[k][2:5] = tag[k - 1][2:5]
    gone = tag[60:70]
    write(tmp_path, {WALK: text(WALK, [row for row in data if row not in gone])})
    (walk,), _ = read(tmp_path)
    acc = walk.streams["wrist.acc"]
    assert 9 <= acc.mask().sum() <= 13
    assert acc.mask()[62:68].all()
    assert any("2 of 110 readings repeat the one before" in note for note in walk.notes)
    assert np.isfinite(acc.values()).all()


def test_a_quarter_of_the_scale_is_missing(tmp_path: Path):
    data = rows()
    for row in (row for row in data if row[6] == 1 and row[5] == 0 and row[1] <= 40):
        row[2:5] = [x / 4 for x in row[2:5]]
    for row in (row for row in data if row[6] == 4 and row[5] == 0):
        row[2:5] = [x / 4 for x in row[2:5]]
    write(tmp_path, {WALK: text(WALK, data)})
    (walk,), _ = read(tmp_path)
    chest = walk.streams["chest.acc"]
    assert chest.mask()[:40].all()
    assert not chest.mask()[45:].any()
    assert np.linalg.norm(chest.values()[~chest.mask()], axis=1).min() > 0.7
    assert "right_ankle.acc" not in walk.streams
    assert "right_ankle.gyro" in walk.streams
    assert any("right_ankle.acc: more than half is missing" in note for note in walk.notes)
    assert check(walk)[1] == []


@given(st.integers(0, 120), st.integers(0, 2**32 - 1))
def test_where_the_scale_changes(change: int, seed: int):
    rng = np.random.default_rng(seed)
    values = np.array([0.0, 1.0, 0.0]) + rng.uniform(-0.3, 0.3, (200, 3))
    values[:change] /= 4
    hidden = low_scale(values)
    assert hidden.any() == (change > 5) or 4 <= change <= 6  # half of the first ten readings tell
    if change >= 10:
        assert change <= hidden.sum() <= change + 3
        assert not np.diff(hidden.astype(int)).max(initial=0) > 0


def test_sensors_that_are_absent(tmp_path: Path):
    few = ("RIGHTPOCKET", "WRIST", "ANKLE")
    data = [row for row in rows(places=few) if row[6] != 4]
    write(tmp_path, {WALK: text(WALK, data, few)})
    (walk,), _ = read(tmp_path)
    assert list(walk.streams) == ["right_pocket.acc", "wrist.acc", "wrist.gyro"]
    assert "right_ankle.acc: 0 readings: left out" in walk.notes


def test_what_a_spreadsheet_spoilt_is_told(tmp_path: Path):
    spoilt = WALK.replace("01", "13", 1)
    data = text(spoilt, rows()).replace(b";0;1\n", b";0;1;\r\n").replace(b"\n101;1;", b"\n101;1.012.598.156;", 1)
    write(tmp_path, {WALK: text(WALK, rows()), spoilt: data.replace(b";1;", b";1.012.598.156.929.010;", 1)})
    found, report = read(tmp_path)
    assert [r.id for r in found] == [WALK]
    assert "left out: 1 trials such as Subject_13" in report[-1]
    assert "decimal points" in report[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-5], "cut off"), (lambda data: b"", "empty"),
        (lambda data: data.replace(b"\n100;", b"\nnan;", 1), "not finite|finite numbers"),
        (lambda data: data.replace(b"\n100;1;", b"\n100;1;x", 1), "rows of seven numbers"),
        (lambda data: data.replace(b"\n100;1;", b"\n100;1;2;", 1), "rows of seven numbers"),
        (lambda data: data.replace(b";0;0\n", b";7;0\n", 1), "quantity 7 of sensor 0"),
        (lambda data: data.replace(b";0;0\n", b";0;9\n", 1), "quantity 0 of sensor 9"),
        (lambda data: data.replace(b"CHEST", b"THIGH"), "THIGH 1"),
        (lambda data: data.replace(b"; 1; CHEST", b"; 2; CHEST"), "each once"),
        (lambda data: data.replace(b"\n100;1;", b"\n100;1;99", 1), "within ±17 g"),
        (lambda data: data.replace(b"\n100;", b"\n999999;", 1), "stamps from 0 to 60 s"),
        (lambda data: data.replace(b"Description of the movement: Walking", b"Description of the movement: Jogging"),
         "Walking, as in the file's name"),
        (lambda data: data.replace(b"Name: Subject_01", b"Name: Subject_02"), "Name: Subject_01"),
        (lambda data: b"<html>404</html>\n", "table of sensors"),
        (lambda data: data.decode().encode("utf-16"), "cut off|table of sensors"),
    ],
)  # fmt: skip
def test_bad_files(tmp_path: Path, change: Callable[[bytes], bytes], message: str):
    home = write(tmp_path, {WALK: change(text(WALK, rows())), FALL: text(FALL, rows(1))})
    with pytest.raises(DatasetError, match=message) as raised:
        read(tmp_path)
    assert raised.value.file == str(home / f"UMAFall_{WALK}.csv")
    assert raised.value.hint
    found, report = read(tmp_path, skip_bad=True)
    assert [r.id for r in found] == [FALL]
    assert any(line.startswith(f"{WALK}: skipped") for line in report)


def test_clocks_that_cannot_be_right(tmp_path: Path):
    back = rows()
    next(row for row in back if row[1] == 50 and row[5] == 1 and row[6] == 3)[0] = 30
    slow = [[row[0] * 3, *row[1:]] if row[6] == 0 else row for row in rows()]
    for data, message in ((back, "stamps that go back"), (slow, "a phone of 190 to 215 Hz")):
        write(tmp_path, {WALK: text(WALK, data)})
        with pytest.raises(DatasetError, match=message):
            read(tmp_path)


SMALL = text(WALK, rows(seconds=0.7))


@settings(max_examples=60)
@given(st.integers(0, len(SMALL) - 1), st.binary(max_size=3), st.integers(0, 40))
def test_no_damage_crashes(at: int, put: bytes, cut: int):
    """A file is read or a ``DatasetError`` says what is wrong with it."""
    with suppress(DatasetError):
        trial(SMALL[:at] + put + SMALL[at + cut :], "f.csv")


def test_files_and_names(tmp_path: Path):
    with pytest.raises(DatasetError, match="Download"):
        read(tmp_path)
    home = write(tmp_path, {WALK: text(WALK, rows())})
    with pytest.raises(DatasetError, match="video"):
        recordings(tmp_path, modalities=("video",))
    with pytest.raises(DatasetError, match="Subject_99"):
        recordings(tmp_path, only=["Subject_99"])
    assert read(tmp_path, only=[WALK])[1] == []
    assert read(home)[0][0].id == WALK  # the folder itself
    (home / "UMAFall_Subject_01_ADL_Juggling_1_2017-04-14_23-25-52.csv").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"Juggling.*a file name of this dataset"):
        read(tmp_path)
    found, report = read(tmp_path, skip_bad=True)
    assert [r.id for r in found] == [WALK]
    assert "Juggling" in report[0]


def test_subjects(tmp_path: Path):
    days = [WALK.replace("_1_", f"_{n}_") for n in (1, 2, 3)]
    write(tmp_path, {day: text(day, rows(), age=age) for day, age in zip(days, (67, 68, 67), strict=True)})
    assert subjects(tmp_path) == {"Subject_01": umafall.Subject("Subject_01", 76.0, 156.0, 67.0, "female")}
    write(tmp_path, {WALK: text(WALK, rows()).replace(b"Age: 67", b"Age: old")})
    for day in days[1:]:
        (tmp_path / "UMAFall_Dataset" / f"UMAFall_{day}.csv").unlink()
    with pytest.raises(DatasetError, match="numbers"):
        subjects(tmp_path)


def test_the_card():
    assert CARD.licence == "CC BY 4.0"
    assert CARD.trainable
    assert len(CARD.classes) == len(set(CARD.classes)) == len(ACTIVITIES) == 15
    assert len(CARD.subjects) == 19


# ------------------------------------------------------------------------------------------------ the real files
@pytest.fixture(scope="module")
def real(real_root: Callable[[ModuleType], Path]) -> Path:
    return real_root(umafall)


def test_real_files(real: Path):
    files, found, faults = umafall._open(real)
    assert (len(found), faults) == (TRIALS, [])
    chosen = [name for name in found if name.startswith(("Subject_06_Fall_lateral", "Subject_11_ADL_Walking", WALK))]
    assert len(chosen) > 8
    quiet = []
    for recording in recordings(real, only=chosen):
        assert check(recording)[1] == []
        assert 13 < recording.duration_s < 17
        assert recording.streams["right_pocket.acc"].contract.rate_hz == 200.0
        for stream in recording.streams.values():
            if stream.contract.quantity == "acc":
                values, n = stream.values()[~stream.mask()], round(stream.contract.rate_hz)
                calm = min((values[i : i + n] for i in range(0, len(values) - n, n)), key=lambda v: v.std(axis=0).sum())
                quiet.append(np.linalg.norm(calm.mean(axis=0)))
    assert 0.85 < min(quiet) <= max(quiet) < 1.15
    assert files.path.name == "UMAFall_Dataset"


def test_gravity_turns_as_the_gyroscopes_say(real: Path):
    """Slow movements of the trunk: only so are axes and units of both sensors right."""
    chosen = [name for name in umafall._open(real)[1] if name.startswith("Subject_11_ADL_LyingDown")]
    assert chosen
    turned, told = [], []
    for recording in recordings(real, only=chosen):
        acc, gyro = (recording.streams[f"waist.{q}"] for q in ("acc", "gyro"))
        time = np.arange(1, 14, 0.05)
        force, rate = (
            np.stack([np.convolve(np.interp(time, s.clock(), x), np.ones(9) / 9, "same") for x in s.values().T], axis=1)
            for s in (acc, gyro)
        )
        turned.append(np.gradient(force, 0.05, axis=0)[10:-10])
        told.append(np.cross(force, np.radians(rate - np.median(rate, axis=0)))[10:-10])
    a, b = np.concatenate(turned).ravel(), np.concatenate(told).ravel()
    assert np.corrcoef(a, b)[0, 1] > 0.8
    assert 0.7 < (a * b).sum() / (b * b).sum() < 1.3


def test_real_files_that_a_spreadsheet_spoilt(real: Path):
    report: list[str] = []
    spoilt = [name for name in umafall._open(real)[1] if name.startswith("Subject_13")]
    assert len(spoilt) == 20
    assert list(recordings(real, only=spoilt[:2], report=report)) == []
    assert "left out: 2 trials" in report[0]
