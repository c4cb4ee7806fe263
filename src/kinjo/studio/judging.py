"""A model judged on the labelled recordings of a corpus: time named right, by label and by person; and two compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.evaluate import report
from kinjo.evaluate.intervals import Interval, interval
from kinjo.runtime import Model
from kinjo.studio.desk import seen
from kinjo.studio.jobs import Told
from kinjo.timeline import UNKNOWN, Timeline

MOST = 200
"""Recordings that are judged; of more, so many evenly."""
DRAWS = 2000
"""Of the bootstrap."""
TICK_S = 0.001
"""Time is counted in these."""
Names = tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """``seconds`` (subjects, names, names): by person the time that is ``names[i]`` and was called ``names[j]``.

    The last name is UNKNOWN, which is time without a label too. ``missed``: recordings that were not read, and why.
    """

    model: str
    corpus: str
    recordings: Names
    subjects: Names
    names: Names
    seconds: NDArray[np.float64]
    missed: Names = ()

    @property
    def confusion(self) -> NDArray[np.float64]:
        """Of all together, in seconds."""
        return self.seconds.sum(0)

    @property
    def true(self) -> NDArray[np.bool_]:
        """(names,) those that somebody does."""
        return self.confusion.sum(1) > 0

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types: cells that are not 0, as [subject, true, given, seconds]."""
        cells = [[int(i), int(j), int(k), round(float(self.seconds[i, j, k]), 3)]
                 for i, j, k in zip(*np.nonzero(self.seconds), strict=True)]  # fmt: skip
        return {
            "model": self.model, "corpus": self.corpus, "recordings": list(self.recordings),
            "subjects": list(self.subjects), "names": list(self.names), "cells": cells,
        }  # fmt: skip


def of_dict(told: Mapping[str, Any]) -> Judged:
    """What ``to_dict`` gave. ``ValueError`` for anything else."""
    try:
        words = [tuple(str(one) for one in told[name]) for name in ("recordings", "subjects", "names")]
        seconds = np.zeros((len(words[1]), len(words[2]), len(words[2])))
        if seconds.size > 1 << 24 or not seconds.size:
            raise ValueError("a confusion of that size")
        for who, true, given, lasts in told["cells"]:
            if min(who, true, given) < 0 or not 0 <= float(lasts) < 1e9:
                raise ValueError("a cell out of bounds")
            seconds[who, true, given] = float(lasts)
        return Judged(str(told["model"]), str(told["corpus"]), words[0], words[1], words[2], seconds)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"not a confusion that kinjo wrote ({error!r})") from error


def judge(model: Model, name: str, store: Any, corpus: str, at: Told) -> Judged:
    """Recognise the labelled recordings of a corpus. ``ValueError`` where there are none, or none can be read."""
    entries = [e for e in store.entries if any(s.label for s in e.segments)]
    if not entries:
        raise ValueError(f"no recording of '{corpus}' has labels: there is nothing to compare with")
    entries = [
        entries[i] for i in np.unique(np.linspace(0, len(entries) - 1, min(MOST, len(entries))).round().astype(int))
    ]
    found: list[tuple[str, str, Names, NDArray[np.float64]]] = []
    missed: list[str] = []
    for number, entry in enumerate(entries):
        at(number, len(entries))
        try:
            truth = Timeline.from_segments([s for s in entry.segments if s.label])
            names, seconds = model.recognize(seen(store.recording(entry.id))).confusion(truth)
            found.append((entry.id, entry.subject or entry.id, names, seconds))
        except ValueError as error:  # a contract, or overlapping labels
            missed.append(f"{entry.id}: {error}")
    if not found:
        raise ValueError(f"none of {len(entries)} recordings can be recognised: {missed[0]}")
    every = [*sorted({n for *_, names, _ in found for n in names} - {UNKNOWN}), UNKNOWN]
    people = sorted({who for _, who, *_ in found})
    total = np.zeros((len(people), len(every), len(every)))
    for _, who, names, seconds in found:
        to = [every.index(n) for n in names]
        total[people.index(who)][np.ix_(to, to)] += seconds
    used = (total.sum((0, 1)) + total.sum((0, 2)) > 0) | (np.array(every) == UNKNOWN)  # not what nobody does or is told
    kept, ids = total[:, used][:, :, used], tuple(id for id, *_ in found)
    return Judged(name, corpus, ids, tuple(people), tuple(np.array(every)[used]), kept, tuple(missed))


# ------------------------------------------------------------------------------------------------ figures
@dataclass(frozen=True)
class Figures:
    """F1 over time, (names,), NaN where nobody does it; its mean; with the share of all time that is named right.

    ``draws`` (DRAWS, names + 2) are the same under resampled people; None where there is only one. They are NaN for
    what fewer than two people do: of that no interval says anything.
    """

    names: Names
    values: NDArray[np.float64]
    seconds: NDArray[np.float64]
    draws: NDArray[np.float64] | None

    def ci(self, column: int) -> Interval | None:
        """95 % interval of a name, of the mean (-2), of the share (-1)."""
        if self.draws is None or not np.isfinite(self.draws[:, column]).any():
            return None
        return interval(self.draws[:, column])


