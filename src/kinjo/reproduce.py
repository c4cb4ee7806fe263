"""``kinjo reproduce mumae|mujo``: what a paper claims, what we measured, on which data; its own data where found.

Ours are the rows that the benchmarks wrote. The paper's numbers are on MMAct, which is given on request only: where it
lies under the data folder, the paper's own split is run by its protocol and by the strict one; elsewhere the table
says how to get it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kinjo import corpus, datasets, learn
from kinjo.datasets import mmact
from kinjo.evaluate import answers, reference, strict
from kinjo.evaluate.fewshot import Protocol, sample_episodes, score
from kinjo.evaluate.folds import Fold
from kinjo.methods.oneshot import OneShot
from kinjo.recipe import Recipe
from kinjo.recording import Recording

PAPER = "arXiv 2408.04243 v1, 8 Aug 2024"
HOME = Path(__file__).resolve().parents[2]
"""The project's folder: results and recipes are not part of the installed package."""
RESULTS = HOME / "benchmarks" / "results"
RECIPE = HOME / "recipes" / "mumae-mmact.toml"


@dataclass(frozen=True)
class Claim:
    """What the paper says, and the rows of ours that speak to it."""

    claim: str
    paper: str
    rows: tuple[str, ...]
    data: str = "UTD-MHAD"


