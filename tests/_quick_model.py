"""A model of a watch with random weights and made-up classes, for tests that ask nothing of its answers."""

from pathlib import Path

import numpy as np
import torch

from kinjo.classes import learnt
from kinjo.encoders import SensorInput
from kinjo.methods import mujo
from kinjo.nn import checkpoint
from kinjo.recipe import Cut, Recipe
from kinjo.recognizer import embedder, fingerprint, plan_of, save
from kinjo.repetitions import Rhythm
from kinjo.runtime import Model

RATE, SECONDS, HOP = 25, 2.0, 1.0


def write(path: Path, *, seed: int = 0, dim: int = 16) -> Path:
    """The checkpoint; it reads accelerometer and gyroscope of the right wrist."""
    inputs = {q: SensorInput(q, samples=50, slots=10, placement="right_wrist") for q in ("acc", "gyro")}
    config = mujo.Config(inputs, dim=dim, depth=1, heads=2, joint_dim=dim)
    recipe = Recipe("quick", inputs, config, method="mujo", windows=Cut(SECONDS, HOP))
    net = mujo.MuJo(config, torch.Generator().manual_seed(seed)).eval()
    facts = {"gravity": [True], "seconds": [SECONDS, SECONDS]}
    meta = {"method": "mujo", "recipe": recipe.to_dict(), "contracts": {"acc": facts, "gyro": facts | {"gravity": []}}}
    space = path.with_name(f"space-{path.name}")
    checkpoint.save(space, net.state_dict(), meta)
    rng = np.random.default_rng(seed)
    labels = np.repeat([f"activity {k}" for k in range(4)], 40)
    offset = {s: rng.normal(0, 2, (4, d)).repeat(40, 0) for s, d in (("imu", 3 * dim), ("joint", dim))}
    x = {s: rng.normal(0, 1, o.shape) + o for s, o in offset.items()}
    classes = learnt(x, labels)
    plan = plan_of(recipe, meta["contracts"])
    made = Model(plan, embedder(net), classes, id=fingerprint(net.state_dict()), rhythms={"activity 0": Rhythm(2.0)})
    save(made, space, path)
    return path


def columns(seconds: float = 12.0, seed: int = 0) -> dict[str, list[float]]:
    """A noisy watch as columns by name, units in the names."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * RATE)) / RATE
    out = {"time_s": t.tolist()}
    for quantity, unit, size in (("acc", "m/s^2", 3.0), ("gyro", "rad/s", 1.0)):
        for k, axis in enumerate("xyz"):
            moved = np.sin(2 * np.pi * 1.5 * t + k) * size + rng.normal(0, 0.1, len(t))
            lifted = moved + (9.81 if (quantity, axis) == ("acc", "z") else 0.0)
            out[f"{quantity}_{axis} ({unit})"] = np.round(lifted, 3).tolist()
    return out


def csv(seconds: float = 12.0, seed: int = 0) -> bytes:
    """The same as a file."""
    table = columns(seconds, seed)
    rows = zip(*table.values(), strict=True)
    return "\n".join([",".join(table), *(",".join(map(str, row)) for row in rows)]).encode() + b"\n"
