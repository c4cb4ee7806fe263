"""What a sceptic would try first: embeddings that need no training, to be run in the same run on the same windows.

Both work on arrays ``(n, channels, time)``. Their embeddings are compared by cosine like those of a model.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]


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
    with (
        _threads_kept(),
        warnings.catch_warnings(),
    ):  # aeon and numba warn of their own making; nothing of it is about the data
        warnings.simplefilter("ignore")
        try:
            from aeon.transformations.collection.convolution_based import MiniRocket
        except ImportError as error:
            raise ImportError("the MiniRocket baseline needs aeon: pip install 'aeon==1.6.0'") from error
        rocket: Any = MiniRocket(n_kernels=kernels, random_state=seed)
        rocket.fit(known)
        fitted = np.asarray(rocket.transform(known), np.float32)
        mean, spread = fitted.mean(0), fitted.std(0)
        features = np.asarray(rocket.transform(values), np.float32)
    return (features - mean) / np.where(spread > 1e-6, spread, 1)


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
