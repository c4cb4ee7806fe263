"""Mu-MAE: one masked autoencoder over video, pose and synchronised wearables (Liu & Liu, arXiv 2408.04243).

Beside the paper: masking (its Fig. 1: tube masks for video, synchronised masks for sensors), one encoder over
the visible tokens of all streams, a decoder per stream, mean squared error on what was hidden
(L = L_video + 0.5 * sum of the sensors'). Then fine-tuning on labelled training classes, and one-shot
classification of new classes by prototypes.

Deviations, each with its reason:
- streams may enter through masked convolutional stems (``stem = "conv"``) in place of linear patches (``"linear"``,
  as published): with hundreds of clips instead of tens of thousands they are worth much;
- such a stem may read motion, differences along time, in place of values: bodies and places differ, motion less;
- pose is a further stream, masked at the same moments as the sensors: it is sampled motion like them;
- a stream may be missing from any window: its tokens are not attended to and earn no loss;
- one modality is embedded by the means of its tokens before and after the encoder, so that every recording has an
  embedding of its own with any subset of modalities (published: attention across the samples of an episode, which
  ``methods.oneshot`` has as ``reference``).

As published are ``vit_small`` and ``vit_base`` with ``published_inputs``. The defaults of ``Config`` differ for the
size of the data: contiguous sensor tokens, since strided ones turn in-painting into super-resolution; sensors hide
0.75 of their slots; the decoder is one block deep; branches start small (LayerScale); and amplitude and gravity stay
in the input (published: min-max per clip, which loses both).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.losses.masked import masked_mse
from kinjo.nn.masking import independent_masks, synchronised_masks, tube_mask
from kinjo.nn.stem import ConvStem, FrameStem
from kinjo.nn.tokens import gather_tokens, normalise_tokens, present_mean, sincos, split_hidden
from kinjo.nn.transformer import Transformer, initialise

Batch = Mapping[str, Tensor]
"""Stream key -> prepared windows ``(batch, samples, ...)``; ``key + '.missing'`` -> bool ``(batch, samples)``."""


@dataclass(frozen=True)
class Config:
    """Sizes of a Mu-MAE. ``inputs`` names the streams that it reads, in a fixed order."""

    inputs: Mapping[str, Input] = field(default_factory=dict)
    dim: int = 192
    depth: int = 2
    heads: int = 4
    stem: Literal["conv", "linear"] = "conv"
    layer_scale: float = 0.1
    """Where the encoder's residual branches start; 0 is a plain ViT, without LayerScale."""
    decoder_dim: int = 96
    decoder_depth: int = 1
    decoder_heads: int = 3
    masking: Literal["synchronised", "independent"] = "synchronised"
    """Whether sensors and pose hide the same moments, or each draws its own."""
    mask_ratio: float = 0.75
    video_mask_ratio: float = 0.9
    sensor_weight: float = 0.5

    def __post_init__(self) -> None:
        if self.stem not in ("conv", "linear"):
            raise ValueError(f"stem must be conv or linear, given {self.stem!r}")
        if self.masking not in ("synchronised", "independent"):
            raise ValueError(f"masking must be synchronised or independent, given {self.masking!r}")
        for key, spec in self.inputs.items():
            strided = isinstance(spec, SensorInput) and spec.layout == "strided"
            if self.stem == "conv" and strided:
                raise ValueError(f"input '{key}': strided tokens need stem = 'linear': convolutions run along time")
            if self.stem == "linear" and spec.reads == "motion":
                raise ValueError(f"input '{key}': reads = 'motion' needs stem = 'conv'; linear tokens hold values")
            if isinstance(spec, PoseInput) and spec.reads == "motion" and spec.places > 1:
                raise ValueError(f"input '{key}': reads = 'motion' needs places = 1; body parts enter as linear tokens")
        if self.dim % 16 or self.dim % self.heads or self.decoder_dim % self.decoder_heads or self.decoder_dim % 2:
            raise ValueError(
                f"dim {self.dim} must be a multiple of 16 and of heads {self.heads}; decoder_dim {self.decoder_dim} an "
                f"even multiple of decoder_heads {self.decoder_heads}"
            )

    @property
    def modalities(self) -> dict[str, list[str]]:
        """modality -> its streams, in the order of ``inputs``."""
        out: dict[str, list[str]] = {}
        for key, spec in self.inputs.items():
            out.setdefault(spec.modality, []).append(key)
        return out


