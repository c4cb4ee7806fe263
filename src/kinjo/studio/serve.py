"""A process that serves: uvicorn, with connections that may not idle in their headers, and an end that is clean."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from kinjo.studio.metrics import log_to_stderr
from kinjo.studio.settings import Settings
from kinjo.studio.sockets import LONGEST, stop

HEADER_S = 10.0
"""Seconds in which the first request of a connection has to begin its body."""
HEADER_BYTES = 1 << 15
STOP_S = 20.0
"""Seconds that requests have to finish when the service stops."""


class Impatient(H11Protocol):
    """uvicorn's own, which waits for a request's headers for ever, and here does not."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called when a connection is made."""
        super().connection_made(transport)
        self.loop.call_later(HEADER_S, self._give_up)

    def _give_up(self) -> None:
        if self.transport.get_protocol() is self and self.scope is None:  # pyright: ignore[reportUnnecessaryComparison]
            self.transport.close()


def serve(app: FastAPI, settings: Settings, *, started: Callable[[], Any] = lambda: None) -> None:
    """Serve until SIGTERM or Ctrl-C: then requests are finished, streams closed with 1001, and the database closed."""
    log_to_stderr()
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app, host=settings.host, port=settings.port, http=Impatient, ws="websockets-sansio", ws_max_size=LONGEST,
        ws_per_message_deflate=False, h11_max_incomplete_event_size=HEADER_BYTES, log_config=None, access_log=False,
        proxy_headers=False, server_header=False, timeout_keep_alive=10, timeout_graceful_shutdown=int(STOP_S),
        lifespan="on",
    )  # fmt: skip
    asyncio.run(_serve(uvicorn.Server(config), app, started))


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
