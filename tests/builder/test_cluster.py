"""A build on a local Ray of two workers: one killed in the middle, one clip that always kills. `make test-ray`."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import _videos
import numpy as np
import pytest

from kinjo.builder import cluster, files, stages
from kinjo.builder.errors import BuildError
from kinjo.builder.estimators import Seen
from kinjo.builder.pool import outcomes as pooled
from kinjo.builder.sources import Clip, clips, videos
from kinjo.builder.stages import Settings

FAST = Settings(short_side=48, placements=("right_wrist",))
CLIPS = 8


def flat(pictures: Iterable[np.ndarray]) -> Seen:
    """Somebody who stands there, in three dimensions; of white pictures none: the process dies."""
    shown = list(pictures)
    if np.mean(shown) > 200:
        os.kill(os.getpid(), signal.SIGKILL)
    image = np.array([[20 + k % 4 * 8, 4 + 2.4 * k] for k in range(17)], np.float32)
    world = np.array([[k % 4 * 0.2, 0.1 * k, 0.05 * k % 0.3] for k in range(17)], np.float32)
    one, many = np.ones((len(shown), 1, 17), np.float32), (len(shown), 1, 1, 1)
    return Seen("canonical", np.tile(image, many), one, np.tile(world, many))


def patched(marks: Path) -> Callable[[], None]:
    """What a worker does first: an estimator without a model, which tells in ``marks`` that it is at work."""

    def slowly(pictures: Iterable[np.ndarray]) -> Seen:
        mark = marks / str(os.getpid())
        mark.touch()
        time.sleep(1.0)
        seen = flat(pictures)
        mark.unlink()
        return seen

    def setup() -> None:
        from kinjo.builder import stages

        stages.estimator = lambda name, sha256: slowly  # pyright: ignore[reportAttributeAccessIssue]

    return setup


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    root = tmp_path_factory.mktemp("videos")
    for i in range(CLIPS):
        _videos.write(root / f"v{i}.mp4", 30, show=lambda k, h, w, i=i: _videos.picture(10 + i, h, w))
    return clips(videos([root]))[0]


@pytest.fixture(scope="module")
def deadly(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    root = tmp_path_factory.mktemp("deadly")
    _videos.write(root / "deadly.mp4", 30, show=lambda k, h, w: np.full((h, w, 3), 235, np.uint8))
    return clips(videos([root]))[0][0]


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two workers with the made-up estimator; the folder in which they tell what they are at."""
    ray: Any = pytest.importorskip("ray", reason="pip install 'kinjo[ray]'")
    folder = tmp_path_factory.mktemp("marks")
    ray.cloudpickle.register_pickle_by_value(__import__(__name__))
    environment = {"worker_process_setup_hook": patched(folder)}
    ray.init(
        "local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
        object_store_memory=cluster.STORE_BYTES, runtime_env=environment,
    )  # fmt: skip
    yield folder
    ray.shutdown()


def made(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.suffix != ".tmp"
            and p.is_file()}  # fmt: skip


@pytest.fixture
def alone(planned: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What a build in this process makes of the same clips."""
    with monkeypatch.context() as patch:
        patch.setattr(stages, "estimator", lambda name, sha256: flat)
        assert {one.status for one in pooled(planned, tmp_path / "alone", FAST, 0, False).values()} == {"kept"}
    return made(tmp_path / "alone")


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(
    planned: list[Clip], marks: Path, alone: dict[str, bytes], tmp_path: Path
):
    killed: list[int] = []

    def kill() -> None:
        """One that has cut its clip and looks for the pose, while another clip is done."""
        for _ in range(1200):
            at_work = sorted(marks.iterdir())
            if at_work and any(tmp_path.glob("out/*/motion.json")):
                killed.append(int(at_work[0].name))
                os.kill(killed[0], signal.SIGKILL)
                return
            time.sleep(0.05)

    thread = threading.Thread(target=kill)
    thread.start()
    done = cluster.outcomes(planned, tmp_path / "out", FAST, 2, progress=False)
    thread.join()
    assert killed
    assert (marks / str(killed[0])).is_file()  # it never came to its end
    assert sorted(done) == sorted(clip.id for clip in planned)
    assert {one.status for one in done.values()} == {"kept"}
    assert made(tmp_path / "out") == alone
    assert not list(tmp_path.glob("out/.*"))


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_a_clip_whose_task_always_dies_is_refused_alone(
    planned: list[Clip], deadly: Clip, marks: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
):
    some = [planned[0], deadly, planned[1], planned[2]]
    done = cluster.outcomes(some, tmp_path / "out", FAST, progress=False)
    assert {id: one.status for id, one in done.items()} == {
        clip.id: "refused" if clip is deadly else "kept" for clip in some
    }
    assert "its task died" in done[deadly.id].reason
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_what_hinders_every_clip_ends_the_build(planned: list[Clip], marks: Path, tmp_path: Path):
    (tmp_path / "gone.mp4").write_bytes(planned[0].source.path.read_bytes())
    gone = clips(videos([tmp_path / "gone.mp4"]))[0]
    (tmp_path / "gone.mp4").unlink()
    with pytest.raises(BuildError, match=r"does not see .*gone.mp4: keep the videos in a folder that all nodes share"):
        cluster.outcomes(gone, tmp_path / "out", FAST, progress=False)
    (tmp_path / "out" / planned[0].id).write_text("a file where a folder has to be")
    with pytest.raises(BuildError, match=r"v0___0 on node .*FileExistsError"):
        cluster.outcomes(planned[:1], tmp_path / "out", FAST, progress=False)


def test_an_outcome_whose_files_are_not_here_is_an_error(
    planned: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cluster, "PATIENCE_S", 0.0)
    monkeypatch.setattr(stages, "estimator", lambda name, sha256: flat)
    done = pooled(planned[:2], tmp_path, FAST, 0, False)
    cluster._complete(planned[:2], done, tmp_path)
    (tmp_path / "v1___0" / "motion.json").unlink()
    with pytest.raises(BuildError, match=r"v1___0/motion.json: written on the cluster, not there here"):
        cluster._complete(planned[:2], done, tmp_path)
    del done["v0___0"]
    with pytest.raises(BuildError, match="no outcome of v0___0"):
        cluster._complete(planned[:2], done, tmp_path)


def test_a_task_tells_that_its_node_does_not_see_the_folder(planned: list[Clip], tmp_path: Path):
    import pickle

    row = cluster._made({"clip": pickle.dumps(planned[0])}, FAST, str(tmp_path / "clips" / ".seen.tmp"))
    assert "build into a folder that all nodes share" in pickle.loads(row["outcome"])
    assert not (tmp_path / "clips").exists()


def test_mistakes_are_told_before_ray_starts(planned: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(BuildError, match="0 workers"):
        cluster.outcomes(planned, tmp_path / "out", FAST, 0, progress=False)
    with pytest.raises(BuildError, match="give the model's full path"):
        cluster.outcomes(planned, tmp_path / "out", Settings(estimator="pose.onnx"), progress=False)
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(BuildError, match=r"pip install 'kinjo\[ray\]'"):
        cluster.outcomes(planned, tmp_path / "out", FAST, progress=False)
    assert cluster.outcomes([], tmp_path / "out", FAST) == {}
    assert not list(tmp_path.glob("out/.*"))


def test_temporary_names_are_no_other_process_s(tmp_path: Path):
    a, b = (files.temporary(tmp_path / "cut.json") for _ in range(2))
    assert a != b
    assert a.parent == tmp_path
    a.write_text("of a live task")
    b.write_text("of a dead one")
    os.utime(b, (0, 0))
    files.sweep(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [a.name]
