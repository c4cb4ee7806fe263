"""MuJo: video, language, pose and wearable sensors in one joint space (Fritsch et al., PerCom 2025, arXiv 2406.03857).

Beside the paper: an encoder and a projection for each modality, aligned by contrastive learning over every pair of
modalities, with further tasks beside it (its first version compares strategies of multitask learning); then a
classifier on the encoders, frozen or trainable, with few labels. What the paper does not say is chosen here and named:

- a pair's loss counts the recordings that have both, so that every recording teaches what it has;
- recordings that show the same (one activity, by labels or captions where they may be read; synonymous sentences; two
  views of one recording) are positives in part, no negatives;
- objectives (``Objective.weights``): ``contrast`` over pairs, ``words`` (contrast with a sentence of every class that
  there is: a batch alone has those of one data set), ``views`` (two views of one modality), ``supervised`` (contrast by
  class), ``classify``, ``reconstruct`` (the sensors' signal from their vector of the joint space), ``regress`` (of the
  sensors from the pose: magnitudes, since no pose tells how a sensor was mounted) and ``masked`` (as in Mu-MAE: hidden
  tokens from visible ones);
- weights are fixed, learnt by uncertainty, or gradients are freed of conflict (PCGrad); objectives are joint,
  alternating or staged (``losses.multitask``);
- modality dropout hides whole modalities of a row from all objectives but one's own.

Sentences come as rows of a bank (``Sentences``): embedded once by a frozen text model, or, with ``train_text``, by the
text model in every batch. Mu-MAE's weights may start the encoders (``mujo_weights``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from kinjo.encoders import ImuEncoder, Input, PoseEncoder, VideoEncoder
from kinjo.losses import contrastive, multitask
from kinjo.losses.masked import masked_mse
from kinjo.methods.classify import Classifier, mixed
from kinjo.nn.context import Context, Encoded, Recurrent
from kinjo.nn.masking import dropped, random_mask
from kinjo.nn.places import Places
from kinjo.nn.processes import gathered
from kinjo.nn.tokens import gather_tokens, normalise_tokens, sincos, split_hidden
from kinjo.nn.transformer import Transformer, initialise

Batch = Mapping[str, Tensor]
"""Input key -> prepared windows (batch, samples, ...), ``key.missing`` -> bool (batch, samples); ``text`` (batch,): row
of a bank of sentences, -1 none; ``label`` (batch,): class, -1 not known; ``group`` (1,): the batch's data set; ``same``
(batch,): rows of an equal number show the same."""

OBJECTIVES = ("contrast", "words", "views", "supervised", "classify", "reconstruct", "regress", "masked")


@dataclass(frozen=True)
class Config:
    """Sizes of a MuJo. ``inputs`` names the streams that it reads, in a fixed order."""

    inputs: Mapping[str, Input] = field(default_factory=dict)
    dim: int = 192
    depth: int = 2
    heads: int = 4
    layer_scale: float = 0.1
    joint_dim: int = 256
    imu: Literal["transformer", "recurrent"] = "transformer"
    """``recurrent``: convolutions and a GRU, as in IMU2CLIP."""
    text: str = "minilm"
    """The sentence encoder (``encoders.text.load``)."""
    text_dim: int = 384
    vision: str = ""
    """A pre-trained image model (``encoders.frozen.load_vision``) in place of the tubelet transformer."""
    train_text: bool = False
    train_vision: bool = False
    placed: bool = True
    """False: no token says where on the body it is from."""

    def __post_init__(self) -> None:
        if self.dim % 16 or self.dim % self.heads or self.joint_dim < 2:
            raise ValueError(f"dim {self.dim} must be a multiple of 16 and of heads {self.heads}; joint_dim at least 2")

    def of(self, modality: str) -> dict[str, Input]:
        """The inputs of one modality."""
        return {key: spec for key, spec in self.inputs.items() if spec.modality == modality}

    @property
    def modalities(self) -> dict[str, list[str]]:
        """modality -> its streams, in the order of ``inputs``; ``text`` is not among them."""
        out: dict[str, list[str]] = {}
        for key, spec in self.inputs.items():
            out.setdefault(spec.modality, []).append(key)
        return out


@dataclass(frozen=True)
class Objective:
    """What pre-training asks for. A weight of 0, or none, leaves an objective out."""

    weights: Mapping[str, float] = field(default_factory=lambda: {"contrast": 1.0})
    weighting: Literal["fixed", "uncertainty", "pcgrad"] = "fixed"
    schedule: Literal["joint", "alternating", "staged"] = "joint"
    temperature: float = 0.1
    """Where the learnt one starts."""
    synonyms: float = 0.8
    """Sentences of at least this cosine say the same; 1 or more: only equal ones do."""
    drop: float = 0.2
    """Modality dropout: the share of rows from which a modality is hidden; one is always left."""
    hide_placement: float = 0.2
    """The share of batches in which placements are read as if never seen."""
    mask_ratio: float = 0.6
    within: bool = False
    """Classes (``classify``, ``words``) compete within their data set alone: else telling data sets apart pays."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(OBJECTIVES))
        if unknown or not any(w > 0 for w in self.weights.values()) or any(w < 0 for w in self.weights.values()):
            raise ValueError(f"weights: known are {', '.join(OBJECTIVES)}, at least one above 0; given {self.weights}")
        if not (self.temperature >= 0.01 and 0 <= self.drop < 1 and 0 <= self.hide_placement <= 1):
            raise ValueError(f"temperature must be 0.01 or more, drop and hide_placement shares below 1: {self}")
        if not (0 < self.mask_ratio < 1 and self.synonyms > 0):
            raise ValueError(f"mask_ratio must lie between 0 and 1, synonyms above 0: {self}")

    def wants(self, name: str) -> bool:
        """Whether an objective has a weight."""
        return self.weights.get(name, 0.0) > 0


