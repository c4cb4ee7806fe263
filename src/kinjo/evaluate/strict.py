"""UTD-MHAD one-shot, strict: three class folds, nothing of a test class seen in training of any kind.

Per fold and seed a model is pre-trained without labels and fine-tuned on the fold's 15 training classes, all clips
are embedded, and 5-way 1-shot episodes are drawn from the 9 test classes: one subject gives the five supports, the
queries are other subjects'. Subjects are shared between training and test classes. The placement of the sensor
(wrist or thigh) is withheld from the model, since it tells some classes apart.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from kinjo import learn
from kinjo.batches import Windows
from kinjo.corpus import Corpus, segment_windows
from kinjo.datasets import utd_mhad
from kinjo.evaluate import answers, baselines, pictures, report
from kinjo.evaluate.fewshot import Embeddings, Episodes, Protocol, Score, as_parts, classify, sample_episodes, score
from kinjo.evaluate.folds import (
    DEVELOPMENT,
    VALIDATION,
    FewshotResult,
    Fold,
    answer_folds,
    development,
    difference,
    evaluate_folds,
    utd_mhad_folds,
)
from kinjo.methods.oneshot import FUSED, OneShot
from kinjo.recipe import Recipe

Embedded = dict[str, NDArray[np.float32]]
Part = Literal["test", "validation", "development"]
BASELINES: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
    "minirocket": ((), {}),
    "minirocket_scaled": (("imu",), {"imu": "scaled imu"}),
    "minirocket_motion": (("pose",), {"imu": "scaled imu", "pose": "moving pose"}),
}
"""name -> the modalities that it is for (none: any), and what it reads in place of some; see ``minirocket``."""


@dataclass(frozen=True)
class Clips:
    """The clips of the corpus with what an evaluation needs to know of each."""

    windows: Windows
    labels: NDArray[Any]
    subjects: NDArray[Any]
    recordings: NDArray[Any]

    @classmethod
    def of(cls, corpus: Corpus, recipe: Recipe, classes: Sequence[str] = utd_mhad.CARD.classes) -> Clips:
        """One window per labelled clip of a corpus with these ``classes``; other labels are a ``ValueError``."""
        index = segment_windows(corpus, corpus.recordings)
        labels = np.asarray(index.label_names, str)
        unknown = sorted(set(labels) - set(classes))
        if unknown or not len(labels):
            raise ValueError(
                f"the protocol is for {classes[0]}, {classes[1]}, ...; this corpus has "
                f"{unknown or 'no labelled clips'}. UTD-MHAD's: kinjo import utd_mhad --data DATA -o CORPUS"
            )
        table = corpus.table
        who, what = (np.asarray([str(x) for x in column])[index.recording] for column in (table.subjects, table.ids))
        return cls(Windows(corpus, index, recipe.inputs), labels, who, what)

    @cached_property
    def empty(self) -> dict[str, NDArray[np.bool_]]:
        """By stream: ``True`` where a clip has nothing of it, (n,)."""
        out = {key: np.empty(len(self.labels), bool) for key in self.windows.inputs}
        for rows in np.array_split(np.arange(len(self.labels)), -(-len(self.labels) // 32)):  # all video is much
            read = self.windows.tensors(rows)
            for key, gone in out.items():
                gone[rows] = read[f"{key}.missing"].all(1).numpy()
        return out

    def missing(self, modalities: Sequence[str]) -> NDArray[np.bool_]:
        """``True`` where a clip has nothing of a modality, (n, modalities)."""
        specs = self.windows.inputs
        streams = [[self.empty[key] for key, spec in specs.items() if spec.modality == m] for m in modalities]
        return np.stack([np.all(gone, axis=0) for gone in streams], 1)

    def rows(self, classes: Sequence[Any]) -> NDArray[np.intp]:
        """The clips of ``classes``."""
        return np.flatnonzero(np.isin(self.labels, [str(c) for c in classes]))


def folds() -> tuple[Fold, ...]:
    """The three class folds, classes in words."""
    return utd_mhad_folds(utd_mhad.CARD.classes)


def folder_of(recipe: Recipe, clips: Clips, fold: Fold, seed: int, work: Path, init: Path | None = None) -> Path:
    """Where under ``work`` a training is kept: named for all that it depends on but the code."""
    what = [recipe.to_dict(), learn.digest(clips.windows, np.arange(len(clips.labels)), clips.labels)]
    what += [hashlib.sha256(init.read_bytes()).hexdigest()] if init else []
    key = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]
    return work / f"{recipe.name}-{key}" / fold.name / f"seed{seed}"


def trained(
    recipe: Recipe, clips: Clips, fold: Fold, seed: int, work: Path, *, init: Path | None = None, progress: bool = True
) -> OneShot:
    """The model of ``fold.train`` alone, by both stages of the recipe. Kept under ``work``.

    ``init``: a checkpoint that pre-training starts from, made on external data.
    """
    folder = folder_of(recipe, clips, fold, seed, work, init)
    kept = folder / "finetune" / "model.safetensors"
    if kept.exists():
        model = learn.load(kept)[0]
        assert isinstance(model, OneShot)
        return model
    rows = clips.rows(fold.train)
    facts = {"fold": fold.name, "commit": report.commit(), "trained_on": [str(c) for c in fold.train]}
    how: dict[str, Any] = {"seed": seed, "progress": progress, "provenance": facts}
    if recipe.pretrain.steps > 0:
        start = learn.pretrain(recipe, clips.windows, rows, folder / "pretrain", init=init, **how)
    else:
        start = learn.new_model(recipe, seed)
        if init is not None:
            facts["init_left_out"] = learn.initialise_from(start, init)
    model = learn.finetune(recipe, start, clips.windows, rows, clips.labels[rows], folder / "finetune", **how)
    return model.eval()


def train_fold(
    recipe: Recipe, clips: Clips, fold: Fold, seed: int, work: Path, *,
    subsets: Sequence[Sequence[str]] = (), init: Path | None = None, progress: bool = True,
) -> Embedded:  # fmt: skip
    """Embeddings of all clips by part from a model trained on ``fold.train`` alone: modalities, and with inductive
    fusion ``fused_<modalities>`` of each of ``subsets``. Kept in ``work``; the model is needed for what is not.
    """
    kept, found = folder_of(recipe, clips, fold, seed, work, init) / "embeddings.npz", {}
    if kept.exists():
        with np.load(kept) as file:
            found = {name: file[name] for name in file.files}
    fused = [s for s in subsets if recipe.oneshot.fusion == "inductive" and fused_name(s) not in found]
    if found and not fused:
        return found
    model = trained(recipe, clips, fold, seed, work, init=init, progress=progress)
    if not found:
        found = {n: x for n, x in learn.embed(model, clips.windows).items() if n != FUSED}
    for subset in fused:
        found[fused_name(subset)] = learn.embed(model, clips.windows, modalities=subset)[FUSED]
    temporary = kept.with_suffix(".tmp.npz")
    np.savez(temporary, **found)  # type: ignore[arg-type]
    os.replace(temporary, kept)
    return found


def train_all(
    recipe: Recipe, corpus: Corpus, work: Path, used: Sequence[Fold], seeds: Sequence[int],
    subsets: Sequence[Sequence[str]], init: Path | None, workers: int, progress: bool,
) -> None:  # fmt: skip
    """Every fold's and seed's training, by ``workers`` processes of one thread each; all of it is kept in ``work``."""
    jobs = [(recipe, corpus.root, work, fold, seed, subsets, init) for seed in seeds for fold in used]
    bar = Progress(console=Console(stderr=True), disable=not progress)
    with bar, ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        task = bar.add_task(recipe.name, total=len(jobs))
        for done in as_completed([pool.submit(_one_job, *job) for job in jobs]):
            done.result()
            bar.advance(task)


def _one_job(
    recipe: Recipe, corpus: Path, work: Path, fold: Fold, seed: int, subsets: Sequence[Sequence[str]], init: Path | None
) -> None:
    torch.set_num_threads(1)
    clips = _clips(str(corpus), json.dumps(recipe.to_dict()))  # inputs in their order: augmentation draws by it
    if answers.by_head(recipe.oneshot):
        trained(recipe, clips, fold, seed, work, init=init, progress=False)
    else:
        train_fold(recipe, clips, fold, seed, work, subsets=subsets, init=init, progress=False)


@lru_cache(maxsize=1)
def _clips(corpus: str, recipe: str) -> Clips:
    return Clips.of(Corpus.open(Path(corpus)), Recipe.from_dict(json.loads(recipe)))


def fused_name(subset: Sequence[str]) -> str:
    """The part that holds what fusion makes of these modalities together."""
    return "_".join((FUSED, *subset))


def parts_of(recipe: Recipe, subset: Sequence[str]) -> dict[str, str]:
    """The parts that are compared for a subset of modalities, and the name under which ``train_fold`` has each."""
    how = recipe.oneshot
    names = [k for k, s in recipe.inputs.items() if s.modality in subset] if how.branches == "released" else [*subset]
    parts = {name: name for name in names}
    if how.fusion == "inductive" and len(subset) > 1:
        parts[FUSED] = fused_name(subset)
    return parts


def evaluate(
    recipe: Recipe,
    corpus: Corpus,
    work: Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    subsets: Sequence[Sequence[str]] | None = None,
    part: Part = "test",
    episodes: int = 10_000,
    with_baselines: bool = True,
    init: Path | None = None,
    workers: int = 1,
    few_seeds: bool = False,
    head: str = "",
    progress: bool = True,
) -> dict[str, FewshotResult]:
    """Results by name: ``imu``, ``imu_pose``, ... for the ``subsets`` of modalities, and ``minirocket_...`` beside.

    ``subsets`` None means every modality alone and all together. ``part`` ``development`` trains on two thirds of the
    classes that are not tested and scores the others: to choose by. Trainings are kept in ``work`` and go on where
    they stopped; ``workers`` processes share them. A test wants three seeds; ``few_seeds`` allows an ablation less.
    ``head`` answers in place of the recipe's, from fused vectors alone: one that needs no training.
    """
    clips = Clips.of(corpus, recipe)
    modalities = list(recipe.model.modalities)
    if part == "test" and len(seeds) < 3 and not few_seeds:
        raise ValueError(f"a test needs at least 3 seeds, given {len(seeds)}; to choose by development 1 is enough")
    absent = [c for c in utd_mhad.CARD.classes if c not in clips.labels]
    if absent:
        raise ValueError(f"the corpus has no clips of {', '.join(absent)}: the strict protocol needs all 27 classes")
    chosen = subsets or [[m] for m in modalities] + ([modalities] if len(modalities) > 1 else [])
    used = folds() if part != "development" else tuple(development(fold) for fold in folds())
    protocol = {"test": Protocol(episodes=episodes), "validation": VALIDATION, "development": DEVELOPMENT}[part]
    known = (clips.labels, clips.subjects, clips.recordings, used, protocol)
    scored: dict[str, Any] = {"seeds": seeds, "part": "test" if part == "test" else "validation"}
    scored["few_seeds"] = few_seeds
    run: dict[str, Any] = {"init": init, "progress": progress}
    if workers > 1:
        train_all(recipe, corpus, work, used, seeds, chosen, init, workers, progress)
    kept = cache(lambda fold, seed: train_fold(recipe, clips, fold, seed, work, subsets=chosen, **run))

    def answer(subset: Sequence[str], fold: Fold, seed: int, asked: Episodes) -> NDArray[np.intp]:
        if head or answers.by_head(recipe.oneshot):
            model = answers.with_head(trained(recipe, clips, fold, seed, work, **run), head)
            return answers.of_head(model, clips.windows, asked, modalities=subset)
        embedded = {part: kept(fold, seed)[name] for part, name in parts_of(recipe, subset).items()}
        return answers.of_embeddings(embedded, asked, recipe.oneshot)

    results = {"_".join(subset): answer_folds(partial(answer, subset), *known, **scored) for subset in chosen}
    if with_baselines:
        results |= {
            name: evaluate_folds(embed, *known, **scored, missing=clips.missing(subset))
            for name, (subset, embed) in minirocket(clips, chosen).items()
        }
    return results


def minirocket(clips: Clips, subsets: Sequence[Sequence[str]]) -> dict[str, tuple[Sequence[str], Any]]:
    """MiniRocket on the same windows: subsets without video, each with its function ``(fold, seed) -> arrays``.

    Features are fitted and standardised on the fold's training classes. IMU comes twice: as it is
    (``minirocket_imu``), and centred and scaled per clip (``minirocket_scaled_imu``), which is much stronger. With pose
    there is a third, on what kinjo reads itself: scaled IMU and joint velocities (``minirocket_motion_...``).
    """
    signals = _signals(clips)

    @cache
    def features(kind: str, fold: Fold, seed: int) -> NDArray[np.float32]:
        train = clips.rows(fold.train)
        return baselines.minirocket_embedding(signals[kind][train], signals[kind], seed)

    def embed(kinds: Sequence[str], fold: Fold, seed: int) -> list[NDArray[np.float32]]:
        return [features(kind, fold, seed) for kind in kinds]

    out: dict[str, Any] = {}
    for subset in subsets:
        if not set(subset) <= set(signals):
            continue
        for name, (needs, changed) in BASELINES.items():
            if set(needs) <= set(subset):
                kinds = [changed.get(modality, modality) for modality in subset]
                out["_".join((name, *subset))] = subset, partial(embed, kinds)
    return out


def _signals(clips: Clips) -> dict[str, NDArray[np.float32]]:
    """What MiniRocket reads, (n, channels, samples) each: ``imu`` and ``pose`` as they are, and changed."""
    every = clips.windows.tensors(np.arange(len(clips.labels)))
    out: dict[str, NDArray[np.float32]] = {}
    for modality in ("imu", "pose"):
        keys = [k for k, s in clips.windows.inputs.items() if s.modality == modality]
        if keys:
            out[modality] = np.concatenate([every[k].flatten(2).transpose(1, 2).numpy() for k in keys], 1)
    if "imu" in out:
        out["scaled imu"] = baselines.scaled_clips(out["imu"])
    if "pose" in out:
        out["moving pose"] = np.diff(out["pose"], axis=2)
    return out


def one_fold(embeddings: Embeddings, clips: Clips, fold: Fold, protocol: Protocol, seed: int = 0) -> Score:
    """The score of one fold's test classes for one set of embeddings of all clips."""
    rows = clips.rows(fold.test)
    rng = np.random.default_rng(seed)
    labels, subjects = clips.labels[rows], clips.subjects[rows]
    episodes = sample_episodes(labels, subjects, clips.recordings[rows], protocol, rng)
    parts = [x[rows] for x in as_parts(embeddings)]
    given = classify(parts, episodes, missing=answers.absent(parts))
    return score(episodes, given, labels, subjects, rng=rng)


