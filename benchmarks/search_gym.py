"""Moments found by words and by sensors in the simulated gym, people never seen; and how long 100,000 windows take.

A small joint space (pose, a watch on the right wrist, sentences) is trained in about a minute, then asked in sentences
that it never read. How moments are ranked was chosen on other people (1000 to 1049). Nobody was measured.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from _tools import RESULTS, ROOT
from kinjo import corpus, joint, recognizer
from kinjo.batches import Windows, cut
from kinjo.body import CANONICAL
from kinjo.corpus import Corpus, WindowIndex
from kinjo.datasets import gym
from kinjo.datasets.gym.words import paraphrases
from kinjo.datasets.sentences import sentences
from kinjo.demo import one_thread
from kinjo.encoders import Input, PoseInput, SensorInput
from kinjo.evaluate import report
from kinjo.evaluate.intervals import accuracy_interval
from kinjo.evaluate.pictures_motion import plot_moments
from kinjo.methods import mujo
from kinjo.recipe import Augment, Cut, Recipe
from kinjo.recording import Recording
from kinjo.search import Index, Moment
from kinjo.sensors import WATCH
from kinjo.train import Schedule

WORK = ROOT / ".bench" / "search-gym"
TRAIN, TEST = range(120), range(2000, 2072)
ASKED = 5
"""Sentences for each movement."""
CLIP_S = 8.0
"""What a watch or a pose asks with: the middle of a set."""
COMMAND = "make bench-search-gym"
TRAINED_ON = f"the simulated gym, {len(TRAIN)} people, sessions of 90 s, {len(gym.NAMES)} movements"
WINDOWS, SIZE = 100_000, 128
SHOWN = "lateral raise"


def session(person: int, seconds: float) -> Recording:
    """Pose and a watch of somebody who does all that the gym has."""
    return gym.record(person, seconds=seconds, placements=("right_wrist",), sensors={"right_wrist": WATCH})


def sessions(people: Sequence[int], seconds: float) -> Corpus:
    origin = f"gym, pose and a watch, {people}, {seconds} s"
    return corpus.kept(WORK / f"people-{people[0]}", origin, lambda: (session(p, seconds) for p in people))


def recipe() -> Recipe:
    """Windows of 4 s every second, a quarter of a million parameters."""
    inputs: dict[str, Input] = {
        q: SensorInput(q, samples=96, slots=12, placement="right_wrist") for q in ("acc", "gyro")
    }
    across = CANONICAL.index("left_hip"), CANONICAL.index("right_hip")
    inputs["pose"] = PoseInput(frames=48, joints=17, slots=12, skeleton="canonical", across=across)
    return Recipe(
        "search-gym", inputs, mujo.Config(inputs, dim=64, depth=1, joint_dim=96), method="mujo",
        objective=mujo.Objective({"contrast": 1.0, "supervised": 1.0}, drop=0.0),
        pretrain=Schedule(steps=500, batch_size=64, lr=3e-3, warmup_steps=20), windows=Cut(4.0, 1.0),
        augment=Augment(20.0, warp=0.1, crop=0.05),
    )  # fmt: skip


def trained() -> Path:
    """The folder of the joint space."""
    store, how = sessions(TRAIN, 90.0), recipe()
    windows = Windows(store, cut(store, store.recordings, how), how.inputs)
    joint.pretrain(how, [joint.Source(windows, np.arange(len(windows)), text=True, labels=True)], WORK / "space")
    return WORK / "space"


def questions() -> Iterator[tuple[str, str]]:
    """(movement, a sentence about it that no training read)."""
    for name in gym.NAMES:
        read = set(sentences("gym", name))
        new = [s for s in paraphrases(name, 80, np.random.default_rng(2000)) if s not in read]
        yield from ((name, s) for s in new[:ASKED])


class Answers:
    """Who was found, what was asked for, and whether it was right; rank by rank."""

    def __init__(self, store: Corpus) -> None:
        self.subjects = dict(zip(store.recordings, store.table.subjects.astype(str), strict=True))
        self.rows: list[tuple[str, str, bool, int]] = []

    def add(self, asked: str, found: Sequence[Moment]) -> None:
        self.rows += [(self.subjects[m.recording], asked, m.label == asked, rank) for rank, m in enumerate(found)]

    def precision(self, k: int) -> tuple[float, tuple[float, float]]:
        """Among the first ``k``, with 95 % over people found and movements."""
        who, asked, right, _ = zip(*(row for row in self.rows if row[3] < k), strict=True)
        hits = np.array(right)
        return float(hits.mean()), accuracy_interval(who, asked, hits, np.random.default_rng(0))


def by_words(finder: Any, index: Index, modality: str | None) -> tuple[Answers, float]:
    """The answers to all sentences, and how well the spans of right ones fit: intersection over union."""
    out, fit = Answers(index.corpus), []
    for name, sentence in questions():
        found = finder.search(sentence, index, 5, modality=modality)
        out.add(name, found)
        fit += [overlap(index.corpus, m) for m in found if m.label == name]
    return out, float(np.mean(fit))


def overlap(store: Corpus, m: Moment) -> float:
    """Intersection over union with the best segment of its label."""
    segments = [s for s in store.entries[store.number(m.recording)].segments if s.label == m.label]
    return max(
        (min(s.end_s, m.end_s) - max(s.start_s, m.start_s)) / (max(s.end_s, m.end_s) - min(s.start_s, m.start_s))
        for s in segments
    )


def across(index: Index, asks: str, answers: str) -> Answers:
    """One modality's clip of every set asks, the other modality of other people answers."""
    asking, out = replace(index, vectors={asks: index.vectors[asks]}), Answers(index.corpus)
    for entry in index.corpus.entries:
        for s in entry.segments:
            middle = (s.start_s + s.end_s) / 2
            clip = Moment(entry.id, max(s.start_s, middle - CLIP_S / 2), min(s.end_s, middle + CLIP_S / 2))
            out.add(s.label, index.search(asking.vector(clip), 5, modality=answers, without=clip))
    return out


