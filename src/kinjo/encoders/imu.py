"""Wearable sensors: windows of one sensor (three axes, say) to tokens along time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinjo.nn.tokens import Layout, patchify_sensor, unpatchify_sensor

TYPICAL: dict[str, float] = {"acc": 9.80665, "gyro": 3.0, "mag": 50.0, "orientation": 1.0}
"""quantity -> its usual size in canonical units; inputs are divided by it, so that all are near 1."""

Missing = Bool[Tensor, "batch samples"] | None
"""``True``: missing. ``None``: nothing is."""


Reads = Literal["values", "motion"]


def missing_slots(missing: Bool[Tensor, "batch samples"], slots: int) -> Bool[Tensor, "batch slots"]:
    """The time slots of which more than half of the samples are missing."""
    return missing.view(len(missing), slots, -1).float().mean(2) > 0.5


@dataclass(frozen=True)
class SensorInput:
    """One sensor: ``samples`` of ``axes`` numbers in ``slots`` tokens (128 x 3 in 16, as Mu-MAE publishes).

    ``placement`` empty takes the sensor wherever it sits. ``scaling`` ``clip`` is min-max per clip and axis, as
    published: gravity and amplitude are lost. ``reads`` ``motion`` lets a convolutional stem see differences alone.
    """

    quantity: str
    samples: int = 128
    axes: int = 3
    slots: int = 16
    placement: str = ""
    layout: Layout = "contiguous"
    scaling: Literal["units", "clip"] = "units"
    reads: Reads = "values"
    modality: Literal["imu"] = "imu"

    places: int = 1
    """Tokens per time slot."""

    @property
    def motion(self) -> float:
        """What differences along time are multiplied by to be near 1; 0 where values are read."""
        return 4.0 if self.reads == "motion" else 0.0

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
        if self.scaling == "clip":
            gone = torch.zeros_like(x, dtype=torch.bool) if missing is None else missing[:, :, None].expand_as(x)
            low = x.masked_fill(gone, math.inf).amin(1, keepdim=True)
            high = x.masked_fill(gone, -math.inf).amax(1, keepdim=True)
            x = (x - low) / (high - low).clamp(min=1e-6)  # a constant axis is 0, where the released code divides by 0
        return x if missing is None else x.masked_fill(missing[:, :, None], 0.0)

    def missing_tokens(self, missing: Bool[Tensor, "batch samples"]) -> Bool[Tensor, "batch tokens"]:
        """The tokens of which more than half of the samples are missing."""
        if self.layout == "strided":
            return missing.view(len(missing), -1, self.slots).float().mean(1) > 0.5
        return missing_slots(missing, self.slots)

    def signal(self, x: Float[Tensor, "batch samples axes"]) -> Float[Tensor, "batch samples channels"]:
        """As the convolutional stem reads it."""
        return x

    def patchify(self, x: Float[Tensor, "batch samples axes"]) -> Float[Tensor, "batch tokens values"]:
        return patchify_sensor(x, self.slots, self.layout)

    def unpatchify(self, x: Float[Tensor, "batch tokens values"]) -> Float[Tensor, "batch samples axes"]:
        return unpatchify_sensor(x, self.axes, self.layout)
