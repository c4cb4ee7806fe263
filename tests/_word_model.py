"""A small model of a watch and a pose that learnt words in the simulated gym; and a corpus to search."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kinjo import corpus, joint, recognizer
from kinjo.batches import Windows, cut
from kinjo.body import CANONICAL
from kinjo.corpus import Corpus
from kinjo.datasets import gym
from kinjo.datasets.gym.render import Camera
from kinjo.encoders import Input, PoseInput, SensorInput
from kinjo.methods import mujo
from kinjo.recipe import Cut, Recipe
from kinjo.recording import Recording
from kinjo.sensors import WATCH
from kinjo.train import Schedule

NAMES = ("squat", "jumping jack", "biceps curl", "lateral raise")
HIPS = (CANONICAL.index("left_hip"), CANONICAL.index("right_hip"))
INPUTS: dict[str, Input] = {
    **{q: SensorInput(q, samples=64, slots=8, placement="right_wrist") for q in ("acc", "gyro")},
    "pose": PoseInput(frames=32, joints=17, slots=8, skeleton="canonical", across=HIPS),
}


def recipe(steps: int) -> Recipe:
    """Contrast of both with each other and with sentences."""
    return Recipe(
        "words", INPUTS, mujo.Config(INPUTS, dim=32, depth=1, heads=2, joint_dim=32), method="mujo",
        pretrain=Schedule(steps=steps, batch_size=32, lr=3e-3, warmup_steps=5, precision="fp32"),
        windows=Cut(3.0, 1.5), objective=mujo.Objective({"contrast": 1.0}, drop=0.0),
    )  # fmt: skip


def session(person: int, seconds: float = 40.0, *, film: bool = False, holds: tuple[str, ...] = ()) -> Recording:
    """Somebody with a watch and a pose, filmed or not; ``holds``: the modalities that are kept, all where empty."""
    camera: dict[str, Any] = {"video": Camera.around(25.0), "video_rate_hz": 5.0, "kinds": ("rgb",)} if film else {}
    made = gym.record(
        person, seconds=seconds, names=NAMES, placements=("right_wrist",), sensors={"right_wrist": WATCH}, **camera
    )
    some = {n: s for n, s in made.streams.items() if not holds or s.contract.modality in holds}
    return replace(made, streams=some)


def write(folder: Path, *, people: int = 8, steps: int = 60) -> Path:
    """The checkpoint; its classes are those of the gym."""
    store = corpus.write((session(p) for p in range(100, 100 + people)), folder / "learnt", progress=False)
    ids, how = store.recordings, recipe(steps)
    windows = Windows(store, cut(store, ids, how), how.inputs)
    joint.pretrain(how, [joint.Source(windows, np.arange(len(windows)), text=True)], folder / "space", progress=False)
    model = recognizer.learn(folder / "space", store, ids[: people // 2], ids[people // 2 :])
    recognizer.save(model, folder / "space", folder / "words.safetensors")
    return folder / "words.safetensors"


def searched(folder: Path, *, seconds: float = 40.0) -> Corpus:
    """Three people: one with all and filmed, one with a watch alone, one with a pose alone."""
    some = (session(1, seconds, film=True), session(2, seconds, holds=("imu",)), session(3, seconds, holds=("pose",)))
    return corpus.write(some, folder, video=corpus.VideoSize(120), progress=False)
