"""What the timeline draws: facts of a recording as JSON, signals and poses as binary numbers, frames as JPEG, exports.

Addresses: ``/studio/<id of what is open>/...``. They are behind the guard as all others, and no part of the API.
"""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, FastAPI, Query, Request
from numpy.typing import NDArray
from starlette.responses import Response

from kinjo.recording import Stream
from kinjo.studio import frames
from kinjo.studio.desk import Desks
from kinjo.studio.labels import as_timeline
from kinjo.studio.opened import Opened
from kinjo.studio.problems import Refused, answer
from kinjo.studio.pyramid import edges_of, samples

WIDEST = 4096
"""Pixels of a view."""
POSES = 4096
"""Poses of one answer."""
router = APIRouter(prefix="/studio", include_in_schema=False)
Seconds = Annotated[float, Query(ge=-1e9, le=1e9)]
FILE = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}


def add(app: FastAPI) -> Desks:
    """Have an app of ``create_app`` answer these addresses; what its pages share."""
    desks = Desks(app.state.hub)
    app.state.desks = desks
    app.include_router(router)
    life = app.router.lifespan_context

    @asynccontextmanager
    async def closing(inner: FastAPI) -> AsyncIterator[Any]:
        async with life(inner) as state:
            yield state
        desks.close()

    app.router.lifespan_context = closing
    return desks


def desks_of(request: Request) -> Desks:
    """What the pages of the app share."""
    return request.app.state.desks


@router.get("/{id}/facts")
async def facts(request: Request, id: str) -> Response:
    """Bounds, lanes, videos and poses."""
    desks = desks_of(request)
    opened = desks.shelf.get(id)
    return answer(await desks.hub.work(lambda: told(opened)))


@router.get("/{id}/view")
async def view(
    request: Request, id: str, from_s: Seconds, to_s: Seconds, pixels: Annotated[int, Query(ge=1, le=WIDEST)]
) -> Response:
    """All signals in a span: see ``packed``."""
    if not from_s < to_s:
        raise Refused(422, "request", "a view begins before it ends", fields=("from_s", "to_s"))
    desks = desks_of(request)
    opened = desks.shelf.get(id)

    def work() -> bytes:
        return packed([drawn(opened, s, from_s, to_s, pixels) for s in opened.of("imu")])

    return Response(await desks.hub.work(work), media_type="application/octet-stream")


@router.get("/{id}/pose/{stream}")
async def pose(request: Request, id: str, stream: str, from_s: Seconds, to_s: Seconds) -> Response:
    """Joints on a plane, with the time of the first."""
    desks = desks_of(request)
    one = stream_of(desks.shelf.get(id), stream, "pose")

    def work() -> bytes:
        start, stop = one.between(from_s, to_s)
        stop = min(stop, start + POSES)
        joints, clock = frames.flat(one, start, stop), one.clock(start, stop)
        step = max(1, round(one.contract.rate_hz / frames.POSE_HZ))
        return packed(
            [({"joints": joints.shape[1] if joints.ndim > 1 else 0, "times": clock[::step].tolist()}, joints)]
        )

    return Response(await desks.hub.work(work), media_type="application/octet-stream")


@router.get("/{id}/strip/{stream}")
async def strip(
    request: Request, id: str, stream: str, first: Annotated[int, Query(ge=0)],
    count: Annotated[int, Query(ge=1, le=frames.MOST)],
) -> Response:  # fmt: skip
    """Frames side by side."""
    desks = desks_of(request)
    one = stream_of(desks.shelf.get(id), stream, "video")
    if first >= one.length:
        raise Refused(404, "not_found", f"'{stream}' has {one.length} frames")
    return Response(
        await desks.hub.work(lambda: frames.strip(one, first, count)), media_type="image/jpeg", headers=FILE
    )


