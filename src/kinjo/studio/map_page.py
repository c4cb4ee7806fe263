"""The page with the map of the joint space."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.element import Element

from kinjo.studio import finding, mapping
from kinjo.studio.desk import Desks
from kinjo.studio.jobs import Stopped
from kinjo.studio.look import Attempt
from kinjo.studio.mapping import Cloud
from kinjo.studio.search_page import NO_DATA, NOTHING
from kinjo.studio.sources import Source, needed, sources
from kinjo.studio.waiting import Waiting, ready

Problem = Callable[[Exception], str]


class Plane(Element, component="web/map.js", esm={"kinjo-draw": "web/draw"}):
    """Points on a plane, as ``mapping.told`` gives them. Event: ``open`` (point)."""

    def __init__(self) -> None:
        super().__init__()
        self._props["cloud"], self._props["by"] = None, "label"

    def show(self, cloud: dict[str, Any]) -> None:
        """Other points."""
        self._props["cloud"] = cloud
        self.update()

    def colour(self, by: str) -> None:
        """By one of ``mapping.BY``."""
        self._props["by"] = by
        self.update()


class Map:
    """The page."""

    def __init__(self, desks: Desks, attempt: Attempt, problem: Problem) -> None:
        self.desks, self.attempt, self.problem = desks, attempt, problem
        self.some: list[Source] = sources(desks.hub.settings.data)
        self.cloud: Cloud | None = None
        self.round = 0

    def build(self) -> None:
        """All of it; ``start`` draws."""
        with ui.element("main").classes("kj-page"), ui.element("section").classes("kj-card"):
            if not self.some:
                ui.label(NO_DATA if self.desks.hub.settings.data is None else NOTHING).classes("kj-soft")
                return
            with ui.element("div").classes("kj-row"):
                ui.select(
                    mapping.BY, value="label", label="Colours tell the",
                    on_change=lambda event: self.plane.colour(event.value),
                ).classes("kj-narrow")  # fmt: skip
                where = {"": "all of the data folder", **{s.name: s.title for s in self.some}}
                self.where = ui.select(where, value="", label="Of", on_change=self.start).classes("kj-narrow")
            self.waiting = Waiting()
            self.line = ui.label("Loading the model ...").classes("kj-soft").props('role="status"')
            self.plane = Plane()
            self.plane.on("open", self._open)
            self.plane.set_visibility(False)

    async def start(self) -> None:
        """The map of what is chosen; the last who asks wins."""
        if not self.some:
            return
        self.round += 1
        mine, hub = self.round, self.desks.hub
        try:
            await hub.loaded()
            needed(hub)
            self.line.set_text("")
            got, wrong = await ready(hub, [s for s in self.some if self.where.value in ("", s.name)], self.waiting)
            if not got:
                raise wrong[0] if wrong else ValueError(NOTHING)
            key = ("map", *((one.source.name, one.source.key) for one in got))
            job = hub.results.ask(key, lambda at: mapping.cloud(got, at))
            cloud = await self.waiting.of(hub.results, job, "Laying the windows out, step")
            told = await hub.work(lambda: mapping.told(cloud))
        except Stopped:
            return
        except Exception as error:
            if mine == self.round:
                self.plane.set_visibility(False)
                self.line.set_text(f"No map: {self.problem(error)}")
            return
        if mine == self.round:
            self.cloud = cloud
            self.plane.set_visibility(True)
            self.plane.show(told)
            self.line.set_text(self._told(cloud, wrong))

    def _told(self, cloud: Cloud, wrong: list[Exception]) -> str:
        which = f"{len(cloud):,} of {cloud.windows:,}, evenly" if len(cloud) < cloud.windows else f"all {len(cloud):,}"
        said = f"A point is a window as one modality sees it: {which}. Laid out by {cloud.how}."
        return said + "".join(f" Not shown: {self.problem(error)}" for error in wrong[:3])

    async def _open(self, event: Any) -> None:
        cloud, number = self.cloud, event.args.get("point")
        if cloud is None or not isinstance(number, int) or not 0 <= number < len(cloud):
            return
        point = cloud.point(number)
        source = cloud.ready[int(cloud.of[number])]
        place = finding.placed(source, point["recording"], start_s=point["from_s"], end_s=point["to_s"])
        id = self.desks.places.put(place)
        ui.navigate.to(f"/moment/{id}")
