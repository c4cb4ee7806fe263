"""Metrics of answers, counted by subject, so that a bootstrap over subjects takes milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
"""Answers by subject, true class and given class, (subjects, classes, classes)."""


def ranks(scores: NDArray[np.float64], truth: NDArray[np.intp]) -> NDArray[np.intp]:
    """How many classes come before the true one, (n,), from 0; of equal scores the lower class number is first."""
    own = scores[np.arange(len(truth)), truth][:, None]
    return ((scores > own) | ((scores == own) & (np.arange(scores.shape[1]) < truth[:, None]))).sum(1)


def count(truth: NDArray[np.intp], scores: NDArray[np.float64], subjects: NDArray[np.intp]) -> Counts:
    """Answers (the highest score, of several the first) by subject: ``truth`` (n,), ``scores`` (n, classes).

    ``subjects`` (n,) are numbers from 0 without holes.
    """
    shape = (int(subjects.max()) + 1, scores.shape[1], scores.shape[1])
    cells = np.ravel_multi_index((subjects, truth, scores.argmax(1)), shape)
    return np.bincount(cells, minlength=int(np.prod(shape))).reshape(shape)


def macro_f1(confusion: NDArray[Any]) -> NDArray[np.float64]:
    """Mean F1 over the classes that occur in the truth, (...,) of confusions (..., classes, classes), truth by row."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    asked, given = confusion.sum(-1), confusion.sum(-2)
    f1 = 2 * right / np.maximum(asked + given, 1)
    return np.where(asked > 0, f1, 0.0).sum(-1) / np.maximum((asked > 0).sum(-1), 1)


def resampled_f1(counts: Sequence[Counts], rng: np.random.Generator, number: int) -> NDArray[np.float64]:
    """Macro-F1 under resampled subjects, mean over the seeds of ``counts``, (number,).

    An equal ``rng`` draws the same subjects, so that differences of two arms are paired.
    """
    people, classes = counts[0].shape[0], counts[0].shape[1]
    weights = rng.multinomial(people, np.full(people, 1 / people), size=number)
    out = np.zeros(number)
    step = max(1, (1 << 22) // classes**2)
    for start in range(0, number, step):
        some = weights[start : start + step].astype(np.float64)
        drawn = [(some @ one.reshape(people, -1)).reshape(-1, classes, classes) for one in counts]
        out[start : start + step] = np.mean([macro_f1(one) for one in drawn], axis=0)
    return out
