"""Pictures of results, drawn with Matplotlib (imported when a picture is drawn, never before)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinjo.evaluate.folds import FewshotResult

_OURS, _OTHERS, _INK = "#1f5a8a", "#b8c4ce", "#22303c"


def plot_fewshot(
    result: FewshotResult,
    path: Path,
    *,
    baselines: Mapping[str, FewshotResult] | None = None,
    name: str = "kinjo",
    chance: bool = True,
) -> None:
    """One confusion panel per fold (share of the answers, true class by row) over bars of all methods.

    Bars show the mean over folds and seeds with its 95 % interval over subjects and classes; ``baselines`` are results
    of the same protocol. ``path`` ends in ``.png``, ``.svg`` or ``.pdf``; its folder is made.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    methods = {name: result, **(baselines or {})}
    if len(methods) != 1 + len(baselines or {}):
        raise ValueError(f"a baseline is called {name!r} like the result itself: give another name")
    panels = len(result.folds)
    size = max(len(result.confusion(f.name)[0]) for f in result.folds)
    side = max(2.6, 0.36 * size)
    labels = max(len(str(c)) for f in result.folds for c in f.test) * 0.075
    bars = 0.9 + 0.42 * len(methods)
    figure = Figure(figsize=(panels * (side + labels + 0.5), side + labels + bars + 1.6), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, panels, height_ratios=[side + labels, bars])
    image: Any = None
    axes = [figure.add_subplot(grid[0, k]) for k in range(panels)]
    for panel, fold in zip(axes, result.folds, strict=True):
        image = _confusion(panel, result, fold.name)
    figure.colorbar(image, ax=axes, fraction=0.012, pad=0.01, label="share of the answers")
    accuracy, interval = {n: m.value for n, m in methods.items()}, {n: m.ci95 for n, m in methods.items()}
    label = "accuracy, mean over folds and seeds; 95 % interval over subjects and classes"
    _bars(figure.add_subplot(grid[1, :]), accuracy, interval, 1 / result.protocol.way if chance else None, label)
    figure.suptitle(result.protocol.describe() + f", {len(result.seeds)} seeds", fontsize=11, color=_INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _confusion(panel: Any, result: FewshotResult, fold: str) -> Any:
    classes, share = result.confusion(fold)
    image = panel.imshow(share, cmap="Blues", vmin=0, vmax=1)
    names = [str(c).replace("_", " ") for c in classes]
    panel.set_xticks(range(len(names)), names, rotation=55, ha="right", rotation_mode="anchor", fontsize=8)
    panel.set_yticks(range(len(names)), names, fontsize=8)
    panel.set_xlabel("answered", fontsize=9)
    panel.set_ylabel("true class", fontsize=9)
    panel.set_title(f"test classes {fold}: {result.per_fold[fold]:.3f}", fontsize=10, color=_INK)
    panel.tick_params(length=0)
    for y, x in zip(*np.nonzero(share >= 0.03), strict=True):
        panel.text(
            *(x, y, f"{100 * share[y, x]:.0f}"),
            ha="center", va="center", fontsize=7, color="white" if share[y, x] > 0.55 else _INK,
        )  # fmt: skip
    return image


def plot_bars(
    accuracy: Mapping[str, float],
    interval: Mapping[str, tuple[float, float]],
    path: Path,
    *,
    title: str,
    chance: float | None = None,
) -> None:
    """Bars of accuracies by method with their 95 % intervals; methods whose name starts with kinjo stand out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 1.5 + 0.5 * len(accuracy)), layout="constrained")
    FigureCanvasAgg(figure)
    _bars(figure.add_subplot(), accuracy, interval, chance, "accuracy; 95 % interval")
    figure.suptitle(title, fontsize=11, color=_INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _bars(
    panel: Any,
    accuracy: Mapping[str, float],
    interval: Mapping[str, tuple[float, float]],
    chance: float | None,
    label: str,
) -> None:
    place = np.arange(len(accuracy))[::-1]
    values = np.array(list(accuracy.values()))
    bounds = np.array([interval[name] for name in accuracy])
    reach = np.abs(bounds.T - values)
    colours = [_OURS if name.startswith("kinjo") else _OTHERS for name in accuracy]
    panel.barh(place, values, xerr=reach, height=0.62, color=colours, ecolor=_INK, capsize=3)
    panel.set_yticks(place, list(accuracy), fontsize=9)
    for y, value, high in zip(place, values, bounds[:, 1], strict=True):
        panel.text(high + 0.012, y, f"{value:.3f}", va="center", fontsize=9, color=_INK)
    if chance is not None:
        panel.axvline(chance, color=_INK, linewidth=0.8, linestyle=":")
        panel.text(chance + 0.004, place[-1] - 0.44, "chance", fontsize=8, color=_INK, va="top")
    panel.set_xlim(0, 1.1)
    panel.set_ylim(place[-1] - 0.85, place[0] + 0.5)
    panel.set_xlabel(label, fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)


def plot_gains(rows: Sequence[tuple[str, str, float, tuple[float, float]]], path: Path) -> None:
    """What each arm (name, held against, gain, its 95 % interval) gains; intervals without 0 stand out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.5, 1.2 + 0.34 * len(rows)), layout="constrained")
    FigureCanvasAgg(figure)
    panel = figure.add_subplot()
    for y, (_, _, gain, (low, high)) in enumerate(rows):
        proven = low > 0 or high < 0
        colour = _OURS if proven else _OTHERS
        panel.plot([100 * low, 100 * high], [y, y], color=colour, linewidth=2)
        panel.plot(100 * gain, y, "o", color=colour, markersize=6)
        panel.text(100 * high, y, f"  {100 * gain:+.1f}", va="center", fontsize=8, color=_INK)
    panel.axvline(0, color=_INK, linewidth=0.8)
    panel.set_yticks(range(len(rows)), [f"{name}  -  {against}" for name, against, _, _ in rows], fontsize=8)
    panel.invert_yaxis()
    panel.set_xlabel("gain in points of accuracy; paired 95 % interval over subjects and classes", fontsize=9)
    panel.margins(x=0.12)
    panel.spines[["top", "right", "left"]].set_visible(False)
    panel.set_title("UTD-MHAD strict, one-shot: what each change is worth", fontsize=11, color=_INK)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
