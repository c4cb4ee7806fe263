"""The page of a phone, and what it sends: the messages of ``/v1/stream``, and some of its own: ``{"phone": ...``.

The service says first where the phone is worn (``place``); then the phone says what comes, as any client. Its own
messages: ``state`` (why nothing comes), ``clock`` (whose answer tells how far two clocks are apart), ``record``,
``back`` and ``place``. iPhones refuse WebSockets to a certificate that nobody vouches for, even where its page was
allowed: there the same messages go by POST, and the answers come with its response.
"""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import FileResponse, Response
from starlette.websockets import WebSocket

from kinjo.live import matched
from kinjo.stream import Event, Ready, contracts
from kinjo.studio import passes
from kinjo.studio.hub import Hub
from kinjo.studio.pairs import Pair, Pairs
from kinjo.studio.problems import Refused
from kinjo.studio.sockets import LONGEST, Client, converse

WEB = Path(__file__).with_name("web")
KINDS = {"phone.js": "text/javascript", "phone.css": "text/css"}
HEAD = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
}  # fmt: skip
TAKEN = 4001
"""The code of a connection that another phone took over."""
ANSWER_S, WAITING, LEFT_S = 0.04, 64, 30.0
"""By POST: seconds that an answer waits for events, messages that may wait, seconds that the last events are kept."""
router = APIRouter(include_in_schema=False)


class Said(BaseModel):
    """A message of the phone's own."""

    model_config = ConfigDict(extra="forbid")

    phone: Literal["state", "clock", "record", "back", "place"]
    state: Literal["there", "asks", "starts", "refused", "none", "insecure", "hidden", "streams"] = "there"
    at: float = 0.0
    offset_s: float | None = None
    latency_ms: float | None = None
    rate_hz: float | None = None
    name: str = Field("", max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")
    id: str = Field("", max_length=64)
    place: str = Field("", max_length=40)


class Samples(BaseModel):
    """Samples as the phone's page sends them."""

    stream: str
    t: list[float]
    values: list[list[float]]


def add(app: FastAPI) -> Pairs:
    """Have an app of ``create_app`` answer phones; their pairs."""
    app.state.pairs, app.state.mailboxes = Pairs(app.state.hub), {}
    app.include_router(router)
    return app.state.pairs


# ------------------------------------------------------------------------------------------------ the page
@router.get("/phone/{pair}")
async def page(pair: str) -> Response:
    """What the QR code opens."""
    _known(pair)
    text = (WEB / "phone.html").read_text(encoding="utf-8").replace("{pair}", pair)
    return Response(text, media_type="text/html", headers=HEAD)


@router.get("/phone/{pair}/{file}")
async def part(pair: str, file: str) -> Response:
    """Its script and its looks."""
    _known(pair)
    if file not in KINDS:
        raise Refused(404, "not_found", "no such file")
    return FileResponse(WEB / file, media_type=KINDS[file], headers=HEAD)


def _known(pair: str) -> None:
    if passes.page_of(f"/phone/{pair}") is None:
        raise Refused(404, "not_found", "this is no phone's address", "Scan the code of the Live page.")


# ------------------------------------------------------------------------------------------------ what it sends
@router.websocket("/phone/{pair}/stream")
async def stream(socket: WebSocket, pair: str) -> None:
    """Its messages."""
    await socket.accept()
    if passes.page_of(f"/phone/{pair}") is None:
        await socket.close(1008, "this is no phone's address")
        return
    one = socket.app.state.pairs.get(pair)
    await converse(socket, socket.app.state.hub, lambda socket, hub: Phone(socket, hub, one))


@router.post("/phone/{pair}/send")
async def send(request: Request, pair: str, visit: str) -> Response:
    """The same, where there is no WebSocket. ``visit`` stands for the connection."""
    _known(pair)
    app, body = request.app, await request.body()
    if len(body) > LONGEST or not 8 <= len(visit) <= 64:
        raise Refused(413, "too_large", f"a message of more than {LONGEST} bytes", "Send fewer samples at once.")
    boxes: dict[tuple[str, str], Mailbox] = app.state.mailboxes
    box = boxes.get((pair, visit))
    if box is None:
        if len(boxes) >= app.state.hub.settings.clients:
            raise Refused(429, "busy", "too many phones", "Try again later.", headers={"Retry-After": "30"})
        box = boxes[pair, visit] = Mailbox()
        one, loop = app.state.pairs.get(pair), asyncio.get_running_loop()
        box.task = asyncio.create_task(converse(box, app.state.hub, lambda socket, hub: Phone(socket, hub, one)))
        box.task.add_done_callback(lambda _: loop.call_later(LEFT_S, boxes.pop, (pair, visit), None))
    lines = await box.exchange(body.decode("utf-8", "replace"))
    return Response("\n".join(lines), media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})


