"""Mu-MAE: one masked autoencoder over video, pose and synchronised wearables (Liu & Liu, arXiv 2408.04243).

Beside the paper: masking (its Fig. 1: tube masks for video, synchronised masks for sensors), one encoder over
the visible tokens of all streams, a decoder per stream, mean squared error on what was hidden
(L = L_video + 0.5 * sum of the sensors'). Then fine-tuning on labelled training classes, and one-shot
classification of new classes by prototypes.

Deviations, each with its reason:
- streams may enter through masked convolutional stems (``stem = "conv"``) in place of linear patches (``"linear"``,
  as published): with hundreds of clips instead of tens of thousands they are worth much;
- pose is a further stream, masked at the same moments as the sensors: it is sampled motion like them;
- sensor tokens are contiguous patches, since the published strided ones turn in-painting into super-resolution;
- amplitude and gravity stay in the input (published: min-max per clip, which loses both);
- a stream may be missing from any window: its tokens are not attended to and earn no loss;
- one modality is embedded by the means of its tokens before and after the encoder, so that every recording has an
  embedding of its own with any subset of modalities (published: attention across the samples of an episode).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.losses.masked import masked_mse
from kinjo.nn.masking import synchronised_masks, tube_mask
from kinjo.nn.stem import ConvStem, FrameStem
from kinjo.nn.tokens import gather_tokens, normalise_tokens, sincos, split_hidden
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
    decoder_dim: int = 96
    decoder_depth: int = 1
    decoder_heads: int = 3
    mask_ratio: float = 0.75
    video_mask_ratio: float = 0.9
    sensor_weight: float = 0.5

    def __post_init__(self) -> None:
        if self.stem not in ("conv", "linear"):
            raise ValueError(f"stem must be conv or linear, given {self.stem!r}")

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
        self.encoder = Transformer(c.dim, c.depth, c.heads, scale=c.layer_scale)
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
            patch = spec.tubelet[1]
            return FrameStem(spec.frames, spec.size, spec.channels, spec.slots, patch, self.config.dim)
        if spec.places > 1:
            return nn.Linear(spec.values, self.config.dim)
        return ConvStem(spec.samples, spec.channels, spec.slots, self.config.dim)

    # ------------------------------------------------------------------------------------------ masking
    def draw_masks(self, batch: int, generator: torch.Generator) -> dict[str, Bool[Tensor, "batch tokens"]]:
        """Tube masks for video; one draw of moments for all sensors and poses with the same number of slots."""
        c = self.config
        masks: dict[str, Tensor] = {}
        by_slots: dict[int, dict[str, int]] = {}
        for key, spec in c.inputs.items():
            if isinstance(spec, VideoInput):
                masks[key] = tube_mask(batch, spec.slots, spec.places, c.video_mask_ratio, generator)
            else:
                by_slots.setdefault(spec.slots, {})[key] = spec.places
        for slots, places in by_slots.items():
            masks |= synchronised_masks(batch, slots, places, c.mask_ratio, generator)
        return masks

    # ------------------------------------------------------------------------------------------ encoder
    def enter_tokens(
        self, key: str, x: Tensor, visible: Int[Tensor, "batch visible"] | None
    ) -> Float[Tensor, "batch visible dim"]:
        """Prepared windows of one stream to its visible tokens, positions added (``None``: all are visible)."""
        spec, enter = self.config.inputs[key], self.enter[key]
        position = sincos(spec.tokens, self.config.dim).to(x.device).expand(len(x), -1, -1)
        if visible is not None:
            position = gather_tokens(position, visible)
        if isinstance(enter, ConvStem | FrameStem):
            hidden = None
            if visible is not None:
                hidden = torch.ones(len(x), spec.tokens, dtype=torch.bool, device=x.device).scatter(1, visible, False)
            tokens = enter(x if isinstance(enter, FrameStem) else spec.signal(x), hidden)
            return (tokens if visible is None else gather_tokens(tokens, visible)) + position
        patches = spec.patchify(x)  # hidden patches do not even reach the embedding
        return enter(patches if visible is None else gather_tokens(patches, visible)) + position

    def encode(
        self, batch: Batch, keys: Iterable[str], visible: Mapping[str, Tensor], missing: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Visible tokens of the streams ``keys``, together through the encoder.

        ``visible[key]`` (b, visible) are indices (not named: all); ``missing[key]`` (b, tokens).
        Returns tokens (b, visible, dim) and which of them are missing (b, visible), by stream.
        """
        tokens, gone = {}, {}
        for key in keys:
            index = visible.get(key)
            tokens[key] = self.enter_tokens(key, batch[key], index)
            gone[key] = missing[key] if index is None else missing[key].gather(1, index)
        mask = torch.cat(list(gone.values()), 1)
        x = torch.cat(list(tokens.values()), 1)
        encoded = self.encoder(x, mask if bool(mask.any()) else None)
        sizes = [t.shape[1] for t in tokens.values()]
        return dict(zip(tokens, encoded.split(sizes, 1), strict=True)), gone

    # ------------------------------------------------------------------------------------------ decoder
    def decode(
        self, key: str, encoded: Tensor, visible: Tensor, hidden: Tensor
    ) -> Float[Tensor, "batch hidden values"]:
        """What stream ``key`` holds in its hidden tokens, from its own visible ones."""
        seen = self.to_decoder(encoded)
        x = torch.cat([seen, self.mask_token.to(seen).expand(len(seen), hidden.shape[1], -1)], 1)
        position = sincos(self.config.inputs[key].tokens, self.config.decoder_dim).to(seen)
        x = x + position[torch.cat([visible, hidden], 1)]  # (b, tokens, dim): visible first, then hidden
        return self.to_values[key](self.decoders[key](x)[:, seen.shape[1] :])

    # ------------------------------------------------------------------------------------------ losses
    def pretrain_loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Float[Tensor, ""]]:
        """Named losses: normalised MSE on the hidden tokens of each stream, weighted as published."""
        missing = self.missing_tokens(batch)
        rows, device = next((len(m), m.device) for m in missing.values())
        masks = self.draw_masks(rows, generator)
        split = {key: split_hidden(masks[key].to(device)) for key in missing}
        encoded, _ = self.encode(batch, missing, {key: visible for key, (visible, _) in split.items()}, missing)
        losses = {}
        for key, (visible, hidden) in split.items():
            spec = self.config.inputs[key]
            predicted = self.decode(key, encoded[key], visible, hidden)
            target = normalise_tokens(gather_tokens(spec.patchify(batch[key]), hidden))
            weight = 1.0 if isinstance(spec, VideoInput) else self.config.sensor_weight
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
            by_slot = gone.view(len(gone), spec.slots, -1).float().mean(2) > 0.5
            missing[key] = by_slot.repeat_interleave(spec.places, 1)
        if not missing:
            raise ValueError(f"the batch holds none of the model's streams {list(self.config.inputs)}: {list(batch)}")
        return missing

    def branches(self, batch: Batch) -> dict[str, dict[str, Float[Tensor, "batch dim"]]]:
        """Per modality two means over its tokens: ``local`` as they enter, ``context`` after the encoder.

        Each modality is encoded alone. Rows from which it is missing are zero.
        """
        missing = self.missing_tokens(batch)
        out: dict[str, dict[str, Tensor]] = {}
        for modality, all_keys in self.config.modalities.items():
            keys = [k for k in all_keys if k in missing]
            if not keys:
                continue
            tokens, gone = self.encode(batch, keys, {}, missing)
            local = torch.cat([self.local_tokens(k, batch[k]) for k in keys], 1)
            gone_local = torch.cat([self.missing_slots(k, gone[k]) for k in keys], 1)
            out[modality] = {
                "local": present_mean(local, gone_local),
                "context": present_mean(torch.cat(list(tokens.values()), 1), torch.cat(list(gone.values()), 1)),
            }
        return out

    def local_tokens(self, key: str, x: Tensor) -> Float[Tensor, "batch slots dim"]:
        """What a stream is before the encoder: its stem's output, or its embedded patches."""
        enter, spec = self.enter[key], self.config.inputs[key]
        if isinstance(enter, FrameStem):
            return enter.summary(x)
        return enter(spec.signal(x)) if isinstance(enter, ConvStem) else enter(spec.patchify(x))

    def missing_slots(self, key: str, missing: Bool[Tensor, "batch tokens"]) -> Bool[Tensor, "batch local"]:
        """The mask that belongs to ``local_tokens``."""
        if isinstance(self.enter[key], FrameStem):
            return missing.view(len(missing), self.config.inputs[key].slots, -1).all(2)
        return missing

    def embed(self, batch: Batch) -> dict[str, Float[Tensor, "batch embedding"]]:
        """One embedding per modality: its branches, each of unit length, side by side. Rows without it are zero."""
        return {
            modality: torch.cat([F.normalize(e.float(), dim=1) for e in parts.values()], 1)
            for modality, parts in self.branches(batch).items()
        }


