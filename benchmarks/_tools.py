"""What the benchmarks that start processes share: rows, a stopwatch, the peak memory of a process tree."""

from __future__ import annotations

import contextlib
import os
import shlex
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


def data_root() -> Path:
    """The folder of the data sets: KINJO_DATA, or where the project's machine has them."""
    return Path(os.environ.get("KINJO_DATA", ROOT.parent / "shared" / "data"))


def utd_corpus() -> Any:
    """UTD-MHAD as a corpus in ``.bench``; ends the program where the data set is absent."""
    from kinjo import corpus, datasets

    data = data_root()
    if datasets.utd_mhad.find(data) is None:
        sys.exit(f"no UTD-MHAD under {data}: name the folder that holds it with KINJO_DATA (make: DATA=folder)")
    return corpus.write(datasets.load("utd_mhad", data), ROOT / ".bench" / "utd-corpus")


def command() -> str:
    """What rebuilds the rows of this benchmark, with the options that it was given."""
    given = shlex.join(sys.argv[1:])
    return f"make bench-{Path(sys.argv[0]).stem.replace('_', '-')}" + (f' ARGS="{given}"' if given else "")


def write(name: str, id: str, value: float, unit: str, **more: Any) -> None:
    """Write the row of benchmark ``name`` into ``benchmarks/results`` and print it (``more``: see ``report.row``)."""
    row = report.row(id, value, unit, command=command(), machine=report.describe_machine(), **more)
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
