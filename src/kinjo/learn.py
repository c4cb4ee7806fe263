"""The verbs of learning: ``pretrain`` without labels, ``finetune`` on labelled classes, ``embed`` what was learnt.

Each takes a recipe and windows, works in a folder from which it resumes, and leaves a checkpoint there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from kinjo.batches import Windows, episodes, plain, sampler, slots
from kinjo.methods import mumae, oneshot
from kinjo.nn import checkpoint
from kinjo.recipe import Recipe
from kinjo.recording import ContractError
from kinjo.train import fit


def new_model(recipe: Recipe, seed: int) -> mumae.MuMAE:
    """A model of the recipe's sizes, weights drawn from ``seed``."""
    if not isinstance(recipe.model, mumae.Config):
        raise ValueError(f"recipe '{recipe.name}' has method = '{recipe.method}': this verb is for method = 'mumae'")
    return mumae.MuMAE(recipe.model, torch.Generator().manual_seed(seed))


def second_stage(recipe: Recipe, model: mumae.MuMAE, seed: int) -> oneshot.OneShot:
    """``model`` with the branches, fusion and head of the recipe, weights of these drawn from ``seed``."""
    return oneshot.OneShot(model, recipe.oneshot, torch.Generator().manual_seed(seed))


def initialise_from(model: mumae.MuMAE, path: Path) -> list[str]:
    """Start from another training, on other data if need be: take over all weights of the checkpoint ``path`` that
    fit by name and shape, of a stream's entrance only where its input is described alike.

    Returns the names of those of ``model`` that did not; all of them is a ``ValueError``.
    """
    tensors, header = checkpoint.load(path)
    given = {name.removeprefix("model."): value for name, value in tensors.items()}
    own = model.state_dict()
    theirs = header.get("recipe", {}).get("inputs", {})
    same = [key for key, spec in model.config.inputs.items() if theirs.get(key) == json.loads(json.dumps(asdict(spec)))]
    fitting = {
        name: given[name]
        for name, x in own.items()
        if name in given
        and given[name].shape == x.shape
        and (name.split(".")[0] != "enter" or name.split(".")[1] in same)
    }
    if not fitting:
        raise ValueError(
            f"{path}: nothing of this {header.get('method', 'unknown')} checkpoint fits the recipe's model. "
            "Take [model] and [inputs] of its recipe."
        )
    model.load_state_dict(fitting, strict=False)
    return [name for name in own if name not in fitting]


def contracts(windows: Windows, rows: NDArray[Any] | None = None) -> dict[str, dict[str, Any]]:
    """What each input of the windows ``rows`` is (None: all): kept in the checkpoint, held against later inputs.

    Values come in canonical ``units`` whatever the recordings held. ``gravity`` and ``skeleton`` list what occurs,
    ``placements``, ``rates_hz`` and ``seconds`` of a window (lowest, highest; empty: no such stream) say where from.
    """
    out: dict[str, dict[str, Any]] = {}
    index = windows.index if rows is None else windows.index.take(rows)
    known = [windows.corpus.entries[i] for i in np.unique(index.recording)]
    seconds = index.end_s - index.start_s
    for slot in slots(windows.inputs):
        fitting = (next((s.contract for s in entry.streams if slot.fits(s.contract)), None) for entry in known)
        used = [contract for contract in fitting if contract is not None]
        out[slot.key] = {
            "modality": slot.modality,
            "quantity": slot.quantity,
            "units": slot.wanted_units,
            "samples": slot.samples,
            "gravity": sorted({c.gravity for c in used if c.gravity is not None}),
            "skeleton": sorted({c.skeleton for c in used if c.skeleton is not None}),
            "placements": sorted({c.placement for c in used if c.placement is not None}),
            "rates_hz": [min(c.rate_hz for c in used), max(c.rate_hz for c in used)] if used else [],
            "seconds": [float(seconds.min()), float(seconds.max())] if used else [],
        }
    return out


