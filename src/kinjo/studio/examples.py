"""What a profile was shown, and how one example is taken out again: classes are weighted means, so it is exact."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

import numpy as np

SHOWN = "shown"
"""Where a profile's state lists its examples, beside what ``runtime.Model.profile`` gives."""
Body = Mapping[str, Any]


def share(before: Body, after: Body, name: str) -> dict[str, tuple[list[float], float]]:
    """What one example added to a class: in each space its mean and its weight."""
    added: dict[str, tuple[list[float], float]] = {}
    old = list(before["names"]).index(name) if name in before["names"] else None
    new = list(after["names"]).index(name)
    for space, counts in after["examples"].items():
        had = 0.0 if old is None else float(before["examples"][space][old])
        weight = float(counts[new]) - had
        if weight <= 0:
            continue
        total = np.asarray(after["means"][space][new]) * float(counts[new])
        if old is not None:
            total = total - np.asarray(before["means"][space][old]) * had
        added[space] = ((total / weight).tolist(), weight)
    return added


def example(name: str, added: Body, **said: Any) -> dict[str, Any]:
    """An entry of the list: ``said`` are recording, start_s and end_s, or a sentence."""
    return {"id": secrets.token_hex(8), "name": name, "share": dict(added), **said}


def without(body: Body, one: Body) -> dict[str, Any]:
    """A profile without an example of its own; an activity that nothing shows any more is gone."""
    names, at = list(body["names"]), list(body["names"]).index(one["name"])
    means = {space: np.asarray(rows, np.float64) for space, rows in body["means"].items()}
    counts = {space: np.asarray(row, np.float64) for space, row in body["examples"].items()}
    for space, (mean, weight) in one["share"].items():
        had = counts[space][at]
        left = had - weight if had - weight > 1e-6 else 0.0
        means[space][at] = (means[space][at] * had - np.asarray(mean) * weight) / left if left else 0.0
        counts[space][at] = left
    keep = [i for i in range(len(names)) if i != at or any(row[at] > 0 for row in counts.values())]
    return {
        **body, "names": [names[i] for i in keep],
        "means": {space: rows[keep].tolist() for space, rows in means.items()},
        "examples": {space: row[keep].tolist() for space, row in counts.items()},
    }  # fmt: skip
