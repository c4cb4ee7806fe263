"""Body pose: windows of joint positions to tokens along time, whole bodies or by body part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jaxtyping import Bool, Float
from torch import Tensor

from kinjo.encoders.imu import Missing, Reads, missing_slots
from kinjo.nn.tokens import patchify_pose, unpatchify_pose


@dataclass(frozen=True)
class PoseInput:
    """``frames`` of ``joints`` positions in ``slots`` x ``places`` tokens; consecutive joints share a place.

    One place is the whole body; in Kinect's order five places are the trunk, the two arms and the two legs.
    ``reads`` ``motion`` lets a convolutional stem see joint velocities alone, whatever the body and its place.
    """

    frames: int = 64
    joints: int = 20
    axes: int = 3
    slots: int = 16
    places: int = 1
    root: int = 0
    reads: Reads = "values"
    modality: Literal["pose"] = "pose"
    quantity: Literal["position"] = "position"

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

        Missing frames are 0 and do not count in that average.
        """
        root = x[:, :, self.root : self.root + 1]
        if missing is None:
            return x - root.mean(1, keepdim=True)
        gone = missing[:, :, None, None]
        frames = (~gone).sum(1, keepdim=True).clamp(min=1)
        return (x - root.masked_fill(gone, 0.0).sum(1, keepdim=True) / frames).masked_fill(gone, 0.0)

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
