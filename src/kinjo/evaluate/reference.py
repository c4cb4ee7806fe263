"""The protocol of Mu-MAE's released code, reproduced to be set beside the strict one: its numbers flatter.

Three things make it easier or less certain (PAPERS.md 2.4): the model is tested again and again while it is
fine-tuned, on the test classes, and the *best* test is reported; there is no validation; and support and query of an
episode may be of the same person. An episode is five classes with one example each and **one** query in all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kinjo import learn
from kinjo.corpus import Corpus
from kinjo.evaluate import answers, strict
from kinjo.evaluate.fewshot import Protocol, sample_episodes
from kinjo.evaluate.folds import Fold
from kinjo.methods.oneshot import OneShot
from kinjo.nn import checkpoint
from kinjo.recipe import Recipe

PROTOCOL = Protocol(queries=1, support="any", exclude="recording")


@dataclass(frozen=True)
class ReferenceResult:
    """``value`` is the mean over folds of the best test, as released; ``last`` of the last test, without the choice.

    ``tests[fold]`` are all of them, in order; ``ci95`` is as released: 1.96 standard errors over episodes, which
    knows nothing of people and classes.
    """

    value: float
    last: float
    ci95: tuple[float, float]
    tests: dict[str, list[float]]


def evaluate(
    recipe: Recipe,
    corpus: Corpus,
    work: Path,
    *,
    modalities: Sequence[str],
    tests: int = 8,
    episodes: int = 10_000,
    seed: int = 0,
    progress: bool = True,
) -> ReferenceResult:
    """Pre-train on the classes of each fold that are not tested, fine-tune, and test ``tests`` times on the way."""
    clips = strict.Clips.of(corpus, recipe)
    found = {
        fold.name: run_fold(
            recipe, clips, Fold(f"{fold.name}-reference", (*fold.train, *fold.validation), (), fold.test),
            seed, work, modalities, tests, episodes, progress,
        )
        for fold in strict.folds()
    }  # fmt: skip
    best = np.array([max(scores) for scores in found.values()])
    half = 1.96 * float(np.sqrt((best * (1 - best) / episodes).sum())) / len(best)
    value = float(best.mean())
    last = float(np.mean([scores[-1] for scores in found.values()]))
    return ReferenceResult(value, last, (value - half, min(1.0, value + half)), found)


def run_fold(
    recipe: Recipe, clips: strict.Clips, fold: Fold, seed: int, work: Path, modalities: Sequence[str], tests: int,
    episodes: int, progress: bool,
) -> list[float]:  # fmt: skip
    """The accuracies of the tests of one fold, in order. Trainings are kept under ``work`` and go on from there."""
    folder = strict.folder_of(recipe, clips, fold, seed, work)
    rows, how = clips.rows(fold.train), {"seed": seed, "progress": progress}
    kept = folder / f"tests-{'_'.join(modalities)}-{tests}x{episodes}.json"
    scores = json.loads(kept.read_text()) if kept.exists() else []
    for number in range(len(scores) + 1, tests + 1):
        if recipe.pretrain.steps > 0:
            start = learn.pretrain(recipe, clips.windows, rows, folder / "pretrain", **how)
        else:
            start = learn.new_model(recipe, seed)
        until = round(number * recipe.finetune.steps / tests)
        last = folder / "finetune" / "last.safetensors"
        if last.exists() and checkpoint.load(last)[1]["step"] > until:
            raise ValueError(
                f"{folder} holds a fine-tuning past its test {number}: name another work folder, or delete it"
            )
        model = learn.finetune(
            recipe, start, clips.windows, rows, clips.labels[rows], folder / "finetune", until=until, **how
        )
        rng = np.random.default_rng([seed, number])
        scores.append(test(model.eval(), clips, fold, modalities, episodes, rng))
        temporary = kept.with_suffix(".tmp")
        temporary.write_text(json.dumps(scores))
        os.replace(temporary, kept)  # each test is of the weights of its moment: it cannot be made again later
    return scores


def test(
    model: OneShot, clips: strict.Clips, fold: Fold, modalities: Sequence[str], episodes: int, rng: np.random.Generator
) -> float:
    """Accuracy on fresh episodes of the test classes, one query in each."""
    rows = clips.rows(fold.test)
    who = clips.labels[rows], clips.subjects[rows], clips.recordings[rows]
    drawn = sample_episodes(*who, replace(PROTOCOL, episodes=episodes), rng)
    asked = rng.integers(PROTOCOL.way, size=episodes)
    one = replace(drawn, query=drawn.query[np.arange(episodes), asked][:, None])  # (E, 1, 1)
    given = answers.of_model(model, clips.windows, one, rows, modalities=modalities)
    return float((given[:, 0, 0] == asked).mean())
