"""The demo: one-shot recognition on a real watch and in the simulated gym, beside baselines, in minutes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kinjo import corpus, datasets, joint, learn
from kinjo.batches import Windows
from kinjo.body import CANONICAL
from kinjo.datasets import gym as simulated
from kinjo.datasets.sentences import sentences
from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.evaluate import baselines, strict, zeroshot
from kinjo.evaluate.fewshot import Embeddings, Episodes, Protocol, classify, score
from kinjo.evaluate.folds import Fold
from kinjo.evaluate.intervals import accuracy_interval
from kinjo.evaluate.pictures import plot_bars
from kinjo.evaluate.pictures_motion import plot_recordings
from kinjo.methods import mujo, mumae
from kinjo.recipe import Augment, Recipe
from kinjo.sensors import WATCH
from kinjo.train import Schedule

EPISODES = 2_000
CLIPS, PEOPLE = 252, 12
"""Of the simulated gym, and how many people do them."""
EXERCISES, TESTED = 28, 10
"""All exercises of the gym; the first of them, those of MM-Fit, are never trained on."""


@dataclass(frozen=True)
class DemoResult:
    """What was recognised: accuracies by method, the protocol in words, seconds, and the picture."""

    title: str
    protocol: str
    accuracy: Mapping[str, float]
    interval: Mapping[str, tuple[float, float]]
    seconds: float
    picture: Path

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "title": self.title, "protocol": self.protocol, "accuracy": dict(self.accuracy),
            "ci95": {k: list(v) for k, v in self.interval.items()}, "seconds": self.seconds,
            "picture": str(self.picture),
        }  # fmt: skip

    def to_text(self) -> str:
        """For people."""
        width = max(len(name) for name in self.accuracy)
        lines = [self.title, self.protocol, ""]
        for name, value in self.accuracy.items():
            low, high = self.interval[name]
            lines.append(f"  {name:<{width}}  {value:.3f}  [{low:.3f}, {high:.3f}]")
        return "\n".join([*lines, "", f"{self.seconds:.0f} s; picture: {self.picture}"])


def finished(result: DemoResult) -> DemoResult:
    """The result, written as JSON beside its picture."""
    result.picture.with_suffix(".json").write_text(json.dumps(result.to_dict(), indent=1) + "\n")
    return result


def demo_recipe() -> Recipe:
    """A wrist's accelerometer and gyroscope, 10 s at 10 Hz, as two synchronised sensors."""
    inputs = {q: SensorInput(q, samples=100, slots=20) for q in ("acc", "gyro")}
    return Recipe(
        "demo", inputs, mumae.tiny(inputs),
        pretrain=Schedule(steps=300, batch_size=40, lr=2e-3, warmup_steps=20),
        augment=Augment(rotation_deg=0.0, warp=0.3),
    )  # fmt: skip


def basic_motions(out: Path, *, seed: int = 0, progress: bool = True) -> DemoResult:
    """BasicMotions: a Mu-MAE pre-trained without labels, then one example per class.

    Pre-training sees the 40 recordings of the official training part, no labels. An episode draws one of them per
    class as its example; all 40 recordings of the test part are asked. The same students may be in both parts.
    """
    start = time.monotonic()
    store = corpus.write(datasets.load("basic_motions", Path("data")), out / "corpus", progress=progress)
    recipe = demo_recipe()
    windows = Windows(store, corpus.segment_windows(store, store.recordings), recipe.inputs)
    names = np.asarray(store.recordings)[windows.index.recording]
    labels = np.asarray(windows.index.label_names, str)
    train = np.char.startswith(names, "train")
    model = learn.pretrain(recipe, windows, np.flatnonzero(train), out / "run", seed=seed, progress=progress)
    signals = np.concatenate(
        [windows.tensors(np.arange(len(windows)))[k].transpose(1, 2).numpy() for k in recipe.inputs], 1
    )
    methods: dict[str, Embeddings] = {
        "kinjo (Mu-MAE)": list(learn.embed(model, windows).values()),
        "MiniRocket": baselines.minirocket_embedding(signals[train], signals, seed),
        "raw signal, 1-NN": baselines.raw_embedding(signals, signals[train]),
    }
    rng = np.random.default_rng(seed)
    episodes = crossed_episodes(labels, train, EPISODES, rng)
    scores = {
        name: score(episodes, classify(x, episodes), labels, names, rng=np.random.default_rng(seed))
        for name, x in methods.items()
    }
    accuracy = {name: s.accuracy for name, s in scores.items()}
    interval = {name: s.ci95 for name, s in scores.items()}
    title = "BasicMotions (real smartwatch): 4 activities from one example each"
    picture = out / "oneshot.png"
    plot_bars(accuracy, interval, picture, title=title, chance=0.25)
    protocol = (
        f"4-way 1-shot, {EPISODES:,} draws of examples from the training part, all 40 test recordings asked; "
        "pre-trained on the training part without labels; same students in both parts"
    )
    return finished(DemoResult(title, protocol, accuracy, interval, time.monotonic() - start, picture))


