"""MM-Fit on small files of its layout; labels and heart rate also on the real ones where they are."""

import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinjo.body import SKELETONS
from kinjo.checks import check
from kinjo.corpus import NULL
from kinjo.datasets import mm_fit
from kinjo.datasets.card import DatasetError
from kinjo.datasets.mm_fit import CARD, DEVICES, EXERCISES, IDS, JOINTS, SUBJECTS, Clock, clock, find, recordings, sets

RATES = {"sw_l": 100, "sw_r": 100, "sp_l": 500, "sp_r": 217, "eb_l": 91}
START_MS = 1562790868165
FIRST, FRAMES = 40, 360
LABELS = "100,160,10,squats\n220,300,9,dumbbell_shoulder_press\n"


def frame_times() -> np.ndarray:
    """Seconds (400,) of video frames 0 to 399: 30 a second, but 15 a second between frames 120 and 200."""
    steps = np.full(FIRST + FRAMES - 1, 1 / 30)
    steps[120:200] = 1 / 15
    return np.r_[0.0, np.cumsum(steps)]


TIMES = frame_times()


def sensor(kind: str, rate: float, seed: int = 0, start: float = TIMES[FIRST]) -> np.ndarray:
    """Rows (n, 5 or 3) of frame, ms, values; the frame is the last one shown. From ``start`` to the video's end."""
    rng = np.random.default_rng(seed)
    t = np.arange(start, TIMES[-1], 1 / rate)
    frame = np.searchsorted(TIMES, t + 1e-9, side="right") - 1
    stamp = START_MS + np.rint(t * 1000)
    wave = np.sin(2 * np.pi * np.outer(t, rng.uniform(0.5, 2, 3)) + rng.uniform(0, 6, 3))
    if kind == "hr":
        return np.column_stack([frame, stamp, 90 + 10 * wave[:, 0]])
    values = {"acc": [1.0, 9.5, 2.0] + 2 * wave, "gyr": 1.5 * wave, "mag": [20.0, -30.0, 10.0] + 5 * wave}[kind]
    return np.column_stack([frame, stamp, values])


def pose(seed: int = 0) -> np.ndarray:
    """(3, frames, 18): joint j of the file is 100 * j mm to the right and 50 * j mm high, with some noise."""
    rng = np.random.default_rng(seed)
    frames = np.arange(FIRST, FIRST + FRAMES, dtype=np.float64)
    joints = np.arange(17)[None, :] * np.array([100.0, 10.0, 50.0])[:, None]
    return np.concatenate(
        [np.broadcast_to(frames, (3, FRAMES))[:, :, None], joints[:, None] + rng.normal(size=(3, FRAMES, 17))], axis=2
    )


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def workout(
    number: int, devices: tuple[str, ...] = ("sw_l", "sw_r", "eb_l"), *, heart: bool = True
) -> dict[str, bytes]:
    """name -> bytes of the files of one workout."""
    files = {"labels.csv": LABELS.encode(), "pose_3d.npy": npy(pose(number)), "pose_2d.npy": npy(pose()[:2])}
    for device in devices:
        for kind in ("acc", "gyr", *(["mag"] if device[:2] == "sp" else []), *(["hr"] if device == "sw_l" else [])):
            if kind != "hr" or heart:
                rate = {"hr": 1, "mag": 65}.get(kind, RATES[device])
                files[f"{device}_{kind}.npy"] = npy(sensor(kind, rate, number))
    return {f"w{number:02}/w{number:02}_{name}": data for name, data in files.items()}


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / "MM-Fit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return {**workout(0, ("sw_l", "sp_r", "eb_l")), **workout(13, ("sw_r", "sp_l"))}


@pytest.fixture(scope="module")
def root(files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("mm_fit"), files)