CLAIMS = (
    Claim(
        "5-way one-shot with video and wearables, no external data", "80.17 % on MMAct, best of repeated tests",
        ("utd.oneshot.reference", "utd.oneshot.reference_as_released", "utd.oneshot.imu_pose_depth",
         "utd.ablation.video_as_released"),
    ),
    Claim("with external data", "up to 83.82 % on MMAct (second-hand; which data is not known)",
          ("utd.ablation.external_gain",)),
    Claim("synchronised masking is better than independent", "said, figures not found",
          ("utd.ablation.sync_gain", "utd.ablation.linear_independent")),
    Claim("cross-attention fusion helps", "said, figures not found",
          ("utd.ablation.fusion_gain", "utd.ablation.reference", "utd.ablation.video_inductive")),
    Claim("pre-training on the set itself is enough", "implied, figures not found",
          ("utd.ablation.pretrain_gain", "utd.ablation.linear_scratch", "utd.ablation.video_scratch")),
    Claim("masked tokens stay out of the encoder", "as VideoMAE", ("mae.mask_speedup", "mae.mask_speedup_encoder"),
          "random windows"),
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A claim with the rows that were found: id -> value, interval, seeds, protocol, command."""

    claim: Claim
    ours: dict[str, dict[str, Any]]


def table(results: Path = RESULTS, claims: Sequence[Claim] = CLAIMS) -> list[Entry]:
    """The claims beside our rows; a row that is absent was not measured here."""
    rows: dict[str, dict[str, Any]] = {}
    for file in sorted(results.glob("*.json")):
        rows |= {row["id"]: row for row in json.loads(file.read_text(encoding="utf-8"))}
    kept = ("value", "ci95", "gain", "gain_ci95", "baseline", "seeds", "protocol", "command", "commit")
    return [
        Entry(claim, {id: {k: rows[id][k] for k in kept if k in rows[id]} for id in claim.rows if id in rows})
        for claim in claims
    ]


def to_text(entries: Sequence[Entry], mmact_run: Mapping[str, Any] | None) -> str:
    """For people."""
    lines = [f"Mu-MAE ({PAPER}) and kinjo", "", *claims_text(entries), ""]
    if mmact_run is None:
        lines.append(f"MMAct is not here, so its numbers could not be reproduced. {mmact.CARD.how_to_get}")
        lines.append("Then: kinjo reproduce mumae --data DATA")
    else:
        told = f", {mmact_run['reported']} faults reported" if mmact_run["reported"] else ""
        lines += [f"MMAct, the paper's split (23 + 10 classes), {mmact_run['clips']} clips{told}:"]
        lines += [f"  {name:<26} {mmact_run[name]:.4f}" for name in ("reference_best", "reference_last", "strict")]
    return "\n".join(lines)


def claims_text(entries: Sequence[Entry]) -> list[str]:
    """Each claim, the paper's number and ours, in lines."""
    lines: list[str] = []
    for entry in entries:
        lines += [entry.claim.claim, f"  paper  {entry.claim.paper}"]
        for id, row in entry.ours.items():
            low_high = "" if "ci95" not in row else "  [{:.3f}, {:.3f}]".format(*row["ci95"])
            gain = "" if "gain" not in row else f"  gain {row['gain']:+.3f}"
            lines.append(f"  ours   {id} = {row['value']:.3f}{low_high}{gain}  ({entry.claim.data}, {row['command']})")
        if not entry.ours:
            lines.append(f"  ours   not measured here ({', '.join(entry.claim.rows)}: make bench)")
    return lines


def clips_of(found: Path, report: list[str]) -> Iterator[Recording]:
    """MMAct as the released code counts: a clip per camera, the four of a sequence with the same sensors.

    What cannot be read is left out; ``report`` gets a line on each.
    """
    for recording in datasets.load("mmact", found, skip_bad=True, report=report):
        yield from mmact.views(recording)


def tell(report: Sequence[str], path: Path) -> None:
    """Keep the lines of a ``report`` on files in ``path``, and say on stderr how many they are."""
    _keep("".join(f"{line}\n" for line in report), path)
    if report:
        print(f"{len(report)} faults reported, such as: {report[0]} (all: {path})", file=sys.stderr)


def _keep(text: str, path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def run_mmact(
    data: Path, out: Path, recipe: Recipe, *, tests: int = 80, episodes: int = 10_000, seed: int = 0,
    progress: bool = True,
) -> dict[str, Any] | None:  # fmt: skip
    """The paper's split by the reference and the strict protocol; ``None`` where MMAct is not under ``data``.

    Works in ``out`` and goes on from there. Released: about 80 tests.
    """
    found = mmact.find(data)
    if found is None:
        return None
    size = max((s.size for s in recipe.inputs.values() if s.modality == "video"), default=64)
    report: list[str] = []
    store = corpus.write(clips_of(found, report), out / "corpus", video=corpus.VideoSize(size), progress=progress)
    tell(report, out / "reported.txt")
    split = mmact.ONESHOT
    clips = strict.Clips.of(store, recipe, (*split["train"], *split["test"]))
    fold = Fold("mmact-oneshot", split["train"], (), split["test"])
    modalities = list(recipe.model.modalities)
    scores = reference.run_fold(recipe, clips, fold, seed, out, modalities, tests, episodes, progress)
    folder = strict.folder_of(recipe, clips, fold, seed, out)
    model, _, _ = learn.load(folder / "finetune" / "model.safetensors")
    assert isinstance(model, OneShot)
    rows = clips.rows(fold.test)
    who = clips.labels[rows], clips.subjects[rows]
    rng = np.random.default_rng(seed)
    asked = sample_episodes(*who, clips.recordings[rows], Protocol(episodes=episodes), rng)
    given = answers.of_model(model, clips.windows, asked, rows, modalities=modalities)
    final = score(asked, given, *who, rng=rng)
    return {
        "clips": len(clips.labels), "reported": len(report), "recipe": recipe.name, "reference_best": max(scores),
        "reference_last": scores[-1], "reference_tests": scores, "strict": final.accuracy,
        "strict_ci95": list(final.ci95), "seeds": 1,
    }  # fmt: skip


def mumae(
    data: Path, out: Path, recipe: Recipe, *, results: Path = RESULTS, tests: int = 80, episodes: int = 10_000,
    progress: bool = True,
) -> tuple[dict[str, Any], str]:  # fmt: skip
    """The table as plain JSON types and as text; written to ``out/mumae.json`` too."""
    entries = table(results)
    ran = run_mmact(data, out, recipe, tests=tests, episodes=episodes, progress=progress)
    plain = {"paper": PAPER, "claims": [asdict(entry) for entry in entries], "mmact": ran}
    out.mkdir(parents=True, exist_ok=True)
    _keep(json.dumps(plain, indent=1) + "\n", out / "mumae.json")
    return plain, to_text(entries, ran)


# ------------------------------------------------------------------------------------------------ MuJo
MUJO_PAPER = "arXiv 2406.03857: v1, 6 Jun 2024; v3, 6 Feb 2025 (PerCom 2025)"
MUJO_CLAIMS = (
    Claim("MM-Fit, fine-tuned on 2 % of the labels", "macro-F1 up to 0.855 (v3); v1 said 0.992 of another experiment",
          ("motionsense.f1.2",), "MotionSense, for want of MM-Fit"),
    Claim("MM-Fit, fine-tuned on all labels", "macro-F1 up to 0.942 (v3); v1 said 0.999",
          ("motionsense.f1.100",), "MotionSense, for want of MM-Fit"),
    Claim("MM-Fit never seen", "macro-F1 up to 0.638 (v1)", ("motionsense.f1.1rec",),
          "MotionSense with one labelled recording a class"),
    Claim("pre-training on simulated IMU beats training from scratch on all four sets, at 2 % and 100 %",
          "said (v3), tables not found", ("mujo.virtual_gain",), "MotionSense"),
    Claim("multimodal pre-training beats unimodal for pose, video and several inputs", "said, figures not found",
          ("utd.multimodal_gain", "utd.pretrain_gain")),
    Claim("strategies of multitask learning; a compact representation", "analysed in v1, figures not found",
          ("mujo.strategies",), "MotionSense, 2 %"),
    Claim("robust where modalities are missing", "analysed in v1, figures not found", ("utd.robustness_gap",)),
    Claim("any modality finds any other in the joint space", "implied, figures not found",
          ("utd.retrieval.imu_pose", "utd.retrieval.pose_imu", "utd.retrieval.imu_video", "utd.retrieval.text_imu")),
)  # fmt: skip
MUJO_DATA = {
    "mm_fit": "mujo-mmfit", "myogym": "mujo-myogym", "motionsense": "mujo-motionsense", "mhealth": "mujo-mhealth",
}  # fmt: skip
"""The paper's data sets and the recipe for each."""


def mujo(data: Path, *, results: Path = RESULTS) -> tuple[dict[str, Any], str]:
    """MuJo's claims beside our rows, and which of its data sets lie under ``data``: plain JSON types, and text."""
    entries = table(results, MUJO_CLAIMS)
    lines = [f"MuJo ({MUJO_PAPER}) and kinjo", "", *claims_text(entries), ""]
    found: dict[str, str | None] = {}
    for name, recipe in MUJO_DATA.items():
        card = datasets.DATASETS[name].CARD
        where = datasets.DATASETS[name].find(data)
        found[name] = None if where is None else str(where)
        if where is None:
            lines.append(f"{card.title}: data not found under {data}. {card.how_to_get}")
        else:
            lines.append(f"{card.title}: found. Its table: kinjo import {name} --data {data} -o {name}; then")
            lines.append(f"  kinjo evaluate finetune recipes/{recipe}.toml --corpus {name} --budgets windows:0.02,all")
    plain = {"paper": MUJO_PAPER, "claims": [asdict(entry) for entry in entries], "data": found}
    return plain, "\n".join(lines)
