"""How quick ``kinjo studio`` is with a day of a watch: 24 h at 100 Hz, six channels, from a corpus and as CSV.

Measured in headless Chromium, browser and server on the same cores. First picture: from the press of "Open" (of "Open
it", in the form, for the CSV, which was sent before) to the signals drawn. Frame: one pan or zoom, from the request to
the numbers, the 95th percentile. Ready: from the command to the first page shown. The model has random weights.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from _tools import ROOT, write

sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "studio"))
from _browser import Visit, browser  # pyright: ignore[reportMissingImports]
from _service import Process  # pyright: ignore[reportMissingImports]

from _quick_model import write as quick  # pyright: ignore[reportMissingImports]
from kinjo import corpus
from kinjo.recording import Contract, Recording, Stream

WORK = ROOT / ".bench" / "studio"
RATE, HOURS, FRAMES = 100.0, 24.0, 60


def main() -> None:
    """All rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hours", type=float, default=HOURS)
    parser.add_argument("--no-csv", action="store_true", help="leave out the CSV, of half a gigabyte")
    parser.add_argument("--dry", action="store_true", help="print, and write no row")
    given = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    quick(WORK / "quick.safetensors")
    data = made(WORK / f"data-{given.hours:g}", given.hours, csv=not given.no_csv)
    warm(data)
    found = measured(data, csv=not given.no_csv)
    protocol = (
        f"{given.hours:g} h at {RATE:g} Hz, six channels; headless Chromium on the same cores; the files (as "
        "what was just written or sent) and the libraries are in the memory of the system"
    )
    for id, (value, unit) in found.items():
        print(id, round(value, 3), unit)
    if given.dry or given.hours != HOURS:
        return
    for id, (value, unit) in found.items():
        write("studio_speed", id, value, unit, protocol=protocol, seeds=1)


def made(folder: Path, hours: float, *, csv: bool) -> Path:
    """A corpus of one recording, and the same as a table."""
    count = int(hours * 3600 * RATE)
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(count)[:, None] / RATE * np.array([1.1, 2.3, 3.7])).astype(np.float32)
    moved = {
        q: wave * size + rng.normal(0, 0.3, (count, 3)).astype(np.float32) for q, size in (("acc", 3), ("gyro", 1))
    }
    moved["acc"] += np.array([0, 0, 9.81], np.float32)
    if not (folder / "day").is_dir():
        contracts = {
            "acc": Contract("imu", "acc", "m/s^2", RATE, placement="right_wrist", gravity=True),
            "gyro": Contract("imu", "gyro", "rad/s", RATE, placement="right_wrist"),
        }
        streams = {q: Stream.of(q, contracts[q], moved[q]) for q in moved}
        corpus.write([Recording("day", streams)], folder / "day", progress=False)
    if csv and not (folder / "day.csv").is_file():
        import pyarrow as pa
        from pyarrow import csv as pa_csv

        names = {"acc": "m/s^2", "gyro": "rad/s"}
        columns = {
            f"{q}_{axis} ({names[q]})": np.round(moved[q][:, k], 3) for q in moved for k, axis in enumerate("xyz")
        }
        pa_csv.write_csv(pa.table({"time_s": np.arange(count) / RATE, **columns}), folder / "day.csv")
    return folder


def warm(data: Path) -> None:
    """Have the system hold what will be read: a first start, and every file once."""
    with Process(WORK, WORK / "quick.safetensors", "--data", data, "--no-open", verb="studio"):
        for path in data.rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    while file.read(1 << 24):
                        pass


def measured(data: Path, *, csv: bool) -> dict[str, tuple[float, str]]:
    """id -> value and unit."""
    out: dict[str, tuple[float, str]] = {}
    with browser() as chrome:
        start = time.perf_counter()
        with Process(WORK, WORK / "quick.safetensors", "--data", data, "--no-open", verb="studio") as studio:
            visit = Visit(chrome, f"{studio.url}/")
            page = visit.page
            page.goto(visit.url)
            page.get_by_text("A file of yours").wait_for()
            out["studio.ready_s"] = time.perf_counter() - start, "s"
            page.get_by_text("The model knows").wait_for()
            page.wait_for_function("[...document.querySelectorAll('input')].some(i => i.value === 'day')")
            time.sleep(1.0)
            start = time.perf_counter()
            page.get_by_role("button", name="Open").first.click()
            drawn(page)
            out["studio.first_picture_s"] = time.perf_counter() - start, "s"
            out["studio.frame_ms"] = float(np.percentile(frames(page), 95)), "ms"
            if csv:
                page.goto(visit.url)
                page.get_by_label("File", exact=True).fill("day.csv")
                page.get_by_role("option", name="day.csv").click()
                start = time.perf_counter()
                page.get_by_role("button", name="Open").last.click()
                page.get_by_text("Is this true?").wait_for(timeout=120_000)
                asked = time.perf_counter() - start
                page.get_by_label("where the sensor was worn").fill("right_wrist")
                page.get_by_role("option", name="right_wrist", exact=True).click()
                start = time.perf_counter()
                page.get_by_role("button", name="Open it").click()
                drawn(page)
                out["studio.first_picture_csv_s"] = asked + time.perf_counter() - start, "s"
    return out


def drawn(page: Any) -> None:
    """Wait until signals are on the canvas."""
    page.locator(".kj-timeline[data-drawn]").wait_for(timeout=120_000)


def frames(page: Any) -> list[float]:
    """Milliseconds of pans and zooms."""
    times = []
    canvas = page.locator(".kj-lanes canvas")
    canvas.hover(position={"x": 400, "y": 150})
    for k in range(FRAMES):
        before = page.locator(".kj-timeline").get_attribute("data-drawn")
        page.mouse.wheel(*((120, 0) if k % 2 else (0, 60 if k % 12 == 6 else -60)))
        page.wait_for_timeout(60)
        if page.locator(".kj-timeline").get_attribute("data-drawn") != before:
            times.append(float(page.locator(".kj-timeline").get_attribute("data-frame-ms")))
    return times


if __name__ == "__main__":
    main()
