"""How long `make demo` takes once everything is installed."""

from __future__ import annotations

import subprocess
import tempfile

from _tools import ROOT, seconds, write


def main() -> None:
    """Install, then time ``make demo``; write ``demo.seconds``."""
    subprocess.run(["make", "--silent", ".venv/.with-demo"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as folder:  # a folder of an earlier demo would be resumed
        value = seconds(["make", "--silent", "demo", f"OUT={folder}/demo"], cwd=ROOT)
    protocol = "wall time of one `make demo`; installation not counted"
    write("demo_seconds", "demo.seconds", round(value, 1), "s", protocol=protocol)


if __name__ == "__main__":
    main()
