"""The Live page: a code that opens the page of a phone, what is recognised of its motion, and teaching by it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.element import Element

from kinjo.studio import passes
from kinjo.studio.certificate import addresses, fingerprint, own
from kinjo.studio.hub import Hub
from kinjo.studio.pairs import RECORD_S, Event, Pair
from kinjo.studio.parts import button, heading
from kinjo.studio.settings import Settings

RENEW_S = passes.PASS_S / 2
"""Seconds after which a code is shown anew, so that it is always good for some minutes."""
DRAWN_S = 0.12
"""Seconds of a signal that are sent at once."""
TRUST = (
    "The certificate is this machine's own, made on the first run: nobody vouches for it, so each browser warns once. "
    "Go on ('Advanced' or 'Show details') if the fingerprint that the browser shows of it is this one:"
)


class Screen(Element, component="web/live.js"):
    """What the phone does, drawn by the browser. Events: ``ready``, ``shown`` (end_s of the window, once painted)."""

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        self.pair = pair
        self._due: list[Event] = []
        self._sent = 0.0
        self.on("ready", lambda: pair.watch(self.take))
        self.on("shown", self._shown)

    def take(self, event: Event) -> None:
        """An event of the pair; a signal waits a moment for more of it."""
        self._due.append(event)
        if event["event"] == "samples" and time.monotonic() - self._sent < DRAWN_S:
            return
        due, self._due, self._sent = self._due, [], time.monotonic()
        self.run_method("take", due)

    def leave(self) -> None:
        """Nobody looks any more."""
        self.pair.watchers.discard(self.take)

    def _shown(self, event: Any) -> None:
        """From the motion to the label on this page, and the way back of that news."""
        if self.pair.offset_s is not None:
            self.run_method("late", (time.monotonic() - self.pair.offset_s - float(event.args["end_s"])) * 1000)


def ways(settings: Settings) -> list[str]:
    """The beginnings of this studio's address under which a phone reaches it, the likeliest first."""
    if settings.loopback:
        return []
    hosts = addresses() if settings.host in ("0.0.0.0", "::") else [settings.host]
    return [f"{settings.scheme}://{f'[{host}]' if ':' in host else host}:{settings.port}" for host in hosts]


def code_address(way: str, pair: str, token: str | None) -> str:
    """What the code says: the phone's page, with a pass where one is needed."""
    return f"{way}/phone/{pair}" + (f"?pass={passes.made(token, pair)}" if token else "")


def code(address: str) -> str:
    """A QR code as SVG, black on white in all looks."""
    import segno

    made = segno.make(address, error="m", micro=False)
    return made.svg_inline(scale=4, border=3, dark="#000000", light="#ffffff", omitsize=True)


