"""Several objectives at once: how they are weighed, how their gradients meet, which of them a step trains.

Names of losses begin with their objective: ``contrast_imu_pose`` is of ``contrast``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Losses = Mapping[str, Float[Tensor, ""]]
ScheduleOf = Literal["joint", "alternating", "staged"]


def objective(name: str) -> str:
    """The objective that a loss is of."""
    return name.partition("_")[0]


def weighted(losses: Losses, weights: Mapping[str, float]) -> dict[str, Float[Tensor, ""]]:
    """Each loss times the weight of its name, or of its objective; 1 where neither is named."""
    return {name: weights.get(name, weights.get(objective(name), 1.0)) * x for name, x in losses.items()}


class Uncertainty(nn.Module):
    """Weights learnt as uncertainties (Kendall et al. 2018): 0.5 * exp(-s) * loss + 0.5 * s for each objective.

    The losses of an objective share its s, which starts at 0 and is added once. An objective that a batch lacks, or
    whose loss is exactly 0 (nothing to learn from was there), adds nothing.
    """

    def __init__(self, objectives: Sequence[str]) -> None:
        super().__init__()
        self.log_variance = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in objectives})

    def forward(self, losses: Losses) -> dict[str, Float[Tensor, ""]]:
        """The losses, weighed; their sum is what is trained."""
        unknown = sorted({objective(name) for name in losses} - set(self.log_variance))
        if unknown:
            raise ValueError(f"no uncertainty for {', '.join(unknown)}; there are: {', '.join(self.log_variance)}")
        live = {name: (loss.detach() != 0).float() for name, loss in losses.items()}
        out = {}
        for name, loss in losses.items():
            s, own = self.log_variance[objective(name)], objective(name)
            count = sum(x for other, x in live.items() if objective(other) == own)
            out[name] = 0.5 * (-s).exp() * loss + 0.5 * s * live[name] / torch.as_tensor(count).clamp(min=1)
        return out


def pcgrad(gradients: Float[Tensor, "tasks parameters"], generator: torch.Generator) -> Float[Tensor, "parameters"]:
    """Gradient surgery (Yu et al. 2020): each task's gradient loses what points against another's, in random order.

    Returns the sum of what is left: without conflict the plain sum.
    """
    tasks = len(gradients)
    out = gradients.clone()
    norms = gradients.square().sum(1)
    for i in range(tasks):
        for j in torch.randperm(tasks, generator=generator).tolist():
            if i != j and norms[j] > 0:
                against = (out[i] @ gradients[j]).clamp(max=0.0)
                out[i] -= against / norms[j] * gradients[j]
    return out.sum(0)


def pcgrad_backward(
    losses: Losses, parameters: Sequence[nn.Parameter], generator: torch.Generator, backward: Any = Tensor.backward
) -> None:
    """``pcgrad`` over the ``losses``, added to ``.grad``. A parameter that no loss reaches keeps what it had.

    Where a loss does not reach a parameter its gradient there is zero. ``backward(loss, retain_graph=...)`` fills
    ``.grad``: under Fabric it has to be Fabric's.
    """
    rows, reached = [], torch.zeros(len(parameters), dtype=torch.bool)
    before = [p.grad for p in parameters]
    for i, loss in enumerate(losses.values()):
        if not loss.requires_grad:
            continue
        more = i + 1 < len(losses)
        for p in parameters:
            p.grad = None
        backward(loss, retain_graph=more)
        found = [p.grad for p in parameters]
        reached |= torch.tensor([g is not None for g in found])
        flat = [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]
        rows.append(torch.cat([g.flatten().float() for g in flat]))
    for p, kept in zip(parameters, before, strict=True):
        p.grad = kept
    if not rows:
        return
    combined = pcgrad(torch.stack(rows), generator).split([p.numel() for p in parameters])
    for p, g, has in zip(parameters, combined, reached.tolist(), strict=True):
        if has:
            step = g.view_as(p).to(p.dtype)
            p.grad = step if p.grad is None else p.grad + step


def active(
    schedule: ScheduleOf,
    names: Sequence[str],
    step: int,
    steps: int,
    *,
    lead: Sequence[str] = ("contrast",),
    stage_share: float = 0.5,
) -> set[str]:
    """The objectives of ``names`` that ``step`` of ``steps`` trains.

    ``joint``: all. ``alternating``: those of ``lead`` in even steps, one of the others in odd ones, in turn.
    ``staged``: ``lead`` alone for the first ``stage_share`` of the steps, then all. Where only one kind is there, it
    trains in every step.
    """
    first = [n for n in names if objective(n) in lead]
    rest = list(dict.fromkeys(objective(n) for n in names if objective(n) not in lead))
    if schedule == "joint" or not first or not rest:
        return set(names)
    if schedule == "staged":
        return set(names) if step >= stage_share * steps else set(first)
    if step % 2 == 0:
        return set(first)
    chosen = rest[step // 2 % len(rest)]
    return {n for n in names if objective(n) == chosen}
