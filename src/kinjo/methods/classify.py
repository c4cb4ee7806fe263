"""Classes on top of a joint space's encoders: every modality answers by itself, and the answers are averaged.

So one training serves every subset of modalities, and a modality that is missing takes nothing from the others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kinjo.losses.masked import present_average
from kinjo.nn.context import Encoded

Batch = Mapping[str, Tensor]
"""As a joint space reads it; ``label`` (batch,): class, -1 not known."""
SCALE = 12.0
"""Of the cosines that are logits, as in Mu-MAE's second stage."""
SMOOTHING = 0.1


class Classifier(nn.Module):
    """A vector per class for each part of a modality's embedding (see ``nn.context``): logits are scaled cosines."""

    def __init__(self, sizes: Mapping[str, int], dim: int, classes: int, generator: torch.Generator) -> None:
        """``sizes``: of each modality's embedding, a multiple of ``dim``."""
        super().__init__()
        self.weights = nn.ParameterDict(
            {m: nn.Parameter(torch.randn(classes, size // dim, dim, generator=generator)) for m, size in sizes.items()}
        )

    def logits(self, modality: str, embedding: Float[Tensor, "batch size"]) -> Float[Tensor, "batch parts classes"]:
        """Of each part of an embedding by itself."""
        weights = self.weights[modality]
        parts = embedding.float().unflatten(1, weights.shape[1:])
        return SCALE * torch.einsum("bpd,cpd->bpc", F.normalize(parts, dim=2), F.normalize(weights, dim=2))

    def losses(
        self, encoded: Mapping[str, Encoded], target: Int[Tensor, "batch"] | Float[Tensor, "batch classes"],
        rivals: Bool[Tensor, "classes"] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:  # fmt: skip
        """``classify_imu`` and the like. ``target``: classes, -1 not known; or shares of classes. ``rivals``: those
        among which they are told apart, None: all.
        """
        out = {}
        unknown = target < 0 if target.dim() == 1 else target.sum(1) == 0
        for modality, e in encoded.items():
            logits = self.logits(modality, e.embedding)
            truth = target.clamp(min=0) if target.dim() == 1 else target
            if rivals is not None:
                logits = logits[..., rivals]
                truth = (rivals.cumsum(0) - 1).clamp(min=0)[truth] if target.dim() == 1 else target[:, rivals]
            each = torch.stack(
                [F.cross_entropy(x, truth, label_smoothing=SMOOTHING, reduction="none") for x in logits.unbind(1)]
            ).sum(0)
            out[f"classify_{modality}"] = present_average(each, unknown | e.missing.all(1))
        return out

    def probabilities(
        self, encoded: Mapping[str, Encoded], modalities: Collection[str] | None = None
    ) -> Float[Tensor, "batch classes"]:
        """Mean over the parts of all ``modalities`` (None: all) that a row has; even where it has none."""
        total = count = torch.zeros_like(next(iter(encoded.values())).embedding[:, :1])
        classes = next(iter(self.weights.values())).shape[0]
        for modality, e in encoded.items():
            if modalities is None or modality in modalities:
                here = (~e.missing.all(1)).float()[:, None]
                total = total + here * self.logits(modality, e.embedding).softmax(2).mean(1)
                count = count + here
        even = torch.full((classes,), 1.0 / classes, device=count.device)
        return torch.where(count > 0, total / count.clamp(min=1), even)


def mixed(
    batch: Mapping[str, Tensor], target: Float[Tensor, "batch classes"], alpha: float, generator: torch.Generator
) -> tuple[dict[str, Tensor], Float[Tensor, "batch classes"]]:
    """Every row mixed with another, drawn at random: streams and classes by the same share."""
    rows = len(target)
    rng = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))  # torch draws no Beta by generator
    share = torch.from_numpy(rng.beta(alpha, alpha, rows)).float().to(target.device)
    other = torch.randperm(rows, generator=generator).to(target.device)
    out = {}
    for name, x in batch.items():
        if name.endswith(".missing"):
            out[name] = x | x[other]
        else:
            weight = share.view(-1, *[1] * (x.dim() - 1))
            out[name] = weight * x + (1 - weight) * x[other]
    for name, x in out.items():
        if f"{name}.missing" in out:
            gone = out[f"{name}.missing"]
            out[name] = x.masked_fill(gone.view(*gone.shape, *[1] * (x.dim() - 2)), 0.0)
    return out, share[:, None] * target + (1 - share[:, None]) * target[other]