def test_streams_and_contracts(root: Path):
    first, second = recordings(root, only=("w00", "w13"))
    assert (first.id, first.subject, second.subject, first.source) == ("w00", "p2", "p4", "mm_fit:w00")
    assert list(first.streams) == [
        "left_wrist.acc", "left_wrist.gyro", "right_pocket.acc", "right_pocket.gyro", "right_pocket.mag",
        "left_ear.acc", "left_ear.gyro", "pose",
    ]  # fmt: skip
    assert {n: s.contract.rate_hz for n, s in first.streams.items() if "gyro" not in n} == {
        "left_wrist.acc": 100, "right_pocket.acc": 210, "right_pocket.mag": 65, "left_ear.acc": 90, "pose": 30,
    }  # fmt: skip
    assert second.streams["left_pocket.acc"].contract.rate_hz == 500
    acc, gyro = first.streams["left_wrist.acc"].contract, first.streams["left_wrist.gyro"].contract
    assert (acc.units, acc.gravity, acc.placement, gyro.units, gyro.gravity) == (
        "m/s^2", True, "left_wrist", "rad/s", None,
    )  # fmt: skip
    for recording in (first, second):
        assert check(recording)[1] == []
        assert min(s.start_s for s in recording.streams.values()) == 0
        assert recording.duration_s == pytest.approx(TIMES[-1] - TIMES[FIRST], abs=0.05)
        assert recording.notes == ()


def test_labels_lie_on_the_sensors_clock_not_on_frames_by_30(root: Path):
    (recording,) = recordings(root, only="w00")
    found = [(s.label, s.repetitions) for s in recording.segments]
    assert found == [("squats", 10), ("dumbbell shoulder press", 9)]
    bounds = np.array([(s.start_s, s.end_s) for s in recording.segments])
    np.testing.assert_allclose(bounds, TIMES[[[100, 160], [220, 300]]] - TIMES[FIRST], atol=1 / 30)
    assert abs(bounds[1, 0] - (220 - FIRST) / 30) > 2.6  # that is what frame / 30 would give
    between = (bounds[0, 1] + bounds[1, 0]) / 2
    assert not any(s.start_s <= between < s.end_s for s in recording.segments)
    assert NULL not in CARD.classes


def test_values_at_even_stamps_are_those_of_the_file(root: Path):
    (recording,) = recordings(root, only="w00", modalities=("imu",))
    assert "pose" not in recording.streams
    for name, kind in (("acc", "acc"), ("gyro", "gyr")):
        stream = recording.streams[f"left_wrist.{name}"]
        np.testing.assert_allclose(stream.values(), sensor(kind, 100)[:, 2:], atol=1e-5)
        assert stream.missing is None
    phone = recording.streams["right_pocket.acc"]
    exact = sensor("acc", 217)
    for axis in range(3):
        on_clock = np.interp(phone.clock() - phone.start_s, (exact[:, 1] - exact[0, 1]) / 1000, exact[:, 2 + axis])
        np.testing.assert_allclose(phone.values()[:, axis], on_clock, atol=1e-3)


def test_the_pose_has_its_joints_by_name(root: Path):
    (recording,) = recordings(root, only="w00", modalities=("pose",))
    stream = recording.streams["pose"]
    assert stream.contract.skeleton == "h36m17"
    mean = stream.values().mean(axis=0)
    for joint, name in enumerate(SKELETONS["h36m17"].joints):
        at = JOINTS.index(name)
        np.testing.assert_allclose(mean[joint], [100 * at, 10 * at, 50 * at], atol=0.5)
    assert len(recording.segments) == 2
    start = recording.segments[0].start_s
    assert start == pytest.approx(TIMES[100] - TIMES[FIRST], abs=1 / 30)


def test_absent_frames_and_pauses_are_missing_not_shifted(files: dict[str, bytes], tmp_path: Path):
    body, watch = pose(), sensor("acc", 100)
    body[:, 250:260, 1:] = 0  # no body was found
    kept = np.delete(body, slice(20, 50), axis=1)  # frames 60 to 89: 1 s
    silent = (watch[:, 0] >= 300) & (watch[:, 0] < 330)
    changed = {"w00/w00_pose_3d.npy": npy(kept), "w00/w00_sw_l_acc.npy": npy(watch[~silent])}
    (recording,) = recordings(write(tmp_path, {**files, **changed}), only="w00")
    for name, spans in (("pose", ((60, 90), (290, 300))), ("left_wrist.acc", ((300, 330),))):
        stream = recording.streams[name]
        assert stream.missing is not None
        clock_s, inside = stream.clock(), np.zeros(stream.length, bool)
        edge = np.zeros(stream.length, bool)
        for first, last in spans:
            begin, end = TIMES[[first, last]] - TIMES[FIRST]
            inside |= (clock_s > begin + 0.05) & (clock_s < end - 0.08)
            edge |= (clock_s > begin - 0.08) & (clock_s < end + 0.08)
        assert stream.missing[inside].all()
        assert not stream.missing[~edge].any()
        assert any(note.startswith(f"{name}:") and "missing" in note for note in recording.notes)
    assert recording.segments[1].start_s == pytest.approx(TIMES[220] - TIMES[FIRST], abs=1 / 30)


