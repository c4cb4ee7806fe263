"""The ablation table on UTD-MHAD: one line per arm, its gain over the arm it is held against with a paired interval.

The fast arms (IMU and pose) have three seeds, the arms with depth as many as ``--video-seeds`` says. Trainings are
kept in ``.bench/`` and go on where they stopped.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from _tools import RESULTS, ROOT, data_root, utd_corpus
from kinjo import corpus, datasets
from kinjo.evaluate import ablation, pictures, report
from kinjo.recipe import Recipe

HEADLINES = {
    "sync_gain": ("base", "independent", "synchronised minus independent masking"),
    "pretrain_gain": ("base", "scratch", "pre-trained minus scratch"),
    "fusion_gain": ("inductive", "base", "with inductive fusion minus without"),
    "external_gain": ("external", "imu_base", "pre-trained on MotionSense first minus on UTD-MHAD alone"),
}


def main() -> None:
    """Write the rows ``utd.ablation.*`` and the picture."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--video-seeds", type=int, default=1)
    arguments.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = arguments.parse_args()
    base = Recipe.load(ROOT / "recipes" / "mumae-utd-fast.toml")
    store, work = utd_corpus(), ROOT / ".bench"
    how = {"workers": given.workers, "episodes": 2_000}
    lines = ablation.table(ablation.fast_arms(base), store, work, seeds=(0, 1, 2), **how)
    external = corpus.write(datasets.load("motionsense", data_root()), work / "motionsense-corpus")
    lines += ablation.table(ablation.external_arms(base, external, work), store, work, seeds=(0, 1, 2), **how)
    if given.video_seeds:
        lines += ablation.table(ablation.video_arms(base), store, work, seeds=range(given.video_seeds), **how)
    write(lines, RESULTS / "utd_ablation.json")


def write(lines: list[ablation.Line], path: Path) -> None:
    """All lines, the three gains that the paper claims first, and the picture beside."""
    found = {line.arm.name: line for line in lines}
    rows = []
    for id, (ours, theirs, what) in HEADLINES.items():
        gain, ci95 = ablation.difference(found[ours].result, found[theirs].result)
        rows.append(
            row(f"utd.ablation.{id}", gain, ci95, found[ours], what, baseline={theirs: found[theirs].result.value})
        )
    for name, line in found.items():
        arm, more = line.arm, {}
        if line.gain is not None:
            more = {"baseline": {arm.against: found[arm.against].result.value}, "gain": line.gain}
            more["gain_ci95"] = list(line.gain_ci95 or ())
        rows.append(row(f"utd.ablation.{name}", line.result.value, line.result.ci95, line, arm.what, **more))
        print(f"{name:<22} {line.result.value:.4f}  {'' if line.gain is None else f'{line.gain:+.4f}'}  {arm.what}")
    report.write_rows(path, rows)
    gains = [(x.arm.name, x.arm.against, x.gain, x.gain_ci95) for x in lines if x.gain is not None and x.gain_ci95]
    pictures.plot_gains(gains, path.with_suffix(".png"))


def row(id: str, value: float, ci95: tuple[float, float], line: ablation.Line, what: str, **more: Any) -> report.Row:
    """One row with the arm's protocol."""
    result = line.result
    return report.row(
        id, value, "fraction", ci95=ci95, seeds=len(result.seeds), command="make bench-utd-ablation",
        protocol=f"{what}; UTD-MHAD strict, {' + '.join(line.arm.subset)}: {result.protocol.describe()}",
        trained_on=("MotionSense without labels, " if line.arm.init else "")
        + "UTD-MHAD, the 15 training classes of each fold, recipe mumae-utd-fast", **more,
    )  # fmt: skip


if __name__ == "__main__":
    main()
