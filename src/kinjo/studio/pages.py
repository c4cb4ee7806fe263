"""The pages of ``kinjo studio``: open a recording, look at it, and find others. ``mount`` puts them on the app."""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from fastapi import FastAPI
from nicegui import core, ui
from nicegui.events import UploadEventArguments
from starlette.responses import RedirectResponse, Response

from kinjo.studio import asking, files, finding, opened, pairs, passes, phone, previews
from kinjo.studio.desk import Desk, Desks
from kinjo.studio.live_page import Live
from kinjo.studio.look import Look
from kinjo.studio.map_page import Map
from kinjo.studio.metrics import log
from kinjo.studio.opened import Opened
from kinjo.studio.parts import DROP, button, heading, icon, plain
from kinjo.studio.problems import Refused, refusal_of
from kinjo.studio.results_page import Results
from kinjo.studio.search_page import Near, Search
from kinjo.studio.views import add

NAV = (("Open", "/"), ("Search", "/search"), ("Map", "/map"), ("Live", "/live"), ("Results", "/results"))
"""Links on every page."""
T = TypeVar("T")
WEB = Path(__file__).with_name("web")
INTRO = (
    "Look at a recording with all its streams on one axis of time, see what is recognised in it, "
    "and teach an activity by dragging over it."
)


def mount(app: FastAPI) -> None:
    """Pages and what they fetch, on an app that ``create_app`` made. Once in a process: NiceGUI has one app."""
    core.app.state.desks = add(app)
    core.app.state.pairs = phone.add(app)
    app.include_router(previews.router)
    ui.page("/", title="kinjo")(index)
    ui.page("/look/{id}", title="kinjo")(look)
    ui.page("/moment/{id}", title="kinjo", response_timeout=60.0)(moment)
    ui.page("/search", title="kinjo: search")(search)
    ui.page("/map", title="kinjo: map")(map_)
    ui.page("/results", title="kinjo: results")(results)
    ui.page("/live", title="kinjo: live")(live)
    ui.page("/live/{id}", title="kinjo: live")(pair)
    core.app.config.quasar_config["loadingBar"] = {"skipHijack": True}  # it has no name that could be read out
    ui.run_with(
        app, dark=None, tailwind=False, show_welcome_message=False, title="kinjo", favicon=ICON, language="en-US"
    )


ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0b57a4"/>'
    '<path d="M4 18h5l3-9 5 16 4-11 2 4h5" fill="none" stroke="#fff" stroke-width="2.6"/></svg>'
)


def desks() -> Desks:
    """What all pages share."""
    return core.app.state.desks


def frame(title: str) -> None:
    """What is on every page: its head, its looks, and a way between light and dark."""
    ui.add_css(WEB / "studio.css")
    ui.colors(primary="#0b57a4", negative="#b3261e", positive="#1b6e3c", warning="#8a5a00", info="#0b57a4")
    dark = ui.dark_mode(None)
    with ui.header().classes("kj-head"):
        here = ui.context.client.page.path
        with ui.element("nav").props('aria-label="Pages"'):
            for name, path in NAV:
                ui.link(name, path).props('aria-current="page"' if path == here else "")
        ui.html(tag="h1", content="", sanitize=False).props("id=kj-title").classes("kj-title")
        icon("contrast", "Dark or light", lambda: _turn(dark))
    ui.run_javascript(f"document.getElementById('kj-title').textContent = {json.dumps(title)}")


async def _turn(dark: Any) -> None:
    now = await ui.run_javascript("document.body.classList.contains('body--dark')")
    dark.set_value(not now)


async def attempt(work: Callable[[], T]) -> T | None:
    """What ``work`` gives, done in a thread; None, and the page says why and what to do, where it fails."""
    try:
        return await desks().hub.work(work)
    except Exception as error:
        complain(error)
        return None


def complain(error: Exception) -> None:
    """Say on the page what went wrong, and what to do."""
    ui.notify(problem(error), type="negative", multi_line=True, timeout=12_000, position="top")


def problem(error: Exception) -> str:
    """An error in words; a fault of kinjo's goes to the log."""
    told = refusal_of(error)
    if told is None:
        log(logging.ERROR, path="studio", fault=f"{type(error).__name__}: {error}"[:500])
        return "A fault of kinjo's: it is in the log."
    return f"{told.detail.rstrip('.')}. {told.next}".strip()


