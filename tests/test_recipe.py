"""Recipes: they come back as they went, and a word or a value that is wrong is named."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kinjo.encoders import PoseInput, SensorInput, VideoInput
from kinjo.methods import mujo, mumae
from kinjo.methods.oneshot import OneShotConfig
from kinjo.recipe import Augment, Recipe
from kinjo.train import Schedule

RECIPES = sorted((Path(__file__).resolve().parents[1] / "recipes").glob("*.toml"))
INPUTS = {
    "acc": SensorInput("acc", samples=32, slots=8),
    "pose": PoseInput(frames=16, joints=4, slots=8, root=2),
    "rgb": VideoInput("rgb", frames=4, size=16, tubelet=(2, 8, 8)),
}
RECIPE = Recipe(
    "all", INPUTS, mumae.Config(INPUTS, dim=32, mask_ratio=0.5),
    Schedule(steps=7, betas=(0.8, 0.9), precision="fp32"), Schedule(steps=3), augment=Augment(warp=0.1),
)  # fmt: skip
SMALL = """
name = "small"

[inputs.acc]
modality = "imu"
quantity = "acc"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_round_trip_through_json():
    assert Recipe.from_dict(json.loads(json.dumps(RECIPE.to_dict()))) == RECIPE
    assert Recipe.from_dict(RECIPE.to_dict()) == RECIPE


def test_toml_is_read_into_the_same_recipe(tmp_path: Path):
    text = """
    name = "all"
    [inputs.acc]
    modality = "imu"
    quantity = "acc"
    samples = 32
    slots = 8
    [inputs.pose]
    modality = "pose"
    frames = 16
    joints = 4
    slots = 8
    root = 2
    [inputs.rgb]
    modality = "video"
    quantity = "rgb"
    frames = 4
    size = 16
    tubelet = [2, 8, 8]
    [model]
    dim = 32
    mask_ratio = 0.5
    [pretrain]
    steps = 7
    betas = [0.8, 0.9]
    precision = "fp32"
    [finetune]
    steps = 3
    [augment]
    warp = 0.1
    """
    recipe = Recipe.load(written(tmp_path, text))
    assert recipe == RECIPE
    assert list(recipe.inputs) == ["acc", "pose", "rgb"]  # the order of the file is the order of the model
    assert recipe.model.inputs == recipe.inputs


