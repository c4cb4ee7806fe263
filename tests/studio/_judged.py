"""A model that was judged, by made-up counts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kinjo.studio.judging import Judged
from kinjo.timeline import UNKNOWN

PLAIN: list[list[list[float]]] = [[[8, 2, 0], [1, 9, 0], [0, 0, 5]], [[4, 6, 0], [0, 10, 0], [1, 0, 4]]]


def made(
    seconds: Any, subjects: Sequence[str] = ("a", "b"), names: Sequence[str] = ("sit", "walk", UNKNOWN),
    recordings: Sequence[str] = ("r1", "r2"),
) -> Judged:  # fmt: skip
    """By person, true name and given name."""
    return Judged("one", "data", tuple(recordings), tuple(subjects), tuple(names), np.array(seconds, float))
