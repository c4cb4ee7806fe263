"""Any file that people have, as a ``Recording``: ``kind_of`` looks into it, ``read_recording`` calls its reader.

| kind | what | reader |
|---|---|---|
| cwa | Axivity AX3 and AX6 | ``cwa.read_cwa`` |
| sensor logger | zip, folder, table or JSON of the app | ``sensor_logger.read_sensor_logger`` |
| phyphox | zip, folder or table of the app | ``phyphox.read_phyphox`` |
| sensor log | table of SensorLog (CoreMotion) | ``sensor_log.read_sensor_log`` |
| kinjo table | what ``tables.write_table`` wrote | ``tables.read_table`` |
| motion | BVH, AMC, C3D, SMPL | ``read_motion`` -> a stream ``pose`` |
| poses | COCO, MediaPipe or kinjo's JSON | ``pose_json.read`` -> a stream ``pose`` |
| video | mp4, mov, mkv, webm, avi | ``rgb.rgb_stream`` -> a stream ``video``, decoded when it is read |
| table | CSV, TSV, Parquet, NPY of other makes | ``wearable.read_wearable`` |
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from kinjo.formats.archive import Export, is_zip, open_export
from kinjo.formats.cwa import is_cwa, read_cwa
from kinjo.formats.delimited import delimited
from kinjo.formats.errors import DatasetError, FormatError, short
from kinjo.formats.phyphox import is_phyphox, read_phyphox
from kinjo.formats.pose_rows import MOST_CELLS, Poses
from kinjo.formats.sensor_log import is_sensor_log, read_sensor_log
from kinjo.formats.sensor_logger import PHONE, WATCH, read_sensor_logger
from kinjo.recording import Contract, Recording, Stream

KINDS: dict[str, str] = {
    "cwa": "Axivity .cwa",
    "sensor logger": "Sensor Logger (zip, folder, CSV, JSON)",
    "phyphox": "phyphox (zip, folder, CSV)",
    "sensor log": "SensorLog CSV (iPhone, Apple Watch)",
    "kinjo table": "tables written by kinjo",
    "motion": "BVH, AMC, C3D, SMPL .npz",
    "poses": "pose JSON (COCO, MediaPipe, kinjo)",
    "video": "video (mp4, mov, mkv, webm, avi)",
    "table": "CSV, TSV, Parquet, NPY of sensors",
}
"""Kind -> what it is, for people."""
SAID: dict[str, tuple[str, ...]] = {
    "sensor logger": ("convention",),
    "motion": ("skeleton_file", "units", "up", "joints", "rate_hz", "left_handed"),
    "poses": ("rate_hz",),
    "table": ("columns", "rate_hz", "time_units", "units", "gravity"),
}
"""Kind -> what else the caller may say of such a file (keywords of its reader)."""
MOTION: tuple[str, ...] = (".bvh", ".amc", ".c3d", ".npz")
HEAD = 1 << 16
CROWD = 0.05
"""Share of the frames in which there may be several people: more, and nobody knows whom the file is about."""


def kind_of(path: Path | str) -> str:
    """Which of ``KINDS`` the file or folder at ``path`` is, by what is in it; ``FormatError`` says what is read."""
    path = Path(path)
    export = open_export(path)
    if path.is_dir():
        return _kind_of_export(export)
    if is_zip(path):
        arrays = [PurePosixPath(name).stem for name in export.names if name.endswith(".npy")]
        if arrays and len(arrays) == len(export.names):
            return "motion" if "poses" in arrays and "trans" in arrays else "table"
        return _kind_of_export(export)
    head = export.head(path.name, HEAD)
    kind = _kind_of_bytes(path, head)
    if kind is None and head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return "sensor logger" if re.search(rb'"sensor"\s*:', head[:4096]) else "poses"
    return kind or _kind_of_text(path, head)


def read_recording(
    path: Path | str,
    *,
    placement: str | Mapping[str, str] | None = None,
    notes: list[str] | None = None,
    **said: Any,
) -> Recording:
    """The recording in any file or folder that ``KINDS`` names, by the reader of ``kind_of``.

    ``placement``: where on the body a sensor was, for files that do not say it. ``said``: further keywords of the
    kind's reader, ``SAID``. ``notes`` receives what was found out, guessed or mended (the recording's notes).

    Raises ``FormatError`` for files of no kind, damaged ones, those of which more has to be said, and for what a
    reader of this kind cannot be told.
    """
    path = Path(path)
    kind = kind_of(path)
    allowed = SAID.get(kind, ())
    other = sorted(set(said) - set(allowed))
    if other:
        expected = f"{', '.join(allowed) or 'nothing'} to be said of {KINDS[kind]}"
        raise FormatError(path.name, "", expected, ", ".join(other), "Leave it out.")
    told: list[str] = []
    readers: dict[str, Callable[..., Recording]] = {
        "cwa": read_cwa, "sensor logger": read_sensor_logger, "phyphox": read_phyphox, "sensor log": read_sensor_log,
        "table": _wearable,
    }  # fmt: skip
    if kind in readers:
        recording = readers[kind](path, placement=placement, notes=told, **said)
    else:
        if placement is not None:
            told.append(f"placement is not used: a file of {KINDS[kind]} has none, or says it")
        others = {"kinjo table": _table, "motion": _motion, "poses": _poses, "video": _video}
        recording = others[kind](path, told, **said)
        recording = replace(recording, notes=(*told, *recording.notes))
    if notes is not None:
        notes += recording.notes
    return recording


# ------------------------------------------------------------------------------------------------ what a file is
def _kind_of_bytes(path: Path, head: bytes) -> str | None:
    """The kind of a binary file by how it begins, or BVH and AMC; ``None`` for others."""
    if is_cwa(head):
        return "cwa"
    if head[:4] == b"PAR1":
        from kinjo.formats.columns import open_table

        return "kinjo table" if open_table(path).told else "table"
    if head[:4] == b"\xd0\xcf\x11\xe0":
        raise FormatError(path.name, "", "a table as text", "an Excel file", "Export or save it as CSV.")
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free") or head[:4] == b"\x1aE\xdf\xa3":
        return "video"
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "video"
    if head[:6] == b"\x93NUMPY":
        return "table"
    if head[1:2] == b"\x50" and path.suffix.lower() == ".c3d":
        return "motion"
    words = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    lines = [line.strip() for line in words.split(b"\n")[:200]]
    frame = [line for line in lines if line and line[:1] not in (b"#", b":")][:2]  # of an AMC: 1, then root 0 0 ...
    amc = len(frame) == 2 and frame[0] == b"1" and frame[1][:5] == b"root "
    return "motion" if amc or words[:9].upper() == b"HIERARCHY" else None


def _kind_of_text(path: Path, head: bytes) -> str:
    from kinjo.formats.tables import beside

    names = _names(head, path.name)
    if is_sensor_log(names):
        return "sensor log"
    if "seconds_elapsed" in names and path.stem.lower() in (*PHONE, WATCH):
        return "sensor logger"
    if is_phyphox(names):
        return "phyphox"
    if names[:1] == ("time_s",) and beside(path).is_file():
        return "kinjo table"
    odd = next((i for i, byte in enumerate(head) if byte < 32 and byte not in (9, 10, 12, 13)), None)
    wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")  # UTF-16
    if head.strip() and (odd is None or wide):
        return "table"
    given = "an empty file" if not head.strip() else f"a file that begins with {short(repr(head[:12]))}"
    raise FormatError(path.name, "", f"one of: {'; '.join(KINDS.values())}", given, "Convert or export it to one.")


def _kind_of_export(export: Export) -> str:
    """The app whose zip or folder it is, by the headers of its tables."""
    plain = {PurePosixPath(name).name.lower() for name in export.names}
    for name in [name for name in export.names if name.lower().endswith(".csv")][:200]:
        names = _names(export.head(name, HEAD), name)
        if "seconds_elapsed" in names and PurePosixPath(name).stem.lower() in (*PHONE, WATCH):
            return "sensor logger"
        if is_phyphox(names):
            return "phyphox"
    if any(name.endswith((".xls", ".xlsx")) for name in plain) or "[content_types].xml" in plain:
        raise FormatError(export.path.name, "", "tables as text", "Excel files", "Export it as CSV.")
    given = short(", ".join(export.names), 100) if export.names else "nothing"
    expected = f"the export of Sensor Logger or phyphox, or one of: {'; '.join(KINDS.values())}"
    raise FormatError(export.path.name, "", expected, given, "Give the files in it one by one.")


def _names(head: bytes, file: str) -> tuple[str, ...]:
    """The names of a table's columns; none where it has no header."""
    try:
        return delimited(head, file).names
    except FormatError:
        return ()