def test_what_is_not_said_is_the_default(tmp_path: Path):
    recipe = Recipe.load(written(tmp_path, SMALL))
    inputs = {"acc": SensorInput("acc")}
    assert recipe == Recipe("small", inputs, mumae.Config(inputs))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_of_the_project_load(path: Path):
    recipe = Recipe.load(path)
    assert recipe.name == path.stem
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_the_project_has_recipes():
    assert "mumae-utd" in [path.stem for path in RECIPES]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[modle]\ndim = 3", r"unknown modle; known: .*model"),
        ("[model]\nwidth = 3", r"\[model\]: unknown width; known: .*dim"),
        ("[model.inputs.acc]\nmodality = 'imu'", r"\[model\]: unknown inputs"),
        ("[pretrain]\nstep = 3", r"\[pretrain\]: unknown step; known: steps"),
        ("[finetune]\nlearning_rate = 1e-3", r"\[finetune\]: unknown learning_rate; known: .*lr"),
        ("[augment]\nrotate = 3", r"\[augment\]: unknown rotate; known: rotation_deg"),
        ("[inputs.g]\nmodality = 'imu'\nquantity = 'gyro'\nrate = 50", r"\[inputs.g\]: unknown rate; known: .*axes"),
        ("[inputs.g]\nmodality = 'wearable'", r"\[inputs.g\]: modality must be one of imu, pose, video.*'wearable'"),
        ("[inputs.gyro]\nquantity = 'gyro'", r"\[inputs.gyro\]: modality must be one of .*None"),
        ("[inputs.gyro]\nmodality = 'imu'", r"\[inputs.gyro\]: 'quantity' is missing"),
        ("[inputs.g]\nmodality = 'imu'\nquantity = 'gyr'", r"\[inputs.g\]: quantity must be one of acc, gyro.*'gyr'"),
        ("[inputs.g]\nmodality = 'video'\nquantity = 'acc'", r"quantity must be one of rgb, depth, given 'acc'"),
    ],
)  # fmt: skip
def test_unknown_words_are_named(tmp_path: Path, more: str, said: str):
    with pytest.raises(ValueError, match=r"recipe\.toml.*" + said):
        Recipe.load(written(tmp_path, f"{SMALL}\n{more}\n"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[pretrain]\nsteps = '300'", r"\[pretrain\]: steps must be like 1000, given '300'"),
        ("[pretrain]\nsteps = 1.5", r"steps must be like 1000, given 1\.5"),
        ("[pretrain]\nsteps = true", r"steps must be like 1000, given True"),
        ("[pretrain]\nbetas = [0.9]", r"betas must be like \(0\.9, 0\.95\), given \[0\.9\]"),
        ("[pretrain]\nprecision = 'fp16'", r"\[pretrain\]: precision must be bf16 or fp32, given 'fp16'"),
        ("[model]\nstem = 'pool'", r"\[model\]: stem must be conv or linear, given 'pool'"),
        ("[model]\ndim = [3]", r"\[model\]: dim must be like \d+, given \[3\]"),
        ("[inputs.d]\nmodality = 'video'\ntubelet = [2, 8]", r"\[inputs.d\]: tubelet must be like \(2, 16, 16\)"),
        ("[model]\nmasking = 'tube'", r"\[model\]: masking must be synchronised or independent, given 'tube'"),
        ("[finetune]\noptimizer = 'adam'", r"\[finetune\]: optimizer must be adamw or sgd, given 'adam'"),
        ("[oneshot]\nhead = 'svm'", r"\[oneshot\]: head must be cosine or .* or can, given 'svm'"),
        ("[oneshot]\nhead = 'can'", r"\[oneshot\]: head 'can' compares fused vectors: it needs fusion"),
        ("[inputs.g]\nmodality = 'imu'\nquantity = 'gyro'\nlayout = 'wide'", r"layout must be contiguous or strided"),
        ("[inputs.g]\nmodality = 'imu'\nquantity = 'gyro'\nlayout = 'strided'", r"strided tokens need stem = 'linear'"),
        ("[inputs]\ngyro = 3", r"\[inputs.gyro\]: must be a table, given 3"),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, more: str, said: str):
    small = SMALL if "[inputs]\n" not in more else 'name = "small"\n'
    with pytest.raises(ValueError, match=r"recipe\.toml.*" + said):
        Recipe.load(written(tmp_path, f"{small}\n{more}\n"))


@pytest.mark.parametrize("preset", [mumae.vit_small, mumae.vit_base, mumae.vit_utd])
def test_the_published_presets_come_back(preset: Callable[[], mumae.Config]):
    config = preset()
    how = OneShotConfig(fusion="reference", branches="released", head="can", weights={"video": 0.5})
    recipe = Recipe("published", config.inputs, config, oneshot=how)
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert list(again.inputs) == list(recipe.inputs)


def test_the_recipe_for_mmact_is_the_published_preset():
    recipe = Recipe.load(next(path for path in RECIPES if path.stem == "mumae-mmact"))
    assert recipe.model == mumae.vit_small()
    assert list(recipe.inputs) == list(mumae.published_inputs())
    assert (recipe.oneshot.fusion, recipe.oneshot.branches, recipe.oneshot.head) == ("reference", "released", "can")
    assert (recipe.finetune.optimizer, recipe.finetune.lr_at(0), recipe.finetune.lr_at(7999)) == ("sgd", 0.01, 0.01)
    assert recipe.finetune.steps * recipe.finetune.accumulate == pytest.approx(256_020, rel=1e-3)  # episodes


def test_weights_that_are_no_table_are_refused():
    """As outside of tests, where nothing checks types."""
    how = object.__new__(OneShotConfig)
    for name, value in {**OneShotConfig().__dict__, "weights": 3}.items():
        object.__setattr__(how, name, value)
    with pytest.raises(ValueError, match="weights are positive numbers by part, given 3"):
        how.__post_init__()


def test_a_whole_number_may_stand_for_a_fraction(tmp_path: Path):
    lr = Recipe.load(written(tmp_path, f"{SMALL}\n[pretrain]\nlr = 1\n")).pretrain.lr
    assert (lr, type(lr)) == (1.0, float)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "not valid TOML"),
        ("[inputs.acc]\nmodality = 'imu'\nquantity = 'acc'", "'name' is missing"),
        ("name = 'x'", "'inputs' is missing"),
        ("name = 'x'\n[inputs]", "'inputs' is missing"),
        ("name = 'x'\ninputs = 3", r"\[inputs\]: must be a table, given 3"),
        ("name = 'x'\nmodel = 3\n[inputs.acc]\nmodality='imu'\nquantity='acc'", r"\[model\]: must be a table, given 3"),
    ],
)
def test_a_file_that_is_no_recipe_says_so(tmp_path: Path, text: str, said: str):
    with pytest.raises(ValueError, match=r"recipe\.toml: " + said):
        Recipe.load(written(tmp_path, text))


