"""MuJo's question: which tasks beside contrast, how weighed, when; and how compact the joint space may be.

Every strategy pre-trains the same small encoder on the simulated gym (equal steps, batches and data) and is fine-tuned
on 2 % of the windows of the first fold of MotionSense, three seeds. Kept in ``.bench``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import _gym
import mujo_motionsense
from _tools import RESULTS, ROOT
from kinjo.evaluate import arms, finetune, jobs, pictures_joint, report
from kinjo.evaluate.problems import by_user
from kinjo.methods.mujo import Objective
from kinjo.recipe import Recipe

WORK = ROOT / ".bench" / "mujo-strategies"
STEPS, BUDGET = 500, "windows:0.02"
ALL = {"contrast": 1.0, "classify": 0.3, "reconstruct": 0.3, "regress": 0.3, "masked": 0.3}
STRATEGIES = {
    "contrastive only": Objective({"contrast": 1.0}),
    "+ classification": Objective({"contrast": 1.0, "classify": 0.3}),
    "+ reconstruction": Objective({"contrast": 1.0, "reconstruct": 0.3}),
    "+ pose to IMU": Objective({"contrast": 1.0, "regress": 0.3}),
    "+ masked modelling": Objective({"contrast": 1.0, "masked": 0.3}),
    "+ supervised contrast": Objective({"contrast": 1.0, "supervised": 0.3}),
    "all, fixed weights": Objective(ALL),
    "all, learnt uncertainty": Objective(ALL, weighting="uncertainty"),
    "all, PCGrad": Objective(ALL, weighting="pcgrad"),
    "all, alternating": Objective(ALL, schedule="alternating"),
    "all, staged": Objective(ALL, schedule="staged"),
}
DIMS = (32, 64, 128, 256, 512)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    whole = Recipe.load(ROOT / "recipes" / "mujo-motionsense.toml")
    whole = replace(whole, pretrain=replace(whole.pretrain, steps=STEPS), finetune=replace(whole.finetune, steps=400))
    plans = {name: replace(whole, objective=how) for name, how in STRATEGIES.items()}
    plans |= {f"joint dimension {d}": replace(whole, model=replace(whole.model, joint_dim=d)) for d in DIMS}
    found = measured(plans, range(given.seeds), given.workers)
    print(found.to_markdown())
    write(found, list(plans), given.seeds)


def measured(plans: dict[str, Recipe], seeds: range, workers: int) -> finetune.Table:
    """Each strategy an arm; from scratch beside."""
    real, virtual = str(mujo_motionsense.motionsense().root), str(_gym.pocket().root)
    sources = [{"corpus": virtual, "text": True, "labels": True}]
    folders = {
        (name, seed): WORK / f"pretrain-{arms.digest(plan)}-{seed}" for name, plan in plans.items() for seed in seeds
    }
    todo = {
        out.name: arms.as_job(
            out.name, arms.pretraining, recipe=plans[name], sources=sources, out=str(out), seed=seed
        )
        for (name, seed), out in folders.items()
    }  # fmt: skip
    jobs.answers(list(todo.values()), WORK, processes=workers)
    fine, keys = {}, {}
    for name, plan in {"scratch": next(iter(plans.values())), **plans}.items():
        recipe = mujo_motionsense.acc_alone(plan)
        for seed in seeds:
            init = "" if name == "scratch" else arms.checkpoint_of(folders[name, seed])
            told: dict[str, Any] = {"corpus": real, "problem": ["by_user", "fold0", False], "budget": BUDGET}
            told |= {"seed": seed, "init": init, "inputs": [["imu"]]}
            label = f"fine-{''.join(c if c.isalnum() else '-' for c in name)}-{seed}"
            fine[label] = arms.as_job(label, arms.finetuning, recipe=recipe, **told)
            keys[label] = (name, BUDGET, "imu", "fold0", seed)
    answers = jobs.answers(list(fine.values()), WORK, processes=workers)
    recipe = mujo_motionsense.acc_alone(next(iter(plans.values())))
    problems = {"fold0": by_user(arms.windows_of(real, arms.text(recipe)))["fold0"]}
    return finetune.table(problems, {keys[label]: a["imu"] for label, a in answers.items()})


def write(found: finetune.Table, names: list[str], seeds: int) -> None:
    """The row, the table, the picture."""
    lines = {line.arm: line for line in found.lines}
    best = max((n for n in STRATEGIES), key=lambda n: lines[n].macro_f1)
    (gain,) = finetune.gains(found, best, "contrastive only")
    row = report.row(
        "mujo.strategies", gain.mean, "fraction", ci95=gain.ci95, seeds=seeds, command="make bench-mujo-strategies",
        trained_on="the simulated gym, then MotionSense's other users", best=best,
        baseline={"contrastive only": lines["contrastive only"].macro_f1, "scratch": lines["scratch"].macro_f1},
        protocol=f"MotionSense fold 1 of 5, {BUDGET}, macro-F1, best strategy minus contrastive only (best by the "
        f"test, so the largest of {len(STRATEGIES)}); {STEPS} steps of 128 on the gym, encoder of 0.3 M parameters",
        table={n: round(lines[n].macro_f1, 4) for n in ("scratch", *names)},
    )  # fmt: skip
    report.write_rows(RESULTS / "mujo_strategies.json", [row])
    report.keep(RESULTS / "tables" / "mujo_strategies_table.json", found.to_dict())
    shown = {n: lines[n] for n in ("scratch", *names)}
    pictures_joint.bars(
        {n: x.macro_f1 for n, x in shown.items()}, {n: x.ci95 for n, x in shown.items()},
        RESULTS / "mujo_strategies.png", title="MotionSense, 2 % of windows labelled: strategies and joint dimensions",
    )  # fmt: skip


if __name__ == "__main__":
    main()