# ------------------------------------------------------------------------------------------------ readers of one stream
def _wearable(path: Path, **said: Any) -> Recording:
    from kinjo.formats.wearable import read_wearable

    return read_wearable(path, **said)


def _table(path: Path, told: list[str]) -> Recording:
    from kinjo.formats.tables import read_table

    return Recording(path.stem, read_table(path), source=path.name)


def _motion(path: Path, told: list[str], **said: Any) -> Recording:
    from kinjo.formats import read_motion

    if path.suffix.lower() not in MOTION:
        hint = "Rename it: its ending says how it is read."
        raise FormatError(path.name, "suffix", f"one of {', '.join(MOTION)}", repr(path.suffix), hint)
    found: list[str] = []
    motion = read_motion(path, notes=found, **said)
    return motion.recording(path.stem, source=path.name, notes=tuple(found))


def _video(path: Path, told: list[str]) -> Recording:
    from kinjo.formats.rgb import Decoder, rgb_stream

    try:
        stream = rgb_stream("video", path, Decoder())
    except DatasetError as error:
        hint = "The file is damaged or cut off: copy or convert it again."
        raise FormatError(path.name, "", error.expected, error.given, hint) from error
    return Recording(path.stem, {"video": stream}, source=path.name)


def _poses(path: Path, told: list[str], rate_hz: float | None = None) -> Recording:
    """Metres, y up, canonical joints, where the file has three dimensions; else pixels, joints of its own skeleton."""
    from kinjo.formats import pose_json
    from kinjo.motion import Motion

    poses = _one_person(path.name, pose_json.read(path), told)
    if rate_hz is not None:
        poses = replace(poses, rate_hz=rate_hz, times_s=None)
    if poses.times_s is None and not poses.rate_hz:
        hint = "Say rate_hz=, the video's frames per second."
        raise FormatError(path.name, "", "times, or frames per second", "neither", hint)
    times = pose_json.clock(poses)
    steps = np.diff(times)
    rate = poses.rate_hz or (float(1.0 / np.median(steps)) if len(steps) else 1.0)
    count = int(np.floor((times[-1] - times[0]) * rate + 0.5)) + 1
    if count * poses.image.shape[2] > MOST_CELLS:
        raise FormatError(path.name, "", f"at most {MOST_CELLS} joints", f"{count} frames", "Are its times right?")
    even = pose_json.at(poses, times[0] + np.arange(count) / rate)
    if even.world is not None:
        moved = Motion.of(even.world[:, 0].astype(np.float64) * [1.0, -1.0, -1.0], even.skeleton, rate)
        stream = moved.stream("pose", start_s=float(times[0]))
        told.append("poses about the hips, turned to y up: where in the room is not known")
    else:
        stream = _flat(path.name, even, rate, float(times[0]))
    return Recording(path.stem, {"pose": stream}, source=path.name)


