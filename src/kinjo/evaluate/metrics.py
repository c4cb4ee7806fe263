"""Metrics of classification, and intervals of any of them by a bootstrap over subjects.

What a subject adds to a metric is counted once (a confusion, say); a replicate sums the counts of the subjects that it
drew, so that thousands take milliseconds. Confusions and macro-F1 are those of ``finetune``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.evaluate.finetune import count, macro_f1
from kinjo.evaluate.intervals import Interval, interval

Rows = NDArray[np.float64]
"""Scores (n, classes), higher likelier."""

KS = (1, 3, 5)
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Metric:
    """A metric that is a function of sums: ``metric(probabilities, truth)`` is its value.

    ``tally`` takes scores (n, classes), truths (n,) and subjects (n,), codes from 0 without holes, and counts by
    subject, (subjects, ...); ``value`` makes (...,) metrics of summed counts with leading axes (...,).
    """

    tally: Callable[[Rows, NDArray[np.intp], NDArray[np.intp]], NDArray[Any]]
    value: Callable[[NDArray[Any]], NDArray[np.float64]]

    def __call__(self, probabilities: ArrayLike, truth: ArrayLike) -> float:
        """Of ``probabilities`` (n, classes) against ``truth`` (n,), class numbers."""
        p, t = _checked(probabilities, truth)
        return float(self.value(self.tally(p, t, np.zeros(len(t), np.intp)).sum(0)))


AnyMetric = Metric | Callable[[Any, Any], float]
"""A ``Metric``, or a function of scores (n, classes) and truths (n,) that takes longer: ECE, say."""


def ranks(probabilities: ArrayLike, truth: ArrayLike) -> NDArray[np.intp]:
    """How many classes come before the true one, (n,), from 0; of equal scores the lower class number is first."""
    p, t = _checked(probabilities, truth)
    own = p[np.arange(len(t)), t][:, None]
    return ((p > own) | ((p == own) & (np.arange(p.shape[1]) < t[:, None]))).sum(1)


def _by_rank(p: Rows, truth: NDArray[np.intp], subjects: NDArray[np.intp]) -> NDArray[np.intp]:
    shape = (int(subjects.max()) + 1, p.shape[1])
    cells = np.ravel_multi_index((subjects, ranks(p, truth)), shape)
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)


def top_k(k: int) -> Metric:
    """The share of rows whose true class is among the ``k`` likeliest."""
    if k < 1:
        raise ValueError(f"k must be at least 1, given {k}")
    return Metric(_by_rank, lambda sums: sums[..., :k].sum(-1) / sums.sum(-1))


accuracy = top_k(1)
f1 = Metric(lambda p, truth, subjects: count(truth, p, subjects), macro_f1)
"""Macro-F1: the mean over the classes that occur in the truth. A class that is only answered lowers the others."""


def confusion(probabilities: ArrayLike, truth: ArrayLike) -> NDArray[np.int64]:
    """Answers (classes, classes), true class by row."""
    p, t = _checked(probabilities, truth)
    return count(t, p, np.zeros(len(t), np.intp))[0]


def scores(probabilities: ArrayLike, truth: ArrayLike, ks: Sequence[int] = KS) -> dict[str, float]:
    """``accuracy``, ``macro_f1`` and ``top_k`` of ``probabilities`` (n, classes) and ``truth`` (n,), class numbers.

    A k that is not below the number of classes says nothing and is left out. ``ValueError`` for less than two classes,
    no rows, values that are not finite, and truths that are no class number.
    """
    p, t = _checked(probabilities, truth)
    out = {"accuracy": accuracy(p, t), "macro_f1": f1(p, t)}
    return out | {f"top_{k}": top_k(k)(p, t) for k in ks if k < p.shape[1]}


def subject_interval(
    metric: AnyMetric,
    probabilities: ArrayLike | Sequence[ArrayLike],
    truth: ArrayLike,
    subjects: ArrayLike,
    rng: np.random.Generator,
    *,
    bootstrap: int = 2000,
) -> Interval:
    """95 % of ``metric``: subjects are drawn with replacement, with all their rows.

    ``probabilities`` (n, classes), or a list of them, one per seed, averaged inside each replicate; ``truth`` and
    ``subjects`` are (n,). ``ValueError`` with less than two subjects: one subject tells nothing about others.
    """
    return interval(_replicates(metric, [probabilities], truth, subjects, rng, bootstrap)[0])


def paired_interval(
    metric: AnyMetric,
    probabilities: ArrayLike | Sequence[ArrayLike],
    against: ArrayLike | Sequence[ArrayLike],
    truth: ArrayLike,
    subjects: ArrayLike,
    rng: np.random.Generator,
    *,
    bootstrap: int = 2000,
) -> Interval:
    """95 % of ``metric`` of one arm minus that of another on the same rows and the same drawn subjects."""
    ours, theirs = _replicates(metric, [probabilities, against], truth, subjects, rng, bootstrap)
    return interval(ours - theirs)


def _replicates(
    metric: AnyMetric, arms: Sequence[Any], truth: ArrayLike, subjects: ArrayLike, rng: np.random.Generator, number: int
) -> NDArray[np.float64]:
    """(arms, number): the metric of each arm under the same draws, mean over its seeds."""
    names, who = np.unique(np.asarray(subjects), return_inverse=True)
    runs = [[_checked(one, truth)[0] for one in (arm if np.ndim(arm[0]) == 2 else [arm])] for arm in arms]
    t = np.asarray(truth, np.intp)
    if len(who) != len(t) or len(names) < 2:
        raise ValueError(f"an interval needs a subject for each of {len(t)} rows, two or more: given {len(names)}")
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=number)
    each = _of_sums if isinstance(metric, Metric) else _of_rows
    return np.stack([np.mean([each(metric, p, t, who, weights) for p in arm], axis=0) for arm in runs])


def _of_sums(
    metric: Any, p: Rows, truth: NDArray[np.intp], who: NDArray[np.intp], weights: NDArray[np.intp]
) -> NDArray[np.float64]:
    counts = metric.tally(p, truth, who)
    flat, shape = counts.reshape(len(counts), -1).astype(np.float64), counts.shape[1:]
    step = max(1, _BLOCK // flat.shape[1])
    parts = [weights[i : i + step].astype(np.float64) @ flat for i in range(0, len(weights), step)]
    return np.concatenate([metric.value(part.reshape(-1, *shape)) for part in parts])


def _of_rows(
    metric: Any, p: Rows, truth: NDArray[np.intp], who: NDArray[np.intp], weights: NDArray[np.intp]
) -> NDArray[np.float64]:
    rows = (np.repeat(np.arange(len(who)), weight[who]) for weight in weights)
    return np.array([metric(p[some], truth[some]) for some in rows])


def _checked(probabilities: ArrayLike, truth: ArrayLike) -> tuple[Rows, NDArray[np.intp]]:
    p, t = np.asarray(probabilities, np.float64), np.asarray(truth)
    if p.ndim != 2 or p.shape[1] < 2 or t.shape != (len(p),) or not len(p):
        raise ValueError(f"scores are (n, classes) with n truths, two classes or more: given {p.shape}, {t.shape}")
    if not np.isfinite(p).all():
        raise ValueError("scores hold NaN or infinity: leave out rows that nothing answered")
    if t.dtype.kind not in "iu" or t.min() < 0 or t.max() >= p.shape[1]:
        raise ValueError(f"truths are class numbers from 0 to {p.shape[1] - 1}: leave out rows of unknown label (-1)")
    return p, t.astype(np.intp)
