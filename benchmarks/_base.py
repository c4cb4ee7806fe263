"""What the benchmarks of kinjo-base share: corpora, joint spaces of an equal budget, and windows asked about.

All trainings go to ``.bench/base``, are resumed there, and of one size take as many steps as each other: ``--steps``,
or what this machine makes in ``--minutes``, measured once.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from _tools import ROOT, data_root
from kinjo import joint
from kinjo.base.data import SMALL, Size, build
from kinjo.base.sources import Choice, by_places, prepare, sources
from kinjo.base.train import Variant, by_class, space, speed
from kinjo.batches import Windows
from kinjo.corpus import Corpus
from kinjo.datasets.sentences import SENTENCES, sentences
from kinjo.encoders import SensorInput
from kinjo.methods.mujo import MuJo
from kinjo.nn import augment
from kinjo.recipe import Augment, Recipe
from kinjo.recognizer import vectors

UNIMTS = "unimts"
FALLS = ("falling forwards", "falling backwards", "falling sideways")
"""UMAFall's other activities are its daily ones."""
Keys = tuple[str, ...]
Reads = Callable[[MuJo, dict[str, torch.Tensor]], Mapping[str, torch.Tensor]]
Turned = Mapping[str, NDArray[np.floating[Any]]]
"""Placement -> rotations (windows, 3, 3): other mountings of the sensors."""


def options(about: str | None) -> argparse.ArgumentParser:
    """What all of these benchmarks take."""
    out = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    out.add_argument("--steps", type=int, help="of each training; else --minutes")
    out.add_argument("--minutes", type=float, default=8.0, help="of each training, as this machine makes steps")
    out.add_argument("--size", default="0.3", help="millions of parameters of the trainings")
    out.add_argument("--seed", type=int, default=0)
    out.add_argument("--threads", type=int, default=2)
    out.add_argument("--small", action="store_true", help="few simulated people, no rows: to try it")
    out.add_argument("--only", nargs="*", default=[], help="some of the data sets")
    return out


@dataclass(frozen=True)
class Bench:
    """Corpora and the trainings on them."""

    given: argparse.Namespace
    work: Path

    @classmethod
    def of(cls, given: argparse.Namespace) -> Bench:
        """By the options; ends nowhere: sets that are absent are left out."""
        torch.set_num_threads(given.threads)
        return cls(given, ROOT / ".bench" / ("base-small" if given.small else "base"))

    @property
    def stores(self) -> dict[str, Corpus]:
        return _stores(self.work, self.given.small)

    @property
    def plan(self) -> Recipe:
        return Recipe.load(ROOT / "recipes" / "kinjo-base.toml")

    def sets(self, wanted: Sequence[str]) -> list[str]:
        """Those of ``wanted`` that are there and asked for; the others are said."""
        asked = [name for name in wanted if not self.given.only or name in self.given.only]
        for name in asked:
            if name not in self.stores:
                print(f"{name}: not under {data_root().name} (KINJO_DATA), left out")
        return [name for name in asked if name in self.stores]

    def steps(self, size: str) -> int:
        """Of every training of this size."""
        if self.given.steps is not None:
            return int(self.given.steps)
        kept = self.work / f"steps-{size}-{self.given.minutes:g}min-{self.given.threads}.json"
        if not kept.is_file():
            recipe = Variant(size).of(self.plan)
            each = speed(recipe, sources(_prepared(self.work, self.given.small), Choice(), classes=by_class(recipe)))
            kept.write_text(json.dumps({"steps": int(60 * self.given.minutes * each), "steps_per_s": each}))
        return int(json.loads(kept.read_text())["steps"])

    def trained(self, choice: Choice, variant: Variant | None = None) -> Path:
        """The joint space of a choice; made, or gone on with."""
        variant = variant or Variant(self.given.size)
        steps = self.steps(variant.size)
        out = self.work / f"{variant.name}-{choice.name}-{steps}-seed{self.given.seed}"
        if not (out / "model.safetensors").is_file():
            space(variant.of(self.plan, steps), _prepared(self.work, self.given.small), choice, out,
                  seed=self.given.seed)  # fmt: skip
        return out / "model.safetensors"

    def budget(self) -> str:
        """For rows."""
        return f"{self.steps(self.given.size)} steps of {self.given.size} M parameters"


@cache
def _stores(work: Path, small: bool) -> dict[str, Corpus]:
    return build(work / "corpora", data_root(), SMALL if small else Size())


