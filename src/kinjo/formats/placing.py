"""From a file's units and axes into the world of ``Motion``: metres, y up, right-handed. What all formats share.

Positions here are ``(frames, 17, 3)`` of the canonical joints, NaN where a joint is not known.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import CANONICAL
from kinjo.formats.errors import FormatError, Said
from kinjo.motion import J

Floats = NDArray[np.floating[Any]]

UNITS: dict[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "cmu": 0.0254 / 0.45}
"""name -> metres. ``cmu``: inches / 0.45, in which the CMU database keeps its skeletons."""

SIZE = (0.9, 1.75)
"""Metres from ankle to neck along the bones: children of 7 to the tallest. The units of a file are those in which its
body has such a size; the ranges of no two units meet, so the guess is never between two."""

LARGEST_PLACE, LARGEST_ANGLE = 1e7, 1e5
"""In a file's own units, and degrees: beyond lies no body, and no count of turns."""

FARTHEST = 1000.0
"""Metres from the origin: beyond lies no capture volume."""

UPS = ("y", "z", "x", "-y", "-z", "-x")
_TURNS = {
    "y": np.eye(3),
    "z": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "x": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "-y": np.diag([1.0, -1, -1]),
    "-z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
    "-x": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]),
}
_CLEAR = 0.8
"""Share of the mean direction from the feet to the neck that has to lie along one axis for it to count as up."""


def turn_to_y(up: str) -> Floats:
    """The rotation ``(3, 3)`` that turns a file's up axis (one of ``UPS``) into y."""
    return _TURNS[up]


