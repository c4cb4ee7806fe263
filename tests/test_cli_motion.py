"""The verbs of movement: a file becomes readings, people are simulated, clocks are told or not, mistakes are said."""

from pathlib import Path

import numpy as np
import pytest

import _motion_files as files
from _cli import last
from kinjo import corpus
from kinjo.datasets import gym
from kinjo.formats.tables import read_table, write_table
from kinjo.recording import Recording
from kinjo.sensors import WATCH
from kinjo.sync import Alignment


@pytest.fixture
def movement(tmp_path: Path) -> Path:
    path = tmp_path / "move.bvh"
    place = np.tile([0.0, 1.0, 0.0], (60, 1))
    path.write_text(files.bvh(files.angles(np.random.default_rng(0), 60), place, rate=30.0))
    return path


@pytest.fixture(scope="module")
def session() -> Recording:
    """A minute of someone who exercises, a watch that starts late."""
    return gym.record(11, seconds=60.0, placements=("left_wrist",), sensors={"left_wrist": WATCH})


def moved(recording: Recording, seconds: float) -> Recording:
    """Its wearable on a clock that is ``seconds`` behind."""
    shift = Alignment(-seconds, 0.0, 1.0, True, "", 0.0, 60.0, 1.0, 0.0)
    return shift.apply(recording)


@pytest.mark.parametrize("name", ["imu.parquet", "imu.csv"])
def test_a_file_becomes_readings(run, movement: Path, name: str, tmp_path: Path):
    words = (
        "simulate",
        movement,
        "--placement",
        "left_wrist",
        "--placement",
        "right_ankle",
        "--rate",
        40,
        "--units",
        "m",
    )
    code, out, err = run(*words, "-o", tmp_path / name, "--plot", tmp_path / "p.png", "--json")
    assert code == 0, err
    assert last(out)["placements"] == ["left_wrist", "right_ankle"]
    streams = read_table(tmp_path / name)
    assert list(streams) == ["left_wrist.acc", "left_wrist.gyro", "right_ankle.acc", "right_ankle.gyro"]
    acc = streams["left_wrist.acc"]
    assert (acc.contract.rate_hz, acc.contract.units, acc.contract.gravity) == (40.0, "m/s^2", True)
    assert acc.length == last(out)["samples"] == int(59 / 30 * 40) + 1
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_a_device_has_faults_of_its_seed(run, movement: Path, tmp_path: Path):
    def readings(*more: object) -> np.ndarray:
        out = tmp_path / "x.parquet"
        assert run("simulate", movement, "--placement", "chest", "-o", out, "--units", "m", *more)[0] == 0
        return read_table(out)["chest.acc"].values()

    ideal, watch = readings(), readings("--device", "watch")
    assert not np.array_equal(ideal, watch)
    assert np.array_equal(watch, readings("--device", "watch"))
    assert not np.array_equal(watch, readings("--device", "watch", "--seed", 1))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--placement", "nose"), "is no placement"),
        (("--placement", "chest", "--device", "toaster"), "ideal, phone, watch, research"),
        (("--placement", "chest", "--units", "furlong"), "units"),
    ],
)
def test_mistakes_are_said(run, movement: Path, words: tuple[str, ...], said: str, tmp_path: Path):
    code, _, err = run("simulate", movement, "-o", tmp_path / "x.parquet", *words)
    assert code == 1
    assert said in err
    assert not (tmp_path / "x.parquet").exists()


def test_people_are_simulated_and_the_same_command_goes_on(run, tmp_path: Path):
    words = (
        "gym",
        "-o",
        tmp_path / "c",
        "--people",
        2,
        "--sessions",
        1,
        "--seconds",
        30,
        "--movement",
        "squat",
        "--json",
    )
    code, out, err = run(*words, "--video", "depth", "--size", 16)
    assert code == 0, err
    assert last(out)["recordings"] == 2
    store = corpus.Corpus.open(tmp_path / "c")
    assert {entry.subject for entry in store.entries} == {"person 0000", "person 0001"}
    first = store.recording(store.recordings[0])
    assert {"pose", "left_wrist.acc", "right_pocket.gyro", "video.depth"} <= set(first.streams)
    assert first.segments[0].label == "squat"
    assert first.segments[0].repetitions
    assert first.segments[0].description
    assert run(*words, "--video", "depth", "--size", 16)[0] == 0
    assert run(*words)[0] == 1  # another gym in the same folder


def test_clocks_are_told(run, session: Recording, tmp_path: Path):
    corpus.write([moved(session, 1.7)], tmp_path / "c", progress=False)
    code, out, err = run("sync", tmp_path / "c", "--json")
    assert code == 0, err
    (found,) = last(out)["alignments"].values()
    assert found["told"]
    assert found["offset_s"] == pytest.approx(1.7, abs=0.06)


def test_a_table_is_put_on_the_clock_of_a_movement(run, session: Recording, movement: Path, tmp_path: Path):
    late = moved(session, -0.8)
    table = tmp_path / "watch.parquet"
    write_table({n: s for n, s in late.streams.items() if s.contract.modality == "imu"}, table)
    # the movement is of somebody else, and short
    code, out, _ = run("sync", table, movement, "--units", "m", "-o", tmp_path / "new.parquet", "--json")
    assert code == 3
    (row,) = last(out)["alignments"].values()
    assert not row["told"]
    assert row["reason"]
    assert not (tmp_path / "new.parquet").exists()


def test_sync_wants_two_sides(run, tmp_path: Path):
    assert "name the movement" in run("sync", tmp_path / "x.parquet")[2]
    assert "is a corpus" in run("sync", tmp_path, tmp_path / "y.bvh")[2]
