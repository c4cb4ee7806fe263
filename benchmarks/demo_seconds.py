"""How long `make demo` takes once everything is installed, and what it finds."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

from _tools import RESULTS, ROOT, seconds, write


def main() -> None:
    """Install, then time ``make demo``; write the rows ``demo.*`` and the pictures."""
    subprocess.run(["make", "--silent", ".venv/.with-demo"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:  # a folder of an earlier demo would be resumed
        value = seconds(["make", "--silent", "demo", f"OUT={folder}/demo"], cwd=ROOT)
        result, gym, words = (
            json.loads(Path(folder, "demo", f"{name}.json").read_text())
            for name in ("oneshot", "oneshot-gym", "words-gym")
        )
        for name, kept in (
            ("oneshot", "demo"),
            ("oneshot-gym", "demo_gym"),
            ("gym", "gym"),
            ("words-gym", "demo_words"),
        ):
            shutil.copy(Path(folder, "demo", f"{name}.png"), RESULTS / f"{kept}.png")
    protocol = "wall time of one `make demo`; installation not counted"
    write("demo_seconds", "demo.seconds", round(value, 1), "s", protocol=protocol)
    (name, ours), *others = result["accuracy"].items()
    write(
        "demo_seconds", "demo.oneshot", ours, "fraction", ci95=result["ci95"][name], seeds=1, baseline=dict(others),
        protocol="BasicMotions: " + result["protocol"], trained_on="BasicMotions, training part, without labels",
    )  # fmt: skip
    best, *others = sorted(gym["accuracy"].items(), key=lambda pair: -len(pair[0]) * pair[0].startswith("kinjo"))
    write(
        "demo_seconds", "demo.gym", best[1], "fraction", ci95=gym["ci95"][best[0]], seeds=1, baseline=dict(others),
        protocol="simulated gym, watch + pose + depth: " + gym["protocol"],
        trained_on="simulated gym, 18 exercises; tested on 10 others",
    )  # fmt: skip
    for name, value in words["accuracy"].items():
        write(
            "demo_seconds", f"demo.words.{'learnt' if 'learnt' in name else 'unseen'}.{name.partition(': ')[2]}", value,
            "fraction", ci95=words["ci95"][name], seeds=1, protocol=f"simulated gym, {name}; {words['protocol']}",
            trained_on="simulated gym, 18 exercises of 45 people, told in sentences",
        )  # fmt: skip


if __name__ == "__main__":
    main()