def crossed_episodes(
    labels: NDArray[Any], support: NDArray[np.bool_], number: int, rng: np.random.Generator
) -> Episodes:
    """One-shot episodes of all classes: supports from the rows marked ``support``, queries all other rows.

    Every class must have the same number of other rows.
    """
    names, label = np.unique(labels, return_inverse=True)
    gives = [np.flatnonzero((label == c) & support) for c in range(len(names))]
    asks = np.stack([np.flatnonzero((label == c) & ~support) for c in range(len(names))])
    picked = np.stack([rng.choice(rows, number) for rows in gives], 1)[:, :, None]
    classes = np.broadcast_to(np.arange(len(names)), (number, len(names)))
    return Episodes(picked, np.broadcast_to(asks, (number, *asks.shape)), classes, tuple(names.tolist()))


def utd_mhad(data: Path, out: Path, *, progress: bool = True) -> DemoResult:
    """UTD-MHAD: video (depth), pose and IMU; one class fold, one seed and short training: a first look.

    The full protocol is ``kinjo evaluate fewshot``.
    """
    start = time.monotonic()
    store = corpus.write(datasets.load("utd_mhad", data), out / "corpus-utd", progress=progress)
    recipe = utd_recipe()
    clips = strict.Clips.of(store, recipe)
    fold = strict.folds()[0]
    embedded = strict.train_fold(recipe, clips, fold, 0, out / "runs", progress=progress)
    protocol = Protocol(episodes=EPISODES)
    every = clips.windows.tensors(np.arange(len(clips.labels)))
    raws = {name: embed(fold, 0) for name, (_, embed) in strict.minirocket(clips, [["imu"], ["imu", "pose"]]).items()}
    signals = np.concatenate([every[key].flatten(2).transpose(1, 2).numpy() for key in ("acc", "gyro")], 1)
    known = signals[clips.rows(fold.train)]
    methods: dict[str, Embeddings] = {
        "kinjo, IMU": embedded["imu"],
        "kinjo, IMU + pose + depth": list(embedded.values()),
        "MiniRocket, IMU": raws["minirocket_imu"],
        "MiniRocket, scaled IMU": raws["minirocket_scaled_imu"],
        "MiniRocket, scaled IMU + pose": raws["minirocket_scaled_imu_pose"],
        "raw signal, 1-NN, IMU": baselines.raw_embedding(signals, known),
    }
    scores = {name: strict.one_fold(x, clips, fold, protocol) for name, x in methods.items()}
    accuracy, interval = {n: s.accuracy for n, s in scores.items()}, {n: s.ci95 for n, s in scores.items()}
    title = "UTD-MHAD: five unseen activities from one example each (first class fold, one seed)"
    picture = out / "oneshot-utd.png"
    plot_bars(accuracy, interval, picture, title=title, chance=0.2)
    return finished(DemoResult(title, protocol.describe(), accuracy, interval, time.monotonic() - start, picture))


def gym(
    out: Path, *, clips: int = CLIPS, people: int = PEOPLE, seed: int = 0, progress: bool = True
) -> DemoResult:  # fmt: skip
    """The simulated gym: video (depth), pose and a watch at once; ten exercises never trained on, one example each.

    Nobody was measured: this shows that the whole runs, not how well people are recognised.
    """
    start = time.monotonic()
    names = simulated.NAMES[:EXERCISES]
    camera = simulated.Camera.around(35.0, height=64, width=64, distance_m=4.0)
    made = simulated.clips(
        clips, seed, names=names, people=people, repetitions=(2, 3), seconds=(4.0, 6.0), placements=("right_wrist",),
        sensors={"right_wrist": WATCH}, video=camera, video_rate_hz=6.0, kinds=("depth",),
    )  # fmt: skip
    origin = f"gym, clips of {people} people, seed {seed}"
    store = corpus.write(made, out / "corpus-gym", video=corpus.VideoSize(48), origin=origin, progress=progress)
    large = simulated.Camera.around(35.0, height=120, width=110, distance_m=3.2)
    shown = simulated.clips(4, seed + 1, names=names[:TESTED], placements=("right_wrist",), video=large)
    plot_recordings(list(shown), out / "gym.png", title="The simulated gym: video, pose and a watch")
    recipe = gym_recipe()
    known = strict.Clips.of(store, recipe, names)
    fold = Fold("gym", names[TESTED:], (), names[:TESTED])
    with one_thread():
        embedded = strict.train_fold(recipe, known, fold, seed, out / "runs", progress=progress)
    protocol = Protocol(episodes=EPISODES, queries=3)
    raws = {n: embed(fold, seed) for n, (_, embed) in strict.minirocket(known, [["imu"], ["imu", "pose"]]).items()}
    methods: dict[str, Embeddings] = {
        "kinjo, watch": embedded["imu"],
        "kinjo, watch + pose + depth": list(embedded.values()),
        "MiniRocket, scaled watch": raws["minirocket_scaled_imu"],
        "MiniRocket, scaled watch + pose": raws["minirocket_scaled_imu_pose"],
    }
    scores = {name: strict.one_fold(x, known, fold, protocol) for name, x in methods.items()}
    accuracy, interval = {n: s.accuracy for n, s in scores.items()}, {n: s.ci95 for n, s in scores.items()}
    title = f"Simulated gym: five of {TESTED} unseen exercises from one example each (one seed)"
    picture = out / "oneshot-gym.png"
    plot_bars(accuracy, interval, picture, title=title, chance=0.2)
    return finished(DemoResult(title, protocol.describe(), accuracy, interval, time.monotonic() - start, picture))


