"""A day of a watch through ``kinjo recognize``: 24 h at 100 Hz, six channels, as CSV. Seconds and memory, end to end.

The model is of a million parameters with random weights and made-up classes: what it answers is of no interest here.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from _tools import KINJO, RESULTS, ROOT, tree_bytes
from kinjo.classes import learnt
from kinjo.encoders import SensorInput
from kinjo.evaluate import report
from kinjo.methods import mujo
from kinjo.nn import checkpoint
from kinjo.recipe import Cut, Recipe
from kinjo.recognizer import embedder, fingerprint, plan_of, save
from kinjo.repetitions import Rhythm
from kinjo.runtime import Model

WORK = ROOT / ".bench" / "day"
RATE, HOURS, CLASSES = 100, 24, 12
COMMAND = "make bench-recognize-day"


def main() -> None:
    """Both rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hours", type=float, default=HOURS)
    given = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    parameters = model(WORK / "model.safetensors")
    rows = table(WORK / "day.csv", given.hours)
    line = [*KINJO, "recognize", str(WORK / "day.csv"), "--placement", "right_wrist"]
    line += ["--model", str(WORK / "model.safetensors"), "-o", str(WORK / "day.parquet"), "--json"]
    start, peak = time.perf_counter(), 0
    process = psutil.Popen(line, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, tree_bytes(process))
        time.sleep(0.1)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"kinjo recognize failed: {' '.join(line)}")
    size = (WORK / "day.csv").stat().st_size / 1e6
    common: dict[str, Any] = {
        "command": COMMAND, "machine": report.describe_machine(),
        "protocol": f"{given.hours:g} h of {RATE} Hz, six channels, {rows} rows in {size:.0f} MB of CSV, kinjo "
        f"recognize from start to end, {parameters} parameters, windows of 5 s every 2.5 s, PyTorch",
    }  # fmt: skip
    made = [
        report.row("recognize.24h_seconds", seconds, "s", **common),
        report.row("recognize.24h_peak_gib", peak / 2**30, "GiB", **common),
    ]
    for row in made:
        print(row["id"], row["value"])
    if given.hours == HOURS:
        report.write_rows(RESULTS / "recognize_day.json", made)


def model(path: Path) -> int:
    """A model of a watch with made-up classes; how many parameters it has."""
    inputs = {q: SensorInput(q, samples=125, slots=25, placement="right_wrist") for q in ("acc", "gyro")}
    config = mujo.Config(inputs, dim=160, depth=3, heads=4, joint_dim=128)
    recipe = Recipe("day", inputs, config, method="mujo", windows=Cut(5.0, 2.5))
    net = mujo.MuJo(config, torch.Generator().manual_seed(0)).eval()
    facts = {"gravity": [True], "seconds": [5.0, 5.0]}
    meta = {"method": "mujo", "recipe": recipe.to_dict(), "contracts": {"acc": facts, "gyro": facts | {"gravity": []}}}
    space = path.with_name("space.safetensors")
    checkpoint.save(space, net.state_dict(), meta)
    rng = np.random.default_rng(0)
    x = {s: rng.normal(0, 1, (40 * CLASSES, d)) for s, d in (("imu", 3 * config.dim), ("joint", config.joint_dim))}
    classes = learnt(x, np.repeat([f"activity {k}" for k in range(CLASSES)], 40))
    plan = plan_of(recipe, meta["contracts"])
    rhythms = {name: Rhythm(2.0) for name in classes.named}
    made = Model(plan, embedder(net), replace(classes), id=fingerprint(net.state_dict()), rhythms=rhythms)
    save(made, space, path)
    return sum(p.numel() for p in net.parameters())


def table(path: Path, hours: float) -> int:
    """A noisy walk now and then, as CSV; kept for the next time. The number of rows."""
    import pyarrow as pa
    from pyarrow import csv

    rows = int(hours * 3600 * RATE)
    if path.is_file() and path.with_suffix(".rows").is_file() and path.with_suffix(".rows").read_text() == str(rows):
        return rows
    rng = np.random.default_rng(0)
    t = np.arange(rows) / RATE
    busy = (np.sin(t / 600) > 0.3).astype(np.float32)
    columns = {"time_s": t}
    for k, axis in enumerate("xyz"):
        moved = busy * np.sin(2 * np.pi * 1.8 * t + k) * 3 + rng.normal(0, 0.1, rows)
        columns[f"acc_{axis} (m/s^2)"] = np.round(moved + (9.81 if axis == "z" else 0.0), 4)
    for k, axis in enumerate("xyz"):
        columns[f"gyro_{axis} (rad/s)"] = np.round(
            busy * np.cos(2 * np.pi * 1.8 * t + k) + rng.normal(0, 0.02, rows), 4
        )
    csv.write_csv(pa.table(columns), path)
    path.with_suffix(".rows").write_text(str(rows))
    return rows


if __name__ == "__main__":
    main()
