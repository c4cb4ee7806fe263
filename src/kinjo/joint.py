"""The verbs of a joint space (MuJo): ``pretrain`` on corpora, ``finetune`` on labels, ``embed``, ``answer``.

Each takes a recipe and windows, works in a folder from which it resumes, and leaves a checkpoint there. The verbs of
Mu-MAE are in ``learn``; both share recipes, windows and the training loop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinjo import learn
from kinjo.batches import Windows, mixture, sampler
from kinjo.corpus import Corpus
from kinjo.datasets.sentences import NULL_SENTENCES, sentences
from kinjo.methods import mujo
from kinjo.methods.mujo_weights import mumae_weights
from kinjo.nn import checkpoint
from kinjo.recipe import Recipe
from kinjo.train import fit

NEAR_S = 10.0
"""Windows of a recording that begin so near are views of one activity (the objective ``views``)."""


@dataclass(frozen=True)
class Source:
    """Windows to pre-train on: which ``rows``, with what ``share`` of the batches, and whether their labels may be read
    as sentences (``text``) or as classes (``labels``). ``same``: labels that are another source's by another name.
    """

    windows: Windows
    rows: NDArray[np.intp]
    share: float = 1.0
    text: bool = False
    labels: bool = False
    same: Mapping[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> list[str]:
        """The class of each of ``rows``; "" is NULL."""
        return [self.same.get(name, name) for name in self.names]

    @property
    def names(self) -> list[str]:
        """The label of each of ``rows``; "" is NULL."""
        return [str(self.windows.index.labels[i]) for i in self.windows.index.label[self.rows]]


def new_model(recipe: Recipe, seed: int) -> mujo.MuJo:
    """A model of the recipe's sizes, weights drawn from ``seed``."""
    if not isinstance(recipe.model, mujo.Config):
        raise ValueError(f"recipe '{recipe.name}' has method = '{recipe.method}': a joint space needs method = 'mujo'")
    return mujo.MuJo(recipe.model, torch.Generator().manual_seed(seed))


