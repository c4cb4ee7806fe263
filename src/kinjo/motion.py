"""A body's movement: where its joints are and how its segments are turned, from positions alone if need be.

**World.** Metres, right-handed, ``y`` up. Readers turn what they read into it.

**Segment frame.** As the ISB recommends (Wu et al. 2002, 2005): standing upright with the arms hanging, thumbs
forward, every segment's ``x`` points forward, ``y`` up, ``z`` to the person's right. ``y`` stays along the segment,
towards its proximal end (of a foot: ``x`` along it, towards the toes).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.body import CANONICAL, Skeleton, mirror, swap_side, to_canonical
from kinjo.recording import Contract, Recording, Stream

Floats = NDArray[np.floating[Any]]

SEGMENTS: tuple[str, ...] = (
    "pelvis", "chest", "head", "left_upper_arm", "left_forearm", "left_hand", "right_upper_arm", "right_forearm",
    "right_hand", "left_thigh", "left_shin", "left_foot", "right_thigh", "right_shin", "right_foot",
)  # fmt: skip
"""Rigid parts of the body, the order of ``Motion.rotations``."""

_SWAPPED = [SEGMENTS.index(swap_side(s)) for s in SEGMENTS]
J = {joint: i for i, joint in enumerate(CANONICAL.joints)}
"""canonical joint -> index."""


@dataclass(frozen=True)
class Motion:
    """Movement of one body, or of several in step (leading dimensions).

    ``positions (..., frames, 17, 3)``: the joints of ``body.CANONICAL``, metres, y up. ``rotations (..., frames, 15,
    3, 3)``: of ``SEGMENTS``, from segment to world; ``None`` where only positions are known. ``missing (frames, 17)``
    is ``True`` where a joint is not known; its position is then without meaning. Frame ``k`` lies at
    ``k / rate_hz`` seconds.
    """

    positions: Floats
    rate_hz: float
    rotations: Floats | None = None
    missing: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        shape = self.positions.shape
        if len(shape) < 3 or shape[-2:] != (len(CANONICAL.joints), 3):
            raise ValueError(f"positions: expected (..., frames, 17, 3) of the canonical skeleton, given {shape}")
        if not (np.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise ValueError(f"rate_hz: expected a positive number of frames per second, given {self.rate_hz}")
        wanted = (*shape[:-2], len(SEGMENTS), 3, 3)
        if self.rotations is not None and self.rotations.shape != wanted:
            raise ValueError(f"rotations: expected {wanted}, given {self.rotations.shape}")
        if self.missing is not None and self.missing.shape != shape[-3:-1]:
            raise ValueError(f"missing: expected {shape[-3:-1]}, given {self.missing.shape}")
        if self.missing is not None and self.missing.dtype != np.bool_:
            raise ValueError(f"missing: expected bool, True where a joint is not known, given {self.missing.dtype}")

    @property
    def seconds(self) -> float:
        """Length: frames by rate."""
        return self.positions.shape[-3] / self.rate_hz

    @property
    def lacking(self) -> frozenset[str]:
        """Joints that are known in no frame."""
        if self.missing is None:
            return frozenset()
        never = np.asarray(self.missing.all(0)).tolist()
        return frozenset(joint for joint, gone in zip(CANONICAL.joints, never, strict=True) if gone)

    @classmethod
    def of(cls, positions: ArrayLike, skeleton: Skeleton | str, rate_hz: float) -> Motion:
        """From positions ``(..., frames, joints, 3)`` in metres, y up, of any skeleton with the joints' names.

        Joints that are not finite are missing.
        """
        given = np.asarray(positions, np.float64)
        if given.ndim < 3 or given.shape[-1] != 3:
            raise ValueError(
                f"positions: expected (..., frames, joints, 3), given {given.shape}: virtual IMU needs 3-D"
            )
        joints, lacking = to_canonical(given, skeleton)
        gone = ~np.isfinite(joints).all(-1)
        missing = gone.reshape(-1, *gone.shape[-2:]).any(0) | lacking
        joints[gone] = 0.0
        return cls(joints, rate_hz, missing=missing if missing.any() else None)

    @classmethod
    def of_stream(cls, stream: Stream) -> Motion:
        """From a pose stream of a recording: 3-D, metres, at a uniform rate; ``ValueError`` for others."""
        contract = stream.contract
        if stream.times is not None:
            raise ValueError(f"stream '{stream.name}': its clock is uneven: run kinjo.signal.regularize first")
        if contract.modality != "pose" or contract.units != "m" or len(contract.axes) != 3:
            raise ValueError(f"stream '{stream.name}': expected a 3-D pose in m, given {contract}")
        values = np.array(stream.values(), np.float64)
        if stream.missing is not None:
            values[stream.mask()] = np.nan
        return cls.of(values, contract.skeleton or "canonical", contract.rate_hz)

    def stream(self, name: str = "pose", start_s: float = 0.0) -> Stream:
        """The positions as a pose stream; a frame with any missing joint that is known elsewhere is missing.

        A joint that is never known lies at the nearest one above it that is: a stream cannot say that it is not there.
        """
        if self.positions.ndim != 3:
            raise ValueError(f"a stream holds one body, given positions {self.positions.shape}")
        contract = Contract("pose", "position", "m", self.rate_hz, skeleton=CANONICAL.name)
        joints = self.positions.astype(np.float32)
        for joint, parent in zip(CANONICAL.joints, CANONICAL.parents, strict=True):
            if joint in self.lacking and parent >= 0:
                joints[:, J[joint]] = joints[:, parent]  # parents come first
        missing = None if self.missing is None else np.asarray(self.missing[:, ~self.missing.all(0)].any(1))
        return Stream.of(name, contract, joints, start_s=start_s, missing=missing)

    def recording(self, id: str, **facts: Any) -> Recording:
        """A recording with this pose; ``facts`` are other fields of ``Recording``."""
        return Recording(id, {"pose": self.stream()}, **facts)

    def mirrored(self) -> Motion:
        """The same movement with left and right swapped (reflected in the plane z = 0)."""
        flip = np.array([1.0, 1.0, -1.0])
        turned = None
        if self.rotations is not None:
            # a reflection on both sides keeps a rotation a rotation: M R M
            turned = self.rotations[..., _SWAPPED, :, :] * flip[:, None] * flip
        swap = mirror(CANONICAL)
        missing = None if self.missing is None else self.missing[:, swap]
        return replace(self, positions=self.positions[..., swap, :] * flip, rotations=turned, missing=missing)


HINGES: dict[str, tuple[str, str, float]] = {
    f"{side}_{upper}": (f"{side}_{a}", f"{side}_{b}", sign)
    for side in ("left", "right")
    for upper, a, b, sign in (("upper_arm", "elbow", "wrist", 1.0), ("thigh", "knee", "ankle", -1.0))
}
"""segment -> the joint at its far end, the next one, and the sign with which the joint bends about ``z``."""

BONES: dict[str, tuple[str, str]] = {
    "chest": ("pelvis", "neck"),
    "head": ("neck", "head"),
    **{
        f"{side}_{segment}": (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for segment, a, b in (
            ("upper_arm", "shoulder", "elbow"), ("forearm", "elbow", "wrist"), ("thigh", "hip", "knee"),
            ("shin", "knee", "ankle"), ("foot", "ankle", "foot"),
        )
    },
}  # fmt: skip
"""segment -> its proximal and distal joint; the pelvis and the hands have none among the canonical joints."""

PARENTS: dict[str, str] = {
    "head": "chest",
    **{
        f"{side}_{segment}": parent if parent in ("pelvis", "chest") else f"{side}_{parent}"
        for side in ("left", "right")
        for segment, parent in (
            ("upper_arm", "chest"), ("forearm", "upper_arm"), ("hand", "forearm"),
            ("thigh", "pelvis"), ("shin", "thigh"), ("foot", "shin"),
        )
    },
}  # fmt: skip
"""segment -> the segment that it hangs on; pelvis and chest stand for themselves."""

STRAIGHT, BENT = 0.25, 0.6
"""Sine of a hinge's angle below which its axis is not seen at all, and above which it is trusted alone."""


