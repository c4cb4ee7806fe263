"""Few labels: a linear classifier on what a frozen model sees of a window at every depth.

With one to ten windows of a class it is better than fine-tuning, and better still beside it: what the two get wrong
differs. ``agreed`` puts their answers together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from kinjo import learn
from kinjo.batches import Windows
from kinjo.encoders import ImuEncoder
from kinjo.evaluate.baselines import ridge
from kinjo.methods.mujo import MuJo

FLOOR = 1e-3
"""Added to probabilities before their logarithm: one that is nearly 0 says no more than this."""


@torch.inference_mode()
def levels(
    model: MuJo, windows: Windows, rows: NDArray[Any] | None = None, batch_size: int = 256
) -> NDArray[np.float32]:
    """What the sensors of the windows ``rows`` (None: all) show at every depth (rows, numbers): ``ImuEncoder.levels``.

    ``ValueError`` for a model without sensors.
    """
    encoder = dict(model.encoders.items()).get("imu")
    if not isinstance(encoder, ImuEncoder):
        raise ValueError(f"a probe reads sensors: this model has {', '.join(model.encoders)}")
    batches = learn.given(model, windows, rows, batch_size, ("imu",))
    return torch.cat([encoder.levels(batch).cpu() for batch in batches]).numpy()


def answer(
    known: ArrayLike, labels: ArrayLike, asked: ArrayLike, classes: Sequence[Any] | None = None
) -> NDArray[np.float64]:
    """Scores (m, classes) of ``asked`` (m, p) by ridge regression on ``known`` (n, p) with ``labels`` (n,).

    Columns are ``classes`` (None: those of ``labels``, sorted); the higher the likelier, one without a window is -1.
    Numbers are standardised by ``known``; the penalty has the least leave-one-out error. ``ValueError`` where
    shapes do not fit, numbers are not finite, there are no two labels, or one is none of ``classes``.
    """
    x, y, names = np.asarray(known, np.float32), np.asarray(asked, np.float32), np.asarray(labels)
    wanted = np.unique(names) if classes is None else np.asarray(classes)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or names.shape != x.shape[:1] or not len(x):
        raise ValueError(f"windows are (n, p) and (m, p), labels (n,): given {x.shape}, {y.shape} and {names.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("windows hold numbers that are not finite: leave out those that lack every sensor")
    if len(set(names.tolist())) < 2:
        raise ValueError("classes are told apart: give windows of two or more")
    if strange := sorted(set(names.tolist()) - set(wanted.tolist())):
        raise ValueError(f"labels that classes does not name: {', '.join(map(str, strange))}")
    mean, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 1e-6, spread, np.float32(1))
    weights, offset = ridge((x - mean) / spread, np.where(names[:, None] == wanted, 1.0, -1.0))
    return np.asarray(((y - mean) / spread) @ weights + offset, np.float64)


def agreed(scores: Sequence[ArrayLike], weights: Sequence[float] | None = None) -> NDArray[np.float64]:
    """The mean (m, classes) of several answers to the same windows, each of mean 0 and spread 1 over the classes, so
    that none speaks louder than its weight (None: all alike). Give logarithms of probabilities (``log``).
    """
    every = [np.asarray(s, np.float64) for s in scores]
    if not every or any(s.ndim != 2 or s.shape != every[0].shape for s in every):
        raise ValueError(f"answers are (windows, classes), one at least, all alike: given {[s.shape for s in every]}")
    share = np.ones(len(every)) if weights is None else np.asarray(weights, np.float64)
    if share.shape != (len(every),) or not (np.isfinite(share).all() and (share >= 0).all() and share.any()):
        raise ValueError(f"weights: one of each of {len(every)} answers, none below 0, some above: given {weights}")
    alike = [(s - s.mean(1, keepdims=True)) / np.maximum(s.std(1, keepdims=True), 1e-9) for s in every]
    return np.average(alike, 0, share)


def log(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Of probabilities, for ``agreed``: none lower than that of ``FLOOR``."""
    return np.log(np.asarray(probabilities, np.float64) + FLOOR)
