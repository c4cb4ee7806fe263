"""Pictures of movements and of what sensors read on them, drawn with Matplotlib (imported when one is drawn)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kinjo.body import CANONICAL
from kinjo.energy import Energy, normalised
from kinjo.motion import Floats, Motion
from kinjo.recording import Recording
from kinjo.sensors import IMU
from kinjo.sync import Alignment

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
    view = _view(motion.positions[0])
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


def _view(joints: Floats) -> Floats:
    """The picture's rightwards direction that shows a body from its side, a little from the front."""
    right = (joints[CANONICAL.index("right_hip")] - joints[CANONICAL.index("left_hip")]) * [1, 0, 1]
    right = right / max(float(np.linalg.norm(right)), 1e-9)
    return 0.8 * np.cross([0.0, 1.0, 0.0], right) - 0.6 * right


def _lines(panel: Any, values: Floats, imu: IMU, what: str) -> None:
    times = np.arange(len(values)) / imu.rate_hz
    shown = np.where(imu.missing[:, None], np.nan, values) if imu.missing is not None else values
    for axis, colour in enumerate(AXES):
        panel.plot(times, shown[:, axis], color=colour, linewidth=1, label="xyz"[axis])
    panel.set_xlim(0, times[-1])
    panel.set_ylabel(what, fontsize=8)
    panel.tick_params(labelsize=8)
    panel.spines[["top", "right"]].set_visible(False)


def plot_recordings(recordings: Sequence[Recording], path: Path, *, title: str = "", frames: int = 6) -> None:
    """What recordings hold, one per row: frames of video, stick figures at the same moments, the accelerometer."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = Figure(figsize=(13, 1.5 * len(recordings) + 0.4), layout="constrained")
    FigureCanvasAgg(picture)
    grid = picture.add_gridspec(len(recordings), 3, width_ratios=[6, 5, 3])
    for row, recording in enumerate(recordings):
        label = recording.segments[0].label if recording.segments else recording.id
        film, figures, readings = (picture.add_subplot(grid[row, k]) for k in range(3))
        moments = (np.arange(frames) + 0.5) / frames * recording.duration_s
        _film(film, recording, moments)
        _figures(figures, recording, moments)
        _accelerometer(readings, recording)
        film.set_title(label, loc="left", fontsize=10, color=_INK)
    picture.suptitle(title, fontsize=11, color=_INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=110)


def plot_moments(
    found: Sequence[tuple[Recording, float, float, str]], path: Path, *, title: str = "", frames: int = 7
) -> None:
    """Parts of recordings (recording, from, to in seconds, what is said of it), one a row: frames of its video, else
    stick figures, and beside them what the accelerometer read.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = Figure(figsize=(11, 1.75 * len(found) + 0.5), layout="constrained")
    FigureCanvasAgg(picture)
    grid = picture.add_gridspec(len(found), 2, width_ratios=[3, 2])
    for row, (recording, start, end, said) in enumerate(found):
        part = recording.between(start, end)
        part = replace(part, streams={name: s for name, s in part.streams.items() if s.length})
        holds = {s.contract.modality for s in part.streams.values()}
        felt = any(s.contract.quantity == "acc" for s in part.streams.values())
        seen = bool(holds & {"video", "pose"})
        panels = []
        if seen or not felt:
            panels.append(picture.add_subplot(grid[row, 0] if felt else grid[row, :]))
            moments = start + (np.arange(frames) + 0.5) / frames * (end - start)
            (_film if "video" in holds else _figures)(panels[0], part, moments)
            panels[0].margins(y=0.0 if "video" in holds else 0.12)
        if felt:
            panels.append(picture.add_subplot(grid[row, 1] if seen else grid[row, :]))
            _accelerometer(panels[-1], part)
        panels[0].set_anchor("W")
        panels[0].set_title(f"{row + 1}. {said}", loc="left", fontsize=9, color=_INK)
    picture.suptitle(title, fontsize=11, color=_INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=110)


