"""Corpora and a recipe to a recognizer: one training of kinjo-base, or of a relation (an ablation, a baseline)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo import __version__, joint, recognizer
from kinjo.base.data import NAMED, facts, set_of
from kinjo.base.sources import SAME, Choice, Prepared, by_places, prepare, sources, split
from kinjo.classes import Classes
from kinjo.corpus import Corpus
from kinjo.methods import mujo
from kinjo.nn import checkpoint
from kinjo.recipe import Recipe
from kinjo.recognizer import Recognizer

SIZES: Mapping[str, tuple[int, int]] = {"0.3": (64, 2), "1": (128, 3), "2.5": (176, 4)}
"""Millions of parameters -> dim, depth."""
OBJECTIVES: Mapping[str, Mapping[str, float]] = {
    "all": {},
    "masked": {"masked": 0.1},
    "no-words": {"words": 0.0},
    "only-words": {"words": 1.0, "contrast": 0.0},
    "classify": {"classify": 0.3},
    "only-classify": {"words": 0.0, "contrast": 0.0, "classify": 1.0},
    "unimts": {"classify": 0.0, "masked": 0.0, "words": 0.0, "contrast": 1.0},
}
"""Name -> weights in place of the recipe's; ``only-words``: contrast with all classes of the data set in place of a
batch's; ``unimts``: IMU and words alone, contrasted, only equal sentences being positives."""
KNOWN = tuple(name for name in NAMED if name != "cmu")
"""Sets whose labels the model knows when it is loaded: CMU's are of whole trials."""
MOST = 400
"""Recordings of a corpus from which classes are learnt: evenly picked."""
KNOWN_WINDOWS = 2000
"""Of each set, by which the reach of sentences is measured."""
TIMED = 12
"""Steps by which the speed of a machine is measured, the first quarter not counted."""


