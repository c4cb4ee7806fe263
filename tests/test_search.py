"""Moments found by words, recordings and moments, in every modality; the index is kept, and never a stale one used."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kinjo.finder
from _cli import last
from kinjo import corpus, joint, recognizer, search
from kinjo.batches import Windows, cut
from kinjo.body import CANONICAL
from kinjo.corpus import Corpus, CorpusError, WindowIndex
from kinjo.datasets import gym
from kinjo.encoders import Input, PoseInput, SensorInput, VideoInput
from kinjo.finder import Finder
from kinjo.formats.errors import FormatError
from kinjo.methods import mujo
from kinjo.nn import checkpoint
from kinjo.recipe import Cut, Recipe
from kinjo.recognizer import Recognizer
from kinjo.recording import ContractError, Recording, Stream
from kinjo.search import Index, Moment, peaks
from kinjo.train import Schedule

NAMES = ("squat", "jumping jack", "biceps curl")
CAMERA = gym.Camera.around(35.0, height=32, width=32, distance_m=4.0)
HIPS = (CANONICAL.index("left_hip"), CANONICAL.index("right_hip"))
HOLDS = {"both": ("imu", "pose"), "watch": ("imu",), "film": ("video",), "all": ("imu", "pose", "video")}
"""Recordings of the corpus: what each holds."""


def recording(seed: int, id: str, modalities: tuple[str, ...], seconds: float = 24.0) -> Recording:
    made = gym.record(
        seed, seconds=seconds, names=NAMES, placements=("right_wrist",), video=CAMERA, video_rate_hz=4.0,
        kinds=("depth",),
    )  # fmt: skip
    return replace(made, id=id, streams={n: s for n, s in made.streams.items() if s.contract.modality in modalities})


def recipe() -> Recipe:
    inputs: dict[str, Input] = {
        q: SensorInput(q, samples=32, slots=4, placement="right_wrist") for q in ("acc", "gyro")
    }
    inputs["pose"] = PoseInput(frames=16, joints=17, slots=4, skeleton="canonical", across=HIPS)
    inputs["depth"] = VideoInput("depth", frames=4, size=16, tubelet=(2, 8, 8))
    return Recipe(
        "tiny", inputs, mujo.Config(inputs, dim=16, depth=1, heads=2, joint_dim=16), method="mujo",
        pretrain=Schedule(steps=30, batch_size=16, lr=3e-3, warmup_steps=2, precision="fp32"), windows=Cut(3.0, 1.0),
        objective=mujo.Objective({"contrast": 1.0}, drop=0.0),
    )  # fmt: skip


def pretrained(store: Corpus, out: Path, *, text: bool, steps: int = 2) -> Path:
    how = recipe()
    how = replace(how, pretrain=replace(how.pretrain, steps=steps))
    windows = Windows(store, cut(store, store.recordings, how), how.inputs)
    joint.pretrain(how, [joint.Source(windows, np.arange(len(windows)), text=text)], out, progress=False)
    return out


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    made = (recording(k, id, holds) for k, (id, holds) in enumerate(HOLDS.items()))
    return corpus.write(made, tmp_path_factory.mktemp("store") / "corpus", progress=False)


@pytest.fixture(scope="module")
def space(store: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrained(store, tmp_path_factory.mktemp("space") / "run", text=True, steps=30)


@pytest.fixture(scope="module")
def finder(space: Path) -> Finder:
    return recognizer.finder(space)


@pytest.fixture(scope="module")
def index(finder: Finder, store: Corpus) -> Index:
    return finder.index(store)


@pytest.fixture(scope="module")
def model(space: Path, tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    made = (recording(k, f"person {k}", ("imu", "pose")) for k in range(10, 14))
    labelled = corpus.write(made, tmp_path_factory.mktemp("labelled") / "corpus", progress=False)
    return recognizer.learn(space, labelled, labelled.recordings[:2], labelled.recordings[2:])


# ------------------------------------------------------------------------------------------------ ranking
def spans(counts: list[int], hop: float, length: float = 4.0) -> WindowIndex:
    """So many windows of recordings, in order."""
    of = np.repeat(np.arange(len(counts)), counts)
    start = np.concatenate([np.arange(n) * hop for n in counts]).astype(np.float64)
    return WindowIndex(of, start, np.add(start, length), np.zeros(len(of), np.int64))


@given(st.data())
def test_moments_are_different_ones(data: st.DataObject):
    counts = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=4))
    w = spans(counts, data.draw(st.sampled_from([1.0, 2.0, 4.0, 6.0])))
    values = st.one_of(st.floats(-1, 1, width=32), st.just(-np.inf))
    scores = np.array(data.draw(st.lists(values, min_size=len(w), max_size=len(w))))
    k, least = data.draw(st.integers(1, 8)), data.draw(st.sampled_from([-np.inf, 0.0, 0.5]))
    found = peaks(scores, w, k, least=least)
    assert len(found) <= k
    tops = [scores[best] for best, _, _ in found]
    assert tops == sorted(tops, reverse=True)
    may = (scores >= least) & (scores > -np.inf)
    if may.any():
        assert tops[0] == scores.max()

    def apart(a: tuple[int, int, int], b: tuple[int, int, int]) -> bool:
        other = w.recording[a[0]] != w.recording[b[0]]
        return bool(other or w.end_s[a[2]] < w.start_s[b[1]] or w.end_s[b[2]] < w.start_s[a[1]])

    for i, (best, low, high) in enumerate(found):
        assert low <= best <= high
        assert len(set(w.recording[low : high + 1].tolist())) == 1
        assert scores[low : high + 1].max() == scores[best] >= least
        if scores[best] > 0:
            assert scores[low : high + 1].min() >= search.SHARE * scores[best]
        assert all(apart(found[i], other) for other in found[:i])
    if len(found) < k:  # nothing was left out that could be a moment of its own
        assert not any(all(apart((i, i, i), other) for other in found) for i in np.flatnonzero(may).tolist())


def unit(rng: np.random.Generator, rows: int, size: int = 8) -> np.ndarray:
    x = rng.standard_normal((rows, size))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_scores_are_those_of_a_loop(store: Corpus):
    rng = np.random.default_rng(0)
    w = spans([5, 9, 3, 4], 1.0)
    whole = {"imu": unit(rng, len(w)), "video": unit(rng, len(w))}
    whole["imu"][[2, 7]] = 0
    whole["video"][[2, 3]] = 0
    q = rng.standard_normal(8)

    def naive(row: int, modalities: tuple[str, ...]) -> float:
        cosines = [float(whole[m][row] @ q) / float(np.linalg.norm(q)) for m in modalities if whole[m][row].any()]
        return (float(np.mean(cosines)) + max(cosines)) / 2 if cosines else -np.inf

    for kind in (np.float32, np.float16):
        made = Index(store, w, {m: [x[:6].astype(kind), x[6:].astype(kind)] for m, x in whole.items()})
        for asked, modalities in ((None, ("imu", "video")), ("video", ("video",)), (["imu"], ("imu",))):
            scores, nearest = made.scores(q, asked)
            wanted = [naive(row, modalities) for row in range(len(w))]
            np.testing.assert_allclose(scores, wanted, atol=1e-5 if kind == np.float32 else 2e-3)
            assert set(nearest.tolist()) <= set(modalities)
    found = made.search(q, 50)
    np.testing.assert_allclose(found[0].score, max(naive(row, ("imu", "video")) for row in range(len(w))), atol=2e-3)
    with pytest.raises(ValueError, match=r"no window with pose .* they have imu, video"):
        made.scores(q, "pose")
    for bad in (np.zeros(8), np.ones(7), np.full(8, np.nan)):
        with pytest.raises(ValueError, match="a vector of 8 finite numbers"):
            made.scores(bad)
    with pytest.raises(ValueError, match="at least 1"):
        made.search(q, 0)


def test_a_moment_says_where_its_windows_agree(store: Corpus):
    """Windows of 4 s every second; those that begin at 5 to 8 s answer: between their middles, 6.5 to 10.5 s."""
    w = spans([18], 1.0)
    away, near = np.eye(8)[0], np.eye(8)[1]
    x = np.stack([near if 5 <= k <= 8 else away for k in range(18)])
    made = Index(store, w, {"imu": [x.astype(np.float32)]})
    (moment,) = made.search(near, 1)
    assert (moment.recording, moment.modality) == (store.recordings[0], "imu")
    assert (moment.start_s, moment.end_s) == (5.0, 10.5)  # never less than its best window, of equal ones the first
    assert moment.score == pytest.approx(1.0)


# ------------------------------------------------------------------------------------------------ what asks
def test_every_recording_answers_by_what_it_holds(index: Index, store: Corpus):
    assert set(index.vectors) == {"imu", "pose", "video"}
    for number, holds in enumerate(HOLDS.values()):
        mine = index.windows.recording == number
        assert {m for m, there in index.present.items() if there[mine].all()} == set(holds)
        assert not any(index.present[m][mine].any() for m in set(index.vectors) - set(holds))
    norms = np.linalg.norm(np.concatenate(index.vectors["imu"]), axis=1)
    np.testing.assert_allclose(norms[index.present["imu"]], 1.0, atol=2e-3)


def test_vectors_are_those_of_the_joint_space(finder: Finder, index: Index, store: Corpus):
    windows = Windows(store, index.windows, recipe().inputs)
    z = joint.embed(finder.space, windows)
    for m, blocks in index.vectors.items():
        there = index.present[m]
        np.testing.assert_allclose(np.concatenate(blocks)[there], z[m][there], atol=1e-3)


def test_a_sentence_finds_a_video_without_sensors(finder: Finder, index: Index):
    found = finder.search("a person squats", index, 100)
    assert {m.recording for m in found} == set(HOLDS)
    assert {m.modality for m in found if m.recording == "film"} == {"video"}
    assert {m.modality for m in found if m.recording == "watch"} == {"imu"}
    film = finder.search("a person squats", index, 100, modality="video")
    assert {m.recording for m in film} == {"film", "all"}
    assert {m.modality for m in film} == {"video"}
    assert any(m.label in NAMES and m.description for m in found)
    assert [m.score for m in found] == sorted((m.score for m in found), reverse=True)
    high = found[len(found) // 2].score
    assert finder.search("a person squats", index, 100, min_score=high) == [m for m in found if m.score >= high]
    assert finder.search("a person squats", index, 3, min_score=1.5) == []


def test_a_recording_finds_itself(finder: Finder, index: Index, store: Corpus):
    """A query is read as the corpus is: a window of it has the vector that the window has there."""
    for id in HOLDS:
        whole = store.recording(id)
        np.testing.assert_allclose(
            finder.vector((whole, (4.0, 7.0))), index.vector(Moment(id, 5.4, 5.6)), atol=0.05 if id == "film" else 2e-3
        )
        if len(HOLDS[id]) == 1:
            found = finder.search((whole, (4.0, 7.0)), index, 1)[0]
            assert found == finder.search(whole.between(4.0, 7.0), index, 1)[0]
            assert (found.recording, found.score) == (id, pytest.approx(1.0, abs=0.01))
            assert found.start_s <= 4.0 < 7.0 <= found.end_s
    assert finder.search(store.recording("both"), index, 1, modality="video")[0].modality == "video"


def test_a_moment_finds_others_like_it(finder: Finder, index: Index):
    asked = Moment("all", 4.0, 9.0)
    others = finder.search(asked, index, 100)
    assert {m.recording for m in others} == {"both", "watch", "film"}
    own = finder.search(asked, index, 100, own=True)
    assert {m.recording for m in own} == set(HOLDS)
    assert all(m.end_s <= 4.0 or m.start_s >= 9.0 for m in own if m.recording == "all")
    assert finder.search(Moment("all", 4.0, 4.1), index, 5)  # shorter than the hop
    vector = index.vector(asked)
    assert np.linalg.norm(vector) == pytest.approx(1.0)
    assert index.search(vector, 100, without=asked) == others


def test_who_may_answer(finder: Finder, index: Index, store: Corpus):
    q = finder.vector("squats")
    assert {m.recording for m in index.search(q, 100, recordings=["film"])} == {"film"}
    who = str(store.table.subjects[1])
    assert {m.recording for m in index.search(q, 100, subjects=who)} == {"watch"}
    assert index.search(q, 100, recordings=["film"], subjects=[who]) == []
    with pytest.raises(ValueError, match="no recording of subject 'nobody'"):
        index.search(q, 5, subjects=["nobody"])
    with pytest.raises(CorpusError, match="no recording 'gone'"):
        index.search(q, 5, recordings=["gone"])


def test_recognizers_take_files_and_columns(model: Recognizer, store: Corpus, index: Index, tmp_path: Path):
    watch = store.recording("watch").between(4.0, 8.0)
    acc, gyro = (watch.streams[f"right_wrist.{q}"] for q in ("acc", "gyro"))
    table = {"time_s": acc.clock()}
    table |= {f"acc_{a}": acc.values()[:, i] for i, a in enumerate("xyz")}
    table |= {f"gyro_{a}": gyro.values()[:, i] for i, a in enumerate("xyz")}
    told: Any = {"placement": "right_wrist", "units": {"acc": "m/s^2", "gyro": "rad/s"}, "gravity": True}
    path = tmp_path / "mine.csv"
    np.savetxt(path, np.stack(list(table.values()), 1), delimiter=",", header=",".join(table), comments="")
    for query in (path, table, (path, (0.0, 30.0))):
        found = model.search(query, index, 2, **told)
        assert found[0].recording == "watch"
        assert found[0].start_s <= 8.0
    assert model.search("squats", store.root, 2) == model.search("squats", index, 2)
    assert model.search(np.ones(16), store, 1) == model.search(np.ones(16), model.index(store), 1)
    with pytest.raises(ValueError, match="placement: only a file"):
        model.search("squats", index, placement="right_wrist")
    with pytest.raises(FormatError, match="placement"):
        model.search(path, index)
    with pytest.raises(ValueError, match="no joint space"):
        replace(model, finder=None).search("squats", index)


# ------------------------------------------------------------------------------------------------ kept
@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many windows each call of the model embedded, in parts of ten."""
    seen: list[int] = []
    embedded = Finder._embedded

    def watched(self: Finder, windows: Windows, rows: np.ndarray, at: Any = None) -> Any:
        seen.append(len(rows))
        return embedded(self, windows, rows, at)

    monkeypatch.setattr(Finder, "_embedded", watched)
    monkeypatch.setattr(kinjo.finder, "PART", 10)
    return seen


