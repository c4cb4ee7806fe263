"""One example teaches an activity of MotionSense to a model that never saw it; and sensors that are mounted otherwise.

One window per class of one person, windows of others asked, nearest neighbour. Rotations: one for each draw, that
support and query share; and one for each person, which is what they do not share.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

import _base
from _base import Asked, Bench
from _tools import RESULTS
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


def space_of(bench: Bench, choice: Choice) -> Classes:
    """How classes are compared, learnt from what the model saw; kept beside it in memory."""
    return compared(bench.trained(choice), bench.stores, choice)


def entered(classes: Classes, vectors: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Windows where one example is worth most: axes along which classes differ, in parts of what differs within."""
    space = classes.spaces["imu"]
    between = np.maximum(space.spread - 1.0, 0.0)
    return space.enter(vectors["imu"]) * np.sqrt(between / (between + 2.0))


def seen(
    model: MuJo, classes: Classes, found: Asked, turned: Mapping[str, NDArray[np.float64]] | None = None
) -> NDArray[np.float64]:
    """Windows as one example is compared: ``entered`` as mounted and by three half turns, each of unit length, (n, 4d).

    Two windows are alike where they are so in every view: what one view takes for the same, another may tell apart.
    """
    places = {getattr(s, "placement", "") for w, _ in found.groups for s in w.inputs.values()}
    views = []
    for turn in HALF_TURNS:
        each = {p: turn @ (np.eye(3) if turned is None else turned[p]) for p in places}
        whole = {p: np.broadcast_to(r, (len(found.labels), 3, 3)) for p, r in each.items()}
        z = entered(classes, _base.embedded(model, found, whole))
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
    whole = score(found, seen(model, classes, found), drawn)
    raw = {name: score(found, x, drawn).accuracy for name, x in vectors.items()}
    raw |= {"entered": score(found, entered(classes, vectors), drawn).accuracy}
    print(f"one-shot {whole.accuracy:.3f} {whole.ci95}; in one view, and without the space of classes {raw}")
    lost: dict[bool, list[float]] = {True: [], False: []}
    for draw in range(DRAWS):
        for shared in lost:
            turned = rotations(found, np.random.default_rng([draw, shared]), shared=shared)
            z = seen(model, classes, found, turned)
            lost[shared].append(whole.accuracy - score(found, z, drawn).accuracy)
    print(f"lost by rotations: shared {np.mean(lost[True]):.3f}, each person's own {np.mean(lost[False]):.3f}")
    if given.small or given.part != "test":
        return
    told: dict[str, Any] = {
        "trained_on": "simulated people, CMU, WISDM-51, UMAFall and UCI-PT", "seeds": 1,
        "command": "make bench-base-oneshot",
    }  # fmt: skip
    protocol = (
        "6-way 1-shot, one window of 5 s per class of one person, others are asked; seen as mounted and by three half "
        f"turns; {bench.budget()}"
    )
    report.write_rows(RESULTS / "base_oneshot.json", [
        report.row("base.oneshot.motionsense", whole.accuracy, "fraction", ci95=whole.ci95,
                   baseline={"chance": _base.chance(found)}, protocol=protocol, one_view=raw, **told),
        report.row("base.rotation_loss", float(np.mean(lost[True])), "fraction",
                   spread=[min(lost[True]), max(lost[True])], independent=float(np.mean(lost[False])),
                   protocol=f"{protocol}; accuracy lost by a random mounting that support and query share, "
                   f"mean of {DRAWS}; independent: each person's own", **told),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
