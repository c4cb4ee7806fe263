"""Virtual IMU: what an accelerometer and a gyroscope would read on a moving body.

    from kinjo.sensors import WATCH
    from kinjo.simulate import virtual_imu

    imu = virtual_imu(motion, "left_wrist", 50.0, model=WATCH, rng=np.random.default_rng(0))
    imu.acc, imu.gyro          # (samples, 3): specific force in m/s^2, angular velocity in rad/s

**Sensor frame.** That of the segment the sensor sits on (``motion``): upright with the arms hanging, ``x`` points
forward, ``y`` up, ``z`` to the right. ``mounting`` turns the sensor in it. An accelerometer measures specific force,
acceleration minus gravity: at rest 9.80665 m/s² along the world's up, in free fall zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo import spline
from kinjo.body import CANONICAL, PLACEMENTS
from kinjo.motion import SEGMENTS, Floats, J, Motion, frame_of, joints_of, to_matrices, to_quaternions
from kinjo.sensors import IMU, SensorModel, degrade, random_rotation
from kinjo.signal import GRAVITY

STEP_S = 1e-3
"""Half of the step over which turning is differentiated: relative errors of about 1e-5 at 5 Hz."""
LOWEST_HZ, HIGHEST = 1.5, 0.45
"""The cut-off that is chosen from the data lies between this frequency and this share of the frame rate."""
CLEAN = 1.0
"""m/s^2. Where what smoothing would remove is less than this at the highest frequency there is, nothing is smoothed."""
LIVELINESS, AROUND_S = 0.3, 0.15
"""The cut-off follows the acceleration around a moment to this power: noise stays alike when the body moves fast."""
LONGEST_GAP_S = 0.25
"""A joint may be missing for so long before what hangs on it, by its place or its turning, is missing too."""


@dataclass(frozen=True)
class Site:
    """Where a placement lies: on ``segment``, at the weighted mean of ``joints``."""

    segment: str
    joints: tuple[tuple[str, float], ...]


def _sites() -> dict[str, Site]:
    middle = {
        "head": Site("head", (("head", 1.0),)), "left_ear": Site("head", (("head", 1.0),)),
        "right_ear": Site("head", (("head", 1.0),)), "neck": Site("chest", (("neck", 1.0),)),
        "chest": Site("chest", (("pelvis", 0.3), ("neck", 0.7))),
        "back": Site("chest", (("pelvis", 0.3), ("neck", 0.7))),
        "waist": Site("pelvis", (("pelvis", 0.9), ("neck", 0.1))),
    }  # fmt: skip
    limbs = {
        "upper_arm": ("upper_arm", "shoulder", "elbow", 0.5), "forearm": ("forearm", "elbow", "wrist", 0.5),
        "wrist": ("forearm", "elbow", "wrist", 0.95), "hand": ("hand", "elbow", "wrist", 1.3),
        "thigh": ("thigh", "hip", "knee", 0.5), "pocket": ("thigh", "hip", "knee", 0.25),
        "shin": ("shin", "knee", "ankle", 0.5), "ankle": ("shin", "knee", "ankle", 0.95),
        "foot": ("foot", "ankle", "foot", 0.5),
    }  # fmt: skip
    sided = {
        f"{side}_{name}": Site(f"{side}_{segment}", ((f"{side}_{a}", 1 - share), (f"{side}_{b}", share)))
        for side in ("left", "right")
        for name, (segment, a, b, share) in limbs.items()
    }
    return {**middle, **sided, "wrist": sided["right_wrist"], "pocket": sided["right_pocket"]}


SITES: Mapping[str, Site] = _sites()
"""placement -> where it lies. ``wrist`` and ``pocket`` of no known side: the right one's. ``unknown`` lies nowhere."""


