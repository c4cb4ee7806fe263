"""What axe-core finds on the pages of the studio: each is a name, and what opens it; more are added to ``PAGES``."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from _browser import Visit
from _phone import Phone, motion
from _service import Process

import _quick_model as quick

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
HOW = "no axe-core: make axe (it needs npm), or name an axe.min.js in KINJO_AXE"
FETCHED = Path(__file__).resolve().parents[2] / ".bench" / "axe" / "package" / "axe.min.js"


def axe() -> Path | None:
    """Its script, where it is."""
    given = os.environ.get("KINJO_AXE", "")
    return next((path for path in (Path(given), FETCHED) if path.is_file()), None)


def opened(visit: Visit, data: Path) -> None:
    """What can be opened."""
    visit.page.goto(visit.url)
    visit.page.get_by_text("The model knows").wait_for()


def contract(visit: Visit, data: Path) -> None:
    """The form of a file."""
    visit.open_watch(data / "watch.csv")


def look(visit: Visit, data: Path) -> None:
    """A recording."""
    contract(visit, data)
    visit.say_placement("right_wrist")
    visit.seen()


def live(visit: Visit, data: Path) -> None:
    """The Live page without a phone."""
    visit.page.goto(f"{visit.url}live")
    visit.page.get_by_text("No phone is connected").wait_for()


def live_phone(visit: Visit, data: Path) -> None:
    """The Live page while a phone streams."""
    one = Phone.beside(visit)
    one.start(motion("squat"))
    one.answers()


def phone(visit: Visit, data: Path) -> None:
    """The page of the phone."""
    live_phone(visit, data)
    visit.page = visit.context.pages[-1]


def search(visit: Visit, data: Path) -> None:
    """Moments that were found by words."""
    visit.page.goto(f"{visit.url}search")
    field = visit.page.get_by_label("What to look for, in words")
    field.fill("someone doing squats")
    field.press("Enter")
    visit.page.locator(".kj-moments[data-drawn]").wait_for()


def neighbours(visit: Visit, data: Path) -> None:
    """A moment, and those like it."""
    search(visit, data)
    visit.page.locator(".kj-what a").first.click()
    visit.page.locator(".kj-timeline[data-drawn]").wait_for()
    visit.page.get_by_role("button", name="Find more like this").click()
    visit.page.locator(".kj-moments[data-drawn]").wait_for()


def map_(visit: Visit, data: Path) -> None:
    """The joint space, as points and as a table."""
    visit.page.goto(f"{visit.url}map")
    visit.page.locator(".kj-map[data-drawn]").wait_for()
    visit.page.get_by_text("The same as a table").click()


def results(visit: Visit, data: Path) -> None:
    """Rows, and a model that was judged."""
    visit.page.goto(f"{visit.url}results")
    visit.page.get_by_text("results/a.json: ").wait_for()
    visit.page.get_by_role("button", name="Recognise and count").click()
    visit.page.locator(".kj-confusion").wait_for()


Pages = Mapping[str, Callable[[Visit, Path], None]]
PAGES: Pages = {
    "open": opened, "contract": contract, "look": look, "live": live, "live with a phone": live_phone, "phone": phone,
}  # fmt: skip
FINDING: Pages = {"search": search, "neighbours": neighbours, "map": map_, "results": results}
"""Of a model that learnt words, and a data folder that ``found`` made."""


def found(data: Path, made: Path) -> Path:
    """A data folder: a corpus, a file that has to be asked about, and results twice."""
    shutil.copytree(made, data / "gym", ignore=shutil.ignore_patterns("search"))
    (data / "watch.csv").write_bytes(quick.csv(20.0))
    (data / "results").mkdir()
    rows = json.loads((RESULTS / "mujo_utd.json").read_text(encoding="utf-8"))
    (data / "results" / "a.json").write_text(json.dumps(rows))
    (data / "results" / "b.json").write_text(json.dumps([{**r, "value": r["value"] / 2} for r in rows[:3]]))
    return data


def serious(
    chrome: Any, studio: Process, data: Path, scheme: str, script: Path, pages: Pages = PAGES
) -> list[str]:  # fmt: skip
    """What is serious or critical, of all pages in one look."""
    faults: list[str] = []
    for name, open_page in pages.items():
        # a page's policy would keep axe out as well
        visit = Visit(chrome, f"{studio.url}/", color_scheme=scheme, bypass_csp=True)
        open_page(visit, data)
        visit.page.wait_for_timeout(600)  # what moves has to come to rest
        visit.page.evaluate(script.read_text(encoding="utf-8"))
        told = visit.page.evaluate("axe.run()")
        faults += [
            f"{name}, {scheme}: {one['id']}: {node['html'][:120]}"
            for one in told["violations"] if one["impact"] in ("serious", "critical") for node in one["nodes"]
        ]  # fmt: skip
        visit.context.close()
    return faults
