"""How fast ``kinjo build`` is against the length of the videos, with pose and without, and how much memory it takes.

The 12 daily clips (720p, 30 frames a second) with two processes and MediaPipe; then again with the poses kept and all
else to do: decoding, cutting, encoding, sensors, words, corpus, report. Memory is that of the process tree, of these
runs and of a video of ``MINUTES`` minutes at 720p that is one clip.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from _tools import KINJO, RESULTS, ROOT, data_root, tree_bytes
from kinjo.builder import footage
from kinjo.evaluate import report

WORK = ROOT / ".bench" / "build-speed"
COMMAND = "make bench-build-speed"
WORKERS, RUNS, MINUTES = 2, 3, 9
POSES = ("pose.json", "pose.npz")


def main() -> None:
    """All rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="the median of so many is told")
    given = parser.parse_args()
    videos = sorted((data_root() / "videos" / "cc-by-daily").glob("*.mp4"))
    if not videos:
        sys.exit("no daily videos: name the folder of the data sets with KINJO_DATA (make: DATA=folder)")
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    length = sum(footage.probe(v).duration_s for v in videos)
    whole, rest, peaks = [], [], {}
    for run in range(given.runs):
        out = WORK / f"run-{run}"
        seconds, peak = built(videos, out)
        whole.append(seconds)
        peaks["daily clips"] = max(peak, peaks.get("daily clips", 0.0))
        seconds, _ = built(videos, without_all_but_poses(out))
        rest.append(seconds)
        print(f"{length:.1f} s of video: {whole[-1]:.1f} s, and {rest[-1]:.1f} s with the poses kept", flush=True)
    long = lengthened(videos, WORK / "long.mp4")
    long_s, peaks[f"one clip of {MINUTES} minutes"] = built([long], WORK / "long")
    common: dict[str, Any] = {"command": COMMAND, "machine": report.describe_machine()}
    how = f"{len(videos)} clips of {length:.0f} s, 720p, 30 Hz; {WORKERS} processes; median of {given.runs} runs"
    made = [
        report.row(
            "build.realtime_factor", length / median(whole), "x", seconds=whole, long_clip=60 * MINUTES / long_s,
            protocol=f"seconds of video a second, start of the program included: {how}, MediaPipe", **common,
        ),
        report.row(
            "build.realtime_factor_rest", length / median(rest), "x", seconds=rest,
            protocol=f"the same with nothing kept but the poses: {how}", **common,
        ),
        report.row(
            "build.peak_memory_gib", max(peaks.values()), "GiB", parts=peaks,
            protocol="largest resident memory of the process tree, pages shared counted for each", **common,
        ),
    ]  # fmt: skip
    report.write_rows(RESULTS / "build_speed.json", made)
    for row in made:
        print(row["id"], row["value"])


def median(values: list[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]


def built(videos: list[Path], out: Path) -> tuple[float, float]:
    """Seconds and peak GiB of one build."""
    line = [*KINJO, "build", "videos", *map(str, videos), "-o", str(out), "--workers", str(WORKERS), "--json"]
    start, peak = time.perf_counter(), 0
    process = psutil.Popen(line, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, tree_bytes(process))
        time.sleep(0.2)
    if process.returncode:
        sys.exit(f"kinjo build failed: {' '.join(line)}")
    return round(time.perf_counter() - start, 2), round(peak / 2**30, 3)


def without_all_but_poses(out: Path) -> Path:
    """A build's folder as it would be if only the poses had been computed."""
    shutil.rmtree(out / "corpus")
    for path in sorted(out.rglob("*"), reverse=True):
        if path.is_file() and path.name not in (*POSES, "build.json"):
            path.unlink()
    return out


def lengthened(videos: list[Path], path: Path) -> Path:
    """The videos again and again for ``MINUTES`` minutes, as one file without chapters."""

    def shown() -> Any:
        left = 60 * MINUTES * 30
        while True:
            for video in videos:
                for frame in footage.shown(video, 0.0, footage.probe(video).duration_s, 30.0, 720):
                    yield frame
                    left -= 1
                    if not left:
                        return

    footage.encode(shown(), path, 30.0)
    return path


if __name__ == "__main__":
    main()