def joints_of(segment: str) -> tuple[str, ...]:
    """The canonical joints from which ``frame_of`` a segment is found."""
    trunk = ("pelvis", "neck", "left_hip", "right_hip", "left_shoulder", "right_shoulder")
    if segment not in PARENTS:
        return trunk
    own = (*BONES.get(segment, ()), *HINGES.get(segment, ())[:2])
    return tuple(dict.fromkeys((*joints_of(PARENTS[segment]), *own)))


def segment_frames(positions: Floats, lacking: Collection[str] = (), *, rest: bool = False) -> Floats:
    """Rotations ``(..., 15, 3, 3)`` of ``SEGMENTS`` from joints ``(..., 17, 3)``; see ``frame_of``."""
    return np.stack([frame_of(segment, positions, lacking, rest=rest) for segment in SEGMENTS], axis=-3)


def frame_of(segment: str, positions: Floats, lacking: Collection[str] = (), *, rest: bool = False) -> Floats:
    """The frame ``(..., 3, 3)`` of one segment, from segment to world, from joints ``(..., 17, 3)`` of one moment.

    The trunk's comes from hips, shoulders and neck. A limb's ``y`` is its bone; its turn about the bone is that of the
    segment it hangs on, carried along the shortest way, and for upper arm and thigh the axis about which elbow or
    knee bend, as far as they are bent. What positions do not hold is lost: a forearm's pronation, a head's turn.

    Every frame depends on its own moment alone and turns with the body. Where joints coincide, or are ``lacking``
    (no such joint in the skeleton), a segment is turned as the one it hangs on.

    ``rest``: the joints are those of a rest pose (arms hanging or held sideways), from which a file's turns count; an
    arm is then turned as if it had been raised from hanging straight to where it is.
    """
    if segment not in PARENTS:
        return _trunk(segment, positions)
    parent = frame_of(PARENTS[segment], positions, lacking, rest=rest)
    if segment not in BONES or not set(BONES[segment]).isdisjoint(lacking):
        return parent
    start, end = (positions[..., J[joint], :] for joint in BONES[segment])
    if segment == "head":
        return _swing(parent[..., 1], _unit(end - start, parent[..., 1]), parent[..., 2]) @ parent
    if segment.endswith("_foot"):
        return _swing(parent[..., 0], _unit(end - start, parent[..., 0]), parent[..., 2]) @ parent
    down = _unit(end - start, -parent[..., 1])
    if segment not in HINGES or rest:
        return _swing(-parent[..., 1], down, parent[..., 2]) @ parent
    # The shortest way has no answer for the opposite direction. Put that where no limb goes: backwards and inwards.
    outward = 1.0 if segment.startswith("right") else -1.0
    middle = parent @ _unit(np.array([0.8, 0.0, 0.6 * outward]), np.zeros(3))
    frame = _swing(middle, down, parent[..., 1]) @ _swing(-parent[..., 1], middle, parent[..., 2]) @ parent
    far, next_, sign = HINGES[segment]
    if next_ in lacking:
        return frame
    after = _unit(positions[..., J[next_], :] - positions[..., J[far], :], down)
    return _hinged(frame, down, sign * np.cross(down, after))


