"""What the processes of one training have to agree on: counts, for a mean of means is not the mean."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, distributed


def mean_count(count: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """What a loss has to divide its sum over ``count`` things by: their mean number over all processes that train.

    DDP averages the gradients of its processes. Where rows lack different things, each process has another count; with
    this the average is the gradient of the mean over the whole batch. At least one thing in all is counted, so that
    nothing is ever divided by 0. All processes must ask for the same losses in the same order: their batches hold the
    same streams (missing ones as masks, as ``batches.Windows`` gives them).

    Without gradients, as in an evaluation by one process alone, nobody is asked.
    """
    if not (torch.is_grad_enabled() and distributed.is_available() and distributed.is_initialized()):
        return count.clamp(min=1)
    total = count.detach().clone()
    distributed.all_reduce(total)
    return total.clamp(min=1) / distributed.get_world_size()