# ------------------------------------------------------------------------------------------------ open
def index() -> None:
    """What can be opened."""
    frame("kinjo studio")
    root = desks().hub.settings.data
    with ui.element("main").classes("kj-page"):
        with ui.element("section").classes("kj-card"):
            ui.label(INTRO).classes("kj-soft")
            _model_line()
        with ui.element("section").classes("kj-card"):
            heading("A file of yours")
            most = int(desks().hub.settings.max_upload_mb * 1e6)
            sends = ui.upload(
                auto_upload=True, on_upload=_sent, max_file_size=most,
                on_rejected=lambda: ui.notify(f"Files of up to {most // 1_000_000} MB are read.", type="negative"),
            )  # fmt: skip
            sends.props("flat bordered").style("width: 100%").add_slot("header", DROP)
            ui.label(
                "Phone and watch exports, CSV, Parquet, NPY, .cwa, BVH, AMC, C3D, SMPL, pose JSON, video. "
                "It is read on this machine, and forgotten when kinjo stops."
            ).classes("kj-soft")
        corpora, found = opened.listed(root)
        with ui.element("section").classes("kj-card"):
            heading("A recording of a corpus")
            _corpora(root, corpora)
        with ui.element("section").classes("kj-card"):
            heading("A file of the data folder")
            if root is None:
                ui.label("No data folder: start with 'kinjo studio --data FOLDER'.").classes("kj-soft")
            elif not found:
                ui.label("There is no file that kinjo reads in the data folder.").classes("kj-soft")
            else:
                chosen = ui.select(found, label="File", with_input=True)
                button("Open", lambda: _of_data(chosen.value))


def _model_line() -> None:
    line = ui.label("Loading the model ...").classes("kj-soft")

    async def told() -> None:
        try:
            model = await desks().hub.loaded()
            known = ", ".join(model.labels[:12]) + (" ..." if len(model.labels) > 12 else "")
            line.set_text(f"The model knows {len(model.labels)} activities: {known}.")
        except Exception as error:
            line.set_text(f"Nothing is recognised: {problem(error)}")

    ui.timer(0.01, told, once=True)


def _corpora(root: Path | None, corpora: list[str]) -> None:
    if root is None or not corpora:
        said = "No data folder: start with 'kinjo studio --data FOLDER'." if root is None else (
            "There is no corpus in the data folder: 'kinjo import' and 'kinjo gym' write them."
        )  # fmt: skip
        ui.label(said).classes("kj-soft")
        return
    titles = {name: root.resolve().name if name == "." else name for name in corpora}
    which = ui.select(titles, label="Corpus", on_change=lambda: fill())
    one = ui.select([], label="Recording", with_input=True)
    button("Open", lambda: go())

    async def fill() -> None:
        ids = await attempt(lambda: opened.ids_of(root, which.value))
        if ids is not None:
            one.set_options(ids, value=ids[0] if ids else None)

    async def go() -> None:
        if one.value is None:
            ui.notify("Choose a recording first.", type="warning")
        else:
            _go(await attempt(lambda: opened.of_corpus(root, which.value, one.value)))

    if len(corpora) == 1:
        which.set_value(corpora[0])


def _go(found: Opened | None) -> None:
    """To the page of a recording that was opened."""
    if found is not None:
        desks().shelf.put(found)
        ui.navigate.to(f"/look/{found.id}")


async def _of_data(name: str | None) -> None:
    if not name:
        ui.notify("Choose a file first.", type="warning")
        return
    try:
        path = files.inside(desks().hub.settings.data, name)
    except Refused as refused:
        complain(refused)
        return
    await _read(path, name, f"file:{name}", None)


async def _sent(event: UploadEventArguments) -> None:
    event.sender.run_method("reset")
    try:
        path = opened.kept(event.file.name)
    except Refused as refused:
        complain(refused)
        return
    await event.file.save(path)
    key = await attempt(lambda: opened.content_key(path))
    if key is not None:
        await _read(path, event.file.name, key, path.parent)


async def _read(path: Path, title: str, key: str, folder: Path | None) -> None:
    """Ask what is to be confirmed of a file, and open it."""
    read = await attempt(lambda: asking.questions(path))
    said: dict[str, Any] | None = None
    if read is not None:
        said = await _confirmed(title, read[0]) if read[0] else {}
    found = None
    if read is not None and said is not None:
        found = await attempt(lambda: opened.of_file(path, title, key, said, folder, read[1]))
    if found is None and folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    _go(found)


