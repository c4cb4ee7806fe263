"""Wearable sensors: windows of one sensor (three axes, say) to tokens along time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor

from kinjo.nn.tokens import patchify_sensor, unpatchify_sensor

TYPICAL: dict[str, float] = {"acc": 9.80665, "gyro": 3.0, "mag": 50.0, "orientation": 1.0}
"""quantity -> its usual size in canonical units; inputs are divided by it, so that all are near 1."""

Missing = Bool[Tensor, "batch samples"] | None
"""``True``: missing. ``None``: nothing is."""


@dataclass(frozen=True)
class SensorInput:
    """One sensor: ``samples`` of ``axes`` numbers in ``slots`` tokens (128 x 3 in 16, as Mu-MAE publishes)."""

    quantity: str
    samples: int = 128
    axes: int = 3
    slots: int = 16
    modality: Literal["imu"] = "imu"

    places: int = 1
    """Tokens per time slot."""

    @property
    def channels(self) -> int:
        return self.axes

    @property
    def tokens(self) -> int:
        return self.slots

    @property
    def values(self) -> int:
        """Numbers in one token."""
        return self.samples // self.slots * self.axes

    def prepare(
        self, x: Float[Tensor, "batch samples axes"], missing: Missing = None
    ) -> Float[Tensor, "batch samples axes"]:
        """Canonical units (m/s^2, rad/s, ...) to numbers near 1; what is missing is 0."""
        x = x / TYPICAL[self.quantity]
        return x if missing is None else x.masked_fill(missing[:, :, None], 0.0)

    def signal(self, x: Float[Tensor, "batch samples axes"]) -> Float[Tensor, "batch samples channels"]:
        """As the convolutional stem reads it."""
        return x

    def patchify(self, x: Float[Tensor, "batch samples axes"]) -> Float[Tensor, "batch tokens values"]:
        return patchify_sensor(x, self.slots)

    def unpatchify(self, x: Float[Tensor, "batch tokens values"]) -> Float[Tensor, "batch samples axes"]:
        return unpatchify_sensor(x, self.axes)
