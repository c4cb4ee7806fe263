"""What masking saves: windows per second of pre-training at 90 % hidden against nothing hidden, in one run.

The preset ``vit_utd`` (the published design at UTD-MHAD's size) on random windows: the whole step with decoders,
backward pass and optimiser, and the encoder alone, forward and backward. Both ratios take turns. Beside it the same
for the recipe ``mumae-utd``, whose convolutional stems read every window whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from _tools import RESULTS, ROOT
from kinjo.encoders import PoseInput, VideoInput
from kinjo.evaluate import report
from kinjo.methods import mumae
from kinjo.recipe import Recipe
from kinjo.train import make_optimizer

BATCH, REPEATS = 32, 7


def windows(inputs: Mapping[str, mumae.Input], generator: torch.Generator) -> dict[str, Tensor]:
    """A batch of random windows in the shapes of ``inputs``, nothing missing."""
    shapes = {
        key: (spec.frames, spec.size, spec.size, spec.channels)
        if isinstance(spec, VideoInput)
        else (spec.frames, spec.joints, spec.axes)
        if isinstance(spec, PoseInput)
        else (spec.samples, spec.axes)
        for key, spec in inputs.items()
    }
    return {key: torch.randn(BATCH, *shape, generator=generator) for key, shape in shapes.items()}


@contextmanager
def autocast() -> Iterator[None]:
    """As training runs."""
    with torch.autocast("cpu", torch.bfloat16):
        yield


def whole_step(config: mumae.Config) -> Callable[[], None]:
    """One step of pre-training: masks, both passes, clipped gradients, optimiser."""
    generator = torch.Generator().manual_seed(0)
    task = mumae.Pretrain(mumae.MuMAE(config, generator))
    optimizer = make_optimizer(task, Recipe("speed", config.inputs, config).pretrain)
    batch = windows(config.inputs, generator)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            losses = task(batch, generator)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimizer.step()

    return step


def encoder_alone(config: mumae.Config) -> Callable[[], None]:
    """The encoder's transformer on the tokens that a ratio leaves, both passes."""
    generator = torch.Generator().manual_seed(0)
    model = mumae.MuMAE(config, generator)
    masks = model.draw_masks(BATCH, generator)
    tokens = sum(int((~hidden[0]).sum()) for hidden in masks.values())
    x = torch.randn(BATCH, tokens, config.dim, generator=generator, requires_grad=True)

    def step() -> None:
        with autocast():
            out = model.encoder(x)
        out.float().square().mean().backward()

    return step


def ratio(make: Callable[[mumae.Config], Callable[[], None]], config: mumae.Config) -> tuple[float, list[float]]:
    """Median over turns of (seconds with nothing hidden) / (seconds with 90 %), and the ratio of every turn."""
    hidden = make(replace(config, mask_ratio=0.9, video_mask_ratio=0.9))
    whole = make(replace(config, mask_ratio=0.0, video_mask_ratio=0.0))
    turns = []
    for turn in range(REPEATS + 1):
        spent = []
        for step, times in ((hidden, 6), (whole, 2)):
            start = time.perf_counter()
            for _ in range(times):
                step()
            spent.append((time.perf_counter() - start) / times)
        if turn:  # the first warms up
            turns.append(spent[1] / spent[0])
    return float(np.median(turns)), turns


def main() -> None:
    """Write the rows ``mae.mask_speedup*``."""
    torch.set_num_threads(1)
    recipe = Recipe.load(ROOT / "recipes" / "mumae-utd.toml")
    cases = [
        ("mae.mask_speedup", whole_step, mumae.vit_utd(), "whole pre-training step, preset vit_utd"),
        ("mae.mask_speedup_encoder", encoder_alone, mumae.vit_utd(), "encoder alone, preset vit_utd"),
        ("mae.mask_speedup_conv_recipe", whole_step, recipe.model, "whole pre-training step, recipe mumae-utd"),
    ]
    rows = []
    for id, make, config, what in cases:
        value, turns = ratio(make, config)
        print(f"{id} = {value:.2f}  ({min(turns):.2f} to {max(turns):.2f})")
        rows.append(report.row(
            id, value, "ratio", command="make bench-mask-speed", machine=report.describe_machine(),
            spread=[min(turns), max(turns)],
            protocol=f"{what}: windows/s at ratio 0.9 over windows/s at ratio 0, batch {BATCH}, bf16, one thread, "
            f"{REPEATS} turns, median",
        ))  # fmt: skip
    report.write_rows(RESULTS / "mask_speed.json", rows)


if __name__ == "__main__":
    main()
