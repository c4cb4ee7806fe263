"""``kinjo build`` killed (kill -9) at random moments and started again: the same bytes, and what was done stays done.

Short real clips, one process, so that at most one clip is under way. Every trial begins with an empty folder, kills the
command and all its children at a moment drawn over the length of a whole build, and runs the same command to its end.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from _tools import KINJO, ROOT, data_root, write

WORK = ROOT / ".bench" / "build-resume"
CLIPS = ("squat_16", "squat_29", "squat_7", "push-up_15")


def main() -> None:
    """Write ``build.resume_identical``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20)
    given = parser.parse_args()
    videos = [data_root() / "videos" / "exercise" / f"{name}.mp4" for name in CLIPS]
    if not all(v.is_file() for v in videos):
        sys.exit(f"no videos under {videos[0].parent}: name the folder of the data sets with KINJO_DATA")
    shutil.rmtree(WORK, ignore_errors=True)
    start = time.perf_counter()
    finish(videos, WORK / "whole")
    seconds, whole = time.perf_counter() - start, contents(WORK / "whole")
    rng, good, notes = np.random.default_rng(0), 0, []
    for trial in range(given.trials):
        out, moment = WORK / f"trial-{trial}", float(rng.uniform(0.0, seconds))
        killed = interrupted(videos, out, moment)
        before = {p: p.stat().st_mtime_ns for p in out.glob("clips/*/*.json")}
        begun = sum(not (p / "motion.json").is_file() for p in out.glob("clips/*"))
        finish(videos, out)
        same = contents(out) == whole
        kept = all(p.stat().st_mtime_ns == t for p, t in before.items())
        good += same and kept and begun <= 1
        notes.append({"at_s": round(moment, 2), "killed": killed, "stages_done": len(before), "clips_begun": begun})
        print(f"killed after {moment:5.1f} s: same bytes {same}, {len(before)} stages kept {kept}, {begun} clip begun")
        shutil.rmtree(out)
    protocol = (
        f"{given.trials} kills at random moments of a build of {len(CLIPS)} clips ({seconds:.0f} s), then the same "
    )
    protocol += "command: all files of the same bytes, no finished stage done again, at most one clip under way"
    write("build_resume", "build.resume_identical", good / given.trials, "fraction", protocol=protocol, trials=notes)


def command(videos: list[Path], out: Path) -> list[str]:
    """The build, one process."""
    return [*KINJO, "build", "videos", *map(str, videos), "-o", str(out), "--workers", "1", "--json"]


def finish(videos: list[Path], out: Path) -> None:
    """To the end."""
    subprocess.run(command(videos, out), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def interrupted(videos: list[Path], out: Path, moment: float) -> bool:
    """Killed with all its children after ``moment`` seconds; whether it was still running."""
    run = subprocess.Popen(
        command(videos, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        run.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        return True
    return False


def contents(out: Path) -> dict[str, str]:
    """File -> digest of its bytes; nothing is left out."""
    files = sorted(p for p in out.rglob("*") if p.is_file())
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


if __name__ == "__main__":
    main()
