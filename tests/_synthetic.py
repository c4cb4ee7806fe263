"""A small corpus of two movements that are easily told apart, with all streams of UTD-MHAD, for tests."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinjo import corpus
from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.methods import mumae
from kinjo.recipe import Augment, Recipe
from kinjo.recording import Contract, Recording, Segment, Stream
from kinjo.train import Schedule

CONTRACTS = {
    "imu.acc": Contract("imu", "acc", "m/s^2", 50.0, placement="right_wrist", gravity=True),
    "imu.gyro": Contract("imu", "gyro", "rad/s", 50.0, placement="right_wrist"),
    "pose": Contract("pose", "position", "m", 15.0, skeleton="four"),
    "depth": Contract("video", "depth", "mm", 10.0, axes=()),
}
LABELS = ("slow", "fast")
SECONDS = 2.0
INPUTS: dict[str, Input] = {
    "acc": SensorInput("acc", samples=32, slots=8),
    "gyro": SensorInput("gyro", samples=32, slots=8),
    "pose": PoseInput(frames=16, joints=4, slots=8),
    "depth": VideoInput("depth", frames=4, size=16, tubelet=(2, 8, 8)),
}
MILD = Augment(rotation_deg=20.0, turn_deg=20.0, warp=0.2, crop=0.05)


def recording(number: int, without: Collection[str] = (), seed: int = 0) -> Recording:
    """Odd numbers are fast: twice the tempo, sideways instead of up. ``without`` names streams to leave out."""
    rng = np.random.default_rng((seed, number))
    fast, phase = number % 2, rng.uniform(0, 2 * np.pi)

    def wave(rate: float) -> NDArray[np.float64]:
        t = np.arange(round(SECONDS * rate)) / rate
        return np.sin(2 * np.pi * (1 + fast) * t + phase)

    def noise(*shape: int) -> NDArray[np.float64]:
        return 0.1 * rng.normal(size=shape)

    along = np.eye(3)[fast]  # x for slow, y for fast
    acc = np.array([0, 0, 9.8]) + 4 * wave(50)[:, None] * along + noise(100, 3)
    gyro = 2 * wave(50)[:, None] * np.roll(along, 1) + noise(100, 3)
    joints = np.array([[0, 0, 2], [0, 0.5, 2], [-0.3, 0.3, 2], [0.3, 0.3, 2.0]])
    pose = joints + 0.2 * noise(30, 4, 3)
    pose[:, 3] += 0.3 * wave(15)[:, None] * along
    depth = np.zeros((20, 24, 32), np.uint16)
    depth[:, 6:22, 12:18] = 2000
    for k, x in enumerate(wave(10)):
        row, column = (4, 20 + round(4 * x)) if fast else (10 + round(4 * x), 20)
        depth[k, row : row + 5, column : column + 5] = 1300
    values = {"imu.acc": acc, "imu.gyro": gyro, "pose": pose, "depth": depth}
    streams = {name: Stream.of(name, CONTRACTS[name], v) for name, v in values.items() if name not in without}
    subject, label = f"s{number % 3}", LABELS[fast]
    return Recording(f"r{number:02d}", streams, (Segment(0.0, SECONDS, label),), subject, f"made:{number}")


def store(folder: Path, number: int, without: Mapping[int, Collection[str]] | None = None) -> corpus.Corpus:
    """A corpus of ``number`` recordings; ``without``: number of a recording -> the streams that it lacks."""
    made = (recording(k, (without or {}).get(k, ())) for k in range(number))
    return corpus.write(made, folder, video=corpus.VideoSize(24), progress=False)


def recipe(steps: int, inputs: Mapping[str, Input] = INPUTS, **config: object) -> Recipe:
    """A Mu-MAE of 32 numbers per token, ``steps`` of either stage in full precision."""
    sizes = {"dim": 32, "depth": 1, "heads": 4, "decoder_dim": 24, "decoder_heads": 3} | config
    plan = Schedule(steps=steps, batch_size=8, lr=3e-3, warmup_steps=5, precision="fp32", save_every_s=0.0)
    return Recipe("synthetic", inputs, mumae.Config(inputs, **sizes), plan, plan, augment=MILD)  # type: ignore[arg-type]
