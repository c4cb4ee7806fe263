"""Long work, such as the index of a corpus: beside requests, once however many wait, stopped where nobody does."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Told = Callable[[int, int], None]


class Stopped(Exception):
    """Raised within work for which nobody waits any more."""


@dataclass
class Job(Generic[T]):
    """Work that is waited for, being done, or done. ``done`` of ``total``: how far it is; 0 of 0 before it begins."""

    future: Future[T] = field(default_factory=Future)
    done: int = 0
    total: int = 0
    waiting: int = 0
    begun: bool = False
    stopped: bool = False

    def at(self, done: int, total: int) -> None:
        """Called by the work itself. ``Stopped`` where it need not go on."""
        if self.stopped:
            raise Stopped
        self.done, self.total = done, total


class Jobs:
    """What was made last by ``key``, the latest ``most`` kept; what is not there is made in the threads of ``pool``."""

    def __init__(self, pool: ThreadPoolExecutor, most: int) -> None:
        self._pool, self._most = pool, most
        self._jobs: OrderedDict[Hashable, Job[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, key: Hashable, make: Callable[[Told], T]) -> Job[T]:
        """The job of a key. ``make`` is told what to call with how much is done; one that failed is made anew."""
        with self._lock:
            job = self._jobs.get(key)
            if job is None or job.stopped or (job.future.done() and job.future.exception() is not None):
                job = self._jobs[key] = Job()
                self._pool.submit(self._run, job, make)
            self._jobs.move_to_end(key)
            return job

    def _run(self, job: Job[Any], make: Callable[[Told], Any]) -> None:
        if job.future.done():
            return
        job.begun = True
        try:
            job.at(0, 0)
            made = make(job.at)
            self._pruned(job)
            job.future.set_result(made)
        except BaseException as error:
            job.future.set_exception(error)

    def _pruned(self, new: Job[Any]) -> None:
        """Let go of what was asked for longest ago, so that there is room for one more."""
        with self._lock:
            ready = [key for key, one in self._jobs.items() if one.future.done() and one is not new]
            for old in ready[: max(0, len(ready) - self._most + 1)]:
                del self._jobs[old]

    @contextmanager
    def waiting(self, job: Job[Any]) -> Iterator[None]:
        """Somebody waits within this; when the last one leaves, a job that is not done is stopped."""
        with self._lock:
            job.waiting += 1
        try:
            yield
        finally:
            with self._lock:
                job.waiting -= 1
                job.stopped = job.stopped or (job.waiting == 0 and not job.future.done())

    def keep(self, job: Job[Any]) -> None:
        """Have it go on though nobody waits: who asked comes back."""
        with self._lock:
            job.waiting += 1

    def close(self) -> None:
        """Stop all that is not done; what has not begun never comes."""
        with self._lock:
            for job in self._jobs.values():
                job.stopped = True
                if not job.begun and not job.future.done():
                    job.future.set_exception(Stopped())