def _trunk(segment: str, positions: Floats) -> Floats:
    up = _unit(positions[..., J["neck"], :] - positions[..., J["pelvis"], :], np.array([0.0, 1.0, 0.0]))
    hips, shoulders = (
        positions[..., J[f"right_{x}"], :] - positions[..., J[f"left_{x}"], :] for x in ("hip", "shoulder")
    )
    first, second = (hips, shoulders) if segment == "pelvis" else (shoulders, hips)
    least = np.eye(3)[np.abs(up).argmin(-1)]
    right = _across(least, up, least)  # any: nothing says where the front is
    for sideways in (second, first):
        right = _across(sideways, up, right)
    return _frame(up, right)


def _hinged(frame: Floats, down: Floats, axis: Floats) -> Floats:
    """``frame`` turned about its long axis so that ``z`` is the hinge's ``axis`` (as long as the sine of the angle)."""
    share = np.clip((np.linalg.norm(axis, axis=-1, keepdims=True) - STRAIGHT) / (BENT - STRAIGHT), 0.0, 1.0)
    share = share * share * (3 - 2 * share)
    right = share * _unit(axis, frame[..., 2]) + (1 - share) * frame[..., 2]
    return _frame(-down, _across(right, down, frame[..., 2]))


def _frame(up: Floats, right: Floats) -> Floats:
    """Columns x, y, z of orthonormal ``up`` (y) and ``right`` (z)."""
    return np.stack([np.cross(up, right), up, right], axis=-1)