def test_an_index_is_computed_once(finder: Finder, store: Corpus, tmp_path: Path, counted: list[int], monkeypatch):
    first = finder.index(store, tmp_path, progress=True)
    assert sum(counted) == len(first) > 20
    parts = len(counted)
    again = finder.index(store, tmp_path)
    assert len(counted) == parts
    q = finder.vector("squats")
    assert again.search(q) == first.search(q)
    monkeypatch.setattr(kinjo.finder, "HELD_BYTES", 0)
    mapped = finder.index(store, tmp_path)
    assert all(isinstance(block, np.memmap) for block in mapped.vectors["imu"])
    assert [m.recording for m in mapped.search(q)] == [m.recording for m in first.search(q)]
    np.testing.assert_allclose(mapped.scores(q)[0], first.scores(q)[0], atol=1e-6)
    np.testing.assert_allclose(mapped.vector(Moment("all", 8.0, 14.0)), first.vector(Moment("all", 8.0, 14.0)))

    home = tmp_path / finder.id  # killed, or damaged: only what is lacking is computed
    (home / "imu-00001.npy").write_bytes((home / "imu-00001.npy").read_bytes()[:-40])
    (home / "pose-00000.npy").unlink()
    assert finder.index(store, tmp_path).search(q) == first.search(q)
    assert counted[parts:] == [10, 10]


