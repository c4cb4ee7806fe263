"""Pictures of a simulated person: colour or depth, from any pinhole camera, with NumPy alone.

Each pill of the ``figure`` is met by the rays that can meet it, in closed form: a ball by a quadratic equation, and so
the cone between two balls. (Quílez, "Intersectors", gives such formulas for many bodies; those here are derived where
they stand.) A pill that is wider one way is a round one in a space that is squeezed.

    camera = Camera.around(30, distance_m=3.5)
    rgb = frames(person, positions, rotations, camera)                 # (n, height, width, 3) uint8
    depth = frames(person, positions, rotations, camera, kind="depth") # (n, height, width) uint16, mm
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.gym.figure import Pills, figure
from kinjo.datasets.gym.person import Person
from kinjo.datasets.gym.scene import Scene, painted, room, shadow
from kinjo.motion import BONES, SEGMENTS, J

Floats = NDArray[np.floating[Any]]
Point = tuple[float, float, float]

NEAR_M = 0.05
"""Nothing nearer than this is shown."""
PIXELS = 1 << 18
"""Pixels that are worked on at once: bounds the memory."""
_STICKS = {**BONES, "pelvis": ("left_hip", "right_hip"), "left_hand": ("left_shoulder", "right_shoulder")}
"""What casts a shadow: the segment that is as thick -> its ends."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera, upright: where it is, where it looks (m, world), its vertical field of view, its pixels.

    Raises ``ValueError`` where it looks at itself, or is no camera.
    """

    position: Point
    look_at: Point
    fov_deg: float = 45.0
    height: int = 120
    width: int = 160

    def __post_init__(self) -> None:
        for name in ("position", "look_at"):
            given = tuple(float(v) for v in getattr(self, name))
            if len(given) != 3 or not np.isfinite(given).all():
                raise ValueError(f"{name}: expected three finite numbers (x, y, z in metres), given {given}")
            object.__setattr__(self, name, given)
        if np.linalg.norm(np.subtract(self.look_at, self.position)) < 1e-6:
            raise ValueError(f"the camera is at {self.position} and looks there too: move look_at to what it shows")
        if not 1.0 <= self.fov_deg <= 170.0:
            raise ValueError(f"fov_deg: expected 1 to 170 degrees from top to bottom, given {self.fov_deg}")
        if self.height < 1 or self.width < 1:
            raise ValueError(f"a picture needs pixels, given {self.height} x {self.width} (height x width)")

    @classmethod
    def around(
        cls, angle_deg: float = 0.0, *, distance_m: float = 3.6, up_m: float = 1.3, target: Point = (0.0, 0.85, 0.0),
        fov_deg: float = 45.0, height: int = 120, width: int = 160,
    ) -> Camera:  # fmt: skip
        """At ``up_m`` over the floor, ``distance_m`` away from ``target`` (over the floor).

        ``angle_deg`` 0: at ``+x``, in front of someone who faces it; 90: at ``+z``, on that person's right.
        """
        angle = np.deg2rad(angle_deg)
        place = target[0] + distance_m * np.cos(angle), up_m, target[2] + distance_m * np.sin(angle)
        return cls(place, target, fov_deg, height, width)

    @property
    def axes(self) -> Floats:
        """``(3, 3)``: rows right, up, forward, in the world."""
        forward = np.subtract(self.look_at, self.position)
        forward = forward / np.linalg.norm(forward)
        right = np.cross(forward, [0.0, 1.0, 0.0])
        if np.linalg.norm(right) < 1e-6:  # straight down or up
            right = np.array([0.0, 0.0, 1.0])
        right = right / np.linalg.norm(right)
        return np.stack([right, np.cross(right, forward), forward])

    def slopes(self) -> tuple[Floats, Floats]:
        """Of the pixels' centres, per unit of depth: to the right ``(width,)``, upwards ``(height,)``."""
        unit = 2 * np.tan(np.deg2rad(self.fov_deg) / 2) / self.height
        across = (np.arange(self.width) + 0.5 - self.width / 2) * unit
        return across, (self.height / 2 - np.arange(self.height) - 0.5) * unit

    def pixels(self, points: Floats) -> Floats:
        """Where ``points (..., 3)`` are in the picture, ``(..., 2)``: column, row; ``NaN`` behind the camera."""
        right, up, depth = np.moveaxis((np.asarray(points) - self.position) @ self.axes.T, -1, 0)
        focal = self.height / 2 / np.tan(np.deg2rad(self.fov_deg) / 2) / np.where(depth > 1e-9, depth, np.nan)
        return np.stack([self.width / 2 + right * focal, self.height / 2 - up * focal], -1)


