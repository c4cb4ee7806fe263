"""MM-Fit: 21 workouts of ten exercises by 10 people, with two watches, two phones, an earbud and 3-D pose from video.

Reads ``w00/w00_sw_l_acc.npy`` and so on from the published folder or ``mm-fit.zip``. Its sensor and pose arrays were
not at hand here: they are read as the authors' notebook tells, tested on small files of that form. Labels and heart
rate were at hand, and the numbers measured below are theirs.

**Clock.** Rows of sensors have a time stamp in ms, one clock for all devices, and the number of a video frame; labels
and pose have frame numbers alone. Those are not 30 to the second: the camera dropped some (26.0 a second in w13), and a
line through frame / 30 is up to 28 s wrong. So time is that of the stamps; a frame lies at the mean stamp of the rows
with its number, on a line between two known frames, 1/30 s apart outside them. 0 s is the first sample or frame read.
Rows of frame 0 or below came before the video and tell nothing of it. Without any sensor, frames are 1/30 s apart.

**Not read**: heart rate, which is no quantity of kinjo's (it serves the clock where no other sensor is there), and 2-D
pose, whose 18 joints fit no skeleton here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import SKELETONS
from kinjo.datasets.card import Card, DatasetError, Split, only_known, read_each, say, wanted_modalities
from kinjo.datasets.files import Files, index, open_files
from kinjo.recording import Contract, Recording, Segment, Stream
from kinjo.signal import regularize

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EXERCISES = (
    "squats", "lunges", "bicep_curls", "situps", "pushups", "tricep_extensions", "dumbbell_rows", "jumping_jacks",
    "dumbbell_shoulder_press", "lateral_shoulder_raises",
)  # fmt: skip
"""Names in the label files, in the authors' order; labels are these with spaces. Their eleventh class is NULL here."""
SUBJECTS = {f"w{w:02}": f"p{p}" for w, p in enumerate((2, 0, 1, 0, 1, 2, 0, 1, 0, 1, 0, 1, 3, 4, 0, 1, 5, 6, 7, 8, 9))}
"""Workout -> subject, from the authors' notebook."""
IDS = tuple(SUBJECTS)
"""Ids of the 21 recordings, one a workout."""
DEVICES = {
    "sw_l": "left_wrist", "sw_r": "right_wrist", "sp_l": "left_pocket", "sp_r": "right_pocket", "eb_l": "left_ear",
}  # fmt: skip
"""Device in the file names -> placement."""
QUANTITIES = {"acc": ("acc", "m/s^2", 16 * 9.81 * 1.25), "gyr": ("gyro", "rad/s", 40.0), "mag": ("mag", "uT", 5000.0)}
"""Quantity in the file names -> kinjo's, its unit, and more than such sensors measure."""
MEDIAN_ACC = (5.0, 20.0)
"""m/s^2: where the median of \\|acceleration\\| lies, about 10."""
NOMINAL_HZ = (65.0, 90.0, 100.0, 210.0, 500.0)
"""Rates that the authors tell; a stream has the nearest of them, or a whole number of Hz if it is off by over 10 %."""
FRAME_HZ, FRAMES_HZ = 30.0, (15.0, 35.0)
"""Nominal frames a second, and bounds of those of a whole file: 26.0 to 30.1 were measured."""
CLOCKS_S = 0.5
"""Bound on what devices may differ about the time of frames (99th percentile; 0.1 s between the two watches)."""
EPOCH_MS = 1.56e12
"""Stamps are counted from this day in 2019, so that seconds keep their digits."""
MAX_GAP_S = 0.2
"""A longer pause between samples or frames is marked as missing; over a shorter one a straight line is drawn."""
BODY_MM = (300.0, 3000.0)
"""The median extent of a pose along its longest axis."""
JOINTS = (
    "pelvis", "left_hip", "left_knee", "left_ankle", "right_hip", "right_knee", "right_ankle", "spine", "thorax",
    "nose", "head_top", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
"""Joints in the order of the 3-D pose files, by the authors' notebook: Human3.6M's, but left before right."""
_TRAIN, _VAL = ("w01", "w02", "w03", "w04", "w06", "w07", "w08", "w16", "w17", "w18"), ("w14", "w15", "w19")

CARD = Card(
    name="mm_fit",
    title="MM-Fit",
    citation="D. Strömbäck, S. Huang, V. Radu: MM-Fit: Multimodal Deep Learning for Automatic Exercise Logging across "
    "Sensing Devices. IMWUT 4(4), 168, 2020.",
    licence="MIT (the authors' code and labels); the licence of the arrays was not seen",
    url="https://mmfit.github.io",
    how_to_get="Download the data set from https://mmfit.github.io into a folder MM-Fit (zip, or w00 ... w20).",
    classes=tuple(name.replace("_", " ") for name in EXERCISES),
    subjects=tuple(f"p{p}" for p in range(10)),
    placements=tuple(DEVICES.values()),
    modalities=("imu", "pose"),
    trainable=False,  # until the licence of the arrays is seen
    splits={
        name: Split("recording", {"train": _TRAIN, "val": _VAL, "test": test}, note)
        for name, test, note in (
            ("seen", ("w09", "w10", "w11"), "The authors'. p0 and p1 are in all parts."),
            ("unseen", ("w00", "w05", "w12", "w13", "w20"), "The authors'. p2, p3, p4, p9 are in the test alone."),
        )
    },
    defects=(
        "This reader was tested on files that a test makes, not on the real arrays; on the real labels and heart rate.",
        "Not every workout has all devices: the left phone is in few of them.",
        "Video frames are not evenly spaced: labels and pose lie on the sensors' time, good to about a frame, 1/30 s.",
        "The pose is estimated from video without absolute scale, as if in millimetres; z points up.",
        "Left and right of the pose are as the authors' notebook names them, the reverse of Human3.6M's own order; "
        "others read them the other way round. Hold the pose against a watch before relying on its sides.",
        "The two phones are of different make, about 210 and 500 Hz.",
        "Units are those of the authors' plots (m/s^2, rad/s, uT), held against plausible sizes only.",
    ),
)
_ARRAY = re.compile(rf"(w[012]\d)_((?:{'|'.join(DEVICES)})_(?:acc|gyr|mag|hr)|pose_[23]d)\.npy|(w[012]\d)_labels\.csv")
_AGAIN = "Get the file again from the official data set, or pass skip_bad=True to leave the workout out."


@dataclass(frozen=True)
class Set:
    """A labelled set of an exercise: video frames ``[start, end)``, how many repetitions, the label in words."""

    start: int
    end: int
    repetitions: int
    label: str


@dataclass(frozen=True)
class Rows:
    """A sensor's file: frames (n,), times (n,) in s from ``EPOCH_MS``, strictly increasing, values (n, k), and Hz."""

    file: str
    frames: Ints
    seconds: Floats
    values: NDArray[np.float32]
    rate_hz: float


@dataclass(frozen=True)
class Clock:
    """The time of video frames: ``frames`` (k,) at ``seconds`` (k,), both strictly increasing."""

    frames: Floats
    seconds: Floats

    def at(self, frames: Floats) -> Floats:
        """Seconds of any frame numbers; 1/30 s apart before the first and after the last that is known."""
        outside = np.minimum(frames - self.frames[0], 0.0) + np.maximum(frames - self.frames[-1], 0.0)
        return np.interp(frames, self.frames, self.seconds) + outside / FRAME_HZ


def find(root: Path) -> Path | None:
    """The folder under ``root`` (or ``root`` itself) with ``mm-fit.zip`` or a workout's arrays, else ``None``.

    Labels alone are not the data set.
    """
    for folder in _places(root):
        arrays = (folder.glob(f"w[012][0-9]/w[012][0-9]_{kind}.npy") for kind in ("*_acc", "*_gyr", "pose_3d"))
        if (folder / "mm-fit.zip").is_file() or any(any(found) for found in arrays):
            return folder
    return None


def _places(root: Path) -> tuple[Path, ...]:
    return (root, root / "MM-Fit", root / "mm-fit", root / "mm_fit", root / "MM-Fit" / "mm-fit")


def recordings(
    root: Path,
    *,
    modalities: tuple[str, ...] | None = None,
    only: Collection[str] | None = None,
    skip_bad: bool = False,
    report: list[str] | None = None,
) -> Iterator[Recording]:
    """One recording per workout, id ``w00``, subject ``p2``, a segment with its repetitions per set, NULL between.

    Streams, as far as the workout has them: ``left_wrist.acc`` (n, 3) m/s^2 with gravity, ``left_wrist.gyro`` (n, 3)
    rad/s, the same of ``right_wrist``, ``left_pocket``, ``right_pocket``, ``left_ear``, of the pockets also ``.mag``
    (n, 3) uT, at a uniform rate near the measured one (``NOMINAL_HZ``); ``pose`` (n, 17, 3) mm of the skeleton
    ``h36m17`` at 30 Hz. Pauses and absent frames are missing, and told in ``notes``.

    ``modalities``: of ``imu``, ``pose``; ``only``: ids to read. Raises ``DatasetError`` for workouts without labels or
    without any array of these, and naming the first file that is not as it should be. With ``skip_bad`` such a
    workout is skipped, with a line in ``report`` (a warning without one).
    """
    wanted = wanted_modalities(str(root), modalities, CARD.modalities)
    expected = only_known(str(root), only, IDS)
    home = find(root)
    if home is None:
        labels = any(any(place.glob("w[012][0-9]/w[012][0-9]_labels.csv")) for place in _places(root))
        given_ = "labels without the arrays of sensors and poses" if labels else "none"
        raise DatasetError(str(root), "MM-Fit (mm-fit.zip or folders w00 ... w20)", given_, CARD.how_to_get)
    files = open_files(home / "mm-fit.zip" if (home / "mm-fit.zip").is_file() else home)
    found, faults = index(files, _known, ".npy")
    kinds = [f"{d}_{q}" for d in DEVICES for q in QUANTITIES] * ("imu" in wanted) + ["pose_3d"] * ("pose" in wanted)
    given = {w: [kind for kind in kinds if f"{w}_{kind}" in found] for w in expected}
    gone = [w for w in expected if not given[w]]
    if gone:
        arrays = f"arrays of {' or '.join(wanted)} for every workout, such as {gone[0]}_{kinds[0]}.npy"
        hint = f"{CARD.how_to_get} Or pass skip_bad=True, or only= the ids that you have."
        lacking = f"none in {len(gone)} of {len(expected)}: {', '.join(gone)}"
        faults.append(DatasetError(str(files.path), arrays, lacking, hint))
    if faults and not skip_bad:
        raise faults[0]
    for fault in faults:
        say(report, f"skipped: {fault}")
    there = [w for w in expected if given[w]]
    return read_each(there, lambda w: _recording(w, given[w], files, found), skip_bad, report)


def clock(tables: Sequence[Rows]) -> Clock:
    """The one clock of a workout's sensors, or ``DatasetError`` where they disagree; of none, frame / 30 s."""
    if not tables:
        return Clock(np.zeros(1), np.zeros(1))
    known = [_means(rows.frames, rows.seconds) for rows in tables]
    lead = max(range(len(tables)), key=lambda i: len(known[i][0]))
    for rows, (frames, seconds) in zip(tables, known, strict=True):
        inside = (frames >= known[lead][0][0]) & (frames <= known[lead][0][-1])
        gap = np.abs(np.interp(frames[inside], *known[lead]) - seconds[inside])
        if len(gap) and np.percentile(gap, 99) > CLOCKS_S:
            given = f"{np.percentile(gap, 99):.3g} s between this file and {PurePosixPath(tables[lead].file).name}"
            raise DatasetError(rows.file, f"times of frames that agree within {CLOCKS_S:g} s", given, _AGAIN)
    frames, seconds = _means(np.concatenate([r.frames for r in tables]), np.concatenate([r.seconds for r in tables]))
    before = np.r_[-np.inf, np.maximum.accumulate(seconds)[:-1]]
    if (before - seconds).max() > CLOCKS_S:
        raise DatasetError(tables[lead].file, "frames in the order of time", "clocks that differ", _AGAIN)
    rising = seconds > before
    return Clock(frames[rising], seconds[rising])


def _means(frames: Ints, seconds: Floats) -> tuple[Floats, Floats]:
    """The frames above 0, each once, and the mean of their seconds."""
    video = frames > 0
    unique, of = np.unique(frames[video], return_inverse=True)
    first = float(seconds[0])
    return unique.astype(np.float64), first + np.bincount(of, seconds[video] - first) / np.bincount(of)


def _known(name: str) -> str | None:
    """``w00_sw_l_acc`` or ``w00_labels`` for a file of a workout, else ``None``."""
    path = PurePosixPath(name)
    match = _ARRAY.fullmatch(path.name)
    return path.stem if match and (match[1] or match[3]) in SUBJECTS else None


def _recording(workout: str, kinds: list[str], files: Files, found: dict[str, str]) -> Recording:
    marked = sets(*_read(files, found, f"{workout}_labels"))
    devices = [k for k in (f"{d}_{q}" for d in DEVICES for q in QUANTITIES) if f"{workout}_{k}" in found]
    devices = devices or [k for k in (f"{d}_hr" for d in DEVICES) if f"{workout}_{k}" in found]
    tables = {kind: _rows(kind, *_read(files, found, f"{workout}_{kind}")) for kind in devices}
    time = clock(list(tables.values()))
    made = [
        _pose(*_read(files, found, f"{workout}_{kind}"), time) if kind == "pose_3d" else _sensor(kind, tables[kind])
        for kind in kinds
    ]
    origin = min(stream.start_s for stream, _ in made)
    streams = {stream.name: replace(stream, start_s=stream.start_s - origin) for stream, _ in made}
    end, segments = max(stream.end_s for stream in streams.values()), []
    notes = [f"{stream.name}: {note}" for stream, told in made for note in told]
    for one in marked:
        start_s, end_s = (float(s) - origin for s in time.at(np.array([one.start, one.end], np.float64)))
        if start_s < end and end_s > 0:
            segments.append(Segment(max(start_s, 0.0), end_s, one.label, repetitions=one.repetitions))
        else:
            notes.append(f"the set of {one.label} at frame {one.start} was not measured: left out")
    source = f"{CARD.name}:{workout}"
    return Recording(workout, streams, tuple(segments), SUBJECTS[workout], source, notes=tuple(notes))


def sets(data: bytes, where: str) -> tuple[Set, ...]:
    """The sets, by start, of a label file's bytes; ``DatasetError`` naming ``where`` and the row."""
    marked = []
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(data.decode("utf-8-sig")), strict=True), 1):
            row = f"row {number}: {','.join(cells)[:80]}"
            if len(cells) != 4 or not all(re.fullmatch(r"\d{1,7}", cell.strip()) for cell in cells[:3]):
                raise DatasetError(where, "rows of start frame, end frame, repetitions, exercise", row, _AGAIN)
            start, end, repetitions = (int(cell) for cell in cells[:3])
            if cells[3].strip() not in EXERCISES:
                raise DatasetError(where, f"an exercise among {', '.join(EXERCISES)}", row, _AGAIN)
            if start >= end or repetitions < 1:
                raise DatasetError(where, "sets that end after they start, of at least one repetition", row, _AGAIN)
            marked.append(Set(start, end, repetitions, cells[3].strip().replace("_", " ")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(where, "a csv in UTF-8", f"{error}", _AGAIN) from error
    marked.sort(key=lambda one: one.start)
    for one, after in pairwise(marked):
        if after.start < one.end:
            given = f"{one.start},{one.end} and {after.start},{after.end}"
            raise DatasetError(where, "sets that do not overlap", given, _AGAIN)
    if not marked:
        raise DatasetError(where, "at least one set", "an empty file", _AGAIN)
    return tuple(marked)


def _read(files: Files, found: dict[str, str], key: str) -> tuple[bytes, str]:
    if key not in found:
        raise DatasetError(f"{files.path}/{key[:3]}/{key}", "this file of the workout", "none", CARD.how_to_get)
    return files.read(found[key]), f"{files.path}/{found[key]}"


def _array(data: bytes, file: str, axes: int) -> NDArray[Any]:
    """The finite numbers of an .npy with that many axes. Nothing is ever unpickled."""
    stream = io.BytesIO(data)
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except Exception as error:  # a damaged header raises as many kinds of exceptions as Python's parser has
        raise DatasetError(file, "a whole .npy array", f"{type(error).__name__}: {error}"[:200], _AGAIN) from error
    if array.dtype.kind not in "fiu" or array.ndim != axes or not array.size or stream.read(1):
        given = f"{array.dtype} {array.shape} and {len(data) - stream.tell()} bytes behind it"
        raise DatasetError(file, f"an array of numbers with {axes} axes", given, _AGAIN)
    bad = array.size - int(np.isfinite(array).sum())
    if bad:
        raise DatasetError(file, "finite numbers", f"{bad} NaN or infinite", _AGAIN)
    return array


def _frames(column: NDArray[Any], file: str) -> Ints:
    frames = column.astype(np.float64)
    if (frames != np.rint(frames)).any() or np.abs(frames).max() > 1e7:
        raise DatasetError(file, "frame numbers in the first column", "others", "Check the columns.")
    return frames.astype(np.int64)


def _rows(kind: str, data: bytes, file: str) -> Rows:
    """A sensor's file with its columns frame, ms, and one (heart rate) or three numbers, in the order of time."""
    array, width = _array(data, file, 2), 3 if kind.endswith("_hr") else 5
    if array.shape[1] != width or array.dtype.itemsize < 8 or len(array) < 2:
        expected = f"{width} columns (frame, ms, ...) of 64 bits, 2 rows at least"
        raise DatasetError(file, expected, f"{array.dtype} {array.shape}", _AGAIN)
    frames, seconds = _frames(array[:, 0], file), (array[:, 1].astype(np.float64) - EPOCH_MS) / 1000
    steps = np.diff(seconds)
    if steps.min() < 0:
        at = int(steps.argmin())
        given = f"back by {-steps[at]:.3g} s after row {at}"
        raise DatasetError(file, "time stamps that go forward", given, _AGAIN)
    video = frames > 0
    if not video.any() or np.diff(frames[video]).min(initial=0) < 0:
        raise DatasetError(file, "frame numbers that go forward", "frames that go back, or none above 0", _AGAIN)
    short = steps[steps <= max(MAX_GAP_S, 3 * float(np.median(steps)))]
    rate = len(short) / max(float(short.sum()), 1e-9)
    span = float(np.ptp(seconds[video]))
    speed = float(np.ptp(frames[video])) / span if span > 10 else FRAME_HZ
    if not 0.5 <= rate <= 1000 or not FRAMES_HZ[0] <= speed <= FRAMES_HZ[1]:
        given = f"{rate:.4g} samples and {speed:.4g} frames a second"
        expected = f"stamps in ms of 0.5 to 1000 samples and {FRAMES_HZ[0]:g} to {FRAMES_HZ[1]:g} frames a second"
        raise DatasetError(file, expected, given, "Check the columns and the unit of the stamps.")
    return Rows(file, frames, _spread(seconds, 1 / rate), array[:, 2:].astype(np.float32), rate)


def _spread(seconds: Floats, period: float) -> Floats:
    """Rows of one stamp (stamps are whole ms) spread evenly towards the next one, at most ``period`` apart."""
    stamps, first, count = np.unique(seconds, return_index=True, return_counts=True)
    step = np.minimum(np.diff(stamps, append=np.inf) / count, period)
    return seconds + (np.arange(len(seconds)) - np.repeat(first, count)) * np.repeat(step, count)


def _sensor(kind: str, rows: Rows) -> tuple[Stream, tuple[str, ...]]:
    """The stream of a sensor at a uniform rate, on the clock of its stamps, and notes."""
    device, short = kind.rsplit("_", 1)
    quantity, units, largest = QUANTITIES[short]
    given, level = float(np.abs(rows.values).max()), float(np.median(np.linalg.norm(rows.values, axis=1)))
    if given > largest or (quantity == "acc" and not MEDIAN_ACC[0] <= level <= MEDIAN_ACC[1]):
        hint = f"If the file is in another unit, convert it to {units}, or pass skip_bad=True."
        expected = f"{quantity} in {units} within ±{largest:.4g}" + (", with gravity" if quantity == "acc" else "")
        raise DatasetError(rows.file, expected, f"values up to {given:.4g}, a median size of {level:.3g}", hint)
    nearest = min(NOMINAL_HZ, key=lambda hz: abs(np.log(rows.rate_hz / hz)))
    rate = nearest if abs(rows.rate_hz / nearest - 1) <= 0.1 else max(float(round(rows.rate_hz)), 1.0)
    gravity = True if quantity == "acc" else None
    contract = Contract("imu", quantity, units, rate, placement=DEVICES[device], gravity=gravity)
    return _uniform(f"{DEVICES[device]}.{quantity}", contract, rows.values, rows.seconds)


def _pose(data: bytes, file: str, time: Clock) -> tuple[Stream, tuple[str, ...]]:
    """The 3-D pose at 30 Hz on the sensors' clock. A body whose joints are all in one point is none: missing."""
    array = _array(data, file, 3)
    if array.shape[0] != 3 or array.shape[2] != len(JOINTS) + 1:
        expected = f"shape (3, frames, {len(JOINTS) + 1}): coordinates of a frame number and {len(JOINTS)} joints"
        raise DatasetError(file, expected, f"{array.shape}", _AGAIN)
    frames = _frames(array[0, :, 0], file)
    if (np.diff(frames) <= 0).any():
        raise DatasetError(file, "frame numbers that go forward", "frames that go back or are repeated", _AGAIN)
    skeleton = SKELETONS["h36m17"]
    order = [JOINTS.index(joint) + 1 for joint in skeleton.joints]
    values = np.ascontiguousarray(array.transpose(1, 2, 0)[:, order].astype(np.float32))
    size = np.ptp(values, axis=1).max(axis=1)
    body = float(np.median(size[size > 0])) if (size > 0).any() else 0.0
    if not BODY_MM[0] <= body <= BODY_MM[1]:
        raise DatasetError(file, f"bodies of {BODY_MM[0]:g} to {BODY_MM[1]:g} mm", f"{body:.3g} in the median", _AGAIN)
    contract = Contract("pose", "position", "mm", FRAME_HZ, skeleton=skeleton.name)
    notes = ("no sensor at hand: frames are taken to be 1/30 s apart",) if len(time.frames) == 1 else ()
    stream, told = _uniform("pose", contract, values, time.at(frames.astype(np.float64)), size == 0)
    return stream, notes + told


def _uniform(
    name: str, contract: Contract, values: NDArray[Any], seconds: Floats, missing: NDArray[np.bool_] | None = None
) -> tuple[Stream, tuple[str, ...]]:
    """The stream of samples at uneven times, by ``signal.regularize``, and a note of what is missing."""
    even, start_s, hidden = regularize(values, seconds, contract.rate_hz, missing=missing, max_gap_s=MAX_GAP_S)
    if not hidden.any():
        return Stream.of(name, contract, even.astype(np.float32), start_s=start_s), ()
    note = f"{hidden.mean():.2%} missing, pauses of up to {np.diff(seconds).max(initial=0.0):.3g} s"
    return Stream.of(name, contract, even.astype(np.float32), start_s=start_s, missing=hidden), (note,)
