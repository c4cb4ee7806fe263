"""UTD-MHAD, strict one-shot, inertial unit, through the Recognizer itself: taught by one clip, asked about others.

A joint space of each fold's 15 training classes; then for every episode a recognizer that knows nothing is taught five
classes by one clip each of one subject, and answers which of the five a clip of somebody else shows: the one that is
likeliest over its windows. Settings were chosen on development classes (``--part development``).
"""

from __future__ import annotations

import argparse
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _tools import RESULTS, ROOT, utd_corpus
from _utd import minirocket
from kinjo import joint, recognizer
from kinjo.batches import Windows, cut
from kinjo.classes import Classes
from kinjo.corpus import Corpus
from kinjo.datasets import utd_mhad
from kinjo.encoders import SensorInput
from kinjo.evaluate import report
from kinjo.evaluate.fewshot import Episodes, Protocol
from kinjo.evaluate.folds import DEVELOPMENT, FewshotResult, Fold, answer_folds, development, utd_mhad_folds
from kinjo.methods import mujo
from kinjo.recipe import Augment, Cut, Recipe
from kinjo.runtime import Model
from kinjo.train import Schedule

WORK = ROOT / ".bench" / "teach-utd"
COMMAND = "make bench-teach-utd"
Vectors = dict[str, NDArray[np.float32]]


def recipe(steps: int) -> Recipe:
    """The inertial unit, its placement withheld; windows of 3 s."""
    inputs = {q: SensorInput(q, samples=96, slots=12) for q in ("acc", "gyro")}
    return Recipe(
        "teach-utd", inputs, mujo.Config(inputs, dim=128, depth=1, joint_dim=128), method="mujo",
        objective=mujo.Objective({"classify": 1.0, "views": 1.0}, drop=0.0),
        pretrain=Schedule(steps=steps, batch_size=64, lr=1e-3), windows=Cut(3.0, 0.5),
        augment=Augment(60.0, warp=0.1, crop=0.15),
    )  # fmt: skip


def taught_space(store: Corpus, fold: Fold, seed: int, steps: int) -> Model:
    """A recognizer of the fold's training classes, from recordings of these alone; kept."""
    how, out = recipe(steps), WORK / f"{fold.name}-{steps}-{seed}"
    ids = [e.id for e in store.entries if e.segments[0].label in fold.train]
    windows = Windows(store, cut(store, ids, how), how.inputs)
    joint.pretrain(
        how, [joint.Source(windows, np.arange(len(windows)), labels=True)], out, seed=seed, near_s=0.5, progress=False
    )
    held = [id for id in ids if store.recording(id).subject in ("s7", "s8")]
    return recognizer.learn(out, store, [id for id in ids if id not in held], held)


def nothing(model: Model) -> Classes:
    """What the model compares by, without any class."""
    return model.classes.only([])


def answers(model: Model, clips: list[Vectors], asked: Episodes) -> NDArray[np.intp]:
    """Which of an episode's classes each query is, (episodes, way, queries)."""
    out = np.empty(asked.query.shape, np.intp)
    for e, (support, query) in enumerate(zip(asked.support, asked.query, strict=True)):
        classes = nothing(model)
        for number, shots in enumerate(support):
            for one in shots.tolist():
                classes = classes.taught(str(number), clips[one])
        flat = query.ravel().tolist()
        sizes = [len(clips[q]["imu"]) for q in flat]
        odds = classes.log_odds({s: np.concatenate([clips[q][s] for q in flat]) for s in clips[0]})
        odds = odds[:, [classes.names.index(str(k)) for k in range(len(support))]]
        mean = np.add.reduceat(odds, np.r_[0, np.cumsum(sizes)[:-1]], axis=0) / np.array(sizes)[:, None]
        out[e] = mean.argmax(1).reshape(query.shape)
    return out


def evaluate(
    part: str, seeds: tuple[int, ...], steps: int, episodes: int
) -> tuple[FewshotResult, dict[str, float]]:  # fmt: skip
    """Over three folds of classes and ``seeds``; and MiniRocket on the same episodes."""
    store = utd_corpus()
    recordings = [store.recording(id) for id in store.recordings]
    labels = np.array([r.segments[0].label for r in recordings])
    subjects, ids = np.array([r.subject for r in recordings]), np.array([r.id for r in recordings])
    folds = utd_mhad_folds(utd_mhad.CARD.classes)
    used = folds if part == "test" else tuple(development(fold) for fold in folds)

    @cache
    def embedded(fold: Fold, seed: int) -> tuple[Model, list[Vectors]]:
        model = taught_space(store, fold, seed, steps)
        return model, [
            {s: x[np.isfinite(x).all(1)] for s, x in model.embed_recording(r)[1].items()} for r in recordings
        ]

    protocol = Protocol(episodes=episodes) if part == "test" else DEVELOPMENT
    how: dict[str, Any] = {"seeds": seeds, "part": "test" if part == "test" else "validation"}
    how["few_seeds"] = part != "test"
    found = answer_folds(
        lambda fold, seed, asked: answers(*embedded(fold, seed), asked), labels, subjects, ids, used, protocol, **how
    )
    return found, minirocket(store, used, protocol, **how)


def main() -> None:
    """Write the row ``teach.utd_oneshot_imu``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--part", default="test", choices=["test", "development"])
    parser.add_argument("--steps", type=int, default=800)
    given = parser.parse_args()
    seeds = (0, 1, 2) if given.part == "test" else (0,)
    found, beside = evaluate(given.part, seeds, given.steps, 2000)
    print(f"{found.value:.4f} {found.ci95} {beside}")
    if given.part == "test":
        row = report.row(
            "teach.utd_oneshot_imu", found.value, "fraction", ci95=found.ci95, seeds=3, baseline=beside,
            protocol="UTD-MHAD strict: " + found.protocol.describe() + ", mean over three class folds; placement "
            "withheld; through the recognizer: five classes taught by a clip each, the likeliest over a clip's windows",
            trained_on="UTD-MHAD, the 15 training classes of each fold", command=COMMAND,
        )  # fmt: skip
        report.write_rows(RESULTS / "teach_utd.json", [row])


if __name__ == "__main__":
    main()
