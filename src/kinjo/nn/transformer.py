"""Pre-norm transformer blocks (ViT, Dosovitskiy et al. 2021), in fp32 attention under autocast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head self-attention over tokens; ``missing`` keys are not attended to.

    Queries, keys and values are cast to fp32 around the kernel: on CPU the bf16 flash kernel is many times
    slower in training, and elsewhere the cast costs nothing that shows.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim {dim} must be a multiple of heads {heads}")
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], missing: Bool[Tensor, "batch tokens"] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        b, n, d = x.shape
        q, k, v = self.qkv(x).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        keep = None if missing is None else ~missing[:, None, None, :]  # SDPA: True = attend
        with torch.autocast(x.device.type, enabled=False):
            y = F.scaled_dot_product_attention(q.float(), k.float(), v.float(), attn_mask=keep)
        return self.out(y.transpose(1, 2).reshape(b, n, d))  # (b, heads, n, d/heads) -> (b, n, d)


class Block(nn.Module):
    """Attention and MLP, each behind a LayerNorm and a residual.

    ``scale`` is where the learnt scales of the two branches start (LayerScale, Touvron et al. 2021): small
    values keep a young transformer from drowning what a convolutional stem has found. None is the plain ViT, without.
    """

    def __init__(self, dim: int, heads: int, mlp_ratio: float = 4.0, scale: float | None = None) -> None:
        super().__init__()
        self.scale1, self.scale2 = (1.0 if scale is None else nn.Parameter(torch.full((dim,), scale)) for _ in range(2))
        self.norm1, self.attention = nn.LayerNorm(dim), Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        hidden = int(dim * mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, dim))

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], missing: Bool[Tensor, "batch tokens"] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        x = x + self.scale1 * self.attention(self.norm1(x), missing)
        return x + self.scale2 * self.mlp(self.norm2(x))


class Transformer(nn.Module):
    """``depth`` blocks and a final LayerNorm."""

    def __init__(self, dim: int, depth: int, heads: int, mlp_ratio: float = 4.0, scale: float | None = None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(dim, heads, mlp_ratio, scale) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], missing: Bool[Tensor, "batch tokens"] | None = None
    ) -> Float[Tensor, "batch tokens dim"]:
        for block in self.blocks:
            x = block(x, missing)
        return self.norm(x)


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Xavier-uniform linear and He-uniform convolution layers, zero biases; recurrent ones as PyTorch has them.

    All is drawn from ``generator`` alone.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=generator)
            else:
                nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.LayerNorm) and layer.elementwise_affine:
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.GRU):
            for weight in layer.parameters():
                nn.init.uniform_(weight, -(layer.hidden_size**-0.5), layer.hidden_size**-0.5, generator=generator)
