"""MMAct on small files of both layouts. The real files are given on request only: none was read here."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from kinjo import corpus
from kinjo.checks import check
from kinjo.datasets import DATASETS, DatasetError, load, mmact, status
from kinjo.datasets.mmact import CARD, CROSS_SUBJECT, ONESHOT, find, recordings, split, views
from kinjo.recording import Recording

FIRST = "subject1_scene1_session1_walking"
SENSORS = {
    "phone.acc": "acc_phone_clip", "watch.acc": "acc_watch_clip", "phone.gyro": "gyro_clip",
    "phone.orientation": "orientation_clip",
}  # fmt: skip
CSV = f"walking/{FIRST}.csv"


@pytest.fixture(scope="module")
def trees(layouts: ModuleType) -> dict[bool, dict[str, dict[str, bytes]]]:
    """The same sequences as published, and as the one-shot code keeps them."""
    return {published: layouts.mmact(published=published) for published in (True, False)}


@pytest.fixture(scope="module", params=[True, False], ids=["published", "oneshot"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, trees, layouts: ModuleType) -> Path:
    folder = tmp_path_factory.mktemp("mmact")
    layouts.write(folder, "mmact", trees[request.param], zipped=False)
    return folder


@pytest.fixture
def home(tmp_path: Path, trees, layouts: ModuleType) -> Path:
    """A copy in the one-shot code's layout that a test may damage."""
    return layouts.write(tmp_path, "mmact", trees[False], zipped=False)


def read(root: Path, **options) -> tuple[list[Recording], list[str]]:
    report: list[str] = []
    return list(recordings(root, report=report, **options)), report


def one(home: Path, **options) -> Recording:
    """The first sequence without video."""
    return read(home, modalities=("imu",), only=(FIRST,), **options)[0][0]


# --------------------------------------------------------------------------------------------- what is read
def test_streams_and_labels(root: Path, layouts: ModuleType):
    found, report = read(root)
    assert [r.id for r in found] == list(layouts.SEQUENCES)
    assert [r.subject for r in found] == ["subject1", "subject1", "subject17", "subject20"]
    assert [r.segments[0].label for r in found] == ["walking", "carrying", "drinking", "using phone"]
    assert report == [f"{cam}.rgb: no file for 4 of 4 sequences, such as {FIRST}" for cam in ("cam2", "cam4")]
    rng = np.random.default_rng(0)
    expected = layouts.mmact_sensors(rng, 2.0)  # the first sequence comes first out of the generator
    recording = found[0]
    assert list(recording.streams) == [*SENSORS, "cam1.rgb", "cam3.rgb"]
    assert recording.notes == ("cam2.rgb: no file", "cam4.rgb: no file")
    for name, folder in SENSORS.items():
        stream, (times, values) = recording.streams[name], expected[folder]
        origin = expected["acc_phone_clip"][0][0]
        assert stream.times is None
        assert stream.start_s == pytest.approx(times[0] - origin, abs=1e-6)
        assert stream.length == pytest.approx(len(times), abs=1)
        wave = np.unwrap(values, axis=0, period=360.0) if folder == "orientation_clip" else values
        line = np.stack([np.interp(stream.clock() + origin, times, axis) for axis in wave.T], axis=1)
        if folder == "orientation_clip":
            line[:, 0] %= 360.0
        np.testing.assert_allclose(stream.values(), line, atol=2e-4)
    contract = {name: recording.streams[name].contract for name in SENSORS}
    assert [(c.units, c.rate_hz, c.placement, c.gravity) for c in contract.values()] == [
        ("m/s^2", 100.0, "pocket", True), ("m/s^2", 100.0, "wrist", True), ("rad/s", 50.0, "pocket", None),
        ("deg", 50.0, "pocket", None),
    ]  # fmt: skip
    assert contract["phone.orientation"].axes == ("azimuth", "pitch", "roll")
    assert check(recording)[1] == []
    assert recording.segments[0].end_s == recording.duration_s


def test_both_layouts_hold_the_same(trees, tmp_path: Path, layouts: ModuleType):
    both = []
    for published, tree in trees.items():
        layouts.write(tmp_path / str(published), "mmact", tree, zipped=False)
        both.append(read(tmp_path / str(published))[0])
    for a, b in zip(*both, strict=True):
        assert (a.id, a.segments, a.notes) == (b.id, b.segments, b.notes)
        for name, stream in a.streams.items():
            assert np.array_equal(stream.values(), b.streams[name].values())


