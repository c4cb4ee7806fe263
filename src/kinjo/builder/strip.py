"""A clip in one picture: frames with the skeleton on them, and what virtual sensors read underneath."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.body import SKELETONS
from kinjo.builder import files, footage

PICTURES = 6
SHOWN = (("right_wrist", "#1f5a8a"), ("left_ankle", "#d9822b"), ("chest", "#3f8f5b"))
"""Sensors whose readings are drawn, and their colours."""


def draw(
    clip: Path,
    out: Path,
    cut: Mapping[str, Any],
    skeleton: str,
    image: NDArray[np.floating],
    readings: Mapping[str, NDArray[Any]],
    imu_rate_hz: float,
) -> None:
    """Write ``out`` (PNG). ``cut``: the facts of that stage; ``image`` (frames of the shot, joints, 2) pixels.

    ``readings``: ``<placement>.acc`` (samples, 3) m/s^2 and ``<placement>.missing``, at ``imu_rate_hz``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, PICTURES, height_ratios=[1.5, 1])
    rate, first = cut["rate_hz"], cut["shot_start"]
    for column, (i, picture) in enumerate(_pictures(clip, cut)):
        axes = figure.add_subplot(grid[0, column])
        axes.imshow(picture)
        small = picture.shape[0] / cut["height"]
        for a, b in SKELETONS[skeleton].bones:
            axes.plot(*(image[i, [a, b]] * small).T, color="#ffb000", linewidth=1.2)
        axes.set_axis_off()
        axes.set_title(f"{(first + i) / rate:.1f} s", fontsize=8)
    axes = figure.add_subplot(grid[1, :])
    for name, colour in SHOWN:
        if f"{name}.acc" in readings:
            size = np.linalg.norm(readings[f"{name}.acc"], axis=1)
            size = np.where(readings[f"{name}.missing"], np.nan, size)
            axes.plot(np.arange(len(size)) / imu_rate_hz, size, color=colour, label=name, linewidth=1)
    if axes.lines:
        axes.legend(fontsize=8, frameon=False, ncols=3, loc="upper right")
        axes.set_ylabel("virtual acc., m/s²", fontsize=8)
    else:
        axes.text(0.5, 0.5, "no virtual sensors", ha="center", transform=axes.transAxes)
    axes.set_xlabel("seconds", fontsize=8)
    axes.tick_params(labelsize=8)
    with files.replaced(out) as temporary:
        figure.savefig(temporary, dpi=80, format="png", metadata={"Software": None})


def _pictures(clip: Path, cut: Mapping[str, Any]) -> list[tuple[int, footage.Picture]]:
    """Frames evenly over the shot with their number in it, small."""
    rate, first, last = cut["rate_hz"], cut["shot_start"], cut["shot_stop"]
    wanted = set(np.linspace(0, last - first - 1, PICTURES).astype(int).tolist())
    frames = footage.shown(clip, first / rate, last / rate, rate, 240)
    return [(i, frame.to_ndarray(format="rgb24")) for i, frame in enumerate(frames) if i in wanted]
