"""kinjo-base in small: corpora to a checkpoint, resumed; what it leaves out; its files in the package."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kinjo import demo_base, joint, recognizer, runtime
from kinjo.base import data, ship, sources, train
from kinjo.base.__main__ import main
from kinjo.base.sources import SAME, Choice
from kinjo.base.train import Variant
from kinjo.batches import Windows
from kinjo.corpus import Corpus
from kinjo.datasets import DATASETS
from kinjo.encoders import SensorInput
from kinjo.evaluate import protocols
from kinjo.nn import checkpoint
from kinjo.recipe import Recipe
from kinjo.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[2]
PLAN = Recipe.load(ROOT / "recipes" / "kinjo-base.toml")
SIZE = data.Size(people=3, sessions=2, made_up=8, copies=1, seconds=40.0, groups=2)


def small(steps: int = 3) -> Recipe:
    recipe = Variant("0.3").of(PLAN, steps)
    model = replace(recipe.model, dim=32, depth=1, joint_dim=32)
    quick = replace(recipe.pretrain, batch_size=16, precision="fp32")
    return replace(recipe, model=model, pretrain=quick)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Corpus]:
    return data.build(tmp_path_factory.mktemp("corpora"), None, SIZE, progress=False)


@pytest.fixture(scope="module")
def prepared(stores: dict[str, Corpus]) -> dict[str, list[Windows]]:
    return sources.prepare(stores, small())


@pytest.fixture(scope="module")
def trained(stores: dict[str, Corpus], tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    return train.train(small(), stores, tmp_path_factory.mktemp("run"), progress=False, command="make base")


# ------------------------------------------------------------------------------------------------ what is seen
def test_people_for_choices_are_never_trained_on(stores: dict[str, Corpus], prepared: dict[str, list[Windows]]):
    for name, store in stores.items():
        learnt, held = sources.split(store, data.set_of(name))
        assert learnt
        assert held
        table = dict(zip(store.table.ids, store.table.subjects, strict=True))
        assert not {table[i] for i in learnt} & {table[i] for i in held}
        assert sorted([*learnt, *held]) == sorted(store.recordings)
        seen = {store.recordings[i] for w in prepared[name] for i in w.index.recording}
        assert seen <= set(learnt)


def test_windows_have_the_inputs_of_their_places_alone(prepared: dict[str, list[Windows]]):
    (windows,) = prepared["gym-1"]
    places = {s.placement for s in windows.inputs.values() if isinstance(s, SensorInput)}
    assert places == set(data.GROUPS[1])
    assert len(windows.inputs) == 8


@pytest.mark.parametrize(
    ("choice", "sets", "name"),
    [
        (Choice(), {"gym", "made_up"}, "all"),
        (Choice(without=("gym",)), {"made_up"}, "without-gym"),
        (Choice(without=("wisdm",), only="virtual"), {"gym", "made_up"}, "without-wisdm-virtual"),
    ],
)
def test_a_choice_leaves_sets_out(prepared: dict[str, list[Windows]], choice: Choice, sets: set[str], name: str):
    found = sources.sources(prepared, choice)
    corpora = {s.windows.corpus.root.name.partition("-")[0] for s in found}
    assert corpora == sets
    assert choice.name == name
    assert all(s.text for s in found)
    by_set = {k: sum(s.share for s in found if s.windows.corpus.root.name.startswith(k)) for k in sets}
    assert by_set == pytest.approx({k: sources.SHARES[k] for k in sets})
    assert all((s.windows.index.label_names[s.rows] != "").all() for s in found)


def test_a_held_out_place_is_in_no_batch(prepared: dict[str, list[Windows]]):
    found = sources.sources(prepared, Choice(hold=("wrist", "ankle")))
    keys = {key for s in found for key in s.windows.inputs}
    assert keys
    assert not [key for key in keys if "wrist" in key or "ankle" in key]
    for s in found:
        assert {k.removesuffix(".missing") for k in s.windows.tensors(s.rows[:2])} == set(s.windows.inputs)


def test_nothing_left_is_said(prepared: dict[str, list[Windows]]):
    with pytest.raises(ValueError, match="nothing to train on"):
        sources.sources(prepared, Choice(only="real"))
    with pytest.raises(ValueError, match="no set utd"):
        Choice(without=("utd",))


def test_one_activity_has_one_name():
    known = {label for name in data.NAMED for label in DATASETS[name].CARD.classes}
    assert set(SAME) | set(SAME.values()) <= known
    assert not set(SAME) & set(SAME.values())


def test_other_names_of_a_class_are_the_class(prepared: dict[str, list[Windows]]):
    (source, *_) = sources.sources(prepared, Choice(without=("made_up",)))
    renamed = replace(source, same=dict.fromkeys(source.names, "something"))
    assert set(renamed.classes) == {"something"}
    assert set(renamed.names) == set(source.names)


# ------------------------------------------------------------------------------------------------ variants
def test_variants_change_what_they_say():
    unimts = Variant("0.3", objective="unimts").of(PLAN)
    assert dict(unimts.objective.weights) == {"contrast": 1.0}
    assert Variant("2.5", rotation_deg=0.0, placed=False).of(PLAN, 7).pretrain.steps == 7
    assert len({Variant(size, objective=o).name for size in train.SIZES for o in train.OBJECTIVES}) == 21
    still = Variant("0.3", turned=False)
    assert still.name != Variant("0.3").name
    how = still.of(PLAN).augment
    assert (how.rotation_deg, how.half_turns, how.axes, how.any_way) == (0.0, False, 0.0, 0.0)
    assert (how.vigour, how.places) == (PLAN.augment.vigour, PLAN.augment.places), "the rest is the recipe's"
    with pytest.raises(ValueError, match="sizes"):
        Variant("7").of(PLAN)


@pytest.mark.parametrize(("size", "low", "high"), [("0.3", 0.25e6, 0.35e6), ("1", 0.9e6, 1.2e6), ("2.5", 2.2e6, 2.8e6)])
def test_sizes_are_what_they_are_called(size: str, low: float, high: float):
    model = joint.new_model(Variant(size).of(PLAN), 0)
    assert low <= sum(p.numel() for p in model.parameters()) <= high


def test_without_places_all_places_are_alike(prepared: dict[str, list[Windows]]):
    recipe = small()
    recipe = replace(recipe, model=replace(recipe.model, placed=False))
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    model = joint.new_model(recipe, 0)
    assert not any(p.requires_grad for p in model.places.parameters())
    assert torch.equal(model.places.placement("chest"), model.places.placement("left_foot"))


# ------------------------------------------------------------------------------------------------ trained
def test_it_knows_the_gym_and_where_it_comes_from(trained: Path, stores: dict[str, Corpus]):
    model = Recognizer.load(trained)
    assert set(model.labels) <= set(DATASETS["gym"].CARD.classes)
    assert len(model.labels) > 3
    header = checkpoint.load(trained)[1]
    assert header["command"] == "make base"
    assert header["data"]["gym-0"] == {
        "digest": stores["gym-0"].digest, "recordings": 3, "licence": "Apache-2.0", "source": "The simulated gym",
    }  # fmt: skip
    seen = {key for key, told in header["contracts"].items() if told["seconds"]}
    assert seen == {f"{p}_{q}" for g in data.GROUPS[:2] for p in g for q in ("acc", "gyro")}


def test_done_is_done(trained: Path, stores: dict[str, Corpus]):
    before = trained.stat().st_mtime_ns
    assert train.train(small(), stores, trained.parent, progress=False, command="make base") == trained
    assert trained.stat().st_mtime_ns == before


def test_any_sensors_are_recognised_and_taught(trained: Path):
    model = Recognizer.load(trained)
    for group, places in ((0, {"chest"}), (1, {"left_wrist", "waist"})):
        whole = data._session(77, ["squat", "walking"], 40.0, group)
        some = replace(whole, streams={n: s for n, s in whole.streams.items() if n.split(".")[0] in places})
        model.recognize(some)
        assert model.teach("this", some.between(2.0, 12.0)) > 0
        model.undo()


def test_protocols_read_a_corpus_with_other_places(trained: Path, stores: dict[str, Corpus]):
    table = protocols.zero_shot(trained, stores["gym-1"])
    assert table.windows > 20


def test_a_budget_of_time_is_measured_once(prepared: dict[str, list[Windows]], tmp_path: Path):
    recipe = small()
    given = sources.sources(prepared, Choice())
    steps = train._steps(recipe, given, tmp_path, 0.05)
    assert steps >= 1
    assert train._steps(recipe, given, tmp_path, 99.0) == steps


# ------------------------------------------------------------------------------------------------ shipped
def test_it_ships_and_answers_alike_without_torch(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runtime, "WEIGHTS", tmp_path)
    for load in (Recognizer.load, runtime.load):
        with pytest.raises(runtime.ModelError, match=r"came without kinjo-base.*make base"):
            load()
    told = ship.ship(trained, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"kinjo-base.{end}" for end in ("safetensors", "onnx", "json")
    }
    assert told["files"]["kinjo-base.safetensors"]["bytes"] < 0.8 * trained.stat().st_size
    one, two = Recognizer.load(), runtime.load()
    assert one.id == two.id == told["id"]
    assert one.labels == two.labels
    recording = data._session(78, ["squat"], 20.0, 1)
    a, b = one.embed_recording(recording)[1], two.embed_recording(recording)[1]
    for space, x in a.items():
        np.testing.assert_allclose(x, b[space], atol=2e-3)
    assert two.teach("jumping jack") == 0  # a word that it knows without a text model
    assert "jumping jack" in two.labels


def test_the_command_runs_it_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("kinjo.base.__main__.SMALL", replace(SIZE, people=2, seconds=30.0, groups=1))
    recipe = str(ROOT / "recipes" / "kinjo-base.toml")
    words = [recipe, "-o", str(tmp_path), "--small", "--steps", "1", "--size", "0.3", "--threads", "1"]
    made = main(words)
    assert made.name == "kinjo-base.safetensors"
    assert str(made) in capsys.readouterr().out
    assert "/" + str(tmp_path).strip("/") not in checkpoint.load(made)[1]["command"]


def test_the_demo_asks_by_words_and_by_one_example(trained: Path, tmp_path: Path):
    found = demo_base.base(tmp_path, model=Recognizer.load(trained), people=(700,), draws=3)
    ways = {f"{what} watch, {how}" for what in ("real", "simulated") for how in ("words", "one example")}
    assert set(found.accuracy) == ways | {"real watch, one example: MiniRocket"}
    assert all(0 <= found.interval[n][0] <= value <= found.interval[n][1] <= 1 for n, value in found.accuracy.items())
    assert found.accuracy["real watch, one example: MiniRocket"] > 0.5
    assert found.picture.is_file()
    assert found.picture.with_suffix(".json").is_file()


def test_made_up_movements_alone_are_classes(prepared: dict[str, list[Windows]]):
    """Unless classes of all sets are asked for, or there is nothing else to learn from."""
    for classes in (False, True):
        found = sources.sources(prepared, Choice(), classes=classes)
        sets = {(s.windows.corpus.root.name.partition("-")[0], s.labels) for s in found}
        assert sets == {("made_up", True), ("gym", classes)}
    by_class = {name: train.by_class(Variant(objective=name).of(PLAN)) for name in train.OBJECTIVES}
    assert {name for name, told in by_class.items() if told} == {"only-words", "classify", "only-classify"}


def test_without_made_up_movements_nothing_is_learnt_of_their_sentences(
    prepared: dict[str, list[Windows]], tmp_path: Path
):
    assert small().objective.wants("words")
    path = train.space(small(1), prepared, Choice(without=("made_up",)), tmp_path, progress=False)
    assert dict(joint.load(path)[1].objective.weights) == {"contrast": 1.0}


def test_classes_alone_are_those_of_the_recognizer(trained: Path, stores: dict[str, Corpus]):
    model = Recognizer.load(trained)
    classes = train.compared(trained, stores, Choice(), train.MOST)
    assert set(classes.names) == set(model.classes.names)
    for space, means in classes.means.items():
        np.testing.assert_allclose(means, model.classes.means[space], atol=1e-3)
    assert classes.words is not None


def test_reach_is_measured_on_windows_of_the_sets_that_a_choice_sees(trained: Path, stores: dict[str, Corpus]):
    few, more = (train.known(trained, stores, Choice(), most) for most in (10, 40))
    assert len(few) < len(more) <= 2 * (40 + 4)  # of two sets, and a window more of every group of places
    assert np.linalg.norm(few, axis=1) == pytest.approx(np.ones(len(few)), abs=1e-3)
    with pytest.raises(ValueError, match="no window"):
        train.known(trained, stores, Choice(without=("gym", "made_up")), 10)


def test_classes_are_learnt_from_windows_that_lack_some_places(trained: Path, stores: dict[str, Corpus]):
    """As users wear one sensor or two: of a window one place at least stays, of many all."""
    store, recipe = stores["gym-0"], joint.load(trained)[1]
    inputs = {k: s for k, s in recipe.inputs.items() if getattr(s, "placement", "") in data.GROUPS[0]}
    windows = Windows(store, sources.index_of(store, store.recordings, recipe), inputs)
    batch = windows.tensors(np.arange(len(windows)))
    some = recognizer._some_places(batch, windows.inputs, np.random.default_rng(0))
    gone = np.stack([some[f"{place}_acc.missing"].all(1).numpy() for place in data.GROUPS[0]], 1)
    assert not gone.all(1).any()
    assert set((~gone).sum(1)) == {1, 2, 3, 4}
    for place in data.GROUPS[0]:
        assert (some[f"{place}_gyro.missing"].all(1) == some[f"{place}_acc.missing"].all(1)).all()
        assert (some[f"{place}_acc.missing"] >= batch[f"{place}_acc.missing"]).all()
    for place in data.GROUPS[0][1:]:  # nothing but the wrist in the first ten: it stays
        for quantity in ("acc", "gyro"):
            batch[f"{place}_{quantity}.missing"] = batch[f"{place}_{quantity}.missing"].clone()
            batch[f"{place}_{quantity}.missing"][:10] = True
    some = recognizer._some_places(batch, windows.inputs, np.random.default_rng(0))
    assert torch.equal(some["wrist_acc.missing"][:10], batch["wrist_acc.missing"][:10])
    worn = recognizer._some_worn(store.recording(store.recordings[0]), np.random.default_rng(3))
    assert 1 <= len({s.contract.placement for s in worn.streams.values()}) <= 4