class MuMAE(nn.Module):
    """The autoencoder: ``pretrain_loss`` to learn without labels, ``embed`` to use what was learnt."""

    def __init__(self, config: Config, generator: torch.Generator) -> None:
        super().__init__()
        if not config.inputs:
            raise ValueError("Mu-MAE needs at least one input stream")
        self.config = config
        c = config
        # --- encoder: an entrance per stream, fixed positions, one transformer over all visible tokens
        self.enter = nn.ModuleDict({k: self._entrance(s) for k, s in c.inputs.items()})
        self.encoder = Transformer(c.dim, c.depth, c.heads, scale=c.layer_scale or None)
        # --- decoders: one shared projection and mask token, one transformer and one linear head per stream
        self.to_decoder = nn.Linear(c.dim, c.decoder_dim, bias=False)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, c.decoder_dim, generator=generator))
        self.decoders = nn.ModuleDict(
            {k: Transformer(c.decoder_dim, c.decoder_depth, c.decoder_heads) for k in c.inputs}
        )
        self.to_values = nn.ModuleDict({k: nn.Linear(c.decoder_dim, s.values) for k, s in c.inputs.items()})
        initialise(self, generator)

    def _entrance(self, spec: Input) -> nn.Module:
        if self.config.stem == "linear":
            return nn.Linear(spec.values, self.config.dim)
        if isinstance(spec, VideoInput):
            patch = spec.tubelet[1] if spec.tubelet[1] == spec.tubelet[2] else 0
            return FrameStem(spec.frames, spec.size, spec.channels, spec.slots, patch, self.config.dim, spec.motion)
        if spec.places > 1:
            return nn.Linear(spec.values, self.config.dim)
        return ConvStem(spec.samples, spec.channels, spec.slots, self.config.dim, spec.motion)

    # ------------------------------------------------------------------------------------------ masking
    def draw_masks(self, batch: int, generator: torch.Generator) -> dict[str, Bool[Tensor, "batch tokens"]]:
        """Tube masks for video; for sensors and poses with the same number of slots one draw of moments, or each its
        own (``masking = "independent"``).
        """
        c = self.config
        masks: dict[str, Tensor] = {}
        by_slots: dict[int, dict[str, int]] = {}
        for key, spec in c.inputs.items():
            if isinstance(spec, VideoInput):
                masks[key] = tube_mask(batch, spec.slots, spec.places, c.video_mask_ratio, generator)
            else:
                by_slots.setdefault(spec.slots, {})[key] = spec.places
        for slots, places in by_slots.items():
            draw = synchronised_masks if c.masking == "synchronised" else independent_masks
            masks |= draw(batch, slots, places, c.mask_ratio, generator)
        return masks

    # ------------------------------------------------------------------------------------------ encoder
    def enter_visible(
        self, key: str, x: Tensor, visible: Int[Tensor, "batch visible"], missing: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch visible dim"]:
        """Prepared windows of one stream to its visible tokens; nothing of a hidden or missing one is read."""
        spec, enter = self.config.inputs[key], self.enter[key]
        if isinstance(enter, nn.Linear):
            return enter(gather_tokens(spec.patchify(x), visible))
        hidden = torch.ones(len(x), spec.tokens, dtype=torch.bool, device=x.device).scatter(1, visible, False)
        return gather_tokens(enter(spec.signal(x), hidden | missing), visible)

    def enter_whole(
        self, key: str, x: Tensor, missing: Bool[Tensor, "b tokens"]
    ) -> tuple[Float[Tensor, "b tokens dim"], Float[Tensor, "b local dim"]]:
        """All tokens of a stream with nothing hidden, and what it is before the encoder: these tokens, or of video
        whole frames along time, so that where in the picture something happens stays known.
        """
        spec, enter = self.config.inputs[key], self.enter[key]
        if isinstance(enter, FrameStem):
            maps = enter.maps(x, missing)
            return enter.tokens(maps), enter.summary(maps)
        tokens = enter(spec.signal(x), missing) if isinstance(enter, ConvStem) else enter(spec.patchify(x))
        return tokens, tokens

    def encode(
        self, tokens: Mapping[str, Tensor], visible: Mapping[str, Tensor], missing: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Entered tokens of some streams, positions added, together through the encoder.

        ``tokens[key]`` (b, n, dim) and ``missing[key]`` (b, n) hold the same tokens; ``visible[key]`` (b, n) says
        which positions they have (not named: all in order).
        """
        placed = []
        for key, x in tokens.items():
            position = sincos(self.config.inputs[key].tokens, self.config.dim).to(x.device)
            placed.append(x + (position[visible[key]] if key in visible else position))
        mask = torch.cat([missing[key] for key in tokens], 1)
        encoded = self.encoder(torch.cat(placed, 1), mask if bool(mask.any()) else None)
        return dict(zip(tokens, encoded.split([x.shape[1] for x in tokens.values()], 1), strict=True))

    # ------------------------------------------------------------------------------------------ decoder
    def decode(
        self, key: str, encoded: Tensor, visible: Tensor, hidden: Tensor, missing: Tensor
    ) -> Float[Tensor, "batch hidden values"]:
        """What stream ``key`` holds in its hidden tokens, from its own visible ones that are not ``missing``."""
        seen = self.to_decoder(encoded)
        x = torch.cat([seen, self.mask_token.to(seen).expand(len(seen), hidden.shape[1], -1)], 1)
        position = sincos(self.config.inputs[key].tokens, self.config.decoder_dim).to(seen)
        x = x + position[torch.cat([visible, hidden], 1)]  # (b, tokens, dim): visible first, then hidden
        gone = F.pad(missing, (0, hidden.shape[1])) if bool(missing.any()) else None
        return self.to_values[key](self.decoders[key](x, gone)[:, seen.shape[1] :])

    # ------------------------------------------------------------------------------------------ losses
    def pretrain_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Float[Tensor, ""]]:
        """Named losses: normalised MSE on the hidden tokens of each stream, weighted as published."""
        missing = self.missing_tokens(batch)
        rows, device = next((len(m), m.device) for m in missing.values())
        masks = self.draw_masks(rows, generator)
        split = {key: split_hidden(masks[key].to(device)) for key in missing}
        visible = {key: seen for key, (seen, _) in split.items()}
        gone = {key: missing[key].gather(1, seen) for key, seen in visible.items()}
        entered = {key: self.enter_visible(key, batch[key], seen, missing[key]) for key, seen in visible.items()}
        encoded = self.encode(entered, visible, gone)
        losses = {}
        for key, (seen, hidden) in split.items():
            spec = self.config.inputs[key]
            predicted = self.decode(key, encoded[key], seen, hidden, gone[key])
            video = isinstance(spec, VideoInput)
            channels = spec.channels if video else 1  # published: pixels by channel, a sensor's axes together
            target = normalise_tokens(gather_tokens(spec.patchify(batch[key]), hidden), channels=channels)
            weight = 1.0 if video else self.config.sensor_weight
            losses[f"masked_{key}"] = weight * masked_mse(predicted, target, missing[key].gather(1, hidden))
        return losses

    # ------------------------------------------------------------------------------------------ use
    def missing_tokens(self, batch: Batch) -> dict[str, Bool[Tensor, "batch tokens"]]:
        """For the streams that the batch holds: the tokens of which more than half of the samples are missing."""
        missing = {}
        for key, spec in self.config.inputs.items():
            if key not in batch:
                continue
            gone = batch.get(f"{key}.missing")
            if gone is None:
                gone = torch.zeros(batch[key].shape[:2], dtype=torch.bool, device=batch[key].device)
            missing[key] = spec.missing_tokens(gone)
        if not missing:
            raise ValueError(f"the batch holds none of the model's streams {list(self.config.inputs)}: {list(batch)}")
        return missing

    def branches(self, batch: Batch) -> dict[str, dict[str, Float[Tensor, "batch dim"]]]:
        """Per modality two means over its tokens: ``local`` as they enter, ``context`` after the encoder.

        Each modality is encoded alone. Rows from which it is missing are zero.
        """
        missing = self.missing_tokens(batch)
        entered = {key: self.enter_whole(key, batch[key], gone) for key, gone in missing.items()}
        return {
            modality: {name: present_mean(tokens, gone) for name, (tokens, gone) in parts.items()}
            for modality, parts in self.alone(entered, missing).items()
        }

    def alone(
        self, entered: Mapping[str, tuple[Tensor, Tensor]], missing: Mapping[str, Tensor]
    ) -> dict[str, dict[str, tuple[Float[Tensor, "batch tokens dim"], Bool[Tensor, "batch tokens"]]]]:
        """Per modality its tokens before (``local``) and after the encoder (``context``), each with what is missing.

        ``entered`` comes from ``enter_whole``; no modality sees another.
        """
        out = {}
        for modality, all_keys in self.config.modalities.items():
            keys = [k for k in all_keys if k in entered]
            if not keys:
                continue
            context = self.encode({key: entered[key][0] for key in keys}, {}, missing)
            slots = torch.cat([self.missing_slots(key, missing[key]) for key in keys], 1)
            out[modality] = {
                "local": (torch.cat([entered[key][1] for key in keys], 1), slots),
                "context": (torch.cat(list(context.values()), 1), torch.cat([missing[key] for key in keys], 1)),
            }
        return out

    def missing_slots(self, key: str, missing: Bool[Tensor, "batch tokens"]) -> Bool[Tensor, "batch local"]:
        """Which of the tokens before the encoder are missing (see ``enter_whole``)."""
        if isinstance(self.enter[key], FrameStem):
            return missing.view(len(missing), self.config.inputs[key].slots, -1).all(2)
        return missing

    def embed(self, batch: Batch) -> dict[str, Float[Tensor, "batch embedding"]]:
        """One embedding per modality: its branches, each of unit length, side by side. Rows without it are zero."""
        return {
            modality: torch.cat([F.normalize(e.float(), dim=1) for e in parts.values()], 1)
            for modality, parts in self.branches(batch).items()
        }


class Pretrain(nn.Module):
    """The task of the first stage: a batch to named losses, no labels."""

    def __init__(self, model: MuMAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return self.model.pretrain_loss(batch, generator)


# ------------------------------------------------------------------------------------------------ presets
def published_inputs() -> dict[str, Input]:
    """MMAct as published: colour video and four sensors, strided, scaled per clip."""
    sensors = {"acc_phone": ("acc", "pocket"), "acc_watch": ("acc", "wrist"), "gyro": ("gyro", "pocket")}
    sensors["orientation"] = ("orientation", "pocket")
    inputs: dict[str, Input] = {"video": VideoInput("rgb")}
    for key, (quantity, placement) in sensors.items():
        inputs[key] = SensorInput(quantity, placement=placement, layout="strided", scaling="clip")
    return inputs


def vit_small(inputs: Mapping[str, Input] | None = None) -> Config:
    """As published: ViT-S, four decoder blocks of 192, 90 % hidden. Inputs: MMAct's, or others."""
    return Config(
        published_inputs() if inputs is None else inputs, dim=384, depth=12, heads=6, stem="linear", layer_scale=0.0,
        decoder_dim=192, decoder_depth=4, decoder_heads=3, mask_ratio=0.9,
    )  # fmt: skip


def vit_base(inputs: Mapping[str, Input] | None = None) -> Config:
    """As published: ViT-B, four decoder blocks of 384. The rest as ``vit_small``."""
    return replace(vit_small(inputs), dim=768, heads=12, decoder_dim=384, decoder_heads=6)


def vit_utd() -> Config:
    """The published design at a size for two cores: depth of 8 x 64 x 64 in tubelets of 2 x 8 x 8, UTD-MHAD's unit
    and skeleton; linear tokens, so that what is hidden costs the encoder nothing.
    """
    inputs = utd_inputs() | {"depth": VideoInput("depth", frames=8, size=64, tubelet=(2, 8, 8))}
    return Config(inputs, depth=6, stem="linear", layer_scale=0.0, mask_ratio=0.9)


def small(inputs: Mapping[str, Input]) -> Config:
    """For two cores: convolutional stems, two blocks."""
    return Config(inputs)


def tiny(inputs: Mapping[str, Input]) -> Config:
    """For demos and tests: seconds on one core."""
    return Config(inputs, dim=64, decoder_dim=48)


def utd_inputs() -> dict[str, Input]:
    """UTD-MHAD: one inertial unit (its placement withheld), Kinect skeleton and depth at 16 x 32 x 32."""
    return {
        "acc": SensorInput("acc"),
        "gyro": SensorInput("gyro"),
        "pose": PoseInput(),
        "depth": VideoInput("depth", frames=16, size=32, tubelet=(4, 8, 8)),
    }
