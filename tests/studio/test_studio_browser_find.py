"""Search, neighbours, the map and results in a real browser; nothing is asked from elsewhere, nothing fails."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from _axe import FINDING, HOW, axe, found, serious
from _browser import Visit, browser, visitor
from _service import Process

from kinjo.corpus import Corpus


@pytest.fixture(scope="module")
def chrome() -> Iterator[object]:
    """One for all tests here."""
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def studio(chrome: object, searched: Corpus, word_file: Path, tmp_path_factory: pytest.TempPathFactory):
    """``kinjo studio`` with a model that learnt words, a corpus, a file that has to be asked about, and results."""
    data = found(tmp_path_factory.mktemp("all"), searched.root)
    words = (word_file, "--data", data, "--no-open")
    with Process(tmp_path_factory.mktemp("studio"), *words, verb="studio") as process:
        yield process


@pytest.fixture
def visit(chrome: object, studio: Process) -> Iterator[Visit]:
    """See ``visitor``."""
    with visitor(chrome, f"{studio.url}/") as one:
        yield one


def moments(visit: Visit) -> list[dict[str, Any]]:
    """What is listed."""
    visit.page.locator(".kj-moment").first.wait_for()
    return visit.page.evaluate("[...document.querySelectorAll('.kj-moment')].map(li => JSON.parse(li.dataset.moment))")


def searched_for(visit: Visit, words: str) -> list[dict[str, Any]]:
    visit.page.goto(f"{visit.url}search")
    field = visit.page.get_by_label("What to look for, in words")
    field.fill(words)
    field.press("Enter")
    return moments(visit)


def test_words_find_moments_which_play_and_open(visit: Visit):
    found = searched_for(visit, "someone doing squats")
    page = visit.page
    assert {m["recording"] for m in found} == {"gym_1", "gym_2", "gym_3"}
    assert page.get_by_text("nearest first, of 3 recordings").is_visible()
    assert page.get_by_text("watch.csv: what has to be told: placement").is_visible()  # why a file is not searched
    page.get_by_role("button", name="Play").first.click()
    page.get_by_role("button", name="Stop").wait_for()
    first = found[0]
    page.get_by_role("link", name=f"{first['recording']}, ").first.click()
    page.wait_for_url("**/look/**")
    page.locator(".kj-timeline[data-drawn]").wait_for()
    page.get_by_role("heading", name=first["recording"]).wait_for()
    page.locator(".kj-said", has_text="chosen").wait_for()
    shown = page.locator(".kj-clock").text_content() or ""
    minutes, seconds = shown.split(":")
    assert 60 * int(minutes) + float(seconds) == pytest.approx(first["from_s"], abs=0.11)
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("old => document.querySelector('.kj-clock').textContent > old", arg=shown)


def test_neighbours_of_a_span_come_from_other_recordings_and_modalities(visit: Visit):
    searched_for(visit, "jumping")
    page = visit.page
    page.get_by_role("link", name="gym_2, ").first.click()  # a watch alone
    page.locator(".kj-timeline[data-drawn]").wait_for()
    page.locator(".kj-said", has_text="chosen").wait_for()
    page.get_by_role("button", name="Find more like this").click()
    found = moments(visit)
    assert {m["recording"] for m in found} == {"gym_1", "gym_3"}
    assert "pose" in {m["by"] for m in found}
    scores = [m["score"] for m in found]
    assert scores == sorted(scores, reverse=True)
    page.get_by_role("button", name="On a page").click()
    page.wait_for_url("**/search?like=**")
    page.get_by_text("Like gym_2, ").wait_for()
    assert len(moments(visit)) >= len(found)
    page.get_by_role("link", name="gym_3, ").first.click()
    page.get_by_role("heading", name="gym_3").wait_for()


def test_the_playhead_asks_where_nothing_is_chosen(visit: Visit):
    searched_for(visit, "squats")
    page = visit.page
    page.get_by_role("link", name="gym_1, ").first.click()
    page.locator(".kj-timeline[data-drawn]").wait_for()
    page.get_by_role("application", name="Timeline").press("Escape")
    page.get_by_text("Nothing chosen.").wait_for()
    page.get_by_role("button", name="Find more like this").click()
    assert {m["recording"] for m in moments(visit)} == {"gym_2", "gym_3"}


def test_a_moment_that_is_forgotten_says_so(visit: Visit):
    visit.page.goto(f"{visit.url}moment/nothing")
    visit.page.get_by_text("this moment is not shown any more").wait_for()
    visit.page.get_by_role("link", name="Search again").click()
    visit.page.get_by_label("What to look for, in words").wait_for()
    visit.page.goto(f"{visit.url}search?like=nothing&from_s=0&to_s=3")
    visit.page.get_by_text("not open any more").first.wait_for()


@pytest.mark.parametrize(
    "path",
    ["look/x?from_s=nan&to_s=1", "look/x?from_s=x", "moment/..%2F..%2Fetc", "search?like=x&from_s=inf", "map?x=1",
     "search?from_s=x", "moment/" + "x" * 3000, "studio/moment/%00", "results?file=../../etc/passwd"],
)  # fmt: skip
def test_addresses_that_make_no_sense_are_no_faults(studio: Process, path: str):
    assert httpx.get(f"{studio.url}/{path}", timeout=60).status_code < 500


def test_a_point_of_the_map_opens_by_mouse_and_by_keyboard(visit: Visit):
    page = visit.page
    page.goto(f"{visit.url}map")
    plane = page.locator(".kj-map[data-drawn]")
    plane.wait_for()
    assert page.get_by_text("A point is a window as one modality sees it: all").is_visible()
    page.get_by_role("button", name="squat").click()  # one group alone
    page.wait_for_function("document.querySelector('.kj-legend button[aria-pressed=true]') !== null")
    few = int(plane.get_attribute("data-drawn") or 0)
    page.get_by_role("button", name="squat").click()
    page.wait_for_function("n => Number(document.querySelector('.kj-map').dataset.drawn) > n", arg=few)
    page.get_by_label("Colours tell the").click()
    page.get_by_role("option", name="modality").click()
    page.get_by_role("button", name="imu").wait_for()
    page.get_by_role("application", name="Map").focus()
    page.keyboard.press("ArrowRight")
    first = plane.get_attribute("data-at")
    for key in ("ArrowUp", "ArrowLeft", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    assert plane.get_attribute("data-at") not in (None, "")
    assert first not in (None, "")
    page.keyboard.press("Enter")
    page.wait_for_url("**/look/**")
    page.locator(".kj-timeline[data-drawn]").wait_for()
    page.goto(f"{visit.url}map")
    plane.wait_for()
    box = page.locator(".kj-map canvas").bounding_box()
    for k in range(400):  # until the pointer is on a point
        page.mouse.move(
            box["x"] + box["width"] * (0.02 + (k % 40) / 41), box["y"] + box["height"] * (0.05 + k // 40 / 11)
        )
        if plane.get_attribute("data-at"):
            break
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**/look/**")


def test_the_map_is_a_table_too(visit: Visit):
    page = visit.page
    page.goto(f"{visit.url}map")
    page.locator(".kj-map[data-drawn]").wait_for()
    page.get_by_text("The same as a table").click()
    page.get_by_role("button", name="Next").click()
    page.get_by_text("21 to 40 of").wait_for()
    page.get_by_role("button", name="gym_1").first.click()
    page.wait_for_url("**/look/**")


def test_results_are_shown_filtered_and_put_beside_each_other(visit: Visit):
    page = visit.page
    page.goto(f"{visit.url}results")
    page.get_by_text("results/a.json: 18 rows").wait_for()
    assert page.get_by_role("img", name="95 % from").first.is_visible()
    page.get_by_role("searchbox").fill("retrieval.imu")
    page.get_by_text("3 of 18 rows").wait_for()
    page.get_by_label("Beside it").click()
    page.get_by_role("option", name="results/b.json").click()
    page.get_by_text("3 rows are in both by id").wait_for()
    assert page.get_by_text("not paired: two runs, no interval of the difference").count() == 3


def test_a_model_is_judged_compared_saved_and_read_again(visit: Visit, tmp_path: Path):
    page = visit.page
    page.goto(f"{visit.url}results")
    page.get_by_role("button", name="Recognise and count").click()
    page.get_by_text("3 recordings of 3 people of 'gym'").wait_for()
    assert page.get_by_role("rowheader", name="F1 squat").is_visible()
    assert page.locator(".kj-confusion tbody tr").count() >= 3
    page.get_by_label("Compared with").click()
    page.get_by_role("option", name="the same, as taught here").click()
    page.get_by_role("button", name="Recognise and count").click()
    page.get_by_text("paired: the same recordings").first.wait_for()
    assert page.locator(".kj-confusion").count() == 2
    with page.expect_download() as got:
        page.get_by_role("button", name="Save rows of the loaded model").click()
    got.value.save_as(tmp_path / "rows.json")
    assert json.loads((tmp_path / "rows.json").read_text())[0]["confusion"]["corpus"] == "gym"
    page.goto(f"{visit.url}results")
    page.get_by_text("results/a.json: 18 rows").wait_for()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    chooser.value.set_files(str(tmp_path / "rows.json"))
    page.get_by_text("rows.json: ").wait_for()
    page.locator(".kj-confusion").wait_for()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a file").click()
    (tmp_path / "bad.json").write_text("{}")
    chooser.value.set_files(str(tmp_path / "bad.json"))
    page.get_by_text("bad.json holds no results").wait_for()


def test_nothing_is_empty_without_saying_why(chrome: object, quick_file: Path, tmp_path: Path):
    with Process(tmp_path, quick_file, "--no-open", verb="studio") as process:
        visit = Visit(chrome, f"{process.url}/")
        for path, said in (
            ("search", "There is nothing to search: start with"), ("map", "There is nothing to search: start with"),
            ("results", "No data folder: start with"), ("results", "There is no corpus in the data folder"),
        ):  # fmt: skip
            visit.page.goto(f"{visit.url}{path}")
            visit.page.get_by_text(said).first.wait_for()
        assert visit.faults == []
        visit.context.close()


def test_a_model_that_cannot_search_says_so(chrome: object, quick_file: Path, searched: Corpus, tmp_path: Path):
    from kinjo import export

    export.export(quick_file, tmp_path / "quick.onnx")
    with Process(tmp_path, tmp_path / "quick.onnx", "--no-open", "--data", searched.root.parent, verb="studio") as one:
        visit = Visit(chrome, f"{one.url}/")
        visit.page.goto(f"{visit.url}search")
        visit.page.get_by_text("this model cannot search: it is exported").wait_for()
        visit.page.goto(f"{visit.url}map")
        visit.page.get_by_text("No map: this model cannot search").wait_for()
        assert visit.faults == []
        visit.context.close()


def test_at_phone_width_nothing_is_cut_off(chrome: object, studio: Process):
    visit = Visit(
        chrome, f"{studio.url}/", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True,
        color_scheme="dark",
    )  # fmt: skip
    page = visit.page

    def fits() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360

    searched_for(visit, "squats")
    fits()
    page.get_by_role("link", name="Map").tap()
    page.locator(".kj-map[data-drawn]").wait_for()
    fits()
    page.get_by_role("link", name="Results").tap()
    page.get_by_text("results/a.json: 18 rows").wait_for()
    page.get_by_role("button", name="Recognise and count").tap()
    page.locator(".kj-confusion").wait_for()
    fits()
    assert visit.faults == []
    visit.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_serious_is_found_by_axe(chrome: object, studio: Process, scheme: str, tmp_path: Path):
    script = axe()
    if script is None:
        pytest.skip(HOW)
    faults = serious(chrome, studio, tmp_path, scheme, script, FINDING)
    assert faults == [], "\n".join(faults)