def test_a_file_that_is_no_text_says_so(tmp_path: Path):
    (tmp_path / "recipe.toml").write_bytes(b"name = '\xff\xfe'")
    with pytest.raises(ValueError, match=r"recipe\.toml: not valid TOML"):
        Recipe.load(tmp_path / "recipe.toml")


def test_no_file_says_where_recipes_are(tmp_path: Path):
    with pytest.raises(ValueError, match=r"none\.toml: no such recipe.*recipes/"):
        Recipe.load(tmp_path / "none.toml")


def test_joints_across_come_as_a_list():
    plan = Recipe("x", {"pose": PoseInput(joints=17, across=(9, 13))}, mumae.tiny({"pose": PoseInput(joints=17)}))
    written = plan.to_dict()
    written["inputs"]["pose"]["across"] = [9, 13]
    assert Recipe.from_dict(written).inputs["pose"] == plan.inputs["pose"]
    for wrong in ([9], ["a", "b"], 9, [9, 13.5]):
        written["inputs"]["pose"]["across"] = wrong
        with pytest.raises(ValueError, match="across"):
            Recipe.from_dict(written)


# ------------------------------------------------------------------------------------------------ MuJo
MUJO = Recipe(
    "joint", INPUTS, mujo.Config(INPUTS, dim=32, imu="recurrent"), method="mujo",
    objective=mujo.Objective({"contrast": 1.0, "masked": 0.5}, "uncertainty", drop=0.1), augment=Augment(mixup=0.3),
)  # fmt: skip


def test_a_joint_space_comes_back_as_it_went():
    assert Recipe.from_dict(json.loads(json.dumps(MUJO.to_dict()))) == MUJO
    assert Recipe.from_dict(MUJO.to_dict()) == MUJO


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("method = 'mojo'", r"method must be mumae or mujo, given 'mojo'"),
        ("method = 'mujo'\n[oneshot]\nway = 3", r"\[oneshot\] is not for method = 'mujo'"),
        ("[objective]\ndrop = 0.1", r"\[objective\] is not for method = 'mumae'"),
        ("[augment]\nmixup = 0.3", r"\[augment\] mixup is for method = 'mujo'"),
        ("method = 'mujo'\n[objective]\nweights = {contrst = 1.0}", r"\[objective\]: weights: known are contrast"),
        ("method = 'mujo'\n[objective]\nweights = {contrast = 'much'}", r"\[objective\]: weights must be numbers"),
        ("method = 'mujo'\n[objective]\nweights = 3", r"\[objective\]: weights: must be a table"),
        ("method = 'mujo'\n[objective]\nweighting = 'fair'", r"weighting must be fixed or uncertainty or pcgrad"),
        ("method = 'mujo'\n[model]\ndecoder_dim = 3", r"\[model\]: unknown decoder_dim; known: .*joint_dim"),
        ("method = 'mujo'\n[model]\nimu = 'lstm'", r"imu must be transformer or recurrent, given 'lstm'"),
    ],
)  # fmt: skip
def test_words_of_the_other_method_are_named(tmp_path: Path, more: str, said: str):
    head, _, tables = more.partition("\n") if more.startswith("method") else ("", "", more)
    with pytest.raises(ValueError, match=said):
        Recipe.load(written(tmp_path, f"{head}\n{SMALL}\n{tables}\n"))


