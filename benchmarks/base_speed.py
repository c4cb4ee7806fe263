"""kinjo-base on a device: size of all of its files, and milliseconds for one window of two sensors on one thread."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from _tools import write
from kinjo import runtime


def latency(model: runtime.Model, places: tuple[str, ...], windows: int = 500) -> Any:
    """Milliseconds of single windows (windows,) with an accelerometer and a gyroscope at ``places``."""
    rng, took, batch = np.random.default_rng(0), [], {}
    for slot in model.plan.slots:
        if slot.placement in places:
            batch[slot.key] = rng.normal(0, 1, (1, slot.samples, 3)).astype(np.float32)
            batch[f"{slot.key}.missing"] = np.zeros((1, slot.samples), bool)
    for _ in range(50 + windows):
        start = time.perf_counter()
        model.score(batch)
        took.append(1e3 * (time.perf_counter() - start))
    return np.array(took[50:])


def main() -> None:
    """Rows ``base.size_mb`` and ``base.p50_ms``."""
    files = sorted(runtime.shipped(".onnx").parent.glob(f"{runtime.BASE}*"))
    size = sum(file.stat().st_size for file in files) / 1e6
    each = {file.suffix.removeprefix("."): file.stat().st_size / 1e6 for file in files}
    write("base_speed", "base.size_mb", size, "MB", protocol="weights, ONNX and provenance in the package", files=each)
    took = latency(runtime.load(), ("right_wrist", "right_pocket"))
    write(
        "base_speed", "base.p50_ms", float(np.percentile(took, 50)), "ms",
        p99_ms=float(np.percentile(took, 99)),
        protocol="one window of 5 s of a watch and a phone, accelerometer and gyroscope each, from samples to "
        "probabilities; ONNX Runtime, one thread",
    )  # fmt: skip


if __name__ == "__main__":
    main()
