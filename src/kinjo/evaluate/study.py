"""The fine-tuning protocol as one call: arms, budgets, folds and seeds to one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kinjo.evaluate import arms, finetune, jobs
from kinjo.evaluate.problems import PROBLEMS, labelled
from kinjo.recipe import Recipe


def _whole(fold: str, problem: finetune.Problem, budget: str, seed: int) -> None:
    """``ValueError`` where a class that is tested has no training window, before anything trains."""
    there = {name: set(problem.labels[rows].tolist()) for name, rows in (
        ("fold", problem.train), ("budget", labelled(problem, budget, seed)),
    )}  # fmt: skip
    for name, words in (("fold", "no training subject does"), ("budget", f"budget {budget!r} has no window of")):
        if lacking := [c for c in problem.classes if c not in there[name]]:
            raise ValueError(f"{fold}: {words} {', '.join(lacking)}: take more recordings, or other folds or budgets")


def finetuning(
    recipe: Recipe,
    corpus: Path,
    *,
    init: Path | None = None,
    problem: str = "by_user",
    budgets: Sequence[str] = ("all",),
    folds: Sequence[str] = (),
    seeds: Sequence[int] = (0,),
    frozen: bool = False,
    baselines: bool = True,
    development: bool = False,
    work: Path = Path("runs"),
    workers: int = 1,
) -> finetune.Table:
    """``scratch``; with ``init`` ``pretrained``, and ``frozen`` too where wanted; MiniRocket on the same windows.

    ``problem`` is one of ``problems.PROBLEMS``; ``folds`` empty: all. Trainings are kept in ``work``.
    """
    if recipe.method != "mujo":
        raise ValueError(f"recipe '{recipe.name}' has method = '{recipe.method}': this protocol needs method = 'mujo'")
    if problem not in PROBLEMS:
        raise ValueError(f"problem is one of {', '.join(PROBLEMS)}, given {problem!r}")
    held = arms.corpus_of(corpus)
    windows = arms.windows_of(held, arms.text(recipe))
    problems = PROBLEMS[problem](windows, development=development)
    strange = sorted(set(folds) - set(problems))
    if strange:
        raise ValueError(f"no fold {', '.join(strange)}; there are: {', '.join(problems)}")
    problems = {name: p for name, p in problems.items() if not folds or name in folds}
    for budget in budgets:  # what is no budget is said before anything trains
        for fold, each in problems.items():
            for seed in seeds:
                _whole(fold, each, budget, seed)
    start = "" if init is None else arms.checkpoint_of(init)
    how: dict[str, dict[str, Any]] = {"scratch": {"init": ""}}
    if start:
        how["pretrained"] = {"init": start}
    if start and frozen:
        how["frozen"] = {"init": start, "frozen": True}
    todo, keys = [], {}
    for arm in [*how, *(["minirocket"] if baselines else [])]:
        for budget in budgets:
            for fold in problems:
                for seed in seeds:
                    name = "-".join([arm, budget.replace(":", ""), fold, str(seed)])
                    told = {"corpus": held, "problem": [problem, fold, development], "budget": budget}
                    run = arms.minirocket if arm == "minirocket" else arms.finetuning
                    job = arms.as_job(name, run, recipe=recipe, seed=seed, **told, **how.get(arm, {}))
                    todo.append(job)
                    keys[name] = (arm, budget, fold, seed)
    found = jobs.answers(todo, work, processes=workers)
    pairs = {
        (keys[n][0], keys[n][1], i, *keys[n][2:]): scores for n, each in found.items() for i, scores in each.items()
    }
    return finetune.table(problems, pairs)
