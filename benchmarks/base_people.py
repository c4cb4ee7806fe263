"""Whom kinjo-base serves well: MotionSense by sex, age, height and weight, by a model that was trained without it.

Zero-shot by words (macro-F1 of the windows of a group's people) and one example of somebody else (accuracy where the
group's people are asked). A table for the model card; groups are small, intervals are over their people.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import _base
from _base import Bench
from _tools import RESULTS, data_root
from base_oneshot import episodes, score, seen, space_of
from base_zeroshot import by_words, questions
from kinjo.base.sources import Choice
from kinjo.base.train import known
from kinjo.datasets.motionsense import Subject, subjects
from kinjo.evaluate import metrics, report
from kinjo.evaluate.intervals import interval


def groups(people: dict[str, Subject]) -> dict[str, list[str]]:
    """Name of a group -> who is in it: halves by the medians of these people."""
    out = {sex: [n for n, p in people.items() if p.gender == sex] for sex in ("female", "male")}
    of: dict[str, tuple[Callable[[Subject], float], str]] = {
        "age": (lambda p: p.age, "years"), "height": (lambda p: p.height_cm, "cm"),
        "weight": (lambda p: p.weight_kg, "kg"),
    }  # fmt: skip
    for name, (value, unit) in of.items():
        middle = float(np.median([value(p) for p in people.values()]))
        out[f"{name} up to {middle:g} {unit}"] = [n for n, p in people.items() if value(p) <= middle]
        out[f"{name} over {middle:g} {unit}"] = [n for n, p in people.items() if value(p) > middle]
    return out


def main() -> None:
    """``tables/base_people.json``."""
    parser = _base.options(__doc__)
    parser.add_argument("--episodes", type=int, default=5000)
    given = parser.parse_args()
    bench = Bench.of(given)
    if not bench.sets(["motionsense"]):
        return
    choice, found = Choice(without=("motionsense",)), _base.thinned(questions(bench, "motionsense"), 8000)
    path = bench.trained(choice)
    model = _base.opened(path)
    people = {n: p for n, p in subjects(data_root()).items() if n in set(found.subjects.tolist())}
    joint = _base.embedded(model, found)["joint"]
    counts = by_words(model, joint, found, "motionsense", known(path, bench.stores, choice))
    names = np.unique(found.subjects).tolist()
    z = seen(model, space_of(bench, choice), found)
    asked = score(found, z, episodes(found, given.episodes)).per_subject
    table = {}
    for group, members in {"all": list(people), **groups(people)}.items():
        mine = counts[[names.index(n) for n in members]]
        drawn = metrics.resampled_f1([mine], np.random.default_rng(0), 2000)
        table[group] = {
            "people": len(members), "zero_shot_f1": round(float(metrics.macro_f1(mine.sum(0))), 4),
            "zero_shot_ci95": [round(x, 4) for x in interval(drawn)],
            "one_shot": round(float(np.mean([asked[n] for n in members])), 4),
        }  # fmt: skip
        print(f"{group:24}", table[group])
    if not given.small:
        report.keep(RESULTS / "tables" / "base_people.json", {"budget": bench.budget(), "groups": table})


if __name__ == "__main__":
    main()
