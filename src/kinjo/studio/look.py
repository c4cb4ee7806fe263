"""The page of one recording: its timeline, and beside it teaching, labels, what to look at next, and what is known."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from kinjo.studio.desk import Desk
from kinjo.studio.finding import Example, about
from kinjo.studio.labels import Spans, unsure
from kinjo.studio.lanes import Lanes
from kinjo.studio.parts import button, clock, heading, icon
from kinjo.timeline import UNKNOWN, Span

LISTED = 40
"""Rows of a list."""
Attempt = Callable[[Callable[[], Any]], Awaitable[Any]]


class Look:
    """``attempt`` does work in a thread and says what went wrong, ``problem`` puts an error into words."""

    def __init__(
        self, desk: Desk, attempt: Attempt, problem: Callable[[Exception], str],
        begin: tuple[float, float, bool] | None = None,
    ) -> None:  # fmt: skip
        """``begin``: a span to look at first, and whether it is played."""
        self.desk, self.attempt, self.problem, self.begin = desk, attempt, problem, begin
        self.chosen: tuple[float, float] | None = None
        self.picked: tuple[str, Span] | None = None
        self.said: Spans = ()
        self.found: Spans = ()
        self.enters, self.recognised = "teach", False
        self.beside: list[Callable[[], None]] = []  # further cards

    # -------------------------------------------------------------------------------------------- what is on it
    def build(self) -> None:
        """All of it; the lists are filled by ``start``."""
        with ui.element("main").classes("kj-page kj-look"):
            with ui.element("section").classes("kj-card").props('aria-label="Timeline"'):
                self.lanes = Lanes(self.desk.opened.id, self.begin)
                self.lanes.on("drawn", self.recognise)
                self.lanes.on("choose", self._choose)
                self.lanes.on("shift", self._shift)
                self.lanes.on("name", self._focus)
                self.lanes.on("next", self._next)
                self.lanes.on("remove", self._remove)
                self.lanes.on("undo", self._undo)
            with ui.element("aside").classes("kj-side"):
                self._naming()
                for build in self.beside:
                    build()
                self.next = self._card("Least sure first")
                self.activities = self._card("What it knows")
                self._export()
                if self.desk.opened.notes:
                    with self._card("What was found out about the file"):
                        for note in self.desk.opened.notes:
                            ui.label(note).classes("kj-soft")

    def _card(self, title: str) -> Any:
        with ui.element("section").classes("kj-card"):
            heading(title)
            return ui.element("div").classes("kj-list").props('tabindex=0 role="group"')

    def _naming(self) -> None:
        with ui.element("section").classes("kj-card"):
            heading("Name what you see")
            self.where = ui.label("Drag over a span of the timeline first.").classes("kj-soft")
            self.name = ui.input(label="Activity", autocomplete=[]).on("keydown.enter", self._enter)
            self.name.classes("kj-name")
            with ui.element("div").classes("kj-row"):
                self.teaches = button("Teach", self._teach)
                button("Label", self._label, kind="other")
                button("Undo", self._undo, kind="flat")
                self.remover = button("Remove", self._remove, kind="flat")
                self.remover.set_visibility(False)
            ui.label("Teach: it is recognised from now on. Label: it is said of this span alone.").classes("kj-soft")
            with ui.element("div") as self.telling:
                self.sentence = ui.input(label="Or say in a sentence what it is").props("autogrow")
                button("Teach in words", self._tell, kind="other").style("margin-top: 8px")
            self.telling.set_visibility(False)

    def _export(self) -> None:
        base = f"/studio/{self.desk.opened.id}/segments"
        with ui.element("section").classes("kj-card"):
            heading("Export segments")
            ui.label("What was recognised, corrected by your labels.").classes("kj-soft")
            with ui.element("div").classes("kj-row"):
                for kind in ("csv", "json"):
                    ui.link(kind.upper(), f"{base}.{kind}?profile={self.desk.profile}").props(
                        f"download=segments.{kind}"
                    )

    # -------------------------------------------------------------------------------------------- what it shows
    async def start(self) -> None:
        """Labels at once; what is recognised comes once the signals are drawn."""
        self.said = await self.attempt(self.desk.said) or ()
        if not self.recognised:
            self.lanes.show(self.said, (), "at work ...")

    async def recognise(self) -> None:
        """Anew, by what is known now; and all lists."""
        why, self.recognised = "", True
        try:
            await self.desk.desks.hub.loaded()
            self.found = await self.desk.desks.hub.work(self.desk.found)
            self.telling.set_visibility(self.desk.words())
        except Exception as error:
            self.found, why = (), f"nothing: {self.problem(error)}"
            self.teaches.set_enabled(False)
        await self.show(why)

    async def show(self, why: str = "") -> None:
        """Spans and lists as they are now."""
        self.said = await self.attempt(self.desk.said) or ()
        self.lanes.show(self.said, self.found, why[:120] or "nothing")
        known = ()
        shown: list[dict[str, Any]] = []
        if not why:
            known, shown = await self.attempt(lambda: (self.desk.known(), self.desk.shown())) or ((), [])
        self.name.set_autocomplete(sorted({*known, *(s.label for s in self.said)} - {UNKNOWN}))
        self._list_unsure(why)
        self._list_known(known, shown, why)

    def _list_unsure(self, why: str) -> None:
        self.next.clear()
        rows = unsure(self.found, self.said)
        with self.next:
            if not rows:
                ui.label(why or "Nothing is left to look at: all that was recognised has a label.").classes("kj-soft")
            for span in rows[:LISTED]:
                with ui.element("div").classes("kj-item"):
                    text = f"{clock(span.start_s)} {span.label}, {span.confidence:.0%}"
                    row = button(text, lambda _, one=span: self.lanes.goto(one, "found"), kind="flat")
                    row.props("dense align=left")
                    if span.label != UNKNOWN:
                        icon("check", f"{span.label} is right", lambda _, one=span: self._confirm(one))
            if len(rows) > LISTED:
                ui.label(f"and {len(rows) - LISTED} more").classes("kj-soft")

    def _list_known(self, known: tuple[str, ...], shown: list[dict[str, Any]], why: str) -> None:
        self.activities.clear()
        with self.activities:
            if not known:
                ui.label(why or "No activity yet: teach one.").classes("kj-soft")
            for name in sorted(known, key=lambda one: (not any(e["name"] == one for e in shown), one)):
                with ui.element("div").classes("kj-item"):
                    ui.label(name)
                    icon("close", f"Forget {name}", lambda _, one=name: self._forget(one))
                for one in (e for e in shown if e["name"] == name):
                    self._example(one)

    def _example(self, one: dict[str, Any]) -> None:
        said = one.get("sentence") or f"{one['recording']}, {clock(one['start_s'])} to {clock(one['end_s'])}"
        with ui.element("div").classes("kj-item").style("padding-left: 14px"):
            ui.label(said).classes("kj-soft")
            icon("delete", f"Remove this example of {one['name']}", lambda: self._drop(one["id"]))

    async def example(self) -> Example:
        """The span that is chosen, or as much around the playhead as the model looks at."""
        if self.chosen is not None and self.chosen[0] < self.chosen[1]:
            return Example(self.desk.opened, *self.chosen)
        at = await self.lanes.now()
        return Example(self.desk.opened, *about(self.desk.desks.hub, self.desk.opened, at))

    # -------------------------------------------------------------------------------------------- what people do
    def _choose(self, event: Any) -> None:
        span, picked, lane = event.args.get("span"), event.args.get("picked"), event.args.get("lane")
        self.chosen = (float(span[0]), float(span[1])) if span else None
        self.picked = None
        if picked:
            spans = self.said if lane == "said" else self.found
            match = next((s for s in spans if _same(s, picked)), None)
            self.picked = match and (lane, match)
        text = "Drag over a span of the timeline first."
        if self.chosen:
            text = f"{clock(self.chosen[0])} to {clock(self.chosen[1])}"
        if self.picked:
            text = f"{text}: {self.picked[1].label}"
            self.name.set_value("" if self.picked[1].label == UNKNOWN else self.picked[1].label)
        self.where.set_text(text)
        self.remover.set_visibility(self.picked is not None)

    def _focus(self, event: Any) -> None:
        self.enters = (event.args or {}).get("how", "teach")

    async def _enter(self) -> None:
        await (self._label() if self.enters == "label" else self._teach())
        self.lanes.run_method("back")

    def _named(self, *, span: bool = True) -> str | None:
        name = str(self.name.value or "").strip()
        if span and (self.chosen is None or self.chosen[0] >= self.chosen[1]):
            ui.notify("Drag over a span of the timeline first, or mark in and out.", type="warning")
            return None
        if not name or name == UNKNOWN:
            ui.notify("Name the activity.", type="warning")
            return None
        return name

    async def _teach(self) -> None:
        name = self._named()
        if name is None or self.chosen is None:
            return
        start, end = self.chosen
        windows = await self.attempt(lambda: self.desk.teach(name, start, end))
        if windows is not None:
            ui.notify(f"'{name}' learnt from {end - start:.1f} s.", type="positive")
            await self.recognise()

    async def _tell(self) -> None:
        name, sentence = self._named(span=False), str(self.sentence.value or "").strip()
        if name is None:
            return
        if not sentence:
            ui.notify("Say in a sentence what it is.", type="warning")
            return
        if await self.attempt(lambda: (self.desk.tell(name, sentence), True)):
            self.sentence.set_value("")
            ui.notify(f"'{name}' learnt from a sentence.", type="positive")
            await self.recognise()

    async def _label(self) -> None:
        name = self._named()
        if name is None or self.chosen is None:
            return
        (start, end), picked = self.chosen, self.picked
        if picked is not None and picked[1][:2] == (start, end):
            await self._changed(lambda: self.desk.change(picked[1], picked[1]._replace(label=name)))
        else:
            await self._changed(lambda: self.desk.label(name, start, end))

    async def _confirm(self, span: Span) -> None:
        await self._changed(lambda: self.desk.change(span, span))

    async def _shift(self, event: Any) -> None:
        if self.picked is not None:
            old = self.picked[1]
            new = old._replace(start_s=float(event.args["from_s"]), end_s=float(event.args["to_s"]))
            await self._changed(lambda: self.desk.change(old, new))

    async def _remove(self) -> None:
        if self.picked is not None:
            old = self.picked[1]
            await self._changed(lambda: self.desk.change(old, None))

    async def _changed(self, how: Callable[[], None]) -> None:
        """A label, and the lists after it."""
        if await self.attempt(lambda: (how(), True)):
            self.picked = None
            self.remover.set_visibility(False)
            await self.show()

    def _next(self) -> None:
        rows = unsure(self.found, self.said)
        now = self.picked[1] if self.picked else None
        at = next((i + 1 for i, one in enumerate(rows) if one == now), 0) % max(len(rows), 1)
        if rows:
            self.lanes.goto(rows[at], "found")
        else:
            ui.notify("Nothing is left to look at.", type="info")

    async def _undo(self) -> None:
        what = await self.attempt(self.desk.undo)
        if what:
            ui.notify(f"Taken back: {what}.", type="info")
            await self.recognise()
        elif what is not None:
            ui.notify("There is nothing to take back.", type="info")

    async def _drop(self, id: str) -> None:
        if await self.attempt(lambda: (self.desk.remove(id), True)):
            await self.recognise()

    async def _forget(self, name: str) -> None:
        if await self.attempt(lambda: (self.desk.forget(name), True)):
            ui.notify(f"'{name}' is forgotten; Undo takes that back.", type="info")
            await self.recognise()


def _same(span: Span, given: list[Any]) -> bool:
    return abs(span.start_s - given[0]) < 1e-5 and abs(span.end_s - given[1]) < 1e-5 and span.label == given[2]
