"""Poses as other programs write them: keypoints of COCO (results or a data set), and dumps of MediaPipe's landmarks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import SKELETONS
from kinjo.formats.errors import FormatError, short
from kinjo.formats.pose_rows import (
    MOST_HZ,
    MOST_METRES,
    MOST_PIXELS,
    MOST_SIZES,
    Body,
    Poses,
    increasing,
    number,
    numbers,
    rate_of,
    shown,
    size_of,
    stacked,
    whole,
)

MOST_FRAMES = 1 << 40
"""A number of a frame; more would not be one."""
LANDMARKS = ("pose_landmarks", "landmarks", "poseLandmarks")
WORLD = ("pose_world_landmarks", "world_landmarks", "poseWorldLandmarks", "worldLandmarks")
NUMBERS = ("frame", "frame_index", "frame_id", "frame_number", "frameIndex")
TIMES = {"time_s": 1.0, "timestamp_s": 1.0, "timestamp_ms": 1e-3, "timestamp_us": 1e-6, "timestamp": 0.0}
"""What a frame may tell its time by, and that in seconds; 0: to be found from the steps."""
RATES = ("rate_hz", "fps", "frame_rate")


# ------------------------------------------------------------------------------------------------ COCO
def coco_results(file: str, found: list[Any]) -> Poses:
    """A list of results: ``image_id`` is a number, or a text that ends in one; frames without anybody are not told."""
    ids = []
    for i, entry in enumerate(found):
        if not isinstance(entry, dict) or not isinstance(entry.get("image_id"), int | str):
            hint = "A file is of one form alone."
            raise FormatError(file, f"result {i}", "an object with image_id and keypoints", shown(entry), hint)
        ids.append(entry["image_id"])
    named = [id for id in ids if isinstance(id, str)]
    if named and len(named) < len(ids):
        raise FormatError(file, "image_id", "numbers or names", "some of each", "One file for each video.")
    order = _numbered(file, named) if named else {id: whole(file, "image_id", id, MOST_FRAMES) for id in ids}
    if (kinds := len({str(entry.get("category_id")) for entry in found})) > 1:
        raise FormatError(file, "category_id", "one category", f"{kinds}", "Keep the results of persons alone.")
    return _coco(file, found, order, sorted(set(order.values())), complete=False, size=None)


def coco_dataset(file: str, found: dict[str, Any]) -> Poses:
    """A data set: frames are ``images`` by the numbers in their names, or where there are none by id."""
    images, entries = (_list(file, name, found.get(name)) for name in ("images", "annotations"))
    for i, one in enumerate(images):
        if not isinstance(one, dict):
            raise FormatError(file, f"image {i}", "an object with id and file_name", shown(one))
    ids = [whole(file, f"image {i}: id", one.get("id"), MOST_FRAMES) for i, one in enumerate(images)]
    if len(set(ids)) < len(ids):
        raise FormatError(file, "images", "ids that differ", "the same twice", "Write the file again.")
    names = [one.get("file_name") for one in images]
    order = {id: id for id in ids}
    texts = [name for name in names if isinstance(name, str) and _number(name) is not None]
    if ids and len(texts) == len(names):
        by_name = _numbered(file, texts)
        if len(set(by_name.values())) == len(ids):
            order = {id: by_name[name] for id, name in zip(ids, texts, strict=True)}
    sizes = {size_of(file, "images: ", one.get("height"), one.get("width")) for one in images}
    if len(sizes) > 1:
        raise FormatError(file, "images", "pictures of one size", f"{len(sizes)} sizes", "One file for each video.")
    person = _person(file, found.get("categories"))
    kept = []
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict) or type(entry.get("image_id")) is not int or entry["image_id"] not in order:
            raise FormatError(file, f"annotation {i}", "an object with the image_id of an image", shown(entry))
        seen = entry.get("num_keypoints") != 0 and entry.get("keypoints") is not None
        if seen and (person is None or entry.get("category_id") in person):
            kept.append(entry)
    if person is None and len({str(entry.get("category_id")) for entry in kept}) > 1:
        raise FormatError(file, "category_id", "one category", "several", "Name them in 'categories'.")
    rows = sorted(order.values())
    return _coco(file, kept, order, rows, complete=True, size=next(iter(sizes), None))


def _person(file: str, categories: Any) -> list[int] | None:
    """Ids of the category ``person``; ``None`` where no categories are told. Their joints have to be COCO's."""
    if not categories:
        return None
    out: list[int] = []
    for one in _list(file, "categories", categories):
        if not isinstance(one, dict) or type(one.get("id")) is not int:
            raise FormatError(file, "categories", "objects with id and name", shown(one))
        if one.get("name") == "person":
            out.append(one["id"])
            joints, ours = one.get("keypoints") or [], list(SKELETONS["coco17"].joints)
            if joints and joints != ours:
                hint = f"Bring the joints into COCO's order: {', '.join(ours)}."
                raise FormatError(file, "categories", "COCO's 17 joints", shown(joints), hint)
    if not out:
        raise FormatError(file, "categories", "one named person", "none", "Only poses of people are read.")
    return out