def virtual_imu(
    motion: Motion,
    placement: str,
    rate_hz: float = 50.0,
    *,
    offset_m: ArrayLike = (0.0, 0.0, 0.0),
    mounting: ArrayLike | None = None,
    cutoff_hz: float | None = None,
    gravity: bool = True,
    model: SensorModel | None = None,
    rng: np.random.Generator | None = None,
) -> IMU:
    """Readings of an IMU at ``placement`` on a moving body, at ``rate_hz``, from its first to its last frame.

    ``offset_m`` moves it away from the placement's site, in the segment's axes (``(0.1, 0, 0)``: 10 cm in front of
    it). ``mounting (3, 3)`` turns sensor axes into segment axes. ``cutoff_hz`` is where the smoothing of the
    movement halves an amplitude; ``None`` chooses it from the data (``spline.choose_cutoff``).
    Without ``gravity`` the accelerometer gives acceleration alone. ``model`` adds the faults of a device, drawn from
    ``rng``.

    Turning comes from ``motion.rotations`` where they are known, else from the joints (``motion.frame_of``). A joint
    that is missing for longer than ``LONGEST_GAP_S`` makes its samples missing. ``ValueError`` for a placement that
    the motion cannot show, for known joints that are not finite, and for less than half a second of frames.
    """
    site = _site(motion, placement)
    for name, value in (("rate_hz", rate_hz), ("cutoff_hz", cutoff_hz)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected a positive number of Hz, given {value}")
    if model is not None and rng is None:
        raise ValueError("a sensor model draws its faults: give rng, a numpy.random.Generator")
    turn = np.eye(3) if mounting is None else _rotation(mounting)
    offset = np.asarray(offset_m, np.float64)
    if offset.shape != (3,) or not np.isfinite(offset).all():
        raise ValueError(f"offset_m: expected three finite numbers of metres, given {offset_m}")
    if model is not None and rng is not None:
        offset = offset + model.offset_std_m * rng.normal(size=3)
        turn = turn @ random_rotation(rng, model.mounting_std_deg)
    times = np.arange(int(np.floor((motion.positions.shape[-3] - 1) / motion.rate_hz * rate_hz + 1e-9)) + 1) / rate_hz
    body = _Smooth(motion, site, cutoff_hz)
    frames, origins = zip(*(body.at(times + step) for step in (-STEP_S, 0.0, STEP_S)), strict=True)
    before, now, after = (o + (f @ offset[:, None])[..., 0] for f, o in zip(frames, origins, strict=True))
    lever = (after - 2 * now + before) / STEP_S**2
    force = lever + np.array([0.0, GRAVITY if gravity else 0.0, 0.0])
    gyro = _turning(np.swapaxes(frames[0], -1, -2) @ frames[2]) / (2 * STEP_S)
    acc = (force[..., None, :] @ frames[1])[..., 0, :]
    imu = IMU(acc @ turn, gyro @ turn, rate_hz, placement, _unknown(motion, site, times), gravity)
    return imu if model is None or rng is None else degrade(imu, model, rng)


def virtual_imus(
    motion: Motion,
    placements: Mapping[str, SensorModel | None],
    rate_hz: float = 50.0,
    *,
    cutoff_hz: float | None = None,
    rng: np.random.Generator | None = None,
) -> dict[str, IMU]:
    """``virtual_imu`` at several placements, each with its model (``None``: ideal)."""
    return {
        placement: virtual_imu(motion, placement, rate_hz, cutoff_hz=cutoff_hz, model=model, rng=rng)
        for placement, model in placements.items()
    }


class _Smooth:
    """The movement of a site as splines: ``at(times)`` gives its segment's frame and its origin."""

    def __init__(self, motion: Motion, site: Site, cutoff_hz: float | None) -> None:
        self.site, self.turned = site, motion.rotations is not None
        own = site.joints
        self.lead = motion.positions.shape[:-3]
        self.lacking = motion.lacking
        self.joints = _joints(motion, site)
        rows = [J[joint] for joint in self.joints]
        n = motion.positions.shape[-3]
        clips = motion.positions[..., rows, :].reshape(-1, n, len(rows), 3)
        known = np.ones((n, len(rows)), bool) if motion.missing is None else ~motion.missing[:, rows]
        weights = np.array([weight for _, weight in site.joints])
        origins = np.einsum("cnjk,j->cnk", clips[:, :, : len(own)], weights)
        seen = np.asarray(known[:, : len(own)].all(1))
        local = [_cutoffs(origin, seen, motion.rate_hz, cutoff_hz) for origin in origins]
        self.joint = [_curves(clip, known, motion.rate_hz, cutoff) for clip, cutoff in zip(clips, local, strict=True)]
        self.turning: list[spline.Spline] = []
        if motion.rotations is not None:
            whole = np.asarray(known.all(1))
            matrices = motion.rotations[..., SEGMENTS.index(site.segment), :, :].reshape(-1, n, 3, 3)
            self.turning = [
                spline.fit(to_quaternions(matrix, whole), motion.rate_hz, cutoff, whole)
                for matrix, cutoff in zip(matrices, local, strict=True)
            ]

    def at(self, times: Floats) -> tuple[Floats, Floats]:
        """``(frame (..., n, 3, 3), origin (..., n, 3))`` at ``times (n,)``."""
        joints = np.zeros((len(self.joint), len(times), len(CANONICAL.joints), 3))
        rows = [J[joint] for joint in self.joints]
        for clip, curves in zip(joints, self.joint, strict=True):
            for member, curve in curves:
                clip[:, [rows[i] for i in member]] = curve(times).reshape(len(times), -1, 3)
        joints = joints.reshape(*self.lead, *joints.shape[1:])
        origin = np.asarray(sum(weight * joints[..., J[joint], :] for joint, weight in self.site.joints))
        if not self.turning:
            return frame_of(self.site.segment, joints, self.lacking), origin
        turning = np.stack([curve(times) for curve in self.turning])
        return to_matrices(turning.reshape(*self.lead, len(times), 4)), origin


def _curves(
    clip: Floats, known: NDArray[np.bool_], rate_hz: float, cutoff_hz: Floats
) -> list[tuple[NDArray[np.intp], spline.Spline]]:
    """Splines of the joints ``clip (frames, joints, 3)``: joints missing at the same frames share one."""
    if known.all():
        whole = spline.fit(clip.reshape(len(clip), -1), rate_hz, cutoff_hz)
        return [(np.arange(clip.shape[1]), whole)]
    patterns, group = np.unique(known, axis=1, return_inverse=True)
    out = []
    for k in range(patterns.shape[1]):
        member = np.flatnonzero(group == k)
        flat = clip[:, member].reshape(len(clip), -1)
        out.append((member, spline.fit(flat, rate_hz, cutoff_hz, patterns[:, k])))
    return out


def _cutoffs(origin: Floats, known: NDArray[np.bool_], rate_hz: float, fixed_hz: float | None) -> Floats:
    """Cut-offs ``(frames,)`` by how the site ``origin (frames, 3)`` moves; or the given one."""
    n = len(origin)
    if fixed_hz is not None:
        return np.full(n, fixed_hz)
    highest = HIGHEST * rate_hz
    candidates = np.geomspace(min(LOWEST_HZ, highest / 2), highest, 12)
    chosen, times = spline.choose_cutoff(origin, rate_hz, candidates, known), np.arange(n) / rate_hz
    smooth = spline.fit(origin, rate_hz, chosen, known)
    removed = np.sqrt(((origin - smooth(times))[known] ** 2).mean())
    if removed * (np.pi * rate_hz) ** 2 < CLEAN:
        return np.full(n, rate_hz / 2)
    size = (smooth(times, 2) ** 2).sum(1)
    half = max(1, round(AROUND_S * rate_hz))
    kernel = np.hanning(2 * half + 3)[1:-1]
    around = np.convolve(np.pad(size, half, "edge"), kernel / kernel.sum(), "valid")
    ratio = np.sqrt((around + 1e-12) / (size.mean() + 1e-12))
    return np.clip(chosen * ratio**LIVELINESS, chosen / 2, highest)


def _site(motion: Motion, placement: str) -> Site:
    if placement not in SITES:
        known = placement in PLACEMENTS
        what = f"nobody knows where '{placement}' is" if known else f"'{placement}' is no placement of kinjo"
        raise ValueError(f"{what}: name one of {', '.join(SITES)}")
    site, lacking = SITES[placement], motion.lacking
    trunk = () if motion.rotations is not None else joints_of("pelvis")
    needed = [joint for joint in (*(joint for joint, _ in site.joints), *trunk) if joint in lacking]
    if needed:
        raise ValueError(f"placement '{placement}': the motion has no {', '.join(dict.fromkeys(needed))}")
    if motion.positions.shape[-3] < max(8, 0.5 * motion.rate_hz):
        raise ValueError(f"virtual IMU needs half a second of frames or more, given {motion.seconds:.2f} s")
    _check_known(motion, site, placement)
    return site


def _joints(motion: Motion, site: Site) -> list[str]:
    """The joints that say where the site is and how it is turned, the former first; as far as the motion has them."""
    names = [joint for joint, _ in site.joints]
    if motion.rotations is None:
        names += joints_of(site.segment)
    return [joint for joint in dict.fromkeys(names) if joint not in motion.lacking]


def _check_known(motion: Motion, site: Site, placement: str) -> None:
    """``ValueError`` where what is said to be known is not finite, or too little is known."""
    joints = _joints(motion, site)
    rows = [J[joint] for joint in joints]
    known = np.ones((1, 1), bool) if motion.missing is None else ~motion.missing[:, rows]
    bad = ~np.isfinite(motion.positions[..., rows, :]).all(-1) & known
    if bad.any():
        joint = joints[int(np.argwhere(bad)[0][-1])]
        raise ValueError(f"positions: '{joint}' is not finite but not missing: Motion.of marks such joints as missing")
    where = known[:, : len(site.joints)].all(1)
    turns = None if motion.rotations is None else motion.rotations[..., SEGMENTS.index(site.segment), :, :]
    if turns is not None and (~np.isfinite(turns).all((-1, -2)) & where).any():
        raise ValueError(f"rotations: '{site.segment}' is not finite where its joints are known: mark these as missing")
    if motion.missing is not None and min(where.sum(), *known.sum(0)) < spline.ORDER:
        raise ValueError(
            f"placement '{placement}': too few frames know {', '.join(joints)}; at least {spline.ORDER} are needed"
        )


def _unknown(motion: Motion, site: Site, times: Floats) -> NDArray[np.bool_] | None:
    """Samples inside a gap of a joint longer than ``LONGEST_GAP_S``, or before or after all its known frames."""
    if motion.missing is None:
        return None
    gone = np.zeros(len(times), bool)
    for joint in _joints(motion, site):
        known = np.flatnonzero(~motion.missing[:, J[joint]]) / motion.rate_hz
        after = np.searchsorted(known, times - 1e-9)
        left, right = known[np.maximum(after - 1, 0)], known[np.minimum(after, len(known) - 1)]
        long = right - left > LONGEST_GAP_S + 1.5 / motion.rate_hz
        gone |= (np.abs(right - times) > 1e-9) & (long | (times > known[-1]) | (times < known[0]))
    return gone if gone.any() else None


def _rotation(matrix: ArrayLike) -> Floats:
    turn = np.asarray(matrix, np.float64)
    if turn.shape != (3, 3) or not np.allclose(turn @ turn.T, np.eye(3), atol=1e-6) or np.linalg.det(turn) < 0:
        raise ValueError("mounting: expected a rotation matrix (3, 3), orthonormal with determinant 1")
    return turn


def _turning(rotation: Floats) -> Floats:
    """The rotation vectors ``(..., 3)`` of rotations ``(..., 3, 3)`` by less than a quarter turn."""
    skew = np.stack([
        rotation[..., 2, 1] - rotation[..., 1, 2], rotation[..., 0, 2] - rotation[..., 2, 0],
        rotation[..., 1, 0] - rotation[..., 0, 1],
    ], -1) / 2  # fmt: skip
    sine = np.linalg.norm(skew, axis=-1, keepdims=True)
    return skew * np.where(sine > 1e-9, np.arcsin(np.clip(sine, 0, 1)) / np.maximum(sine, 1e-9), 1.0)