def test_a_stale_index_is_not_used(finder: Finder, store: Corpus, tmp_path: Path, counted: list[int]):
    mine = corpus.write((store.recording(id) for id in store.recordings[:2]), tmp_path / "mine", progress=False)
    assert set(finder.index(mine).vectors) == {"imu", "pose"}
    assert (mine.root / "search" / finder.id / "index.json").is_file()
    before = sum(counted)
    grown = corpus.write((store.recording(id) for id in store.recordings[:3]), tmp_path / "mine", progress=False)
    wider = finder.index(grown)  # another corpus in the same place
    assert sum(counted) == before + len(wider)
    assert set(wider.vectors) == {"imu", "pose", "video"}
    other = replace(finder, id="another")
    before = sum(counted)
    other.index(grown)  # another model
    assert sum(counted) == before + len(wider)
    before = sum(counted)
    finder.index(grown)  # whose index left the first one's alone
    assert sum(counted) == before
    assert grown.verify()


def test_what_is_short_is_found_too(finder: Finder, store: Corpus, tmp_path: Path):
    brief = store.recording("watch").between(5.0, 6.2)  # of windows of 3 s
    made = corpus.write([replace(brief, id="brief")], tmp_path / "brief", progress=False)
    (found,) = finder.search("squats", made)
    assert (found.recording, found.end_s) == ("brief", pytest.approx(6.2, abs=0.05))
    stretched = replace(finder, stretched=True, id="stretched").index(made)
    assert float(stretched.windows.end_s[0]) == pytest.approx(6.2, abs=0.05)


