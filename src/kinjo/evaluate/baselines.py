"""What a sceptic would try first: what needs no training by gradients, run in the same run on the same windows.

All work on arrays ``(n, channels, time)``. Embeddings are compared by cosine like those of a model;
``minirocket_classifier`` is the supervised one, with a classifier of its own.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]

PENALTIES = np.logspace(-3, 3, 10)
"""Of the ridge classifier: those of the authors of MiniRocket."""

CHUNK = 2048
"""Windows worked on at a time."""


def scaled_clips(x: ArrayLike, axes: int = 3) -> Array:
    """Each window centred per channel and scaled per sensor: ``(n, channels, time)``, same shape.

    A sensor is ``axes`` channels in a row, which share one scale, so that the direction of a movement is kept. Takes
    away an accelerometer's constant share of gravity and the person's vigour. MiniRocket on an IMU of people never
    seen is stronger after it; raw signals and poses, whose offsets say much, are weaker.
    """
    values = _windows(x)
    if values.shape[1] % axes:
        raise ValueError(
            f"{values.shape[1]} channels are not sensors of {axes} axes each: give axes=1 or another number"
        )
    values = values - values.mean(2, keepdims=True)
    sensors = values.reshape(len(values), -1, axes * values.shape[2])
    spread = sensors.std(2, keepdims=True)
    return (sensors / np.where(spread > 1e-6, spread, 1)).reshape(values.shape)


def raw_embedding(x: ArrayLike, train: ArrayLike | None = None) -> Array:
    """The signals themselves: ``(n, channels, time)`` -> ``(n, channels * time)``.

    Channels are z-scored with the statistics of ``train`` (same layout), or of ``x`` where none is given.
    """
    values = _windows(x)
    known = values if train is None else _windows(train)
    mean, spread = known.mean((0, 2), keepdims=True), known.std((0, 2), keepdims=True)
    return ((values - mean) / np.where(spread > 0, spread, 1)).reshape(len(values), -1)


def minirocket_embedding(train: ArrayLike, x: ArrayLike, seed: int, *, kernels: int = 10_000) -> Array:
    """MiniRocket features of ``x`` (n, channels, time) -> (n, about ``kernels``), fitted on ``train`` alone.

    Each feature is standardised with the mean and spread over ``train``. Windows need at least 9 time steps. Source:
    Dempster, Schmidt, Webb, "MiniRocket", KDD 2021, in the implementation of aeon (``pip install aeon==1.6.0``).
    """
    known, values = _windows(train), _windows(x)
    if known.shape[1:] != values.shape[1:]:
        raise ValueError(f"train and x need the same channels and time: given {known.shape} and {values.shape}")
    with minirocket(known, seed, kernels) as transform:
        fitted = transform(known)
        mean, spread = fitted.mean(0), fitted.std(0)
        features = transform(values)
    return (features - mean) / np.where(spread > 1e-6, spread, 1)


def minirocket_classifier(
    train_x: ArrayLike,
    train_y: ArrayLike,
    test_x: ArrayLike,
    seed: int,
    *,
    kernels: int = 10_000,
    classes: Sequence[Any] | None = None,
) -> NDArray[np.float64]:
    """Scores of ``test_x`` (m, channels, time) by class, (m, classes): MiniRocket features and a ridge classifier.

    ``train_x`` is (n, channels, time), ``train_y`` (n,). Columns are ``classes`` (None: those of ``train_y``, sorted);
    one without a training window scores -1. The higher the likelier; scores are no probabilities. As in the paper the
    penalty is chosen of ten from 0.001 to 1000 by leave-one-out error. With 22,400 training
    windows of 3 x 100 and 10,000 kernels it takes 6.6 GB and minutes of one core.
    """
    known, values, labels = _windows(train_x), _windows(test_x), np.asarray(train_y)
    names = np.unique(labels) if classes is None else np.asarray(classes)
    if known.shape[1:] != values.shape[1:] or labels.shape != known.shape[:1]:
        raise ValueError(
            f"train_x and test_x need the same channels and time, train_y one label per window of train_x: given "
            f"{known.shape}, {values.shape} and {labels.shape}"
        )
    strange = sorted({str(name) for name in labels[~np.isin(labels, names)]})
    if strange:
        raise ValueError(f"train_y holds {', '.join(strange)}, which classes does not name")
    with minirocket(known, seed, kernels) as transform:
        features = transform(known)
        mean = features.mean(0, dtype=np.float64).astype(np.float32)
        spread = features.std(0)
        spread = np.where(spread > 1e-6, spread, np.float32(1))
        features -= mean
        features /= spread
        weights, offset = ridge(features, np.where(labels[:, None] == names, 1.0, -1.0))
        del features
        parts = np.array_split(values, -(-len(values) // CHUNK))
        return np.concatenate([((transform(part) - mean) / spread) @ weights + offset for part in parts])


def ridge(
    x: Array, targets: NDArray[np.float64], penalties: ArrayLike = PENALTIES
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ridge regression with an intercept: weights (p, k) and offsets (k,) of ``x`` (n, p) to ``targets`` (n, k).

    ``x`` has mean 0 by column. The penalty is the one with the least squared leave-one-out error over all targets,
    in closed form from the eigenvectors of the smaller Gram matrix.
    """
    from scipy.linalg import eigh

    offset = targets.mean(0)
    wanted, narrow = targets - offset, x.shape[1] < len(x)
    gram = _gram(x if narrow else x.T)
    values, vectors = eigh(gram, overwrite_a=True, check_finite=False, driver="evd")
    values = values.clip(min=0)
    chunks = range(0, len(x), CHUNK)
    # the training rows along the principal axes, (n, min(n, p))
    turned = np.concatenate([x[i : i + CHUNK] @ vectors for i in chunks]) if narrow else vectors * np.sqrt(values)
    pulled = turned.T @ wanted
    errors = []
    for penalty in np.asarray(penalties, np.float64):
        left = wanted - turned @ (pulled / (values + penalty)[:, None])
        own = np.concatenate([turned[i : i + CHUNK] ** 2 @ (1 / (values + penalty)) for i in chunks]) + 1 / len(x)
        errors.append(float(((left / (1 - own)[:, None]) ** 2).sum()))
    best = float(np.asarray(penalties, np.float64)[int(np.argmin(errors))])
    if narrow:
        return vectors @ (pulled / (values + best)[:, None]), offset
    return x.T @ (vectors @ ((vectors.T @ wanted) / (values + best)[:, None])), offset


