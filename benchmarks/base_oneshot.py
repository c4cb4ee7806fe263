"""One example teaches an activity of MotionSense to a model that never saw it; and sensors that are mounted otherwise.

One window per class of one person, windows of others asked, nearest neighbour. Rotations: one for each draw, that
support and query share; and one for each person, which is what they do not share.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

import _base
from _base import Asked, Bench, Turned
from _tools import RESULTS, command
from kinjo.base.sources import Choice, split
from kinjo.base.train import compared
from kinjo.classes import Classes
from kinjo.evaluate import fewshot, report
from kinjo.methods.mujo import MuJo
from kinjo.sensors import random_rotation

DRAWS = 3
"""Of rotations."""
MOST = 5000
"""Windows that support and are asked about."""
HALF_TURNS = np.stack([np.diag(d) for d in ((1.0, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))])
"""As it is mounted, and turned by half about each of its axes."""
QUARTER_TURNS = np.stack([[[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]] for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))])
"""Of what is upright, about the vertical."""


def space_of(bench: Bench, choice: Choice) -> Classes:
    """How classes are compared, learnt from what the model saw; kept beside it in memory."""
    return compared(bench.trained(choice), bench.stores, choice)


def entered(classes: Classes, vectors: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Windows where one example is worth most: axes along which classes differ, in parts of what differs within."""
    space = classes.spaces["imu"]
    between = np.maximum(space.spread - 1.0, 0.0)
    return space.enter(vectors["imu"]) * np.sqrt(between / (between + 2.0))


def seen(
    model: MuJo, classes: Classes, found: Asked, turned: Turned | None = None, *, level: bool = False
) -> NDArray[np.float64]:
    """Windows as one example is compared: ``entered`` in four views, each of unit length, (n, 4d).

    Two windows are alike where they are so in every view: what one view takes for the same, another may tell apart.
    Views are as mounted and by three half turns; with ``level``, of windows whose accelerometer was turned upright, by
    quarter turns about the vertical, for sensors that may be mounted any way: what posture alone tells is lost.
    """
    places = {getattr(s, "placement", "") for w, _ in found.groups for s in w.inputs.values()}
    shape = (len(found.labels), 3, 3)
    mounted: Turned = {p: np.broadcast_to(np.eye(3) if turned is None else turned[p], shape) for p in places}
    if level:
        up = _base.upright(found, mounted)
        mounted = {p: up[p] @ r for p, r in mounted.items()}
    views = []
    for turn in QUARTER_TURNS if level else HALF_TURNS:
        z = entered(classes, _base.embedded(model, found, {p: turn @ r for p, r in mounted.items()}))
        views.append(z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12))
    return np.concatenate(views, 1)


def episodes(found: Asked, number: int, way: int | None = None) -> fewshot.Episodes:
    """``way`` classes (None: all), one window each of one person; windows of others are asked."""
    how = fewshot.Protocol(way=way or len(found.classes), shot=1, queries=15, episodes=number)
    return fewshot.sample_episodes(found.labels, found.subjects, found.recordings, how, np.random.default_rng(0))


def score(found: Asked, z: NDArray[Any], asked: fewshot.Episodes, metric: fewshot.Metric = "cosine") -> fewshot.Score:
    """Of embeddings, by the nearest example."""
    answers = fewshot.classify(z, asked, metric)
    return fewshot.score(asked, answers, found.labels, found.subjects, rng=np.random.default_rng(0))


def rotations(found: Asked, rng: np.random.Generator, *, shared: bool) -> dict[str, NDArray[np.float64]]:
    """placement -> (n, 3, 3): one for all, or one for each person."""
    who = np.unique(found.subjects, return_inverse=True)[1]
    places = {getattr(s, "placement", "") for w, _ in found.groups for s in w.inputs.values()}
    out = {}
    for place in sorted(places):
        each = np.stack([random_rotation(rng, 180.0) for _ in range(1 if shared else int(who.max()) + 1)])
        out[place] = each[np.zeros_like(who) if shared else who]
    return out


def main() -> None:
    """Rows ``base.oneshot.motionsense`` and ``base.rotation_loss``."""
    parser = _base.options(__doc__)
    parser.add_argument("--part", choices=["test", "validation"], default="test", help="validation: to choose by")
    parser.add_argument("--episodes", type=int, default=5000)
    given = parser.parse_args()
    bench = Bench.of(given)
    if not bench.sets(["motionsense"]):
        return
    choice, store = Choice(without=("motionsense",)), bench.stores["motionsense"]
    ids = split(store, "motionsense")[given.part == "validation"]
    found = _base.thinned(_base.asked(store, bench.plan, ids=ids), MOST)
    model, classes = _base.opened(bench.trained(choice)), space_of(bench, choice)
    drawn, vectors = episodes(found, given.episodes), _base.embedded(model, found)
    raw = {name: score(found, x, drawn).accuracy for name, x in vectors.items()}
    raw |= {"entered": score(found, entered(classes, vectors), drawn).accuracy}
    whole = {level: score(found, seen(model, classes, found, level=level), drawn) for level in (False, True)}
    print(f"one-shot {whole[False].accuracy:.3f} {whole[False].ci95}, levelled {whole[True].accuracy:.3f}; {raw}")
    lost: dict[tuple[bool, bool], list[float]] = {}
    for level, shared, draw in product((False, True), (True, False), range(DRAWS)):
        turned = rotations(found, np.random.default_rng([draw, shared]), shared=shared)
        z = seen(model, classes, found, turned, level=level)
        each = whole[level].accuracy - score(found, z, drawn).accuracy
        lost.setdefault((level, shared), []).append(each)
    mean = {key: float(np.mean(each)) for key, each in lost.items()}
    for level, how in ((False, "as mounted"), (True, "levelled")):
        print(f"lost by rotations, {how}: shared {mean[level, True]:.3f}, each person's own {mean[level, False]:.3f}")
    if given.small or given.part != "test":
        return
    told: dict[str, Any] = {
        "trained_on": "simulated people, CMU, WISDM-51, UMAFall and UCI-PT", "seeds": 1,
        "command": command(),
    }  # fmt: skip
    protocol = f"6-way 1-shot, one window of 5 s per class of one person, others are asked; {bench.budget()}"
    as_mounted = {"accuracy": whole[False].accuracy, "shared": mean[False, True], "independent": mean[False, False]}
    report.write_rows(RESULTS / "base_oneshot.json", [
        report.row("base.oneshot.motionsense", whole[False].accuracy, "fraction", ci95=whole[False].ci95,
                   baseline={"chance": _base.chance(found)}, one_view=raw, levelled=whole[True].accuracy,
                   protocol=f"{protocol}; seen as mounted and by three half turns", **told),
        report.row("base.rotation_loss", mean[True, True], "fraction",
                   spread=[min(lost[True, True]), max(lost[True, True])], independent=mean[True, False],
                   accuracy=whole[True].accuracy, as_mounted=as_mounted,
                   protocol=f"{protocol}; accuracy lost by a random mounting that support and query share, "
                   f"mean of {DRAWS}; independent: each person's own; windows are turned upright by their mean "
                   "acceleration and seen by quarter turns about the vertical; as_mounted: not turned upright, "
                   "by half turns", **told),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