class Bank:
    """Sentences of several sources, each once; ``rows(dataset, label)`` where a label's are."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self._at: dict[str, int] = {}

    def rows(self, dataset: str, label: str, more: Sequence[str] = ()) -> tuple[int, ...]:
        """Rows of the sentences for ``label`` of a data set, and of ``more`` that say it; "" is NULL."""
        said = (*(sentences(dataset, label) if label else NULL_SENTENCES), *more)
        for sentence in said:
            if sentence not in self._at:
                self._at[sentence] = len(self.sentences)
                self.sentences.append(sentence)
        return tuple(self._at[sentence] for sentence in said)


def descriptions(corpus: Corpus) -> dict[tuple[str, str], tuple[str, ...]]:
    """(data set, label) -> what segments of a built corpus say of it; other data sets have sentences of their own."""
    out: dict[tuple[str, str], list[str]] = {}
    for entry, where in zip(corpus.entries, corpus.table.sources, strict=True):
        if (dataset := str(where).split(":")[0]) == "build":
            for segment in entry.segments:
                out.setdefault((dataset, segment.label), []).append(segment.description)
    return {pair: tuple(dict.fromkeys(filter(None, said))) for pair, said in out.items()}


def pretrain(
    recipe: Recipe,
    sources: Sequence[Source],
    out: Path,
    *,
    seed: int = 0,
    init: Path | None = None,
    near_s: float = NEAR_S,
    progress: bool = True,
    provenance: Mapping[str, Any] | None = None,
) -> mujo.MuJo:
    """Learn the joint space from ``sources``. Writes ``out/model.safetensors``.

    ``init``: a checkpoint to start from, of a MuJo or a Mu-MAE; what fits is taken over, provenance tells.
    """
    sources = [s for s in sources if len(s.rows)]
    if not sources:
        raise ValueError("no windows to train on: the split part or the corpus is empty")
    model, facts = new_model(recipe, seed), dict(provenance or {})
    told = any(s.text for s in sources)
    streams = (s for source in sources for e in source.windows.corpus.entries for s in e.streams)
    there = {s.contract.modality for s in streams} & set(model.config.modalities)
    if told and not any(e.segments for s in sources if s.text for e in s.windows.corpus.entries):
        raise ValueError("no recording has a labelled segment: there are no words to learn, leave --text out")
    if any(recipe.objective.wants(n) for n in ("classify", "supervised", "words")) and not any(
        s.labels for s in sources
    ):
        raise ValueError("the objectives words, classify and supervised need labels as classes: --labels")
    if not told and len(there) < 2 and set(recipe.objective.weights) == {"contrast"}:
        raise ValueError(
            f"contrast needs two modalities, there is {', '.join(sorted(there)) or 'none'}; or sentences (--text): "
            "with one alone add another objective to [objective] weights, such as views or masked"
        )
    meta: dict[str, Any] = {"recipe": recipe.to_dict(), "windows": [learn.digest(s.windows, s.rows) for s in sources]}
    meta["sources"] = [[s.share, s.text, s.labels, near_s, *([dict(s.same)] if s.same else [])] for s in sources]
    if init is not None:
        taken = initialise_from(model, init)
        meta["init"] = hashlib.sha256(init.read_bytes()).hexdigest()
        facts |= {"init": init.name, "init_sha256": meta["init"], "init_taken": len(taken)}
    bank = Bank()
    classes = sorted({name for s in sources if s.labels for name in s.classes if name})
    draws = [_draw(recipe, s, bank, classes, near_s) for s in sources]
    draws, rivals = _groups(draws, sources, classes) if recipe.objective.within else (draws, [])
    said = _said(sources, bank, classes) if recipe.objective.wants("words") else ()
    task = mujo.Pretrain(
        model, recipe.objective, torch.Generator().manual_seed(seed),
        sentences=mujo.Sentences(model, bank.sentences) if bank.sentences else None, classes=len(classes), said=said,
        rivals=rivals,
    )  # fmt: skip
    draw = draws[0] if len(draws) == 1 else mixture(draws, [s.share for s in sources])
    fit(task, draw, recipe.pretrain, out, seed=seed, meta=meta, progress=progress, title="pre-train")
    save(model, recipe, out / "model.safetensors", sources, stage="pretrain", seed=seed, **{"text": told, **facts})
    return model.eval()


def _pairs(source: Source) -> list[tuple[str, str]]:
    """(data set, label) of each of a source's rows."""
    where = source.windows.corpus.table.sources[source.windows.index.recording[source.rows]]
    return [(str(place).split(":")[0], name) for place, name in zip(where, source.names, strict=True)]


def _said(sources: Sequence[Source], bank: Bank, classes: Sequence[str]) -> list[tuple[int, ...]]:
    """Rows of the sentences of each class, of every data set that has it; none of a class without words."""
    out: dict[str, dict[int, None]] = {name: {} for name in classes}
    for source in (s for s in sources if s.text and s.labels):
        told = descriptions(source.windows.corpus)
        for pair, name in dict.fromkeys(zip(_pairs(source), source.classes, strict=True)):
            if name:
                out[name] |= dict.fromkeys(bank.rows(*pair, told.get(pair, ())))
    return [tuple(rows) for rows in out.values()]


def _groups(
    draws: Sequence[Any], sources: Sequence[Source], classes: Sequence[str]
) -> tuple[list[Any], list[list[int]]]:
    """Batches that tell of which data set they are, and the classes of each data set."""
    place = {name: i for i, name in enumerate(classes)}
    sets = [_pairs(source)[0][0] for source in sources]
    numbers = {name: i for i, name in enumerate(dict.fromkeys(sets))}
    members: list[set[int]] = [set() for _ in numbers]
    for source, name in zip(sources, sets, strict=True):
        members[numbers[name]] |= {place[c] for c in set(source.classes) if source.labels and c in place}

    def told(draw: Any, group: int) -> Any:
        return lambda generator: draw(generator) | {"group": torch.tensor([group])}

    return [told(d, numbers[n]) for d, n in zip(draws, sets, strict=True)], [sorted(m) for m in members]


