"""The strict protocol and the evaluation of a checkpoint, end to end on a small corpus with UTD-MHAD's labels."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import _utd_like
from kinjo import corpus, learn
from kinjo.batches import Windows
from kinjo.datasets import utd_mhad
from kinjo.encoders import SensorInput
from kinjo.evaluate import checkpoints, strict
from kinjo.evaluate.fewshot import Protocol, classify, sample_episodes
from kinjo.evaluate.folds import development
from kinjo.methods import mumae
from kinjo.recipe import Recipe
from kinjo.recording import Contract, ContractError, Recording, Segment, Stream
from kinjo.train import Schedule

CLASSES = utd_mhad.CARD.classes


def clip(label: str, subject: int, trial: int, gravity: bool = True) -> Recording:
    """A class is a frequency and a direction, so that any sane embedding tells them apart."""
    number = CLASSES.index(label)
    rng = np.random.default_rng([number, subject, trial])
    t = np.arange(40) / 20.0
    axis = np.array([np.cos(number), np.sin(number), np.cos(2 * number)])
    wave = 6 * np.sin(2 * np.pi * (0.5 + number / 6) * t)[:, None] * axis
    values = (wave + [0, 0, 9.8 * gravity] + 0.2 * rng.standard_normal((40, 3))).astype(np.float32)
    contract = Contract("imu", "acc", "m/s^2", 20.0, placement="right_wrist", gravity=gravity)
    name = f"{number}_{subject}_{trial}"
    stream = Stream.of("imu.acc", contract, values)
    return Recording(name, {stream.name: stream}, (Segment(0.0, 2.0, label),), subject=f"s{subject}", source=name)


def recipe() -> Recipe:
    inputs = {"acc": SensorInput("acc", samples=40, slots=10)}
    model = replace(mumae.tiny(inputs), dim=16, depth=1, heads=2, decoder_dim=12, decoder_heads=2)
    short = Schedule(steps=2, batch_size=8, warmup_steps=1, precision="fp32")
    return Recipe("small", inputs, model, pretrain=short, finetune=short)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> corpus.Corpus:
    clips = (clip(label, subject, trial) for label in CLASSES for subject in range(1, 5) for trial in (1, 2))
    return corpus.write(clips, tmp_path_factory.mktemp("strict") / "corpus", progress=False)


def test_every_fold_trains_on_its_training_classes_alone(
    store: corpus.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[set[str]] = []
    real = learn.finetune

    def spy(plan, model, windows, rows, labels, out, **more):
        assert set(windows.index.label_names[rows]) == set(labels)
        seen.append(set(labels))
        return real(plan, model, windows, rows, labels, out, **more)

    pretrained: list[set[str]] = []
    before = learn.pretrain

    def spy_pretrain(plan, windows, rows, out, **more):
        pretrained.append(set(windows.index.label_names[rows]))
        return before(plan, windows, rows, out, **more)

    monkeypatch.setattr(learn, "finetune", spy)
    monkeypatch.setattr(learn, "pretrain", spy_pretrain)
    results = strict.evaluate(recipe(), store, tmp_path, seeds=(0, 1, 2), episodes=50, progress=False)
    wanted = [set(fold.train) for fold in strict.folds() for _ in range(3)]
    assert seen == wanted
    assert pretrained == wanted
    assert set(results) == {"imu", "minirocket_imu", "minirocket_scaled_imu"}
    assert results["imu"].value > 0.3  # chance is 0.2; even hardly trained convolutions see frequency and direction
    monkeypatch.setattr(learn, "finetune", None)  # kept embeddings are used: nothing is trained again
    again = strict.evaluate(recipe(), store, tmp_path, episodes=50, with_baselines=False, progress=False)
    assert again["imu"].value == results["imu"].value
    strict.write(results, tmp_path / "rows.json", command="kinjo evaluate fewshot")
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["id"] for row in rows] == ["utd.oneshot.imu"]
    assert rows[0]["baseline"] == {
        "minirocket": results["minirocket_imu"].value,
        "minirocket_scaled": results["minirocket_scaled_imu"].value,
    }
    low, high = rows[0]["gain_ci95"]["minirocket"]
    assert low <= results["imu"].value - results["minirocket_imu"].value <= high
    assert (tmp_path / "rows.png").stat().st_size > 10_000


def test_another_corpus_is_refused(tmp_path: Path) -> None:
    foreign = replace(clip(CLASSES[0], 1, 1), segments=(Segment(0.0, 2.0, "juggling"),))
    other = corpus.write([foreign], tmp_path / "corpus", progress=False)
    with pytest.raises(ValueError, match="juggling"):
        strict.Clips.of(other, recipe())


def test_a_checkpoint_is_tested_as_it_is(store: corpus.Corpus, tmp_path: Path) -> None:
    plan = recipe()
    windows = Windows(store, corpus.segment_windows(store, store.recordings), plan.inputs)
    learn.pretrain(plan, windows, np.arange(len(windows)), tmp_path, progress=False)
    path = tmp_path / "model.safetensors"
    scores = checkpoints.evaluate(path, store, Protocol(way=3, queries=4, episodes=200))
    assert set(scores) == {"imu"}
    assert 1 / 3 < scores["imu"].accuracy <= 1
    assert learn.load(path)[2]["contracts"]["acc"]["placements"] == ["right_wrist"]
    without = (clip(label, subject, 1, gravity=False) for label in CLASSES[:3] for subject in (1, 2))
    foreign = corpus.write(without, tmp_path / "foreign", progress=False)
    with pytest.raises(ContractError, match=r"acc.*gravity.*expected True, given False"):
        checkpoints.evaluate(path, foreign, Protocol(way=3, queries=1, episodes=10))


# ------------------------------------------------------------------------------------------------ two modalities
@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> corpus.Corpus:
    return _utd_like.store(tmp_path_factory.mktemp("two") / "corpus")


def test_to_choose_is_on_classes_that_are_not_tested(
    two: corpus.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _utd_like.recipe(fusion="inductive", weights={"pose": 0.5})
    seen: list[set[str]] = []
    real = learn.finetune

    def spy(plan, model, windows, rows, labels, out, **more):
        seen.append(set(labels))
        return real(plan, model, windows, rows, labels, out, **more)

    monkeypatch.setattr(learn, "finetune", spy)
    monkeypatch.setattr(strict, "DEVELOPMENT", Protocol(episodes=60))
    results = strict.evaluate(plan, two, tmp_path, part="development", seeds=(0,), with_baselines=False, progress=False)
    inner = [development(fold) for fold in strict.folds()]
    assert seen == [set(fold.train) for fold in inner]
    for fold, whole in zip(inner, strict.folds(), strict=True):
        assert not set(fold.train) & set(whole.test)
        assert set(results["pose_imu"].scores[fold.name, 0].classes) == set(fold.validation)
    assert set(results) == {"pose", "imu", "pose_imu"}
    (kept,) = tmp_path.iterdir()
    with np.load(kept / inner[0].name / "seed0" / "embeddings.npz") as file:
        assert set(file.files) == {"pose", "imu", "fused_pose_imu", "fused_pose", "fused_imu"}


def test_fused_parts_are_of_the_modalities_that_are_asked_for(two: corpus.Corpus, tmp_path: Path) -> None:
    plan = _utd_like.recipe(fusion="inductive", weights={"pose": 0.5, "fused": 2.0})
    assert strict.parts_of(plan, ["pose"]) == {"pose": "pose"}
    assert strict.parts_of(plan, ["pose", "imu"]) == {"pose": "pose", "imu": "imu", "fused": "fused_pose_imu"}
    released = _utd_like.recipe(branches="released", weights={"acc": 3.0})
    assert strict.parts_of(released, ["pose", "imu"]) == {"pose": "pose", "acc": "acc"}
    clips, fold = strict.Clips.of(two, plan), strict.folds()[0]
    found = strict.train_fold(plan, clips, fold, 0, tmp_path, subsets=[["imu"]], progress=False)
    model = strict.trained(plan, clips, fold, 0, tmp_path, progress=False)  # from its checkpoint
    for subset in (["imu"], ["pose", "imu"]):
        found = strict.train_fold(plan, clips, fold, 0, tmp_path, subsets=[subset], progress=False)  # added to the kept
        expected = learn.embed(model, clips.windows, modalities=subset)["fused"]
        np.testing.assert_allclose(found[strict.fused_name(subset)], expected, atol=1e-6)
    assert set(found) == {"pose", "imu", "fused_imu", "fused_pose_imu"}
    assert np.abs(found["fused_imu"] - found["fused_pose_imu"]).max() > 1e-3


def test_processes_share_the_trainings(two: corpus.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = _utd_like.recipe(fusion="reference", head="can")
    how = {"subsets": [["pose", "imu"]], "seeds": (0,), "few_seeds": True, "episodes": 30}
    how |= {"with_baselines": False, "progress": False}
    alone = strict.evaluate(plan, two, tmp_path / "one", **how)["pose_imu"]
    real = learn.finetune
    monkeypatch.setattr(learn, "finetune", None)  # the parent trains nothing
    shared = strict.evaluate(plan, two, tmp_path / "two", workers=2, **how)["pose_imu"]
    monkeypatch.setattr(learn, "finetune", real)
    assert shared.per_fold == alone.per_fold
    assert (shared.value, shared.ci95) == (alone.value, alone.ci95)
    with pytest.raises(ValueError, match="at least 3 seeds, given 1"):
        strict.evaluate(plan, two, tmp_path / "one", **{**how, "few_seeds": False})


def test_gains_over_subsets_are_written(two: corpus.Corpus, tmp_path: Path) -> None:
    results = strict.evaluate(
        _utd_like.recipe(), two, tmp_path, episodes=30, with_baselines=False, progress=False, seeds=(0,), few_seeds=True
    )
    strict.write(results, tmp_path / "rows.json", command="kinjo evaluate fewshot")
    rows = {row["id"]: row for row in json.loads((tmp_path / "rows.json").read_text())}
    assert set(rows) == {"utd.oneshot.pose", "utd.oneshot.imu", "utd.oneshot.pose_imu"}
    gains = rows["utd.oneshot.pose_imu"]["gain_over_subsets"]
    assert set(gains) == {"pose", "imu"}
    for name, found in gains.items():
        assert found["gain"] == pytest.approx(results["pose_imu"].value - results[name].value, abs=1e-6)
        assert found["ci95"][0] <= found["gain"] <= found["ci95"][1]
    assert not rows["utd.oneshot.pose"].get("gain_over_subsets")


def test_a_clip_without_a_modality_is_compared_by_the_others(tmp_path: Path) -> None:
    plan = _utd_like.recipe(fusion="inductive")
    lacking = _utd_like.store(tmp_path / "corpus", lacking=(3, "pose"))
    clips = strict.Clips.of(lacking, plan)
    gone = (clips.subjects == "s3") & np.char.endswith(clips.recordings.astype(str), "_2")
    assert gone.sum() == 27
    assert np.array_equal(clips.missing(["pose", "imu"]), np.stack([gone, np.zeros_like(gone)], 1))
    assert np.array_equal(clips.empty["pose"], gone)
    how = {"subsets": [["pose", "imu"]], "seeds": (0,), "few_seeds": True, "episodes": 40}
    result = strict.evaluate(plan, lacking, tmp_path / "work", with_baselines=False, progress=False, **how)["pose_imu"]
    fold = strict.folds()[0]
    found = strict.train_fold(plan, clips, fold, 0, tmp_path / "work", progress=False)
    rows, parts = clips.rows(fold.test), ["pose", "imu", "fused_pose_imu"]
    who = clips.labels[rows], clips.subjects[rows], clips.recordings[rows]
    episodes = sample_episodes(*who, Protocol(episodes=40), np.random.default_rng([0, 0]))
    hidden = np.stack([gone, np.zeros_like(gone), np.zeros_like(gone)], 1)
    given = classify([found[part][rows] for part in parts], episodes, missing=hidden[rows])
    right = (given == np.arange(5)[None, :, None]).mean()
    assert result.per_fold[fold.name] == pytest.approx(right)


def test_kept_embeddings_need_no_model(two: corpus.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is read again only for what is not kept; each file once for all subsets."""
    plan = _utd_like.recipe(fusion="inductive")
    how = {"seeds": (0,), "few_seeds": True, "episodes": 30, "with_baselines": False, "progress": False}
    before = strict.evaluate(plan, two, tmp_path, subsets=[["pose", "imu"]], **how)
    loaded: list[Path] = []
    real, npz, opened = learn.load, np.load, []
    monkeypatch.setattr(learn, "load", lambda path: loaded.append(path) or real(path))
    monkeypatch.setattr(np, "load", lambda path: opened.append(path) or npz(path))
    again = strict.evaluate(plan, two, tmp_path, subsets=[["pose", "imu"], ["pose"]], **how)
    assert loaded == [path.parent / "finetune" / "model.safetensors" for path in opened]  # of pose alone, fused
    assert again["pose_imu"].value == before["pose_imu"].value
    loaded.clear()
    opened.clear()
    last = strict.evaluate(plan, two, tmp_path, subsets=[["pose"], ["pose", "imu"]], **how)
    assert (len(loaded), len(opened)) == (0, 3)
    assert {name: result.value for name, result in last.items()} == {n: r.value for n, r in again.items()}
