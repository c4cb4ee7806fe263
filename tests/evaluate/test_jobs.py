"""Jobs: kept, resumed, named when they fail; workers that die or are interrupted leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from kinjo.evaluate import jobs
from kinjo.evaluate.jobs import Job, answers


def square(numbers: list[int], log: str = "") -> dict[str, np.ndarray]:
    if log:
        with open(log, "a") as file:
            file.write("ran\n")
    return {"square": np.square(numbers), "who": np.array([os.getpid()])}


def about(**arguments: object) -> dict[str, object]:
    import torch

    return {"threads": torch.get_num_threads(), "omp": os.environ["OMP_NUM_THREADS"], "given": len(arguments)}


def fail(number: int) -> dict[str, np.ndarray]:
    raise ArithmeticError(f"no answer for {number}")


def die(number: int) -> dict[str, np.ndarray]:
    os._exit(number)


def objects() -> dict[str, object]:
    return {"x": np.array([{}], object)}


def test_done_jobs_are_read_and_changed_ones_run_again(tmp_path: Path):
    log = str(tmp_path / "log")
    work = [Job(f"n{k}", square, {"numbers": (k, 2), "log": log}) for k in (3, 1, 2)]
    first = answers(work, tmp_path / "kept", processes=0, progress=False)
    assert list(first) == ["n3", "n1", "n2"]
    np.testing.assert_array_equal(first["n3"]["square"], [9, 4])
    assert Path(log).read_text().count("ran") == 3
    again = answers(work, tmp_path / "kept", processes=0, progress=False)
    assert Path(log).read_text().count("ran") == 3
    np.testing.assert_array_equal(again["n2"]["square"], first["n2"]["square"])
    changed = [Job("n3", square, {"numbers": (5, 2), "log": log}), *work[1:]]
    np.testing.assert_array_equal(answers(changed, tmp_path / "kept", processes=0)["n3"]["square"], [25, 4])
    assert Path(log).read_text().count("ran") == 4
    assert len(list((tmp_path / "kept").iterdir())) == 4


def test_workers_of_own_threads_and_the_rest_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    bad = [Job("bad", fail, {"number": 6}), Job("dead", die, {"number": 3})]
    good = [Job("how", about, {"a": 1}), *(Job(f"n{k}", square, {"numbers": [k]}) for k in range(4))]
    with pytest.raises(RuntimeError, match="2 of 7 jobs failed: bad, dead") as told:
        answers([*bad, *good], tmp_path, processes=2, threads=2, progress=False)
    assert "ArithmeticError: no answer for 6" in str(told.value)
    assert "exit code 3" in str(told.value)
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert all(job.path(tmp_path).exists() for job in good)
    assert not any(job.path(tmp_path).exists() for job in bad)
    kept = answers(good, tmp_path, processes=2, progress=False)
    assert (kept["how"]["threads"], kept["how"]["omp"]) == (2, "2")
    assert os.getpid() not in {int(kept[f"n{k}"]["who"][0]) for k in range(4)}


def test_an_interruption_leaves_no_worker_and_no_file(tmp_path: Path):
    """Ctrl-C while one job is done and two are at work, one of which will not listen to SIGTERM."""
    folder = tmp_path / "kept"
    (tmp_path / "slow_jobs.py").write_text(
        "import os, signal, sys, time\n"
        "from pathlib import Path\n"
        "from kinjo.evaluate import jobs\n"
        "def quick():\n    return {'x': 1}\n"
        "def slow(place, deaf):\n"
        "    if deaf:\n        signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    Path(place).write_text(str(os.getpid()))\n    time.sleep(120)\n"
        "if __name__ == '__main__':\n"
        "    import slow_jobs as own\n"
        "    jobs._GRACE_S = 0.3\n"
        "    signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background job ignores it
        "    here = sys.argv[1]\n"
        "    more = [jobs.Job(f's{k}', own.slow, {'place': f'{here}/pid{k}', 'deaf': k == 1}) for k in (0, 1)]\n"
        "    jobs.answers([jobs.Job('q', own.quick, {}), *more], Path(here) / 'kept', processes=2)\n"
    )
    run = subprocess.Popen(
        [sys.executable, str(tmp_path / "slow_jobs.py"), str(tmp_path)], stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        pids = [tmp_path / f"pid{k}" for k in (0, 1)]
        until = time.monotonic() + 90
        while not all(p.exists() and p.read_text() for p in pids):
            assert run.poll() is None, run.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=240)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
    assert b"KeyboardInterrupt" in said
    for p in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(int(p.read_text()), 0)
    assert [p.name.split("-")[0] for p in folder.iterdir()] == ["q"]


def test_what_cannot_be_kept_is_said_by_name(tmp_path: Path):
    with pytest.raises(RuntimeError, match="Python objects"):
        answers([Job("o", objects, {})], tmp_path, processes=0, progress=False)
    job = Job("n", square, {"numbers": [1]})
    job.path(tmp_path).write_bytes(b"half")
    with pytest.raises(ValueError, match="delete it"):
        answers([job], tmp_path, processes=0, progress=False)


def test_a_write_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise OSError("disk full")

    work = [Job("n", square, {"numbers": [1]})]
    with monkeypatch.context() as m:
        m.setattr(jobs.np, "savez", full)
        with pytest.raises(RuntimeError, match="disk full"):
            answers(work, tmp_path, processes=0, progress=False)
    assert list(tmp_path.iterdir()) == []
    assert answers(work, tmp_path, processes=0, progress=False)["n"]["square"] == [1]


def test_jobs_are_checked_before_anything_runs(tmp_path: Path):
    for name in ("", "a/b", ".hidden", "x" * 151):
        with pytest.raises(ValueError, match="job name"):
            Job(name, square, {})
    with pytest.raises(ValueError, match="top of a module"):
        Job("n", lambda: {"x": 1}, {})
    for wrong in ({"x": np.zeros(2)}, {"x": float("nan")}):
        with pytest.raises(ValueError, match="JSON"):
            Job("n", square, wrong)
    twice = [Job("n", square, {"numbers": [1]}), Job("n", square, {"numbers": [2]})]
    with pytest.raises(ValueError, match="same name: n"):
        answers(twice, tmp_path)
    with pytest.raises(ValueError, match="processes"):
        answers(twice[:1], tmp_path, processes=-1)
    assert answers([], tmp_path, progress=False) == {}