def _draw(recipe: Recipe, source: Source, bank: Bank, classes: Sequence[str], near_s: float) -> Any:
    """A ``train.BatchOf`` of one source, with what the recipe's objectives need of it."""
    names, captions, numbers = source.names, None, None
    if source.text:
        pairs = _pairs(source)
        told = descriptions(source.windows.corpus)
        said = {pair: bank.rows(*pair, told.get(pair, ())) for pair in dict.fromkeys(pairs)}
        # nobody has labelled a recording without any segment: that is not the same as idle
        marked = np.array([bool(entry.segments) for entry in source.windows.corpus.entries])
        where = marked[source.windows.index.recording[source.rows]]
        captions = [said[pair] if there else () for pair, there in zip(pairs, where.tolist(), strict=True)]
    if source.labels:
        place = {name: i for i, name in enumerate(classes)}
        numbers = np.array([place.get(name, -1) for name in source.classes])
    # an activity twice in a batch is no negative of itself: by its class where that may be read, else by its captions
    told_of = captions or [()] * len(names)
    shown = [name if source.labels and name else said for name, said in zip(source.classes, told_of, strict=True)]
    kinds = {what: i for i, what in enumerate(dict.fromkeys(filter(None, shown)))}
    same = np.array([kinds.get(what, -1) for what in shown]) if kinds else None
    near = near_s if recipe.objective.wants("views") else None
    size = recipe.pretrain.batch_size
    return sampler(
        source.windows, source.rows, size, recipe.augment, numbers, captions=captions, same=same, near_s=near
    )


def finetune(
    recipe: Recipe,
    model: mujo.MuJo,
    windows: Windows,
    rows: NDArray[Any],
    labels: NDArray[Any],
    out: Path,
    *,
    seed: int = 0,
    frozen: bool = False,
    balanced: bool = False,
    progress: bool = True,
    provenance: Mapping[str, Any] | None = None,
) -> mujo.Classify:
    """Classes on the windows ``rows`` by ``labels`` (any values). Writes ``out/model.safetensors``.

    ``frozen`` trains the classifier alone. ``balanced`` draws every class as often as any other.
    """
    if not len(rows):
        raise ValueError("no windows to fine-tune on: the split part or the corpus is empty")
    classes, numbers = np.unique(labels, return_inverse=True)
    learns = [p.requires_grad for p in model.parameters()]
    task = mujo.Classify(
        model, len(classes), torch.Generator().manual_seed(seed), frozen=frozen, mixup=recipe.augment.mixup
    )
    draw = sampler(windows, rows, recipe.finetune.batch_size, recipe.augment, numbers, balanced=balanced)
    start = hashlib.sha256(b"".join(p.detach().cpu().numpy().tobytes() for p in model.parameters())).hexdigest()
    meta = {"recipe": recipe.to_dict(), "windows": learn.digest(windows, rows, numbers.tolist()), "start": start}
    meta |= {"frozen": frozen, "balanced": balanced}
    fit(task, draw, recipe.finetune, out, seed=seed, meta=meta, progress=progress, title="fine-tune")
    for p, before in zip(model.parameters(), learns, strict=True):
        p.requires_grad_(before)  # frozen for this training alone
    facts = {"classes": [str(c) for c in classes], **(provenance or {})}
    source = Source(windows, np.asarray(rows))
    save(task, recipe, out / "model.safetensors", [source], stage="finetune", seed=seed, **facts)
    return task.eval()


def save(model: torch.nn.Module, recipe: Recipe, path: Path, sources: Sequence[Source], **provenance: Any) -> None:
    """Weights, recipe, contracts of the training windows by source, and provenance in one safetensors file."""
    made = [learn.contracts(source.windows, source.rows) for source in sources]
    known = joined(made)
    if recipe.augment.linear > 0:  # it has met accelerometers without gravity too
        for given in known.values():
            given["gravity"] = [False, True] if given["quantity"] == "acc" else given["gravity"]
    meta = {"method": "mujo", "recipe": recipe.to_dict(), "contracts": known, **provenance}
    checkpoint.save(path, model.state_dict(), meta)


