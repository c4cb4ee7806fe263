"""The pool of processes: who dies is found and refused, the others are made, by all processes again."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from kinjo.builder import pool, stages
from kinjo.builder.footage import Facts
from kinjo.builder.sources import Clip, Source
from kinjo.builder.stages import Outcome, Settings


def clip(id: str) -> Clip:
    return Clip(id, Source(id, Path(f"{id}.mp4"), "", Facts(1.0, 30.0, 48, 64, "h264", 0, {})), 0.0, 1.0, id)


def build(one: Clip, folder: Path, settings: Settings) -> Outcome:
    """In place of the stages: tells in a file by which process; dies of the clips named ``deadly``, or ``once``."""
    folder.mkdir(parents=True, exist_ok=True)
    tries = len(list(folder.iterdir()))
    (folder / f"{tries}.{os.getpid()}").touch()
    if one.id.startswith("deadly") or (one.id.startswith("once") and not tries):
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.3)  # what takes longer than that a death is noticed
    return Outcome(one.id, "kept", "", {})


@pytest.fixture(autouse=True)
def stages_that_die(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "build", build)  # pickled by its name here, which the processes find


@pytest.fixture
def widths(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many processes each pool had."""
    seen: list[int] = []

    def made(width: int, **more: Any) -> Any:
        seen.append(width)
        return real(width, **more)

    real = pool.ProcessPoolExecutor
    monkeypatch.setattr(pool, "ProcessPoolExecutor", made)
    return seen


def test_the_deadly_clip_is_refused_and_all_processes_go_on(widths: list[int], tmp_path: Path):
    planned = [clip(id) for id in ("a", "deadly", "b", "c", "d", "e", "f", "g")]
    done = pool.outcomes(planned, tmp_path, Settings(), 2, progress=False)
    assert {id for id, one in done.items() if one.status == "refused"} == {"deadly"}
    assert done["deadly"].reason == pool.DIED
    assert sorted(done) == sorted(one.id for one in planned)
    assert widths == [2, 1, 1, 2]  # it dies among others, alone, alone; then the rest
    assert len(list((tmp_path / "deadly").iterdir())) == 1 + pool.TRIES
    assert len(list((tmp_path / "g").iterdir())) == 1  # was never handed out while one died


def test_a_clip_that_dies_once_is_kept(widths: list[int], tmp_path: Path):
    done = pool.outcomes([clip("once"), clip("a"), clip("b")], tmp_path, Settings(), 2, progress=False)
    assert {one.status for one in done.values()} == {"kept"}
    assert len(done) == 3
    assert widths[:2] == [2, 1]


def test_one_process_needs_no_search(widths: list[int], tmp_path: Path):
    done = pool.outcomes([clip("a"), clip("deadly"), clip("b")], tmp_path, Settings(), 1, progress=False)
    assert [done[id].status for id in ("a", "deadly", "b")] == ["kept", "refused", "kept"]
    assert len(list((tmp_path / "a").iterdir())) == 1
    assert set(widths) == {1}