async def _confirmed(title: str, asked: list[asking.Question]) -> dict[str, Any] | None:
    """The contract as a form; None where it is left."""
    inputs: dict[tuple[str, str], Any] = {}
    with ui.dialog().props('persistent aria-label="The contract of the file"') as dialog, ui.card().classes("kj-card"):
        heading("Is this true?")
        ui.label(f"{title}: what kinjo found out, and what it has to be told.").classes("kj-soft")
        for question in asked:
            if question.choices:
                made: Any = ui.select(
                    list(question.choices), label=question.title, value=question.value or None, with_input=True
                )
            else:
                made = ui.input(label=question.title, value=question.value)
            made.props(f'hint="{plain(question.known)}"').classes("kj-ask kj-open" if question.open else "kj-ask")
            inputs[question.field, question.of] = made
        with ui.element("div").classes("kj-row"):
            button("Open it", lambda: send())
            button("Leave it", lambda: dialog.submit(None), kind="flat")

    def send() -> None:
        try:
            answers = {key: str(made.value or "") for key, made in inputs.items()}
            dialog.submit(asking.told(asked, answers))
        except Refused as refused:
            complain(refused)

    return await dialog


# ------------------------------------------------------------------------------------------------ look
def look(id: str, from_s: float = 0.0, to_s: float = 0.0, play: bool = False) -> None:
    """A recording on one axis of time; from a span of it, where one is named."""
    try:
        found = desks().shelf.get(id)
    except Refused:
        gone("This recording is not open any more. What was taught and labelled is kept.", "Open it again", "/")
        return
    frame(found.title)
    begin = (from_s, to_s, play) if math.isfinite(from_s + to_s) and from_s < to_s else None
    page = Look(Desk(desks(), found), attempt, problem, begin)
    page.beside.append(Near(desks(), attempt, problem, page.example).build)
    page.build()
    ui.timer(0.01, page.start, once=True)


def gone(said: str, way: str, path: str) -> None:
    """A page of what is not there any more, and where to go."""
    frame("Not open any more")
    with ui.element("main").classes("kj-page"), ui.element("section").classes("kj-card"):
        ui.label(said)
        ui.link(way, path)


# ------------------------------------------------------------------------------------------------ find
async def moment(id: str) -> RedirectResponse | None:
    """The way to a moment that was found, in the timeline of its recording."""
    try:
        place = desks().places.get(id)
        found = await desks().hub.work(lambda: finding.opened_at(desks().hub, place))
    except Exception as error:
        gone(problem(error), "Search again", "/search")
        return None
    desks().shelf.put(found)
    return RedirectResponse(f"/look/{found.id}?from_s={place.start_s:.3f}&to_s={place.end_s:.3f}", 303)


def search(words: str = "", like: str = "", from_s: float = 0.0, to_s: float = 0.0) -> None:
    """Find moments, by words or by a span of what is open."""
    example = None
    if like:
        try:
            example = finding.Example(desks().shelf.get(like), from_s, to_s)
        except Refused:
            gone("The recording that asks is not open any more.", "Open it again", "/")
            return
    frame("Find moments")
    page = Search(desks(), attempt, problem, words=words, like=example)
    page.build()
    ui.timer(0.01, page.start, once=True)


def map_() -> None:
    """The joint space on a plane."""
    frame("The joint space")
    page = Map(desks(), attempt, problem)
    page.build()
    ui.timer(0.01, page.start, once=True)


def results() -> None:
    """What protocols measured, and models judged."""
    frame("What was measured")
    page = Results(desks(), attempt, problem)
    page.build()
    ui.timer(0.01, page.start, once=True)


# ------------------------------------------------------------------------------------------------ live
def live() -> Response:
    """To a page of one's own: its id is in the address, so that it and its phone find one another again."""
    return RedirectResponse(f"/live/{pairs.made_id()}")


def pair(id: str) -> Response | None:
    """A phone, and what it does now."""
    if passes.page_of(f"/phone/{id}") is None:
        return RedirectResponse("/live")
    frame("Live")
    Live(core.app.state.pairs.get(id), desks().hub, problem).build()
    return None
