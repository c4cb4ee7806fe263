"""MiniRocket on the inertial unit of UTD-MHAD, on the episodes that a benchmark asks, in its own run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kinjo.corpus import Corpus
from kinjo.encoders import SensorInput
from kinjo.evaluate import strict
from kinjo.evaluate.fewshot import Protocol
from kinjo.evaluate.folds import Fold, evaluate_folds
from kinjo.methods import mujo
from kinjo.recipe import Recipe


def minirocket(store: Corpus, folds: Sequence[Fold], protocol: Protocol, **how: Any) -> dict[str, float]:
    """Accuracy of MiniRocket features and cosines, on clips as they are and on clips centred and scaled.

    Fitted on the training classes of each fold; ``how``: seeds, part, few_seeds, as ``evaluate_folds`` takes them.
    """
    inputs = {q: SensorInput(q) for q in ("acc", "gyro")}
    clips = strict.Clips.of(store, Recipe("minirocket", inputs, mujo.Config(inputs), method="mujo"))
    found = strict.minirocket(clips, [["imu"]])
    return {
        name.removesuffix("_imu"): evaluate_folds(
            embed, clips.labels, clips.subjects, clips.recordings, folds, protocol, missing=clips.missing(subset), **how
        ).value
        for name, (subset, embed) in found.items()
    }