def joined(contracts: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The contracts of several sources, which may have inputs of their own, as one: all that occurs in any, spans from
    the lowest to the highest.
    """
    out: dict[str, dict[str, Any]] = {}
    for key in dict.fromkeys(key for c in contracts for key in c):
        every = [c[key] for c in contracts if key in c]
        out[key] = dict(every[0])
        for name in ("gravity", "skeleton", "placements"):
            out[key][name] = sorted({value for c in every for value in c[name]})
        for name in ("rates_hz", "seconds"):
            given = [c[name] for c in every if c[name]]
            out[key][name] = [min(g[0] for g in given), max(g[1] for g in given)] if given else []
    return out


def initialise_from(model: mujo.MuJo, path: Path) -> list[str]:
    """Start from a checkpoint of a MuJo or of a Mu-MAE: the names of the weights that were taken over.

    Taken is what fits by name and shape (of a Mu-MAE: ``mumae_weights``); nothing at all is a ``ValueError``.
    """
    tensors, header = checkpoint.load(path)
    if header.get("method") == "mumae":
        return mumae_weights(model, tensors)
    own = model.state_dict()
    given = {name.removeprefix("model."): x for name, x in tensors.items()}
    fitting = {name: x for name, x in given.items() if name in own and own[name].shape == x.shape}
    for modality in model.encoders:
        part = f"encoders.{modality}."
        if any(n.startswith(part) for n in given) and not any(n.startswith(f"{part}context.") for n in fitting):
            raise ValueError(
                f"{path}: its encoder of {modality} has other sizes. Take [model] and [inputs] of its recipe."
            )
    if not fitting:
        raise ValueError(f"{path}: nothing of this checkpoint fits. Take [model] and [inputs] of its recipe.")
    model.load_state_dict(fitting, strict=False)
    return sorted(fitting)


def load(path: Path) -> tuple[mujo.MuJo | mujo.Classify, Recipe, dict[str, Any]]:
    """The model of a checkpoint (fine-tuned: with its classifier), its recipe and its header."""
    path = path / "model.safetensors" if path.is_dir() else path
    tensors, header = checkpoint.load(path)
    if header.get("method") != "mujo":
        raise checkpoint.CheckpointError(
            f"{path}: holds {header.get('method')!r}, not a MuJo. Name the model.safetensors of a "
            "'kinjo pretrain' with a recipe of method = 'mujo'."
        )
    recipe = Recipe.from_dict(header["recipe"], str(path))
    model: mujo.MuJo | mujo.Classify = new_model(recipe, 0)
    if header.get("stage") == "finetune":
        assert isinstance(model, mujo.MuJo)
        model = mujo.Classify(model, len(header["classes"]), torch.Generator().manual_seed(0))
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise checkpoint.CheckpointError(
            f"{path}: its weights do not fit this version's model: train again. {error}"
        ) from error
    return model.eval(), recipe, header


@torch.inference_mode()
def embed(
    model: mujo.MuJo, windows: Windows, rows: NDArray[Any] | None = None, batch_size: int = 64,
    *, modalities: Collection[str] | None = None, progress: bool = False,
) -> dict[str, NDArray[np.float32]]:  # fmt: skip
    """modality -> (rows, joint_dim), unit length; rows without the modality are zero."""
    given = learn.given(model, windows, rows, batch_size, modalities, progress=progress)
    parts = [{m: z.cpu() for m, z in model.embed(batch).items()} for batch in given]
    return {m: torch.cat([p[m] for p in parts]).numpy() for m in parts[0]} if parts else {}


@torch.inference_mode()
def embed_text(model: mujo.MuJo, said: Sequence[str]) -> NDArray[np.float32]:
    """Sentences in the joint space, (n, joint_dim), unit length."""
    device = next(model.parameters()).device
    bank = mujo.Sentences(model.eval(), list(said)).to(device)
    rows = torch.arange(len(said), device=device)
    return model.joint("text", bank(model, rows), rows < 0).cpu().numpy()


@torch.inference_mode()
def answer(
    task: mujo.Classify, windows: Windows, rows: NDArray[Any] | None = None, batch_size: int = 128,
    *, modalities: Collection[str] | None = None,
) -> NDArray[np.float32]:  # fmt: skip
    """Probabilities of the classes, (rows, classes), from ``modalities`` alone (None: all)."""
    given = learn.given(task, windows, rows, batch_size, modalities)
    return torch.cat([task.probabilities(batch, modalities).cpu() for batch in given]).numpy()
