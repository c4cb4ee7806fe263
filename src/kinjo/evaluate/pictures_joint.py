"""Pictures of a joint space's results, drawn with Matplotlib (imported when a picture is drawn, never before)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinjo.evaluate.calibration import Reliability
from kinjo.evaluate.finetune import Line, Table

if TYPE_CHECKING:  # it needs torch
    from kinjo.evaluate.robustness import Grid

_INK, _COLOURS = "#22303c", ("#1f5a8a", "#d9822b", "#8a9ba8", "#3f8f5b", "#a2448a", "#b59b2a")


def _figure(width: float, height: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _saved(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def _plain(axes: Any) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.tick_params(colors=_INK, labelsize=9)


def label_efficiency(found: Table, path: Path, *, title: str = "") -> None:
    """Macro-F1 by label budget, a panel for each input (four a row) and a line for each arm, 95 % bands over subjects.

    Budgets stand in the order of the table, fewest labels on the left.
    """
    inputs = list(dict.fromkeys(line.input for line in found.lines))
    budgets = list(dict.fromkeys(line.budget for line in found.lines))
    budgets.sort(key=_amount)
    arms = list(dict.fromkeys(line.arm for line in found.lines))
    columns = min(4, len(inputs))
    rows = -(-len(inputs) // columns)
    figure = _figure(0.8 + max(3.2, 0.75 * len(budgets)) * columns, 0.4 + 3.6 * rows)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes in panels[len(inputs) :]:
        axes.set_axis_off()
    for axes, name in zip(panels, inputs, strict=False):
        for k, arm in enumerate(arms):
            lines = [x for x in found.lines if (x.input, x.arm) == (name, arm)]
            _curve(axes, lines, budgets, arm, _COLOURS[k % len(_COLOURS)], "-" if k < len(_COLOURS) else "--")
        axes.set_xticks(range(len(budgets)), [_words(b) for b in budgets], rotation=35, ha="right", fontsize=8)
        axes.set_title(name.replace("_", " + "), fontsize=10, color=_INK)
        axes.grid(axis="y", alpha=0.25)
        _plain(axes)
    for axes in panels[::columns]:
        axes.set_ylabel("macro-F1", color=_INK)
    panels[0].legend(frameon=False, fontsize=8, loc="lower right")
    figure.suptitle(title, fontsize=11, color=_INK)
    _saved(figure, path)


def _curve(axes: Any, lines: Sequence[Line], budgets: Sequence[str], arm: str, colour: str, dash: str) -> None:
    lines = sorted(lines, key=lambda line: budgets.index(line.budget))
    if not lines:
        return
    at = [budgets.index(line.budget) for line in lines]
    low, high = np.array([line.ci95 for line in lines]).T
    axes.plot(at, [line.macro_f1 for line in lines], "o", linestyle=dash, color=colour, label=arm, markersize=4)
    axes.fill_between(at, low, high, color=colour, alpha=0.12, linewidth=0)


def _amount(budget: str) -> tuple[int, float]:
    kind, _, amount = budget.partition(":")
    order = {"recording": 0, "recordings": 1, "clips": 2, "windows": 3, "all": 4}
    return order.get(kind, 5), float(amount or 0)


def _words(budget: str) -> str:
    kind, _, amount = budget.partition(":")
    if kind in ("windows", "recordings"):
        return f"{float(amount):.0%} of {kind}"
    return "all labels" if kind == "all" else f"{amount} {kind.removesuffix('s') if amount == '1' else kind} a class"


def retrieval_map(recall: Mapping[tuple[str, str], float], path: Path, *, title: str = "") -> None:
    """Heat map of R@1: who asks by row, who answers by column."""
    names = list(dict.fromkeys(name for pair in recall for name in pair))
    values = np.full((len(names), len(names)), np.nan)
    for (a, b), value in recall.items():
        values[names.index(a), names.index(b)] = value
    figure = _figure(1.6 + 0.95 * len(names), 1.5 + 0.8 * len(names))
    axes = figure.subplots()
    image = axes.imshow(np.ma.masked_invalid(values), cmap="Blues", vmin=0, vmax=1)
    for i, j in zip(*np.nonzero(np.isfinite(values)), strict=True):
        shade = "white" if values[i, j] > 0.5 else _INK
        axes.text(j, i, f"{values[i, j]:.2f}", ha="center", va="center", color=shade, fontsize=10)
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("answers", color=_INK)
    axes.set_ylabel("asks", color=_INK)
    axes.set_title(title, fontsize=10, color=_INK)
    figure.colorbar(image, ax=axes, shrink=0.8, label="R@1 by class")
    _saved(figure, path)


def robustness(grid: Grid, path: Path, *, title: str = "") -> None:
    """Macro-F1 of clean windows (a line) and of each perturbation, with 95 % over subjects; what was done in groups."""
    clean, *rows = grid.rows
    figure = _figure(7.0, 1.3 + 0.3 * len(rows))
    axes = figure.subplots()
    kinds = list(dict.fromkeys(row.perturbation for row in rows))
    for y, row in enumerate(rows):
        colour = _COLOURS[kinds.index(row.perturbation) % len(_COLOURS)]
        axes.plot(row.ci95, [y, y], color=colour, linewidth=2, alpha=0.5)
        axes.plot(row.macro_f1, y, "o", color=colour, markersize=6)
        axes.text(1.01, y, f"{-row.loss:+.3f}", transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    axes.axvline(clean.macro_f1, color=_INK, linewidth=1, linestyle="--", label=f"clean {clean.macro_f1:.3f}")
    axes.set_yticks(range(len(rows)), [f"{row.perturbation} {row.level}" for row in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("macro-F1; right: against clean windows", color=_INK)
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    axes.set_title(title, fontsize=10, color=_INK)
    _plain(axes)
    _saved(figure, path)


def reliability(found: Reliability, path: Path, *, title: str = "") -> None:
    """Accuracy by confidence against the diagonal, and how many answers each bin has."""
    from matplotlib.ticker import NullFormatter

    figure = _figure(4.2, 4.6)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    axes.plot([0, 1], [0, 1], color="#8a9ba8", linewidth=1, linestyle="--", label="perfect")
    axes.plot(found.confidence, found.accuracy, "o-", color=_COLOURS[0], label=f"ECE {found.ece:.3f}")
    axes.set_ylabel("accuracy", color=_INK)
    axes.legend(frameon=False, fontsize=9)
    below.bar(found.confidence, found.count, width=0.04, color=_COLOURS[0])
    below.set_yscale("log")
    below.set_ylim(bottom=0.7)  # a bin of one answer is seen
    below.yaxis.set_minor_formatter(NullFormatter())
    below.set_xlabel("confidence", color=_INK)
    below.set_ylabel("answers", color=_INK)
    for part in (axes, below):
        _plain(part)
    figure.suptitle(title, fontsize=10, color=_INK)
    _saved(figure, path)


def bars(
    values: Mapping[str, float], intervals: Mapping[str, tuple[float, float]], path: Path, *, title: str = "",
    label: str = "macro-F1",
) -> None:  # fmt: skip
    """A point each in the bar of its interval, with the number beside; the first is on top.

    The axis shows where the intervals lie, not all from 0.
    """
    names = list(values)
    figure = _figure(7.0, 0.9 + 0.34 * len(names))
    axes = figure.subplots()
    at = np.arange(len(names))[::-1]
    low, high = np.array([intervals[n] for n in names]).T
    axes.hlines(at, low, high, color=_COLOURS[0], alpha=0.3, linewidth=7)
    axes.plot(list(values.values()), at, "o", color=_COLOURS[0], markersize=6)
    for y, value in zip(at, values.values(), strict=True):
        axes.text(1.01, y, f"{value:.3f}", transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    axes.set_yticks(at, names, fontsize=9)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.margins(x=0.06)
    axes.grid(axis="x", alpha=0.25)
    axes.set_xlabel(label, color=_INK)
    axes.set_title(title, fontsize=10, color=_INK)
    _plain(axes)
    _saved(figure, path)
