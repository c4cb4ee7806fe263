"""The picture of timelines: a coloured strip over time for each, and what the colours mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Bar = tuple[float, float, str, int | None]
"""Start and end in seconds, label, count."""
WIDTH, DIGIT = 10.0, 0.08
"""Inches: of the picture, and of a digit."""


def draw(path: Path, rows: Mapping[str, Sequence[Bar]], labels: Sequence[str], unknown: str, title: str) -> None:
    """A strip for each of ``rows``, the first on top, as PNG, SVG or PDF. ``unknown``: the label that is drawn grey."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    styles, shown = looks(labels, unknown), {bar[2] for bars in rows.values() for bar in bars}
    marks = [Patch(label=label, **style) for label, style in styles.items() if label in shown]
    height = 1.2 + 0.5 * len(rows) + 0.22 * -(-len(marks) // 6)
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    times = [time for bars in rows.values() for bar in bars for time in bar[:2]]
    digit_s = (max(times) - min(times)) * DIGIT / WIDTH if times else 0.0
    for y, (_, bars) in enumerate(reversed(list(rows.items()))):
        for label, style in styles.items():
            axes.broken_barh([(bar[0], bar[1] - bar[0]) for bar in bars if bar[2] == label], (y - 0.38, 0.76), **style)
        for start, end, _, count in bars:
            if count is not None and end - start > digit_s * (len(str(count)) + 1):
                axes.text((start + end) / 2, y, str(count), ha="center", va="center", fontsize=7)
    axes.set_yticks(range(len(rows)), list(rows)[::-1])
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.margins(x=0)
    axes.tick_params(left=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("seconds")
    axes.set_title(title, loc="left", fontsize="medium")
    if marks:
        figure.legend(handles=marks, loc="outside lower center", ncols=min(len(marks), 6), frameon=False)
    figure.savefig(path, dpi=150)


def looks(names: Sequence[str], unknown: str) -> dict[str, dict[str, Any]]:
    """Label -> how its bar looks; after as many labels as there are colours, hatches tell them apart."""
    from matplotlib import colormaps

    colours, hatches = colormaps["tab20"].colors, ("", "..", "xx", "oo", "++")  # pyright: ignore[reportAttributeAccessIssue]
    colours = [c for c in colours[::2] + colours[1::2] if max(c) - min(c) > 0.05]  # grey is for unknown
    styles = {
        name: {
            "facecolor": colours[i % len(colours)],
            "hatch": hatches[i // len(colours) % len(hatches)],
            "edgecolor": "white",
            "linewidth": 0.5,
        }
        for i, name in enumerate(names)
    }
    return {**styles, unknown: {"facecolor": "0.93", "hatch": "////", "edgecolor": "0.7", "linewidth": 0.0}}
