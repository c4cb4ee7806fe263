"""What a device installs: ``pip install --no-compile kinjo[runtime]`` in an empty environment, in MB.

20 MB are added for the weights of kinjo-base, which do not exist yet.
"""

from __future__ import annotations

import os
import subprocess
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

from _tools import RESULTS, ROOT
from kinjo.evaluate import report

RESERVED_MB = 20.0


def size(folder: Path) -> dict[str, float]:
    """Package -> MB in a site-packages folder."""
    out = {}
    for entry in folder.iterdir():
        files = [entry] if entry.is_file() else [f for f in entry.rglob("*") if f.is_file()]
        out[entry.name] = sum(f.stat().st_size for f in files) / 1e6
    return out


def main() -> None:
    """The row, with the largest packages beside."""
    with TemporaryDirectory() as temporary:
        where = Path(temporary) / "venv"
        venv.create(where, with_pip=True)
        packages = next((where / "lib").glob("python*/site-packages"))
        empty = sum(size(packages).values())
        python = where / ("Scripts" if os.name == "nt" else "bin") / "python"
        line = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-compile",
            "-c",
            ROOT / "constraints.txt",
            f"{ROOT}[runtime]",
        ]
        quiet = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}  # or pip's own bytecode would be counted
        subprocess.run([str(part) for part in line], check=True, env=quiet)
        found = size(packages)
        works = "from kinjo import runtime; import onnxruntime; print(runtime.ONNX_FORMAT)"
        subprocess.run([str(python), "-c", works], check=True, cwd=temporary)
    total = sum(found.values()) - empty
    largest = dict(sorted(((n, round(mb, 1)) for n, mb in found.items()), key=lambda pair: -pair[1])[:8])
    print(f"{total:.1f} MB + {RESERVED_MB} reserved", largest)
    row = report.row(
        "runtime.install_mb", total + RESERVED_MB, "MB", command="make bench-runtime-install", trained_on="nothing",
        protocol="pip install --no-compile kinjo[runtime] with the pins of constraints.txt, site-packages less the "
        f"empty environment, {RESERVED_MB:g} MB reserved for weights",
        largest_mb=largest,
    )  # fmt: skip
    report.write_rows(RESULTS / "runtime_install.json", [row])


if __name__ == "__main__":
    main()