class MuJo(nn.Module):
    """The encoders and their projections: ``encode`` to tokens, ``embed`` into the joint space."""

    def __init__(self, config: Config, generator: torch.Generator) -> None:
        super().__init__()
        if not config.inputs:
            raise ValueError("MuJo needs at least one input stream")
        self.config = config
        self.places = Places(config.dim, generator, told=config.placed)
        self.encoders = nn.ModuleDict({m: self._encoder(m) for m in config.modalities})
        self.sizes = {m: int(self.encoders[m].context.size) for m in config.modalities}  # type: ignore[union-attr,arg-type]
        ends = self.sizes | {"text": config.text_dim}
        self.project = nn.ModuleDict({m: projection(size, config.joint_dim) for m, size in ends.items()})
        for part in (*self.encoders.values(), self):
            for name, child in part.named_children():
                if name not in ("vision", "encoders"):  # a pre-trained model keeps its weights
                    initialise(child, generator)
        self.words = None
        if config.train_text:
            from kinjo.encoders import text

            self.words = text.load(config.text).requires_grad_(True)

    def _encoder(self, modality: str) -> nn.Module:
        c, inputs = self.config, self.config.of(modality)
        recurrent = modality == "imu" and c.imu == "recurrent"
        context = Recurrent(c.dim) if recurrent else Context(c.dim, c.depth, c.heads, c.layer_scale)
        if modality == "imu":
            return ImuEncoder(inputs, self.places, context, c.dim)  # type: ignore[arg-type]
        if modality == "pose":
            return PoseEncoder(inputs, self.places, context, c.dim)  # type: ignore[arg-type]
        vision = None
        if c.vision:
            from kinjo.encoders.frozen import load_vision

            vision = load_vision(c.vision).requires_grad_(c.train_vision)
        return VideoEncoder(inputs, context, c.dim, vision)  # type: ignore[arg-type]

    def encode(self, batch: Batch, *, placed: bool = True) -> dict[str, Encoded]:
        """Every modality of which the batch has an input, each by itself. ``placed`` False withholds placements."""
        out = {}
        for modality, encoder in self.encoders.items():
            if any(key in batch for key in self.config.of(modality)):
                out[modality] = encoder(batch, placed=placed) if modality == "imu" else encoder(batch)
        if not out:
            raise ValueError(f"the batch holds none of the model's streams {list(self.config.inputs)}: {list(batch)}")
        return out

    def embed(self, batch: Batch) -> dict[str, Float[Tensor, "batch joint"]]:
        """modality -> vectors of unit length in the joint space; rows without the modality are zero."""
        return {m: self.joint(m, e.embedding, e.missing.all(1)) for m, e in self.encode(batch).items()}

    def joint(
        self, modality: str, embedding: Float[Tensor, "batch size"], missing: Bool[Tensor, "batch"]
    ) -> Float[Tensor, "batch joint"]:
        """An encoder's embeddings (or sentences': modality ``text``) in the joint space."""
        with torch.autocast(embedding.device.type, enabled=False):
            z = F.normalize(self.project[modality](embedding.float()), dim=1)
        return z.masked_fill(missing[:, None], 0.0)


