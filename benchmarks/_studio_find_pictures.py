"""Pictures of search, neighbours, the map and results, for ``_studio_pictures``.

People in the simulated gym, some filmed, some with a watch alone, some with a pose alone, and a small model that learnt
words and these movements from others.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from _tools import ROOT

sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "studio"))
from _browser import Visit  # pyright: ignore[reportMissingImports]
from _service import Process  # pyright: ignore[reportMissingImports]

import _word_model as words  # pyright: ignore[reportMissingImports]
from kinjo import corpus

HOLDS: tuple[tuple[str, ...], ...] = (
    (),
    ("imu",),
    ("pose",),
    (),
    ("imu",),
    ("pose",),
    ("imu", "pose"),
    ("imu", "pose"),
)
"""What is kept of each person; those with all are filmed."""


def made(work: Path) -> tuple[Path, Path]:
    """The model, and a data folder; both are kept."""
    model, data = work / "words" / "words.safetensors", work / "find"
    if not model.is_file():
        words.write(work / "words", people=24, steps=500)
    if not (data / "gym" / "corpus.json").is_file():
        some = (words.session(p, 60.0, film=not holds, holds=holds) for p, holds in enumerate(HOLDS, 1))
        corpus.write(some, data / "gym", video=corpus.VideoSize(120), progress=False)
    (data / "results").mkdir(exist_ok=True)
    for name in ("utd_oneshot.json", "mujo_utd.json"):
        shutil.copy(ROOT / "benchmarks" / "results" / name, data / "results" / name)
    return model, data


def all_of(chrome: Any, work: Path, out: Path, looks: dict[str, dict[str, Any]]) -> None:
    """Every page in every look."""
    model, data = made(work)
    with Process(
        work, model, "--data", data, "--no-open", "--profiles", work / "found.sqlite", verb="studio"
    ) as studio:
        for name, how in looks.items():
            pictures(Visit(chrome, f"{studio.url}/", **how), name, out)


def pictures(visit: Visit, name: str, out: Path) -> None:
    """The pages in one look."""
    page, whole = visit.page, {"full_page": "phone" in name}

    def picture(what: str) -> None:
        page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
        page.wait_for_timeout(1200)
        page.screenshot(path=out / f"studio-{what}-{name}.png", **whole)

    page.goto(f"{visit.url}search")
    page.get_by_label("What to look for, in words").fill("someone doing squats")
    page.keyboard.press("Enter")
    page.locator(".kj-moments[data-drawn]").wait_for()
    picture("search")
    page.locator(".kj-what a").first.click()
    page.locator(".kj-timeline[data-drawn]").wait_for()
    page.get_by_role("button", name="Forget squat").wait_for()
    page.get_by_role("button", name="Find more like this").click()
    page.locator(".kj-moments[data-drawn]").wait_for()
    picture("near")
    page.goto(f"{visit.url}map")
    page.locator(".kj-map[data-drawn]").wait_for()
    picture("map")
    page.goto(f"{visit.url}results")
    page.get_by_label("Result", exact=True).click()
    page.get_by_role("option", name="results/utd_oneshot.json").click()
    page.get_by_text("results/utd_oneshot.json: ").wait_for()
    page.get_by_role("button", name="Recognise and count").click()
    page.locator(".kj-confusion").wait_for()
    picture("results")
    if "desktop" in name:
        page.locator(".kj-confusion").scroll_into_view_if_needed()
        page.wait_for_timeout(300)
        page.screenshot(path=out / f"studio-judged-{name}.png")
    visit.context.close()
