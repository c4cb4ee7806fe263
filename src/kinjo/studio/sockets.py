"""Recognition while samples come, over WebSocket: the messages of ``kinjo stream``, a line or several in each.

The first line says more than there: ``profile``, ``late_s``, ``wait_s``, ``hop_s`` (seconds from window to window),
``windows`` (true: an event for each window) and ``counts`` (true: with each the open span, counted so far).
Events tell ``received_s``, the server's clock (Unix time) when the message came that brought them. Once all streams
have ended, the last events come, and the connection is closed. What the profile is taught meanwhile counts at once.

A client is read no faster than it is served, so what it sends too fast stays in its own buffers. What is kept of it
is bounded in time by ``late_s`` and ``wait_s``, and in samples by ``Settings.held``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from kinjo.runtime import Model
from kinjo.stream import Event, Ready, Session
from kinjo.studio.hub import Hub
from kinjo.studio.metrics import log
from kinjo.studio.problems import refusal_of
from kinjo.studio.profiles import DEFAULT, NAME
from kinjo.timeline import Span

LONGEST = 1 << 18
"""Bytes of a message."""
LINES = 256
"""Of a message: each may be answered by an error."""
QUICK = 1 << 14
"""Characters of a message that is read where it came; longer ones go to a thread."""
LONG_S = 60.0
"""Of an open span that is counted where it is; longer ones take milliseconds."""
RATES = (0.1, 10_000.0)
GONE, POLICY, LARGE, FAULT, LATER = 1001, 1008, 1009, 1011, 1013


class Hello(BaseModel):
    """The first line."""

    model_config = ConfigDict(extra="forbid")

    streams: dict[str, dict[str, Any]] = Field(min_length=1, max_length=32)
    profile: str = Field(DEFAULT, pattern=NAME)
    late_s: float = Field(0.5, ge=0, le=10)
    wait_s: float = Field(1.0, ge=0, le=10)
    hop_s: float | None = Field(None, ge=0.25, le=60)
    windows: bool = False
    counts: bool = False


class Closed(Exception):
    """The service closes the connection: with a code and a reason."""

    def __init__(self, code: int, reason: str, why: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.why = code, reason, why


class Client:
    """One connection. ``listens``: whether it waits for a message, so that nothing is lost if it is stopped."""

    def __init__(self, socket: WebSocket, hub: Hub) -> None:
        self.socket, self.hub = socket, hub
        self.session: Session | None = None
        self.model: Model | None = None
        self.hello: Hello | None = None
        self.task = asyncio.current_task()
        self.listens = False
        self._line, self._left, self._at = 0, hub.settings.frames, time.monotonic()
        self._changes = 0

    async def run(self) -> None:
        """Talk until one of the two has enough."""
        while True:
            text = await self._next()
            if text is None:
                return None
            received = time.time(), time.perf_counter()
            events = [event async for event in self._heard(text, received[1])]
            if events:
                await self._tell(events, received[0])
            if self.session is not None and self.session.live is not None:
                held = self.session.live.windows.held
                if held > self.hub.settings.held:
                    raise Closed(LARGE, f"more than {self.hub.settings.held} samples in a window", "held")
                if self.session.over:
                    await self.farewell()
                    return await self.socket.close(1000, "all streams have ended")

    async def _next(self) -> str | None:
        """The next message, None after the last. ``Closed`` where none comes, or the service stops."""
        await self._paced()
        if self.hub.closing:
            raise Closed(GONE, "the service stops", "stop")
        self.listens = True
        try:
            async with asyncio.timeout(self.hub.settings.idle_s):
                message = await self.socket.receive()
        except TimeoutError:
            raise Closed(POLICY, f"nothing came for {self.hub.settings.idle_s:g} s", "idle") from None
        finally:
            self.listens = False
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        if text is None:
            text = message.get("bytes", b"").decode("utf-8", "replace")
        if len(text) > LONGEST:
            raise Closed(LARGE, f"a message of more than {LONGEST} bytes: send fewer samples at once", "large")
        if text.count("\n") > LINES:
            raise Closed(LARGE, f"a message of more than {LINES} lines: send fewer at once", "large")
        return text

    async def _paced(self) -> None:
        """Read no more messages a second than are allowed: the rest waits with the client."""
        rate, now = self.hub.settings.frames, time.monotonic()
        self._left = min(rate, self._left + (now - self._at) * rate) - 1.0
        self._at = now
        if self._left < 0:
            await asyncio.sleep(-self._left / rate)

    async def _heard(self, text: str, received: float) -> AsyncIterator[Event]:
        """The events of a message's lines."""
        for line in text.split("\n"):
            self._line += 1
            if not line.strip():
                continue
            try:
                due = await self._due(line)
            except Exception as error:
                refused = refusal_of(error) or (refusal_of(ValueError(str(error))) if _bad(error) else None)
                if refused is None:
                    raise
                yield {"event": "error", "line": self._line, "message": refused.detail, "next": refused.next}
                continue
            async for event in self._scored(due, received):
                yield event
            for event in () if self.session is None else self.session.say():
                yield event

    async def _due(self, line: str) -> list[Ready]:
        """The windows that a line completes."""
        if self.hello is None:
            await self._greeted(line)
            return []
        session = self.session
        assert session is not None
        if len(line) <= QUICK:
            return list(session.hear(line))
        return await self.hub.work(lambda: list(session.hear(line)))

    async def _greeted(self, line: str) -> None:
        try:
            hello = Hello.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "first line"
            raise ValueError(f'{where}: {first["msg"]}. Say first what comes: {{"streams": ...}}') from None
        for name, contract in hello.streams.items():
            rate = contract.get("rate_hz")
            if not isinstance(rate, int | float) or not RATES[0] <= rate <= RATES[1]:
                raise ValueError(f"{name}: rate_hz: a number from {RATES[0]:g} to {RATES[1]:g}, given {rate!r:.40}")
        changes = self.hub.changes(hello.profile)
        model = await self.hub.work(lambda: self.hub.model(hello.profile))
        plan = replace(model.plan, hop_s=min(hello.hop_s or model.plan.hop_s, model.plan.length_s))
        session = Session(replace(model, plan=plan), late_s=hello.late_s, wait_s=hello.wait_s)
        list(session.hear(json.dumps({"streams": hello.streams})))
        self.model, self.session, self.hello, self._changes = model, session, hello, changes

    async def _renewed(self) -> Model:
        """The model as its profile knows it now: what it is taught meanwhile counts from the next window on."""
        assert self.hello is not None
        assert self.session is not None
        assert self.model is not None
        changes = self.hub.changes(self.hello.profile)
        if changes != self._changes:
            model = await asyncio.to_thread(self.hub.model, self.hello.profile)
            if not model.labels:
                raise Closed(POLICY, "the profile knows no activity any more", "empty")
            self._changes, self.model = changes, model
            self.session.know(model)
        return self.model

    async def _scored(self, due: list[Ready], received: float) -> AsyncIterator[Event]:
        """Have windows scored together with those of others; an event for each, where the client wants them."""
        for times, batch in due:
            assert self.session is not None
            assert self.hello is not None
            vectors = await self.hub.scorer.embed(batch)
            model = await self._renewed()
            scores = model.classes.probabilities(vectors)
            self.session.take((times, batch), scores)
            self.hub.metrics.window_seconds.observe(time.perf_counter() - received)
            for event in _windows(model, times, scores) if self.hello.windows else ():
                yield event
            if self.hello.counts and (span := await self._so_far()) is not None:
                yield {"event": "count", **span._asdict()}

    async def _so_far(self) -> Span | None:
        """The open span, counted; a long one in a thread."""
        live = self.session.live if self.session is not None else None
        if live is None or live.current is None or live.current.end_s - live.current.start_s < LONG_S:
            return live.so_far if live is not None else None
        return await asyncio.to_thread(lambda: live.so_far)

    async def farewell(self) -> None:
        """The spans that were open, before the service leaves a client."""
        if self.session is None:
            return
        due = list(self.session.finish())
        events: list[Event] = [event async for event in self._scored(due, time.perf_counter())]
        events += self.session.bye()
        await self._tell(events, time.time())

    async def _tell(self, events: list[Event], received_s: float) -> None:
        text = "\n".join(json.dumps(event | {"received_s": received_s}) for event in events)
        try:
            async with asyncio.timeout(self.hub.settings.send_s):
                await self.socket.send_text(text)
        except TimeoutError:
            raise Closed(POLICY, "the client reads too slowly", "slow") from None


