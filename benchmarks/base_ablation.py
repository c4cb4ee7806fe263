"""What led to kinjo-base: data in and out, rotations, placements, objectives, sizes, each with the same budget.

Every variant is trained without one real data set in turn and asked about its validation subjects: zero-shot by words,
and one example. One table; nothing of it is a test.
"""

from __future__ import annotations

import json

import numpy as np

import _base
from _base import Bench
from _tools import RESULTS
from base_oneshot import entered, episodes, score
from base_zeroshot import WHAT, by_words
from kinjo.base.data import REAL
from kinjo.base.sources import Choice, split
from kinjo.base.train import OBJECTIVES, Variant, compared, known
from kinjo.evaluate import metrics, report

ASKED = ("motionsense", "wisdm")
TAUGHT_BY, REACHED_BY = 24, 500
"""Recordings of a corpus from which classes are learnt, and windows of a set by which reach is measured."""


def variants(size: str) -> dict[str, tuple[Variant, Choice]]:
    """Name of a line -> what it changes; the set that is asked about is left out of each."""
    usual = Variant(size)
    return {
        "as it is": (usual, Choice()),
        "virtual only": (usual, Choice(only="virtual")), "real only": (usual, Choice(only="real")),
        **{f"without {name}": (usual, Choice(without=(name,))) for name in ("gym", "made_up", "cmu", *REAL)},
        **{f"rotation {d:g}": (Variant(size, rotation_deg=d), Choice()) for d in (0.0, 60.0)},
        "never turned": (Variant(size, turned=False), Choice()),
        "no placement": (Variant(size, placed=False), Choice()),
        **{o: (Variant(size, objective=o), Choice()) for o in OBJECTIVES if o != "all"},
        **{f"{s} M": (Variant(s), Choice()) for s in ("0.3", "1", "2.5") if s != size},
    }  # fmt: skip


def main() -> None:
    """``tables/base_ablation.json``; what it holds already, of the same budget, stays."""
    parser = _base.options(__doc__)
    parser.add_argument("--lines", nargs="*", default=[], help="some of the lines")
    given = parser.parse_args()
    bench, kept = Bench.of(given), RESULTS / "tables" / "base_ablation.json"
    told = json.loads(kept.read_text()) if kept.is_file() else {}
    table = told["lines"] if told.get("budget") == bench.budget() else {}
    for name in bench.sets(ASKED):
        store, (places, without, _) = bench.stores[name], WHAT[name]
        found = _base.asked(store, bench.plan, places=places, without=without, ids=split(store, name)[1])
        for line, (variant, choice) in variants(given.size).items():
            if (given.lines and line not in given.lines) or line == f"without {name}" or name in table.get(line, {}):
                continue
            choice = Choice((*choice.without, name), choice.only, choice.hold)
            path = bench.trained(choice, variant)
            model, cell = _base.opened(path), {}
            vectors = _base.embedded(model, found)
            if {"contrast", "words"} & set(variant.of(bench.plan).objective.weights):
                near = None if variant.objective == "unimts" else known(path, bench.stores, choice, REACHED_BY)
                cell["zero_shot_f1"] = float(
                    metrics.macro_f1(by_words(model, vectors["joint"], found, name, near).sum(0))
                )
            z = entered(compared(path, bench.stores, choice, TAUGHT_BY), vectors)
            cell["one_shot"] = score(found, z, episodes(found, 2000)).accuracy
            table.setdefault(line, {})[name] = cell
            print(f"{name:12} {line:20}", {k: round(v, 3) for k, v in cell.items()}, flush=True)
            if not given.small:
                report.keep(kept, {"budget": bench.budget(), "lines": table})
    mean = {k: float(np.mean([c.get("one_shot", np.nan) for c in v.values()])) for k, v in table.items()}
    print("best by one example:", max(mean, key=lambda k: mean[k], default="none"))


if __name__ == "__main__":
    main()