def projection(size: int, joint_dim: int) -> nn.Sequential:
    """From an embedding into the joint space: a linear layer, GELU, a linear layer."""
    return nn.Sequential(nn.Linear(size, joint_dim), nn.GELU(), nn.Linear(joint_dim, joint_dim))


# ------------------------------------------------------------------------------------------------ pre-training
class Sentences(nn.Module):
    """A bank of sentences. Of rows (batch,) it gives the text model's vectors; row -1 is no sentence."""

    def __init__(self, model: MuJo, sentences: Sequence[str]) -> None:
        super().__init__()
        from kinjo.encoders import text

        encoder = model.words or text.load(model.config.text)
        self.live = model.words is not None
        if encoder.dim != model.config.text_dim:
            raise ValueError(f"text model '{encoder.name}' gives {encoder.dim} numbers: set text_dim = {encoder.dim}")
        if self.live:
            for name, x in encoder.tokens(sentences).items():
                self.register_buffer(f"token_{name}", x, persistent=False)
        vectors = torch.from_numpy(text.cached(encoder, sentences))
        self.register_buffer("vectors", vectors, persistent=False)

    def forward(self, model: MuJo, rows: Int[Tensor, "batch"]) -> Float[Tensor, "batch text"]:
        at = rows.clamp(min=0)
        if not self.live:
            return self.get_buffer("vectors")[at]
        unique, back = at.unique(return_inverse=True)
        tokens = {n.removeprefix("token_"): x[unique] for n, x in self.named_buffers() if n.startswith("token_")}
        assert model.words is not None
        return model.words(tokens)[back]

    def alike(self, rows: Int[Tensor, "batch"]) -> Float[Tensor, "batch all"]:
        """Cosines of the sentences of rows with those of all processes' rows, by the text model as it was; 0 with rows
        that have none.
        """
        others = gathered(rows)
        a, b = (self.get_buffer("vectors")[r.clamp(min=0)].masked_fill((r < 0)[:, None], 0.0) for r in (rows, others))
        equal = (rows[:, None] == others[None]) & (rows >= 0)[:, None]
        return (a @ b.T).masked_fill(equal, 1.0)


