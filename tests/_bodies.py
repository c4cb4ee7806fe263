"""Movements whose accelerations and turning rates are known in closed form, for benchmarks and tests of virtual IMU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kinjo.motion import SEGMENTS, Floats, J, Motion
from kinjo.signal import GRAVITY

UPRIGHT = np.array([
    [0, 1.0, 0], [0, 1.5, 0], [0, 1.7, 0], [0, 1.45, -0.2], [0, 1.15, -0.2], [0, 0.9, -0.2], [0, 1.45, 0.2],
    [0, 1.15, 0.2], [0, 0.9, 0.2], [0, 1.0, -0.1], [0, 0.55, -0.1], [0, 0.1, -0.1], [0.15, 0.02, -0.1],
    [0, 1.0, 0.1], [0, 0.55, 0.1], [0, 0.1, 0.1], [0.15, 0.02, 0.1],
])  # fmt: skip
"""The canonical joints of a person who stands upright with the arms hanging, facing x, metres."""


@dataclass(frozen=True)
class Case:
    """A rigid body that moves as ``place(t)`` and turns as ``turn(t)``, and what its placement reads."""

    name: str
    placement: str
    site: Floats
    place: Callable[[Floats], Floats]
    turn: Callable[[Floats], Floats]
    acc: Callable[[Floats], Floats]
    gyro: Callable[[Floats], Floats]

    def motion(self, rate_hz: float, seconds: float, rotations: bool) -> Motion:
        """The joints at ``rate_hz``, and with ``rotations`` the segments' rotations too."""
        t = np.arange(round(seconds * rate_hz)) / rate_hz
        turn = self.turn(t)
        joints = self.place(t)[:, None] + np.einsum("nij,kj->nki", turn, UPRIGHT)
        segments = np.repeat(turn[:, None], len(SEGMENTS), axis=1) if rotations else None
        return Motion(joints, rate_hz, segments)


def about(axis: int, angle: Floats) -> Floats:
    """Rotations ``(n, 3, 3)`` about a coordinate axis."""
    out = np.tile(np.eye(3), (len(angle), 1, 1))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[:, i, i] = out[:, j, j] = np.cos(angle)
    out[:, i, j], out[:, j, i] = -np.sin(angle), np.sin(angle)
    return out


def _stay(t: Floats) -> Floats:
    return np.zeros((len(t), 3))


def _upright(t: Floats) -> Floats:
    return np.tile(np.eye(3), (len(t), 1, 1))


def _vectors(t: Floats, x: Floats | float = 0.0, y: Floats | float = 0.0, z: Floats | float = 0.0) -> Floats:
    return np.stack([np.broadcast_to(np.asarray(v, np.float64), t.shape) for v in (x, y, z)], 1)


def rest(tilt: float = 0.5) -> Case:
    """Standing still, leaning sideways: gravity alone."""
    lean = np.sin(tilt), np.cos(tilt)
    return Case(
        "rest", "waist", UPRIGHT[J["pelvis"]], _stay, lambda t: about(0, np.full(len(t), tilt)),
        lambda t: _vectors(t, y=GRAVITY * lean[1], z=-GRAVITY * lean[0]), lambda t: _vectors(t),
    )  # fmt: skip


def free_fall() -> Case:
    """Thrown up without turning: nothing is felt."""
    return Case(
        "free fall", "chest", UPRIGHT[J["neck"]], lambda t: _vectors(t, y=5 * t - GRAVITY / 2 * t * t), _upright,
        lambda t: _vectors(t), lambda t: _vectors(t),
    )  # fmt: skip


def carousel(turns_hz: float = 0.75) -> Case:
    """Turning about gravity at a constant rate: a hand at radius r feels w² r inwards."""
    omega, hand = 2 * np.pi * turns_hz, 0.95 * UPRIGHT[J["right_wrist"]] + 0.05 * UPRIGHT[J["right_elbow"]]
    return Case(
        "constant rotation", "right_wrist", hand, _stay, lambda t: about(1, omega * t),
        lambda t: _vectors(t, x=-(omega**2) * hand[0], y=GRAVITY, z=-(omega**2) * hand[2]),
        lambda t: _vectors(t, y=omega),
    )  # fmt: skip


def pendulum(swing: float = 0.8, hz: float = 0.7) -> Case:
    """The body swings about the world's z axis through the origin, as a pendulum of angle ``swing sin(wt)``."""
    omega = 2 * np.pi * hz
    hand = 0.95 * UPRIGHT[J["left_wrist"]] + 0.05 * UPRIGHT[J["left_elbow"]]

    def acc(t: Floats) -> Floats:
        angle, rate = swing * np.sin(omega * t), swing * omega * np.cos(omega * t)
        faster = -swing * omega**2 * np.sin(omega * t)
        x, y = hand[0], hand[1]
        return _vectors(
            t, -faster * y - rate**2 * x + GRAVITY * np.sin(angle), faster * x - rate**2 * y + GRAVITY * np.cos(angle)
        )

    return Case(
        "pendulum", "left_wrist", hand, _stay, lambda t: about(2, swing * np.sin(omega * t)), acc,
        lambda t: _vectors(t, z=swing * omega * np.cos(omega * t)),
    )  # fmt: skip


def shaking(hz: float = 1.5, size_m: float = 0.1) -> Case:
    """The upright body goes to and fro in a straight line, forwards."""
    omega = 2 * np.pi * hz
    return Case(
        "linear sinusoid", "right_thigh", UPRIGHT[J["right_hip"]], lambda t: _vectors(t, size_m * np.sin(omega * t)),
        _upright, lambda t: _vectors(t, -size_m * omega**2 * np.sin(omega * t), GRAVITY), lambda t: _vectors(t),
    )  # fmt: skip


CASES = (rest, free_fall, carousel, pendulum, shaking)
