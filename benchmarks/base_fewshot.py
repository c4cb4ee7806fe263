"""Few labels: fine-tuned on 1, 2, 5, 10 windows per class of a set that it never saw, against MiniRocket and scratch.

A model answers by two fine-tunings and a linear classifier on what it sees at every depth (``kinjo.probe``), put
together; "scratch" does the same from weights drawn at random. The way was chosen on people for choices.
A cell is the mean macro-F1 of ten draws; in each, half of the people give the labels and the others are asked. Scores
of each draw are kept in ``.bench/base``.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

import _base
from _base import Asked, Bench
from _tools import RESULTS
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


def halves(found: Asked, draw: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of half of the people, and of the others."""
    who = np.unique(found.subjects)
    some = np.random.default_rng([draw, len(who)]).permutation(who)[: len(who) // 2]
    mine = np.isin(found.subjects, some)
    rest = np.flatnonzero(~mine)
    return np.flatnonzero(mine), np.sort(np.random.default_rng(draw).permutation(rest)[:MOST])


def answers(
    bench: Bench, found: Asked, arm: str, start: Path | None, rows: NDArray[np.intp], test: NDArray[np.intp],
    draw: int, steps: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Scores (tests, classes)."""
    windows, own = found.groups[0]
    if arm == "minirocket":
        x = _channels(windows, own)
        return baselines.minirocket_classifier(x[rows], found.labels[rows], x[test], draw, classes=found.classes)
    x = probe.levels(_model(bench, start, draw), windows, own[np.concatenate([rows, test])])
    linear = probe.answer(x[: len(rows)], found.labels[rows], x[len(rows) :], found.classes)
    tuned = [_tuned(bench, found, _model(bench, start, seed), rows, test, seed, steps) for seed in (draw, draw + 100)]
    return probe.agreed([linear, *map(probe.log, tuned)])


def _model(bench: Bench, start: Path | None, seed: int) -> MuJo:
    """As it was pre-trained, or with weights from ``seed``."""
    model = joint.new_model(Variant(bench.given.size).of(bench.plan), seed)
    if start is not None:
        joint.initialise_from(model, start)
    return model


def _tuned(
    bench: Bench, found: Asked, model: MuJo, rows: NDArray[np.intp], test: NDArray[np.intp], seed: int, steps: int
) -> NDArray[np.float64]:
    """Probabilities (tests, classes) after fine-tuning."""
    (windows, own), recipe = found.groups[0], _base.finetuned(Variant(bench.given.size).of(bench.plan), steps)
    with TemporaryDirectory() as folder:
        task = joint.finetune(
            recipe, model, windows, own[rows], found.labels[rows], Path(folder), seed=seed, balanced=True,
            progress=False,
        )  # fmt: skip
    got = joint.answer(task, windows, own[test])
    out = np.zeros((len(test), len(found.classes)))
    out[:, np.searchsorted(found.classes, np.unique(found.labels[rows]))] = got
    return out


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


def cell(
    bench: Bench, name: str, found: Asked, arm: str, shot: int, draw: int, steps: int, start: Path | None
) -> float:  # fmt: skip
    """Macro-F1 of a draw; kept."""
    train = start.parent.name if start is not None and arm == "base" else bench.given.size
    how = steps if arm == "minirocket" else f"{steps}x2-probe"
    kept = bench.work / "fewshot" / f"{name}-{arm}-{shot}-{draw}-{how}-{train}.json"
    if kept.is_file():
        return float(json.loads(kept.read_text()))
    pool, test = halves(found, draw)
    chosen = budgets.by_clips(found.labels[pool], found.subjects[pool], found.recordings[pool], shot, draw)
    scores = answers(bench, found, arm, start if arm == "base" else None, pool[chosen], test, draw, steps)
    truth = np.searchsorted(found.classes, found.labels[test])
    value = float(metrics.macro_f1(metrics.count(truth, scores, np.zeros_like(truth)).sum(0)))
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(value))
    return value


def main() -> None:
    """Row ``base.fewshot_wins``."""
    parser = _base.options(__doc__)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--shots", type=int, nargs="*", default=list(SHOTS))
    parser.add_argument("--finetune", type=int, default=150, help="steps")
    given = parser.parse_args()
    bench, table = Bench.of(given), {}
    for name in bench.sets(tuple(WHAT)):
        found = one_group(questions(bench, name))
        start = bench.trained(Choice(without=(name,)))
        for shot in given.shots:
            draws = {
                arm: [cell(bench, name, found, arm, shot, d, given.finetune, start) for d in range(given.draws)]
                for arm in ARMS
            }
            table[f"{name}-{shot}"] = {arm: float(np.mean(values)) for arm, values in draws.items()}
            print(f"{name:12} k={shot:<3}", *(f"{a} {x:.3f}" for a, x in table[f"{name}-{shot}"].items()), flush=True)
    won = [cell["base"] > max(cell["scratch"], cell["minirocket"]) for cell in table.values()]
    print(f"won {sum(won)} of {len(won)}")
    if not given.small and won:
        row = report.row(
            "base.fewshot_wins", float(np.mean(won)), "fraction", seeds=given.draws, cells=table,
            protocol=f"share of cells (set, k of {given.shots} windows of 5 s per class) in which fine-tuning beats "
            f"MiniRocket with a ridge classifier and the same model from scratch; macro-F1, mean of {given.draws} "
            f"draws of labelled and asked people; two fine-tunings of {given.finetune} steps and a linear "
            f"classifier on all depths, the same from scratch; {bench.budget()}",
            trained_on="simulated people, CMU and the real sets but the one asked about",
            command="make bench-base-fewshot",
        )  # fmt: skip
        report.write_rows(RESULTS / "base_fewshot.json", [row])


if __name__ == "__main__":
    main()
