"""Directions of known labels in MiniLM's space, in a file of the package: NumPy reads it, no text model is needed.

    find("Jumping_Jack")  # (384,) unit length, or None where the label is not known

A label's direction is the mean over its sentences. ``make labels`` remakes the file where labels or sentences
change. The file is a safetensors one (float16, names in its header), which is plain enough to read by hand.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("labels.safetensors")


@cache
def known() -> Mapping[str, NDArray[np.float32]]:
    """Label in lower case with single blanks -> (384,) float32 of unit length: all labels of the data sets' cards,
    and the other names of the gym's activities. Cannot be written to.
    """
    raw = FILE.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    entry = header["vectors"]
    first, last = entry["data_offsets"]
    rows = np.frombuffer(raw[start + first : start + last], "<f2").astype(np.float32).reshape(entry["shape"])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)  # float16 is off by some 1e-4
    rows.setflags(write=False)
    names = json.loads(header["__metadata__"]["names"])
    return MappingProxyType({name: rows[row] for name, row in names.items()})


def find(name: str) -> NDArray[np.float32] | None:
    """The direction (384,) of a label, whatever its case, underscores and hyphens; ``None`` for an unknown one."""
    return known().get(_plain(name))


def compute() -> tuple[dict[str, int], NDArray[np.float32]]:
    """The table anew, with the text model: name -> row, and rows (n, 384) of unit length.

    A label of several data sets is the mean over the sentences of all. Needs ``kinjo[text]``.
    """
    from kinjo.datasets import DATASETS
    from kinjo.datasets.gym.words import LABEL_WORDS
    from kinjo.datasets.sentences import sentences as described
    from kinjo.encoders.text import load

    said: dict[str, list[str]] = {}
    for dataset, module in DATASETS.items():
        for label in module.CARD.classes:
            said.setdefault(_plain(label), []).extend(described(dataset, label))
    different = list(dict.fromkeys(sentence for sentences in said.values() for sentence in sentences))
    row = {sentence: i for i, sentence in enumerate(different)}
    vectors = load().encode(different)
    means = np.stack([vectors[[row[s] for s in dict.fromkeys(sentences)]].mean(0) for sentences in said.values()])
    names = {label: i for i, label in enumerate(said)}
    others: dict[str, set[int]] = {}
    for label, words in LABEL_WORDS.items():
        for word in words:
            others.setdefault(_plain(word), set()).add(names[_plain(label)])
    # a name of two activities is neither's
    names = {word: min(rows) for word, rows in others.items() if len(rows) == 1} | names
    return names, means / np.linalg.norm(means, axis=1, keepdims=True)


def build(path: Path = FILE) -> None:
    """Write the table (atomically). Needs ``kinjo[text]``."""
    from safetensors.numpy import save

    names, rows = compute()
    raw = save({"vectors": rows.astype(np.float16)}, metadata={"names": json.dumps(names, sort_keys=True)})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(raw)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _plain(name: str) -> str:
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())
