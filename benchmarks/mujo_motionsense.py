"""MotionSense, accelerometer alone: what the simulated gym gives to few labels, and to many (bars of MuJo).

Five folds by user, windows of 2 s every second; every fold is one training per arm and budget. Trainings and answers
are kept in ``.bench`` and go on where they stopped. ``--development`` chooses within the first fold's training users.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import _gym
from _tools import RESULTS, ROOT, data_root
from kinjo import corpus, datasets
from kinjo.evaluate import arms, finetune, jobs, metrics, pictures_joint, report
from kinjo.evaluate.problems import by_user
from kinjo.recipe import Recipe

BUDGETS = ("all", "windows:0.1", "windows:0.02", "recording:1")
GAIN = ("windows:0.02", "windows:0.1", "all")
ROCKET = ("windows:0.02", "recording:1")
"""Budgets of MiniRocket: with all windows its ridge regression takes six minutes and 6 GB a fold."""
PROTOCOL = "MotionSense, accelerometer, 2 s every 1 s, 5 folds by user, macro-F1 of all windows together"
WORK = ROOT / ".bench" / "mujo-motionsense"


def motionsense() -> corpus.Corpus:
    """MotionSense as a corpus in ``.bench``; ends the program where the data set is absent."""
    data = data_root()
    if datasets.motionsense.find(data) is None:
        sys.exit(f"no MotionSense under {data}: name the folder that holds it with KINJO_DATA (make: DATA=folder)")
    return corpus.write(datasets.load("motionsense", data), ROOT / ".bench" / "motionsense-corpus")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--development", action="store_true", help="choose within the first fold's training users")
    parser.add_argument("--folds", default="", help="only these, such as fold0,fold1")
    parser.add_argument("--budgets", default=",".join(BUDGETS))
    parser.add_argument("--arms", default="scratch,gym,minirocket")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "mujo-motionsense.toml")
    given = parser.parse_args()
    whole = Recipe.load(given.recipe)
    found = measured(whole, given)
    print(found.to_markdown())
    if not given.development and not given.folds:
        write(found, whole)


def acc_alone(whole: Recipe) -> Recipe:
    """The recipe without the inputs that MotionSense lacks: its weights are those of the whole's."""
    inputs = {key: spec for key, spec in whole.inputs.items() if spec.modality == "imu"}
    return replace(whole, inputs=inputs, model=replace(whole.model, inputs=inputs))


def measured(whole: Recipe, given: argparse.Namespace) -> finetune.Table:
    """The table of all arms and budgets."""
    real, virtual, used = str(motionsense().root), str(_gym.pocket().root), given.arms.split(",")
    recipe = acc_alone(whole)
    problems = by_user(arms.windows_of(real, arms.text(recipe)), development=given.development)
    problems = {f: p for f, p in problems.items() if not given.folds or f in given.folds.split(",")}
    starts = {"scratch": ""}
    if "gym" in used:
        starts["gym"] = virtual_encoder(whole, virtual)
    todo, keys = [], {}
    for arm in used:
        for budget in given.budgets.split(",") if arm != "minirocket" else ROCKET:
            for fold in problems:
                name = f"{arm}-{budget.replace(':', '-')}-{fold}"
                told: dict[str, Any] = {"corpus": real, "problem": ["by_user", fold, given.development]}
                told |= {"budget": budget, "seed": 0, "inputs": [["imu"]]}
                if arm == "minirocket":
                    todo.append(arms.as_job(name, arms.minirocket, recipe=recipe, **told))
                else:
                    todo.append(arms.as_job(name, arms.finetuning, recipe=recipe, init=starts[arm], **told))
                keys[name] = (arm, budget, "imu", fold, 0)
    answers = jobs.answers(todo, WORK, processes=given.workers)
    return finetune.table(problems, {keys[name]: found["imu"] for name, found in answers.items()})


def virtual_encoder(whole: Recipe, virtual: str) -> str:
    """Pre-trained on the simulated gym alone, once."""
    out = WORK / f"pretrain-gym-{arms.digest(whole)}"
    sources = [{"corpus": virtual, "text": True}]
    job = arms.as_job(out.name, arms.pretraining, recipe=whole, sources=sources, out=str(out), seed=0)
    jobs.answers([job], WORK, processes=1, threads=2)
    return arms.checkpoint_of(out)


def write(found: finetune.Table, whole: Recipe) -> None:
    """The bars' rows, with MiniRocket beside; the whole table as JSON and as a picture."""
    gains = {g.budget: paired(found, g.budget) for g in finetune.gains(found, "gym", "scratch")}
    least = min((b for b in GAIN if b in gains), key=lambda b: statistics.median(gains[b]))
    common: dict[str, Any] = {
        "command": "make bench-mujo-motionsense",
        "trained_on": "the simulated gym, then MotionSense's other users",
    }
    rows = []
    for name, budget in (("100", "all"), ("2", "windows:0.02"), ("1rec", "recording:1")):
        line, beside = found.line("gym", budget, "imu"), found.line("scratch", budget, "imu")
        baseline = {"scratch": beside.macro_f1}
        if budget in ROCKET:
            baseline["minirocket"] = found.line("minirocket", budget, "imu").macro_f1
        rows.append(
            report.row(
                f"motionsense.f1.{name}", line.macro_f1, "fraction", ci95=line.ci95, baseline=baseline, seeds=1,
                protocol=f"{PROTOCOL}; labels: {budget}", accuracy=line.accuracy, **common,
            )
        )  # fmt: skip
    rows.append(
        report.row(
            "mujo.virtual_gain", statistics.median(gains[least]), "fraction", seeds=1,
            protocol=f"{PROTOCOL}; pre-trained on the simulated gym alone minus scratch: the smallest of the medians "
            f"over folds, at {', '.join(GAIN)} (here {least})",
            by_budget={b: [round(x, 4) for x in v] for b, v in gains.items()}, **common,
        )
    )  # fmt: skip
    report.write_rows(RESULTS / "mujo_motionsense.json", rows)
    report.keep(RESULTS / "tables" / "mujo_motionsense_table.json", found.to_dict())
    pictures_joint.label_efficiency(
        found, RESULTS / "mujo_motionsense.png", title="MotionSense, accelerometer in a pocket"
    )


def paired(found: finetune.Table, budget: str) -> list[float]:
    """Macro-F1 of ``gym`` minus ``scratch`` in each fold: a fold's users are its subjects."""
    ours, theirs = (found.counts[arm, budget, "imu"][0] for arm in ("gym", "scratch"))
    people = found.fold_of_subject
    return [
        float(metrics.macro_f1(ours[people == f].sum(0)) - metrics.macro_f1(theirs[people == f].sum(0)))
        for f in np.unique(people)
    ]


if __name__ == "__main__":
    main()
