"""Windows of many clients, embedded in one batch: what is due within some milliseconds goes together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinjo.live import Batch
from kinjo.runtime import Embed

Vectors = Mapping[str, NDArray[np.float32]]
MOST = 256
"""Windows of one batch."""


class Scorer:
    """``embed`` as a coroutine. It runs in ``pool``; while it does, further windows gather for the next batch.

    ``count`` is told how many windows were embedded.
    """

    def __init__(self, embed: Embed, pool: Executor, *, wait_s: float, count: Callable[[int], Any]) -> None:
        self._embed, self._pool, self._wait_s, self._count = embed, pool, wait_s, count
        self._due: list[tuple[Batch, asyncio.Future[Vectors]]] = []
        self._runs: asyncio.Task[None] | None = None

    async def embed(self, batch: Batch) -> Vectors:
        """A batch of one client's windows to their vectors."""
        future: asyncio.Future[Vectors] = asyncio.get_running_loop().create_future()
        self._due.append((batch, future))
        if self._runs is None:
            self._runs = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await asyncio.sleep(self._wait_s)
            while self._due:
                group = self._alike()
                batches = [batch for batch, _ in group]
                try:
                    found: list[Any] = await loop.run_in_executor(self._pool, together, self._embed, batches)
                except Exception:  # one of them may be at fault: each alone
                    found = [await loop.run_in_executor(self._pool, _alone, self._embed, batch) for batch in batches]
                for (_, future), vectors in zip(group, found, strict=True):
                    if future.done():  # its client has gone meanwhile
                        continue
                    if isinstance(vectors, Exception):
                        future.set_exception(vectors)
                    else:
                        future.set_result(vectors)
                self._count(sum(map(_windows, batches)))
        except asyncio.CancelledError:  # the loop ends: nobody waits any more
            self._due.clear()
            raise
        finally:
            self._runs = None
            if self._due:
                self._runs = asyncio.create_task(self._run())

    def _alike(self) -> list[tuple[Batch, asyncio.Future[Vectors]]]:
        """Those that are due and have the streams of the first, at most ``MOST`` windows."""
        kind, group, rest, windows = _kind(self._due[0][0]), [], [], 0
        for batch, future in self._due:
            if future.done():  # its client has gone
                continue
            if _kind(batch) == kind and (not group or windows + _windows(batch) <= MOST):
                group.append((batch, future))
                windows += _windows(batch)
            else:
                rest.append((batch, future))
        self._due = rest
        return group


def together(embed: Embed, batches: list[Batch]) -> list[Vectors]:
    """Each batch's vectors, computed at once; all have the same keys."""
    if not batches:
        return []
    joined = {key: np.concatenate([batch[key] for batch in batches]) for key in batches[0]}
    ends = np.cumsum([_windows(batch) for batch in batches])[:-1]
    parts = {space: np.split(x, ends) for space, x in embed(joined).items()}
    return [{space: x[k] for space, x in parts.items()} for k in range(len(batches))]


def _alone(embed: Embed, batch: Batch) -> Vectors | Exception:
    try:
        return embed(batch)
    except Exception as error:
        return error


def _kind(batch: Batch) -> tuple[str, ...]:
    return tuple(sorted(batch))


def _windows(batch: Batch) -> int:
    return len(next(iter(batch.values())))
