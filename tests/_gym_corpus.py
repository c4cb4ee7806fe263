"""A tiny corpus of the simulated gym, and a tiny joint space for it."""

from collections.abc import Sequence
from pathlib import Path

from kinjo import corpus
from kinjo.body import CANONICAL
from kinjo.datasets import gym
from kinjo.encoders import Input, PoseInput, SensorInput
from kinjo.methods import mujo
from kinjo.recipe import Augment, Cut, Recipe
from kinjo.train import Schedule

NAMES = ("squat", "jumping jack", "walking")


def write(folder: Path, clips: int = 54, seed: int = 0, names: Sequence[str] = NAMES) -> corpus.Corpus:
    """Clips of three movements by six people, pose and a watch."""
    made = gym.clips(clips, seed, names=names, people=6, seconds=(3.0, 4.0), repetitions=(3, 4),
                     placements=("right_wrist",))  # fmt: skip
    return corpus.write(made, folder, progress=False)


def recipe(steps: int = 20, *, objective: mujo.Objective | None = None) -> Recipe:
    """Two sensors and a pose, dim 16, one pre-training and one fine-tuning of ``steps``."""
    hips = (CANONICAL.index("left_hip"), CANONICAL.index("right_hip"))
    inputs: dict[str, Input] = {
        "acc": SensorInput("acc", samples=32, slots=4),
        "gyro": SensorInput("gyro", samples=32, slots=4),
        "pose": PoseInput(frames=16, joints=17, slots=4, skeleton="canonical", across=hips),
    }
    short = Schedule(steps=steps, batch_size=12, lr=3e-3, warmup_steps=2, precision="fp32")
    return Recipe(
        "tiny", inputs, mujo.Config(inputs, dim=16, depth=1, heads=2, joint_dim=16), pretrain=short, finetune=short,
        objective=objective or mujo.Objective({"contrast": 1.0}), augment=Augment(rotation_deg=20.0),
        windows=Cut(2.0, 1.0), method="mujo",
    )  # fmt: skip
