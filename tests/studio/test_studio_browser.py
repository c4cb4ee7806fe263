"""The studio in a real browser: open, see, teach, recognise, export; label, undo; keys; a phone; nobody else asked."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from _axe import HOW, axe, serious
from _browser import Visit, browser, folder, visitor
from _service import Process

TOKEN = "a-long-enough-token"


@pytest.fixture(scope="module")
def chrome() -> Iterator[object]:
    """One for all tests here."""
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def data(chrome: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, made only where there is a browser to look at them."""
    return folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def studio(chrome: object, data: Path, quick_file: Path, tmp_path_factory: pytest.TempPathFactory):
    """``kinjo studio`` on loopback."""
    words = (quick_file, "--data", data, "--no-open")
    with Process(tmp_path_factory.mktemp("studio"), *words, verb="studio") as process:
        yield process


@pytest.fixture
def visit(chrome: object, studio: Process) -> Iterator[Visit]:
    """See ``visitor``."""
    with visitor(chrome, f"{studio.url}/") as one:
        yield one


def test_open_see_teach_recognise_export(visit: Visit, tmp_path: Path):
    visit.open_gym()
    page = visit.page
    assert page.get_by_role("heading", name="gym_1").is_visible()
    assert {span[2] for span in visit.spans("said")} <= {"squat", "jumping jack"}
    assert visit.spans("said")
    assert visit.spans("found")
    visit.drag(0.3, 0.7)
    page.get_by_text("chosen").wait_for()
    page.get_by_label("Activity", exact=True).fill("my squat")
    page.get_by_role("button", name="Teach", exact=True).click()
    visit.wait_for("found", "my squat")
    visit.wait_for("said", "my squat")
    page.get_by_role("button", name="Forget my squat").wait_for()
    with page.expect_download() as got:
        page.get_by_role("link", name="CSV").click()
    got.value.save_as(tmp_path / "segments.csv")
    rows = list(csv.DictReader((tmp_path / "segments.csv").read_text().splitlines()))
    assert "my squat" in [row["label"] for row in rows]
    with page.expect_download() as got:
        page.get_by_role("link", name="JSON").click()
    got.value.save_as(tmp_path / "segments.json")
    told = json.loads((tmp_path / "segments.json").read_text())
    assert len(told["segments"]) == len(rows)
    page.get_by_role("button", name="Remove this example of my squat").click()
    visit.wait_for("found", "my squat", there=False)


def test_a_file_is_sent_its_contract_confirmed_and_its_labels_kept(visit: Visit, data: Path):
    page = visit.page
    visit.open_watch(data / "watch.csv")
    assert page.get_by_text("guessed: a mean of 9.8").is_visible()
    page.get_by_role("button", name="Open it").click()
    page.get_by_text("not said yet. Choose what is true.").wait_for()
    visit.say_placement("right_wrist")
    visit.seen()
    assert visit.spans("said") == []
    visit.drag(0.2, 0.4)
    page.get_by_label("Activity", exact=True).fill("shaking")
    page.get_by_role("button", name="Label", exact=True).click()
    visit.wait_for("said", "shaking")
    visit.open_watch(data / "watch.csv")  # sent again: the same content has the same labels
    visit.say_placement("right_wrist")
    visit.seen()
    visit.wait_for("said", "shaking")
    page.get_by_role("button", name="Undo", exact=True).click()
    visit.wait_for("said", "shaking", there=False)


def test_the_keyboard_alone_labels_corrects_and_takes_back(visit: Visit, data: Path):
    page = visit.page
    visit.open_watch(data / "watch.csv")
    visit.say_placement("right_wrist")
    visit.seen()
    lanes = page.get_by_role("application", name="Timeline")
    lanes.focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight", "i", *["Shift+ArrowRight"] * 4, "o"):
        page.keyboard.press(key)
    page.get_by_text("0:01.2 to 0:05.2 chosen").wait_for()
    page.wait_for_function("document.querySelector('.kj-clock').textContent === '0:05.2'")
    page.keyboard.press("l")
    page.keyboard.type("resting")
    page.keyboard.press("Enter")
    visit.wait_for("said", "resting")
    assert visit.spans("said")[0][:2] == pytest.approx([1.2, 5.2])
    lanes.focus()
    page.keyboard.press("n")  # to the least sure span, which is picked
    page.get_by_role("button", name="Remove", exact=True).wait_for()
    page.keyboard.press("Delete")
    visit.wait_for("said", "unknown")
    for _ in range(2):
        lanes.focus()
        before = len(visit.spans("said"))
        page.keyboard.press("u")
        page.wait_for_function("n => document.querySelectorAll('[data-lane=said] li').length !== n", arg=before)
    assert visit.spans("said") == []


