"""Retrieval in a joint space: any modality asks, any other answers.

By class: a hit is a clip with the label of the query, the query's own clip left out, so that nothing is found because
it is the same recording. By instance: the own clip is the only hit. Rows that are all zero (the modality is missing)
neither ask nor answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.evaluate.intervals import Interval, interval

KS = (1, 5, 10)


@dataclass(frozen=True)
class Retrieval:
    """``recall[k]``: share of queries with a hit among the first k; ``mean_average_precision``; by class at 1.

    ``first`` is the rank of each query's first hit, from 0 (-1: it had none, or was missing); ``asked`` which queries
    count.
    """

    recall: dict[int, float]
    mean_average_precision: float
    per_class: dict[str, float]
    queries: int
    first: NDArray[np.intp] = field(repr=False)
    asked: NDArray[np.bool_] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "recall": {str(k): v for k, v in self.recall.items()}, "map": self.mean_average_precision,
            "per_class": self.per_class, "queries": self.queries,
        }  # fmt: skip


def retrieve(
    query: ArrayLike,
    gallery: ArrayLike,
    query_labels: ArrayLike,
    gallery_labels: ArrayLike,
    *,
    query_ids: ArrayLike | None = None,
    gallery_ids: ArrayLike | None = None,
    by: str = "class",
    ks: Sequence[int] = KS,
    chunk: int = 1024,
) -> Retrieval:
    """``query`` (n, d) and ``gallery`` (m, d) are embeddings, labels (n,) and (m,), ids say which clip a row is of.

    ``by`` ``class``: hits have the query's label, and another id. ``instance``: the hit is the row with the same id.
    Without ids (sentences that ask) nothing is left out; of sliding windows, which overlap, the ids are recordings.
    Equal scores rank in the order of the gallery. ``ValueError`` where shapes differ, values are not finite, one side
    alone has ids, or no query has anything to find.
    """
    q, g = np.asarray(query, np.float64), np.asarray(gallery, np.float64)
    ql, gl = np.asarray(query_labels).astype(str), np.asarray(gallery_labels).astype(str)
    if q.ndim != 2 or g.ndim != 2 or q.shape[1] != g.shape[1] or len(ql) != len(q) or len(gl) != len(g):
        raise ValueError(
            f"embeddings are (n, d) and (m, d) with a label each: {q.shape}, {ql.shape}, {g.shape}, {gl.shape}"
        )
    if not (np.isfinite(q).all() and np.isfinite(g).all()):
        raise ValueError("embeddings hold NaN or infinity; a row that is missing is all zero")
    qi, gi = _ids(query_ids, gallery_ids, len(q), len(g), by)
    there = np.flatnonzero(np.abs(g).sum(1) > 0)
    if not len(there):
        raise ValueError("nothing can answer: every row of the gallery is missing")
    g, gl, gi = _unit(g[there]), gl[there], None if gi is None else gi[there]
    asks = np.abs(q).sum(1) > 0
    first, precision = np.full(len(q), -1, np.intp), np.zeros(len(q))
    for start in range(0, len(q), chunk):
        rows = slice(start, min(start + chunk, len(q)))
        same = None if gi is None or qi is None else qi[rows, None] == gi[None]
        hits = same if by == "instance" and same is not None else ql[rows, None] == gl[None]
        score = _unit(q[rows]) @ g.T
        if by == "class" and same is not None:
            hits, score = hits & ~same, np.where(same, -np.inf, score)
        order = np.argsort(-score, axis=1, kind="stable")
        ranked = np.take_along_axis(hits, order, 1)
        some = ranked.any(1)
        first[rows] = np.where(some & asks[rows], ranked.argmax(1), -1)
        before = np.cumsum(ranked, axis=1)
        precision[rows] = (ranked * before / np.arange(1, len(g) + 1)).sum(1) / np.maximum(before[:, -1], 1)
    asked = asks & (first >= 0)
    if not asked.any():
        raise ValueError("no query has anything to find: labels or ids of the two sides do not meet, or all is missing")
    found = {int(k): float((first[asked] < k).mean()) for k in ks}
    names = sorted(set(ql[asked].tolist()))
    per_class = {name: float((first[asked & (ql == name)] == 0).mean()) for name in names}
    return Retrieval(found, float(precision[asked].mean()), per_class, int(asked.sum()), first, asked)


def _ids(
    query: ArrayLike | None, gallery: ArrayLike | None, queries: int, rows: int, by: str
) -> tuple[NDArray[np.str_] | None, NDArray[np.str_] | None]:
    if by not in ("class", "instance") or (query is None and by == "instance"):
        raise ValueError(f"by is 'class', or 'instance' with ids of both sides; given {by!r}")
    if query is None and gallery is None:
        return None, None
    if query is None or gallery is None:
        raise ValueError("ids of one side alone leave no clip out: give query_ids and gallery_ids, or neither")
    found = np.asarray(query).astype(str), np.asarray(gallery).astype(str)
    if found[0].shape != (queries,) or found[1].shape != (rows,):
        raise ValueError(f"an id for each of {queries} queries and {rows} rows: {found[0].shape}, {found[1].shape}")
    return found


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def all_pairs(
    embeddings: Mapping[str, ArrayLike], labels: ArrayLike, ids: ArrayLike, *, by: str = "class"
) -> dict[tuple[str, str], Retrieval]:
    """Every ordered pair of modalities, (query, gallery) -> its retrieval; all rows are of the same clips."""
    return {
        (a, b): retrieve(embeddings[a], embeddings[b], labels, labels, query_ids=ids, gallery_ids=ids, by=by)
        for a, b in permutations(embeddings, 2)
    }


def recall_interval(
    runs: Sequence[Retrieval], groups: ArrayLike, rng: np.random.Generator, *, k: int = 1, bootstrap: int = 2000
) -> Interval:
    """95 % of R@k, the mean over ``runs`` (seeds) of the same queries, by a bootstrap over the queries' ``groups``.

    Groups are subjects, or classes where sentences ask. Those of which nothing was asked are not drawn.
    """
    if not runs or any(r.asked.shape != np.shape(groups) for r in runs):
        raise ValueError(f"a run or more, and a group for every query: {len(runs)} runs, groups {np.shape(groups)}")
    names, where = np.unique(np.asarray(groups), return_inverse=True)
    hits = np.stack([np.bincount(where, r.asked & (r.first >= 0) & (r.first < k), len(names)) for r in runs])
    asked = np.stack([np.bincount(where, r.asked, len(names)) for r in runs])
    some = asked.any(0)
    hits, asked, people = hits[:, some], asked[:, some], int(some.sum())
    weights = rng.multinomial(people, np.full(people, 1 / people), size=bootstrap).astype(np.float64)
    total = weights @ asked.T
    drawn = np.where(total > 0, (weights @ hits.T) / np.maximum(total, 1), np.nan)  # NaN: interval leaves it out
    return interval(drawn.mean(1))
