"""From windows to tokens and back: patches of sensors, poses and video, and fixed sine-cosine positions.

Every ``patchify_*`` is pure and has an inverse; a token's place on the time axis is its *slot*, which
synchronised masking needs.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Layout = Literal["contiguous", "strided"]
"""How the samples of a sensor are dealt out to ``n`` tokens: spans of time, or every n-th sample (as published)."""


def patchify_sensor(
    x: Float[Tensor, "batch samples axes"], tokens: int, layout: Layout = "contiguous"
) -> Float[Tensor, "batch tokens values"]:
    """Of ``p * tokens`` samples token ``t`` holds, with all axes, ``t*p ... t*p + p - 1`` (contiguous) or ``t,
    t + tokens, t + 2 * tokens, ...`` (strided, as Mu-MAE's code has it: a visible token is the clip decimated).
    """
    b, samples, axes = x.shape
    if samples % tokens:
        raise ValueError(f"{samples} samples do not divide into {tokens} tokens")
    if layout == "strided":
        x = x.view(b, -1, tokens, axes).transpose(1, 2)  # (b, p, tokens, axes) -> (b, tokens, p, axes)
    return x.reshape(b, tokens, samples // tokens * axes)


def unpatchify_sensor(
    x: Float[Tensor, "batch tokens values"], axes: int, layout: Layout = "contiguous"
) -> Float[Tensor, "batch samples axes"]:
    """Inverse of ``patchify_sensor``."""
    b, tokens, _ = x.shape
    if layout == "strided":
        x = x.view(b, tokens, -1, axes).transpose(1, 2)
    return x.reshape(b, -1, axes)


def patchify_pose(
    x: Float[Tensor, "batch frames joints axes"], slots: int, groups: int
) -> Float[Tensor, "batch tokens values"]:
    """One token per time slot and group of consecutive joints, time-major: token ``slot * groups + group``."""
    b, frames, joints, axes = x.shape
    if frames % slots or joints % groups:
        raise ValueError(f"{frames} frames x {joints} joints do not divide into {slots} slots x {groups} groups")
    x = x.reshape(b, slots, frames // slots, groups, joints // groups, axes)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(b, slots * groups, -1)  # (b, slot, group, frame, joint, axis)


def unpatchify_pose(
    x: Float[Tensor, "batch tokens values"], slots: int, groups: int, joints: int, axes: int
) -> Float[Tensor, "batch frames joints axes"]:
    """Inverse of ``patchify_pose``."""
    x = x.reshape(x.shape[0], slots, groups, -1, joints // groups, axes)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(x.shape[0], -1, joints, axes)


def patchify_video(
    x: Float[Tensor, "batch frames height width channels"], tubelet: tuple[int, int, int]
) -> Float[Tensor, "batch tokens values"]:
    """Tubelets of ``(frames, height, width)``, time-major (VideoMAE): token ``(t * rows + r) * columns + c``."""
    b, t, h, w, c = x.shape
    p, q, r = tubelet
    if t % p or h % q or w % r:
        raise ValueError(f"video of {t}x{h}x{w} does not divide into tubelets of {p}x{q}x{r}")
    x = x.reshape(b, t // p, p, h // q, q, w // r, r, c)
    return x.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(b, (t // p) * (h // q) * (w // r), p * q * r * c)


def unpatchify_video(
    x: Float[Tensor, "batch tokens values"], shape: tuple[int, int, int, int], tubelet: tuple[int, int, int]
) -> Float[Tensor, "batch frames height width channels"]:
    """Inverse of ``patchify_video``; ``shape`` is (frames, height, width, channels)."""
    (t, h, w, c), (p, q, r) = shape, tubelet
    x = x.reshape(x.shape[0], t // p, h // q, w // r, p, q, r, c)
    return x.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(x.shape[0], t, h, w, c)


def sincos(positions: int, dim: int) -> Float[Tensor, "positions dim"]:
    """Fixed sine-cosine positions (Vaswani et al. 2017), base 10,000."""
    angle = torch.arange(positions)[:, None] / 10_000 ** (torch.arange(0, dim, 2) / dim)
    table = torch.zeros(positions, dim)
    table[:, 0::2], table[:, 1::2] = angle.sin(), angle.cos()[:, : dim // 2]
    return table


def normalise_tokens(
    x: Float[Tensor, "batch tokens values"], eps: float = 1e-6, channels: int = 1
) -> Float[Tensor, "batch tokens values"]:
    """Each token to zero mean and unit variance over its values (the target of MAE with ``norm_pix_loss``).

    With ``channels`` > 1 values are interleaved by channel and each channel is normalised by itself (VideoMAE).
    """
    parts = x.unflatten(-1, (-1, channels))  # (b, tokens, values / channels, channels)
    parts = parts - parts.mean(2, keepdim=True)
    variance = parts.square().sum(2, keepdim=True) / max(1, parts.shape[2] - 1)
    return (parts / (variance + eps).sqrt()).flatten(2)


def split_hidden(
    hidden: Bool[Tensor, "batch tokens"],
) -> tuple[Int[Tensor, "batch visible"], Int[Tensor, "batch masked"]]:
    """Indices of the visible and of the hidden tokens, in order. Every row must hide the same number."""
    counts = hidden.sum(1)
    if not bool((counts == counts[0]).all()):
        raise ValueError("every row of a mask must hide the same number of tokens")
    order = hidden.to(torch.uint8).argsort(dim=1, stable=True)
    visible = hidden.shape[1] - int(counts[0])
    return order[:, :visible], order[:, visible:]


def gather_tokens(
    x: Float[Tensor, "batch tokens dim"], index: Int[Tensor, "batch picked"]
) -> Float[Tensor, "batch picked dim"]:
    """``x[b, index[b, i]]``."""
    return x.gather(1, index[:, :, None].expand(-1, -1, x.shape[2]))


def present_mean(
    x: Float[Tensor, "batch tokens dim"], missing: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch dim"]:
    """Mean over the tokens that are there; zero where none is."""
    there = (~missing)[:, :, None].float()
    return (x.float() * there).sum(1) / there.sum(1).clamp(min=1)


def present_peak(
    x: Float[Tensor, "batch tokens dim"], missing: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch dim"]:
    """The largest of each number over the tokens that are there; zero where none is."""
    peak = x.float().masked_fill(missing[:, :, None], -torch.inf).amax(1)
    return peak.masked_fill(missing.all(1)[:, None], 0.0)


def hidden_count(tokens: int, ratio: float) -> int:
    """How many of ``tokens`` a ratio hides: rounded down, as published; at least one stays visible."""
    if not 0 <= ratio < 1:
        raise ValueError(f"a mask ratio must be in [0, 1), given {ratio}")
    return min(math.floor(tokens * ratio + 1e-9), tokens - 1)
