"""What axe-core finds on the pages of the studio: each is a name, and what opens it; more are added to ``PAGES``."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _browser import Visit
from _phone import Phone, motion
from _service import Process

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


PAGES: dict[str, Callable[[Visit, Path], None]] = {
    "open": opened, "contract": contract, "look": look, "live": live, "live with a phone": live_phone, "phone": phone,
}  # fmt: skip


def serious(chrome: Any, studio: Process, data: Path, scheme: str, script: Path) -> list[str]:
    """What is serious or critical, of all pages in one look."""
    faults: list[str] = []
    for name, open_page in PAGES.items():
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
