"""Long work as a page shows it: how far it is, and what came of it. Who leaves the page stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from nicegui import ui

from kinjo.studio.hub import Hub
from kinjo.studio.jobs import Job, Jobs, Stopped
from kinjo.studio.problems import Refused
from kinjo.studio.sources import NOTHING, Ready, Source, indexed

T = TypeVar("T")
LOOK_S, GONE_S = 0.2, 3.0
"""How often it is looked, and how long a browser may be away."""


class Waiting:
    """A line and a bar, seen while something is waited for."""

    def __init__(self) -> None:
        self.client = ui.context.client
        with ui.element("div").classes("kj-wait") as self.box:
            self.line = ui.label().classes("kj-soft").props('role="status"')
            self.bar = ui.linear_progress(0, show_value=False, size="8px").props('rounded aria-label="Progress"')
        self.box.set_visibility(False)

    async def of(self, jobs: Jobs, job: Job[T], said: str) -> T:
        """What a job gives. ``Stopped`` where its page was left, or it was."""
        away = 0.0
        with jobs.waiting(job):
            try:
                while not job.future.done():
                    away = 0.0 if self.client.has_socket_connection else away + LOOK_S
                    if away > GONE_S:
                        raise Stopped
                    self._show(job, said)
                    await asyncio.sleep(LOOK_S)
            finally:
                self.box.set_visibility(False)
        return job.future.result()

    def _show(self, job: Job[Any], said: str) -> None:
        share = job.done / job.total if job.total else 0.0
        self.line.set_text(f"{said} {job.done} of {job.total}" if job.total else f"{said} ...")
        self.bar.set_value(share)
        self.box.set_visibility(True)


async def ready(hub: Hub, some: Sequence[Source], waiting: Waiting) -> tuple[list[Ready], list[Exception]]:
    """Sources with their indices; what went wrong with others."""
    out: list[Ready] = []
    wrong: list[Exception] = []
    await hub.loaded()
    for source in some:
        job = indexed(hub, source)
        try:
            out.append(await waiting.of(hub.indices, job, f"Looking at '{source.title}' for the first time, windows:"))
        except Stopped:
            raise
        except Exception as error:
            if not (isinstance(error, Refused) and error.error == NOTHING):
                wrong.append(error)
    return out, wrong
