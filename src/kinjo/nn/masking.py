"""Masks for masked autoencoding. ``True`` means hidden. All randomness comes from the given generator."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Bool
from torch import Tensor

from kinjo.nn.tokens import hidden_count


def random_mask(batch: int, tokens: int, ratio: float, generator: torch.Generator) -> Bool[Tensor, "batch tokens"]:
    """Hide ``floor(ratio * tokens)`` tokens of each row, uniformly."""
    noise = torch.rand(batch, tokens, generator=generator, device=generator.device)
    return noise.argsort(1).argsort(1) < hidden_count(tokens, ratio)


def tube_mask(
    batch: int, slots: int, places: int, ratio: float, generator: torch.Generator
) -> Bool[Tensor, "batch tokens"]:
    """Tube masking (VideoMAE): the same places are hidden in every time slot; tokens are time-major."""
    return random_mask(batch, places, ratio, generator).repeat(1, slots)


def synchronised_masks(
    batch: int, slots: int, places: dict[str, int], ratio: float, generator: torch.Generator
) -> dict[str, Bool[Tensor, "batch tokens"]]:
    """Synchronised masking (Mu-MAE): one draw of time slots hides the same moments in every sensor.

    ``places`` gives the tokens per time slot of each stream (1 for a sensor); tokens are time-major.
    """
    hidden = random_mask(batch, slots, ratio, generator)
    return {name: hidden.repeat_interleave(n, dim=1) for name, n in places.items()}


def independent_masks(
    batch: int, slots: int, places: dict[str, int], ratio: float, generator: torch.Generator
) -> dict[str, Bool[Tensor, "batch tokens"]]:
    """As ``synchronised_masks`` with a draw of its own for each stream: what one hides another may show."""
    return {name: random_mask(batch, slots, ratio, generator).repeat_interleave(n, dim=1) for name, n in places.items()}


def dropped(
    gone: Mapping[str, Bool[Tensor, "batch"]], share: float, generator: torch.Generator
) -> dict[str, Bool[Tensor, "batch"]]:
    """Modality dropout: each modality hidden from ``share`` of the rows, one that is there always left.

    Of what is there the one that drew the highest number stays, whatever the draw.
    """
    names = list(gone)
    missing = torch.stack([gone[m] for m in names], 1)
    draw = torch.rand(missing.shape, generator=generator).to(missing.device).masked_fill(missing, -1.0)
    keep = F.one_hot(draw.argmax(1), len(names)).bool()
    hide = missing | ((draw < share) & ~keep)
    return {m: hide[:, i] for i, m in enumerate(names)}
