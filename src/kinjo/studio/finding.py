"""Moments in all that the data folder holds: asked by words, by a span of what is open, answered by every modality."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.studio.hub import Hub
from kinjo.studio.opened import Opened
from kinjo.studio.problems import Refused
from kinjo.studio.sources import FILES, Ready, light, needed, open_

KEPT = 4000
"""Moments that pages may show at once."""
MODALITIES = {"": "anything", "imu": "sensors", "pose": "poses", "video": "video"}
"""What may answer, in words."""


@dataclass(frozen=True)
class Place:
    """A moment of a source. ``kind``: how it is shown, video, pose or imu."""

    ready: Ready
    recording: str
    start_s: float
    end_s: float
    score: float = 0.0
    modality: str = ""
    label: str = ""
    description: str = ""
    subject: str = ""
    kind: str = "imu"


class Places:
    """Moments that pages show, the latest ``KEPT``, by an id that nobody guesses: no page names a path."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Place] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, place: Place) -> str:
        """Have it found by the id that this gives."""
        id = secrets.token_urlsafe(9)
        with self._lock:
            self._known[id] = place
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return id

    def get(self, id: str) -> Place:
        """``Refused`` for one that is forgotten."""
        with self._lock:
            if id not in self._known:
                raise Refused(404, "closed", "this moment is not shown any more", "Search again.")
            return self._known[id]


@dataclass(frozen=True)
class Example:
    """A span of what is open, ``[start_s, end_s)`` seconds, which asks for what is like it."""

    opened: Opened
    start_s: float
    end_s: float

    @property
    def where(self) -> tuple[str, str]:
        """The source and the recording that it is of; '' where it was sent."""
        kind, _, rest = self.opened.key.partition(":")
        if kind == "corpus":
            name, _, id = rest.partition("#")
            return name, id
        return (FILES, rest) if kind == "file" else ("", "")


def about(hub: Hub, opened: Opened, at_s: float) -> tuple[float, float]:
    """As much around a time as the model looks at at once, within the recording."""
    length, (first, last) = needed(hub).length_s, opened.bounds
    start = max(first, min(at_s - length / 2, last - length))
    return start, min(last, start + length)


def speaks(hub: Hub) -> bool:
    """Whether words can ask."""
    finder = getattr(hub.base, "finder", None)
    return finder is not None and finder.words


def asked(hub: Hub, query: str | Example) -> NDArray[np.float32]:
    """A query in the joint space. ``Refused`` or ``ValueError`` for one that cannot be asked."""
    finder = needed(hub)
    if isinstance(query, str):
        if len(query) > 1000:
            raise Refused(422, "value", "a sentence of more than 1000 letters", "Say it shorter.")
        if not finder.words:
            detail = "this model learnt no words"
            raise Refused(409, "no_words", detail, "Ask by an example: open a recording, and choose a span of it.")
        return finder.vector(query)
    return finder.vector(query.opened.recording.between(query.start_s, query.end_s))


def search(
    ready: Sequence[Ready], vector: NDArray[np.float32], k: int = 10, *,
    modality: str = "", like: Example | None = None, own: bool = False,
) -> list[Place]:  # fmt: skip
    """The ``k`` nearest moments of all sources, best first. The recording of ``like`` does not answer; with ``own``
    what is outside the span does.
    """
    from kinjo.search import Moment

    found: list[Place] = []
    having = [r for r in ready if not modality or modality in r.index.vectors]
    if not having:
        has: list[str] = sorted({m for r in ready for m in r.index.vectors})
        raise Refused(
            422, "modality", f"nothing here has {MODALITIES.get(modality, modality)} that this model reads",
            f"Let {', '.join(MODALITIES.get(m, m) for m in has) or 'something else'} answer.",
        )  # fmt: skip
    for one in having:
        without = None
        if like is not None and like.where[0] == one.source.name and like.where[1] in one.index.corpus.recordings:
            without = Moment(like.where[1], like.start_s, like.end_s)
        got = one.index.search(vector, k, modality=modality or None, without=without, own=own)
        found += [placed(one, m.recording, **{n: v for n, v in m.to_dict().items() if n != "recording"}) for m in got]
    return sorted(found, key=lambda p: -p.score)[:k]


def placed(ready: Ready, recording: str, **more: Any) -> Place:
    """A moment with how it is shown and whose it is."""
    entry = ready.index.corpus.entries[ready.index.corpus.number(recording)]
    has = {s.contract.modality for s in entry.streams if s.length}
    kind = next((m for m in ("video", "pose") if m in has), "imu")
    return Place(light(ready), recording, subject=entry.subject, kind=kind, **more)


def shown(places: Places, found: Sequence[Place]) -> list[dict[str, Any]]:
    """As a page draws them, by id."""
    return [
        {
            "id": places.put(p), "recording": p.recording, "source": p.ready.source.title, "from_s": p.start_s,
            "to_s": p.end_s, "score": round(p.score, 4), "by": p.modality, "label": p.label, "said": p.description,
            "kind": p.kind,
        }
        for p in found
    ]  # fmt: skip


def opened_at(hub: Hub, place: Place) -> Opened:
    """The recording of a moment, to be looked at."""
    return open_(hub, place.ready, place.recording)
