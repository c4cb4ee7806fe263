"""The picture of a masked autoencoder at work: windows side by side, their streams below each other.

Matplotlib is imported when a picture is drawn, never before.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.encoders.imu import TYPICAL
from kinjo.encoders.video import IMAGENET_MEAN, IMAGENET_STD
from kinjo.signal import canonical_unit

Stream = tuple[Input, Tensor, Tensor, Tensor, Tensor]
"""Input, then by token (windows, tokens, ...): truth and prediction in prepared values, hidden, missing."""

_MODEL, _INK, _TRUTH, _HIDDEN = "#e07a1f", "#22303c", "#93a1ad", "#e9edf0"
CHANNELS, FRAMES = 3, 6
"""Of a pose and of a video, how much is drawn."""
NOTE = (
    "The model learns the shape of every hidden token, not its level: its line is drawn with the token's true mean "
    "and standard deviation."
)


def plot_rebuilt(
    streams: Mapping[str, Stream],
    path: Path,
    *,
    names: Sequence[str],
    seconds: Sequence[float],
    title: str = "",
    said: Sequence[str] = (),
) -> None:
    """A column per window (its name on top, its length in ``seconds`` below), a row per sensor axis, joint or video.

    Signals: dark is what the model sees, grey spans are hidden from it, in them its prediction over the truth. Videos:
    three strips, with hidden places grey in the first. Lines ``said`` go below. Written atomically.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for key, stream in streams.items() for row in _rows(key, stream)]
    columns = len(names)
    heights = [2.2 if isinstance(streams[key][0], VideoInput) else 0.85 for key, *_ in rows]
    width = 1.2 + 3.1 * columns
    words = [fill(line, int(width * 15)) for line in (*said, NOTE)]
    foot = 0.2 * sum(1 + line.count("\n") for line in words)
    figure = Figure(figsize=(width, sum(heights) + foot + 1.3), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(rows) + 2, columns, height_ratios=[0.3, *heights, foot])
    _legend(figure.add_subplot(grid[0, :]))
    for y, (key, label, channel) in enumerate(rows):
        for x in range(columns):
            panel = figure.add_subplot(grid[y + 1, x])
            if channel is None:
                _video(panel, streams[key], x, first=x == 0)
            else:
                _signal(panel, streams[key], x, channel, seconds[x], last=y == len(rows) - 1)
            if y == 0:
                panel.set_title(names[x].replace("_", " "), fontsize=10, color=_INK)
            if x == 0:
                panel.set_ylabel(label, fontsize=8.5, color=_INK)
    if title:
        figure.suptitle(title, fontsize=11.5, color=_INK)
    below = figure.add_subplot(grid[-1, :])
    below.axis("off")
    below.text(0, 1, "\n".join(words), fontsize=8, color=_INK, va="top", linespacing=1.35, transform=below.transAxes)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        figure.savefig(temporary, dpi=130)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _rows(key: str, stream: Stream) -> list[tuple[str, str, int | None]]:
    """Key, label and channel of every row of a stream: all axes of a sensor, the liveliest of a pose."""
    spec, truth = stream[:2]
    if isinstance(spec, VideoInput):
        return [(key, key, None)]
    if isinstance(spec, SensorInput):
        unit = canonical_unit(spec.quantity).replace("^2", "²") if spec.scaling == "units" else "share of the range"
        return [(key, f"{key} {_axis(c, spec.axes)}\n{unit}", c) for c in range(spec.axes)]
    moving = spec.unpatchify(truth).flatten(2).std(1).mean(0)  # (joints * axes)
    chosen = sorted(moving.argsort(descending=True)[:CHANNELS].tolist())
    return [(key, f"{key}\njoint {c // spec.axes} {_axis(c % spec.axes, spec.axes)}, m", c) for c in chosen]


def _axis(number: int, axes: int) -> str:
    return "xyz"[number] if axes <= 3 else str(number)


def _channel(spec: SensorInput | PoseInput, tokens: Tensor, row: int, channel: int) -> NDArray[Any]:
    """One channel of one window, ``(samples,)``."""
    return spec.unpatchify(tokens[row : row + 1]).flatten(2)[0, :, channel].float().numpy()


