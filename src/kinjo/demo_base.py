"""The demo's first part: kinjo-base as it ships, by words and by one example, before anything is trained.

BasicMotions is real and was never trained on. The gym is simulated: its exercises are known, these people are not.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinjo import datasets, demo_watch
from kinjo.base.data import worn
from kinjo.classes import Classes
from kinjo.corpus import centre_label
from kinjo.datasets import gym
from kinjo.datasets.sentences import sentences
from kinjo.demo import DemoResult, finished
from kinjo.evaluate import baselines
from kinjo.evaluate.intervals import accuracy_interval
from kinjo.evaluate.pictures import plot_bars
from kinjo.recognizer import Recognizer
from kinjo.recording import Recording

PLACE = "right_wrist"
PEOPLE, TEACHER = range(700, 708), 720
"""Of the gym; nobody of them was trained on."""


def base(
    out: Path, *, model: Recognizer | None = None, people: Sequence[int] = PEOPLE, draws: int = 100, seed: int = 0
) -> DemoResult:
    """Zero-shot and one-shot on BasicMotions and on the gym. ``model``: another than the one that ships."""
    start = time.monotonic()
    model = model or Recognizer.load()
    out.mkdir(parents=True, exist_ok=True)
    answers = {**_real(model, draws, seed), **_simulated(model, people)}
    accuracy = {name: float(right.mean()) for name, (right, _) in answers.items()}
    interval = {name: _interval(right, who, seed) for name, (right, who) in answers.items()}
    picture = out / "base.png"
    title = "kinjo-base, before any training: activities by words, and by one example each"
    plot_bars(accuracy, interval, picture, title=title)
    protocol = (
        f"BasicMotions: 4 activities, 40 recordings, examples from its training part, {draws} draws; never trained on. "
        f"Gym: {len(gym.NAMES)} activities it knows, windows of {len(people)} people it never saw; one set of somebody "
        "else teaches"
    )
    return finished(DemoResult(title, protocol, accuracy, interval, time.monotonic() - start, picture))


Answers = dict[str, tuple[NDArray[np.bool_], NDArray[np.intp]]]
"""Way -> what was right (draws, n), and whose it was (n,)."""


def _interval(right: NDArray[np.bool_], who: NDArray[np.intp], seed: int) -> tuple[float, float]:
    groups, none = np.tile(who, len(right)), np.zeros(right.size, np.intp)
    return accuracy_interval(groups, none, right.ravel(), np.random.default_rng(seed))


def _real(model: Recognizer, draws: int, seed: int) -> Answers:
    """BasicMotions' test part: by words, and by one example of its training part; beside MiniRocket."""
    every = list(datasets.load("basic_motions", Path("data")))
    train, test = ([r for r in every if r.id.startswith(part)] for part in ("train", "test"))
    names = tuple(dict.fromkeys(r.segments[0].label for r in every))
    truth = np.array([names.index(r.segments[0].label) for r in test])
    asked, rng = _Asked(model, test), np.random.default_rng(seed)
    vectors = [model.embed_recording(r)[1] for r in train]
    signals = np.stack([_signals(r) for r in (*train, *test)])
    z = baselines.minirocket_embedding(signals[: len(train)], signals, seed)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    pools = [[k for k, r in enumerate(train) if r.segments[0].label == name] for name in names]
    by_example, by_rocket = [], []
    for _ in range(draws):
        picked = [int(rng.choice(pool)) for pool in pools]
        classes = _taught(model, {name: vectors[k] for name, k in zip(names, picked, strict=True)})
        by_example.append(asked.recordings(classes) == truth)
        by_rocket.append((z[len(train) :] @ z[picked].T).argmax(1) == truth)
    who = np.arange(len(test))
    return {
        "real watch, words": ((asked.recordings(told(model, names, "basic_motions")) == truth)[None], who),
        "real watch, one example": (np.stack(by_example), who),
        "real watch, one example: MiniRocket": (np.stack(by_rocket), who),
    }


def _simulated(model: Recognizer, people: Sequence[int]) -> Answers:
    """Windows of sessions in the gym: by words, and by one set of somebody else."""
    sessions = [session(person, gym.NAMES, 180.0) for person in people]
    asked = _Asked(model, sessions)
    truth = asked.labels(sessions)
    there = truth >= 0
    examples = {n: model.embed_recording(_first(session(TEACHER, (n,), 60.0)))[1] for n in gym.NAMES}
    ways = {"words": told(model, gym.NAMES, "gym"), "one example": _taught(model, examples)}
    return {
        f"simulated watch, {way}": ((asked.windows(classes) == truth)[there][None], asked.owner[there])
        for way, classes in ways.items()
    }


def told(model: Recognizer, names: Sequence[str], dataset: str) -> Classes:
    """These activities alone, known by their sentences."""
    classes = model.classes.only(())
    assert model.say is not None
    for name in names:
        classes = classes.told(name, model.say(list(sentences(dataset, name))))
    return classes


def _taught(model: Recognizer, examples: dict[str, dict[str, NDArray[np.float32]]]) -> Classes:
    classes = model.classes.only(())
    for name, vectors in examples.items():
        classes = classes.taught(name, vectors)
    return classes


class _Asked:
    """Recordings, embedded once: which class their windows (or they) are, of any classes."""

    def __init__(self, model: Recognizer, recordings: Sequence[Recording]) -> None:
        found = [model.embed_recording(r) for r in recordings]
        self.times = np.concatenate([times for times, _ in found])
        self.owner = np.repeat(np.arange(len(found)), [len(times) for times, _ in found])
        self.vectors = {space: np.concatenate([v[space] for _, v in found]) for space in found[0][1]}

    def windows(self, classes: Classes) -> NDArray[np.intp]:
        """The class of each window."""
        return classes.log_odds(self.vectors).argmax(1)

    def recordings(self, classes: Classes) -> NDArray[np.intp]:
        """The class of each recording, by the mean over its windows."""
        odds = classes.log_odds(self.vectors)
        return np.stack([np.bincount(self.owner, column) for column in odds.T], 1).argmax(1)

    def labels(self, recordings: Sequence[Recording]) -> NDArray[np.intp]:
        """What is true in the middle of each window, -1 for nothing."""
        place = {name: i for i, name in enumerate(gym.NAMES)}
        spans = [self.times[self.owner == k] for k in range(len(recordings))]
        found = [centre_label(r.segments, t[:, 0], t[:, 1]) for r, t in zip(recordings, spans, strict=True)]
        return np.array([place.get(name, -1) for names in found for name in names])


def session(person: int, names: Sequence[str], seconds: float) -> Recording:
    """Somebody in the gym with a watch, whose long side lies along the forearm."""
    made = demo_watch.session(person, tuple(names), seconds)
    return replace(made, streams={name: worn(stream, PLACE) for name, stream in made.streams.items()})


def _first(recording: Recording) -> Recording:
    """The first set of 5 s or more."""
    part = next(s for s in recording.segments if s.end_s - s.start_s >= 5.0)
    return recording.between(part.start_s, part.end_s)


def _signals(recording: Recording) -> NDArray[np.float32]:
    """(channels, samples)."""
    return np.concatenate([s.values() for s in recording.streams.values()], 1).T.astype(np.float32)