def test_what_the_model_never_learnt_is_not_read(space: Path, store: Corpus, tmp_path: Path):
    model, how, header = joint.load(space)
    assert isinstance(model, mujo.MuJo)
    header["contracts"]["depth"]["seconds"] = []  # training had no video
    blind = Finder.of(model, how, header, "blind")
    assert [slot.key for slot in blind.slots] == ["acc", "gyro", "pose"]
    assert set(blind.index(store, tmp_path).vectors) == {"imu", "pose"}
    with pytest.raises(ValueError, match=r"has none of what the model reads .* but depth at no place"):
        blind.index(corpus.write([store.recording("film")], tmp_path / "film", progress=False))
    watch = store.recording("watch")
    acc = watch.streams["right_wrist.acc"]
    loose = Stream.of(acc.name, replace(acc.contract, gravity=False), np.array(acc.values()))
    free = corpus.write([replace(watch, streams={acc.name: loose})], tmp_path / "free", progress=False)
    with pytest.raises(ValueError, match="has none of what the model reads"):
        blind.index(free)
    with pytest.raises(ContractError, match="gravity"):
        blind.vector(free.recording("watch"))


def test_what_it_cannot_do_is_said(finder: Finder, index: Index, store: Corpus, tmp_path: Path):
    wordless = recognizer.finder(pretrained(store, tmp_path / "wordless", text=False))
    with pytest.raises(ValueError, match=r"learnt no words.*--text"):
        wordless.search("squats", store)
    with pytest.raises(ValueError, match="empty sentence"):
        finder.vector("  ")
    with pytest.raises(ValueError, match="an empty corpus"):
        finder.index(corpus.write([], tmp_path / "empty", progress=False))
    left = gym.record(3, seconds=10.0, names=NAMES, placements=("left_wrist",))
    worn = replace(left, streams={n: s for n, s in left.streams.items() if s.contract.modality == "imu"})
    with pytest.raises(ContractError, match="acc at right_wrist"):
        finder.vector(worn)
    acc = store.recording("watch").streams["right_wrist.acc"]
    lost = Stream.of(acc.name, acc.contract, np.array(acc.values()), missing=np.ones(acc.length, bool))
    with pytest.raises(ValueError, match="too short, or lacks the samples"):
        finder.vector(Recording("lost", {acc.name: lost}))
    with pytest.raises(ValueError, match="no window has half of the samples"):
        finder.index(corpus.write([Recording("lost", {acc.name: lost})], tmp_path / "lost", progress=False))
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="name another folder"):
        finder.index(store, tmp_path / "file")
    with pytest.raises(checkpoint.CheckpointError, match="no such checkpoint"):
        recognizer.finder(tmp_path / "gone")


