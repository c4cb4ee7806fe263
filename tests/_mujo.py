"""A small joint space of all modalities, and batches for it."""

from typing import Any

import torch
from torch import Tensor, nn

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.methods.mujo import Config, MuJo, Objective, Pretrain, Sentences

INPUTS: dict[str, Input] = {
    "acc": SensorInput("acc", samples=32, slots=8, placement="left_wrist"),
    "gyro": SensorInput("gyro", samples=32, slots=8, placement="left_wrist"),
    "pocket": SensorInput("acc", samples=32, slots=8, placement="right_pocket"),
    "pose": PoseInput(frames=16, joints=4, slots=8, places=2),
    "depth": VideoInput("depth", frames=4, size=16, tubelet=(2, 8, 8)),
}
MODALITIES = {"imu": ["acc", "gyro", "pocket"], "pose": ["pose"], "video": ["depth"]}
ROWS, WORDS, CLASSES = 6, 8, 3
SAID_OF = ((0, 1), (2,), (3,))
"""Rows of ``SAID`` for each class."""
SAID = ("somebody squats", "a deep squat", "walking", "no activity")
Batch = dict[str, Tensor]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def config(**sizes: Any) -> Config:
    given: dict[str, Any] = {"inputs": INPUTS, "dim": 16, "depth": 1, "heads": 2, "joint_dim": 12, "text_dim": WORDS}
    return Config(**given | sizes)


def model(seed: int = 0, **sizes: Any) -> MuJo:
    return MuJo(config(**sizes), seeded(seed)).eval()


def windows(rows: int = ROWS, seed: int = 1, inputs: dict[str, Input] = INPUTS) -> Batch:
    """Noise for every stream, nothing missing."""
    g, out = seeded(seed), {}
    for key, spec in inputs.items():
        out[key] = spec.unpatchify(torch.randn(rows, spec.tokens, spec.values, generator=g))
        out[f"{key}.missing"] = torch.zeros(rows, spec.samples, dtype=torch.bool)
    return out


def without(batch: Batch, modality: str, *rows: int, value: float = 0.0) -> Batch:
    out = dict(batch)
    for key in MODALITIES[modality]:
        out[key], out[f"{key}.missing"] = out[key].clone(), out[f"{key}.missing"].clone()
        out[key][list(rows)], out[f"{key}.missing"][list(rows)] = value, True
    return out


def full(batch: Batch) -> Batch:
    """With sentences and classes, of which one row has none."""
    return batch | {"text": torch.tensor([0, 1, 2, 3, 2, -1]), "label": torch.tensor([0, 0, 1, 2, 1, -1])}


def task(net: MuJo, objective: Objective, *, said: bool = True) -> Pretrain:
    bank = Sentences(net, SAID) if said else None
    return Pretrain(net, objective, seeded(1), sentences=bank, classes=CLASSES, said=SAID_OF)


def finite(module: nn.Module) -> bool:
    given = [p.grad for p in module.parameters() if p.grad is not None]
    return bool(given) and all(bool(torch.isfinite(g).all()) for g in given)
