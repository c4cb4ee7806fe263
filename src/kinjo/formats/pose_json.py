"""Poses of a video as JSON, that somebody has already: ``read``, ``write``, and ``at`` other times.

| what | how it is known | joints and coordinates |
|---|---|---|
| kinjo's own | ``{"kinjo_poses": 1, ...}``, see ``write`` | any skeleton of ``body``; pixels or normalised; metres |
| COCO results | ``[{"image_id", "category_id", "keypoints", "score"}, ...]`` | coco17; pixels |
| COCO data set | ``{"images": [...], "annotations": [...]}`` | coco17; pixels |
| MediaPipe | a list of frames, or ``{"frames": [...], "fps", "width", "height"}`` | mediapipe33; normalised; metres |

A frame of MediaPipe's has ``pose_landmarks`` (33 of x, y, z, visibility), and may have ``pose_world_landmarks``,
``timestamp_ms``, ``time_s`` and ``frame``; one that is null or empty has nobody.
Pictures that are counted (``image_id``, names, ``frame``) are counted from 0, or from 1 where the first is 1. Times
come before a rate. Landmarks without any visibility are believed.
"""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.body import SKELETONS
from kinjo.formats.errors import LARGEST, FormatError
from kinjo.formats.pose_other import coco_dataset, coco_results, mediapipe
from kinjo.formats.pose_rows import (
    MOST_CELLS,
    MOST_HZ,
    MOST_METRES,
    MOST_PEOPLE,
    MOST_PIXELS,
    MOST_SECONDS,
    MOST_SIZES,
    Floats,
    Poses,
    increasing,
    number,
    numbers,
    parsed,
    rate_of,
    shown,
    size_of,
    trusted,
    whole,
)

__all__ = ["FORMAT", "Poses", "at", "clock", "read", "write"]

FORMAT = 1
SAME_S = 1e-6
"""Times no farther apart are one."""


def read(path: Path | str) -> Poses:
    """The poses in a file of one of the forms above.

    ``FormatError`` for what is damaged, contradicts itself or is of another form; it names the place and what to do.
    """
    path = Path(path)
    file = path.name
    found = parsed(path)
    try:
        if isinstance(found, dict):
            if "kinjo_poses" in found:
                return _own(file, found)
            if "annotations" in found:
                return coco_dataset(file, found)
            if "frames" in found:
                return mediapipe(file, found)
        elif isinstance(found, list) and found:
            first = next((one for one in found if one), None)
            keypoints = isinstance(first, dict) and ("keypoints" in first or "image_id" in first)
            return coco_results(file, found) if keypoints else mediapipe(file, found)
    except RecursionError:
        raise FormatError(file, "", "poses", "brackets inside brackets without end", "Is it of poses?") from None
    hint = "Write COCO keypoints, MediaPipe's landmarks or kinjo's own form."
    raise FormatError(file, "", "a list of frames, or an object with frames or annotations", shown(found), hint)


def write(poses: Poses, path: Path | str) -> None:
    """Write kinjo's own form in one step; ``read`` gives the same numbers.

    An object: ``kinjo_poses`` 1, ``skeleton`` and its ``joints``, ``units`` (with ``height`` and ``width``),
    ``rate_hz``, ``times_s`` (seconds from the video's first frame) or ``frames`` (with ``complete``), ``video_sha256``,
    and ``people``: of each ``image``, ``confidence`` and ``world``, lists of a row for each time, which has the
    joints' numbers one after another, or null where the person is not there. ``FormatError`` where it would be too
    large to be read.
    """
    path = Path(path)
    head: dict[str, Any] = {
        "kinjo_poses": FORMAT, "skeleton": poses.skeleton, "joints": list(SKELETONS[poses.skeleton].joints),
        "units": poses.units, "rate_hz": poses.rate_hz,
    }  # fmt: skip
    if poses.size is not None:
        head |= {"height": poses.size[0], "width": poses.size[1]}
    if poses.video_sha256:
        head["video_sha256"] = poses.video_sha256
    if poses.times_s is not None:
        head["times_s"] = poses.times_s.tolist()
    else:
        head |= {"frames": poses.frames.tolist(), "complete": poses.complete}
    parts: dict[str, Floats | None] = {"image": poses.image, "confidence": poses.confidence, "world": poses.world}
    people = ",\n".join(
        "{" + ",\n".join(f'"{name}": [\n{_rows(x[:, k])}\n]' for name, x in parts.items() if x is not None) + "}"
        for k in range(poses.image.shape[1])
    )
    text = json.dumps(head, ensure_ascii=False)[:-1] + f', "people": [\n{people}\n]}}\n'
    if len(text) > LARGEST:
        raise FormatError(path.name, "", f"at most {LARGEST} bytes", f"{len(text)}", "Write it in parts.")
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def clock(poses: Poses) -> NDArray[np.float64]:
    """Times of the rows, seconds from the video's first frame. ``ValueError`` where there are frames without a rate."""
    if poses.times_s is not None:
        return poses.times_s
    if poses.rate_hz is None:
        raise ValueError("poses of frames without times: say how many frames a second (rate_hz=, or fps in the file)")
    return poses.frames / poses.rate_hz