def chance(index: Index) -> float:
    """That a window drawn at random shows what is asked for, the mean over movements."""
    labels = index.windows.label_names
    return float(np.mean([(labels == name).mean() for name in gym.NAMES]))


def ceiling(store: Corpus, k: int) -> float:
    """The precision of one who errs never: some movements have fewer than ``k`` sets."""
    sets = [s.label for entry in store.entries for s in entry.segments]
    return float(np.mean([min(sets.count(name), k) / k for name in gym.NAMES]))


def latency() -> dict[str, float]:
    """Milliseconds of a query over 100,000 windows of two modalities, held in memory, without embedding it."""
    rng, store = np.random.default_rng(0), sessions(TEST, 120.0)
    each = -(-WINDOWS // len(store))
    of = np.arange(WINDOWS) // each
    start = (np.arange(WINDOWS) % each).astype(np.float64)
    windows = WindowIndex(of, start, start + 4.0, np.zeros(WINDOWS, np.int64))

    def made() -> np.ndarray[Any, Any]:
        x = rng.standard_normal((WINDOWS, SIZE), np.float32)
        return x / np.linalg.norm(x, axis=1, keepdims=True)

    out = {}
    for modalities in (("imu",), ("imu", "pose")):
        index, times = Index(store, windows, {m: [made()] for m in modalities}), []
        for q in rng.standard_normal((200, SIZE)):
            begin = time.perf_counter()
            index.search(q, 10)
            times.append(1000 * (time.perf_counter() - begin))
        out[" + ".join(modalities)] = float(np.percentile(times[10:], 50))
    return out


def rows_of_words(finder: Any, index: Index, where: str) -> list[report.Row]:
    """Precision at 1 and at 5 of all modalities together, beside each alone."""
    all_of_them, fit = by_words(finder, index, None)
    alone = {m: by_words(finder, index, m)[0] for m in ("imu", "pose")}
    protocol = (
        f"{where}; {ASKED} sentences for each of {len(gym.NAMES)} movements, which training never read; a moment is "
        "right by the label that it shares most with; interval over people found and movements"
    )
    out = []
    for k in (1, 5):
        value, ci = all_of_them.precision(k)
        beside: dict[str, Any] = {f"by_{m}": a.precision(k)[0] for m, a in alone.items()}
        beside["ceiling"] = ceiling(index.corpus, k)
        out.append(
            report.row(f"search.words_p{k}", value, "fraction", ci95=ci, baseline={"chance": chance(index)}, seeds=1,
                       command=COMMAND, trained_on=TRAINED_ON, protocol=protocol, span_iou=fit, **beside)
        )  # fmt: skip
    return out


def row_across(index: Index, asks: str, answers: str, where: str) -> report.Row:
    """Precision at 1 of one modality asking another."""
    found = across(index, asks, answers)
    value, ci = found.precision(1)
    protocol = (
        f"{where}; up to {CLIP_S:g} s of each set asks by {asks} alone, other people's {answers} answers; interval "
        "over people found and movements"
    )
    return report.row(
        f"search.{asks}_to_{answers}_p1", value, "fraction", ci95=ci, baseline={"chance": chance(index)}, seeds=1,
        command=COMMAND, trained_on=TRAINED_ON, protocol=protocol, p5=found.precision(5)[0],
    )  # fmt: skip


def row_of_latency(finder: Any) -> report.Row:
    speed = latency()
    begin = time.perf_counter()
    finder.vector("somebody whom nobody has asked about")
    sentence_ms = 1000 * (time.perf_counter() - begin)
    protocol = (
        f"median of 190 queries for ten moments of {WINDOWS} windows with two vectors of {SIZE} numbers, all compared, "
        "in memory; embedding a sentence is not in it (sentence_ms, text model imported)"
    )
    return report.row(
        "search.latency_ms_100k", speed["imu + pose"], "ms", command=COMMAND, machine=report.describe_machine(),
        one_modality_ms=speed["imu"], sentence_ms=sentence_ms, protocol=protocol,
    )  # fmt: skip


def picture(finder: Any, index: Index) -> None:
    """What is found by a sentence about ``SHOWN``."""
    asked = next(s for name, s in questions() if name == SHOWN)
    found = [
        (index.corpus.recording(m.recording), m.start_s, m.end_s, f"{m.label}: {m.recording} ({m.score:.2f})")
        for m in finder.search(asked, index, 5)
    ]
    title = f"\u201c{asked}\u201d (simulated gym, people never seen)"
    plot_moments(found, RESULTS / "search_gym.png", title=title)


def main() -> None:
    """Train, index, ask, draw, write the rows."""
    with one_thread():
        finder = recognizer.finder(trained())
        index = finder.index(sessions(TEST, 120.0), progress=True)
        sets = sum(len(entry.segments) for entry in index.corpus.entries)
        where = f"{len(TEST)} people never seen, sessions of 120 s, {sets} sets, {len(index)} windows of 4 s"
        rows = rows_of_words(finder, index, where)
        rows += [row_across(index, a, b, where) for a, b in (("imu", "pose"), ("pose", "imu"))]
        picture(finder, index)
        rows.append(row_of_latency(finder))
    for row in rows:
        print({name: x for name, x in row.items() if name in ("id", "value", "ci95", "baseline", "p5", "span_iou")})
    report.write_rows(RESULTS / "search_gym.json", rows)


if __name__ == "__main__":
    main()
