"""UTD-MHAD, odd subjects to even ones: accuracy, few labels, pre-training, retrieval, missing modalities (MuJo's bars).

Arms: ``scratch``; ``joint``, pre-trained on the odd subjects without labels or captions (which are labels), all
modalities in one space; ``alone``, the same objectives within each modality. Five seeds. Trainings and answers are kept
in ``.bench`` and go on where they stopped. ``--development`` holds out each odd subject in turn, to choose by.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from _tools import RESULTS, ROOT, utd_corpus
from kinjo import joint
from kinjo.datasets.sentences import sentences
from kinjo.evaluate import arms, finetune, jobs, report
from kinjo.evaluate.problems import inputs_of, utd_mhad
from kinjo.evaluate.retrieval import Retrieval, all_pairs, recall_interval, retrieve
from kinjo.methods import mujo
from kinjo.recipe import Recipe

WORK = ROOT / ".bench" / "mujo-utd"
COMMAND = "make bench-mujo-utd"
STEPS = {"clips:1": 150, "clips:2": 150, "clips:4": 250, "clips:8": 250, "all": 0}
"""Of fine-tuning by budget, the same for every arm; 0: the recipe's."""
OBJECTIVES = {
    "joint": mujo.Objective({"contrast": 1.0, "masked": 1.0}),
    "alone": mujo.Objective({"views": 1.0, "masked": 1.0}, drop=0.0),
    "words": mujo.Objective({"contrast": 1.0}),
}
"""Arm -> what pre-training asks for; ``words`` has captions and is for retrieval."""
PARTS = ("accuracy", "retrieval", "gain", "multimodal", "robustness")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--development", action="store_true")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folds", default="")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "mujo-utd.toml")
    given = parser.parse_args()
    study = Study(Recipe.load(given.recipe), str(utd_corpus().root), given)
    for part in given.parts.split(","):
        getattr(study, part)()