def _flat(file: str, poses: Poses, rate: float, start_s: float) -> Stream:
    image = poses.image[:, 0]
    if poses.units == "normalised":
        if poses.size is None:
            hint = "Write width and height of the video into it."
            raise FormatError(file, "", "the size of the picture of normalised poses", "none", hint)
        image = image * np.array(poses.size[::-1], np.float32)
    gone = np.asarray(~np.isfinite(image).all((1, 2)))
    contract = Contract("pose", "position", "px", rate, axes=("x", "y"), skeleton=poses.skeleton)
    return Stream.of("pose", contract, np.nan_to_num(image), start_s=start_s, missing=gone if gone.any() else None)


def _one_person(file: str, poses: Poses, told: list[str]) -> Poses:
    """The only person of each frame; of a few frames with several, the surest."""
    there = np.asarray(np.isfinite(poses.image).any((2, 3)) & (poses.confidence > 0).any(2))
    crowded = int((there.sum(1) > 1).sum())
    if crowded > CROWD * len(there):
        hint = "Write a file for each person, or build a corpus from the video, which follows one."
        raise FormatError(file, "", "poses of one person", f"{crowded} frames with several", hint)
    if crowded:
        told.append(f"{crowded} frames with several people: the one with the highest confidence is taken")
    best = np.where(there, np.nansum(poses.confidence, 2), -1.0).argmax(1)
    rows = np.arange(len(best))
    world = None if poses.world is None else poses.world[rows, best][:, None]
    image, confidence = poses.image[rows, best][:, None], poses.confidence[rows, best][:, None]
    return replace(poses, image=image, confidence=confidence, world=world)
