"""What every encoder of a joint space ends in: its tokens in context, and one embedding of the window."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kinjo.nn.tokens import present_mean, present_peak
from kinjo.nn.transformer import Transformer


@dataclass(frozen=True)
class Entered:
    """Tokens as they enter a context: (batch, n, dim), which are missing (batch, n), fixed positions (n, dim).

    ``local`` stands for the tokens in the first two parts of the embedding (whole frames of video along time), with
    what is missing of it; None: the tokens themselves.
    """

    tokens: Tensor
    missing: Tensor
    position: Tensor
    local: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True)
class Encoded:
    """One modality of a batch: tokens (batch, n, dim), which of them are missing (batch, n; ``True``: missing), and one
    ``embedding`` (batch, size) of each window, all zero where every token is missing.
    """

    tokens: Tensor
    missing: Tensor
    embedding: Tensor


def pooled(entered: tuple[Tensor, Tensor], encoded: tuple[Tensor, Tensor]) -> Tensor:
    """Mean and peak of tokens as they enter, and their mean in context, each of unit length: (batch, 3 * dim). Tokens
    are (batch, n, dim), each with which of them are missing (batch, n).
    """
    parts = present_mean(*entered), present_peak(*entered), present_mean(*encoded)
    return torch.cat([F.normalize(part, dim=1) for part in parts], 1)


class Context(nn.Module):
    """A transformer over the tokens of one modality. The embedding is three unit vectors side by side.

    Two are of the tokens as they enter, their mean (how much of what) and their peak (whether at all), one is the mean
    after the transformer (in which order): with hundreds of clips the first two learn faster, with thousands the last
    sees more. ``size`` is its length.
    """

    def __init__(self, dim: int, depth: int, heads: int, layer_scale: float) -> None:
        super().__init__()
        self.encoder = Transformer(dim, depth, heads, scale=layer_scale or None)
        self.size = 3 * dim

    def forward(self, entered: Entered) -> Encoded:
        return self.embedded(entered, entered.missing if bool(entered.missing.any()) else None)

    def embedded(self, entered: Entered, unseen: Tensor | None) -> Encoded:
        """``unseen``: tokens that are not attended to; None spares the masks where nothing is missing."""
        tokens, missing = entered.tokens, entered.missing
        encoded = self.encoder(tokens + entered.position.to(tokens), unseen)
        first = entered.local or (tokens, missing)
        return Encoded(encoded, missing, pooled(first, (encoded, missing)))


class Recurrent(nn.Module):
    """In place of ``Context``: a GRU along the tokens, its last state the embedding (as IMU2CLIP, Moon et al. 2022)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gru = nn.GRU(dim, dim, batch_first=True)
        self.size = dim

    def forward(self, entered: Entered) -> Encoded:
        """Missing tokens are read as zeros. Positions are not used: the order is in the recurrence."""
        tokens, missing = entered.tokens, entered.missing
        encoded, last = self.gru(tokens.masked_fill(missing[:, :, None], 0.0).float())
        nothing = missing.all(1)[:, None]
        return Encoded(encoded, missing, F.normalize(last[0].float(), dim=1).masked_fill(nothing, 0.0))
