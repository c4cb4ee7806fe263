"""The page of results: files of rows, one or two beside each other; and models judged on labelled recordings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from nicegui import ui
from nicegui.element import Element
from nicegui.events import UploadEventArguments

from kinjo.runtime import Model
from kinjo.studio import files, judging, sheets
from kinjo.studio.desk import Desks
from kinjo.studio.jobs import Job, Stopped, Told
from kinjo.studio.judging import Judged
from kinjo.studio.look import Attempt
from kinjo.studio.opened import walked
from kinjo.studio.parts import DROP, button, heading
from kinjo.studio.profiles import DEFAULT
from kinjo.studio.sheets import Sheet
from kinjo.studio.sources import FILES, Source, sources
from kinjo.studio.waiting import Waiting

Problem = Callable[[Exception], str]
LOADED, TAUGHT, NONE = "*loaded", "*taught", ""
MOST_MODELS = 100
HONEST = (
    "What a model learnt from, and whose, it does not tell: on recordings or people of its training the figures are "
    "too good. Time without a label counts as unknown. The mean is over labels that occur, unknown among them."
)


class Table(Element, component="web/results.js"):
    """Rows, as ``sheets.table`` gives them; with ``second`` their ``other``, ``difference`` and ``why`` too."""

    def __init__(self, rows: list[dict[str, Any]], first: str = "", second: str = "") -> None:
        super().__init__()
        self._props.update(rows=rows, first=first, second=second)


class Confusion(Element, component="web/confusion.js"):
    """Of one model."""

    def __init__(self, judged: Judged, title: str) -> None:
        super().__init__()
        seconds = [[round(float(x), 2) for x in row] for row in judged.confusion]
        self._props.update(names=list(judged.names), seconds=seconds, title=title)


class Results:
    """The page."""

    def __init__(self, desks: Desks, attempt: Attempt, problem: Problem) -> None:
        self.desks, self.attempt, self.problem = desks, attempt, problem
        self.root = desks.hub.settings.data
        self.corpora: list[Source] = [s for s in sources(self.root) if s.name != FILES]
        self.sent: dict[str, Sheet] = {}

    def build(self) -> None:
        """All of it; ``start`` looks for files."""
        with ui.element("main").classes("kj-page"):
            with ui.element("section").classes("kj-card"):
                heading("Results of protocols")
                self._files()
            with ui.element("section").classes("kj-card"):
                heading("Judge a model on labelled recordings")
                self._judging()

    # -------------------------------------------------------------------------------------------- files of rows
    def _files(self) -> None:
        self.told = ui.label("Looking for results ...").classes("kj-soft").props('role="status"')
        with ui.element("div").classes("kj-row"):
            self.first = ui.select([], label="Result", with_input=True, on_change=self._show).classes("kj-narrow")
            self.second = ui.select([], label="Beside it", with_input=True, clearable=True, on_change=self._show)
            self.second.classes("kj-narrow")
        sends = ui.upload(
            auto_upload=True, on_upload=self._sent, max_file_size=sheets.LARGEST,
            on_rejected=lambda: ui.notify("Results are JSON of up to 8 MB.", type="negative"),
        )  # fmt: skip
        sends.props("flat bordered accept=.json").style("width: 100%").add_slot("header", DROP)
        self.room = ui.element("div").classes("kj-out")

    async def start(self) -> None:
        """The files of the data folder."""
        names = await self.attempt(lambda: sheets.found(self.root)) or []
        self._list(names, names[0] if names else None)
        if not names:
            where = "No data folder: start with 'kinjo studio --data FOLDER'." if self.root is None else (
                "There are no results in the data folder."
            )  # fmt: skip
            self.told.set_text(f"{where} Results are JSON: {sheets.NEEDED}. Or judge a model below, which writes them.")

    def _list(self, names: list[str], value: str | None) -> None:
        every = [*self.sent, *(n for n in names if n not in self.sent)]
        self.names = names
        self.second.set_options(every, value=self.second.value if self.second.value in every else None)
        self.first.set_options(every, value=value)

    async def _sent(self, event: UploadEventArguments) -> None:
        event.sender.run_method("reset")
        content, name = await event.file.read(), event.file.name[:100]
        made = await self.attempt(lambda: sheets.sheet(name, content))
        if made is not None:
            self._keep(made)

    def _keep(self, made: Sheet) -> None:
        self.sent[made.name] = made
        self._list(self.names, made.name)

    def _sheet(self, name: str) -> Sheet:
        return self.sent[name] if name in self.sent else sheets.of_file(self.root, name)

    async def _show(self) -> None:
        one, two = self.first.value, self.second.value
        if not one:
            return
        first = await self.attempt(lambda: self._sheet(one))
        second = await self.attempt(lambda: self._sheet(two)) if two and two != one else None
        self.room.clear()
        if first is None:
            return
        with self.room:
            self._both(first, second) if second is not None else self._one(first)

    def _one(self, sheet: Sheet) -> None:
        self.told.set_text(f"{sheet.name}: {len(sheet.rows)} rows. Bars go to 1, or to the largest of their row.")
        Table(sheets.table(sheet.rows))
        for judged in sheet.judged.values():
            Confusion(judged, f"{judged.model} on {judged.corpus}")

    def _both(self, first: Sheet, second: Sheet) -> None:
        rows = sheets.beside(first, second)
        self.told.set_text(
            f"{len(rows)} rows are in both by id, of {len(first.rows)} and {len(second.rows)}. Where intervals are of "
            "each alone, whether they overlap says little about the difference."
        )
        if not rows:
            ui.label("No row is in both: rows are matched by id.").classes("kj-soft")
            return
        plain = [
            {
                **{n: v for n, v in r.first.items() if n not in ("confusion", "baseline")}, "other": r.second["value"],
                "other_ci95": r.second.get("ci95"), "difference": r.difference, "difference_ci95": r.ci95, "why": r.why,
            }
            for r in rows
        ]  # fmt: skip
        Table(plain, first.name, second.name)
        with ui.element("div").classes("kj-pair"):
            for sheet in (first, second):
                for judged in sheet.judged.values():
                    Confusion(judged, f"{sheet.name}: {judged.model}")

    # -------------------------------------------------------------------------------------------- judging
    def _judging(self) -> None:
        ui.label(HONEST).classes("kj-soft")
        if not self.corpora:
            ui.label("There is no corpus in the data folder: 'kinjo import' and 'kinjo gym' write them.").classes(
                "kj-soft"
            )
            return
        models = {
            LOADED: "the loaded model",
            TAUGHT: "the same, as taught here",
            **{n: n for n in models_in(self.root)},
        }
        with ui.element("div").classes("kj-row"):
            where = {s.name: s.title for s in self.corpora}
            self.corpus = ui.select(where, value=self.corpora[0].name, label="Corpus").classes("kj-narrow")
            self.model = ui.select(models, value=LOADED, label="Model").classes("kj-narrow")
            self.other = ui.select({NONE: "none", **models}, value=NONE, label="Compared with").classes("kj-narrow")
            button("Recognise and count", self._judge)
        self.waiting = Waiting()
        self.judged = ui.label().classes("kj-soft").props('role="status"')
        self.verdict = ui.element("div").classes("kj-out")

    async def _judge(self) -> None:
        hub, names = self.desks.hub, [n for n in (self.model.value, self.other.value) if n]
        source = next(s for s in self.corpora if s.name == self.corpus.value)
        self.judged.set_text("")
        try:
            await hub.loaded()
            out = []
            for name in dict.fromkeys(names):
                job = await hub.work(lambda name=name: job_of(self.desks, source, name))
                out.append(await self.waiting.of(hub.results, job, f"Recognising with {title(name)}, recordings:"))
            told = await hub.work(lambda: [judging.figures(one) for one in out])
            both = await hub.work(lambda: judging.compared(out[0], out[1])) if len(out) > 1 else None
        except Stopped:
            return
        except Exception as error:
            self.verdict.clear()
            self.judged.set_text(self.problem(error))
            return
        self.verdict.clear()
        self.judged.set_text(_said(out))
        with self.verdict:
            if both is None:
                Table(lines(told[0]))
            else:
                Table(paired(told, both), out[0].model, out[1].model)
            with ui.element("div").classes("kj-pair"):
                for one in out:
                    Confusion(one, one.model)
            with ui.element("div").classes("kj-row"):
                for one in out:
                    button(f"Save rows of {one.model}", lambda _, one=one: self._save(one), kind="other")

    async def _save(self, one: Judged) -> None:
        rows = await self.attempt(lambda: judging.rows(one))
        if rows is not None:
            name = f"{Path(one.model).stem.replace(' ', '-')}-{Path(one.corpus).name}.json"
            ui.download.content(judging.as_json(rows), name, "application/json")
            self._keep(Sheet(name, *_kept(rows)))


def _kept(rows: list[dict[str, Any]]) -> tuple[tuple[dict[str, Any], ...], dict[str, Judged]]:
    made = sheets.sheet("saved", judging.as_json(rows))
    return made.rows, dict(made.judged)


def _said(some: list[Judged]) -> str:
    one = some[0]
    people = len(one.subjects)
    said = f"{len(one.recordings)} recordings of {people} {'person' if people == 1 else 'people'} of '{one.corpus}'."
    if people < 2:
        said += " No interval: it needs two people or more."
    else:
        said += " Intervals: 95 %, bootstrap over people; none for what a single person does."
    for judged in some:
        never = [n for k, n in enumerate(judged.names) if judged.true[k] and not judged.confusion[:, k].any()]
        if never:
            lacks = f"{', '.join(never[:6])}{' ...' if len(never) > 6 else ''}"
            said += f" {judged.model[0].upper()}{judged.model[1:]} never says {lacks}."
        if judged.missed:
            said += f" Not read by {judged.model}: {len(judged.missed)}, such as {judged.missed[0][:160]}."
    return said


def lines(told: judging.Figures) -> list[dict[str, Any]]:
    """Figures of one model as rows of a table."""
    columns = [(-2, "mean F1"), (-1, "time right"), *((k, f"F1 {n}") for k, n in enumerate(told.names))]
    return [
        {"id": name, "value": float(told.values[k]), "unit": "fraction", "ci95": told.ci(k),
         **({"note": f"{told.seconds[k]:.0f} s of it"} if k >= 0 else {})}
        for k, name in columns if told.values[k] == told.values[k]
    ]  # fmt: skip


def paired(told: list[judging.Figures], both: judging.Compared) -> list[dict[str, Any]]:
    """Two models as rows of a table."""
    intervals = [
        {**{n: one.ci(k) for k, n in enumerate(one.names)}, "mean F1": one.ci(-2), "time right": one.ci(-1)}
        for one in told
    ]
    why = "paired: the same recordings" if both.paired else "not paired: other recordings, no interval"
    order = sorted(both.lines, key=lambda line: line[0] not in ("mean F1", "time right"))
    return [
        {
            "id": name if name in ("mean F1", "time right") else f"F1 {name}", "unit": "fraction", "value": a,
            "other": b, "ci95": intervals[0].get(name), "other_ci95": intervals[1].get(name), "difference": difference,
            "difference_ci95": ci, "why": why,
        }
        for name, a, b, difference, ci in order
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------ models
def models_in(root: Path | None) -> list[str]:
    """Checkpoints and exported models of the data folder, by name."""
    found = ((at / n).as_posix() for at, there in walked(root) for n in there if n.endswith((".safetensors", ".onnx")))
    return list(islice(found, MOST_MODELS))


def title(name: str) -> str:
    """Of a model in a list."""
    return {LOADED: "the loaded model", TAUGHT: "the model as taught here"}.get(name, name)


def job_of(desks: Desks, source: Source, name: str) -> Job[Judged]:
    """A model judged on a corpus, as a job. ``Refused`` for a model outside the data folder."""
    from kinjo.corpus import Corpus
    from kinjo.models import open_model

    hub = desks.hub
    path = None if name in (LOADED, TAUGHT) else files.inside(hub.settings.data, name)
    stamp: Any = path and (path.stat().st_mtime_ns, path.stat().st_size)
    if name == TAUGHT:
        state = hub.profiles.state(DEFAULT)
        stamp = state and state.serial

    def make(at: Told) -> Judged:
        model: Model = hub.model(DEFAULT) if name == TAUGHT else hub.base if path is None else open_model(path)
        store = Corpus.open(files.inside(hub.settings.data, source.name))
        return judging.judge(model, title(name), store, source.title, at)

    return hub.results.ask(("judged", source.name, source.key, name, stamp), make)
