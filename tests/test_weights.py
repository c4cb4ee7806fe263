"""kinjo-base as it ships: its files, both ways to load it, and the command line that names no model."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from _cli import last
from kinjo import runtime
from kinjo.base.data import REAL, VIRTUAL
from kinjo.demo_base import session
from kinjo.recognizer import Recognizer
from kinjo.recording import Recording

LICENCES = {"Apache-2.0", "MIT", "CC BY 4.0", "free for all uses; not to be sold as data"}
WALKER = 790
"""Of the gym; nobody of the training."""


@pytest.fixture(scope="module")
def walk() -> Recording:
    return session(WALKER, ("walking", "squat"), 60.0)


def test_its_files_are_what_its_provenance_says() -> None:
    told = json.loads(runtime.shipped(".json").read_text())
    for name, file in told["files"].items():
        data = runtime.shipped(Path(name).suffix).read_bytes()
        assert len(data) == file["bytes"]
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
        assert b'.py"' not in data  # no line of a file of the machine that made it
    assert sum(file.stat().st_size for file in runtime.WEIGHTS.iterdir()) < 20e6
    assert {one["licence"] for one in told["data"].values()} == LICENCES
    assert {name.partition("-")[0] for name in told["data"]} == {*VIRTUAL, *REAL}


def test_both_ways_of_loading_answer_alike(walk: Recording) -> None:
    whole, device = Recognizer.load(), runtime.load()
    assert whole.id == device.id
    assert whole.labels == device.labels
    assert {"walking", "squat", "sitting"} <= set(whole.labels)
    (_, ours), (_, theirs) = whole.embed_recording(walk), device.embed_recording(walk)
    for space, vectors in ours.items():
        np.testing.assert_allclose(vectors, theirs[space], atol=1e-4)
    assert [s.label for s in whole.recognize(walk)] == [s.label for s in device.recognize(walk)]


def test_it_knows_somebody_it_never_saw_by_the_watch(walk: Recording) -> None:
    found = runtime.load().recognize(walk)
    assert {"walking", "squat"} & {span.label for span in found}


def test_no_model_named_is_kinjo_base(walk: Recording, tmp_path: Path, run):
    stream = walk.streams["right_wrist.acc"]
    rows = np.column_stack([stream.clock(), stream.values()])[~stream.mask()]
    file, profile = tmp_path / "walk.csv", tmp_path / "mine.json"
    np.savetxt(file, rows, "%.5f", ",", header="seconds,acc_x (m/s^2),acc_y (m/s^2),acc_z (m/s^2)", comments="")
    said = ("--placement", "right_wrist", "--json")
    code, out, _ = run("recognize", file, *said)
    assert code == 0
    assert {span["label"] for span in last(out)["spans"]} <= {*runtime.load().labels, "unknown"}
    code, out, _ = run("teach", "my walk", file, "--to", 15, *said, "--profile", profile)
    assert code == 0
    assert "my walk" in last(out)["classes"]
    code, out, _ = run("recognize", file, *said, "--profile", profile)
    assert code == 0
    code, out, _ = run("forget", "my walk", "--profile", profile, "--json")
    assert code == 0
    assert "my walk" not in last(out)["classes"]
    assert run("profile", "--windows", 20, "--json")[0] == 0
