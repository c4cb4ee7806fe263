"""Losses on signals: what a decoder says a sensor measured, against what it did."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from kinjo.losses.masked import present_average


def signal_loss(
    predicted: Float[Tensor, "batch samples axes"],
    true: Float[Tensor, "batch samples axes"],
    missing: Bool[Tensor, "batch samples"] | None = None,
    kind: Literal["squared", "smooth"] = "squared",
) -> Float[Tensor, ""]:
    """Mean error over the samples that are there: squared, or ``smooth`` (Huber's: squared up to 1, then linear).

    With all samples missing the loss is 0, and its gradient too.
    """
    p, t = predicted.float(), true.float()
    error = (p - t).square() if kind == "squared" else F.smooth_l1_loss(p, t, reduction="none")
    each = error.mean(2)
    return present_average(each, torch.zeros_like(each, dtype=torch.bool) if missing is None else missing)