class Pretrain(nn.Module):
    """The task of pre-training: a batch to named, weighted losses.

    ``classes`` is needed for the objective ``classify``, ``sentences`` for batches with ``text``; ``said``, the rows of
    each class' sentences (none: a class without words), for ``words``; ``rivals``, the classes of each data set, for
    ``Objective.within``. With the objective ``views`` the second half of a batch holds other views of its first half,
    row by row.
    """

    def __init__(
        self,
        model: MuJo,
        objective: Objective,
        generator: torch.Generator,
        *,
        sentences: Sentences | None = None,
        classes: int = 0,
        said: Sequence[Sequence[int]] = (),
        rivals: Sequence[Collection[int]] = (),
    ) -> None:
        super().__init__()
        self.model, self.objective, self.sentences = model, objective, sentences
        wants, c = objective.wants, model.config
        if wants("classify") and not classes:
            raise ValueError("the objective 'classify' needs labelled windows")
        if wants("words") and (sentences is None or not any(said)):
            raise ValueError("the objective 'words' needs labelled windows of data sets with sentences")
        self.said = [torch.tensor(list(rows), dtype=torch.long) for rows in said]
        self.register_buffer("rivals", torch.zeros(len(rivals), classes, dtype=torch.bool), persistent=False)
        for group, members in enumerate(rivals):
            self.get_buffer("rivals")[group, list(members)] = True
        imu, pose = c.of("imu"), c.of("pose")
        lacks = [n for n, needs in (("reconstruct", [imu]), ("regress", [imu, pose])) if wants(n) and not all(needs)]
        if lacks:
            raise ValueError(f"objective {lacks[0]} needs inputs of IMU{' and pose' if lacks[0] == 'regress' else ''}")
        self.log_scale = nn.Parameter(torch.tensor(1.0 / objective.temperature).log())
        heads: dict[str, nn.Module] = {}
        if wants("reconstruct"):
            heads |= {f"reconstruct_{k}": nn.Linear(c.joint_dim, s.slots * s.values) for k, s in imu.items()}
        if wants("regress"):
            heads |= {f"regress_{k}": nn.Linear(c.dim, s.samples // s.slots) for k, s in imu.items()}
        self.heads = nn.ModuleDict(heads)
        self.masked = MaskedModel(model) if wants("masked") else None
        initialise(self.heads, generator)
        if self.masked is not None:
            initialise(self.masked, generator)
        self.classifier = Classifier(model.sizes, c.dim, classes, generator) if wants("classify") else None
        self.weigh = multitask.Uncertainty(list(objective.weights)) if objective.weighting == "uncertainty" else None
        self.active: set[str] | None = None
        self.gradients = self._surgery if objective.weighting == "pcgrad" else None

    def _surgery(self, losses: Mapping[str, Tensor], generator: torch.Generator, backward: Any) -> None:
        """PCGrad over the named losses, in place of the backward pass of their sum."""
        multitask.pcgrad_backward(losses, [p for p in self.parameters() if p.requires_grad], generator, backward)

    def at(self, step: int, steps: int) -> None:
        """Which objectives this step trains, by the schedule."""
        names = [n for n in OBJECTIVES if self.objective.wants(n)]
        lead = tuple(n for n in ("contrast", "views") if n in names) or (names[0],)
        self.active = multitask.active(self.objective.schedule, names, step, steps, lead=lead)

    def forward(self, batch: Batch, generator: torch.Generator) -> dict[str, Float[Tensor, ""]]:
        """``contrast_imu_pose`` and the like, each with its objective's weight (and the learnt one's)."""
        named = self.losses(batch, generator)
        if not named:  # of a source without what this step trains
            return {"nothing": 0.0 * self.log_scale}
        weights = {name: self.objective.weights[name.split("_")[0]] for name in named}
        return self.weigh(multitask.weighted(named, weights)) if self.weigh else multitask.weighted(named, weights)

    def losses(self, batch: Batch, generator: torch.Generator) -> dict[str, Float[Tensor, ""]]:
        """The named losses before any weight."""
        how, model = self.objective, self.model
        on = {n for n in OBJECTIVES if how.wants(n) and (self.active is None or n in self.active)}
        placed = not bool(torch.rand((), generator=generator) < how.hide_placement)
        encoded = model.encode(batch, placed=placed)
        gone = {m: e.missing.all(1) for m, e in encoded.items()}
        joint = {m: model.joint(m, e.embedding, gone[m]) for m, e in encoded.items()}
        hide = dropped(gone, how.drop, generator)
        with torch.no_grad():
            self.log_scale.clamp_(max=4.6)  # at most 100, as CLIP has it
        scale = self.log_scale.exp()
        rows, label = batch.get("text"), batch.get("label")
        if rows is not None and self.sentences is not None:
            gone["text"] = hide["text"] = rows < 0
            joint["text"] = model.joint("text", self.sentences(model, rows), gone["text"])
        rivals = self.get_buffer("rivals")[batch["group"][0]] if how.within and "group" in batch else None
        out: dict[str, Tensor] = {}
        if "contrast" in on and len(joint) > 1:
            out |= contrastive.pairwise(joint, hide, scale, targets=self._same(batch, rows))
        if "words" in on and label is not None:
            out |= self._words({m: joint[m] for m in encoded}, gone, label, scale, generator, rivals)
        if "views" in on:
            alike = batch.get("same")
            out |= {f"views_{m}": contrastive.between_views(joint[m], gone[m], scale, alike) for m in encoded}
        if "supervised" in on and label is not None:
            pool = {m: joint[m] for m in encoded}
            out["supervised"] = contrastive.supervised_over(pool, label, scale, {m: hide[m] for m in encoded})
        if "classify" in on and self.classifier is not None and label is not None:
            out |= self.classifier.losses(encoded, label, rivals)
        if "reconstruct" in on and "imu" in joint:
            out |= self._reconstruct(batch, joint["imu"])
        if "regress" in on and "pose" in encoded:
            out |= self._regress(batch, encoded["pose"])
        if "masked" in on and self.masked is not None:
            out |= self.masked(batch, how.mask_ratio, generator)
        return out

    def _words(
        self, joint: Mapping[str, Float[Tensor, "batch joint"]], gone: Mapping[str, Bool[Tensor, "batch"]],
        label: Int[Tensor, "batch"], scale: Float[Tensor, ""], generator: torch.Generator,
        rivals: Bool[Tensor, "classes"] | None,
    ) -> dict[str, Tensor]:  # fmt: skip
        """Which of all classes' sentences, one drawn of each, is true of a window."""
        assert self.sentences is not None
        draw = zip(self.said, torch.rand(len(self.said), generator=generator).tolist(), strict=True)
        picked = [int(r[int(u * len(r))]) if len(r) else -1 for r, u in draw]
        rows = torch.tensor(picked, device=label.device)
        said = self.model.joint("text", self.sentences(self.model, rows), rows < 0)
        known, out = rows >= 0 if rivals is None else (rows >= 0) & rivals, {}
        for m, z in joint.items():
            asked = ~gone[m] & (label >= 0) & (rows[label.clamp(min=0)] >= 0)
            if bool(asked.any()):
                out[f"words_{m}"] = contrastive.one_of(z[asked], said, label[asked], known, scale)
        return out

    def _same(self, batch: Batch, rows: Tensor | None) -> Float[Tensor, "batch batch"] | None:
        """Soft targets: which rows show the same, as ``batch['same']`` has it or as their sentences say."""
        same = batch.get("same", rows)
        alike = None if rows is None or self.sentences is None else self.sentences.alike(rows)
        return None if same is None else contrastive.soft_targets(same, alike, min(self.objective.synonyms, 1.0))

    def _reconstruct(self, batch: Batch, joint: Float[Tensor, "batch joint"]) -> dict[str, Tensor]:
        out = {}
        for key in (key for key in self.model.config.of("imu") if key in batch):
            signal = self.heads[f"reconstruct_{key}"](joint).view_as(batch[key])
            out[f"reconstruct_{key}"] = masked_mse(signal, batch[key], missing_samples(batch, key))
        return out

    def _regress(self, batch: Batch, pose: Encoded) -> dict[str, Tensor]:
        out, places = {}, next(iter(self.model.config.of("pose").values())).places
        for key, spec in ((k, s) for k, s in self.model.config.of("imu").items() if k in batch):
            there = (~pose.missing).float().view(len(pose.tokens), -1, places)[..., None]
            body = (pose.tokens.unflatten(1, (-1, places)) * there).sum(2) / there.sum(2).clamp(min=1)
            body = F.interpolate(body.transpose(1, 2), spec.slots, mode="linear").transpose(1, 2)  # (b, slots, dim)
            size = self.heads[f"regress_{key}"](body).flatten(1)[:, :, None]  # (b, samples, 1): how much, not whither
            true = batch[key].norm(dim=2, keepdim=True)
            gone = missing_samples(batch, key) | pose.missing.all(1)[:, None]
            out[f"regress_{key}"] = masked_mse(size, true, gone)
        return out


def missing_samples(batch: Batch, key: str) -> Bool[Tensor, "batch samples"]:
    """``key.missing``, or nothing."""
    gone = batch.get(f"{key}.missing")
    return torch.zeros(batch[key].shape[:2], dtype=torch.bool, device=batch[key].device) if gone is None else gone


class MaskedModel(nn.Module):
    """Masked modelling of each modality by itself: hidden tokens out of the encoder, a small decoder."""

    def __init__(self, model: MuJo, dim: int = 96, heads: int = 3) -> None:
        super().__init__()
        self.shared = (model,)  # in a tuple: its weights are registered elsewhere
        inputs = {k: s for k, s in model.config.inputs.items() if k in self._spans(model)}
        if any(model.config.imu == "recurrent" and s.modality == "imu" for s in inputs.values()):
            raise ValueError("the objective 'masked' needs imu = 'transformer': a recurrence reads every token")
        self.enter = nn.Linear(model.config.dim, dim, bias=False)
        self.hidden = nn.Parameter(torch.zeros(1, 1, dim))
        self.decoder = Transformer(dim, 1, heads)
        self.values = nn.ModuleDict({key: nn.Linear(dim, spec.values) for key, spec in inputs.items()})

    @staticmethod
    def _spans(model: MuJo) -> dict[str, slice]:
        return {key: span for encoder in model.encoders.values() for key, span in encoder.spans.items()}  # type: ignore[union-attr]

    def forward(self, batch: Batch, ratio: float, generator: torch.Generator) -> dict[str, Float[Tensor, ""]]:
        (model,), out = self.shared, {}
        for modality, encoder in model.encoders.items():
            keys = [key for key in encoder.spans if key in batch]  # type: ignore[union-attr]
            if not keys:
                continue
            slots = model.config.inputs[keys[0]].slots
            mask = random_mask(len(batch[keys[0]]), slots, ratio, generator).to(batch[keys[0]].device)
            where = self._where(encoder, batch)
            out |= self._modality(encoder, batch, keys, self._spread(mask, modality, len(where)), where)
        return out

    @staticmethod
    def _where(encoder: nn.Module, batch: Batch) -> Int[Tensor, "tokens"]:
        """Which of an encoder's tokens it reads of a batch: of sensors, those of the units that are there."""
        if not isinstance(encoder, ImuEncoder):
            return torch.arange(max(span.stop for span in encoder.spans.values()))  # type: ignore[union-attr]
        units = [encoder.units[unit][0] for unit in encoder.there(batch)]
        return torch.cat([torch.arange(encoder.spans[key].start, encoder.spans[key].stop) for key in units])

    def _spread(self, mask: Bool[Tensor, "batch slots"], modality: str, total: int) -> Bool[Tensor, "batch tokens"]:
        """Moments to tokens: sensors lie unit after unit, the rest slot after slot."""
        times = total // mask.shape[1]
        return mask.repeat(1, times) if modality == "imu" else mask.repeat_interleave(times, 1)

    def _modality(
        self, encoder: nn.Module, batch: Batch, keys: Sequence[str], mask: Bool[Tensor, "batch tokens"],
        where: Int[Tensor, "tokens"],
    ) -> dict[str, Float[Tensor, ""]]:  # fmt: skip
        entered = encoder.enter(batch, mask)  # type: ignore[operator]
        visible, hidden = split_hidden(mask)
        seen = gather_tokens(entered.tokens + entered.position.to(entered.tokens), visible)
        gone = entered.missing.gather(1, visible)
        encoded = self.enter(encoder.context.encoder(seen, gone if bool(gone.any()) else None))  # type: ignore[union-attr,operator]
        x = torch.cat([encoded, self.hidden.to(encoded).expand(len(encoded), hidden.shape[1], -1)], 1)
        x = x + sincos(int(where[-1]) + 1, x.shape[2])[where].to(x)[torch.cat([visible, hidden], 1)]
        gone = F.pad(gone, (0, hidden.shape[1]))
        y = self.decoder(x, gone if bool(gone.any()) else None)[:, visible.shape[1] :]
        whole = y.new_zeros(len(y), mask.shape[1], y.shape[2]).scatter(1, hidden[:, :, None].expand_as(y), y)
        out = {}
        for key in keys:
            spec, first = self.shared[0].config.inputs[key], encoder.spans[key].start  # type: ignore[union-attr]
            span = slice(at := int((where == first).nonzero()), at + spec.tokens)
            target = normalise_tokens(
                spec.patchify(batch[key]), channels=spec.channels if spec.modality == "video" else 1
            )
            lost = target.isnan().any(2) | spec.missing_tokens(missing_samples(batch, key)) | ~mask[:, span]
            out[f"masked_{key}"] = masked_mse(self.values[key](whole[:, span]), target.nan_to_num(), lost)
        return out


# ------------------------------------------------------------------------------------------------ fine-tuning
class Classify(nn.Module):
    """The task of fine-tuning: a labelled batch to ``classify_*`` losses; ``frozen`` keeps the encoders as they are.

    ``mixup`` above 0 mixes pairs of rows, all streams by one share drawn from Beta(mixup, mixup), and their classes
    alike (Zhang et al. 2018). A sample that either row lacks is missing from the mixture.
    """

    def __init__(
        self, model: MuJo, classes: int, generator: torch.Generator, *, frozen: bool = False, mixup: float = 0.0
    ) -> None:
        super().__init__()
        self.model, self.classes, self.frozen, self.mixup = model, classes, frozen, mixup
        self.classifier = Classifier(model.sizes, model.config.dim, classes, generator)
        if frozen:
            model.requires_grad_(False)

    def forward(self, batch: Batch, generator: torch.Generator) -> dict[str, Float[Tensor, ""]]:
        given = {name: x for name, x in batch.items() if name.removesuffix(".missing") in self.model.config.inputs}
        target = F.one_hot(batch["label"].clamp(min=0), self.classes).float() * (batch["label"] >= 0)[:, None]
        if self.mixup > 0:
            given, target = mixed(given, target, self.mixup, generator)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            encoded = self.model.encode(given)
        return self.classifier.losses(encoded, target)

    def probabilities(self, batch: Batch, modalities: Collection[str] | None = None) -> Float[Tensor, "batch classes"]:
        """Of each class, from ``modalities`` alone (None: all that the batch has)."""
        kept = {
            name: x
            for name, x in batch.items()
            if (spec := self.model.config.inputs.get(name.removesuffix(".missing"))) is not None
            and (modalities is None or spec.modality in modalities)
        }
        return self.classifier.probabilities(self.model.encode(kept))
