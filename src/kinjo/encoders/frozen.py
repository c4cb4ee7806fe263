"""Frames to features of a pre-trained image or video model of transformers (CLIP, ViT, SigLIP, VideoMAE, ...).

    vision = load_vision("openai/clip-vit-base-patch32")  # frozen; vision.requires_grad_(True) fine-tunes it
    vision(frames)                                        # (b, t, h, w, 3), values 0..255 -> (b, t, dim)

Resizing, cropping and scaling follow the model's own preprocessor file, in torch: torchvision and Pillow are not
needed. Needs transformers (``pip install 'kinjo[text]'``), imported when it is called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Num
from torch import Tensor, nn

from kinjo.encoders.hub import complete, fetched, quiet

_PREPROCESSORS = ("preprocessor_config.json", "processor_config.json")
_RESAMPLE: dict[int, Literal["nearest", "bilinear", "bicubic"]] = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers, as the preprocessor files use them."""


@dataclass(frozen=True)
class Preprocess:
    """What a model wants done to frames of 0..255: resize, crop the centre, then ``(x * scale - mean) / std``.

    ``edge`` is the length of the shorter side, or (height, width); ``crop`` is (height, width); ``None``: not done.
    """

    edge: int | tuple[int, int] | None
    resample: Literal["nearest", "bilinear", "bicubic"]
    crop: tuple[int, int] | None
    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, frames: Float[Tensor, "n 3 height width"]) -> Float[Tensor, "n 3 high wide"]:
        """Frames that are smaller than the crop are a ``ValueError``."""
        size = self._size(frames.shape[2], frames.shape[3])
        if size != tuple(frames.shape[2:]):
            smooth = self.resample != "nearest"
            frames = F.interpolate(frames, size, mode=self.resample, antialias=smooth)
            frames = frames.clamp(0.0, 255.0)  # bicubic overshoots
        if self.crop is not None:
            top, left = (size[0] - self.crop[0]) // 2, (size[1] - self.crop[1]) // 2
            if min(top, left) < 0:
                raise ValueError(f"the model crops {self.crop} of frames of {size}: give larger frames")
            frames = frames[:, :, top : top + self.crop[0], left : left + self.crop[1]]
        mean, std = (frames.new_tensor(x)[:, None, None] for x in (self.mean, self.std))
        return (frames * self.scale - mean) / std

    def _size(self, height: int, width: int) -> tuple[int, int]:
        if self.edge is None:
            return height, width
        if isinstance(self.edge, tuple):
            return self.edge
        long = int(self.edge * max(height, width) / min(height, width))
        return (self.edge, long) if height <= width else (long, self.edge)