def test_videos_are_lazy_and_any_slice_is_right(root: Path, monkeypatch: pytest.MonkeyPatch):
    stream = read(root, modalities=("video",), only=(FIRST,))[0][0].streams["cam3.rgb"]
    assert (stream.contract.quantity, stream.contract.units, stream.contract.rate_hz) == ("rgb", "uint8", 15.0)
    assert stream.length == 30
    whole = stream.values()
    assert whole.shape == (30, 48, 64, 3)
    corner = whole[:, 47, 0].mean(axis=1)
    np.testing.assert_allclose(corner, 10 + 2 * np.arange(30), atol=4)
    assert stream.values(3, 3).shape == (0, 48, 64, 3)
    rng = np.random.default_rng(0)
    spans = [(0, 5), (5, 9), (20, 30), (2, 4), *(sorted(rng.integers(0, 31, 2).tolist()) for _ in range(8))]
    for ahead in (64, 3):  # with 3, most of these jump to a key frame
        monkeypatch.setattr("kinjo.formats.rgb.AHEAD", ahead)
        for start, stop in spans:
            assert np.array_equal(stream.values(start, stop), whole[start:stop])


def test_a_corpus_and_its_split(root: Path, tmp_path: Path):
    found, _ = read(root)
    kept = corpus.write(found, tmp_path / "c", video=corpus.VideoSize(16), progress=False)
    back = kept.recording(FIRST)
    for name in SENSORS:
        np.testing.assert_allclose(back.streams[name].values(), found[0].streams[name].values(), rtol=1e-6, atol=1e-5)
        assert back.streams[name].contract == found[0].streams[name].contract
    assert back.streams["cam1.rgb"].values().shape == (30, 16, 22, 3)
    assert back.notes == found[0].notes
    slots = [corpus.Slot("rgb", "video", "rgb", 8), corpus.Slot("watch", "imu", "acc", 128, placement="wrist")]
    index = corpus.segment_windows(kept, kept.recordings)
    values, missing = corpus.read(kept, index, slice(None), slots)
    assert values["rgb"].shape == (4, 8, 16, 22, 3)
    assert missing["watch"].mean() < 0.1
    parts = {part: [label for label in labels if label in index.labels] for part, labels in ONESHOT.items()}
    by_class = corpus.by_class(kept, parts)
    assert by_class.parts == split(kept.recordings, "oneshot").parts
    assert corpus.leaks(corpus.audit(kept, by_class)) == []


def test_views_are_the_clips_of_the_oneshot_code(root: Path, tmp_path: Path):
    clips = [clip for recording in read(root)[0] for clip in views(recording)]
    assert [clip.id for clip in clips[:2]] == [f"{FIRST}#cam1", f"{FIRST}#cam3"]
    assert {clip.twin for clip in clips[:2]} == {FIRST}
    assert list(clips[1].streams) == [*SENSORS, "cam3.rgb"]
    assert len(clips) == 8
    kept = corpus.write(clips, tmp_path / "c", video=None, progress=False)
    assert len(kept) == 8
    parted = corpus.make(kept, "bad", {"train": [f"{FIRST}#cam1"], "test": [f"{FIRST}#cam3"]})
    assert "twin" in {o.kind for o in corpus.audit(kept, parted)}
    assert split(kept.recordings, "oneshot").parts["test"] == tuple(c.id for c in clips[:4])
    assert list(views(read(root, modalities=("imu",))[0][0])) == []


# -------------------------------------------------------------------------------------------- card and splits
def test_the_card_and_the_oneshot_classes():
    assert (len(ONESHOT["train"]), len(ONESHOT["test"])) == (23, 10)
    assert set(CARD.classes) == set(ONESHOT["train"]) | set(ONESHOT["test"])
    assert len(CARD.classes) == 33
    assert list(CARD.classes) == sorted(CARD.classes, key=lambda label: label.replace(" ", "_"))
    assert len(CARD.subjects) == 20
    assert "mmact19.github.io" in CARD.how_to_get
    assert not CARD.trainable
    assert DATASETS["mmact"] is mmact