def figures(judged: Judged, seed: int = 0) -> Figures:
    """Of one model. An equal ``seed`` draws the same people, so that two models on the same people are paired."""
    many = len(judged.subjects)
    draws = None
    if many > 1:
        rng = np.random.default_rng(seed)
        weights = rng.multinomial(many, np.full(many, 1 / many), size=DRAWS).astype(np.float64)
        part = max(1, (1 << 22) // judged.seconds[0].size)
        plain = judged.seconds.reshape(many, -1)
        draws = np.concatenate([
            _f1((weights[i : i + part] @ plain).reshape(-1, *judged.seconds.shape[1:]), judged.true)
            for i in range(0, DRAWS, part)
        ])  # fmt: skip
        few = (judged.seconds.sum(2) > 0).sum(0) < 2
        draws[:, :-2][:, few] = np.nan
    return Figures(judged.names, _f1(judged.confusion[None], judged.true)[0], judged.confusion.sum(1), draws)


def _f1(confusions: NDArray[np.float64], true: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(draws, names + 2): by name, their mean over the names that occur in a draw, and the share that is right."""
    right = np.diagonal(confusions, axis1=1, axis2=2)
    asked, given, total = confusions.sum(2), confusions.sum(1), confusions.sum((1, 2))
    f1 = np.where(asked > 0, 2 * right / np.maximum(asked + given, TICK_S), np.nan)
    f1[:, ~true] = np.nan
    mean = np.where(asked > 0, f1, 0.0).sum(1) / np.maximum((asked > 0).sum(1), 1)
    return np.concatenate([f1, mean[:, None], (right.sum(1) / np.maximum(total, TICK_S))[:, None]], 1)


@dataclass(frozen=True)
class Compared:
    """Two models: lines (name, first, second, difference, its interval or None), at the end the mean and the share.

    ``paired``: both judged the same recordings, so the interval is of the difference itself.
    """

    lines: tuple[tuple[str, float, float, float, Interval | None], ...]
    paired: bool


def compared(first: Judged, second: Judged) -> Compared:
    """Label by label. Labels that only one of them ever gave count for both where they are true."""
    names = (*sorted({*first.names, *second.names} - {UNKNOWN}), UNKNOWN)
    a, b = _over(first, names), _over(second, names)
    paired = (first.recordings, first.subjects) == (second.recordings, second.subjects)
    paired = paired and np.allclose(a.seconds[:, :-1].sum(2), b.seconds[:, :-1].sum(2), atol=0.01)  # one truth
    x, y = figures(a), figures(b)
    lines = []
    for k, name in enumerate((*names, "mean F1", "time right")):
        if not (np.isfinite(x.values[k]) or np.isfinite(y.values[k])):
            continue
        ci = None
        if paired and x.draws is not None and y.draws is not None:
            some = x.draws[:, k] - y.draws[:, k]
            ci = interval(some) if np.isfinite(some).any() else None
        lines.append((name, float(x.values[k]), float(y.values[k]), float(x.values[k] - y.values[k]), ci))
    return Compared(tuple(lines), paired)


def _over(judged: Judged, names: Names) -> Judged:
    """The same with other names beside."""
    to = [names.index(n) for n in judged.names]
    seconds = np.zeros((len(judged.subjects), len(names), len(names)))
    for who in range(len(judged.subjects)):
        seconds[who][np.ix_(to, to)] = judged.seconds[who]
    return Judged(judged.model, judged.corpus, judged.recordings, judged.subjects, names, seconds)


# ------------------------------------------------------------------------------------------------ rows
def rows(judged: Judged) -> list[report.Row]:
    """As ``kinjo``'s other results, with the confusion in the first."""
    told = figures(judged)
    said = (
        f"labelled recordings of '{judged.corpus}' recognised, {len(judged.recordings)} of {len(judged.subjects)} "
        "people; F1 over time, time without a label counts as unknown; interval: bootstrap over people"
    )
    same: dict[str, Any] = {
        "protocol": said, "command": "kinjo studio: Results", "trained_on": "not known: see the model's card",
        "model": _plain(judged.model),
    }  # fmt: skip
    out = []
    columns = [(-2, "macro_f1"), (-1, "time_right")]
    columns += [(k, f"f1.{_plain(n)}") for k, n in enumerate(judged.names) if np.isfinite(told.values[k])]
    for column, name in columns:
        more: dict[str, Any] = {"confusion": judged.to_dict()} if column == -2 else {}
        id, value = f"studio.{_plain(judged.corpus)}.{name}", float(told.values[column])
        out.append(report.row(id, value, "fraction", ci95=told.ci(column), **same, **more))
    return out


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() else "_" for c in Path(name).name).strip("_") or "data"


def as_json(some: Iterable[report.Row]) -> bytes:
    """A file of rows."""
    return (json.dumps(list(some), indent=1, allow_nan=False) + "\n").encode()


def unknown_to(model: Model, labels: Sequence[str]) -> list[str]:
    """Labels of a corpus that a model does not know by that name."""
    return sorted(set(labels) - {""} - set(model.labels))