def test_zip_and_other_homes(files: dict[str, bytes], tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "mm-fit.zip", "w") as out:
        for name, data in files.items():
            out.writestr(f"mm-fit/{name}", data)
    assert find(tmp_path) == tmp_path
    assert [r.id for r in recordings(tmp_path, only=("w13", "w00"))] == ["w00", "w13"]
    assert find(tmp_path / "gone") is None
    home = write(tmp_path / "other", files) / "MM-Fit"
    assert find(home) == find(tmp_path / "other") == home
    with pytest.raises(DatasetError, match=r"https://mmfit\.github\.io"):
        recordings(tmp_path / "gone")
    with pytest.raises(DatasetError, match="w21"):
        recordings(tmp_path, only=("w21",))
    with pytest.raises(DatasetError, match="video"):
        recordings(tmp_path, modalities=("video",))


def test_labels_without_arrays_are_not_the_data_set(tmp_path: Path):
    write(tmp_path, {n: d for n, d in workout(3).items() if n.endswith(("labels.csv", "sw_l_hr.npy"))})
    assert find(tmp_path) is None
    with pytest.raises(DatasetError, match="labels without the arrays of sensors and poses"):
        recordings(tmp_path)


def test_labels_and_heart_rate_alone_are_not_enough(tmp_path: Path):
    alone = {n: d for n, d in workout(3).items() if n.endswith(("labels.csv", "sw_l_hr.npy", "pose_2d.npy"))}
    write(tmp_path, {**alone, **workout(4, ("sw_r",))})
    with pytest.raises(DatasetError, match=r"none in 20 of 21: w00, .*Download the data set from https://mmfit") as e:
        recordings(tmp_path)
    assert "skip_bad=True" in e.value.hint
    assert [r.id for r in recordings(tmp_path, only="w04")] == ["w04"]
    report: list[str] = []
    assert [r.id for r in recordings(tmp_path, skip_bad=True, report=report)] == ["w04"]
    assert "w03" in report[0]
    with pytest.warns(UserWarning, match="w03"):
        assert list(recordings(tmp_path, only="w03", skip_bad=True)) == []


def test_without_other_sensors_heart_rate_is_the_clock_and_without_it_frames_are(tmp_path: Path):
    files = workout(0, ("sw_l",))
    bare = {n: d for n, d in files.items() if not n.endswith(("acc.npy", "gyr.npy"))}
    (recording,) = recordings(write(tmp_path / "heart", bare), only="w00")
    assert list(recording.streams) == ["pose"]
    np.testing.assert_allclose(recording.segments[1].start_s, TIMES[220] - TIMES[FIRST], atol=0.3)
    assert recording.notes == ()
    bare.pop("w00/w00_sw_l_hr.npy")
    (recording,) = recordings(write(tmp_path / "bare", bare), only="w00")
    assert recording.segments[1].start_s == pytest.approx((220 - FIRST) / 30)
    assert "1/30 s apart" in recording.notes[0]


def test_rows_before_the_video_and_repeated_stamps(files: dict[str, bytes], tmp_path: Path):
    watch = sensor("acc", 100)
    early = np.repeat(watch[:1], 50, axis=0)
    early[:, 0] = np.repeat([-1, 0], 25)
    early[:, 1] -= np.arange(50, 0, -1) * 10
    rows = np.concatenate([early, watch])
    rows[1::2, 1] = rows[::2, 1][: len(rows[1::2])]  # every other stamp is that of the row before
    mine = {"w00/w00_sw_l_acc.npy": npy(rows), "w00/w00_labels.csv": b"30,60,5,lunges\n" + LABELS.encode()}
    (recording,) = recordings(write(tmp_path, {**files, **mine}), only="w00")
    stream = recording.streams["left_wrist.acc"]
    assert (stream.start_s, stream.contract.rate_hz, stream.missing) == (0.0, 100.0, None)
    assert recording.segments[0].start_s == pytest.approx(0.5 + (30 - FIRST) / 30, abs=1 / 30)
    assert recording.segments[1].start_s == pytest.approx(TIMES[100] - TIMES[FIRST] + 0.5, abs=1 / 30)
    np.testing.assert_allclose(stream.values()[50:1500], watch[:1450, 2:], atol=0.02)


