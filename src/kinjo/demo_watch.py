"""The demo's last part: a recognizer for a watch, and files to try it on, as one has them oneself.

It learns all activities of the simulated gym but the squat, which is left for its user to teach.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from kinjo import corpus, joint, recognizer
from kinjo.batches import Windows, cut
from kinjo.datasets import gym
from kinjo.demo import DemoResult, finished, one_thread
from kinjo.encoders import SensorInput
from kinjo.evaluate.intervals import accuracy_interval
from kinjo.methods import mujo
from kinjo.recipe import Augment, Cut, Recipe
from kinjo.recording import Recording
from kinjo.sensors import WATCH
from kinjo.timeline import Timeline
from kinjo.train import Schedule

TAUGHT = "squat"
NAMES = tuple(name for name in gym.NAMES if name != TAUGHT)
PEOPLE, STEPS = 48, 400
TEST = range(500, 512)
"""People of whom nothing was learnt."""


def session(person: int, names: tuple[str, ...], seconds: float) -> Recording:
    """What a watch on the right wrist measures of somebody."""
    made = gym.record(person, seconds=seconds, names=names, placements=("right_wrist",), sensors={"right_wrist": WATCH})
    streams = {name: s for name, s in made.streams.items() if s.contract.modality == "imu"}
    return Recording(made.id, streams, made.segments, made.subject, made.source)


def recipe(steps: int = STEPS) -> Recipe:
    """Windows of 4 s every second, a tenth of a million parameters, half a minute of training."""
    inputs = {q: SensorInput(q, samples=96, slots=12, placement="right_wrist") for q in ("acc", "gyro")}
    return Recipe(
        "demo-watch", inputs, mujo.Config(inputs, dim=64, depth=1, joint_dim=64), method="mujo",
        objective=mujo.Objective({"contrast": 1.0, "views": 1.0, "supervised": 1.0}, drop=0.0),
        pretrain=Schedule(steps=steps, batch_size=64, lr=3e-3, warmup_steps=20), windows=Cut(4.0, 1.0),
        augment=Augment(20.0, warp=0.1, crop=0.05),
    )  # fmt: skip


def learn_watch(
    out: Path, *, people: int = PEOPLE, steps: int = STEPS, seed: int = 0, progress: bool = True
) -> Path:  # fmt: skip
    """Train it, if it is not there; ``out/watch.safetensors``."""
    origin, how = f"gym, a watch, {people} people, all but {TAUGHT}", recipe(steps)
    store = corpus.kept(
        out / "corpus-watch", origin, lambda: (session(p, NAMES, 90.0) for p in range(people)), progress=progress
    )
    train, validation = store.recordings[: people * 3 // 4], store.recordings[people * 3 // 4 :]
    windows = Windows(store, cut(store, train, how), how.inputs)
    source = joint.Source(windows, np.arange(len(windows)), text=True, labels=True)
    with one_thread():
        joint.pretrain(how, [source], out / "watch-space", seed=seed, progress=progress)
        model = recognizer.learn(out / "watch-space", store, train, validation)
    recognizer.save(model, out / "watch-space", out / "watch.safetensors")
    return out / "watch.safetensors"


def watch(out: Path, *, people: int = PEOPLE, steps: int = STEPS, seed: int = 0, progress: bool = True) -> DemoResult:
    """A recognizer of a watch in ``out/watch.safetensors``; three CSV files in ``out/own`` to use and teach it with."""
    start = time.monotonic()
    model = recognizer.Recognizer.load(learn_watch(out, people=people, steps=steps, seed=seed, progress=progress))
    own = out / "own"
    own.mkdir(parents=True, exist_ok=True)
    squats = session(601, (TAUGHT,), 60.0)
    write_csv(session(600, ("walking",), 40.0), own / "walk.csv")
    write_csv(squats, own / "squats.csv")
    write_csv(session(TEST[0], ("walking", TAUGHT, "biceps curl", "standing"), 240.0), own / "third.csv")
    first = next(s for s in squats.segments if s.end_s - s.start_s >= 11.0)
    model.teach(TAUGHT, squats.between(first.start_s + 0.5, first.start_s + 10.5))
    truth, right, who, shown = [], [], [], None
    for person in TEST:
        recording = session(person, ("walking", TAUGHT, "biceps curl", "standing", "running", "push-up"), 180.0)
        found, real = model.recognize(recording), Timeline.from_segments(recording.segments)
        shown = shown or (found, real)
        for at in np.arange(0.5, 180.0, 1.0).tolist():
            here, there = real.at(at), found.at(at)
            if here is not None:
                truth.append(here.label)
                right.append(there is not None and there.label == here.label)
                who.append(person)
    labels, hits, person = np.array(truth), np.array(right), np.array(who)
    accuracy, interval = {}, {}
    for name, rows in (("activities learnt", labels != TAUGHT), (f"{TAUGHT}, taught by 10 s", labels == TAUGHT)):
        accuracy[name] = float(hits[rows].mean())
        interval[name] = accuracy_interval(person[rows], labels[rows], hits[rows], np.random.default_rng(seed))
    picture = out / "watch.png"
    assert shown is not None
    shown[0].plot(picture, truth=shown[1], title="A watch in the simulated gym, somebody never seen")
    title = "A watch in the simulated gym: seconds recognised rightly, people never seen"
    protocol = (
        f"{len(TEST)} sessions of 180 s; one squat set of somebody else teaches; model: {out / 'watch.safetensors'}"
    )
    return finished(DemoResult(title, protocol, accuracy, interval, time.monotonic() - start, picture))


def write_csv(recording: Recording, path: Path) -> None:
    """As an app writes it: seconds, m/s^2, rad/s; nothing where the watch lost samples."""
    acc, gyro = (recording.streams[f"right_wrist.{q}"] for q in ("acc", "gyro"))
    there = ~(acc.mask() | gyro.mask())
    times = acc.start_s + np.arange(acc.length) / acc.contract.rate_hz
    table = np.column_stack([times, acc.values(), gyro.values()])[there]
    names = "time_s," + ",".join(f"{q}_{a} ({u})" for q, u in (("acc", "m/s^2"), ("gyro", "rad/s")) for a in "xyz")
    np.savetxt(path, table, "%.5f", ",", header=names, comments="")