def plot_streams(recording: Recording, path: Path, *, most: int = 4000) -> None:
    """The sensors of a recording, one panel each: at most ``most`` points, as the span of what lies between them."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [s for s in recording.streams.values() if s.contract.modality == "imu" and s.length]
    if not shown:
        raise ValueError(f"{recording.id}: holds no sensor that could be drawn")
    picture = Figure(figsize=(12, 1.9 * len(shown) + 0.6), layout="constrained")
    FigureCanvasAgg(picture)
    panels = picture.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for panel, stream in zip(panels, shown, strict=True):
        values, clock = np.array(stream.values(), np.float32), stream.clock()
        values[stream.mask()] = np.nan
        step = max(1, -(-len(values) // most))
        if stream.times is not None:  # a line over a silence would invent movement
            values[1:][np.diff(clock) > 3.0 / stream.contract.rate_hz] = np.nan
        whole = len(values) // step * step
        for k, axis in enumerate(stream.contract.axes):
            blocks = values[:whole, k].reshape(-1, step)
            ends = np.stack([np.fmin.reduce(blocks, 1), np.fmax.reduce(blocks, 1)], 1).ravel()
            panel.plot(np.repeat(clock[:whole:step], 2), ends, lw=0.6, label=axis)
        panel.set_title(f"{stream.name}, {stream.contract.rate_hz:g} Hz", loc="left", fontsize=9, color=_INK)
        panel.set_ylabel(stream.contract.units, fontsize=9)
        panel.legend(loc="upper right", ncols=3, fontsize=8, frameon=False)
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0)
    panels[-1].set_xlabel("seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=110)


def _film(panel: Any, recording: Recording, moments: Floats) -> None:
    video = next((s for s in recording.streams.values() if s.contract.quantity == "rgb"), None)
    video = video or next((s for s in recording.streams.values() if s.contract.quantity == "depth"), None)
    panel.axis("off")
    if video is None:
        return
    at = [min(video.index_at(float(t)), video.length - 1) for t in moments]
    strip = np.concatenate([video.values(i, i + 1)[0] for i in at], axis=1)
    panel.imshow(strip, cmap="bone_r" if strip.ndim == 2 else None, interpolation="bilinear")


def _figures(panel: Any, recording: Recording, moments: Floats) -> None:
    panel.axis("off")
    pose = next((s for s in recording.streams.values() if s.contract.modality == "pose"), None)
    if pose is None:
        return
    motion = Motion.of_stream(pose)
    view = _view(motion.positions[0])
    for k, t in enumerate(moments):
        frame = min(pose.index_at(float(t)), pose.length - 1)
        draw_body(panel, motion.positions[frame], side=view, at=1.1 * k, lacking=motion.lacking)
    panel.set_aspect("equal")


def _accelerometer(panel: Any, recording: Recording) -> None:
    acc = next((s for s in recording.streams.values() if s.contract.quantity == "acc"), None)
    if acc is None:
        panel.axis("off")
        return
    shown = np.where(acc.mask()[:, None], np.nan, acc.values())
    for axis, colour in enumerate(AXES):
        panel.plot(acc.clock(), shown[:, axis], color=colour, linewidth=0.9)
    panel.set_xlim(acc.start_s, acc.end_s)
    panel.set_title(f"{str(acc.contract.placement).replace('_', ' ')}, {acc.contract.units}", fontsize=8, loc="right")
    panel.tick_params(labelsize=7)
    panel.spines[["top", "right"]].set_visible(False)


def plot_alignment(
    found: Alignment, felt: Energy, seen: Energy, path: Path, *, truth_s: float | None = None, seconds: float = 30.0
) -> None:
    """The energies of a wearable and of what was seen, before and after, where most goes on; the evidence by offset.

    ``truth_s``: the true offset, where it is known.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    mine, other = (normalised(energy, 25.0) for energy in (felt, seen))
    clocks = [energy.start_s + np.arange(len(energy.values)) / energy.rate_hz for energy in (mine, other)]
    width = min(round(seconds * other.rate_hz), len(other.values))
    start = int(np.convolve(other.values[:, 0] ** 2, np.ones(width), "valid").argmax())
    span = clocks[1][start], clocks[1][start + width - 1]
    picture = Figure(figsize=(9, 6.5), layout="constrained")
    FigureCanvasAgg(picture)
    panels = [picture.add_subplot(3, 1, 1 + k) for k in range(3)]
    told = f"after {found.offset_s:+.3f} s and {found.drift_ppm:+.0f} ppm" if found.told else "best guess: cannot tell"
    moved = found.reference_time(clocks[0])
    for panel, times, title in ((panels[0], clocks[0], "as the clocks say"), (panels[1], moved, told)):
        panel.plot(clocks[1], other.values[:, 0], color=_LEFT, linewidth=1.5, label="seen")
        panel.plot(times, mine.values[:, 0], color=_RIGHT, linewidth=1, label=f"felt, {found.placement or 'wearable'}")
        panel.set_xlim(*span)
        panel.set_yticks([])
        panel.set_ylabel("energy", fontsize=9)
        panel.set_title(title, fontsize=10, color=_INK)
    panels[0].legend(loc="upper right", frameon=False, ncols=2, fontsize=8)
    panels[1].set_xlabel("seconds on the reference's clock", fontsize=9)
    panels[2].plot(found.offsets, found.evidence, color=_INK, linewidth=1)
    if truth_s is not None:
        panels[2].axvline(truth_s, color=_LEFT, linewidth=3, alpha=0.5, label=f"truth {truth_s:+.3f} s")
        panels[2].legend(loc="upper right", frameon=False, fontsize=8)
    panels[2].set_title(f"confidence {found.confidence:.3f}", fontsize=10, color=_INK)
    panels[2].set_xlabel("offset, s", fontsize=9)
    panels[2].set_ylabel("evidence", fontsize=9)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path, dpi=110)