def test_splits(layouts: ModuleType):
    walking, carrying, drinking, phone = layouts.SEQUENCES
    heavy = "subject2_scene2_session1_carrying_heavy"
    ids = (*layouts.SEQUENCES, heavy)
    assert split(ids, "oneshot").parts == {"train": (drinking, phone), "test": (walking, carrying)}
    assert split(ids, "subject").parts == {"train": (walking, carrying), "test": (drinking, phone)}
    assert split(ids, "scene").parts == {"train": (walking, drinking, phone), "test": (carrying,)}
    assert CROSS_SUBJECT["test"] == ("subject17", "subject18", "subject19", "subject20")
    with pytest.raises(ValueError, match="oneshot, subject, scene"):
        split(ids, "session")  # type: ignore[arg-type]


def test_datasets_lists_it(root: Path, tmp_path: Path):
    from typer.testing import CliRunner

    from kinjo.cli import app

    assert {card.name: path for card, path in status(root)}["mmact"] == root / "MMAct"
    out = CliRunner().invoke(app, ["datasets", "--data", str(root), "--json"]).stdout
    row = next(row for row in json.loads(out)["datasets"] if row["name"] == "mmact")
    assert (row["classes"], row["modalities"], row["found"]) == (33, ["imu", "video"], str(root / "MMAct"))
    assert find(tmp_path) is None
    made = CliRunner().invoke(app, ["import", "mmact", "--data", str(root), "-o", str(tmp_path / "c"), "--json"])
    assert json.loads(made.stdout.splitlines()[-1])["recordings"] == 4
    with pytest.raises(DatasetError, match="Ask for access"):
        load("mmact", tmp_path)


# --------------------------------------------------------------------------------------------- which files
def test_other_places(home: Path, tmp_path: Path):
    """Sensor folders below one called after sensors; zips of them; names in capitals and with a blank."""
    for number, folder in enumerate(SENSORS.values()):
        (home / "Sensor_trimmed").mkdir(exist_ok=True)
        if number % 2:
            shutil.make_archive(str(home / "Sensor_trimmed" / folder), "zip", home, folder)
            shutil.rmtree(home / folder)
        else:
            (home / folder).rename(home / "Sensor_trimmed" / folder)
    old = home / "Sensor_trimmed" / "gyro_clip" / "walking"
    (old / f"{FIRST}.csv").rename(old / f"{FIRST.replace('walking', 'Walking')} .csv")
    assert find(tmp_path) == find(home) == home
    found, _ = read(tmp_path)
    assert list(found[0].streams) == [*SENSORS, "cam1.rgb", "cam3.rgb"]


@pytest.mark.parametrize(
    "name",
    [
        f"walking/{FIRST}.csv.csv", "dancing/subject1_scene1_session1_dancing.csv", "drinking/" + CSV.split("/")[1],
        "walking/subject21_scene1_session1_walking.csv", "walking/subject01_scene1_session1_walking.csv",
        "walking/subject1_scene5_session1_walking.csv", "subject1/scene1/session0/walking.csv", "copy.csv",
    ],
)  # fmt: skip
def test_unknown_names(home: Path, name: str):
    bad = home / "gyro_clip" / name
    bad.parent.mkdir(parents=True, exist_ok=True)
    bad.write_bytes(b"")
    with pytest.raises(DatasetError, match="another name"):
        recordings(home)
    found, report = read(home, skip_bad=True)
    assert len(found) == 4
    assert name in report[0]


def test_a_file_in_both_layouts(home: Path):
    twin = home / "gyro_clip" / "subject1" / "scene1" / "session1" / "walking.csv"
    twin.parent.mkdir(parents=True)
    shutil.copy(home / "gyro_clip" / CSV, twin)
    with pytest.raises(DatasetError, match="one file per recording"):
        recordings(home)


def test_other_activities_are_told(home: Path):
    heavy = FIRST.replace("walking", "carrying_heavy")
    for folder in SENSORS.values():
        (home / folder / "carrying_heavy").mkdir()
        shutil.copy(home / folder / CSV, home / folder / "carrying_heavy" / f"{heavy}.csv")
    found, report = read(home)
    assert heavy not in {r.id for r in found}
    assert any("1 of carrying_heavy" in line for line in report)
    (recording,), report = read(home, modalities=("imu",), only=(heavy,))
    assert recording.segments[0].label == "carrying heavy"
    assert report == []
    with pytest.raises(DatasetError, match="ids of recordings such as 'subject1_"):
        recordings(home, only=("walking",))