def _signal(panel: Any, stream: Stream, row: int, channel: int, seconds: float, *, last: bool) -> None:
    spec, truth, predicted, hidden, missing = stream
    assert not isinstance(spec, VideoInput)
    shape = (-1, -1, spec.values)
    dark, absent = (_channel(spec, m[:, :, None].expand(*shape).float(), row, channel) > 0 for m in (hidden, missing))
    scale = TYPICAL[spec.quantity] if isinstance(spec, SensorInput) and spec.scaling == "units" else 1.0
    real, guess = (scale * _channel(spec, x, row, channel) for x in (truth, predicted))
    if absent.all():
        _nothing(panel)
        return
    step = seconds / len(real)
    time = np.arange(len(real)) * step
    for a, b in spans(dark):
        panel.axvspan((a - 0.5) * step, (b - 0.5) * step, color=_HIDDEN, linewidth=0)
    panel.plot(time, np.where(absent, np.nan, real), color=_TRUTH, linewidth=0.9)
    panel.plot(time, np.where(dark & ~absent, guess, np.nan), color=_MODEL, linewidth=1.3, marker=".", markersize=2.5)
    panel.plot(time, np.where(dark | absent, np.nan, real), color=_INK, linewidth=1.3, marker=".", markersize=2.5)
    panel.set_xlim(-0.5 * step, (len(real) - 0.5) * step)
    panel.locator_params(axis="y", nbins=3)
    panel.tick_params(labelsize=7, length=2, color=_TRUTH, labelbottom=last)
    panel.spines[["top", "right"]].set_visible(False)
    panel.spines[["left", "bottom"]].set_color(_TRUTH)
    if last:
        panel.set_xlabel("s", fontsize=8, labelpad=1)


def _nothing(panel: Any) -> None:
    panel.text(0.5, 0.5, "not recorded", fontsize=8, color=_TRUTH, ha="center", va="center")
    panel.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    panel.spines[:].set_visible(False)


def spans(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """``[start, stop)`` of every run of ``True``."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _video(panel: Any, stream: Stream, row: int, *, first: bool) -> None:
    spec = stream[0]
    truth, predicted, hidden, missing = (x[row : row + 1] for x in stream[1:])
    assert isinstance(spec, VideoInput)
    if bool(missing.all()):
        _nothing(panel)
        return
    wide = hidden[:, :, None].expand(-1, -1, spec.values).float()
    dark = spec.unpatchify(wide)[0] > 0  # (frames, size, size, channels)
    real, guess = (_pixels(spec, spec.unpatchify(x)[0]) for x in (truth, predicted))
    grey = torch.full_like(real, 0.82)
    strips = [torch.where(dark, grey, real), torch.where(dark, guess, real), real]
    picked = np.linspace(0, spec.frames - 1, min(FRAMES, spec.frames)).round().astype(int).tolist()
    gap = max(1, spec.size // 16)
    lines = []
    for strip in strips:
        frames = [torch.nn.functional.pad(strip[i], (0, 0, 0, gap, 0, gap), value=1.0) for i in picked]
        lines.append(torch.cat(frames, 1)[:, :-gap])
    image = torch.cat(lines)[:-gap].numpy()
    panel.imshow(image if spec.channels == 3 else image[..., 0], cmap="gray", vmin=0, vmax=1, aspect="equal")
    middle = [spec.size / 2 + k * (spec.size + gap) for k in range(3)]
    panel.set_yticks(middle, ["seen", "rebuilt", "truth"] if first else [""] * 3, fontsize=7, color=_INK)
    panel.set_xticks([])
    panel.tick_params(length=0)
    panel.spines[:].set_visible(False)


def _pixels(spec: VideoInput, x: Tensor) -> Tensor:
    """Prepared frames (frames, size, size, channels) to 0..1."""
    mean, scale = (IMAGENET_MEAN, IMAGENET_STD) if spec.quantity == "rgb" else ((0.5,), (0.5,))
    return (x * x.new_tensor(scale) + x.new_tensor(mean)).float().clamp(0, 1)


def _legend(panel: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles = [
        Line2D([], [], color=_INK, linewidth=1.6, marker=".", label="seen by the model"),
        Patch(color=_HIDDEN, label="hidden from it"),
        Line2D([], [], color=_MODEL, linewidth=1.6, marker=".", label="its reconstruction"),
        Line2D([], [], color=_TRUTH, linewidth=1.2, label="truth"),
    ]
    panel.axis("off")
    panel.legend(handles=handles, loc="center", ncols=4, fontsize=8.5, frameon=False, columnspacing=1.5)
