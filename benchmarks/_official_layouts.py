"""Small synthetic data sets in exactly the layouts in which UTD-MHAD, MotionSense and BasicMotions are published.

MMAct is among them in the two layouts that others' readers tell of; ``fuzz_readers`` leaves it out, because its reader
mends clocks and puts samples on a uniform one, so that "the values as they were" is no measure for it.

For tests and for ``fuzz_readers``: nothing here comes from real data. A data set is a ``Tree``: archive -> file in it
-> bytes. ``write`` lays it out as zips or as folders.
"""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Tree = dict[str, dict[str, bytes]]
HOMES = {"utd_mhad": "UTD-MHAD", "motionsense": "MotionSense", "basic_motions": ".", "mmact": "MMAct"}
"""data set -> the folder under a data root where its archives lie."""
CLIPS = ("a1_s1_t1", "a22_s2_t1", "a25_s3_t2")
TRIALS = ("dws_1_sub_1", "wlk_7_sub_3", "std_14_sub_24")
IDS = {"utd_mhad": CLIPS, "motionsense": TRIALS, "basic_motions": None}
"""data set -> ids that its small tree holds (``None``: all)."""
SEQUENCES = (
    "subject1_scene1_session1_walking", "subject1_scene2_session3_carrying", "subject17_scene1_session1_drinking",
    "subject20_scene4_session2_using_phone",
)  # fmt: skip
COLUMNS = (
    "", "attitude.roll", "attitude.pitch", "attitude.yaw", "gravity.x", "gravity.y", "gravity.z",
    "rotationRate.x", "rotationRate.y", "rotationRate.z",
    "userAcceleration.x", "userAcceleration.y", "userAcceleration.z",
)  # fmt: skip
STANDING = np.array([
    [0, .6], [0, .4], [0, .1], [0, 0], [-.2, .35], [-.28, .1], [-.3, -.15], [-.3, -.22], [.2, .35], [.28, .1],
    [.3, -.15], [.3, -.22], [-.08, -.06], [-.1, -.5], [-.1, -.9], [-.1, -.95], [.08, -.06], [.1, -.5], [.1, -.9],
    [.1, -.95],
])  # fmt: skip
"""x (to the person's right) and y (up) of the 20 Kinect joints, metres."""


def mat(variable: str, values: object, *, compressed: bool = True) -> bytes:
    """A MATLAB 5 file with one variable."""
    from scipy.io import savemat

    out = io.BytesIO()
    savemat(out, {variable: values}, do_compression=compressed)
    return out.getvalue()


