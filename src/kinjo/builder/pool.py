"""The clips of a build on one machine: a pool of processes with bounded memory, of which any may die."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from kinjo.builder import files, stages
from kinjo.builder.sources import Clip
from kinjo.builder.stages import Outcome, Settings

TRIES = 2
"""How often a clip may take its process down with it, alone, before it is refused."""
DIED = "its process died: out of memory?"


def outcomes(
    planned: Sequence[Clip], folder: Path, settings: Settings, workers: int | None = None, progress: bool = True
) -> dict[str, Outcome]:
    """Every clip's outcome by its id, made in ``folder``/<id> by ``workers`` processes (``None``: one a core; 0: here).

    Where a process dies, the clips that were handed out are made one at a time, so that it is known which of them did
    it; one that does it ``TRIES`` times is refused, and the others go on in all processes.
    """
    workers = os.cpu_count() or 1 if workers is None else workers
    for clip in planned:
        files.sweep(folder / clip.id, older_s=0.0)  # no other machine works here
    done: dict[str, Outcome] = {}
    suspects: set[str] = set()
    deaths: Counter[str] = Counter()
    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task("clips", total=len(planned))
        while left := [clip for clip in planned if clip.id not in done]:
            alone = [clip for clip in left if clip.id in suspects]
            some, width = (alone, 1) if alone else (left, workers)
            handed: set[str] = set()
            try:
                here = (stages.build(clip, folder / clip.id, settings) for clip in some)
                for outcome in _pooled(some, folder, settings, width, handed) if workers else here:
                    done[outcome.id] = outcome
                    bar.update(task, completed=len(done))
            except BrokenProcessPool:
                if width > 1:
                    suspects |= handed
                    continue
                first = next(clip.id for clip in some if clip.id not in done)
                deaths[first] += 1
                if deaths[first] >= TRIES:
                    done[first] = Outcome(first, "refused", DIED, {})
                    suspects.clear()
                    bar.update(task, completed=len(done))
    return done


def _pooled(left: Sequence[Clip], folder: Path, settings: Settings, width: int, handed: set[str]) -> Iterator[Outcome]:
    """Outcomes as they come, ids of ``handed`` out clips; never more at once than twice the processes, or one."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(width, mp_context=context, initializer=_quiet) as pool:
        waiting, running = list(left)[::-1], set[Future[Outcome]]()
        while waiting or running:
            while waiting and len(running) < (1 if width == 1 else 2 * width):
                clip = waiting.pop()
                handed.add(clip.id)
                running.add(pool.submit(stages.build, clip, folder / clip.id, settings))
            ready, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in sorted(ready, key=id))


def _quiet() -> None:
    """One thread each: two processes of two threads each starve each other. MediaPipe's log goes nowhere."""
    os.environ.setdefault("GLOG_minloglevel", "3")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["OMP_NUM_THREADS"] = "1"
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