def _windows(model: Model, times: Any, scores: Any) -> Iterator[Event]:
    """The best label of each window."""
    for (start, end), row in zip(times.tolist(), scores, strict=True):
        best = int(np.argmax(row))
        yield {
            "event": "window", "start_s": start, "end_s": end, "label": model.labels[best],
            "confidence": float(row[best]),
        }  # fmt: skip


def _bad(error: Exception) -> bool:
    """What odd numbers in a line may lead to, and is no fault of the service's."""
    return isinstance(error, TypeError | OverflowError | KeyError)


async def stream(socket: WebSocket) -> None:
    """Recognise while samples come: see the page on ``kinjo serve``."""
    await socket.accept()
    await converse(socket, socket.app.state.hub, Client)


async def converse(socket: Any, hub: Hub, make: Callable[[Any, Hub], Client]) -> None:
    """With a client that ``make`` makes, on a socket that is open: until one of the two has enough."""
    client = make(socket, hub)
    if len(hub.streams) >= hub.settings.clients:
        return await _close(client, Closed(LATER, f"{hub.settings.clients} clients are served already", "full"))
    hub.streams.add(client)
    hub.metrics.clients.set(len(hub.streams))
    try:
        await client.run()
    except WebSocketDisconnect:
        pass
    except Closed as closed:
        await _close(client, closed)
    except asyncio.CancelledError:
        if not hub.closing:
            raise
        await _close(client, Closed(GONE, "the service stops", "stop"))
    except Exception as error:
        log(logging.ERROR, path="/v1/stream", fault=f"{type(error).__name__}: {error}"[:500])
        await _close(client, Closed(FAULT, "a fault of kinjo's: it is in the log", "fault"))
    finally:
        hub.streams.discard(client)
        hub.metrics.clients.set(len(hub.streams))


async def _close(client: Client, closed: Closed) -> None:
    """Say why, and go; at once where the other side does not read."""
    client.hub.metrics.dropped.labels(closed.why).inc()
    try:
        async with asyncio.timeout(1.0 if closed.why == "slow" else client.hub.settings.send_s):
            if closed.code == GONE:
                await client.farewell()
            await client.socket.close(closed.code, closed.reason[:120])
    except Exception as error:  # it has gone, or never reads: the transport is closed when this returns
        log(logging.WARNING, path="/v1/stream", dropped=closed.why, because=type(error).__name__)


async def stop(hub: Hub, wait_s: float = 5.0) -> None:
    """Close all streams: those that wait at once, the others after their message."""
    hub.closing = True
    tasks = []
    for client in list(hub.streams):
        tasks.append(client.task)
        if client.listens and client.task is not None:
            client.task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=wait_s)
