"""Continuous sessions of the simulated gym, bodies never seen, three wearables: events, calibration, unknown movements.

Six of the 36 movements are never trained on. NULL is a class of its own. What is chosen (temperature, the smoother's
settings) is chosen on validation bodies; test bodies are asked once. Nobody was measured: it shows what the method does
with clean truth, not how well people are recognised.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from _tools import RESULTS, ROOT
from kinjo import corpus
from kinjo.corpus import NULL
from kinjo.datasets import gym
from kinjo.evaluate import arms, calibration, jobs, pictures_joint, report
from kinjo.evaluate.events import events
from kinjo.evaluate.novelty import Novelty
from kinjo.recipe import Recipe
from kinjo.recording import Recording
from kinjo.sensors import PHONE_IN_POCKET, WATCH
from kinjo.timeline import Span, Timeline

PROTOCOL = (
    "sessions of 120 s of 24 people never seen, both wrists and a pocket, windows of 4 s every 1 s, sensor faults on; "
    "temperature and smoothing chosen on 12 others; events at IoU 0.5; unknown: windows of 6 movements never trained "
    "on, 12 people, against windows of learnt movements, by the relative Mahalanobis distance of the embeddings, which "
    "knows of no unknown movement"
)
WORK = ROOT / ".bench" / "mujo-gym"
UNSEEN = ("kettlebell swing", "calf raise", "side lunge", "shoulder rotation", "jumping", "mountain climber")
KNOWN = tuple(name for name in gym.NAMES if name not in UNSEEN)
SENSORS = {"left_wrist": WATCH, "right_wrist": WATCH, "right_pocket": PHONE_IN_POCKET}
PARTS = {"train": (1000, 480, KNOWN), "validation": (100, 12, KNOWN),
         "test": (300, 24, KNOWN), "test_unseen": (400, 12, UNSEEN)}  # fmt: skip
"""Part -> first person, people (a session of 120 s each), what they do. No person is in two parts."""


def sessions() -> corpus.Corpus:
    """All parts in one corpus in ``.bench``; the part is the beginning of a recording's id."""

    def made() -> Iterator[Recording]:
        for first, people, names in PARTS.values():
            for person in range(first, first + people):
                yield gym.record(person, seconds=120.0, names=names, sensors=SENSORS)

    return corpus.write(made(), ROOT / ".bench" / "gym-sessions", origin="gym, sessions of 120 s, three wearables")


@dataclass(frozen=True)
class Part:
    """Windows of one part: rows, labels, truths (class numbers, -1: never trained on), their times and recordings."""

    rows: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]
    truth: np.ndarray[Any, Any]
    times: np.ndarray[Any, Any]
    recording: np.ndarray[Any, Any]


def part_of(windows: Any, name: str, classes: tuple[str, ...]) -> Part:
    first, people, _ = PARTS[name]
    index, subjects = windows.index, windows.corpus.table.subjects
    number = np.array([int(str(subjects[r]).split()[-1]) for r in index.recording])
    rows = np.flatnonzero((number >= first) & (number < first + people))
    place = {c: i for i, c in enumerate(classes)}
    labels = index.label_names[rows]
    truth = np.array([place.get(label, -1) for label in labels])
    times = np.stack([index.start_s[rows], index.end_s[rows]], 1)
    return Part(rows, labels, truth, times, index.recording[rows])


def timelines(part: Part, p: Any, classes: tuple[str, ...], settings: dict[str, Any]) -> dict[int, Timeline]:
    """One for each recording: NULL's probability is left out, so that idle time is UNKNOWN. Windows speak for their
    centre second."""
    kept = [i for i, c in enumerate(classes) if c != NULL]
    names = tuple(classes[i] for i in kept)
    middle = part.times.mean(1)
    spans = np.stack([middle - 0.5, middle + 0.5], 1)
    return {
        int(r): Timeline.from_scores(spans[part.recording == r], p[part.recording == r][:, kept], names, **settings)
        for r in np.unique(part.recording)
    }


def truths(opened: corpus.Corpus, recordings: Any, names: tuple[str, ...]) -> dict[int, Timeline]:
    return {
        int(r): Timeline(tuple(Span(s.start_s, s.end_s, s.label, 1.0) for s in opened.entries[int(r)].segments), names)
        for r in recordings
    }


