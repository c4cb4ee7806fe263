"""The path of somebody with files of their own: look into them, learn, recognise, teach, recognise again, forget."""

import re
from pathlib import Path

import numpy as np
import pytest

import _small_model
from _cli import last
from _small_model import LEARNT, TAUGHT, session, shown
from kinjo.recording import Recording
from kinjo.timeline import Timeline


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model."""
    return _small_model.write(tmp_path_factory.mktemp("own")).parent


def table(recording: Recording, path: Path, *, g: bool = True) -> Path:
    """As an app writes it: milliseconds, g and degrees."""
    acc, gyro = (recording.streams[f"right_wrist.{q}"] for q in ("acc", "gyro"))
    here = ~(acc.mask() | gyro.mask())
    columns = [1000 * (acc.clock() - acc.clock()[0]), *(acc.values().T / (9.80665 if g else 1.0))]
    rows = np.stack([*columns, *np.rad2deg(gyro.values().T)], 1)[here]
    units = ("g" if g else "m/s^2", "deg/s")
    names = ["time_ms", *(f"acc_{a} ({units[0]})" for a in "xyz"), *(f"gyro_{a} ({units[1]})" for a in "xyz")]
    np.savetxt(path, rows, "%.5f", ",", header=",".join(names), comments="")
    return path


def test_look_into_a_file(tmp_path: Path, run):
    path = table(session(1, LEARNT, 30.0), tmp_path / "mine.csv")
    code, out, err = run("inspect", path, "--json")
    assert (code, last(out)["missing"]) == (0, ["placement of acc", "placement of gyro"])
    assert "--placement" in err
    words = ("inspect", path, "--placement", "right_wrist", "--gravity", "true")
    code, out, _ = run(*words, "--plot", tmp_path / "mine.png", "--keep", "--json")
    found = last(out)
    assert code == 0
    assert found["kind"] == "table"
    assert {s["name"]: s["units"] for s in found["streams"]} == {"right_wrist.acc": "g", "right_wrist.gyro": "deg/s"}
    assert (tmp_path / "mine.png").stat().st_size > 10_000
    code, out, _ = run("inspect", path)  # kept beside the file: nothing is asked any more
    assert code == 0
    assert "acc in g at right_wrist, 50 Hz" in out


def test_from_files_to_activities(made: Path, tmp_path: Path, run):
    model, profile = made / "small.safetensors", tmp_path / "mine.json"
    whole = session(300, (*LEARNT[:2], TAUGHT), 90.0)
    path = table(whole, tmp_path / "third.csv")
    said = ("--placement", "right_wrist", "--model", model)
    code, out, _ = run("recognize", path, *said, "-o", tmp_path / "a.csv", "--plot", tmp_path / "a.png", "--json")
    assert code == 0
    assert {span["label"] for span in last(out)["spans"]} <= {*LEARNT, "unknown"}
    assert len(Timeline.from_csv(tmp_path / "a.csv")) == len(last(out)["spans"])
    assert (tmp_path / "a.png").is_file()

    example = table(shown(session(200, (TAUGHT,)), TAUGHT), tmp_path / "example.csv")
    code, out, _ = run("teach", TAUGHT, example, *said, "--profile", profile, "--json")
    assert (code, last(out)["classes"]) == (0, [*sorted(LEARNT), TAUGHT])
    assert last(out)["counted"]
    code, out, _ = run("recognize", path, *said, "--profile", profile)
    assert code == 0
    assert re.search(f"{TAUGHT} x[0-9]+ ", out)
    said_ = ("--profile", profile, "--repetitions", 0)  # not to be counted
    code, out, _ = run("teach", TAUGHT, example, *said, *said_)
    assert code == 0
    assert "counted" not in out
    code, out, _ = run("recognize", path, *said, "--profile", profile, "--json")
    assert {span["repetitions"] for span in last(out)["spans"] if span["label"] == TAUGHT} == {None}
    code, out, _ = run("forget", TAUGHT, "--model", model, "--profile", profile, "--json")
    assert (code, last(out)["classes"]) == (0, sorted(LEARNT))
    code, out, _ = run("recognize", path, *said, "--profile", profile)
    assert TAUGHT not in out


def test_units_do_not_matter_once_they_are_known(made: Path, tmp_path: Path, run):
    model, whole = made / "small.safetensors", session(301, LEARNT, 60.0)
    spans = []
    for name, g in (("a.csv", True), ("b.csv", False)):
        path = table(whole, tmp_path / name, g=g)
        words = ("recognize", path, "--placement", "right_wrist", "--model", model, "--json")
        spans.append([(s["start_s"], s["end_s"], s["label"]) for s in last(run(*words)[1])["spans"]])
    assert spans[0] == spans[1]


def test_classes_of_a_corpus_by_the_command(made: Path, tmp_path: Path, run):
    out_ = tmp_path / "again.safetensors"
    code, out, _ = run("learn", made / "space", "--corpus", made / "corpus", "-o", out_, "--held", "0.3", "--json")
    assert (code, last(out)["classes"]) == (0, sorted(LEARNT))
    assert out_.is_file()


def test_mistakes_say_what_to_do(made: Path, tmp_path: Path, run):
    path = table(session(1, LEARNT, 10.0), tmp_path / "mine.csv")
    model = ("--model", made / "small.safetensors")
    for words, said in (
        (("recognize", path, *model), "--placement"),
        (("recognize", path, *model, "-o", tmp_path / "x.txt"), "choose one of these endings"),
        (("recognize", path, "--model", made / "space", "--placement", "right_wrist"), "without classes"),
        (("recognize", path, *model, "--placement", "left_thigh"), "acc at right_wrist"),
        (("recognize", path, *model, "--profile", tmp_path / "gone.json"), "no such profile"),
        (("forget", "dance", *model, "--profile", tmp_path / "p.json"), "no activity 'dance'"),
        (("inspect", path, "--gravity", "maybe"), "--gravity is true or false"),
        (("teach", "x", path, *model, "--profile", tmp_path / "p.json", "--placement", "right_wrist", "--from", "99"),
         "has nothing from 99"),
        (("teach", "x", path, *model, "--profile", tmp_path / "p.json", "--placement", "right_wrist", "--repetitions",
          "3", "--repetitions", "4"), "each needs its number"),
        (("teach", "x", *model, "--profile", tmp_path / "p.json"), "say what it is with --words"),
        (("teach", "x", *model, "--profile", tmp_path / "p.json", "--words", "a hop"), "learnt no words"),
    ):  # fmt: skip
        code, _, err = run(*words)
        assert code == 1, words
        assert said in err, words
