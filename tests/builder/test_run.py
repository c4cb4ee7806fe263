"""The pipeline on small videos and a made-up estimator: every clip accounted for, resumed, told, kept in its folder."""

import json
from collections.abc import Iterable
from pathlib import Path

import _videos
import numpy as np
import pyarrow.parquet as pq
import pytest

from kinjo.batches import Windows, cut
from kinjo.builder import report, run, stages
from kinjo.builder.errors import BuildError
from kinjo.builder.estimators import Seen
from kinjo.builder.sources import clips, ids_of, videos, words
from kinjo.builder.stages import Settings
from kinjo.corpus import NULL, Corpus, CorpusError
from kinjo.corpus.writer import locked
from kinjo.datasets import gym
from kinjo.recipe import Recipe

FAST = Settings(short_side=48, placements=("right_wrist", "left_ankle"))
SPANS = [(0.0, 2.0, "Intro"), (2.0, 5.0, "Squats x10"), (5.0, 8.0, "Jumping Jacks 30s"), (8.0, 8.2, "Rest")]


@pytest.fixture(scope="module")
def body() -> tuple[np.ndarray, np.ndarray]:
    """World about the hips and pixels, (frames, 17, ...), of somebody who squats in front of a small camera."""
    room = np.asarray(gym.record(3, seconds=12.0, names=("squat",), sensors={}).streams["pose"].values(), float)
    axes = room * (1.0, -1.0, -1.0)
    hips = axes[:, 9:10]
    at = axes - axes[:, :1].mean(0) + (0, 0, 4.0)
    return axes - hips, at[..., :2] / at[..., 2:] * 55.4 + (32.0, 24.0)


