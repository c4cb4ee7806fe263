"""A place that training never saw: wrist, pocket and ankle held out in turn, one example of UMAFall's daily activities.

Both models are trained without UMAFall, one of them without any sensor at the place; the sensor there alone is read.
"""

from __future__ import annotations

import numpy as np

import _base
from _base import Bench
from _tools import RESULTS, command
from base_oneshot import episodes, score, seen, space_of
from kinjo.base.sources import Choice, split
from kinjo.evaluate import report

PLACES: dict[str, tuple[str, ...]] = {
    "wrist": ("wrist",), "pocket": ("right_pocket",), "ankle": ("left_ankle", "right_ankle"),
}  # fmt: skip
"""What is held out -> what UMAFall calls it."""
WAY = 10
"""Of the 12 activities nobody has all with the phone."""


def main() -> None:
    """Row ``base.unseen_placement_loss``."""
    parser = _base.options(__doc__)
    parser.add_argument("--episodes", type=int, default=5000)
    given = parser.parse_args()
    bench, found = Bench.of(given), {}
    if not bench.sets(["umafall"]):
        return
    for held, places in PLACES.items():
        store = bench.stores["umafall"]
        ids = split(store, "umafall")[0]
        asked = _base.asked(store, bench.plan, places=places, without=_base.FALLS, ids=ids)
        drawn, values = episodes(asked, given.episodes, WAY), []
        for hold in ((), (held,)):
            choice = Choice(without=("umafall",), hold=hold)
            z = seen(_base.opened(bench.trained(choice)), space_of(bench, choice), asked)
            values.append(score(asked, z, drawn).accuracy)
        found[held] = {"seen": values[0], "held_out": values[1]}
        print(f"{held:8} seen {values[0]:.3f}, held out {values[1]:.3f}")
    lost = float(np.mean([one["seen"] - one["held_out"] for one in found.values()]))
    if not given.small:
        row = report.row(
            "base.unseen_placement_loss", lost, "fraction", seeds=1, by_place=found,
            protocol=f"UMAFall, 12 daily activities, {WAY}-way 1-shot, one window of 5 s of one person, others are "
            "asked; people for choices left out; accuracy with the place in training minus without, "
            "mean of wrist, pocket and ankle, each read alone; "
            f"{bench.budget()}",
            trained_on="simulated people, CMU and the real sets without UMAFall",
            command=command(),
        )  # fmt: skip
        report.write_rows(RESULTS / "base_placement.json", [row])


if __name__ == "__main__":
    main()
