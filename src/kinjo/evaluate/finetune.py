"""The table of the fine-tuning protocol: arms x label budgets x inputs, from what models answered on test windows.

Nothing is trained here: a job answers each test window of a fold (``jobs.py``), ``table`` pools the folds, so that
every test window counts once per seed, and ``gains`` pairs two arms by seed and by subject. Intervals are 95 % of a
bootstrap over subjects; seeds are averaged inside each replicate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.evaluate.intervals import Interval, interval
from kinjo.evaluate.metrics import Counts, count, macro_f1, ranks, resampled_f1

Key = tuple[str, str, str, str, int]
"""Of an answer: arm, budget, input, fold, seed."""


@dataclass(frozen=True)
class Problem:
    """Windows with what is known of each, (n,), and which of them one fold trains, validates and tests on (rows).

    ``ValueError`` where a row, a subject or a recording is in two parts, or a label is none of ``classes``.
    """

    labels: NDArray[Any]
    subjects: NDArray[Any]
    recordings: NDArray[Any]
    classes: tuple[str, ...]
    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]

    def __post_init__(self) -> None:
        columns = (self.labels, self.subjects, self.recordings)
        if any(column.shape != (len(self.labels),) for column in columns):
            raise ValueError(f"labels, subjects and recordings are (n,) alike: {[c.shape for c in columns]}")
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        for name, rows in parts.items():
            if len(rows) == 0 and name != "validation":
                raise ValueError(f"the part '{name}' has no windows")
            if len(np.unique(rows)) != len(rows) or (len(rows) and not 0 <= rows.min() <= rows.max() < len(self)):
                raise ValueError(f"the part '{name}' holds a row twice, or one that is not among {len(self)} windows")
            strange = set(self.labels[rows].tolist()) - set(self.classes)
            if strange:
                raise ValueError(f"the part '{name}' has labels that are no class: {sorted(map(str, strange))}")
        for (one, a), (other, b) in combinations(parts.items(), 2):
            for what, values in (("subject", self.subjects), ("recording", self.recordings)):
                shared = sorted(map(str, set(values[a].tolist()) & set(values[b].tolist())))
                if shared:
                    raise ValueError(f"{what} {', '.join(shared[:5])} is in '{one}' and in '{other}': split by subject")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def truth(self) -> NDArray[np.intp]:
        """Number of the class of each test window, (tests,)."""
        number = {name: k for k, name in enumerate(self.classes)}
        return np.array([number[label] for label in self.labels[self.test].tolist()], np.intp)


@dataclass(frozen=True)
class Line:
    """One arm with one budget and input: means over seeds, pooled over folds; ``ci95`` and ``per_seed`` of macro-F1.

    ``top3`` and ``top5`` are None where there are not more classes than that.
    """

    arm: str
    budget: str
    input: str
    seeds: tuple[int, ...]
    macro_f1: float
    accuracy: float
    top3: float | None
    top5: float | None
    ci95: Interval
    per_seed: tuple[float, ...]


@dataclass(frozen=True)
class Table:
    """All lines, in the order in which the answers came; ``counts`` holds each line's answers, one array per seed."""

    lines: tuple[Line, ...]
    windows: int
    subjects: int
    counts: Mapping[tuple[str, str, str], tuple[Counts, ...]] = field(repr=False)
    fold_of_subject: NDArray[np.intp] = field(repr=False)
    """Which fold tests each subject, (subjects,), numbered in the order of the problems."""

    def line(self, arm: str, budget: str, input: str) -> Line:
        """The line of an arm, a budget and an input. ``KeyError`` where there is none."""
        for line in self.lines:
            if (line.arm, line.budget, line.input) == (arm, budget, input):
                return line
        raise KeyError(f"no line of arm {arm!r}, budget {budget!r}, input {input!r}")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, without the counts."""
        return {"windows": self.windows, "subjects": self.subjects, "lines": [asdict(line) for line in self.lines]}

    def to_markdown(self, digits: int = 3) -> str:
        """One row a line."""
        out = [
            "| input | budget | arm | macro-F1 | 95 % | accuracy | top-3 | top-5 | seeds |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for line in self.lines:
            low, high = line.ci95
            rest = [_text(x, digits) for x in (line.accuracy, line.top3, line.top5)]
            out.append(
                f"| {line.input} | {line.budget} | {line.arm} | {_text(line.macro_f1, digits)} "
                f"| {_text(low, digits)} to {_text(high, digits)} | {' | '.join(rest)} | {len(line.seeds)} |"
            )
        return "\n".join(out) + "\n"


@dataclass(frozen=True)
class Gain:
    """Macro-F1 of ``arm`` minus that of ``against``, with the same budget, input, seeds and test windows.

    ``median`` and ``mean`` are over seeds, ``ci95`` is of the mean, over subjects.
    """

    arm: str
    against: str
    budget: str
    input: str
    seeds: tuple[int, ...]
    per_seed: tuple[float, ...]
    median: float
    mean: float
    ci95: Interval


def table(
    problems: Mapping[str, Problem], answers: Mapping[Key, ArrayLike], *, seed: int = 0, bootstrap: int = 2000
) -> Table:
    """The table of ``answers[arm, budget, input, fold, seed]``: scores (tests of the fold, classes), higher likelier.

    ``problems`` are the folds by name, of the same windows, no window tested twice. ``seed`` is of the bootstrap.
    ``ValueError`` where a fold lacks the answer of a seed, or scores have another shape or are not finite.
    """
    _check_folds(problems)
    first = next(iter(problems.values()))
    tested = np.concatenate([problem.test for problem in problems.values()])
    truth = np.concatenate([problem.truth for problem in problems.values()])
    who = np.unique(first.subjects[tested], return_inverse=True)[1]
    by_line: dict[tuple[str, str, str], dict[int, dict[str, NDArray[np.float64]]]] = {}
    for (arm, budget, input, fold, number), scores in answers.items():
        if fold not in problems:
            raise ValueError(f"answers of fold {fold!r}, which is no problem; there are: {', '.join(problems)}")
        known = problems[fold]
        by_seed = by_line.setdefault((arm, budget, input), {})
        by_seed.setdefault(number, {})[fold] = _checked(scores, (len(known.test), len(known.classes)), arm)
    lines, counts = [], {}
    for key, by_seed in by_line.items():
        lacking = [f"{f} seed {s}" for s, given in by_seed.items() for f in problems if f not in given]
        if lacking:
            raise ValueError(f"{', '.join(key)}: no answers of {', '.join(lacking)}; every seed answers every fold")
        pooled = [np.concatenate([by_seed[s][fold] for fold in problems]) for s in sorted(by_seed)]
        counts[key] = tuple(count(truth, scores, who) for scores in pooled)
        drawn = resampled_f1(counts[key], np.random.default_rng(seed), bootstrap)
        lines.append(_line(key, tuple(sorted(by_seed)), truth, pooled, counts[key], interval(drawn)))
    folds = np.empty(int(who.max()) + 1, np.intp)
    folds[who] = np.repeat(np.arange(len(problems)), [len(problem.test) for problem in problems.values()])
    return Table(tuple(lines), len(truth), len(folds), counts, folds)


def gains(table: Table, arm: str, against: str, *, seed: int = 0, bootstrap: int = 2000) -> list[Gain]:
    """What ``arm`` gains for each budget and input that both have. ``ValueError`` where none is, or seeds differ."""
    out = []
    for line in table.lines:
        key, other = (arm, line.budget, line.input), (against, line.budget, line.input)
        if line.arm != arm or other not in table.counts:
            continue
        base = table.line(*other)
        if base.seeds != line.seeds:
            raise ValueError(f"{key} has seeds {line.seeds}, {against} has {base.seeds}: a gain is paired by seed")
        per_seed = tuple(a - b for a, b in zip(line.per_seed, base.per_seed, strict=True))
        drawn = [resampled_f1(table.counts[k], np.random.default_rng(seed), bootstrap) for k in (key, other)]
        ci95 = interval(drawn[0] - drawn[1])
        where = (arm, against, line.budget, line.input)
        out.append(Gain(*where, line.seeds, per_seed, median(per_seed), fmean(per_seed), ci95))
    if not out:
        raise ValueError(f"no budget and input with both {arm!r} and {against!r} in the table")
    return out


def smallest_median_gain(gains: Sequence[Gain]) -> Gain:
    """The budget and input where the median over seeds gains least."""
    if not gains:
        raise ValueError("no gains to choose from")
    return min(gains, key=lambda gain: gain.median)


def gains_markdown(gains: Sequence[Gain], digits: int = 3) -> str:
    """One row a gain."""
    out = [
        "| input | budget | arm | against | median gain | mean gain | 95 % | seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for gain in gains:
        middle, mean, low, high = (f"{x:+.{digits}f}" for x in (gain.median, gain.mean, *gain.ci95))
        names = f"{gain.input} | {gain.budget} | {gain.arm} | {gain.against}"
        out.append(f"| {names} | {middle} | {mean} | {low} to {high} | {len(gain.seeds)} |")
    return "\n".join(out) + "\n"


def _line(
    key: tuple[str, str, str],
    seeds: tuple[int, ...],
    truth: NDArray[np.intp],
    pooled: Sequence[NDArray[np.float64]],
    counts: Sequence[Counts],
    ci95: Interval,
) -> Line:
    rank = np.stack([ranks(scores, truth) for scores in pooled])  # (seeds, n)
    per_seed = tuple(float(macro_f1(one.sum(0))) for one in counts)
    top3, top5 = (float((rank < k).mean()) if pooled[0].shape[1] > k else None for k in (3, 5))
    return Line(*key, seeds, fmean(per_seed), float((rank < 1).mean()), top3, top5, ci95, per_seed)


def _checked(scores: ArrayLike, shape: tuple[int, int], arm: str) -> NDArray[np.float64]:
    values = np.asarray(scores, np.float64)
    if values.shape != shape or not np.isfinite(values).all():
        raise ValueError(f"{arm}: scores are (tests, classes) {shape}, finite: given {values.shape}")
    return values


def _check_folds(problems: Mapping[str, Problem]) -> None:
    if not problems:
        raise ValueError("no problem: give at least one fold")
    first = next(iter(problems.values()))
    for problem in problems.values():
        same = all(
            np.array_equal(getattr(first, name), getattr(problem, name))
            for name in ("labels", "subjects", "recordings")
        )
        if not same or problem.classes != first.classes:
            raise ValueError("the folds are not of the same windows and classes: they cannot be pooled")
    tested = np.concatenate([problem.test for problem in problems.values()])
    if len(np.unique(tested)) != len(tested):
        raise ValueError("a window is tested in two folds: pooled, it would count twice")


def _text(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
