"""Intervals of an accuracy by a bootstrap over subjects and classes, never over episodes or windows alone.

Ten thousand episodes of eight people are still eight people. So the answers are first counted in a small ``Table``
by who gave the support, who gave the query, and the class asked for; a replicate then draws multinomial weights for
the subjects and for the classes, and weighs each cell of the table by their product (the pigeonhole bootstrap,
A. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 2007). Thousands of replicates take milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float, float]

_DENSE = 1 << 22
_BLOCK = 1 << 21


@dataclass(frozen=True)
class Table:
    """Right answers, counted by cell.

    ``subjects`` is (cells, k) int: the subjects that a cell depends on (support and query: k = 2; plain: k = 1).
    ``classes`` is (cells,) int, the class asked for. ``count`` and ``right`` are (cells,) float.
    Subjects and classes are codes that mean the same in all tables which are put into one interval.
    """

    subjects: NDArray[np.intp]
    classes: NDArray[np.intp]
    count: NDArray[np.float64]
    right: NDArray[np.float64]

    @property
    def accuracy(self) -> float:
        """Right answers over answers."""
        return float(self.right.sum() / self.count.sum())


def tabulate(subjects: NDArray[np.intp], classes: NDArray[np.intp], right: NDArray[np.bool_]) -> Table:
    """Count answers: ``subjects`` (n, k) codes, ``classes`` (n,) codes, ``right`` (n,) bool. Raises where n is 0."""
    if len(classes) == 0:
        raise ValueError("no answers to count: give at least one query")
    sizes = [int(column.max()) + 1 for column in subjects.T] + [int(classes.max()) + 1]
    code = np.ravel_multi_index([*subjects.T, classes], sizes)
    if np.prod(sizes, dtype=np.float64) > _DENSE:  # many people: number the cells that occur
        cells, code = np.unique(code, return_inverse=True)
        count = np.bincount(code).astype(np.float64)
    else:
        count = np.bincount(code).astype(np.float64)
        cells = np.arange(len(count))
    hits = np.bincount(code[right], minlength=len(count)).astype(np.float64)
    used = count > 0
    *people, kinds = np.unravel_index(cells[used], sizes)
    return Table(np.stack(people, 1), kinds, count[used], hits[used])


def replicates(tables: Sequence[Table], number: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(number, tables)`` accuracies under resampled subjects and classes; NaN where a replicate leaves no answers.

    One draw of weights serves all tables, so that means and differences of tables are resampled together.
    """
    people = np.unique(np.concatenate([t.subjects.ravel() for t in tables]))
    kinds = np.unique(np.concatenate([t.classes for t in tables]))
    by_person = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=number).astype(np.float64)
    by_kind = rng.multinomial(len(kinds), np.full(len(kinds), 1 / len(kinds)), size=number).astype(np.float64)
    out = np.full((number, len(tables)), np.nan)
    for column, table in enumerate(tables):
        who, what = np.searchsorted(people, table.subjects), np.searchsorted(kinds, table.classes)
        step = max(1, _BLOCK // len(what))
        for start in range(0, number, step):
            rows = slice(start, start + step)
            weight = by_kind[rows][:, what]
            for one in who.T:
                weight *= by_person[rows][:, one]
            total = weight @ table.count
            np.divide(weight @ table.right, total, out=out[rows, column], where=total > 0)
    return out


def interval(values: NDArray[np.float64]) -> Interval:
    """The central 95 % of replicates ``(number,)``; NaN replicates are left out. Raises where none is left."""
    values = values[np.isfinite(values)]
    if len(values) == 0:
        raise ValueError("no replicate has an answer: an interval needs more subjects or classes")
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def accuracy_interval(
    subjects: ArrayLike,
    labels: ArrayLike,
    right: NDArray[np.bool_],
    rng: np.random.Generator,
    *,
    bootstrap: int = 2000,
) -> Interval:
    """95 % interval of a plain accuracy: ``subjects``, ``labels`` and ``right`` are (n,), one entry per window."""
    people = np.unique(np.asarray(subjects), return_inverse=True)[1]
    kinds = np.unique(np.asarray(labels), return_inverse=True)[1]
    return interval(replicates([tabulate(people[:, None], kinds, np.asarray(right, bool))], bootstrap, rng)[:, 0])
