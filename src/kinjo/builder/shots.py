"""Where an edited video jumps from one shot to the next."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.builder.footage import Frame

SIDE = 24
"""Pixels of a thumbnail's sides: motion hardly shows in it, another shot does."""
LEAST, TIMES = 0.10, 5.0
"""A cut changes the thumbnail by a tenth of full scale, and by five times the median change around it."""
AROUND = 15


def thumbnail(frame: Frame, scale: Any) -> NDArray[np.uint8]:
    """(24, 24, 3) means of a frame's cells. ``scale``: PyAV's reformatter, one for all frames of a clip."""
    return scale.reformat(frame, SIDE, SIDE, "rgb24", interpolation="AREA", threads=1).to_ndarray()


def cuts(thumbnails: NDArray[np.uint8]) -> list[int]:
    """The first frame of each shot but the first, of ``thumbnails`` (frames, 24, 24, 3).

    A flash is no cut: what comes three frames after a cut differs from what was before it, and from two frames earlier.
    """
    x = thumbnails.astype(np.float32) / 255.0
    if len(x) < 3:
        return []
    change = np.abs(np.diff(x, axis=0)).mean((1, 2, 3))
    found: list[int] = []
    for i in np.flatnonzero(change > LEAST).tolist():
        near = np.delete(change[max(0, i - AROUND) : i + AROUND + 1], min(i, AROUND))
        after, before = x[min(i + 3, len(x) - 1)], x[[max(i - 2, 0), i]]
        if change[i] > TIMES * float(np.median(near)) and np.abs(after - before).mean((1, 2, 3)).min() > LEAST:
            found.append(i + 1)
    return found


def longest(cuts_: list[int], frames: int) -> tuple[int, int]:
    """``[start, stop)`` of the longest shot; of several the first."""
    edges = [0, *cuts_, frames]
    return max(pairwise(edges), key=lambda shot: shot[1] - shot[0])
