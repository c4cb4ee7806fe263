"""One-shot recognition on UTD-MHAD by the strict protocol, beside MiniRocket: three folds, three seeds.

Hours or minutes, by machine: trainings are kept in ``.bench/`` and go on where they stopped.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from _tools import RESULTS, ROOT, utd_corpus
from kinjo.evaluate import strict
from kinjo.recipe import Recipe

SUBSETS = [["imu"], ["pose"], ["video"], ["imu", "pose"], ["imu", "video"], ["pose", "video"], ["imu", "pose", "video"]]


def main() -> None:
    """Write the rows ``utd.oneshot.*`` and the picture."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "mumae-utd.toml")
    arguments.add_argument("--part", default="test", choices=["test", "validation", "development"], help="to choose by")
    arguments.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = arguments.parse_args()
    work, store = ROOT / ".bench", utd_corpus()
    recipe, seeds = Recipe.load(given.recipe), (0, 1, 2) if given.part == "test" else (0,)
    results = strict.evaluate(recipe, store, work, subsets=SUBSETS, part=given.part, seeds=seeds, workers=given.workers)
    for name, result in results.items():
        print(f"{name:<28} {result.value:.4f}  [{result.ci95[0]:.3f}, {result.ci95[1]:.3f}]")
    if given.part == "test":
        strict.write(results, RESULTS / "utd_oneshot.json", command="make bench-utd-oneshot")


if __name__ == "__main__":
    main()
