"""A kinematic chain: joints that hang on one another, and where they are once every joint is turned.

Vectorised over frames: Python loops run over joints alone. In the rest pose (nothing turned) every joint's axes are
those of the file's world; that holds for BVH by definition and for ASF once a bone's own axes are taken out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Chain:
    """Joints, parents before children: ``names``, index of each one's parent (-1: root), ``offsets (joints, 3)``.

    An offset is where the joint sits in its parent's frame, in the file's units. The far end of a limb is a joint of
    its own with a name that ends in ``.end``.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Floats

    def ancestors(self, joint: int) -> tuple[int, ...]:
        """``joint``, its parent, and so on up to the root."""
        line = [joint]
        while self.parents[line[-1]] >= 0:
            line.append(self.parents[line[-1]])
        return tuple(line)

    def meeting(self, a: int, b: int) -> int:
        """The lowest joint on which both ``a`` and ``b`` hang; -1 where they share none."""
        above = set(self.ancestors(b))
        return next((joint for joint in self.ancestors(a) if joint in above), -1)

    def rest(self) -> Floats:
        """Positions ``(joints, 3)`` with nothing turned, the root at its offset."""
        out = np.array(self.offsets, np.float64)
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                out[joint] += out[parent]
        return out


@dataclass(frozen=True)
class Posed:
    """A chain over time, in the file's axes and units.

    ``positions (frames, 3)`` and ``turns (frames, 3, 3)`` (joint to world) by index of the joint; only of joints that
    were asked for, and of those above them.
    """

    positions: Mapping[int, Floats]
    turns: Mapping[int, Floats]


def axis_turn(axis: str, radians: Floats) -> Floats:
    """Rotations ``(..., 3, 3)`` by ``radians (...)`` about the axis ``"x"``, ``"y"`` or ``"z"``."""
    i = "xyz".index(axis)
    j, k = (i + 1) % 3, (i + 2) % 3
    out = np.zeros((*np.shape(radians), 3, 3))
    out[..., i, i] = 1.0
    out[..., j, j] = out[..., k, k] = np.cos(radians)
    out[..., k, j] = np.sin(radians)
    out[..., j, k] = -out[..., k, j]
    return out


def turned(order: str, radians: Floats) -> Floats:
    """Rotations ``(..., 3, 3)`` by angles ``(..., len(order))`` about axes that turn along, in that order.

    ``turned("zxy", a)`` is Rz @ Rx @ Ry: the order of the channels of a BVH joint.
    """
    out = np.broadcast_to(np.eye(3), (*radians.shape[:-1], 3, 3))
    for i, axis in enumerate(order):
        out = out @ axis_turn(axis, radians[..., i])
    return out


def pose(chain: Chain, turns: Mapping[int, Floats], places: Mapping[int, Floats], wanted: Collection[int]) -> Posed:
    """Forward kinematics of the ``wanted`` joints.

    ``turns``: joint -> ``(frames, 3, 3)`` in its parent's frame (absent: not turned). ``places``: joint -> ``(frames,
    3)`` in its parent's frame instead of its offset. At least one joint has one of the two.
    """
    frames = len(next(iter([*turns.values(), *places.values()])))
    needed = {above for joint in wanted for above in chain.ancestors(joint)}
    positions: dict[int, Floats] = {}
    world: dict[int, Floats] = {}
    for joint in sorted(needed):
        parent = chain.parents[joint]
        place = places.get(joint, np.broadcast_to(chain.offsets[joint], (frames, 3)))
        turn = turns.get(joint)
        if parent < 0:
            positions[joint] = place
            world[joint] = np.broadcast_to(np.eye(3), (frames, 3, 3)) if turn is None else turn
            continue
        positions[joint] = positions[parent] + (world[parent] @ place[..., None])[..., 0]
        world[joint] = world[parent] if turn is None else world[parent] @ turn
    return Posed(positions, world)
