"""UTD-MHAD: 861 clips of 27 actions by 8 subjects; depth video, Kinect pose and one wearable IMU, synchronised.

Reads ``Inertial.zip``, ``Skeleton.zip`` and ``Depth.zip`` as they are published, or folders of the same layout.

**Clock.** The three sensors of a clip cover the same time but not at constant rates: samples per frame go from 2.4
to 4.5 over the clips. The IMU's ``N / 50 Hz`` is taken as the clip's duration and the ``T`` frames are spread evenly
over it, so that pose and depth have a rate of their own in every clip (11.1 to 21.1 Hz). Wrist speed of the pose
and gyroscope then agree (median correlation 0.83 over actions 1-21; 0.40 if 30 Hz is assumed).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from kinjo.body import SKELETONS
from kinjo.datasets import mat5
from kinjo.datasets.card import Card, DatasetError, Split, only_known, say, wanted_modalities
from kinjo.datasets.files import Files, absent, index, open_files
from kinjo.recording import Contract, Recording, Segment, Stream

IMU_RATE_HZ = 50.0
FRAME = (240, 320)
"""Rows and columns of a depth frame."""
LARGEST_ACC_G, LARGEST_GYRO_DPS = 8.001, 1001.0
"""Range of the sensor; saturated samples of the real files reach it and none is beyond."""
FRAME_RATES_HZ = (8.0, 31.0)
"""Frames per second of IMU time that a clip can have: 11.1 to 21.1 were measured, 30 is the camera's own."""

ACTIONS: tuple[tuple[str, str], ...] = (
    ("swipe left", "right arm swipe to the left"),
    ("swipe right", "right arm swipe to the right"),
    ("wave", "right hand wave"),
    ("clap", "two hand front clap"),
    ("throw", "right arm throw"),
    ("arm cross", "cross arms in the chest"),
    ("basketball shoot", "basketball shoot"),
    ("draw x", "right hand draw x"),
    ("draw circle clockwise", "right hand draw circle, clockwise"),
    ("draw circle counter clockwise", "right hand draw circle, counter clockwise"),
    ("draw triangle", "draw triangle"),
    ("bowling", "bowling, right hand"),
    ("boxing", "front boxing"),
    ("baseball swing", "baseball swing from right"),
    ("tennis swing", "tennis right hand forehand swing"),
    ("arm curl", "arm curl, two arms"),
    ("tennis serve", "tennis serve"),
    ("push", "two hand push"),
    ("knock", "right hand knock on door"),
    ("catch", "right hand catch an object"),
    ("pick up and throw", "right hand pick up and throw"),
    ("jog", "jogging in place"),
    ("walk", "walking in place"),
    ("sit to stand", "sit to stand"),
    ("stand to sit", "stand to sit"),
    ("lunge", "forward lunge, left foot forward"),
    ("squat", "squat, two arms stretch out"),
)
"""(label, description) of action 1, 2, ..., 27."""

ABSENT = ("a8_s1_t4", "a23_s6_t4", "a27_s8_t4")
"""Clips that the official archives do not have."""

IDS: tuple[str, ...] = tuple(
    clip for a in range(1, 28) for s in range(1, 9) for t in range(1, 5) if (clip := f"a{a}_s{s}_t{t}") not in ABSENT
)
"""Ids of the 861 clips: action, subject, trial."""

