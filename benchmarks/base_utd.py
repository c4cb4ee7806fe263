"""UTD-MHAD, strict one-shot, inertial unit, by the model that ships: nothing of UTD-MHAD was ever trained on.

Where the unit sits is withheld (it tells classes apart): it is read as ``unknown``. A clip is the mean of its windows.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from _base import Asked
from _tools import RESULTS, utd_corpus
from _utd import minirocket
from base_oneshot import seen
from kinjo.base.sources import index_of
from kinjo.batches import Windows, slots
from kinjo.datasets import utd_mhad
from kinjo.encoders import SensorInput
from kinjo.evaluate import report
from kinjo.evaluate.fewshot import Protocol
from kinjo.evaluate.folds import DEVELOPMENT, development, evaluate_folds, utd_mhad_folds
from kinjo.recognizer import Recognizer
from kinjo.runtime import shipped


def main() -> None:
    """Row ``base.utd_oneshot.imu``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", type=Path, help="a checkpoint of a recognizer; none: the one that ships, and a row")
    parser.add_argument("--part", choices=["test", "development"], default="test")
    parser.add_argument("--episodes", type=int, default=10_000)
    asked = parser.parse_args()
    model, store = Recognizer.load(asked.model or shipped(".safetensors")), utd_corpus()
    assert model.recipe is not None
    assert model.space is not None
    inputs = {k: s for k, s in model.recipe.inputs.items() if getattr(s, "placement", "") == "unknown"}
    bare = slots({k: replace(s, placement="") for k, s in inputs.items() if isinstance(s, SensorInput)})
    index = index_of(store, store.recordings, model.recipe)
    windows = Windows(store, index, inputs, asked=bare)
    who, ids = (np.array([getattr(store.entries[c], n) for c in index.recording]) for n in ("subject", "id"))
    every = Asked(((windows, np.arange(len(index))),), index.label_names, who, ids)
    z = seen(model.space, model.classes, every)
    clips = np.unique(index.recording)
    z = np.stack([z[index.recording == clip].mean(0) for clip in clips])
    labels = np.array([store.entries[c].segments[0].label for c in clips])
    subjects, ids = (np.array([getattr(store.entries[c], n) for c in clips]) for n in ("subject", "id"))
    folds, protocol = utd_mhad_folds(utd_mhad.CARD.classes), Protocol(episodes=asked.episodes)
    if asked.part == "development":
        folds, protocol = tuple(development(fold) for fold in folds), DEVELOPMENT
    part = "test" if asked.part == "test" else "validation"
    found = evaluate_folds(lambda fold, seed: z, labels, subjects, ids, folds, protocol, part=part)
    beside = minirocket(store, folds, protocol, part=part)
    print(f"{found.value:.4f} {found.ci95} {beside}")
    if asked.part == "test" and asked.model is None:
        row = report.row(
            "base.utd_oneshot.imu", found.value, "fraction", ci95=found.ci95, seeds=3, baseline=beside,
            protocol="UTD-MHAD strict: " + found.protocol.describe() + ", mean over three class folds; placement "
            "withheld; the nearest clip, a clip being the mean of its windows, seen as mounted and by "
            "three half turns; seeds are of the episodes",
            trained_on="kinjo-base: nothing of UTD-MHAD", command="make bench-base-utd",
        )  # fmt: skip
        report.write_rows(RESULTS / "base_utd.json", [row])


if __name__ == "__main__":
    main()
