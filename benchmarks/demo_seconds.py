"""How long `make demo` takes once everything is installed, and what it finds."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from _tools import RESULTS, ROOT, seconds, write


def main() -> None:
    """Install, then time ``make demo``; write ``demo.seconds``, ``demo.oneshot`` and the picture."""
    subprocess.run(["make", "--silent", ".venv/.with-demo"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:  # a folder of an earlier demo would be resumed
        value = seconds(["make", "--silent", "demo", f"OUT={folder}/demo"], cwd=ROOT)
        result = json.loads(Path(folder, "demo", "oneshot.json").read_text())
        shutil.copy(Path(folder, "demo", "oneshot.png"), RESULTS / "demo.png")
    protocol = "wall time of one `make demo`; installation not counted"
    write("demo_seconds", "demo.seconds", round(value, 1), "s", protocol=protocol)
    (name, ours), *others = result["accuracy"].items()
    write(
        "demo_seconds", "demo.oneshot", ours, "fraction", ci95=result["ci95"][name], seeds=1, baseline=dict(others),
        protocol="BasicMotions: " + result["protocol"], trained_on="BasicMotions, training part, without labels",
    )  # fmt: skip


if __name__ == "__main__":
    main()
