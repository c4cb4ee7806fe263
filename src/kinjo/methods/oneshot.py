"""Mu-MAE's second stage: unimodal branches, fusion guided by the autoencoder, heads for one-shot classification.

Beside the paper (Liu & Liu, arXiv 2408.04243, its Fig. 1, and the released code): the autoencoder's representation
of the whole recording is the query, the unimodal representations are keys and values of a cross-attention, and a
few-shot head compares what comes out. Each published part is here beside one that we hold to be right:

- fusion ``late``: none; each modality is compared by itself and the scores are averaged;
- fusion ``inductive``: the query looks over the *tokens* of each branch, with a residual. A recording has an embedding
  of its own, ``fused``, compared beside the modalities;
- fusion ``reference``: as released, attention over the *samples of the episode*: transductive, no residual;
- branches ``pretrained``: the autoencoder itself on one modality alone (what the paper's figure says), with the tokens
  before and after its encoder;
- branches ``released``: what the code uses: a small CNN per sensor and a TimeSformer, not pre-trained.

Training: cosine classification of the training classes by every branch (released: one linear classifier); where the
head or the fusion has weights that only episodes can teach, half of the cross-entropy over episodes is added, as
released.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kinjo.encoders import VideoInput
from kinjo.losses.masked import present_average
from kinjo.methods.mumae import Batch, MuMAE
from kinjo.nn.branches import SensorCNN, load_vit_blocks, timesformer
from kinjo.nn.fusion import EpisodeFusion, TokenFusion
from kinjo.nn.heads import CrossAttention, Head, Matching, Prototypical, Relation, episode_loss
from kinjo.nn.tokens import present_mean

EPISODE_WEIGHT = 0.5
"""Of the cross-entropy over episodes, as released."""
POSITIONS = 4
"""A fused vector is cut into so many positions for the heads that compare maps, as released (192 x 1 x 2 x 2)."""
FUSED = "fused"
SENSOR_DIM = 64
"""Of the small CNN's vector, as released."""


@dataclass(frozen=True)
class OneShotConfig:
    """What the second stage is made of. The first of each is what kinjo recommends."""

    fusion: Literal["late", "inductive", "reference"] = "late"
    branches: Literal["pretrained", "released"] = "pretrained"
    head: Literal["cosine", "euclidean", "matching", "relation", "can"] = "cosine"
    way: int = 5
    queries: int = 1
    """Of an episode in training, each class. One example is given of each."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Of the parts in late fusion; a part that is not named has 1."""

    def __post_init__(self) -> None:
        if self.way < 2 or self.queries < 1:
            raise ValueError(f"way must be at least 2 and queries at least 1: {self}")
        table = isinstance(self.weights, Mapping)
        if not table or not all(isinstance(w, int | float) and w > 0 for w in self.weights.values()):
            raise ValueError(f"weights are positive numbers by part, given {self.weights}")
        if self.fusion == "late" and self.head in ("relation", "can"):
            raise ValueError(f"head {self.head!r} compares fused vectors: it needs fusion = 'inductive' or 'reference'")

    @property
    def episodic(self) -> bool:
        """Whether training draws episodes: there are weights that single recordings cannot teach."""
        return self.fusion == "reference" or self.head in ("relation", "can")

    @property
    def metric(self) -> Literal["cosine", "euclidean"]:
        """How embeddings are compared by the heads that need nothing else."""
        return "euclidean" if self.head == "euclidean" else "cosine"

    @property
    def transductive(self) -> bool:
        """Whether the answer for one query depends on the other samples of its episode."""
        return self.fusion == "reference"


@dataclass(frozen=True)
class Features:
    """Of a batch: vectors by branch, tokens by part with what is missing of them, and the whole's representation.

    ``vectors[part][branch]`` (batch, dim), ``tokens[part]`` (batch, n, dim), ``missing[part]`` (batch, n) and
    ``prior`` (batch, dim), ``None`` with late fusion. A part is a modality, or a stream of the released branches.
    """

    vectors: Mapping[str, Mapping[str, Tensor]]
    tokens: Mapping[str, Tensor]
    missing: Mapping[str, Tensor]
    prior: Tensor | None


def joined(parts: Sequence[Features]) -> Features:
    """The features of several batches as those of one."""
    first = parts[0]
    return Features(
        {p: {b: torch.cat([f.vectors[p][b] for f in parts]) for b in first.vectors[p]} for p in first.vectors},
        {p: torch.cat([f.tokens[p] for f in parts]) for p in first.tokens},
        {p: torch.cat([f.missing[p] for f in parts]) for p in first.missing},
        None if first.prior is None else torch.cat([f.prior for f in parts if f.prior is not None]),
    )


