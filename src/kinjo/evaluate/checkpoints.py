"""Few-shot evaluation of a checkpoint as it is: embed the windows of a corpus, draw episodes, compare."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kinjo import learn
from kinjo.batches import Windows, cut
from kinjo.corpus import NULL, Corpus
from kinjo.evaluate import answers
from kinjo.evaluate.fewshot import Protocol, Score, sample_episodes, score


def evaluate(
    path: Path, corpus: Corpus, protocol: Protocol, ids: Iterable[str] | None = None, *, seed: int = 0
) -> dict[str, Score]:
    """Scores by modality, and ``all`` of them fused, of the labelled segments of the recordings ``ids`` (None: all).

    Whether the model has seen these recordings or classes is for the caller to know: name a split's part.
    Modalities are compared by the recipe's weights and metric; a head or fusion that embeddings cannot stand for is a
    ``ValueError``. Raises ``ContractError`` where the corpus holds streams that the model was not trained on.
    """
    model, recipe, header = learn.load(path)
    how = recipe.oneshot
    if header.get("stage") == "finetune" and answers.by_head(how):
        raise ValueError(
            f"{path}: answers by head '{how.head}' with {how.fusion} fusion, one episode at a time; this evaluation "
            "compares embeddings. Evaluate its recipe instead: kinjo evaluate fewshot RECIPE.toml"
        )
    index = cut(corpus, corpus.recordings if ids is None else ids, recipe)
    index = index.take(index.label_names != NULL)
    if not len(index):
        raise ValueError("no labelled window: few-shot evaluation needs recordings with labelled segments")
    windows = Windows(corpus, index, recipe.inputs)
    learn.check_contracts(header["contracts"], windows)
    parts = learn.embed(model, windows)
    present = [name for name, x in parts.items() if x.any()]
    if not present:
        raise ValueError(f"the corpus holds none of the model's modalities: {', '.join(parts)}")
    table = corpus.table
    labels = np.asarray(index.label_names, str)
    subjects, recordings = (np.asarray(column, str)[index.recording] for column in (table.subjects, table.ids))
    if set(subjects) <= {"unknown"}:  # nobody says who it was: recordings stand in, and the interval is over them
        subjects = recordings
    episodes = sample_episodes(labels, subjects, recordings, protocol, np.random.default_rng(seed))
    chosen = {name: [name] for name in present} | ({"all": present} if len(present) > 1 else {})
    return {
        result: score(
            episodes,
            answers.of_embeddings({name: parts[name] for name in names}, episodes, how),
            labels,
            subjects,
            rng=np.random.default_rng(seed),
        )
        for result, names in chosen.items()
    }
