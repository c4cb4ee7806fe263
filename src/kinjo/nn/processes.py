"""What the processes of one training have to agree on: counts, for a mean of means is not the mean."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, distributed


def place() -> tuple[int, int]:
    """The number of this process and how many train together; (0, 1) alone.

    Without gradients, as in an evaluation by one process, a process counts as alone: nobody is asked.
    """
    if not (torch.is_grad_enabled() and distributed.is_available() and distributed.is_initialized()):
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def mean_count(count: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """What a loss has to divide its sum over ``count`` things by: their mean number over all processes that train.

    DDP averages the gradients of its processes. Where rows lack different things, each process has another count; with
    this the average is the gradient of the mean over the whole batch. At least one thing in all is counted, so that
    nothing is ever divided by 0. All processes must ask for the same losses in the same order: their batches hold the
    same streams (missing ones as masks, as ``batches.Windows`` gives them).
    """
    processes = place()[1]
    if processes == 1:
        return count.clamp(min=1)
    total = count.detach().clone()
    distributed.all_reduce(total)
    return total.clamp(min=1) / processes


def gathered(x: Tensor) -> Tensor:
    """The rows of all processes that train, one below the other in their order; gradients flow to where rows are from.

    A gradient comes back summed over the processes, so that DDP's average of a mean over all rows is that mean's own
    gradient. All processes must hold the same number of rows. Without gradients, or in one process: ``x`` itself.
    """
    return x if place()[1] == 1 else _Gathered.apply(x)  # type: ignore[return-value]


class _Gathered(torch.autograd.Function):
    """Rows of all processes; back goes the sum of what they all say of one's own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        rows = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(distributed.get_world_size())]
        distributed.all_gather(rows, x.contiguous())
        return torch.cat(rows)

    @staticmethod
    def backward(ctx: Any, *of_all: Tensor) -> Tensor:
        total = of_all[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]
