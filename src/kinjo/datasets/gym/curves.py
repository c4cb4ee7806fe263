"""Smooth curves through key poses: quintic pieces, twice differentiable, without overshoot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.signal import GRAVITY

Floats = NDArray[np.floating[Any]]

SINUSOIDAL = 2.47
"""``swing`` with which to-and-fro over equal times is nearly a sinusoid: its acceleration at the turn is pi^2 / 2 times
the way over the time squared; 2 of that is the unit of ``swing``."""


@dataclass(frozen=True)
class Flight:
    """Between knots ``knot`` and ``knot + 1`` column ``column`` (metres) falls freely."""

    knot: int
    column: int


def curve(
    times: Floats, knots: Floats, values: Floats, swing: Floats | float = 0.0, flights: Sequence[Flight] = ()
) -> Floats:
    """Values ``(n, columns)`` at ``times (n,)`` of the curve through ``values (k, columns)`` at ``knots (k,)``.

    Knots increase. A column rises where its knots rise and rests between equal knots (slopes: Fritsch & Butland 1984);
    slope and acceleration are zero at both ends, and at every knot that is a turn, unless ``swing`` (scalar or
    ``(k,)``, up to ``SINUSOIDAL``) lets it swing through. Beyond the ends the curve stays.
    """
    moving = np.flatnonzero(np.ptp(values, axis=0) > 0)
    out = np.repeat(values[:1], len(times), axis=0)
    p = values[:, moving]
    h = np.diff(knots)[:, None]
    v, a = _slopes(h, np.diff(p, axis=0) / h, np.broadcast_to(np.asarray(swing, np.float64), knots.shape)[:, None])
    before, after = np.stack([v[:-1], a[:-1]]), np.stack([v[1:], a[1:]])
    for flight in flights:
        k, at = flight.knot, np.flatnonzero(moving == flight.column)
        span = float(h[k, 0])
        rate = (p[k + 1, at] - p[k, at]) / span
        start, end = rate + GRAVITY * span / 2, rate - GRAVITY * span / 2
        # leaves the ground and comes down with the flight's own speed and acceleration, so there is no jerk at either
        before[:, k, at], after[:, k, at] = np.stack([start, 0 * start - GRAVITY]), np.stack([end, 0 * end - GRAVITY])
        if k > 0:
            after[:, k - 1, at] = before[:, k, at]
        if k + 1 < len(h):
            before[:, k + 1, at] = after[:, k, at]
    d, v0, v1, a0, a1 = np.diff(p, axis=0), before[0] * h, after[0] * h, before[1] * h * h, after[1] * h * h
    powers = (
        p[:-1], v0, a0 / 2,
        10 * d - 6 * v0 - 4 * v1 - 1.5 * a0 + 0.5 * a1,
        -15 * d + 8 * v0 + 7 * v1 + 1.5 * a0 - a1,
        6 * d - 3 * v0 - 3 * v1 - 0.5 * a0 + 0.5 * a1,
    )  # fmt: skip
    piece = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(h) - 1)
    u = np.clip((times - knots[piece]) / h[piece, 0], 0.0, 1.0)[:, None]
    out[:, moving] = _pieces(u, piece, powers)
    return out


def _slopes(h: Floats, d: Floats, swing: Floats) -> tuple[Floats, Floats]:
    """Slope and acceleration ``(k, columns)`` at the knots, from lengths ``h (k - 1, 1)`` and secants ``d``."""
    v, a = np.zeros((len(d) + 1, d.shape[1])), np.zeros((len(d) + 1, d.shape[1]))
    if len(d) < 2:
        return v, a
    h0, h1, d0, d1 = h[:-1], h[1:], d[:-1], d[1:]
    through, turn = d0 * d1 > 0, d0 * d1 < 0
    share = (h0 + 2 * h1) / (3 * (h0 + h1))
    mean = np.where(through, share * d1 + (1 - share) * d0, 1.0)
    v[1:-1] = np.where(through, d0 * d1 / mean, 0.0)
    most = 2 * np.minimum(np.abs(d0) / h0, np.abs(d1) / h1)
    bent = np.clip(2 * (d1 - d0) / (h0 + h1), -most, most)
    a[1:-1] = np.where(turn, np.sign(d1) * swing[1:-1] * most, np.where(through, bent, 0.0))
    return v, a


def _pieces(u: Floats, piece: NDArray[np.intp], powers: tuple[Floats, ...]) -> Floats:
    out = powers[5][piece]
    for power in powers[4::-1]:
        out *= u
        out += power[piece]
    return out


def ease(u: Floats, sharp: float = 3.0) -> Floats:
    """From 0 to 1 as ``u`` does: at rest at both ends, with acceleration ``sharp`` there (0: minimum jerk)."""
    u = np.clip(u, 0.0, 1.0)
    return u * u * (sharp / 2 + u * (10 - 2 * sharp + u * (-15 + 2.5 * sharp + u * (6 - sharp))))