def test_sets_outside_of_what_was_measured(files: dict[str, bytes], tmp_path: Path):
    text = b"5,20,8,lunges\n30,60,10,situps\n" + LABELS.encode() + b"390,420,7,pushups\n900,950,5,squats\n"
    (recording,) = recordings(write(tmp_path, {**files, "w00/w00_labels.csv": text}), only="w00")
    assert [s.label for s in recording.segments] == ["situps", "squats", "dumbbell shoulder press", "pushups"]
    assert recording.segments[0].start_s == 0.0
    assert sum("not measured" in note for note in recording.notes) == 2


def changed(column: int, row: int, value: float, kind: str = "acc") -> np.ndarray:
    rows = sensor(kind, 100)
    rows[row, column] = value
    return rows


def other_clock() -> np.ndarray:
    rows = sensor("gyr", 100)
    rows[:, 1] += 2000
    return rows


def scaled(kind: str, factor: float) -> np.ndarray:
    return sensor(kind, 100) * np.array([1, 1, factor, factor, factor])


def reversed_frames() -> np.ndarray:
    rows = sensor("acc", 100)
    rows[:, 0] = rows[::-1, 0]
    return rows


def second_stamps() -> np.ndarray:
    return sensor("acc", 100) * np.array([1, 1e-3, 1, 1, 1])


def repeated_frame() -> np.ndarray:
    body = pose()
    body[:, 7, 0] = body[:, 6, 0]
    return body


def fast_frames() -> np.ndarray:
    return sensor("acc", 100) * np.array([2, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("sw_l_acc", lambda: npy(sensor("acc", 100))[:-8], "whole .npy"),
        ("sw_l_acc", lambda: npy(sensor("acc", 100)) + b"x", "behind it"),
        ("sw_l_acc", lambda: b"", "whole .npy"),
        ("sw_l_acc", lambda: npy(np.array([{}, None], object)), "allow_pickle"),
        ("sw_l_acc", lambda: npy(np.array([["a"] * 5] * 9)), "array of numbers"),
        ("sw_l_acc", lambda: npy(np.zeros((0, 5))), "array of numbers"),
        ("sw_l_acc", lambda: npy(sensor("acc", 100)[:, :4]), "5 columns"),
        ("sw_l_acc", lambda: npy(sensor("acc", 100).astype(np.float32)), "64 bits"),
        ("sw_l_acc", lambda: npy(sensor("acc", 100)[:1]), "2 rows"),
        ("sw_l_acc", lambda: npy(sensor("acc", 100)[None]), "2 axes"),
        ("sw_l_acc", lambda: npy(changed(3, 5, np.nan)), "1 NaN or infinite"),
        ("sw_l_acc", lambda: npy(changed(1, 5, np.inf)), "1 NaN or infinite"),
        ("sw_l_acc", lambda: npy(changed(0, 5, 1.5)), "frame numbers in the first column"),
        ("sw_l_acc", lambda: npy(changed(1, 5, START_MS)), "go back|back by .* after row 4"),
        ("sw_l_acc", lambda: npy(reversed_frames()), "frame numbers that go forward"),
        ("sw_l_acc", lambda: npy(second_stamps()), "unit of the stamps"),
        ("sw_l_acc", lambda: npy(fast_frames()), "frames a second"),
        ("sw_l_acc", lambda: npy(scaled("acc", 1 / 9.81)), "convert it to m/s"),
        ("sw_l_acc", lambda: npy(changed(4, 5, 250.0)), "values up to 250"),
        ("sw_l_gyr", lambda: npy(scaled("gyr", 57.3)), "convert it to rad/s"),
        ("sp_r_mag", lambda: npy(scaled("mag", 1000)), "convert it to uT"),
        ("sw_l_gyr", lambda: npy(other_clock()), "2 s between this file and w00_sw_l_acc"),
        ("pose_3d", lambda: npy(pose()[:2]), r"shape \(3, frames, 18\)"),
        ("pose_3d", lambda: npy(pose()[:, :, :17]), r"shape \(3, frames, 18\)"),
        ("pose_3d", lambda: npy(np.where(np.arange(18) == 4, np.nan, pose())), "NaN"),
        ("pose_3d", lambda: npy(pose()[:, ::-1]), "go back or are repeated"),
        ("pose_3d", lambda: npy(repeated_frame()), "go back or are repeated"),
        ("pose_3d", lambda: npy(pose() * np.where(np.arange(18) == 0, 1.0, 1e-3)), "300 to 3000 mm"),
        ("pose_3d", lambda: npy(np.where(np.arange(18) == 0, pose(), 0.0)), "0 in the median"),
        ("pose_3d", lambda: npy(np.full((3, 4, 18), 1e9)), "frame numbers"),
    ],
)
def test_bad_arrays(files: dict[str, bytes], tmp_path: Path, name: str, make, message: str):
    write(tmp_path, {**files, f"w00/w00_{name}.npy": make()})
    with pytest.raises(DatasetError, match=message) as error:
        list(recordings(tmp_path, only="w00"))
    assert error.value.hint
    assert error.value.file.endswith(f"w00/w00_{name}.npy")
    report: list[str] = []
    assert [r.id for r in recordings(tmp_path, only=("w00", "w13"), skip_bad=True, report=report)] == ["w13"]
    assert report[0].startswith("w00: skipped: ")


