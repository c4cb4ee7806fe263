"""The page that finds moments: by words, or by a span of what is open. And its small sister beside the timeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from kinjo.studio import finding
from kinjo.studio.desk import Desks
from kinjo.studio.finding import MODALITIES, Example
from kinjo.studio.jobs import Stopped
from kinjo.studio.look import Attempt
from kinjo.studio.moments import Moments
from kinjo.studio.parts import button, clock, heading
from kinjo.studio.sources import FILES, Source, needed, sources
from kinjo.studio.waiting import Waiting, ready

NUMBER = 12
"""Moments that a page lists, NEAR beside the timeline."""
NEAR = 6
NO_DATA = "There is nothing to search: start with 'kinjo studio --data FOLDER', a folder with corpora or files."
NOTHING = "There is no corpus and no file in the data folder: 'kinjo import' and 'kinjo gym' write corpora."
NO_WORDS = (
    "This model has learnt no words, so it is asked by an example: open a recording, choose a span of it, and press "
    "'Find more like this'. kinjo-base, and joint spaces that were pre-trained with --text, understand words."
)
HOW = (
    "Similarity is the cosine in the joint space, 1 at most: it ranks, and is no probability. The best are listed "
    "whether or not they are what you mean."
)
Problem = Callable[[Exception], str]


class Finds:
    """What both share: which sources and modalities answer, waiting, and the list of moments."""

    def __init__(self, desks: Desks, attempt: Attempt, problem: Problem, *, small: bool) -> None:
        self.desks, self.attempt, self.problem, self.small = desks, attempt, problem, small
        self.round = 0
        self.some: list[Source] = sources(desks.hub.settings.data)

    def answers(self) -> None:
        """The choice of what answers."""
        self.by = ui.select(MODALITIES, value="", label="Answered by").classes("kj-narrow")

    def room(self) -> None:
        """Where moments come."""
        self.waiting = Waiting()
        self.line = ui.label().classes("kj-soft").props('role="status"')
        self.list = Moments(small=self.small)

    async def find(self, query: str | Example, some: list[Source], number: int, *, own: bool = False) -> None:
        """Ask, and list what answers; the last who asks wins."""
        self.round += 1
        mine, by, hub = self.round, str(self.by.value or ""), self.desks.hub
        self.line.set_text("Searching ...")
        try:
            await hub.loaded()
            vector = await hub.work(lambda: finding.asked(hub, query))
            got, wrong = await ready(hub, some, self.waiting)
            if not got:
                raise wrong[0] if wrong else ValueError(NOTHING)
            like = query if isinstance(query, Example) else None
            found = await hub.work(lambda: finding.search(got, vector, number, modality=by, like=like, own=own))
        except Stopped:
            return
        except Exception as error:
            if mine == self.round:
                self.list.show(())
                self.line.set_text(self.problem(error))
            return
        if mine == self.round:
            self.list.show(finding.shown(self.desks.places, found))
            self.line.set_text(self._told(len(found), got, wrong))

    def _told(self, number: int, got: list[Any], wrong: list[Exception]) -> str:
        windows = sum(len(one.index) for one in got)
        recordings = sum(len(one.index.corpus) for one in got)
        said = f"{number} moments, nearest first, of {recordings} recordings ({windows:,} windows)."
        if not number:
            said = "Nothing answers: no other recording than the one that asks."
        unread = [name for one in got for name in one.unread]
        if self.small and (unread or wrong):
            return f"{said} Some could not be searched: 'On a page' says why."
        if unread:
            said += f" Not searched: {'; '.join(unread[:3])}{' ...' if len(unread) > 3 else ''}."
        return said + "".join(f" Not searched: {self.problem(error)}" for error in wrong[:3])


class Search(Finds):
    """The page. ``like``: a span of what is open, which is asked with at once; ``words``: the same in words."""

    def __init__(
        self, desks: Desks, attempt: Attempt, problem: Problem, *, words: str = "", like: Example | None = None
    ) -> None:
        super().__init__(desks, attempt, problem, small=False)
        self.words, self.like = words, like

    def build(self) -> None:
        """All of it; ``start`` says what the model can."""
        with ui.element("main").classes("kj-page"):
            with ui.element("section").classes("kj-card"):
                if not self.some:
                    ui.label(NO_DATA if self.desks.hub.settings.data is None else NOTHING).classes("kj-soft")
                    return
                self._asks()
            with ui.element("section").classes("kj-card").props('aria-label="Moments"'):
                self.room()
                ui.label(HOW).classes("kj-soft")

    def _asks(self) -> None:
        self.told = ui.label("Loading the model ...").classes("kj-soft")
        if self.like is not None:
            where = f"{self.like.opened.title}, {clock(self.like.start_s)} to {clock(self.like.end_s)}"
            with ui.element("div").classes("kj-row"):
                ui.label(f"Like {where}")
                button("Search again", self._again, kind="other")
        self.sentence = ui.input(label="What to look for, in words", value=self.words).on("keydown.enter", self._say)
        with ui.element("div").classes("kj-row"):
            self.answers()
            where = {"": "all of the data folder", **{s.name: _named(s) for s in self.some}}
            self.where = ui.select(where, value="", label="Where").classes("kj-narrow")
            self.go = button("Search", self._say)
        self.sentence.set_visibility(False)
        self.go.set_visibility(False)

    async def start(self) -> None:
        """Once the page is there."""
        if not self.some:
            return
        try:
            await self.desks.hub.loaded()
            needed(self.desks.hub)
        except Exception as error:
            self.told.set_text(f"Nothing can be searched: {self.problem(error)}")
            return
        speaks = finding.speaks(self.desks.hub)
        self.told.set_text("Say what somebody does, such as 'someone doing squats'." if speaks else NO_WORDS)
        self.sentence.set_visibility(speaks)
        self.go.set_visibility(speaks)
        if self.like is not None:
            await self._again()
        elif self.words and speaks:
            await self._say()

    def _chosen(self) -> list[Source]:
        return [s for s in self.some if self.where.value in ("", s.name)]

    async def _again(self) -> None:
        if self.like is not None:
            await self.find(self.like, self._chosen(), NUMBER)

    async def _say(self) -> None:
        words = str(self.sentence.value or "").strip()
        if not words:
            ui.notify("Say what to look for.", type="warning")
            return
        await self.find(words, self._chosen(), NUMBER)


def _named(source: Source) -> str:
    return f"{len(source.files)} files" if source.name == FILES else source.title


class Near(Finds):
    """A card beside the timeline: what is like a span, in all recordings and modalities. ``span``: what is chosen, or
    around the playhead.
    """

    def __init__(self, desks: Desks, attempt: Attempt, problem: Problem, example: Callable[[], Any]) -> None:
        super().__init__(desks, attempt, problem, small=True)
        self.example = example

    def build(self) -> None:
        """The card."""
        with ui.element("section").classes("kj-card"):
            heading("Like this elsewhere")
            if not self.some:
                ui.label(NO_DATA if self.desks.hub.settings.data is None else NOTHING).classes("kj-soft")
                return
            ui.label("The nearest moments of all recordings, to your span or the playhead.").classes("kj-soft")
            self.answers()
            self.own = ui.checkbox("in this recording too")
            with ui.element("div").classes("kj-row"):
                button("Find more like this", self._find)
                button("On a page", self._page, kind="flat")
            self.room()

    async def _asked(self) -> Example | None:
        try:
            await self.desks.hub.loaded()
            return await self.example()
        except Exception as error:
            self.line.set_text(self.problem(error))
            return None

    async def _find(self) -> None:
        example = await self._asked()
        if example is not None:
            await self.find(example, self.some, NEAR, own=bool(self.own.value))

    async def _page(self) -> None:
        one = await self._asked()
        if one is not None:
            ui.navigate.to(f"/search?like={one.opened.id}&from_s={one.start_s:.3f}&to_s={one.end_s:.3f}")
