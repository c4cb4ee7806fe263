"""Few labels: fine-tuned on 1, 2, 5, 10 windows per class of a set that it never saw, against MiniRocket and scratch.

A model answers by two fine-tunings and, with the same weight, by linear classifiers on what is seen at every depth
(``kinjo.probe``): by itself and, half as much, by four models with random weights. "scratch" does the same, all of it
from weights drawn at random. The way was chosen on people for choices of MotionSense and WISDM-51.
A cell is the mean macro-F1 of ten draws; in each, half of the people give the labels and the others are asked. What
takes long is kept in ``.bench/base``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

import _base
from _base import Asked, Bench
from _tools import RESULTS, command
from base_zeroshot import WHAT, questions
from kinjo import joint, probe
from kinjo.base.sources import Choice
from kinjo.base.train import Variant
from kinjo.batches import Windows
from kinjo.encoders import SensorInput
from kinjo.evaluate import baselines, budgets, metrics, report
from kinjo.methods.mujo import MuJo

SHOTS = (1, 2, 5, 10)
ARMS = ("base", "scratch", "minirocket")
MOST = 2000
"""Windows that are asked about, of a draw."""
VIEWS, RANDOM, SHARE = 4, 1000, 0.5
"""Models with random weights (the seed of the first) that are asked beside an arm's own, and how much they count."""


