"""The joint space as a plane: windows of all that the data folder holds, like beside like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.corpus import NULL
from kinjo.studio.jobs import Told
from kinjo.studio.sources import Ready, light

MOST = 1500
"""Points of a map."""
NEIGHBOURS, STEPS = 30, 500
"""Of t-SNE: its perplexity, and its steps."""
BY = {"label": "label", "modality": "modality", "subject": "subject", "recording": "recording"}
"""What colours may tell."""


@dataclass(frozen=True)
class Cloud:
    """Points (n,): window ``row`` of source ``of``, as its ``modality`` sees it. ``xy`` (n, 2), within -1 to 1.

    ``how``: the projection, in words; ``windows``: vectors that there are in all.
    """

    ready: tuple[Ready, ...]
    of: NDArray[np.intp]
    row: NDArray[np.intp]
    modality: NDArray[np.str_]
    xy: NDArray[np.float64]
    how: str
    windows: int

    def __len__(self) -> int:
        return len(self.of)

    def point(self, i: int) -> dict[str, Any]:
        """Where it lies: recording, seconds, label, subject, modality, source."""
        one = self.ready[int(self.of[i])]
        windows, row = one.index.windows, int(self.row[i])
        entry = one.index.corpus.entries[int(windows.recording[row])]
        label = windows.labels[int(windows.label[row])]
        return {
            "recording": entry.id, "from_s": float(windows.start_s[row]),
            "to_s": min(float(windows.end_s[row]), entry.end_s), "label": "" if label == NULL else str(label),
            "subject": entry.subject, "modality": str(self.modality[i]), "source": one.source.title,
        }  # fmt: skip


def sampled(ready: Sequence[Ready], most: int = MOST) -> tuple[list[tuple[int, str, int]], int]:
    """Up to ``most`` vectors, (source, modality, row), evenly over all windows of all sources; how many there are."""
    every: list[tuple[int, str, NDArray[np.intp]]] = []
    for number, one in enumerate(ready):
        every += [(number, m, np.flatnonzero(there)) for m, there in one.index.present.items()]
    total = sum(len(rows) for *_, rows in every)
    wanted = np.unique(np.linspace(0, total - 1, min(most, total)).round().astype(int)) if total else np.zeros(0, int)
    out, before = [], 0
    for number, modality, rows in every:
        mine = wanted[(wanted >= before) & (wanted < before + len(rows))] - before
        out += [(number, modality, int(row)) for row in rows[mine]]
        before += len(rows)
    return out, total


def cloud(ready: Sequence[Ready], at: Told, most: int = MOST) -> Cloud:
    """The map. ``ValueError`` where there are fewer than three vectors."""
    points, total = sampled(ready, most)
    if len(points) < 3:
        raise ValueError("a map needs three windows or more: import more recordings")
    at(0, 2)
    x = np.zeros((len(points), ready[0].index.vectors[points[0][1]][0].shape[1]), np.float32)
    for number, one in enumerate(ready):
        for modality in one.index.vectors:
            mine = [k for k, p in enumerate(points) if p[:2] == (number, modality)]
            if mine:
                x[mine] = one.index.rows(modality, np.array([points[k][2] for k in mine]))
    at(1, 2)
    xy, how = flat(x)
    of, modalities, rows = zip(*points, strict=True)
    return Cloud(tuple(map(light, ready)), np.array(of), np.array(rows), np.array(modalities), xy, how, total)


def flat(x: NDArray[np.float32]) -> tuple[NDArray[np.float64], str]:
    """Unit vectors (n, d) on a plane (n, 2), within -1 to 1: by t-SNE from the principal components where scikit-learn
    is installed and there are enough, else by these alone; and how, in words.
    """
    xy = principal(x)
    how = "principal components (with scikit-learn, of kinjo[bench], it would be t-SNE)"
    if len(x) <= 3 * NEIGHBOURS:
        how = "principal components, as there are few windows"
    elif find_spec("sklearn") is not None:
        from sklearn.manifold import TSNE

        begin = (xy / max(float(xy[:, 0].std()), 1e-9) * 1e-4).astype(np.float32)
        settings: dict[str, Any] = {"perplexity": NEIGHBOURS, "max_iter": STEPS, "random_state": 0, "n_jobs": 1}
        made = TSNE(2, init=begin, **settings)  # pyright: ignore[reportArgumentType] - arrays too
        xy = np.asarray(made.fit_transform(np.asarray(x, np.float32)), np.float64)
        how = "t-SNE: neighbours lie together, large distances mean little"
    xy = xy - (xy.max(0) + xy.min(0)) / 2
    return xy / max(float(np.abs(xy).max()), 1e-9), how


def principal(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """The two directions in which vectors (n, d) differ most, (n, 2); signs are fixed, so that it is the same again."""
    x64 = np.asarray(x, np.float64) - np.asarray(x, np.float64).mean(0)
    _, _, axes = np.linalg.svd(x64, full_matrices=False)
    axes = axes[:2] if len(axes) > 1 else np.vstack([axes, np.zeros_like(axes)])
    axes = axes * np.where(axes[np.arange(2), np.abs(axes).argmax(1)] < 0, -1.0, 1.0)[:, None]
    return x64 @ axes.T


def told(cloud: Cloud) -> dict[str, Any]:
    """As a page draws it: columns, groups by name."""
    points = [cloud.point(i) for i in range(len(cloud))]
    out: dict[str, Any] = {
        "x": np.round(cloud.xy[:, 0], 4).tolist(), "y": np.round(cloud.xy[:, 1], 4).tolist(),
        "from_s": [round(p["from_s"], 2) for p in points], "to_s": [round(p["to_s"], 2) for p in points],
    }  # fmt: skip
    for by in BY:
        values = [p[by] or f"no {by}" for p in points]
        names = sorted(set(values), key=lambda one: (-values.count(one), one))
        number = {name: k for k, name in enumerate(names)}
        out[by] = {"names": names, "of": [number[v] for v in values]}
    return out
