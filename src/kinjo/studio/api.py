"""The requests that programs make: recognise, teach, forget, undo, search, and what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from pydantic import BaseModel, Field
from starlette.responses import Response

from kinjo.recording import Recording
from kinjo.runtime import Model
from kinjo.studio import sources
from kinjo.studio.asks import RecognizeAsk, SearchAsk, Source, TeachAsk, asked, body_of
from kinjo.studio.hub import Hub
from kinjo.studio.problems import Problem, Refused, answer
from kinjo.studio.profiles import DEFAULT, NAME
from kinjo.studio.sources import Ready
from kinjo.timeline import Timeline

ProfileName = Annotated[str, Query(pattern=NAME, description="Whose activities: what one learns, no other knows.")]
SAID: dict[int, str] = {
    400: "Not understood.", 401: "No token, or a wrong one.", 403: "From elsewhere.", 404: "Not there.",
    408: "Too slow.", 409: "Not with this profile or model.", 413: "Too large.", 415: "Of a kind that is not read.",
    422: "Something is wrong with what was sent, or has to be told.", 429: "Too often; see Retry-After.",
}  # fmt: skip
PROBLEMS: dict[int | str, dict[str, Any]] = {n: {"model": Problem, "description": said} for n, said in SAID.items()}
router = APIRouter(responses=PROBLEMS)


class SpanTold(BaseModel):
    """What is done from ``start_s`` to ``end_s``."""

    start_s: float
    end_s: float
    label: str
    confidence: float
    repetitions: int | None = None


class ScoresTold(BaseModel):
    """Of each window its times, and how sure each label is."""

    times_s: list[list[float]]
    values: list[list[float]]


class TimelineTold(BaseModel):
    """What is done over time; 'unknown' is a label too. The form of ``Timeline.to_json``."""

    recording: str
    labels: list[str]
    segments: list[SpanTold]
    scores: ScoresTold | None = None
    notes: list[str] = Field(description="What was guessed or mended when the file was read.")


class ActivitiesTold(BaseModel):
    """What a profile knows."""

    profile: str
    activities: list[str]
    counted: list[str] = Field(description="Those whose repetitions are counted.")


class TaughtTold(ActivitiesTold):
    """What a profile knows now."""

    windows: int = Field(description="Windows of the recording that were learnt.")
    notes: list[str]


class UndoneTold(ActivitiesTold):
    """What a profile knows now."""

    undone: bool = Field(description="Whether there was something to take back.")


class MomentTold(BaseModel):
    """A part of a recording of the corpus."""

    recording: str
    start_s: float
    end_s: float
    score: float
    modality: str
    label: str
    description: str


class FoundTold(BaseModel):
    """Moments, best first."""

    moments: list[MomentTold]


class StreamTold(BaseModel):
    """A stream that the model reads; others of the same quantity are converted."""

    name: str
    modality: str
    quantity: str
    units: str
    placement: str | None
    gravity: bool | None
    rate_hz: float


class ModelTold(BaseModel):
    """A model that is loaded."""

    id: str
    labels: list[str]
    streams: list[StreamTold]
    window_s: float
    hop_s: float
    words: bool = Field(description="Whether sentences teach it.")
    search: bool = Field(description="Whether it searches corpora.")


class ModelsTold(BaseModel):
    """What is loaded."""

    models: list[ModelTold]


def hub_of(request: Request) -> Hub:
    """The hub of the app that answers."""
    return request.app.state.hub


async def there(request: Request) -> None:
    """Wait for a model that is being loaded."""
    await hub_of(request).loaded()


@router.post("/v1/recognize", response_model=TimelineTold, openapi_extra=body_of(RecognizeAsk))
async def recognize(request: Request, profile: ProfileName = DEFAULT) -> Response:
    """Recognise what is done in a recording over time.

    Send a file as a form, or JSON with ``table`` or ``path``. What the recording does not say is asked for: the answer
    422 with ``error: question`` names the fields to send.
    """
    hub = hub_of(request)
    async with asked(request, RecognizeAsk, hub.settings.data) as (ask, source):
        given = _needed(source)

        def work() -> dict[str, Any]:
            notes: list[str] = []
            with given(notes) as recording:
                return timeline(hub.model(profile).recognize(recording), notes, scores=ask.scores)

        return answer(await hub.work(work))


@router.post("/v1/teach", response_model=TaughtTold, openapi_extra=body_of(TeachAsk))
async def teach(request: Request, profile: ProfileName = DEFAULT) -> Response:
    """Teach an activity by a recording that shows it, or by a sentence: at once, without training.

    When the answer comes, it is on the disk. An activity of that name gets more examples.
    """
    hub = hub_of(request)
    async with asked(request, TeachAsk, hub.settings.data) as (ask, source):

        def work() -> dict[str, Any]:
            notes: list[str] = []
            said = [ask.sentence] if ask.sentence is not None else []
            if source is None:
                return _taught(hub, profile, ask, said, notes)
            with source(notes) as recording:
                return _taught(hub, profile, ask, [recording, *said], notes)

        return answer(await hub.work(work))


@router.delete("/v1/activities/{name:path}", response_model=ActivitiesTold)
async def forget(
    request: Request, name: Annotated[str, InPath(max_length=200)], profile: ProfileName = DEFAULT
) -> Response:
    """Forget an activity, learnt or taught, in a profile."""
    hub = hub_of(request)

    def work() -> dict[str, Any]:
        try:
            _, model = hub.change(profile, "forget", lambda model: model.forget(name))
        except KeyError as error:
            raise Refused(404, "not_found", str(error.args[0]), "See GET /v1/activities.", fields=("name",)) from None
        return known(model, profile)

    return answer(await hub.work(work))


@router.post("/v1/undo", response_model=UndoneTold)
async def undo(request: Request, profile: ProfileName = DEFAULT) -> Response:
    """Take back the last teaching or forgetting of a profile; up to fifty, one after the other, restarts or not."""
    hub = hub_of(request)

    def work() -> dict[str, Any]:
        undone = hub.undo(profile)
        return known(hub.model(profile), profile) | {"undone": undone}

    return answer(await hub.work(work))


@router.get("/v1/activities", response_model=ActivitiesTold)
async def activities(request: Request, profile: ProfileName = DEFAULT) -> Response:
    """What a profile knows."""
    hub = hub_of(request)
    return answer(await hub.work(lambda: known(hub.model(profile), profile)))


@router.post("/v1/search", response_model=FoundTold, openapi_extra=body_of(SearchAsk))
async def search(request: Request) -> Response:
    """Find the moments of a corpus that are nearest to a sentence or a recording.

    The first search in a corpus computes its index, which may take longer than a request may: it goes on, ask again; or
    keep the index beforehand with ``kinjo search``.
    """
    hub = hub_of(request)
    async with asked(request, SearchAsk, hub.settings.data) as (ask, source):
        if (ask.text is None) == (source is None):
            detail = "search for a text or for a recording"
            raise Refused(422, "request", detail, "Give one of text, file, path and table.", fields=("text",))
        sources.needed(hub)
        ready = await hub.wait(sources.indexed_corpus(hub, ask.corpus))

        def work() -> dict[str, Any]:
            if source is None:
                return found(hub, ask, ready, ask.text or "")
            with source([]) as recording:
                return found(hub, ask, ready, recording)

        return answer(await hub.work(work))


@router.get("/v1/models", response_model=ModelsTold)
async def models(request: Request) -> Response:
    """What is loaded: what it knows, the streams that it reads, and its windows."""
    model = hub_of(request).base
    streams = [
        {
            "name": s.key, "modality": s.modality, "quantity": s.quantity, "units": s.wanted_units,
            "placement": s.placement, "gravity": s.gravity, "rate_hz": s.samples / model.plan.length_s,
        }
        for s in model.plan.slots
    ]  # fmt: skip
    told = {
        "id": model.id, "labels": list(model.labels), "streams": streams, "window_s": model.plan.length_s,
        "hop_s": model.plan.hop_s, "words": model.say is not None and model.classes.words is not None,
        "search": getattr(model, "finder", None) is not None,
    }  # fmt: skip
    return answer({"models": [told]})


# ------------------------------------------------------------------------------------------------ in threads
def _needed(source: Source | None) -> Source:
    if source is None:
        detail = "no recording was sent"
        fields = ("file", "path", "table")
        raise Refused(422, "request", detail, "Send a file in a form, or path or table in JSON.", fields=fields)
    return source


def _taught(
    hub: Hub, profile: str, ask: TeachAsk, examples: Sequence[Recording | str], notes: list[str]
) -> dict[str, Any]:
    counts = ask.repetitions if any(isinstance(one, Recording) for one in examples) else None
    windows, model = hub.change(
        profile, "teach", lambda model: model.teach(ask.name, list(examples), repetitions=counts)
    )
    return known(model, profile) | {"windows": windows, "notes": notes}


def known(model: Model, profile: str) -> dict[str, Any]:
    """As ``ActivitiesTold``."""
    labels = list(model.labels)
    return {"profile": profile, "activities": labels, "counted": [name for name in labels if name in model.rhythms]}


def timeline(found: Timeline, notes: Sequence[str], *, scores: bool) -> dict[str, Any]:
    """As ``TimelineTold``."""
    kept = found.scores if scores else None
    told = kept and {"times_s": kept.times.tolist(), "values": kept.values.tolist()}
    return {
        "recording": found.recording, "labels": list(found.labels), "segments": [s._asdict() for s in found],
        "scores": told, "notes": list(notes),
    }  # fmt: skip


def found(hub: Hub, ask: SearchAsk, ready: Ready, query: str | Recording) -> dict[str, Any]:
    """As ``FoundTold``."""
    moments = sources.needed(hub).search(query, ready.index, ask.k, modality=ask.modality, min_score=ask.min_score)
    return {"moments": [moment.to_dict() for moment in moments]}
