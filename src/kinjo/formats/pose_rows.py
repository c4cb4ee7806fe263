"""What every file of poses comes to: ``Poses``, and how bodies that were read one by one become its arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import SKELETONS
from kinjo.formats.errors import FormatError, read_text, short

Floats = NDArray[np.float32]
Body = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]
"""Of one person in one frame: image (joints, 2), confidence (joints,), world (joints, 3) where the file has it."""

MOST_CELLS = 20_000_000
"""Frames x people x joints: five hours at 30 Hz of one person with 33 joints. More is a broken or hostile file."""
MOST_PEOPLE = 64
MOST_PIXELS = 1e5
MOST_SIZES = 100.0
"""Of a normalised picture: joints outside it are guessed, but not so far."""
MOST_METRES = 20.0
"""From the hips: more is centimetres or millimetres."""
MOST_SECONDS = 1e6
"""From the start of a video: more is the time of day."""
MOST_HZ = 1000.0


@dataclass(frozen=True)
class Poses:
    """Poses of up to ``people`` persons, frame by frame. Person k of one frame need not be person k of the next.

    ``image (rows, people, joints, 2)``: x right, y down, in ``units``: ``px`` of an upright picture of ``size``
    (height, width; ``None``: the video's own), or ``normalised`` by it. ``confidence (rows, people, joints)`` 0 to 1.
    ``world (rows, people, joints, 3)``: metres about the hips, x right, y down, z away from the camera, or ``None``.
    NaN where not known. ``frames (rows,)``: which frame of the video each row is, from 0; ``complete``: whether the
    file tells of every frame, or only of those with somebody in them. ``times_s (rows,)``: seconds from the video's
    first frame, or ``None`` where the file has frames alone. ``rate_hz``: frames a second, where the file tells.
    """

    skeleton: str
    image: Floats
    confidence: Floats
    world: Floats | None
    units: str
    frames: NDArray[np.int64]
    complete: bool = True
    times_s: NDArray[np.float64] | None = None
    rate_hz: float | None = None
    size: tuple[int, int] | None = None
    video_sha256: str = ""

    def __post_init__(self) -> None:
        if self.skeleton not in SKELETONS or self.units not in ("px", "normalised"):
            raise ValueError(f"poses of skeleton '{self.skeleton}' in '{self.units}': known are {', '.join(SKELETONS)}")
        shape = (len(self.frames), self.image.shape[1], len(SKELETONS[self.skeleton].joints))
        parts = [(self.image, (*shape, 2)), (self.confidence, shape)]
        parts += [] if self.world is None else [(self.world, (*shape, 3))]
        parts += [] if self.times_s is None else [(self.times_s, shape[:1])]
        if any(part.shape != wanted for part, wanted in parts):
            given = ", ".join(str(part.shape) for part, _ in parts)
            raise ValueError(
                f"poses of {self.skeleton}: expected (rows, people, joints, axes) of {shape}, given {given}"
            )


def parsed(path: Path) -> Any:
    """The JSON in a file. ``FormatError`` for what is none, for NaN and infinities, and for brackets without end."""
    text = read_text(path)

    def wrong(word: str) -> Any:
        raise FormatError(path.name, "", "numbers", word, "Write null where a joint is not known.")

    try:
        return json.loads(text, parse_constant=wrong)
    except FormatError:
        raise
    except RecursionError:
        given = "brackets inside brackets without end"
        raise FormatError(path.name, "", "poses", given, "Is it a file of poses?") from None
    except ValueError as error:
        hint = "It is cut off or damaged: write or copy it again."
        raise FormatError(path.name, "", "JSON", str(error), hint) from error


def numbers(file: str, where: str, values: Any, count: int, most: float, *, gaps: bool = False) -> NDArray[np.float64]:
    """A JSON list as ``count`` finite numbers of size at most ``most``; null is NaN where there may be ``gaps``."""
    if not isinstance(values, list) or len(values) != count:
        raise FormatError(file, where, f"{count} numbers", shown(values), "Is it of another skeleton or program?")
    allowed = {int, float, type(None)} if gaps else {int, float}
    if not set(map(type, values)) <= allowed:
        other = next(value for value in values if type(value) not in allowed)
        raise FormatError(file, where, "numbers", shown(other))
    try:
        found = np.array([np.nan if value is None else value for value in values], np.float64)
    except OverflowError:
        found = np.full(count, np.inf)
    if (np.abs(found) > most).any():
        far = float(np.nanmax(np.abs(found)))
        raise FormatError(file, where, f"numbers up to {most:g}", f"{far:.3g}", "Correct the units, or leave it out.")
    return found


def number(file: str, where: str, value: Any, most: float, least: float = 0.0) -> float:
    """One number above ``least`` and at most ``most``."""
    found = float(numbers(file, where, [value], 1, most)[0])
    if not found > least:
        raise FormatError(file, where, f"a number above {least:g}", f"{found:g}")
    return found


def whole(file: str, where: str, value: Any, most: int, least: int = 0) -> int:
    """One whole number from ``least`` to ``most``."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise FormatError(file, where, f"a whole number from {least} to {most}", shown(value))
    return value


def size_of(file: str, where: str, height: Any, width: Any) -> tuple[int, int] | None:
    """(height, width) of a picture, ``None`` where the file tells neither."""
    if height is None and width is None:
        return None
    most = int(MOST_PIXELS)
    return whole(file, f"{where}height", height, most, 1), whole(file, f"{where}width", width, most, 1)


def stacked(file: str, skeleton: str, bodies: Sequence[Sequence[Body]]) -> tuple[Floats, Floats, Floats | None]:
    """Image, confidence and world of ``Poses``, of the people of each row. Nobody is NaN and confidence 0.

    ``FormatError`` where some have a third dimension and others none, where confidences are not 0 to 1 or all 0, and
    where there is nobody at all or too many.
    """
    joints = len(SKELETONS[skeleton].joints)
    people = max((len(row) for row in bodies), default=0)
    if people > MOST_PEOPLE:
        raise FormatError(file, "", f"at most {MOST_PEOPLE} people a frame", f"{people}", "Keep the surest of them.")
    if people * len(bodies) * joints > MOST_CELLS:
        given = f"{len(bodies)} frames of {people} people"
        raise FormatError(file, "", f"at most {MOST_CELLS} joints in all", given, "Cut it into files.")
    some = [body for row in bodies for body in row]
    if not some:
        raise FormatError(file, "", "poses", "nobody in any frame", "Is it what the estimator wrote?")
    if len({body[2] is None for body in some}) > 1:
        hint = "Leave the world coordinates out, or write them of everybody."
        raise FormatError(file, "", "world coordinates of all or none", "of some", hint)
    shape = (len(bodies), people, joints)
    image, sure = np.full((*shape, 2), np.nan, np.float32), np.zeros(shape, np.float32)
    world = None if some[0][2] is None else np.full((*shape, 3), np.nan, np.float32)
    for t, row in enumerate(bodies):
        for k, (flat, trust, solid) in enumerate(row):
            image[t, k], sure[t, k] = flat, trust
            if world is not None and solid is not None:
                world[t, k] = solid
    return image, trusted(file, sure), world


def trusted(file: str, sure: Floats) -> Floats:
    """Confidences, held to 0 to 1: some heat maps go a little beyond."""
    low, high = float(sure.min()), float(sure.max())
    if low < 0 or high > 1.1:
        given = f"{low:g} to {high:g}"
        raise FormatError(file, "", "confidences from 0 to 1", given, "Divide them by the largest there can be.")
    if high == 0:
        raise FormatError(file, "", "confidences above 0", "0 of every joint", "Write how sure the estimator was.")
    return np.minimum(sure, np.float32(1.0))


def increasing(file: str, what: str, values: NDArray[Any]) -> None:
    """``FormatError`` where ``values`` of the rows do not increase."""
    if (np.diff(values) <= 0).any():
        at = int(np.argmax(np.diff(values) <= 0)) + 1
        given = f"{values[at]:g} after {values[at - 1]:g}"
        raise FormatError(file, what, "values that increase", given, "Sort the frames; one file for each video.")


def rate_of(file: str, what: str, times_s: NDArray[np.float64]) -> float | None:
    """Frames a second of times that increase from the start of a video; ``None`` of a single one."""
    increasing(file, what, times_s)
    far = float(np.abs(times_s).max())
    if far > MOST_SECONDS:
        raise FormatError(file, what, "times from the start of the video", f"{far:.3g} s", "Subtract the first one.")
    if len(times_s) < 2:
        return None
    step = float(np.median(np.diff(times_s)))
    if step < 1 / MOST_HZ:
        hint = "Are they in another unit?"
        raise FormatError(
            file, what, f"at most {MOST_HZ:g} frames a second", f"{step:.3g} s from one to the next", hint
        )
    return 1 / step


def shown(value: Any) -> str:
    """The beginning of a JSON value, for an error."""
    if isinstance(value, dict):
        return f"an object with {', '.join(short(str(key), 20) for key in list(value)[:6]) or 'nothing'}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "null" if value is None else short(str(value))
