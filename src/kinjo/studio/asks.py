"""What requests ask, as JSON or as a form with a file: one model for both."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.datastructures import UploadFile

from kinjo.recording import Recording
from kinjo.studio import files
from kinjo.studio.problems import Refused

Placed = Annotated[str, StringConstraints(max_length=40)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")
]
"""Of an activity."""
FIELDS = 40
"""Fields of a form."""
LARGEST = 1 << 24
"""Bytes of JSON: hours of a watch. It is read in one piece, while everybody waits."""


class Told(BaseModel):
    """A recording, as one of ``file`` (in a form), ``path`` and ``table``, and what it does not say itself."""

    model_config = ConfigDict(extra="forbid")

    path: str | None = Field(None, max_length=1000, description="A file or folder in the service's data folder.")
    table: dict[Word, list[float | None]] | None = Field(
        None, description="Columns by name, such as acc_x, in order of time; null where a number is missing."
    )
    placement: Placed | dict[Word, Placed] | None = Field(
        None, description="Where on the body the sensor was, such as left_wrist; for several sensors by name."
    )
    rate_hz: float | None = Field(None, gt=0, le=100_000, description="Samples per second, where no times are given.")
    units: Placed | dict[Word, Placed] | None = Field(None, description='Such as {"acc": "g", "gyro": "deg/s"}.')
    gravity: bool | None = Field(None, description="Whether gravity is in the accelerometer's numbers.")
    time_units: Placed | None = Field(None, description="s, ms, us or ns, of the column of times.")
    columns: list[Word] | dict[Word, Word] | None = Field(
        None, description="Names of the columns of a file without a header, or theirs -> acc_x, ..."
    )
    convention: Placed | None = Field(None, description="ios or android, of an export of Sensor Logger.")
    from_s: float | None = Field(None, description="Seconds where the part begins that counts.")
    to_s: float | None = Field(None, description="Seconds where it ends.")

    def said(self) -> dict[str, Any]:
        """Keywords of ``formats.recordings.read_recording``."""
        names = ("placement", "rate_hz", "units", "gravity", "time_units", "columns", "convention")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class RecognizeAsk(Told):
    """A recording to be recognised."""

    scores: bool = Field(False, description="Whether to answer with the scores of all windows too.")


class TeachAsk(Told):
    """An activity: shown by a recording, said by a sentence, or both; by its name alone where neither is given."""

    name: Name = Field(description="What the activity is called.")
    sentence: str | None = Field(None, min_length=1, max_length=1000, description="What it is, in words.")
    repetitions: int | None = Field(None, ge=0, le=100_000, description="How often it is shown; 0: no count.")


class SearchAsk(Told):
    """A sentence or a recording, and where to search."""

    corpus: str = Field(max_length=1000, description="The folder of a corpus in the service's data folder.")
    text: str | None = Field(None, min_length=1, max_length=1000, description="What to look for, in words.")
    k: int = Field(10, ge=1, le=1000, description="How many moments.")
    modality: Placed | None = Field(None, description="Only in this one: video, pose or imu.")
    min_score: float | None = Field(None, ge=-1, le=1)


A = TypeVar("A", bound=Told)
Source = Callable[[list[str]], AbstractContextManager[Recording]]
"""The recording, to be read in a thread while its file is there; receives notes of what was guessed."""


def body_of(ask: type[Told]) -> dict[str, Any]:
    """How OpenAPI describes a body that may be both."""
    schema = ask.model_json_schema()
    form = {**schema, "properties": {"file": {"type": "string", "format": "binary"}, **schema["properties"]}}
    content = {"application/json": {"schema": schema}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


@asynccontextmanager
async def asked(request: Request, kind: type[A], root: Path | None) -> AsyncIterator[tuple[A, Source | None]]:
    """What a request asks, and what reads its recording (None: there is none). The file that it brings lives as long as
    this.
    """
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if form == "multipart/form-data":
        async with request.form(max_files=1, max_fields=FIELDS, max_part_size=1 << 20) as fields:
            plain = {name: _plain(value) for name, value in fields.multi_items() if isinstance(value, str)}
            sent = next((v for v in fields.values() if isinstance(v, UploadFile)), None)
            ask = _valid(lambda: kind.model_validate(plain))
            yield ask, _source(ask, sent, root)
    elif form in ("application/json", ""):
        body = await request.body()
        if len(body) > LARGEST:
            raise Refused(413, "too_large", f"JSON of more than {LARGEST} bytes", "Send the recording as a file.")
        ask = _valid(lambda: kind.model_validate_json(body))
        yield ask, _source(ask, None, root)
    else:
        raise Refused(415, "format", f"a body of '{form[:60]}'", "Send application/json or multipart/form-data.")


def _plain(text: str) -> Any:
    """A field of a form: JSON where it is a list or an object."""
    if text.lstrip()[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _valid(make: Callable[[], A]) -> A:
    try:
        return make()
    except ValidationError as error:
        raise refused(error.errors(include_url=False, include_input=False)) from None


def refused(errors: Any) -> Refused:
    """What pydantic found, as one refusal."""
    where = [".".join(str(part) for part in one["loc"] if part not in ("body", "query", "path")) for one in errors]
    said = "; ".join(f"{at or 'body'}: {one['msg']}" for at, one in list(zip(where, errors, strict=True))[:5])
    return Refused(422, "request", said[:1000], "See /openapi.json.", fields=tuple(w[:100] for w in where if w)[:20])


def _source(ask: Told, sent: UploadFile | None, root: Path | None) -> Source | None:
    given = [name for name, one in (("file", sent), ("path", ask.path), ("table", ask.table)) if one is not None]
    if len(given) > 1:
        detail = f"{' and '.join(given)} are given"
        raise Refused(422, "request", detail, "Give one recording at a time.", fields=tuple(given))
    if not given:
        return None

    @contextmanager
    def there() -> Iterator[Path]:
        if sent is not None:
            with files.kept(sent.file, sent.filename or "") as path:
                yield path
        elif ask.table is not None:
            with files.tabled(ask.table) as path:
                yield path
        else:
            yield files.inside(root, ask.path or "")

    @contextmanager
    def read(notes: list[str]) -> Iterator[Recording]:
        with there() as path:
            recording = files.read(path, ask.said(), notes)
            yield recording.between(ask.from_s, ask.to_s) if (ask.from_s, ask.to_s) != (None, None) else recording

    return read