def test_playing_zooming_and_panning(visit: Visit):
    visit.open_gym()
    page, root = visit.page, visit.page.locator(".kj-timeline")
    whole = root.get_attribute("data-drawn")
    page.locator(".kj-lanes canvas").hover(position={"x": 400, "y": 150})
    page.mouse.wheel(0, -400)
    page.wait_for_function("old => document.querySelector('.kj-timeline').dataset.drawn !== old", arg=whole)
    start, end = map(float, (root.get_attribute("data-drawn") or "").split("-"))
    assert end - start < 20
    page.mouse.wheel(200, 0)
    page.wait_for_function(
        "old => parseFloat(document.querySelector('.kj-timeline').dataset.drawn) > old", arg=start + 0.1
    )
    page.get_by_role("button", name="Show all").click()
    page.wait_for_function("old => document.querySelector('.kj-timeline').dataset.drawn === old", arg=whole)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.kj-clock').textContent > '0:00.5'")
    page.get_by_role("button", name="Pause").click()
    assert any("/strip/video.rgb" in url for url in visit.asked)
    assert any("/pose/pose" in url for url in visit.asked)
    dark = page.evaluate("document.body.classList.contains('body--dark')")
    page.get_by_role("button", name="Dark or light").click()
    page.wait_for_function("old => document.body.classList.contains('body--dark') !== old", arg=dark)


def test_at_phone_width_nothing_is_cut_off(chrome: object, studio: Process):
    visit = Visit(
        chrome, f"{studio.url}/", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True,
        color_scheme="dark",
    )  # fmt: skip
    visit.page.goto(visit.url)
    visit.page.get_by_text("The model knows").wait_for()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    visit.open_gym()
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert visit.page.evaluate("document.body.classList.contains('body--dark')")
    visit.page.get_by_role("button", name="Mark in").tap()
    for _ in range(9):
        visit.page.get_by_role("button", name="Step forward").tap()
    visit.page.get_by_role("button", name="Mark out").tap()
    visit.page.get_by_text("0:00.0 to 0:00.9 chosen").wait_for()
    assert visit.faults == []
    visit.context.close()


def test_a_recording_that_is_closed_says_so(visit: Visit):
    visit.page.goto(f"{visit.url}look/nothing")
    visit.page.get_by_text("This recording is not open any more").wait_for()
    visit.page.get_by_role("link", name="Open it again").click()
    visit.page.get_by_text("A file of yours").wait_for()


def test_beyond_loopback_nothing_is_shown_without_the_token(chrome: object, quick_file: Path, tmp_path: Path):
    words = (quick_file, "--no-open", "--token", TOKEN)
    with Process(tmp_path, *words, host="0.0.0.0", verb="studio") as process:
        visit = Visit(chrome, f"{process.url}/")
        page = visit.page
        told = page.goto(visit.url)
        assert (told.status, "A file of yours" in page.content()) == (401, False)
        page.goto(f"{visit.url}?token={TOKEN}")
        page.get_by_text("The model knows").wait_for()  # over the WebSocket, by the cookie
        assert TOKEN not in page.url
        assert [(c["httpOnly"], c["sameSite"]) for c in visit.context.cookies()] == [(True, "Strict")]
        assert page.evaluate("document.cookie") == ""
        assert page.get_by_text("No data folder: start with").count() == 2
        visit.context.close()
    assert TOKEN not in process.said.replace(f"?token={TOKEN}", "", 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_found_by_axe(chrome: object, studio: Process, data: Path, scheme: str):
    script = axe()
    if script is None:
        pytest.skip(HOW)
    faults = serious(chrome, studio, data, scheme, script)
    assert faults == [], "\n".join(faults)
