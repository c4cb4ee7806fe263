"""One-shot over class folds and seeds: every class is a test class once, and no test class was trained on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.evaluate.fewshot import (
    Embeddings,
    Episodes,
    Metric,
    Protocol,
    Score,
    as_parts,
    classify,
    sample_episodes,
    score,
)
from kinjo.evaluate.intervals import Interval, interval, replicates


@dataclass(frozen=True)
class Fold:
    """Disjoint classes: to train on, to choose on, to test on."""

    name: str
    train: tuple[Hashable, ...]
    validation: tuple[Hashable, ...]
    test: tuple[Hashable, ...]

    def __post_init__(self) -> None:
        parts = [*self.train, *self.validation, *self.test]
        if len(set(parts)) != len(parts):
            raise ValueError(f"fold '{self.name}': a class is in two of train, validation and test")


def utd_mhad_folds(names: Sequence[Hashable] | None = None) -> tuple[Fold, Fold, Fold]:
    """The strict class folds of UTD-MHAD: 15 classes train, 3 validate, 9 test; each of the 27 is tested once.

    Classes are the numbers 1 to 27 of the data set (a1 is swipe left), or ``names[number - 1]`` where 27 names are
    given in that order.
    """
    if names is not None and len(names) != 27:
        raise ValueError(f"UTD-MHAD has 27 classes, a1 to a27 in that order: given {len(names)} names")
    folds = []
    for first, validation in ((1, (15, 21, 27)), (10, (6, 21, 27)), (19, (6, 12, 18))):
        test = range(first, first + 9)
        train = [a for a in range(1, 28) if a not in test and a not in validation]
        parts = [tuple(a if names is None else names[a - 1] for a in part) for part in (train, validation, test)]
        folds.append(Fold(f"a{first}-a{first + 8}", *parts))
    return folds[0], folds[1], folds[2]


def development(fold: Fold) -> Fold:
    """Within the 18 classes of a fold that are not tested: every third to choose on, five-way, the others to train.

    Three validation classes are too easy to tell good from better. Nothing of the fold's test classes is seen; they
    do serve the development of the other two folds, as their validation classes do in any case.
    """
    known = (*fold.train, *fold.validation)
    chosen = known[1::3]
    return Fold(f"{fold.name}-development", tuple(c for c in known if c not in chosen), tuple(chosen), ())


DEVELOPMENT = Protocol(episodes=5_000)
"""Episodes of development classes: as the test's, fewer."""

VALIDATION = Protocol(way=3, episodes=2_000)
"""Episodes for choosing on the three validation classes of a UTD-MHAD fold; same subject rule as the test."""


@dataclass(frozen=True)
class FewshotResult:
    """Mean accuracy over folds and seeds, its 95 % interval over subjects and classes, and what lies under it."""

    value: float
    ci95: Interval
    per_fold: dict[str, float]
    per_seed: dict[int, float]
    per_class: dict[Hashable, float]
    per_subject: dict[Hashable, float]
    protocol: Protocol
    folds: tuple[Fold, ...]
    seeds: tuple[int, ...]
    scores: dict[tuple[str, int], Score]

    def confusion(self, fold: str) -> tuple[tuple[Hashable, ...], NDArray[np.float64]]:
        """Classes of a fold and the share of each answer ``(classes, classes)``, true class by row, over all seeds.

        In the order of the fold, not of the alphabet.
        """
        runs = [self.scores[fold, seed] for seed in self.seeds]
        total = np.sum([run.confusion for run in runs], axis=0).astype(np.float64)
        known = runs[0].classes
        chosen = next(f for f in self.folds if f.name == fold)
        order = [known.index(c) for c in (*chosen.test, *chosen.validation) if c in known]
        share = total / np.maximum(total.sum(1, keepdims=True), 1)
        return tuple(known[i] for i in order), share[np.ix_(order, order)]


def evaluate_folds(
    embed: Callable[[Fold, int], Embeddings],
    labels: ArrayLike,
    subjects: ArrayLike,
    recordings: ArrayLike,
    folds: Sequence[Fold],
    protocol: Protocol,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    part: Literal["test", "validation"] = "test",
    metric: Metric = "cosine",
    missing: ArrayLike | None = None,
    weights: Sequence[float] | None = None,
    bootstrap: int = 2000,
    few_seeds: bool = False,
) -> FewshotResult:
    """Run ``protocol`` on the ``part`` classes of every fold, for every seed, by nearest prototypes.

    ``embed(fold, seed)`` gives the embeddings of all clips, ``(n, d)`` or a list of them, from a model trained on
    ``fold.train`` with that seed; ``missing`` is (n, parts), ``weights`` (parts). The rest: see ``answer_folds``.
    """
    gone = None if missing is None else np.asarray(missing, bool)

    def answer(fold: Fold, seed: int, episodes: Episodes) -> NDArray[np.intp]:
        parts = as_parts(embed(fold, seed))
        if any(len(x) != len(np.asarray(labels)) for x in parts):
            raise ValueError(f"embed must give one row per clip: given {[x.shape for x in parts]}")
        rows, local = np.unique(np.concatenate([episodes.support.ravel(), episodes.query.ravel()]), return_inverse=True)
        support = local[: episodes.support.size].reshape(episodes.support.shape)
        query = local[episodes.support.size :].reshape(episodes.query.shape)
        picked = replace(episodes, support=support, query=query)
        hidden = None if gone is None else gone[rows]
        return classify([x[rows] for x in parts], picked, metric, missing=hidden, weights=weights)

    return answer_folds(
        answer,
        labels,
        subjects,
        recordings,
        folds,
        protocol,
        seeds=seeds,
        part=part,
        bootstrap=bootstrap,
        few_seeds=few_seeds,
    )