@router.get("/{id}/segments.{kind}")
async def export(request: Request, id: str, kind: Literal["csv", "json"], profile: str = "default") -> Response:
    """What was recognised, corrected by what people said."""
    desks = desks_of(request)
    opened = desks.shelf.get(id)

    def work() -> bytes:
        timeline = as_timeline(desks.whole(opened, profile), opened.title)
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"segments.{kind}"
            timeline.to_csv(path) if kind == "csv" else timeline.to_json(path)
            return path.read_bytes()

    disposition = {"Content-Disposition": f'attachment; filename="segments.{kind}"', "Cache-Control": "no-store"}
    media = "text/csv" if kind == "csv" else "application/json"
    return Response(await desks.hub.work(work), media_type=media, headers=disposition)


# ------------------------------------------------------------------------------------------------ in threads
def stream_of(opened: Opened, name: str, modality: str) -> Stream:
    """A stream by name. ``Refused`` where there is none of it."""
    found = next((s for s in opened.of(modality) if s.name == name), None)
    if found is None:
        raise Refused(404, "not_found", f"no {modality} of that name in this recording")
    return found


def told(opened: Opened) -> dict[str, Any]:
    """What a page has to know before it draws."""
    from_s, to_s = opened.bounds
    lanes = [
        {
            "name": s.name, "quantity": s.contract.quantity, "units": s.contract.units,
            "placement": s.contract.placement or "", "rate_hz": round(s.contract.rate_hz, 3), "axes": s.contract.axes,
            "range": extent(opened, s),
        }
        for s in opened.of("imu")
    ]  # fmt: skip
    videos = [
        {"name": s.name, "rate_hz": s.contract.rate_hz, "length": s.length, "start_s": float(s.clock(0, 1)[0])}
        | dict(zip(("height", "width"), frames.shape(s), strict=True))
        | ({} if s.times is None else {"times": np.round(s.clock(), 4).tolist()})
        for s in opened.of("video")
    ]
    poses = [
        {"name": s.name, "bones": frames.bones(s), "box": frames.box(s), "flat": s.contract.units == "px",
         "units": s.contract.units}
        for s in opened.of("pose")
    ]  # fmt: skip
    return {"id": opened.id, "from_s": from_s, "to_s": to_s, "lanes": lanes, "videos": videos, "poses": poses}


def extent(opened: Opened, stream: Stream) -> tuple[float, float]:
    """The least and the most of a signal, for its scale."""
    top = opened.pyramid(stream.name).levels[-1]
    if not np.isfinite(top).any():
        return -1.0, 1.0
    low, high = float(np.nanmin(top[..., 0])), float(np.nanmax(top[..., 1]))
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def drawn(
    opened: Opened, stream: Stream, from_s: float, to_s: float, pixels: int
) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """A signal in a span: two numbers for each pixel and channel, or, where there are no more, the samples."""
    edges = edges_of(stream, from_s, to_s, pixels)
    first, stop = int(edges[0]), int(edges[-1])
    if stop - first <= 2 * pixels:
        first, stop = max(0, first - 1), min(stream.length, stop + 1)  # the line goes on to the border
        values = samples(stream, first, stop)
        times = (stream.clock(first, stop) - from_s).tolist()
        return {"name": stream.name, "kind": "samples", "times": times, "channels": values.shape[1]}, values
    bins = opened.pyramid(stream.name).bins(edges)
    return {"name": stream.name, "kind": "bins", "channels": bins.shape[1]}, bins


def packed(parts: Sequence[tuple[dict[str, Any], NDArray[np.float32]]]) -> bytes:
    """Length of the JSON (u32), JSON with the count of numbers of each part, padding to 4 bytes, float32 numbers."""
    head = json.dumps([{**facts, "count": int(values.size)} for facts, values in parts]).encode()
    head += b" " * (-len(head) % 4)
    return struct.pack("<I", len(head)) + head + b"".join(np.ascontiguousarray(v, "<f4").tobytes() for _, v in parts)
