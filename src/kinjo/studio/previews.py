"""A moment in small: some frames of its video, its skeleton, or its signal, to be seen and played in a list."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Request
from fastapi import Path as InPath
from numpy.typing import NDArray
from starlette.responses import Response

from kinjo.recording import Recording, Stream
from kinjo.studio import frames
from kinjo.studio.desk import Desks
from kinjo.studio.finding import Place
from kinjo.studio.problems import Refused
from kinjo.studio.views import FILE, desks_of, packed

FRAMES, POSES, BINS = 16, 120, 120
"""Of a preview."""
router = APIRouter(prefix="/studio/moment", include_in_schema=False)
Id = Annotated[str, InPath(max_length=40)]


@router.get("/{id}/strip")
async def strip(request: Request, id: Id) -> Response:
    """Frames of the whole moment side by side."""
    place, desks = _place(request, id)

    def work() -> tuple[bytes, int]:
        recording = recording_of(place)
        stream = next((s for s in recording.streams.values() if s.contract.modality == "video" and s.length), None)
        if stream is None:
            raise Refused(404, "not_found", "no video in this moment")
        first, stop = _between(stream, place)
        numbers = np.unique(np.linspace(first, stop - 1, FRAMES).round().astype(int))
        return frames.picked(stream, numbers), len(numbers)

    picture, count = await desks.hub.work(work)
    return Response(picture, media_type="image/jpeg", headers={**FILE, "Kinjo-Frames": str(count)})


@router.get("/{id}")
async def numbers(request: Request, id: Id) -> Response:
    """Its joints on a plane, or the least and the most of its signal over time: see ``views.packed``."""
    place, desks = _place(request, id)
    return Response(
        await desks.hub.work(lambda: seen(recording_of(place), place)), media_type="application/octet-stream"
    )


def _place(request: Request, id: str) -> tuple[Place, Desks]:
    desks = desks_of(request)
    return desks.places.get(id), desks


def recording_of(place: Place) -> Recording:
    """As its corpus keeps it."""
    return place.ready.index.corpus.recording(place.recording)


def _between(stream: Stream, place: Place) -> tuple[int, int]:
    """Its samples in the moment; one at least."""
    first, stop = stream.between(place.start_s, place.end_s)
    first = min(max(first, 0), stream.length - 1)
    return first, max(first + 1, min(stop, stream.length))


def seen(recording: Recording, place: Place) -> bytes:
    """A skeleton where there is one, else a signal."""
    some = [s for s in recording.streams.values() if s.length]
    pose = next((s for s in some if s.contract.modality == "pose"), None)
    if pose is not None:
        return _skeleton(pose, place)
    signal = next((s for s in some if s.contract.quantity == "acc"), None)
    signal = signal or next((s for s in some if s.contract.modality == "imu"), None)
    if signal is None:
        raise Refused(404, "not_found", "nothing in this moment can be drawn")
    first, stop = _between(signal, place)
    bins = spark(np.asarray(signal.values(first, stop), np.float32), signal.mask(first, stop))
    return packed([({"kind": "signal", "channels": bins.shape[1]}, bins)])


def _skeleton(pose: Stream, place: Place) -> bytes:
    first, stop = _between(pose, place)
    turn = frames.front(pose)
    joints = np.concatenate([
        frames.flat(pose, i, i + 1, turn) for i in np.unique(np.linspace(first, stop - 1, POSES).round().astype(int))
    ])  # fmt: skip
    known = joints.reshape(-1, 2)[np.isfinite(joints.reshape(-1, 2)).all(1)]
    low, high = (known.min(0), known.max(0)) if len(known) else (np.zeros(2), np.ones(2))
    box = [*low.tolist(), *np.maximum(high, low + 1e-3).tolist()]
    facts = {"kind": "pose", "joints": joints.shape[1], "bones": frames.bones(pose), "box": box}
    return packed([(facts, joints)])


def spark(values: NDArray[np.float32], missing: NDArray[np.bool_], bins: int = BINS) -> NDArray[np.float32]:
    """Least and most of each axis in up to ``bins`` parts, (parts, axes, 2); NaN where all is missing."""
    values = np.where(missing[:, None], np.float32("nan"), values.reshape(len(values), -1))
    out = np.full((min(bins, len(values)), values.shape[1], 2), np.nan, np.float32)
    for k, part in enumerate(np.array_split(values, len(out))):
        there = np.isfinite(part).any(0)
        out[k, there, 0], out[k, there, 1] = np.nanmin(part[:, there], 0), np.nanmax(part[:, there], 0)
    return out
