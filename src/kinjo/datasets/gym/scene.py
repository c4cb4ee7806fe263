"""What is around a person in a picture: a room, its light and the person's shadow; and the colours of it all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Colour = tuple[float, float, float]
"""Red, green, blue, 0 to 1."""
Pattern = Callable[[Floats, Floats], Floats]
"""Two coordinates on a surface (m) -> how much of the second colour is there, 0 to 1."""

SKINS: tuple[Colour, ...] = (
    (0.96, 0.80, 0.69), (0.90, 0.72, 0.58), (0.80, 0.60, 0.45), (0.66, 0.46, 0.33), (0.50, 0.33, 0.23),
    (0.36, 0.24, 0.17),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (0.10, 0.08, 0.07), (0.23, 0.15, 0.10), (0.40, 0.26, 0.15), (0.70, 0.53, 0.30), (0.55, 0.24, 0.12),
    (0.62, 0.61, 0.60),
)  # fmt: skip


def _grain(i: Floats, j: Floats) -> Floats:
    """Numbers from 0 to 1, by chance but always the same for the same two whole numbers."""
    mixed = (i.astype(np.int64) * 40503 + 977) ^ (j.astype(np.int64) * 30323 + 131)
    mixed = (mixed * 48271) % 65521
    return ((mixed * 16807) % 65521) / 65520.0


def plain(u: Floats, v: Floats) -> Floats:
    """One colour."""
    return np.zeros_like(u)


def planks(u: Floats, v: Floats) -> Floats:
    """Boards along ``u``, each of its own tone."""
    row = np.floor(v / 0.16)
    shift = 1.9 * _grain(row, row)
    joint = np.minimum(np.abs(v / 0.16 - np.round(v / 0.16)) * 0.16, 1.0) < 0.006
    return np.where(joint, 1.0, 0.55 * _grain(np.floor((u + shift) / 1.4), row))


def tiles(u: Floats, v: Floats) -> Floats:
    """Squares with a joint between them."""
    near = np.minimum(np.abs(u / 0.6 - np.round(u / 0.6)), np.abs(v / 0.6 - np.round(v / 0.6))) * 0.6
    return np.where(near < 0.018, 1.0, 0.3 * _grain(np.floor(u / 0.6), np.floor(v / 0.6)))


def checks(u: Floats, v: Floats) -> Floats:
    """Two kinds of mats, in turn."""
    return ((np.floor(u) + np.floor(v)) % 2) * 0.6


def stripes(u: Floats, v: Floats) -> Floats:
    """Upright bands."""
    return 0.5 * ((u / 0.7) % 1 < 0.5)


def bricks(u: Floats, v: Floats) -> Floats:
    """Bricks with mortar."""
    row = np.floor(v / 0.14)
    shifted = u / 0.4 + 0.5 * (row % 2)
    level = np.abs(v / 0.14 - np.round(v / 0.14)) * 0.14 < 0.011
    upright = np.abs(shifted - np.round(shifted)) * 0.4 < 0.011
    return np.where(level | upright, 1.0, 0.35 * _grain(np.floor(shifted), row))


def panel(u: Floats, v: Floats) -> Floats:
    """Another colour up to the height of a hip."""
    return np.where(v < 1.05, 0.8, 0.0)


_CEILING: tuple[Colour, Colour] = (0.9, 0.9, 0.9), (0.9, 0.9, 0.9)
FLOORS: tuple[Pattern, ...] = (plain, planks, planks, tiles, checks)
WALLS: tuple[Pattern, ...] = (plain, plain, stripes, bricks, panel)


@dataclass(frozen=True)
class Picture:
    """Something flat on a wall: ``wall`` 0 to 3 (at +x, -x, +z, -z), from and to along it and upwards (m)."""

    wall: int
    along: tuple[float, float]
    up: tuple[float, float]
    colour: Colour


@dataclass(frozen=True)
class Scene:
    """Colours of a person and of a room; what does not change while a camera runs.

    ``sleeve`` and ``leg``: how far shirt and trousers reach, 0 to 1 on the upper half of the limb, to 2 on the lower.
    ``middle`` and ``half``: the room's centre and half its size along x and z (m); its floor is at ``y = 0``. ``walls``
    and ``floor``: two colours each, mixed by a pattern. ``light`` points to the lamp. ``stools``: where seats are (m).
    """

    skin: Colour = SKINS[1]
    hair: Colour = HAIRS[1]
    shirt: Colour = (0.16, 0.47, 0.62)
    trousers: Colour = (0.18, 0.20, 0.27)
    shoes: Colour = (0.88, 0.88, 0.86)
    sleeve: float = 0.6
    leg: float = 1.75
    floor: tuple[Colour, Colour] = ((0.72, 0.56, 0.40), (0.52, 0.38, 0.26))
    floor_pattern: Pattern = planks
    walls: tuple[Colour, Colour] = ((0.87, 0.86, 0.82), (0.62, 0.68, 0.70))
    wall_pattern: Pattern = plain
    middle: tuple[float, float] = (0.0, 0.0)
    half: tuple[float, float] = (4.0, 4.0)
    height_m: float = 2.9
    light: tuple[float, float, float] = (0.45, 1.0, 0.35)
    pictures: tuple[Picture, ...] = ()
    stools: tuple[tuple[float, float, float], ...] = ()

    @classmethod
    def random(cls, rng: np.random.Generator, around: Floats | None = None) -> Scene:
        """Other clothes and another room each time, large enough for the places ``around (..., 3)`` and a camera."""
        places = np.zeros((1, 3)) if around is None else np.asarray(around, np.float64).reshape(-1, 3)
        places = places[np.isfinite(places).all(-1)] if np.isfinite(places).any() else np.zeros((1, 3))
        low, high = places.min(0)[[0, 2]], places.max(0)[[0, 2]]
        middle, half = (low + high) / 2 + rng.uniform(-0.4, 0.4, 2), (high - low) / 2 + rng.uniform(4.4, 5.6, 2)
        wall = _hsv(rng, (0.0, 0.22), (0.72, 0.96))
        pattern = FLOORS[rng.integers(len(FLOORS))]
        board = _mixed((0.46, 0.31, 0.21), (0.86, 0.72, 0.54), float(rng.random()))
        floor = board if pattern is planks else _hsv(rng, (0.0, 0.32), (0.34, 0.74))
        angle = rng.uniform(-np.pi, np.pi)
        pants = int(rng.integers(3))
        return cls(
            skin=SKINS[rng.integers(len(SKINS))],
            hair=HAIRS[rng.integers(len(HAIRS))],
            shirt=_hsv(rng, (0.05, 0.85), (0.3, 0.95)),
            trousers=_hsv(rng, (0.0, 0.5), (0.12, 0.5)),
            shoes=_hsv(rng, (0.0, 0.7), (0.15, 0.95)),
            sleeve=float(rng.choice([0.0, 0.45, 0.65, 1.0, 2.0])),
            leg=float((rng.uniform(0.5, 0.85), rng.uniform(1.5, 1.8), 2.0)[pants]),
            floor=(floor, _mixed(floor, (0.1, 0.1, 0.1), 0.35)),
            floor_pattern=pattern,
            walls=(wall, _mixed(wall, _hsv(rng, (0.1, 0.5), (0.4, 0.9)), 0.55)),
            wall_pattern=WALLS[rng.integers(len(WALLS))],
            middle=(float(middle[0]), float(middle[1])),
            half=(float(half[0]), float(half[1])),
            height_m=float(max(rng.uniform(2.6, 3.4), places[:, 1].max() + 0.8)),
            light=(float(0.7 * np.cos(angle)), 1.0, float(0.7 * np.sin(angle))),
            pictures=tuple(_picture(rng, half) for _ in range(rng.integers(2, 9))),
        )


def _hsv(rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]) -> Colour:
    import colorsys

    return colorsys.hsv_to_rgb(float(rng.random()), float(rng.uniform(*saturation)), float(rng.uniform(*value)))


def _mixed(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (a + share * (b - a) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _picture(rng: np.random.Generator, half: Floats) -> Picture:
    wall = int(rng.integers(4))
    reach = float(half[1 if wall < 2 else 0]) - 1.2
    at, wide = float(rng.uniform(-reach, reach)), float(rng.uniform(0.3, 1.1))
    low = 0.0 if rng.random() < 0.25 else float(rng.uniform(0.9, 1.4))  # a door, or a picture
    high = 2.1 if low == 0.0 else low + float(rng.uniform(0.4, 1.0))
    return Picture(wall, (at - wide / 2, at + wide / 2), (low, high), _hsv(rng, (0.1, 0.8), (0.25, 0.95)))


def room(scene: Scene, eye: Floats, rays: Floats) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """How far each ray goes until it meets the room from inside: ``(m,)`` in lengths of the ray; else ``inf``.

    ``eye (3,)``, ``rays (m, 3)``. Also where, ``(m, 3)``, and what: 0 to 3 a wall, 4 the floor, 5 the ceiling, -1 none.
    Walls are not in the way of an eye outside.
    """
    centre = np.array([scene.middle[0], scene.height_m / 2, scene.middle[1]])
    size = np.array([scene.half[0], scene.height_m / 2, scene.half[1]])
    slope = np.where(np.abs(rays) < 1e-9, 1e-9, rays)
    out = (np.sign(slope) * size + centre - eye) / slope
    into = (-np.sign(slope) * size + centre - eye) / slope
    axis = out.argmin(-1)
    far = out.min(-1)
    there = (far > 1e-6) & (into.max(-1) <= far)
    where = eye + far[:, None] * rays
    forward = np.take_along_axis(slope, axis[:, None], 1)[:, 0] > 0
    names = np.array([[1, 4, 3], [0, 5, 2]])  # by direction, by axis
    what = np.where(there, names[forward.astype(int), axis], -1)
    return np.where(there, far, np.inf), where, what


def painted(scene: Scene, where: Floats, what: NDArray[np.intp]) -> Floats:
    """Colours ``(m, 3)``, 0 to 1, of the room at ``where (m, 3)`` on ``what (m,)``, both as ``room`` gives them."""
    out = np.full((len(what), 3), 0.80)
    light = np.array(scene.light) / np.linalg.norm(scene.light)
    x, y, z = (where - [scene.middle[0], 0.0, scene.middle[1]]).T
    normals = np.array([[-1, 0, 0], [1, 0, 0], [0, 0, -1], [0, 0, 1], [0, 1, 0], [0, -1, 0]], float)
    for face in range(6):
        here = what == face
        if not here.any():
            continue
        if face < 4:
            u, v = (z if face < 2 else x)[here], y[here]
            colour = _mix(scene.walls, scene.wall_pattern(u + 50.0, v))
            colour[v < 0.1] *= 0.7  # the skirting board
            for item in scene.pictures:
                if item.wall == face:
                    framed = (item.along[0] < u) & (u < item.along[1]) & (item.up[0] < v) & (v < item.up[1])
                    colour[framed] = item.colour
        else:
            pattern = scene.floor_pattern if face == 4 else plain
            pair = scene.floor if face == 4 else _CEILING
            colour = _mix(pair, pattern(x[here] + 50.0, z[here] + 50.0))
        bright = 0.70 + 0.34 * max(float(normals[face] @ light), 0.0) + (0.05 if face == 4 else 0.0)
        out[here] = colour * bright
    return out * _corners(scene, x, y, z, what)[:, None]


def _mix(pair: tuple[Colour, Colour], share: Floats) -> Floats:
    first, second = np.array(pair)
    return first + share[:, None] * (second - first)


def _corners(scene: Scene, x: Floats, y: Floats, z: Floats, what: NDArray[np.intp]) -> Floats:
    """It is darker where two surfaces meet."""
    gaps = np.stack([scene.half[0] - np.abs(x), np.minimum(y, scene.height_m - y), scene.half[1] - np.abs(z)])
    other = np.where(np.arange(3)[:, None] == np.array([0, 0, 2, 2, 1, 1, -1])[what], np.inf, gaps).min(0)
    return np.where(what < 0, 1.0, 1.0 - 0.28 * np.exp(-np.maximum(other, 0.0) / 0.45))


def shadow(scene: Scene, floor: Floats, starts: Floats, ends: Floats, radii: Floats) -> Floats:
    """How bright the floor still is, ``(n, m)``, 1 without shadow, at ``floor (m, 2)`` (x, z).

    Of sticks ``starts, ends (n, k, 3)`` with ``radii (k,)``, cast along the lamp's light and blurred with their height.
    Sticks that are not finite throw none.
    """
    lamp = np.array(scene.light)
    slant = lamp[[0, 2]] / lamp[1]
    a, b = (p[..., [0, 2]] - slant * np.maximum(p[..., 1:2], 0.0) for p in (starts, ends))
    heights = np.stack([starts[..., 1], ends[..., 1]])
    known = np.isfinite(a).all(-1) & np.isfinite(b).all(-1)
    dark = np.zeros((len(starts), len(floor)), np.float32)
    for k in range(starts.shape[1]):
        if not known[:, k].any():
            continue
        first = np.nan_to_num(a[:, k])[:, :, None].astype(np.float32)
        way = np.nan_to_num(b[:, k] - a[:, k])[:, :, None].astype(np.float32)
        h0, h1 = np.nan_to_num(heights[:, :, k])[..., None].astype(np.float32)
        dx, dz = floor.T[0].astype(np.float32) - first[:, 0], floor.T[1].astype(np.float32) - first[:, 1]
        share = (dx * way[:, 0] + dz * way[:, 1]) / np.maximum(way[:, 0] ** 2 + way[:, 1] ** 2, 1e-6)
        share = np.clip(share, 0.0, 1.0)
        dx -= share * way[:, 0]
        dz -= share * way[:, 1]
        soft = 0.05 + 0.16 * np.maximum(h0 + share * (h1 - h0), 0.0)
        wide = np.float32(radii[k])
        edge = np.clip((wide + soft - np.sqrt(dx * dx + dz * dz)) / (2 * soft), 0.0, 1.0)
        depth = edge * edge * (3 - 2 * edge) * np.minimum(wide / soft, 1.0)
        np.maximum(dark, depth * known[:, k, None], out=dark)
    return 1.0 - 0.5 * dark
