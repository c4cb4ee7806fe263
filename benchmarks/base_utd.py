"""UTD-MHAD, strict one-shot, inertial unit, by the model that ships: nothing of UTD-MHAD was ever trained on.

Where the unit sits is withheld (it tells classes apart): it is read as ``unknown``. A clip is one whole action: it is
read as one window, whatever it lasted, and compared third by third.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import _base
from _base import Asked
from _tools import RESULTS, command, utd_corpus
from _utd import minirocket
from base_oneshot import HALF_TURNS, entered
from kinjo.base.sources import index_of
from kinjo.batches import Windows, slots
from kinjo.classes import Classes
from kinjo.datasets import utd_mhad
from kinjo.encoders import SensorInput
from kinjo.encoders.imu import ImuEncoder
from kinjo.evaluate import report
from kinjo.evaluate.fewshot import Protocol
from kinjo.evaluate.folds import DEVELOPMENT, development, evaluate_folds, utd_mhad_folds
from kinjo.methods.mujo import MuJo
from kinjo.recipe import Cut
from kinjo.recognizer import Recognizer
from kinjo.runtime import shipped

THIRDS = 3
"""Into which a clip is parted."""


def in_order(model: MuJo, classes: Classes, found: Asked) -> NDArray[np.float64]:
    """Clips as one example is compared, third by third: ``base_oneshot.entered`` of each third, as mounted and by half
    turns, each of unit length, (n, 4 * THIRDS * d).
    """

    def read(model: MuJo, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        encoder = model.encoders["imu"]
        assert isinstance(encoder, ImuEncoder)
        return {"imu": encoder.in_order(given, THIRDS).flatten(0, 1)}

    views = []
    for turn in HALF_TURNS:
        turned = {"unknown": np.broadcast_to(turn, (len(found.labels), 3, 3))}
        z = entered(classes, _base.embedded(model, found, turned, read=read))
        z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
        views.append(z.reshape(len(found.labels), -1))
    return np.concatenate(views, 1)


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
    whole = replace(model.recipe, windows=Cut(0.0, 0.0))
    windows = Windows(store, index_of(store, store.recordings, whole), inputs, asked=bare)
    clips = windows.index.recording
    every = Asked(((windows, np.arange(len(clips))),), windows.index.label_names, clips, clips)
    z = in_order(model.space, model.classes, every)
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
            "withheld; the nearest clip, a clip being read as one window and compared third by third, as mounted and "
            "by three half turns; seeds are of the episodes",
            trained_on="kinjo-base: nothing of UTD-MHAD", command=command(),
        )  # fmt: skip
        report.write_rows(RESULTS / "base_utd.json", [row])


if __name__ == "__main__":
    main()
