"""How long one training of kinjo-base takes: its steps at the speed of this machine, which must do nothing else.

Waiting threads stay awake (``OMP_WAIT_POLICY=ACTIVE``, as ``make base`` has it), or two of them are hardly faster than
one.
"""

from __future__ import annotations

import os

import _base
from _base import Bench
from _tools import RESULTS, command
from kinjo.base.sources import Choice, prepare, sources
from kinjo.base.train import Variant, by_class, speed
from kinjo.evaluate import report

STEPS = 120
"""By which speed is measured."""


def main() -> None:
    """Row ``base.train_minutes``."""
    given = _base.options(__doc__).parse_args()
    bench = Bench.of(given)
    recipe = Variant("1").of(bench.plan)
    each = speed(recipe, sources(prepare(bench.stores, recipe), Choice(), classes=by_class(recipe)), STEPS)
    minutes = recipe.pretrain.steps / each / 60
    print(f"{each:.2f} steps/s, {minutes:.1f} min")
    if not given.small:
        row = report.row(
            "base.train_minutes", minutes, "min", steps_per_s=each,
            protocol=f"{recipe.pretrain.steps} steps of the recipe at the speed of {STEPS} on all of its data, "
            f"{given.threads} threads, OMP_WAIT_POLICY={os.environ.get('OMP_WAIT_POLICY', 'unset')}; without the "
            "corpora and the classes",
            trained_on="its own data, some steps", command=f"OMP_WAIT_POLICY=ACTIVE {command()}",
        )  # fmt: skip
        report.write_rows(RESULTS / "base_minutes.json", [row])


if __name__ == "__main__":
    main()