def random_camera(
    rng: np.random.Generator, *, target: Point = (0.0, 0.85, 0.0), height: int = 120, width: int = 160
) -> Camera:
    """As someone may put a phone or a webcam: from any side, 2.8 to 4.2 m away, the person whole in the picture."""
    aim = target[0] + rng.normal(0.0, 0.08), target[1] + rng.normal(0.0, 0.06), target[2] + rng.normal(0.0, 0.08)
    return Camera.around(
        float(rng.uniform(-180.0, 180.0)), distance_m=float(rng.uniform(2.8, 4.2)), up_m=float(rng.uniform(0.6, 1.9)),
        target=aim, fov_deg=float(rng.uniform(46.0, 58.0)), height=height, width=width,
    )  # fmt: skip


def following(
    camera: Camera, positions: Floats, rate_hz: float, *, lag_s: float = 0.6, slack_m: float = 0.35
) -> list[Camera]:
    """One camera per frame, carried along with the pelvis of ``positions (n, 17, 3)`` over the floor, softly.

    ``camera`` is the one for the place where the pelvis is in the first frame where it is known; it stays until the
    pelvis is ``slack_m`` away from there.
    """
    path = np.array(positions[:, J["pelvis"]], np.float64)[:, [0, 2]]
    known = np.isfinite(path).all(-1)
    if not known.any():
        return [camera] * len(path)
    frame = np.arange(len(path))
    path = np.stack([np.interp(frame, frame[known], path[known, i]) for i in range(2)], -1)
    held = path[0]
    for k in frame[1:]:
        way = path[k] - held
        held = path[k] - way * min(1.0, slack_m / max(float(np.hypot(*way)), 1e-9))
        path[k] = held
    reach = min(max(round(2 * lag_s * rate_hz), 1), 4 * len(path))
    weights = np.hanning(2 * reach + 1)
    padded = np.pad(path, ((reach, reach), (0, 0)), mode="edge")
    smooth = np.stack([np.convolve(padded[:, i], weights / weights.sum(), "valid") for i in range(2)], -1)
    moves = np.round(smooth - path[0], 6) + 0.0
    return [
        replace(
            camera,
            position=(camera.position[0] + x, camera.position[1], camera.position[2] + z),
            look_at=(camera.look_at[0] + x, camera.look_at[1], camera.look_at[2] + z),
        )
        for x, z in moves.tolist()
    ]


