"""Pictures of the studio's pages for docs/pictures, light and dark, desktop and phone: ``make pictures``.

Somebody in the simulated gym, filmed, with a watch; a small model that learnt three movements, and is taught a fourth.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from PIL import Image

import _studio_find_pictures as finds
from _tools import ROOT

sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "tests" / "studio"))
from _browser import Visit, browser  # pyright: ignore[reportMissingImports]
from _phone import Phone, motion  # pyright: ignore[reportMissingImports]
from _service import Process  # pyright: ignore[reportMissingImports]

import _small_model as small  # pyright: ignore[reportMissingImports]
from _quick_model import csv  # pyright: ignore[reportMissingImports]
from kinjo import corpus
from kinjo.datasets import gym
from kinjo.datasets.gym.render import Camera
from kinjo.sensors import WATCH

WORK, OUT = ROOT / ".bench" / "studio-pictures", ROOT / "docs" / "pictures"
LOOKS: dict[str, dict[str, Any]] = {
    "desktop-light": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "desktop-dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "phone-light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "is_mobile": True},
    "phone-dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "is_mobile": True},
}
TOKEN = "of-the-pictures-alone"
LARGEST = 150_000
"""Bytes of a picture."""


def main() -> None:
    """All pictures."""
    data = made(WORK / "data")
    if not (WORK / "small.safetensors").is_file():
        small.write(WORK)
    OUT.mkdir(parents=True, exist_ok=True)
    (WORK / "profiles.sqlite").unlink(missing_ok=True)
    words = (WORK / "small.safetensors", "--data", data, "--no-open", "--profiles", WORK / "profiles.sqlite")
    with browser() as chrome, Process(WORK, *words, verb="studio") as studio:
        for k, (name, how) in enumerate(LOOKS.items()):
            pictures(Visit(chrome, f"{studio.url}/", **how), name, data, teach=k == 0)
    with browser() as chrome:
        finds.all_of(chrome, WORK, OUT, LOOKS)
    os.environ["XDG_DATA_HOME"] = str(WORK / "certificate")
    words = (WORK / "small.safetensors", "--no-open", "--lan", "--token", TOKEN, "--profiles", WORK / "live.sqlite")
    with browser() as chrome, Process(WORK, *words, verb="studio", https=True) as studio:
        for name, how in LOOKS.items():
            live(Visit(chrome, f"{studio.url}/", ignore_https_errors=True, **how), name)
    for path in sorted(OUT.glob("studio-*.png")):
        with Image.open(path) as picture:
            small_one = picture.convert("RGB").quantize(200, dither=Image.Dither.NONE)
        small_one.save(path, optimize=True)
        size = path.stat().st_size
        print(f"{path.relative_to(ROOT)}: {size // 1000} kB")
        assert size < LARGEST, f"{path.name} is too large"


def made(folder: Path) -> Path:
    """A corpus of one filmed recording, and a table that does not say where the watch was worn."""
    if not (folder / "gym").is_dir():
        one = gym.record(
            3, seconds=70, names=(*small.LEARNT, small.TAUGHT), placements=("right_wrist",),
            sensors={"right_wrist": WATCH}, video=Camera.around(30.0), video_rate_hz=5.0, kinds=("rgb",),
        )  # fmt: skip
        corpus.write([one], folder / "gym", video=corpus.VideoSize(120), progress=False)
    (folder / "watch.csv").write_bytes(csv(60.0))
    return folder


def pictures(visit: Visit, name: str, data: Path, *, teach: bool) -> None:
    """The pages of recordings in one look; ``teach`` somebody first."""
    page, whole = visit.page, {"full_page": "phone" in name}
    page.goto(visit.url)
    page.get_by_text("The model knows").wait_for()
    page.wait_for_timeout(800)
    page.screenshot(path=OUT / f"studio-open-{name}.png", **whole)
    visit.open_watch(data / "watch.csv")
    page.wait_for_timeout(500)
    page.screenshot(path=OUT / f"studio-contract-{name}.png")
    page.get_by_role("button", name="Leave it").click()
    page.get_by_role("button", name="Open").first.click()
    page.wait_for_url("**/look/**")
    page.get_by_role("button", name="Forget squat").wait_for()
    if teach:
        taught(visit)
    page.wait_for_timeout(8000)  # until what was said is gone
    page.screenshot(path=OUT / f"studio-look-{name}.png", **whole)
    visit.context.close()


def live(visit: Visit, name: str) -> None:
    """The Live page and its phone, in the middle of a set."""
    visit.page.goto(f"{visit.url}?token={TOKEN}")
    one, whole = Phone.beside(visit), {"full_page": "phone" in name}
    one.start(motion("squat", 30.0))
    one.shows("squat")
    visit.page.wait_for_timeout(9000)
    both = ((visit.page, "live"), (one.page, "phone"))
    for page, which in both[: 2 if "phone" in name else 1]:  # its page is for phones
        page.screenshot(path=OUT / f"studio-{which}-{name}.png", **whole)
    visit.context.close()


def taught(visit: Visit) -> None:
    """The movement that the model does not know, by dragging over it."""
    spans = visit.spans("said")
    start, end, _, *_ = next((span for span in spans if span[2] == small.TAUGHT), spans[0])
    visit.drag((start + 0.5) / 70, (end - 0.5) / 70)
    visit.page.get_by_label("Activity", exact=True).fill("my raise")
    visit.page.get_by_role("button", name="Teach", exact=True).click()
    visit.wait_for("said", "my raise")


if __name__ == "__main__":
    main()
