"""Variations of movements, to train on: tempo, a warped clock, amplitude, the mirror image.

    from kinjo.sensors import random_rotation
    from kinjo.vary import Variation, varied

    motion, mirrored = varied(motion, Variation(tempo=0.2, warp=0.2, amplitude=0.2, mirror=0.5), rng)
    imu = virtual_imu(motion, MIRROR_PLACEMENT[placement] if mirrored else placement)
    imu = imu.turned(random_rotation(rng, 180))        # one mounting for accelerometer and gyroscope

The numbers that follow from a movement stay true to each other: vary the movement, then simulate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kinjo import spline
from kinjo.body import CANONICAL
from kinjo.motion import BONES, PARENTS, SEGMENTS, Floats, J, Motion, segment_frames, to_matrices, to_quaternions

_OWNER = {
    **{end: segment for segment, (_, end) in BONES.items()},
    **{f"{side}_shoulder": "chest" for side in ("left", "right")},
    **{f"{side}_hip": "pelvis" for side in ("left", "right")},
}
"""joint -> the segment that carries it."""


@dataclass(frozen=True)
class Variation:
    """How much a movement may change. ``tempo`` and ``amplitude``: up to this share more or less (log-uniform, normal
    to the eye); ``warp``: how much the tempo drifts within; ``mirror``: how likely left and right are swapped."""

    tempo: float = 0.0
    warp: float = 0.0
    amplitude: float = 0.0
    mirror: float = 0.0


def varied(motion: Motion, how: Variation, rng: np.random.Generator) -> tuple[Motion, bool]:
    """The movement varied, and whether it was mirrored (placements then change sides: ``body.MIRROR_PLACEMENT``)."""
    if how.tempo > 0:
        motion = faster(motion, _factor(how.tempo, rng))
    if how.warp > 0:
        motion, _ = warped(motion, how.warp, rng)
    if how.amplitude > 0:
        motion = amplified(motion, _factor(how.amplitude, rng))
    mirror = bool(rng.random() < how.mirror)
    return (motion.mirrored() if mirror else motion), mirror


def faster(motion: Motion, factor: float) -> Motion:
    """The same frames in ``1 / factor`` of the time: the rate is higher."""
    return replace(motion, rate_hz=motion.rate_hz * factor)


def warped(motion: Motion, strength: float, rng: np.random.Generator, *, each_s: float = 2.0) -> tuple[Motion, Floats]:
    """The movement at a tempo that drifts by up to ``strength``, anew about every ``each_s`` seconds; its length stays.

    Returns the motion and the old time in seconds ``(frames,)`` of each new frame. A frame is missing where a
    neighbour was. Rotations must be finite.
    """
    n, rate = motion.positions.shape[-3], motion.rate_hz
    knots = max(2, round(n / rate / each_s) + 1)
    speed = np.interp(np.linspace(0, knots - 1, n), np.arange(knots), 1 + strength * rng.uniform(-1, 1, knots))
    steps = np.maximum((speed[1:] + speed[:-1]) / 2, 0.05)
    old = np.r_[0.0, np.cumsum(steps)]
    old *= (n - 1) / old[-1]
    missing = None
    if motion.missing is not None:
        below = np.floor(old).astype(np.int64)
        missing = motion.missing[below] | motion.missing[np.minimum(below + 1, n - 1)]
    positions = _resampled(motion.positions, motion.missing, old / rate, rate)
    rotations = motion.rotations
    if rotations is not None:
        turning = np.moveaxis(to_quaternions(np.moveaxis(rotations, -3, -4)), -3, -2)
        rotations = to_matrices(_resampled(turning, None, old / rate, rate))
    return replace(motion, positions=positions, rotations=rotations, missing=missing), old / rate


def _resampled(values: Floats, missing: NDArray[np.bool_] | None, times: Floats, rate_hz: float) -> Floats:
    """``values (..., frames, k, m)`` at other ``times``, through a curve that touches every known frame."""
    axis = values.ndim - 3
    moved = np.moveaxis(values, axis, 0)
    out = np.empty((len(times), *moved.shape[1:]))
    for k in range(values.shape[-2]):
        known = np.ones(len(moved), bool) if missing is None else ~missing[:, k]
        flat = moved[..., k, :].reshape(len(moved), -1)
        usable = np.count_nonzero(known) >= 4
        curve = (
            spline.fit(flat, rate_hz, rate_hz / 2, known)(times) if usable else np.zeros((len(times), flat.shape[1]))
        )
        out[..., k, :] = curve.reshape(len(times), *moved.shape[1:-2], moved.shape[-1])
    return np.moveaxis(out, 0, axis)


def amplified(motion: Motion, factor: float) -> Motion:
    """The movement with every joint turning ``factor`` times as far from its mean; bones keep their length.

    The pelvis keeps its place over the floor and its turning; the lowest joint keeps its height.
    """
    from scipy.spatial.transform import Rotation

    positions = motion.positions
    if motion.missing is not None:  # bridged, so that no joint lies at the origin for a while
        times = np.arange(positions.shape[-3]) / motion.rate_hz
        positions = _resampled(positions, motion.missing, times, motion.rate_hz)
    turned = segment_frames(positions, motion.lacking) if motion.rotations is None else motion.rotations
    new = turned.copy()
    for segment in SEGMENTS[1:]:
        parent, own = SEGMENTS.index(PARENTS.get(segment, "pelvis")), SEGMENTS.index(segment)
        local = np.swapaxes(turned[..., parent, :, :], -1, -2) @ turned[..., own, :, :]
        for index in np.ndindex(local.shape[:-3]):
            turns = Rotation.from_matrix(local[index])
            middle = turns.mean()
            more = middle * Rotation.from_rotvec((middle.inv() * turns).as_rotvec() * factor)
            new[(*index, slice(None), own)] = new[(*index, slice(None), parent)] @ more.as_matrix()
    joints = positions.copy()
    for joint, parent in zip(CANONICAL.joints, CANONICAL.parents, strict=True):
        if parent < 0 or joint in motion.lacking:
            continue
        own = SEGMENTS.index(_OWNER[joint])
        bone = positions[..., J[joint], :] - positions[..., parent, :]
        carried = new[..., own, :, :] @ np.swapaxes(turned[..., own, :, :], -1, -2)
        joints[..., J[joint], :] = joints[..., parent, :] + (carried @ bone[..., None])[..., 0]
    there = [J[joint] for joint in CANONICAL.joints if joint not in motion.lacking]
    lowest = positions[..., there, 1].min(-1) - joints[..., there, 1].min(-1)
    joints[..., there, 1] += lowest[..., None]
    return replace(motion, positions=joints, rotations=None if motion.rotations is None else new)


def _factor(share: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(-1, 1) * np.log1p(share)))
