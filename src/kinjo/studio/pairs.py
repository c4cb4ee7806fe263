"""A phone and the pages that look at it: what all their screens show, and teaching by what the phone does next.

Nothing here knows of pages or sockets. What happens is told to all that watch, as the events of ``/v1/stream`` and:
``phone`` (how the phone is: ``state``), ``place`` (where it is worn, and the windows of the model), ``samples`` (the
signal), ``record`` (how far teaching is: ``phase``). The last of each kind is kept for those that come later.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kinjo.recording import Contract, Recording, Stream
from kinjo.runtime import Model
from kinjo.studio.desk import removed, taught
from kinjo.studio.hub import Hub
from kinjo.studio.metrics import log
from kinjo.studio.problems import Refused, refusal_of
from kinjo.studio.profiles import DEFAULT
from kinjo.timeline import UNKNOWN

Event = dict[str, Any]
MOST = 64
"""Pairs that are kept; those without a phone go first."""
KEPT_S = 30.0
"""Seconds of the signal that are kept."""
MOST_KEPT = 30_000
"""Samples of a stream."""
COUNTDOWN, RECORD_S, WAIT_S = 3, 5.0, 5.0
"""Seconds before a recording, of it, and that it may take longer than that."""
HOP_S = 1.0
"""From window to window, where the model's own step is longer: people wait for the answer."""
USUAL = ("right_pocket", "left_pocket", "pocket", "right_wrist", "left_wrist", "wrist")
"""Where phones are worn, the first that the model knows."""
LASTING = ("phone", "place", "record", "window", "count", "error")
"""Events of which the last is told to those that come later."""


def places(model: Model) -> list[str]:
    """Where a phone may be worn: what the model has an accelerometer for. ``unknown`` is anywhere."""
    own = [s.placement or UNKNOWN for s in model.plan.slots if s.modality == "imu" and s.quantity == "acc"]
    return sorted(dict.fromkeys(own), key=lambda place: (USUAL.index(place) if place in USUAL else len(USUAL), place))


