"""The studio with a phone, in headless Chromium: latency of the Live page, findings of axe-core, tests in a browser.

``studio.live_p95_ms``: kinjo-base, the phone's page fed with a squat of the simulated gym as ``devicemotion`` events at
50 Hz; for each window, from its end on the clock of the motion events to its label on the screen, beyond the window's
own length, on both pages; browser and server share the cores. ``studio.axe_serious``: serious and critical findings on
all pages, light and dark. ``studio.browser_tests``: failures of ``tests/studio/test_studio_browser*.py``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from _tools import ROOT, write

sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "studio"))
from _axe import FINDING, HOW, PAGES, axe, found, serious  # pyright: ignore[reportMissingImports]
from _browser import browser, folder  # pyright: ignore[reportMissingImports]
from _phone import Phone, motion  # pyright: ignore[reportMissingImports]
from _service import Process  # pyright: ignore[reportMissingImports]

from _quick_model import write as quick  # pyright: ignore[reportMissingImports]
from _word_model import searched  # pyright: ignore[reportMissingImports]
from _word_model import write as learn_words  # pyright: ignore[reportMissingImports]

WORK = ROOT / ".bench" / "studio-live"
LOOKS = ("light", "dark")
WARM = 3
"""Windows at the beginning that are left out: models are loaded and pages drawn for the first time."""
WATCH = """() => {
  window.kinjoSeen = [];
  window.addEventListener('kinjo-shown', (event) =>
    window.kinjoSeen.push([event.detail.end_s, (performance.timeOrigin + performance.now()) / 1000]));
  return performance.timeOrigin / 1000;
}"""
"""Collects when windows were shown; gives the zero of the page's clock."""


def main() -> None:
    """The rows that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=180.0, help="of motion")
    parser.add_argument("--only", choices=("live", "axe", "tests"), help="one of the three")
    parser.add_argument("--dry", action="store_true", help="print, and write no row")
    given = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    for name, measure in (("live", live), ("axe", findings), ("tests", tests)):
        if given.only in (None, name):
            id, value, unit, more = measure(given.seconds)
            print(id, value, unit, more)
            if not given.dry:
                write("studio_live", id, value, unit, seeds=1, **more)


def live(seconds: float) -> tuple[str, float, str, dict[str, Any]]:
    """Of both pages; the slower counts for each window."""
    (WORK / "profiles.sqlite").unlink(missing_ok=True)
    words = ("--no-open", "--profiles", WORK / "profiles.sqlite")
    with browser() as chrome, Process(WORK, *words, verb="studio") as studio:
        one = Phone(chrome, studio.url)
        zero = one.page.evaluate(WATCH)
        one.desk.page.evaluate(WATCH)
        one.start(motion("squat", 30.0))
        one.answers()
        one.page.wait_for_timeout(1000 * seconds)
        seen = [dict(page.evaluate("() => window.kinjoSeen")) for page in (one.page, one.desk.page)]
        assert one.faults == [], one.faults
        one.close()
    ends = sorted(seen[0].keys() & seen[1].keys())[WARM:]
    waits = np.array([[(shown[end] - zero - end) * 1000 for shown in seen] for end in ends])
    phone, desk = (float(np.percentile(column, 95)) for column in waits.T)
    both = waits.max(1)
    more = {
        "protocol": f"kinjo-base, {len(ends)} windows in {seconds:g} s, the slower of both pages; bar 400 ms",
        "windows": len(ends), "p50_ms": float(np.percentile(both, 50)), "most_ms": float(both.max()),
        "phone_p95_ms": phone, "desktop_p95_ms": desk,
    }  # fmt: skip
    return "studio.live_p95_ms", float(np.percentile(both, 95)), "ms", more


def findings(_: float) -> tuple[str, float, str, dict[str, Any]]:
    """Of axe-core, over all pages in both looks."""
    script = axe()
    if script is None:
        sys.exit(HOW)
    data = WORK / "data"
    if not (data / "watch.csv").is_file():
        data.mkdir(exist_ok=True)
        folder(data)
    model = quick(WORK / "quick.safetensors")
    said = (model, "--data", data, "--no-open", "--profiles", WORK / "axe.sqlite")
    with browser() as chrome, Process(WORK, *said, verb="studio") as studio:
        faults = [one for scheme in LOOKS for one in serious(chrome, studio, data, scheme, script)]
    model, data = words(), WORK / "find"
    if not (data / "results" / "b.json").is_file():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        found(data, searched(WORK / "gym").root)
    said = (model, "--data", data, "--no-open", "--profiles", WORK / "found.sqlite")
    with browser() as chrome, Process(WORK, *said, verb="studio") as studio:
        faults += [one for scheme in LOOKS for one in serious(chrome, studio, data, scheme, script, FINDING)]
    print(*faults, sep="\n")
    version = re.search(r"axe v([\d.]+)", script.read_text(encoding="utf-8")[:400])
    protocol = f"axe-core {version[1] if version else ''}, light and dark: {', '.join((*PAGES, *FINDING))}"
    return "studio.axe_serious", float(len(faults)), "findings", {"protocol": protocol}


def words() -> Path:
    """A small model that learnt some; kept."""
    made = WORK / "words" / "words.safetensors"
    return made if made.is_file() else learn_words(WORK / "words")


def tests(_: float) -> tuple[str, float, str, dict[str, Any]]:
    """Failures and errors; a test that was skipped is one, too."""
    files = sorted(str(path) for path in Path(ROOT / "tests" / "studio").glob("test_studio_browser*.py"))
    report = WORK / "tests.xml"
    line = [sys.executable, "-m", "pytest", "-q", "-n0", f"--junitxml={report}", *files]
    subprocess.run(line, cwd=ROOT, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    text = report.read_text(encoding="utf-8")
    counts = {name: int(re.search(rf'{name}="(\d+)"', text)[1]) for name in ("tests", "failures", "errors", "skipped")}  # type: ignore[index]
    bad = counts["failures"] + counts["errors"] + counts["skipped"]
    protocol = f"{counts['tests']} tests of {len(files)} files in headless Chromium; skipped counts as failed"
    return "studio.browser_tests", float(bad), "failures", {"protocol": protocol, **counts}


if __name__ == "__main__":
    main()