def at(poses: Poses, times_s: ArrayLike) -> Poses:
    """The poses at other times, one row for each: what is not known there is NaN with confidence 0.

    A time that a row has gets that row. Else one person moves on a line between the rows before and after, where these
    are neighbours and both know the joint (confidence is the lower of the two). At an end, and of several people, of
    whom nobody knows who is who, the nearest row counts, where it is not farther than half the median step.
    """
    wanted, own = np.asarray(times_s, np.float64), clock(poses)
    if wanted.ndim != 1 or not np.isfinite(wanted).all():
        raise ValueError(f"times: expected (rows,) finite seconds, given {wanted.shape}")
    step = float(np.median(np.diff(own))) if len(own) > 1 else 1.0 / poses.rate_hz if poses.rate_hz else 0.0
    after = np.searchsorted(own, wanted).clip(min(1, len(own) - 1), len(own) - 1)
    before = np.maximum(after - 1, 0)
    near = np.where(wanted - own[before] <= own[after] - wanted, before, after)
    off = np.abs(own[near] - wanted)
    out: dict[str, Any] = {}
    line = (off > SAME_S) & (own[after] - own[before] <= 1.5 * step) & (own[before] < wanted) & (wanted < own[after])
    line &= poses.image.shape[1] == 1
    gone = ~line & (off > step / 2 + SAME_S)
    share = np.where(line, (wanted - own[before]) / np.where(line, own[after] - own[before], 1.0), 0.0)
    for name in ("image", "confidence", "world"):
        values: Floats | None = getattr(poses, name)
        if values is None:
            continue
        some = values[near]
        a, b = values[before[line]], values[after[line]]
        part = share[line].reshape(-1, *[1] * (values.ndim - 1)).astype(np.float32)
        some[line] = np.minimum(a, b) if name == "confidence" else a + (b - a) * part
        some[gone] = 0.0 if name == "confidence" else np.nan
        out[name] = some
    return replace(poses, **out, frames=np.arange(len(wanted)), complete=True, times_s=wanted)


# ------------------------------------------------------------------------------------------------ kinjo's own
def _rows(values: Floats) -> str:
    """Rows of ``values (rows, joints, ...)`` as JSON: the shortest digits that give the same float32 again."""
    out = []
    for row in values.reshape(len(values), -1):
        known = np.isfinite(row)
        nobody = not known.any() or (values.ndim == 2 and not row.any())
        words = "null" if nobody else ",".join(np.where(known, row.astype(str), "null").tolist())
        out.append(words if nobody else f"[{words}]")
    return ",\n".join(out)