def test_a_file_of_frame_numbers_before_the_video_only(files: dict[str, bytes], tmp_path: Path):
    rows = sensor("acc", 100) * np.array([0, 1, 1, 1, 1])
    with pytest.raises(DatasetError, match="none above 0"):
        list(recordings(write(tmp_path, {**files, "w00/w00_sw_l_acc.npy": npy(rows)}), only="w00"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "at least one set"),
        (b"100,160,10\n", "row 1: 100,160,10"),
        (b"100,160,10,squats,x\n", "row 1"),
        (LABELS.encode() + b"310,x,10,squats\n", "row 3: 310,x"),
        (b"-5,160,10,squats\n", "row 1"),
        (b"160,100,10,squats\n", "end after they start"),
        (b"100,160,0,squats\n", "at least one repetition"),
        (b"100,160,10,squat\n", "an exercise among squats"),
        (b"100,160,10,squats\n150,200,10,squats\n", "100,160 and 150,200"),
        (b"\xff\xfe1,2", "UTF-8"),
        (b'100,160,10,"squats\n', "csv"),
    ],
)
def test_bad_labels(text: bytes, message: str):
    with pytest.raises(DatasetError, match=message) as error:
        sets(text, "w00_labels.csv")
    assert error.value.file == "w00_labels.csv"
    assert error.value.hint


def test_labels_are_sorted_and_have_to_be_there(tmp_path: Path):
    found = sets(b"300,400,9,lunges\r\n100,160,10,bicep_curls", "f")
    assert [(s.start, s.end, s.repetitions, s.label) for s in found] == [
        (100, 160, 10, "bicep curls"), (300, 400, 9, "lunges"),
    ]  # fmt: skip
    files = {**workout(1), **workout(2)}
    files.pop("w01/w01_labels.csv")
    write(tmp_path, files)
    with pytest.raises(DatasetError, match="w01_labels"):
        list(recordings(tmp_path, only=("w01", "w02")))
    assert [r.id for r in recordings(tmp_path, only=("w01", "w02"), skip_bad=True, report=[])] == ["w02"]


def test_names_that_are_unknown_or_twice(files: dict[str, bytes], tmp_path: Path):
    write(tmp_path / "a", {**files, "w00/w00_sw_x_acc.npy": b"", "readme.txt": b""})
    write(tmp_path / "b", {**files, "copy/w00_sw_l_acc.npy": files["w00/w00_sw_l_acc.npy"]})
    for home, message in (("a", r"w00_sw_x_acc\.npy.*Move the file away"), ("b", "one file per recording")):
        with pytest.raises(DatasetError, match=message):
            recordings(tmp_path / home, only="w00")
        report: list[str] = []
        assert len(list(recordings(tmp_path / home, only="w00", skip_bad=True, report=report))) == 1
        assert len(report) == 1


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), drop=st.floats(0, 0.6), jitter=st.integers(0, 4))
def test_drops_and_jitter_do_not_shift_labels(seed: int, drop: float, jitter: int):
    rng = np.random.default_rng(seed)
    tables = []
    for rate in (100, 91):
        rows = sensor("acc", rate)
        keep = rng.uniform(size=len(rows)) >= drop
        keep[[0, -1]] = True
        rows = rows[keep]
        rows[:, 1] = np.maximum.accumulate(rows[:, 1] + rng.integers(-jitter, jitter + 1, len(rows)))
        tables.append(mm_fit._rows("sw_l_acc", npy(rows), "f"))
    time = clock(tables)
    frames = np.arange(FIRST, FIRST + FRAMES - 2)
    start_s = (START_MS - mm_fit.EPOCH_MS) / 1000
    shift = time.at(frames.astype(np.float64)) - start_s - TIMES[frames]
    assert np.median(np.abs(shift)) < 1 / 30
    assert np.abs(shift).max() < 0.15  # where all rows of a few frames are gone
    assert all((np.diff(rows.seconds) > 0).all() for rows in tables)
    assert (np.diff(time.seconds) > 0).all()