def words(
    out: Path, *, clips: int = 840, people: int = 60, steps: int = 300, seed: int = 0, progress: bool = True
) -> DemoResult:  # fmt: skip
    """The simulated gym by words alone: a joint space of a watch, pose and sentences names what people do.

    It learns from 18 exercises of three quarters of the people, told in sentences, and is asked about the others: the
    same exercises, and the ten that it never saw, each by its description.
    """
    start = time.monotonic()
    names = simulated.NAMES[:EXERCISES]
    made = simulated.clips(
        clips, seed, names=names, people=people, repetitions=(2, 4), seconds=(4.0, 6.0), placements=("right_wrist",),
        sensors={"right_wrist": WATCH},
    )  # fmt: skip
    origin = f"gym without video, {clips} clips of {people} people, seed {seed}"
    store = corpus.write(made, out / "corpus-words", origin=origin, progress=progress)
    recipe = words_recipe(steps)
    index = corpus.segment_windows(store, store.recordings)
    windows = Windows(store, index, recipe.inputs)
    labels = np.asarray(index.label_names, str)
    who = np.array([int(str(store.table.subjects[r]).split()[-1]) for r in index.recording])
    learnt, others = np.isin(labels, names[TESTED:]), who >= people * 3 // 4
    with one_thread():
        source = joint.Source(windows, np.flatnonzero(learnt & ~others), text=True)
        space = joint.pretrain(recipe, [source], out / "words", seed=seed, progress=progress)
        embedded = joint.embed(space, windows)
        said = {name: joint.embed_text(space, sentences("gym", name)) for name in names}
    accuracy: dict[str, float] = {}
    interval: dict[str, tuple[float, float]] = {}
    for kind, classes, rows in (
        ("18 exercises learnt, new people", names[TESTED:], np.flatnonzero(learnt & others)),
        ("10 exercises never seen", names[:TESTED], np.flatnonzero(~learnt & others)),
    ):
        prompts = {c: said[c] for c in classes}
        by = {m: zeroshot.classify(z[rows], prompts) for m, z in embedded.items()}
        answers = {"watch": by["imu"], "watch + pose": by["imu"] + by["pose"]}
        truth = np.array([classes.index(label) for label in labels[rows]])
        for name, p in answers.items():
            right = p.argmax(1) == truth
            accuracy[f"{kind}: {name}"] = float(right.mean())
            interval[f"{kind}: {name}"] = accuracy_interval(who[rows], truth, right, np.random.default_rng(seed))
    picture = out / "words-gym.png"
    title = "Simulated gym: exercises found by words alone"
    plot_bars(accuracy, interval, picture, title=title)
    protocol = f"zero-shot by nearest sentences; {clips} clips of {people} people, those asked about never seen"
    return finished(DemoResult(title, protocol, accuracy, interval, time.monotonic() - start, picture))


def words_recipe(steps: int) -> Recipe:
    """A watch, pose and sentences in a small joint space, with a short training."""
    inputs: dict[str, Input] = {
        "acc": SensorInput("acc"),
        "gyro": SensorInput("gyro"),
        "pose": PoseInput(joints=17, across=(CANONICAL.index("left_hip"), CANONICAL.index("right_hip"))),
    }
    model = mujo.Config(inputs, dim=64, depth=1, joint_dim=96)
    return Recipe("demo-words", inputs, model, pretrain=Schedule(steps=steps, batch_size=64), method="mujo")


@contextmanager
def one_thread() -> Iterator[None]:
    """Within, PyTorch has one thread: so small a model gains little by two, and loses much beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def gym_recipe() -> Recipe:
    """A watch, 17 joints turned to face one way, and depth from any side, with a short training."""
    inputs: dict[str, Input] = {
        "acc": SensorInput("acc"),
        "gyro": SensorInput("gyro"),
        "pose": PoseInput(joints=17, across=(CANONICAL.index("left_hip"), CANONICAL.index("right_hip"))),
        "depth": VideoInput("depth", frames=16, size=32, tubelet=(4, 8, 8), reads="motion"),
    }
    short = Schedule(steps=40, batch_size=32)
    return Recipe("demo-gym", inputs, mumae.tiny(inputs), pretrain=short, finetune=replace(short, steps=320))


def utd_recipe() -> Recipe:
    """The inputs of the UTD-MHAD recipe with a short training."""
    inputs = mumae.utd_inputs()
    short = Schedule(steps=150, batch_size=32)
    return Recipe(
        "demo-utd", inputs, mumae.small(inputs),
        pretrain=short, finetune=replace(short, steps=250),
    )  # fmt: skip