def frames(
    person: Person, positions: Floats, rotations: Floats | None, camera: Camera | Sequence[Camera], *,
    kind: Literal["rgb", "depth"] = "rgb", scene: Scene | int = 0, empty: bool = False, dumbbells: bool = False,
    smooth: int = 2, far_m: float = 6.0,
) -> NDArray[Any]:  # fmt: skip
    """Pictures of ``person`` at joints ``(n, 17, 3)`` (m, world), segments turned by ``rotations (n, 15, 3, 3)``.

    ``camera``: one, or one per frame (all with the same pixels). ``scene``: clothes and room, or a seed for
    ``Scene.random`` around these positions (for a clip shown in pieces, make the ``Scene`` once, around all of it).
    ``empty``: no room, the body alone. ``dumbbells`` in both hands. Parts with joints that are not finite are left out.

    ``kind="rgb"``: ``(n, height, width, 3)`` uint8, each pixel the mean of ``smooth`` x ``smooth`` rays.
    ``kind="depth"``: ``(n, height, width)`` uint16, millimetres along the optical axis as a Kinect gives them, 0 where
    there is nothing within ``far_m``. Raises ``ValueError`` for other shapes or kinds, or a camera inside the body.
    """
    positions = np.asarray(positions, np.float64)
    cameras = _checked(positions, rotations, camera, kind, smooth, far_m)
    if isinstance(scene, int):
        scene = Scene.random(np.random.default_rng(scene), positions)
    height, width = cameras[0].height, cameras[0].width
    shape = (len(positions), height, width)
    out = np.zeros((*shape, 3), np.uint8) if kind == "rgb" else np.zeros(shape, np.uint16)
    for start, end in _chunks(cameras, smooth if kind == "rgb" else 1):
        turned = None if rotations is None else rotations[start:end]
        pills = figure(person, positions[start:end], turned, scene, dumbbells)
        view = _View(cameras[start:end], scene, empty, smooth if kind == "rgb" else 1)
        depth, which = _met(pills, view)
        if kind == "depth":
            seen = np.where(depth <= far_m, np.round(np.minimum(depth, far_m) * 1000), 0)
            out[start:end] = seen.reshape(-1, *shape[1:])
            continue
        colours = _coloured(person, positions[start:end], pills, view, depth, which)
        split = colours.reshape(-1, height, smooth, width, smooth, 3)
        out[start:end] = np.round(split.mean((2, 4)).clip(0, 1) * 255)
    return out


def _checked(
    positions: Floats, rotations: Floats | None, camera: Camera | Sequence[Camera], kind: str, smooth: int, far_m: float
) -> list[Camera]:
    """One camera per frame."""
    if positions.ndim != 3 or positions.shape[1:] != (17, 3):
        raise ValueError(f"positions: expected (frames, 17, 3) of the canonical skeleton, given {positions.shape}")
    wanted = (len(positions), len(SEGMENTS), 3, 3)
    if rotations is not None and np.shape(rotations) != wanted:
        raise ValueError(f"rotations: expected {wanted} beside the positions, given {np.shape(rotations)}")
    if kind not in ("rgb", "depth"):
        raise ValueError(f"kind: expected 'rgb' or 'depth', given '{kind}'")
    if smooth < 1 or not 0 < far_m <= 65.0:
        raise ValueError(f"expected smooth of at least 1 and far_m of 0 to 65, given {smooth} and {far_m}")
    cameras = [camera] * len(positions) if isinstance(camera, Camera) else list(camera)
    if not cameras or len(cameras) != len(positions):
        raise ValueError(f"expected frames, and one camera or one per frame; given {len(positions)} and {len(cameras)}")
    if len({(one.height, one.width) for one in cameras}) > 1:
        raise ValueError("the cameras differ in height or width: give all the same pixels")
    return cameras


