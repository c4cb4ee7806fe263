"""The verbs of a joint space: several corpora, resumption bit for bit, checkpoints that are the model."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from _synthetic import INPUTS, LABELS, MILD, store
from kinjo import corpus, joint, learn
from kinjo.batches import Windows
from kinjo.datasets.sentences import NULL_SENTENCES, sentences
from kinjo.encoders import text
from kinjo.joint import Bank, Source
from kinjo.methods import mujo, mumae
from kinjo.nn import checkpoint
from kinjo.nn.checkpoint import CheckpointError
from kinjo.recipe import Augment, Recipe
from kinjo.train import Schedule

KEYS = ("acc", "pose")
WORDS = 8


def letters(said: list[str]) -> dict[str, Tensor]:
    return {"letters": torch.tensor([[float(s.count(c)) for c in "aeioslqw"] for s in said])}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums depend on the number of threads, and other packages (aeon) change it."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A text model that counts letters, and a cache that goes with the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def load(name: str) -> text.TextEncoder:
        tower = nn.Linear(WORDS, WORDS, bias=False)
        nn.init.eye_(tower.weight)
        return text.TextEncoder(name, WORDS, tower, letters, lambda t, tokens: t(tokens["letters"]))

    monkeypatch.setattr(text, "load", load)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Windows:
    opened = store(tmp_path_factory.mktemp("corpus") / "c", 12, {2: ("pose",), 3: ("imu.acc", "imu.gyro")})
    return Windows(opened, corpus.segment_windows(opened, opened.recordings), {k: INPUTS[k] for k in KEYS})


def recipe(steps: int = 3, augment: Augment = MILD, objective: mujo.Objective | None = None, **sizes: Any) -> Recipe:
    inputs = {k: INPUTS[k] for k in KEYS}
    given: dict[str, Any] = {"dim": 16, "depth": 1, "heads": 2, "joint_dim": 8, "text_dim": WORDS}
    model = mujo.Config(inputs, **given | sizes)
    plan = Schedule(steps=steps, batch_size=6, lr=5e-3, warmup_steps=1, precision="fp32", save_every_s=0.0)
    how = objective or mujo.Objective({"contrast": 1.0, "masked": 1.0})
    return Recipe("joint", inputs, model, plan, plan, objective=how, augment=augment, method="mujo")


def labels(windows: Windows) -> np.ndarray:
    return np.asarray(windows.index.label_names, str)


def same(one: nn.Module, two: nn.Module) -> bool:
    a, b = one.state_dict(), two.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


ROWS = np.arange(12)


# ------------------------------------------------------------------------------------------------ pre-training
def test_a_checkpoint_is_the_model(windows: Windows, tmp_path: Path):
    plan = recipe()
    model = joint.pretrain(
        plan, [Source(windows, ROWS, text=True)], tmp_path, seed=1, progress=False, provenance={"a": 1}
    )
    assert not model.training
    loaded, known, header = joint.load(tmp_path / "model.safetensors")
    assert isinstance(loaded, mujo.MuJo)
    assert same(model, loaded)
    assert known == plan
    assert (header["method"], header["stage"], header["seed"], header["a"]) == ("mujo", "pretrain", 1, 1)
    assert header["contracts"] == learn.contracts(windows, ROWS)
    one, two = joint.embed(model, windows), joint.embed(loaded, windows, batch_size=5)
    assert set(one) == {"imu", "pose"}
    for m, z in one.items():
        assert z.shape == (12, 8)
        np.testing.assert_allclose(z, two[m], atol=1e-5)
        there = np.arange(12) != {"imu": 3, "pose": 2}[m]
        np.testing.assert_allclose(np.linalg.norm(z, axis=1), there.astype(float), atol=1e-5)
    assert list(joint.embed(model, windows, ROWS[:2], modalities=["pose"])) == ["pose"]
    said = joint.embed_text(model, ["a", "b"])
    np.testing.assert_allclose(np.linalg.norm(said, axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(said, joint.embed_text(model, ["a", "b"]))


def test_recordings_without_any_segment_are_not_told_to_be_idle(windows: Windows, tmp_path: Path):
    held = windows.corpus
    bare = [replace(e, segments=()) for e in held.entries]
    some = corpus.Corpus(held.root, held.manifest, [*bare[:6], *held.entries[6:]])
    unmarked = Windows(some, windows.index, windows.inputs)
    draw = joint._draw(recipe(), Source(unmarked, ROWS, text=True), Bank(), [], joint.NEAR_S)
    batch = draw(torch.Generator().manual_seed(0))
    assert (batch["text"] == -1).any()
    assert (batch["text"] >= 0).any()
    nobody = Windows(corpus.Corpus(held.root, held.manifest, bare), windows.index, windows.inputs)
    with pytest.raises(ValueError, match="no words to learn"):
        joint.pretrain(recipe(), [Source(nobody, ROWS, text=True)], tmp_path, progress=False)


def test_gradient_surgery_trains_as_recipes_do(windows: Windows, tmp_path: Path):
    plan = recipe(3, objective=mujo.Objective({"contrast": 1.0, "masked": 1.0}, "pcgrad"))
    plan = replace(plan, pretrain=replace(plan.pretrain, precision="bf16"))
    before = joint.new_model(plan, 0).state_dict()
    model = joint.pretrain(plan, [Source(windows, ROWS)], tmp_path, progress=False)
    assert any(not torch.equal(x, before[n]) for n, x in model.state_dict().items())


def test_a_run_cut_short_goes_on_bit_identically(windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sources = [Source(windows, ROWS[:8], 2.0, text=True), Source(windows, ROWS[4:], 1.0, labels=True)]
    weights = {"contrast": 1.0, "supervised": 0.5, "views": 0.5}
    plan = recipe(6, objective=mujo.Objective(weights, "uncertainty", "alternating"))
    whole = joint.pretrain(plan, sources, tmp_path / "whole", progress=False)
    calls, losses = 0, mujo.Pretrain.losses

    def failing(task: mujo.Pretrain, *given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise KeyboardInterrupt
        return losses(task, *given)

    monkeypatch.setattr(mujo.Pretrain, "losses", failing)
    with pytest.raises(KeyboardInterrupt):
        joint.pretrain(plan, sources, tmp_path / "cut", progress=False)
    cut = joint.pretrain(plan, sources, tmp_path / "cut", progress=False)
    assert calls == 4 + 3
    assert same(whole, cut)
    with pytest.raises(ValueError, match="another run: its sources differs"):
        joint.pretrain(plan, [replace(sources[0], text=False), sources[1]], tmp_path / "cut", progress=False)


def test_labels_become_sentences_only_where_they_may(windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[dict[str, Tensor]] = []
    losses = mujo.Pretrain.losses
    monkeypatch.setattr(mujo.Pretrain, "losses", lambda t, batch, g: (seen.append(batch), losses(t, batch, g))[1])
    told, untold = Source(windows, ROWS, text=True), Source(windows, ROWS)
    both = recipe(16)
    joint.pretrain(both, [told, untold], tmp_path / "both", progress=False)
    with_text = ["text" in batch for batch in seen]
    assert True in with_text
    assert False in with_text
    assert not any("label" in batch for batch in seen)
    seen.clear()
    joint.pretrain(recipe(2), [replace(told, text=False, labels=True)], tmp_path / "labels", progress=False)
    assert all("label" in batch and "text" not in batch for batch in seen)


def test_nothing_to_train_on_is_said(windows: Windows, tmp_path: Path):
    with pytest.raises(ValueError, match="no windows to train on"):
        joint.pretrain(recipe(), [Source(windows, ROWS[:0])], tmp_path, progress=False)
    with pytest.raises(ValueError, match="no windows to fine-tune on"):
        joint.finetune(recipe(), joint.new_model(recipe(), 0), windows, ROWS[:0], ROWS[:0], tmp_path, progress=False)
    other = Recipe("m", {"acc": INPUTS["acc"]}, mumae.Config({"acc": INPUTS["acc"]}))
    with pytest.raises(ValueError, match="a joint space needs method = 'mujo'"):
        joint.new_model(other, 0)


def test_a_bank_holds_each_sentence_once():
    bank = Bank()
    one, two = bank.rows("motionsense", "walking"), bank.rows("motionsense", "jogging")
    assert bank.rows("motionsense", "walking") == one
    assert tuple(bank.sentences[i] for i in one) == sentences("motionsense", "walking")
    assert not set(one) & set(two)
    assert tuple(bank.sentences[i] for i in bank.rows("motionsense", "")) == NULL_SENTENCES
    assert len(bank.sentences) == len(set(bank.sentences))
    shared = set(one) & set(bank.rows("basic_motions", "walking"))
    assert len(shared) == 5  # the templates


# ------------------------------------------------------------------------------------------------ starting points
def test_training_starts_from_another(windows: Windows, tmp_path: Path):
    joint.pretrain(recipe(), [Source(windows, ROWS)], tmp_path / "first", seed=4, progress=False)
    first, start = joint.load(tmp_path / "first" / "model.safetensors")[0], tmp_path / "first" / "model.safetensors"
    again = joint.pretrain(recipe(0), [Source(windows, ROWS)], tmp_path / "second", init=start, progress=False)
    assert same(first, again)
    header = joint.load(tmp_path / "second" / "model.safetensors")[2]
    assert header["init"] == "model.safetensors"
    assert header["init_taken"] == len(first.state_dict())
    with pytest.raises(ValueError, match="nothing of this checkpoint fits"):
        joint.initialise_from(joint.new_model(recipe(dim=32, joint_dim=6, text_dim=5), 0), _only_places(tmp_path))


def _only_places(folder: Path) -> Path:
    path = folder / "small.safetensors"
    checkpoint.save(path, {"places.joints": torch.zeros(2, 2)}, {"method": "mujo"})
    return path


def test_mumaes_checkpoint_starts_the_encoders(windows: Windows, tmp_path: Path):
    inputs = {k: INPUTS[k] for k in KEYS}
    sizes = mumae.Config(inputs, dim=16, depth=1, heads=2, decoder_dim=12, decoder_heads=2)
    plan = replace(recipe(2), model=sizes, method="mumae", objective=mujo.Objective())
    theirs = learn.pretrain(plan, windows, ROWS, tmp_path / "mumae", progress=False)
    start = tmp_path / "mumae" / "model.safetensors"
    model = joint.pretrain(recipe(0), [Source(windows, ROWS)], tmp_path / "joint", init=start, progress=False)
    own = model.state_dict()
    for n, x in theirs.encoder.state_dict().items():
        assert all(torch.equal(own[f"encoders.{m}.context.encoder.{n}"], x) for m in ("imu", "pose"))
    for n, x in theirs.enter["acc"].state_dict().items():
        assert torch.equal(own[f"encoders.imu.stems.acc.{n}"], x)
    with pytest.raises(CheckpointError, match="holds 'mumae', not a MuJo"):
        joint.load(start)


# ------------------------------------------------------------------------------------------------ fine-tuning
@pytest.mark.parametrize("frozen", [False, True])
def test_a_finetuned_checkpoint_answers_the_same(windows: Windows, tmp_path: Path, frozen: bool):
    plan = recipe(30, augment=replace(MILD, mixup=0.2))
    names = labels(windows)
    model = joint.new_model(plan, 3)
    before = {n: x.clone() for n, x in model.state_dict().items()}
    task = joint.finetune(
        plan, model, windows, ROWS[4:], names[4:], tmp_path, frozen=frozen, balanced=True, progress=False
    )
    assert frozen == all(torch.equal(x, before[n]) for n, x in task.model.state_dict().items())
    loaded, known, header = joint.load(tmp_path / "model.safetensors")
    assert isinstance(loaded, mujo.Classify)
    assert same(task, loaded)
    assert known == plan
    assert (header["stage"], header["classes"]) == ("finetune", sorted(LABELS))
    p = joint.answer(task, windows)
    assert p.shape == (12, 2)
    np.testing.assert_allclose(p.sum(1), 1.0, atol=1e-5)
    np.testing.assert_allclose(joint.answer(loaded, windows, batch_size=5), p, atol=1e-5)
    for m, lacking in (("imu", 3), ("pose", 2)):
        alone = joint.answer(task, windows, modalities=[m])
        np.testing.assert_allclose(alone[lacking], 0.5)
        other = joint.answer(task, windows, np.array([lacking]), modalities=["pose" if m == "imu" else "imu"])
        np.testing.assert_allclose(p[lacking], other[0], atol=1e-5)
    if not frozen:
        assert (np.array(sorted(LABELS))[p[4:].argmax(1)] == names[4:]).mean() > 0.8


def test_finetuning_goes_on_bit_identically_and_knows_another_run(windows: Windows, tmp_path: Path):
    plan, names = recipe(4), labels(windows)

    def tuned(folder: str, **how: Any) -> mujo.Classify:
        model = joint.new_model(plan, 3)
        return joint.finetune(plan, model, windows, ROWS, names, tmp_path / folder, progress=False, **how)

    one, two = tuned("one"), tuned("two")
    assert same(one, two)
    assert same(one, tuned("one"))  # nothing is left to do
    with pytest.raises(ValueError, match="another run: its balanced differs"):
        tuned("one", balanced=True)


# ------------------------------------------------------------------------------------------------ contracts
def test_contracts_of_several_sources_are_joined():
    one = {"acc": {"units": "m/s^2", "gravity": [True], "skeleton": [], "placements": ["wrist"],
                   "rates_hz": [50.0, 50.0], "seconds": [2.0, 3.0]}}  # fmt: skip
    two = {
        "acc": one["acc"] | {"gravity": [], "placements": ["pocket", "wrist"], "rates_hz": [], "seconds": [1.0, 2.5]}
    }
    made = joint.joined([one, two])
    assert made["acc"] == {
        "units": "m/s^2", "gravity": [True], "skeleton": [], "placements": ["pocket", "wrist"],
        "rates_hz": [50.0, 50.0], "seconds": [1.0, 3.0],
    }  # fmt: skip
    assert one["acc"]["seconds"] == [2.0, 3.0]
