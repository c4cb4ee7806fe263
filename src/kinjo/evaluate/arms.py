"""The trainings of the fine-tuning protocol as jobs: pre-train an arm, fine-tune it on a budget, answer the test.

Both are for ``evaluate.jobs``: plain arguments, a process of their own, kept and never done twice. A recipe goes as the
JSON of ``Recipe.to_dict`` in one string, since the order of its inputs counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo import joint
from kinjo.batches import Windows, cut
from kinjo.corpus import Corpus
from kinjo.evaluate import baselines
from kinjo.evaluate.finetune import Problem
from kinjo.evaluate.jobs import Job
from kinjo.evaluate.problems import PROBLEMS, inputs_of, labelled
from kinjo.recipe import Recipe


@lru_cache(maxsize=2)
def windows_of(corpus: str, recipe: str) -> Windows:
    """All windows of a corpus (a path, or ``corpus_of`` it) as the recipe (JSON) cuts and prepares them; kept for the
    next job of this process."""
    plan, opened = plan_of(recipe), Corpus.open(Path(corpus.partition("#")[0]))
    return Windows(opened, cut(opened, opened.recordings, plan), plan.inputs)


def problem_of(corpus: str, recipe: str, problem: Sequence[Any]) -> Problem:
    """``problem`` is (name of ``PROBLEMS``, fold, whether it is for development)."""
    name, fold, development = problem
    return PROBLEMS[name](windows_of(corpus, recipe), development=development)[fold]


def pretraining(
    recipe: str, sources: Sequence[Mapping[str, Any]], out: str, seed: int, near_s: float = joint.NEAR_S,
    init: str = "",
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """Pre-train into the folder ``out``; its ``model.safetensors`` is what counts.

    A source is ``{corpus, problem, share, text, labels}``: with a ``problem`` its training windows alone, without one
    all that the corpus holds.
    """
    plan, given = plan_of(recipe), []
    for source in sources:
        windows = windows_of(source["corpus"], recipe)
        rows = np.arange(len(windows))
        if source.get("problem"):
            rows = problem_of(source["corpus"], recipe, source["problem"]).train
        text, labels = (bool(source.get(name, False)) for name in ("text", "labels"))
        given.append(joint.Source(windows, rows, float(source.get("share", 1.0)), text, labels))
    start = Path(init) if init else None
    joint.pretrain(plan, given, Path(out), seed=seed, near_s=near_s, init=start, progress=False)
    return {"windows": np.array(sum(len(s.rows) for s in given))}


def finetuning(
    recipe: str, corpus: str, problem: Sequence[Any], budget: str, seed: int, init: str = "", frozen: bool = False,
    balanced: bool = False, inputs: Sequence[Sequence[str]] = (),
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """Fine-tune on the labelled rows of ``budget``; probabilities of the test windows by input (``imu_pose``).

    ``init``: a checkpoint's path and, after ``#``, the digest of the training that made it (see ``checkpoint_of``).
    ``frozen`` trains the classifier alone. ``inputs`` are subsets of modalities; none: ``problems.inputs_of``.
    """
    plan = plan_of(recipe)
    windows, asked = windows_of(corpus, recipe), problem_of(corpus, recipe, problem)
    rows, model = labelled(asked, budget, seed), joint.new_model(plan, seed)
    missing = [c for c in asked.classes if c not in asked.labels[rows]]
    if missing:
        raise ValueError(f"budget {budget!r} has no window of {', '.join(missing)}")
    if init:
        joint.initialise_from(model, Path(init.partition("#")[0]))
    subsets = [tuple(s) for s in inputs] or inputs_of(plan.model.modalities)
    with TemporaryDirectory() as folder:
        how: dict[str, Any] = {"seed": seed, "frozen": frozen, "balanced": balanced, "progress": False}
        task = joint.finetune(plan, model, windows, rows, asked.labels[rows], Path(folder), **how)
    return {"_".join(s): joint.answer(task, windows, asked.test, modalities=s) for s in subsets}


def minirocket(
    recipe: str, corpus: str, problem: Sequence[Any], budget: str, seed: int, inputs: Sequence[Sequence[str]] = ()
) -> dict[str, NDArray[Any]]:
    """MiniRocket's scores on the same windows and budget, for inputs without video."""
    plan = plan_of(recipe)
    windows, asked = windows_of(corpus, recipe), problem_of(corpus, recipe, problem)
    rows = labelled(asked, budget, seed)
    subsets = [s for s in (tuple(s) for s in inputs or inputs_of(plan.model.modalities)) if "video" not in s]
    every, out = windows.tensors(np.arange(len(windows))), {}
    for subset in subsets:
        keys = [k for k, s in plan.inputs.items() if s.modality in subset]
        length = max(plan.inputs[k].samples for k in keys)
        x = np.concatenate([_channels(every[k].numpy(), length) for k in keys], 1)
        out["_".join(subset)] = baselines.minirocket_classifier(
            x[rows], asked.labels[rows], x[asked.test], seed, classes=asked.classes
        )
    return out


def _channels(x: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Windows (n, samples, ...) as (n, channels, length)."""
    flat = x.reshape(*x.shape[:2], -1).transpose(0, 2, 1)
    if flat.shape[2] == length:
        return flat
    at, grid = (np.arange(flat.shape[2]) + 0.5) / flat.shape[2], (np.arange(length) + 0.5) / length
    return np.stack([[np.interp(grid, at, row) for row in one] for one in flat]).astype(np.float32)


def checkpoint_of(path: Path) -> str:
    """``init`` for ``finetuning``: a checkpoint, or the folder of a finished pre-training, and a digest of its bytes by
    which jobs are told apart.
    """
    file = path / "model.safetensors" if path.is_dir() else path
    if not file.is_file():
        raise ValueError(f"{file}: no such checkpoint. 'kinjo pretrain' writes one.")
    return f"{file}#{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"


def corpus_of(path: Path) -> str:
    """``corpus`` for the jobs: a path and a digest of what the corpus holds, by which jobs are told apart."""
    return f"{path}#{Corpus.open(path).digest}"


def plan_of(recipe: str) -> Recipe:
    """The recipe of a job's argument."""
    return Recipe.from_dict(json.loads(recipe))


def text(recipe: Recipe) -> str:
    """A recipe as the jobs take it."""
    return json.dumps(recipe.to_dict())


def digest(recipe: Recipe) -> str:
    """For the names of folders: what pre-training reads of a recipe."""
    plan = recipe.to_dict()
    told = {name: plan[name] for name in ("inputs", "model", "pretrain", "objective", "augment", "windows")}
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]


def as_job(name: str, run: Any, **arguments: Any) -> Job:
    """A job of this module; a ``Recipe`` among the arguments becomes its JSON."""
    return Job(name, run, {k: text(v) if isinstance(v, Recipe) else v for k, v in arguments.items()})