class OneShot(nn.Module):
    """The autoencoder with branches, fusion and head; ``embed`` and ``scores`` are its use."""

    def __init__(self, model: MuMAE, config: OneShotConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.model, self.config = model, config
        dim = model.config.dim
        self.released = nn.ModuleDict(
            {key: released_branch(model, key, generator) for key in model.config.inputs}
            if config.branches == "released"
            else {}
        )
        sizes = dict.fromkeys(model.config.modalities, dim)
        if self.released:
            sizes = {k: dim if isinstance(s, VideoInput) else SENSOR_DIM for k, s in model.config.inputs.items()}
        self.fusion: nn.Module | None = None
        if config.fusion == "inductive":
            self.fusion = TokenFusion(dim, sizes, dim, generator)
        elif config.fusion == "reference":
            self.fusion = EpisodeFusion(dim, sizes, dim, generator, projections=True)
        self.head = make_head(config, dim, generator)
        self.part_dims = sizes

    # ------------------------------------------------------------------------------------------ representation
    def features(self, batch: Batch, hide: Mapping[str, Bool[Tensor, "batch"]] | None = None) -> Features:
        """Everything that can be said of each recording by itself; fusion sees nothing of modalities in ``hide``."""
        model, missing = self.model, self.model.missing_tokens(batch)
        entered = {key: model.enter_whole(key, batch[key], missing[key]) for key in missing}
        if self.released:
            vectors, tokens, gone = self._released(batch, missing)
        else:
            alone = model.alone(entered, missing)
            vectors = {m: {name: present_mean(*x) for name, x in parts.items()} for m, parts in alone.items()}
            tokens = {m: parts["local"][0] for m, parts in alone.items()}
            gone = {m: parts["local"][1] for m, parts in alone.items()}
        if self.fusion is None:
            return Features(vectors, tokens, gone, None)
        if hide is not None:
            modality = {key: spec.modality for key, spec in model.config.inputs.items()}
            gone = {part: g | hide[modality.get(part, part)][:, None] for part, g in gone.items()}
            missing = {key: g | hide[modality[key]][:, None] for key, g in missing.items()}
        together = model.encode({key: tokens for key, (tokens, _) in entered.items()}, {}, missing)
        prior = present_mean(torch.cat(list(together.values()), 1), torch.cat([missing[k] for k in together], 1))
        return Features(vectors, tokens, gone, prior)

    def _released(
        self, batch: Batch, missing: Mapping[str, Tensor]
    ) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor], dict[str, Tensor]]:
        vectors, tokens, gone = {}, {}, {}
        for key, absent in missing.items():
            nothing = absent.all(1)
            vector = self.released[key](batch[key]).masked_fill(nothing[:, None], 0.0)
            vectors[key], tokens[key], gone[key] = {"vector": vector}, vector[:, None], nothing[:, None]
        return vectors, tokens, gone

    def fused(self, features: Features) -> Float[Tensor, "batch dim"]:
        """One embedding of each recording by itself (inductive fusion); zero where all is missing."""
        assert isinstance(self.fusion, TokenFusion)
        assert features.prior is not None
        out = self.fusion(features.prior, features.tokens, features.missing)
        nothing = torch.stack([gone.all(1) for gone in features.missing.values()]).all(0)
        return out.masked_fill(nothing[:, None], 0.0)

    def embed(self, batch: Batch) -> dict[str, Float[Tensor, "batch embedding"]]:
        """One embedding per part, its branches each of unit length side by side; ``fused`` with inductive fusion.

        Rows from which a part is missing are zero. Reference fusion has no embedding but in an episode.
        """
        features = self.features(batch)
        out = {
            part: torch.cat([F.normalize(e.float(), dim=1) for e in branches.values()], 1)
            for part, branches in features.vectors.items()
        }
        if self.config.fusion == "inductive":
            out[FUSED] = F.normalize(self.fused(features).float(), dim=1)
        return out

    # ------------------------------------------------------------------------------------------ episodes
    def scores(
        self, features: Features, support: Int[Tensor, "episodes way shot"], query: Int[Tensor, "episodes queries"]
    ) -> Float[Tensor, "episodes way queries"]:
        """Scores by the head. ``support`` and ``query`` index the rows of ``features``.

        Fused vectors are compared; with late fusion every part is, and the scores are averaged by the weights over the
        parts that both sides have. With reference fusion support and queries of an episode see each other.
        """
        e, way, shot = support.shape
        rows = torch.cat([support.reshape(e, -1), query], 1)  # (e, way * shot + queries)
        if self.config.fusion == "late":
            total = share = torch.zeros(e, way, query.shape[1], device=rows.device)
            for part, branches in features.vectors.items():
                x = torch.cat([F.normalize(v.float(), dim=1) for v in branches.values()], 1)[rows][:, :, None]
                here = ~features.missing[part].all(1)[rows]
                both = here[:, : way * shot].view(e, way, shot).any(2)[:, :, None] & here[:, None, way * shot :]
                score = self.head(x[:, : way * shot].unflatten(1, (way, shot)), x[:, way * shot :])
                weight = self.config.weights.get(part, 1.0) * both
                total, share = total + weight * score, share + weight
            return total / share.clamp(min=1e-9)
        if isinstance(self.fusion, EpisodeFusion):
            assert features.prior is not None
            last = "vector" if self.released else "context"
            parts = {part: v[last][rows] for part, v in features.vectors.items()}
            gone = {part: features.missing[part].all(1)[rows] for part in parts}
            vectors = self.fusion(features.prior[rows], parts, gone)
        else:
            vectors = self.fused(features)[rows]
        maps = vectors.unflatten(2, (self.positions, -1))  # (e, samples, positions, dim / positions)
        return self.head(maps[:, : way * shot].unflatten(1, (way, shot)), maps[:, way * shot :])

    @property
    def positions(self) -> int:
        return POSITIONS if self.config.head == "can" else 1