class Study:
    """The parts, which share trainings."""

    def __init__(self, recipe: Recipe, corpus: str, given: argparse.Namespace) -> None:
        self.recipe, self.corpus, self.given = recipe, corpus, given
        self.windows = arms.windows_of(corpus, arms.text(recipe))
        problems = utd_mhad(self.windows, development=given.development)
        self.problems = {f: p for f, p in problems.items() if not given.folds or f in given.folds.split(",")}
        self.seeds = range(given.seeds)
        self.modalities = list(recipe.model.modalities)

    # ------------------------------------------------------------------------------------------ trainings
    def pretrained(self, arm: str) -> dict[tuple[str, int], str]:
        """(fold, seed) -> the checkpoint of an arm; "" for ``scratch``."""
        keys = [(fold, seed) for fold in self.problems for seed in self.seeds]
        if arm == "scratch":
            return dict.fromkeys(keys, "")
        plan = replace(self.recipe, objective=OBJECTIVES[arm])
        folders = {key: WORK / f"pretrain-{arm}-{key[0]}-{key[1]}-{arms.digest(plan)}" for key in keys}
        todo = [
            arms.as_job(
                out.name, arms.pretraining, recipe=plan, out=str(out), seed=seed, near_s=0.0,
                sources=[{"corpus": self.corpus, "problem": self.problem(fold), "text": arm == "words"}],
            )
            for (fold, seed), out in folders.items()
        ]  # fmt: skip
        jobs.answers(todo, WORK, processes=self.given.workers)
        return {key: arms.checkpoint_of(out) for key, out in folders.items()}

    def problem(self, fold: str) -> list[Any]:
        return ["utd_mhad", fold, self.given.development]

    def answered(
        self, used: Sequence[str], budgets: Sequence[str], modalities: Sequence[str] = ()
    ) -> dict[finetune.Key, np.ndarray[Any, Any]]:
        """What the arms answer on the test subjects with the budgets, for every input; ``modalities`` alone train."""
        todo, keys = [], {}
        subset = {k: s for k, s in self.recipe.inputs.items() if not modalities or s.modality in modalities}
        plan = replace(self.recipe, inputs=subset, model=replace(self.recipe.model, inputs=subset))
        inputs = [list(modalities)] if modalities else [list(i) for i in self.inputs()]
        for arm in used:
            starts = self.pretrained(arm)
            for budget in budgets:
                steps = STEPS[budget] or plan.finetune.steps
                short = replace(plan, finetune=replace(plan.finetune, steps=steps))
                for (fold, seed), init in starts.items():
                    name = "-".join([arm, *modalities, budget.replace(":", ""), fold, str(seed)])
                    keys[name] = (arm, budget, fold, seed)
                    told: dict[str, Any] = {"corpus": self.corpus, "problem": self.problem(fold), "budget": budget}
                    told |= {"seed": seed, "init": init, "inputs": inputs}
                    todo.append(arms.as_job(name, arms.finetuning, recipe=short, **told))
        found = jobs.answers(todo, WORK, processes=self.given.workers)
        return {
            (keys[n][0], keys[n][1], i, *keys[n][2:]): scores for n, each in found.items() for i, scores in each.items()
        }

    def inputs(self) -> list[tuple[str, ...]]:
        """Every non-empty subset of the modalities that the table shows."""
        pairs = list(combinations(self.modalities, 2))
        return list(dict.fromkeys([*inputs_of(self.modalities), *pairs]))

    def table(self, answers: dict[finetune.Key, np.ndarray[Any, Any]]) -> finetune.Table:
        """Markdown on stdout."""
        found = finetune.table(self.problems, answers)
        print(found.to_markdown(), flush=True)
        return found

    # ------------------------------------------------------------------------------------------ parts
    def accuracy(self) -> None:
        """All labels: ``utd.accuracy.*``."""
        self.table(self.answered(["joint", "scratch"], ["all"]))

    def gain(self) -> None:
        """Pre-trained against scratch at every label count: ``utd.pretrain_gain``."""
        found = self.table(self.answered(["scratch", "joint"], list(STEPS)))
        print(finetune.gains_markdown(finetune.gains(found, "joint", "scratch")))

    def multimodal(self) -> None:
        """Pre-trained together against alone: ``utd.multimodal_gain``."""
        found = self.table(self.answered(["alone", "joint"], ["clips:2", "clips:8"]))
        print(finetune.gains_markdown(finetune.gains(found, "joint", "alone")))

    def robustness(self) -> None:
        """One training for every subset against one for exactly that subset: ``utd.robustness_gap``."""
        whole = self.answered(["joint"], ["all"])
        for pair in combinations(self.modalities, 2):
            name = "_".join(pair)
            own = {("own", *k[1:]): v for k, v in self.answered(["joint"], ["all"], pair).items()}
            found = self.table({**{k: v for k, v in whole.items() if k[2] == name}, **own})
            print(finetune.gains_markdown(finetune.gains(found, "joint", "own")))

    def retrieval(self) -> None:
        """Every ordered pair of modalities, and sentences: ``utd.retrieval.*``."""
        runs: dict[str, list[Retrieval]] = {}
        starts = self.pretrained("words")
        for (fold, _), init in starts.items():
            model = joint.load(Path(init.partition("#")[0]))[0]
            assert isinstance(model, mujo.MuJo)
            asked = self.problems[fold]
            rows = asked.test
            embedded = joint.embed(model, self.windows, rows)
            labels, ids = asked.labels[rows], asked.recordings[rows]
            said = [joint.embed_text(model, sentences("utd_mhad", c)).mean(0) for c in asked.classes]
            for pair, found in all_pairs(embedded, labels, ids).items():
                runs.setdefault("_".join(pair), []).append(found)
            for modality, x in embedded.items():
                runs.setdefault(f"text_{modality}", []).append(retrieve(np.stack(said), x, asked.classes, labels))
                answer = retrieve(x, np.stack(said), labels, asked.classes)
                runs.setdefault(f"{modality}_text", []).append(answer)
        groups = {name: asked.classes if name.startswith("text_") else asked.subjects[rows] for name in runs}
        for name, found in runs.items():
            value = float(np.mean([r.recall[1] for r in found]))
            low, high = recall_interval(found, groups[name], np.random.default_rng(0))
            print(
                f"retrieval {name:12} R@1 {value:.3f} [{low:.3f}, {high:.3f}]", [round(r.recall[1], 3) for r in found]
            )
        print(report, RESULTS, COMMAND)


if __name__ == "__main__":
    main()
