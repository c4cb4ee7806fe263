"""A real browser for tests, where one is installed; and a folder of recordings to look at."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import _quick_model as quick
from kinjo import corpus
from kinjo.datasets import gym
from kinjo.datasets.gym.render import Camera

NAMES = ("chromium", "chromium-browser", "google-chrome")
HOW = "no Chromium: apt-get install -y --no-install-recommends chromium, or set KINJO_CHROMIUM to one"


def chromium() -> str | None:
    """Where it is."""
    return os.environ.get("KINJO_CHROMIUM") or next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def browser() -> Iterator[Any]:
    """Headless Chromium; the test is skipped where there is none."""
    path = chromium()
    if path is None:
        pytest.skip(HOW)
    sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    with sync_api.sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield one
        finally:
            one.close()


def folder(root: Path, seconds: float = 20.0) -> Path:
    """A corpus of somebody filmed in the gym, with a watch, and a file of another watch."""
    camera = Camera.around(20.0, height=60, width=80)
    made = gym.record(
        1, seconds=seconds, names=("squat", "jumping jack"), placements=("right_wrist",), video=camera,
        video_rate_hz=10.0, kinds=("rgb",),
    )  # fmt: skip
    corpus.write([made], root / "gym", video=corpus.VideoSize(60), progress=False)
    (root / "watch.csv").write_bytes(quick.csv(40.0))
    return root


class Visit:
    """A page, and what it asked for. ``faults``: what went wrong in it."""

    def __init__(self, browser: Any, url: str, **how: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **how})
        self.page = self.context.new_page()
        self.page.set_default_timeout(30_000)
        self.url, self.asked, self.faults = url, [], []
        self.context.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)

    def open_gym(self) -> None:
        """The recording of the corpus, until it is drawn and recognised."""
        self.page.goto(self.url)
        self.page.get_by_text("The model knows").wait_for()
        self.page.get_by_label("Recording", exact=True).wait_for()
        self.page.wait_for_function("document.querySelectorAll('input')[2].value.startsWith('gym')")
        self.page.get_by_role("button", name="Open").first.click()
        self.seen()

    def open_watch(self, file: Path) -> None:
        """A file that is sent, with its contract."""
        self.page.goto(self.url)
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("button", name="Choose a file").click()
        chooser.value.set_files(str(file))
        self.page.get_by_text("Is this true?").wait_for()

    def say_placement(self, place: str) -> None:
        """In the form."""
        self.page.get_by_label("where the sensor was worn").fill(place)
        self.page.get_by_role("option", name=place, exact=True).click()
        self.page.get_by_role("button", name="Open it").click()

    def seen(self) -> None:
        """Wait until the timeline is drawn and recognition is done."""
        self.page.wait_for_url("**/look/**")
        self.page.locator(".kj-timeline[data-drawn]").wait_for()
        self.page.get_by_role("button", name="Forget activity 1").wait_for()

    def drag(self, start: float, end: float, lane: int = 2) -> None:
        """Over a span (shares of the width) of a signal."""
        box = self.page.locator(".kj-lanes canvas").bounding_box()
        y = box["y"] + 24 + 80 + 40 + 96 * (lane - 2)
        self.page.mouse.move(box["x"] + start * box["width"], y)
        self.page.mouse.down()
        self.page.mouse.move(box["x"] + end * box["width"], y, steps=5)
        self.page.mouse.up()

    def spans(self, lane: str) -> list[list[Any]]:
        """What the timeline shows, as it is told to those who cannot see it."""
        return self.page.evaluate(
            "lane => [...document.querySelectorAll(`[data-lane=${lane}] li`)].map(li => JSON.parse(li.dataset.span))",
            lane,
        )

    def wait_for(self, lane: str, label: str, there: bool = True) -> None:
        """Until a label is among the spans of a lane, or is not any more."""
        for _ in range(150):
            if (label in [span[2] for span in self.spans(lane)]) == there:
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"{label} {'not ' if there else ''}in {self.spans(lane)}")


@contextmanager
def visitor(browser: Any, url: str) -> Iterator[Visit]:
    """One without a history. What it asked for never left this machine, and nothing failed in its pages."""
    one = Visit(browser, url)
    yield one
    one.context.close()
    hosts = {urlsplit(asked).netloc for asked in one.asked if urlsplit(asked).scheme not in ("data", "blob")}
    assert hosts == {urlsplit(url).netloc}
    assert one.faults == []
