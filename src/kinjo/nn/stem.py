"""Convolutional stems: from prepared windows to token embeddings, with what is hidden kept out."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


def differences(
    x: Float[Tensor, "batch samples *rest"], hidden: Bool[Tensor, "batch samples *rest"] | None = None
) -> Float[Tensor, "batch samples *rest"]:
    """The next value less this one; 0 at the end, and where either is hidden, so that nothing hidden shows."""
    step = x.diff(dim=1)
    if hidden is not None:
        step = step.masked_fill(hidden[:, 1:] | hidden[:, :-1], 0.0)
    return torch.cat([step, torch.zeros_like(x[:, :1])], 1)


class ConvStem(nn.Module):
    """Signals ``(batch, samples, channels)`` to one token per time slot by a few convolutions and pooling.

    With ``motion`` it reads their differences along time, times this, instead of the values.

    Hidden samples are set to zero before the first convolution, so nothing of them leaks into visible tokens
    (as in ConvMAE, Gao et al. 2022). On hundreds of clips convolutions learn what linear patches need
    thousands for (measured: docs/decisions.md).
    """

    def __init__(self, samples: int, channels: int, slots: int, dim: int, motion: float = 0.0) -> None:
        super().__init__()
        if samples % slots:
            raise ValueError(f"{samples} samples do not divide into {slots} slots")
        self.slots, self.channels, self.motion = slots, channels, motion
        halvings = int(math.log2(samples // slots))
        widths = [dim // 2, dim, dim, dim]
        layers: list[nn.Module] = []
        for i, (width, kernel) in enumerate(zip(widths, (7, 5, 5, 3), strict=True)):
            layers += [nn.Conv1d(channels, width, kernel, padding=kernel // 2), nn.GroupNorm(8, width), nn.GELU()]
            if i < halvings:
                layers.append(nn.MaxPool1d(2))
            channels = width
        self.layers = nn.Sequential(*layers)

    def forward(
        self, x: Float[Tensor, "batch samples channels"], hidden: Bool[Tensor, "batch slots"] | None = None
    ) -> Float[Tensor, "batch slots dim"]:
        gone = None
        if hidden is not None:
            gone = hidden.repeat_interleave(x.shape[1] // self.slots, 1)[:, :, None].expand_as(x)
            x = x.masked_fill(gone, 0.0)
        if self.motion:
            x = self.motion * differences(x, gone)
        return pooled(self.layers(x.transpose(1, 2)), self.slots).transpose(1, 2)


def pooled(x: Float[Tensor, "batch channels samples"], slots: int) -> Float[Tensor, "batch channels slots"]:
    """The largest of each slot, as ``AdaptiveMaxPool1d``, in words that ONNX has too."""
    n = x.shape[2]
    if n % slots == 0:
        return x if n == slots else F.max_pool1d(x, n // slots)
    low = [i * n // slots for i in range(slots)]
    high = [-((i + 1) * -n // slots) for i in range(slots)]
    width = max(b - a for a, b in zip(low, high, strict=True))
    at = torch.tensor([[min(a + j, b - 1) for j in range(width)] for a, b in zip(low, high, strict=True)])
    return x[:, :, at.to(x.device)].amax(3)


class FrameStem(nn.Module):
    """Video ``(batch, frames, size, size, channels)`` to tokens per time slot and place, and to a summary over time.

    Every frame goes through convolutions that halve it ``log2(patch)`` times, so that one cell of the map is one
    place. Hidden places are set to zero before the first convolution. ``motion`` as in ``ConvStem``.
    """

    WIDTH = 32

    def __init__(
        self, frames: int, size: int, channels: int, slots: int, patch: int, dim: int, motion: float = 0.0
    ) -> None:
        super().__init__()
        if patch < 2 or size % patch or patch & (patch - 1) or frames % slots:
            raise ValueError(
                f"{frames} frames of {size} x {size} do not divide into {slots} slots and square tubelets of {patch} "
                "pixels, a power of two. Change the recipe's size or tubelet, or take stem = 'linear'."
            )
        self.slots, self.grid, self.patch, self.motion = slots, size // patch, patch, motion
        layers: list[nn.Module] = []
        given = channels
        for i in range(int(math.log2(patch))):
            width = self.WIDTH // 2 if i == 0 else self.WIDTH
            layers += [nn.Conv2d(given, width, 5 if i == 0 else 3, 2, 2 if i == 0 else 1)]
            layers += [nn.GroupNorm(4, width), nn.GELU()]
            given = width
        self.layers = nn.Sequential(*layers)
        self.token = nn.Linear(given, dim)
        self.over_time = ConvStem(frames, given * self.grid**2, slots, dim)

    def maps(
        self, x: Float[Tensor, "batch frames size size channels"], hidden: Bool[Tensor, "batch tokens"] | None = None
    ) -> Float[Tensor, "batch frames width grid grid"]:
        """The map of every frame."""
        b, t, size, _, _ = x.shape
        gone = None
        if hidden is not None:
            places = hidden.view(b, self.slots, self.grid, self.grid)
            places = places.repeat_interleave(t // self.slots, 1)
            places = places.repeat_interleave(self.patch, 2).repeat_interleave(self.patch, 3)
            gone = places[..., None].expand_as(x)
            x = x.masked_fill(gone, 0.0)
        if self.motion:
            x = self.motion * differences(x, gone)
        y = self.layers(x.permute(0, 1, 4, 2, 3).reshape(b * t, -1, size, size))
        return y.view(b, t, -1, self.grid, self.grid)

    def forward(
        self, x: Float[Tensor, "batch frames size size channels"], hidden: Bool[Tensor, "batch tokens"] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        """Tokens, time-major: slot by slot, place by place."""
        return self.tokens(self.maps(x, hidden))

    def tokens(self, maps: Float[Tensor, "batch frames width grid grid"]) -> Float[Tensor, "batch tokens dim"]:
        """Frames of a slot averaged, one token per cell."""
        b, t, width = maps.shape[:3]
        slots = maps.view(b, self.slots, t // self.slots, width, -1).mean(2)  # (b, slots, width, places)
        return self.token(slots.transpose(2, 3).reshape(b, -1, width))

    def summary(self, maps: Float[Tensor, "batch frames width grid grid"]) -> Float[Tensor, "batch slots dim"]:
        """Whole frames along time: where in the picture something happens stays known."""
        return self.over_time(maps.flatten(2))