@pytest.fixture
def estimator(monkeypatch: pytest.MonkeyPatch, body: tuple[np.ndarray, np.ndarray]) -> list[int]:
    """In place of MediaPipe: the body above in every picture that is not black. How many it was asked about."""
    asked: list[int] = []

    def see(pictures: Iterable[np.ndarray]) -> Seen:
        bright = np.array([p.mean() > 4 for p in pictures])
        asked.append(len(bright))
        world, image = (x[: len(bright), None].astype(np.float32) for x in body)
        sure = np.repeat(bright[:, None, None], 17, 2).astype(np.float32)
        return Seen("canonical", image, sure, world)

    monkeypatch.setattr(stages, "estimator", lambda name, sha256: see)
    return asked


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workout with chapters, one without, a dark one, a broken one, the same one twice."""
    root = tmp_path_factory.mktemp("videos")
    still = lambda k, h, w: _videos.picture(20, h, w)  # noqa: E731
    first = _videos.write(root / "01_workout.mp4", 225, chapters=SPANS, show=still)
    _videos.write(root / "waving hands.mp4", 75, show=lambda k, h, w: _videos.picture(21, h, w))
    _videos.write(root / "dark.mp4", 75, show=lambda k, h, w: np.zeros((h, w, 3), np.uint8))
    (root / "broken.mp4").write_bytes(first.read_bytes()[:3000])
    (root / "z_copy.mp4").write_bytes(first.read_bytes())
    info = {"license": "CC BY", "webpage_url": "https://a.org/v", "title": "Waving"}
    (root / "waving hands.info.json").write_text(json.dumps(info))
    (root / "waving hands.en.srt").write_text("1\n00:00:00,500 --> 00:00:01,500\nNow <b>wave</b>\n")
    return root


def test_every_clip_is_kept_or_refused_with_a_reason(folder: Path, estimator: list[int], tmp_path: Path):
    built = run.build([folder], tmp_path / "out", FAST, workers=0, progress=False)
    assert built.kept == ("01_workout___0", "01_workout___1", "01_workout___2", "waving-hands___0")
    assert set(built.refused) == {"01_workout___3", "dark___0", "broken", "z_copy"}
    assert "lasts 0.20 s" in built.refused["01_workout___3"]
    assert "person in 0% of the frames" in built.refused["dark___0"]
    assert "same bytes as 01_workout.mp4" in built.refused["z_copy"]
    assert all(reason and str(tmp_path) not in reason for reason in built.refused.values())
    table = pq.read_table(tmp_path / "out" / "manifest.parquet")
    assert sorted(table["id"].to_pylist()) == sorted([*built.kept, *built.refused])
    told = {row["id"]: row for row in table.to_pylist()}
    assert told["waving-hands___0"]["licence"] == "CC BY"
    assert told["waving-hands___0"]["spoken"] == "Now wave"
    assert told["01_workout___1"]["repetitions"] == 10
    assert told["01_workout___1"]["repetitions_seen"] is not None
    assert json.loads(table.schema.metadata[b"tools"])["av"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(id in page for id in told)
    assert (tmp_path / "out" / "clips" / "01_workout___1" / "strip.png").stat().st_size > 5000


def test_the_corpus_is_read_and_trained_on_like_any_other(folder: Path, estimator: list[int], tmp_path: Path):
    built = run.build([folder], tmp_path / "out", FAST, licence="mine", workers=0, progress=False)
    assert built.corpus is not None
    store = Corpus.open(built.corpus)
    squat = store.recording("01_workout___1")
    assert (squat.segments[0].label, squat.segments[0].repetitions) == ("squat", 10)
    assert store.recording("01_workout___0").segments[0].label == NULL
    assert set(squat.streams) == {
        "video", "pose", "right_wrist.acc", "right_wrist.gyro", "left_ankle.acc", "left_ankle.gyro"
    }  # fmt: skip
    acc = squat.streams["right_wrist.acc"]
    assert (acc.contract.units, acc.contract.rate_hz, acc.contract.gravity) == ("m/s^2", 50.0, True)
    assert np.median(np.linalg.norm(acc.values(), axis=1)) == pytest.approx(9.8, abs=2.0)
    recipe = Recipe.from_dict({
        "name": "built", "method": "mujo", "windows": {"length_s": 2.0, "hop_s": 0.5},
        "inputs": {"acc": {"modality": "imu", "quantity": "acc", "samples": 32, "slots": 4},
                   "pose": {"modality": "pose", "frames": 16, "joints": 17, "slots": 4}},
        "model": {"dim": 16, "depth": 1, "heads": 2, "joint_dim": 16},
        "pretrain": {"steps": 2, "batch_size": 4},
    })  # fmt: skip
    from kinjo import joint

    index = cut(store, store.recordings, recipe)
    assert {"squat", NULL} <= set(index.label_names.tolist())
    windows = Windows(store, index, recipe.inputs)
    told = joint.descriptions(store)
    assert told["build", "squat"] == (squat.segments[0].description,)
    bank = joint.Bank()
    assert {bank.sentences[i] for i in bank.rows("build", "squat", told["build", "squat"])} >= {
        "a person doing squat", squat.segments[0].description
    }  # fmt: skip
    joint.pretrain(
        recipe, [joint.Source(windows, np.arange(len(windows)), text=True)], tmp_path / "run", progress=False
    )


def test_what_is_done_is_not_done_again(folder: Path, estimator: list[int], tmp_path: Path):
    out = tmp_path / "out"
    first = run.build([folder], out, FAST, workers=0, progress=False)
    before = {p.relative_to(out): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file() and p.name != ".lock"}
    asked = len(estimator)
    again = run.build([folder], out, FAST, workers=0, progress=False)
    assert again == first
    assert len(estimator) == asked
    after = {p.relative_to(out): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file() and p.name != ".lock"}
    assert after == before
    (out / "clips" / "01_workout___1" / "pose.npz").unlink()
    (out / "clips" / "01_workout___1" / "pose.json").write_text("{")
    (out / "clips" / "01_workout___1" / ".clip.mp4.1.tmp").write_bytes(b"half")  # by a process that was killed
    run.build([folder], out, FAST, workers=0, progress=False)
    assert len(estimator) == asked + 1
    restored = {p.relative_to(out): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file() and p.name != ".lock"}
    assert restored == before


def test_other_settings_make_the_clips_again(folder: Path, estimator: list[int], tmp_path: Path):
    out = tmp_path / "out"
    run.build([folder], out, FAST, workers=0, progress=False)
    asked = len(estimator)
    fewer = Settings(short_side=48, placements=("chest",))
    built = run.build([folder], out, fewer, workers=0, progress=False)
    assert len(estimator) == asked  # poses stay, sensors are new
    assert built.corpus is not None
    assert "chest.acc" in Corpus.open(built.corpus).recording("01_workout___1").streams


def test_one_build_at_a_time_in_a_folder(folder: Path, estimator: list[int], tmp_path: Path):
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out"), pytest.raises(CorpusError, match="another process is writing here"):
        run.build([folder], tmp_path / "out", FAST, workers=0, progress=False)
    assert not estimator


def test_rot_is_measured(folder: Path, estimator: list[int], tmp_path: Path):
    run.build([folder], tmp_path / "out", FAST, workers=0, progress=False)
    whole = report.verify(tmp_path / "out", [folder])
    assert (whole["rot"], whole["gone"], whole["changed"]) == (0.0, [], [])
    (tmp_path / "now").mkdir()
    (tmp_path / "now" / "waving hands.mp4").write_bytes((folder / "waving hands.mp4").read_bytes() + b"x")
    (tmp_path / "now" / "dark.mp4").write_bytes((folder / "dark.mp4").read_bytes())
    rotten = report.verify(tmp_path / "out", [tmp_path / "now"])
    assert rotten["rot"] == 1.0
    assert rotten["changed"] == ["waving hands.mp4"]
    assert rotten["gone"] == ["01_workout.mp4"]


def test_a_folder_with_other_files_is_left_alone(folder: Path, tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BuildError, match="holds other files"):
        run.build([folder], tmp_path, FAST, workers=0, progress=False)
    with pytest.raises(BuildError, match="no such file or folder"):
        run.build([tmp_path / "gone"], tmp_path / "out", FAST, workers=0, progress=False)


def test_names_stay_inside(tmp_path: Path):
    names = ["..%2f..%2fetc.mp4", "a b.mp4", "a-b.mp4", "é.mp4", "-.mp4", "x" * 200 + ".mp4"]
    paths = [Path(name) for name in names]
    ids = ids_of(paths)
    assert len(set(ids)) == len(ids)
    assert all(id and len(id) <= 65 and not set(id) & set("./\\ ") for id in ids)
    assert words("01_walking_slowly") == "walking slowly"
    assert words("push-up_15") == "push up 15"
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "a.mp4").touch()
    with pytest.raises(BuildError, match="no video among"):
        videos([tmp_path])


def test_chapters_beside_come_first(folder: Path, tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes((folder / "01_workout.mp4").read_bytes())
    (tmp_path / "a.chapters.csv").write_text("start,end,title\n0,3,Lunges\n3,99,Rest\n-5,1,Wrong\n")
    made, refused, _ = clips(videos([tmp_path]))
    assert [(c.title, c.start_s, round(c.end_s, 2)) for c in made] == [("Lunges", 0.0, 3.0), ("Rest", 3.0, 9.0)]
    assert len(refused) == 1
    (tmp_path / "a.chapters.csv").write_text("nonsense")
    made, _, notes = clips(videos([tmp_path]))
    assert [c.title for c in made] == ["Intro", "Squats x10", "Jumping Jacks 30s"]
    assert any("a.chapters.csv is not used" in note for note in notes)