OVERLAPS = (
    "a1_s4_t2 a1_s4_t3", "a1_s5_t1 a1_s5_t2", "a1_s6_t1 a1_s6_t2", "a2_s4_t3 a2_s4_t4", "a2_s6_t1 a2_s6_t2",
    "a5_s6_t2 a5_s6_t3", "a7_s4_t3 a7_s4_t4", "a9_s8_t3 a9_s8_t4", "a10_s8_t3 a10_s8_t4", "a12_s5_t2 a12_s5_t3",
    "a12_s6_t1 a12_s6_t2", "a13_s3_t1 a13_s3_t2", "a13_s3_t3 a13_s3_t4", "a15_s3_t1 a15_s3_t2",
    "a15_s8_t2 a15_s8_t3 a15_s8_t4", "a17_s3_t2 a17_s3_t3 a17_s3_t4", "a17_s8_t2 a17_s8_t3",
    "a21_s3_t2 a21_s3_t3 a21_s3_t4", "a21_s5_t1 a21_s5_t2", "a23_s3_t1 a23_s3_t2", "a23_s6_t1 a23_s6_t2",
    "a24_s3_t2 a25_s3_t1", "a24_s3_t3 a24_s3_t4 a25_s3_t2 a25_s3_t3 a25_s3_t4", "a24_s4_t1 a25_s4_t1",
    "a24_s5_t3 a25_s5_t2", "a24_s6_t3 a25_s6_t3",
)  # fmt: skip
"""Groups of clips that share samples, bit for bit, in the IMU and the pose (measured): one was cut where the next
had begun. They get the same ``twin``."""

_TWIN = {clip: group.split()[0] for group in OVERLAPS for clip in group.split()}

PARTS = {"imu": ("Inertial", "inertial"), "pose": ("Skeleton", "skeleton"), "video": ("Depth", "depth")}
"""modality -> (zip or folder, ending of its file names)."""

CARD = Card(
    name="utd_mhad",
    title="UTD Multimodal Human Action Dataset",
    citation="C. Chen, R. Jafari, N. Kehtarnavaz: UTD-MHAD: A Multimodal Dataset for Human Action Recognition "
    "Utilizing a Depth Camera and a Wearable Inertial Sensor. ICIP 2015.",
    licence="research use with citation; no licence text",
    url="https://personal.utdallas.edu/~kehtar/UTD-MHAD.html",
    how_to_get="Download Inertial.zip, Skeleton.zip and Depth.zip from the page into a folder UTD-MHAD.",
    classes=tuple(label for label, _ in ACTIONS),
    subjects=tuple(f"s{s}" for s in range(1, 9)),
    placements=("right_wrist", "right_thigh"),
    modalities=("imu", "pose", "video"),
    trainable=False,
    splits={
        "subject": Split(
            "subject",
            {
                "train": tuple(clip for clip in IDS if int(clip.split("_s")[1][0]) % 2 == 1),
                "test": tuple(clip for clip in IDS if int(clip.split("_s")[1][0]) % 2 == 0),
            },
            "Usual: odd subjects train, even subjects test.",
        )
    },
    defects=(
        "Three of the 864 clips do not exist (a8_s1_t4, a23_s6_t4, a27_s8_t4).",
        "Frame times are unknown and frames per IMU second vary from 11.1 to 21.1: pose and depth are aligned by "
        "normalised time, with a rate of their own in every clip.",
        "26 groups of clips of one subject share 1 to 15 IMU samples, bit for bit; in actions 24 and 25 across two "
        "classes. Such clips have the same twin.",
        "The IMU saturates at 8 g (22 clips) and at 1000 deg/s (19 clips).",
        "The sensor sits on the wrist in actions 1-21 and on the thigh in 22-27, so that placement alone tells the "
        "two groups of classes apart.",
        "Depth has its background removed (about 93 % zeros) and is mirrored: the person's right is on the right.",
        "The colour videos are not read.",
    ),
)

_NOTE = "pose and depth are aligned by normalised time: their frames are spread evenly over the IMU's duration"


