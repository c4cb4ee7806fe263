"""What kinjo-base is trained on: which windows, how often those of each set, and what their labels are called."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinjo.base.data import NAMED, REAL, VIRTUAL, set_of
from kinjo.batches import Windows, cut
from kinjo.corpus import Corpus, WindowIndex, sliding_windows
from kinjo.encoders import Input, SensorInput
from kinjo.joint import Source
from kinjo.recipe import Recipe

SAME: Mapping[str, str] = {
    "jogging": "running", "upstairs": "walking upstairs", "downstairs": "walking downstairs", "applauding": "clapping",
    "straight leg raise lying on the back": "straight leg raise", "bending the elbow": "biceps curl",
    "sitting down on a chair and getting up": "sit to stand",
}  # fmt: skip
"""Label -> what another set calls the same activity. Their sentences stay their own."""
SHARES: Mapping[str, float] = {
    "gym": 3.0, "made_up": 4.0, "cmu": 0.3, "motionsense": 1.5, "wisdm": 4.0, "umafall": 2.0, "ucipt": 0.7,
}  # fmt: skip
"""How often a batch is of each set, in parts."""
VALIDATION = 8
"""One subject in so many is for choices alone, of each set."""
LEAST = 0.5
"""So much of a window has to be there: motions of CMU and clips last 3 s."""


@dataclass(frozen=True)
class Choice:
    """What a training sees: sets left out (``without``), simulated or measured ones alone (``only``), and places at
    which it sees no sensor (``hold``: ``wrist`` holds out both sides' and that of no known side).
    """

    without: tuple[str, ...] = ()
    only: Literal["both", "virtual", "real"] = "both"
    hold: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.without) - {*VIRTUAL, *REAL}):
            raise ValueError(f"without: no set {', '.join(unknown)}; there are: {', '.join((*VIRTUAL, *REAL))}")
        if self.only not in ("both", "virtual", "real"):
            raise ValueError(f"only: both, virtual or real, given {self.only!r}")

    def sees(self, name: str) -> bool:
        """Whether it sees a set."""
        kind = {"both": (*VIRTUAL, *REAL), "virtual": VIRTUAL, "real": REAL}[self.only]
        return name in kind and name not in self.without

    def holds(self, place: str) -> bool:
        """Whether it never sees a sensor there."""
        return place in self.hold or place.partition("_")[2] in self.hold

    @property
    def name(self) -> str:
        """For folders."""
        parts = [f"without-{'-'.join(sorted(self.without))}"] if self.without else []
        parts += [self.only] if self.only != "both" else []
        return "-".join([*parts, *(f"hold-{place}" for place in self.hold)]) or "all"


def split(store: Corpus, name: str) -> tuple[list[str], list[str]]:
    """Ids of the recordings for training and for choices, by subject: the same in every process and for every corpus.

    Of people of whom nobody knows who they are ("unknown"), all train.
    """
    who = sorted({str(s) for s in store.table.subjects} - {"unknown"}, key=lambda s: zlib.crc32(f"{name}:{s}".encode()))
    held = set(who[: max(1, round(len(who) / VALIDATION))]) if len(who) > 1 else set()
    ids = [(str(i), str(s)) for i, s in zip(store.table.ids, store.table.subjects, strict=True)]
    return [i for i, s in ids if s not in held], [i for i, s in ids if s in held]


def index_of(store: Corpus, ids: Iterable[str], recipe: Recipe) -> WindowIndex:
    """Windows as the recipe cuts them; of a short recording one, of which the end is missing."""
    how = recipe.windows
    if how.length_s <= 0:
        return cut(store, ids, recipe)
    return sliding_windows(store, ids, how.length_s, how.hop_s, least=LEAST)


def by_places(store: Corpus, recipe: Recipe, ids: Sequence[str] | None = None) -> list[Windows]:
    """Windows of recordings with sensors at the same places, together, without inputs for any other place."""
    groups: dict[frozenset[tuple[str, str]], list[str]] = {}
    chosen = set(store.recordings if ids is None else ids)
    for entry in store.entries:
        if entry.id in chosen:
            worn = frozenset((s.contract.quantity, str(s.contract.placement)) for s in entry.streams)
            groups.setdefault(worn, []).append(entry.id)
    out = []
    for worn, members in groups.items():
        inputs = {k: s for k, s in recipe.inputs.items() if _there(s, worn)}
        index = index_of(store, members, recipe)
        if inputs and len(index):
            out.append(Windows(store, index, inputs))
    return out


def _there(spec: Input, worn: frozenset[tuple[str, str]]) -> bool:
    return isinstance(spec, SensorInput) and (spec.quantity, spec.placement) in worn


Prepared = Mapping[str, Sequence[Windows]]
"""name of a corpus -> its windows for training, by places."""


def prepare(stores: Mapping[str, Corpus], recipe: Recipe) -> dict[str, list[Windows]]:
    """Windows of the training subjects of all corpora, in memory where they fit: every ``Choice`` is made of them."""
    return {name: by_places(store, recipe, split(store, set_of(name))[0]) for name, store in stores.items()}


def sources(prepared: Prepared, choice: Choice, *, classes: bool = False) -> list[Source]:
    """What is trained on. ``ValueError`` where nothing is left.

    ``classes``: labels of all sets may be read as classes; else those of made-up movements alone, of which there are so
    many that a batch holds few.
    """
    found: list[tuple[str, Windows, NDArray[np.intp]]] = []
    for name, groups in prepared.items():
        for windows in groups if choice.sees(set_of(name)) else ():
            keys = [k for k, s in windows.inputs.items() if not choice.holds(getattr(s, "placement", ""))]
            rows = _rows(windows, set_of(name))
            if keys and len(rows):
                found.append((set_of(name), windows.of(keys), rows))
    if not found:
        raise ValueError(f"nothing to train on: {choice}")
    total: dict[str, int] = {}
    for name, _, rows in found:
        total[name] = total.get(name, 0) + len(rows)
    out = []
    for name, windows, rows in found:
        told = name == "made_up" or (classes and bool(windows.index.label[rows].any()))
        share = SHARES[name] * len(rows) / total[name]
        out.append(Source(windows, rows, share, text=name in (*NAMED, "made_up"), labels=told, same=SAME))
    return out


def _rows(windows: Windows, name: str) -> NDArray[np.intp]:
    """Labelled windows; of CMU, whose trials are often of no known kind, all."""
    return np.arange(len(windows)) if name == "cmu" else np.flatnonzero(windows.index.label_names != "")