def imu(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """(n, 6): acceleration in g about gravity, rotation in deg/s."""
    acc = np.array([-0.9, -0.3, 0.2]) + 0.1 * rng.normal(size=(n, 3))
    return np.hstack([acc, 60 * rng.normal(size=(n, 3))])


def skeleton(rng: np.random.Generator, frames: int) -> NDArray[np.float64]:
    """(20, 3, frames): a standing person 2.8 m before the camera, metres."""
    still = np.hstack([STANDING, np.full((20, 1), 2.8)])
    return still[:, :, None] + 0.01 * rng.normal(size=(20, 3, frames))


def depth(rng: np.random.Generator, frames: int) -> NDArray[np.uint16]:
    """(240, 320, frames) millimetres: a body on an empty ground."""
    values = np.zeros((240, 320, frames), np.uint16)
    values[60:230, 140:175] = rng.integers(2300, 2900, (170, 35, 1))
    values[100:120, 180:200] = rng.integers(2300, 2900, (20, 20, frames))
    return values


def utd_mhad(seed: int = 0, clips: tuple[str, ...] = CLIPS, frames: int = 12) -> Tree:
    """Three clips; clip number i has ``frames + i`` frames and 2.7 IMU samples to a frame."""
    rng = np.random.default_rng(seed)
    tree: Tree = {"Inertial": {}, "Skeleton": {}, "Depth": {}}
    for t, clip in enumerate(clips, frames):
        tree["Inertial"][f"{clip}_inertial.mat"] = mat("d_iner", imu(rng, round(2.7 * t)))
        tree["Skeleton"][f"{clip}_skeleton.mat"] = mat("d_skel", skeleton(rng, t))
        tree["Depth"][f"{clip}_depth.mat"] = mat("d_depth", depth(rng, t))
    return tree


def device_motion(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """(n, 13) in the order of ``COLUMNS``: gravity follows from the attitude, and the rotation rate turns it."""
    t = np.arange(n) / 50.0
    phase, rate = rng.uniform(0, 6, 4), rng.uniform(4, 6, 2)
    roll = 0.4 + 0.3 * np.sin(rate[0] * t + phase[0])
    pitch = -0.9 + 0.3 * np.sin(rate[1] * t + phase[1])
    gravity = np.stack([np.cos(pitch) * np.sin(roll), -np.sin(pitch), -np.cos(pitch) * np.cos(roll)], axis=1)
    rotation = np.cross(np.gradient(gravity, 1 / 50.0, axis=0), gravity)
    user = 0.3 * np.sin(np.outer(t, [11.0, 9.0, 13.0]) + phase[:3]) + 0.05 * rng.normal(size=(n, 3))
    return np.column_stack([np.arange(n, dtype=np.float64), roll, pitch, 0.2 * t, gravity, rotation, user])


def table(values: NDArray[np.float64], names: tuple[str, ...] = COLUMNS) -> bytes:
    """A csv as MotionSense writes it."""
    rows = (f"{row[0]:.0f}," + ",".join(f"{x:.6f}" for x in row[1:]) for row in values)
    return ("\n".join([",".join(names), *rows]) + "\n").encode()


def motionsense(seed: int = 0, trials: tuple[str, ...] = TRIALS, n: int = 150) -> Tree:
    """Three recordings of ``n`` samples."""
    rng = np.random.default_rng(seed)
    names = ("{}_{}/{}_{}.csv".format(*trial.split("_")) for trial in trials)
    return {"A_DeviceMotion_data": {name: table(device_motion(rng, n)) for name in names}}


def subjects() -> bytes:
    """``data_subjects_info.csv``: 24 subjects, with the official byte order mark."""
    rows = [f"{i},{50 + i},{160 + i},{20 + i},{i % 2}" for i in range(1, 25)]
    return "\n".join(["\ufeffcode,weight,height,age,gender", *rows]).encode()


def basic_motions(seed: int = 0) -> Tree:
    """All 40 + 40 series of 6 x 100."""
    rng = np.random.default_rng(seed)
    head = (
        "#synthetic\n@problemName BasicMotions\n@timeStamps false\n@missing false\n@univariate false\n@dimensions 6\n"
        "@equalLength true\n@seriesLength 100\n@classLabel true Standing Running Walking Badminton\n@data\n"
    )
    files = {}
    for part in ("TRAIN", "TEST"):
        lines = [
            ":".join(",".join(f"{x:.6f}" for x in channel) for channel in series) + f":{label}"
            for label in ("Standing", "Running", "Walking", "Badminton")
            for series in rng.normal(size=(10, 6, 100))
        ]
        files[f"BasicMotions_{part}.ts"] = (head + "\n".join(lines) + "\n").encode()
    return {"BasicMotions": files}


def stamps(seconds: NDArray[np.float64]) -> list[str]:
    """Seconds after a moment in 2018 as MMAct writes them: ``20181121_16:29:25.123``."""
    moment = datetime(2018, 11, 21, 16, 29, 25, 123000)
    return [f"{moment + timedelta(seconds=float(s)):%Y%m%d_%H:%M:%S.%f}"[:-3] for s in seconds]


def mmact_sensors(
    rng: np.random.Generator, seconds: float
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Sensor folder -> times (n,) s with jitter and values (n, 3) in m/s^2, rad/s, degrees. The watch starts late."""
    out = {}
    for folder, rate, start in (
        ("acc_phone_clip", 100, 0.0), ("acc_watch_clip", 100, 0.03), ("gyro_clip", 50, 0.004),
        ("orientation_clip", 50, 0.008),
    ):  # fmt: skip
        n = round(seconds * rate)
        times = np.round(start + (np.arange(n) + 0.2 * rng.uniform(size=n)) / rate, 3)
        waves = np.sin(2 * np.pi * np.outer(times, rng.uniform(0.5, 2.0, 3)) + rng.uniform(0, 6, 3))
        if folder.startswith("acc"):
            values = np.array([1.0, 9.5, 2.0]) + 2.0 * waves
        elif folder == "gyro_clip":
            values = 1.5 * waves
        else:
            values = np.array([0.0, -80.0, 10.0]) + np.array([15.0, 5.0, 5.0]) * waves
            values[:, 0] %= 360.0
        out[folder] = times, values
    return out


def mmact_csv(times: NDArray[np.float64], values: NDArray[np.float64], header: str = "") -> bytes:
    """A csv of time stamps and three numbers; as published without a header."""
    rows = (f"{t},{a:.6f},{b:.6f},{c:.6f}" for t, (a, b, c) in zip(stamps(times), values, strict=True))
    return ("\n".join([*([header] if header else []), *rows]) + "\n").encode()


def mp4(rng: np.random.Generator, frames: int, rate: int = 15, size: tuple[int, int] = (48, 64)) -> bytes:
    """H.264 in mp4: frame k is grey at ``10 + 2 * k`` with a square that moves; a key frame every 12, with B-frames."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        track = container.add_stream("libx264", rate=rate, options={"g": "12", "crf": "12"})
        track.height, track.width, track.pix_fmt = *size, "yuv420p"
        track.codec_context.thread_count = 1
        top, shades = int(rng.integers(0, size[0] - 8)), rng.integers(100, 256, (8, 8, 3))
        for k in range(frames):
            picture = np.full((*size, 3), 10 + 2 * k, np.uint8)
            picture[top : top + 8, k % (size[1] - 8) :][:, :8] = shades
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(track.encode(None))
    return out.getvalue()


def mmact(
    seed: int = 0,
    sequences: tuple[str, ...] = SEQUENCES,
    *,
    published: bool = True,
    cameras: tuple[int, ...] = (1, 3),
    seconds: float = 2.0,
) -> Tree:
    """Sequences as published (``subject1/scene1/session1/walking.csv``), or as the one-shot code keeps them."""
    rng = np.random.default_rng(seed)
    tree: Tree = {}
    for sequence in sequences:
        subject, scene, session, activity = sequence.split("_", 3)
        for folder, (times, values) in mmact_sensors(rng, seconds).items():
            flat, deep = f"{activity}/{sequence}.csv", f"{subject}/{scene}/{session}/{activity}.csv"
            tree.setdefault(folder, {})[deep if published else flat] = mmact_csv(times, values)
        for c in cameras:
            flat = f"{activity}/{subject}_cam{c}_{scene}_{session}_{activity}.mp4"
            deep = f"{subject}/cam{c}/{scene}/{session}/{activity}.mp4"
            tree.setdefault("video", {})[deep if published else flat] = mp4(rng, round(15 * seconds))
    return tree


TREES = {"utd_mhad": utd_mhad, "motionsense": motionsense, "basic_motions": basic_motions}
"""data set -> its small tree."""


def write(root: Path, name: str, tree: Tree, *, zipped: bool) -> Path:
    """Lay the data set ``name`` out under ``root``; returns the folder that holds its archives."""
    home = root / HOMES[name]
    home.mkdir(parents=True, exist_ok=True)
    for archive, files in tree.items():
        if zipped:
            with zipfile.ZipFile(home / f"{archive}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
                out.mkdir(archive)
                for file, data in files.items():
                    out.writestr(f"{archive}/{file}", data)
        else:
            for file, data in files.items():
                path = home / archive / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    return home
