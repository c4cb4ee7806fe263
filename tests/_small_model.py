"""A small model of a watch in the simulated gym, made in seconds, and recordings for it."""

from pathlib import Path

import numpy as np

from kinjo import corpus, joint, recognizer
from kinjo.batches import Windows, cut
from kinjo.datasets import gym
from kinjo.encoders import SensorInput
from kinjo.methods import mujo
from kinjo.recipe import Augment, Cut, Recipe
from kinjo.recording import Recording
from kinjo.sensors import WATCH
from kinjo.train import Schedule

LEARNT, TAUGHT = ("squat", "jumping jack", "biceps curl"), "lateral raise"
INPUTS = {q: SensorInput(q, samples=64, slots=8, placement="right_wrist") for q in ("acc", "gyro")}
RECIPE = Recipe(
    "small", INPUTS, mujo.Config(INPUTS, dim=32, depth=1, heads=2, joint_dim=32), method="mujo",
    pretrain=Schedule(steps=80, batch_size=32, lr=3e-3, warmup_steps=10), windows=Cut(3.0, 1.0),
    objective=mujo.Objective({"supervised": 1.0, "views": 1.0}, drop=0.0), augment=Augment(20.0, warp=0.1, crop=0.05),
)  # fmt: skip


def session(person: int, names: tuple[str, ...], seconds: float = 60.0) -> Recording:
    """A watch and a pose of somebody."""
    return gym.record(person, seconds=seconds, names=names, sensors={"right_wrist": WATCH})


def shown(recording: Recording, name: str) -> Recording:
    """The part of a recording in which a movement is done first; its sensors alone."""
    part = next(s for s in recording.segments if s.label == name)
    return sensors(recording).between(part.start_s, part.end_s)


def sensors(recording: Recording) -> Recording:
    """Without pose."""
    streams = {n: s for n, s in recording.streams.items() if s.contract.modality == "imu"}
    return Recording(recording.id, streams, recording.segments)


def write(folder: Path) -> Path:
    """A joint space of ten people with what it learnt, calibrated on four others."""
    made = (session(p, LEARNT) for p in range(14))
    store = corpus.write(made, folder / "corpus", progress=False)
    ids = store.recordings
    windows = Windows(store, cut(store, ids[:10], RECIPE), RECIPE.inputs)
    source = joint.Source(windows, np.arange(len(windows)), labels=True)
    joint.pretrain(RECIPE, [source], folder / "space", progress=False)
    model = recognizer.learn(folder / "space", store, ids[:10], ids[10:])
    recognizer.save(model, folder / "space", folder / "small.safetensors")
    return folder / "small.safetensors"
