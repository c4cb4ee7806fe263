"""Mean squared error where there is a truth: on hidden tokens, or on the samples of a signal."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinjo.nn.processes import mean_count


def masked_mse(
    prediction: Float[Tensor, "batch tokens values"],
    target: Float[Tensor, "batch tokens values"],
    missing: Bool[Tensor, "batch tokens"] | None = None,
) -> Float[Tensor, ""]:
    """Mean squared error over tokens, or samples; ``missing`` ones (``True``) have no truth and are left out.

    For masked modelling ``prediction`` and ``target`` hold the hidden tokens only. With all of them missing the loss
    is 0 (and its gradient too): a batch without a modality teaches nothing about it.
    """
    per_token = (prediction.float() - target.float()).square().mean(dim=2)
    if missing is None:
        missing = torch.zeros_like(per_token, dtype=torch.bool)
    return present_average(per_token, missing)


def present_average(each: Float[Tensor, "*shape"], missing: Bool[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Mean of the losses ``each`` that are not ``missing``; 0 where all are.

    In a training by several processes the average of their results is the mean over what all of them hold together
    (``nn.processes.mean_count``).
    """
    present = (~missing).to(each.dtype)
    return (each * present).sum() / mean_count(present.sum())
