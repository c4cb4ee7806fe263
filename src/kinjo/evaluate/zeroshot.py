"""Zero-shot: which class' sentences a recording is nearest to in the joint space."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

SCALE = 10.0
"""Of the cosines before the softmax; the order of the classes does not depend on it."""
NEAREST = 0.005
"""Share of the known windows by which a class' reach is measured."""


def classify(
    embeddings: ArrayLike, prompts: Mapping[str, ArrayLike], *, known: ArrayLike | None = None, scale: float = SCALE
) -> NDArray[np.float64]:
    """Probabilities (n, classes) of ``embeddings`` (n, d), classes in the order of ``prompts``.

    A class is the mean of its sentences' vectors (p, d), each of unit length: a prompt ensemble. Rows that are
    zero (nothing to see) are even. NULL is a class like any other: give it its sentences. ``ValueError`` where shapes
    differ or values are not finite.

    ``known`` (m, d): windows that the model was trained on. From the cosines of a class its ``reach`` is taken away, so
    that sentences which are near to everything do not win by that alone: the idea of cross-domain similarity local
    scaling (Conneau et al. 2018, eq. 3, which takes half of it away; all of it was better on people for choices).
    """
    x = np.asarray(embeddings, np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"embeddings are (n, d), finite: given {x.shape}")
    if not prompts:
        raise ValueError("zero-shot needs at least one class with sentences")
    classes = []
    for name, given in prompts.items():
        said = np.atleast_2d(np.asarray(given, np.float64))
        if said.shape[1] != x.shape[1] or not len(said) or not np.isfinite(said).all():
            raise ValueError(f"class '{name}': sentences are (p, {x.shape[1]}), p from 1, finite: given {said.shape}")
        classes.append(_unit(_unit(said).mean(0, keepdims=True))[0])
    cosine = _unit(x) @ np.stack(classes, 1)
    if known is not None:
        cosine -= reach(known, np.stack(classes))
    out = np.exp(scale * (cosine - cosine.max(1, keepdims=True)))
    return out / out.sum(1, keepdims=True)


def reach(known: ArrayLike, classes: ArrayLike, share: float = NEAREST) -> NDArray[np.float64]:
    """How near to each class (k, d) the windows come that are nearest to it: the mean cosine (k,) of a ``share`` of
    ``known`` (m, d), one at least. Hubs reach high.
    """
    x, y = np.asarray(known, np.float64), np.asarray(classes, np.float64)
    if x.ndim != 2 or not len(x) or x.shape[1] != y.shape[1] or not np.isfinite(x).all():
        raise ValueError(f"known windows are (m, {y.shape[1]}), m from 1, finite: given {x.shape}")
    count = max(1, round(share * len(x)))
    return np.partition(_unit(x) @ _unit(y).T, len(x) - count, axis=0)[len(x) - count :].mean(0)


def fuse(probabilities: Mapping[str, ArrayLike], missing: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
    """Mean over the modalities that a row has: (n, classes) each, ``missing`` (n,); even where it has none."""
    if not probabilities:
        raise ValueError("nothing to fuse: no modality has answered")
    shapes = {m: np.shape(p) for m, p in probabilities.items()}
    alike = len(set(shapes.values())) == 1 and set(shapes) <= set(missing)
    if not alike or any(np.shape(missing[m]) != s[:1] for m, s in shapes.items()):
        raise ValueError(f"all (n, classes) alike, and each modality's missing (n,): given {shapes}")
    there = {m: ~np.asarray(missing[m], bool) for m in probabilities}
    total = sum(there[m][:, None] * np.asarray(p, np.float64) for m, p in probabilities.items())
    count = np.sum(list(there.values()), axis=0)[:, None]
    classes = np.asarray(next(iter(probabilities.values()))).shape[1]
    return np.where(count > 0, total / np.maximum(count, 1), 1.0 / classes)


def _unit(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