def write(results: Mapping[str, FewshotResult], path: Path, *, command: str) -> None:
    """Rows ``utd.oneshot.<name>`` of all results to ``path`` (JSON); a picture beside (.png).

    A row holds its baselines and the paired 95 % interval of what it gains over each, and likewise what it gains over
    every subset of its modalities.

    The picture shows the last of kinjo's results, which has the most modalities, over bars of all.
    """
    ours = {name: r for name, r in results.items() if not name.startswith("minirocket")}
    rows = []
    for name, result in ours.items():
        beside = {kind: results[f"{kind}_{name}"] for kind in BASELINES if f"{kind}_{name}" in results}
        gains = {kind: difference(result, theirs) for kind, theirs in beside.items()}
        rows.append(report.row(
            f"utd.oneshot.{name}".replace("video", "depth"), result.value, "fraction", ci95=result.ci95,
            seeds=len(result.seeds), command=command,
            baseline={kind: theirs.value for kind, theirs in beside.items()} or None,
            gain_ci95={kind: bounds for kind, (_, bounds) in gains.items()},
            gain_over_subsets=_over_subsets(name, ours),
            protocol="UTD-MHAD strict: " + result.protocol.describe()
            + ", mean over three class folds, subjects shared between training and test classes, placement withheld",
            trained_on="UTD-MHAD, the 15 training classes of each fold",
        ))  # fmt: skip
    report.write_rows(path, rows)
    last = list(ours)[-1]
    others = {("kinjo, " if n in ours else "") + _words(n): r for n, r in results.items() if n != last}
    pictures.plot_fewshot(ours[last], path.with_suffix(".png"), name="kinjo, " + _words(last), baselines=others)


def _over_subsets(name: str, ours: Mapping[str, FewshotResult]) -> dict[str, Any]:
    """subset of the modalities of ``name`` -> gain over it and its paired 95 % interval."""
    mine = set(name.split("_"))
    gains = {other: difference(ours[name], ours[other]) for other in ours if set(other.split("_")) < mine}
    return {other.replace("video", "depth"): {"gain": gain, "ci95": list(ci)} for other, (gain, ci) in gains.items()}


def _words(name: str) -> str:
    """``minirocket_scaled_imu_pose`` -> ``MiniRocket, scaled IMU + pose``."""
    names = {"imu": "IMU", "video": "depth"}
    bare = name.removeprefix("minirocket_")
    kept = bare.removeprefix("scaled_").removeprefix("motion_")
    variant = "" if kept == bare else bare.split("_")[0]
    words = [names.get(part, part) for part in kept.split("_")]
    if variant == "motion":  # of which the sensors are scaled too
        words = [{"IMU": "scaled IMU", "pose": "pose's motion"}[word] for word in words]
    elif variant:
        words[0] = f"scaled {words[0]}"
    return ("MiniRocket, " if bare != name else "") + " + ".join(words)
