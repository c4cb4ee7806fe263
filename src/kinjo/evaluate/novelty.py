"""How strange an embedding is to the classes that a model learnt, so that what it never saw can be refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

RIDGE = 1e-2
"""Added to the covariances' diagonals, in parts of their mean: directions that never vary are no evidence."""


@dataclass(frozen=True)
class Novelty:
    """Class means (classes, d), the mean of all (d,), and inverse covariances (d, d) within classes and of all."""

    means: NDArray[np.float64]
    mean: NDArray[np.float64]
    within: NDArray[np.float64]
    whole: NDArray[np.float64]

    @classmethod
    def fit(cls, embeddings: ArrayLike, labels: ArrayLike) -> Novelty:
        """Of training windows: ``embeddings`` (n, d), ``labels`` (n,) of any kind. No unknown class is needed.

        ``ValueError`` for less than two classes or values that are not finite.
        """
        x, names = _checked(embeddings), np.asarray(labels)
        if names.shape != (len(x),) or len(np.unique(names)) < 2:
            raise ValueError(f"novelty needs a label for each of {len(x)} windows, two classes or more")
        where = np.unique(names, return_inverse=True)[1]
        means = np.stack([x[where == k].mean(0) for k in range(where.max() + 1)])
        return cls(means, x.mean(0), _inverse(x - means[where]), _inverse(x - x.mean(0)))

    def score(self, embeddings: ArrayLike) -> NDArray[np.float64]:
        """(n,), higher is stranger: the squared Mahalanobis distance to the nearest class, less that to all windows.

        The relative distance of Ren et al. 2021: what makes any window unusual says nothing about its class.
        """
        x = _checked(embeddings)
        if x.shape[1] != len(self.mean):
            raise ValueError(f"embeddings are (n, {len(self.mean)}), given {x.shape}")
        root = np.linalg.cholesky(self.within)  # |(x - m) root|^2 is the distance
        near, far = _squared(x @ root, self.means @ root).min(1), x - self.mean
        return np.asarray(near - ((far @ self.whole) * far).sum(1), np.float64)


def _squared(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    return (a * a).sum(1)[:, None] - 2 * a @ b.T + (b * b).sum(1)


def _inverse(x: NDArray[np.float64]) -> NDArray[np.float64]:
    covariance = x.T @ x / len(x)
    ridge = RIDGE * max(float(np.trace(covariance)) / len(covariance), 1e-12)
    return np.asarray(np.linalg.inv(covariance + ridge * np.eye(len(covariance))), np.float64)


def _checked(embeddings: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(embeddings, np.float64)
    if x.ndim != 2 or not len(x) or not np.isfinite(x).all():
        raise ValueError(f"embeddings are (n, d), n at least 1, finite: given {x.shape}")
    return x
