"""Energies: how much a body moves over time, from a wearable, from a pose and from a video, for ``kinjo.sync``.

An energy needs no axes and no calibration: magnitudes are the same however a sensor is turned, and ``sync`` cares for
their rise and fall alone. Those of a wearable have the channels gyroscope, accelerometer (what there is of them), and
``pose_energy`` gives the same channels for a placement, as a virtual IMU there would read them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo import signal
from kinjo.body import NEAREST_JOINTS, PLACEMENTS, canonical_sources, named
from kinjo.motion import Motion
from kinjo.recording import Recording, Stream, chunks
from kinjo.signal import GRAVITY
from kinjo.simulate import virtual_imu

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

POSE_RATE_HZ = 25.0
"""Of the energies of a pose: what repeats faster than 12 times a second is not seen by a camera."""
CUTOFF_HZ = 2.0
"""Smoothing of the pose. Lower than a virtual IMU would choose: noise hides a rise and fall that is slower still."""
VIDEO_SIDE = 48
"""Rows to which a frame is averaged before frames are compared."""
DEPTH_STEP_MM = 300.0
"""Larger differences of depth are edges that pass by, and count as this."""
SMOOTH_S, TREND_S = 0.16, 8.0
"""Width of the means between which the band lies: a faster change is noise, a slower one says little of the lag."""
LOUD_S, QUIET, CLIP = 10.0, 2.0, 3.0
"""Loudness is taken over about this time; a moment ``QUIET`` times softer than the whole is not made louder; the limit
of what one moment can weigh."""
GLITCH = 5.0
"""What is so many times farther from the median than 99 % of the samples counts as that far."""
BAD_FRAME = 3.0
"""A frame is bad where both its neighbours differ from it this many times more than from each other."""


@dataclass(frozen=True)
class Energy:
    """``values (n, channels)`` or ``(n,)``, any units, at ``start_s + k / rate_hz`` seconds; ``missing (n,)``.

    Samples that are not finite are missing. ``ValueError`` for shapes that do not fit and rates that are no rates.
    """

    values: NDArray[Any]
    rate_hz: float
    start_s: float = 0.0
    missing: Mask | None = None

    def __post_init__(self) -> None:
        if self.values.ndim not in (1, 2) or 0 in self.values.shape:
            raise ValueError(f"energy: expected values (n,) or (n, channels), at least one, given {self.values.shape}")
        if not (np.isfinite(self.rate_hz) and self.rate_hz > 0):
            raise ValueError(f"energy: expected a positive number of samples per second, given rate_hz {self.rate_hz}")
        if not np.isfinite(self.start_s):
            raise ValueError(f"energy: expected start_s in seconds, given {self.start_s}")
        if self.missing is not None and self.missing.shape != self.values.shape[:1]:
            raise ValueError(f"energy: expected missing ({len(self.values)},), given {self.missing.shape}")

    @property
    def seconds(self) -> float:
        """Length: samples by rate."""
        return len(self.values) / self.rate_hz

    @property
    def hidden(self) -> Mask:
        """``True`` where a sample is missing or not finite, ``(n,)``."""
        bad = np.logical_not(np.isfinite(self.values.reshape(len(self.values), -1)).all(1))
        return bad if self.missing is None else bad | self.missing


def energies(
    recording: Recording,
    reference: Recording | None = None,
    *,
    placement: str | None = None,
    against: str | None = None,
) -> tuple[Energy, dict[str, Energy]]:
    """The energy of the wearable of ``recording`` at ``placement``, and those of what is seen in ``reference``.

    One for each placement that it may be: which of the pose's it was held against, or, for a video, its own. See
    ``sync.sync`` for what is chosen where nothing is said. ``ValueError`` where there is nothing to compare.
    """
    wearable = _wearable(recording, placement)
    seen = _reference(recording if reference is None else reference, against)
    flat = seen.contract.modality == "video" or seen.contract.units != "m" or len(seen.contract.axes) != 3
    gravity = all(s.contract.gravity is not False for s in wearable)
    felt, where = imu_energy(wearable, unsigned=flat), str(wearable[0].contract.placement)
    if seen.contract.modality == "video":
        return felt, {where: video_energy(seen)}
    quantities = [q for q in ("gyro", "acc") if any(s.contract.quantity == q for s in wearable)]
    places = [where] if flat else list(_ALIKE.get(where, (where,)))
    found = {}
    for place in places:
        try:
            found[place] = pose_energy(seen, place, quantities=quantities, gravity=gravity)
        except ValueError:
            if len(places) == 1:
                raise
    if not found:
        raise ValueError(f"stream '{seen.name}' shows none of {', '.join(places)}: name another stream with against=")
    return felt, found


_ALIKE: dict[str, tuple[str, ...]] = {
    "wrist": ("left_wrist", "right_wrist"),
    "pocket": ("left_pocket", "right_pocket"),
    "unknown": (
        "left_wrist", "right_wrist", "left_upper_arm", "right_upper_arm", "left_pocket", "right_pocket",
        "left_ankle", "right_ankle", "waist", "chest", "head",
    ),
}  # fmt: skip
"""placement of no known side, or of none at all -> those that are tried. What is near one feels much alike."""


def _wearable(recording: Recording, placement: str | None) -> list[Stream]:
    imu = [s for s in recording.streams.values() if s.contract.quantity in ("acc", "gyro")]
    places = sorted({str(s.contract.placement) for s in imu})
    if not imu or (placement is not None and placement not in places):
        wanted = "an acc or gyro stream" + (f" at '{placement}'" if placement else "")
        raise ValueError(f"recording '{recording.id}': expected {wanted}, has {names_of(recording)}")
    if placement is None and len(places) > 1:
        raise ValueError(f"recording '{recording.id}' has wearables at {', '.join(places)}: name one with placement=")
    return [s for s in imu if placement is None or s.contract.placement == placement]


def _reference(recording: Recording, against: str | None) -> Stream:
    if against is not None and against not in recording.streams:
        raise ValueError(f"recording '{recording.id}' has no stream '{against}': has {names_of(recording)}")

    def rank(stream: Stream) -> int:
        if stream.contract.modality == "pose":
            return 0 if stream.contract.units == "m" and len(stream.contract.axes) == 3 else 1
        return {"depth": 2, "rgb": 3}.get(stream.contract.quantity, 4)

    named = recording.streams.values() if against is None else [recording.streams[against]]
    best = min(named, key=rank, default=None)
    if best is None or rank(best) > 3:
        raise ValueError(f"recording '{recording.id}': expected a pose or video stream, has {names_of(recording)}")
    return best


def names_of(recording: Recording) -> str:
    """The names of its streams, for an error."""
    return ", ".join(recording.streams) or "no streams"


def imu_energy(streams: Sequence[Stream], *, unsigned: bool = False) -> Energy:
    """Magnitudes of the gyroscope and of the accelerometer of one placement, ``(n, 1 or 2)``, in that order.

    ``streams`` are its acc and gyro, or one of them; they may have rates and starts of their own. ``unsigned`` makes
    the accelerometer's magnitude its distance from gravity's: what a video, which sees no sign, can be held against.
    ``ValueError`` where neither is there, or two of a kind.
    """
    kinds = {stream.contract.quantity: stream for stream in streams}
    used = [kinds[quantity] for quantity in ("gyro", "acc") if quantity in kinds]
    if not used or len(kinds) < len(streams):
        given = ", ".join(f"{s.name} ({s.contract.quantity})" for s in streams) or "none"
        raise ValueError(f"wearable: expected the acc and/or the gyro stream of one placement, given {given}")
    parts = [_magnitude(stream, unsigned) for stream in used]
    if len(parts) == 1:
        return parts[0]
    first, second = parts
    times = first.start_s + np.arange(len(first.values)) / first.rate_hz
    at = (times - second.start_s) * second.rate_hz
    index = np.arange(len(second.values), dtype=np.float64)
    beside = np.clip(np.rint(at).astype(np.int64), 0, len(index) - 1)
    beyond = (at < -0.5) | (at > len(index) - 0.5)
    filled = signal.fill_missing(second.values, second.hidden)
    values = np.stack([first.values, signal.interpolate(filled, index, at)], axis=1)
    return Energy(values, first.rate_hz, first.start_s, first.hidden | second.hidden[beside] | beyond)


def _magnitude(stream: Stream, unsigned: bool) -> Energy:
    contract = stream.contract
    unit = signal.canonical_unit(contract.quantity)
    parts = [
        np.linalg.norm(signal.convert(np.asarray(part, np.float64), contract.quantity, contract.units, unit), axis=-1)
        for _, part in chunks(stream)
    ]
    values = np.concatenate(parts) if parts else np.zeros(0)
    if unsigned and contract.gravity:
        values = np.abs(values - GRAVITY)
    return _uniform(values, stream)


def _uniform(values: Floats, stream: Stream) -> Energy:
    """One value per sample of ``stream`` on a uniform clock of its nominal rate."""
    rate, hidden = stream.contract.rate_hz, stream.mask()
    if stream.times is None or not len(values):
        return Energy(values, rate, stream.start_s, hidden)
    spaced, start, missing = signal.regularize(values, stream.clock(), rate, missing=hidden)
    return Energy(spaced, rate, start, missing)


def pose_energy(
    pose: Stream | Motion, placement: str, *, quantities: Sequence[str] = ("gyro", "acc"), gravity: bool = True
) -> Energy:
    """What a virtual IMU at ``placement`` would read: magnitudes of ``quantities``, ``(n, len(quantities))``.

    Without ``gravity`` its accelerometer gives acceleration alone, as the wearable's has to.

    A pose that is flat, or not in metres, has the mean speed of the joints near the placement instead (all joints for
    ``unknown``), ``(n, 1)``. ``ValueError`` where the pose does not show the placement.
    """
    if isinstance(pose, Stream) and (pose.contract.units != "m" or len(pose.contract.axes) != 3):
        return _joint_speed(pose, placement)
    motion, start = _motion(pose) if isinstance(pose, Stream) else (pose, 0.0)
    cutoff = min(CUTOFF_HZ, 0.45 * motion.rate_hz)
    imu = virtual_imu(motion, placement, POSE_RATE_HZ, cutoff_hz=cutoff, gravity=gravity)
    readings = {"gyro": np.linalg.norm(imu.gyro, axis=-1), "acc": np.linalg.norm(imu.acc, axis=-1)}
    return Energy(np.stack([readings[q] for q in quantities], axis=-1), POSE_RATE_HZ, start, imu.missing)


def _motion(stream: Stream) -> tuple[Motion, float]:
    if stream.times is None:
        return Motion.of_stream(stream), stream.start_s
    contract = stream.contract
    values, start, gone = signal.regularize(stream.values(), stream.clock(), contract.rate_hz, missing=stream.mask())
    values = np.where(gone[:, None, None], np.nan, values)
    return Motion.of(values, contract.skeleton or "canonical", contract.rate_hz), start


def _joint_speed(stream: Stream, placement: str) -> Energy:
    if placement not in PLACEMENTS:
        raise ValueError(f"'{placement}' is no placement of kinjo: use one of {', '.join(PLACEMENTS)}")
    skeleton = named(stream.contract.skeleton or "canonical")
    sources = canonical_sources(skeleton)
    near = {joint for canonical in NEAREST_JOINTS[placement] for joint in sources[canonical]}
    rows = [i for i, joint in enumerate(skeleton.joints) if joint in near or placement == "unknown"]
    if not rows:
        raise ValueError(f"stream '{stream.name}': skeleton '{skeleton.name}' has no joint near '{placement}'")
    joints = np.concatenate([np.asarray(part[:, rows], np.float64) for _, part in chunks(stream)])
    hidden = stream.mask()[:, None] | np.logical_not(np.isfinite(joints).all(-1))
    flat = np.where(hidden[..., None], 0.0, joints)
    speed = np.linalg.norm(np.diff(flat, axis=0), axis=-1)
    known = ~(hidden[1:] | hidden[:-1])
    mean = (speed * known).sum(1) / np.maximum(known.sum(1), 1)
    return _between(mean, np.asarray(~known.any(1)), stream)


def _between(values: Floats, missing: Mask, stream: Stream) -> Energy:
    """``values (length - 1,)`` of neighbouring samples of ``stream``: each lies half-way between the two."""
    rate = stream.contract.rate_hz
    if stream.times is None:
        return Energy(values, rate, stream.start_s + 0.5 / rate, missing)
    clock = stream.clock()
    spaced, start, gone = signal.regularize(values, (clock[1:] + clock[:-1]) / 2, rate, missing=missing)
    return Energy(spaced, rate, start, gone)


def video_energy(stream: Stream) -> Energy:
    """How much neighbouring frames of an rgb or depth stream differ, ``(length - 1, )``, half-way between them.

    Frames are averaged to at most ``VIDEO_SIDE`` rows; brightness and contrast that change as a whole (flicker,
    exposure) are taken out of rgb by a straight line from one frame to the next. Single bad frames are missing.
    Frames are read a few at a time. ``ValueError`` for fewer than 3 frames.
    """
    if stream.contract.quantity not in ("rgb", "depth") or stream.length < 3:
        what = f"{stream.contract.quantity}, {stream.length} frames"
        raise ValueError(f"stream '{stream.name}': expected rgb or depth video of 3 frames or more, given {what}")
    depth = stream.contract.quantity == "depth"
    scale = signal.UNITS["depth"][stream.contract.units] * 1e3 if depth else 1.0
    next_to: list[Floats] = []
    over_one: list[Floats] = [np.zeros(0)]
    kept: Floats | None = None
    for _, part in chunks(stream):
        frames = _small(part) * scale
        frames = frames if kept is None else np.concatenate([kept, frames])
        new = len(frames) if kept is None else len(frames) - len(kept)
        first = max(len(frames) - new, 1)
        next_to.append(_differ(frames[first - 1 : -1], frames[first:], depth))
        second = max(len(frames) - new, 2)
        if len(frames) > 2:
            over_one.append(_differ(frames[second - 2 : -2], frames[second:], depth))
        kept = frames[-2:]
    energy, skip = np.concatenate(next_to), np.concatenate(over_one)
    # an energy of zero on both sides of a still frame is no reason to doubt it
    bad = np.zeros(stream.length, bool)
    bad[1:-1] = np.minimum(energy[:-1], energy[1:]) > BAD_FRAME * np.maximum(skip, np.median(energy))
    bad |= stream.mask()
    return _between(energy, bad[1:] | bad[:-1], stream)


def _small(frames: NDArray[Any]) -> Floats:
    """Grey frames ``(n, pixels)``, averaged over squares so that at most ``VIDEO_SIDE`` rows are left."""
    n, height, width = frames.shape[:3]
    size = max(-(-height // VIDEO_SIDE), 1)
    size = min(size, height, width)
    rows, columns = height // size, width // size
    cut = np.asarray(frames[:, : rows * size, : columns * size], np.float32)
    return cut.reshape(n, rows, size, columns, size, -1).mean((2, 4, 5), dtype=np.float64).reshape(n, -1)


def _differ(before: Floats, after: Floats, depth: bool) -> Floats:
    """Mean absolute difference of frames ``(n, pixels)``."""
    if depth:
        return np.minimum(np.abs(after - before), DEPTH_STEP_MM).mean(1)
    x, y = before - before.mean(1, keepdims=True), after - after.mean(1, keepdims=True)
    power = (x * x).sum(1)
    # where one frame says nothing of the other (a black one) their difference is not explained away
    slope = np.where(power > 1e-6, (x * y).sum(1) / np.maximum(power, 1e-6), 1.0)
    return np.abs(y - np.clip(slope, 0.5, 2.0)[:, None] * x).mean(1)


def normalised(energy: Energy, rate_hz: float) -> Energy:
    """``energy`` as it is compared: at ``rate_hz``, band-passed, of even loudness, clipped, zero where missing."""
    hidden = energy.hidden
    values = np.asarray(energy.values, np.float64).reshape(len(hidden), -1)
    values = signal.fill_missing(np.where(hidden[:, None], 0.0, values), hidden)
    # scaled before it becomes float32; a glitch shall not set the scale
    level = np.median(values, axis=0)
    away = np.abs(values - level)
    size, usual = away.max(0), np.quantile(away, 0.99, axis=0)
    size = np.where(usual > 0, np.minimum(size, GLITCH * usual), size)
    values = np.clip((values - level) / np.where(size > 1e-6 * np.abs(level), size, np.inf), -1.0, 1.0)
    resampled, gone = signal.resample(values, energy.rate_hz, rate_hz, missing=hidden)
    known = np.logical_not(gone).astype(np.float64)[:, None]
    x = _mean(resampled.astype(np.float64), known, SMOOTH_S * rate_hz)
    x = x - _mean(x, known, TREND_S * rate_hz)
    overall = (x**2 * known).sum(0) / max(known.sum(), 1.0)
    loud = np.sqrt(_mean(x**2, known, LOUD_S * rate_hz) + QUIET**2 * overall)
    x = np.where(overall > 1e-10, x / np.maximum(loud, 1e-9), 0.0)
    return Energy(np.clip(x, -CLIP, CLIP) * known, rate_hz, energy.start_s, gone)


def _mean(x: Floats, known: Floats, width: float) -> Floats:
    """Mean of what is known around every sample, weighed by a triangle, about ``width`` samples at half its height."""
    half = max(round(width / 2), 0)
    return _box(_box(x * known, half), half) / np.maximum(_box(_box(known, half), half), 1e-9)


def _box(x: Floats, half: int) -> Floats:
    total = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0)])
    i = np.arange(len(x))
    return total[np.minimum(i + half + 1, len(x))] - total[np.maximum(i - half, 0)]
