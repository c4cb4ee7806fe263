"""Where on the body a token is from: learnt vectors of joints, which sensors and body parts share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinjo.body import CANONICAL, NEAREST_JOINTS, PLACEMENTS


class Places(nn.Module):
    """A vector per canonical joint; a placement's is the mean of the joints that it is nearest to, and a learnt rest.

    A placement that training never saw still has the vector of its joints. ``unknown``, and "" (withheld), have one of
    their own. With ``told`` False all vectors are zero, and stay so.
    """

    def __init__(self, dim: int, generator: torch.Generator, *, told: bool = True) -> None:
        super().__init__()
        self.joints = nn.Parameter(0.02 * torch.randn(len(CANONICAL.joints), dim, generator=generator))
        self.rest = nn.Parameter(torch.zeros(len(PLACEMENTS), dim))
        nearest = torch.zeros(len(PLACEMENTS), len(CANONICAL.joints))
        for row, placement in zip(nearest, PLACEMENTS, strict=True):
            joints = [CANONICAL.index(joint) for joint in NEAREST_JOINTS[placement]]
            row[joints] = 1.0 / max(1, len(joints))
        self.register_buffer("nearest", nearest, persistent=False)
        if not told:
            self.requires_grad_(False).joints.zero_()

    def placement(self, name: str, *, known: bool = True) -> Float[Tensor, "dim"]:
        """Of a placement of ``body.PLACEMENTS``. With ``known`` False without the learnt rest, as if unseen."""
        if name and name not in PLACEMENTS:
            raise ValueError(f"placement '{name}' is not known; there are: {', '.join(PLACEMENTS)}")
        row = PLACEMENTS.index(name or "unknown")
        place = self.get_buffer("nearest")[row] @ self.joints
        return place + self.rest[row] if known or not NEAREST_JOINTS[name or "unknown"] else place

    def part(self, joints: Sequence[str]) -> Float[Tensor, "dim"]:
        """Of a part of the body: the mean over those of its joints that are canonical ones; zero where none is."""
        rows = [CANONICAL.index(joint) for joint in joints if joint in CANONICAL.joints]
        return self.joints[rows].mean(0) if rows else torch.zeros_like(self.joints[0])
