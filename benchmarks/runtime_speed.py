"""One window through an exported model of a million parameters, on one thread, beside PyTorch: ``runtime.*``.

Two readings of "two sensors": two places with accelerometer and gyroscope each (the rows that count), and one such
place. From samples to probabilities. The weights are random: what is answered is of no interest here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from _tools import RESULTS, ROOT
from kinjo.classes import learnt
from kinjo.encoders import SensorInput
from kinjo.evaluate import report
from kinjo.export import export
from kinjo.methods import mujo
from kinjo.nn import checkpoint
from kinjo.profiling import latency
from kinjo.recipe import Cut, Recipe
from kinjo.recognizer import Recognizer, embedder, plan_of, save
from kinjo.runtime import Model, load

WORK = ROOT / ".bench" / "runtime"
COMMAND = "make bench-runtime-speed"
ROUNDS, WINDOWS, CLASSES = 5, 400, 12


def made(places: tuple[str, ...]) -> Path:
    """A recognizer of these places with random weights and made-up classes."""
    inputs = {f"{p}_{q}": SensorInput(q, samples=128, slots=16, placement=p) for p in places for q in ("acc", "gyro")}
    config = mujo.Config(inputs, dim=128, depth=3, heads=4, joint_dim=128)
    recipe = Recipe("runtime", inputs, config, method="mujo", windows=Cut(5.0, 2.5))
    net = mujo.MuJo(config, torch.Generator().manual_seed(0)).eval()
    contracts = {
        k: {"gravity": [True] if s.quantity == "acc" else [], "seconds": [5.0, 5.0]} for k, s in inputs.items()
    }
    space, out = WORK / f"space-{len(places)}.safetensors", WORK / f"model-{len(places)}.safetensors"
    meta = {"method": "mujo", "recipe": recipe.to_dict(), "contracts": contracts}
    checkpoint.save(space, net.state_dict(), meta)
    rng = np.random.default_rng(0)
    x = {s: rng.normal(0, 1, (40 * CLASSES, d)) for s, d in (("imu", 3 * config.dim), ("joint", config.joint_dim))}
    classes = learnt(x, np.repeat([f"activity {k}" for k in range(CLASSES)], 40))
    save(Model(plan_of(recipe, contracts), embedder(net), classes), space, out)
    return out


def main() -> None:
    """By turns, so that both see the same machine."""
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for places in (("right_wrist",), ("right_wrist", "right_ankle")):
        path = made(places)
        export(path, path.with_suffix(".onnx"))
        ours, eager = load(path.with_suffix(".onnx")), Recognizer.load(path)
        times: dict[str, list[Any]] = {"onnx": [], "eager": []}
        for _ in range(ROUNDS):
            times["onnx"].append(latency(ours, windows=WINDOWS))
            times["eager"].append(latency(eager, windows=WINDOWS // 4))
        one = np.concatenate(times["onnx"])
        ratios = [float(np.median(b) / np.median(a)) for a, b in zip(times["onnx"], times["eager"], strict=True)]
        suffix = "" if len(places) == 2 else ".one_place"
        common: dict[str, Any] = {
            "command": COMMAND, "trained_on": "nothing", "machine": report.describe_machine(),
            "protocol": f"{ours.costs['parameters']} parameters, {ours.costs['macs'] / 1e6:.1f} M multiplications, "
            f"windows of 5 s, accelerometer and gyroscope at {' and '.join(places)}, one window at a time from samples "
            f"to probabilities of {CLASSES} classes, one thread, ONNX fp32, {len(one)} windows",
        }  # fmt: skip
        rows.append(report.row(f"runtime.p50_ms{suffix}", float(np.percentile(one, 50)), "ms", **common))
        rows.append(report.row(f"runtime.p99_ms{suffix}", float(np.percentile(one, 99)), "ms", **common))
        vs = report.row(f"runtime.vs_eager{suffix}", float(np.median(ratios)), "ratio", **common)
        rows.append(vs | {"spread": [min(ratios), max(ratios)]})
    for row in rows:
        print(row["id"], round(row["value"], 3))
    report.write_rows(RESULTS / "runtime_speed.json", rows)


if __name__ == "__main__":
    main()
