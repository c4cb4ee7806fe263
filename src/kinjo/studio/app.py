"""The service as an ASGI app: ``create_app`` for uvicorn, for tests, and for pages on top."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response

import kinjo
from kinjo.corpus.errors import CorpusError
from kinjo.models import open_model
from kinjo.runtime import Model
from kinjo.studio import api
from kinjo.studio.asks import refused
from kinjo.studio.guard import Guard
from kinjo.studio.hub import Hub
from kinjo.studio.metrics import log
from kinjo.studio.problems import Refused, answer, refusal_of
from kinjo.studio.settings import Settings
from kinjo.studio.sockets import stop, stream

ABOUT = """Human activity recognition: recordings of wearable sensors and poses in, activities over time out.

Streams go over WebSocket, `/v1/stream`: see the page on `kinjo serve`. Errors say what to do in `next`."""


def create_app(settings: Settings, model: Model | None = None) -> FastAPI:
    """The app of a service, with the model that ``settings`` name, or with ``model``.

    All that is added to it later is behind the same guard. ``app.state.hub`` is what its routes share.
    """
    if model is None:  # behind a page nobody waits for it
        hub = Hub((lambda: open_model(settings.model)) if settings.pages else open_model(settings.model), settings)
    else:
        hub = Hub(model, settings)

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        await stop(hub)
        await run_in_threadpool(hub.close)

    # no docs pages: they would fetch scripts from elsewhere
    app = FastAPI(
        title="kinjo", version=kinjo.__version__, description=ABOUT, lifespan=life, docs_url=None, redoc_url=None
    )
    app.state.hub = hub
    app.include_router(api.router, dependencies=[Depends(api.there)])
    app.add_api_websocket_route("/v1/stream", stream)
    app.add_api_route("/healthz", healthz, include_in_schema=False)
    app.add_api_route("/metrics", metrics, include_in_schema=False)
    app.add_middleware(Guard, hub=hub)
    app.add_exception_handler(Exception, failed)
    for known in (
        Refused,
        CorpusError,
        ValueError,
        OSError,
        ImportError,
        MemoryError,
        RequestValidationError,
        HTTPException,
    ):
        app.add_exception_handler(known, failed)
    return app


async def healthz() -> Response:
    """Whether it answers."""
    return answer({"status": "ok"})


async def metrics(request: Request) -> Response:
    """What was counted, for Prometheus."""
    return Response(api.hub_of(request).metrics.text(), media_type="text/plain; version=0.0.4")


async def failed(request: Request, error: Exception) -> Response:
    """The answer to what went wrong: 4xx with what to do, and 500 for a fault of kinjo's alone."""
    if isinstance(error, RequestValidationError):
        told = refused(error.errors())
    elif isinstance(error, HTTPException):
        told = Refused(error.status_code, "http", str(error.detail), headers=error.headers)
    else:
        told = refusal_of(error)
    if told is None:
        log(logging.ERROR, path=request.url.path, fault=f"{type(error).__name__}: {error}"[:500])
        told = Refused(500, "fault", "a fault of kinjo's: it is in the log")
    hub = api.hub_of(request)
    plain = told.to_dict()
    if hub.settings.data is not None:  # where the folder is, is nobody's business
        for root in {str(hub.settings.data.resolve()), str(hub.settings.data)} - {".", "/"}:
            plain["detail"] = plain["detail"].replace(f"{root}/", "").replace(root, "the data folder")
    return answer(plain, told.status, told.headers)
