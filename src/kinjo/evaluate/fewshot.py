"""N-way K-shot episodes on cached embeddings: thousands of them at once, with intervals over people and classes.

An embedding is computed once per clip; episodes are index arrays, drawn and classified without a Python loop over
them. Support and query never share a recording and, by default, no subject: the question is whether one example of
one person teaches the activity of all others.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.evaluate.intervals import Interval, Table, interval, replicates, tabulate

Metric = Literal["cosine", "euclidean"]
Embeddings = ArrayLike | Sequence[ArrayLike]
"""One ``(n, d)`` array, or a list of them (one per modality, fused late)."""

GRAM_ROWS = 8192
"""Up to this many rows all dot products may be held at once (256 MiB of float32)."""
_DRAWN, _COMPARED = 1 << 18, 1 << 17
_TRIES = 1000


@dataclass(frozen=True)
class Protocol:
    """How episodes are drawn.

    ``support``: ``"one_subject"`` takes all supports of an episode from one subject, ``"any"`` from anyone.
    ``exclude``: queries never come from a support's recording; with ``"subject"`` nor from a subject who supports.
    """

    way: int = 5
    shot: int = 1
    queries: int = 15
    episodes: int = 10_000
    support: Literal["one_subject", "any"] = "one_subject"
    exclude: Literal["subject", "recording"] = "subject"

    def __post_init__(self) -> None:
        if self.way < 2 or min(self.shot, self.queries, self.episodes) < 1:
            raise ValueError(f"way must be at least 2, and shot, queries and episodes at least 1: {self}")
        if self.support not in ("one_subject", "any") or self.exclude not in ("subject", "recording"):
            raise ValueError(f"support is 'one_subject' or 'any', exclude is 'subject' or 'recording': {self}")

    def describe(self) -> str:
        """One line for tables and result rows."""
        source = "one subject" if self.support == "one_subject" else "any subjects"
        return (
            f"{self.way}-way {self.shot}-shot, {self.queries} queries per class, {self.episodes:,} episodes, "
            f"supports from {source}, queries from other {self.exclude}s"
        )


@dataclass(frozen=True)
class Episodes:
    """Row indices: ``support`` (E, way, shot) and ``query`` (E, way, queries); ``classes`` (E, way) index ``names``."""

    support: NDArray[np.intp]
    query: NDArray[np.intp]
    classes: NDArray[np.intp]
    names: tuple[Hashable, ...]

    def __len__(self) -> int:
        return len(self.support)


@dataclass(frozen=True)
class _Pool:
    """The clips to draw from: ``members`` (classes, most clips) rows padded with -1, codes of each row, valid pairs."""

    names: tuple[Hashable, ...]
    members: NDArray[np.intp]
    subject: NDArray[np.intp]
    recording: NDArray[np.intp]
    valid: NDArray[np.bool_]  # (subjects, classes); with support="any" one row for everyone
    chance: NDArray[np.float64]  # (subjects,) share of the valid (subject, class set) pairs
    nested: bool  # every recording is of one subject


def _pool(labels: ArrayLike, subjects: ArrayLike, recordings: ArrayLike, protocol: Protocol) -> _Pool:
    names, label = np.unique(np.asarray(labels), return_inverse=True)
    subject = np.unique(np.asarray(subjects), return_inverse=True)[1]
    recording = np.unique(np.asarray(recordings), return_inverse=True)[1]
    if not len(label) == len(subject) == len(recording) or len(label) == 0:
        sizes = f"{len(label)}, {len(subject)} and {len(recording)}"
        raise ValueError(f"labels, subjects and recordings need one entry per clip each: given {sizes}")
    counts = np.bincount(label)
    members = np.full((len(names), counts.max()), -1, np.intp)
    order = np.argsort(label, kind="stable")
    members[label[order], np.arange(len(label)) - np.repeat(np.cumsum(counts) - counts, counts)] = order

    groups = subject if protocol.exclude == "subject" else recording
    clips = np.zeros((subject.max() + 1, len(names)), np.intp)
    np.add.at(clips, (subject, label), 1)
    spread = np.array([len(np.unique(groups[label == c])) for c in range(len(names))])
    if protocol.support == "one_subject":
        valid = clips >= protocol.shot
        valid &= (counts > clips) if protocol.exclude == "subject" else (spread > 1)
    else:
        valid = ((counts > protocol.shot) & (spread > 1))[None]
    pairs = [math.comb(int(v), protocol.way) for v in valid.sum(1)]
    if sum(pairs) == 0:
        raise ValueError(_too_few(protocol, clips, valid))
    chance = np.array([p / sum(pairs) for p in pairs])
    nested = len(np.unique(np.stack([recording, subject], 1), axis=0)) == recording.max() + 1
    return _Pool(tuple(names.tolist()), members, subject, recording, valid, chance, nested)


def _too_few(protocol: Protocol, clips: NDArray[np.intp], valid: NDArray[np.bool_]) -> str:
    source = "one and the same subject" if protocol.support == "one_subject" else "any subject"
    return (
        f"{protocol.way}-way {protocol.shot}-shot needs {protocol.way} classes with {protocol.shot} clip(s) of "
        f"{source} to support and a clip of another {protocol.exclude} to ask; there are {clips.shape[1]} classes, "
        f"{clips.shape[0]} subject(s), {int(clips.sum())} clips, and at most {int(valid.sum(1).max())} such classes. "
        f"Lower way or shot, add clips, or use support='any' or exclude='recording'."
    )


def sample_episodes(
    labels: ArrayLike,
    subjects: ArrayLike,
    recordings: ArrayLike,
    protocol: Protocol,
    rng: np.random.Generator,
) -> Episodes:
    """Draw ``protocol.episodes`` episodes from clips with these labels, subjects and recordings (each ``(n,)``).

    With ``support="one_subject"`` every pair of a support subject and a set of ``way`` classes that the data can
    serve is equally likely; where nobody lacks a class that is "classes at random, subject at random". Supports and
    queries are then drawn without replacement; a class with fewer allowed clips than ``queries`` repeats them evenly.
    Recordings of one moment seen twice (``Recording.twin``) should carry one recording id. Raises ``ValueError``
    where the clips cannot serve the protocol.
    """
    pool = _pool(labels, subjects, recordings, protocol)
    step = max(1, min(protocol.episodes, _DRAWN // (protocol.way * pool.members.shape[1])))
    found: list[tuple[NDArray[np.intp], ...]] = []
    kept = drawn = 0
    while kept < protocol.episodes:
        found.append(_draw(pool, protocol, step, rng))
        kept, drawn = kept + len(found[-1][0]), drawn + step
        if drawn > _TRIES and kept * _TRIES < drawn:
            raise ValueError(
                f"only {kept} of {drawn} drawn episodes leave a query of another {protocol.exclude} in every class: "
                f"{len(np.unique(pool.subject))} subject(s) are too few for {protocol.way * protocol.shot} supports. "
                "Use support='one_subject', exclude='recording', or a lower way or shot."
            )
    support, query, classes = (np.concatenate(part)[: protocol.episodes] for part in zip(*found, strict=True))
    return Episodes(support, query, classes, pool.names)


def _draw(pool: _Pool, protocol: Protocol, size: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], ...]:
    """Support, query and classes of those of ``size`` drawn episodes that have a query for every class."""
    giver = rng.choice(len(pool.chance), size=size, p=pool.chance)
    classes = _pick(pool.valid[giver], protocol.way, rng)[0]
    rows = pool.members[classes]  # (e, way, clips)
    allowed = rows >= 0
    who = pool.subject[rows]
    mine = allowed & (who == giver[:, None, None]) if protocol.support == "one_subject" else allowed
    support = np.take_along_axis(rows, _pick(mine, protocol.shot, rng)[0], -1)

    flat = support.reshape(size, -1)
    if protocol.exclude == "subject":
        taken = pool.subject[flat[:, :1] if protocol.support == "one_subject" else flat]
        for column in taken.T:
            allowed &= who != column[:, None, None]
    if protocol.exclude == "recording" or not pool.nested:
        where = pool.recording[rows]
        for column in pool.recording[flat].T:
            allowed &= where != column[:, None, None]
    chosen, count = _pick(allowed, protocol.queries, rng)
    ok = (count > 0).all(1)
    return support[ok], np.take_along_axis(rows, chosen, -1)[ok], classes[ok]


def _pick(
    allowed: NDArray[np.bool_], number: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """``number`` random positions of the last axis where ``allowed``, and how many are allowed.

    Without replacement; where fewer are allowed they are gone through again, in the same random order.
    """
    keys = rng.random(allowed.shape, dtype=np.float32)
    keys[~allowed] = 2.0
    head = min(number, allowed.shape[-1])
    first = np.argpartition(keys, head - 1, -1)[..., :head]
    order = np.argsort(np.take_along_axis(keys, first, -1), -1)
    count = allowed.sum(-1)
    turn = np.arange(number) % np.clip(count, 1, head)[..., None]
    return np.take_along_axis(np.take_along_axis(first, order, -1), turn, -1), count


def fuse(parts: Sequence[ArrayLike], missing: ArrayLike | None = None) -> NDArray[np.floating[Any]]:
    """Embeddings of several modalities ``(n, d_m)`` as one ``(n, sum d_m)``: each row's parts made unit length.

    The dot product of two fused rows is the sum of the cosines of their parts. ``missing`` is (n, parts) bool; a
    missing part is zeros, so it adds nothing to that sum. The *cosine* of a fused row that lacks a part is then lower
    by its shorter reach (one of two parts: at most 1/sqrt 2): to compare rows that lack different parts, give the
    list of embeddings and ``missing`` to ``classify``, which averages over the parts that both sides have.
    """
    arrays = as_parts(parts)
    gone = _hidden(missing, len(arrays[0]), len(arrays))
    return np.concatenate([_prepare(x, gone[:, m], "cosine") for m, x in enumerate(arrays)], 1)


def as_parts(embeddings: Embeddings) -> list[NDArray[np.floating[Any]]]:
    """One array or a list of them as a list of float32 or float64 arrays ``(n, d)`` with the same n, or an error."""
    several = isinstance(embeddings, list | tuple) and len(embeddings) > 0 and np.ndim(embeddings[0]) == 2
    given: Sequence[Any] = embeddings if several else [embeddings]  # type: ignore[assignment]
    arrays = [np.asarray(x) for x in given]
    arrays = [x if x.dtype == np.float64 else x.astype(np.float32, copy=False) for x in arrays]
    if any(x.ndim != 2 or len(x) != len(arrays[0]) for x in arrays):
        raise ValueError(f"embeddings are (n, d), all with the same n: given {', '.join(str(x.shape) for x in arrays)}")
    return arrays


def _hidden(missing: ArrayLike | None, rows: int, parts: int) -> NDArray[np.bool_]:
    """The missing-mask as (rows, parts) bool."""
    gone = np.zeros((rows, parts), bool) if missing is None else np.asarray(missing, bool)
    gone = gone[:, None] if gone.ndim == 1 else gone
    if gone.shape != (rows, parts):
        raise ValueError(f"missing is (n, parts) = {(rows, parts)}: given {gone.shape}")
    return gone


def _prepare(x: NDArray[np.floating[Any]], gone: NDArray[np.bool_], metric: Metric) -> NDArray[np.floating[Any]]:
    """Rows made unit length (cosine) or centred, which leaves distances as they are (euclidean); missing rows zero."""
    absent = bool(gone.any())
    if absent:
        x = np.where(gone[:, None], x.dtype.type(0), x)
    if metric == "euclidean":
        x = x - x.sum(0) / max(1, int((~gone).sum()))
        if absent:
            x[gone] = 0.0
    size = np.sqrt(np.einsum("nd,nd->n", x, x))[:, None]
    if not np.isfinite(size).all():
        raise ValueError("embeddings hold NaN or infinity: mend them, or mark those rows in missing")
    return x if metric == "euclidean" else x / np.where(size > 0, size, 1)


def classify(
    embeddings: Embeddings,
    episodes: Episodes,
    metric: Metric = "cosine",
    *,
    missing: ArrayLike | None = None,
    weights: Sequence[float] | None = None,
) -> NDArray[np.intp]:
    """The nearest prototype of every query: ``(E, way, queries)`` ints, positions in the episode's ``way``.

    A prototype is the mean of a class's support embeddings, of unit length for ``"cosine"`` (Snell et al.,
    "Prototypical Networks", 2017, with their cosine and Euclidean forms). Several embeddings are fused late: the mean
    of their scores, weighted by ``weights`` (parts; None: alike), over the parts that query and prototype both have.
    ``missing`` is (n, parts) bool. A prototype that shares no part with the query is chosen only where none does. Ties
    go to the first position.
    """
    if metric not in ("cosine", "euclidean"):
        raise ValueError(f"metric is 'cosine' or 'euclidean', given {metric!r}")
    arrays = as_parts(embeddings)
    gone = _hidden(missing, len(arrays[0]), len(arrays))
    arrays = [_prepare(x, gone[:, m], metric) for m, x in enumerate(arrays)]
    shares = np.ones(len(arrays)) if weights is None else np.asarray(weights, np.float64)
    if shares.shape != (len(arrays),) or not (shares > 0).all():
        raise ValueError(f"weights are one positive number per part, {len(arrays)}: given {weights}")
    number, way, shot = episodes.support.shape
    query = episodes.query.reshape(number, -1)
    rows = len(gone)
    held = rows <= GRAM_ROWS and rows * rows <= 8 * query.size * way * shot
    grams = [x @ x.T if held else None for x in arrays]
    step = max(1, _COMPARED // (query.shape[1] * (way if held else 48)))
    answer = np.empty(query.shape, np.intp)
    for start in range(0, number, step):
        part = slice(start, start + step)
        pair = episodes.support[part], query[part]
        if len(arrays) == 1 and not gone.any():
            total = _similarity(arrays[0], grams[0], None, *pair, metric)
        else:
            total = _late(arrays, grams, gone, *pair, metric, shares)
        _best(total, answer[part])
    return answer.reshape(episodes.query.shape)


def _late(
    arrays: Sequence[NDArray[Any]],
    grams: Sequence[NDArray[Any] | None],
    gone: NDArray[np.bool_],
    support: NDArray[np.intp],
    query: NDArray[np.intp],
    metric: Metric,
    weights: NDArray[np.float64],
) -> NDArray[np.floating[Any]]:
    """Weighted mean similarity (e, way, queries) over the parts that both have; -inf where there is none."""
    total = np.zeros((*support.shape[:2], query.shape[1]))
    shared = np.zeros(total.shape)
    for m, (x, gram) in enumerate(zip(arrays, grams, strict=True)):
        here = np.logical_not(gone[:, m])
        both = np.asarray(here[support].any(2))[:, :, None] & here[query][:, None, :]
        near = _similarity(x, gram, here, support, query, metric)
        if metric == "euclidean":
            near -= 0.5 * np.einsum("nd,nd->n", x, x)[query][:, None, :]
        total += weights[m] * np.where(both, near, 0.0)
        shared += weights[m] * both
    return np.where(shared > 0, total / np.where(shared > 0, shared, 1.0), -np.inf)


def _similarity(
    x: NDArray[np.floating[Any]],
    gram: NDArray[np.floating[Any]] | None,
    here: NDArray[np.bool_] | None,
    support: NDArray[np.intp],
    query: NDArray[np.intp],
    metric: Metric,
) -> NDArray[np.floating[Any]]:
    """Similarity (e, way, queries) of prototypes and queries: cosine, or (|query|^2 - distance^2) / 2.

    From the Gram matrix (n, n) where it is held, else from the rows; absent supports (``here`` False) are zero rows.
    """
    shot = support.shape[2]
    if gram is None:
        prototype = x[support].sum(2) if shot > 1 else x[support[:, :, 0]]
        dots = (x.take(query, 0) @ prototype.transpose(0, 2, 1)).transpose(0, 2, 1)
        square = np.einsum("ewd,ewd->ew", prototype, prototype)[:, :, None]
    else:
        flat, base = gram.reshape(-1), support * len(gram)
        dots = flat.take(base[:, :, 0, None] + query[:, None, :], mode="wrap")
        for k in range(1, shot):
            dots += flat.take(base[:, :, k, None] + query[:, None, :], mode="wrap")
        square = flat.take(base[:, :, :, None] + support[:, :, None, :], mode="wrap").sum((2, 3))[:, :, None]
    if metric == "cosine":  # the scale of the prototype falls out
        if shot > 1:
            dots /= np.sqrt(np.where(square > 0, square, 1.0))
    else:
        if shot > 1:  # so far sums over the supports that are there, not means
            share = np.full(square.shape, 1 / shot, x.dtype)
            if here is not None:
                share = (1 / np.maximum(here[support].sum(2), 1)).astype(x.dtype)[:, :, None]
            dots, square = dots * share, square * share * share
        dots -= 0.5 * square
    return dots


def _best(similarity: NDArray[np.floating[Any]], out: NDArray[np.intp]) -> None:
    """Position of the largest of axis 1, written to ``out`` (e, queries); without branches, so faster than argmax."""
    best, place = similarity[:, 0].copy(), np.zeros(out.shape, np.int16)
    for way in range(1, similarity.shape[1]):
        larger = similarity[:, way] > best
        np.maximum(best, similarity[:, way], out=best)
        np.maximum(place, larger * np.int16(way), out=place)
    out[...] = place


@dataclass(frozen=True)
class Score:
    """The answers of one set of episodes. ``confusion`` (classes, classes) counts answers: true class by answer."""

    accuracy: float
    ci95: Interval
    per_class: dict[Hashable, float]
    per_subject: dict[Hashable, float]
    confusion: NDArray[np.intp]
    classes: tuple[Hashable, ...]
    table: Table


def score(
    episodes: Episodes,
    predictions: NDArray[np.intp],
    labels: ArrayLike,
    subjects: ArrayLike,
    *,
    bootstrap: int = 2000,
    rng: np.random.Generator,
) -> Score:
    """Accuracy of ``predictions`` (E, way, queries) with a 95 % interval over subjects and classes.

    ``labels`` and ``subjects`` are (n,), of the rows that the episodes index. An answer is weighed by its support's
    subject (of the asked class's first support), its query's subject, and its class. ``per_subject`` is by the
    query's subject.
    """
    names, label = np.unique(np.asarray(labels), return_inverse=True)
    people, subject = np.unique(np.asarray(subjects), return_inverse=True)
    asked = np.broadcast_to(label[episodes.support[:, :, :1]], predictions.shape).ravel()
    ways = label[episodes.support[:, :, 0]]
    answer = np.take_along_axis(ways, predictions.reshape(len(ways), -1), 1).ravel()
    giver = np.broadcast_to(subject[episodes.support[:, :, :1]], predictions.shape).ravel()
    taker = subject[episodes.query.ravel()]
    table = tabulate(np.stack([giver, taker], 1), asked, asked == answer)
    confusion = np.bincount(asked * len(names) + answer, minlength=len(names) ** 2).reshape(len(names), -1)
    seen = np.unique(ways)
    return Score(
        accuracy=table.accuracy,
        ci95=interval(replicates([table], bootstrap, rng)[:, 0]),
        per_class=_shares(names, table.classes, table),
        per_subject=_shares(people, table.subjects[:, 1], table),
        confusion=confusion[np.ix_(seen, seen)],
        classes=tuple(names[seen].tolist()),
        table=table,
    )


def _shares(names: NDArray[Any], group: NDArray[np.intp], table: Table) -> dict[Hashable, float]:
    right, count = np.bincount(group, table.right), np.bincount(group, table.count)
    return {names[g].item(): float(right[g] / count[g]) for g in np.unique(group)}
