"""How many WebSocket clients ``kinjo serve`` serves: watches of two sensors at 50 Hz, in frames of five samples.

The load comes from a process of its own on the same cores. Measured, for each window: from the client's send of the
frame with the window's last sample to its receipt of the event; a window is cut once two samples after its end are
there (resampling needs them), so the next frame, 100 ms later, has to come first. Memory: of the service, each second.

The model has a million parameters with random weights: what it answers is of no interest here.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from _tools import ROOT, tree_bytes, write

sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "studio"))
from _service import Process, contract  # pyright: ignore[reportMissingImports]

WORK = ROOT / ".bench" / "serve"
RATE, FRAME, LENGTH_S, HOP_S = 50, 5, 5.0, 2.5
BAR_MS, GROWTH = 250.0, 0.05
WARM = 0.3
"""Share at the beginning, 30 s at most, while clients come and caches fill; not measured."""


def main() -> None:
    """The row; with ``--load`` the clients."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--torch", action="store_true", help="serve the checkpoint, not the exported model")
    parser.add_argument("--dry", action="store_true", help="print, and write no row")
    parser.add_argument("--load", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load:
        print(json.dumps(asyncio.run(load(given.load, given.clients, given.seconds))))
        return
    import recognize_day  # with PyTorch, which the clients do without
    from kinjo.export import export

    WORK.mkdir(parents=True, exist_ok=True)
    parameters = recognize_day.model(WORK / "model.safetensors")
    model = WORK / "model.safetensors"
    if not given.torch:
        export(model, model := WORK / "model.onnx")
    told, memory = measured(model, given.clients, given.seconds)
    found = summary(told, memory)
    print(json.dumps(found, indent=1))
    good = found["p99_ms"] < BAR_MS and not told["closed"] and found["memory_growth"] < GROWTH
    if given.dry:
        return
    protocol = (
        f"{given.clients} clients for {given.seconds:g} s, {parameters} parameters, by "
        f"{'PyTorch' if given.torch else 'ONNX Runtime'}, "
        f"two sensors at {RATE} Hz in frames of {FRAME} samples, windows of {LENGTH_S:g} s every {HOP_S:g} s, "
        f"{found['windows']} windows, load generator included; the value is 0 where p99 >= {BAR_MS:g} ms, a client was "
        f"dropped, or memory grew by {GROWTH:.0%}"
    )
    write("serve_clients", "serve.clients", given.clients if good else 0, "count", protocol=protocol, seeds=1, **found)


def measured(model: Path, clients: int, seconds: float) -> tuple[dict[str, Any], list[int]]:
    """What the clients saw, and the memory of the service each second after the beginning."""
    with Process(WORK, model, "--rate", 0, "--max-clients", clients, "--profiles", WORK / "p.sqlite") as service:
        line = [sys.executable, __file__, "--load", service.stream, "--clients", clients, "--seconds", seconds]
        with (WORK / "load.json").open("w") as out:  # a pipe would fill up
            generator = subprocess.Popen(list(map(str, line)), stdout=out)
        process, memory, start = psutil.Process(service.process.pid), [], time.monotonic()
        before = process.cpu_times()
        while generator.poll() is None:
            time.sleep(1.0)
            if warm_s(seconds) < time.monotonic() - start < seconds:
                memory.append(tree_bytes(process))  # type: ignore[arg-type]
        spent = process.cpu_times()
        told = json.loads((WORK / "load.json").read_text())
    told["server_cpu_s"] = spent.user + spent.system - before.user - before.system
    return told, memory


def summary(told: dict[str, Any], memory: list[int]) -> dict[str, Any]:
    """Percentiles in ms, and memory at the beginning and at the end."""
    waits, quick = np.array(told["latencies"]) * 1000, np.array(told["due"]) * 1000
    quarter = max(1, len(memory) // 4)
    first, last = (float(np.median(part)) for part in (memory[:quarter] or [1], memory[-quarter:] or [1]))
    return {
        "windows": len(waits), "p50_ms": float(np.percentile(waits, 50)), "p99_ms": float(np.percentile(waits, 99)),
        "most_ms": float(waits.max()), "p99_after_due_ms": float(np.percentile(quick, 99)),
        "generator_lag_p99_ms": told["lag_p99"] * 1000, "dropped": len(told["closed"]),
        "memory_mib": last / 2**20, "memory_growth": last / first - 1,
        "memory_each_minute_mib": [round(m / 2**20, 1) for m in memory[::60]],
        "server_cpu_s": told["server_cpu_s"], "generator_cpu_s": told["cpu_s"],
    }  # fmt: skip


def warm_s(seconds: float) -> float:
    """Of the beginning that is not measured."""
    return min(30.0, WARM * seconds)


# ------------------------------------------------------------------------------------------------ the clients
async def load(url: str, clients: int, seconds: float) -> dict[str, Any]:
    """All clients, started over the time between two windows, and what they saw."""
    seen: dict[str, Any] = {"latencies": [], "due": [], "lags": [], "closed": []}
    loop = asyncio.get_running_loop()
    start = loop.time() + 1.0
    rng = np.random.default_rng(0)
    values = [json.dumps(np.round(rng.normal(0, 3, (FRAME, 3)), 3).tolist()) for _ in range(50)]
    after = start + warm_s(seconds)
    offsets = [warm_s(seconds) / 2 * k / clients for k in range(clients)]
    await asyncio.gather(*(client(url, start + offset, after, start + seconds, values, seen) for offset in offsets))
    cpu = time.process_time()
    lags = seen.pop("lags")
    return {**seen, "lag_p99": float(np.percentile(lags, 99)) if lags else 0.0, "cpu_s": cpu}


async def client(url: str, start: float, after: float, stop: float, values: list[str], seen: dict[str, Any]) -> None:
    """One watch: sends a frame of both sensors every tenth of a second, and listens."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import ConnectionClosed

    loop = asyncio.get_running_loop()
    await asyncio.sleep(start - loop.time())
    sent: list[float] = []
    streams = {"acc": contract("acc", RATE), "gyro": contract("gyro", RATE)}
    try:
        async with connect(url, compression=None, open_timeout=60, ping_interval=None) as socket:
            await socket.send(json.dumps({"streams": streams, "windows": True, "late_s": 0.0}))
            ears = asyncio.create_task(listen(socket, sent, after, seen))
            begun = loop.time()
            for frame in range(int((stop - start) * RATE / FRAME)):
                await asyncio.sleep(begun + frame * FRAME / RATE - loop.time())
                seen["lags"].append(loop.time() - begun - frame * FRAME / RATE)
                t = json.dumps([round((frame * FRAME + k) / RATE, 3) for k in range(FRAME)])
                lines = [
                    f'{{"stream": "{s}", "t": {t}, "values": {values[(frame + i) % 50]}}}'
                    for i, s in enumerate(streams)
                ]
                sent.append(loop.time())
                await socket.send("\n".join(lines))
            await asyncio.sleep(1.0)
            ears.cancel()
    except ConnectionClosed as closed:
        seen["closed"].append(str(closed))


async def listen(socket: Any, sent: list[float], after: float, seen: dict[str, Any]) -> None:
    """Note how long each window's event took."""
    loop = asyncio.get_running_loop()
    async for message in socket:
        now = loop.time()
        for line in message.splitlines():
            event = json.loads(line)
            if event["event"] == "window" and now > after:
                last = round(event["end_s"] * RATE / FRAME) - 1
                seen["latencies"].append(now - sent[last])
                seen["due"].append(now - sent[min(last + 1, len(sent) - 1)])


if __name__ == "__main__":
    main()
