"""How long `make test` takes in a fresh clone, without the installation."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from _tools import ROOT, seconds, write

DATA = Path(os.environ.get("KINJO_DATA", ROOT.parent / "shared" / "data"))


def main() -> None:
    """Clone HEAD, install, then time ``make test``; write ``test.minutes``."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), folder], check=True)
        subprocess.run(["make", "--silent", "install"], cwd=folder, check=True)
        environment = {**os.environ, "KINJO_DATA": str(DATA)}
        value = seconds(["make", "--silent", "test"], cwd=folder, env=environment) / 60
    data = "with" if DATA.is_dir() else "without"
    protocol = f"wall time of `make test` in a fresh clone of HEAD, {data} the real-data tests"
    write("test_minutes", "test.minutes", round(value, 2), "min", protocol=protocol)


if __name__ == "__main__":
    main()
