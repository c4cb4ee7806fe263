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
from kinjo.evaluate import arms, finetune, jobs, pictures_joint, report
from kinjo.evaluate.problems import inputs_of, utd_mhad
from kinjo.evaluate.retrieval import Retrieval, all_pairs, recall_interval, retrieve
from kinjo.methods import mujo
from kinjo.recipe import Recipe

WORK = ROOT / ".bench" / "mujo-utd"
COMMAND = "make bench-mujo-utd"
STEPS = {"clips:1": 150, "clips:2": 150, "clips:4": 250, "clips:8": 250, "all": 0}
"""Of fine-tuning by budget, the same for every arm; 0: the recipe's."""
OBJECTIVES = {
    "joint": mujo.Objective({"contrast": 1.0, "views": 1.0, "masked": 1.0}),
    "alone": mujo.Objective({"views": 1.0, "masked": 1.0}, drop=0.0),
    "words": mujo.Objective({"contrast": 1.0}),
}
"""Arm -> what pre-training asks for; ``words`` has captions and is for retrieval."""
ROCKET = {"imu": 0.870, "imu_pose": 0.951}
"""MiniRocket on this split, as the issue gives it; ours is in the table of few labels."""
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
        found = self.table(self.answered(["words", "scratch"], ["all"]))
        rows = []
        for name, input in (("imu", "imu"), ("imu_pose", "imu_pose"), ("all", "_".join(self.modalities))):
            line, beside = found.line("words", "all", input), found.line("scratch", "all", input)
            rows.append(
                self.row(
                    f"utd.accuracy.{name}", line.accuracy, "accuracy; captions and all labels of the odd subjects",
                    baseline={"scratch": beside.accuracy} | ({"minirocket": ROCKET[name]} if name in ROCKET else {}),
                    macro_f1=line.macro_f1, macro_f1_ci95=list(line.ci95), per_seed_f1=list(line.per_seed),
                )
            )  # fmt: skip
        self.write(rows, "accuracy", found)

    def gain(self) -> None:
        """Pre-trained against scratch at every label count: ``utd.pretrain_gain``."""
        found = self.table(self.answered(["scratch", "joint"], list(STEPS)))
        gains = finetune.gains(found, "joint", "scratch")
        self.gained("utd.pretrain_gain", gains, "pre-trained without labels minus scratch, macro-F1", "gain", found)
        picture = RESULTS / "mujo_utd_gain.png"
        if not self.given.development:
            pictures_joint.label_efficiency(found, picture, title="UTD-MHAD, odd subjects to even ones")

    def multimodal(self) -> None:
        """Pre-trained together against alone: ``utd.multimodal_gain``."""
        found = self.table(self.answered(["alone", "joint"], ["clips:2", "clips:8"]))
        gains = [g for g in finetune.gains(found, "joint", "alone") if g.input in self.modalities]
        self.gained(
            "utd.multimodal_gain", gains, "pre-trained together minus each alone, macro-F1", "multimodal", found
        )

    def gained(self, id: str, gains: list[finetune.Gain], what: str, name: str, found: finetune.Table) -> None:
        """The row of the smallest median gain."""
        print(finetune.gains_markdown(gains))
        least = finetune.smallest_median_gain(gains)
        every = {f"{g.input} {g.budget}": round(g.median, 4) for g in gains}
        what = f"{what}: the smallest median over seeds, here {least.input} at {least.budget}"
        self.write([self.row(id, least.median, what, ci95=least.ci95, medians=every)], name, found)

    def robustness(self) -> None:
        """One training for every subset against one for exactly that subset: ``utd.robustness_gap``."""
        whole, gaps, tables = self.answered(["joint"], ["all"]), {}, []
        for pair in combinations(self.modalities, 2):
            name = "_".join(pair)
            own = {("own", *k[1:]): v for k, v in self.answered(["joint"], ["all"], pair).items()}
            found = self.table({**{k: v for k, v in whole.items() if k[2] == name}, **own})
            tables.append(found.to_dict())
            ours, theirs = found.line("joint", "all", name).accuracy, found.line("own", "all", name).accuracy
            gaps[name] = theirs - ours
        worst = max(gaps, key=lambda name: gaps[name])
        what = f"accuracy of a training for two modalities alone minus one for all, worst pair ({worst})"
        row = self.row("utd.robustness_gap", gaps[worst], what, gaps=gaps)
        if not self.given.development:
            report.write_rows(RESULTS / "mujo_utd.json", [row])
            report.keep(RESULTS / "tables" / "mujo_utd_robustness.json", tables)
        print(gaps)

    def retrieval(self) -> None:
        """Every ordered pair of modalities, and sentences: ``utd.retrieval.*``."""
        runs: dict[str, list[Retrieval]] = {}
        groups: dict[str, Any] = {}
        for (fold, _), init in self.pretrained("words").items():
            model = joint.load(Path(init.partition("#")[0]))[0]
            assert isinstance(model, mujo.MuJo)
            asked = self.problems[fold]
            embedded = joint.embed(model, self.windows, asked.test)
            labels, ids, who = (x[asked.test] for x in (asked.labels, asked.recordings, asked.subjects))
            said = np.stack([joint.embed_text(model, sentences("utd_mhad", c)).mean(0) for c in asked.classes])
            found = {"_".join(pair): r for pair, r in all_pairs(embedded, labels, ids).items()}
            for modality, x in embedded.items():
                found[f"text_{modality}"] = retrieve(said, x, asked.classes, labels)
                found[f"{modality}_text"] = retrieve(x, said, labels, asked.classes)
            for name, r in found.items():
                runs.setdefault(name, []).append(r)
                groups[name] = asked.classes if name.startswith("text_") else who
        rows, shown = [], {}
        for name, found_ in runs.items():
            value = float(np.mean([r.recall[1] for r in found_]))
            ci95 = recall_interval(found_, groups[name], np.random.default_rng(0))
            a, _, b = name.partition("_")
            shown[a, b] = value
            more = {f"recall_{k}": float(np.mean([r.recall[k] for r in found_])) for k in (5, 10)}
            more["map"] = float(np.mean([r.mean_average_precision for r in found_]))
            what = "class-level R@1, own clip left out; trained with the odd subjects' captions, no other labels"
            rows.append(self.row(f"utd.retrieval.{name}", value, what, ci95=ci95, **more))
            print(f"retrieval {name:12} R@1 {value:.3f} [{ci95[0]:.3f}, {ci95[1]:.3f}]")
        if not self.given.development:
            report.write_rows(RESULTS / "mujo_utd.json", rows)
            title = "UTD-MHAD, unseen subjects: who finds whom"
            pictures_joint.retrieval_map(shown, RESULTS / "mujo_utd_retrieval.png", title=title)

    # ------------------------------------------------------------------------------------------ results
    def row(self, id: str, value: float, what: str, **more: Any) -> dict[str, Any]:
        """A row of UTD-MHAD's."""
        protocol = f"UTD-MHAD, odd subjects train, even ones test, placement withheld; {what}"
        how = {"command": COMMAND, "trained_on": "UTD-MHAD, odd subjects", "seeds": len(self.seeds)}
        return report.row(id, value, "fraction", protocol=protocol, **how, **more)

    def write(self, rows: list[dict[str, Any]], name: str, found: finetune.Table) -> None:
        """Rows and the table beside; nothing in development."""
        if not self.given.development:
            report.write_rows(RESULTS / "mujo_utd.json", rows)
            report.keep(RESULTS / "tables" / f"mujo_utd_{name}.json", found.to_dict())


if __name__ == "__main__":
    main()
