"""Does Mu-MAE rebuild what it does not see? BasicMotions: learnt on the training part, measured on the test part.

Rows ``mae.loss_masked.<stream>`` and ``mae.loss_visible.<stream>``, and a picture of test windows.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from _tools import RESULTS, write
from kinjo import corpus, datasets, learn
from kinjo.batches import Windows, plain
from kinjo.demo import demo_recipe
from kinjo.evaluate import reconstruction
from kinjo.train import Schedule

SEEDS = 3
STEPS = 1000
DRAWS = 20
"""Masks of every test window."""


def main() -> None:
    """Pre-train ``SEEDS`` models, split their errors, draw the first."""
    torch.set_num_threads(1)
    recipe = replace(demo_recipe(), pretrain=Schedule(steps=STEPS, batch_size=40, lr=2e-3, warmup_steps=20))
    with tempfile.TemporaryDirectory() as name:
        store = corpus.write(datasets.load("basic_motions", Path("data")), Path(name, "corpus"), progress=False)
        windows = Windows(store, corpus.segment_windows(store, store.recordings), recipe.inputs)
        names = np.asarray([store.recordings[i] for i in windows.index.recording])
        train, test = (np.flatnonzero(np.char.startswith(names, part)) for part in ("train", "test"))
        batch = plain(windows.tensors(test), windows.inputs)
        models, losses = [], []
        for seed in range(SEEDS):
            models.append(learn.pretrain(recipe, windows, train, Path(name, str(seed)), seed=seed))
            generator = torch.Generator().manual_seed(seed)
            draws = [reconstruction.losses_split(models[-1], batch, generator) for _ in range(DRAWS)]
            losses.append(reconstruction.average(draws))
        shown = test[reconstruction.varied(windows.index.label_names[test], 4)]
        together = reconstruction.average(losses)
        print(reconstruction.to_text(together))
        reconstruction.plot_reconstruction(
            models[0], windows, shown, RESULTS / "reconstruction.png", torch.Generator().manual_seed(0),
            losses=losses[0], title="BasicMotions, recordings of the test part: 75 % of the moments are hidden",
        )  # fmt: skip
    record(losses, together)


def record(losses: list[dict[str, reconstruction.StreamLoss]], together: dict[str, reconstruction.StreamLoss]) -> None:
    """Rows of every stream."""
    protocol = (
        f"BasicMotions, 40 recordings of the test part, {DRAWS} draws of masks each; mean squared error of tokens "
        f"normalised to variance 1; {{}}; mean of {SEEDS} trainings; the same students may be in both parts"
    )
    trained = f"BasicMotions, training part, without labels, {STEPS} steps"
    for key, x in together.items():
        baseline = {"token_mean": x.mean} | ({} if x.line is None else {"interpolation": x.line})
        write(
            "reconstruction", f"mae.loss_masked.{key}", x.hidden, "error", seeds=SEEDS, baseline=baseline,
            each_seed=[one[key].hidden for one in losses], explained=x.explained, trained_on=trained,
            protocol=protocol.format("tokens hidden from the model, 75 %"),
        )  # fmt: skip
        write(
            "reconstruction", f"mae.loss_visible.{key}", x.visible, "error", seeds=SEEDS,
            each_seed=[one[key].visible for one in losses], trained_on=trained,
            protocol=protocol.format("tokens that the model sees and is never asked for in training"),
        )  # fmt: skip


if __name__ == "__main__":
    main()