def halves(found: Asked, draw: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of half of the people, and of the others."""
    who = np.unique(found.subjects)
    some = np.random.default_rng([draw, len(who)]).permutation(who)[: len(who) // 2]
    mine = np.isin(found.subjects, some)
    rest = np.flatnonzero(~mine)
    return np.flatnonzero(mine), np.sort(np.random.default_rng(draw).permutation(rest)[:MOST])


@dataclass(frozen=True)
class Task:
    """A set that is asked about: ``start``, what was trained without it; ``seen``, what each arm's model and others of
    random weights see of every window at every depth; ``steps`` of fine-tuning.
    """

    bench: Bench
    name: str
    found: Asked
    start: Path
    seen: Mapping[str, Sequence[NDArray[np.float32]]]
    steps: int

    @classmethod
    def of(cls, bench: Bench, name: str, steps: int) -> Task:
        found, start = one_group(questions(bench, name)), bench.trained(Choice(without=(name,)))
        windows, own = found.groups[0]
        base = probe.levels(_model(bench, start, 0), windows, own)
        scratch, *others = (probe.levels(_model(bench, None, RANDOM + n), windows, own) for n in range(1 + VIEWS))
        return cls(bench, name, found, start, {"base": [base, *others], "scratch": [scratch, *others]}, steps)

    def score(self, arm: str, shot: int, draw: int) -> float:
        """Macro-F1 of a draw."""
        found = self.found
        pool, test = halves(found, draw)
        chosen = budgets.by_clips(found.labels[pool], found.subjects[pool], found.recordings[pool], shot, draw)
        scores = self.answers(arm, shot, draw, pool[chosen], test)
        truth = np.searchsorted(found.classes, found.labels[test])
        return float(metrics.macro_f1(metrics.count(truth, scores, np.zeros_like(truth)).sum(0)))

    def answers(
        self, arm: str, shot: int, draw: int, rows: NDArray[np.intp], test: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Scores (tests, classes). What takes long is kept."""
        train = self.start.parent.name if arm == "base" else self.bench.given.size
        kept = self.bench.work / "fewshot" / f"{self.name}-{arm}-{shot}-{draw}-{train}"
        known = self.found.labels[rows]
        if arm == "minirocket":
            return _once(kept.with_name(f"{kept.name}.npy"), partial(_rocket, self.found, rows, test, draw))
        tuned = [
            _once(
                kept.with_name(f"{kept.name}-tuned{seed}x{self.steps}.npy"),
                partial(self.tuned, self.start if arm == "base" else None, rows, test, seed),
            )
            for seed in (draw, draw + 100)
        ]
        each = [probe.answer(x[rows], known, x[test], self.found.classes) for x in self.seen[arm]]
        linear = each[0] + SHARE * np.mean(each[1:], 0)
        return probe.agreed([linear, *map(probe.log, tuned)], (2, 1, 1))

    def tuned(
        self, start: Path | None, rows: NDArray[np.intp], test: NDArray[np.intp], seed: int
    ) -> NDArray[np.float64]:
        """Probabilities (tests, classes) after fine-tuning."""
        (windows, own), labels = self.found.groups[0], self.found.labels[rows]
        recipe = _base.finetuned(Variant(self.bench.given.size).of(self.bench.plan), self.steps)
        with TemporaryDirectory() as folder:
            task = joint.finetune(
                recipe, _model(self.bench, start, seed), windows, own[rows], labels, Path(folder), seed=seed,
                balanced=True, progress=False,
            )  # fmt: skip
        out = np.zeros((len(test), len(self.found.classes)))
        out[:, np.searchsorted(self.found.classes, np.unique(labels))] = joint.answer(task, windows, own[test])
        return out


def _once(path: Path, made: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
    """What was made before, or now, and kept."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".tmp").open("wb") as file:
            np.save(file, made())
        path.with_suffix(".tmp").replace(path)
    return np.asarray(np.load(path), np.float64)


def _model(bench: Bench, start: Path | None, seed: int) -> MuJo:
    """As it was pre-trained, or with weights from ``seed``."""
    model = joint.new_model(Variant(bench.given.size).of(bench.plan), seed)
    if start is not None:
        joint.initialise_from(model, start)
    return model


def _rocket(found: Asked, rows: NDArray[np.intp], test: NDArray[np.intp], draw: int) -> NDArray[np.float64]:
    x = _channels(*found.groups[0])
    return baselines.minirocket_classifier(x[rows], found.labels[rows], x[test], draw, classes=found.classes)


def _channels(windows: Windows, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    every = windows.tensors(rows)
    keys = [k for k, s in windows.inputs.items() if isinstance(s, SensorInput)]
    return np.concatenate([every[k].transpose(1, 2).numpy() for k in keys], 1)


def one_group(found: Asked) -> Asked:
    """Windows with the sensors that most have: all arms read the same."""
    sizes = [len(rows) for _, rows in found.groups]
    first = int(np.argmax(sizes))
    at = int(np.sum(sizes[:first]))
    return found.take(np.arange(at, at + sizes[first]))


def main() -> None:
    """Row ``base.fewshot_wins``."""
    parser = _base.options(__doc__)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--shots", type=int, nargs="*", default=list(SHOTS))
    parser.add_argument("--finetune", type=int, default=150, help="steps")
    given = parser.parse_args()
    bench, table = Bench.of(given), {}
    for name in bench.sets(tuple(WHAT)):
        task = Task.of(bench, name, given.finetune)
        for shot in given.shots:
            draws = {arm: [task.score(arm, shot, d) for d in range(given.draws)] for arm in ARMS}
            table[f"{name}-{shot}"] = {arm: float(np.mean(values)) for arm, values in draws.items()}
            print(f"{name:12} k={shot:<3}", *(f"{a} {x:.3f}" for a, x in table[f"{name}-{shot}"].items()), flush=True)
    won = [cell["base"] > max(cell["scratch"], cell["minirocket"]) for cell in table.values()]
    print(f"won {sum(won)} of {len(won)}")
    if not given.small and won:
        row = report.row(
            "base.fewshot_wins", float(np.mean(won)), "fraction", seeds=given.draws, cells=table,
            protocol=f"share of cells (set, k of {given.shots} windows of 5 s per class) in which fine-tuning beats "
            f"MiniRocket with a ridge classifier and the same model from scratch; macro-F1, mean of {given.draws} "
            f"draws of labelled and asked people; two fine-tunings of {given.finetune} steps and linear "
            f"classifiers on all depths, of itself and of {VIEWS} models with random weights; the same from scratch; "
            f"{bench.budget()}",
            trained_on="simulated people, CMU and the real sets but the one asked about",
            command=command(),
        )  # fmt: skip
        report.write_rows(RESULTS / "base_fewshot.json", [row])


if __name__ == "__main__":
    main()
