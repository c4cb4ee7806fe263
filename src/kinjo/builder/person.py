"""From what an estimator saw to one person's movement: whom to follow, what to trust, where in the room, how tall.

Image axes: x right, y down. The room that comes out is ``Motion``'s: metres, x right, y up, z towards the camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinjo.body import SKELETONS
from kinjo.builder.estimators import Seen
from kinjo.motion import J, Motion

Floats = NDArray[np.float64]

SURE = 0.5
"""A joint of less confidence is not known."""
FULL = (
    "left_shoulder", "right_shoulder", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
"""Joints that make a full body."""
CORE = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
"""Joints without which nobody is said to be there."""
REACH = 0.6
"""A person moves less than this share of its own size from one frame to the next."""
JUMP_M_S = 12.0
"""No joint is faster about the hips: a sprinter's foot reaches 10 m/s."""
FIELD_DEG = 60.0
"""Horizontal field of view that is assumed where nobody tells: phones have 60 to 75 degrees, camcorders 50 to 60."""
HEIGHT_M = 1.7
"""Assumed where nobody tells."""


@dataclass(frozen=True)
class Person:
    """One person: ``image (frames, joints, 2)`` pixels, ``world (frames, joints, 3)`` or ``None``, as in ``Seen``;
    ``confidence (frames, joints)``. What is not known is NaN; ``there (frames,)``: whether the person was seen, and
    ``full``, with shoulders, hips, knees and ankles."""

    skeleton: str
    image: Floats
    confidence: Floats
    world: Floats | None
    there: NDArray[np.bool_]
    full: NDArray[np.bool_]


def main_person(seen: Seen) -> Person | None:
    """Follow everybody from frame to frame and keep the largest for the longest; ``None`` where nobody is seen.

    A track goes on with whoever stands nearest to where it was, within ``REACH``; who comes back later elsewhere is
    another track.
    """
    image, sure = np.asarray(seen.image, np.float64), np.asarray(seen.confidence, np.float64)
    frames, _, joints = sure.shape
    known = (sure >= SURE) & np.isfinite(image).all(-1)
    enough = (known.sum(2) >= 4)[..., None]
    low = np.where(enough, np.where(known[..., None], image, np.inf).min(2), 0.0)
    high = np.where(enough, np.where(known[..., None], image, -np.inf).max(2), 0.0)
    size, centre = np.linalg.norm(high - low, axis=-1), (low + high) / 2
    tracks = _tracks(centre, size)
    if not tracks:
        return None
    best = max(tracks, key=lambda t: sum(size[f, p] for f, p in t))
    out = {name: np.full((frames, joints, width), np.nan) for name, width in (("image", 2), ("world", 3))}
    trust = np.zeros((frames, joints))
    for f, p in best:
        trust[f] = sure[f, p]
        out["image"][f] = np.where(known[f, p][:, None], image[f, p], np.nan)
        if seen.world is not None:
            out["world"][f] = np.where(known[f, p][:, None], seen.world[f, p], np.nan)
    names = SKELETONS[seen.skeleton].joints
    there, full = (
        np.asarray(np.isfinite(out["image"][:, [names.index(j) for j in wanted]]).all((1, 2)))
        for wanted in (CORE, FULL)
    )
    return Person(seen.skeleton, out["image"], trust, None if seen.world is None else out["world"], there, full)


def _tracks(centre: Floats, size: Floats) -> list[list[tuple[int, int]]]:
    """Lists of (frame, person). Few persons and frames: a plain greedy match, nearest first."""
    tracks: list[list[tuple[int, int]]] = []
    live: list[int] = []
    for f in range(len(size)):
        here = [p for p in range(size.shape[1]) if size[f, p] > 0]
        pairs = sorted((float(np.linalg.norm(centre[f, p] - centre[tracks[t][-1]])), t, p) for t in live for p in here)
        used: set[int] = set()
        taken: set[int] = set()
        for distance, t, p in pairs:
            last = tracks[t][-1]
            if t not in used and p not in taken and distance <= REACH * max(size[last], size[f, p]) * (f - last[0]):
                tracks[t].append((f, p))
                used.add(t)
                taken.add(p)
        for p in here:
            if p not in taken:
                live.append(len(tracks))
                tracks.append([(f, p)])
        live = [t for t in live if f - tracks[t][-1][0] < 15]
    return tracks


def steady(person: Person, rate_hz: float) -> Floats:
    """``world`` without what jumps: a joint that would move faster than ``JUMP_M_S`` both to and from a frame."""
    assert person.world is not None
    world = person.world.copy()
    step = np.linalg.norm(np.diff(world, axis=0), axis=-1) * rate_hz
    fast = np.nan_to_num(step, nan=0.0) > JUMP_M_S
    wrong = np.zeros(world.shape[:2], bool)
    wrong[1:-1] = fast[:-1] & fast[1:]
    world[wrong] = np.nan
    return world