def test_what_is_absent(home: Path):
    (home / "acc_watch_clip" / CSV).unlink()
    (home / "orientation_clip" / CSV).write_bytes(b"")
    (home / "video" / "walking" / f"{FIRST.replace('_', '_cam1_', 1)}.mp4").unlink()
    found, report = read(home)
    assert list(found[0].streams) == ["phone.acc", "phone.gyro", "cam3.rgb"]
    assert f"watch.acc: no file for 1 of 4 sequences, such as {FIRST}" in report
    assert f"cam1.rgb: no file for 1 of 4 sequences, such as {FIRST}" in report
    assert any("phone.orientation left out" in line and "empty" in line for line in report)
    assert "watch.acc: no file" in found[0].notes
    assert "phone.orientation: left out, its file is empty" in found[0].notes
    shutil.rmtree(home / "gyro_clip")
    with pytest.raises(DatasetError, match="a folder gyro_clip"):
        recordings(home)
    assert "phone.gyro" not in read(home, skip_bad=True)[0][0].streams
    shutil.rmtree(home / "video")
    with pytest.raises(DatasetError, match=r"videos.*modalities=\('imu',\)"):
        recordings(home, skip_bad=False, modalities=("video",))
    for folder in ("acc_phone_clip", "acc_watch_clip"):
        (home / folder / CSV).unlink(missing_ok=True)
    found, report = read(home, skip_bad=True, modalities=("imu",))
    assert FIRST not in {r.id for r in found}
    assert any(f"{FIRST}: skipped, nothing of it is left" in line for line in report)


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.9])
def test_a_video_that_is_cut(home: Path, keep: float):
    path = home / "video" / "walking" / f"{FIRST.replace('_', '_cam1_', 1)}.mp4"
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(DatasetError, match=r"cam1.*mp4"):
        read(home)
    found, report = read(home, skip_bad=True)
    assert "cam1.rgb" not in found[0].streams
    assert "cam3.rgb" in found[0].streams
    assert any("cam1.rgb left out" in line for line in report)


