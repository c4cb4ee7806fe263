"""Smoothing splines to differentiate twice: quintic, with a penalty on fourth differences of the coefficients.

Biomechanics differentiates marker positions with smoothing splines (Woltring 1986, GCVSPL: quintic, third
derivative). This one is a P-spline (Eilers & Marx 1996) on a uniform grid: banded equations, one factorisation for all
columns. The fourth difference instead of the third costs no noise inside and follows a clip to its ends: for a 1 Hz
sinusoid of 3 s at 30 Hz, cut at 8 Hz, the largest error of the acceleration is 0.02 of the peak instead of 0.15.
Needs SciPy (extra ``data``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

DEGREE = 5
ORDER = 4
DEAR = 2.0
"""Cost of a degree of freedom in ``choose_cutoff``; chosen on Kinect poses of UTD-MHAD's odd subjects."""
COARSEST = 20.0
"""Knots to a period of the cut-off, at least. One knot a frame would be too many where frames are dense: the equations
of 480 frames a second, cut at 1.5 Hz, have no solution in 64 bits."""
STIFFEST = 1e10
"""Penalties end here, for the same reason, where cut-offs differ widely within a clip."""
LONGEST = 8.0
"""Clips to a period of the cut-off, at most: what is left of a clip is then a cubic, as for any cut-off below."""
FAINT = 1e-12
"""Pull of a straight line in a gap, over the highest penalty: nothing to a short gap, a hold to a long one."""
_AT_KNOTS = np.array([1.0, 26.0, 66.0, 26.0, 1.0]) / 120
# Row j: the quintic B-spline's piece that weighs coefficient i + j between knots i and i + 1, powers of u = 0 ... 5.
_PIECES = np.array([
    [1, -5, 10, -10, 5, -1],
    [26, -50, 20, 20, -20, 5],
    [66, 0, -60, 0, 30, -10],
    [26, 50, 20, -20, -20, 10],
    [1, 5, 10, 10, 5, -5],
    [0, 0, 0, 0, 0, 1],
]) / 120  # fmt: skip


@dataclass(frozen=True)
class Spline:
    """A fitted spline: ``coefficients (n + 4, columns)`` for ``n`` knots at ``k / rate_hz`` seconds.

    Knots are as dense as the samples, or an integer times rarer where they are far denser than the cut-off needs.
    """

    coefficients: Floats
    rate_hz: float

    def __call__(self, times: Floats, derivative: int = 0) -> Floats:
        """Values ``(len(times), columns)``, or a time derivative, at ``times`` in seconds.

        Beyond the first and last knot the outermost polynomial goes on.
        """
        position = np.asarray(times, np.float64) * self.rate_hz
        first = np.clip(np.floor(position).astype(np.int64), 0, len(self.coefficients) - DEGREE - 1)
        weights = _basis(position - first, derivative) * self.rate_hz**derivative
        # six products of whole columns are faster than a gather of (times, 6, columns)
        out = weights[:, :1] * self.coefficients[first]
        for j in range(1, DEGREE + 1):
            out += weights[:, j : j + 1] * self.coefficients[first + j]
        return out


