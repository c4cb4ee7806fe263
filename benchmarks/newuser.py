"""A new user's path: the README's commands on the files that `make demo` leaves, counted and run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from tempfile import TemporaryDirectory

from _tools import KINJO, RESULTS, ROOT
from kinjo.evaluate import report


def main() -> None:
    """Run them as they stand, keep the picture, write the row."""
    lines = re.findall(r"^kinjo .*demo/own/.*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    with TemporaryDirectory() as folder:
        subprocess.run([*KINJO, "demo", "-o", "demo"], check=True, cwd=folder)
        for line in lines:
            print("$", line, flush=True)
            subprocess.run([*KINJO, *line.split()[1:]], check=True, cwd=folder)
        shutil.copyfile(os.path.join(folder, "activities.png"), RESULTS / "newuser.png")
    row = report.row(
        "newuser.commands", 1 + len(lines), "commands", command="make bench-newuser", trained_on="the simulated gym",
        protocol="`make demo`, then the README's lines as they stand: recognise a walk, teach a squat by 10 s, "
        "recognise a third file, draw it; tests/test_new_user.py asks that the squat is found",
    )  # fmt: skip
    report.write_rows(RESULTS / "newuser.json", [row])


if __name__ == "__main__":
    main()
