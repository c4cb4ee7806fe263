"""The body that a picture shows: a mannequin of pills on a person's joints, in clothes.

A pill is the hull of two balls (a tapered capsule; with no length, an ellipsoid), wider one way than the other where a
trunk or a foot is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.datasets.gym.person import TOE, Person, S
from kinjo.datasets.gym.scene import Colour, Scene
from kinjo.motion import J, segment_frames

Floats = NDArray[np.floating[Any]]
Pair = tuple[float, float]

IRON: Colour = (0.17, 0.18, 0.20)
WOOD: Colour = (0.55, 0.42, 0.30)


@dataclass(frozen=True)
class Part:
    """What is the same in all frames of one pill: radii (m) at its first and second end, the stretch along its own x
    and z, its colours, and the share of its length where the first colour gives way to the second."""

    radii: Pair
    wide: Pair
    colours: tuple[Colour, Colour]
    split: float = 1.0


@dataclass(frozen=True)
class Pills:
    """Pills over time. ``base (k, n, 3)``: the first end, world, m; ``frame (k, n, 3, 3)``: from the pill to the world;
    it runs from ``base`` along its ``y`` for ``length (k, n)`` metres. ``known (k, n)`` is ``False`` where it is not
    to be seen. ``parts``: the ``k`` pills."""

    base: Floats
    frame: Floats
    length: Floats
    known: NDArray[np.bool_]
    parts: tuple[Part, ...]


_Row = tuple[Part, Floats, Floats, Floats, NDArray[np.bool_]]


class _Body:
    """Joints and frames of a clip by name, and what is known of them."""

    def __init__(self, positions: Floats, rotations: Floats | None) -> None:
        self.seen: NDArray[np.bool_] = np.asarray(np.isfinite(positions).all(-1))
        self.positions = np.where(self.seen[..., None], positions, 0.0)
        self.guessed = rotations is None
        self.frames = segment_frames(self.positions) if rotations is None else np.asarray(rotations, np.float64)

    def joint(self, name: str) -> Floats:
        return self.positions[:, J[name]]

    def frame(self, segment: str) -> Floats:
        return self.frames[:, S[segment]]

    def known(self, *joints: str) -> NDArray[np.bool_]:
        return np.asarray(self.seen[:, [J[joint] for joint in joints]].all(1))


def figure(person: Person, positions: Floats, rotations: Floats | None, scene: Scene, dumbbells: bool = False) -> Pills:
    """The pills of ``person`` at joints ``(n, 17, 3)`` with segments turned by ``rotations (n, 15, 3, 3)``.

    Without rotations they come from the joints. A pill whose joints are not all finite is not known.
    """
    body = _Body(positions, rotations)
    rows = [*_trunk(person, body, scene), *_head(person, body, scene)]
    for side in ("left", "right"):
        rows += [*_arm(person, body, scene, side), *_leg(person, body, scene, side)]
        if dumbbells:
            rows += _dumbbell(person, body, side)
    rows += [row for place in scene.stools for row in _stool(np.asarray(place, np.float64), len(positions))]
    parts, bases, frames, lengths, known = zip(*rows, strict=True)
    known_ = np.array(known) & np.isfinite(frames).all((-1, -2))
    return Pills(np.array(bases), np.array(frames), np.array(lengths), known_, parts)


def _bone(part: Part, start: Floats, end: Floats, hint: Floats, known: NDArray[np.bool_]) -> _Row:
    """A pill from ``start`` to ``end``; its ``x`` lies as near as it can to that of the frame ``hint``."""
    way = end - start
    length = np.sqrt((way**2).sum(-1))
    y = np.where(length[:, None] > 1e-6, way / np.maximum(length, 1e-6)[:, None], hint[..., 1])
    x = hint[..., 0] - (hint[..., 0] * y).sum(-1, keepdims=True) * y
    size = np.sqrt((x**2).sum(-1, keepdims=True))
    other = np.cross(y, np.eye(3)[np.abs(y).argmin(-1)])
    x = np.where(size > 1e-3, x / np.maximum(size, 1e-3), other / np.linalg.norm(other, axis=-1, keepdims=True))
    return part, start, np.stack([x, y, np.cross(x, y)], -1), length, known


def _at(frame: Floats, x: float, y: float, z: float = 0.0) -> Floats:
    return frame @ np.array([x, y, z])


def _trunk(person: Person, body: _Body, scene: Scene) -> list[_Row]:
    hips, chest = person.girths["pelvis"], person.girths["chest"]
    trunk, deltoid = person.lengths["trunk"], 1.12 * person.girths["right_upper_arm"]
    pelvis, frame, neck = body.joint("pelvis"), body.frame("chest"), body.joint("neck")
    known = body.known("pelvis", "neck", "left_shoulder", "right_shoulder", "left_hip", "right_hip")
    shirt, trousers = (scene.shirt, scene.shirt), (scene.trousers, scene.trousers)
    waist, ribs, top = (pelvis + share * (neck - pelvis) for share in (0.10, 0.50, 0.84))
    sides = [_at(frame, 0.0, -0.16 * deltoid, out * 0.88 * person.lengths["shoulder"]) for out in (-1, 1)]
    base, over = _at(body.frame("pelvis"), -0.10 * hips, 0.0), trunk * 0.10
    return [
        _bone(Part((0.72 * hips, 0.72 * hips), (0.95, 1.35), trousers), body.joint("left_hip") + base,
              body.joint("right_hip") + base, body.frame("pelvis"), known),
        _bone(Part((0.78 * hips, 0.74 * chest), (0.90, 1.28), (scene.trousers, scene.shirt), over / (0.4 * trunk)),
              waist, ribs, frame, known),
        _bone(Part((0.73 * chest, 0.76 * chest), (0.91, 1.36), shirt), ribs, top, frame, known),
        _bone(Part((deltoid, deltoid), (1.0, 1.0), shirt), neck + sides[0], neck + sides[1], frame, known),
    ]  # fmt: skip


def _head(person: Person, body: _Body, scene: Scene) -> list[_Row]:
    size, frame = person.girths["head"], body.frame("head")
    middle, neck = body.joint("head"), body.joint("neck")
    known = body.known("head", "neck")
    skin, hair = (scene.skin, scene.skin), (scene.hair, scene.hair)

    def at(x: float, y: float) -> Floats:
        return middle + _at(frame, x * size, y * size)

    return [
        _bone(Part((0.62 * size, 0.56 * size), (1.0, 1.0), skin), neck, at(-0.25, -0.35), frame, known),
        _bone(Part((0.64 * size, 0.92 * size), (1.0, 0.86), skin), at(0.16, -0.62), at(0.0, 0.26), frame, known),
        _bone(Part((0.74 * size, 0.87 * size), (1.0, 0.93), hair), at(-0.30, 0.05), at(-0.12, 0.44), frame, known),
        _bone(Part((0.15 * size, 0.09 * size), (1.0, 1.0), skin), at(0.98, -0.34), at(0.86, 0.0), frame, known),
    ]


def _sleeve(reach: float, cloth: Colour, skin: Colour) -> tuple[tuple[tuple[Colour, Colour], float], ...]:
    """Colours and split of the upper and the lower half of a limb that cloth covers as far as ``reach`` (0 to 2)."""
    return tuple(((cloth, skin), min(max(reach - half, -1.0), 1.0)) for half in (0, 1))


def _arm(person: Person, body: _Body, scene: Scene, side: str) -> list[_Row]:
    upper, lower, hand = (person.girths[f"{side}_{name}"] for name in ("upper_arm", "forearm", "hand"))
    shoulder, elbow, wrist = (body.joint(f"{side}_{name}") for name in ("shoulder", "elbow", "wrist"))
    over, under = _sleeve(scene.sleeve, scene.shirt, scene.skin)
    palm = body.frame(f"{side}_hand")
    reach = person.lengths["hand"]
    start, end = (wrist + _at(palm, 0.0, -share * reach) for share in (0.14, 0.66))
    skin = (scene.skin, scene.skin)
    return [
        _bone(Part((1.12 * upper, 0.86 * upper), (1.0, 1.0), *over), shoulder, elbow,
              body.frame(f"{side}_upper_arm"), body.known(f"{side}_shoulder", f"{side}_elbow")),
        _bone(Part((1.02 * lower, 0.70 * lower), (1.0, 0.92), *under), elbow, wrist,
              body.frame(f"{side}_forearm"), body.known(f"{side}_elbow", f"{side}_wrist")),
        _bone(Part((0.86 * hand, 0.78 * hand), (1.0, 0.55), skin), start, end, palm,
              body.known(f"{side}_elbow", f"{side}_wrist")),
    ]  # fmt: skip


def _leg(person: Person, body: _Body, scene: Scene, side: str) -> list[_Row]:
    thigh, shin = (person.girths[f"{side}_{name}"] for name in ("thigh", "shin"))
    hip, knee, ankle, toes = (body.joint(f"{side}_{name}") for name in ("hip", "knee", "ankle", "foot"))
    over, under = _sleeve(scene.leg, scene.trousers, scene.skin)
    known = body.known(f"{side}_knee", f"{side}_ankle")
    calf = knee + 0.28 * (ankle - knee) + _at(body.frame(f"{side}_shin"), -0.22 * shin, 0.0)
    sole = body.frame(f"{side}_foot")
    size, toe = person.lengths, TOE * person.height_m
    if body.guessed:  # such a frame points from the ankle to the toes: downwards
        dip = np.arctan2(size["ankle"] - toe, size["foot"])
        cos, sin = np.cos(dip), np.sin(dip)
        sole = sole @ np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    heel = 0.62 * size["ankle"]
    back = ankle + _at(sole, -0.55 * size["heel"], heel - size["ankle"])
    foot = np.stack([sole[..., 1], sole[..., 0], -sole[..., 2]], -1)  # along y: the pill's length
    shoe, cloth = (scene.shoes, scene.shoes), under[0][0 if scene.leg > 1.3 else 1]
    return [
        _bone(Part((1.12 * thigh, 0.72 * thigh), (1.0, 1.0), *over), hip, knee, body.frame(f"{side}_thigh"),
              body.known(f"{side}_hip", f"{side}_knee")),
        _bone(Part((0.98 * shin, 0.66 * shin), (1.0, 1.0), *under), knee, ankle, body.frame(f"{side}_shin"), known),
        _bone(Part((0.92 * shin, 0.80 * shin), (1.0, 1.0), (cloth, cloth)), calf,
              calf + 0.2 * (ankle - knee), body.frame(f"{side}_shin"), known),
        _bone(Part((heel, 1.15 * toe), (1.0, 1.35), shoe), back, toes + _at(sole, 0.0, 0.15 * toe), foot,
              body.known(f"{side}_ankle", f"{side}_foot")),
    ]  # fmt: skip


def _dumbbell(person: Person, body: _Body, side: str) -> list[_Row]:
    palm, known = body.frame(f"{side}_hand"), body.known(f"{side}_elbow", f"{side}_wrist")
    grip = body.joint(f"{side}_wrist") + _at(palm, 0.0, -0.46 * person.lengths["hand"])
    iron = (IRON, IRON)
    bar = [grip + _at(palm, x, 0.0) for x in (-0.128, -0.105, 0.105, 0.128)]
    disc = Part((0.048, 0.048), (1.0, 1.0), iron)
    return [
        _bone(Part((0.014, 0.014), (1.0, 1.0), iron), bar[0], bar[3], palm, known),
        *(_bone(disc, start, end, palm, known) for start, end in ((bar[0], bar[1]), (bar[2], bar[3]))),
    ]


def _stool(top: Floats, frames: int) -> list[_Row]:
    """A round stool whose seat is at ``top (3,)``."""
    upright = np.broadcast_to(np.eye(3), (frames, 3, 3))
    known = np.ones(frames, bool)
    wood = (WOOD, WOOD)

    def ball(place: Callable[[], Floats], part: Part, length: float) -> _Row:
        return part, np.broadcast_to(place(), (frames, 3)), upright, np.full(frames, length), known

    thick = 0.03
    return [
        ball(lambda: top - [0.0, thick, 0.0], Part((thick, thick), (6.0, 6.0), wood), 0.0),
        ball(lambda: np.array([top[0], 0.02, top[2]]), Part((0.035, 0.03), (1.0, 1.0), (IRON, IRON)), top[1] - 0.06),
        ball(lambda: np.array([top[0], 0.01, top[2]]), Part((0.015, 0.015), (9.0, 9.0), (IRON, IRON)), 0.0),
    ]