# ------------------------------------------------------------------------------------------------ the command
def test_from_words_to_a_table_and_a_picture(space: Path, store: Corpus, tmp_path: Path, run):
    said = ("--corpus", store.root, "--model", space)
    code, out, _ = run("search", "a person squats", *said, "-k", 3)
    assert code == 0
    header = next(line for line in out.splitlines() if line.strip())
    assert header.split() == ["score", "recording", "from", "s", "to", "s", "by", "label"]
    assert len([line for line in out.splitlines() if any(id in line for id in HOLDS)]) == 3
    words = ("search", "a person squats", *said, "--modality", "video", "--recording", "film", "--index", tmp_path)
    code, out, _ = run(*words, "--plot", tmp_path / "found.png", "--json")
    found = last(out)["moments"]
    assert code == 0
    assert {(m["recording"], m["modality"]) for m in found} == {("film", "video")}
    assert (tmp_path / "found.png").stat().st_size > 10_000
    code, out, _ = run("search", "a person squats", *said, "--min-score", "2")
    assert (code, out.partition(":")[0]) == (0, "nothing")


def test_files_and_recordings_ask_too(space: Path, store: Corpus, tmp_path: Path, run):
    said = ("--corpus", store.root, "--model", space, "--json")
    code, out, _ = run("search", "all", *said, "--from", 4, "--to", 9, "--plot", tmp_path / "all.png")
    assert code == 0
    assert {m["recording"] for m in last(out)["moments"]} <= {"both", "watch", "film"}
    acc = store.recording("watch").streams["right_wrist.acc"]
    path = tmp_path / "mine.csv"
    rows = np.column_stack([acc.clock(), acc.values()])
    np.savetxt(path, rows, delimiter=",", header="time_s,acc_x (m/s^2),acc_y,acc_z", comments="")
    code, out, _ = run("search", path, *said, "--placement", "right_wrist", "--gravity", "true", "--to", 8)
    assert code == 0
    assert last(out)["moments"][0]["recording"] in HOLDS


def test_mistakes_at_the_command_say_what_to_do(space: Path, store: Corpus, tmp_path: Path, run):
    said = ("--corpus", store.root, "--model", space)
    for words, told in (
        (("squats", "--corpus", store.root, "--model", tmp_path / "x.onnx"), "name the checkpoint"),
        (("squats", *said, "--from", "3"), "no such file"),
        (("squats", *said, "--placement", "right_wrist"), "no such file"),
        (("squats.csv", *said), "no such file"),
        (("all", *said, "--from", "99"), "has nothing from 99"),
        (("squats", *said, "--modality", "smell"), "no window with smell"),
        (("squats", *said, "--recording", "gone"), "no recording 'gone'"),
        (("squats", "--corpus", tmp_path, "--model", space), "not a corpus"),
        ((" ", *said), "empty sentence"),
    ):
        code, _, err = run("search", *words)
        assert code == 1, words
        assert told in err, words
