"""A process that serves: uvicorn, with connections that may not idle in their headers, and an end that is clean."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from kinjo.studio.metrics import log_to_stderr
from kinjo.studio.settings import Settings
from kinjo.studio.sockets import LONGEST, stop

HEADER_S = 10.0
"""Seconds in which the first request of a connection has to begin its body."""
CLOSE_S = 3.0
"""Seconds in which a client has to read the last that it is told."""
HEADER_BYTES = 1 << 15
STOP_S = 20.0
"""Seconds that requests have to finish when the service stops."""


class Impatient(H11Protocol):
    """uvicorn's own, which waits for ever for a request's headers, and for an answer to be read, and here does not."""

    lost = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called when a connection is made."""
        super().connection_made(transport)
        self.loop.call_later(HEADER_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called when it is gone."""
        self.lost = True
        super().connection_lost(exc)

    def _look(self) -> None:
        """Every some seconds, until it is gone or has become a WebSocket."""
        if self.lost or self.transport.get_protocol() is not self:
            return
        if self.transport.is_closing():  # and what is left is not read
            self.transport.abort()
        elif self.scope is None:  # pyright: ignore[reportUnnecessaryComparison]
            self.transport.close()
        self.loop.call_later(HEADER_S, self._look)


class Firm(WebSocketsSansIOProtocol):
    """uvicorn's own, which waits for ever for a client to read what is left, and here does not."""

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        """Called when the app has done with it."""
        super().on_task_complete(task)
        self.loop.call_later(CLOSE_S, self._cut)

    def _cut(self) -> None:
        if not self.disconnected:
            self.transport.abort()


def serve(app: FastAPI, settings: Settings, *, started: Callable[[], Any] = lambda: None) -> None:
    """Serve until SIGTERM or Ctrl-C: then requests are finished, streams closed with 1001, and the database closed."""
    log_to_stderr()
    app.state.hub.then(_one_thread)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, http=Impatient, ws=Firm, ws_max_size=LONGEST,
        ws_per_message_deflate=False, h11_max_incomplete_event_size=HEADER_BYTES, log_config=None, access_log=False,
        ssl_certfile=settings.certificate, proxy_headers=False, server_header=False, timeout_keep_alive=10,
        timeout_graceful_shutdown=int(STOP_S), lifespan="on",
    )  # fmt: skip
    asyncio.run(_serve(uvicorn.Server(config), app, started))


def _one_thread() -> None:
    """Several requests and all streams share the cores."""
    if (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(1)


async def _serve(server: uvicorn.Server, app: FastAPI, started: Callable[[], Any]) -> None:
    loop = asyncio.get_running_loop()
    leaving: list[asyncio.Task[None]] = []

    async def leave() -> None:
        await stop(app.state.hub)
        server.should_exit = True

    def asked(sig: int, frame: FrameType | None) -> None:
        if leaving:
            server.force_exit = server.should_exit = True
        else:
            loop.call_soon_threadsafe(lambda: leaving.append(loop.create_task(leave())))

    server.handle_exit = asked  # type: ignore[method-assign]
    running = asyncio.create_task(server.serve())
    while not (server.started or running.done()):
        await asyncio.sleep(0.01)
    if not running.done():
        started()
    await running
