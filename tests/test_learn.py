"""Learning: the loss falls, classes come apart, a cut run goes on bit for bit, and a checkpoint is the model."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from _synthetic import INPUTS, LABELS, recipe, store
from kinjo import corpus, learn
from kinjo.batches import Windows
from kinjo.encoders import SensorInput
from kinjo.methods import mumae, oneshot
from kinjo.nn import checkpoint
from kinjo.nn.checkpoint import CheckpointError
from kinjo.recipe import Recipe
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
    assert isinstance(model, mumae.MuMAE)
    train, test = np.arange(16), np.arange(16, NUMBER)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    tuned = learn.finetune(plan, model, windows, train, labels[train], tmp_path, seed=0, progress=False)
    assert any(not torch.equal(before[k], v) for k, v in tuned.model.state_dict().items())
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
    with pytest.raises(ValueError, match="no windows to make features of"):
        learn.features(learn.second_stage(recipe(1), model, 0), windows, none)
    assert learn.embed(model, windows, none) == {}


# ------------------------------------------------------------------------------------------------ another start
def test_a_training_may_start_from_another(windows: Windows, pretrained: Path, tmp_path: Path):
    """What fits is taken over, an entrance only for the very same input; the rest is named and stays as drawn."""
    path = pretrained / "model.safetensors"
    given = checkpoint.load(path)[0]
    alike = learn.new_model(recipe(1), 9)
    assert learn.initialise_from(alike, path) == []
    assert same(alike, learn.load(path)[0])
    inputs = {k: replace(s, axes=4) if k == "gyro" else s for k, s in INPUTS.items() if k != "pose"}
    inputs["mag"] = SensorInput("mag", samples=32, slots=8)
    other, drawn = learn.new_model(recipe(1, inputs), 9), learn.new_model(recipe(1, inputs), 9).state_dict()
    left_out = learn.initialise_from(other, path)
    assert {name.split(".")[1] for name in left_out} == {"mag", "gyro"}
    entrance = {name for name in drawn if name.startswith("enter.gyro.")}
    assert {name for name in left_out if "gyro" in name} == entrance | {"to_values.gyro.weight", "to_values.gyro.bias"}
    for name, x in other.state_dict().items():
        assert torch.equal(x, drawn[name] if name in left_out else given[name]), name
    wide = learn.new_model(recipe(1, {"mag": inputs["mag"]}, dim=48, decoder_dim=36), 0)
    checkpoint.save(tmp_path / "foreign", {"to_decoder.weight": torch.zeros(1, 1)}, {"method": "other"})
    for source, method in ((path, "mumae"), (tmp_path / "foreign", "other")):
        with pytest.raises(ValueError, match=f"nothing of this {method} checkpoint fits the recipe's model"):
            learn.initialise_from(wide, source)


def test_a_second_stage_checkpoint_serves_as_a_start_too(windows: Windows, labels: np.ndarray, tmp_path: Path):
    plan = recipe(2)
    start, rows = learn.new_model(plan, 4), np.arange(8)
    tuned = learn.finetune(plan, start, windows, rows, labels[rows], tmp_path, progress=False)
    other = learn.new_model(plan, 5)
    assert learn.initialise_from(other, tmp_path / "model.safetensors") == []
    assert same(other, tuned.model)


def test_a_checkpoint_says_what_it_started_from(windows: Windows, pretrained: Path, tmp_path: Path):
    path, rows = pretrained / "model.safetensors", np.arange(8)
    model = learn.pretrain(recipe(0), windows, rows, tmp_path / "a", init=path, progress=False)
    assert same(model, learn.load(path)[0])  # no steps: as it was
    header = checkpoint.load(tmp_path / "a" / "model.safetensors")[1]
    assert (header["init"], header["init_left_out"]) == ("model.safetensors", [])
    assert len(header["init_sha256"]) == 64
    learn.pretrain(recipe(2), windows, rows, tmp_path / "b", init=path, progress=False)
    with pytest.raises(ValueError, match="another run: its init differs"):
        learn.pretrain(
            recipe(2), windows, rows, tmp_path / "b", init=tmp_path / "a" / "model.safetensors", progress=False
        )


# ------------------------------------------------------------------------------------------------ the second stage
def oneshot_recipe(steps: int, **how: Any) -> Recipe:
    """Two-way, for the synthetic corpus has two classes."""
    return replace(recipe(steps), oneshot=oneshot.OneShotConfig(way=2, **how))


def test_a_finetuning_in_portions_ends_bit_identically(windows: Windows, labels: np.ndarray, tmp_path: Path):
    plan, rows = oneshot_recipe(12, fusion="reference", head="can"), np.arange(16)

    def run(out: str, until: int | None = None) -> oneshot.OneShot:
        start = learn.new_model(plan, 3)
        return learn.finetune(
            plan, start, windows, rows, labels[rows], tmp_path / out, seed=3, progress=False, until=until
        )

    whole = run("whole")
    states = []
    for until in (5, 10):
        states.append({k: v.clone() for k, v in run("parts", until).state_dict().items()})
        assert not (tmp_path / "parts" / "model.safetensors").exists()
    assert any(not torch.equal(x, states[1][name]) for name, x in states[0].items())
    last = run("parts", 12)
    assert same(whole, last)
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")
    for out in ("whole", "parts"):
        kept, _, header = learn.load(tmp_path / out / "model.safetensors")
        assert same(kept, whole)
        assert header["classes"] == sorted(LABELS)
    assert {"episodes", "classify_imu_local"} <= set(losses(tmp_path / "whole")[0])


@pytest.mark.parametrize("how", [{}, {"fusion": "inductive"}, {"fusion": "inductive", "head": "relation"}])
def test_a_kept_second_stage_is_the_model(windows: Windows, labels: np.ndarray, tmp_path: Path, how: dict[str, Any]):
    plan, rows = oneshot_recipe(3, **how), np.arange(16)
    tuned = learn.finetune(plan, learn.new_model(plan, 1), windows, rows, labels[rows], tmp_path, progress=False)
    kept, again, _ = learn.load(tmp_path / "model.safetensors")
    assert isinstance(kept, oneshot.OneShot)
    assert kept.config == plan.oneshot
    assert again == plan
    assert same(kept, tuned)
    one, two = learn.embed(tuned, windows), learn.embed(kept, windows)
    assert set(one) == MODALITIES | ({oneshot.FUSED} if how else set())
    for part, e in one.items():
        np.testing.assert_array_equal(e, two[part], err_msg=part)
    few = learn.embed(kept, windows, modalities=["imu"])
    assert set(few) == {"imu"} | ({oneshot.FUSED} if how else set())
    np.testing.assert_allclose(few["imu"], one["imu"], atol=1e-6)
    if how:  # what is fused of one modality is another thing
        assert np.abs(few[oneshot.FUSED] - one[oneshot.FUSED]).max() > 1e-3


@pytest.mark.parametrize("how", [{}, {"fusion": "inductive", "head": "can"}, {"fusion": "reference"}])
def test_answers_do_not_depend_on_how_many_are_asked_at_once(windows: Windows, how: dict[str, Any]):
    """Reference fusion apart: there the queries of an episode are asked together."""
    model = learn.second_stage(oneshot_recipe(1, **how), learn.new_model(recipe(1), 0), 0)
    rng = np.random.default_rng(0)
    picks = np.stack([rng.permutation(NUMBER)[:7] for _ in range(30)])
    support, query = picks[:, :4].reshape(30, 4, 1), picks[:, 4:]
    features = learn.features(model, windows)
    whole = learn.answer(model, features, support, query)
    assert whole.shape == (30, 3)
    assert whole.min() >= 0
    assert whole.max() <= 3
    alone = learn.answer(model, features, support, query, chunk=1)
    in_parts = learn.features(model, windows, batch_size=5)
    with torch.inference_mode():
        scores = [model.scores(f, torch.as_tensor(support), torch.as_tensor(query)) for f in (features, in_parts)]
    torch.testing.assert_close(scores[0], scores[1], rtol=1e-4, atol=1e-4)
    first, second = scores[0].topk(2, 1).values.unbind(1)
    sure = (first - second > 1e-5).numpy()  # an untrained model has near ties, which rounding decides
    assert sure.mean() > 0.5 or how.get("fusion") == "reference"
    np.testing.assert_array_equal(alone[sure], whole[sure])
    rows = np.array([3, 9, 4, 1, 20, 7])
    some = learn.features(model, windows, rows, batch_size=4, modalities=["imu", "pose"])
    assert set(some.vectors) == {"imu", "pose"}
    for part in some.vectors:
        torch.testing.assert_close(some.vectors[part]["local"], features.vectors[part]["local"][rows])
