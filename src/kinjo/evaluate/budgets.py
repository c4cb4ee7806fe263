"""Label budgets: which of the training windows have labels. Fixed by a seed alone, so every arm gets the same ones.

Every choice is a prefix of an order that the seed gives, so a smaller budget lies inside a larger one of the same
seed. Integer labels below 0 are unknown: such windows are never chosen and never counted.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.intp]


def by_clips(labels: ArrayLike, subjects: ArrayLike, recordings: ArrayLike, per_class: int | None, seed: int) -> Rows:
    """Rows of ``per_class`` clips of each class, sorted; None: all. ``labels``, ``subjects``, ``recordings``: (n,).

    The clips of a class come from as many subjects as there are, and of a subject from as many recordings.
    ``ValueError`` where a class has fewer clips.
    """
    what, who, where = _columns(labels, subjects, recordings)
    if per_class is not None and per_class < 1:
        raise ValueError(f"clips per class: at least 1, or None for all, given {per_class}")
    chosen = []
    for name, rows in _by_class(what):
        if per_class is not None and len(rows) < per_class:
            raise ValueError(f"class {name!r} has {len(rows)} clips, {per_class} are asked for: give fewer, or None")
        rng = _generator(seed, name)
        people = [_dealt(mine, where, rng) for mine in _grouped(rng.permutation(rows), who)]
        chosen.append(_round_robin(people)[:per_class])
    return np.sort(np.concatenate(chosen))


def by_fraction(labels: ArrayLike, fraction: float, seed: int) -> Rows:
    """Rows of a share of each class, rounded, at least one; sorted. ``labels`` (n,), ``fraction`` in (0, 1]."""
    (what,) = _columns(labels)
    _check_fraction(fraction)
    chosen = []
    for name, rows in _by_class(what):
        order = _generator(seed, name).permutation(rows)
        chosen.append(order[: _share(fraction, len(rows))])
    return np.sort(np.concatenate(chosen))


def by_recordings(
    labels: ArrayLike,
    recordings: ArrayLike,
    seed: int,
    *,
    fraction: float | None = None,
    per_class: int | None = None,
) -> Rows:
    """All rows of whole recordings, sorted: of each class a ``fraction`` of its recordings (rounded, at least one), or
    ``per_class`` of them. ``labels`` and ``recordings`` are (n,).

    Recordings stand in one order for all classes, of which each class takes the first ones that have it. Where a
    recording holds one class the number is exact; where it holds several, a class may have more than it asked for.
    ``ValueError`` where a class has fewer recordings, or not one of ``fraction`` and ``per_class`` is given.
    """
    what, where = _columns(labels, recordings)
    if (fraction is None) == (per_class is None):
        raise ValueError("give either fraction or per_class")
    if fraction is not None:
        _check_fraction(fraction)
    elif per_class is not None and per_class < 1:
        raise ValueError(f"recordings per class: at least 1, given {per_class}")
    names, code = np.unique(where, return_inverse=True)
    place = np.empty(len(names), np.intp)
    place[np.random.default_rng(seed).permutation(len(names))] = np.arange(len(names))
    taken = np.zeros(len(names), bool)
    for name, rows in _by_class(what):
        own = np.unique(code[rows])
        number = per_class or _share(fraction or 1.0, len(own))
        if number > len(own):
            raise ValueError(f"class {name!r} is in {len(own)} recordings, {number} are asked for: give fewer")
        taken[own[np.argsort(place[own])][:number]] = True
    return np.flatnonzero(taken[code] & _known(what))


def _columns(*given: ArrayLike) -> list[NDArray[Any]]:
    columns = [np.asarray(column) for column in given]
    if any(c.ndim != 1 or len(c) != len(columns[0]) for c in columns):
        raise ValueError(f"labels, subjects and recordings are (n,) alike: given {[c.shape for c in columns]}")
    if not _known(columns[0]).any():
        raise ValueError("no window has a label: nothing to choose from")
    return columns


def _known(labels: NDArray[Any]) -> NDArray[np.bool_]:
    return labels >= 0 if labels.dtype.kind in "iu" else np.ones(len(labels), bool)


def _by_class(labels: NDArray[Any]) -> list[tuple[Any, Rows]]:
    known = np.flatnonzero(_known(labels))
    return [
        (name.item() if hasattr(name, "item") else name, known[labels[known] == name])
        for name in np.unique(labels[known])
    ]


def _grouped(rows: Rows, groups: NDArray[Any]) -> list[Rows]:
    """``rows`` by group, groups in the order of their first row."""
    return [rows[groups[rows] == group] for group in dict.fromkeys(groups[rows].tolist())]


def _dealt(rows: Rows, recordings: NDArray[Any], rng: np.random.Generator) -> Rows:
    """``rows`` so that each recording gives one before any gives its second."""
    return _round_robin([rng.permutation(mine) for mine in _grouped(rows, recordings)])


def _round_robin(queues: Sequence[Rows]) -> Rows:
    turns = zip_longest(*(queue.tolist() for queue in queues))
    return np.array([row for turn in turns for row in turn if row is not None], np.intp)


def _generator(seed: int, name: object) -> np.random.Generator:
    """One per class, by its name: what is drawn of a class does not hang on which others there are."""
    return np.random.default_rng([seed, zlib.crc32(str(name).encode())])


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction <= 1:
        raise ValueError(f"a fraction lies above 0 and is at most 1 (0.02 for 2 %), given {fraction}")


def _share(fraction: float, number: int) -> int:
    return max(1, round(fraction * number))