def sample(positions: Floats, most: int = 2000) -> Floats:
    """At most ``most`` frames of ``positions (frames, ...)``, evenly spread."""
    return positions[:: max(1, -(-len(positions) // most))]


def _length(positions: Floats, *joints: str) -> Floats:
    """``(frames,)``: along the bones that join ``joints``."""
    line = np.stack([positions[:, J[joint]] for joint in joints])
    return np.linalg.norm(np.diff(line, axis=0), axis=-1).sum(0)


def body_size(file: str, positions: Floats) -> float:
    """From ankle to neck along the bones, in the file's units: the median over frames where all are known."""
    some = sample(positions)
    left, right = (_length(some, f"{side}_hip", f"{side}_knee", f"{side}_ankle") for side in ("left", "right"))
    hips = (some[:, J["left_hip"]] + some[:, J["right_hip"]]) / 2
    size = (left + right) / 2 + np.linalg.norm(some[:, J["neck"]] - hips, axis=-1)
    size = size[np.isfinite(size)]
    if not len(size) or np.median(size) <= 0:
        raise FormatError(
            file, "body", "legs and trunk in some frame", "a body without length, or with gaps in every frame",
            "Fill the gaps before the export, or name the joints with joints=.",
        )  # fmt: skip
    ratio = float(np.nanmedian(left / np.maximum(right, 1e-9)))
    if not 2 / 3 < ratio < 1.5:
        raise FormatError(
            file, "body", "legs of like length", f"the left {ratio:.3g} times the right",
            "The file is damaged, or joints are named wrongly: see joints=.",
        )  # fmt: skip
    return float(np.median(size))


def metres(file: str, size: float, said: Said, of_file: str | float | None = None) -> float:
    """Metres per unit of the file: as said, as the file says, or guessed from the ``size`` of the body in it."""
    units = said.units if said.units is not None else of_file
    if isinstance(units, str) and units not in UNITS and re.fullmatch(r"[0-9.]+(e-?[0-9]+)?", units):
        units = float(units)
    if units is None:
        fitting = [name for name, scale in UNITS.items() if SIZE[0] <= size * scale <= SIZE[1]]
        if not fitting:
            raise FormatError(
                file, "units", f"a body of {SIZE[0]} to {SIZE[1]} in m, cm, mm, in or CMU's unit from ankle to neck",
                f"one of {size:.4g}", "Say units= ('m', 'cm', 'mm', 'in', 'cmu', or metres per unit).",
            )  # fmt: skip
        said.note(f"{file}: units guessed from the body's size: {fitting[0]}")
        return UNITS[fitting[0]]
    if isinstance(units, str) and units not in UNITS:
        raise FormatError(file, "units", f"one of {', '.join(UNITS)}, or metres per unit", repr(units), "Correct it.")
    scale = UNITS[units] if isinstance(units, str) else float(units)
    if not (np.isfinite(scale) and SIZE[0] / 2 <= size * scale <= SIZE[1] * 1.5):
        raise FormatError(
            file, f"units '{units}'", f"a body of {SIZE[0]} to {SIZE[1]} m from ankle to neck",
            f"{size * scale:.4g} m", "Say units= ('m', 'cm', 'mm', 'in', 'cmu', or metres per unit).",
        )  # fmt: skip
    return scale


def upright(positions: Floats) -> str | None:
    """The axis along which the body stands, feet to neck, in the mean over frames; ``None`` where it is not clear."""
    some = sample(positions)
    feet = (some[:, J["left_ankle"]] + some[:, J["right_ankle"]]) / 2
    body = some[:, J["neck"]] - feet
    body = body[np.isfinite(body).all(-1)]
    legs = _length(some, "left_hip", "left_knee", "left_ankle")
    legs = legs[np.isfinite(legs)]
    if not len(body) or not len(legs):
        return None
    mean = body.mean(0)
    axis = int(np.abs(mean).argmax())
    if abs(mean[axis]) < _CLEAR * np.linalg.norm(body, axis=-1).mean() or abs(mean[axis]) < np.median(legs):
        return None
    return ("" if mean[axis] > 0 else "-") + "xyz"[axis]


def _on_floor(positions: Floats, up: str, size: float) -> bool:
    """Whether the lowest joint lies just above zero along ``up`` in most frames: the origin lies on the floor."""
    heights = sample(positions) @ turn_to_y(up)[1]
    heights = heights[np.isfinite(heights).all(-1)] if np.isfinite(heights).all(-1).any() else heights
    lowest = np.where(np.isfinite(heights), heights, np.inf).min(-1)
    lowest = lowest[np.isfinite(lowest)]
    return bool(len(lowest)) and -0.05 * size < float(np.median(lowest)) < 0.15 * size


def up_axis(file: str, positions: Floats, size: float, said: Said, rest: Floats | None = None) -> str:
    """The file's up axis: as said, or from the movement ``(frames, 17, 3)`` and the ``rest`` pose ``(1, 17, 3)``.

    Where movement and rest pose disagree, or only the movement speaks, a floor at zero decides; where it does not
    either, ``FormatError`` asks for ``up=``.
    """
    if said.up is not None:
        if said.up not in UPS:
            raise FormatError(file, "up=", f"one of {', '.join(UPS)}", repr(said.up), "Correct it.")
        return said.up
    moving, resting = upright(positions), None if rest is None else upright(rest)
    if resting is not None and moving in (None, resting):
        chosen = resting
    else:
        fitting = [axis for axis in {moving, resting} - {None} if axis and _on_floor(positions, axis, size)]
        if len(fitting) != 1:
            raise FormatError(
                file, "up axis", "a body that stands along one axis, the floor at zero",
                f"{moving or 'none'} from the movement, {resting or 'none'} from the rest pose",
                "Say which axis points up: up='y' or up='z'.",
            )  # fmt: skip
        chosen = fitting[0]
    if chosen != "y":
        said.note(f"{file}: {chosen} is up in the file; turned to y")
    return chosen


def stated_up(file: str, positions: Floats, size: float, said: Said, up: str | None) -> str:
    """The up axis that the file states (``up``), unless the body stands along another one, with the floor at zero."""
    if up is None or said.up is not None:
        return up_axis(file, positions, size, said)
    standing = upright(positions) or up
    if standing != up and (not _on_floor(positions, up, size) or _on_floor(positions, standing, size)):
        raise FormatError(
            file, "up axis", f"a body that stands along {up}, as the file says", f"one along {standing}",
            f"Say which axis points up: up='{standing}' or up='{up}'.",
        )  # fmt: skip
    return up


def check_numbers(file: str, values: Floats, most: float, what: str) -> None:
    """Raise ``FormatError`` where a number of ``values (frames, ...)`` is beyond ``most``. NaN is let through."""
    beyond = (np.abs(np.nan_to_num(values, nan=0.0)) > most).reshape(len(values), -1).any(1)
    if beyond.any():
        where = f"frame {int(beyond.argmax()) + 1}"
        raise FormatError(file, where, f"{what} within {most:g}", "one beyond", "The file is damaged: copy it again.")


def check_sides(file: str, positions: Floats) -> None:
    """Raise ``FormatError`` where the toes point behind the body: left and right are swapped, or axes left-handed."""
    some = sample(positions)
    right = some[:, J["right_hip"]] - some[:, J["left_hip"]]
    front = np.cross([0.0, 1.0, 0.0], right)
    toes = sum(some[:, J[f"{side}_foot"]] - some[:, J[f"{side}_ankle"]] for side in ("left", "right"))
    toes = toes * [1.0, 0.0, 1.0]
    ahead = (front * toes).sum(-1) / np.maximum(np.linalg.norm(front, axis=-1) * np.linalg.norm(toes, axis=-1), 1e-9)
    ahead = ahead[np.isfinite(ahead)]
    if len(ahead) and np.median(ahead) < -0.5:
        raise FormatError(
            file, "sides", "toes that point to the front, right of the left hip the right one",
            "toes that point behind",
            "If the file's axes are left-handed (Unity), say left_handed=True; else name the sides with joints=.",
        )  # fmt: skip


def check_places(file: str, positions: Floats) -> None:
    """Raise ``FormatError`` naming the frame where metres are not of this world: far away, or bones beyond human."""
    far = np.abs(np.nan_to_num(positions, nan=0.0)).max((1, 2)) > FARTHEST
    if far.any():
        frame = int(far.argmax())
        raise FormatError(
            file, f"frame {frame + 1}", f"joints within {FARTHEST:g} m of the origin", "one beyond",
            "The file is damaged, or its units are others: say units=.",
        )  # fmt: skip
    for parent, child in CANONICAL.bones:
        length = np.linalg.norm(positions[:, parent] - positions[:, child], axis=-1)
        bad = np.nan_to_num(length, nan=0.0) > 1.5
        if bad.any():
            frame = int(bad.argmax())
            names = f"{CANONICAL.joints[parent]} to {CANONICAL.joints[child]}"
            raise FormatError(
                file, f"frame {frame + 1}", "bones of a body", f"{length[frame]:.3g} m from {names}",
                "The file is damaged, or joints are named wrongly: see joints=.",
            )  # fmt: skip


def check_rate(file: str, where: str, rate_hz: float) -> float:
    """``rate_hz`` where it lies between 1 and 2000 frames per second, else ``FormatError``."""
    if not (np.isfinite(rate_hz) and 1.0 <= rate_hz <= 2000.0):
        raise FormatError(
            file, where, "1 to 2000 frames per second", f"{rate_hz:g}", "Say the right one with rate_hz=."
        )
    return float(rate_hz)
