"""Recordings made for the tests of the corpus."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from kinjo.recording import Contract, Recording, Segment, Stream

ACC = Contract("imu", "acc", "m/s^2", 50.0, placement="right_wrist", gravity=True)
POSE = Contract("pose", "position", "m", 30.0, skeleton="kinect_v1")
DEPTH = Contract("video", "depth", "m", 30.0, axes=())
RGB = Contract("video", "rgb", "uint8", 25.0, axes=("r", "g", "b"))


def make(
    id: str, seconds: float = 4.0, seed: int = 0, *, label: str = "walk", subject: str = "s1", **more: Any
) -> Recording:
    """A recording with an accelerometer at 50 Hz and a pose of 4 joints at 30 Hz, of noise."""
    rng = np.random.default_rng(seed)
    acc = Stream.of("acc", ACC, rng.normal(size=(round(50 * seconds), 3)).astype(np.float32))
    pose = Stream.of("pose", POSE, rng.normal(size=(round(30 * seconds), 4, 3)).astype(np.float32))
    segments = (Segment(0.0, seconds, label),) if label else ()
    more.setdefault("source", f"made/{id}")
    return Recording(id, {"acc": acc, "pose": pose}, segments, subject, **more)


@pytest.fixture(scope="session")
def made() -> Callable[..., Recording]:
    return make


@pytest.fixture(scope="session")
def contracts() -> dict[str, Contract]:
    return {"acc": ACC, "pose": POSE, "depth": DEPTH, "rgb": RGB}
