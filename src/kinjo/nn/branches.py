"""The unimodal branches of Mu-MAE's released code: a small CNN per sensor and a TimeSformer for video.

``timesformer`` needs the package transformers (``pip install 'kinjo[published]'``), imported when it is called.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kinjo.nn.transformer import Attention, Transformer, initialise


class SensorCNN(nn.Module):
    """Windows of one sensor to a vector: convolution of 3, ReLU, pooling by 2, one linear layer over all that.

    With ``samples=128, axes=3, out=64`` it has the sizes of the released one (3 -> 16 channels, 16 * 63 -> 64). That
    one takes (samples, axes) for (axes, samples) without a permute, which scrambles time and axes; here they are
    permuted. Missing samples are set to zero.
    """

    def __init__(self, samples: int, axes: int, out: int, generator: torch.Generator, *, hidden: int = 16) -> None:
        super().__init__()
        if samples < 4:
            raise ValueError(f"a convolution of 3 and pooling by 2 leave nothing of {samples} samples: give at least 4")
        self.convolution = nn.Conv1d(axes, hidden, 3)
        self.pool = nn.MaxPool1d(2)
        self.out = nn.Linear(hidden * ((samples - 2) // 2), out)
        initialise(self, generator)

    def forward(
        self, x: Float[Tensor, "batch samples axes"], missing: Bool[Tensor, "batch samples"] | None = None
    ) -> Float[Tensor, "batch out"]:
        if missing is not None:
            x = x.masked_fill(missing[:, :, None], 0.0)
        y = self.pool(self.convolution(x.transpose(1, 2)).relu())  # (b, hidden, (samples - 2) // 2)
        return self.out(y.flatten(1))


class TimeSformer(nn.Module):
    """A ``transformers.TimesformerModel`` on kinjo's video windows; its answer is the class token.

    Made by ``timesformer``. ``model`` is the package's own.
    """

    def __init__(self, model: nn.Module, shape: tuple[int, int, int, int], dim: int, heads: int) -> None:
        super().__init__()
        self.model, self.shape, self.dim, self.heads = model, shape, dim, heads

    def forward(self, video: Float[Tensor, "batch frames height width channels"]) -> Float[Tensor, "batch dim"]:
        if tuple(video.shape[1:]) != self.shape:  # the package would take others and mix up frames and places
            raise ValueError(f"this TimeSformer reads windows of {self.shape}, given {tuple(video.shape[1:])}")
        return self.model(pixel_values=video.permute(0, 1, 4, 2, 3)).last_hidden_state[:, 0]


def timesformer(
    frames: int,
    size: int,
    patch: int,
    generator: torch.Generator,
    *,
    channels: int = 3,
    dim: int = 768,
    depth: int = 12,
    heads: int = 12,
    mlp_ratio: float = 4.0,
) -> TimeSformer:
    """TimeSformer with divided space-time attention (Bertasius et al. 2021), random weights, nothing downloaded.

    ``frames`` x ``size`` x ``size`` x ``channels`` in square patches; released: 8, 224, 16 and ViT-B, the defaults.
    The layer after each temporal attention starts at zero, as released, so that loaded image blocks
    (``load_vit_blocks``) are at first undisturbed. Raises ``ImportError`` where transformers is not installed.
    """
    if size % patch or dim % heads:
        raise ValueError(f"size {size} must be a multiple of patch {patch}, and dim {dim} of heads {heads}")
    try:
        from transformers import TimesformerConfig, TimesformerModel
    except ImportError as error:
        message = f"the released video branch needs transformers ({error}): pip install 'kinjo[published]'"
        raise ImportError(message) from error
    config = TimesformerConfig(
        image_size=size,
        patch_size=patch,
        num_channels=channels,
        num_frames=frames,
        hidden_size=dim,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=int(dim * mlp_ratio),
        layer_norm_eps=1e-5,  # that of kinjo's blocks, so that copied ones compute the same
    )
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[]):  # the package draws from the global state: lend it ours
        torch.manual_seed(seed)
        model = TimesformerModel(config)
    for name, x in model.named_parameters():
        if ".temporal_dense." in name:
            nn.init.zeros_(x)
    return TimeSformer(model, (frames, size, size, channels), dim, heads)


_SPATIAL = {
    "norm1": "layernorm_before",
    "attention.qkv": "attention.attention.qkv",
    "attention.out": "attention.output.dense",
    "norm2": "layernorm_after",
    "mlp.0": "intermediate.dense",
    "mlp.2": "output.dense",
}
_TEMPORAL = {
    "norm1": "temporal_layernorm",
    "attention.qkv": "temporal_attention.attention.qkv",
    "attention.out": "temporal_attention.output.dense",
}
"""Names in ``transformer.Block`` -> names in a layer of the package's TimeSformer."""


def load_vit_blocks(timesformer: TimeSformer, transformer: Transformer, *, temporal: bool = False) -> list[str]:
    """Copy the blocks of ``transformer`` into the spatial part of as many layers; the names of what was not loaded.

    Norms, attention and MLP, with LayerScale folded into the layer before it, and the final norm; entrance, class
    token, positions and the temporal part stay as they are. ``temporal=True`` copies norm and attention into the
    temporal part too, as released. Widths, heads and MLPs must be equal, and the blocks no more than the layers;
    ``ValueError`` otherwise.
    """
    given, own = transformer.state_dict(), timesformer.model.state_dict()
    loaded = {f"layernorm.{end}": given[f"norm.{end}"] for end in ("weight", "bias")}
    for i in range(len(transformer.blocks)):
        for names in (_SPATIAL, _TEMPORAL) if temporal else (_SPATIAL,):
            for ours, theirs in names.items():
                scale = given.get(f"blocks.{i}." + {"attention.out": "scale1", "mlp.2": "scale2"}.get(ours, ""))
                for end in ("weight", "bias"):
                    x = given[f"blocks.{i}.{ours}.{end}"]
                    if scale is not None:
                        x = x * (scale[:, None] if x.ndim == 2 else scale)
                    loaded[f"encoder.layer.{i}.{theirs}.{end}"] = x
    heads = {m.heads for m in transformer.modules() if isinstance(m, Attention)} | {timesformer.heads}
    unfit = [name for name, x in loaded.items() if name not in own or own[name].shape != x.shape]
    if unfit or len(heads) > 1:
        what = f"{len(unfit)} weights such as {unfit[0]!r}" if unfit else f"heads {sorted(heads)}"
        raise ValueError(
            f"the blocks do not fit ({what}): build the TimeSformer with their dim, depth, heads, mlp_ratio"
        )
    return list(timesformer.model.load_state_dict(loaded, strict=False).missing_keys)
