"""What one window costs a model: size, parameters, operations, latency on one thread, memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.runtime import Model, load


def profile(path: Path, *, windows: int = 500) -> dict[str, Any]:
    """Of an exported model or a checkpoint: ``bytes``, ``parameters``, ``mmacs`` (million multiplications of one window
    with all its sensors), ``p50_ms``, ``p99_ms`` of single windows from samples to probabilities, ``peak_mib`` of the
    process. ``threads`` is 1.
    """
    if path.suffix == ".onnx":
        model: Model = load(path)
        costs = model.costs
    else:
        import torch

        from kinjo.recognizer import Recognizer, costs_of

        torch.set_num_threads(1)
        model = Recognizer.load(path)
        assert model.space is not None
        costs = costs_of(model.space)
    took = latency(model, windows=windows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "bytes": path.stat().st_size, "parameters": costs.get("parameters"),
        "mmacs": round(costs.get("macs", 0) / 1e6, 2),
        "p50_ms": float(np.percentile(took, 50)), "p99_ms": float(np.percentile(took, 99)), "windows": windows,
        "threads": 1, "peak_mib": peak / (2**20 if sys.platform == "darwin" else 2**10),
    }  # fmt: skip


def latency(model: Model, *, windows: int = 500, placements: Collection[str] | None = None) -> NDArray[np.float64]:
    """Milliseconds of single windows (windows,), after some to warm up. ``placements``: those of the sensors that there
    are, None: all that the model reads.
    """
    rng, took = np.random.default_rng(0), []
    batch: dict[str, NDArray[Any]] = {}
    for slot in (s for s in model.plan.slots if placements is None or s.placement in placements):
        shape = (1, slot.samples, 17, 3) if slot.modality == "pose" else (1, slot.samples, 3)
        batch[slot.key] = rng.normal(0, 1, shape).astype(np.float32)
        batch[f"{slot.key}.missing"] = np.zeros((1, slot.samples), bool)
    for _ in range(20 + windows):
        start = time.perf_counter()
        model.score(batch)
        took.append(1e3 * (time.perf_counter() - start))
    return np.array(took[20:])
