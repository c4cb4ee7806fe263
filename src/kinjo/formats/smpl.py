"""SMPL poses (AMASS and the like): an .npz with the turns of 22 joints and the place of the body per frame.

The body model itself may not be passed on, so the bones here are those of an average adult (Winter's proportions,
1.70 m) unless rest joints are given. What a gyroscope feels is exact all the same; lever arms are the average's.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import SKELETONS
from kinjo.formats.chain import Chain
from kinjo.formats.errors import LARGEST, FormatError, Said, read_bytes
from kinjo.formats.placed import motion_of
from kinjo.formats.placing import LARGEST_PLACE, check_numbers, check_rate
from kinjo.motion import Motion

Floats = NDArray[np.floating[Any]]

SMPL = SKELETONS["smpl22"]
MOST_TURN = 4 * np.pi
"""Radians of an axis-angle vector; exporters wind up a little."""

# x to the left, y up, z forward; the T-pose in which SMPL's joints are not turned
_HALF = {
    "hip": (0.09, -0.08, 0.0), "knee": (0.01, -0.415, 0.0), "ankle": (0.0, -0.415, -0.02), "foot": (0.02, -0.05, 0.13),
    "collar": (0.07, 0.08, 0.0), "shoulder": (0.11, 0.03, -0.01), "elbow": (0.29, 0.0, 0.0), "wrist": (0.25, 0.0, 0.0),
}  # fmt: skip
_MIDDLE = {
    "pelvis": (0.0, 0.0, 0.0), "spine1": (0.0, 0.11, 0.0), "spine2": (0.0, 0.13, 0.0), "spine3": (0.0, 0.05, 0.0),
    "neck": (0.0, 0.21, -0.02), "head": (0.0, 0.09, 0.04),
}  # fmt: skip


def average_offsets() -> Floats:
    """Offsets ``(22, 3)`` of SMPL's joints from their parents in an average adult, metres."""
    out = []
    for joint in SMPL.joints:
        side, _, plain = joint.partition("_")
        x, y, z = _HALF[plain] if side in ("left", "right") else _MIDDLE[joint]
        out.append((-x if side == "right" else x, y, z))
    return np.array(out)


def smpl_motion(
    turns: Floats,
    places: Floats,
    rate_hz: float,
    *,
    up: str = "z",
    rest_joints: Floats | None = None,
    name: str = "SMPL",
    notes: list[str] | None = None,
) -> Motion:
    """Movement from axis-angle ``turns (frames, 22 or more, 3)`` and ``places (frames, 3)``, metres, of SMPL's root.

    ``up`` is the world's vertical axis (AMASS: z). ``rest_joints (22 or more, 3)`` of the body, where they are known.
    Hands and faces (SMPL-H, SMPL-X: joints from the 23rd on) are left out. ``FormatError`` for what is none of that.
    """
    from scipy.spatial.transform import Rotation

    count = len(SMPL.joints)
    turns, places = np.asarray(turns, np.float64), np.asarray(places, np.float64)
    if turns.ndim != 3 or turns.shape[1] < count or turns.shape[2] != 3 or places.shape != (len(turns), 3):
        given = f"{turns.shape} and {places.shape}"
        raise FormatError(name, "", "turns (frames, 22 or more, 3) and places (frames, 3)", given)
    if len(turns) < 1:
        raise FormatError(name, "", "frames", "none")
    check_numbers(name, turns[:, :count].reshape(len(turns), -1), MOST_TURN, "turns")
    check_numbers(name, places, LARGEST_PLACE, "places")
    offsets = average_offsets()
    if rest_joints is not None:
        rest = np.asarray(rest_joints, np.float64)
        if rest.ndim != 2 or rest.shape[0] < count or rest.shape[1] != 3 or not np.isfinite(rest).all():
            raise FormatError(name, "rest_joints", f"({count} or more, 3) finite numbers", f"{rest.shape}")
        offsets = np.array([rest[i] - (rest[p] if p >= 0 else 0) for i, p in enumerate(SMPL.parents)])
    elif notes is not None:
        notes.append(f"{name}: bones of an average adult; give rest_joints for the body's own")
    # parents first: SMPL's own order is
    chain = Chain(SMPL.joints, SMPL.parents, offsets)
    local = Rotation.from_rotvec(turns[:, :count].reshape(-1, 3)).as_matrix().reshape(-1, count, 3, 3)
    turned = {joint: local[:, joint] for joint in range(count)}
    said = Said(up=up, notes=notes)
    return motion_of(name, chain, turned, {0: places + offsets[0]}, check_rate(name, "rate_hz", rate_hz), said, "m")


def read_smpl(path: Path, said: Said | None = None) -> Motion:
    """The movement in an .npz of AMASS (``poses``, ``trans``, ``mocap_framerate``); see ``formats.read_motion``."""
    said = said or Said()
    file = path.name
    if said.units is not None or said.joints or said.left_handed:
        hint = "Leave out units, joints and left_handed."
        raise FormatError(file, "", "nothing said of metres and SMPL's joints", "units, joints or left_handed", hint)
    data = io.BytesIO(read_bytes(path))
    try:
        with zipfile.ZipFile(data) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > LARGEST:
            raise FormatError(file, "", f"at most {LARGEST} bytes when unpacked", f"{size}", "Cut it into takes.")
        with np.load(data, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files if name in ("poses", "trans", *_RATES)}
    except FormatError:
        raise
    except (
        OSError, ValueError, KeyError, EOFError, NotImplementedError, MemoryError, zipfile.BadZipFile, zlib.error
    ) as error:  # fmt: skip
        raise FormatError(file, "", "an .npz of SMPL poses", f"{type(error).__name__}: {error}") from error
    absent = [name for name in ("poses", "trans") if name not in held]
    if absent:
        raise FormatError(file, "", "arrays 'poses' and 'trans'", f"no {', '.join(absent)}", "Is it of AMASS?")
    rates = [
        float(held[name].item()) for name in _RATES if name in held and held[name].size == 1
        and held[name].dtype.kind in "fiu"
    ]  # fmt: skip
    rate = said.rate_hz if said.rate_hz is not None else next(iter(rates), None)
    if rate is None:
        raise FormatError(file, "", "mocap_framerate", "none", "Say how many frames per second: rate_hz=")
    poses = held["poses"]
    numbers = poses.dtype.kind in "fiu" and held["trans"].dtype.kind in "fiu"
    if poses.ndim != 2 or poses.shape[1] % 3 or not len(poses) or not numbers:
        raise FormatError(file, "poses", "(frames, 3 x joints) numbers", f"{poses.shape} {poses.dtype}")
    turns = poses.reshape(len(poses), poses.shape[1] // 3, 3)
    return smpl_motion(turns, held["trans"], rate, up=said.up or "z", name=file, notes=said.notes)


_RATES = ("mocap_framerate", "mocap_frame_rate")