def _own(file: str, found: dict[str, Any]) -> Poses:
    if found["kinjo_poses"] != FORMAT:
        hint = "Upgrade kinjo, or write it again."
        raise FormatError(file, "kinjo_poses", f"{FORMAT}", shown(found["kinjo_poses"]), hint)
    name, units = found.get("skeleton"), found.get("units")
    if not isinstance(name, str) or name not in SKELETONS:
        raise FormatError(file, "skeleton", f"one of {', '.join(SKELETONS)}", shown(name), "Upgrade kinjo?")
    joints = SKELETONS[name].joints
    if found.get("joints", list(joints)) != list(joints):
        raise FormatError(file, "joints", f"those of {name}", shown(found["joints"]), f"Order: {', '.join(joints)}.")
    if units not in ("px", "normalised"):
        raise FormatError(file, "units", "px or normalised", shown(units), "Say which the image's numbers are.")
    sha = found.get("video_sha256", "")
    if not isinstance(sha, str) or len(sha) not in (0, 64):
        raise FormatError(file, "video_sha256", "64 hexadecimal digits", shown(sha), "Correct it, or leave it out.")
    rate = number(file, "rate_hz", found["rate_hz"], MOST_HZ) if found.get("rate_hz") is not None else None
    times, frames, complete = _order(file, found)
    rate = rate or (rate_of(file, "times_s", times) if times is not None else None)
    people = found.get("people")
    if not isinstance(people, list) or not 0 < len(people) <= MOST_PEOPLE:
        raise FormatError(file, "people", f"a list of 1 to {MOST_PEOPLE}", shown(people), "Write it with write().")
    if len(frames) * len(people) * len(joints) > MOST_CELLS:
        given = f"{len(frames)} frames of {len(people)} people"
        raise FormatError(file, "", f"at most {MOST_CELLS} joints in all", given, "Cut it into files.")
    if not all(isinstance(one, dict) for one in people) or len({"world" in one for one in people}) > 1:
        raise FormatError(file, "people", "objects with image and confidence, and world of all or none", "others")
    rows, count = len(frames), len(joints)
    far = MOST_PIXELS if units == "px" else MOST_SIZES
    image = np.stack([_table(file, one, "image", rows, 2 * count, far) for one in people], 1)
    sure = np.stack([_table(file, one, "confidence", rows, count, 1e6) for one in people], 1)
    world = None
    if "world" in people[0]:
        world = np.stack([_table(file, one, "world", rows, 3 * count, MOST_METRES) for one in people], 1)
        world = world.reshape(rows, len(people), count, 3)
    size = size_of(file, "", found.get("height"), found.get("width"))
    image, sure = image.reshape(rows, len(people), count, 2), np.nan_to_num(sure, nan=0.0)
    sure = trusted(file, sure) if sure.any() else sure  # a clip in which nobody was found
    return Poses(name, image, sure, world, units, frames, complete, times, rate, size, sha.lower())


def _order(file: str, found: dict[str, Any]) -> tuple[NDArray[np.float64] | None, NDArray[np.int64], bool]:
    """Times, frames, and whether these are all, of kinjo's own form."""
    key = "times_s" if found.get("times_s") is not None else "frames"
    told = found.get(key)
    if not isinstance(told, list) or not told:
        raise FormatError(file, key, "a list of the rows' times or frames", shown(told), "Write it with write().")
    values = numbers(file, key, told, len(told), MOST_SECONDS if key == "times_s" else 1e12)
    increasing(file, key, values)
    if key == "times_s":
        rate_of(file, key, values)
        return values, np.arange(len(values)), True
    frames = np.array([whole(file, key, frame, 10**12) for frame in told], np.int64)
    if not isinstance(found.get("complete"), bool):
        raise FormatError(file, "complete", "true or false", shown(found.get("complete")), "Are these all frames?")
    return None, frames, found["complete"]


def _table(file: str, one: dict[str, Any], name: str, rows: int, width: int, most: float) -> Floats:
    """(rows, width) of one person; null is NaN, a row or a number."""
    table = one.get(name)
    if not isinstance(table, list) or len(table) != rows:
        hint = "Was it cut off? Write it again."
        raise FormatError(file, f"people: {name}", f"{rows} rows, as many as times", shown(table), hint)
    out = np.full((rows, width), np.nan, np.float32)
    for t, row in enumerate(table):
        if row is not None:
            out[t] = numbers(file, f"people: {name}: row {t}", row, width, most, gaps=True)
    return out