@dataclass
class Pair:
    """``phone`` is its connection, where there is one. All of it happens in the event loop."""

    id: str
    hub: Hub
    place: str = ""
    profile: str = DEFAULT
    phone: Any = None
    offset_s: float | None = None
    """What the service's clock (``time.monotonic``) is ahead of the phone's."""
    contracts: dict[str, Contract] = field(default_factory=dict)
    watchers: set[Callable[[Event], Any]] = field(default_factory=set)
    last: dict[str, Event] = field(default_factory=dict)
    _kept: dict[str, deque[tuple[float, list[float]]]] = field(default_factory=dict)
    _recorder: asyncio.Task[None] | None = None

    # -------------------------------------------------------------------------------------------- what is told
    def tell(self, event: Event) -> None:
        """Have all that watch know."""
        if event["event"] in LASTING:
            self.last[event["event"]] = event
        for watcher in list(self.watchers):
            watcher(event)

    def watch(self, watcher: Callable[[Event], Any]) -> None:
        """Be told from now on, and what holds now."""
        self.watchers.add(watcher)
        for event in list(self.last.values()):
            watcher(event)

    async def placed(self, place: str | None = None) -> None:
        """Say where the phone is worn (None: as before, or as usual). ``ValueError`` for no place of the model's."""
        model = await self.hub.loaded()
        some = places(model)
        if not some:
            raise ValueError("this model reads no accelerometer: a phone tells it nothing")
        place = place or self.place or some[0]
        if place not in some:
            raise ValueError(f"the model knows no sensor at {place}: choose one of {', '.join(some)}")
        self.place = place
        plan = model.plan
        self.tell(
            {
                "event": "place", "place": place, "places": some, "window_s": plan.length_s,
                "hop_s": min(plan.hop_s, HOP_S), "enter": model.smoothing.enter, "profile": self.profile,
            }
        )  # fmt: skip

    # -------------------------------------------------------------------------------------------- the signal
    def begin(self, contracts: Mapping[str, Contract]) -> None:
        """The phone streams anew."""
        self.contracts, self._kept = dict(contracts), {name: deque(maxlen=MOST_KEPT) for name in contracts}
        for kind in ("window", "count", "error"):
            self.last.pop(kind, None)

    def hear(self, name: str, times: list[float], values: list[list[float]]) -> None:
        """Samples that the stream has taken."""
        kept = self._kept[name]
        kept.extend(zip(times, values, strict=True))
        while kept and kept[0][0] < kept[-1][0] - KEPT_S:
            kept.popleft()
        self.tell({"event": "samples", "stream": name, "t": times, "values": values})

    @property
    def newest_s(self) -> float | None:
        """On the phone's clock, the last moment of which all streams have told."""
        ends = [kept[-1][0] if kept else None for kept in self._kept.values()]
        return None if not ends or None in ends else min(end for end in ends if end is not None)

    def cut(self, start_s: float, end_s: float) -> Recording:
        """What is kept of a span. ``ValueError`` where little is."""
        streams = {}
        for name, kept in self._kept.items():
            some = sorted({time: row for time, row in kept if start_s <= time < end_s}.items())
            if len(some) < 0.5 * (end_s - start_s) * self.contracts[name].rate_hz:
                raise ValueError(f"the phone sent {len(some)} samples of {name} in {end_s - start_s:g} s, too few")
            times, rows = np.array([time for time, _ in some]), np.array([row for _, row in some], np.float32)
            streams[name] = Stream.of(name, self.contracts[name], rows, times=times)
        if not streams:
            raise ValueError("the phone does not stream: press Start on it")
        return Recording(f"phone {time.strftime('%H:%M:%S')}", streams)

    # -------------------------------------------------------------------------------------------- teach
    def record(self, name: str) -> None:
        """Teach an activity by what the phone does in some seconds' time; ``record`` events tell how it goes."""
        if self._recorder is not None and not self._recorder.done():
            return
        self._recorder = asyncio.create_task(self._record(name.strip()))

    async def _record(self, name: str) -> None:
        try:
            if not name or name == UNKNOWN:
                raise ValueError("name the activity first")
            if self.newest_s is None or self.phone is None:
                raise ValueError("the phone does not stream: press Start on it")
            for left in range(COUNTDOWN, 0, -1):
                self._said("countdown", name, left_s=left)
                await asyncio.sleep(1.0)
            part = await self._shown(name)
            self._said("teach", name)
            said = {"recording": part.id, "start_s": 0.0, "end_s": RECORD_S}
            _, id = await self.hub.work(lambda: taught(self.hub, self.profile, name, part, said))
            self._said("done", name, id=id)
        except Exception as error:
            told = refusal_of(error)
            if told is None:
                log(logging.ERROR, path="studio", fault=f"{type(error).__name__}: {error}"[:500])
                told = Refused(500, "fault", "a fault of kinjo's: it is in the log")
            self._said("failed", name, said=f"{told.detail.rstrip('.')}. {told.next}".strip())

    async def _shown(self, name: str) -> Recording:
        """The next seconds of the phone."""
        start, begun = self.newest_s, time.monotonic()
        self._said("record", name, left_s=RECORD_S)
        while start is None or self.newest_s is None or self.newest_s < start + RECORD_S:
            if self.phone is None or time.monotonic() - begun > RECORD_S + WAIT_S:
                raise ValueError("the phone was lost, or sends too little: nothing was taught")
            if self.newest_s is not None and start is not None and self.newest_s < start:
                raise ValueError("the phone began anew: nothing was taught")
            await asyncio.sleep(0.05)
            start = self.newest_s if start is None else start
        return self.cut(start, start + RECORD_S)

    async def take_back(self, id: str) -> None:
        """An example that was taught here, as if it had never been shown."""
        name = self.last.get("record", {}).get("name", "")
        try:
            await self.hub.work(lambda: removed(self.hub, self.profile, id))
        except ValueError as error:
            self._said("failed", name, said=f"{error}.")
        else:
            self._said("gone", name)

    def _said(self, phase: str, name: str, **more: Any) -> None:
        self.tell({"event": "record", "phase": phase, "name": name, **more})


class Pairs:
    """All of an app, by id. One that is asked for is there: pages and phones find one another again after a restart."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._pairs: OrderedDict[str, Pair] = OrderedDict()

    def get(self, id: str) -> Pair:
        """The pair of that id."""
        if id not in self._pairs:
            self._pairs[id] = Pair(id, self.hub)
            idle = [key for key, pair in self._pairs.items() if pair.phone is None and not pair.watchers and key != id]
            for key in (idle + list(self._pairs))[: max(0, len(self._pairs) - MOST)]:
                del self._pairs[key]
        self._pairs.move_to_end(id)
        return self._pairs[id]


def made_id() -> str:
    """Of a pair."""
    return secrets.token_urlsafe(9)