def _across(vector: Floats, axis: Floats, otherwise: Floats) -> Floats:
    """The direction of ``vector`` perpendicular to the unit ``axis``; ``otherwise`` where there is none."""
    return _unit(vector - (vector * axis).sum(-1, keepdims=True) * axis, otherwise, 1e-4)


def _unit(vector: Floats, otherwise: Floats, least: float = 1e-6) -> Floats:
    size = np.linalg.norm(vector, axis=-1, keepdims=True)
    return np.where(size > least, vector / np.maximum(size, least), otherwise)


def _swing(start: Floats, end: Floats, hinge: Floats) -> Floats:
    """The rotation ``(..., 3, 3)`` by the shortest way between unit vectors, ``start`` to ``end``.

    A half turn goes about ``hinge``, across ``start``: no way is the shortest then.
    """
    v = np.cross(start, end)
    cosine = (start * end).sum(-1)[..., None, None]
    half = 2 * hinge[..., :, None] * hinge[..., None, :] - np.eye(3)
    opposite = cosine < -1 + 1e-9
    cosine = np.where(opposite, 0.0, cosine)
    x, y, z = np.moveaxis(v, -1, 0)
    zero = np.zeros_like(x)
    skew = np.stack([np.stack([zero, -z, y], -1), np.stack([z, zero, -x], -1), np.stack([-y, x, zero], -1)], -2)
    return np.where(opposite, half, cosine * np.eye(3) + skew + v[..., :, None] * v[..., None, :] / (1 + cosine))


def to_quaternions(rotation: Floats, known: NDArray[np.bool_] | None = None) -> Floats:
    """Quaternions ``(..., n, 4)``, x y z w, of rotations ``(..., n, 3, 3)``; signs so that neighbours are near.

    Where ``known (n,)`` is ``False`` they are without meaning.
    """
    from scipy.spatial.transform import Rotation

    where = np.arange(rotation.shape[-3]) if known is None else np.flatnonzero(known)
    kept = rotation[..., where, :, :]
    found = Rotation.from_matrix(kept.reshape(-1, 3, 3)).as_quat().reshape(*kept.shape[:-2], 4)
    flips = np.where((found[..., 1:, :] * found[..., :-1, :]).sum(-1) < 0, -1.0, 1.0)
    found[..., 1:, :] *= np.cumprod(flips, axis=-1)[..., None]
    out = np.zeros((*rotation.shape[:-2], 4))
    out[..., where, :] = found
    return out


def to_matrices(quaternion: Floats) -> Floats:
    """Rotations ``(..., 3, 3)`` of quaternions ``(..., 4)``, x y z w, of any length but 0."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_quat(quaternion.reshape(-1, 4)).as_matrix().reshape(*quaternion.shape[:-1], 3, 3)