def _chunks(cameras: list[Camera], smooth: int) -> Iterator[tuple[int, int]]:
    """Frames ``[start, end)`` with one field of view, few enough to be worked on at once."""
    step = max(PIXELS // (cameras[0].height * cameras[0].width * smooth**2), 1)
    start = 0
    for _, same in groupby(cameras, lambda camera: camera.fov_deg):
        end = start + len(list(same))
        yield from ((first, min(first + step, end)) for first in range(start, end, step))
        start = end


@dataclass(frozen=True)
class _Back:
    """What one camera's rays meet of an empty room in frames ``[start, end)``: see ``scene.room``."""

    start: int
    end: int
    depth: Floats
    where: Floats
    what: NDArray[np.intp]


class _View:
    """One camera per frame, ``smooth`` times as fine: where ``(n, 3)``, their axes ``(n, 3, 3)``, their rays."""

    def __init__(self, cameras: Sequence[Camera], scene: Scene, empty: bool, smooth: int = 1) -> None:
        first, self.scene = cameras[0], scene
        fine = replace(first, height=first.height * smooth, width=first.width * smooth)
        self.across, self.upwards = fine.slopes()
        runs = [(camera, len(list(same))) for camera, same in groupby(cameras)]
        self.eye = np.concatenate([np.tile(camera.position, (count, 1)) for camera, count in runs])
        self.axes = np.concatenate([np.tile(camera.axes, (count, 1, 1)) for camera, count in runs])
        self.backs: list[_Back] = []
        start, pixel = 0, np.arange(len(self.across) * len(self.upwards))
        for _, count in runs:
            if empty:
                none = np.full(len(pixel), np.inf), np.zeros((len(pixel), 3)), np.full(len(pixel), -1)
                self.backs.append(_Back(start, start + count, *none))
            else:
                rays = self.rays(np.zeros_like(pixel) + start, pixel)
                self.backs.append(_Back(start, start + count, *room(scene, self.eye[start], rays)))
            start += count

    def rays(self, frame: NDArray[np.intp], pixel: NDArray[np.intp]) -> Floats:
        """Rays ``(m, 3)`` of depth 1 through pixels ``(m,)`` of frames ``(m,)``."""
        right, up, forward = np.moveaxis(self.axes[frame], 1, 0)
        row, column = np.divmod(pixel, len(self.across))
        return forward + self.across[column, None] * right + self.upwards[row, None] * up


def _met(pills: Pills, view: _View) -> tuple[Floats, NDArray[np.int16]]:
    """Depth ``(n, m)`` of what each ray meets first, ``inf`` for nothing, and which pill that is; -1 for the room."""
    rows = [np.tile(back.depth.astype(np.float32), (back.end - back.start, 1)) for back in view.backs]
    depth = np.concatenate(rows)
    which = np.full(depth.shape, -1, np.int16)
    for k, part in enumerate(pills.parts):
        squeeze = np.array([1 / part.wide[0], 1.0, 1 / part.wide[1]])
        shown, box = _boxes(pills, k, view)
        if not len(shown):
            continue
        # pill <- world, squeezed: there the pill is round
        into = squeeze[:, None] * np.swapaxes(pills.frame[k, shown], -1, -2)
        eye = (into @ (view.eye[shown] - pills.base[k, shown])[..., None])[..., 0]
        length = pills.length[k, shown]
        if (_outside(eye, length, part.radii) < 0).any():
            raise ValueError("the camera is inside the body: move its position away, or look from another side")
        rows, columns, index = _patch(box, view, shown)
        rays = _rays(into @ np.swapaxes(view.axes[shown], -1, -2), view.across[columns], view.upwards[rows])
        t = _first(rays, eye, length, part.radii)
        flat, old = which.reshape(-1), depth.reshape(-1)
        nearer = (t > NEAR_M) & (t < old[index])
        at = index[nearer]
        old[at] = t[nearer]
        flat[at] = k
    return depth, which


def _boxes(pills: Pills, k: int, view: _View) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """In which frames pill ``k`` may be seen, and the pixels around it: columns, rows from and to, ``(4, frames)``."""
    part, frame, base = pills.parts[k], pills.frame[k], pills.base[k]
    stretch = np.array([part.wide[0], 1.0, part.wide[1]])
    spread = np.sqrt(((view.axes @ (frame * stretch)) ** 2).sum(-1))  # of a ball of radius 1, along the camera's axes
    ends = np.stack([base, base + pills.length[k][:, None] * frame[..., 1]])
    seen = np.einsum("fij,efj->efi", view.axes, ends - view.eye)  # (2, frames, 3)
    reach = np.array(part.radii)[:, None, None] * spread
    low, high = seen - reach, seen + reach
    nearest = low[..., 2].min(0)
    shown = np.flatnonzero(pills.known[k] & (high[..., 2].max(0) > NEAR_M))
    near, far = np.maximum(low[:, shown, 2:], NEAR_M), np.maximum(high[:, shown, 2:], NEAR_M)
    least = np.minimum(low[:, shown, :2] / near, low[:, shown, :2] / far).min(0)
    most = np.maximum(high[:, shown, :2] / near, high[:, shown, :2] / far).max(0)
    across, upwards = view.across, view.upwards
    first = np.searchsorted(across, least[:, 0], "left"), np.searchsorted(-upwards, -most[:, 1], "left")
    last = np.searchsorted(across, most[:, 0], "right"), np.searchsorted(-upwards, -least[:, 1], "right")
    box = np.stack([first[0], last[0], first[1], last[1]])
    close = nearest[shown] <= NEAR_M  # beside the eye: anywhere
    box[:, close] = np.array([0, len(across), 0, len(upwards)])[:, None]
    inside = (box[1] > box[0]) & (box[3] > box[2])
    return shown[inside], box[:, inside]


def _patch(box: NDArray[np.intp], view: _View, shown: NDArray[np.intp]) -> tuple[Any, Any, Any]:
    """Rows ``(f, b)``, columns ``(f, a)``, flat indices ``(f, b, a)`` of patches of one size that cover the boxes."""
    height, width = len(view.upwards), len(view.across)
    wide, tall = (box[1] - box[0]).max(), (box[3] - box[2]).max()
    columns = np.minimum(box[0], width - wide)[:, None] + np.arange(wide)
    rows = np.minimum(box[2], height - tall)[:, None] + np.arange(tall)
    return rows, columns, ((shown[:, None] * height + rows) * width)[..., None] + columns[:, None, :]


def _rays(axes: Floats, across: Floats, upwards: Floats) -> list[Floats]:
    """The components ``(f, b, a)`` of rays in pills; ``axes (f, 3, 3)``: the camera's right, up, forward there."""
    axes = axes.astype(np.float32)[..., None]
    across, upwards = across.astype(np.float32), upwards.astype(np.float32)
    return [
        (axes[:, i, 2] + axes[:, i, 0] * across)[:, None, :] + (axes[:, i, 1] * upwards)[:, :, None] for i in range(3)
    ]


def _slant(length: Floats, radii: tuple[float, float]) -> tuple[Floats, Floats]:
    """Sine and cosine of the angle between a pill's side and its axis."""
    sine = np.clip((radii[0] - radii[1]) / np.maximum(length, 1e-6), -0.95, 0.95)
    return sine, np.sqrt(1 - sine**2)


def _outside(point: Floats, length: Floats, radii: tuple[float, float]) -> Floats:
    """How far ``point (f, 3)`` is from the skin of a round pill along ``y``; negative inside."""
    along, across = point[:, 1], np.hypot(point[:, 0], point[:, 2])
    sine, cosine = _slant(length, radii)
    ball = np.clip(along - sine * across / cosine, 0.0, length)  # the ball between the two that is nearest
    return np.hypot(across, along - ball) - (radii[0] - sine * ball)


def _first(rays: list[Floats], eye: Floats, length: Floats, radii: tuple[float, float]) -> Floats:
    """Where rays ``(f, b, a)`` from ``eye (f, 3)`` first meet round pills from the origin along ``y``; else ``inf``.

    With ``w = eye + t v``, ``h`` its height and ``p`` its distance from the axis, the side is the cone
    ``cos p + sin h = r``, between the circles where it touches the two balls: ``0 <= h - sin r <= cos^2 length``.
    """

    def each(value: Floats) -> Floats:
        return np.asarray(value, np.float32)[:, None, None]

    sine, cosine = _slant(length, radii)
    h0, m0, first, second = eye[:, 1], (eye**2).sum(-1), *radii
    x, y, z = rays
    vv = x * x + y * y + z * z
    m1 = each(eye[:, 0]) * x + each(h0) * y + each(eye[:, 2]) * z
    best = _ball(vv, m1, each(m0 - first**2))
    if length.max() < 1e-5:
        return best
    far = _ball(vv, m1 - each(length) * y, each(m0 - 2 * length * h0 + length**2 - second**2))
    np.minimum(best, far, out=best)
    a = each(cosine**2) * vv - y * y
    b = each(cosine**2) * m1 - each(h0 - sine * first) * y
    c = each(cosine**2 * m0 - h0**2 + 2 * sine * first * h0 - first**2)
    square = b * b - a * c
    a = np.where(np.abs(a) < 1e-9, np.float32(1e-9), a)
    t = (-b - np.sqrt(np.maximum(square, 0.0))) / a
    along = each(h0 - sine * first) + t * y
    on = (square > 0) & (along >= 0) & (along <= each(cosine**2 * length))
    return np.where(on, np.minimum(best, t), best)


def _ball(vv: Floats, m1: Floats, c: Floats) -> Floats:
    """Where ``|w|^2 + c`` is first 0: ``vv t^2 + 2 m1 t + c``."""
    square = m1 * m1 - vv * c
    return np.where(square > 0, (-m1 - np.sqrt(np.maximum(square, 0.0))) / vv, np.float32(np.inf))


def _coloured(
    person: Person, positions: Floats, pills: Pills, view: _View, depth: Floats, which: NDArray[np.int16]
) -> Floats:
    """Colours ``(n, m, 3)``, 0 to 1 or more."""
    radii = np.array([person.girths[segment] for segment in _STICKS])
    starts, ends = (positions[:, [J[stick[i]] for stick in _STICKS.values()]] for i in (0, 1))
    out = np.empty((*depth.shape, 3), np.float32)
    for back in view.backs:
        frames_ = slice(back.start, back.end)
        out[frames_] = painted(view.scene, back.where, back.what)
        ground = np.flatnonzero(back.what == 4)
        if len(ground):
            floor = back.where[ground][:, [0, 2]]
            out[frames_, ground] *= shadow(view.scene, floor, starts[frames_], ends[frames_], radii)[..., None]
    frame, pixel = np.nonzero(which >= 0)
    out[frame, pixel] = _skin(pills, view, depth[frame, pixel], which[frame, pixel], frame, pixel)
    return out


def _skin(
    pills: Pills, view: _View, depth: Floats, which: NDArray[np.int16], frame: NDArray[np.intp], pixel: NDArray[np.intp]
) -> Floats:
    """Colours ``(hits, 3)`` of the body: the cloth's or skin's, in the lamp's light, the sky's and the floor's."""
    parts = pills.parts
    wide = np.array([[p.wide[0], 1.0, p.wide[1]] for p in parts])[which]
    radii = np.array([p.radii for p in parts])[which]
    turn, length = pills.frame[which, frame], pills.length[which, frame]
    rays = view.rays(frame, pixel)
    point = view.eye[frame] + depth[:, None] * rays - pills.base[which, frame]
    inside = np.einsum("hji,hj->hi", turn, point) / wide
    sine = np.clip((radii[:, 0] - radii[:, 1]) / np.maximum(length, 1e-6), -0.95, 0.95)
    across = np.hypot(inside[:, 0], inside[:, 2])
    ball = np.clip(inside[:, 1] - sine * across / np.sqrt(1 - sine**2), 0.0, length)
    inside[:, 1] -= ball
    normal = np.einsum("hij,hj->hi", turn, inside / wide)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-12
    second = ball > np.array([p.split for p in parts])[which] * np.maximum(length, 1e-9)
    colour = np.array([p.colours for p in parts])[which, second.astype(int)]
    lamp = np.array(view.scene.light) / np.linalg.norm(view.scene.light)
    facing = -(normal * rays).sum(-1) / np.linalg.norm(rays, axis=-1)
    bright = 0.42 + 0.16 * normal[:, 1] + 0.52 * np.maximum(normal @ lamp, 0.0) + 0.12 * np.maximum(facing, 0.0)
    return (colour * bright[:, None]).astype(np.float32)
