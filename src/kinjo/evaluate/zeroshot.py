"""Zero-shot: which class' sentences a recording is nearest to in the joint space."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

SCALE = 10.0
"""Of the cosines before the softmax; the order of the classes does not depend on it."""


def classify(embeddings: ArrayLike, prompts: Mapping[str, ArrayLike], *, scale: float = SCALE) -> NDArray[np.float64]:
    """Probabilities (n, classes) of ``embeddings`` (n, d), classes in the order of ``prompts``.

    A class is the mean of its sentences' vectors (p, d), each of unit length: a prompt ensemble. Rows that are zero
    (nothing to see) are even. NULL is a class like any other: give it its sentences.
    """
    x = np.asarray(embeddings, np.float64)
    if not prompts:
        raise ValueError("zero-shot needs at least one class with sentences")
    means = []
    for name, given in prompts.items():
        said = np.atleast_2d(np.asarray(given, np.float64))
        if said.shape[1] != x.shape[1] or not len(said):
            raise ValueError(f"class '{name}': sentences are (p, {x.shape[1]}), p at least 1: given {said.shape}")
        mean = _unit(said).mean(0)
        means.append(mean / max(np.linalg.norm(mean), 1e-12))
    cosine = _unit(x) @ np.stack(means).T
    out = np.exp(scale * (cosine - cosine.max(1, keepdims=True)))
    return out / out.sum(1, keepdims=True)


def fuse(probabilities: Mapping[str, ArrayLike], missing: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Mean over the modalities that a row has: (n, classes) each, ``missing`` (n,); even where it has none."""
    if not probabilities:
        raise ValueError("nothing to fuse: no modality has answered")
    there = {m: ~np.asarray(missing[m], bool) for m in probabilities}
    total = sum(there[m][:, None] * np.asarray(p, np.float64) for m, p in probabilities.items())
    count = np.sum(list(there.values()), axis=0)[:, None]
    classes = np.asarray(next(iter(probabilities.values()))).shape[1]
    return np.where(count > 0, total / np.maximum(count, 1), 1.0 / classes)


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
