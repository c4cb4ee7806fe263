"""The strict protocol and the evaluation of a checkpoint, end to end on a small corpus with UTD-MHAD's labels."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinjo import corpus, learn
from kinjo.batches import Windows
from kinjo.datasets import utd_mhad
from kinjo.encoders import SensorInput
from kinjo.evaluate import checkpoints, strict
from kinjo.evaluate.fewshot import Protocol
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
