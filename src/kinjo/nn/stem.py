"""From prepared windows to token embeddings: linear patches as published, or a masked convolutional stem."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class ConvStem(nn.Module):
    """Signals ``(batch, samples, channels)`` to one token per time slot by a few convolutions and pooling.

    Hidden samples are set to zero before the first convolution, so nothing of them leaks into visible tokens
    (as in ConvMAE, Gao et al. 2022). On hundreds of clips convolutions learn what linear patches need
    thousands for (measured: docs/decisions.md).
    """

    def __init__(self, samples: int, channels: int, slots: int, dim: int) -> None:
        super().__init__()
        if samples % slots:
            raise ValueError(f"{samples} samples do not divide into {slots} slots")
        self.slots = slots
        halvings = int(math.log2(samples // slots))
        widths = [dim // 2, dim, dim, dim]
        layers: list[nn.Module] = []
        for i, (width, kernel) in enumerate(zip(widths, (7, 5, 5, 3), strict=True)):
            layers += [nn.Conv1d(channels, width, kernel, padding=kernel // 2), nn.GroupNorm(8, width), nn.GELU()]
            if i < halvings:
                layers.append(nn.MaxPool1d(2))
            channels = width
        self.layers = nn.Sequential(*layers)
        self.pool = nn.AdaptiveMaxPool1d(slots)

    def forward(
        self, x: Float[Tensor, "batch samples channels"], hidden: Bool[Tensor, "batch slots"] | None = None
    ) -> Float[Tensor, "batch slots dim"]:
        if hidden is not None:
            x = x.masked_fill(hidden.repeat_interleave(x.shape[1] // self.slots, 1)[:, :, None], 0.0)
        return self.pool(self.layers(x.transpose(1, 2))).transpose(1, 2)
