"""One-shot recognition on UTD-MHAD by the strict protocol, beside MiniRocket: three folds, three seeds.

Hours or minutes, by machine: trainings are kept in ``.bench/`` and go on where they stopped.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from _tools import RESULTS, ROOT
from kinjo import corpus, datasets
from kinjo.evaluate import strict
from kinjo.recipe import Recipe

SUBSETS = [["imu"], ["pose"], ["video"], ["imu", "pose"], ["imu", "video"], ["pose", "video"], ["imu", "pose", "video"]]


def main() -> None:
    """Write the rows ``utd.oneshot.*`` and the picture."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "mumae-utd.toml")
    arguments.add_argument("--validation", action="store_true", help="episodes of the validation classes, not written")
    given = arguments.parse_args()
    data = Path(os.environ.get("KINJO_DATA", ROOT.parent / "shared" / "data"))
    if datasets.utd_mhad.find(data) is None:
        sys.exit(f"no UTD-MHAD under {data}: name the folder that holds it with KINJO_DATA (make: DATA=folder)")
    work = ROOT / ".bench"
    store = corpus.write(datasets.load("utd_mhad", data), work / "utd-corpus")
    part = "validation" if given.validation else "test"
    results = strict.evaluate(Recipe.load(given.recipe), store, work, subsets=SUBSETS, part=part)
    for name, result in results.items():
        print(f"{name:<28} {result.value:.4f}  [{result.ci95[0]:.3f}, {result.ci95[1]:.3f}]")
    if not given.validation:
        strict.write(results, RESULTS / "utd_oneshot.json", command="make bench-utd-oneshot")


if __name__ == "__main__":
    main()