def find(root: Path) -> Path | None:
    """The folder under ``root`` (or ``root`` itself) that holds UTD-MHAD's zips or folders; ``None`` without one."""
    for folder in (root, root / "UTD-MHAD", root / "UTD_MHAD", root / "utd_mhad"):
        if any((folder / f"{part}.zip").is_file() or (folder / part).is_dir() for part, _ in PARTS.values()):
            return folder
    return None


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """One recording per clip, in the order of action, subject, trial; id ``a1_s1_t1``, subject ``s1``.

    Streams: ``imu.acc`` (N, 3) g with gravity and ``imu.gyro`` (N, 3) deg/s at 50 Hz, on the right wrist (actions
    1-21) or the right thigh (22-27); ``pose`` (T, 20, 3) m in Kinect order, x to the person's right, y up, z away
    from the camera; ``depth`` (T, 240, 320) uint16 mm, decoded only when it is read. One segment spans the clip.

    ``modalities``: those to read, of ``imu``, ``pose``, ``video``; ``None`` for all. ``only``: ids of clips to read.
    The IMU file is needed in any case: it is the clip's clock. Raises ``DatasetError`` naming the first file that is
    absent or not as it should be. With ``skip_bad`` a bad pose or depth file leaves its stream out, a bad IMU file
    skips the clip, and each is a line in ``report`` (a warning without one). Damage within the numbers of an unpacked
    depth file, which only decoding can show, is a ``DatasetError`` when the stream is read; with ``skip_bad`` every
    depth file is therefore decoded before its clip is given.
    """
    folder = find(root)
    if folder is None:
        raise DatasetError(str(root), "UTD-MHAD (Inertial.zip, Skeleton.zip, Depth.zip)", "none", CARD.how_to_get)
    wanted = wanted_modalities(str(folder), modalities, CARD.modalities)
    clips = only_known(str(folder), only, IDS)
    parts: dict[str, tuple[Files, dict[str, str]]] = {}
    for modality in dict.fromkeys(("imu", *wanted)):
        try:
            parts[modality] = _open(folder, modality, clips, skip_bad, report)
        except DatasetError as error:
            if not skip_bad or modality == "imu":
                raise
            say(report, f"all {modality} left out: {error}")
    return _clips(clips, wanted, parts, skip_bad, report)


def _open(
    folder: Path, modality: str, clips: tuple[str, ...], skip_bad: bool, report: list[str] | None
) -> tuple[Files, dict[str, str]]:
    """Files of one modality and their names by clip. Absent, unknown and repeated files raise or are reported."""
    part, ending = PARTS[modality]
    path = folder / f"{part}.zip"
    if not path.is_file():
        path = folder / part
    if not path.is_dir() and not path.is_file():
        rest = tuple(m for m in CARD.modalities if m != modality)
        hint = "It is the clock of every clip." if modality == "imu" else f"Or pass modalities={rest}."
        raise DatasetError(str(folder), f"{part}.zip or a folder {part}", "neither", f"{CARD.how_to_get} {hint}")
    pattern = re.compile(rf"(a\d+_s\d+_t\d+)_{ending}\.mat")

    def known(name: str) -> str | None:
        match = pattern.fullmatch(PurePosixPath(name).name)
        return match[1] if match and match[1] in _KNOWN else None

    files = open_files(path)
    found, faults = index(files, known, ".mat")
    gone = absent(files, found, clips, lambda clip: f"{clip}_{ending}.mat")
    if gone:
        given = f"{len(gone)} of {len(clips)} files absent: {gone[0]}" + (", ..." if len(gone) > 1 else "")
        hint = "Get the archive again, or pass skip_bad=True, or only= the clips that you have."
        faults.append(DatasetError(str(path), "a file for every clip", given, hint))
    if faults and not skip_bad:
        raise faults[0]
    for fault in faults:
        say(report, f"skipped: {fault}")
    return files, found


_KNOWN = frozenset(IDS)


