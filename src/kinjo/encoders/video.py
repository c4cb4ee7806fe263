"""Video, colour or depth: windows of frames to tubelet tokens (VideoMAE)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinjo.encoders.imu import Missing, Reads, missing_of, missing_slots
from kinjo.nn.context import Context, Encoded, Entered, Recurrent
from kinjo.nn.stem import FrameStem
from kinjo.nn.tokens import patchify_video, sincos, unpatchify_video

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class VideoInput:
    """``frames`` of ``size`` x ``size`` in tubelets (16 x 224 x 224 in 2 x 16 x 16, as published).

    ``quantity`` is ``rgb`` (values 0..255, three channels) or ``depth`` (metres, 0 = no reading, one channel).
    ``reads`` ``motion`` lets a convolutional stem see differences of frames alone.
    """

    quantity: Literal["rgb", "depth"] = "rgb"
    frames: int = 16
    size: int = 224
    tubelet: tuple[int, int, int] = (2, 16, 16)
    reads: Reads = "values"
    modality: Literal["video"] = "video"

    @property
    def motion(self) -> float:
        """What differences along time are multiplied by to be near 1; 0 where values are read."""
        return 3.0 if self.reads == "motion" else 0.0

    @property
    def samples(self) -> int:
        return self.frames

    @property
    def channels(self) -> int:
        return 3 if self.quantity == "rgb" else 1

    @property
    def slots(self) -> int:
        return self.frames // self.tubelet[0]

    @property
    def places(self) -> int:
        return (self.size // self.tubelet[1]) * (self.size // self.tubelet[2])

    @property
    def tokens(self) -> int:
        return self.slots * self.places

    @property
    def values(self) -> int:
        """Numbers in one token."""
        return self.tubelet[0] * self.tubelet[1] * self.tubelet[2] * self.channels

    def prepare(
        self, x: Float[Tensor, "batch frames height width channels"], missing: Missing = None
    ) -> Float[Tensor, "batch frames size size channels"]:
        """Frames as read to the model's size and range: colour by ImageNet's mean and deviation, depth by
        ``focus_depth``. Missing frames are 0 and do not count in the focus.
        """
        gone = None if missing is None else missing[:, :, None, None, None]
        if self.quantity == "depth":
            x = focus_depth(x if gone is None else x.masked_fill(gone, 0.0), self.size)
        else:
            x = _resize(x, self.size)
            mean, std = x.new_tensor(IMAGENET_MEAN), x.new_tensor(IMAGENET_STD)
            x = (x / 255.0 - mean) / std
        return x if gone is None else x.masked_fill(gone, 0.0)

    def missing_tokens(self, missing: Bool[Tensor, "batch frames"]) -> Bool[Tensor, "batch tokens"]:
        """The tokens of which more than half of the frames are missing."""
        return missing_slots(missing, self.slots).repeat_interleave(self.places, 1)

    def signal(
        self, x: Float[Tensor, "batch frames size size channels"]
    ) -> Float[Tensor, "batch frames size size channels"]:
        """As the convolutional stem reads it: the frames themselves."""
        return x

    def patchify(self, x: Float[Tensor, "batch frames size size channels"]) -> Float[Tensor, "batch tokens values"]:
        return patchify_video(x, self.tubelet)

    def unpatchify(self, x: Float[Tensor, "batch tokens values"]) -> Float[Tensor, "batch frames size size channels"]:
        return unpatchify_video(x, (self.frames, self.size, self.size, self.channels), self.tubelet)

    def pixels(
        self, x: Float[Tensor, "batch frames size size channels"]
    ) -> Float[Tensor, "batch frames size size channels"]:
        """Prepared colour back to 0..255, for extractors that bring their own scaling."""
        if self.quantity != "rgb":
            raise ValueError("depth has no colours: frozen image features need an input of quantity 'rgb'")
        mean, std = x.new_tensor(IMAGENET_MEAN), x.new_tensor(IMAGENET_STD)
        return ((x * std + mean) * 255.0).clamp(0.0, 255.0)


def _resize(
    x: Float[Tensor, "batch frames height width channels"], size: int
) -> Float[Tensor, "batch frames size size channels"]:
    """Centre square, area-averaged to ``size``."""
    b, t, h, w, c = x.shape
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    x = x[:, :, top : top + side, left : left + side].permute(0, 1, 4, 2, 3).reshape(b * t, c, side, side)
    mode = "area" if side >= size else "bilinear"
    return F.interpolate(x, (size, size), mode=mode).view(b, t, c, size, size).permute(0, 1, 3, 4, 2)


def focus_depth(
    x: Float[Tensor, "batch frames height width 1"], size: int, margin: float = 0.15, reach_m: float = 1.0
) -> Float[Tensor, "batch frames size size 1"]:
    """One square per window around everything that has a reading, resized; nearness to the body in -1..1.

    A person before an empty background (0 = no reading) fills the square whatever the distance to the camera.
    Value: (median distance - distance) / ``reach_m``, clipped; the background is -1.
    """
    _, t, h, w, _ = x.shape
    x = x[..., 0]
    seen = (x > 0).any(1)  # (b, h, w): over the whole window, so that the square does not move with the person
    out = []
    for clip, spot in zip(x, seen, strict=True):  # the squares differ in size
        rows, columns = spot.any(1).nonzero().flatten(), spot.any(0).nonzero().flatten()
        if len(rows) == 0:
            out.append(clip.new_full((t, size, size), -1.0))
            continue
        side = (1 + 2 * margin) * max(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1).item()
        centre = ((rows[0] + rows[-1]).item() / 2 + 0.5, (columns[0] + columns[-1]).item() / 2 + 0.5)
        theta = clip.new_tensor([[side / w, 0.0, 2 * centre[1] / w - 1], [0.0, side / h, 2 * centre[0] / h - 1]])
        grid = F.affine_grid(theta.expand(t, 2, 3).contiguous(), [t, 1, size, size], align_corners=False)
        near = ((clip[clip > 0].median() - clip) / reach_m).clamp(-0.9, 0.9)
        near = torch.where(clip > 0, near, near.new_tensor(-1.0))
        out.append(F.grid_sample(near[:, None] + 1.0, grid, align_corners=False)[:, 0] - 1.0)  # outside -> -1
    return torch.stack(out)[..., None]


class VideoEncoder(nn.Module):
    """The tubelet transformer of Mu-MAE (its weights fit), or features of a pre-trained image model in its place.

    ``vision`` (``encoders.frozen.load_vision``) gives a vector per frame; those of a slot that are there are averaged.
    Whether it learns too is ``vision.requires_grad_``.
    """

    def __init__(
        self, inputs: Mapping[str, VideoInput], context: Context | Recurrent, dim: int, vision: nn.Module | None = None
    ) -> None:
        super().__init__()
        if len(inputs) != 1:
            raise ValueError(f"a joint space reads one video, given {', '.join(inputs)}")
        ((self.key, self.spec),) = inputs.items()
        spec = self.spec
        self.context, self.vision = context, vision
        if vision is None:
            patch = spec.tubelet[1] if spec.tubelet[1] == spec.tubelet[2] else 0
            self.stem: nn.Module = FrameStem(spec.frames, spec.size, spec.channels, spec.slots, patch, dim, spec.motion)
        else:
            self.stem = nn.Linear(int(vision.dim), dim)  # type: ignore[arg-type]
        tokens = spec.tokens if vision is None else spec.slots
        self.register_buffer("position", sincos(tokens, dim), persistent=False)

    @property
    def spans(self) -> dict[str, slice]:
        """key -> which of the tokens are its own: all; none with features, which hold no pixels to model."""
        return {} if self.vision is not None else {self.key: slice(0, self.spec.tokens)}

    def enter(self, batch: Mapping[str, Tensor], hidden: Bool[Tensor, "batch tokens"] | None = None) -> Entered:
        """Tokens before the context; nothing of ``hidden`` ones is read."""
        spec, gone, position = self.spec, missing_of(batch, self.key, self.spec), self.get_buffer("position")
        slots = gone.view(len(gone), spec.slots, -1).all(2)
        if self.vision is not None:
            features = self.vision(spec.pixels(batch[self.key])).unflatten(1, (spec.slots, -1))  # (b, slots, each, dim)
            lost = batch.get(f"{self.key}.missing")
            there = (
                torch.ones(features.shape[:3], device=gone.device) if lost is None else (~lost).view(features.shape[:3])
            )
            mean = (features * there[..., None]).sum(2) / there.sum(2).clamp(min=1)[..., None]
            tokens = self.stem(mean)
            return Entered(tokens.masked_fill(slots[:, :, None], 0.0), slots, position)
        assert isinstance(self.stem, FrameStem)
        maps = self.stem.maps(batch[self.key], gone if hidden is None else gone | hidden)
        return Entered(self.stem.tokens(maps), gone, position, (self.stem.summary(maps), slots))

    def forward(self, batch: Mapping[str, Tensor]) -> Encoded:
        return self.context(self.enter(batch))