def present_mean(
    tokens: Float[Tensor, "batch tokens dim"], missing: Bool[Tensor, "batch tokens"]
) -> Float[Tensor, "batch dim"]:
    """Mean over the tokens that are there; zero where none is."""
    present = (~missing)[:, :, None].float()
    return (tokens.float() * present).sum(1) / present.sum(1).clamp(min=1)


class CosineClassifier(nn.Module):
    """A vector per class, modality and branch; logits are scaled cosines, so that prototypes can replace them."""

    def __init__(self, modalities: Iterable[str], dim: int, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weights = nn.ParameterDict(
            {
                f"{m}_{branch}": nn.Parameter(torch.randn(classes, dim, generator=generator))
                for m in modalities
                for branch in ("local", "context")
            }
        )

    def losses(
        self, branches: Mapping[str, Mapping[str, Tensor]], labels: Tensor, scale: float = 12.0, smoothing: float = 0.1
    ) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy of every modality and branch by itself, rows without the modality left out."""
        out = {}
        for modality, parts in branches.items():
            for branch, e in parts.items():
                weight = self.weights[f"{modality}_{branch}"]
                logits = scale * F.normalize(e.float(), dim=1) @ F.normalize(weight, dim=1).T
                each = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
                present = (e.abs().sum(1) > 0).float()
                out[f"classify_{modality}_{branch}"] = (each * present).sum() / present.sum().clamp(min=1)
        return out


class Pretrain(nn.Module):
    """The task of the first stage: a batch to named losses, no labels."""

    def __init__(self, model: MuMAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return self.model.pretrain_loss(batch, generator)


class Finetune(nn.Module):
    """The task of the second stage: every modality by itself tells the training classes apart."""

    def __init__(self, model: MuMAE, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.model = model
        self.classifier = CosineClassifier(model.config.modalities, model.config.dim, classes, generator)

    def forward(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return self.classifier.losses(self.model.branches(batch), batch["label"])


def tiny(inputs: Mapping[str, Input]) -> Config:
    """For demos and tests: seconds on one core."""
    return Config(inputs, dim=64, decoder_dim=48)


def small(inputs: Mapping[str, Input]) -> Config:
    """For two cores."""
    return Config(inputs)


def utd_inputs() -> dict[str, Input]:
    """UTD-MHAD: one inertial unit (its placement withheld), Kinect skeleton and depth at 16 x 32 x 32."""
    return {
        "acc": SensorInput("acc"),
        "gyro": SensorInput("gyro"),
        "pose": PoseInput(),
        "depth": VideoInput("depth", frames=16, size=32, tubelet=(2, 8, 8)),
    }
