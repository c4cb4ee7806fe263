"""Body pose: windows of joint positions to tokens along time, whole bodies or by body part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinjo.body import SKELETONS
from kinjo.encoders.imu import Missing, Reads, missing_of, missing_slots
from kinjo.nn.context import Context, Encoded, Entered, Recurrent
from kinjo.nn.places import Places
from kinjo.nn.stem import ConvStem
from kinjo.nn.tokens import patchify_pose, sincos, unpatchify_pose


@dataclass(frozen=True)
class PoseInput:
    """``frames`` of ``joints`` positions in ``slots`` x ``places`` tokens; consecutive joints share a place.

    One place is the whole body; in Kinect's order five places are the trunk, the two arms and the two legs.
    ``reads`` ``motion`` lets a convolutional stem see joint velocities alone, whatever the body and its place.
    ``across`` (a left and a right joint, the hips say) turns every window about the vertical so that the person faces
    the same way on average, whatever the camera's view; empty: as it was seen.
    """

    frames: int = 64
    joints: int = 20
    axes: int = 3
    slots: int = 16
    places: int = 1
    root: int = 0
    across: tuple[int, ...] = ()
    reads: Reads = "values"
    skeleton: str = ""
    """A name of ``body.SKELETONS``: what the joints are. Empty: not known; body parts then have no names."""
    modality: Literal["pose"] = "pose"
    quantity: Literal["position"] = "position"

    def __post_init__(self) -> None:
        pair = len(set(self.across)) == len(self.across) == 2 and all(type(joint) is int for joint in self.across)
        if self.across and not (pair and self.axes == 3 and min(self.across) >= 0 and max(self.across) < self.joints):
            raise ValueError(f"across: expected a left and a right joint of a 3-D pose, given {self.across}")
        object.__setattr__(self, "across", tuple(self.across))  # a recipe's list
        if self.skeleton and len(SKELETONS[self.skeleton].joints if self.skeleton in SKELETONS else ()) != self.joints:
            raise ValueError(
                f"skeleton '{self.skeleton}' has not {self.joints} joints; known: "
                + ", ".join(f"{name} ({len(s.joints)})" for name, s in SKELETONS.items())
            )

    @property
    def motion(self) -> float:
        """What differences along time are multiplied by to be near 1; 0 where values are read."""
        return 10.0 if self.reads == "motion" else 0.0

    @property
    def samples(self) -> int:
        return self.frames

    @property
    def channels(self) -> int:
        return self.joints * self.axes

    @property
    def tokens(self) -> int:
        return self.slots * self.places

    @property
    def values(self) -> int:
        """Numbers in one token."""
        return self.frames // self.slots * (self.joints // self.places) * self.axes

    def prepare(
        self, x: Float[Tensor, "batch frames joints axes"], missing: Missing = None
    ) -> Float[Tensor, "batch frames joints axes"]:
        """Metres in the camera's frame to metres around where the root joint is on average over the window.

        Missing frames are 0 and do not count in that average; joints that are NaN stay so.
        """
        root = x[:, :, self.root : self.root + 1]
        if missing is None:
            return self._faced(x - root.nanmean(1, keepdim=True))
        gone = missing[:, :, None, None]
        seen = ~(gone | root.isnan())
        centred = x - root.masked_fill(~seen, 0.0).sum(1, keepdim=True) / seen.sum(1, keepdim=True).clamp(min=1)
        return self._faced(centred.masked_fill(gone, 0.0))

    def _faced(self, x: Float[Tensor, "batch frames joints axes"]) -> Float[Tensor, "batch frames joints axes"]:
        """Turned about ``y`` so that ``across`` points along ``z`` on average; zeros (missing) do not count."""
        if not self.across:
            return x
        left, right = self.across
        sideways = (x[:, :, right] - x[:, :, left]).nansum(1)  # (batch, axes)
        angle = torch.atan2(sideways[:, 0], sideways[:, 2])
        sine, cosine = angle.sin()[:, None, None], angle.cos()[:, None, None]
        out = x.clone()
        out[..., 0] = cosine * x[..., 0] - sine * x[..., 2]
        out[..., 2] = sine * x[..., 0] + cosine * x[..., 2]
        return out

    def missing_tokens(self, missing: Bool[Tensor, "batch frames"]) -> Bool[Tensor, "batch tokens"]:
        """The tokens of which more than half of the frames are missing."""
        return missing_slots(missing, self.slots).repeat_interleave(self.places, 1)

    def signal(self, x: Float[Tensor, "batch frames joints axes"]) -> Float[Tensor, "batch frames channels"]:
        """As the convolutional stem reads it: all joints of a frame side by side."""
        return x.flatten(2)

    def patchify(self, x: Float[Tensor, "batch frames joints axes"]) -> Float[Tensor, "batch tokens values"]:
        return patchify_pose(x, self.slots, self.places)

    def unpatchify(self, x: Float[Tensor, "batch tokens values"]) -> Float[Tensor, "batch frames joints axes"]:
        return unpatchify_pose(x, self.slots, self.places, self.joints, self.axes)


class PoseEncoder(nn.Module):
    """A body in ``places`` parts along time: convolutions of each part, then attention over parts and moments.

    A joint that is NaN is missing: it is read as a learnt vector. 2-D and 3-D alike; with a ``skeleton`` given the
    parts have the vectors of their joints, which sensors share.
    """

    def __init__(self, inputs: Mapping[str, PoseInput], places: Places, context: Context | Recurrent, dim: int) -> None:
        super().__init__()
        if len(inputs) != 1:
            raise ValueError(f"a joint space reads one pose, given {', '.join(inputs)}")
        ((self.key, self.spec),) = inputs.items()
        spec, each = self.spec, self.spec.joints // self.spec.places
        if spec.joints % spec.places:
            raise ValueError(f"input '{self.key}': {spec.joints} joints do not divide into {spec.places} places")
        self.stems = nn.ModuleList(
            ConvStem(spec.frames, each * spec.axes, spec.slots, dim, spec.motion) for _ in range(spec.places)
        )
        self.context, self.shared = context, (places,)  # in a tuple: the model has its weights, once
        names = SKELETONS[spec.skeleton].joints if spec.skeleton else ("",) * spec.joints
        self.parts = [names[i : i + each] for i in range(0, spec.joints, each)]
        self.lost = nn.Parameter(torch.zeros(spec.joints, spec.axes))
        position = sincos(spec.slots, dim).repeat_interleave(spec.places, 0)
        self.register_buffer("position", position, persistent=False)

    @property
    def spans(self) -> dict[str, slice]:
        """key -> which of the tokens are its own: all."""
        return {self.key: slice(0, self.spec.tokens)}

    def enter(self, batch: Mapping[str, Tensor], hidden: Bool[Tensor, "batch tokens"] | None = None) -> Entered:
        """Tokens before the context, slot by slot, part by part; nothing of ``hidden`` ones is read."""
        spec, x = self.spec, batch[self.key]
        x = torch.where(x.isnan(), self.lost.to(x), x)
        gone = missing_of(batch, self.key, spec)
        veil = (gone if hidden is None else gone | hidden).view(len(x), spec.slots, spec.places)
        parts = x.unflatten(2, (spec.places, -1))  # (b, frames, places, joints each, axes)
        tokens = [
            stem(parts[:, :, p].flatten(2), veil[:, :, p])
            + (self.shared[0].part(self.parts[p]) if spec.places > 1 else 0.0)
            for p, stem in enumerate(self.stems)
        ]
        return Entered(torch.stack(tokens, 2).flatten(1, 2), gone, self.get_buffer("position"))

    def forward(self, batch: Mapping[str, Tensor]) -> Encoded:
        return self.context(self.enter(batch))
