"""UTD-MHAD by the protocol of Mu-MAE's released code, beside the strict one: for kinjo's recipe and as released.

Best of repeated tests on the test classes, one query per episode, anyone's examples. Not to be quoted as kinjo's
accuracy: it shows how much the protocol gives.
"""

from __future__ import annotations

import json

from _tools import RESULTS, ROOT, utd_corpus
from kinjo.evaluate import ablation, reference, report
from kinjo.recipe import Recipe


def main() -> None:
    """Write the rows ``utd.oneshot.reference`` and ``utd.oneshot.reference_as_released``."""
    store, work = utd_corpus(), ROOT / ".bench"
    ours = Recipe.load(ROOT / "recipes" / "mumae-utd.toml")
    fast = Recipe.load(ROOT / "recipes" / "mumae-utd-fast.toml")
    released = next(arm.recipe for arm in ablation.video_arms(fast) if arm.name == "video_as_released")
    strict = {row["id"]: row["value"] for name in ("utd_oneshot", "utd_ablation")
              for row in json.loads((RESULTS / f"{name}.json").read_text())}  # fmt: skip
    beside = {"reference": strict["utd.oneshot.imu_pose_depth"],
              "reference_as_released": strict["utd.ablation.video_as_released"]}  # fmt: skip
    rows = []
    for name, recipe in (("reference", ours), ("reference_as_released", released)):
        result = reference.evaluate(recipe, store, work, modalities=list(recipe.model.modalities))
        print(f"{name}: best {result.value:.4f}, last {result.last:.4f}, strict {beside[name]:.4f}")
        rows.append(report.row(
            f"utd.oneshot.{name}", result.value, "fraction", ci95=result.ci95, seeds=1,
            command="make bench-utd-reference", baseline={"strict": beside[name]}, last_test=result.last,
            tests=result.tests, recipe=recipe.name,
            protocol="UTD-MHAD reference (as Mu-MAE's code): best of 8 tests on the test classes while fine-tuning, "
            + reference.PROTOCOL.describe() + ", one query in all; mean over three class folds; interval over episodes",
            trained_on="UTD-MHAD, the 18 other classes of each fold",
        ))  # fmt: skip
    report.write_rows(RESULTS / "utd_reference.json", rows)


if __name__ == "__main__":
    main()
