"""Pictures of movements and of what sensors read on them, drawn with Matplotlib (imported when one is drawn)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinjo.body import CANONICAL
from kinjo.motion import Floats, Motion
from kinjo.sensors import IMU

AXES = ("#b5483a", "#3f7f4c", "#1f5a8a")
"""Colours of x, y and z."""
_INK, _LEFT, _RIGHT = "#22303c", "#c98a2b", "#1f5a8a"


def draw_body(
    panel: Any, joints: Floats, *, side: Floats, at: float = 0.0, lacking: frozenset[str] = frozenset()
) -> None:
    """A stick figure of ``joints (17, 3)`` seen along the horizontal direction that ``side`` (3,) is square to.

    ``side`` points to the right of the picture; ``at`` moves the figure there. Left limbs are drawn in another colour.
    """
    across, up = (joints - joints[0] * [1, 0, 1]) @ side + at, joints[:, 1]
    for child, parent in enumerate(CANONICAL.parents):
        name = CANONICAL.joints[child]
        if parent < 0 or name in lacking or CANONICAL.joints[parent] in lacking:
            continue
        colour = _LEFT if name.startswith("left") else _RIGHT if name.startswith("right") else _INK
        panel.plot(across[[parent, child]], up[[parent, child]], color=colour, linewidth=2, solid_capstyle="round")
    head = CANONICAL.index("head")
    if "head" not in lacking:
        panel.plot(across[head], up[head], "o", color=_INK, markersize=6)


def plot_imus(motion: Motion, imus: Mapping[str, IMU], path: Path, *, title: str = "", figures: int = 8) -> None:
    """The body at ``figures`` moments over the accelerometers and gyroscopes of ``imus``, on one time axis."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = Figure(figsize=(10, 2.6 + 2.4 * len(imus)), layout="constrained")
    FigureCanvasAgg(picture)
    grid = picture.add_gridspec(1 + 2 * len(imus), 1, height_ratios=[2.2, *[1.0] * (2 * len(imus))])
    strip = picture.add_subplot(grid[0])
    frames = np.linspace(0, motion.positions.shape[-3] - 1, figures).round().astype(int)
    right = motion.positions[0, CANONICAL.index("right_hip")] - motion.positions[0, CANONICAL.index("left_hip")]
    forward = np.cross([0.0, 1.0, 0.0], right)
    # a little from the front: arms and legs of both sides show
    view = 0.8 * forward / max(float(np.linalg.norm(forward)), 1e-9) - 0.6 * right / max(
        float(np.linalg.norm(right)), 1e-9
    )
    view = view * [1, 0, 1] / max(float(np.linalg.norm(view * [1, 0, 1])), 1e-9)
    for k, frame in enumerate(frames):
        draw_body(strip, motion.positions[frame], side=view, at=1.3 * k, lacking=motion.lacking)
    strip.set_aspect("equal")
    strip.set_xticks([1.3 * k for k in range(figures)], [f"{frame / motion.rate_hz:.1f} s" for frame in frames])
    strip.set_yticks([])
    strip.spines[:].set_visible(False)
    strip.tick_params(length=0)
    panels = [picture.add_subplot(grid[1 + k]) for k in range(2 * len(imus))]
    for k, (placement, imu) in enumerate(imus.items()):
        for panel, values, what in (
            (panels[2 * k], imu.acc, "specific force\nm/s²"), (panels[2 * k + 1], imu.gyro, "turning\nrad/s"),
        ):  # fmt: skip
            _lines(panel, values, imu, what)
        panels[2 * k].set_title(placement.replace("_", " "), fontsize=10, loc="left", color=_INK)
    for panel in panels[:-1]:
        panel.tick_params(labelbottom=False)
    panels[-1].set_xlabel("seconds", fontsize=9)
    panels[0].legend(loc="upper right", ncols=3, fontsize=8, frameon=False)
    picture.suptitle(title, fontsize=11, color=_INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=120)


def _lines(panel: Any, values: Floats, imu: IMU, what: str) -> None:
    times = np.arange(len(values)) / imu.rate_hz
    shown = np.where(imu.missing[:, None], np.nan, values) if imu.missing is not None else values
    for axis, colour in enumerate(AXES):
        panel.plot(times, shown[:, axis], color=colour, linewidth=1, label="xyz"[axis])
    panel.set_xlim(0, times[-1])
    panel.set_ylabel(what, fontsize=8)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)
