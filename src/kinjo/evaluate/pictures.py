"""Pictures of results, drawn with Matplotlib (imported when a picture is drawn, never before)."""

from __future__ import annotations

from collections.abc import Mapping
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
    _bars(figure.add_subplot(grid[1, :]), methods, 1 / result.protocol.way if chance else None)
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


def _bars(panel: Any, methods: Mapping[str, FewshotResult], chance: float | None) -> None:
    place = np.arange(len(methods))[::-1]
    values = np.array([m.value for m in methods.values()])
    reach = np.abs(np.array([m.ci95 for m in methods.values()]).T - values)
    colours = [_OURS] + [_OTHERS] * (len(methods) - 1)
    panel.barh(place, values, xerr=reach, height=0.62, color=colours, ecolor=_INK, capsize=3)
    panel.set_yticks(place, list(methods), fontsize=9)
    for y, method in zip(place, methods.values(), strict=True):
        panel.text(method.ci95[1] + 0.012, y, f"{method.value:.3f}", va="center", fontsize=9, color=_INK)
    if chance is not None:
        panel.axvline(chance, color=_INK, linewidth=0.8, linestyle=":")
        panel.text(chance + 0.004, place[-1] - 0.44, "chance", fontsize=8, color=_INK, va="top")
    panel.set_xlim(0, 1.06)
    panel.set_ylim(place[-1] - 0.85, place[0] + 0.5)
    panel.set_xlabel("accuracy, mean over folds and seeds; 95 % interval over subjects and classes", fontsize=9)
    panel.spines[["top", "right"]].set_visible(False)
