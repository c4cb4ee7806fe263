"""The clips of a build on many machines: the stages of ``stages.build`` as tasks of Ray Data.

Every node has to see the videos and the build's folder under the paths of the machine that starts the build. A task
writes what its stages make there, as a process of the pool does; only its outcome travels. A task that is run twice,
even at the same time, writes the same bytes in one step.
"""

from __future__ import annotations

import importlib
import logging
import os
import pickle
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from kinjo.builder import files, stages
from kinjo.builder.errors import BuildError
from kinjo.builder.sources import Clip
from kinjo.builder.stages import Outcome, Settings

LOCAL = "local"
"""The address of a Ray of this machine alone, started for the build and ended with it."""
RETRIES = 1
"""How often Ray runs a task again whose process or node died: first among others, then once more alone."""
PATIENCE_S = 30.0
"""How long a network file system may hide what another machine has written."""
STORE_BYTES = 256 << 20
"""Shared memory of a local Ray: outcomes are small."""


def outcomes(
    planned: Sequence[Clip], folder: Path, settings: Settings, workers: int | None = None, progress: bool = True,
    *, address: str = LOCAL,
) -> dict[str, Outcome]:  # fmt: skip
    """Every clip's outcome by its id, as ``pool.outcomes``, by at most ``workers`` tasks at once on Ray at ``address``.

    ``address``: ``host:port``, ``auto``, or ``local`` for one of this machine. A Ray that runs already in this process
    is used and left running. A clip whose task dies among others and then ``RETRIES`` + 1 times alone is refused.
    ``BuildError`` without Ray, where a node does not see the folder or a video, and where an outcome is missing.
    """
    if workers == 0:
        raise BuildError("0 workers build in this process: name none or at least one, or leave Ray out")
    model = settings.estimator
    if model not in ("mediapipe", stages.FILES) and "://" not in model and not Path(model).is_absolute():
        raise BuildError(f"{model}: give the model's full path: the tasks of a cluster run in other folders")
    if not planned:
        return {}
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for clip in planned:
        files.sweep(folder / clip.id)
    files.sweep(folder)
    sign = files.temporary(folder / "seen")
    sign.touch()
    try:
        with _ray(address, workers) as ray, Progress(console=Console(stderr=True), disable=not progress) as bar:
            task = bar.add_task("clips", total=len(planned))
            done: dict[str, Outcome] = {}
            for one in _all(ray, planned, settings, sign, workers):
                done[one.id] = one
                bar.update(task, completed=len(done))
    finally:
        sign.unlink(missing_ok=True)
    _complete(planned, done, folder)
    return done


def _all(ray: Any, planned: Sequence[Clip], settings: Settings, sign: Path, workers: int | None) -> Iterator[Outcome]:
    """Outcomes as they come; then of those whose task died, one at a time, so that each is known by its own death."""
    came: set[str] = set()
    for one in _streamed(ray, planned, settings, sign, workers, most_dead=-1):
        came.add(one.id)
        yield one
    for clip in [c for c in planned if c.id not in came]:
        try:
            yield from _streamed(ray, [clip], settings, sign, workers, most_dead=0)
        except ray.exceptions.RayError as error:
            if not _death(ray, error):
                raise BuildError(f"{clip.id}: Ray cannot run its task: {error}") from error
            yield Outcome(clip.id, "refused", "its task died on the cluster: out of memory?", {})


def _streamed(
    ray: Any, some: Sequence[Clip], settings: Settings, sign: Path, workers: int | None, most_dead: int
) -> Iterator[Outcome]:
    """One task for each clip; at most ``most_dead`` (-1: any number) may die and give no outcome."""
    rows = [{"clip": pickle.dumps(_placed(clip))} for clip in some]
    data = ray.data.from_items(rows, override_num_blocks=len(rows))
    data.context.enable_progress_bars = False
    data.context.max_errored_blocks = most_dead
    tasks = ray.data.TaskPoolStrategy(workers)
    data = data.map(_made, fn_args=(settings, str(sign)), compute=tasks, num_cpus=1, max_retries=RETRIES)
    for row in data.iter_rows():
        outcome = pickle.loads(row["outcome"])
        if isinstance(outcome, str):
            raise BuildError(outcome)
        yield outcome


def _made(row: dict[str, Any], settings: Settings, sign: str) -> dict[str, bytes]:
    """On a node: the outcome of a row's clip, or a line that says what hinders every clip there."""
    clip: Clip = pickle.loads(row["clip"])
    where = f"node {os.uname().nodename}"
    outcome: Outcome | str
    if not Path(sign).is_file():
        outcome = f"{where} does not see {Path(sign).parent}: build into a folder that all nodes share"
    elif not clip.source.path.is_file():
        outcome = f"{where} does not see {clip.source.path}: keep the videos in a folder that all nodes share"
    else:
        try:
            outcome = stages.build(clip, Path(sign).parent / clip.id, settings)
        except Exception as error:
            outcome = f"{clip.id} on {where}: {type(error).__name__}: {error}"
    return {"outcome": pickle.dumps(outcome)}


def _placed(clip: Clip) -> Clip:
    """A clip that can be found from another working folder."""
    return replace(clip, source=replace(clip.source, path=clip.source.path.absolute()))


def _death(ray: Any, error: BaseException | None) -> bool:
    """Whether ``error`` or what it comes from is the end of a process or a node."""
    kinds = ray.exceptions
    dead = (kinds.WorkerCrashedError, kinds.OutOfMemoryError, kinds.NodeDiedError, kinds.ObjectLostError)
    while error is not None:
        if isinstance(error, dead):
            return True
        error = error.__cause__
    return False


def _complete(planned: Sequence[Clip], done: dict[str, Outcome], folder: Path) -> None:
    """Every clip has one outcome, and the files of those that are kept lie here too."""
    lost = sorted({clip.id for clip in planned} ^ set(done))
    if lost:
        raise BuildError(f"Ray gave no outcome of {', '.join(lost)}: run the same command again")
    names = ("clip.mp4", "cut.json", "pose.json", "motion.json")
    wanted = [folder / one.id / name for one in done.values() if one.status == "kept" for name in names]
    end = time.monotonic() + PATIENCE_S
    while wanted := [path for path in wanted if not path.is_file()]:
        if time.monotonic() > end:
            raise BuildError(f"{wanted[0]}: written on the cluster, not there here: is {folder} shared by all nodes?")
        time.sleep(0.5)


@contextmanager
def _ray(address: str, workers: int | None) -> Iterator[Any]:
    """Ray with its data module, at ``address``; what was started here is ended here."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    try:
        ray: Any = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ImportError as error:
        raise BuildError(f"building on a cluster needs Ray ({error}): pip install 'kinjo[ray]'") from error
    if ray.is_initialized():
        yield ray
        return
    own = {"num_cpus": workers, "include_dashboard": False, "object_store_memory": STORE_BYTES}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **(own if address == LOCAL else {}))
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise BuildError(f"no Ray at {address} ({error}): start one there with `ray start --head`") from error
    try:
        yield ray
    finally:
        ray.shutdown()
