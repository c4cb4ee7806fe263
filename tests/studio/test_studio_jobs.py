"""Long work: done once for all who wait, told how far it is, stopped when nobody waits, anew after a failure."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from kinjo.studio.jobs import Jobs, Stopped, Told


@pytest.fixture
def jobs():
    with ThreadPoolExecutor(1) as pool:
        yield Jobs(pool, 2)


def test_it_is_done_once_and_the_latest_are_kept(jobs: Jobs):
    made: list[str] = []

    def make(name: str):
        return jobs.ask(name, lambda at: made.append(name) or name).future.result(10)

    assert [make(n) for n in "aabbca"] == list("aabbca")
    assert made == ["a", "b", "c", "a"]  # a was gone after c


def test_it_tells_how_far_it_is_and_stops_when_the_last_one_leaves(jobs: Jobs):
    go, there = threading.Event(), threading.Event()

    def slow(at: Told) -> str:
        at(3, 10)
        there.set()
        go.wait(10)
        at(4, 10)
        return "done"

    job = jobs.ask("x", slow)
    with jobs.waiting(job):
        with jobs.waiting(jobs.ask("x", slow)):
            there.wait(10)
            assert (job.done, job.total) == (3, 10)
        assert not job.stopped
    assert job.stopped
    again = jobs.ask("x", lambda at: "anew")  # whoever comes now does not get the one that stops
    go.set()
    with pytest.raises(Stopped):
        job.future.result(10)
    assert again.future.result(10) == "anew"


def test_kept_work_goes_on_and_failed_work_is_done_anew(jobs: Jobs):
    go = threading.Event()
    job = jobs.ask("x", lambda at: go.wait(10))
    jobs.keep(job)
    with jobs.waiting(job):
        pass
    go.set()
    assert job.future.result(10)

    def fails(at: Told) -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        jobs.ask("y", fails).future.result(10)
    assert jobs.ask("y", lambda at: "well").future.result(10) == "well"


def test_closing_stops_what_runs_and_what_has_not_begun(jobs: Jobs):
    there, go = threading.Event(), threading.Event()

    def slow(at: Told) -> None:
        there.set()
        go.wait(10)
        at(1, 2)

    first, second = jobs.ask("a", slow), jobs.ask("b", lambda at: None)
    there.wait(10)
    jobs.close()
    go.set()
    for job in (first, second):
        with pytest.raises(Stopped):
            job.future.result(10)