class ReleasedBranch(nn.Module):
    """A branch of the released code: prepared windows of one stream to a vector."""

    def __init__(self, network: nn.Module, video: bool) -> None:
        super().__init__()
        self.network, self.video = network, video

    def forward(self, x: Tensor) -> Float[Tensor, "batch dim"]:
        return self.network(x if self.video else x.flatten(2))


def released_branch(model: MuMAE, key: str, generator: torch.Generator) -> ReleasedBranch:
    """A TimeSformer of the autoencoder's width and depth, started from its blocks, or the small CNN."""
    spec, c = model.config.inputs[key], model.config
    if isinstance(spec, VideoInput):
        network = timesformer(
            frames=spec.frames, size=spec.size, patch=spec.tubelet[1], channels=spec.channels,
            dim=c.dim, depth=c.depth, heads=c.heads, generator=generator,
        )  # fmt: skip
        load_vit_blocks(network, model.encoder, temporal=True)
        return ReleasedBranch(network, True)
    return ReleasedBranch(SensorCNN(spec.samples, spec.channels, SENSOR_DIM, generator), False)


def make_head(config: OneShotConfig, dim: int, generator: torch.Generator) -> Head:
    """The head of a config, for vectors of ``dim``."""
    if config.head == "matching":
        return Matching()
    if config.head == "relation":
        return Relation(dim, dim, generator)
    if config.head == "can":
        return CrossAttention(POSITIONS, generator)
    return Prototypical(config.head)


class Finetune(nn.Module):
    """The task of the second stage: every branch by itself tells the training classes apart; episodes where needed.

    With ``config.episodic`` a batch is episodes: rows in the order (episode, class, example and queries).
    """

    def __init__(self, model: OneShot, classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.model = model
        for part in (model.model.decoders, model.model.to_values, model.model.to_decoder):
            part.requires_grad_(False)  # DDP refuses weights that earn no gradient
        model.model.mask_token.requires_grad_(False)
        config = model.config
        if config.branches == "released":
            sizes = {f"{part}_vector": dim for part, dim in model.part_dims.items()}
        else:
            sizes = {f"{part}_{b}": dim for part, dim in model.part_dims.items() for b in ("local", "context")}
        if config.fusion == "inductive":
            sizes[FUSED] = model.model.config.dim
        self.classifier = CosineClassifier(sizes, classes, generator)

    def forward(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        how, modalities = self.model.config, list(self.model.model.config.modalities)
        hide = hidden_modalities(modalities, batch["label"], generator) if how.fusion == "inductive" else None
        features = self.model.features(batch, hide)
        named = {f"{part}_{b}": e for part, parts in features.vectors.items() for b, e in parts.items()}
        if how.fusion == "inductive":
            named[FUSED] = self.model.fused(features)
        losses = self.classifier.losses(named, batch["label"])
        if how.episodic:
            rows = torch.arange(len(batch["label"]), device=batch["label"].device).view(-1, how.way, 1 + how.queries)
            query = rows[:, :, 1:].flatten(1)
            target = torch.arange(how.way, device=rows.device).repeat_interleave(how.queries).expand(len(rows), -1)
            scores = self.model.scores(features, rows[:, :, :1], query)
            losses["episodes"] = EPISODE_WEIGHT * episode_loss(scores, target)
        return losses


def hidden_modalities(
    modalities: list[str], labels: Int[Tensor, "batch"], generator: torch.Generator
) -> dict[str, Bool[Tensor, "batch"]]:
    """Each modality hidden from half of the rows, one always left to see: fusion has to serve any subset."""
    hide = torch.rand(len(labels), len(modalities), generator=generator) < 0.5
    keep = torch.randint(len(modalities), (len(labels), 1), generator=generator)
    hide = hide.scatter(1, keep, False).to(labels.device)
    return {m: hide[:, i] for i, m in enumerate(modalities)}


class CosineClassifier(nn.Module):
    """A vector per class and named embedding; logits are scaled cosines, so that prototypes can replace them."""

    def __init__(self, sizes: Mapping[str, int], classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weights = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(classes, dim, generator=generator)) for name, dim in sizes.items()}
        )

    def losses(
        self,
        embeddings: Mapping[str, Float[Tensor, "batch _"]],
        labels: Int[Tensor, "batch"],
        scale: float = 12.0,
        smoothing: float = 0.1,
    ) -> dict[str, Float[Tensor, ""]]:
        """Cross-entropy of every embedding by itself, rows where it is zero (missing) left out."""
        out = {}
        for name, e in embeddings.items():
            logits = scale * F.normalize(e.float(), dim=1) @ F.normalize(self.weights[name], dim=1).T
            each = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="none")
            out[f"classify_{name}"] = present_average(each, e.abs().sum(1) == 0)
        return out
