"""Many small trainings whose answers are kept: done ones are read, the others run in processes of their own.

A job is a function with plain arguments that gives arrays. Its answers lie in one file named for the job and its
arguments, written in one step; what is interrupted runs again, what is done never does. Nothing in the name tells of
the code: answers of older code have to be deleted by hand.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

Arrays = dict[str, NDArray[Any]]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_GRACE_S = 5.0
"""How long a worker that is stopped may take before it is killed."""


@dataclass(frozen=True)
class Job:
    """``run(**arguments)`` gives a mapping of arrays; ``name`` says what it is and is part of a file's name.

    ``run`` is a function of a module (another process imports it), ``arguments`` are JSON types: a tuple arrives as a
    list. ``ValueError`` for what is neither.
    """

    name: str
    run: Callable[..., Mapping[str, Any]]
    arguments: Mapping[str, Any]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,149}", self.name):
            raise ValueError(
                f"job name {self.name!r}: up to 150 letters, digits and any of . _ = + -, a letter or digit first"
            )
        module = sys.modules.get(getattr(self.run, "__module__", None) or "")
        if getattr(module, getattr(self.run, "__qualname__", ""), None) is not self.run:
            raise ValueError(f"job {self.name}: run must be a function at the top of a module, given {self.run!r}")
        self.text()

    def text(self) -> str:
        """The arguments as JSON, the same for the same ones."""
        try:
            return json.dumps(dict(self.arguments), sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"job {self.name}: arguments must be JSON types: {error}") from None

    def path(self, folder: Path) -> Path:
        """Where the answers are kept."""
        return folder / f"{self.name}-{hashlib.sha256(self.text().encode()).hexdigest()[:12]}.npz"


def answers(
    jobs: Sequence[Job], folder: Path, *, processes: int = 1, threads: int = 1, progress: bool = True
) -> dict[str, Arrays]:
    """The arrays of every job by its name, in the order given; what ``folder`` holds is read, not run.

    ``processes`` fresh ones work at a time, each with ``threads`` threads; 0 works in this one, its threads as they
    are. A job that fails does not stop the others: ``RuntimeError`` names all that failed, with their tracebacks, at
    the end. An interruption ends the workers and leaves no part of a file.
    """
    if processes < 0 or threads < 1:
        raise ValueError(f"processes: 0 or more, threads: 1 or more, given {processes} and {threads}")
    names = [job.name for job in jobs]
    double = sorted({name for name in names if names.count(name) > 1})
    if double:
        raise ValueError(f"jobs of the same name: {', '.join(double)}; a name is one job")
    folder.mkdir(parents=True, exist_ok=True)
    waiting = [job for job in jobs if not job.path(folder).exists()]
    failed: dict[str, str] = {}
    running = _in_turn(waiting) if processes == 0 else _by_workers(waiting, processes, threads)
    with closing(running), Progress(console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task(folder.name, total=len(jobs), completed=len(jobs) - len(waiting))
        for job, found in running:
            trouble = found if isinstance(found, str) else _kept(job.path(folder), found)
            if trouble:
                failed[job.name] = trouble
            bar.update(task, advance=1, description=f"{folder.name}: {len(failed)} failed" if failed else folder.name)
    if failed:
        told = "\n".join(f"--- {name}\n{failed[name]}" for name in names if name in failed)
        raise RuntimeError(
            f"{len(failed)} of {len(jobs)} jobs failed: {', '.join(n for n in names if n in failed)}. The others are "
            f"kept; run again when the cause is mended.\n{told}"
        )
    return {job.name: _read(job.path(folder)) for job in jobs}


Found = Arrays | str
"""What came of a job: its arrays, or the traceback."""


def _attempt(job: Job) -> Found:
    try:
        given = job.run(**json.loads(job.text()))
        found = {str(key): np.asarray(value) for key, value in given.items()}
        if any(value.dtype.hasobject for value in found.values()):
            raise TypeError("arrays of Python objects cannot be kept: give numbers, bools or strings")
        return found
    except Exception:
        return traceback.format_exc()


def _in_turn(jobs: Sequence[Job]) -> Generator[tuple[Job, Found], None, None]:
    for job in jobs:
        yield job, _attempt(job)


@dataclass
class _Worker:
    """A process that takes jobs one by one, and the one that it is at."""

    process: SpawnProcess
    line: Connection
    job: Job | None = field(default=None)

    @classmethod
    def start(cls, threads: int) -> _Worker:
        context = get_context("spawn")
        mine, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, threads), daemon=True)
        with _environment(threads):
            process.start()
        theirs.close()
        return cls(process, mine)

    def give(self, job: Job) -> None:
        self.job = job
        with suppress(OSError):  # it died: taken() will say so
            self.line.send(job)

    def taken(self) -> Found:
        """Its answer; where the process is no more, what is known of its end."""
        try:
            return self.line.recv()
        except (EOFError, OSError):
            self.process.join()
            return f"its process ended with exit code {self.process.exitcode} (-9: killed, out of memory perhaps)\n"

    def stop(self) -> None:
        self.line.close()
        self.process.terminate()
        self.process.join(_GRACE_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _by_workers(jobs: Sequence[Job], processes: int, threads: int) -> Generator[tuple[Job, Found], None, None]:
    """Jobs with what came of them, as they end. A worker that dies is replaced; no worker outlives this."""
    left = list(reversed(jobs))
    workers: list[_Worker] = []
    try:
        while left or workers:
            while left and len(workers) < processes:
                workers.append(_Worker.start(threads))
                workers[-1].give(left.pop())
            ready = set(wait([worker.line for worker in workers]))
            for worker in [w for w in workers if w.line in ready]:
                job, found = worker.job, worker.taken()
                assert job is not None
                if left and worker.process.is_alive():
                    worker.give(left.pop())
                else:
                    workers.remove(worker)
                    worker.stop()
                yield job, found
    finally:
        for worker in workers:
            worker.stop()


def _work(line: Connection, threads: int) -> None:
    """A worker's life: jobs come, answers go, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends this process
    with suppress(ImportError):
        import torch

        torch.set_num_threads(threads)
    with suppress(EOFError, OSError):
        while True:
            line.send(_attempt(line.recv()))


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """What a process that starts now inherits: libraries read their number of threads when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _kept(path: Path, found: Arrays) -> str:
    """Write the answers in one step; a traceback where that fails."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}.", suffix=".npz")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **found)  # type: ignore[arg-type]
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except Exception:
        Path(temporary).unlink(missing_ok=True)
        return traceback.format_exc()
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return ""


def _read(path: Path) -> Arrays:
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:
        raise ValueError(f"{path.name} cannot be read ({error}): delete it, and its job runs again") from error