class Live:
    """``problem`` puts an error into words."""

    def __init__(self, pair: Pair, hub: Hub, problem: Callable[[Exception], str]) -> None:
        self.pair, self.hub, self.problem = pair, hub, problem
        self.settings = hub.settings
        self.example = ""

    def build(self) -> None:
        """All of it."""
        with ui.element("main").classes("kj-page kj-look"):
            with ui.element("section").classes("kj-card").props('aria-label="What is recognised"'):
                self.screen = Screen(self.pair)
            with ui.element("aside").classes("kj-side"):
                self._phone()
                self._teaching()
                if self.settings.certificate is not None and own(self.settings.certificate):
                    self._trust(fingerprint(self.settings.certificate))
        self.pair.watch(self._heard)
        ui.context.client.on_delete(self._leave)
        ui.timer(0.01, self._places, once=True)

    def _leave(self) -> None:
        self.screen.leave()
        self.pair.watchers.discard(self._heard)

    # -------------------------------------------------------------------------------------------- the phone
    def _phone(self) -> None:
        with ui.element("section").classes("kj-card"):
            heading("The phone")
            self.place = ui.select({}, label="Where it is worn", on_change=self._placed)
            self.unknown = ui.label("Loading the model ...").classes("kj-soft")
            found = ways(self.settings)
            if found and self.settings.certificate is not None:
                self._code(found)
            else:
                self._how()
            ui.link("Open the phone's page on this machine", f"/phone/{self.pair.id}", new_tab=True)

    def _code(self, found: list[str]) -> None:
        self.way = ui.select(found, value=found[0], label="The address of this machine")
        self.way.on_value_change(self._coded)
        self.way.set_visibility(len(found) > 1)
        self.code = ui.html("", sanitize=False).classes("kj-code")
        ui.label("Scan it with the phone's camera, in the same network. The code is good for ten minutes.").classes(
            "kj-soft"
        )
        self.address = ui.label("").classes("kj-soft")
        self._coded()
        ui.timer(RENEW_S, self._coded)

    def _coded(self) -> None:
        way = str(self.way.value)
        self.code.set_content(code(code_address(way, self.pair.id, self.settings.token)))
        self.code.props(f'role=img aria-label="Code that opens the page of the phone at {way}"')
        self.address.set_text(f"It opens {way}/phone/{self.pair.id}")

    def _how(self) -> None:
        """Why there is no code, and what to do."""
        if self.settings.loopback:
            told = "A phone cannot reach this studio: it listens on this machine alone."
        else:
            told = "Browsers give a phone's motion to pages over HTTPS alone."
        ui.label(f"{told} Stop it (Ctrl-C) and start it so:")
        ui.label("kinjo studio --lan").classes("kj-command")
        there = next(iter(addresses()), None)
        at = f"at https://{there}:{self.settings.port}" if there else "in your network, once this machine is in one"
        ui.label(f"It is then {at}, over HTTPS, and asks for a token; here a code for the phone appears.").classes(
            "kj-soft"
        )

    async def _places(self) -> None:
        try:
            await self.pair.placed()
            self.unknown.set_visibility(False)
        except Exception as error:
            self.unknown.set_text(f"Nothing is recognised: {self.problem(error)}")

    async def _placed(self) -> None:
        if self.place.value and self.place.value != self.pair.place:
            await self.pair.placed(str(self.place.value))

    # -------------------------------------------------------------------------------------------- teach
    def _teaching(self) -> None:
        with ui.element("section").classes("kj-card"):
            heading("Teach live")
            self.name = ui.input(label="Activity", autocomplete=[]).classes("kj-name").on("keydown.enter", self._record)
            with ui.element("div").classes("kj-row"):
                self.records = button(f"Record {RECORD_S:g} s", self._record)
                self.back = button("Take it back", self._take_back, kind="flat")
                self.back.set_visibility(False)
            self.told = ui.label("Name it, press, and do it with the phone until the recording is over.")
            self.told.classes("kj-soft").props('role="status"')

    def _record(self) -> None:
        self.pair.record(str(self.name.value or ""))

    async def _take_back(self) -> None:
        await self.pair.take_back(self.example)

    def _heard(self, event: Event) -> None:
        if event["event"] == "place":
            self.place.set_options({one: one.replace("_", " ") for one in event["places"]}, value=event["place"])
        if event["event"] != "record":
            return
        phase, name = event["phase"], event["name"]
        said = {
            "countdown": f"{name}: begin in {event.get('left_s', 0)} ...",
            "record": f"Recording {name} for {event.get('left_s', 0):g} s: do it now.",
            "teach": "Learning ...", "done": f"{name} is known now, also to the stream that runs.",
            "failed": event.get("said", ""), "gone": f"{name}: taken back.",
        }  # fmt: skip
        self.told.set_text(said[phase])
        self.records.set_enabled(phase not in ("countdown", "record", "teach"))
        self.example = event.get("id", "")
        self.back.set_visibility(bool(self.example))

    # -------------------------------------------------------------------------------------------- trust
    def _trust(self, known: str) -> None:
        with ui.element("section").classes("kj-card"):
            heading("Why the browser warns")
            ui.label(TRUST).classes("kj-soft")
            ui.label(known).classes("kj-command")
            ui.label("SHA-256. What goes over the network is encrypted either way.").classes("kj-soft")