def motion(person: Person, rate_hz: float, size: tuple[int, int], *, height_m: float = HEIGHT_M,
           field_deg: float = FIELD_DEG) -> Motion:  # fmt: skip
    """The movement in the room, of ``world`` about the hips and of where the person is in pictures of ``size``.

    ``size`` is (height, width). The camera is taken to stand level; its field of view and the person's height are
    assumed where nobody tells. ``ValueError`` without a third dimension or where the person is never there.
    """
    if person.world is None:
        raise ValueError(f"poses of {person.skeleton} have no third dimension: no virtual IMU can be made of them")
    world = steady(person, rate_hz)
    world[~person.there] = np.nan
    world *= scale(world, person.skeleton, height_m)
    where = root(world, person.image, person.confidence, size, field_deg)
    room = (world + _smooth(where, rate_hz)[:, None]) * (1.0, -1.0, -1.0)
    return Motion.of(room, person.skeleton, rate_hz)


def scale(world: Floats, skeleton: str, height_m: float) -> float:
    """What makes a body ``height_m`` tall: leg, trunk and head of its median frame, against 0.88 of the height.

    Ankle to ear is 0.88 of stature (Drillis and Contini 1966: ankle at 0.039, ear at 0.92 of it).
    """
    joints = Motion.of(world * (1.0, -1.0, -1.0), skeleton, 30.0)
    x = joints.positions.copy()
    if joints.missing is not None:
        x[joints.missing] = np.nan
    lengths = []
    for side in ("left", "right"):
        chain = [J[f"{side}_{j}"] for j in ("ankle", "knee", "hip")]
        leg = np.linalg.norm(np.diff(x[:, chain], axis=1), axis=-1).sum(1)
        trunk = np.linalg.norm(np.diff(x[:, [J["pelvis"], J["neck"], J["head"]]], axis=1), axis=-1).sum(1)
        lengths.append(leg + trunk)
    both = np.concatenate(lengths)
    both = both[np.isfinite(both)]
    middle = float(np.median(both)) if len(both) else 0.0
    return 0.88 * height_m / middle if middle > 0 else 1.0


def root(world: Floats, image: Floats, confidence: Floats, size: tuple[int, int], field_deg: float) -> Floats:
    """Where the hips are, ``(frames, 3)`` metres, x right, y down, z away: such that ``world`` there looks as seen.

    Least squares over the joints, weighed by confidence, of ``u (Z + z) = f (X + x)`` and the same for v; NaN where
    less than four joints are known.
    """
    height, width = size
    f = width / 2 / np.tan(np.radians(field_deg) / 2)
    u, v = (image[..., 0] - width / 2) / f, (image[..., 1] - height / 2) / f
    known = np.isfinite(world).all(-1) & np.isfinite(image).all(-1)
    w = np.where(known, confidence, 0.0)
    u, v, x, y, z = (np.where(known, a, 0.0) for a in (u, v, *np.moveaxis(world, -1, 0)))
    total = w.sum(1)
    a = np.zeros((len(world), 3, 3))
    a[:, 0, 0] = a[:, 1, 1] = total
    a[:, 0, 2] = a[:, 2, 0] = -(w * u).sum(1)
    a[:, 1, 2] = a[:, 2, 1] = -(w * v).sum(1)
    a[:, 2, 2] = (w * (u * u + v * v)).sum(1)
    dx, dy = w * (u * z - x), w * (v * z - y)
    b = np.stack([dx.sum(1), dy.sum(1), -(u * dx + v * dy).sum(1)], 1)
    out = np.full((len(world), 3), np.nan)
    solvable = (known.sum(1) >= 4) & (np.linalg.det(a) > 1e-9)
    out[solvable] = np.linalg.solve(a[solvable], b[solvable][..., None])[..., 0]
    out[~(out[:, 2] > 0.3)] = np.nan  # in front of the camera, not in it
    return out


def _smooth(where: Floats, rate_hz: float) -> Floats:
    """Place in the room: depth, which one camera hardly tells, by a running median of a second; gaps by lines."""
    known = np.isfinite(where).all(1)
    if not known.any():
        return np.zeros_like(where)
    at = np.arange(len(where))
    filled = np.stack([np.interp(at, at[known], where[known, k]) for k in range(3)], 1)
    half = max(1, round(rate_hz / 2))
    ratio = filled[:, :2] / filled[:, 2:]
    padded = np.pad(filled[:, 2], half, mode="edge")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)
    bell = np.hanning(2 * half + 3)[1:-1]
    depth = np.convolve(np.pad(middle, half, mode="edge"), bell / bell.sum(), mode="valid")
    return np.concatenate([ratio * depth[:, None], depth[:, None]], 1)
