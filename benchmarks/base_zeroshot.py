"""Zero-shot by class words: each real data set named by a model that was trained without it (bars of kinjo-base).

Beside it a baseline in the manner of UniMTS: sensors and words alone, contrasted, on the same data with the same steps,
and answers by plain cosines.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import _base
from _base import Asked, Bench
from _tools import RESULTS, command
from kinjo import joint
from kinjo.base.sources import Choice, split
from kinjo.base.train import Variant, known
from kinjo.evaluate import metrics, report, zeroshot
from kinjo.evaluate.intervals import interval
from kinjo.methods.mujo import MuJo

WHAT: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "motionsense": ((), (), "a phone in the pocket"), "wisdm": (("wrist",), (), "the watch"),
    "umafall": ((), _base.FALLS, "daily activities, five sensors"), "ucipt": ((), (), "exercises, five sensors"),
}  # fmt: skip
"""Set -> places that are read, labels that are left out, in words."""
MOST = 12_000
"""Windows that are asked about, of a set."""


def questions(bench: Bench, name: str) -> Asked:
    """What is asked of a set: windows of all people but those by whom choices are made, ``MOST`` drawn at random."""
    (places, without, _), store = WHAT[name], bench.stores[name]
    found = _base.asked(store, bench.plan, places=places, without=without, ids=split(store, name)[0])
    return _base.thinned(found, MOST)


def by_words(
    model: MuJo, z: np.ndarray[Any, Any], found: Asked, dataset: str, known: np.ndarray[Any, Any] | None = None
) -> np.ndarray[Any, Any]:
    """Answers by subject, class and answer, of the class whose sentences are nearest to windows ``z`` in the joint
    space; ``known``: windows of training.
    """
    said = _base.said(dataset, found.classes)
    scores = zeroshot.classify(z, {name: joint.embed_text(model, some) for name, some in said.items()}, known=known)
    truth = np.searchsorted(found.classes, found.labels)
    return metrics.count(truth, scores, np.unique(found.subjects, return_inverse=True)[1])


def main() -> None:
    """A row for each set."""
    given = _base.options(__doc__).parse_args()
    bench, rows, table = Bench.of(given), [], {}
    for name in bench.sets(tuple(WHAT)):
        found, choice = questions(bench, name), Choice(without=(name,))
        paths = {arm: bench.trained(choice, Variant(given.size, objective=arm)) for arm in ("all", "unimts")}
        near = known(paths["all"], bench.stores, choice)
        models = {arm: _base.opened(path) for arm, path in paths.items()}
        z = {arm: _base.embedded(model, found)["joint"] for arm, model in models.items()}
        counts = {arm: by_words(models[arm], z[arm], found, name, near if arm == "all" else None) for arm in paths}
        plain = float(metrics.macro_f1(by_words(models["all"], z["all"], found, name).sum(0)))
        value, theirs = (float(metrics.macro_f1(counts[arm].sum(0))) for arm in ("all", "unimts"))
        drawn = {arm: metrics.resampled_f1([c], np.random.default_rng(0), 2000) for arm, c in counts.items()}
        table[name] = {arm: c.sum(0).tolist() for arm, c in counts.items()} | {"classes": list(found.classes)}
        print(f"{name:12} {value:.3f}  plain {plain:.3f}  unimts-style {theirs:.3f}  chance {_base.chance(found):.3f}")
        rows.append(
            report.row(
                f"base.zeroshot.{name}", value, "fraction", ci95=interval(drawn["all"]), seeds=1,
                baseline={"chance": _base.chance(found), "unimts_style": theirs},
                gain_ci95=list(interval(drawn["all"] - drawn["unimts"])), plain_cosine=plain,
                protocol=f"macro-F1 of {len(found.labels)} windows of 5 s of {len(set(found.subjects))} people, "
                f"{len(found.classes)} classes by the mean of their sentences, less their reach; {WHAT[name][2]}; "
                f"{bench.budget()}",
                trained_on=f"simulated people, CMU and the real sets without {name}",
                command=command(),
            )
        )  # fmt: skip
    if not given.small:
        report.write_rows(RESULTS / "base_zeroshot.json", rows)
        report.keep(RESULTS / "tables" / "base_zeroshot.json", table)


if __name__ == "__main__":
    main()
