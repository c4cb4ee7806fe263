"""kinjo-base on a device: size of all of its files, and milliseconds for one window of two sensors on one thread."""

from __future__ import annotations

import numpy as np

from _tools import write
from kinjo import runtime
from kinjo.profiling import latency


def main() -> None:
    """Rows ``base.size_mb`` and ``base.p50_ms``."""
    files = sorted(runtime.shipped(".onnx").parent.glob(f"{runtime.BASE}*"))
    size = sum(file.stat().st_size for file in files) / 1e6
    each = {file.suffix.removeprefix("."): file.stat().st_size / 1e6 for file in files}
    write("base_speed", "base.size_mb", size, "MB", protocol="weights, ONNX and provenance in the package", files=each)
    took = latency(runtime.load(), placements=("right_wrist", "right_pocket"))
    write(
        "base_speed", "base.p50_ms", float(np.percentile(took, 50)), "ms",
        p99_ms=float(np.percentile(took, 99)),
        protocol="one window of 5 s of a watch and a phone, accelerometer and gyroscope each, from samples to "
        "probabilities; ONNX Runtime, one thread",
    )  # fmt: skip


if __name__ == "__main__":
    main()
