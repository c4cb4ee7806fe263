"""Peak memory of importing UTD-MHAD and of pretraining Mu-MAE on it, each with its child processes."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from _tools import KINJO, ROOT, peak_gib, write

STEPS = 30
"""Enough to pass the first batches, an optimizer step and the loader's warm-up; memory is flat from there on."""


def commands(data: Path, work: Path) -> dict[str, list[str]]:
    """The two command lines that are measured."""
    corpus, recipe = work / "corpus", ROOT / "recipes" / "mumae-utd.toml"
    pretrain = ["pretrain", str(recipe), "--corpus", str(corpus), "--out", str(work / "run"), "--steps", str(STEPS)]
    return {
        "import": [*KINJO, "import", "utd_mhad", "--data", str(data), "-o", str(corpus)],
        "pretrain": [*KINJO, *pretrain],
    }


def main() -> None:
    """Run both, write ``utd.peak_memory_gib``: the larger of the two, with both parts."""
    data = Path(os.environ.get("KINJO_DATA", ROOT.parent / "shared" / "data")) / "UTD-MHAD"
    if not data.is_dir():
        sys.exit(f"no UTD-MHAD at {data}: name the folder that holds it with KINJO_DATA (make: DATA=folder)")
    with tempfile.TemporaryDirectory() as folder:
        parts = {name: round(peak_gib(line), 2) for name, line in commands(data, Path(folder)).items()}
    protocol = f"largest resident memory of the process tree: import of all clips, {STEPS} training steps"
    value = max(parts.values())
    write("peak_memory", "utd.peak_memory_gib", value, "GiB", protocol=protocol, trained_on="UTD-MHAD", parts=parts)


if __name__ == "__main__":
    main()