@dataclass(frozen=True)
class Variant:
    """What an ablation changes: the size, degrees by which sensors are turned (None: the recipe's), whether tokens say
    where they are from, the objectives, and whether training turns sensors at all.
    """

    size: str = "1"
    rotation_deg: float | None = None
    placed: bool = True
    objective: str = "all"
    turned: bool = True

    @property
    def name(self) -> str:
        """For folders."""
        parts = [self.size, self.objective]
        parts += [] if self.rotation_deg is None else [f"turn{self.rotation_deg:g}"]
        parts += [] if self.placed else ["nowhere"]
        return "-".join(parts + ([] if self.turned else ["mounted"]))

    def of(self, recipe: Recipe, steps: int | None = None) -> Recipe:
        """The recipe with these changes, and ``steps`` of pre-training. ``ValueError`` for names that are not known."""
        if self.size not in SIZES or self.objective not in OBJECTIVES:
            raise ValueError(f"sizes: {', '.join(SIZES)}; objectives: {', '.join(OBJECTIVES)}; given {self}")
        assert isinstance(recipe.model, mujo.Config)
        dim, depth = SIZES[self.size]
        weights = {n: w for n, w in {**recipe.objective.weights, **OBJECTIVES[self.objective]}.items() if w > 0}
        objective = replace(recipe.objective, weights=weights)
        if self.objective == "unimts":
            objective = replace(objective, synonyms=1.0)
        how = recipe.augment
        if self.rotation_deg is not None:
            how = replace(how, rotation_deg=self.rotation_deg)
        if not self.turned:
            how = replace(how, rotation_deg=0.0, half_turns=False, axes=0.0, any_way=0.0)
        plan = recipe.pretrain
        if steps is not None:
            plan = replace(plan, steps=steps, warmup_steps=min(plan.warmup_steps, max(1, steps // 10)))
        model = replace(recipe.model, dim=dim, depth=depth, placed=self.placed)
        return replace(recipe, model=model, objective=objective, pretrain=plan, augment=how)


def space(
    recipe: Recipe, prepared: Prepared, choice: Choice, out: Path, *,
    minutes: float | None = None, seed: int = 0, progress: bool = True, provenance: Mapping[str, Any] | None = None,
) -> Path:  # fmt: skip
    """The joint space of a choice in ``out``, resumed where it was stopped; its checkpoint.

    ``minutes``: as many steps as this machine makes in that time, measured once and kept in ``out/steps.json``.
    """
    if not (by_class(recipe) or choice.sees("made_up")):  # words are of made-up movements alone then
        weights = {name: w for name, w in recipe.objective.weights.items() if name != "words"}
        recipe = replace(recipe, objective=replace(recipe.objective, weights=weights))
    given = sources(prepared, choice, classes=by_class(recipe))
    if minutes is not None:
        steps = _steps(recipe, given, out, minutes)
        recipe = replace(recipe, pretrain=replace(recipe.pretrain, steps=steps))
    told = {"choice": choice.name, **(provenance or {})}
    joint.pretrain(recipe, given, out, seed=seed, progress=progress, provenance=told)
    return out / "model.safetensors"


def by_class(recipe: Recipe) -> bool:
    """Whether labels of all sets are classes to it: where it tells them apart, or has nothing else to learn from."""
    return recipe.objective.wants("classify") or not recipe.objective.wants("contrast")


def _steps(recipe: Recipe, given: list[joint.Source], out: Path, minutes: float) -> int:
    kept = out / "steps.json"
    if kept.is_file():
        return int(json.loads(kept.read_text())["steps"])
    per_second = speed(recipe, given)
    out.mkdir(parents=True, exist_ok=True)
    steps = max(1, int(60 * minutes * per_second))
    kept.write_text(json.dumps({"steps": steps, "minutes": minutes, "steps_per_s": round(per_second, 3)}))
    return steps


def speed(recipe: Recipe, given: list[joint.Source], steps: int = TIMED) -> float:
    """Steps of training in a second on this machine, by a training that is thrown away."""

    def timed(number: int) -> float:
        plan = replace(recipe.pretrain, steps=number, warmup_steps=0, save_every_s=1e9)
        with TemporaryDirectory() as folder:
            start = time.perf_counter()
            joint.pretrain(replace(recipe, pretrain=plan), given, Path(folder), progress=False)
            return time.perf_counter() - start

    few = max(1, steps // 4)
    timed(few)  # sentences are embedded, and kept
    return (steps - few) / max(timed(steps) - timed(few), 1e-3)


@dataclass(frozen=True)
class Taught:
    """What classes are learnt from: ``parts`` and ``others`` of ``recognizer.learn_all``, the first ``spans`` of which
    are sessions in which one activity follows another.
    """

    parts: list[tuple[Corpus, list[str], list[str]]]
    others: list[tuple[Corpus, list[str]]]
    spans: int | None

    @classmethod
    def of(cls, stores: Mapping[str, Corpus], choice: Choice, most: int = MOST) -> Taught:
        """Of the named sets that a choice sees; made-up movements tell how movements differ. ``ValueError``: none."""
        seen = {name: store for name, store in stores.items() if choice.sees(set_of(name))}
        parts, spans = [], 0
        for known in KNOWN:  # the gym first: there one activity follows another
            for name, store in seen.items():
                if set_of(name) == known:
                    train, validation = split(store, known)
                    parts.append((store, some(train, most), some(validation, most // 4)))
                    spans += known == "gym"
        if not parts:
            raise ValueError(f"no set with words to learn classes from: {choice}")
        others = [(store, some(store.recordings, most)) for name, store in seen.items() if set_of(name) == "made_up"]
        return cls(parts, others, spans or None)


def taught(path: Path, stores: Mapping[str, Corpus], choice: Choice) -> Recognizer:
    """The recognizer of a joint space: classes of the named sets it saw."""
    given = Taught.of(stores, choice)
    return recognizer.learn_all(path, given.parts, others=given.others, same=SAME, spans=given.spans, subsets=True)


def compared(path: Path, stores: Mapping[str, Corpus], choice: Choice, most: int = MOST // 4) -> Classes:
    """Its classes alone, from fewer recordings: for benchmarks that teach by one example."""
    given = Taught.of(stores, choice, most)
    return recognizer.learn_classes(path, given.parts, others=given.others, same=SAME, subsets=True)


def known(path: Path, stores: Mapping[str, Corpus], choice: Choice, most: int = KNOWN_WINDOWS) -> NDArray[np.float32]:
    """Windows (m, d) in the joint space of the sets with sentences that a choice sees, at most so many of each, evenly
    picked: what ``zeroshot.classify`` measures the reach of sentences by. ``ValueError`` where there are none.
    """
    model, recipe, _ = joint.load(path)
    assert isinstance(model, mujo.MuJo)
    found = []
    for name in (name for name in (*KNOWN, "made_up") if choice.sees(name)):
        every = {key: store for key, store in stores.items() if set_of(key) == name}
        for store in every.values():
            groups = by_places(store, recipe, split(store, name)[0])
            total = sum(len(windows) for windows in groups)
            for windows in groups:
                count = -(-most * len(windows) // (total * len(every)))
                rows = np.unique(np.linspace(0, len(windows) - 1, min(count, len(windows))).astype(np.intp))
                z = joint.embed(model, windows, rows, 256)["imu"]
                found.append(z[z.any(1)])
    if not found:
        raise ValueError(f"no window of a set with words: {choice}")
    return np.concatenate(found)


def some(ids: Iterable[str], most: int = MOST) -> list[str]:
    """At most so many, evenly picked."""
    every = list(ids)
    return every[:: -(-len(every) // most)] if every else []


def train(
    recipe: Recipe, stores: Mapping[str, Corpus], out: Path, *, choice: Choice | None = None,
    minutes: float | None = None, seed: int = 0, progress: bool = True, command: str = "",
) -> Path:  # fmt: skip
    """``out/kinjo-base.safetensors``: the joint space and what it knows, with provenance. Done already: that."""
    choice, made = choice or Choice(), out / "kinjo-base.safetensors"
    told = {"data": facts(dict(stores)), "kinjo": __version__, "command": command, "validation_subjects": "1 in 8"}
    path = space(
        recipe, prepare(stores, recipe), choice, out / "space", minutes=minutes, seed=seed, progress=progress,
        provenance=told,
    )  # fmt: skip
    if not _made_of(made, path):
        recognizer.save(taught(path, stores, choice), path, made)
    return made


def _made_of(made: Path, path: Path) -> bool:
    """Whether a recognizer is there, and of this joint space and data."""
    if not made.is_file():
        return False
    (one, told), (other, wanted) = checkpoint.load(made), checkpoint.load(path)
    return told.get("data") == wanted.get("data") and recognizer.fingerprint(one) == recognizer.fingerprint(other)
