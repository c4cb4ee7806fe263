"""Files of any kind: each goes to its reader by what is in it, others are told what is read."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import _cwa as axivity
import _exports as apps
import _motion_files as files
from _exports import packed, readings
from kinjo.body import SKELETONS
from kinjo.checks import check
from kinjo.formats.errors import FormatError
from kinjo.formats.pose_json import Poses
from kinjo.formats.pose_json import write as write_poses
from kinjo.formats.recordings import KINDS, kind_of, read_recording
from kinjo.formats.tables import write_table
from kinjo.recording import Recording
from kinjo.sensors import IMU

RNG = np.random.default_rng(0)


def bvh(frames: int) -> bytes:
    return files.bvh(files.angles(RNG, frames), np.tile([0.0, 1.0, 0.0], (frames, 1))).encode()


def film(frames: int = 12) -> bytes:
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        track = container.add_stream("mpeg4", rate=25)
        track.width, track.height, track.pix_fmt = 32, 16, "yuv420p"
        for k in range(frames):
            picture = np.full((16, 32, 3), 10 * k, np.uint8)
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(track.encode())
    return out.getvalue()


def poses(people: int = 1, rows: int = 30, world: bool = True, units: str = "px", size=(240, 320)) -> Poses:
    """A body that stands upright, hips at 0 and head up (image and world have y down), and moves to the right."""
    joints = SKELETONS["mediapipe33"].joints
    body = np.array([[0.01 * k, 0.9 - 1.7 * k / len(joints), 0.0] for k in range(len(joints))][::-1])
    at = np.arange(rows)[:, None, None, None] * [0.01, 0.0, 0.0]
    whole = np.broadcast_to(body + at, (rows, people, len(joints), 3)).astype(np.float32)
    image = whole[..., :2] * (1.0 if units == "normalised" else 100.0)
    sure = np.full((rows, people, len(joints)), 0.9, np.float32)
    return Poses(
        "mediapipe33", image.astype(np.float32), sure, whole if world else None, units, np.arange(rows), True,
        np.arange(rows) / 25, 25.0, size,
    )  # fmt: skip


def table_csv(header: str = "time,left_wrist_acc_x,left_wrist_acc_y,left_wrist_acc_z") -> str:
    seconds, values = readings(200, 50.0)
    rows = [f"{s:.3f},{x:.4f},{y:.4f},{z:.4f}" for s, (x, y, z) in zip(seconds, values + apps.UP, strict=True)]
    return "\n".join([header, *rows]) + "\n"


def sensor_log() -> str:
    seconds, values = readings()
    columns = {"motionTimestamp_sinceReboot(s)": seconds}
    columns |= apps.axes("motionUserAcceleration", "G", 0.1 * values)
    return apps.sensor_log_csv(columns | apps.axes("motionGravity", "G", np.tile([0, 0, -1.0], (200, 1))))


GYRO = apps.sensor_logger_csv(readings()[0], apps.zyx(readings()[1]))
PHYPHOX = apps.phyphox_csv(*readings(), "Gyroscope", "rad/s")
OTHER = "Gyroscope.csv"
"""Both apps have a table of this name."""


def amc(folder: Path) -> None:
    (folder / "walk.asf").write_text(files.asf())
    (folder / "walk.amc").write_text(files.amc(files.amc_values(RNG, 12)))


def kinjo_table(folder: Path, name: str) -> None:
    values = RNG.normal(size=(40, 3)) + np.array([0, 0, 9.8])
    write_table(IMU(values, RNG.normal(size=(40, 3)), 50.0, "left_wrist").streams(), folder / name)


def make(kind: str, folder: Path) -> Path:
    """A file of the kind, by a name that says nothing where that is possible."""
    made: dict[str, tuple[str, bytes]] = {
        "cwa": ("data.bin", axivity.cwa(axivity.Device(np.tile([0, 0, 256], (200, 1))))),
        "sensor logger zip": ("a.zip", packed({OTHER: GYRO})),
        "sensor logger json": ("a.json", apps.sensor_logger_json({OTHER: GYRO}).encode()),
        "sensor logger csv": ("Gyroscope.csv", GYRO.encode()),
        "phyphox zip": ("a.zip", packed({OTHER: PHYPHOX})),
        "phyphox csv": ("a.txt", PHYPHOX.encode()),
        "sensor log csv": ("a.csv", sensor_log().encode()),
        "motion bvh": ("a.bvh", bvh(30)),
        "video mp4": ("film", film()),
        "table csv": ("a.csv", table_csv().encode()),
    }
    if kind in made:
        name, data = made[kind]
        (folder / name).write_bytes(data)
        return folder / name
    if kind == "motion amc":
        amc(folder)
        return folder / "walk.amc"
    if kind == "poses json":
        write_poses(poses(), folder / "a.json")
        return folder / "a.json"
    name = {"kinjo table csv": "a.csv", "kinjo table parquet": "a.parquet"}[kind]
    kinjo_table(folder, name)
    return folder / name


CASES = {
    "cwa": ({"left_wrist.acc"}, {}),
    "sensor logger zip": ({"left_wrist.gyro"}, {}),
    "sensor logger json": ({"left_wrist.gyro"}, {}),
    "sensor logger csv": ({"left_wrist.gyro"}, {}),
    "phyphox zip": ({"left_wrist.gyro"}, {}),
    "phyphox csv": ({"left_wrist.gyro"}, {}),
    "sensor log csv": ({"left_wrist.acc"}, {}),
    "kinjo table csv": ({"left_wrist.acc", "left_wrist.gyro"}, {}),
    "kinjo table parquet": ({"left_wrist.acc", "left_wrist.gyro"}, {}),
    "motion bvh": ({"pose"}, {}),
    "motion amc": ({"pose"}, {"rate_hz": 120}),
    "poses json": ({"pose"}, {}),
    "video mp4": ({"video"}, {}),
    "table csv": ({"left_wrist.acc"}, {"units": {"left_wrist.acc": "m/s^2"}, "gravity": True}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_kind_goes_to_its_reader(case: str, tmp_path: Path):
    names, said = CASES[case]
    path = make(case, tmp_path)
    assert kind_of(path) == next(kind for kind in sorted(KINDS, key=len, reverse=True) if case.startswith(kind))
    notes: list[str] = []
    recording = read_recording(path, placement="left_wrist", notes=notes, **said)
    assert set(recording.streams) == names
    assert tuple(notes) == recording.notes
    assert recording.id == path.stem
    mended, findings = check(recording)
    assert findings == []
    assert mended.duration_s > 0
    placed = any("placement is not used" in note for note in notes)
    assert placed == case.startswith(("kinjo", "motion", "poses", "video"))


@pytest.mark.parametrize("app", ["sensor logger", "phyphox"])
def test_folders_of_apps(app: str, tmp_path: Path):
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / OTHER).write_text(GYRO if app == "sensor logger" else PHYPHOX)
    assert kind_of(tmp_path / "walk") == app
    assert set(read_recording(tmp_path / "walk", placement="chest").streams) == {"chest.gyro"}


def test_every_kind_is_tried():
    assert {next(k for k in sorted(KINDS, key=len, reverse=True) if case.startswith(k)) for case in CASES} == set(KINDS)


def test_poses_of_three_dimensions_stand_upright(tmp_path: Path):
    write_poses(poses(), tmp_path / "a.json")
    stream = read_recording(tmp_path / "a.json").streams["pose"]
    assert (stream.contract.skeleton, stream.contract.units, stream.contract.rate_hz) == ("canonical", "m", 25.0)
    joints = SKELETONS["canonical"].joints
    values = stream.values()
    head, foot = values[:, joints.index("head"), 1], values[:, joints.index("left_ankle"), 1]
    assert (np.abs(head - foot) > 0.5).all()
    np.testing.assert_allclose(np.diff(values[:, 0, 0]), 0.01, atol=1e-5)


@pytest.mark.parametrize(("units", "factor"), [("px", 1.0), ("normalised", [320, 240])])
def test_poses_of_two_dimensions_are_in_pixels(units: str, factor: float | list[int], tmp_path: Path):
    given = poses(world=False, units=units)
    write_poses(given, tmp_path / "a.json")
    stream = read_recording(tmp_path / "a.json").streams["pose"]
    np.testing.assert_allclose(stream.values(), given.image[:, 0] * factor, rtol=1e-4)
    assert (stream.contract.units, stream.contract.skeleton) == ("px", "mediapipe33")


def test_poses_that_are_not_enough(tmp_path: Path):
    path = tmp_path / "a.json"
    write_poses(poses(people=2), path)
    with pytest.raises(FormatError, match="one person"):
        read_recording(path)
    write_poses(poses(world=False, units="normalised", size=None), path)
    with pytest.raises(FormatError, match="size of the picture"):
        read_recording(path)
    path.write_text(json.dumps([{"image_id": k, "category_id": 1, "keypoints": [1.0, 2.0, 0.9] * 17, "score": 1.0}
                                for k in range(5)]))  # fmt: skip
    with pytest.raises(FormatError, match="rate_hz"):
        read_recording(path)
    assert read_recording(path, rate_hz=30).streams["pose"].contract.rate_hz == 30


def test_what_may_be_said(tmp_path: Path):
    path = make("phyphox csv", tmp_path)
    with pytest.raises(FormatError, match="nothing to be said"):
        read_recording(path, placement="chest", convention="ios")
    path = make("sensor logger zip", tmp_path)
    assert read_recording(path, placement="chest", convention="ios").streams
    with pytest.raises(FormatError, match="placement"):
        read_recording(path)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel"),
        ("a.xlsx", packed({"[Content_Types].xml": "x", "xl/workbook.xml": "y"}), "Excel"),
        ("a.zip", packed({"readme.md": "x"}), "Axivity .cwa"),
        ("a.pdf", b"%PDF-1.4\0\1", "Axivity .cwa"),
        ("a.csv", b"", "Axivity .cwa"),
        ("a.txt", bvh(3), "suffix"),
        ("a.mp4", film()[:200], "video"),
        ("a.mov", film().replace(b"mp4v\0", b"none\0").replace(b"esds", b"none"), "video"),
        ("a.json", b"{}", "a list of frames"),
    ],
)
def test_others_are_told_what_is_read(name: str, data: bytes, words: str, tmp_path: Path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match=words):
        read_recording(tmp_path / name, placement="chest")


def test_nothing_there(tmp_path: Path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(FormatError):
            read_recording(path)


SEEDS = [
    axivity.cwa(axivity.Device(np.tile([0, 0, 256], (200, 1)))), packed({OTHER: GYRO}), GYRO.encode(), PHYPHOX.encode(),
    sensor_log().encode(), bvh(4), film(4), table_csv().encode(),
    apps.sensor_logger_json({OTHER: GYRO}).encode()[:4000], b"\x93NUMPY\x01\0", b"PAR1", b"{}", b"PK\x05\x06",
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    seed=st.sampled_from(SEEDS), at=st.integers(0, 8000), junk=st.binary(max_size=16), gone=st.integers(0, 3000),
    name=st.sampled_from(["a", "a.csv", "Gyroscope.csv", "a.json", "a.zip", "a.npy", "a.parquet", "a.c3d", "a.bvh"]),
)  # fmt: skip
def test_any_bytes_under_any_name(
    seed: bytes, at: int, junk: bytes, gone: int, name: str, tmp_path_factory: pytest.TempPathFactory
):
    """A ``FormatError``, or a recording whose streams can be read."""
    at = at % (len(seed) + 1)
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(seed[:at] + junk + seed[at + gone :])
    try:
        recording = read_recording(path, placement="chest")
    except FormatError:
        return
    assert isinstance(recording, Recording)
    for stream in recording.streams.values():
        if stream.contract.modality != "video":
            assert len(stream.values(0, 100)) == min(100, stream.length)