class Mailbox:
    """What a ``Client`` asks of a WebSocket, for messages that come by POST."""

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None
        self._in: asyncio.Queue[str | None] = asyncio.Queue(WAITING)
        self._out: list[str] = []
        self._some, self._closed = asyncio.Event(), False

    async def exchange(self, text: str) -> list[str]:
        """Hand a message in; the events that there are, or come in a moment."""
        if text and not self._closed:
            try:
                self._in.put_nowait(text)
            except asyncio.QueueFull:
                raise Refused(429, "busy", "messages come too fast", "Send more in each.") from None
        if not self._out:
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self._some.wait()
            except TimeoutError:
                pass
        out, self._out = self._out, []
        self._some.clear()
        return out

    async def receive(self) -> dict[str, Any]:
        """As a WebSocket's."""
        text = await self._in.get()
        return {"type": "websocket.disconnect"} if text is None else {"type": "websocket.receive", "text": text}

    async def send_text(self, text: str) -> None:
        """As a WebSocket's. ``TimeoutError`` where nobody fetches what is sent."""
        if len(self._out) >= WAITING * 4:
            raise TimeoutError
        self._out.append(text)
        self._some.set()

    async def close(self, code: int = 1000, reason: str | None = None) -> None:
        """As a WebSocket's: the last that is fetched."""
        if not self._closed:
            self._closed = True
            self._out.append(json.dumps({"event": "closed", "code": code, "reason": reason or ""}))
            self._some.set()
            if not self._in.full():
                self._in.put_nowait(None)


class Phone(Client):
    """The connection of a phone: a client of ``/v1/stream`` whose pair is told all of it."""

    def __init__(self, socket: Any, hub: Hub, pair: Pair) -> None:
        super().__init__(socket, hub)
        self.pair = pair
        self._speaks, self._soon = asyncio.Lock(), set[asyncio.Task[None]]()
        self._first: str | None = None  # what comes, of a model that knows nothing yet

    async def run(self) -> None:
        """Talk; the phone that was there before is told that it is not any more."""
        pair = self.pair
        before, pair.phone = pair.phone, self
        if before is not None:
            self._later(before.socket.close(TAKEN, "another phone took over"))
        pair.tell({"event": "phone", "state": "there"})
        pair.watch(self._pass_on)
        try:
            if "place" not in pair.last:
                await pair.placed()
            await super().run()
        finally:
            pair.watchers.discard(self._pass_on)
            if pair.phone is self:
                pair.phone = None
                pair.tell({"event": "phone", "state": "away"})

    def _pass_on(self, event: Event) -> None:
        """What happens to the pair, and is not heard from this connection."""
        if event["event"] in ("place", "record"):
            self._later(super()._tell([event], time.time()))

    def _later(self, what: Any) -> None:
        async def done() -> None:
            async with self._speaks:
                try:
                    await what
                except Exception:  # it has gone: who listens finds that out
                    return

        task = asyncio.get_running_loop().create_task(done())
        self._soon.add(task)
        task.add_done_callback(self._soon.discard)

    async def _tell(self, events: list[Event], received_s: float) -> None:
        for event in events:
            self.pair.tell(event)
        async with self._speaks:
            await super()._tell(events, received_s)

    async def _due(self, line: str) -> list[Ready]:
        if line.startswith('{"phone"'):
            await self._own(line)
            return []
        if self.hello is None and self._first is None:
            await self._greeted(self._here(line))
            return []
        if self.hello is None and self._first is not None and self.hub.changes(self.pair.profile) != self._changes:
            await self._greeted(self._first)
        due = await super()._due(line) if self.hello is not None else []
        try:
            some = Samples.model_validate_json(line)
        except ValidationError:
            return due  # it ends, or is missing something: nothing to draw
        if some.stream in self.pair.contracts and len(some.t) == len(some.values):
            self.pair.hear(some.stream, some.t, some.values)
        return due

    def _here(self, line: str) -> str:
        """The first line, of this pair's profile and place whatever it says."""
        said = json.loads(line)
        if not isinstance(said, dict) or not isinstance(said.get("streams"), dict):
            raise ValueError('say first what comes: {"streams": ...}')
        for one in said["streams"].values():
            if isinstance(one, dict):
                one["placement"] = self.pair.place
        return json.dumps({**said, "profile": self.pair.profile, "windows": True, "counts": True})

    async def _greeted(self, line: str) -> None:
        """As all; where nothing is known yet, the signal is heard all the same, so that it can be taught."""
        given = contracts(json.loads(line)["streams"])
        model = await self.hub.loaded()
        matched(model.plan.slots, given)  # raises for what the model does not read
        if self._first is None:
            self.pair.begin(given)
        self._changes = self.hub.changes(self.pair.profile)
        try:
            await super()._greeted(line)
            self._first = None
        except ValueError:
            known = await self.hub.work(lambda: self.hub.model(self.pair.profile))
            first, self._first = self._first, None if known.labels else line
            if known.labels or first is None:
                raise

    async def _own(self, line: str) -> None:
        try:
            said = Said.model_validate_json(line)
        except ValidationError as error:
            raise ValueError(f"of the phone: {error.errors()[0]['msg']}") from None
        pair = self.pair
        if said.phone == "clock":
            pair.offset_s = said.offset_s
            more = {"latency_ms": said.latency_ms, "rate_hz": said.rate_hz}
            pair.tell({"event": "phone", "state": said.state, **more})
            async with self._speaks:
                answer: Event = {"event": "clock", "at": said.at, "server_s": time.monotonic()}
                await super()._tell([answer], time.time())
        elif said.phone == "state":
            pair.tell({"event": "phone", "state": said.state})
        elif said.phone == "record":
            pair.record(said.name)
        elif said.phone == "back":
            await pair.take_back(said.id)
        else:
            await pair.placed(said.place)