def answer_folds(
    answer: Callable[[Fold, int, Episodes], NDArray[np.intp]],
    labels: ArrayLike,
    subjects: ArrayLike,
    recordings: ArrayLike,
    folds: Sequence[Fold],
    protocol: Protocol,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    part: Literal["test", "validation"] = "test",
    bootstrap: int = 2000,
    few_seeds: bool = False,
) -> FewshotResult:
    """As ``evaluate_folds``, for any way of answering: ``answer(fold, seed, episodes)`` gives for every query the
    position of its class, (E, way, queries); episodes index all clips.

    ``labels``, ``subjects``, ``recordings`` are (n,). Episodes depend on fold and seed alone, so two methods see the
    same ones. A test needs three seeds or more (an ablation may have ``few_seeds``). The interval resamples subjects
    and classes once for all folds and seeds; seeds are averaged, not resampled.
    """
    if len(set(seeds)) != len(seeds) or len(seeds) < (3 if part == "test" and not few_seeds else 1):
        raise ValueError(f"a test needs at least 3 different seeds (validation: 1), given {tuple(seeds)}")
    if not folds or len({f.name for f in folds}) != len(folds):
        raise ValueError("evaluate_folds needs folds, each with its own name")
    label, subject, recording = np.asarray(labels), np.asarray(subjects), np.asarray(recordings)
    scores: dict[tuple[str, int], Score] = {}
    for number, fold in enumerate(folds):
        classes = np.asarray(fold.test if part == "test" else fold.validation)
        lacking = sorted(set(classes.tolist()) - set(label.tolist()), key=str)
        if lacking:
            raise ValueError(f"fold '{fold.name}': no clip of {part} class(es) {lacking}; folds and labels must agree")
        rows = np.flatnonzero(np.isin(label, classes))
        who = label[rows], subject[rows], recording[rows]
        for seed in seeds:
            rng = np.random.default_rng([seed, number])
            episodes = sample_episodes(*who, protocol, rng)
            whole = replace(episodes, support=rows[episodes.support], query=rows[episodes.query])
            answers = answer(fold, seed, whole)
            scores[fold.name, seed] = score(whole, answers, label, subject, bootstrap=bootstrap, rng=rng)
    return _gather(scores, folds, tuple(seeds), protocol, bootstrap)


def _gather(
    scores: dict[tuple[str, int], Score],
    folds: Sequence[Fold],
    seeds: tuple[int, ...],
    protocol: Protocol,
    bootstrap: int,
) -> FewshotResult:
    accuracy = np.array([[scores[fold.name, seed].accuracy for seed in seeds] for fold in folds])
    resampled = replicates([run.table for run in scores.values()], bootstrap, np.random.default_rng(0)).mean(1)
    return FewshotResult(
        value=float(accuracy.mean()),
        ci95=interval(resampled),
        per_fold={fold.name: float(v) for fold, v in zip(folds, accuracy.mean(1), strict=True)},
        per_seed={seed: float(v) for seed, v in zip(seeds, accuracy.mean(0), strict=True)},
        per_class=_mean([run.per_class for run in scores.values()]),
        per_subject=_mean([run.per_subject for run in scores.values()]),
        protocol=protocol,
        folds=tuple(folds),
        seeds=seeds,
        scores=scores,
    )


def _mean(parts: Sequence[dict[Hashable, float]]) -> dict[Hashable, float]:
    """Mean over the dicts that have a key, in the order in which keys come first."""
    return {k: float(np.mean([p[k] for p in parts if k in p])) for part in parts for k in part}


def difference(ours: FewshotResult, theirs: FewshotResult, *, bootstrap: int = 2000) -> tuple[float, Interval]:
    """``ours - theirs`` and its paired 95 % interval: both are resampled with the same subjects and classes.

    Both must come from ``evaluate_folds`` on the same clips, folds, seeds and protocol, so that the episodes agree.
    """
    if ours.scores.keys() != theirs.scores.keys() or ours.protocol != theirs.protocol:
        raise ValueError("a paired difference needs the same folds, seeds and protocol on both sides")
    tables = [run.table for side in (ours, theirs) for run in side.scores.values()]
    resampled = replicates(tables, bootstrap, np.random.default_rng(0))
    gap = resampled[:, : len(ours.scores)].mean(1) - resampled[:, len(ours.scores) :].mean(1)
    return ours.value - theirs.value, interval(gap)
