"""From a joint space to a model that recognises, is taught, forgets and streams; profiles are of one model alone."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import _small_model
from _small_model import LEARNT, TAUGHT, session, shown
from kinjo import corpus, recognizer
from kinjo.formats.errors import FormatError
from kinjo.nn import checkpoint
from kinjo.recognizer import Recognizer
from kinjo.recording import ContractError, Recording, Stream
from kinjo.runtime import ProfileError
from kinjo.timeline import Timeline


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _small_model.write(tmp_path_factory.mktemp("run"))


@pytest.fixture
def model(saved: Path) -> Recognizer:
    return Recognizer.load(saved)


def seconds_f1(found: Timeline, truth: Timeline, name: str) -> float:
    names, seconds = found.confusion(truth)
    i = names.index(name)
    return float(2 * seconds[i, i] / (seconds[i].sum() + seconds[:, i].sum()))


def test_it_recognises_people_whom_it_never_saw(model: Recognizer):
    assert model.labels == tuple(sorted(LEARNT))
    right = total = 0.0
    for person in range(100, 104):
        recording = session(person, LEARNT)
        names, seconds = model.recognize(recording).confusion(Timeline.from_segments(recording.segments))
        keep = [names.index(n) for n in LEARNT]
        right, total = right + seconds[keep, keep].sum(), total + seconds[keep].sum()
    assert right / total > 0.7


def test_others_tell_how_movements_differ_and_are_not_known(saved: Path, tmp_path: Path):
    store, ids = corpus.Corpus.open(saved.parent / "corpus"), [f"gym_{p}" for p in range(14)]
    assert set(ids) == set(store.recordings)
    names = [f"made-up {number}" for number in range(8)]
    strange = corpus.write((session(p, (n,), 20.0) for p, n in enumerate(names, 400)), tmp_path, progress=False)
    without = recognizer.learn(saved.parent / "space", store, ids[:10], ids[10:])
    made = recognizer.learn(saved.parent / "space", store, ids[:10], ids[10:], others=[(strange, strange.recordings)])
    assert made.labels == without.labels == tuple(sorted(LEARNT))
    # three classes and NULL differ along three axes; eight movements more show that others matter too
    matters = [(m.classes.spaces["imu"].spread > 2.0).sum() for m in (without, made)]
    assert matters[1] > matters[0]
    assert not set(names) & set(made.rhythms)
    with pytest.raises(ValueError, match="no windows to learn classes from"):
        recognizer.learn(saved.parent / "space", store, [], ids[10:], others=[(strange, strange.recordings)])


def test_one_example_teaches_and_nothing_is_unlearnt(model: Recognizer, saved: Path):
    example = shown(session(200, (TAUGHT,)), TAUGHT)
    assert model.teach(TAUGHT, example) >= 1
    assert TAUGHT in model.labels
    recordings = [session(p, (*LEARNT[:2], TAUGHT), 90.0) for p in range(300, 306)]
    f1 = [
        seconds_f1(model.recognize(r), Timeline.from_segments(r.segments), TAUGHT)
        for r in recordings if any(s.label == TAUGHT for s in r.segments)
    ]  # fmt: skip
    assert np.mean(f1) > 0.5
    before = Recognizer.load(saved).recognize(recordings[0])
    model.forget(TAUGHT)
    assert model.recognize(recordings[0]).segments == before.segments
    assert model.undo()
    assert TAUGHT in model.labels
    assert model.undo()
    assert TAUGHT not in model.labels
    assert not model.undo()
    with pytest.raises(KeyError, match="no activity 'lateral raise'"):
        model.forget(TAUGHT)


def test_it_counts_what_was_counted_in_training(model: Recognizer, saved: Path, tmp_path: Path):
    assert set(model.rhythms) == set(LEARNT)
    near = []
    for person in range(100, 106):
        recording = session(person, LEARNT)
        truth = Timeline.from_segments(recording.segments)
        for span in model.recognize(recording):
            assert (span.repetitions is not None) == (span.label in LEARNT)
            true = truth.at((span.start_s + span.end_s) / 2)
            if true is not None and true.label == span.label and span.repetitions is not None:
                assert true.repetitions is not None
                near.append(abs(span.repetitions - true.repetitions) <= 2)
    assert len(near) > 6
    assert np.mean(near) > 0.6
    tensors, header = checkpoint.load(saved)
    del header["recognise"]["rhythms"]  # as written before there were any
    checkpoint.save(tmp_path / "old.safetensors", tensors, header)
    assert Recognizer.load(tmp_path / "old.safetensors").rhythms == {}


def test_a_taught_activity_is_counted(model: Recognizer, tmp_path: Path):
    whole = session(200, (TAUGHT,))
    part = next(s for s in whole.segments if s.label == TAUGHT)
    assert part.repetitions is not None
    example = shown(whole, TAUGHT)
    model.teach(TAUGHT, example)  # by its signal alone
    assert model.rhythms[TAUGHT].seconds == pytest.approx((part.end_s - part.start_s) / part.repetitions, rel=0.2)
    model.teach(TAUGHT, example, repetitions=2 * part.repetitions)  # one for each side
    assert model.rhythms[TAUGHT].per_period == 2.0
    learnt = dict(model.rhythms)
    model.teach(TAUGHT, example)  # more of what is known changes nothing
    assert model.rhythms == learnt
    model.save_profile(tmp_path / "mine.json")
    model.teach(TAUGHT, example, repetitions=0)
    assert set(model.rhythms) == set(LEARNT)
    assert model.undo()
    assert model.rhythms == learnt
    model.forget(TAUGHT)
    assert set(model.rhythms) == set(LEARNT)
    model.load_profile(tmp_path / "mine.json")
    assert model.rhythms == learnt
    told = json.loads((tmp_path / "mine.json").read_text())
    (tmp_path / "mine.json").write_text(json.dumps(told | {"rhythms": {TAUGHT: {"seconds": -1.0}}}))
    with pytest.raises(ProfileError, match="teach it again"):
        model.load_profile(tmp_path / "mine.json")
    del told["rhythms"]  # as written before there were any
    (tmp_path / "mine.json").write_text(json.dumps(told))
    model.load_profile(tmp_path / "mine.json")
    assert model.rhythms == learnt
    with pytest.raises(ValueError, match="each needs its number"):
        model.teach("two", [example, example], repetitions=[3])


def test_profiles_are_small_and_of_one_model(model: Recognizer, saved: Path, tmp_path: Path):
    example = shown(session(200, (TAUGHT,)), TAUGHT)
    model.teach(TAUGHT, example)
    path = tmp_path / "mine.json"
    model.save_profile(path)
    assert path.stat().st_size < 20_000
    again = Recognizer.load(saved)
    again.load_profile(path)
    recording = session(300, (*LEARNT, TAUGHT))
    assert again.recognize(recording).segments == model.recognize(recording).segments
    other = replace(again, id="another")
    with pytest.raises(ProfileError, match="taught to model"):
        other.load_profile(path)
    with pytest.raises(ProfileError, match="no such profile"):
        again.load_profile(tmp_path / "gone.json")
    told = json.loads(path.read_text())
    for broken in ("{", "[]", json.dumps(told | {"means": [[1.0]]}), json.dumps(told | {"format": 99})):
        path.write_text(broken)
        with pytest.raises(ProfileError, match=r"teach it again|upgrade kinjo"):
            again.load_profile(path)
    assert TAUGHT in again.labels


def columns(recording: Recording) -> dict[str, np.ndarray]:
    """As a table has them."""
    out = {"time_s": np.arange(recording.streams["right_wrist.acc"].length) / 50.0}
    for q in ("acc", "gyro"):
        values = np.array(recording.streams[f"right_wrist.{q}"].values())
        values[recording.streams[f"right_wrist.{q}"].mask()] = np.nan
        out |= {f"{q}_{axis}": values[:, k] for k, axis in enumerate("xyz")}
    return out


def test_files_and_columns_are_recordings(model: Recognizer, tmp_path: Path):
    recording = _small_model.sensors(session(401, LEARNT))
    told = {"placement": "right_wrist", "units": {"acc": "m/s^2", "gyro": "rad/s"}, "gravity": True}
    table = columns(recording)
    whole, given = model.recognize(recording), model.recognize(table, **told)
    assert [s.label for s in given] == [s.label for s in whole]
    np.savetxt(
        tmp_path / "mine.csv", np.stack(list(table.values()), 1), delimiter=",", header=",".join(table), comments=""
    )
    for path in (tmp_path / "mine.csv", str(tmp_path / "mine.csv")):
        read = model.recognize(path, **told)
        assert [s.label for s in read] == [s.label for s in whole]
        np.testing.assert_allclose([s[:2] for s in read], [s[:2] for s in whole], atol=1e-6)
    with pytest.raises(FormatError, match="placement"):
        model.recognize(tmp_path / "mine.csv")
    assert model.teach("mine", [tmp_path / "mine.csv", table], **told) == 2 * model.teach("mine", recording)
    times, vectors = model.embed_recording(table, **told)
    assert set(vectors) == {"imu", "joint"}
    assert len(times) == len(vectors["imu"])
    np.testing.assert_allclose(np.linalg.norm(vectors["joint"], axis=1), 1.0, atol=1e-5)


def test_a_stream_is_recognised_as_the_recording(model: Recognizer):
    recording = session(400, LEARNT)
    used = {n: s for n, s in recording.streams.items() if s.contract.modality == "imu"}
    live = model.live({n: s.contract for n, s in used.items()})
    rng, spans, at = np.random.default_rng(0), [], dict.fromkeys(used, 0)
    while any(at[n] < s.length for n, s in used.items()):
        step = int(rng.integers(1, 40))
        for name, s in used.items():
            values = np.array(s.values(at[name], at[name] + step), np.float32)
            values[s.mask(at[name], at[name] + step)] = np.nan
            spans += live.push(name, values, start_s=s.start_s)
            at[name] += step
    spans += live.finish()
    whole = model.recognize(recording)
    assert [s.label for s in spans] == [s.label for s in whole]
    np.testing.assert_allclose([s[:2] for s in spans], [s[:2] for s in whole])
    np.testing.assert_allclose([s.confidence for s in spans], [s.confidence for s in whole], atol=1e-4)
    assert [s.repetitions for s in spans] == [s.repetitions for s in whole]


def test_what_it_cannot_do_is_said(model: Recognizer, saved: Path, tmp_path: Path):
    recording = session(400, LEARNT)
    short = shown(recording, recording.segments[0].label)
    short = replace(short, streams={n: Stream.of(n, s.contract, s.values(0, 20)) for n, s in short.streams.items()})
    with pytest.raises(ValueError, match=r"too short .* at least 1.5 s"):
        model.teach("wave", short)
    with pytest.raises(ValueError, match="a recording says it itself"):
        model.recognize(recording, placement="left_wrist")
    pose = replace(recording, streams={n: s for n, s in recording.streams.items() if s.contract.modality == "pose"})
    with pytest.raises(ContractError, match="acc at right_wrist"):
        model.recognize(pose)
    tensors, header = checkpoint.load(saved)
    header.pop("recognise")
    checkpoint.save(tmp_path / "bare.safetensors", tensors, header)
    with pytest.raises(checkpoint.CheckpointError, match="without classes"):
        Recognizer.load(tmp_path / "bare.safetensors")
    for name in model.labels:
        model.forget(name)
    with pytest.raises(ValueError, match="knows no activity"):
        model.recognize(recording)
    with pytest.raises(ValueError, match="knows no activity"):
        model.live({})
