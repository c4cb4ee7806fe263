"""What a model answers in episodes: by nearest prototypes of its embeddings, or by its own head."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinjo import learn
from kinjo.batches import Windows
from kinjo.evaluate.fewshot import Episodes, classify
from kinjo.methods.oneshot import OneShot, OneShotConfig, make_head


def by_head(how: OneShotConfig) -> bool:
    """Whether the model's own head has to answer; otherwise nearest prototypes of its embeddings are the same."""
    return how.episodic or how.head == "matching"


def absent(parts: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.bool_]:
    """``True`` where a row has nothing of a part, (n, parts): what is not there is embedded as zeros."""
    return np.stack([~x.any(1) for x in parts], 1)


def of_embeddings(
    embedded: Mapping[str, NDArray[np.floating[Any]]], episodes: Episodes, how: OneShotConfig
) -> NDArray[np.intp]:
    """Nearest prototypes of ``embedded[part]`` (n, d), (E, way, queries): by the metric of ``how`` and its weights of
    the parts, over the parts that both sides have (``absent``). Only the rows that are in an episode are looked at.
    """
    used, local = np.unique(np.concatenate([episodes.support.ravel(), episodes.query.ravel()]), return_inverse=True)
    support, query = np.split(local, [episodes.support.size])
    picked = replace(
        episodes, support=support.reshape(episodes.support.shape), query=query.reshape(episodes.query.shape)
    )
    parts = [x[used] for x in embedded.values()]
    weights = [how.weights.get(part, 1.0) for part in embedded]
    return classify(parts, picked, how.metric, missing=absent(parts), weights=weights)


def of_head(
    model: OneShot,
    windows: Windows,
    episodes: Episodes,
    rows: NDArray[Any] | None = None,
    *,
    modalities: Collection[str] | None = None,
) -> NDArray[np.intp]:
    """What the model's own head answers, (E, way, queries), from ``modalities`` alone (None: all). Episodes index the
    windows ``rows`` (None: all).

    With transductive fusion every query is asked by itself, in an episode of its own beside the supports, as released.
    """
    features = learn.features(model, windows, rows, modalities=modalities)
    support, query = episodes.support, episodes.query.reshape(len(episodes), -1)
    asked = query.shape[1]
    if model.config.transductive:
        support, query = np.repeat(support, asked, 0), query.reshape(-1, 1)
    return learn.answer(model, features, support, query).reshape(episodes.query.shape)


def of_model(
    model: OneShot,
    windows: Windows,
    episodes: Episodes,
    rows: NDArray[Any] | None = None,
    *,
    modalities: Collection[str] | None = None,
) -> NDArray[np.intp]:
    """The answers of a model as its second stage wants them: ``of_head`` or ``of_embeddings``; see there."""
    if by_head(model.config):
        return of_head(model, windows, episodes, rows, modalities=modalities)
    return of_embeddings(learn.embed(model, windows, rows, modalities=modalities), episodes, model.config)


def with_head(model: OneShot, head: str) -> OneShot:
    """The model with another head that needs no training (empty: its own)."""
    if head:
        if head in ("relation", "can"):
            raise ValueError(f"head {head!r} has to be trained: name it in the recipe's [oneshot]")
        config = replace(model.config, head=head)  # type: ignore[arg-type]
        model.config, model.head = config, make_head(config, model.model.config.dim, torch.Generator())
    return model