@cache
def _prepared(work: Path, small: bool) -> dict[str, list[Windows]]:
    recipe = Recipe.load(ROOT / "recipes" / "kinjo-base.toml")
    return prepare(_stores(work, small), recipe)


@cache
def opened(path: Path) -> MuJo:
    """The joint space of a checkpoint."""
    model = joint.load(path)[0]
    assert isinstance(model, MuJo)
    return model


# ------------------------------------------------------------------------------------------------ what is asked about
@dataclass(frozen=True)
class Asked:
    """Labelled windows of a data set: ``groups`` of windows by the places of their sensors, with rows in each; labels,
    subjects and recordings (n,) of all, in that order.
    """

    groups: tuple[tuple[Windows, NDArray[np.intp]], ...]
    labels: NDArray[Any]
    subjects: NDArray[Any]
    recordings: NDArray[Any]

    @property
    def classes(self) -> Keys:
        return tuple(sorted(set(self.labels.tolist())))

    def take(self, rows: NDArray[np.intp]) -> Asked:
        """Some of the windows."""
        out, first = [], 0
        for windows, own in self.groups:
            mine = rows[(rows >= first) & (rows < first + len(own))] - first
            out.append((windows, own[mine]))
            first += len(own)
        order = np.sort(rows)
        kept = tuple((w, r) for w, r in out if len(r))
        return Asked(kept, self.labels[order], self.subjects[order], self.recordings[order])


def asked(
    store: Corpus, recipe: Recipe, *, places: Keys = (), without: Keys = (), ids: Sequence[str] | None = None
) -> Asked:
    """The labelled windows of a corpus (recordings ``ids``), by sensors at ``places`` alone (none: all)."""
    groups, columns = [], []
    table = store.table
    for windows in by_places(store, recipe, ids):
        keys = [k for k, s in windows.inputs.items() if not places or getattr(s, "placement", "") in places]
        if not keys:
            continue
        names = windows.index.label_names.astype(str)
        rows = np.flatnonzero((names != "") & ~np.isin(names, without))
        kept = windows.of(keys)
        gone = kept.tensors(rows)
        there = ~np.all([gone[f"{k}.missing"].float().mean(1).numpy() > 0.5 for k in keys], axis=0)
        rows = rows[there]
        if len(rows):
            of = windows.index.recording[rows]
            groups.append((kept, rows))
            columns.append((names[rows], table.subjects[of].astype(str), table.ids[of].astype(str)))
    if not groups:
        raise ValueError(f"{store.root.name}: no labelled window with sensors at {', '.join(places) or 'any place'}")
    labels, subjects, recordings = (np.concatenate(c) for c in zip(*columns, strict=True))
    return Asked(tuple(groups), labels, subjects, recordings)


def thinned(found: Asked, most: int, seed: int = 0) -> Asked:
    """At most so many windows, drawn at random."""
    if len(found.labels) <= most:
        return found
    return found.take(np.sort(np.random.default_rng(seed).permutation(len(found.labels))[:most]))


