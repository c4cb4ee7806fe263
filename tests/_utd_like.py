"""A small corpus with UTD-MHAD's labels, an accelerometer and a pose of four joints, and a recipe of seconds for it."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kinjo import corpus
from kinjo.datasets import utd_mhad
from kinjo.encoders import Input, PoseInput, SensorInput
from kinjo.methods import mumae
from kinjo.methods.oneshot import OneShotConfig
from kinjo.recipe import Recipe
from kinjo.recording import Contract, Recording, Segment, Stream
from kinjo.train import Schedule

CLASSES = utd_mhad.CARD.classes
INPUTS: dict[str, Input] = {
    "pose": PoseInput(frames=20, joints=4, slots=10, reads="motion"),
    "acc": SensorInput("acc", samples=40, slots=10),
}
"""Not in the order of the alphabet: nothing may depend on it."""


def clip(label: str, subject: int, trial: int, without: Collection[str] = ()) -> Recording:
    """A class is a frequency and a direction, so that any sane embedding tells them apart."""
    number = CLASSES.index(label)
    rng = np.random.default_rng([number, subject, trial])
    t = np.arange(40) / 20.0
    axis = np.array([np.cos(number), np.sin(number), np.cos(2 * number)])
    wave = np.sin(2 * np.pi * (0.5 + number / 6) * t)[:, None] * axis
    joints = np.array([[0, 0, 2], [0, 0.5, 2], [-0.3, 0.3, 2], [0.3, 0.3, 2.0]]) + np.zeros((20, 4, 3))
    joints[:, 3] += 0.3 * wave[::2] + 0.02 * rng.standard_normal((20, 3))
    acc = 6 * wave + [0, 0, 9.8] + 0.2 * rng.standard_normal((40, 3))
    streams = (
        Stream.of(
            "imu.acc", Contract("imu", "acc", "m/s^2", 20.0, placement="right_wrist", gravity=True), acc.astype("f4")
        ),
        Stream.of("pose", Contract("pose", "position", "m", 10.0, skeleton="four"), joints.astype("f4")),
    )
    name = f"{number}_{subject}_{trial}"
    kept = {s.name: s for s in streams if s.name not in without}
    return Recording(name, kept, (Segment(0.0, 2.0, label),), subject=f"s{subject}", source=name)


def store(folder: Path, lacking: tuple[int, str] | None = None) -> corpus.Corpus:
    """Four people, two trials of each class; ``lacking``: a person without a stream in the second trial."""
    person, stream = lacking or (0, "")
    clips = (
        clip(label, subject, trial, [stream] if (subject, trial) == (person, 2) else [])
        for label in CLASSES
        for subject in range(1, 5)
        for trial in (1, 2)
    )
    return corpus.write(clips, folder, progress=False)


def recipe(steps: int = 2, name: str = "small", **how: Any) -> Recipe:
    """Two streams, a model of 16 numbers per token; ``how`` is the second stage."""
    model = replace(mumae.tiny(INPUTS), dim=16, depth=1, heads=2, decoder_dim=12, decoder_heads=2)
    plan = Schedule(steps=steps, batch_size=10, warmup_steps=1, precision="fp32", save_every_s=1e9)
    return Recipe(name, INPUTS, model, pretrain=plan, finetune=plan, oneshot=OneShotConfig(**how))