@settings(max_examples=60)
@given(data=st.data())
def test_a_file_that_is_cut_or_garbled_never_crashes(data: st.DataObject):
    raw = npy(sensor("acc", 10))
    at = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(DatasetError):
        mm_fit._rows("sw_l_acc", raw[:at], "f")
    garbled = bytearray(raw)
    garbled[data.draw(st.integers(0, 127))] ^= data.draw(st.integers(1, 255))
    try:
        rows = mm_fit._rows("sw_l_acc", bytes(garbled), "f")
    except DatasetError:
        return
    assert rows.values.shape == (len(rows.frames), 3)


def test_the_clock_goes_on_at_30_frames_a_second():
    time = Clock(np.array([10.0, 40.0]), np.array([5.0, 7.0]))
    np.testing.assert_allclose(time.at(np.array([4.0, 10.0, 25.0, 40.0, 70.0])), [4.8, 5.0, 6.0, 7.0, 8.0])


def test_the_card():
    assert CARD.name == "mm_fit"
    assert len(IDS) == 21
    assert set(SUBJECTS.values()) == set(CARD.subjects)
    assert set(DEVICES.values()) == set(CARD.placements)
    assert len(set(JOINTS)) == 17
    seen, unseen = (CARD.splits[name].parts for name in ("seen", "unseen"))
    assert {SUBJECTS[w] for w in seen["test"]} <= {SUBJECTS[w] for w in seen["train"]}
    known = {SUBJECTS[w] for part in ("train", "val") for w in unseen[part]}
    assert not known & {SUBJECTS[w] for w in unseen["test"]}
    assert {w for parts in (seen, unseen) for ids in parts.values() for w in ids} == set(IDS)


@pytest.fixture(scope="module")
def real(data_root: Path) -> Path:
    home = data_root / "MM-Fit"
    if not all((home / w / f"{w}_labels.csv").is_file() for w in IDS):
        pytest.skip(f"no labels of MM-Fit under {data_root}")
    return home


def real_sets(real: Path) -> dict[str, tuple[mm_fit.Set, ...]]:
    return {w: sets((real / w / f"{w}_labels.csv").read_bytes(), w) for w in IDS}


def test_real_labels(real: Path):
    marked = real_sets(real)
    counts = Counter(one.label for of in marked.values() for one in of)
    assert sum(counts.values()) == 616
    assert set(counts) == set(CARD.classes)
    assert (counts["squats"], counts["lateral shoulder raises"], counts["pushups"]) == (64, 56, 65)
    assert [len(of) for of in marked.values()][:5] == [30, 32, 30, 30, 21]
    assert marked["w00"][0] == mm_fit.Set(4040, 4500, 10, "squats")
    assert len(EXERCISES) == 10


def test_real_heart_rate_tells_the_time_of_frames(real: Path):
    marked, speeds = real_sets(real), {}
    for w in IDS:
        paths = [real / w / f"{w}_sw_{side}_hr.npy" for side in "lr"]
        tables = [mm_fit._rows("sw_l_hr", path.read_bytes(), str(path)) for path in paths if path.is_file()]
        if not tables:
            continue
        time = clock(tables)  # the watches agree
        bounds = time.at(np.array([(one.start, one.end) for one in marked[w]], np.float64).ravel())
        assert (np.diff(bounds) > 0).all()
        speeds[w] = np.ptp(time.frames) / np.ptp(time.seconds)
    assert min(speeds, key=lambda w: speeds[w]) == "w13"
    assert 26.0 < speeds["w13"] < 26.1
    assert max(speeds.values()) < 30.1


def test_real_arrays_or_how_to_get_them(real: Path):
    if any(real.glob("w00/*_acc.npy")) or (real / "mm-fit.zip").is_file():
        (recording,) = recordings(real, only="w00")
        assert check(recording)[1] == []
        assert len(recording.segments) == 30
    else:
        assert find(real) is None
        with pytest.raises(DatasetError, match=r"labels without the arrays of sensors and poses.*Download"):
            recordings(real)