def _clips(
    clips: tuple[str, ...],
    wanted: tuple[str, ...],
    parts: dict[str, tuple[Files, dict[str, str]]],
    skip_bad: bool,
    report: list[str] | None,
) -> Iterator[Recording]:
    """Read the clips one by one. One decoded depth clip is kept, shared by all that read from this iterator."""

    @lru_cache(maxsize=1)
    def decoded(name: str) -> NDArray[np.generic]:
        return _depth(parts["video"][0], name)

    for clip in clips:
        streams: dict[str, Stream] = {}
        left_out = []
        for modality in dict.fromkeys(("imu", *wanted)):
            files, names = parts.get(modality, (None, {}))
            if files is None or clip not in names:
                left_out.append(modality)  # said when the files were opened
                continue
            try:
                if modality == "imu":
                    streams |= {stream.name: stream for stream in _imu(files, names[clip], clip)}
                elif "imu" not in left_out:
                    clock = streams["imu.acc"].end_s
                    make = _pose_stream if modality == "pose" else partial(_depth_stream, streams.get("pose"), decoded)
                    stream = make(files, names[clip], clock)
                    if skip_bad and modality == "video":
                        decoded(names[clip])  # kept for the reads that follow; later nobody could leave it out
                    streams[stream.name] = stream
            except DatasetError as error:
                if not skip_bad:
                    raise
                say(report, f"{clip}: {modality} left out: {error}")
                left_out.append(modality)
        kept = {name: s for name, s in streams.items() if s.contract.modality in wanted}
        if kept:
            duration = streams["imu.acc"].end_s
            yield _recording(clip, kept, duration, tuple(m for m in wanted if m in left_out))
        elif any(clip in names for _, names in parts.values()):  # else it was counted among the absent files
            say(report, f"{clip}: skipped, nothing of it is left" + ", as its clock is the IMU" * ("imu" in left_out))


def _recording(clip: str, streams: dict[str, Stream], duration: float, left_out: tuple[str, ...]) -> Recording:
    action, subject, _ = clip.split("_")
    label, description = ACTIONS[int(action[1:]) - 1]
    notes = (_NOTE, *(f"{modality} is left out: its file is absent or bad" for modality in left_out))
    segment = Segment(0.0, duration, label, description)
    return Recording(clip, streams, (segment,), subject, f"{CARD.name}:{clip}", _TWIN.get(clip, ""), notes)


def _imu(files: Files, name: str, clip: str) -> tuple[Stream, Stream]:
    values = _matrix(files, name, "d_iner")
    where = f"{files.path}/{name}"
    if values.ndim != 2 or values.shape[1] != 6 or len(values) < 2:
        raise DatasetError(where, "(N, 6) numbers", f"{values.shape}", "Its columns are acc x y z, gyro x y z.")
    _finite(where, values)
    acc, gyro = np.ascontiguousarray(values[:, :3]), np.ascontiguousarray(values[:, 3:])
    hint = "Columns or units were changed: they must be acc x y z in g, gyro x y z in deg/s."
    for what, given, largest in (("acc", acc, LARGEST_ACC_G), ("gyro", gyro, LARGEST_GYRO_DPS)):
        if np.abs(given).max() > largest:
            raise DatasetError(where, f"{what} within ±{largest:g}", f"{np.abs(given).max():g}", hint)
    level = float(np.median(np.linalg.norm(acc, axis=1)))
    if not 0.7 < level < 2.0:  # 0.95 to 1.44 in the official files
        raise DatasetError(where, "a median acceleration of about 1 g", f"{level:.3g}", hint)
    placement = "right_wrist" if int(clip.split("_")[0][1:]) <= 21 else "right_thigh"
    return (
        Stream.of("imu.acc", Contract("imu", "acc", "g", IMU_RATE_HZ, placement=placement, gravity=True), acc),
        Stream.of("imu.gyro", Contract("imu", "gyro", "deg/s", IMU_RATE_HZ, placement=placement), gyro),
    )


def _rate(frames: int, duration: float, where: str) -> float:
    """Frames per second of IMU time; ``DatasetError`` where frames and IMU cannot be of the same clip."""
    rate = frames / duration
    if not FRAME_RATES_HZ[0] <= rate <= FRAME_RATES_HZ[1]:
        given = f"{frames} frames for {duration:.2f} s of IMU"
        raise DatasetError(where, "frames and IMU of the same clip", given, "One of its files is of another clip.")
    return rate