# ------------------------------------------------------------------------------------------------ many inputs at once
SENSORS = "[inputs.sensors]\nmodality = 'imu'\nsamples = 96\nslots = 12\n"


def test_lists_of_places_and_quantities_are_an_input_for_each_pair(tmp_path: Path):
    listed = f"{SENSORS}placement = ['head', 'left_foot']\nquantity = ['acc', 'gyro']\n"
    recipe = Recipe.load(written(tmp_path, f"name = 'x'\n{listed}"))
    assert recipe.inputs == {
        f"{p}_{q}": SensorInput(q, samples=96, slots=12, placement=p)
        for p in ("head", "left_foot")
        for q in ("acc", "gyro")
    }
    assert list(recipe.inputs) == ["head_acc", "head_gyro", "left_foot_acc", "left_foot_gyro"]
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    one = Recipe.load(written(tmp_path, f"name = 'x'\n{SENSORS}placement = ['head']\nquantity = 'acc'\n"))
    assert list(one.inputs) == ["head_acc"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("placement = []\nquantity = 'acc'", r"placement must be names, each once, given \[\]"),
        ("placement = ['head', 'head']\nquantity = 'acc'", r"placement must be names, each once"),
        ("placement = ['head', 3]\nquantity = 'acc'", r"placement must be names, each once"),
        ("quantity = ['acc', 'gyro']", r"a list of quantity needs placement and quantity"),
        ("placement = ['head']", r"a list of placement needs placement and quantity"),
        ("placement = ['head']\nquantity = ['acc', 'gyr']", r"quantity must be one of acc, gyro.*'gyr'"),
        ("placement = ['head']\nquantity = 'acc'\nrate = 3", r"unknown rate"),
        ("placement = ['head']\nquantity = 'acc'\n[inputs.head_acc]\nmodality = 'imu'", r"'head_acc' already"),
    ],
)
def test_wrong_lists_are_named(tmp_path: Path, more: str, said: str):
    with pytest.raises(ValueError, match=r"recipe\.toml.*" + said):
        Recipe.load(written(tmp_path, f"name = 'x'\n{SENSORS}{more}\n"))


def test_later_words_are_told_only_where_they_are_used():
    plain = MUJO.to_dict()
    assert not {"places", "one_quantity"} & set(plain["augment"])
    assert "placed" not in plain["model"]
    used = replace(MUJO, augment=Augment(places=4, one_quantity=0.1), model=replace(MUJO.model, placed=False))
    assert Recipe.from_dict(used.to_dict()) == used


def test_trainings_begun_before_a_word_was_there_go_on():
    """A recipe that leaves a later word at its default is told as it was without it: runs are resumed by that."""
    inputs = {"acc": SensorInput("acc", samples=32, slots=8)}
    told = Recipe("old", inputs, mujo.Config(inputs), method="mujo").to_dict()
    assert set(told["augment"]) == {
        "rotation_deg", "half_turns", "turn_deg", "warp", "crop", "scale", "noise", "shift", "mixup",
    }  # fmt: skip
    assert set(told["objective"]) == {
        "weights", "weighting", "schedule", "temperature", "synonyms", "drop", "hide_placement", "mask_ratio",
    }  # fmt: skip
    assert "placed" not in told["model"]
    assert Recipe.from_dict(told).to_dict() == told