def check_contracts(trained: Mapping[str, Mapping[str, Any]], windows: Windows) -> None:
    """Raise ``ContractError`` where windows hold what the model was not trained on and cannot be converted to.

    That is a stream that it never saw, gravity or a skeleton that it never saw, or windows whose length in seconds
    is more than twice away from all that it saw.
    """
    hint = "Train on such recordings, or make a corpus without them (kinjo import --modalities)."
    for key, given in contracts(windows).items():
        known = trained.get(key, {"seconds": []})
        if not given["seconds"]:
            continue
        if not known["seconds"]:
            raise ContractError(key, "stream", "none: training had no such stream", given["quantity"], hint)
        for name in ("gravity", "skeleton"):
            foreign = [value for value in given[name] if value not in known[name]]
            if foreign:
                raise ContractError(key, name, ", ".join(map(str, known[name])), ", ".join(map(str, foreign)), hint)
        low, high = known["seconds"]
        if given["seconds"][0] < low / 2 or given["seconds"][1] > 2 * high:
            expected, found = f"windows of {low:.2f} to {high:.2f} s", "{:.2f} to {:.2f} s".format(*given["seconds"])
            raise ContractError(
                key, "seconds", expected, found, "Cut windows as in training ([windows] in the recipe)."
            )


def digest(windows: Windows, rows: NDArray[Any], labels: NDArray[Any] | None = None) -> str:
    """A fingerprint of the windows that a run trains on: the corpus' content, recordings, spans and labels."""
    index = windows.index.take(rows)
    ids = windows.corpus.recordings
    names = [ids[i] for i in index.recording]
    spans = [index.start_s.tolist(), index.end_s.tolist()]
    text = json.dumps([windows.corpus.digest, names, *spans, [] if labels is None else list(labels)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def save(
    model: torch.nn.Module, recipe: Recipe, path: Path, windows: Windows, rows: NDArray[Any], **provenance: Any
) -> None:
    """Weights, recipe, contracts of the training windows and provenance in one safetensors file."""
    meta = {"method": "mumae", "recipe": recipe.to_dict(), "contracts": contracts(windows, rows), **provenance}
    checkpoint.save(path, model.state_dict(), meta)


def load(path: Path) -> tuple[mumae.MuMAE | oneshot.OneShot, Recipe, dict[str, Any]]:
    """The model of a checkpoint (the autoencoder, or of the second stage all of it), its recipe and its header."""
    tensors, header = checkpoint.load(path)
    if header.get("method") != "mumae":
        raise checkpoint.CheckpointError(
            f"{path}: holds {header.get('method')!r}, not a Mu-MAE model. "
            "Name the model.safetensors of a finished training."
        )
    recipe = Recipe.from_dict(header["recipe"], str(path))
    model: mumae.MuMAE | oneshot.OneShot = new_model(recipe, 0)
    if header.get("stage") == "finetune":
        model = second_stage(recipe, model, 0)
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise checkpoint.CheckpointError(
            f"{path}: its weights do not fit this version's model: train again. {error}"
        ) from error
    return model.eval(), recipe, header


def pretrain(
    recipe: Recipe,
    windows: Windows,
    rows: NDArray[Any],
    out: Path,
    *,
    seed: int = 0,
    init: Path | None = None,
    progress: bool = True,
    provenance: Mapping[str, Any] | None = None,
) -> mumae.MuMAE:
    """Masked autoencoding on the windows ``rows``, labels unseen. Writes ``out/model.safetensors``.

    ``init`` is a checkpoint to start from, of external data say; provenance tells which.
    """
    if not len(rows):
        raise ValueError("no windows to train on: the split part or the corpus is empty")
    task = mumae.Pretrain(new_model(recipe, seed))
    meta = {"recipe": recipe.to_dict(), "windows": digest(windows, rows)}
    if init is not None:
        anew = initialise_from(task.model, init)
        meta["init"] = hashlib.sha256(init.read_bytes()).hexdigest()
        provenance = {**(provenance or {}), "init": init.name, "init_sha256": meta["init"], "init_left_out": anew}
    draw = sampler(windows, rows, recipe.pretrain.batch_size, recipe.augment)
    fit(task, draw, recipe.pretrain, out, seed=seed, meta=meta, progress=progress, title="pre-train")
    save(
        task.model, recipe, out / "model.safetensors", windows, rows, stage="pretrain", seed=seed, **(provenance or {})
    )
    return task.model


def finetune(
    recipe: Recipe,
    model: mumae.MuMAE,
    windows: Windows,
    rows: NDArray[Any],
    labels: NDArray[Any],
    out: Path,
    *,
    seed: int = 0,
    progress: bool = True,
    until: int | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> oneshot.OneShot:
    """The second stage on the windows ``rows`` by ``labels`` (any values). Writes ``out/model.safetensors``.

    ``until`` stops at that step of the schedule; called again it goes on.
    """
    if not len(rows):
        raise ValueError("no windows to fine-tune on: the split part or the corpus is empty")
    classes, numbers = np.unique(labels, return_inverse=True)
    how = recipe.oneshot
    task = oneshot.Finetune(second_stage(recipe, model, seed), len(classes), torch.Generator().manual_seed(seed))
    size = recipe.finetune.batch_size
    if how.episodic:
        draw = episodes(windows, rows, numbers, recipe.augment, size, how.way, how.queries)
    else:
        draw = sampler(windows, rows, size, recipe.augment, numbers)
    start = hashlib.sha256(b"".join(p.detach().cpu().numpy().tobytes() for p in model.parameters())).hexdigest()
    meta = {"recipe": recipe.to_dict(), "windows": digest(windows, rows, numbers.tolist()), "start": start}
    fit(task, draw, recipe.finetune, out, seed=seed, meta=meta, progress=progress, title="fine-tune", until=until)
    if until is None or until >= recipe.finetune.steps:
        facts = {"classes": [str(c) for c in classes], **(provenance or {})}
        save(task.model, recipe, out / "model.safetensors", windows, rows, stage="finetune", seed=seed, **facts)
    return task.model


def given(
    model: torch.nn.Module, windows: Windows, rows: NDArray[Any] | None, batch_size: int,
    modalities: Collection[str] | None, *, progress: bool = False,
) -> Iterator[dict[str, torch.Tensor]]:  # fmt: skip
    """The windows ``rows`` (None: all) in batches, streams of ``modalities`` alone (None: all), where the model is."""
    rows = np.arange(len(windows)) if rows is None else np.asarray(rows)
    model.eval()
    device = next(model.parameters()).device  # a training leaves the model where it was trained
    left_out = [k for k, s in windows.inputs.items() if modalities is not None and s.modality not in modalities]
    bar = Console(stderr=True)
    for i in track(range(0, len(rows), batch_size), "windows", console=bar, disable=not progress):
        read = windows.tensors(rows[i : i + batch_size])
        kept = {key: x for key, x in read.items() if key.removesuffix(".missing") not in left_out}
        yield {key: x.to(device) for key, x in plain(kept, windows.inputs).items()}


@torch.inference_mode()
def embed(
    model: mumae.MuMAE | oneshot.OneShot,
    windows: Windows,
    rows: NDArray[Any] | None = None,
    batch_size: int = 64,
    *,
    modalities: Collection[str] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """One embedding per window and part, ``(rows, dim)``; rows without the part are zero.

    Parts are modalities, and ``fused`` where the model fuses. Only ``modalities`` are read (None: all).
    """
    batches = given(model, windows, rows, batch_size, modalities)
    parts = [{part: e.cpu() for part, e in model.embed(batch).items()} for batch in batches]
    return {m: torch.cat([p[m] for p in parts]).numpy() for m in parts[0]} if parts else {}


@torch.inference_mode()
def features(
    model: oneshot.OneShot, windows: Windows, rows: NDArray[Any] | None = None, batch_size: int = 64,
    *, modalities: Collection[str] | None = None,
) -> oneshot.Features:  # fmt: skip
    """What the head and the fusion of a model read of the windows ``rows`` (None: all), of ``modalities`` alone.

    No rows are a ``ValueError``: there is nothing to tell the sizes of the features from.
    """
    parts = [model.features(batch) for batch in given(model, windows, rows, batch_size, modalities)]
    if not parts:
        raise ValueError("no windows to make features of: rows, the split part or the corpus is empty")
    return oneshot.joined(parts)


@torch.inference_mode()
def answer(
    model: oneshot.OneShot, features: oneshot.Features, support: NDArray[np.intp], query: NDArray[np.intp],
    chunk: int = 1 << 14,
) -> NDArray[np.intp]:  # fmt: skip
    """The class that the model's head gives each query: support (E, way, shot), query (E, q) -> (E, q) in 0..way - 1.

    Rows index ``features``; about ``chunk`` samples are held at a time.
    """
    step = max(1, chunk // (support[0].size + query.shape[1]))
    device = next(model.parameters()).device
    rows, asked = (torch.as_tensor(x, device=device) for x in (support, query))
    parts = [
        model.scores(features, rows[i : i + step], asked[i : i + step]).argmax(1) for i in range(0, len(support), step)
    ]
    return torch.cat(parts).cpu().numpy().astype(np.intp)
