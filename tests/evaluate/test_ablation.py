"""The arms of the ablation: each is its own recipe, held against one before it, and runs to its line."""

import json
from pathlib import Path

import numpy as np
import pytest

import _utd_like
from kinjo import corpus, learn
from kinjo.evaluate import ablation
from kinjo.evaluate.ablation import Arm
from kinjo.evaluate.folds import difference
from kinjo.methods import mumae
from kinjo.methods.oneshot import Finetune, OneShot
from kinjo.recipe import Cut, Recipe

BASE = Recipe.load(Path(__file__).resolve().parents[2] / "recipes" / "mumae-utd-fast.toml")
FAST, VIDEO = ablation.fast_arms(BASE), ablation.video_arms(BASE)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> corpus.Corpus:
    return _utd_like.store(tmp_path_factory.mktemp("ablation") / "corpus")


def named(arms: list[Arm]) -> dict[str, Arm]:
    return {arm.name: arm for arm in arms}


@pytest.mark.parametrize("arms", [FAST, VIDEO], ids=["fast", "video"])
def test_arms_differ_and_are_held_against_an_earlier_one(arms: list[Arm]) -> None:
    recipes = [(json.dumps({**arm.recipe.to_dict(), "name": ""}, sort_keys=True), arm.head) for arm in arms]
    assert len(set(recipes)) == len({(arm.recipe.name, arm.head) for arm in arms}) == len(named(arms)) == len(arms)
    for number, arm in enumerate(arms):
        assert (arm.against == "") == (number == 0)
        assert not arm.against or arm.against in [earlier.name for earlier in arms[:number]]
        assert Recipe.from_dict(json.loads(json.dumps(arm.recipe.to_dict()))) == arm.recipe
        assert list(arm.recipe.model.modalities) == list(arm.subset)


@pytest.mark.parametrize("arm", [*FAST, *VIDEO], ids=lambda arm: arm.name)
def test_every_arm_builds(arm: Arm) -> None:
    if arm.recipe.oneshot.branches == "released" and "video" in arm.subset:
        pytest.importorskip("transformers")
    model = learn.second_stage(arm.recipe, learn.new_model(arm.recipe, 0), 0)
    assert isinstance(model, OneShot)
    assert len(Finetune(model, 15, learn.torch.Generator()).classifier.weights) >= 2


def test_an_arm_changes_what_it_says_and_no_more() -> None:
    fast = named(FAST)
    for name, table, wanted in (
        ("independent", "model", {"masking": "independent"}),
        ("ratio_90", "model", {"mask_ratio": 0.9}),
        ("scratch", "pretrain", {"steps": 0}),
        ("inductive", "oneshot", {"fusion": "inductive"}),
        ("reference", "oneshot", {"fusion": "reference"}),
    ):
        arm = fast[name]
        ours, theirs = arm.recipe.to_dict(), fast[arm.against].recipe.to_dict()
        assert {key for key in ours if ours[key] != theirs[key]} == {"name", table}
        assert {k: v for k, v in ours[table].items() if v != theirs[table][k]} == wanted
    released = fast["as_released"].recipe
    assert (released.oneshot.fusion, released.oneshot.branches, released.oneshot.head) == (
        "reference",
        "released",
        "can",
    )
    assert isinstance(released.model, mumae.Config)
    assert (released.model.stem, released.model.mask_ratio) == ("linear", 0.9)
    acc = released.inputs["acc"]
    assert (acc.layout, acc.scaling) == ("strided", "clip")  # type: ignore[union-attr]
    assert released.inputs["pose"].reads == "values"
    assert released.model.inputs == released.inputs
    assert set(BASE.inputs) - set(released.inputs) == {"depth"}


def test_several_arms_run_to_their_lines(store: corpus.Corpus, tmp_path: Path) -> None:
    """Steps are two, and the base has no gyroscope."""
    small = _utd_like.recipe(weights={"video": 0.3})
    arms = named(ablation.fast_arms(small))
    names = ("base", "independent", "values", "linear", "inductive", "as_released", "head_cosine", "head_can")
    chosen = [arms[name] for name in names]
    lines = ablation.table(chosen, store, tmp_path, seeds=(0,), episodes=25)
    results = {line.arm.name: line.result for line in lines}
    assert list(results) == [arm.name for arm in chosen]
    assert (lines[0].gain, lines[0].gain_ci95) == (None, None)
    for line in lines[1:]:
        assert line.gain is not None
        assert line.gain_ci95 is not None
        assert (line.gain, line.gain_ci95) == difference(line.result, results[line.arm.against])
        assert line.gain_ci95[0] <= line.gain <= line.gain_ci95[1]
        assert np.isfinite(line.gain)
    assert len({result.value for result in results.values()}) > 3
    again = ablation.table(chosen[:1], store, tmp_path, seeds=(0,), episodes=25)  # kept
    assert again[0].result.value == results["base"].value


def test_an_external_start_is_pretrained_once(
    store: corpus.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = _utd_like.recipe()
    other = corpus.write(
        (_utd_like.clip(_utd_like.CLASSES[k], 9, 1, ["pose"]) for k in range(4)), tmp_path / "other", progress=False
    )
    monkeypatch.setattr(ablation, "Cut", lambda *_: Cut(1.0, 0.5))  # these clips are shorter than 3.6 s
    arms = named(ablation.external_arms(small, other, tmp_path / "work", progress=False))
    assert {name for name, arm in arms.items() if arm.init} == {"external"}
    assert arms["external"].recipe == arms["imu_base"].recipe  # the start alone differs
    assert list(arms["imu_base"].recipe.inputs) == ["acc"]
    start = arms["external"].init
    assert start is not None
    before = start.stat().st_mtime_ns, start.read_bytes()
    assert named(ablation.external_arms(small, other, tmp_path / "work", progress=False)).keys() == arms.keys()
    assert start.read_bytes() == before[1]
    chosen = [arms["imu_base"], arms["external"], arms["imu_scratch"]]
    lines = ablation.table(chosen, store, tmp_path / "work", seeds=(0,), episodes=25)
    assert len({line.result.value for line in lines}) > 1
    headers = [learn.load(path)[2] for path in (tmp_path / "work").rglob("a1-a9/seed0/*/model.safetensors")]
    assert sum("init_sha256" in h for h in headers) == 1  # of base, external and scratch one pre-trains from it