def fit(values: Floats, rate_hz: float, cutoff_hz: float | Floats, weights: NDArray[Any] | None = None) -> Spline:
    """Smooth ``values (n, columns)``, sampled at ``rate_hz``: half of the amplitude is left at ``cutoff_hz``.

    The response falls with the eighth power of frequency. At or above the Nyquist frequency nothing is smoothed.
    ``cutoff_hz`` may be one for each sample ``(n,)``, to smooth less where more goes on.
    ``weights (n,)`` weigh samples; 0 leaves one out, and the curve runs on as smoothly as it can, straighter the
    longer it has to. ``ValueError`` for fewer than 4 samples that count. Values that count must be finite.
    """
    values = np.asarray(values, np.float64)
    n = len(values)
    weigh = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    if np.count_nonzero(weigh) < ORDER:
        raise ValueError(f"a spline needs 4 known samples or more, given {np.count_nonzero(weigh)} of {n}")
    cutoff = np.broadcast_to(np.asarray(cutoff_hz, np.float64), (n,))
    if not (np.isfinite(cutoff).all() and (cutoff > 0).all()):
        raise ValueError(f"cutoff_hz: expected a positive number of Hz, given {cutoff_hz}")
    from scipy.linalg import solveh_banded

    seen = weigh > 0
    if not np.isfinite(values[seen]).all():
        raise ValueError("values are not finite: give them weight 0")
    cutoff = np.maximum(cutoff, rate_hz / (LONGEST * n))
    middle = values[seen].mean(0)  # far from the origin as exact as near to it
    values = values - middle
    every = max(1, min(int(rate_hz / (COARSEST * cutoff.max())), (n - 1) // 4))
    penalty = every * np.minimum(smoothing(cutoff, rate_hz / every), STIFFEST)
    if not seen.all():
        where = np.flatnonzero(seen)
        lines = [np.interp(np.arange(n), where, column) for column in values[seen].T]
        values = np.where(seen[:, None], values, np.stack(lines, axis=1))
        weigh = np.where(seen, weigh, min(FAINT * penalty.max(), 1e-3))
    knots = -(-(n - 1) // every) + 1
    bands = _penalty(penalty[np.minimum(np.arange(knots) * every, n - 1)])
    right = np.zeros((knots + 4, values.shape[1]))
    for phase in range(every):  # samples that lie alike between their knots
        value, weight = values[phase::every], weigh[phase::every]
        basis, count = _basis(np.array([phase / every]))[0], len(value)
        for j in range(DEGREE + (phase > 0)):
            right[j : j + count] += (basis[j] * weight)[:, None] * value
            for lag in range(DEGREE + (phase > 0) - j):
                bands[lag, j : j + count] += basis[j] * basis[j + lag] * weight
    return Spline(middle + solveh_banded(bands, right, lower=True, check_finite=False), rate_hz / every)


def _basis(u: Floats, derivative: int = 0) -> Floats:
    """Weights ``(n, 6)`` of the coefficients around, or of a derivative in knots, at ``u (n,)`` knots after a knot."""
    powers = np.arange(DEGREE + 1)
    factor = np.prod([powers - k for k in range(derivative)], axis=0) if derivative else np.ones(DEGREE + 1)
    return (factor * u[:, None] ** np.maximum(powers - derivative, 0)) @ _PIECES.T


def smoothing(cutoff_hz: Floats, rate_hz: float) -> Floats:
    """The penalty's weight at which half of the amplitude is left at ``cutoff_hz`` (any shape)."""
    omega = 2 * np.pi * np.minimum(cutoff_hz / rate_hz, 0.5)
    gain = _AT_KNOTS[2] + 2 * _AT_KNOTS[1] * np.cos(omega) + 2 * _AT_KNOTS[0] * np.cos(2 * omega)
    exact = 1e-9  # not 0: there are four coefficients more than knots
    weight = np.maximum(exact, gain**2 / (2 * np.sin(omega / 2)) ** (2 * ORDER))
    return np.where(2 * cutoff_hz >= rate_hz, exact, weight)


def _penalty(weights: Floats) -> Floats:
    """Bands 0 ... 5 below the diagonal of D'WD: D takes fourth differences of the coefficients, ``weights (n,)``."""
    n, d = len(weights), np.array([1.0, -4.0, 6.0, -4.0, 1.0])
    bands = np.zeros((DEGREE + 1, n + ORDER))
    for lag in range(ORDER + 1):
        for j in range(ORDER + 1 - lag):
            bands[lag, j : j + n] += d[j] * d[j + lag] * weights
    return bands


def choose_cutoff(values: Floats, rate_hz: float, candidates: Floats, weights: NDArray[Any] | None = None) -> float:
    """The cut-off among ``candidates`` (Hz) by modified generalised cross-validation over all columns.

    Plain cross-validation (Craven & Wahba 1979) takes noise for white and passes the jitter of a pose estimator, which
    is alike over some frames, for movement. Degrees of freedom therefore count ``DEAR`` times (Cummins et al. 2001).
    """
    weigh = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    n, count = len(values), np.count_nonzero(weigh)
    times = np.arange(n) / rate_hz
    frequency = np.arange(n) / (2 * n) * rate_hz  # of the smoother's eigenvectors, nearly cosines
    best, chosen = np.inf, float(candidates[0])
    for cutoff in candidates:
        freedom = DEAR * (1 / (1 + (frequency / cutoff) ** (2 * ORDER))).sum() * count / n
        if freedom >= count:
            break
        error = np.where(weigh[:, None] > 0, fit(values, rate_hz, float(cutoff), weigh)(times) - values, 0.0)
        score = float((error**2).sum()) / (count - freedom) ** 2
        if score < best:
            best, chosen = score, float(cutoff)
    return chosen
