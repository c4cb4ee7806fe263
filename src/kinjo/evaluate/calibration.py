"""Whether confidence is to be believed: calibration error, temperature, rejection of what was never learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15
"""Of equal width, as is usual (Guo et al. 2017)."""


@dataclass(frozen=True)
class Reliability:
    """Bins of confidence: mean confidence, accuracy and number of answers in each; ``ece`` is their weighted gap."""

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    count: NDArray[np.intp]

    @property
    def ece(self) -> float:
        """Expected calibration error, 0 to 1."""
        gap = np.abs(self.confidence - self.accuracy)
        return float((gap * self.count).sum() / max(1, self.count.sum()))


def reliability(probabilities: ArrayLike, truth: ArrayLike, bins: int = BINS, *, mass: bool = False) -> Reliability:
    """Of ``probabilities`` (n, classes) against ``truth`` (n,), class numbers. Empty bins are left out.

    ``mass``: bins of as many answers each, in place of equal widths. ``ValueError`` where rows are no probabilities.
    """
    p, t = _checked(probabilities, truth)
    if bins < 1:
        raise ValueError(f"bins must be at least 1, given {bins}")
    sure, right = p.max(1), p.argmax(1) == t
    if mass:
        where = np.empty(len(p), np.intp)
        where[np.argsort(sure, kind="stable")] = np.arange(len(p)) * bins // len(p)
    else:
        where = np.minimum((sure * bins).astype(np.intp), bins - 1)
    count = np.bincount(where, minlength=bins)
    kept = count > 0
    mean = [np.bincount(where, values, bins)[kept] / count[kept] for values in (sure, right.astype(float))]
    return Reliability(mean[0], mean[1], count[kept])


def _checked(probabilities: ArrayLike, truth: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    p, t = np.asarray(probabilities, np.float64), np.asarray(truth, np.intp)
    if p.ndim != 2 or t.shape != (len(p),) or not len(p):
        raise ValueError(f"probabilities are (n, classes) with (n,) truths, n at least 1: {p.shape}, {t.shape}")
    if not (np.isfinite(p).all() and p.min() >= 0 and np.allclose(p.sum(1), 1.0, atol=1e-3)):
        raise ValueError("probabilities must be at least 0 and sum to 1 in every row")
    if t.min() < 0 or t.max() >= p.shape[1]:
        raise ValueError(f"truths are class numbers from 0 to {p.shape[1] - 1}: leave out rows of unknown label (-1)")
    return p, t


def tempered(probabilities: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Probabilities made softer (above 1) or sharper (below); the order of the classes stays."""
    if not temperature > 0:
        raise ValueError(f"a temperature is above 0, given {temperature}")
    log = np.log(np.maximum(np.asarray(probabilities, np.float64), 1e-12)) / temperature
    out = np.exp(log - log.max(1, keepdims=True))
    return out / out.sum(1, keepdims=True)


def fit_temperature(probabilities: ArrayLike, truth: ArrayLike) -> float:
    """The temperature, 0.05 to 20, of the least negative log-likelihood; of validation windows."""
    from scipy.optimize import minimize_scalar

    p, t = _checked(probabilities, truth)

    def nll(log_temperature: float) -> float:
        return float(-np.log(np.maximum(tempered(p, np.exp(log_temperature))[np.arange(len(t)), t], 1e-12)).mean())

    best: Any = minimize_scalar(nll, bounds=(np.log(0.05), np.log(20.0)), method="bounded")
    return float(np.exp(best.x))


def auroc(scores: ArrayLike, positive: ArrayLike) -> float:
    """The chance that a ``positive`` (n,) row has a higher score (n,) than another row; ties count half."""
    s, y = _scored(scores, positive)
    if y.all() or not y.any():
        raise ValueError("AUROC needs rows of both kinds")
    values, where = np.unique(s, return_inverse=True)
    here = np.bincount(where, minlength=len(values))
    rank = np.cumsum(here) - (here - 1) / 2  # of ties the mean rank, from 1
    up = int(y.sum())
    return float((rank[where][y].sum() - up * (up + 1) / 2) / (up * (len(y) - up)))


def _scored(scores: ArrayLike, positive: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    s, y = np.asarray(scores, np.float64), np.asarray(positive, bool)
    if s.ndim != 1 or s.shape != y.shape or not np.isfinite(s).all():
        raise ValueError(f"scores are (n,), finite, and positive is (n,) bool: given {s.shape}, {y.shape}")
    return s, y


def threshold_at(scores: ArrayLike, positive: ArrayLike, false_alarms: float) -> float:
    """The lowest threshold that at most a share of ``false_alarms`` of the other rows exceeds, of validation."""
    s, y = _scored(scores, positive)
    others = np.sort(s[~y])[::-1]
    if not len(others) or not 0 <= false_alarms < 1:
        raise ValueError(f"needs rows that are not positive, and a share below 1; given {len(others)}, {false_alarms}")
    return float(others[int(false_alarms * len(others) + 1e-9)])