class VisionEncoder(nn.Module):
    """Features per frame. Made by ``load_vision``, frozen; ``requires_grad_(True)`` is the switch for fine-tuning.

    ``clip`` is how many frames the model reads as one (VideoMAE: 16), 1 for image models. ``chunk`` is how many
    frames go through it at a time. While no weight learns, ``train()`` leaves it in evaluation.
    """

    def __init__(self, name: str, tower: nn.Module, preprocess: Preprocess, *, clip: int = 1, chunk: int = 64) -> None:
        super().__init__()
        self.name, self.tower, self.preprocess, self.clip, self.chunk = name, tower, preprocess, clip, chunk
        self.requires_grad_(False).eval()
        side = preprocess.crop or preprocess.edge or (224, 224)
        height, width = (side, side) if isinstance(side, int) else side
        with torch.inference_mode():
            self.dim = self(torch.zeros(1, clip, height, width, 3)).shape[-1]

    def train(self, mode: bool = True) -> VisionEncoder:
        super().train(mode and any(p.requires_grad for p in self.parameters()))
        return self

    def forward(self, frames: Num[Tensor, "batch frames *image"]) -> Float[Tensor, "batch frames dim"]:
        """Frames (b, t, height, width, 3) in colour, 0..255, to features, not normalised to unit length.

        Depth is refused: how metres become grey values is the caller's to say. ``ValueError`` too where a video
        model's clip does not divide the frames.
        """
        if frames.ndim != 5 or frames.shape[4] != 3:
            raise ValueError(
                f"frames: expected (batch, time, height, width, 3) of 0..255, given {tuple(frames.shape)}. To read "
                "depth, scale it to 0..255 (such as 255 * (1 - metres / 4), clipped) and repeat it to three channels"
            )
        if frames.shape[1] % self.clip:
            raise ValueError(f"{self.name} reads clips of {self.clip} frames: {frames.shape[1]} is no multiple of that")
        b, t = frames.shape[:2]
        clips = frames.reshape(b * t // self.clip, self.clip, *frames.shape[2:])
        step = max(self.chunk // self.clip, 1)
        return torch.cat([self._features(part) for part in clips.split(step)]).view(b, t, -1)

    def _features(self, clips: Num[Tensor, "clips clip height width 3"]) -> Float[Tensor, "frames dim"]:
        dtype = next(self.tower.parameters()).dtype
        x = self.preprocess(clips.flatten(0, 1).permute(0, 3, 1, 2).float()).to(dtype)
        if self.clip == 1:
            return _pooled(self.tower(pixel_values=x)).float()
        states = self.tower(pixel_values=x.unflatten(0, (-1, self.clip))).last_hidden_state
        slots = self.clip // self.tower.config.tubelet_size  # type: ignore[union-attr]
        means = states.unflatten(1, (slots, -1)).mean(2)  # (clips, slots, dim)
        return means.repeat_interleave(self.clip // slots, 1).flatten(0, 1).float()


def _pooled(out: Any) -> Tensor:
    """One vector per image: the joint embedding (CLIP), else the model's pooling, else its class token."""
    if (x := out.get("image_embeds")) is None and (x := out.get("pooler_output")) is None:
        x = out["last_hidden_state"][:, 0]
    return x.flatten(1)


def load_vision(name: str) -> VisionEncoder:
    """A frozen model and its preprocessing, from a folder, from earlier downloads, or from the hub.

    CLIP gives its projected embedding, VideoMAE the mean over the places of each tubelet (twice: for both of its
    frames), any other the pooled output, or the class token where its files hold no pooler. Raises ``ImportError``
    where transformers is missing, ``ValueError`` where there is no such model or it cannot be used so.
    """
    try:
        from transformers import AutoConfig, AutoModel, CLIPVisionModelWithProjection
    except ImportError as error:
        raise ImportError(f"image features need transformers ({error}): pip install 'kinjo[text]'") from error
    with quiet(reports=True):  # files may hold more than the vision tower
        config = fetched(lambda local: AutoConfig.from_pretrained(name, local_files_only=local), name)
        kind = CLIPVisionModelWithProjection if config.model_type in ("clip", "clip_vision_model") else AutoModel
        loaded = fetched(
            lambda local: kind.from_pretrained(
                name, local_files_only=local, output_loading_info=True, dtype=torch.float32
            ),
            name,
        )
        preprocess = read_preprocess(fetched(lambda local: _preprocessor_file(name, local), name), name)
    model, missing = complete(loaded, name, without="pooler.")
    if missing:  # image classifiers come without; a random one would be put there
        model.pooler = None
    tower = getattr(model, "vision_model", model) if hasattr(config, "vision_config") and kind is AutoModel else model
    clip = config.num_frames if config.model_type == "videomae" else 1
    try:
        return VisionEncoder(name, tower, preprocess, clip=clip)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"{name}: a '{config.model_type}' gives no features of images ({error})") from error


def _preprocessor_file(name: str, local: bool) -> Mapping[str, Any]:
    from transformers.utils.hub import cached_file

    for file in _PREPROCESSORS:
        path = cached_file(name, file, local_files_only=local, _raise_exceptions_for_missing_entries=False)
        if path is not None:
            given = json.loads(Path(path).read_text("utf-8"))
            return given.get("image_processor", given)
    raise OSError(f"there is no {_PREPROCESSORS[0]}, which says how frames are scaled")


def read_preprocess(given: Mapping[str, Any], name: str) -> Preprocess:
    """The contents of a ``preprocessor_config.json``; ``ValueError`` for steps that are not known here."""
    size, crop = given.get("size"), given.get("crop_size", given.get("size"))
    crops = bool(given.get("do_center_crop", "crop_size" in given))
    resample = given.get("resample", 2)
    normal = given.get("do_normalize", True)
    mean, std = (given.get(key) for key in ("image_mean", "image_std"))
    sides = set(size) if isinstance(size, dict) else set()
    plain = isinstance(size, int | dict | None) and sides in (set(), {"shortest_edge"}, {"height", "width"})
    if not plain or given.get("crop_pct") or resample not in _RESAMPLE:
        raise ValueError(f"{name}: cannot prepare frames as {dict(given)}: give a model with a plain resize and crop")
    if normal and not (isinstance(mean, list) and isinstance(std, list) and len(mean) == len(std) == 3):
        raise ValueError(f"{name}: its preprocessor names no image_mean and image_std of three channels")
    edge: int | tuple[int, int] | None = None
    if size is not None and given.get("do_resize", True):
        edge = _pair(size)
        if "shortest_edge" in sides or (crops and not sides):
            edge = edge[0]
    return Preprocess(
        edge=edge,
        resample=_RESAMPLE[resample],
        crop=_pair(crop) if crops and crop is not None else None,
        scale=float(given.get("rescale_factor", 1 / 255)) if given.get("do_rescale", True) else 1.0,
        mean=tuple(mean) if normal and mean else (0.0, 0.0, 0.0),
        std=tuple(std) if normal and std else (1.0, 1.0, 1.0),
    )


def _pair(size: int | Mapping[str, int]) -> tuple[int, int]:
    """(height, width) of ``224``, ``{"height": ..., "width": ...}`` or ``{"shortest_edge": ...}``."""
    if isinstance(size, int):
        return size, size
    square = size.get("shortest_edge", 0)
    return size.get("height", square), size.get("width", square)
