"""Protocols on a joint space's checkpoint as it is: zero-shot by words, retrieval, robustness; and data sets left out.

Whether a model has seen the recordings or the classes is for the caller to know: name a split's part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo import joint, learn
from kinjo.batches import Windows, cut, plain, worn
from kinjo.corpus import NULL, Corpus
from kinjo.datasets.sentences import sentences
from kinjo.evaluate import robustness, zeroshot
from kinjo.evaluate.finetune import Problem, Table, table
from kinjo.evaluate.problems import subjects_first
from kinjo.evaluate.retrieval import Retrieval, all_pairs, retrieve
from kinjo.methods.mujo import Classify, MuJo
from kinjo.recipe import Recipe


@dataclass(frozen=True)
class Given:
    """Windows of a corpus to ask about, with labels, subjects, recordings and data sets (n,)."""

    windows: Windows
    labels: NDArray[Any]
    subjects: NDArray[Any]
    recordings: NDArray[Any]
    datasets: NDArray[Any]

    def of_class(self, name: str) -> list[str]:
        """Sentences for a class; "" is NULL."""
        where = np.flatnonzero(self.labels == name)
        return list(sentences(str(self.datasets[where[0]]) if len(where) else "", name))


def given(
    corpus: Corpus, recipe: Recipe, header: dict[str, Any], ids: Iterable[str] | None = None, *, null: bool = False
) -> Given:
    """The labelled windows of the recordings ``ids`` (None: all), cut by the recipe; ``null``: the others too.

    Raises ``ContractError`` where the corpus holds what the model was not trained on, ``ValueError`` without windows.
    """
    index = cut(corpus, corpus.recordings if ids is None else ids, recipe)
    if not null:
        index = index.take(index.label_names != NULL)
    if not len(index):
        raise ValueError("no labelled window: this protocol needs recordings with labelled segments")
    windows = Windows(corpus, index, worn(corpus, recipe.inputs))
    learn.check_contracts(header["contracts"], windows)
    labels, who, what = subjects_first(windows)
    where = np.array([str(s).split(":")[0] for s in corpus.table.sources])[index.recording]
    return Given(windows, labels, who, what, where)


def loaded(path: Path) -> tuple[MuJo | Classify, MuJo, Recipe, dict[str, Any]]:
    """What a checkpoint holds, its joint space, its recipe and its header."""
    model, recipe, header = joint.load(path)
    space = model.model if isinstance(model, Classify) else model
    assert isinstance(space, MuJo)
    return model, space, recipe, header


def zero_shot(
    path: Path, corpus: Corpus, ids: Iterable[str] | None = None, *, null: bool = False,
    known: Corpus | None = None, progress: bool = False,
) -> Table:  # fmt: skip
    """Classes by their sentences alone, by every modality and all together. ``null``: NULL is a class by its own;
    ``known``: a corpus that the model was trained on, see ``zeroshot.classify``.
    """
    _, space, recipe, header = loaded(path)
    asked = given(corpus, recipe, header, ids, null=null)
    near = seen(space, given(known, recipe, header, null=True), progress) if known is not None else {}
    return by_words(space, asked, "zero-shot", known=near, progress=progress)


def by_words(
    space: MuJo, asked: Given, arm: str, *, known: Mapping[str, NDArray[Any]] | None = None, progress: bool = False
) -> Table:
    """The table of one arm: nearest sentences; ``known``: windows of training by modality."""
    there, classes = seen(space, asked, progress), tuple(sorted(set(asked.labels.tolist())))
    prompts = {c: joint.embed_text(space, asked.of_class(c)) for c in classes}
    near = {m: z[z.any(1)] for m, z in (known or {}).items()}
    answers = {m: zeroshot.classify(z, prompts, known=near.get(m)) for m, z in there.items()}
    if len(there) > 1:
        answers["_".join(there)] = zeroshot.fuse(answers, {m: ~z.any(1) for m, z in there.items()})
    problem = asked_problem(asked, classes)
    return table({"all": problem}, {(arm, "none", name, "all", 0): p for name, p in answers.items()})


def seen(space: MuJo, asked: Given, progress: bool = False) -> dict[str, NDArray[np.float32]]:
    """modality -> embeddings (n, joint_dim), of the modalities that some window has."""
    embedded = joint.embed(space, asked.windows, progress=progress)
    there = {m: z for m, z in embedded.items() if z.any()}
    if not there:
        raise ValueError(f"the corpus holds none of the model's modalities: {', '.join(embedded)}")
    return there


def asked_problem(asked: Given, classes: tuple[str, ...]) -> Problem:
    """A ``Problem`` that tests every window: nothing trains here, so a stand-in window nobody is asked about does."""
    labels, who, what = (np.append(x, y) for x, y in (
        (asked.labels, classes[0]), (asked.subjects, "nobody"), (asked.recordings, "nothing"),
    ))  # fmt: skip
    rows = np.arange(len(asked.labels))
    return Problem(labels, who, what, classes, np.array([len(rows)]), np.empty(0, np.intp), rows)


def retrieval(
    path: Path, corpus: Corpus, ids: Iterable[str] | None = None, *, progress: bool = False
) -> dict[str, Retrieval]:
    """``imu_pose`` and so on: R@k and mAP by class for every ordered pair of modalities, sentences among them.

    No window of the query's own recording is an answer: windows may overlap. Where no class has two recordings, only
    sentences ask and answer.
    """
    _, space, recipe, header = loaded(path)
    asked = given(corpus, recipe, header, ids)
    embedded = seen(space, asked, progress)
    clips = Counter(label for label, _ in set(zip(asked.labels.tolist(), asked.recordings.tolist(), strict=True)))
    pairs = all_pairs(embedded, asked.labels, asked.recordings) if max(clips.values()) > 1 else {}
    found = {"_".join(pair): r for pair, r in pairs.items()}
    classes = sorted(set(asked.labels.tolist()))
    said = np.stack([joint.embed_text(space, asked.of_class(c)).mean(0) for c in classes])
    for modality, z in embedded.items():
        found[f"text_{modality}"] = retrieve(said, z, classes, asked.labels)
        found[f"{modality}_text"] = retrieve(z, said, asked.labels, classes)
    return found


def robust(
    path: Path, corpus: Corpus, ids: Iterable[str] | None = None, *, batch: int = 128, progress: bool = False
) -> robustness.Grid:
    """A fine-tuned checkpoint on clean windows and on windows with sensors lost, noisy, slower, turned, with gaps."""
    model, _, recipe, header = loaded(path)
    if not isinstance(model, Classify):
        raise ValueError(f"{path}: holds a joint space without classes: fine-tune it first (kinjo finetune)")
    asked, classes = given(corpus, recipe, header, ids, null="" in header["classes"]), header["classes"]
    strange = sorted(set(asked.labels.tolist()) - set(classes))
    if strange:
        has = ", ".join(c or "NULL (idle)" for c in classes)
        hint = "leave their recordings out with --split, or fine-tune on them"
        raise ValueError(f"the model has no class {', '.join(strange)}; it has: {has}: {hint}")
    truth = np.array([classes.index(label) for label in asked.labels])
    inputs, windows = asked.windows.inputs, asked.windows
    rows = [np.arange(i, min(i + batch, len(windows))) for i in range(0, len(windows), batch)]
    import torch
    from rich.console import Console
    from rich.progress import track

    shown = track(rows, "windows", console=Console(stderr=True), disable=not progress)
    given_batches = (plain(windows.tensors(some), inputs) for some in shown)

    with torch.inference_mode():
        return robustness.evaluate(
            lambda b: model.probabilities(b), given_batches, robustness.standard(inputs), truth, asked.subjects
        )


def unseen(
    recipe: Recipe, corpora: Sequence[Corpus], out: Path, *, seed: int = 0, progress: bool = True
) -> list[Table]:
    """Each data set left out once: a joint space of all others (labels as sentences) names its windows, zero-shot.

    Trainings are kept in ``out`` and go on where they stopped.
    """
    if len(corpora) < 2:
        raise ValueError("leaving a data set out needs at least two corpora")
    names = [c.root.name for c in corpora]
    if len(set(names)) < len(names):
        raise ValueError(f"corpora are told apart by their folders' names: rename one of {', '.join(names)}")
    for one, other in combinations(corpora, 2):
        if shared := sorted(set(map(str, one.table.sources)) & set(map(str, other.table.sources)) - {""}):
            raise ValueError(
                f"{one.root.name} and {other.root.name} share {len(shared)} recordings, {shared[0]} among them"
            )
    every = [Windows(c, cut(c, c.recordings, recipe), worn(c, recipe.inputs)) for c in corpora]
    tables = []
    for k, corpus in enumerate(corpora):
        others = [joint.Source(w, np.arange(len(w)), text=True) for i, w in enumerate(every) if i != k]
        folder = out / f"without-{corpus.root.name}"
        joint.pretrain(recipe, others, folder, seed=seed, progress=progress)
        _, space, _, header = loaded(folder / "model.safetensors")
        tables.append(by_words(space, given(corpus, recipe, header), f"without {corpus.root.name}", progress=progress))
    return tables