def _coco(
    file: str, entries: list[Any], order: dict[Any, int], rows: Sequence[int], *, complete: bool,
    size: tuple[int, int] | None,
) -> Poses:  # fmt: skip
    """People of each frame in ``rows``; where frames are counted from 1, the first is 1."""
    at = {frame: row for row, frame in enumerate(rows)}
    bodies: list[list[Body]] = [[] for _ in rows]
    read = [_keypoints(file, f"{entry['image_id']!r}: keypoints", entry.get("keypoints")) for entry in entries]
    flags = bool(read) and set(np.unique(np.array([v for _, v in read])).tolist()) <= {0.0, 1.0, 2.0}
    half = flags and any((v == 2).any() for _, v in read)  # 0, 1: labelled but hidden, 2: labelled and seen
    for entry, (flat, v) in zip(entries, read, strict=True):
        flat[v == 0] = np.nan
        bodies[at[order[entry["image_id"]]]].append((flat, v / 2 if half else v, None))
    image, sure, _ = stacked(file, "coco17", bodies)
    frames = np.array(rows, np.int64)
    return Poses("coco17", image, sure, None, "px", frames - (frames[0] == 1), complete, size=size)


def _keypoints(file: str, where: str, value: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if isinstance(value, list) and value and all(isinstance(joint, list) and len(joint) == 3 for joint in value):
        value = [x for joint in value for x in joint]
    if isinstance(value, list) and len(value) != 51:
        hint = "Keep COCO's 17 joints: x, y and confidence of each."
        raise FormatError(file, where, "3 numbers of 17 joints", f"{len(value)} numbers", hint)
    all_ = numbers(file, where, value, 51, MOST_PIXELS).reshape(17, 3)
    return all_[:, :2].copy(), all_[:, 2]


def _number(name: str) -> int | None:
    """The last number in a file's name, without its folder and ending."""
    found = re.findall(r"[0-9]{1,12}", re.sub(r"\.[A-Za-z]\w*$", "", re.split(r"[/\\]", name)[-1]))
    return int(found[-1]) if found else None


def _numbered(file: str, names: Sequence[str]) -> dict[str, int]:
    """name -> number. ``FormatError`` where a name has none, or where they are of several videos."""
    out = {}
    before = set()
    for name in names:
        frame = _number(name)
        if frame is None:
            hint = "Number the pictures of a video from its first."
            raise FormatError(file, "image_id", "names that end in a number", short(name), hint)
        out[name] = frame
        before.add(re.sub(r"[0-9]+\D*$", "", re.sub(r"\.[A-Za-z]\w*$", "", name)))
    if len(before) > 1:
        two = " and ".join(short(name) for name in sorted(before)[:2])
        raise FormatError(file, "", "pictures of one video", f"names that begin with {two}", "One file for each video.")
    return out


# ------------------------------------------------------------------------------------------------ MediaPipe
def mediapipe(file: str, found: list[Any] | dict[str, Any]) -> Poses:
    """Frames with 33 landmarks each; one that is null or empty has nobody."""
    told = found if isinstance(found, dict) else {}
    frames = _list(file, "frames", found.get("frames") if isinstance(found, dict) else found)
    if not any(_landmarks(frame) is not None for frame in frames):
        given = "none in any frame"
        raise FormatError(file, "", f"{LANDMARKS[0]} or keypoints", given, "Is it what the estimator wrote?")
    bodies = [_frame(file, f"frame {i}", frame) for i, frame in enumerate(frames)]
    seen = [body[1] for row in bodies for body in row]
    hidden = [bool(np.isnan(v).all()) for v in seen]
    if any(np.isnan(v).any() for v in seen) and not all(hidden):
        raise FormatError(file, "", "visibility of all landmarks or none", "of some", "Write it of all.")
    if seen and all(hidden):
        bodies = [[(flat, np.ones(33), solid) for flat, _, solid in row] for row in bodies]
    image, sure, world = stacked(file, "mediapipe33", bodies)
    middle = float(np.nanmedian(np.abs(image)))
    if middle > 2.0:
        hint = "Divide x by the picture's width and y by its height."
        raise FormatError(file, "", "x and y as shares of the picture", f"{middle:.0f} in the middle", hint)
    rates = [number(file, name, told[name], MOST_HZ) for name in RATES if told.get(name) is not None]
    size = size_of(file, "", told.get("height"), told.get("width"))
    some, times, rate = [bool(row) for row in bodies], None, next(iter(rates), None)
    key, rows, values = _told(file, frames, some, list(TIMES))
    if key:
        times = np.array(values) * (TIMES[key] or _unit(file, values))
        rate = rate_of(file, key, times) or rate
        index, complete = np.arange(len(rows)), True
    else:
        key, rows, values = _told(file, frames, some, NUMBERS)
        index = np.array([whole(file, key, int(n), MOST_FRAMES) for n in values] or rows, np.int64)
        index, complete = index - (bool(key) and index[0] == 1), not key
    parts = (image[rows], sure[rows], None if world is None else world[rows])
    return Poses("mediapipe33", *parts, "normalised", index, complete, times, rate, size)


def _landmarks(frame: Any) -> Any:
    """What a frame holds of landmarks; ``None``: nothing, not even that there are none."""
    if isinstance(frame, list):
        return frame
    found = [frame[name] for name in LANDMARKS if name in frame] if isinstance(frame, dict) else []
    return next((value if value is not None else [] for value in found), None)


def _frame(file: str, where: str, frame: Any) -> list[Body]:
    if frame is None:
        return []
    if not isinstance(frame, dict | list) or (isinstance(frame, dict) and "keypoints" in frame):
        hint = "A file is of one form alone."
        raise FormatError(file, where, f"an object with {LANDMARKS[0]}, or null", shown(frame), hint)
    flat = _people(_landmarks(frame))
    worlds = [frame[name] for name in WORLD if frame.get(name)] if isinstance(frame, dict) else []
    solid = _people(worlds[0]) if worlds else []
    if solid and len(solid) != len(flat):
        raise FormatError(file, where, f"world landmarks of {len(flat)}", f"of {len(solid)}")
    out: list[Body] = []
    for k, person in enumerate(flat):
        values = _points(file, where, person, 2, MOST_SIZES)
        world = _points(file, f"{where}: world", solid[k], 3, MOST_METRES)[:, :3] if solid else None
        out.append((values[:, :2], values[:, 3], world))
    return out


def _people(value: Any) -> list[Any]:
    """The landmarks of each person: of one there may be no list around them, of nobody nothing."""
    value = _bare(value)
    if not isinstance(value, list) or not value:
        return [] if not value else [value]
    first = _bare(value[0])
    inside = isinstance(first, list) and not (first and isinstance(first[0], int | float))
    return [_bare(person) for person in value if _bare(person)] if inside else [value]


def _bare(value: Any) -> Any:
    """Without the object that protocol buffers put around a list of landmarks."""
    if not isinstance(value, dict):
        return value
    return next((value[name] for name in ("landmark", "landmarks") if name in value), value)


def _points(file: str, where: str, value: Any, need: int, most: float) -> NDArray[np.float64]:
    """(33, 4): x, y, z, visibility, of which the first ``need`` have to be there; what is not is NaN."""
    if not isinstance(value, list) or len(value) != 33:
        given = f"{len(value)}" if isinstance(value, list) else shown(value)
        raise FormatError(file, where, "33 landmarks", given, "Only MediaPipe's whole body is read.")
    rows: list[Any] = []
    for joint in value:
        if isinstance(joint, dict):
            rows += [joint.get(name) for name in ("x", "y", "z", "visibility")]
        elif isinstance(joint, list) and need <= len(joint) <= 5:
            rows += [*joint[:4], *[None] * (4 - len(joint))]
        else:
            raise FormatError(file, where, "landmarks with x, y, z and visibility", shown(joint))
    out = numbers(file, where, rows, 132, most, gaps=True).reshape(33, 4)
    if np.isnan(out[:, :need]).any():
        raise FormatError(file, where, f"{'xyz'[:need]} of each landmark", "null or none", "Leave such a frame out.")
    return out


def _told(file: str, frames: list[Any], seen: list[bool], names: Sequence[str]) -> tuple[str, list[int], list[float]]:
    """The name by which frames tell something (\"\": they do not), the frames that do, and what they tell.

    ``FormatError`` where a frame with somebody in it is silent and others are not, and where values do not increase.
    """
    told = {name for frame in frames if isinstance(frame, dict) for name in names if frame.get(name) is not None}
    if not told:
        return "", list(range(len(frames))), []
    key = min(told, key=list(names).index)
    rows, values = [], []
    for i, frame in enumerate(frames):
        value = frame.get(key) if isinstance(frame, dict) else None
        if value is not None:
            rows.append(i)
            values.append(float(numbers(file, f"frame {i}: {key}", [value], 1, 1e18)[0]))
        elif seen[i]:
            raise FormatError(file, f"frame {i}", f"{key}, as in other frames", "none", "Write it in all frames.")
    increasing(file, key, np.array(values))
    return key, rows, values


def _unit(file: str, times: Sequence[float]) -> float:
    """Seconds of a ``timestamp``, found from its steps: pictures come at 2 to 250 Hz."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    found = next((unit for unit in (1.0, 1e-3, 1e-6) if 0.004 <= step * unit <= 0.5), None)
    if found is None:
        hint = "Name it time_s, timestamp_ms or timestamp_us."
        raise FormatError(file, "timestamp", "steps of 4 to 500 ms", f"{step:g}", hint)
    return found


# ------------------------------------------------------------------------------------------------ shared
def _list(file: str, where: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        given = "an empty list" if value == [] else shown(value)
        raise FormatError(file, where, "a list of frames or poses", given, "Is it what the estimator wrote?")
    return value