def test_frames_that_do_not_decode(home: Path):
    """Found when the frames are read, or beforehand with ``skip_bad``."""
    path = home / "video" / "walking" / f"{FIRST.replace('_', '_cam1_', 1)}.mp4"
    data = bytearray(path.read_bytes())
    body = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4 if data.index(b"moov") > body else len(data)
    data[body + (end - body) // 2 : end] = bytes(end - body - (end - body) // 2)
    path.write_bytes(bytes(data))
    (recording, *_), _ = read(home)
    with pytest.raises(DatasetError, match="frames"):
        recording.streams["cam1.rgb"].values()
    found, report = read(home, skip_bad=True)
    assert "cam1.rgb" not in found[0].streams
    assert any("cam1.rgb left out" in line for line in report)


# ---------------------------------------------------------------------------------------------- bad content
def rows(home: Path, folder: str) -> list[list[str]]:
    return [line.split(",") for line in (home / folder / CSV).read_text().splitlines()]


def put(home: Path, folder: str, cells: list[list[str]]) -> None:
    (home / folder / CSV).write_text("\n".join(",".join(row) for row in cells) + "\n")


def scaled(cells: list[list[str]], factor: float, shift: float = 0.0) -> list[list[str]]:
    return [[row[0], *(f"{factor * float(x) + shift:.6f}" for x in row[1:])] for row in cells]


def moved(cells: list[list[str]], to: str) -> list[list[str]]:
    return [[row[0].replace("16:29", to), *row[1:]] for row in cells]


BAD: dict[str, tuple[str, Callable[[list[list[str]]], list[list[str]]], str]] = {
    "three columns": ("gyro_clip", lambda c: [row[:3] for row in c], "4 columns"),
    "five columns": ("gyro_clip", lambda c: [[*row, "1"] for row in c], "4 columns"),
    "a row of three": ("gyro_clip", lambda c: [*c[:9], c[9][:3], *c[10:]], "a table"),
    "names of others": ("gyro_clip", lambda c: [["time", "a", "b", "c"], *c], "the columns time, x, y, z"),
    "names twice": ("gyro_clip", lambda c: [["time", "x", "x", "z"], *c], "the columns time, x, y, z"),
    "text": ("gyro_clip", lambda c: [*c[:9], [c[9][0], "x", "1", "1"], *c[10:]], "a table"),
    "all NaN": ("gyro_clip", lambda c: [[row[0], "nan", "", "nan"] for row in c], "100% missing"),
    "no stamp": ("gyro_clip", lambda c: [*c[:9], ["", *c[9][1:]], *c[10:]], "time stamps"),
    "a stamp of another form": ("gyro_clip", lambda c: [*c[:9], ["21.11.2018 16:29", *c[9][1:]], *c[10:]], "21.11.20"),
    "a clock that jumps back": ("gyro_clip", lambda c: [*c[50:], *c[:50]], "goes back"),
    "a clock that jumps on": ("gyro_clip", lambda c: [*c[:50], *moved(c[50:], "18:29")], "at most 600 s"),
    "a clock that pauses": ("gyro_clip", lambda c: [*c[:50], *moved(c[50:], "16:32")], "% missing"),
    "of another clip": ("gyro_clip", lambda c: moved(c, "16:31"), "overlap those of phone.acc"),
    "gravity removed": ("acc_watch_clip", lambda c: scaled(c, 0.01), "with gravity"),
    "acceleration in mg": ("acc_watch_clip", lambda c: scaled(c, 100.0), "with gravity"),
    "gyroscope in deg/s": ("gyro_clip", lambda c: scaled(c, 57.3), "rad/s"),
    "orientation in rad": ("orientation_clip", lambda c: scaled(c, 0.01745), "degrees"),
    "orientation of others": ("orientation_clip", lambda c: scaled(c, 10.0), "degrees"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_content(home: Path, name: str):
    folder, change, message = BAD[name]
    put(home, folder, change(rows(home, folder)))
    with pytest.raises(DatasetError, match=message) as raised:
        one(home)
    assert folder in raised.value.file
    assert raised.value.hint
    found, report = read(home, modalities=("imu",), skip_bad=True)
    left = next(name for name, of in SENSORS.items() if of == folder)
    assert left not in found[0].streams
    assert len(found[0].streams) == 3
    assert len(found[1].streams) == 4
    assert any(f"{left} left out" in line for line in report)


@pytest.mark.parametrize("at", [1, 9, 40, 1000])
def test_a_csv_that_is_cut(home: Path, at: int):
    path = home / "gyro_clip" / CSV
    data = path.read_bytes()
    path.write_bytes(data[:at])
    with pytest.raises(DatasetError, match=r"cut off|columns"):
        one(home)
    path.write_bytes(data[:-1])  # whole, or cut within its last number: nobody knows
    recording = one(home)
    assert recording.streams["phone.gyro"].length in (98, 99)
    assert any("does not end" in note for note in recording.notes)


def test_damage_of_any_kind_is_an_error_or_a_recording(home: Path):
    """Flipped, dropped and doubled bytes: no other exception, and what is valid is finite."""
    rng = np.random.default_rng(0)
    path = home / "gyro_clip" / CSV
    data, ends = path.read_bytes(), {"error": 0, "read": 0}
    for _ in range(60):
        bad, at = bytearray(data), int(rng.integers(0, len(data) - 30))
        way = int(rng.integers(4))
        if way == 0:
            bad[at] ^= 1 << int(rng.integers(8))
        elif way == 1:
            del bad[at : at + int(rng.integers(1, 30))]
        elif way == 2:
            bad[at:at] = bad[at : at + int(rng.integers(1, 30))]
        else:
            bad[at : at + 5] = rng.bytes(5)
        path.write_bytes(bytes(bad))
        try:
            stream = one(home).streams["phone.gyro"]
        except DatasetError:
            ends["error"] += 1
            continue
        ends["read"] += 1
        assert np.isfinite(stream.values()[~stream.mask()]).all()
    assert min(ends.values()) > 0


def test_acceleration_in_g(home: Path):
    put(home, "acc_watch_clip", scaled(rows(home, "acc_watch_clip"), 1 / 9.80665))
    recording = one(home)
    assert recording.streams["watch.acc"].contract.units == "g"
    assert "watch.acc: in g, by its size" in recording.notes
    assert check(recording)[1] == []


def test_a_recording_stays_as_it_was_while_others_are_read(home: Path):
    stream = iter(recordings(home, modalities=("imu",), report=[]))
    first = next(stream)
    before = first.streams["phone.acc"].values().copy()
    assert not np.array_equal(before, next(stream).streams["phone.acc"].values())
    assert np.array_equal(before, first.streams["phone.acc"].values())