def event_f1(opened: corpus.Corpus, part: Part, p: Any, classes: tuple[str, ...], settings: dict[str, Any]) -> Any:
    found = timelines(part, p, classes, settings)
    real = truths(opened, found, tuple(c for c in classes if c != NULL))
    who = [str(opened.table.subjects[r]) for r in found]
    return events(list(found.values()), [real[r] for r in found], who, np.random.default_rng(0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    opened, recipe = sessions(), Recipe.load(ROOT / "recipes" / "mujo-gym.toml")
    todo = [
        arms.as_job(f"gym-{seed}", trained, recipe=recipe, corpus=str(opened.root), seed=seed)
        for seed in range(given.seeds)
    ]
    answers = list(jobs.answers(todo, WORK, processes=given.workers).values())
    windows = arms.windows_of(str(opened.root), arms.text(recipe))
    classes = (NULL, *sorted(KNOWN))
    parts = {name: part_of(windows, name, classes) for name in PARTS}
    scored = [score(opened, parts, a, classes) for a in answers]
    for name in scored[0]:
        print(name, [s[name] for s in scored])
    rows = []
    for name in ("ece", "unknown_auroc", "event_f1"):
        values = [s[name] for s in scored]
        more = {"ci95": scored[0]["event_f1_ci95"]} if name == "event_f1" else {}
        rows.append(
            report.row(
                f"gym.{name}", float(np.mean(values)), "fraction", seeds=len(scored), spread=[min(values), max(values)],
                protocol=PROTOCOL, trained_on="the simulated gym, 480 people", command="make bench-mujo-gym", **more,
            )
        )  # fmt: skip
    report.write_rows(RESULTS / "mujo_gym.json", rows)
    report.keep(RESULTS / "tables" / "mujo_gym_seeds.json", scored)
    test = calibration.tempered(answers[0]["test"], scored[0]["temperature"])
    found = calibration.reliability(test, parts["test"].truth)
    pictures_joint.reliability(found, RESULTS / "mujo_gym_reliability.png", title="Simulated gym, unseen bodies")
    one = timelines(parts["test"], test, classes, scored[0]["settings"])
    first = next(iter(one))
    real = truths(opened, [first], tuple(c for c in classes if c != NULL))[first]
    one[first].plot(RESULTS / "mujo_gym_timeline.png", truth=real, title="Simulated gym, somebody never seen")


def trained(recipe: str, corpus: str, seed: int) -> dict[str, Any]:
    """A job: fine-tune on the training bodies, answer all other parts; ``<part>.strange``: how new each window is."""
    from tempfile import TemporaryDirectory

    from kinjo import joint

    plan, windows = arms.plan_of(recipe), arms.windows_of(corpus, recipe)
    classes = (NULL, *sorted(KNOWN))
    parts = {name: part_of(windows, name, classes) for name in PARTS}
    rows, truth = parts["train"].rows, parts["train"].truth
    with TemporaryDirectory() as folder:
        task = joint.finetune(
            plan, joint.new_model(plan, seed), windows, rows, truth, Path(folder), seed=seed, progress=False
        )
    some = np.random.default_rng(seed).permutation(np.flatnonzero(truth > 0))[:8000]
    learnt = [Novelty.fit(x, truth[some]) for x in embedded(task, windows, rows[some])]
    out = {}
    for name, part in parts.items():
        if name != "train":
            out[name] = joint.answer(task, windows, part.rows)
            strange = [n.score(x) for n, x in zip(learnt, embedded(task, windows, part.rows), strict=True)]
            out[f"{name}.strange"] = np.sum(strange, axis=0)
    return out


def embedded(task: Any, windows: Any, rows: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The parts of the encoder's embedding (see ``nn.context``), each (n, dim) of unit length."""
    import torch

    from kinjo.batches import plain

    inputs, out = task.model.config.inputs, []
    with torch.inference_mode():
        for start in range(0, len(rows), 128):
            batch = plain(windows.tensors(rows[start : start + 128]), inputs)
            out.append(task.model.encode(batch)["imu"].embedding.float().numpy())
    x = np.concatenate(out).reshape(len(rows), -1, task.model.config.dim)
    return list((x / np.linalg.norm(x, axis=2, keepdims=True)).transpose(1, 0, 2))


def score(opened: corpus.Corpus, parts: dict[str, Part], p: dict[str, Any], classes: tuple[str, ...]) -> dict[str, Any]:
    """Chosen on validation, measured on test."""
    t = calibration.fit_temperature(p["validation"], parts["validation"].truth)
    p = {name: x if x.ndim == 1 else calibration.tempered(x, t) for name, x in p.items()}
    grid = [
        {"enter": e, "leave": max(e - 0.15, 0.05), "smooth_s": s, "min_duration_s": d}
        for e, s, d in product((0.3, 0.4, 0.5, 0.6), (1.0, 3.0, 5.0), (0.0, 2.0, 4.0))
    ]
    best = max(grid, key=lambda g: event_f1(opened, parts["validation"], p["validation"], classes, g).f1)
    test = event_f1(opened, parts["test"], p["test"], classes, best)
    return {
        "temperature": t, "settings": best, "event_f1": round(test.f1, 4), "event_f1_ci95": list(test.ci95),
        "frames": round(test.frame_accuracy, 4), "insertions": test.insertions, "deletions": test.deletions,
        "fragmented": test.fragmented, "merged": test.merged,
        "ece": round(calibration.reliability(p["test"], parts["test"].truth).ece, 4),
        "windows": round(float((p["test"].argmax(1) == parts["test"].truth).mean()), 4),
        **unknown(parts, p),
    }  # fmt: skip


def unknown(parts: dict[str, Part], p: dict[str, Any]) -> dict[str, Any]:
    """How well windows of movements never trained on are told from those of learnt ones; NULL has no part in it.

    ``rejected`` of the unknown and ``lost`` of the known: at the threshold that 10 % of the known windows of
    validation exceed. ``by_probability``: the highest probability of any movement in place of the novelty.
    """
    known, strange = parts["test"].truth > 0, parts["test_unseen"].truth < 0
    score = np.concatenate([p["test.strange"][known], p["test_unseen.strange"][strange]])
    new = np.arange(len(score)) >= known.sum()
    validation = p["validation.strange"][parts["validation"].truth > 0]
    limit = calibration.threshold_at(validation, np.zeros(len(validation), bool), 0.1)
    labels = parts["test_unseen"].labels[strange]
    by_movement = {
        m: round(calibration.auroc(*_against(score[~new], score[new][labels == m])), 4) for m in UNSEEN
    }  # fmt: skip
    sure = _against(-p["test"][known][:, 1:].max(1), -p["test_unseen"][strange][:, 1:].max(1))
    return {
        "unknown_auroc": round(calibration.auroc(score, new), 4), "by_movement": by_movement,
        "by_probability": round(calibration.auroc(*sure), 4),
        "rejected": round(float((score[new] > limit).mean()), 4),
        "lost": round(float((score[~new] > limit).mean()), 4),
    }  # fmt: skip


def _against(known: Any, strange: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    score = np.concatenate([known, strange])
    return score, np.arange(len(score)) >= len(known)


if __name__ == "__main__":
    main()