def _gram(x: Array) -> NDArray[np.float64]:
    """``x.T @ x`` (p, p) of ``x`` (n, p), in double precision and pieces."""
    out = np.zeros((x.shape[1], x.shape[1]))
    for i in range(0, len(x), CHUNK):
        piece = x[i : i + CHUNK].astype(np.float64)
        out += piece.T @ piece
    return out


@contextmanager
def minirocket(known: Array, seed: int, kernels: int = 10_000) -> Iterator[Callable[[Array], Array]]:
    """MiniRocket fitted on ``known (n, channels, time)``: what it makes of windows, (n, features)."""
    with _threads_kept(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # aeon and numba warn of their own making; nothing of it is about the data
        try:
            from aeon.transformations.collection.convolution_based import MiniRocket
        except ImportError as error:
            raise ImportError("the MiniRocket baseline needs aeon: pip install 'aeon==1.6.0'") from error
        rocket: Any = MiniRocket(n_kernels=kernels, random_state=seed)
        rocket.fit(known)
        yield lambda x: np.asarray(rocket.transform(x), np.float32)


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Numba changes how many threads OpenMP gives to everybody; sums of later trainings would differ in bits."""
    torch: Any = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    yield
    if torch:
        torch.set_num_threads(before)


def _windows(x: ArrayLike) -> Array:
    values = np.asarray(x, np.float32)
    if values.ndim != 3 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError(f"windows are (n, channels, time), finite and not empty: given shape {values.shape}")
    return values