@torch.inference_mode()
def embedded(
    model: MuJo, found: Asked, turned: Turned | None = None, batch: int = 256, read: Reads = vectors
) -> dict[str, NDArray[np.float32]]:
    """Vectors in each space, (n, d), mounted as ``turned`` says (None: as they are), as ``read`` reads a batch."""
    out: dict[str, list[NDArray[np.float32]]] = {}
    at = 0
    for windows, rows in found.groups:
        for some in np.array_split(rows, -(-len(rows) // batch)):
            given = windows.tensors(some)
            for key, spec in windows.inputs.items():
                if turned and isinstance(spec, SensorInput) and spec.placement in turned:
                    mine = torch.from_numpy(np.asarray(turned[spec.placement][at : at + len(some)], np.float32))
                    given[key] = augment.rotate(given[key], mine)
            at += len(some)
            for name, x in read(model.eval(), given).items():
                out.setdefault(name, []).append(x.nan_to_num().numpy())
    return {name: np.concatenate(parts) for name, parts in out.items()}


def upright(found: Asked, turned: Turned, batch: int = 1024) -> Turned:
    """Of windows mounted as ``turned`` says: rotations that turn each place's accelerometer upright, window by window;
    none where a place has no accelerometer.
    """
    out: dict[str, list[NDArray[np.floating[Any]]]] = {place: [] for place in turned}
    at = 0
    for windows, rows in found.groups:
        accelerometers = [
            (k, s.placement) for k, s in windows.inputs.items() if isinstance(s, SensorInput) and s.quantity == "acc"
        ]
        for some in np.array_split(rows, -(-len(rows) // batch)):
            given, span = windows.tensors(some), slice(at, at + len(some))
            level = {place: np.broadcast_to(np.eye(3), (len(some), 3, 3)) for place in turned}
            for key, place in accelerometers:
                mine = torch.from_numpy(np.asarray(turned[place][span], np.float32))
                level[place] = augment.upright(augment.rotate(given[key], mine), given[f"{key}.missing"]).numpy()
            for place, each in level.items():
                out[place].append(each)
            at += len(some)
    return {place: np.concatenate(parts) for place, parts in out.items()}


EXERCISES: Mapping[str, tuple[str, ...]] = {
    "stretching the knee while sitting": (
        "sitting on a chair, a person stretches one knee", "seated: stretching one knee",
        "somebody stretches one knee after the other, while sitting",
        "raising one leg up and stretching one knee, sitting on a chair"),
    "leaning forwards while sitting": (
        "sitting on a chair, a person leans the trunk forwards", "seated: leaning the trunk forwards",
        "somebody bends the back forwards, while sitting",
        "leaning the trunk forwards and bending the back forwards, sitting on a chair"),
    "straight leg raise lying on the back": (
        "lying on the back, a person raises one straight leg up",
        "on the back with straight legs: raising one straight leg up",
        "somebody raises one straight leg up slowly, lying on the back",
        "raising one straight leg after the other up, lying on the back"),
    "leg raise lying on the side": (
        "lying on the side, a person lifts one straight leg sideways",
        "lying sideways: lifting one straight leg sideways",
        "somebody lifts one straight leg sideways, lying on the side",
        "lifting one leg sideways slowly, lying sideways"),
    "leg raise lying face down": (
        "lying face down, a person raises one straight leg backwards",
        "lying on the belly: raising one straight leg backwards",
        "somebody raises one straight leg backwards, lying face down",
        "raising one leg backwards slowly, lying on the belly"),
    "bending the elbow": (
        "a person bends one elbow, sitting on a chair", "seated: bending one elbow",
        "somebody bends one elbow after the other, while sitting", "bending one elbow slowly, standing"),
    "raising the straight arm": (
        "a person raises one arm forwards to shoulder height, sitting on a chair",
        "seated: raising one arm sideways to shoulder height",
        "somebody raises one arm to shoulder height, while sitting",
        "raising one arm forwards to shoulder height slowly, standing"),
    "stretching the elbow lying face down": (
        "lying face down, a person stretches one elbow", "lying on the belly: stretching one elbow",
        "somebody stretches one elbow slowly, lying face down",
        "stretching one elbow after the other, lying on the belly"),
}  # fmt: skip
"""Exercises of UCI-PT as made-up movements are told (``made_up_words``): the posture, and what each limb does. Chosen
on its person for choices, by eight trainings that left it out: macro-F1 0.27, by names and descriptions 0.19."""
DAILY: Mapping[str, tuple[str, ...]] = {
    "clapping": ("applauding", "clapping", *SENTENCES["umafall"]["applauding"]),
    "drinking from a cup": (
        "drinking from a cup", "bending the elbow", *SENTENCES["ucipt"]["bending the elbow"]),
}  # fmt: skip
"""Activities of WISDM in the words of another set that knows the same, or the same movement. Chosen on its six people
for choices, by three trainings that left it out: macro-F1 0.177, by names and descriptions 0.165."""


def said(dataset: str, classes: Sequence[str]) -> dict[str, list[str]]:
    """Class -> what is said of it where it is asked about."""
    told = {"ucipt": EXERCISES, "wisdm": DAILY}.get(dataset, {})
    return {name: list(told.get(name) or sentences(dataset, name)) for name in classes}


def chance(found: Asked) -> float:
    """1 / classes."""
    return 1.0 / len(found.classes)


def finetuned(recipe: Recipe, steps: int) -> Recipe:
    """The recipe with so many steps of fine-tuning, in small batches, and little augmentation: within one data set
    sensors are worn alike.
    """
    plan = replace(recipe.finetune, steps=steps, batch_size=32, lr=1e-3, warmup_steps=10)
    return replace(recipe, finetune=plan, augment=Augment(rotation_deg=10.0, warp=0.1, crop=0.05))
