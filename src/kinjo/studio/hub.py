"""What requests and streams share: the model, what each profile knows, and who computes."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

from kinjo.runtime import Model, ProfileError
from kinjo.studio.examples import SHOWN
from kinjo.studio.jobs import Job, Jobs
from kinjo.studio.metrics import Metrics
from kinjo.studio.problems import Refused
from kinjo.studio.profiles import Changed, Profiles
from kinjo.studio.scoring import Scorer
from kinjo.studio.settings import Settings

T = TypeVar("T")
Shown = Callable[[dict[str, Any], dict[str, Any], list[dict[str, Any]]], list[dict[str, Any]]]
MODELS = 64
"""Profiles that are held in memory."""
INDICES = 4
"""Corpora that are held open to be searched."""
RESULTS = 16
"""Other outcomes of long work that are kept: maps, and recordings recognised to be judged."""
LONG = 2
"""Threads for long work, beside those for requests."""
WAITING = 32
"""Requests that may wait for each worker."""
BUSY = "the service has all the work that it can hold"


class Hub:
    """``model`` as it was loaded, or what loads it in a thread; each profile is a copy that shares its weights."""

    def __init__(self, model: Model | Callable[[], Model], settings: Settings) -> None:
        self.settings, self.metrics = settings, Metrics()
        self._model: Future[Model] = Future()
        if isinstance(model, Model):
            self._model.set_result(model)
        else:
            threading.Thread(target=self._load, args=(model,), name="kinjo-load", daemon=True).start()
        self.profiles = Profiles(settings.profiles)
        self.pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="kinjo-work")
        self._scores = ThreadPoolExecutor(1, thread_name_prefix="kinjo-score")
        self.scorer = Scorer(
            lambda batch: self.base.embed(batch), self._scores, wait_s=settings.batch_s, count=self.metrics.windows.inc
        )
        self.closing = False
        self.streams: set[Any] = set()
        self._known: OrderedDict[str, tuple[int, Model]] = OrderedDict()
        self._long = ThreadPoolExecutor(LONG, thread_name_prefix="kinjo-long")
        self.indices, self.results = Jobs(self._long, INDICES), Jobs(self._long, RESULTS)
        self._scratch: list[Path] = []
        self._changes: Counter[str] = Counter()
        self._lock, self._teaching = threading.Lock(), threading.Lock()
        self._pending = 0

    # -------------------------------------------------------------------------------------------- the model
    def _load(self, model: Callable[[], Model]) -> None:
        try:
            self._model.set_result(model())
        except BaseException as error:
            self._model.set_exception(error)

    @property
    def base(self) -> Model:
        """The model; waits for one that is being loaded, and raises what went wrong with that."""
        return self._model.result()

    def then(self, call: Callable[[], Any]) -> None:
        """Have something done once the model is there, or is known not to come."""
        self._model.add_done_callback(lambda _: call())

    async def loaded(self) -> Model:
        """The model, once it is there."""
        return await asyncio.shield(asyncio.wrap_future(self._model))

    # -------------------------------------------------------------------------------------------- who computes
    async def work(self, function: Callable[[], T]) -> T:
        """What ``function`` gives, computed in a thread. ``Refused`` where too much waits, or it takes too long: then
        it goes on without anybody listening.
        """
        if self._pending >= self.settings.workers * (1 + WAITING):
            raise Refused(429, "busy", BUSY, "Try again later.", headers={"Retry-After": "5"})
        self._pending += 1
        future = asyncio.get_running_loop().run_in_executor(self.pool, function)
        future.add_done_callback(self._finished)
        try:
            return await asyncio.wait_for(asyncio.shield(future), self.settings.request_s)
        except TimeoutError:
            if future.done() and not future.cancelled():
                raise  # its own
            detail = f"it takes longer than {self.settings.request_s:g} s"
            raise Refused(408, "timeout", detail, "Send a shorter part. What was asked may still be done.") from None

    def _finished(self, future: asyncio.Future[Any]) -> None:
        self._pending -= 1
        if not future.cancelled():
            future.exception()  # of one to which nobody listens any more

    async def wait(self, job: Job[T]) -> T:
        """An index, once it is made. ``Refused`` where it takes too long for a request; it goes on."""
        self.indices.keep(job)
        try:
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(job.future)), self.settings.request_s)
        except TimeoutError:
            if job.future.done():
                raise  # its own
            detail = f"it takes longer than {self.settings.request_s:g} s"
            raise Refused(408, "timeout", detail, "It goes on: ask again later.") from None

    def scratch(self, kind: str) -> Path:
        """A new folder for what is forgotten when the service stops."""
        self._scratch.append(Path(mkdtemp(prefix=f"kinjo-{kind}-")))
        return self._scratch[-1]

    def close(self) -> None:
        """Wait for what is computed, and close the database."""
        self.indices.close()
        self.results.close()
        self._long.shutdown(wait=True, cancel_futures=True)
        for folder in self._scratch:
            shutil.rmtree(folder, ignore_errors=True)
        self.pool.shutdown(wait=True, cancel_futures=True)
        self._scores.shutdown(wait=True, cancel_futures=True)
        self.profiles.close()

    # -------------------------------------------------------------------------------------------- what profiles know
    def model(self, profile: str) -> Model:
        """The model as a profile knows it now. ``ProfileError`` for one that was taught to another model."""
        return self._current(profile)[1]

    def change(
        self, profile: str, what: str, how: Callable[[Model], T], shown: Shown = lambda before, after, old: old,
        made: Callable[[int], Any] = lambda serial: None,
    ) -> tuple[T, Model]:  # fmt: skip
        """Teach a profile or have it forget: what ``how`` gives, and the model after. It is on the disk then.

        ``shown``: from the profile before and after, and the examples that were listed, those that are now.
        ``made``: told the serial number of the state that it made.
        """
        with self._teaching:
            while True:
                serial, known = self._current(profile)
                model = replace(known, _before=[])
                given = how(model)
                before, after = known.profile(), model.profile()
                listed = [one for one in shown(before, after, self.shown(profile)) if one["name"] in after["names"]]
                body, start = json.dumps({**after, SHOWN: listed}), json.dumps(before)
                with suppress(Changed):  # by another process: once more
                    new = self.profiles.add(profile, body, model=self.base.id, start=start, after=serial)
                    self._remember(profile, new.serial, model)
                    self._changes[profile] += 1
                    made(new.serial)
                    self.metrics.taught.labels(what).inc()
                    return given, model

    def changes(self, profile: str) -> int:
        """How often a profile was changed here: another number, and running streams ask for the model anew."""
        return self._changes[profile]

    def shown(self, profile: str) -> list[dict[str, Any]]:
        """The examples that a profile was shown on pages; see ``examples``."""
        state = self.profiles.state(profile)
        return [] if state is None else list(json.loads(state.body).get(SHOWN, []))

    def undo(self, profile: str, serial: int | None = None) -> bool:
        """Take back the last change of a profile; whether there was one. With ``serial`` that change alone: ``Changed``
        where another came after it.
        """
        self._current(profile)  # of this model
        done = self.profiles.undo(profile, serial)
        if done:
            self._changes[profile] += 1
            self.metrics.taught.labels("undo").inc()
        return done

    def _current(self, profile: str) -> tuple[int | None, Model]:
        """The serial number of the state of a profile (None: never taught), and the model in that state."""
        state = self.profiles.state(profile)
        if state is None:
            return None, self.base
        with self._lock:
            kept = self._known.get(profile)
        if kept is not None and kept[0] == state.serial:
            return kept
        if state.model != self.base.id:
            raise ProfileError(
                f"profile '{profile}' was taught to model {state.model or '(none)'}, this is {self.base.id or '(none)'}"
            )
        model = replace(self.base, _before=[])
        model.know(state.body, f"profile '{profile}'")
        self._remember(profile, state.serial, model)
        return state.serial, model

    def _remember(self, profile: str, serial: int, model: Model) -> None:
        with self._lock:
            self._known[profile] = (serial, model)
            self._known.move_to_end(profile)
            while len(self._known) > MODELS:
                self._known.popitem(last=False)
