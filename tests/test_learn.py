"""Learning: the loss falls, classes come apart, a cut run goes on bit for bit, and a checkpoint is the model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from _synthetic import INPUTS, LABELS, recipe, store
from kinjo import corpus, learn
from kinjo.batches import Windows
from kinjo.methods import mumae
from kinjo.nn import checkpoint
from kinjo.nn.checkpoint import CheckpointError
from kinjo.recording import ContractError

WITHOUT = {2: ("pose",), 3: ("imu.acc", "imu.gyro"), 4: ("depth",)}
NUMBER = 24
MODALITIES = {"imu", "pose", "video"}


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    opened = store(tmp_path_factory.mktemp("corpus") / "c", NUMBER, WITHOUT)
    return Windows(opened, corpus.segment_windows(opened, opened.recordings), INPUTS)


@pytest.fixture(scope="module")
def labels(windows: Windows) -> np.ndarray:
    return np.asarray(windows.index.label_names, str)


@pytest.fixture(scope="module")
def pretrained(windows: Windows, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("pretrained")
    learn.pretrain(recipe(60), windows, np.arange(16), out, seed=1, progress=False, provenance={"corpus": "made"})
    return out


def losses(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    one, two = a.state_dict(), b.state_dict()
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


def test_the_masked_losses_fall(pretrained: Path):
    lines = losses(pretrained)
    names = [f"masked_{key}" for key in INPUTS]
    assert set(names) <= set(lines[0])
    assert lines[-1]["loss"] < 0.9 * lines[0]["loss"]
    assert lines[-1]["masked_acc"] < lines[0]["masked_acc"]


def test_classes_come_apart(windows: Windows, labels: np.ndarray, pretrained: Path, tmp_path: Path):
    """Fine-tuned on 16 recordings, the others lie nearest to the prototype of their own class."""
    model, plan, _ = learn.load(pretrained / "model.safetensors")
    train, test = np.arange(16), np.arange(16, NUMBER)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    tuned = learn.finetune(plan, model, windows, train, labels[train], tmp_path, seed=0, progress=False)
    assert any(not torch.equal(before[k], v) for k, v in tuned.state_dict().items())
    header = checkpoint.load(tmp_path / "model.safetensors")[1]
    assert header["classes"] == sorted(LABELS)
    assert header["stage"] == "finetune"
    embedded = learn.embed(tuned, windows)
    for modality in MODALITIES:
        e = embedded[modality]
        e = e / np.linalg.norm(e, axis=1, keepdims=True).clip(1e-9)
        prototypes = np.stack([e[train][labels[train] == label].mean(0) for label in LABELS])
        answers = np.array(LABELS)[(e[test] @ prototypes.T).argmax(1)]
        assert (answers == labels[test]).mean() >= 0.85, modality


def test_embeddings_of_what_is_not_there_are_zero(windows: Windows, pretrained: Path):
    model, _, _ = learn.load(pretrained / "model.safetensors")
    embedded = learn.embed(model, windows)
    assert set(embedded) == MODALITIES
    lacking = {"pose": 2, "imu": 3, "video": 4}
    for modality, e in embedded.items():
        assert e.dtype == np.float32
        assert len(e) == NUMBER
        assert np.isfinite(e).all()
        empty = np.flatnonzero(~e.any(1))
        assert empty.tolist() == [lacking[modality]]


def test_embeddings_do_not_depend_on_how_rows_are_asked_for(windows: Windows, pretrained: Path):
    model, _, _ = learn.load(pretrained / "model.safetensors")
    whole, rows = learn.embed(model, windows), np.array([5, 3, 2, 4, 11])
    some = learn.embed(model, windows, rows, batch_size=2)
    for modality in MODALITIES:
        np.testing.assert_allclose(some[modality], whole[modality][rows], atol=1e-5)
    assert learn.embed(model, windows, np.arange(0)) == {}


def test_a_checkpoint_is_the_model(windows: Windows, pretrained: Path, tmp_path: Path):
    model, plan, header = learn.load(pretrained / "model.safetensors")
    assert plan == recipe(60)
    assert header["corpus"] == "made"
    assert (header["stage"], header["seed"]) == ("pretrain", 1)
    learn.save(model, plan, tmp_path / "again.safetensors", windows, np.arange(len(windows)))
    other, _, _ = learn.load(tmp_path / "again.safetensors")
    assert same(model, other)
    assert not other.training
    one, two = learn.embed(model, windows), learn.embed(other, windows)
    assert all(np.array_equal(one[m], two[m]) for m in MODALITIES)


def test_a_checkpoint_says_what_it_was_trained_on(windows: Windows, pretrained: Path):
    contracts = learn.load(pretrained / "model.safetensors")[2]["contracts"]
    assert contracts == learn.contracts(windows)
    assert contracts["acc"] == {
        "modality": "imu", "quantity": "acc", "units": "m/s^2", "samples": 32, "gravity": [True], "skeleton": [],
        "placements": ["right_wrist"], "rates_hz": [50.0, 50.0], "seconds": [2.0, 2.0],
    }  # fmt: skip
    assert contracts["pose"]["skeleton"] == ["four"]
    assert contracts["depth"]["units"] == "m"  # though the recordings are in mm
    learn.check_contracts(contracts, windows)


def test_what_the_model_does_not_know_is_refused(windows: Windows):
    contracts = learn.contracts(windows)
    contracts["acc"]["gravity"] = [False]
    with pytest.raises(ContractError, match="stream 'acc': gravity: expected False, given True"):
        learn.check_contracts(contracts, windows)
    contracts = learn.contracts(windows)
    contracts["pose"]["skeleton"] = ["kinect20", "coco17"]
    with pytest.raises(ContractError, match="stream 'pose': skeleton: expected kinect20, coco17, given four"):
        learn.check_contracts(contracts, windows)
    contracts["pose"]["skeleton"] = ["kinect20", "four"]
    learn.check_contracts(contracts, windows)
    contracts["gyro"]["seconds"] = [4.5, 5.0]
    with pytest.raises(
        ContractError, match=r"stream 'gyro': seconds: expected windows of 4\.50 to 5\.00 s, given 2\.00"
    ):
        learn.check_contracts(contracts, windows)
    contracts["gyro"]["seconds"] = []
    with pytest.raises(ContractError, match="stream 'gyro': stream: expected none"):
        learn.check_contracts(contracts, windows)


def test_other_checkpoints_are_refused(pretrained: Path, tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"last\.safetensors: holds None, not a Mu-MAE model.*model\.safetensors"):
        learn.load(pretrained / "last.safetensors")
    checkpoint.save(tmp_path / "m", {}, {"method": "mumae", "recipe": {"name": "x", "future": 1}})
    with pytest.raises(ValueError, match="m: unknown future"):
        learn.load(tmp_path / "m")


def test_a_model_is_drawn_from_its_seed_alone():
    torch.manual_seed(0)
    first = learn.new_model(recipe(1), 3)
    torch.manual_seed(1)
    assert same(first, learn.new_model(recipe(1), 3))
    assert not same(first, learn.new_model(recipe(1), 4))


def test_a_cut_run_goes_on_bit_for_bit(windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan, rows = recipe(12), np.arange(16)
    torch.manual_seed(0)
    whole = learn.pretrain(plan, windows, rows, tmp_path / "whole", seed=5, progress=False)
    torch.manual_seed(1)  # the global state plays no part
    untouched, calls = mumae.Pretrain.forward, 0

    def failing(*given: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 7:
            raise KeyboardInterrupt
        return untouched(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(mumae.Pretrain, "forward", failing)
    with pytest.raises(KeyboardInterrupt):
        learn.pretrain(plan, windows, rows, tmp_path / "cut", seed=5, progress=False)
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    monkeypatch.undo()
    resumed = learn.pretrain(plan, windows, rows, tmp_path / "cut", seed=5, progress=False)
    assert same(whole, resumed)
    assert losses(tmp_path / "whole") == losses(tmp_path / "cut")
    assert calls == 7
    other = learn.pretrain(plan, windows, rows, tmp_path / "other", seed=6, progress=False)
    assert not same(whole, other)


def test_a_finished_run_is_not_trained_again(windows: Windows, pretrained: Path):
    before = (pretrained / "metrics.jsonl").read_text()
    again = learn.pretrain(recipe(60), windows, np.arange(16), pretrained, seed=1, progress=False)
    assert same(again, learn.load(pretrained / "model.safetensors")[0])
    assert (pretrained / "metrics.jsonl").read_text() == before


def test_nothing_to_learn_from_is_said(windows: Windows, tmp_path: Path):
    none = np.arange(0)
    with pytest.raises(ValueError, match="no windows to train on: the split part or the corpus is empty"):
        learn.pretrain(recipe(1), windows, none, tmp_path, progress=False)
    model = learn.new_model(recipe(1), 0)
    with pytest.raises(ValueError, match="no windows to fine-tune on"):
        learn.finetune(recipe(1), model, windows, none, none, tmp_path, progress=False)
    assert list(tmp_path.iterdir()) == []
