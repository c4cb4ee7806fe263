"""What the benchmarks that start processes share: rows, a stopwatch, the peak memory of a process tree."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from kinjo.evaluate import report

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
KINJO = [sys.executable, "-c", "from kinjo.cli import main; main()"]
"""The CLI of this interpreter, whatever PATH says."""


def write(name: str, id: str, value: float, unit: str, **more: Any) -> None:
    """Write the row of benchmark ``name`` into ``benchmarks/results`` and print it (``more``: see ``report.row``)."""
    command = f"make bench-{name.replace('_', '-')}"
    row = report.row(id, value, unit, command=command, machine=report.describe_machine(), **more)
    report.write_rows(RESULTS / f"{name}.json", [row])
    print(f"{id} = {value} {unit}")


def seconds(command: list[str], **options: Any) -> float:
    """Wall time of ``command`` in seconds. Raises ``CalledProcessError`` where it fails."""
    start = time.perf_counter()
    subprocess.run(command, check=True, **options)
    return time.perf_counter() - start


def peak_gib(command: list[str], *, every_s: float = 0.05) -> float:
    """Largest resident memory of ``command`` and all its children together, GiB, polled ``every_s`` seconds.

    Pages that processes share are counted once for each: the truth is at most this.
    """
    process = psutil.Popen(command)
    peak = 0
    while process.poll() is None:
        peak = max(peak, tree_bytes(process))
        time.sleep(every_s)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak / 2**30


def tree_bytes(process: psutil.Process) -> int:
    """Resident bytes of ``process`` and its children now. One that ends meanwhile counts nothing."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
    return total
