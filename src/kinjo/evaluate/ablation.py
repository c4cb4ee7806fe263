"""What each part of Mu-MAE is worth on UTD-MHAD: arms that differ from a base recipe in one thing, or in named ones.

Every arm is trained and tested by the strict protocol on the same episodes as its base, so that the difference has a
paired interval. ``table`` is all of it; ``benchmarks/utd_ablation.py`` writes it down.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from kinjo import learn
from kinjo.batches import Windows, cut
from kinjo.corpus import Corpus
from kinjo.encoders import Input, SensorInput
from kinjo.evaluate import strict
from kinjo.evaluate.folds import FewshotResult, difference
from kinjo.evaluate.intervals import Interval
from kinjo.recipe import Cut, Recipe

FAST = ("imu", "pose")
"""Modalities of the fast arms."""


@dataclass(frozen=True)
class Arm:
    """One line of the table: what is changed, and against which other arm it is held."""

    name: str
    what: str
    recipe: Recipe
    against: str = ""
    subset: tuple[str, ...] = FAST
    init: Path | None = None
    """A checkpoint to start from, made on external data."""
    head: Literal["", "cosine", "euclidean", "matching"] = ""
    """Compare what is fused, alone, by this head, which needs no training; empty: as the recipe says."""


@dataclass(frozen=True)
class Line:
    """An arm with its result, and what it gains over the arm it is held against (None for a base)."""

    arm: Arm
    result: FewshotResult
    gain: float | None
    gain_ci95: Interval | None


def changed(recipe: Recipe, name: str, *, inputs: Mapping[str, Input] | None = None, **parts: Any) -> Recipe:
    """``recipe`` under another name; ``inputs`` in place of its own, and of its tables (``model``, ``pretrain``,
    ``oneshot``, ...) the given fields.
    """
    given = recipe.inputs if inputs is None else inputs
    tables = {table: replace(getattr(recipe, table), **values) for table, values in parts.items() if table != "model"}
    model = replace(recipe.model, inputs=given, **parts.get("model", {}))
    return replace(recipe, name=f"{recipe.name}-{name}", inputs=given, model=model, **tables)


def fast_arms(base: Recipe) -> list[Arm]:
    """Masking, ratio, layout, entrance, pre-training, fusion, branches and head, on IMU and pose; three seeds."""
    few = {key: spec for key, spec in base.inputs.items() if spec.modality in FAST}
    start = changed(base, "base", inputs=few)
    values = {key: replace(spec, reads="values") for key, spec in few.items()}
    strided = {k: replace(s, layout="strided") if isinstance(s, SensorInput) else s for k, s in values.items()}
    linear = changed(start, "linear", inputs=values, model={"stem": "linear"})
    fused = changed(start, "inductive", oneshot={"fusion": "inductive"})
    # (name, what, recipe, against)
    arms = [
        ("base", "synchronised, 0.75, convolutional stems that read pose's motion, late fusion, cosine", start, ""),
        ("independent", "each stream draws its own mask",
         changed(start, "ind", model={"masking": "independent"}), "base"),
        ("ratio_50", "sensors and pose hide 0.5", changed(start, "r50", model={"mask_ratio": 0.5}), "base"),
        ("ratio_90", "sensors and pose hide 0.9", changed(start, "r90", model={"mask_ratio": 0.9}), "base"),
        ("scratch", "no pre-training", changed(start, "scratch", pretrain={"steps": 0}), "base"),
        ("values", "stems read pose as it is, not its motion", changed(start, "values", inputs=values), "base"),
        ("linear", "linear contiguous tokens, pose as it is", linear, "values"),
        ("linear_strided", "linear strided sensor tokens", changed(linear, "strided", inputs=strided), "linear"),
        ("linear_independent", "linear, independent masks", changed(linear, "ind", model={"masking": "independent"}),
         "linear"),
        ("linear_scratch", "linear, no pre-training", changed(linear, "scratch", pretrain={"steps": 0}), "linear"),
        ("inductive", "inductive fusion beside the modalities", fused, "base"),
        ("reference", "reference fusion: attention over the episode's samples",
         changed(start, "reference", oneshot={"fusion": "reference"}), "base"),
        ("branches_released", "a small CNN per stream, not pre-trained",
         changed(start, "cnn", pretrain={"steps": 0}, oneshot={"branches": "released"}), "base"),
        ("head_cosine", "the inductively fused vector alone, cosine prototypes", fused, "inductive", "cosine"),
        ("head_euclidean", "the same, Euclidean prototypes", fused, "head_cosine", "euclidean"),
        ("head_matching", "the same, matching head: with one example it ranks as cosine does", fused, "head_cosine",
         "matching"),
        ("head_relation", "the fused vector alone, relation head, taught by episodes of three queries a class",
         changed(fused, "relation", oneshot={"head": "relation", "queries": 3}), "head_cosine"),
        ("head_can", "the fused vector alone, CAN head, taught by episodes of three queries a class",
         changed(fused, "can", oneshot={"head": "can", "queries": 3}), "head_cosine"),
        ("as_released", "linear strided tokens scaled per clip, 0.9, released branches, reference fusion, CAN head",
         as_released(linear), "linear"),
    ]  # fmt: skip
    return [Arm(*arm[:4], head=arm[4] if len(arm) > 4 else "") for arm in arms]


def as_released(linear: Recipe, name: str = "released") -> Recipe:
    """All that the released code does, at this size: tokens, scaling, ratio, branches, fusion, head, no augmentation
    but the video's, together.
    """
    inputs = {
        k: replace(s, layout="strided", scaling="clip") if isinstance(s, SensorInput) else s
        for k, s in linear.inputs.items()
    }
    how = {"fusion": "reference", "branches": "released", "head": "can"}
    still = {"rotation_deg": 0.0, "turn_deg": 0.0, "warp": 0.0, "crop": 0.0, "scale": 0.0, "noise": 0.0}
    return changed(linear, name, inputs=inputs, model={"mask_ratio": 0.9}, oneshot=how, augment=still)


def video_arms(base: Recipe) -> list[Arm]:
    """With depth: pre-training, fusion, and all as released. Slow: as many seeds as the machine allows."""
    every = tuple(base.model.modalities)
    values = {key: replace(spec, reads="values") for key, spec in base.inputs.items()}
    linear = changed(base, "linear", inputs=values, model={"stem": "linear"})
    arms = [
        ("video_base", "as base, with depth", base, ""),
        ("video_scratch", "no pre-training", changed(base, "scratch", pretrain={"steps": 0}), "video_base"),
        ("video_inductive", "inductive fusion",
         changed(base, "inductive", oneshot={"fusion": "inductive"}), "video_base"),
        ("video_as_released", "as released, with a TimeSformer", as_released(linear), "video_base"),
    ]  # fmt: skip
    return [Arm(name, what, recipe, against, every) for name, what, recipe, against in arms]


def external_arms(base: Recipe, external: Corpus, work: Path, *, progress: bool = True) -> list[Arm]:
    """IMU alone, with and without pre-training on an external corpus of wearables first, cut to windows of 3.6 s."""
    imu = changed(base, "imu", inputs={key: spec for key, spec in base.inputs.items() if spec.modality == "imu"})
    there = replace(changed(imu, "external"), windows=Cut(3.6, 3.6))
    windows = Windows(external, cut(external, external.recordings, there), there.inputs)
    what = json.dumps([there.to_dict(), learn.digest(windows, np.arange(len(windows)))], sort_keys=True)
    out = work / f"{there.name}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"
    learn.pretrain(there, windows, np.arange(len(windows)), out, progress=progress)
    arms = [
        ("imu_base", "IMU alone", imu, "", None),
        ("external", "IMU alone, started from pre-training on the external set, then as base", imu, "imu_base", out),
        ("imu_scratch", "IMU alone, no pre-training", changed(imu, "scratch", pretrain={"steps": 0}), "imu_base", None),
    ]  # fmt: skip
    return [
        Arm(name, what, recipe, against, ("imu",), folder / "model.safetensors" if folder else None)
        for name, what, recipe, against, folder in arms
    ]


def table(
    arms: Sequence[Arm], corpus: Corpus, work: Path, *, seeds: Sequence[int], episodes: int = 2_000, workers: int = 1
) -> list[Line]:
    """Train and test all arms. What ``work`` holds already is not trained again."""
    results: dict[str, FewshotResult] = {}
    lines = []
    for arm in arms:
        results[arm.name] = ours = strict.evaluate(
            arm.recipe, corpus, work, seeds=seeds, subsets=[arm.subset], episodes=episodes,
            init=arm.init, head=arm.head, with_baselines=False, workers=workers, few_seeds=len(seeds) < 3,
        )["_".join(arm.subset)]  # fmt: skip
        gain, ci95 = difference(ours, results[arm.against]) if arm.against else (None, None)
        lines.append(Line(arm, ours, gain, ci95))
    return lines
