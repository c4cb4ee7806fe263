"""The loss of masked autoencoding: mean squared error on hidden tokens."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def masked_mse(
    prediction: Float[Tensor, "batch tokens values"],
    target: Float[Tensor, "batch tokens values"],
    missing: Bool[Tensor, "batch tokens"] | None = None,
) -> Float[Tensor, ""]:
    """Mean squared error over hidden tokens; those that are ``missing`` (``True``) have no truth and are left out.

    ``prediction`` and ``target`` hold the hidden tokens only. With all of them missing the loss is 0 (and its
    gradient too): a batch without a modality teaches nothing about it.
    """
    per_token = (prediction.float() - target.float()).square().mean(dim=2)
    if missing is None:
        return per_token.mean()
    present = (~missing).to(per_token.dtype)
    return (per_token * present).sum() / present.sum().clamp(min=1)