def _pose_stream(files: Files, name: str, duration: float) -> Stream:
    """The pose of a clip that lasts ``duration`` seconds."""
    positions = _pose(files, name)
    rate = _rate(len(positions), duration, f"{files.path}/{name}")
    return Stream.of("pose", Contract("pose", "position", "m", rate, skeleton="kinect20"), positions)


def _depth_stream(
    pose: Stream | None, decoded: Callable[[str], NDArray[np.generic]], files: Files, name: str, duration: float
) -> Stream:
    """The depth video of a clip that lasts ``duration`` seconds. Only the header of its file is looked at here."""
    where = f"{files.path}/{name}"
    frames = _depth_frames(mat5.peek(files.read(name), "d_depth", where), where)
    if pose is not None and frames != pose.length:
        raise DatasetError(where, f"{pose.length} frames, as the skeleton has", f"{frames}", "Get it again.")
    contract = Contract("video", "depth", "mm", _rate(frames, duration, where), axes=())

    def read(start: int, stop: int) -> NDArray[np.generic]:
        return np.array(decoded(name)[:, :, start:stop].transpose(2, 0, 1), order="C")

    return Stream("depth", contract, frames, read)


def _pose(files: Files, name: str) -> NDArray[np.float64]:
    """Positions (T, 20, 3) of an upright person who faces the camera, which is so in every official clip."""
    where = f"{files.path}/{name}"
    values = _matrix(files, name, "d_skel")
    if values.ndim != 3 or values.shape[:2] != (20, 3) or values.shape[2] < 2:
        raise DatasetError(where, "(20, 3, T) numbers", f"{values.shape}", "They are joints, axes x y z, frames.")
    _finite(where, values)
    if np.abs(values).max() > 10:
        raise DatasetError(where, "metres", f"values up to {np.abs(values).max():g}", "Units were changed.")
    joint = dict(zip(SKELETONS["kinect20"].joints, np.median(values, axis=2), strict=True))
    upright = joint["head"][1] > joint["hip_center"][1] > max(joint["left_ankle"][1], joint["right_ankle"][1])
    if not (upright and joint["right_shoulder"][0] > joint["left_shoulder"][0] and joint["head"][2] > 0):
        given = "a person who is upside down, mirrored or behind the camera"
        raise DatasetError(where, "Kinect joints with y up and x to the person's right", given, "Axes were changed.")
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def _depth_frames(header: mat5.Matrix, where: str) -> int:
    """Number of frames; ``DatasetError`` unless the shape is (240, 320, T) of whole numbers."""
    if len(header.shape) != 3 or header.shape[:2] != FRAME or header.shape[2] < 2:
        raise DatasetError(where, "(240, 320, T) numbers", f"{header.shape}", "They are rows, columns, frames.")
    if header.kind not in ("double", "uint16"):
        raise DatasetError(where, "uint16 millimetres", header.kind, "Get the official file.")
    return header.shape[2]


def _depth(files: Files, name: str) -> NDArray[np.generic]:
    """Decoded depth (240, 320, T) uint16, in MATLAB's order."""
    where = f"{files.path}/{name}"
    header, values = mat5.matrix(files.read(name), "d_depth", where)
    _depth_frames(header, where)
    if values.dtype.kind != "u" or values.dtype.itemsize > 2:
        raise DatasetError(where, "uint16 millimetres", f"{values.dtype.name}", "Get the official file.")
    return values.astype(np.uint16, copy=False)


def _matrix(files: Files, name: str, variable: str) -> NDArray[np.float64]:
    """A matrix of floating-point numbers as float64; whole-number classes are a ``DatasetError``."""
    where = f"{files.path}/{name}"
    header, values = mat5.matrix(files.read(name), variable, where)
    if header.kind not in ("double", "single"):
        raise DatasetError(where, f"'{variable}' of class double", header.kind, "Get the official file.")
    return values.astype(np.float64)


def _finite(where: str, values: NDArray[np.float64]) -> None:
    bad = values.size - int(np.isfinite(values).sum())
    if bad:
        raise DatasetError(where, "finite numbers", f"{bad} NaN or infinite", "The official files have none.")
