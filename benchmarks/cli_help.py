"""How long `kinjo --help` takes: the median of fresh processes. Bar: 0.5 s. `import kinjo` must not load torch."""

from __future__ import annotations

import statistics
import subprocess
import sys

from _tools import KINJO, seconds, write

RUNS = 7
BAR_S = 0.5


def main() -> None:
    """Measure, write ``cli.help_seconds``, and fail past the bar."""
    check = "import sys, kinjo; sys.exit('import kinjo loads torch' if 'torch' in sys.modules else 0)"
    subprocess.run([sys.executable, "-c", check], check=True)
    runs = sorted(seconds([*KINJO, "--help"], stdout=subprocess.DEVNULL) for _ in range(RUNS))
    value = round(statistics.median(runs), 3)
    protocol = f"median wall time of {RUNS} fresh processes; bar {BAR_S} s"
    write("cli_help", "cli.help_seconds", value, "s", protocol=protocol, range=[runs[0], runs[-1]])
    if value >= BAR_S:
        sys.exit(f"kinjo --help takes {value} s, the bar is {BAR_S} s: import heavy packages inside functions")


if __name__ == "__main__":
    main()
