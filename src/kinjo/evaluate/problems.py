"""The fine-tuning problems: for each data set which windows train and which test, by subject."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.batches import Windows
from kinjo.corpus import NULL
from kinjo.evaluate import budgets
from kinjo.evaluate.finetune import Problem

FOLD_SEED = 0
"""Of the order in which subjects are dealt into folds."""


def subjects_first(windows: Windows) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Labels, subjects and recordings of all windows, (n,) each."""
    index, table = windows.index, windows.corpus.table
    labels = np.array([index.labels[i] for i in index.label], str)
    who, what = (np.asarray([str(x) for x in column])[index.recording] for column in (table.subjects, table.ids))
    return labels, who, what


def utd_mhad(windows: Windows, *, development: bool = False) -> dict[str, Problem]:
    """Odd subjects train, even ones test, as usual. ``development``: of the odd ones each in turn is tested, by the
    others: to choose by (subject 7's fold is the usual validation).
    """
    labels, who, what = subjects_first(windows)
    strange = sorted(s for s in set(who.tolist()) if not re.fullmatch(r"s\d+", s))
    if strange:
        raise ValueError(f"this problem is of UTD-MHAD, whose subjects are s1 to s8; the corpus has {strange[0]!r}")
    odd = np.array([int(s.removeprefix("s")) % 2 == 1 for s in who])
    if not development:
        return {"odd-even": _problem(labels, who, what, np.flatnonzero(odd), np.flatnonzero(~odd))}
    return {
        name: _problem(labels, who, what, np.flatnonzero(odd & (who != name)), np.flatnonzero(who == name))
        for name in sorted(set(who[odd].tolist()))
    }


def by_user(windows: Windows, *, folds: int = 5, development: bool = False) -> dict[str, Problem]:
    """Subjects dealt into ``folds``: each tests once, by a model of all others. Windows of NULL take no part.

    ``development``: the first fold's training subjects alone, dealt anew: nothing of that fold's test is seen.
    """
    labels, who, what = subjects_first(windows)
    people = np.array(sorted(set(who.tolist()), key=_order))
    parts = np.array_split(np.random.default_rng(FOLD_SEED).permutation(people), folds)
    left = len(people) - len(parts[0]) * development
    if folds < 2 or left < folds:
        raise ValueError(f"{left} subjects cannot be dealt into {folds} folds: give two or more subjects and folds")
    if development:
        parts = np.array_split(np.concatenate(parts[1:]), folds)
    everybody, known = np.concatenate(parts), labels != NULL
    return {
        f"fold{k}": _problem(
            labels, who, what, np.flatnonzero(known & np.isin(who, np.setdiff1d(everybody, part))),
            np.flatnonzero(known & np.isin(who, part)),
        )
        for k, part in enumerate(parts)
    }  # fmt: skip


def _order(name: str) -> tuple[list[int], str]:
    """By the numbers in a name, then by the name: the same in every process."""
    return [int(x) for x in re.findall(r"\d+", name)], name


def _problem(labels: Any, who: Any, what: Any, train: Any, test: Any) -> Problem:
    classes = tuple(sorted(set(labels[train].tolist()) | set(labels[test].tolist())))
    return Problem(labels, who, what, classes, train, np.empty(0, np.intp), test)


PROBLEMS: Mapping[str, Callable[..., dict[str, Problem]]] = {"utd_mhad": utd_mhad, "by_user": by_user}
"""name -> problems of a corpus' windows."""


def labelled(problem: Problem, budget: str, seed: int) -> NDArray[np.intp]:
    """Rows of the training windows that have a label, by a ``budget``; the same for every arm.

    ``all``; ``clips:4``: of each class; ``windows:0.02``, ``recordings:0.1``: a share; ``recording:1``: whole
    recordings of each class. Smaller budgets of a seed lie within larger ones.
    """
    kind, _, amount = budget.partition(":")
    rows = problem.train
    what, who, where = (column[rows] for column in (problem.labels, problem.subjects, problem.recordings))
    if budget == "all":
        return rows
    try:
        many = {"clips": int, "windows": float, "recordings": float, "recording": int}[kind](amount)
    except (KeyError, ValueError):
        allowed = "all, clips:N, windows:SHARE, recordings:SHARE or recording:N"
        raise ValueError(f"budget {budget!r}: give {allowed}") from None
    if kind == "clips":
        return rows[budgets.by_clips(what, who, where, many, seed)]
    if kind == "windows":
        return rows[budgets.by_fraction(what, many, seed)]
    how = {"fraction": many} if kind == "recordings" else {"per_class": many}
    return rows[budgets.by_recordings(what, where, seed, **how)]


def inputs_of(modalities: Iterable[str]) -> list[tuple[str, ...]]:
    """The inputs that a table shows: every modality alone, then the first two, then all."""
    every = tuple(modalities)
    pair, whole = [every[:2]] if len(every) > 2 else [], [every] if len(every) > 1 else []
    return [*[(m,) for m in every], *pair, *whole]
